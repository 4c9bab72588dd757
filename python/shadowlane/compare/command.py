"""What ``shadowlane compare`` does: check the file, score it in batches, show the report or the verdict.

Invariants: everything that can be wrong in what the user gave is said before the first pair is scored, where the file
can be read twice; the file, and a lane and services that the configuration names, are never touched; exit codes as the
gate's.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..config import Config, load_config
from ..detect.cleaner import open_cleaner
from ..errors import ConfigError, DataError
from ..limits import Prices
from ..render.text import print_json, print_lines
from ..score import Scorer
from ..store import Store, open_store
from ..worker.embedder import open_embedder
from .explain import explained
from .pairs import store_all, with_arms
from .reader import Source
from .results import show_report, show_verdict
from .show import explained_lines

__all__ = ["add_options", "run_command"]

_DEFAULTS: dict[str, Any] = {"shadows": {"shadow": {"url": "http://shadow.invalid"}}}
"""A configuration for this command needs no services: their addresses are not used."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``shadowlane compare``."""
    add = parser.add_argument
    add("file", help="one exchange a line, JSON: id, time, route, question or request, prod, shadow, control; -: stdin")
    add("--config", default=None, help="configuration file, for [score], [sanitize] and [gate] (default: the defaults)")
    add("--shadow", default=None, metavar="NAME", help="the shadow's name (default: the configuration's only one)")
    add("--gate", action="store_true", help="print the verdict alone; exit 0 only for GRADUATE")
    add("--store", default=None, metavar="FILE", help="keep the scored pairs in this new database (default: none)")
    add("--explain", default=None, metavar="ID", help="print what one exchange's scores come from, and no report")
    add("--html", metavar="FILE", help="write the report as one HTML page")
    add("--json", action="store_true", help="print JSON")


def run_command(options: argparse.Namespace) -> int:
    """Compare a file's answers; returns the exit code: 0, and with ``--gate`` 1 unless the verdict is GRADUATE.

    Raises :class:`~shadowlane.errors.ConfigError` and :class:`~shadowlane.errors.DataError` for what is wrong in the
    options or the file, :class:`~shadowlane.errors.StoreError` and :class:`~shadowlane.errors.ScoreError`.
    """
    config = Config.from_dict(_DEFAULTS) if options.config is None else load_config(options.config, defaults=_DEFAULTS)
    shadow = _shadow(config, options.shadow)
    source = Source(options.file)
    if options.explain is not None:
        return _explain(options, source, shadow, config)
    expected = source.check() if source.is_file else None
    if expected == 0:
        raise _empty(source)
    with (
        _ending_cleanly(),
        contextlib.closing(open_embedder(config.score)) as embedder,
        _new_store(config, options.store) as store,
    ):
        store.set_epoch("compare", {shadow: 0})
        with _progress(expected) as progress:
            count, control = store_all(
                source.exchanges(),
                source=source.name,
                shadow=shadow,
                config=config,
                cleaner=open_cleaner(config).cleaner,
                scorer=Scorer(config.score, embedder=embedder, prices=Prices(config.prices), pins=config.pins),
                store=store,
                progress=progress,
            )
        if not count:
            raise _empty(source)
        config = with_arms(config, shadow, control=control, source=source.name)
        if options.gate:
            return show_verdict(config, store, source, as_json=options.json, html=options.html)
        return show_report(config, store, source, as_json=options.json, html=options.html)


def _explain(options: argparse.Namespace, source: Source, shadow: str, config: Config) -> int:
    with contextlib.closing(open_embedder(config.score)) as embedder:
        data = explained(source, options.explain, shadow, config, embedder)
    if options.json:
        print_json(data)
    else:
        print_lines(explained_lines(data))
    return 0


def _empty(source: Source) -> DataError:
    return DataError(
        f'{source.name}: no exchange in it; write lines like {{"id": "1", "time": 1767225600, "prod": "...", '
        '"shadow": "..."}'
    )


def _shadow(config: Config, name: str | None) -> str:
    known = ", ".join(config.shadows)
    if name is None:
        if len(config.shadows) == 1:
            return next(iter(config.shadows))
        raise ConfigError(f"--shadow: the configuration has several shadows; say whose answers these are: {known}")
    if not name.isprintable() or not name.strip() or name == "control":
        raise ConfigError(f"--shadow = {name!r}: not a shadow's name; give another")
    return name


@contextlib.contextmanager
def _ending_cleanly() -> Iterator[None]:
    """SIGTERM ends this as Ctrl-C does: what was scored so far is removed."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _new_store(config: Config, path: str | None) -> Iterator[Store]:
    """A new database, open for writing: the one that was asked for, or one that is gone at the end."""
    with contextlib.ExitStack() as stack:
        if path is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="shadowlane-"))
            file = Path(folder) / "compare.db"
        else:
            file = Path(path).absolute()
            if file.exists() or file.is_symlink():
                raise ConfigError(f"--store = {path!r}: is there already; give a new file, or remove it")
        kept = config.store.in_file(file)
        store = stack.enter_context(open_store(kept))
        try:
            yield store
        except BaseException:
            if path is not None:  # half a file's pairs are no result
                for suffix in ("", "-wal", "-shm"):
                    file.with_name(file.name + suffix).unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _progress(expected: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on the terminal; nothing where standard error is none."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("comparing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("comparing", total=expected)
        yield lambda n: bar.advance(task, n)
