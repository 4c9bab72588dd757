"""The loop behind ``shadowlane status --watch``: draw, wait for the next second, a signal or a verdict, draw again.

Invariants: SIGINT and SIGTERM end it with the terminal as it was, cursor and all, and exit code 0; a resized window is
drawn anew at once. Without a terminal nothing is repeated: the status is printed once, and that it was.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import queue
import signal
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from ..config import Config
from ..errors import MissingExtraError
from ..render.text import STYLES, print_lines
from ..status.collect import collect_status
from ..status.render import render_status
from .arms import ArmsReader
from .rates import Counts, Rates
from .screen import View, screen

if TYPE_CHECKING:
    from rich.console import Console, Group

__all__ = ["run_watch", "seconds"]

_LEAST_S, _MOST_S = 0.2, 3600.0

_Wake = Literal["draw", "end"]


def seconds(text: str) -> float:
    """An argument of ``--watch``: how often the screen is drawn. Raises :class:`argparse.ArgumentTypeError`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not _LEAST_S <= value <= _MOST_S:
        raise argparse.ArgumentTypeError(f"{text!r}: use {_LEAST_S:g} to {_MOST_S:g} seconds")
    return value


def run_watch(config: Config, every_s: float) -> int:
    """Draw the lane's state every ``every_s`` seconds until told to stop; returns 0.

    Raises :class:`~shadowlane.errors.MissingExtraError` without rich, and what ``collect_status`` raises.
    """
    if not sys.stdout.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        lines = render_status(collect_status(config)).splitlines()
        said = "printed once: --watch draws on a terminal, and standard output is none"
        print_lines([*((line, "") for line in lines), ("", ""), (said, "open")])
        return 0
    try:
        from rich.console import Console
    except ImportError:
        raise MissingExtraError("shadowlane status --watch", "worker", "rich") from None
    wakes: queue.SimpleQueue[_Wake] = queue.SimpleQueue()
    with _signals(wakes):
        _watch(config, every_s, wakes, Console(highlight=False))
    return 0


@contextlib.contextmanager
def _signals(wakes: queue.SimpleQueue[_Wake]) -> Iterator[None]:
    """Signals as entries of a queue: its ``put`` may be called at any moment, by a handler too."""
    handlers: dict[int, _Wake] = {signal.SIGINT: "end", signal.SIGTERM: "end", signal.SIGWINCH: "draw"}
    before = {number: signal.signal(number, lambda got, _: wakes.put(handlers[got])) for number in handlers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(config: Config, every_s: float, wakes: queue.SimpleQueue[_Wake], console: Console) -> None:
    from rich.live import Live

    rates = Rates()
    reader = ArmsReader(config, lambda: wakes.put("draw"))
    status = collect_status(config)  # what it raises is said on the terminal as it is
    reader.start()
    due = time.monotonic()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                now = time.monotonic()
                if now >= due:
                    status = collect_status(config)
                    rates.add(Counts.of(status, now))
                    due = now + every_s
                view = View(status, rates, time.time_ns(), reader.arms, reader.judged_ns, reader.trouble)
                live.update(_drawn(view, console), refresh=True)
                if _next(wakes, due) == "end":
                    return
        finally:
            reader.end()


def _next(wakes: queue.SimpleQueue[_Wake], due: float) -> _Wake:
    with contextlib.suppress(queue.Empty):
        return wakes.get(timeout=max(due - time.monotonic(), 0.0))
    return "draw"


def _drawn(view: View, console: Console) -> Group:
    from rich.console import Group
    from rich.text import Text

    lines = screen(view, console.width, console.height)
    return Group(*(Text(text, style=STYLES[style], no_wrap=True, overflow="crop") for text, style in lines))
