"""A host's part of a shared budget: what goes out of it, and what its keeper may change."""

from __future__ import annotations

import pytest

from shadowlane.limits import Allowance, Budget, BudgetLimits, Price, ShadowLimits
from shadowlane.limits.prices import Spent
from shadowlane.types import Outcome


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def tokens(count: float) -> Spent:
    return Spent(count, 0.0)


def allowance(clock: Clock, end: float = 1000) -> Allowance:
    one = Allowance(BudgetLimits(tokens_per_hour=5000), clock=clock)
    one.give(tokens(end), clock.now + 5)
    return one


def test_without_a_part_and_after_its_end_nothing_goes_out(clock: Clock) -> None:
    one = Allowance(BudgetLimits(tokens_per_hour=5000), clock=clock)
    assert not one.allows()
    one.give(tokens(1000), clock.now + 5)
    assert one.allows()
    assert one.left() == (tokens(1000), 5.0)
    clock.now += 5
    assert not one.take()
    assert one.left() == (tokens(0), 0.0)


def test_before_the_first_answer_one_call_is_out_and_then_as_many_as_the_dearest_leaves_room_for(clock: Clock) -> None:
    one = allowance(clock)
    assert one.take()
    assert not one.allows()
    one.spend(tokens(100))
    one.done()
    assert [one.take() for _ in range(10)] == [True] * 9 + [False]
    assert one.needs().asked == tokens(1000)
    assert one.needs().held == tokens(900)
    one.forget_asked()
    assert one.needs().asked == tokens(0)


def test_what_calls_that_are_out_may_cost_is_not_lowered_away(clock: Clock) -> None:
    one = allowance(clock)
    one.spend(tokens(100))
    assert one.take()
    assert one.take()
    assert not one.lower(tokens(250))
    assert one.left()[0] == tokens(900)
    assert one.lower(tokens(300))
    assert not one.take()
    one.cut(tokens(0))
    assert one.left()[0] == tokens(0)


def test_money_alone_is_limited_where_only_money_is(clock: Clock) -> None:
    one = Allowance(BudgetLimits(money_per_day=1.0), clock=clock)
    one.give(Spent(0, 0.5), clock.now + 5)
    assert one.take()
    one.spend(Spent(100_000, 0.2))
    one.done()
    assert [one.take(), one.take()] == [True, False]


def test_a_shadow_is_refused_by_the_budget_when_its_part_is_used_up(clock: Clock) -> None:
    budget = Budget(BudgetLimits(tokens_per_hour=5000), {"*": Price(input=1.0, output=1.0)})
    budget.shared = allowance(clock, 200)
    limits = ShadowLimits(qps=1000.0, budget=budget)
    for _ in range(2):
        permit = limits.admit()
        assert not permit.reason
        assert limits.admit().reason == "budget"
        limits.learn(permit, Outcome(shadow="s", status=200))
        limits.spend("m", {"input_tokens": 100})
        limits.done()
    assert limits.refusal() == "budget"
    state = limits.state()["budget"]
    assert state["slice"] == {"tokens": 0, "money": 0.0, "left_s": 5.0}
    assert state["reached"] == ""
    budget.shared.fleet = {"tokens_per_hour": 4990.0}
    budget.shared.reached = "tokens_per_hour"
    state = limits.state()["budget"]
    assert state["reached"] == "tokens_per_hour"
    assert state["limits"]["tokens_per_hour"] == {"spent": 4990.0, "limit": 5000}


def test_a_call_that_is_given_up_gives_its_room_back(clock: Clock) -> None:
    budget = Budget(BudgetLimits(tokens_per_hour=5000))
    budget.shared = allowance(clock, 200)
    limits = ShadowLimits(qps=1000.0, budget=budget)
    limits.cancel(limits.admit())
    assert not limits.admit().reason
