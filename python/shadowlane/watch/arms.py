"""The slow half of a screen: ΔS of the newest pairs, and verdicts. Read on a thread of its own, so that counters go on.

Invariant: reading takes a small share of the time: after one that took long, the next comes late. What cannot be read
is said, and the last result stays.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing

from ..config import Config
from ..errors import ShadowlaneError, describe
from ..gate.evidence import evaluate_lane
from ..report.source import PairSource
from ..report.verdicts import reading
from ..status.collect import collect_status
from .screen import ArmView

__all__ = ["ArmsReader", "read_arms"]

_NEWEST = 240
_EVERY_S = 5.0
_SHARE = 0.1
"""At most so much of the time is spent reading."""


def read_arms(config: Config) -> dict[str, ArmView]:
    """ΔS of the newest pairs of each arm, and each shadow's verdict. Raises
    :class:`~shadowlane.errors.ShadowlaneError`."""
    status = collect_status(config)
    with reading(config, status) as store:
        verdicts = {verdict.shadow: verdict for verdict in evaluate_lane(config, status, store)}
        found = {}
        for name in config.arms():
            verdict = verdicts.get(name)
            said = ("", "", False) if verdict is None else (verdict.decision, verdict.summary, verdict.reverse)
            found[name] = ArmView(_deltas(store, name), *said)
        return found


def _deltas(store: PairSource, name: str) -> list[float]:
    """The oldest first."""
    with closing(store.iter_pairs(None, name, _NEWEST, order="newest")) as rows:  # type: ignore[type-var]
        found = [row.pair.scores.delta_s for row in rows]
    return [delta for delta in reversed(found) if delta is not None]


class ArmsReader:
    """Reads again and again until the process ends: its thread holds nothing that must be given back."""

    def __init__(self, config: Config, changed: Callable[[], None]) -> None:
        """``changed`` is called, on the reader's thread, when there is something new."""
        self.arms: dict[str, ArmView] = {}
        self.judged_ns: int | None = None
        self.trouble = ""
        self._config, self._changed = config, changed
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._run, name="shadowlane-watch", daemon=True).start()

    def end(self) -> None:
        """Read no more; one that is under way is not waited for."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            self.read()
            self._changed()
            self._ended.wait(max(_EVERY_S, (time.monotonic() - began) / _SHARE))

    def read(self) -> None:
        """Once."""
        try:
            self.arms = read_arms(self._config)
        except ShadowlaneError as error:
            self.trouble = str(error)
        except Exception as error:  # a screen that dies of it would tell less
            self.trouble = f"an error of ours: {describe(error)}; please report it"
        else:
            self.trouble, self.judged_ns = "", time.time_ns()
