"""The page's figures, section by section. Each is a part of its own, which the page exchanges when it has changed.

Invariant: every value is escaped where it enters the markup; a section without data says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..gate.sequences import Interval
from ..render.flow import Step, flow
from ..render.page import escaped as _e
from ..render.text import clock, milliseconds, percent, signed
from ..report.arms import arms_card
from ..report.html import charts, verdict_card
from ..report.marks import marks_data, marks_lines
from ..report.terminal import REVERSE
from ..status.routes import prod_lines
from .snapshot import ArmFigures, Snapshot
from .wanted import Wanted

__all__ = ["overview", "table"]

_SHOWN_REASONS = 6
_NOT_YET = "The first figures are being computed"


def overview(snapshot: Snapshot, wanted: Wanted) -> str:
    """All sections of one arm."""
    arm = snapshot.arms.get(wanted.filter.shadow)
    parts = dict.fromkeys(("verdict", "flow", "charts", "times", "arms", "errors", "segments", "marks"), "")
    if snapshot.error or arm is None:
        # The same parts, empty: they are filled when the figures come.
        parts["verdict"] = f'<section class="card"><p>{_e(snapshot.error or _NOT_YET)}.</p></section>'
    else:
        parts |= {
            "verdict": _verdict(snapshot.status, arm),
            "flow": _flow(snapshot.status, arm),
            "charts": _charts(arm, snapshot),
            "times": _times(arm, snapshot),
            "arms": _arms(snapshot),
            "errors": _errors(arm),
            "segments": _segments(arm, wanted),
            "marks": _marks(arm),
        }
    return "".join(_live(name, markup) for name, markup in parts.items())


def _live(name: str, markup: str) -> str:
    return f'<div data-live="{name}" id="{name}">{markup}</div>\n'


def _verdict(status: Mapping[str, Any], arm: ArmFigures) -> str:
    notes = prod_lines(status["shadows"].get(arm.name, {}))
    if arm.verdict is None:
        said = "".join(f'<p class="soft num">{_e(line)}</p>' for line in notes)
        text = "The control is prod against itself: no verdict, but the noise floor."
        return f'<section class="card">{text}{said}</section>'
    if arm.reverse:
        notes = [REVERSE, *notes]
    return verdict_card(arm.verdict, folded=True, notes=notes)


def _flow(status: Mapping[str, Any], arm: ArmFigures) -> str:
    lane = status["shadows"].get(arm.name)
    if not status["started"] or lane is None:
        return (
            '<section class="card soft">The lane is not running: nothing is known of requests, only of rows.</section>'
        )
    dropped = sorted(status["dropped"].items(), key=lambda item: -item[1])
    dropped = [(reason, n) for reason, n in dropped if n]
    steps = [Step("seen", status["seen"], "flow")]
    steps += [Step(f"− {reason}", n, "left") for reason, n in dropped[:_SHOWN_REASONS]]
    if rest := sum(n for _, n in dropped[_SHOWN_REASONS:]):
        steps.append(Step("− other reasons", rest, "left"))
    steps += [
        Step("mirrored", lane["mirrored"], "flow"),
        Step("in flight", max(lane["in_flight"], 0), "left"),
        *(Step(f"− {reason}", n, "lost") for reason, n in sorted(lane["failed"].items(), key=lambda item: -item[1])),
        Step("stored, answered", lane["answered"], "kept"),
    ]
    holds = status["accounting"]["holds"]
    pill = f'<span class="pill {"good" if holds else "bad"}">{"adds up" if holds else "does not add up"}</span>'
    lines = "<br>".join(_e(line) for line in status["accounting"]["lines"])
    return (
        f'<section class="card"><p>{pill}</p>{flow(steps, "From seen to stored")}'
        f'<details><summary class="soft">as lines</summary><p class="mono">{lines}</p></details></section>'
    )


def _charts(arm: ArmFigures, snapshot: Snapshot) -> str:
    if not arm.pairs:
        return '<section class="card soft">No pairs are stored in this window yet.</section>'
    block = {"delta_s": arm.delta_s, "latency": arm.latency, "control": arm.name == "control"}
    return charts(block, snapshot.targets)


def _times(arm: ArmFigures, snapshot: Snapshot) -> str:
    if not arm.pairs:
        return ""
    control = snapshot.arms.get("control")
    floor = control.series["delta"] if control is not None and control.name != arm.name else []
    data = {
        **arm.series,
        "floor": floor,
        "critical": snapshot.targets["critical"],
        "stable": snapshot.targets["stable"],
    }
    json = _e(msgspec.json.encode(data).decode())
    cards = "".join(
        f'<section class="card"><h3>{title}</h3><div class="chart" data-chart="{name}" role="img" '
        f'aria-label="{title}, as a table below"></div></section>'
        for name, title in (
            ("delta", "ΔS in time (mean of a step)"),
            ("convergent", "Converging answers (λ →) in time"),
            ("latency", "P95 to the end of the answer, in time"),
        )
    )
    return f'<div class="three" data-series="{json}">{cards}</div>{_series_table(arm.series)}'


def _series_table(series: Mapping[str, Sequence[Any]]) -> str:
    names = ("t", "pairs", "delta", "convergent", "prod_p95", "shadow_p95")
    rows = [
        [
            clock(int(t * 1e9)),
            f"{n}",
            _number(delta),
            "" if convergent is None else percent(convergent),
            "" if prod is None else milliseconds(prod),
            "" if shadow is None else milliseconds(shadow),
        ]
        for t, n, delta, convergent, prod, shadow in zip(*(series[name] for name in names), strict=True)
        if n
    ]
    heads = ("UTC", "pairs", "mean ΔS", "λ →", "prod P95", "shadow P95")
    summary = "<summary>The same in time, as a table</summary>"
    return f'<details class="card">{summary}{table("In time", heads, rows)}</details>'


def _arms(snapshot: Snapshot) -> str:
    rows = []
    for arm in snapshot.arms.values():
        deltas = _deltas(arm)
        latency = arm.latency
        rows.append(
            [
                f"{arm.name} (the baseline)" if arm.reverse else arm.name,
                arm.verdict["decision"] if arm.verdict else "noise floor",
                f"{arm.pairs:,}",
                _rate(arm.errors),
                _bounds(deltas),
                _rate(arm.flips),
                "" if not arm.states else percent(arm.states.get("convergent", 0.0)),
                "" if arm.match is None else percent(arm.match),
                "" if not latency or latency["p95_increase"] is None else signed(latency["p95_increase"]),
                _increase(arm.accounts["tokens"]),
                _increase(arm.accounts["cost"]),
            ]
        )
    heads: tuple[str, ...] = (
        "arm",
        "verdict",
        "pairs",
        "no answer",
        "mean ΔS",
        "contradicted facts",
        "λ →",
        "citations found",
    )
    heads += ("P95 latency", "tokens", "cost")
    note = "In brackets: 95 % bounds that hold at any time. Latency, tokens and cost: more than prod's."
    if any(arm.reverse for arm in snapshot.arms.values()):
        note += " In the row of a baseline: how much more they are prod's than its own, and prod's citations."
    side_by_side = table("Arms side by side, same sample", heads, rows)
    return f'<section class="card">{side_by_side}<p class="soft">{note}</p></section>{arms_card(snapshot.apart)}'


def _deltas(arm: ArmFigures) -> Interval | None:
    if not arm.delta_s:
        return None
    block = arm.delta_s[0]
    low, high = block["interval"]
    return Interval(block["mean"], low, high, block["n"])


def _errors(arm: ArmFigures) -> str:
    if not arm.pairs:
        return ""
    burns = [[window, f"{times:.2f}", f"{factor:g}"] for window, times, factor in arm.burns]
    why = [[reason, f"{n:,}", percent(n / arm.pairs)] for reason, n in arm.failed.items()]
    http = [[status, f"{n:,}", percent(n / arm.pairs)] for status, n in arm.http.items()]
    heads = ("what", "copies", "of all")
    budget = table("Burning of the error budget, in times", ("window", "burns", "too fast from"), burns)
    return (
        f'<div class="two"><section class="card">{table("What became of copies", heads, [*why, *http])}</section>'
        f'<section class="card">{budget}<p class="soft">1 is just what the budget allows.</p></section></div>'
    )


def _segments(arm: ArmFigures, wanted: Wanted) -> str:
    if not arm.segments:
        return ""
    cells = []
    for one in arm.segments:
        name: str = _e(one.name)
        if one.kind in ("route", "tenant", "model"):
            name = f'<a href="{_e(wanted.href(page=1, **{one.kind: one.name}))}#pairs">{name}</a>'
        delta = "" if one.delta is None else _bounds(one.delta)
        cells.append([one.kind, _Markup(name), f"{one.sent:,}", _rate(one.failed), delta, f"{one.flips}"])
    heads = ("kind", "name", "copies", "failed", "mean ΔS", "contradicted facts")
    return f'<section class="card">{table("Segments", heads, cells)}</section>'


def _marks(arm: ArmFigures) -> str:
    said = marks_lines(marks_data(arm.marks)) or ["nobody marked a pair yet; each pair's page has the buttons"]
    lines = "".join(f"<p>{_e(line)}</p>" for line in said)
    return f'<section class="card"><h3>What persons said</h3>{lines}</section>'


class _Markup(str):
    """Markup that is escaped already."""


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, wrap: bool = False) -> str:
    """A table that scrolls by itself where it is wider than the page, or wraps; the cells are escaped here."""
    if not rows:
        return f'<p class="soft">{_e(caption)}: nothing yet.</p>'
    head = "".join(f'<th scope="col">{_e(name)}</th>' for name in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell if isinstance(cell, _Markup) else _e(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{_e(caption)}">'
        f'<table class="num{" wrap" if wrap else ""}">'
        f"<caption>{_e(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _number(value: float | None, sign: str = "") -> str:
    return "" if value is None else f"{value:{sign}.3f}"


def _bounds(seen: Interval | None, sign: str = "") -> str:
    if seen is None:
        return ""
    return f"{seen.estimate:{sign}.3f} ({seen.lower:{sign}.3f} to {seen.upper:{sign}.3f})"


def _rate(seen: Interval | None) -> str:
    if seen is None:
        return ""
    return f"{percent(seen.estimate)} ({percent(seen.lower)} to {percent(seen.upper)})"


def _increase(mean: Mapping[str, Any] | None) -> str:
    return "" if mean is None or mean["increase"] is None else signed(mean["increase"])
