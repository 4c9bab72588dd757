"""Blocks are copies: whatever happens to the rows, what is read with blocks is what the rows alone give."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.columns import Texts, codes_of
from shadowlane.gate import verdict_data
from shadowlane.gate.evidence import evaluate_lane
from shadowlane.report.build import build_report
from shadowlane.store import Store, backlog, block_reads, block_totals, open_store, rolling, totals_codec
from shadowlane.store.blocks import FORM, read_part
from shadowlane.store.column_codec import column_of, packed, packed_texts, texts_of
from shadowlane.types import Pair
from tests.support.lanes import HOUR_NS, NOW_NS, config_at, make_pairs, make_status
from tests.support.verdicts import altered

from .engines import Engine
from .test_engines_agree import READS, N, judge_of, plain, rich_pairs

ROLLED_AT_NS = NOW_NS + 2 * HOUR_NS
_BY_BLOCKS = ("said", "policy", "scores", "without", "refused routes", "pins", "failures", "segments")
WHOLE = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(WHOLE, min_size=1))
def test_whole_numbers_come_back(values: list[int]) -> None:
    array = np.array(values, dtype=np.int64)
    for some in (array, np.sort(array), np.full(9, array[0])):
        assert column_of(packed(some), len(some)).tolist() == some.tolist()


@given(st.lists(st.floats(width=64) | st.sampled_from([0.0, -0.0, float("nan")]), min_size=1), st.integers(1, 30))
def test_floats_come_back_bit_by_bit(values: list[float], times: int) -> None:
    array = np.tile(np.array(values), times)
    read = column_of(packed(array), len(array))
    assert read.astype(np.float64).view(np.int64).tolist() == array.view(np.int64).tolist()


@given(st.lists(st.booleans(), min_size=1), st.lists(st.text("aä\x00", max_size=3), min_size=1))
def test_truth_values_and_texts_come_back(values: list[bool], texts: list[str]) -> None:
    assert column_of(packed(np.array(values)), len(values)).tolist() == values
    words: dict[str, int] = {}
    codes = codes_of(texts, words)
    read = texts_of(packed_texts(Texts(tuple(words), codes)), len(texts))
    assert [read.words[code] for code in read.codes.tolist()] == texts


def test_a_column_of_other_rows_is_none() -> None:
    with pytest.raises(ValueError, match="a block of 3 rows"):
        column_of(packed(np.array([1, 2], dtype=np.int64)), 3)


def _pairs() -> list[Pair]:
    """Of two arms; what the control answered too has one time, as all copies of one exchange have."""
    pairs = rich_pairs()
    readings = [pair.scores.group for pair in pairs]
    pairs = altered(
        pairs,
        group=lambda i: (
            (some := readings[i])
            and msgspec.structs.replace(some, flip=i % 9 == 0 or i % 40 == 1, prod_flip=i % 18 == 0 or i % 7 == 0)
        ),
    )
    mine, theirs = pairs[:N], pairs[N:]
    return [*mine, *(msgspec.structs.replace(pair, copy=mine[2 * i].copy) for i, pair in enumerate(theirs))]


@contextlib.contextmanager
def _store(engine: Engine, path: Path) -> Iterator[Store]:
    """A store whose clock is two hours after the last row: all hours are over."""
    config = engine.config(path)
    open_store(config).close()
    with open_store(config) as store:
        store._clock_ns = lambda: ROLLED_AT_NS
        store.set_epoch("ab" * 16, {"candidate": 0, "control": 0})
        yield store


@pytest.fixture
def pair_of_stores(engine: Engine, tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """Two stores of the same rows; the second has blocks."""
    with _store(engine, tmp_path / "rows.db") as rows, _store(engine, tmp_path / "blocks.db") as blocks:
        yield rows, blocks


def _rolled(store: Store) -> int:
    """Make all blocks that are missing; how many there are."""
    while store.roll_up():
        pass
    return _count(store)


def _count(store: Store) -> int:
    return int(store._db.execute("SELECT count(*) FROM blocks").fetchone()[0])


def _same(rows: Store, blocks: Store) -> None:
    reads = {name: READS[name] for name in _BY_BLOCKS}
    reads["all routes"] = lambda store: store.route_counts("candidate", None)
    reads |= {name: READS[name] for name in ("deltas", "delta sums")}
    reads["flips"] = lambda store: [store.flips(name, None) for name in ("candidate", "control")]
    reads["flipped"] = lambda store: [
        (row.pair.copy.shadow_id, row.pair.scores.group)
        for most in (1, 3, 40, 300)
        for row in store.iter_pairs(None, "candidate", most, order="flipped")
    ]
    reads["all seen"] = lambda store: store.prod_seen("candidate", None)
    reads["refusals"] = lambda store: [store.refusals(name, 0) for name in ("candidate", "control")]
    reads["beside"] = lambda store: [
        (mine, sorted(theirs.exchange.tolist())) for mine, theirs in store.pieces_beside("candidate", "control", 0)
    ]
    for name, read in reads.items():
        wanted, found = (
            plain(list(value) if isinstance(value, Iterator) else value) for value in map(read, (rows, blocks))
        )
        if name in ("without", "beside"):
            wanted, found = (_joined(value, beside=name == "beside") for value in (wanted, found))
        assert found == wanted, name


def _joined(pieces: list, *, beside: bool) -> dict:
    """However the rows are cut into pieces."""
    whole: dict = {}
    for piece in pieces:
        columns, others = piece if beside else (piece, [])
        whole["beside"] = sorted([*whole.get("beside", []), *others])
        for name, values in columns.items():
            whole.setdefault(name, []).extend(values)
    return whole


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rolling, "BLOCK_ROWS", 25)


def _fill(stores: tuple[Store, ...], pairs: list[Pair]) -> None:
    for store in stores:
        for start in range(0, len(pairs), 250):
            store.save(pairs[start : start + 250])


def test_every_read_is_that_of_the_rows(pair_of_stores: tuple[Store, Store]) -> None:
    rows, blocks = pair_of_stores
    pairs = _pairs()
    _fill((rows, blocks), pairs[::2])
    assert _rolled(blocks) > 30
    _same(rows, blocks)
    # The others are late: they lie in the time of blocks.
    _fill((rows, blocks), pairs)
    _same(rows, blocks)
    _rolled(blocks)
    assert _rolled(blocks) > 40
    _same(rows, blocks)


def test_what_answered_one_exchange_at_other_times_is_found(pair_of_stores: tuple[Store, Store]) -> None:
    pairs = _pairs()
    for i in range(N, len(pairs), 7):  # of the control
        copy = pairs[i].copy
        pairs[i] = msgspec.structs.replace(
            pairs[i], copy=msgspec.structs.replace(copy, started_ns=copy.started_ns + (i % 3 - 1) * 5 * HOUR_NS)
        )
    rows, blocks = pair_of_stores
    _fill((rows, blocks), pairs)
    _rolled(blocks)
    _same(rows, blocks)


def test_a_verdict_after_the_block_is_read(pair_of_stores: tuple[Store, Store]) -> None:
    rows, blocks = pair_of_stores
    pairs = _pairs()
    _fill((rows, blocks), pairs)
    made = _rolled(blocks)
    verdicts = {(pairs[i].copy.shadow_id, "candidate"): judge_of("prod_better") for i in (50, 300, 301)}
    for store in (rows, blocks):
        assert store.save_verdicts(verdicts, "state") == 3
    assert made - 3 <= _count(blocks) < made
    _same(rows, blocks)
    assert _rolled(blocks) == made
    _same(rows, blocks)


def test_what_retention_takes_is_in_no_block(pair_of_stores: tuple[Store, Store]) -> None:
    rows, blocks = pair_of_stores
    _fill((rows, blocks), _pairs())
    made = _rolled(blocks)
    for store in (rows, blocks):
        store._max_age_ns = 10 * HOUR_NS + HOUR_NS // 3
        assert store.prune(NOW_NS + 4 * HOUR_NS) > 300
    _same(rows, blocks)
    for _ in range(made):
        blocks.roll_up()
    assert 0 < _count(blocks) < made
    _same(rows, blocks)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_verdict_and_report_are_those_of_the_rows(tmp_path: Path, direction: str) -> None:
    config = config_at(
        tmp_path,
        shadows={
            "candidate": {"url": "http://127.0.0.1:9001", "direction": direction},
            "other": {"url": "http://127.0.0.1:9003"},
        },
        control={"url": "http://127.0.0.1:9002"},
        gate={"min_pairs": 20, "segment_pairs": 20},
    )
    pairs = [*_pairs(), *make_pairs(200, hours=300.0, first=5000, seed=3)]
    pairs += altered(pairs[:N:3], "outcome", shadow=lambda _: "other")
    found = []
    with _store(Engine(), tmp_path / "rows.db") as rows, _store(Engine(), tmp_path / "blocks.db") as blocks:
        _fill((rows, blocks), pairs)
        assert _rolled(blocks) > 50
        for store in (rows, blocks):
            verdicts = [verdict_data(one) for one in evaluate_lane(config, make_status(N), store, now_ns=NOW_NS)]
            found.append((plain(verdicts), plain(build_report(config, make_status(N), store, now_ns=NOW_NS))))
    assert found[1] == found[0]


def test_rows_that_are_not_over_are_in_no_block(engine: Engine, tmp_path: Path) -> None:
    with _store(engine, tmp_path / "s.db") as store:
        _fill((store,), make_pairs(100, hours=3.0))
        store._clock_ns = lambda: NOW_NS - HOUR_NS
        _rolled(store)
        last = store._db.execute("SELECT max(until_ns) FROM blocks").fetchone()[0]
        assert NOW_NS - 2 * HOUR_NS <= last <= NOW_NS - HOUR_NS - rolling.CLOSED_NS


def test_what_a_look_kept_of_blocks_and_rows_is_not_that_of_the_next(engine: Engine, tmp_path: Path) -> None:
    config, pairs = engine.config(tmp_path / "s.db"), make_pairs(120, hours=6.0)
    with _store(engine, tmp_path / "s.db") as store:
        _fill((store,), pairs[:100:2])
        _rolled(store)
        _fill((store,), pairs[100:110])
        with open_store(config, read_only=True) as looks:
            assert looks.prod_seen("candidate", None) == store.prod_seen("candidate", None)
            kept = looks.route_counts("candidate", None)
            assert [n for _, n, _ in kept] == [60]
            # Into the time of blocks and of rows: the look that has begun goes on with what it has.
            _fill((store,), pairs)
            assert looks.route_counts("candidate", None) == kept
            looks._look_s = 0.0
            assert [n for _, n, _ in looks.route_counts("candidate", None)] == [120]
            _rolled(store)
            assert [n for _, n, _ in looks.route_counts("candidate", None)] == [120]


def test_questions_beyond_the_room_of_totals_are_summed_from_columns(
    pair_of_stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(pair_of_stores, _pairs())
    rows, blocks = pair_of_stores
    _rolled(blocks)
    monkeypatch.setattr(block_totals, "MOST_QUESTIONS", 2)
    _same(rows, blocks)


@pytest.mark.parametrize("damage", [None, b"", b"\x00" * 9, "form"])
def test_sums_are_read_without_columns_where_they_were_kept(
    pair_of_stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch, damage: bytes | str | None
) -> None:
    _fill(pair_of_stores, _pairs())
    rows, blocks = pair_of_stores
    _rolled(blocks)
    parts = []
    read = block_reads.read_part
    monkeypatch.setattr(block_reads, "read_part", lambda *given: parts.append(given) or read(*given))
    if damage is not None:
        other = totals_codec.sealed(b"\x92\x09\x90") if damage == "form" else damage
        with blocks._db.transaction():
            blocks._db.execute("UPDATE block_totals SET content = ?", (other,))
    assert blocks.route_counts("candidate", None) == rows.route_counts("candidate", None)
    assert bool(parts) == (damage is not None)
    _same(rows, blocks)


def test_kept_totals_are_those_of_the_part(engine: Engine, tmp_path: Path) -> None:
    with _store(engine, tmp_path / "s.db") as store:
        _fill((store,), _pairs())
        assert _rolled(store) == store._db.execute("SELECT count(*) FROM block_totals").fetchone()[0]
        for n, part, content in store._db.execute(
            "SELECT n, parts, content FROM blocks JOIN block_totals ON block = id"
        ).fetchall():
            assert plain(totals_codec.read_totals(bytes(content))) == plain(
                block_totals.totals_of(read_part(bytes(part), n))
            )
        with store._db.transaction():
            store._db.execute("DELETE FROM blocks")
        assert store._db.execute("SELECT count(*) FROM block_totals").fetchone()[0] == 0


def test_more_rows_of_one_time_than_a_block_takes_stay_rows(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling, "_TOO_MANY", 60)
    pairs = make_pairs(150)
    at_once = [
        msgspec.structs.replace(pair, copy=msgspec.structs.replace(pair.copy, started_ns=pairs[40].copy.started_ns))
        if 40 <= i < 140
        else pair
        for i, pair in enumerate(pairs)
    ]
    with _store(engine, tmp_path / "s.db") as store:
        _fill((store,), at_once)
        assert _rolled(store) > 2
        assert sum(len(piece) for piece in store.pieces("candidate")) == 150
        forms = store._db.execute("SELECT form, n FROM blocks WHERE form < 0").fetchall()
        assert [tuple(row) for row in forms] == [(-FORM, 100)]


def test_a_block_of_another_release_is_not_read(pair_of_stores: tuple[Store, Store]) -> None:
    rows, blocks = pair_of_stores
    _fill((rows, blocks), _pairs())
    _rolled(blocks)
    with blocks._db.transaction():
        blocks._db.execute("UPDATE blocks SET form = 9, parts = ?", (b"\x00",))
    _same(rows, blocks)


@pytest.mark.parametrize(("column", "damage"), [("parts", b""), ("parts", None), ("scores", None)])
def test_a_damaged_block_is_read_from_its_rows_and_made_anew(
    pair_of_stores: tuple[Store, Store], column: str, damage: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    rows, blocks = pair_of_stores
    _fill((rows, blocks), _pairs())
    made = _rolled(blocks)
    query = f"SELECT id, {column} FROM blocks WHERE shadow = 'candidate' ORDER BY first_ns LIMIT 1 OFFSET 7"
    number, was = blocks._db.execute(query).fetchone()
    # One bit, where none is said, in the middle of a column's values.
    other = bytes([*was[: len(was) // 2], was[len(was) // 2] ^ 16, *was[len(was) // 2 + 1 :]])
    with blocks._db.transaction():
        new = other if damage is None else damage
        blocks._db.execute(f"UPDATE blocks SET {column} = ? WHERE id = ?", (new, number))
    _same(rows, blocks)
    assert caplog.text.count("is damaged: its rows are read") == 1
    for _ in range(made + 2):  # one is looked at in each, from that on which was the next
        blocks.roll_up()
    assert blocks.damaged_blocks() == 1
    assert _rolled(blocks) == made
    _same(rows, blocks)


def test_how_far_the_blocks_are_is_told(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "_MANY", 60)
    with _store(engine, tmp_path / "s.db") as store:
        assert store.backlog() is None
        _fill((store,), make_pairs(100, hours=5.0))
        store.roll_up()
        first = store.backlog()
        assert first is not None
        assert (first.rows, first.many, first.left_s) == (100, True, None)
        store._clock_ns = lambda: ROLLED_AT_NS + 60 * 10**9
        for _ in range(3):
            store.roll_up()
        second = store.backlog()
        assert second is not None
        assert first.packed < 40 < second.packed < 100
        left = 60.0 * (100 - second.packed) / second.packed
        assert (second.rows, second.many, second.left_s) == (100, False, left)
        said = f"{second.packed} % of 100 rows are in blocks, about {max(1, round(left / 60))} min left; "
        assert str(second).startswith(said)
        _rolled(store)
        assert store.backlog() is None


def test_a_block_whose_rows_changed_meanwhile_is_not_put(engine: Engine, tmp_path: Path) -> None:
    pairs = make_pairs(100, hours=4.0)
    with _store(engine, tmp_path / "s.db") as store:
        _fill((store,), pairs[::2])
        made = rolling.made(store._db, "candidate", ROLLED_AT_NS)
        assert made is not None
        _fill((store,), pairs)
        with store._db.transaction():
            assert rolling.put(store._db, made) == 0
        again = rolling.made(store._db, "candidate", ROLLED_AT_NS)
        assert again is not None
        with store._db.transaction():
            assert [rolling.put(store._db, again) > 0 for _ in range(2)] == [True, False]  # another host was first
        assert sum(len(piece) for piece in store.pieces("candidate")) == 100
