"""``shadowlane export``: stored pairs as a file, or on standard output.

Invariants: the store is only read; a file appears whole or not at all; what a format has no line for is counted and
said, never dropped in silence.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from ..config import Config, lane_directory
from ..detect.cleaner import open_cleaner
from ..errors import ConfigError
from ..render.text import print_error, print_json, print_lines
from ..store import open_store
from .records import BODY_FIELDS, FIELDS
from .shapes import LINES
from .wanted import add_filters, filter_of
from .writers import output, writer_of

__all__ = ["FORMATS", "add_options", "progress", "run_export"]

FORMATS = ("jsonl", "parquet", *LINES, "wfgy")
_DATASETS = (*LINES, "wfgy")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("--format", choices=FORMATS, default="jsonl", help="jsonl: one object a line, every field (default)")
    add("--out", metavar="FILE", help="write this file, at once and readable by its owner only (default: stdout)")
    add("--bodies", action="store_true", help="jsonl, parquet: headers and the answers' bodies too")
    add("--dataset", metavar="NAME", help="langfuse: the data set's name (default: the lane's)")
    add("--limit", type=_count, metavar="N", help="the first so many pairs, in the order of storing")
    add_filters(parser)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 53):
        raise argparse.ArgumentTypeError(f"{text!r}: use a whole number above 0")
    return int(text)


def run_export(config: Config, options: argparse.Namespace) -> int:
    """Returns the exit code, 0. Raises :class:`~shadowlane.errors.ShadowlaneError` for options that do not fit, a store
    that cannot be read and a file that cannot be written."""
    if options.bodies and options.format in _DATASETS:
        raise ConfigError("--bodies: is for --format jsonl and parquet; the others have a place for texts alone")
    if options.dataset is not None and options.format != "langfuse":
        raise ConfigError("--dataset: is for --format langfuse; leave it out")
    if options.json and options.out is None:
        raise ConfigError("--json: says what was written to a file; add --out FILE")
    wanted = filter_of(options, config)
    path = None if options.out is None else Path(options.out)
    with open_store(config.store, read_only=True) as store:
        open_cleaner(config, lane_directory(config), reading=True)
        with output(path) as file, progress("exporting") as show:
            writer = writer_of(
                options.format,
                file,
                (*FIELDS, *BODY_FIELDS) if options.bodies else FIELDS,
                lane=config.lane.name,
                dataset=options.dataset or config.lane.name,
                pointer=config.score.citations_pointer,
                to_stdout=path is None,
            )
            for walked in store.walk(wanted):
                left = None if options.limit is None else options.limit - writer.written - writer.left_out
                for row in walked.rows[:left]:
                    writer.add(row)
                show(walked.done, walked.of)
                if left is not None and len(walked.rows) >= left:
                    break
            writer.close()
    _say(options, writer.written, writer.left_out, path)
    return 0


def _say(options: argparse.Namespace, written: int, left_out: int, path: Path | None) -> None:
    why = f"{left_out} pairs have no line as {options.format}: their question or an answer is not there to be written"
    if options.json and path is not None:
        result = {"file": str(path), "format": options.format, "pairs": written, "left_out": left_out}
        print_json(result)
    elif path is not None:
        print_lines([(f"{written} pairs in {path}", ""), *([(why, "open")] if left_out else [])])
    elif left_out:
        print_error(why)


@contextlib.contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A line on standard error where a person looks and rich is installed; nothing elsewhere."""
    if not sys.stderr.isatty() or importlib.util.find_spec("rich") is None:
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
