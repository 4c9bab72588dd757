"""What the demonstration shows while it sends, and what its gateway says when it cannot start."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

pytest.importorskip("rich")
pytest.importorskip("httpx")

from rich.console import Console

from shadowlane.demo.client import Meter
from shadowlane.demo.processes import DemoError, start


class _Time:
    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now


def test_without_a_terminal_a_plain_line_every_few_seconds() -> None:
    out = io.StringIO()
    time = _Time()
    with Meter(Console(file=out, force_terminal=False), 120, clock=time.clock) as meter:
        for index in range(120):
            time.now += 0.1
            meter.advance(int(index == 7))
    lines = out.getvalue().splitlines()
    assert len(lines) == 3
    assert "120 of 120 answered, 1 errors" in lines[-1]
    assert all("\x1b" not in line for line in lines)


def test_on_a_terminal_a_bar() -> None:
    out = io.StringIO()
    with Meter(Console(file=out, force_terminal=True, width=100), 2) as meter:
        meter.advance(0)
        meter.advance(1)
    assert "2/2" in out.getvalue()
    assert "1 errors" in out.getvalue()


def test_gateway_without_configuration_says_so(tmp_path: Path) -> None:
    arguments = ["--config", str(tmp_path / "missing.toml"), "--upstream", "http://127.0.0.1:9"]
    gateway = start("gateway", "shadowlane.demo.gateway", arguments, tmp_path / "gateway.log")
    try:
        with pytest.raises(DemoError, match=r"gateway: ended with code 2(.|\n)*missing\.toml: no such file"):
            gateway.wait_until_up(60)
    finally:
        gateway.stop()
