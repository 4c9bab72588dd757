"""A fold that was put away and taken up again goes on as if nothing had been, to the last bit."""

from __future__ import annotations

import pickle
from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.columns import ScoreColumns, Texts
from shadowlane.gate import codec
from shadowlane.gate.codec import CLASSES, DamagedStateError, decoded, encoded
from shadowlane.gate.fold import RowFold
from shadowlane.gate.sample import Sample
from shadowlane.gate.series import SeriesFold
from tests.support.lanes import columns

ROWS = 700


@pytest.fixture(autouse=True)
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that everything that is bounded is full."""
    monkeypatch.setattr("shadowlane.gate.blocks.MOST_BLOCKS", 512)
    monkeypatch.setattr("shadowlane.gate.sample.MOST_ROWS", 1024)
    monkeypatch.setattr("shadowlane.gate.repeats.MOST_QUESTIONS", 256)
    monkeypatch.setattr("shadowlane.gate.drift.MOST_QUESTIONS", 64)


def piece(number: int) -> ScoreColumns:
    """Rows with all that a fold looks at."""
    random = np.random.default_rng(number)
    ids = np.arange(number * ROWS, (number + 1) * ROWS)
    states, falls = ("", "chaotic", "convergent", "divergent", "recursive"), ("", "refused", "empty")
    texts = {
        name: Texts(words, random.integers(0, len(words), ROWS))
        for name, words in {
            "state": states, "collapse": falls, "prod_collapse": falls, "unread": ("", "cut"),
            "reason": ("", "", "deadline", "connect_error"), "judge": ("", "prod_better", "equal"),
        }.items()
    }  # fmt: skip
    shares = {
        name: np.where(random.random(ROWS) < 0.2, np.nan, random.random(ROWS))
        for name in (
            "anchored", "citation_match", "index_agrees", "missing", "extra", "tokens", "prod_tokens", "cost",
            "prod_cost", "coverage", "retrieved", "prod_retrieved", "prod_citation_match", "prod_coverage",
        )
    }  # fmt: skip
    return columns(
        ROWS,
        started_ns=ids * 10**8,
        delta_s=np.where(random.random(ROWS) < 0.05, np.nan, random.beta(2, 8, ROWS)),
        shadow_ns=random.integers(10**6, 10**9, ROWS),
        prod_ns=random.integers(10**6, 10**9, ROWS),
        shadow_ttfb_ns=random.integers(0, 10**6, ROWS),
        prod_ttfb_ns=random.integers(0, 10**6, ROWS),
        waited_ns=random.integers(0, 10**9, ROWS),
        tries=random.integers(0, 3, ROWS),
        status=random.choice([200, 404, 429, 500], ROWS),
        exchange=random.permutation(ids) * 7919,
        request=random.integers(0, 1 << 62, ROWS),
        group=random.integers(-1, 900, ROWS),
        group_seen=random.integers(1, 3, ROWS),
        flip=random.random(ROWS) < 0.2,
        prod_flip=random.random(ROWS) < 0.2,
        fact_flip=random.random(ROWS) < 0.1,
        cache_served=random.random(ROWS) < 0.1,
        strange_calls=random.integers(-1, 3, ROWS),
        **texts,
        **shares,
    )


def fed(fold: Any, number: int, *, reverse: bool = False) -> None:
    """The next rows, of a fold of any kind."""
    if isinstance(fold, RowFold):
        fold.add(piece(number), piece(number) if fold.scores._with_control else None)
    elif isinstance(fold, SeriesFold):
        fold.add_control(piece(number))
    else:
        values = piece(number).delta_s
        fold.add(np.arange(fold.n, fold.n + len(values)), values)


def folds() -> Iterator[Any]:
    for with_control in (False, True):
        for reverse in (False, True):
            yield RowFold("one", with_control=with_control, slot_wait_ms=2.0, window_ns=10**12, reverse=reverse)
    yield SeriesFold("one", with_control=True)
    yield Sample(1)


@pytest.mark.parametrize("index", range(6))
def test_a_fold_goes_on_where_it_was(index: int) -> None:
    through, stopped = (list(folds())[index] for _ in range(2))
    for number in range(8):
        fed(through, number)
        fed(stopped, number)
        put = encoded(stopped, RowFold)
        stopped = decoded(put, RowFold)
        assert encoded(through, RowFold) == put == encoded(stopped, RowFold)
    # And by the way of another who knows every value.
    assert pickle.dumps(decoded(encoded(through, RowFold), RowFold)) == pickle.dumps(stopped)


def test_what_is_shared_stays_one() -> None:
    fold = RowFold("one", with_control=True, slot_wait_ms=2.0)
    fed(fold, 0)
    scores = decoded(encoded(fold, RowFold), RowFold).scores
    known = scores._questions
    assert len(known._series) > 20
    streams = [stream for rule in scores._rules for stream in (rule.values, rule.excess) if stream._repeats is not None]
    assert all(stream._questions is known for stream in streams)
    assert {id(stream._repeats) for stream in streams} == {id(repeats) for repeats in known._series}


def test_every_class_has_a_part_and_each_of_its_fields_is_put() -> None:
    fold = RowFold("one", with_control=True, slot_wait_ms=2.0)
    fed(fold, 0)
    seen: dict[type, set[str]] = {}

    def walk(value: Any) -> None:
        if type(value) in CLASSES and type(value) not in seen:
            seen[type(value)] = {name for name, _ in codec._fields(value)}
        inner = [some for _, some in codec._fields(value)] if type(value) in (*CLASSES, RowFold) else ()
        for some in value.values() if isinstance(value, dict) else value if isinstance(value, list) else inner:
            walk(some)

    walk(fold)
    assert set(seen) == set(CLASSES)
    for kind, fields in seen.items():
        annotated = {name for name in getattr(kind, "__slots__", ()) if name != "__weakref__"}
        assert annotated <= fields


class _Unknown:
    pass


@pytest.mark.parametrize(
    "value",
    [
        _Unknown(), {1, 2}, b"bytes", np.float64(1.0), np.array(["text"]), np.zeros(2, dtype=complex),
        OrderedDict([("text", (1.0,))]), OrderedDict([(1, (1,))]), OrderedDict([(1, (1.0,)), (2, (1.0, 2.0))]),
        [_Unknown], {"in": {"it": _Unknown()}},
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=r"see gate/codec\.py"):
        encoded(value)


def test_a_class_that_is_not_named_is_not_made() -> None:
    with pytest.raises(DamagedStateError):
        decoded(encoded(_Unknown(), _Unknown))


def test_a_content_that_was_changed_is_told() -> None:
    content = encoded([np.arange(1000), "text"])
    for at in range(0, len(content), 7):
        with pytest.raises(DamagedStateError):
            decoded(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
    with pytest.raises(DamagedStateError):
        decoded(b"")


_scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
_arrays = st.lists(st.floats() | st.sampled_from([0.0, -0.0, 3.0, -129.0, float(2**31)])).map(np.array) | st.lists(
    st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 200)
).map(lambda values: np.array(values, dtype=np.int64))


@given(st.dictionaries(st.text() | st.integers(0, 9), st.lists(_scalars) | _scalars.map(lambda one: (one, one))))
def test_plain_values_come_back(values: dict[Any, Any]) -> None:
    assert decoded(encoded(values)) == values
    read = decoded(encoded(Counter(values.keys())))
    assert (type(read), read) == (Counter, Counter(values.keys()))


@given(_arrays, st.booleans())
def test_arrays_come_back_bit_by_bit(array: np.ndarray[Any, Any], both: bool) -> None:
    some = np.stack([array, array]) if both else array
    for value in (some, some != some):
        read = decoded(encoded(value))
        assert (read.dtype, read.shape, read.tobytes()) == (value.dtype, value.shape, value.tobytes())
        read[...] = 0  # it is an array of its own
