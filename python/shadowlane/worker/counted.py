"""Keeps in a store that several hosts write to what this one counted, so that the gate judges all of them at once.

Invariants: what is written are sums so far, each in the place of those before; the equations of one host are made of
counters read in an order in which a correct lane can never look wrong: what is acknowledged, then what is stored, then
what is mirrored. A host that others write to as well is heard every few seconds, or says that it ended.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from .. import __version__, _core
from ..columns import CopyCounts, HostCounts, Setting
from ..config import Config
from ..errors import ShadowlaneError, StoreLostError
from ..types import ShadowCounts

if TYPE_CHECKING:
    from .writer import Writer

__all__ = ["HOST_EVERY_S", "HostRecorder", "copies_of", "forwarded_counts", "keep_host", "settings_of"]

log = logging.getLogger("shadowlane.worker")

HOST_EVERY_S = 5.0
_FORGET_EVERY_S = 3_600.0
_TRIES = 50


class _Store(Protocol):
    def counts(self, lane_id: str | None = None) -> dict[str, ShadowCounts]: ...
    def bases(self, lane_id: str | None = None) -> dict[str, int]: ...
    def save_host(self, counts: HostCounts) -> None: ...
    def forget_hosts(self) -> int: ...


def copies_of(
    arms: Iterable[str], counts: Mapping[str, ShadowCounts], bases: Mapping[str, int], acked: int, mirrored: int
) -> dict[str, CopyCounts]:
    """What became of each shadow's copies. ``acked`` was read before ``counts``, ``mirrored`` after them."""
    found = {}
    for name in arms:
        count = counts.get(name, ShadowCounts())
        # A shadow that no worker registered yet gets what is not acknowledged when one does.
        base = bases.get(name, acked)
        stored = count.answered + sum(count.failed.values())
        found[name] = CopyCounts(
            mirrored=mirrored - base,
            answered=count.answered,
            failed=dict(count.failed),
            in_flight=mirrored - base - stored,
            holds=acked <= base + stored <= mirrored,
        )
    return found


def settings_of(sampler: Mapping[str, Any]) -> tuple[Setting, ...]:
    """The settings of a lane's sampling, of its status."""
    return tuple(
        msgspec.convert({k: v for k, v in one.items() if k != "number"}, Setting) for one in sampler["revisions"]
    )


def forwarded_counts(source: str, said: Mapping[str, Any]) -> HostCounts | None:
    """What a forwarding host counted (:func:`shadowlane.offload.figures.counts_of`) under its name in the stream's
    accounts; ``None``: another release's, which this one cannot read."""
    host, _, rest = source.rpartition("/")[0].partition("/")
    try:
        return HostCounts(
            host=host,
            lane=rest,
            lane_id=source.rpartition("/")[2],
            release=said.get("release", ""),
            alike=said.get("alike", ""),
            seen=int(said["seen"]),
            open=int(said["open"]),
            mirrored=int(said["mirrored"]),
            dropped=msgspec.convert(said["dropped"], dict[str, int]),
            settings=settings_of(said["sampler"]),
        )
    except (KeyError, TypeError, ValueError, msgspec.ValidationError):
        return None


class HostRecorder:
    """Reads the counters in ``directory`` and writes them to ``store``: call :meth:`record` from time to time, on the
    store's thread."""

    def __init__(
        self,
        config: Config,
        directory: Path,
        store: _Store,
        *,
        host: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._directory = str(directory)
        self._store = store
        self._host = socket.gethostname() if host is None else host
        self._alike = config.alike()
        self._clock = clock
        self._forgot_at = -_FORGET_EVERY_S
        self._error = ""

    def record(self, *, ended: bool = False) -> None:
        """Write the sums so far. ``ended``: this worker ends. An error is logged once, and the next call tries again.
        Raises :class:`~shadowlane.errors.StoreLostError`."""
        try:
            self._store.save_host(self._counts(ended))
            if self._clock() - self._forgot_at >= _FORGET_EVERY_S:
                self._forgot_at = self._clock()
                self._store.forget_hosts()
        except StoreLostError:
            raise
        except ShadowlaneError as error:
            if str(error) != self._error:
                log.warning("what this host counts cannot be kept for the gate: %s", error)
            self._error = str(error)
        else:
            self._error = ""

    def _counts(self, ended: bool) -> HostCounts:
        before = _core.lane_status(self._directory)
        lane_id = before["lane_id"]
        counts, bases = self._store.counts(lane_id), self._store.bases(lane_id)
        now, adds_up = self._settled()
        return HostCounts(
            host=self._host,
            lane=self._config.lane.name,
            lane_id=lane_id,
            release=__version__,
            alike=self._alike,
            ended=ended and not any(ring["alive"] for ring in now["rings"]),
            seen=now["seen"],
            open=now["open"],
            mirrored=now["mirrored"],
            dropped=now["dropped"],
            settings=settings_of(now["sampler"]),
            adds_up=adds_up,
            shadows=copies_of(self._config.arms(), counts, bases, before["acked"], now["mirrored"]),
        )

    def _settled(self) -> tuple[dict[str, Any], bool]:
        """The counters, read again while requests are being counted in between, and whether they add up."""
        for _ in range(_TRIES):
            now: dict[str, Any] = dict(_core.lane_status(self._directory))
            if now["seen"] == now["mirrored"] + sum(now["dropped"].values()):
                return now, True
        return now, False


async def keep_host(writer: Writer, recorder: HostRecorder) -> None:
    """Record until cancelled."""
    import asyncio  # what is counted is also for commands that run no event loop

    while True:
        await writer.call(recorder.record)
        await asyncio.sleep(HOST_EVERY_S)
