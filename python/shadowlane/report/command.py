"""What ``shadowlane report`` and ``shadowlane gate`` do: read, build, show.

Invariants: neither command writes to the lane or the store, but for the start of a window that a person begins anew;
the page is written whole or not at all, readable by its owner only, since it holds answers.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from ..config import Config, lane_directory
from ..detect.cleaner import open_cleaner
from ..errors import ShadowlaneError
from ..files import write_private
from ..gate import verdict_data, worst_of
from ..render.text import Line, clock, print_json, print_lines
from ..status.collect import collect_status
from ..status.routes import prod_lines
from ..store import open_store
from .arms import arms_lines
from .build import build_report
from .html import render_page
from .terminal import render_report, render_verdict
from .verdicts import gate_data, read_arms, read_verdicts, reading

__all__ = ["restart_window", "run_gate", "run_report", "write_page"]


def run_report(
    config: Config, html: str | os.PathLike[str] | None = None, as_json: bool = False, hours: float | None = None
) -> int:
    """Print the report (text or JSON) and, with ``html``, write the page. Returns the exit code, 0.

    A lane without data is no failure, and the output says so. Raises :class:`~shadowlane.errors.StoreError` when the
    store cannot be read and :class:`~shadowlane.errors.ShadowlaneError` when the page cannot be written.
    """
    status = collect_status(config, flips=False)
    if status["store"]["exists"]:
        open_cleaner(config, lane_directory(config), reading=True)
    with reading(config, status) as store:
        report = build_report(config, status, store, hours=hours)
    if html is not None:
        write_page(Path(html), render_page(report))
    if as_json:
        print_json(report)
        return 0
    lines: list[Line] = []
    if report["pairs"]:
        lines += render_report(report)
    else:
        within = "" if hours is None else f" in the last {hours:g} hours"
        lines.append((f"no pairs stored yet{within}: {status['store']['path']}", "open"))
        lines.append(("send traffic through the gateway while its worker runs; shadowlane status shows both", ""))
    if html is not None:
        lines += [("", ""), (f"page: {Path(html).resolve()}", "")]
    print_lines(lines)
    return 0


def run_gate(config: Config, shadow: str | None = None, as_json: bool = False) -> int:
    """Print the verdict on each shadow, or on one. Returns 0 when all GRADUATE, else 1."""
    status, verdicts = read_verdicts(config, shadow)
    worst = worst_of(verdicts)
    arms = read_arms(config, status, verdicts) if shadow is None else None
    if as_json:
        print_json(gate_data(config.lane.name, status, verdicts, arms))
    else:
        lines: list[Line] = []
        if not status["store"]["exists"]:
            lines.append((f"no pairs stored yet: {status['store']['path']}", "open"))
        for verdict in verdicts:
            lines += render_verdict(verdict_data(verdict))
            seen = status["shadows"][verdict.shadow]
            lines += [(f"  {line}", "open") for line in prod_lines(seen)]
        print_lines([*lines, *arms_lines(arms)])
    return 0 if worst == "GRADUATE" else 1


def restart_window(config: Config, shadow: str | None = None, as_json: bool = False) -> int:
    """Let the gate's window of each shadow, or of one, begin now. Returns the exit code, 0.

    Raises :class:`~shadowlane.errors.StoreError` when the store cannot be written.
    """
    names = list(config.shadows) if shadow is None else [shadow]
    now = time.time_ns()
    with open_store(config.store) as store:
        for name in names:
            store.restart_window(name, now)
    if as_json:
        print_json({"lane": config.lane.name, "restarted": names, "since_ns": now})
    else:
        print_lines([(f"{name}: the gate's window begins now, {clock(now)} UTC", "") for name in names])
    return 0


def write_page(path: Path, page: str, *, option: str = "--html") -> None:
    """Write a page at once, mode 0600. Raises :class:`~shadowlane.errors.ShadowlaneError` when it cannot be written."""
    try:
        write_private(path, page.encode("utf-8"))
    except OSError as error:
        raise ShadowlaneError(
            f"{option} = {str(path)!r}: cannot be written: {error.strerror}; choose a folder that exists, has room and "
            "is yours"
        ) from None
