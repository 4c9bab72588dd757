"""What ``make first-hour`` takes from the documentation is there; the run itself needs a wheel and a network."""

from __future__ import annotations

import ast

import pytest

from shadowlane.init.choices import GATEWAYS
from tools.first_hour import FRAMEWORKS, free_port, snippet


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_framework_has_its_program_and_its_command(name: str) -> None:
    program, command = snippet(FRAMEWORKS[name].section)
    assert "ShadowMiddleware" in {node.id for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Name)}
    assert next(word for word in command if "=" not in word) == "uvicorn"
    assert name in GATEWAYS


def test_a_section_that_is_not_there_is_said() -> None:
    with pytest.raises(AssertionError, match="no section Tornado"):
        snippet("Tornado")


def test_a_free_port_can_be_taken() -> None:
    assert free_port() > 0
