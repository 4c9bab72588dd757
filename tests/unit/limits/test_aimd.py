"""Additive increase, multiplicative decrease, with a clock that only the test moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.limits import Aimd

WALL = 1_700_000_000.0


def make(**fields: float) -> Aimd:
    return Aimd(**{"maximum": 100.0, "minimum": 1.0, "increase": 2.0, **fields}, wall=lambda: WALL)  # type: ignore[arg-type]


def test_a_refusal_halves_once_for_what_was_sent_at_one_rate() -> None:
    aimd = make()
    assert aimd.rate(0.0) == 100.0
    assert aimd.observe(429, {}, 10.0) == 50.0
    assert [aimd.observe(429, {}, 10.0 + n / 100) for n in range(50)] == [50.0] * 50
    assert aimd.observe(503, {}, 11.0) == 25.0
    assert aimd.observe(529, {}, 12.0) == 12.5
    for n in range(20):
        aimd.observe(429, {}, 13.0 + n)
    assert aimd.rate(40.0) == 1.0


def test_success_raises_by_time_not_by_count() -> None:
    aimd = make()
    aimd.observe(429, {}, 0.0)
    for n in range(1, 101):
        aimd.observe(200, {}, n / 10)
    assert aimd.rate(10.0) == pytest.approx(70.0)
    assert aimd.observe(200, {}, 1000.0) == pytest.approx(72.0)  # idle time counts as one second
    for n in range(100):
        aimd.observe(200, {}, 1001.0 + n)
    assert aimd.rate(2000.0) == 100.0


@pytest.mark.parametrize("value", ["30", "Tue, 14 Nov 2023 22:13:50 GMT"])
def test_retry_after_pauses_then_goes_on_lower(value: str) -> None:
    aimd = make()
    assert aimd.observe(429, {"retry-after": value}, 5.0) == 0.0
    assert aimd.observe(429, {}, 8.0) == 0.0  # sent before: neither longer nor lower
    assert aimd.paused_s(25.0) == 10.0
    assert aimd.rate(34.9) == 0.0
    assert aimd.rate(35.0) == 50.0


def test_retry_after_on_a_success_does_not_back_off() -> None:
    aimd = make()
    assert aimd.observe(200, [(b"retry-after", b"53")], 1.0) == 100.0
    assert aimd.paused_s(1.0) == 0.0


def test_a_used_up_budget_pauses_until_its_reset() -> None:
    aimd = make()
    headers = {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "6s"}
    assert aimd.observe(200, headers, 1.0) == 0.0
    assert aimd.rate(6.9) == 0.0
    assert aimd.rate(7.0) == 100.0
    assert aimd.observe(200, {"x-ratelimit-remaining": "0"}, 8.0) == 50.0  # no reset named


def test_a_pause_is_bounded() -> None:
    aimd = make(max_pause_s=60.0)
    aimd.observe(503, {"retry-after": "86400"}, 0.0)
    assert aimd.paused_s(0.0) == 60.0


def test_other_failures_neither_raise_nor_lower() -> None:
    aimd = make()
    aimd.observe(429, {}, 0.0)
    assert [aimd.observe(status, {}, 5.0) for status in (0, 400, 404, 500)] == [50.0] * 4
    assert aimd.observe(413, {"retry-after": "3"}, 6.0) == 0.0


_steps = st.lists(
    st.tuples(
        st.floats(0, 5),
        st.sampled_from([200, 429, 503, 500, 0]),
        st.sampled_from([{}, {"retry-after": "2"}, {"x-ratelimit-remaining": "0"}]),
    ),
    max_size=60,
)


@given(_steps)
def test_the_rate_stays_within_its_bounds(steps: list[tuple[float, int, dict[str, str]]]) -> None:
    aimd, now = make(), 0.0
    for step_s, status, headers in steps:
        now += step_s
        before = aimd.rate(now)
        rate = aimd.observe(status, headers, now)
        assert rate == 0.0 or 1.0 <= rate <= 100.0
        assert (rate == 0.0) == (aimd.paused_s(now) > 0)
        if status == 429:
            assert rate <= before


@pytest.mark.parametrize(
    "fields", [{"minimum": 0.0}, {"minimum": 200.0}, {"maximum": float("inf")}, {"decrease": 1.0}, {"decrease": 0.0}]
)
def test_bounds_that_make_no_sense(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(fields))} = "):
        make(**fields)
