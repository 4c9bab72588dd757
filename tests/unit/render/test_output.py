"""There is one way to standard output and standard error, and what it prints cannot drive a terminal.

Nothing is listed but what may encode JSON for another reader: a new ``print``, or JSON by another function, fails here.
"""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import shadowlane
from shadowlane.render.text import json_line, print_json_line
from tests.unit.render.test_text import DRIVERS

PACKAGE = Path(shadowlane.__file__).parent
WRITER = "render/text.py"
NOT_FOR_A_TERMINAL = {
    "capture/opening.py": "a configuration as a key",
    "capture/supervisor.py": "the worker's configuration, a file",
    "demo/folders.py": "a string of a TOML file",
    "embedders/remote.py": "a request's body",
    "guard/incoming.py": "an answer's body",
    "guard/proxy/messages.py": "an answer's body",
    "policy/__init__.py": "a tool's definition, for the core",
    "providers/reading/calls.py": "a tool call's arguments, as text of an answer",
    "providers/reading/jsonlike.py": "a value as text of an answer",
    "score/answers.py": "a body that is read again",
    "sources/genai.py": "a tool call's arguments and other values, as texts of an exchange",
    "status/sample.py": "a request's body",
    "transport/stub.py": "a request's body",
}
"""Who calls ``json.dumps`` beside the writer, and what for."""
PRINTS = {"demo/serving.py": "its port, read by whoever started it"}


def calls() -> Iterator[tuple[str, str]]:
    """Every call in the package: module and what is called, as it is written."""
    for file in PACKAGE.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield file.relative_to(PACKAGE).as_posix(), ast.unparse(node.func)


def test_only_one_module_writes_to_standard_output_and_standard_error() -> None:
    streams = ("sys.stdout", "sys.stderr")
    ways = {"print", "pprint", "json.dump", *(f"{one}{by}" for one in streams for by in (".write", ".buffer.write"))}
    found = {(module, name) for module, name in calls() if name in ways and module not in (WRITER, *PRINTS)}
    assert not found


def test_only_one_module_makes_json_for_people() -> None:
    found = {module for module, name in calls() if name in ("json.dumps", "dumps")}
    assert found == {WRITER, *NOT_FOR_A_TERMINAL}


@pytest.mark.parametrize("text", [*DRIVERS, "\x7f", "\x85", "\u2028", "\u061c", "\ufeff", "\n"])
def test_a_line_of_json_holds_nothing_that_drives_a_terminal(text: str) -> None:
    out = io.StringIO()
    print_json_line({"host": f"a{text}b", f"k{text}": 1}, out)
    line = out.getvalue()
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert json.loads(line) == {"host": f"a{text}b", f"k{text}": 1}
    assert json_line([text]).isprintable()


@pytest.mark.parametrize("text", ["\x9b2J", "\u202ex", "\x7f"])
def test_the_guard_prints_its_own_errors_and_lines_so(text: str, tmp_path: Path) -> None:
    """Options and file names come from outside, too."""
    done = subprocess.run(
        [sys.executable, "-m", "shadowlane", "guard", "--allow", f"h{text}", "--log", str(tmp_path / "l")],
        capture_output=True, timeout=60, check=False, env={"PYTHONPATH": str(PACKAGE.parent), "PYTHONUTF8": "1"},
    )  # fmt: skip
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 2
    assert said
    assert all(c.isprintable() or c == "\n" for c in said)
