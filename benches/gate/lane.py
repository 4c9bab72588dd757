"""A lane that has lived through a day: its real store, filled in bulk, and what its counters would say.

Rows are those that the worker writes (:data:`shadowlane.store.columns.PAIR_TABLE` of a whole pair), with the columns
that differ put in; only the objects in between are left out: a day of 50 requests a second would take minutes.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowlane.bands import CRITICAL, STABLE
from shadowlane.columns import DIRECT
from shadowlane.config import Config
from shadowlane.gate import Verdict
from shadowlane.gate.evidence import evaluate_lane
from shadowlane.store import open_store
from shadowlane.store.columns import PAIR_TABLE
from shadowlane.store.latency import pack
from shadowlane.types import Copy, GroupReading, Outcome, Pair, Scores

from .days import EDGES, RATIO, Day

__all__ = ["Lane"]

_START_NS = 1_760_000_400 * 10**9 // (3600 * 10**9) * 3600 * 10**9
_NAMES = ("id", "stored_ns", *(column.name for column in PAIR_TABLE))
_LANE = "ab" * 16


class Lane:
    """One lane with a shadow and, when the day has one, a control. The day is stored up to the moment of each look."""

    def __init__(self, folder: Path, day: Day, *, direct_us: float = 15.0, seed: int = 0) -> None:
        arms = {"control": {"url": "http://127.0.0.1:2"}} if day.control is not None else {}
        self.config = Config.from_dict(
            {
                "store": {"url": f"sqlite:///{folder / 'day.db'}", "keep_bodies": "none"},
                "sampling": {"ratio": RATIO},
                "shadows": {"candidate": {"url": "http://127.0.0.1:1"}},
                **arms,
            }
        )
        self._day, self._path = day, folder / "day.db"
        self._stored = 0
        rng = np.random.default_rng(seed)
        self._others = day.prod_s * np.exp(rng.normal(0, 0.2, day.n))
        # What one wording says and another does not: alike for both sides, as recorded answers of one model are.
        self._unmatched = np.round(rng.beta(0.8, 1.2, (2, 2, day.n)), 2)
        self._direct = 1e3 * direct_us * rng.lognormal(0, 0.3, day.n)
        with open_store(self.config.store) as store:
            store.set_epoch(_LANE, dict.fromkeys(self.config.arms(), 0))

    def look(self, hour: float) -> Verdict:
        """The verdict on the shadow after so many hours of the day."""
        until = int(np.searchsorted(self._day.at_s, 3600 * hour))
        self._store(until)
        with open_store(self.config.store, read_only=True) as store:
            now = _START_NS + int(3600 * hour * 1e9)
            return evaluate_lane(self.config, self._status(until), store, now_ns=now)[0]

    def _store(self, until: int) -> None:
        rows = range(self._stored, until)
        with sqlite3.connect(self._path) as db:
            marks = ", ".join("?" * len(_NAMES))
            query = f"INSERT INTO pairs ({', '.join(_NAMES)}) VALUES ({marks})"
            db.executemany(query, self._rows(rows, "candidate", self._day.delta, self._day.facts))
            if self._day.control is not None:
                db.executemany(query, self._rows(rows, "control", self._day.control, self._day.control_facts))
        db.close()
        self._stored = until
        self._store_latency(until)

    def _rows(self, rows: range, shadow: str, delta: NDArray[Any], facts: NDArray[Any]) -> Any:
        day, control = self._day, shadow == "control"
        template = dict(zip(_NAMES, (0, 0, *(column.write(_pair(shadow)) for column in PAIR_TABLE)), strict=True))
        for i in rows:
            failed = bool(day.failed[i]) and not control
            state = "convergent" if delta[i] < STABLE else "recursive" if delta[i] < CRITICAL else "chaotic"
            row = template | {
                "id": None,
                "shadow_id": f"x{i}",
                "target": f"/v1/route-{'abcde'[i % 5]}",
                "req_hash": f"{day.question[i]:032x}",
                "started_ns": _START_NS + int(1e9 * day.at_s[i]),
                "prod_ns": int(1e9 * day.prod_s[i]),
                "shadow_ns": int(1e9 * (day.prod_s if control else day.shadow_s)[i]),
                "prod_ttfb_ns": int(0.3e9 * day.prod_s[i]),
                "shadow_ttfb_ns": int(0.3e9 * (day.prod_s if control else day.shadow_s)[i]),
            }
            if failed:
                row |= {"reason": "transport_error", "status": 0, "delta_s": None, "anchored": None, "state": "",
                        "embedder": "", "group_id": None, "citation_match": None}  # fmt: skip
            else:
                row |= {"delta_s": float(delta[i]), "anchored": float(delta[i]), "state": state,
                        "fact_flip": int(facts[i]), "group_id": int(day.question[i]), "group_seen": 2,
                        "lambda_flip": int((day.prod_flips if control else day.flips)[i]),
                        "prod_flip": int(day.prod_flips[i]), "missing": float(self._unmatched[int(control), 0, i]),
                        "extra": float(self._unmatched[int(control), 1, i]),
                        "prod_tokens": int(500 * day.prod_s[i]),
                        "answer_tokens": int(500 * (day.prod_s if control else day.shadow_s)[i])}  # fmt: skip
            yield tuple(row.values())

    def _store_latency(self, until: int) -> None:
        edges = np.round(EDGES).astype(np.int64)
        groups = [1e9 * self._day.prod_s[:until] + self._direct[:until], 1e9 * self._others[:until]]
        taken, others = (np.histogram(some, edges)[0].astype(np.int64) for some in groups)
        direct = np.histogram(self._direct[:until], edges)[0].astype(np.int64)
        at = _START_NS + int(1e9 * self._day.at_s[max(until - 1, 0)]) if until else _START_NS
        with open_store(self.config.store) as store:
            store.save_latency(_LANE, at, "ratio", RATIO, pack(edges, taken, others))
            store.save_latency(f"{_LANE}:{DIRECT}", at, DIRECT, 0.0, pack(edges, direct, np.zeros_like(direct)))

    def _status(self, n: int) -> dict[str, Any]:
        eligible = round(n / RATIO)
        counted = {"eligible": eligible, "taken": n, "dropped": {}}
        revision = {"number": 1, "since_ns": 1, "choice": "ratio", "ratio": RATIO, "qps": 20.0, "burst": 20, **counted}
        return {
            "started": True,
            "mirrored": n,
            "dropped": {"sampled_out": eligible - n, "prod_failed": 0},
            "sampler": {"choice": "ratio", "ratio": RATIO, "eligible": eligible, "taken": n, "revisions": [revision]},
            "accounting": {"known": True, "holds": True, "lines": [f"seen {eligible} = mirrored {n} + dropped"]},
        }


def _pair(shadow: str) -> Pair:
    """A pair with everything that a day does not change."""
    return Pair(
        copy=Copy(
            shadow_id="x",
            req_hash="0",
            started_ns=0,
            method="POST",
            target="/v1/chat/completions",
            headers=(),
            body=b"",
            status=200,
            response_headers=(),
            response_body=b"",
            ttfb_ns=1,
            duration_ns=1,
        ),
        outcome=Outcome(shadow=shadow, status=200, ttfb_ns=1, duration_ns=1, tries=1, waited_ns=2_000_000),
        scores=Scores(
            delta_s=0.1,
            anchored=0.1,
            embedder="simulated@1",
            citation_match=1.0,
            index_agrees=True,
            state="convergent",
            group=GroupReading(number=0, seen=2, prod="convergent", shadow="convergent"),
        ),
    )
