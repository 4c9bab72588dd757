"""When a gateway and its mirror have worked off what they were given.

Invariant: nothing is guessed: a lane is asked what it still holds, and every peer's processor time must stand still.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .processes import cpu_seconds

if TYPE_CHECKING:
    from .peers import Peer

__all__ = ["come_to_rest"]

_WITHIN_S = 120.0
_LOOK_S = 0.3
_STILL = 0.02
"""Of one core: servers that wait have timers."""


def come_to_rest(peer: Peer, within_s: float = _WITHIN_S) -> None:
    """Returns once the peer holds no copy and its processes use next to no processor time.

    Raises RuntimeError when that takes longer than ``within_s`` seconds.
    """
    deadline = time.monotonic() + within_s
    before, began = cpu_seconds(peer.pids), time.monotonic()
    while True:
        time.sleep(_LOOK_S)
        now, at = cpu_seconds(peer.pids), time.monotonic()
        share = (now - before) / (at - began)
        held = peer.held()
        if not held and share < _STILL:
            return
        if at > deadline:
            why = held or f"uses {100 * share:.0f} % of a core"
            raise RuntimeError(f"{peer.name} is not at rest after {within_s:g} s: {why}")
        before, began = now, at
