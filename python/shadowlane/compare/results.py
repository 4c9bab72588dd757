"""The report and the verdict on a file's pairs: the lane's own, over all of the file.

Invariant: what only a lane knows (how it sampled, what it cost, whether it lost something) is left out and said to be,
never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from ..config import Config
from ..gate import verdict_data, verdicts_data
from ..gate.evidence import evaluate_lane
from ..render.text import Line, print_json, print_lines
from ..report.build import build_report
from ..report.command import write_page
from ..report.html import render_page
from ..report.terminal import render_report, render_verdict
from ..store import Store
from .show import unread_line

__all__ = ["Named", "show_report", "show_verdict"]

_NO_LANE = "a file of answers has no lane's counters; mirror through a gateway to know"
_FAILED = 500
_NOTHING: Mapping[str, Any] = {}


class Named(Protocol):
    """Where the pairs come from."""

    @property
    def name(self) -> str: ...
    @property
    def unread(self) -> Mapping[str, int]:
        """Fields that nobody reads, by name."""


def show_report(
    config: Config,
    store: Store,
    source: Named,
    *,
    as_json: bool = False,
    html: str | None = None,
    beside: Mapping[str, Any] = _NOTHING,
) -> int:
    """Print the report (text, or JSON with ``beside`` in it) and, with ``html``, write the page. Returns 0.

    Raises :class:`~shadowlane.errors.ShadowlaneError` when the page cannot be written.
    """
    report = _report(config, store, source)
    _write_html(report, html)
    if as_json:
        print_json({**beside, **report})
        return 0
    page: list[Line] = [] if html is None else [("", ""), (f"page: {Path(html).resolve()}", "")]
    print_lines([*render_report(report), *unread_line(source.unread), *page])
    return 0


def show_verdict(
    config: Config,
    store: Store,
    source: Named,
    *,
    as_json: bool = False,
    html: str | None = None,
    beside: Mapping[str, Any] = _NOTHING,
) -> int:
    """Print the verdict, and with ``html`` write the report's page. Returns 0 for GRADUATE, else 1."""
    if html is not None:
        _write_html(_report(config, store, source), html)
    status = _status(config, store, source)
    verdicts = evaluate_lane(config, status, store, now_ns=status["last_ns"])
    [verdict] = verdicts
    if as_json:
        data = {"source": source.name, **verdicts_data(verdicts)}
        print_json({**beside, **data, "unread_fields": dict(source.unread)})
    else:
        print_lines([*render_verdict(verdict_data(verdict)), *unread_line(source.unread)])
    return 0 if verdict.decision == "GRADUATE" else 1


def _report(config: Config, store: Store, source: Named) -> dict[str, Any]:
    status = _status(config, store, source)
    report = build_report(config, status, store, now_ns=status["last_ns"])
    return {**report, "unread_fields": dict(source.unread)}


def _status(config: Config, store: Store, source: Named) -> dict[str, Any]:
    """What stands for a lane's status: prod's failures are in the file, all else of a lane is not."""
    [name] = config.shadows
    rows, failed, last_ns = 0, 0, 0
    for columns in store.pieces(name):
        rows += len(columns)
        failed += int((columns.prod_status >= _FAILED).sum())
        last_ns = int(columns.started_ns[-1])
    return {
        "lane": config.lane.name,
        "source": source.name,
        "no_lane": _NO_LANE,
        "started": True,
        "enabled": True,
        "mirrored": rows - failed,
        "dropped": {"prod_failed": failed},
        "sampler": {"choice": "ratio", "ratio": 1.0, "eligible": 0, "taken": 0, "revisions": []},
        "accounting": {"known": False, "holds": None, "lines": []},
        "last_ns": last_ns,
    }


def _write_html(report: dict[str, Any], html: str | None) -> None:
    if html is not None:
        write_page(Path(html), render_page(report))
