"""The gateway's handle on a lane: admit at the start of a request, offer after its answer.

Invariants: neither call waits, raises or logs; all that can fail, fails in :meth:`Lane.open`. A process forked from
one that has a lane gets a ring of its own before its first request is admitted. The only thread is the supervisor,
which keeps the lane in its directory and, with ``lane.worker = "auto"``, a worker running; :meth:`Lane.close` ends it.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import _core
from ..config import Config, load_config, make_lane_directory
from ..errors import ConfigError, ShadowlaneError
from .failure import forget_failure, note_failure
from .supervisor import Supervisor, write_worker_config

__all__ = ["Lane"]

log = logging.getLogger("shadowlane")

_LANES: weakref.WeakSet[Lane] = weakref.WeakSet()
_FOLLOWING = threading.Lock()


def resolve_config(config: Config | str | os.PathLike[str] | Mapping[str, Any]) -> Config:
    """A checked configuration from whatever a user passes: a path, a dict, or a :class:`Config`."""
    if isinstance(config, Config):
        return Config.from_dict(config.to_dict())
    if isinstance(config, Mapping):
        return Config.from_dict(config)
    return load_config(config)


class Lane:
    """One named mirror, seen from a gateway process. Open it once a process, at start.

    >>> lane = Lane.open("shadowlane.toml")                         # doctest: +SKIP
    >>> ticket = lane.admit("GET", "/v1/search", headers)           # doctest: +SKIP
    >>> if ticket is not None:                                      # doctest: +SKIP
    ...     lane.offer(ticket, target, headers, body, 200, response_headers, response_body, ttfb_ns, 0)
    """

    admit: Callable[[str, str, Sequence[tuple[str | bytes, str | bytes]]], _core.Ticket | None]
    """``admit(method, path, headers)``: a ticket when this request is mirrored, else ``None``. Never raises. Names come
    in any case; what of a field is no bytes is text of latin-1."""
    begin: Callable[[str, str, Sequence[tuple[str | bytes, str | bytes]]], _core.Ticket | _core.Timer | None]
    """``begin(method, path, headers)``: :attr:`admit` for a caller that sees the end of every answer. Some of the
    requests that are not mirrored get a ``Timer``, to be stopped when the answer has ended: their times are what those
    of the mirrored ones are compared with. Never raises."""
    offer: Callable[..., bool]
    """``offer(ticket, target, headers, body, status, response_headers, response_body, ttfb_ns, flags, duration_ns=0)``:
    copies the exchange into the ring; ``False`` when it was dropped (and counted). Never waits, never raises.
    ``duration_ns``: with ``FLAG_TIMED``, what the answer took, which ended before this call."""
    drop: Callable[[_core.Ticket, str], None]
    """``drop(ticket, reason)``: gives a ticket back, counted under ``reason``."""

    def __init__(self, config: Config, directory: Path, core: _core.Lane) -> None:
        self.config = config
        self.directory = directory
        self.faults = 0
        """How often our own code failed on the user path and was swallowed."""
        self.traced = bool(config.telemetry.endpoint)
        """Whether copies become spans, so that where a request belongs is looked up."""
        self._core = core
        self._closed = False
        self._pid = os.getpid()
        self._fork_lock: threading.Lock | None = None
        """In a forked child, until it has a ring of its own."""
        self._supervisor: Supervisor | None = None
        self._bind()
        _LANES.add(self)

    @classmethod
    def open(cls, config: Config | str | os.PathLike[str] | Mapping[str, Any]) -> Lane:
        """Open the lane in this process: its ring, the shared control file and, with ``worker = "auto"``, the worker.

        Raises :class:`~shadowlane.errors.ConfigError` for a bad configuration and
        :class:`~shadowlane.errors.LaneError` for a directory that is not safe to use. When only the ring cannot be
        made (shared memory too small or full), mirroring is off for this process: said once here, counted, and shown
        by ``shadowlane status`` and ``shadowlane doctor``.
        """
        config = resolve_config(config)
        if config.worker.role == "judge":
            raise ConfigError('worker.role = \'judge\': a judge\'s host has no gateway; use "forward" or "all" here')
        directory = make_lane_directory(config)
        try:
            lane = cls._open(config, directory)
        except (ShadowlaneError, OSError) as error:
            note_failure(directory, str(error))
            raise
        forget_failure(directory)
        return lane

    @classmethod
    def _open(cls, config: Config, directory: Path) -> Lane:
        core = _core.Lane(
            str(directory),
            ring_bytes=config.lane.ring_bytes,
            max_body_bytes=config.lane.max_body_bytes,
            ratio=config.sampling.ratio,
            seed=config.sampling.seed,
            qps=config.limits.qps,
            burst=config.limits.burst,
            leased=config.fleet.on,
            cap_at_admission=config.limits.cap_mode == "first",
            sticky_key=config.sampling.key or None,
            read_routes=config.routes.read_patterns(),
            include=config.routes.include,
            exclude=config.routes.exclude,
            route_caps=list(config.limits.routes.items()),
            weights=list(config.limits.weights.items()),
            tenant=(config.limits.tenant_key, config.limits.tenant_qps) if config.limits.tenant_qps else None,
            timed_routes=config.routes.timed,
            shed_above=config.limits.shed_mark(),
        )
        lane = cls(config, directory, core)
        if older := core.older():
            log.warning("lane %s is in %s, beside another release's: %s", config.lane.name, directory, "; ".join(older))
        if core.ring_error:
            log.warning("mirroring is off for process %d: %s", os.getpid(), core.ring_error)
        lane._supervise()
        return lane

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called: nothing is admitted any more."""
        return self._closed

    @property
    def ring_error(self) -> str | None:
        """Why this process has no ring and mirrors nothing; ``None`` when all is well."""
        return self._core.ring_error

    def status(self) -> dict[str, Any]:
        """Counters of all processes of the lane; see ``shadowlane status --json``."""
        return _core.lane_status(str(self.directory))

    def fault(self) -> None:
        """Count a failure of our own on the user path: here, and for all processes in ``shadowlane status``."""
        self.faults += 1
        self._core.fault()

    def ensure(self) -> None:
        """After a fork: give this process its own ring and supervisor now, not at its first request."""
        lock = self._fork_lock
        if lock is None:
            return
        # Requests that other threads have at the same time wait here once, instead of being seen by no ring.
        with lock:
            if self._fork_lock is None:
                return
            try:
                if not self._closed:
                    self._core.reopen()
                    self._supervise(forked=True)
            finally:
                self._fork_lock = None
                self._bind()

    def follow_fork(self) -> None:
        """For a server that forks without running Python's hooks for it (uWSGI): what they would have done, once."""
        if os.getpid() != self._pid:
            with _FOLLOWING:
                if os.getpid() != self._pid:
                    self._after_fork()

    def close(self) -> None:
        """Close this process's ring and end the supervisor. What is in the ring is still sent by the worker."""
        if self._closed:
            return
        self._closed = True
        _LANES.discard(self)
        if self._supervisor is not None:
            self._supervisor.stop()
            self._supervisor = None
        self._core.close()

    def __enter__(self) -> Lane:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _bind(self) -> None:
        # The core's methods are called directly: a Python frame in between would double their cost.
        self.admit = self._core.admit
        self.begin = self._core.begin
        self.offer = self._core.offer
        self.drop = self._core.drop

    def _supervise(self, *, forked: bool = False) -> None:
        started = self.config if self.config.lane.worker == "auto" else None
        if started is not None and not forked:  # a child of an old gateway must not bring its configuration back
            write_worker_config(started, self.directory)
        self._supervisor = Supervisor(self._core, self.directory, started, self._remake)
        self._supervisor.start()

    def _remake(self) -> Path:
        """Open the lane anew: its files were removed or replaced. On the supervisor's thread."""
        directory = make_lane_directory(self.config)
        self._core.remake(str(directory))
        self.directory = directory
        return directory

    def _after_fork(self) -> None:
        # The supervisor's thread did not survive the fork, and the ring is the parent's. Most children never serve a
        # request, so nothing is made until the first one asks.
        self._supervisor = None
        self._fork_lock = threading.Lock()
        self.admit = self._admit_after_fork
        self.begin = self._begin_after_fork
        self._pid = os.getpid()

    def _admit_after_fork(
        self, method: str, path: str, headers: Sequence[tuple[str | bytes, str | bytes]]
    ) -> _core.Ticket | None:
        self._revive()
        return self._core.admit(method, path, headers)

    def _begin_after_fork(
        self, method: str, path: str, headers: Sequence[tuple[str | bytes, str | bytes]]
    ) -> _core.Ticket | _core.Timer | None:
        self._revive()
        return self._core.begin(method, path, headers)

    def _revive(self) -> None:
        try:
            self.ensure()
        except Exception:
            self.fault()


def _after_fork_in_child() -> None:
    for lane in list(_LANES):
        lane._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
