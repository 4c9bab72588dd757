"""What ``make first-hour`` takes from the documentation is there; the run itself needs a wheel and a network."""

from __future__ import annotations

import ast
import re
import socket
from pathlib import Path

import pytest

from shadowlane.init.choices import GATEWAYS
from tools.first_hour import FRAMEWORKS, callback_setting, free_port, snippet

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_framework_has_its_program_and_its_command(name: str) -> None:
    program, command = snippet(FRAMEWORKS[name].section)
    assert "ShadowMiddleware" in {node.id for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Name)}
    assert next(word for word in command if "=" not in word) == "uvicorn"
    assert name in GATEWAYS


def test_litellms_callback_is_the_one_of_the_page() -> None:
    assert "callbacks: shadowlane.litellm.callback" in callback_setting()


def test_a_section_that_is_not_there_is_said() -> None:
    with pytest.raises(AssertionError, match="no section Tornado"):
        snippet("Tornado")


def test_a_free_port_can_be_taken() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        with pytest.raises(OSError, match="in use"):
            socket.create_server(server.getsockname())
        assert free_port() != server.getsockname()[1]


def test_ci_has_the_first_hour_with_every_gateway() -> None:
    text = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert re.findall(r"make first-hour(?: GATEWAYS=\"([a-z ]*)\")?", text) == [""]
