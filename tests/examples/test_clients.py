"""The programs of ``docs/operate/clients.md`` as printed: the real library, a real worker and a real shadow; and the
README's table, whose lines they are."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest

from tests.e2e.conftest import ROOT, World
from tests.e2e.test_vllm import OPTION
from tests.support.answering import upstream
from tests.support.snippets import client_snippets, gateway_settings, gateway_snippets

PROGRAMS = client_snippets()
KEY = "sk-" + "0123456789abcdef" * 4
SAID = "You asked: how high is the deposit?"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_mirrors_as_printed(name: str, world: World) -> None:
    if "LiteLLM" in name and importlib.util.find_spec("litellm") is None:
        pytest.skip("litellm is not installed")
    with upstream() as prod, upstream() as shadow:
        provider = "anthropic" if "Anthropic" in name else "openai"
        world.configure(shadow.url, routes={"presets": [provider], "read": []})
        program = world.folder / "program.py"
        program.write_text(PROGRAMS[name])
        environment = {"BASE_URL": prod.url, "OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY, "NO_PROXY": "127.0.0.1"}
        done = subprocess.run(
            [sys.executable, str(program)],
            cwd=world.folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=200,
        )  # fmt: skip
        assert (done.returncode, done.stdout.strip()) == (0, SAID), done.stderr
        status = world.settle(1)
        assert status["shadows"]["candidate"]["answered"] == 1
        [copy] = shadow.bodies
        assert json.loads(copy)["messages"] == [{"role": "user", "content": "how high is the deposit?"}]
        assert KEY not in json.dumps(shadow.headers)


def test_the_table_of_the_readme_has_lines_of_programs_that_run() -> None:
    """Each line stands in a program of the pages as it is printed, so it is run by the tests of these; vLLM's is the
    option that its own test gives."""
    gateways = [*(snippet.program for snippet in gateway_snippets().values()), *gateway_settings().values()]
    programs = "\n".join([*PROGRAMS.values(), *gateways])
    run = {f"vllm serve MODEL {OPTION}", *(" ".join(line.split()) for line in programs.splitlines())}
    rows = [row for row in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if row.startswith("| your ")]
    assert len(rows) >= 8
    for row in rows:
        line = row.split("`")[3]
        assert any(line in one for one in run), line
