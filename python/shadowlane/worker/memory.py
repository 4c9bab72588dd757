"""Keeps what the worker has freed from staying with it: few arenas of the allocator, and free pages given back; and the
collector of cycles from looking again and again at what stays.

glibc gives each thread that allocates an arena of its own (``mallopt(3)``, ``M_ARENA_MAX``). What is freed in one is
not used by another, so that after a burst each keeps its peak. Most of the worker's threads wait for one interpreter
lock anyway. Invariant: called in the worker's process alone, never in a gateway's, whose allocator is its own business.
Where the C library has no such calls (musl, macOS) nothing is done.
"""

from __future__ import annotations

import ctypes
import gc
from typing import Any

__all__ = ["collect_seldom", "give_back", "keep_arenas_few"]

_M_ARENA_MAX = -8
_ARENAS = 2
_NEW_OBJECTS = 10_000


def collect_seldom() -> None:
    """Leave what is there now out of the search for cycles, and search seldom: a copy's records form none, and the
    search looks at all that are held."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])


def keep_arenas_few() -> bool:
    """Bound the allocator's arenas for threads that start from now on. Returns whether the C library agreed."""
    mallopt = _call("mallopt")
    return mallopt is not None and mallopt(_M_ARENA_MAX, _ARENAS) == 1


def give_back() -> bool:
    """Give free pages back to the system (``malloc_trim(3)``). Returns whether there were any."""
    trim = _call("malloc_trim")
    return trim is not None and trim(ctypes.c_size_t(0)) == 1


def _call(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None)
