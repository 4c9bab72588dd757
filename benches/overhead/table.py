"""The matrix as a table of text or Markdown, and as a drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shadowlane.render.svg import intervals

__all__ = ["drawing", "markdown", "row"]

HEADINGS = ("cell", "off P50 / P99 ms", "P50", "P95", "P99", "late sends", "status P99", "not mirrored")

_STYLE = """<style>svg{background:#fff}text{font:12px system-ui,sans-serif;fill:#445}.end{text-anchor:end}
.middle{text-anchor:middle}.grid{stroke:#e1e5eb}.strong{stroke:#445}.target{stroke:#c0332f;stroke-dasharray:5 4}
.span{stroke:#2f6fde;stroke-width:2.4}.dot{fill:#2f6fde}</style>"""


_NOTE = """\
Ratios of latency with mirroring on over off, with 95 % intervals of a block bootstrap. A/A has mirroring off in both
arms: what its interval holds cannot be told from nothing. Late sends: share of the requests that the generator sent
more than 1 ms late, and its P99 of lateness; it is in the latencies of both arms. Status P99: what the lane's own trial
says at the end of the run; it needs requests that are not taken (ratio below 1)."""


def row(line: Mapping[str, Any]) -> list[str]:
    """The columns of :data:`HEADINGS` for one measured cell; of one that was not, the reason."""
    if "skipped" in line:
        return [line["name"], f"not measured: {line['skipped']}"]
    off, late = line["off"], line["generator"]
    return [
        line["name"],
        f"{off['p50_ms']:.2f} / {off['p99_ms']:.2f}",
        *(_ratio(line["ratios"][name]) for name in ("p50", "p95", "p99")),
        f"{100 * late['late_share']:.1f} %, {late['p99_ms']:.1f} ms",
        _own(line["status"]),
        _dropped(line["lane"]["dropped"]),
    ]


def _ratio(ratio: Mapping[str, float]) -> str:
    return f"{ratio['ratio']:.3f} ({ratio['low']:.3f} to {ratio['high']:.3f})"


def _own(block: Mapping[str, Any] | None) -> str:
    """What ``shadowlane status`` says of the same requests, as a ratio; it needs requests that are not taken."""
    if block is None or block["p99"] is None or block["p99"]["added_share"] is None:
        return "-"
    low, high = ("?" if bound is None else f"{1 + bound:.3f}" for bound in block["p99"]["share_interval"])
    return f"{1 + block['p99']['added_share']:.3f} ({low} to {high})"


def _dropped(dropped: Mapping[str, int]) -> str:
    """Reasons other than the switch and the sampler, which are meant."""
    return (
        ", ".join(f"{name} {n}" for name, n in dropped.items() if n and name not in ("disabled", "sampled_out")) or "-"
    )


def markdown(lines: Sequence[Mapping[str, Any]], title: str) -> str:
    """A page with the table, and how to read it."""
    head = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    rows = ["| " + " | ".join([*cells, *[""] * (len(HEADINGS) - len(cells))]) + " |" for cells in map(row, lines)]
    return "\n".join(
        [
            f"# What mirroring costs\n\n{title}\n",
            *head,
            *rows,
            "",
            _NOTE,
            "",
        ]
    )


def drawing(lines: Sequence[Mapping[str, Any]]) -> str:
    """P99 ratios with their intervals, a line a cell, as an SVG file."""
    seen = [line for line in lines if "skipped" not in line]
    rows = [(line["name"], *(line["ratios"]["p99"][name] for name in ("ratio", "low", "high"))) for line in seen]
    svg = intervals(rows, title="P99 with mirroring on over off, 95 % interval", target=1.05)
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(">", ">" + _STYLE, 1) + "\n"
