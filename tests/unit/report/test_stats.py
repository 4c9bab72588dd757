"""The report's numbers, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.columns import ScoreColumns
from shadowlane.report.stats import RowStats, facts_line, stats_of
from tests.support.lanes import MS, columns


def stats(some: ScoreColumns) -> RowStats:
    return stats_of([some])


def test_scores_of_different_embedders_are_never_averaged() -> None:
    some = columns(5, delta_s=[0.1, 0.3, 0.9, 0.9, 0.8], embedder=["one", "one", "two", "two", "two"])
    blocks = stats(some).deltas.data()
    assert [(block["embedder"], block["n"]) for block in blocks] == [("two", 3), ("one", 2)]
    assert [block["mean"] for block in blocks] == pytest.approx([2.6 / 3, 0.2])


def test_bands_meet_their_borders() -> None:
    (block,) = stats(columns(5, delta_s=[0.3999, 0.40, 0.5999, 0.60, 2.0])).deltas.data()
    assert block["bands"] == pytest.approx({"stable": 0.2, "transitional": 0.4, "critical": 0.4})
    assert block["histogram"]["counts"][-1] == 1


def test_pairs_without_a_score_are_left_out() -> None:
    (block,) = stats(columns(3, delta_s=[0.2, np.nan, 0.4])).deltas.data()
    assert (block["n"], block["median"]) == (2, pytest.approx(0.3))
    assert stats(columns(2, delta_s=[np.nan, np.nan])).deltas.data() == []


def test_drift_is_shown_above_the_floor_of_the_same_embedder() -> None:
    two = columns(2, delta_s=[0.5, 0.5], embedder=["one", "two"])
    by_name = {
        block["embedder"]: block for block in stats(two).deltas.data(stats(columns(3, delta_s=[0.1, 0.2, 0.3])).deltas)
    }
    one = by_name["one"]
    assert (one["floor"], one["floor_n"], one["above_floor"]) == (pytest.approx(0.2), 3, pytest.approx(0.3))
    assert one["above_floor_interval"][0] < 0.3 < one["above_floor_interval"][1]
    assert (by_name["two"]["above_floor"], by_name["two"]["above_floor_interval"]) == (None, None)


@given(st.lists(st.floats(0, 2) | st.just(float("nan")), max_size=60))
def test_blocks_agree_with_themselves(values: list[float]) -> None:
    scored = [value for value in values if value == value]
    blocks = stats(columns(len(values), delta_s=np.array(values, dtype=float))).deltas.data()
    assert len(blocks) == bool(scored)
    for block in blocks:
        assert sum(block["histogram"]["counts"]) == block["n"] == len(scored)
        assert sum(block["bands"].values()) == pytest.approx(1)
        assert block["interval"][0] <= block["mean"] <= block["interval"][1]


def test_latency_compares_both_sides_of_a_pair() -> None:
    prod = np.arange(1, 101) * MS
    some = stats(columns(100, prod_ns=prod, shadow_ns=2 * prod)).latency.data()
    assert some is not None
    assert some["prod"]["p50"] == pytest.approx(0.0505)
    assert some["shadow"]["p95"] == pytest.approx(2 * some["prod"]["p95"])
    assert some["p95_increase"] == pytest.approx(1.0)
    assert some["p95_interval"] == pytest.approx([1.0, 1.0])
    assert some["ecdf"]["prod"]["seconds"] == sorted(some["ecdf"]["prod"]["seconds"])


def test_the_bootstrap_interval_lies_around_the_increase() -> None:
    random = np.random.default_rng(1)
    prod, shadow = (random.lognormal(17, 0.3, 800).astype(np.int64) for _ in range(2))
    some = stats(columns(800, prod_ns=prod, shadow_ns=shadow)).latency.data()
    assert some is not None
    low, high = some["p95_interval"]
    assert low < some["p95_increase"] < high
    assert 0.02 < high - low < 0.5


def test_a_shadow_that_hangs_is_not_fast() -> None:
    """Copies that ran into the deadline count with the time they took; failed connections took no time at all."""
    reason = np.array([""] * 80 + ["deadline"] * 10 + ["connect_error"] * 10)
    shadow = np.where(reason == "deadline", 3000 * MS, 10 * MS)
    some = stats(columns(100, reason=reason, shadow_ns=shadow)).latency.data()
    assert some is not None
    assert (some["n"], some["deadlines"]) == (90, 10)
    assert some["shadow"]["p95"] == pytest.approx(3.0)


def test_error_pages_have_no_part_in_latency() -> None:
    assert stats(columns(3, status=[500, 404, 503])).latency.data() is None
    assert stats(columns(0)).latency.data() is None


def test_states_and_citations() -> None:
    some = columns(
        4,
        state=["convergent", "chaotic", "", "convergent"],
        citation_match=[1.0, 0.0, np.nan, np.nan],
        index_agrees=[1.0, np.nan, np.nan, 0.0],
        fact_flip=[False, True, False, True],
    )
    assert stats(some).states() == pytest.approx({"convergent": 2 / 3, "chaotic": 1 / 3})
    assert stats(some).citations() == {
        "match": 0.5, "match_n": 2, "index_agreement": 0.5, "index_n": 2, "fact_flips": 2,
    }  # fmt: skip
    assert stats(columns(0)).states() == {}
    assert stats(columns(0)).citations()["match"] is None


def test_in_how_many_pairs_facts_were_looked_at() -> None:
    some = columns(5, missing=[0.5, 0.0, np.nan, 0.25, np.nan], extra=[0.0, 0.0, np.nan, 0.75, np.nan],
                   unread=["", "", "language", "cut", ""])  # fmt: skip
    block = stats(some).facts()
    assert block == {"pairs": 4, "unread": {"cut": 1, "language": 1}, "missing": 0.25, "extra": 0.25}
    assert facts_line(block) == (
        "facts were not looked at, or in part only, in 2 of 4 pairs: an answer cut off 1, another language 1"
    )
    assert "all 3 pairs" in facts_line(stats(columns(3)).facts())
    assert "in no pair" in facts_line(stats(columns(0)).facts())
