"""A fleet's shares and switch: real keepers of simulated hosts, each in a thread of its own, on a real engine.

A host's demand is steady, its control file a record in memory: what is measured is what keepers ask of the engine, what
that takes there, and how soon all of them know of the switch.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from shadowlane.fleet.keeper import EVERY_S, Keeper, boottime, set_switch
from shadowlane.fleet.member import MICRO, Terms
from shadowlane.fleet.opening import open_engine

from .servers import until

__all__ = ["measure"]

_LEASE_S = 5.0
_WANTED = 40.0
"""Copies a second that each host would send."""


class _Control:
    """What a keeper asks of a control file."""

    def __init__(self) -> None:
        self._begun = boottime()
        self._lease: tuple[int, int, float, int, float] = (0, 0, 0.0, 0, 0.0)
        self._off = False

    def lease(self, rate: float, burst: int, until_ns: int, *, number: int, epoch: int, goes_on: bool) -> None:
        self._lease = (number, epoch, rate, burst, until_ns / 1e9)

    def end_lease(self) -> None:
        self._lease = (0, 0, 0.0, 0, 0.0)

    def leased(self) -> tuple[int, int, float, int, float, int]:
        number, epoch, rate, burst, ends = self._lease
        now = boottime()
        return number, epoch, rate, burst, max(ends - now, 0.0), int(_WANTED * (now - self._begun))

    def set_fleet_off(self, off: bool) -> None:
        self._off = off

    def fleet_off(self) -> bool:
        return self._off


def measure(
    url: str, name: str, hosts: int, seconds: float, switches: int, server: Callable[[], dict[str, float]]
) -> dict[str, float]:
    """``server`` gives what the engine has counted so far; what it counted in ``seconds`` of keeping comes back a host
    and second, with the seconds of ``switches`` until all hosts knew (``switch_median_s``, ``switch_most_s``)."""
    terms = Terms(int(50 * MICRO), max(50, 2 * hosts), 1, _LEASE_S)
    controls = [_Control() for _ in range(hosts)]
    end = threading.Event()
    with ExitStack() as stack:
        threads = []
        for number, control in enumerate(controls):
            engine = open_engine(url, name)
            stack.callback(engine.close)
            keeper = Keeper(engine, control, host=f"host-{number}", name=f"host-{number}", terms=terms)
            threads.append(threading.Thread(target=_keep, args=(keeper, end), daemon=True))
        teller = open_engine(url, name)
        stack.callback(teller.close)
        for thread in threads:
            thread.start()
        try:
            until(lambda: all(control.leased()[4] for control in controls), "every host has a share")
            before, begun = server(), time.monotonic()
            time.sleep(seconds)
            after, took = server(), time.monotonic() - begun
            told = sorted(_switched(lambda off: set_switch(teller, off), controls, n) for n in range(switches))
        finally:
            end.set()
            for thread in threads:
                thread.join()
    found = {key: (after[key] - before[key]) / took / hosts for key in before}
    return found | {"switch_median_s": told[len(told) // 2], "switch_most_s": told[-1]}


def _switched(switch: Callable[[bool], None], controls: list[_Control], number: int) -> float:
    off = number % 2 == 0
    time.sleep(random.uniform(0, EVERY_S))  # at any time of their rounds
    begun = time.monotonic()
    switch(off)
    until(lambda: all(control.fleet_off() is off for control in controls), "all hosts know", every_s=0.002)
    return time.monotonic() - begun


def _keep(keeper: Keeper, end: threading.Event) -> None:
    end.wait(random.uniform(0, EVERY_S))
    while not end.is_set():
        keeper.round({})
        end.wait(EVERY_S)
