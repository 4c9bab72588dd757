"""``shadowlane gate --wait``: looks again and again until the verdict is decided.

Invariant: looking often costs nothing, since the verdict's intervals hold however often one looks
(docs/parts/gate.md); what cannot be evaluated now is said and waited for, like any other HOLD.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable
from typing import Any

from ..config import Config
from ..errors import LaneError, StoreError
from ..render.text import clock, print_json_line, print_lines
from .verdicts import gate_data, held_data, read_verdicts, verdict_line

__all__ = ["duration", "wait_for_verdict"]

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?\Z")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_MOST_S = 365 * 86_400.0
_TONES = {"GRADUATE": "good", "HOLD": "open", "REJECT": "bad"}


def duration(text: str) -> float:
    """An argument that is a duration, in seconds: ``90s``, ``30m``, ``1h30m``, ``2d``; a number alone is seconds."""
    written = f"{text}s" if _NUMBER.match(text) else text
    parts = _PART.findall(written)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != written or not 0 < seconds <= _MOST_S:
        raise argparse.ArgumentTypeError(
            f"{text!r}: use more than 0 and at most 365 days, for example 90s, 30m or 1h30m"
        )
    return seconds


def wait_for_verdict(
    config: Config,
    shadow: str | None = None,
    *,
    timeout_s: float | None,
    interval_s: float,
    as_json: bool = False,
    clock_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Print a line whenever the verdict, or what decides it, is another one. Returns 0 for GRADUATE and 1 for REJECT as
    soon as it is one of them, and 1 when ``timeout_s`` is over before."""
    until = None if timeout_s is None else clock_s() + timeout_s
    said = ""
    while True:
        data = _look(config, shadow)
        line = verdict_line(data)
        if line != said:
            _say(data, line, as_json=as_json)
            said = line
        if data["verdict"] != "HOLD":
            return 0 if data["verdict"] == "GRADUATE" else 1
        left_s = interval_s if until is None else min(interval_s, until - clock_s())
        if left_s <= 0:
            return 1
        sleep(left_s)


def _look(config: Config, shadow: str | None) -> dict[str, Any]:
    try:
        status, verdicts = read_verdicts(config, shadow)
    except (StoreError, LaneError) as error:
        return held_data(config.lane.name, shadow, f"cannot be evaluated now: {error}")
    return gate_data(config.lane.name, status, verdicts)


def _say(data: dict[str, Any], line: str, *, as_json: bool) -> None:
    now = time.time_ns()
    if as_json:
        print_json_line({"time_ns": now, **{name: data[name] for name in ("lane", "shadow", "verdict", "reason")}})
    else:
        print_lines([(f"{clock(now)} {line}", _TONES[data["verdict"]])])
