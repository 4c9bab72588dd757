"""The page's two drawings as inline SVG: the ΔS histogram and both latency curves. Colours come from the page.

Invariant: only numbers and words of our own enter the markup, and neither drawing needs a script or a style attribute.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from .text import milliseconds

__all__ = ["histogram", "intervals", "latency_curves"]

_WIDTH, _HEIGHT = 560, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 26, 40
_SHARES = (0.0, 0.25, 0.5, 0.75, 0.95)
_LABEL_ROOM = 0.72
"""The slower P95 lies at most here on the axis, so that its label has room on its right."""


def histogram(block: Mapping[str, Any], targets: Mapping[str, float]) -> str:
    """Counts of pairs by ΔS (bins of the block), coloured by band, with the target and the mean as lines."""
    edges, counts = block["histogram"]["edges"], block["histogram"]["counts"]
    top = _nice(max(counts))
    parts = [_axes(f"Histogram of ΔS over {block['n']} pairs; mean {block['mean']:.3f}")]
    for tick in _ticks(top):
        y = _y(tick / top)
        parts.append(_line(_LEFT, y, _WIDTH - _RIGHT, y, "grid"))
        parts.append(_text(_LEFT - 8, y + 4, f"{tick:g}", "tick end"))
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        if count:
            x, width, y = _x(low) + 0.75, _x(high) - _x(low) - 1.5, _y(count / top)
            more = " or more" if high >= 1 else f" to {high:.3f}"
            parts.append(
                f'<rect class="{_band(low, targets)}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
                f'height="{_y(0) - y:.1f}" rx="1.5"><title>ΔS {low:.3f}{more}: {count} pairs</title></rect>'
            )
    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        parts.append(_text(_x(tick), _y(0) + 18, f"{tick:.1f}" + ("+" if tick == 1 else ""), "tick middle"))
    parts.append(_line(_LEFT, _y(0), _WIDTH - _RIGHT, _y(0), "axis"))
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 4, "ΔS (0: same meaning)", "tick middle"))
    target, mean = targets["mean_delta_s"], min(block["mean"], 1.0)
    if block["floor"] is not None:
        floor = min(block["floor"], 1.0)
        parts.append(_flag(floor, f"noise {floor:.3f}", "floor", to_left=floor <= mean, down=16))
    parts.append(_flag(target, f"target {target:g}", "target", to_left=mean > target))
    parts.append(_flag(mean, f"mean {block['mean']:.3f}", "mean", to_left=mean <= target))
    return _figure(parts)


def latency_curves(latency: Mapping[str, Any]) -> str:
    """Share of answers that were complete within a time, prod and shadow, on a logarithmic axis, with both P95."""
    curves = latency["ecdf"]
    # The slowest percent would press the rest of both curves together.
    every = [value for who in ("prod", "shadow") for value in curves[who]["seconds"] if value > 0]
    last = max(latency[who]["p99"] for who in ("prod", "shadow"))
    low, high = math.log10(max(min(every, default=1e-3), 1e-5)), math.log10(max(last, 1e-5)) + 0.04
    slower = max(latency[who]["p95"] for who in ("prod", "shadow"))
    high = max(high, low + 0.15, low + (math.log10(max(slower, 1e-5)) - low) / _LABEL_ROOM)
    parts = [_axes("Share of answers complete within a time: prod against shadow")]
    for share in _SHARES:
        y = _y(share)
        parts.append(_line(_LEFT, y, _WIDTH - _RIGHT, y, "grid strong" if share == 0.95 else "grid"))
        parts.append(_text(_LEFT - 8, y + 4, f"{100 * share:.0f} %", "tick end"))

    def x(seconds: float) -> float:
        fraction = (math.log10(max(seconds, 1e-5)) - low) / (high - low)
        return _LEFT + min(max(fraction, 0.0), 1.0) * (_WIDTH - _LEFT - _RIGHT)

    for seconds in _log_ticks(low, high):
        parts.append(_line(x(seconds), _y(0), x(seconds), _y(0) + 4, "axis"))
        at_edge = x(seconds) > _WIDTH - _RIGHT - 16  # a label in the middle would be cut off there
        parts.append(_text(x(seconds), _y(0) + 18, _short(seconds), "tick end" if at_edge else "tick middle"))
    parts.append(_line(_LEFT, _y(0), _WIDTH - _RIGHT, _y(0), "axis"))
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 4, "time to the end of the answer", "tick middle"))
    for who in ("prod", "shadow"):
        points = " ".join(
            f"{x(seconds):.1f},{_y(share):.1f}"
            for seconds, share in zip(curves[who]["seconds"], curves[who]["shares"], strict=True)
            if seconds <= 10**high
        )
        parts.append(f'<polyline class="curve {who}" points="{points}"/>')
    # The faster one's label goes above its curve, the slower one's below: neither crosses a curve.
    ranked = sorted(("prod", "shadow"), key=lambda who: latency[who]["p95"])
    for who, side, dy in ((ranked[0], "end", -9), (ranked[1], "start", 18)):
        p95 = latency[who]["p95"]
        parts.append(
            f'<circle class="dot {who}" cx="{x(p95):.1f}" cy="{_y(0.95):.1f}" r="4.5"><title>{who} P95 '
            f"{milliseconds(p95)}</title></circle>"
        )
        shift = -6 if side == "end" else 8
        parts.append(_text(x(p95) + shift, _y(0.95) + dy, f"{who} P95 {milliseconds(p95)}", f"label {who} {side}"))
    return _figure(parts)


def _axes(title: str) -> str:
    return f"<title>{title}</title>"


def _figure(parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{"".join(parts)}</svg>'


def _x(value: float) -> float:
    return _LEFT + value * (_WIDTH - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)


def _line(x1: float, y1: float, x2: float, y2: float, name: str) -> str:
    return f'<line class="{name}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, name: str) -> str:
    return f'<text class="{name}" x="{x:.1f}" y="{y:.1f}">{text}</text>'


def _flag(value: float, label: str, name: str, *, to_left: bool, down: float = 0.0) -> str:
    x = _x(min(value, 1.0))
    side = "end" if (to_left and x > 130) or x > _WIDTH - 110 else "start"
    return _line(x, _TOP - 12, x, _y(0), name) + _text(
        x + (-6 if side == "end" else 6), _TOP - 4 + down, label, f"label {name} {side}"
    )


def _band(low: float, targets: Mapping[str, float]) -> str:
    middle = low + 1e-9
    return "stable" if middle < targets["stable"] else "transitional" if middle < targets["critical"] else "critical"


def _nice(most: int) -> float:
    """The axis' end: the next 1, 2 or 5 times a power of ten in four or five steps."""
    step = _step(most / 4)
    return step * math.ceil(most / step) if most else 1.0


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(max(rough, 1.0)))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


def _ticks(top: float) -> list[float]:
    step = _step(top / 5)
    return [step * index for index in range(int(top / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    factors = (1, 2, 5) if high - low > 0.5 else (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
    every = [factor * 10.0**power for power in range(math.floor(low), math.ceil(high) + 1) for factor in factors]
    some = [seconds for seconds in every if low <= math.log10(seconds) <= high]
    return some if len(some) <= 9 else [seconds for seconds in some if f"{seconds:e}"[0] == "1"]


def _short(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{1000 * seconds:g} ms"


def intervals(rows: Sequence[tuple[str, float, float, float]], *, title: str, target: float | None = None) -> str:
    """A line a row: its name, a dot at the estimate and a stroke from bound to bound, beside 1 and a target.

    ``rows``: (name, estimate, lower, upper), ratios. Names are escaped. The axis holds everything.
    """
    width, left, right, top, step = 760, 190, 70, 34, 24
    ends = [value for _, *values in rows for value in values] + [1.0] + ([] if target is None else [target])
    low, high = min(ends), max(ends)
    spread = (high - low) or 0.01
    low, high = low - 0.05 * spread, high + 0.05 * spread
    bottom = top + step * len(rows)

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (width - left - right)

    parts = [_axes(escape(title)), _text(left, 18, escape(title), "label")]
    # Their labels point away from each other: the lines may be close.
    for value, name, away, side in ((1.0, "strong", -4, "tick end"), (target, "target", 4, "tick")):
        if value is not None:
            parts.append(_line(x(value), top - 6, x(value), bottom, name))
            parts.append(_text(x(value) + away, bottom + 16, f"{value:g}", side))
    for number, (name, estimate, lower, upper) in enumerate(rows):
        y = top + step * number + step / 2
        parts.append(_text(left - 10, y + 4, escape(name), "tick end"))
        parts.append(_line(x(lower), y, x(upper), y, "span"))
        parts.append(f'<circle class="dot" cx="{x(estimate):.1f}" cy="{y:.1f}" r="4"/>')
        parts.append(_text(width - right + 10, y + 4, f"{estimate:.3f}", "tick"))
    return f'<svg viewBox="0 0 {width} {bottom + 26}" role="img">{"".join(parts)}</svg>'
