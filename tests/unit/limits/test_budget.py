"""Budgets by hour and day, and prod's quota, with a clock that only the test moves."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.limits import Budget, BudgetLimits, Price, ProdQuota
from shadowlane.score import extract_answer

PRICES = {
    "gpt-4o": Price(input=2.5, output=10.0, cached_input=1.25),
    "gpt-4o-mini": Price(input=0.15, output=0.6),
    "claude": Price(input=3.0, output=15.0, cached_input=0.3, cache_write=3.75),
}


def test_the_hour_and_the_day() -> None:
    budget = Budget(BudgetLimits(tokens_per_hour=100, tokens_per_day=250))
    budget.record("m", {"total_tokens": 99}, 0.0)
    assert budget.allow(0.0)
    budget.record("m", {"total_tokens": 1}, 10.0)
    assert (budget.allow(10.0), budget.reached(10.0)) == (False, "tokens_per_hour")
    assert not budget.allow(3599.0)
    assert budget.allow(3660.0 + 60.0)
    budget.record("m", {"total_tokens": 150}, 4000.0)
    assert budget.reached(9000.0) == "tokens_per_day"
    assert budget.spent("hour", 9000.0).tokens == 0
    assert budget.spent("day", 9000.0).tokens == 250
    assert budget.allow(86_400.0 + 1440.0 + 60.0)


@pytest.mark.parametrize(
    ("model", "usage", "tokens", "money"),
    [
        ("gpt-4o", {"prompt_tokens": 1_000_000, "completion_tokens": 100_000, "total_tokens": 1_100_000}, 1.1e6, 3.5),
        ("gpt-4o-2024-08-06", {"prompt_tokens": 1_000_000, "cached_tokens": 400_000}, 1e6, 1.5 + 0.5),
        ("gpt-4o-mini-2024-07-18", {"prompt_tokens": 1_000_000, "completion_tokens": 0}, 1e6, 0.15),
        (
            "claude-sonnet-4",
            {
                "input_tokens": 1_000_000,
                "output_tokens": 1_000_000,
                "cache_read_input_tokens": 1_000_000,
                "cache_creation_input_tokens": 1_000_000,
            },
            4e6,
            3.0 + 15.0 + 0.3 + 3.75,
        ),
        ("gpt-4o", {"total_tokens": 1_000_000}, 1e6, 10.0),
        ("gpt-4o", {}, 0, 0.0),
        ("gpt-4o", {"prompt_tokens": -5}, 0, 0.0),
    ],
)
def test_what_an_answer_costs(model: str, usage: dict[str, int], tokens: float, money: float) -> None:
    budget = Budget(BudgetLimits(money_per_day=1000), PRICES)
    cost = budget.record(model, usage, 0.0)
    assert cost.tokens == tokens
    assert cost.money == pytest.approx(money)
    assert budget.spent("day", 0.0) == cost
    assert budget.unpriced == set()


def test_a_model_without_a_price_counts_as_the_dearest_and_is_named() -> None:
    budget = Budget(BudgetLimits(money_per_hour=15), PRICES)
    assert budget.record("new-model", {"output_tokens": 1_000_000}, 0.0).money == 15.0
    assert budget.unpriced == {"new-model"}
    assert budget.reached(0.0) == "money_per_hour"
    fallback = Budget(BudgetLimits(money_per_hour=15), {**PRICES, "*": Price(input=1, output=1)})
    assert fallback.record("new-model", {"output_tokens": 1_000_000}, 0.0).money == 1.0


@given(
    st.lists(st.tuples(st.floats(0, 2000), st.integers(0, 1000)), min_size=1, max_size=60),
    st.sampled_from([("hour", 3600.0), ("day", 86_400.0)]),
)
def test_a_window_is_never_undercounted(steps: list[tuple[float, int]], window: tuple[str, float]) -> None:
    name, length_s = window
    budget, now, log = Budget(BudgetLimits()), 0.0, []
    for step_s, tokens in steps:
        now += step_s
        budget.record("m", {"total_tokens": tokens}, now)
        log.append((now, tokens))
        counted = budget.spent(name, now).tokens
        assert counted >= sum(n for t, n in log if t > now - length_s)
        assert counted <= sum(n for t, n in log if t >= now - length_s - length_s / 60)


def test_a_snapshot_goes_on_where_it_was() -> None:
    budget = Budget(BudgetLimits(tokens_per_day=100))
    budget.record("m", {"total_tokens": 60}, 1_700_000_000.0)
    later = Budget(BudgetLimits(tokens_per_day=100))
    later.restore(json.loads(json.dumps(budget.snapshot())))
    assert later.allow(1_700_000_100.0)
    later.record("m", {"total_tokens": 40}, 1_700_000_100.0)
    assert later.reached(1_700_000_100.0) == "tokens_per_day"


def test_what_was_spent_before_counts_on() -> None:
    budget = Budget(BudgetLimits(tokens_per_hour=100, tokens_per_day=150))
    budget.load([(1000.0, 90, 0.5), (5000.0, 40, 0.25)])
    assert (budget.spent("hour", 5000.0).tokens, budget.spent("day", 5000.0).money) == (40, 0.75)
    budget.record("m", {"total_tokens": 20}, 5000.0)
    assert budget.reached(5000.0) == "tokens_per_day"
    assert budget.reached(1000.0 + 86_400 + 1_500) == ""


def test_a_clock_that_steps_back_loses_nothing() -> None:
    budget = Budget(BudgetLimits())
    budget.record("m", {"total_tokens": 5}, 10_000.0)
    budget.record("m", {"total_tokens": 7}, 5_000.0)
    assert budget.spent("hour", 10_000.0).tokens == 12


def test_limits_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="tokens_per_hour = 0"):
        Budget(BudgetLimits(tokens_per_hour=0))
    with pytest.raises(ValueError, match="tokens_per_day = nan"):
        Budget(BudgetLimits(tokens_per_day=float("nan")))
    with pytest.raises(ValueError, match="need prices"):
        Budget(BudgetLimits(money_per_day=5))


def quota_headers(remaining: int, reset: str | None = "30s") -> dict[str, str]:
    headers = {"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": str(remaining)}
    return headers if reset is None else {**headers, "x-ratelimit-reset-requests": reset}


def test_mirroring_pauses_below_the_floor_until_the_reset() -> None:
    quota = ProdQuota(floor=0.2)
    quota.observe(quota_headers(20), 1000.0)
    assert quota.allow(1000.0)
    quota.observe(quota_headers(19), 1000.0)
    assert (quota.allow(1029.9), quota.paused_s(1010.0)) == (False, 20.0)
    assert quota.allow(1030.0)


def test_the_newest_word_counts_and_silence_changes_nothing() -> None:
    quota = ProdQuota(floor=0.2)
    quota.observe(quota_headers(3), 1000.0)
    quota.observe({"content-type": "text/plain"}, 1001.0)
    quota.observe({"x-ratelimit-remaining": "5"}, 1001.0)  # no limit named: no evidence
    assert not quota.allow(1001.0)
    quota.observe(quota_headers(90), 1002.0)
    assert quota.allow(1002.0)


def test_unknown_and_far_resets() -> None:
    quota = ProdQuota(floor=0.2, unknown_reset_s=60.0, max_pause_s=600.0)
    quota.observe(quota_headers(0, None), 0.0)
    assert quota.paused_s(0.0) == 60.0
    quota.observe(quota_headers(0, "20h"), 0.0)
    assert quota.paused_s(0.0) == 600.0


def test_a_floor_of_zero_still_pauses_at_nothing() -> None:
    quota = ProdQuota(floor=0.0)
    quota.observe(quota_headers(1), 0.0)
    assert quota.allow(0.0)
    quota.observe(quota_headers(0), 0.0)
    assert not quota.allow(0.0)
    with pytest.raises(ValueError, match=r"floor = 1\.5"):
        ProdQuota(floor=1.5)


@pytest.mark.parametrize(
    ("usage", "money"),
    [
        # As the providers send it: OpenAI's cached tokens lie within, Anthropic's beside the input.
        ({"prompt_tokens": 100, "completion_tokens": 10, "cached_tokens": 60}, 40 * 4 + 60 * 1 + 10 * 8),
        ({"input_tokens": 40, "cache_read_input_tokens": 60, "output_tokens": 10}, 40 * 4 + 60 * 1 + 10 * 8),
        ({"input_tokens": 40, "cache_creation_input_tokens": 60, "output_tokens": 10}, 40 * 4 + 60 * 5 + 10 * 8),
        # As answers are read: both lie within.
        (
            {"input_tokens": 100, "output_tokens": 10, "cached_tokens": 30, "cache_write_tokens": 20},
            200 + 30 + 100 + 80,
        ),
    ],
)
def test_cached_input_has_prices_of_its_own(usage: dict[str, int], money: float) -> None:
    budget = Budget(BudgetLimits(), {"m": Price(input=4, output=8, cached_input=1, cache_write=5)})
    spent = budget.record("m", usage, 1000.0)
    assert spent.money == pytest.approx(money / 1e6)
    assert spent.tokens == 110


@pytest.mark.parametrize("cached", [0, 4])
def test_answers_say_what_was_cached(cached: int) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": cached}}
    message = {"role": "assistant", "content": "yes"}
    chat = {"object": "chat.completion", "choices": [{"index": 0, "message": message}], "usage": usage}
    answer = extract_answer("application/json", json.dumps(chat).encode())
    assert answer.cached == ({"cached_tokens": cached} if cached else {})
    assert answer.usage["input_tokens"] == 9


def test_anthropics_answers_say_it_too() -> None:
    usage = {"input_tokens": 3, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 1}
    body = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "yes"}], "usage": usage}
    answer = extract_answer("application/json", json.dumps(body).encode())
    assert answer.cached == {"cached_tokens": 7, "cache_write_tokens": 5}
    assert answer.usage["input_tokens"] == 15
