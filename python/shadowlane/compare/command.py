"""What ``shadowlane compare`` does: check the file, score it in batches, show the report or the verdict.

Invariants: everything that can be wrong in what the user gave is said before the first pair is scored, where the file
can be read twice; the file, the lane and the services in the configuration are never touched; exit codes as the gate's.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from ..config import Config, ScoreConfig, StoreConfig, load_config
from ..errors import ConfigError, DataError
from ..report.command import write_page
from ..score import Scorer
from ..score.embed import Embedder
from ..store import SqliteStore, open_store
from ..worker.embedder import open_embedder
from .explain import explain
from .pairs import open_cleaner, store_all, with_arms
from .reader import Source
from .show import show

__all__ = ["add_options", "run_command"]

_DEFAULTS: dict[str, Any] = {"shadows": {"shadow": {"url": "http://shadow.invalid"}}}
"""A configuration for this command needs no services; their addresses are not used."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``shadowlane compare``."""
    add = parser.add_argument
    add("file", help="one exchange a line, JSON: id, time, route, question or request, prod, shadow, control; - : stdin")
    add("--config", default=None, help="configuration file, for [score], [sanitize] and [gate] (default: the defaults)")
    add("--shadow", default=None, metavar="NAME", help="the shadow's name (default: the configuration's only one)")
    add("--gate", action="store_true", help="print the verdict alone; exit 0 only for GRADUATE")
    add("--store", default=None, metavar="FILE", help="keep the scored pairs in this new database (default: none)")
    add("--explain", default=None, metavar="ID", help="print all that one exchange's scores come from, and no report")
    add("--html", metavar="FILE", help="write the report as one HTML page")
    add("--json", action="store_true", help="print JSON")


def run_command(options: argparse.Namespace) -> int:
    """Compare a file's answers; returns the exit code: 0, and with ``--gate`` 1 unless the verdict is GRADUATE.

    Raises :class:`~shadowlane.errors.ConfigError` and :class:`~shadowlane.errors.DataError` for what is wrong in the
    options or the file, :class:`~shadowlane.errors.StoreError` and :class:`~shadowlane.errors.ScoreError`.
    """
    config = _config(options)
    shadow = _shadow(config, options.shadow)
    source = Source(options.file)
    if options.explain is not None:
        with contextlib.closing(_embedder(config)) as embedder:
            return explain(source, options.explain, config, embedder, as_json=options.json)
    expected = source.check() if source.size is not None else None
    if expected == 0:
        raise DataError(f'{source.name}: no exchange in it; write lines like {{"id": "1", "time": 0, "prod": "...", ...}}')
    with contextlib.closing(_embedder(config)) as embedder, _store(config, options.store) as (kept, store):
        store.set_epoch("compare", {shadow: 0})
        with _progress(expected) as progress:
            count, control = store_all(
                source.exchanges(),
                source=source.name,
                shadow=shadow,
                config=config,
                cleaner=open_cleaner(config),
                scorer=Scorer(config.score, embedder=embedder),
                store=store,
                progress=progress,
            )
        if not count:
            raise DataError(f"{source.name}: no exchange in it")
        config = msgspec.structs.replace(config, store=kept)
        config = with_arms(config, shadow, control=control, source=source.name)
        return show(config, store, source, options)


def _config(options: argparse.Namespace) -> Config:
    if options.config is None:
        return Config.from_dict(_DEFAULTS)
    return load_config(options.config, defaults=_DEFAULTS)


def _shadow(config: Config, name: str | None) -> str:
    if name is None and len(config.shadows) == 1:
        return next(iter(config.shadows))
    if name is None or (name not in config.shadows and config.shadows.keys() != _DEFAULTS["shadows"].keys()):
        known = ", ".join(config.shadows)
        raise ConfigError(f"--shadow = {name!r}: say which of the configuration's shadows the file is of: {known}")
    if name == "control" or not name:
        raise ConfigError(f"--shadow = {name!r}: not a shadow's name; give another")
    return name


def _embedder(config: Config) -> Embedder:
    return open_embedder(_scored(config))


def _scored(config: Config) -> ScoreConfig:
    return config.score


@contextlib.contextmanager
def _store(config: Config, path: str | None) -> Iterator[tuple[StoreConfig, SqliteStore]]:
    """A new database, open for writing: the one that was asked for, or one that is gone at the end."""
    with contextlib.ExitStack() as stack:
        if path is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="shadowlane-"))
            file = Path(folder) / "compare.db"
        else:
            file = Path(path).absolute()
            if file.exists():
                raise ConfigError(f"--store = {path!r}: is there already; give a new file, or remove it")
        kept = msgspec.structs.replace(config.store, url=f"sqlite:///{file}")
        yield kept, stack.enter_context(open_store(kept))


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


def print_json(data: Any) -> None:
    """Data as JSON on standard output."""
    print(json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False))  # noqa: T201
