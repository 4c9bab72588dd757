"""A verdict that goes on from kept folds is the one that read every row, whatever happened to the rows meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadowlane.columns import KeptFold
from shadowlane.config import Config
from shadowlane.gate import kept, verdict_data
from shadowlane.gate.evidence import evaluate_lane, lane_plans
from shadowlane.gate.keeping import keep
from shadowlane.store import Store, open_store, rolling
from shadowlane.types import Pair
from tests.support.lanes import EMBEDDER, HOUR_NS, NOW_NS, config_at, make_pairs, make_status
from tests.support.verdicts import altered

from .engines import Engine
from .test_blocks import _pairs
from .test_engines_agree import judge_of, plain

N = 600


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rolling, "BLOCK_ROWS", 60)
    monkeypatch.setattr(kept, "_LEAST_ROWS", 1)


@contextlib.contextmanager
def opened(engine: Engine, path: Path, now_ns: int = NOW_NS) -> Iterator[Store]:
    config = engine.config(path)
    open_store(config).close()
    with open_store(config) as store:
        store._clock_ns = lambda: now_ns
        store.set_epoch("ab" * 16, {"candidate": 0, "control": 0})
        yield store


def lane(folder: Path, *, control: bool = False, direction: str = "forward", **gate: Any) -> Config:
    more: dict[str, Any] = {"control": {"url": "http://127.0.0.1:9002"}} if control else {}
    return config_at(
        folder,
        shadows={"candidate": {"url": "http://127.0.0.1:9001", "direction": direction}},
        gate={"min_pairs": 20, "segment_pairs": 20, "warmup_pairs": 5, **gate},
        **more,
    )


def rolled(store: Store) -> None:
    for _ in range(3):  # what is no copy any more is dropped when there is nothing to make
        while store.roll_up():
            pass


def kept_now(store: Store, config: Config, now_ns: int = NOW_NS) -> int:
    """Keep all that is to be kept; how many states were new."""
    rolled(store)
    new = 0
    for some in keep(config, {}, store, now_ns):
        if isinstance(some, KeptFold):
            store.keep_fold(some)
            new += 1
    return new


def states(store: Store) -> list[tuple[Any, ...]]:
    query = "SELECT shadow, name, until_ns, n FROM folds ORDER BY shadow, name, until_ns"
    return [tuple(row) for row in store._db.execute(query).fetchall()]


class Reads:
    """How many rows were read, and by whom."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.n = 0
        for name in ("pieces", "pieces_beside"):
            monkeypatch.setattr(store, name, self._counted(getattr(store, name)))

    def _counted(self, read: Any) -> Any:
        def counted(*given: Any, **more: Any) -> Iterator[Any]:
            for piece in read(*given, **more):
                self.n += len(piece[0] if isinstance(piece, tuple) else piece)
                yield piece

        return counted


def verdict(config: Config, store: Store, now_ns: int = NOW_NS) -> Any:
    return plain([verdict_data(one) for one in evaluate_lane(config, make_status(N), store, now_ns=now_ns)])


def whole(config: Config, store: Store, now_ns: int = NOW_NS) -> Any:
    """The verdict of the same rows and blocks without anything kept."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store, "kept_fold", lambda *_, **__: None)
        return verdict(config, store, now_ns)


def agrees(config: Config, store: Store, now_ns: int = NOW_NS) -> int:
    """Whether the verdict is that of all rows; of how many rows it read the columns."""
    wanted = whole(config, store, now_ns)
    with pytest.MonkeyPatch.context() as patched:
        reads = Reads(store, patched)
        assert verdict(config, store, now_ns) == wanted
    return reads.n


def rows_of(control: bool) -> list[Pair]:
    """Of every kind, but for the embedder: that of the last row decides what is folded."""
    pairs = [pair for pair in _pairs() if control or pair.outcome.shadow == "candidate"]
    return altered(pairs, embedder=lambda _: EMBEDDER)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
@pytest.mark.parametrize("control", [False, True])
def test_a_verdict_reads_only_what_came_since(engine: Engine, tmp_path: Path, control: bool, direction: str) -> None:
    config = lane(tmp_path, control=control, direction=direction)
    with opened(engine, tmp_path / "s.db") as store:
        pairs = rows_of(control)
        over = NOW_NS // HOUR_NS * HOUR_NS - 2 * HOUR_NS
        store.save([pair for pair in pairs if pair.copy.started_ns < over])
        every = agrees(config, store)
        assert kept_now(store, config) >= 2
        some = agrees(config, store)
        assert some < every / 10
        store.save(pairs)
        more = agrees(config, store)
        assert some < more < every / 2
        assert kept_now(store, config) >= 2
        assert agrees(config, store) < more


def test_how_far_the_states_are_is_told_by_shadow(engine: Engine, tmp_path: Path) -> None:
    with opened(engine, tmp_path / "s.db") as store:
        assert store.fold_states() == {}
        for name, shadow, until, n in (("a", "candidate", 7, 40), ("b", "candidate", 9, 60), ("c", "candidate", 9, 20)):
            store.keep_fold(KeptFold(shadow, name, 1, until, "", (n, 5), (0, 0), b"s" * 10))
        store.keep_fold(KeptFold("control", "a", 1, 8, "", (30, 5), (0, 0), b"s" * 4))
        assert store.fold_states() == {"candidate": (60, 9, 30), "control": (30, 8, 4)}


@pytest.mark.parametrize("whose", ["candidate", "control"])
def test_a_late_row_makes_a_state_not_count(engine: Engine, tmp_path: Path, whose: str) -> None:
    config = lane(tmp_path, control=True)
    with opened(engine, tmp_path / "s.db") as store:
        pairs = rows_of(control=True)
        late = [pair for pair in pairs if pair.outcome.shadow == whose][-100]
        store.save([pair for pair in pairs if pair is not late])
        kept_now(store, config)
        assert agrees(config, store) < N // 8
        store.save([late])
        assert agrees(config, store) > N // 2
        assert kept_now(store, config)
        assert agrees(config, store) < N // 8


def test_a_late_row_leaves_the_state_of_before_it(engine: Engine, tmp_path: Path) -> None:
    config = lane(tmp_path)
    with opened(engine, tmp_path / "s.db") as store:
        pairs, over = rows_of(control=False), NOW_NS // HOUR_NS * HOUR_NS
        before = [pair for pair in pairs if pair.copy.started_ns < over - 3 * HOUR_NS]
        store.save(before)
        kept_now(store, config)
        last = [pair for pair in pairs if over - 2 * HOUR_NS <= pair.copy.started_ns < over - HOUR_NS]
        store.save(last[1:])
        kept_now(store, config)
        store.save(last)
        assert agrees(config, store) < N // 4


def test_a_judges_verdict_is_in_no_state(engine: Engine, tmp_path: Path) -> None:
    config = lane(tmp_path, direction="reverse")
    with opened(engine, tmp_path / "s.db") as store:
        pairs = rows_of(control=False)
        store.save(pairs)
        kept_now(store, config)
        before = states(store)
        store.save_verdicts({(pair.copy.shadow_id, "candidate"): judge_of("prod_better") for pair in pairs[::50]}, "s")
        rolled(store)
        assert agrees(config, store) < N // 8
        assert states(store) == before


def test_deleted_rows_make_a_state_not_count(engine: Engine, tmp_path: Path) -> None:
    config = lane(tmp_path)
    with opened(engine, tmp_path / "s.db") as store:
        store.save(rows_of(control=False))
        kept_now(store, config)
        with store._db.transaction():
            last = "SELECT max(started_ns) FROM pairs WHERE started_ns < ?"
            store._db.execute(f"DELETE FROM pairs WHERE started_ns = ({last})", (NOW_NS - 10 * HOUR_NS,))
        assert agrees(config, store) > N // 2


def test_windows_that_begin_anew(engine: Engine, tmp_path: Path) -> None:
    config = lane(tmp_path)
    with opened(engine, tmp_path / "s.db") as store:
        store.save(rows_of(control=False))
        every = agrees(config, store)
        kept_now(store, config)
        # What the next hour asks for is kept before it begins.
        to_come = NOW_NS // HOUR_NS * HOUR_NS + HOUR_NS
        assert agrees(config, store, to_come) < every / 10
        store.restart_window("candidate", NOW_NS - 9 * HOUR_NS)
        fewer = agrees(config, store)
        kept_now(store, config)
        assert agrees(config, store) < fewer < every


def test_another_version_and_routes_that_do_not_count(engine: Engine, tmp_path: Path) -> None:
    config = lane(tmp_path)
    with opened(engine, tmp_path / "s.db") as store:
        pairs = make_pairs(N)
        pairs = [msgspec.structs.replace(pair, model_rev="a" if i < N // 3 else "b") for i, pair in enumerate(pairs)]
        store.save(pairs[: N // 4])
        kept_now(store, config)
        store.save(pairs)
        agrees(config, store)
        kept_now(store, config)
        assert agrees(config, store) < N // 8
        refused = altered(make_pairs(40, first=9000, seed=4), "copy", target=lambda _: "/other")
        store.save(altered(refused, "outcome", status=lambda _: 404))
        agrees(config, store)
        kept_now(store, config)
        assert agrees(config, store) < N // 8


def test_a_state_that_is_damaged_or_of_other_code_is_not_read(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = lane(tmp_path)
    with opened(engine, tmp_path / "s.db") as store:
        store.save(rows_of(control=False))
        every = agrees(config, store)
        kept_now(store, config)
        with monkeypatch.context() as patched:
            patched.setattr(kept, "release", lambda: "another")
            assert agrees(config, store) == every
        with store._db.transaction():
            store._db.execute("UPDATE folds SET state = ?", (b"\x00" * 40,))
        assert agrees(config, store) == every


def test_states_that_nobody_wants_go_and_are_counted(engine: Engine, tmp_path: Path) -> None:
    config = lane(tmp_path)
    with opened(engine, tmp_path / "s.db") as store:
        pairs = rows_of(control=False)
        pairs.sort(key=lambda pair: pair.copy.started_ns)
        for end in (9, 6, 3):
            over = NOW_NS // HOUR_NS * HOUR_NS - end * HOUR_NS
            store.save([pair for pair in pairs if pair.copy.started_ns < over])
            kept_now(store, config)
        names = [(shadow, name) for shadow, name, *_ in states(store)]
        assert max(names.count(one) for one in names) == 2
        if engine.port is not None:
            query = "SELECT (SELECT sum(bytes) FROM folds), (SELECT sum(octet_length(state)) FROM folds)"
            said, there = store._db.execute(query).fetchone()
            assert said == there
        used = store.bytes_used()
        store._clock_ns = lambda: NOW_NS + 3 * HOUR_NS
        store.drop_folds(set(names[:1]))
        assert {(shadow, name) for shadow, name, *_ in states(store)} == set(names[:1])
        assert store.bytes_used() <= used
        store._clock_ns = lambda: NOW_NS + 30 * HOUR_NS
        store.drop_folds(set(names))
        assert states(store) == []


def test_rows_that_come_while_a_state_is_made_are_not_in_it(engine: Engine, tmp_path: Path) -> None:
    config = lane(tmp_path)
    with opened(engine, tmp_path / "s.db") as store:
        pairs = rows_of(control=False)
        late = pairs[::50]
        store.save([pair for i, pair in enumerate(pairs) if i % 50])
        rolled(store)
        for plan in lane_plans(config, {}, store, NOW_NS):
            making = kept.bring_forward(store, plan)
            for _ in range(4):
                next(making, None)
            store.save(late)
            assert not any(list(making))
