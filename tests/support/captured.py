"""A lane without a worker: what captures offer is drained and read in the test."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shadowlane import Config, Lane, _core
from shadowlane.types import Copy

__all__ = ["LIMIT", "Captured", "captured"]

LIMIT = 4096


class Captured:
    """``lane`` takes everything unless ``sections`` say otherwise; :meth:`rows`: the exchanges since the last look."""

    def __init__(self, **sections: Any) -> None:
        self.directory = Path("/dev/shm") / f"shadowlane-test-{secrets.token_hex(6)}"
        lane = {"directory": str(self.directory), "worker": "external", "ring_bytes": 1 << 20, "max_body_bytes": LIMIT}
        self.config: dict[str, Any] = {
            "lane": lane,
            "sampling": {"ratio": 1.0},
            "limits": {"qps": 1e6, "burst": 1_000_000},
            "routes": {"read": ["POST /ask*", "POST /v1/*"]},
            "shadows": {"candidate": {"url": "http://127.0.0.1:9"}},
            **sections,
        }
        self.lane = Lane.open(Config.from_dict(self.config))
        self.drainer = _core.Drainer(str(self.directory), policy=_core.Policy(read=["POST /ask*", "POST /v1/*"]))

    def rows(self) -> list[dict[str, Any]]:
        names = Copy.__struct_fields__
        rows = [dict(zip(names, row, strict=True)) for row in self.drainer.drain(4096, 1 << 24)]
        for row in rows:
            self.drainer.ack(row["ring"], row["seq"])
        self.drainer.pending()
        return rows

    def status(self) -> dict[str, Any]:
        return _core.lane_status(str(self.directory))

    def dropped(self) -> dict[str, int]:
        return {reason: n for reason, n in self.status()["dropped"].items() if n}

    def times(self) -> dict[str, tuple[int, int]]:
        """How many of each route are timed: taken, not taken."""
        import numpy as np

        _, routes = _core.lane_times(str(self.directory))
        counts = {name: (int(np.frombuffer(a, np.uint64).sum()), int(np.frombuffer(b, np.uint64).sum()))
                  for name, a, b in routes}  # fmt: skip
        return {name: both for name, both in counts.items() if any(both)}

    def accounted(self) -> bool:
        """Whether every request that was seen is mirrored or dropped, and none of our own code failed."""
        status = self.status()
        whole = status["seen"] == status["mirrored"] + sum(status["dropped"].values())
        return bool(whole and not status["open"] and not status["faults"])

    def close(self) -> None:
        self.drainer.close()
        self.lane.close()
        shutil.rmtree(self.directory, ignore_errors=True)


@contextmanager
def captured(**sections: Any) -> Iterator[Captured]:
    made = Captured(**sections)
    try:
        yield made
    finally:
        made.close()
