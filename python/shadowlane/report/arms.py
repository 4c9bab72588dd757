"""Several shadows side by side, as text and as part of the page, out of :func:`shadowlane.gate.arms.arms_data`.

Invariant: both show the same figures and the same words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..render.page import escaped as _e
from ..render.text import Line, clock, milliseconds, percent, printable, signed
from ..render.wrap import cells

__all__ = ["arms_card", "arms_lines"]

_TITLES = ("shadow", "verdict", "copies", "failed", "mean ΔS", "fact flips", "P95", "tokens", "cost")
_WHAT = "at the same requests; 95 % at any time, all lines of one measure together; less is better"
_GAP = "  "


def arms_lines(arms: Mapping[str, Any] | None) -> list[Line]:
    """The table, and under it how far the arms are apart; empty for one arm alone."""
    if arms is None:
        return []
    rows = [_TITLES, *(_figures(arm) for arm in arms["arms"])]
    widths = [max(cells(row[column]) for row in rows) for column in range(len(_TITLES))]
    lines: list[Line] = [(_title(arms), "title")]
    lines += [(_padded(row, widths), "" if position else "dim") for position, row in enumerate(rows)]
    for (arm, than), differences in _by_pair(arms).items():
        lines.append((f"  {arm} less {than}, {_WHAT}", ""))
        width = max(cells(one["name"]) for one in differences)
        for one in differences:
            gap = " " * (width - cells(one["name"]))
            lines.append((f"    {one['name']}{gap}  {_difference(one)}", "good" if one["better"] else ""))
    if not arms["differences"]:
        lines.append(("  no request yet that two of them answered", "open"))
    return [(printable(text), style) for text, style in lines]


def arms_card(arms: Mapping[str, Any] | None) -> str:
    """A section of the page; empty for one arm alone."""
    if arms is None:
        return ""
    head = "".join(f"<th>{_e(title)}</th>" for title in _TITLES)
    rows = "".join(f"<tr>{''.join(f'<td>{_e(cell)}</td>' for cell in _figures(arm))}</tr>" for arm in arms["arms"])
    apart = ""
    for (arm, than), differences in _by_pair(arms).items():
        body = "".join(f"<tr><th>{_e(one['name'])}</th><td>{_e(_difference(one))}</td></tr>" for one in differences)
        apart += (
            f'<table class="num"><caption>{_e(arm)} less {_e(than)} <span class="soft">{_e(_WHAT)}</span></caption>'
            f"{body}</table>"
        )
    return (
        f'<section class="card wide"><table class="num"><caption>{_e(_title(arms))}</caption><tr>{head}</tr>'
        f"{rows}</table>"
        f"{apart}"
        "</section>\n"
    )


def _title(arms: Mapping[str, Any]) -> str:
    begun = f", since {clock(arms['since_ns'])} UTC" if arms["since_ns"] else ""
    return f"shadows side by side{begun}"


def _padded(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell + " " * (width - cells(cell)) if column < 2 else " " * (width - cells(cell)) + cell
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return f"  {_GAP.join(padded)}".rstrip()


def _figures(arm: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        arm["name"],
        arm["verdict"] or "–",
        f"{arm['copies']:,}",
        _shown(arm["failed"], "share"),
        _shown(arm["delta_s"], "plain"),
        _shown(arm["fact_flips"], "share"),
        "–" if arm["p95_s"] is None else milliseconds(arm["p95_s"]),
        "–" if arm["tokens"] is None else f"{arm['tokens']:,.0f}",
        "–" if arm["cost"] is None else f"{arm['cost']:.4g}",
    )


def _shown(value: float | None, kind: str) -> str:
    if value is None:
        return "–"
    return percent(value) if kind == "share" else f"{value:.3f}"


def _by_pair(arms: Mapping[str, Any]) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for one in arms["differences"]:
        found.setdefault((one["arm"], one["than"]), []).append(one)
    return found


def _difference(one: Mapping[str, Any]) -> str:
    show = _plain if one["kind"] == "plain" else signed
    count = f"{one['pairs']:,} pairs"
    if one["estimate"] is None:
        return f"not known, {count}"
    if one["lower"] is None or one["upper"] is None:
        return f"{show(one['estimate'])}, not bounded yet, {count}"
    better = f"; {one['better']} is better" if one["better"] else ""
    return f"{show(one['estimate'])} ({show(one['lower'])} to {show(one['upper'])}), {count}{better}"


def _plain(value: float) -> str:
    return f"{value:+.3f}"
