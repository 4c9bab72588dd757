"""What is read of the same rows is the same whichever engine keeps them: every read, report, verdicts and exports."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psycopg
import pytest

from shadowlane.cli import main
from shadowlane.columns import Texts
from shadowlane.config import Config
from shadowlane.gate.evidence import _OF_HOST, evaluate_lane
from shadowlane.report.build import build_report
from shadowlane.status.collect import collect_status
from shadowlane.store import PairFilter, Store, open_store
from shadowlane.store.latency import pack
from shadowlane.types import NOT_SENT, JudgeVerdict, Pair, StructureDifference
from tests.support.lanes import EMBEDDER, HOUR_NS, NOW_NS, config_at, failed, make_pairs, make_status
from tests.support.verdicts import altered

from .engines import Engine

N = 700
LANE = "ab" * 16
TARGETS = ("/v1/chat/completions", "/users/17", "/users/18?page=2", "/ä/Ö", "/A", "/b")
MODELS = ("m-1", "M-2", "é", "")
Both = tuple[Config, Config]


def rich_pairs() -> list[Pair]:
    """Pairs of two arms that differ in everything that is counted: order of letters, ties, nothing, and much."""
    judge = [JudgeVerdict(verdict=word, why="so", model="m") for word in ("same", "prod_better")]  # type: ignore[arg-type]
    places = [
        (
            StructureDifference("/a/0", "/a/*", "type", "int", "str"),
            StructureDifference("/b", "/b", "missing", "1", ""),
        ),
        (StructureDifference("/é", "/é", "value", '"x"', "y"),),
        (),
        None,
    ]
    pairs = altered(
        make_pairs(N, mean=0.4),
        fact_flip=lambda i: i % 50 == 3,
        delta_s=lambda i: None if i % 17 == 0 else round((i * 37 % 100) / 100, 2),
        anchored=lambda i: None if i % 3 else 0.25,
        judge=lambda i: judge[i // 10 % 2] if i % 10 == 0 else None,
        differences=lambda i: places[i % 4],
        tokens=lambda i: i,
        prod_tokens=lambda i: i + 1 if i % 2 else None,
        cost=lambda i: i / 7,
        prod_cost=lambda i: i / 9,
        cache_served=lambda i: i % 11 == 0,
        unread=lambda i: "de" if i % 13 == 0 else "",
        collapse=lambda i: "cut" if i % 19 == 0 else "",
        prod_strange_calls=lambda i: i % 3 if i % 2 else None,
        tools=lambda i: ("same", "differ", "")[i % 3],
        coverage=lambda i: None if i % 5 else 0.5,
    )
    pairs = altered(
        pairs,
        "copy",
        tenant=lambda i: ("", "a", "B", "ä")[i % 4],
        target=lambda i: TARGETS[i % len(TARGETS)],
        why=lambda i: ("inference", "method PUT")[i % 2],
        blocked=lambda i: "write_intent" if i % 31 == 0 else "",
        flags=lambda i: i % 5 * 64,
    )
    pairs = altered(
        pairs,
        "outcome",
        status=lambda i: (200, 200, 404, 500, 422, 429)[i % 6],
        detail=lambda i: ("no such model", "")[i % 2],
        tries=lambda i: i % 4,
        waited_ns=lambda i: i * 10**6,
        findings=lambda i: {"strange_calls": 2} if i % 23 == 0 else {},
    )
    said = {"pins": {"prompt": "v1"}, "finish": "stop", "prod_finish": "length", "index_hash": "i"}
    pairs = [
        msgspec.structs.replace(pair, prod_model=MODELS[i % 4], model=MODELS[i % 3], **said if i % 2 else {})
        for i, pair in enumerate(pairs)
    ]
    pairs = [failed(pair, ("deadline", "cap")[i % 2]) if i % 20 == 7 else pair for i, pair in enumerate(pairs)]
    return [*pairs, *make_pairs(300, shadow="control", mean=0.1)]


@pytest.fixture(scope="module")
def both(postgres: Engine, tmp_path_factory: pytest.TempPathFactory) -> Both:
    """Two lanes with the same rows, on SQLite and on PostgreSQL."""
    folder = tmp_path_factory.mktemp("both")
    made = []
    for engine in (Engine(), postgres):
        tables = {"control": {"url": "http://127.0.0.1:9002"}, "gate": {"warmup_pairs": 0}}
        config = config_at(folder, **tables)
        config = msgspec.structs.replace(config, store=engine.config(folder / "s.db"))
        pairs = rich_pairs()
        with open_store(config.store) as store:
            store.set_epoch(LANE, {"candidate": 0, "control": 3})
            for start in range(0, len(pairs), 150):
                store.save(pairs[start : start + 150])
            store.save(pairs[:50])
            for i in range(0, N, 9):
                store.save_mark(pairs[i].copy.shadow_id, "candidate", "wrong" if i % 2 else "fine")
            edges, counts = np.array([0, 64, 128]), np.array([1, 2])
            for hour in range(3):
                at = NOW_NS - hour * HOUR_NS
                store.save_latency(LANE, at, "ratio", 0.25, pack(edges, counts * (3 - hour), counts))
            verdict = {(pairs[1].copy.shadow_id, "candidate"): judge_of("same")}
            assert store.save_verdicts(verdict, "") == 1
        made.append(config)
    return made[0], made[1]


def judge_of(word: str) -> JudgeVerdict:
    return JudgeVerdict(verdict=word, why="w", model="m")  # type: ignore[arg-type]


def plain(value: Any) -> Any:
    """For a comparison: sums of floats may differ in their last bits, as the order of summing does."""
    if isinstance(value, str):
        # The one thing that a store on a server makes another: whose requests the lane's own counters are.
        return value.replace(_OF_HOST, "")
    if isinstance(value, float):
        return "nan" if math.isnan(value) else float(f"{value:.9g}")
    if isinstance(value, np.ndarray | Texts):
        return [plain(one) for one in value.tolist()]
    if isinstance(value, msgspec.Struct):
        return plain(msgspec.structs.asdict(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value))
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items() if key not in ("id", "stored_ns")}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


SINCE = NOW_NS - 12 * HOUR_NS
READS: dict[str, Callable[[Store], Any]] = {
    "counts": lambda store: store.counts(),
    "bases": lambda store: store.bases(LANE),
    "spent": lambda store: store.spent("candidate"),
    "latency": lambda store: store.latency(SINCE),
    "shadows": lambda store: store.shadows(),
    "rows": lambda store: list(store.iter_pairs(with_bodies=True)),
    **{
        order: lambda store, order=order: list(store.iter_pairs(SINCE, "candidate", limit=90, order=order))
        for order in ("time", "newest", "worst", "flipped", "refused")
    },
    "apart": lambda store: store.furthest_apart("candidate", None, 30, only_kept=True),
    "said": lambda store: store.said_counts("candidate"),
    "scores": lambda store: store.scores("candidate"),
    "without": lambda store: list(store.pieces("candidate", SINCE, without=("POST /users/*", "POST /b"))),
    "beside": lambda store: [
        (a, sorted(b.exchange.tolist())) for a, b in store.pieces_beside("candidate", "control", SINCE)
    ],
    "last embedder": lambda store: store.last_embedder("candidate"),
    "differences": lambda store: store.difference_counts("candidate"),
    "flips": lambda store: store.flips("candidate"),
    "policy": lambda store: [store.policy_counts("candidate", reverse=way) for way in (False, True)],
    "routes": lambda store: sorted(store.route_counts("candidate", SINCE)),
    "routes of the newest": lambda store: sorted(store.route_counts("candidate", None, 200)),
    "prod seen": lambda store: store.prod_seen("candidate", None, 300),
    "refused routes": lambda store: sorted(store.refused_routes("candidate", None)),
    "refusals": lambda store: sorted(store.refusals("candidate", None, 500)),
    "pins": lambda store: sorted(store.pins("candidate", SINCE)),
    "lately": lambda store: store.lately("candidate", 400),
    "observed": lambda store: sorted(one[:5] for one in store.observed()),
    "first": lambda store: store.first_ns("candidate"),
    "nothing": lambda store: (store.first_ns("nobody"), store.flips("nobody"), store.lately("nobody", 9)),
    "after answers": lambda store: store.after_answers("candidate", SINCE, 100),
    "failures": lambda store: [
        store.failure_counts("candidate", [SINCE, 0], NOT_SENT, without=("POST /A",), reverse=way)
        for way in (False, True)
    ],
    "segments": lambda store: [
        sorted(store.segment_sums("candidate", 0, EMBEDDER, 5, without=some, only=only, reverse=bool(some)))
        for some in ((), ("POST /users/*",))
        for only in (None, {("route", "POST /A"), ("tenant", "a")})
    ],
    "deltas": lambda store: [np.concatenate(list(store.delta_values("candidate", 0, NOW_NS, EMBEDDER)))],
    "delta sums": lambda store: store.delta_sums("candidate", SINCE, NOW_NS, HOUR_NS, EMBEDDER, from_ns=SINCE),
    "marks": lambda store: store.mark_counts("candidate", SINCE),
    "exchange": lambda store: store.exchange("0190a8f0-0000-7000-8000-000000000007"),
    "found": lambda store: [
        store.find_pairs(PairFilter(order=order, **wanted), limit=25, skip=5, seconds=60)  # type: ignore[arg-type]
        for order in ("worst", "newest")
        for wanted in (
            {"shadow": "candidate"},
            {"shadow": "candidate", "route": "POST /users/*", "band": "critical"},
            {"shadow": "candidate", "text": "LOCK", "flip": "fact"},
            {"shadow": "", "tenant": "ä", "until_ns": NOW_NS, "verdict": "objected"},
        )
    ],
    "walk": lambda store: [row for one in store.walk(PairFilter(shadow="candidate", mark="any")) for row in one.rows],
    "groups": lambda store: store.largest_groups(PairFilter(shadow="candidate"), 2),
    "judge": lambda store: store.judge_state(),
    "keys": lambda store: store.stored_keys([("0190a8f0-0000-7000-8000-000000000007", "candidate"), ("x", "y")]),
}


@pytest.mark.parametrize("read", READS)
def test_each_read_is_the_same(both: Both, read: str) -> None:
    found = []
    for config in both:
        with open_store(config.store, read_only=True) as store:
            value = READS[read](store)
            found.append(plain(list(value) if isinstance(value, Iterator) else value))
    assert found[1] == found[0]


@pytest.mark.parametrize("way", ["", "enable_sort", "enable_hashagg", "enable_indexscan"])
def test_report_and_verdicts_are_the_same(both: Both, way: str) -> None:
    """Whichever way PostgreSQL goes to the rows: it takes another once it has looked at its tables, after a minute."""
    found = []
    with psycopg.connect(both[1].store.url, autocommit=True) as server:
        try:
            if way:
                server.execute(f"ALTER ROLE postgres SET {way} = off".encode())
            for config in both:
                status = make_status(N)
                with open_store(config.store, read_only=True) as store:
                    report = build_report(config, status, store, now_ns=NOW_NS)
                    verdicts = evaluate_lane(config, status, store, now_ns=NOW_NS)
                found.append((plain(report), plain(verdicts), plain(collect_status(config)["store"]["flips"])))
        finally:
            server.execute("ALTER ROLE postgres RESET ALL")
    assert found[1] == found[0]


@pytest.mark.parametrize("command", [["export", "--format", "jsonl"], ["gold", "--worst", "20", "--groups", "2"]])
def test_exports_are_the_same(
    both: Both, tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for number, config in enumerate(both):
        file, out = tmp_path / f"{number}.json", tmp_path / f"out-{number}"
        file.write_bytes(msgspec.json.encode(config.to_dict()))
        assert main([*command, "--config", str(file), "--out", str(out)]) == 0, capsys.readouterr().err
        lines = [msgspec.json.decode(line) for line in out.read_text().splitlines()]
        found.append([{key: value for key, value in line.items() if key != "stored_at"} for line in lines])
    assert found[1] == found[0]
    assert len(found[0]) > 2
