"""The time that retention goes by: the wall clock, as far as a clock that cannot be set agrees with it.

A wall clock that jumps ahead, for a minute or by a mistake, must not make everything old. So deleting trusts no single
reading: from one reading to the next, time has passed as the monotonic clock says, and no more. What the wall shows
beyond that is believed only when it has stayed so for :data:`BELIEVED_AFTER_NS` of monotonic time. A wall that was set
back is followed at once, since that deletes less.

Invariants: what :meth:`RetentionClock.read` gives never rises faster than the monotonic clock, but for one step after
an hour of agreement; it is never ahead of the wall.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

__all__ = ["BELIEVED_AFTER_NS", "RetentionClock"]

BELIEVED_AFTER_NS = 3_600 * 10**9
_SAME_NS = 60 * 10**9
"""Readings that differ by less are one: clocks are slewed, and a look takes time."""


class _Kept(msgspec.Struct):
    """What the next process goes on with. Monotonic times mean something within one ``boot`` only."""

    boot: str
    trusted_ns: int
    at_ns: int
    ahead_ns: int = 0
    ahead_since_ns: int = -1


class RetentionClock:
    """``saved`` is what :meth:`state` gave last, in another process perhaps; empty for a new store.

    ``wall_ns`` is the Unix time, ``steady_ns`` a clock that nobody sets and that counts suspended time too
    (``CLOCK_BOOTTIME``), ``boot`` names the boot within which it may be compared.
    """

    def __init__(
        self,
        saved: str = "",
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        steady_ns: Callable[[], int] = lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        boot: str | None = None,
    ) -> None:
        self._wall_ns = wall_ns
        self._steady_ns = steady_ns
        boot = _boot() if boot is None else boot
        now = steady_ns()
        try:
            kept = msgspec.json.decode(saved, type=_Kept) if saved else _Kept(boot, wall_ns(), now)
        except msgspec.DecodeError:
            kept = _Kept(boot, wall_ns(), now)
        if kept.boot != boot or kept.at_ns > now:
            # How long the machine was off, nobody knows: no time has passed until the wall has been believed.
            kept = _Kept(boot, kept.trusted_ns, now)
        self._kept = kept

    def state(self) -> str:
        """What to keep for the next process: JSON."""
        return msgspec.json.encode(self._kept).decode()

    def read(self) -> int:
        """The Unix time in ns that may be deleted by."""
        kept, wall, now = self._kept, self._wall_ns(), self._steady_ns()
        expected = kept.trusted_ns + max(now - kept.at_ns, 0)
        ahead = wall - expected
        if ahead <= _SAME_NS:
            self._kept = _Kept(kept.boot, min(wall, expected), now)
            return self._kept.trusted_ns
        if kept.ahead_since_ns < 0 or abs(ahead - kept.ahead_ns) > _SAME_NS:
            self._kept = _Kept(kept.boot, expected, now, ahead, now)
        elif now - kept.ahead_since_ns >= BELIEVED_AFTER_NS:
            self._kept = _Kept(kept.boot, wall, now)
        else:
            self._kept = _Kept(kept.boot, expected, now, ahead, kept.ahead_since_ns)
        return self._kept.trusted_ns


def _boot() -> str:
    """The kernel's name for this boot (random(4)); empty where it has none, and then each process is its own."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().decode().strip()
    except OSError:
        return str(time.clock_gettime_ns(time.CLOCK_BOOTTIME))
