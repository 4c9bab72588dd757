"""What is said about the commands is true: ``make help`` lists all of them, and nobody calls one that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = dict(re.findall(r"^([a-z][a-z-]*):(?!=)(.*)$", MAKEFILE, re.MULTILINE))
CALLERS = [
    ROOT / ".ci" / "run",
    *ROOT.glob(".github/workflows/*.yml"),
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/**/*.md"),
    *ROOT.glob("examples/**/*"),
]
CALL = re.compile(r"(?:^|[`\s(])make ((?:[a-z]+-)*[a-z]+)(?=[\s`,;.:)]|$)", re.MULTILINE)
IN_CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def calls(path: Path) -> set[str]:
    """The targets that a file calls; of a page only those in code, since "make sure" is no target."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        text = "\n".join(IN_CODE.findall(text))
    lines = [line for line in text.splitlines() if path.suffix == ".md" or not line.lstrip().startswith("#")]
    return set(CALL.findall("\n".join(lines)))


def test_every_target_is_in_the_help_and_phony() -> None:
    assert len(TARGETS) > 20
    assert [name for name, rest in TARGETS.items() if " ## " not in rest] == []
    [listed] = re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    assert set(listed.replace("\\\n", " ").split()) == set(TARGETS)


@pytest.mark.parametrize(
    "path", [path for path in CALLERS if path.is_file()], ids=lambda path: str(path.relative_to(ROOT))
)
def test_what_is_called_is_there(path: Path) -> None:
    assert calls(path) - set(TARGETS) == set()


def test_a_call_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("make sure that `make nothing-such` and\n```\nmake other # x\n```\nrun\n")
    assert calls(page) == {"nothing-such", "other"}
