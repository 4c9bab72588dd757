"""The screen as lines of text: what a lane does now, of any width and height.

Invariants: no line is wider and no screen higher than asked for; what does not fit is counted; the text says everything
that a colour says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..bands import CRITICAL
from ..render.text import Line, clock, printable
from ..render.wrap import cells, wrapped
from ..report.terminal import REVERSE
from ..status.render import size
from ..status.routes import prod_lines
from .rates import Rates

__all__ = ["ArmView", "View", "screen", "sparkline"]

_BARS = "▁▂▃▄▅▆▇█"
_TONES = {"GRADUATE": "good", "HOLD": "open", "REJECT": "bad"}
_REASONS = 6
_NAMES = 11
_LEAST_WRAPPED = 40


@dataclass(frozen=True, slots=True)
class ArmView:
    """What the store and the gate say of one arm."""

    deltas: Sequence[float] = ()
    """ΔS of its newest scored pairs, the oldest first."""
    decision: str = ""
    """Its verdict; empty: none yet, or the arm is the control."""
    summary: str = ""
    reverse: bool = False
    """Whether it is the baseline, and prod the candidate."""


@dataclass(frozen=True, slots=True)
class View:
    """Everything that a screen shows."""

    status: Mapping[str, Any]
    rates: Rates
    now_ns: int
    arms: Mapping[str, ArmView] = field(default_factory=dict)
    judged_ns: int | None = None
    """When the verdicts were evaluated; ``None``: not yet."""
    trouble: str = ""
    """Why arms and verdicts are old or missing."""


def screen(view: View, width: int, height: int) -> list[Line]:
    """At most ``height`` lines of at most ``width`` cells."""
    lines = [*_lane(view), *(line for name in view.status["shadows"] for line in _arm(view, name, width))]
    lines.append(("", ""))
    lines.append((_foot(view), "dim"))
    if len(lines) > height:
        hidden = len(lines) - height + 1
        lines = [*lines[: max(height - 1, 0)], (f"{hidden} more lines: make the window higher", "open")][:height]
    return [(cut(printable(text), width), style) for text, style in lines]


def cut(text: str, width: int) -> str:
    """The text, in at most ``width`` cells; one that was longer ends in ``…``."""
    if cells(text) <= width:
        return text
    kept = ""
    for character in text:
        if cells(kept + character) > width - 1:
            break
        kept += character
    return kept + "…" if width > 0 else ""


def sparkline(values: Sequence[float], width: int, top: float) -> str:
    """At most ``width`` bars from 0 to ``top``; more values than bars are averaged, neighbours with neighbours."""
    if not values or width < 1:
        return ""
    bars = min(width, len(values))
    parts = [values[len(values) * i // bars : len(values) * (i + 1) // bars] for i in range(bars)]
    shares = [sum(part) / len(part) / top for part in parts]
    return "".join(_BARS[min(max(int(share * len(_BARS)), 0), len(_BARS) - 1)] for share in shares)


def _lane(view: View) -> list[Line]:
    status, rates = view.status, view.rates
    on = "mirroring" if status["enabled"] else "OFF"
    state = on if status["started"] else "never started"
    lines: list[Line] = [(f"lane {status['lane']}: {state}", "title" if status["enabled"] else "bad")]
    lines += [(f"ALERT  {text}", "bad") for text in status["alerts"]]
    if not status["accounting"]["holds"]:
        lines.append(("accounting DOES NOT HOLD: see shadowlane status", "bad"))
    if status["worker_error"]:
        lines.append((f"worker ended: {status['worker_error']}", "bad"))
    lines += [
        _row("seen", f"{status['seen']:>12,} {_a_second(rates.seen())}"),
        _row("mirrored", f"{status['mirrored']:>12,} {_a_second(rates.mirrored())}"),
    ]
    dropped = sorted(((n, reason) for reason, n in status["dropped"].items() if n), key=lambda one: (-one[0], one[1]))
    for position, (n, reason) in enumerate(dropped[:_REASONS]):
        title = "" if position else "dropped"
        lines.append(_row(title, f"{n:>12,} {_a_second(rates.dropped(reason))}  {reason}"))
    if rest := dropped[_REASONS:]:
        lines.append(_row("", f"{sum(n for n, _ in rest):>12,} for {len(rest)} other reasons"))
    lines += [_row("ring", _rings(status["rings"])), _row("worker", _worker(status["worker"]))]
    return lines


def _row(title: str, text: str) -> Line:
    return f"{title:<{_NAMES}}{text}", ""


def _a_second(rate: float | None) -> str:
    return f"{'–' if rate is None else f'{rate:.1f}':>9}/s"


def _rings(rings: Sequence[Mapping[str, Any]]) -> str:
    if not rings:
        return "none: no gateway process has opened the lane"
    fullest = max(rings, key=lambda ring: ring["used"] / ring["bytes"] if ring["bytes"] else 0.0)
    share = fullest["used"] / fullest["bytes"] if fullest["bytes"] else 0.0
    full = round(20 * share)
    alive = sum(1 for ring in rings if ring["alive"])
    return f"[{'#' * full}{'.' * (20 - full)}] {100 * share:.1f} % of {size(fullest['bytes'])}; {alive} processes alive"


def _worker(worker: Mapping[str, Any]) -> str:
    if not worker["alive"]:
        return "none"
    age = worker["heartbeat_age_s"]
    return "alive, no heartbeat yet" if age is None else f"alive, heartbeat {age:.1f} s ago"


def _arm(view: View, name: str, width: int) -> list[Line]:
    arm, seen = view.status["shadows"][name], view.arms.get(name, ArmView())
    failed = sorted(((n, why) for why, n in arm["failed"].items() if n), key=lambda one: (-one[0], one[1]))
    lines: list[Line] = [("", ""), (name if name == "control" else f"shadow {name}", "title")]
    lines.append(_row("answered", f"{arm['answered']:>12,} {_a_second(view.rates.stored(name))} with the failed"))
    if failed:
        lines.append(
            _row("failed", f"{sum(n for n, _ in failed):>12,}  {', '.join(f'{why} {n}' for n, why in failed)}")
        )
    lines.append(_row("in flight", f"{arm['in_flight']:>12,}"))
    for line in prod_lines(arm):
        text = f"{'prod':<{_NAMES}}{line}"
        lines += [(part, "open") for part in wrapped(text, max(width, _LEAST_WRAPPED))]
    lines.append(_row("ΔS", _deltas(seen.deltas, width)))
    if seen.decision:
        whose = f" ({REVERSE})" if seen.reverse else ""
        text = f"{'verdict':<{_NAMES}}{seen.decision}{whose}: {seen.summary}"
        lines += [(line, _TONES[seen.decision]) for line in wrapped(printable(text), max(width, _LEAST_WRAPPED))]
    elif name != "control":
        lines.append(_row("verdict", "not evaluated yet"))
    return lines


def _deltas(deltas: Sequence[float], width: int) -> str:
    if not deltas:
        return "no pair has one yet"
    top = max(CRITICAL, math.ceil(10 * max(deltas)) / 10)
    mean = sum(deltas) / len(deltas)
    text = f"0 to {top:.1f}, mean {mean:.3f} of the last {len(deltas)}"
    return f"{sparkline(deltas, max(min(width - _NAMES - len(text) - 2, 60), 8), top)}  {text}"


def _foot(view: View) -> str:
    judged = "verdicts: none yet" if view.judged_ns is None else f"verdicts of {clock(view.judged_ns)[11:]}"
    parts = [f"{clock(view.now_ns)} UTC", judged, *([view.trouble] if view.trouble else []), "Ctrl-C ends"]
    return "; ".join(parts)
