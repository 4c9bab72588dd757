"""What ``shadowlane replay`` does: check, send with a progress bar, store, show the report or the verdict.

Invariants: everything that can be wrong in what the user gave is said before the first request; a run that was ended
says how it goes on; exit codes as those of ``shadowlane compare``, and 3 when the source was not read to its end.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from ..compare.results import show_report, show_verdict
from ..config import Config, groups_folder
from ..errors import ConfigError, DataError
from ..limits import Prices
from ..render.text import print_error, print_json, print_lines
from ..score import Scorer
from ..sources import FORMS, Source
from ..store import Origin, Store
from ..worker.embedder import open_embedder
from .accounts import Accounts, account_data, account_lines
from .files import fingerprint, own_store, store_path
from .one import replay_one
from .runner import Plan, run_replay
from .settings import settings

__all__ = ["Shown", "add_options", "add_source_options", "progress_of", "run_command", "scorer_of", "show", "source_of"]


class Shown(msgspec.Struct, frozen=True):
    """What the report calls the pairs' source."""

    name: str
    unread: dict[str, int] = {}


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """The options that say what SOURCE is."""
    add = parser.add_argument
    add("--format", default=None, metavar="FORM", help=f"what SOURCE is (default: recognised): {', '.join(FORMS)}")
    add("--answers", default="", metavar="FILE", help="openai-batch: the file of answers beside the one of requests")
    add("--path", default="/v1/chat/completions", help="path of requests made of a dataset (default: OpenAI's chat)")
    add("--model", default="", metavar="NAME", help="model of requests made of a dataset (default: the recorded one)")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``shadowlane replay``."""
    add = parser.add_argument
    add("source", nargs="?", help="recorded traffic: a store, HAR, GoReplay, mitmproxy, a log, a dataset; -: stdin")
    add("--shadow", default=None, metavar="NAME|URL", help="who gets it (default: the configuration's only shadow)")
    add("--config", default=None, help="configuration file: routes, limits, redaction, [control] (default: defaults)")
    add("--speed", default="1", metavar="K", help="K times the recorded pace, or max: as fast as the cap allows (1)")
    add("--store", default=None, metavar="FILE", help="database of the result (default: the lane's with -replay in it)")
    add("--fresh", action="store_true", help="send everything anew, in place of what the database holds")
    add("--one", default=None, metavar="SHADOW_ID", help="send one stored exchange again and print the comparison")
    add_source_options(parser)
    add("--gate", action="store_true", help="print the verdict alone; exit 0 only for GRADUATE")
    add("--html", metavar="FILE", help="write the report as one HTML page")
    add("--json", action="store_true", help="print JSON")


def run_command(options: argparse.Namespace) -> int:
    """Replay; returns the exit code.

    Raises :class:`~shadowlane.errors.ConfigError`, :class:`~shadowlane.errors.DataError` and
    :class:`~shadowlane.errors.StoreError` for what is wrong in what the user gave, and
    :class:`~shadowlane.errors.ShadowlaneError` when the shadow cannot be asked.
    """
    if options.one is not None:
        return replay_one(options)
    config, shadow = settings(options.config, options.shadow, sends=True)
    source = source_of(options)
    speed = _speed(options.speed)
    for name, arm in config.arms().items():
        arm.credential(where=f"{name}: ")
    origin = Origin(
        kind="replay",
        source=source.path,
        form=source.form,
        fingerprint=fingerprint(source, shadow, config.shadows[shadow].url),
        shadow=shadow,
        url=config.shadows[shadow].url,
        began_ns=time.time_ns(),
    )
    path = store_path(config, options.store, "replay")
    with own_store(config, path, origin, fresh=options.fresh) as (own, store):
        plan = Plan(own, shadow, source.records, origin.fingerprint, speed)
        accounts = Accounts()
        with scorer_of(own) as scorer, progress_of("replaying") as progress:
            whole = asyncio.run(run_replay(plan, store, scorer, accounts, progress))
        data = account_data(accounts, store, shadow)
        origin = msgspec.structs.replace(store.origin() or origin, read=accounts.read, skipped=dict(accounts.skipped))
        if not whole:
            store.put_origin(origin)
            print_error(f"interrupted; {accounts.rows} exchanges are kept in {path}: run the same command again")
            return 3
        store.put_origin(msgspec.structs.replace(origin, finished=True))
        title = f"replay of {source.path} ({source.form}) to {shadow}, kept in {path}"
        return show(options, own, store, Shown(f"replay of {source.path}"), data, title)


def show(
    options: argparse.Namespace,
    config: Config,
    store: Store,
    source: Shown,
    data: dict[str, Any],
    title: str,
    verb: str = "sent",
) -> int:
    """The accounting, and the report or the verdict; returns the exit code."""
    lines = account_lines(data, title, verb)
    if not options.json:
        print_lines(lines)
    if not data["rows"]:
        if options.json:
            print_json({"account": data})
        return 1 if options.gate else 0
    shows = show_verdict if options.gate else show_report
    return shows(config, store, source, as_json=options.json, html=options.html, beside={"account": data})


def source_of(options: argparse.Namespace) -> Source:
    """The source that the options name. Raises :class:`~shadowlane.errors.ConfigError` and
    :class:`~shadowlane.errors.DataError`."""
    if options.source is None:
        raise DataError("SOURCE: missing; name a file of recorded traffic, a lane's database, or -")
    if not options.path.startswith("/"):
        raise ConfigError(f"--path = {options.path!r}: begin it with /")
    return Source.of(options.source, options.format, answers=options.answers, target=options.path, model=options.model)


@contextlib.contextmanager
def scorer_of(config: Config) -> Iterator[Scorer]:
    """The scorer of ``[score]``, its paraphrase groups beside the database."""
    groups = groups_folder(config)
    with contextlib.closing(open_embedder(config.score, folder=groups)) as embedder:
        yield Scorer(
            config.score, embedder=embedder, groups_folder=groups, prices=Prices(config.prices), pins=config.pins
        )


def _speed(text: str) -> float:
    if text == "max":
        return math.inf
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1e6:
        raise ConfigError(f"--speed = {text!r}: use a factor above 0 and at most 1000000, or max")
    return value


@contextlib.contextmanager
def progress_of(what: str) -> Iterator[Callable[[Accounts], None]]:
    """A line on standard error where a person looks and rich is installed; nothing elsewhere."""
    if not sys.stderr.isatty() or importlib.util.find_spec("rich") is None:
        yield lambda accounts: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(what), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def tell(accounts: Accounts) -> None:
            skipped = Counter(accounts.skipped).total()
            bar.update(task, description=f"read {accounts.read}, stored {accounts.rows}, skipped {skipped}")

        yield tell
