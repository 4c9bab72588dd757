"""``--store FILE`` of ``report``, ``gate``, ``export``, ``gold``: the result of a replay or an import, looked at again.

Invariant: what is judged is all that the file holds, and what only a lane knows is left out and said to be.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import msgspec

from ..compare.pairs import with_arms
from ..config import Config
from ..detect.cleaner import open_cleaner
from ..errors import ConfigError
from ..sources import open_stored
from ..store import Origin, Store
from .accounts import Accounts, account_data
from .command import Shown, show

__all__ = ["show_stored", "stored_config"]


def stored_config(config: Config, file: str) -> Config:
    """The configuration with what the file holds: its rows in place of the lane's, and the arms that they are of.

    Raises :class:`~shadowlane.errors.ConfigError` for a file of a lane, and :class:`~shadowlane.errors.StoreError`.
    """
    with open_stored(str(Path(file).absolute())) as store:
        return _of(config, store, file)[0]


def _of(config: Config, store: Store, file: str) -> tuple[Config, Origin]:
    origin = store.origin()
    if origin is None:
        raise ConfigError(f"--store = {file!r}: a lane's database; leave --store out, its lane is in --config")
    control = "control" in store.shadows()
    config = with_arms(config, origin.shadow, control=control, source=origin.url or origin.source)
    return msgspec.structs.replace(config, store=config.store.in_file(Path(file).absolute())), origin


def show_stored(config: Config, options: argparse.Namespace, *, gate: bool) -> int:
    """Print the report, or with ``gate`` the verdict; returns the exit code.

    Raises :class:`~shadowlane.errors.ConfigError` for a file of a lane, and :class:`~shadowlane.errors.StoreError`.
    """
    with open_stored(str(Path(options.store).absolute())) as store:
        config, origin = _of(config, store, options.store)
        open_cleaner(config, reading=True)
        data = account_data(Accounts(read=origin.read, skipped=Counter(origin.skipped)), store, origin.shadow)
        options.gate, options.html = gate, getattr(options, "html", None)
        name = f"{origin.kind} of {origin.source}"
        unfinished = "" if origin.finished else ", NOT read to its end"
        verb = "kept" if origin.kind == "import" else "sent"
        return show(options, config, store, Shown(name), data, f"{name} ({origin.form}){unfinished}", verb)
