"""How a capture that is no ASGI middleware gets its lane: one for all captures of this process with one configuration.

Invariants: a lane that was opened here stays open until the process ends, so that clients which are made for each
request cost no file, thread or ring of their own. Where a program is only starting, a bad configuration is raised;
inside of a request nothing is raised or waited for, and mirroring is off.
"""

from __future__ import annotations

import atexit
import copy
import json
import logging
import os
import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, ShadowlaneError
from .lane import Lane, resolve_config
from .server import enclosing_call

if TYPE_CHECKING:
    from ..config import Config

__all__ = ["Mirror", "say_off"]

log = logging.getLogger("shadowlane")


_SHARED: dict[str, Lane] = {}
_LOCK = threading.Lock()


class Mirror:
    """A capture's lane, and why it has none.

    ``config`` is a path to a TOML file (default: ``$SHADOWLANE_CONFIG``, else ``shadowlane.toml``), a
    :class:`shadowlane.Config`, a dict with the same keys, or an open :class:`shadowlane.Lane` (the caller closes it).
    """

    def __init__(self, config: str | os.PathLike[str] | Config | Mapping[str, object] | Lane | None = None) -> None:
        self.lane: Lane | None = None
        """The open lane; ``None`` while mirroring is off, and until a lane that is opened aside is open."""
        self.error = ""
        """Why mirroring is off; empty when it is not."""
        self._limit = 0
        self._given: Any = None
        if isinstance(config, Lane):
            self._use(config)
            return
        given = config if config is not None else os.environ.get("SHADOWLANE_CONFIG", "shadowlane.toml")
        self._given = given
        inside = enclosing_call() or ("wsgi" if "mod_wsgi" in sys.modules else "")
        if not inside:
            self._open(given, inside)
        elif (known := _SHARED.get(_key(given) or "")) is not None and not known.closed:
            self._use(known)
        else:
            # Made inside of a user's request, which does not wait for files and threads of ours.
            threading.Thread(target=self._open, args=(given, inside), name="shadowlane-open", daemon=True).start()

    def __copy__(self) -> Any:
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        made = object.__new__(type(self))
        memo[id(self)] = made
        for name, value in self.__dict__.items():
            made.__dict__[name] = value if name in ("lane", "_given") else copy.deepcopy(value, memo)
        return made

    def __getstate__(self) -> dict[str, Any]:
        """A lane is of its process: who unpickles this opens it anew; a lane that was given is not there then."""
        return {**self.__dict__, "lane": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._given is not None:
            try:
                Mirror.__init__(self, self._given)
            except Exception as error:  # the client is to work without it
                self.error = say_off(error)

    def _open(self, given: str | os.PathLike[str] | Config | Mapping[str, object], inside: str) -> None:
        try:
            self._use(_shared(given))
        except ConfigError as error:
            if not inside:
                raise
            self.error = say_off(error)
        except Exception as error:
            self.error = say_off(error)

    def _use(self, lane: Lane) -> None:
        self._limit = lane.config.lane.max_body_bytes
        self.lane = lane


def say_off(error: Exception) -> str:
    """Say in the log that this process mirrors nothing, and give the reason."""
    why = str(error) if isinstance(error, ShadowlaneError) else f"{type(error).__name__}: {error}"
    log.error(
        "MIRRORING IS OFF in process %d, its requests are served without it: %s (shadowlane doctor says more)",
        os.getpid(),
        why,
    )
    return why


def _shared(given: str | os.PathLike[str] | Config | Mapping[str, object]) -> Lane:
    """The open lane of this configuration. A file is read once a process."""
    key = _key(given)
    with _LOCK:
        config = None if key else resolve_config(given)
        if config is not None:
            key = json.dumps(config.to_dict(), sort_keys=True, default=str)
        lane = _SHARED.get(key)
        if lane is None or lane.closed:
            lane = _SHARED[key] = Lane.open(given if config is None else config)
        return lane


def _key(given: object) -> str:
    """What names a configuration without a look into a file; empty when it has to be resolved."""
    return os.path.abspath(os.fspath(given)) if isinstance(given, (str, os.PathLike)) else ""  # noqa: PTH100 - no links resolved


def _after_fork_in_child() -> None:
    global _LOCK
    _LOCK = threading.Lock()  # another thread may have held it


def _close_all() -> None:
    for lane in list(_SHARED.values()):
        lane.close()


os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_close_all)
