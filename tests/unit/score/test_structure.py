"""Structural difference and its noise: the laws, the rules, and the test behind the verdict."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.errors import DataError
from shadowlane.score.noise import NoiseModel, fisher_greater, wilson_lower
from shadowlane.score.structure import Difference, structural_difference

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc/~"), inner, max_size=3),
    max_leaves=12,
)


def found(a: Any, b: Any, **rules: Any) -> list[tuple[str, str, Any, Any]]:
    return [(item.path, item.kind, item.a, item.b) for item in structural_difference(a, b, **rules)]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [("/a", "value", 1, 2)]),
        ({"a": 1}, {"a": "1"}, [("/a", "type", 1, "1")]),
        ({"a": 1}, {"a": True}, [("/a", "type", 1, True)]),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": None}, {}, [("/a", "missing", None, None)]),
        ({}, {"a": None}, [("/a", "extra", None, None)]),
        ({"a/b": {"c~d": 1}}, {"a/b": {"c~d": 2}}, [("/a~1b/c~0d", "value", 1, 2)]),
        ([1, 2, 3], [1, 3], [("/1", "missing", 2, None)]),
        ([1, 3], [1, 2, 3], [("/1", "extra", None, 2)]),
        ([1, 2], [2, 1], [("/0", "value", 1, 2), ("/1", "value", 2, 1)]),
        ([{"x": 1}], [{"x": 2}], [("/0/x", "value", 1, 2)]),
        ({"a": {}}, {"a": []}, [("/a", "type", {}, [])]),
        (1, 2, [("", "value", 1, 2)]),
        (9007199254740993, 9007199254740992, [("", "value", 9007199254740993, 9007199254740992)]),
    ],
)
def test_kinds_and_paths(a: Any, b: Any, expected: list[tuple[str, str, Any, Any]]) -> None:
    assert found(a, b) == expected


@given(JSON)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert structural_difference(value, value) == []
    assert structural_difference(value, value, unordered={"/**": ""}) == []


@given(JSON, JSON)
def test_swapping_sides_swaps_missing_and_extra(a: Any, b: Any) -> None:
    swapped = {"missing": "extra", "extra": "missing"}
    there = {(item.path, item.kind, item.shape) for item in structural_difference(a, b)}
    back = {(item.path, swapped.get(item.kind, item.kind), item.shape) for item in structural_difference(b, a)}
    assert there == back


@given(JSON, JSON)
def test_no_difference_means_equal(a: Any, b: Any) -> None:
    if not structural_difference(a, b, float_tolerance=0.0):
        assert a == b


def test_bytes_are_json() -> None:
    assert found(b'{"a":[1]}', b'{"a":[2]}') == [("/a/0", "value", 1, 2)]
    with pytest.raises(DataError, match="side b"):
        structural_difference(b"{}", b"<html>")


@pytest.mark.parametrize(
    ("a", "b", "tolerance", "equal"),
    [
        (0.1 + 0.2, 0.3, 1e-6, True),
        (1.0, 1.1, 1e-6, False),
        (1.0, 1.1, 0.2, True),
        (1e9, 1e9 + 10.0, 1e-6, True),
        (100, 101, 0.5, False),
        (0.0, 1e-7, 1e-6, True),
        (math.nan, math.nan, 0.0, True),
        (10**400, 1.5, 1e-6, False),
    ],
)
def test_numbers(a: float, b: float, tolerance: float, equal: bool) -> None:
    assert (found(a, b, float_tolerance=tolerance) == []) is equal


@pytest.mark.parametrize(
    ("a", "b", "seconds", "equal"),
    [
        ("2024-05-01T12:00:00Z", "2024-05-01T14:00:00+02:00", 0, True),
        ("2024-05-01T12:00:00Z", "2024-05-01T12:00:00.000Z", 0, True),
        ("2024-05-01T12:00:00Z", "2024-05-01T12:00:03Z", 0, False),
        ("2024-05-01T12:00:00Z", "2024-05-01T12:00:03Z", 3, True),
        ("2024-05-01T12:00:00Z", "2024-05-01T12:00:03Z", 2.9, False),
        ("2024-05-01T12:00:00", "2024-05-01T12:00:00Z", 60, False),
        ("2024-05-01 12:00:00", "2024-05-01T12:00:00", 0, True),
        ("2024-13-01T12:00:00Z", "2024-13-01T12:00:00z", 0, False),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z", 0, True),
        ("at 12:00", "at 12:01", 3600, False),
    ],
)
def test_times(a: str, b: str, seconds: float, equal: bool) -> None:
    assert (found(a, b, time_tolerance_s=seconds) == []) is equal


def test_ignore() -> None:
    a = {"id": 1, "items": [{"id": 1, "x": {"trace_id": 5}}, {"id": 2}], "n": 1}
    b = {"id": 2, "items": [{"id": 3, "x": {"trace_id": 6}}, {"id": 4}], "n": 2}
    assert [path for path, *_ in found(a, b, ignore=["/id", "/items/*/id", "/**/trace_id"])] == ["/n"]
    assert found(a, b, ignore=["/items", "/**/id", "/n"]) == []
    with pytest.raises(DataError, match="'id'"):
        structural_difference(a, b, ignore=["id"])


def test_what_is_ignored_does_not_hinder_alignment() -> None:
    a = [{"id": 1, "t": "x"}, {"id": 2, "t": "y"}]
    b = [{"id": 8, "t": "new"}, {"id": 9, "t": "x"}, {"id": 10, "t": "y"}]
    assert found(a, b, ignore=["/*/id"]) == [("/0", "extra", None, {"id": 8, "t": "new"})]


def test_unordered_by_key_and_by_value() -> None:
    a = {"rows": [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}], "tags": ["x", "y", "y"]}
    b = {"rows": [{"id": 2, "v": "B"}, {"id": 1, "v": "a"}, {"id": 3}], "tags": ["y", "z", "x"]}
    differences = structural_difference(a, b, unordered={"/rows": "id", "/tags": ""})
    assert [(item.path, item.kind, item.shape) for item in differences] == [
        ("/rows/id=2/v", "value", "/rows/*/v"),
        ("/rows/id=3", "extra", "/rows/*"),
        ("/tags/2", "missing", "/tags/*"),
        ("/tags/1", "extra", "/tags/*"),
    ]


def test_repeated_and_missing_keys_are_matched_by_turn() -> None:
    a, b = [{"id": 1, "v": 1}, {"id": 1, "v": 2}, {"v": 3}], [{"v": 4}, {"id": 1, "v": 1}, {"id": 1, "v": 5}]
    assert [path for path, *_ in found(a, b, unordered={"": "id"})] == ["/id=1#2/v", "/id=?/v"]


@pytest.mark.slow
def test_deep_and_unbalanced_nesting_ends() -> None:
    a: Any = 1
    b: Any = 1
    for _ in range(3000):
        a, b = [a, 1], [b]
    assert len(structural_difference(a, b)) == 3000


def difference(path: str) -> Difference:
    return Difference(path, "value", 1, 2, path)


def model(control: tuple[int, int], shadow: tuple[int, int] = (0, 0), **settings: Any) -> NoiseModel:
    """A model that saw "/t" differ in k of n pairs of each arm."""
    learnt = NoiseModel(**settings)
    for number in range(control[1]):
        learnt.observe([difference("/t")] if number < control[0] else [])
    for number in range(shadow[1]):
        learnt.observe([difference("/t")] if number < shadow[0] else [], arm="shadow")
    return learnt


@pytest.mark.parametrize(
    ("control", "shadow", "noise"),
    [
        ((100, 100), (100, 100), True),  # a timestamp
        ((20, 100), (22, 100), True),
        ((20, 100), (60, 100), False),  # noisy before, much worse now
        ((0, 100), (1, 100), False),  # never differed without a change
        ((0, 100), (100, 100), False),
        ((1, 10), (3, 10), True),  # too few to tell
        ((10, 1000), (30, 1000), False),
        ((100, 100), (0, 0), True),
        ((1, 100), (0, 0), False),
        ((0, 0), (5, 5), False),
    ],
)
def test_noise(control: tuple[int, int], shadow: tuple[int, int], noise: bool) -> None:
    learnt = model(control, shadow)
    assert learnt.is_noise("/t") is noise
    kept = [difference("/t"), difference("/answer")]
    assert learnt.filter(kept) == (kept[1:] if noise else kept)


def test_noise_is_learnt_by_shape() -> None:
    learnt = NoiseModel()
    for number in range(50):
        a, b = {"rows": [{"at": number}] * 3}, {"rows": [{"at": -1}] * 3}
        learnt.observe(structural_difference(a, b))
    assert learnt.paths() == ["/rows/*/at"]
    assert learnt.evidence("/rows/*/at").control_differs == 50
    later = structural_difference({"rows": [{"at": 1, "v": 1}] * 9}, {"rows": [{"at": 2, "v": 2}] * 9})
    assert {item.shape for item in learnt.filter(later)} == {"/rows/*/v"}


def test_real_noise_is_rarely_reported() -> None:
    """200 noisy places, both arms alike: all together they may be reported with a chance of 5 %, not 5 % of them."""
    import random

    reported = 0
    for seed in range(20):
        rng = random.Random(seed)
        learnt = NoiseModel()
        for arm in ("control", "shadow"):
            for _ in range(60):
                paths = [f"/p{number}" for number in range(200) if rng.random() < 0.3]
                learnt.observe([difference(path) for path in paths], arm=arm)
        reported += any(not learnt.is_noise(path) for path in learnt.paths())
    assert reported <= 3


@pytest.mark.parametrize("settings", [{"alpha": 0.0}, {"alpha": 1.0}, {"floor": -0.1}, {"floor": 1.0}])
def test_settings_are_checked(settings: dict[str, float]) -> None:
    with pytest.raises(DataError, match=next(iter(settings))):
        NoiseModel(**settings)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_fishers_test_against_counting(hits_a: int, miss_a: int, hits_b: int, miss_b: int) -> None:
    n_a, n_b = hits_a + miss_a, hits_b + miss_b
    hits = hits_a + hits_b
    ways = sum(math.comb(n_a, k) * math.comb(n_b, hits - k) for k in range(hits_a, hits + 1) if k <= n_a)
    exact = ways / math.comb(n_a + n_b, hits)
    assert fisher_greater(hits_a, n_a, hits_b, n_b) == pytest.approx(exact, rel=1e-9)


def test_wilsons_bound() -> None:
    assert wilson_lower(0, 0) == 0.0
    assert wilson_lower(0, 50) == 0.0
    # Wilson's interval for 5 of 10 at 95 % two-sided: 0.2366 to 0.7634.
    assert wilson_lower(5, 10, z=1.959963984540054) == pytest.approx(0.2366, abs=5e-5)
