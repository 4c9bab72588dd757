"""Who gets how much of the fleet's rate and burst, by what each would send.

A tenth is divided evenly, so that an idle host can begin at once; the rest by max-min fairness over the demands
(Bertsekas & Gallager, Data Networks, 6.5.2) with a quarter of headroom, so that growing demand is seen; what nobody
wants is divided evenly again. Invariants: the sums are at most the whole; whoever gets anything can send the heaviest
request; one host alone gets all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["NOTHING", "Share", "divided"]

_EVEN = 10
_HEADROOM = 4


class Share(NamedTuple):
    """``rate`` in millionths of a copy a second, ``burst`` in copies."""

    rate: int
    burst: int


NOTHING = Share(0, 0)


def divided(wanted: Mapping[str, int], whole: Share, weight: int, turn: int) -> dict[str, Share]:
    """Each host's share of the ``whole``; ``wanted`` is its demand in the unit of the rate, ``weight`` the units of the
    heaviest request. Where the burst does not reach for all hosts, they take turns: ``turn`` counts up."""
    names = sorted(wanted)
    most = whole.burst // max(weight, 1)
    shares = dict.fromkeys(names, NOTHING)
    if len(names) > most:
        start = turn % len(names)
        names = (names[start:] + names[:start])[:most]
    even = whole.rate // (_EVEN * len(names)) if names else 0
    if not names or whole.rate < len(names):
        return shares
    over = _max_min({name: max(wanted[name] + wanted[name] // _HEADROOM - even, 0) for name in names},
                    whole.rate - even * len(names))  # fmt: skip
    idle = (whole.rate - even * len(names) - sum(over.values())) // len(names)
    spare = whole.burst - weight * len(names)
    for name in names:
        rate = even + over[name] + idle
        if rate > 0:
            shares[name] = Share(rate, weight + spare * rate // whole.rate)
    return shares


def _max_min(wanted: Mapping[str, int], left: int) -> dict[str, int]:
    given = {}
    ordered = sorted(wanted, key=lambda name: wanted[name])
    for index, name in enumerate(ordered):
        given[name] = min(wanted[name], left // (len(ordered) - index))
        left -= given[name]
    return given
