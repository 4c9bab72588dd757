"""A lane with something of everything in it: requests, rows of two arms, limits as a worker wrote them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from shadowlane import _core
from shadowlane.capture.lane import Lane
from shadowlane.capture.received import Counts, Kind, Noted
from shadowlane.config import Config
from shadowlane.store import open_store
from shadowlane.types import STRANGE_CALLS, Copy, GroupReading, Outcome, Pair, Scores
from shadowlane.worker.state import write_state
from tests.support.lanes import config_at

__all__ = ["LaneData", "lane_config", "numbers_in"]

_FIELDS = tuple(field.name for field in msgspec.structs.fields(Copy))
_READING = GroupReading(number=1, seen=2, prod="convergent", shadow="chaotic", flip=True, prod_flip=True)
_SCORES = (
    Scores(delta_s=0.1, anchored=0.1, state="convergent", citation_match=1.0, index_agrees=True, coverage=1.0),
    Scores(delta_s=0.5, anchored=0.9, fact_flip=True, state="recursive", citation_match=0.5, tools="same"),
    Scores(delta_s=0.8, anchored=0.8, state="chaotic", group=_READING, collapse="cut", prod_collapse="cut"),
    Scores(delta_s=0.2, state="convergent", tokens=120, prod_tokens=100, cost=0.25, prod_cost=0.5, index_agrees=False),
)


def lane_config(folder: Path, **more: Any) -> Config:
    """Half of all is mirrored to a shadow and a control; one route has a cap of its own."""
    lane = {"directory": str(folder / "lane"), "worker": "external", "ring_bytes": 1 << 18, "max_body_bytes": 4096}
    limits = {"qps": 1000, "burst": 1000, "routes": {"GET /search": 500.0}}
    sections = {"lane": lane, "limits": limits, "sampling": {"ratio": 0.5, "seed": 3}}
    return config_at(folder, **{**sections, "control": {"url": "http://127.0.0.1:9002"}, **more})


class LaneData:
    """Requests of one gateway process (this one), and what a worker does with them."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.lane = Lane.open(config)
        self.drainer = _core.Drainer(config.lane.directory, allow_headers=())

    def close(self) -> None:
        self.drainer.close()
        self.lane.close()

    def take(self, n: int, path: str = "/search") -> None:
        """``n`` requests, of which half are mirrored."""
        for i in range(n):
            ticket = self.lane.admit("GET", f"{path}?q={i}", [])
            if ticket is not None:
                assert self.lane.offer(ticket, f"{path}?q={i}", [], b"", 200, [], b"answer", 1000, 0)

    def work(self, frames: int, *, reason: str = "", status: int = 200) -> None:
        """Store the next frames as answered copies, or failed ones, with scores of every kind."""
        with open_store(self.config.store) as store:
            store.set_epoch(self.drainer.lane_id(), dict.fromkeys(self.config.arms(), self.drainer.acked()))
            for index, row in enumerate(self.drainer.drain(frames, 1 << 20)):
                copy = Copy(**dict(zip(_FIELDS, row, strict=True)))
                scores = Scores(note=reason) if reason else _SCORES[index % len(_SCORES)]
                store.save([Pair(copy=copy, outcome=self._outcome(name, reason, status), scores=scores)
                            for name in self.config.arms()])  # fmt: skip
                self.drainer.ack(copy.ring, copy.seq)

    def _outcome(self, name: str, reason: str, status: int) -> Outcome:
        return Outcome(
            shadow=name,
            reason=reason,
            status=0 if reason else status,
            detail="no such model" if status >= 400 else "",
            tries=2,
            waited_ns=30_000_000,
            ttfb_ns=50_000_000,
            duration_ns=200_000_000,
            findings={STRANGE_CALLS: 1},
        )

    def receive(self) -> None:
        """What receivers were sent, with everything that can be in it."""
        otlp = Counts(7, 4, {"not_genai": 2}, {"damaged": 1}, {"200": 2, "503": 1})
        said: dict[Kind, Counts] = {"otlp": otlp, "sink": Counts(3, 2, {"not_admitted": 1})}
        for kind in said:
            with Noted(Path(self.config.lane.directory), kind, lambda kind=kind: said[kind]):  # type: ignore[misc]
                """It ends at once."""

    def write_limits(self) -> None:
        """What a worker says of its limits, with everything that can be in it."""
        shadow = {
            "rate": 7.5,
            "slowed": True,
            "paused_until": None,
            "breaker": {"state": "open", "probe_at": 1.5e9, "rest_s": 30.0},
            "budget": {
                "reached": "tokens_per_day",
                "limits": {"tokens_per_day": {"spent": 1000.0, "limit": 900.0}},
                "unmetered": 3,
                "unpriced": [],
            },
        }
        limits = {"rate": 500.0, "prod_paused_until": None, "shadows": dict.fromkeys(self.config.arms(), shadow)}
        arms = {name: {"out": 2, "waiting": 1, "retries": 4} for name in self.config.arms()}
        told = {"kind": "slack", "firing": 2, "waiting": 1, "sent": 9, "failed": 4, "dropped": 3, "error": "HTTP 500"}
        state = {"lane_id": self.drainer.lane_id(), "pid": os.getpid(), "revision": "", "limits": limits, "arms": arms}
        state["beside"] = {"endpoint": {}, "alerting": {"slack": told}}
        write_state(Path(self.config.lane.directory), state)


def numbers_in(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], float]:
    """The numbers in JSON-like data, by where they stand; positions in lists are ``*``."""
    if isinstance(value, dict):
        items = [(str(name), item) for name, item in value.items()]
    elif isinstance(value, (list, tuple)):
        items = [("*", item) for item in value]
    else:
        return {path: float(value)} if isinstance(value, (bool, int, float)) else {}
    return {where: found for name, item in items for where, found in numbers_in(item, (*path, name)).items()}
