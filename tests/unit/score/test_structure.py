"""Structural difference and its noise: the laws, the rules, and the test behind the verdict."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.errors import DataError
from shadowlane.score.structure import structural_difference

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
