"""One shadow's limits together: which reason wins, what a call teaches, and how a successor goes on."""

from __future__ import annotations

import json

import pytest

from shadowlane.limits import Breaker, Budget, BudgetLimits, LaneLimits, Price, ProdQuota, ShadowLimits, Throttle
from shadowlane.types import Outcome


class Clock:
    """Both clocks of a process; only the test moves them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def mono(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_700_000_000.0 + self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limits_of(clock: Clock, *, qps: float = 60.0, budget: Budget | None = None) -> ShadowLimits:
    breaker = Breaker(window=4, minimum=4, ratio=0.5, open_s=5.0)
    return ShadowLimits(qps=qps, breaker=breaker, budget=budget, clock=clock.mono, wall=clock.wall)


def answer(status: int, *headers: tuple[bytes, bytes]) -> Outcome:
    return Outcome(shadow="s", status=status, headers=headers)


def call(limits: ShadowLimits, outcome: Outcome) -> None:
    permit = limits.admit()
    assert not permit.reason
    limits.learn(permit, outcome)


def test_a_pause_refuses_until_it_ends(clock: Clock) -> None:
    limits = limits_of(clock)
    call(limits, answer(429, (b"retry-after", b"7")))
    assert (limits.refusal(), limits.admit().reason) == ("provider_limit", "provider_limit")
    assert limits.paused_s() == pytest.approx(7)
    clock.now += 7
    assert limits.refusal() == ""


def test_a_lowered_rate_refuses_what_is_over_it(clock: Clock) -> None:
    limits = limits_of(clock, qps=0.5)
    call(limits, answer(429))
    assert limits.aimd.unpaused == 0.25
    assert limits.admit().reason == ""
    # The pace allows one now and one each four seconds of the real clock.
    assert limits.admit().reason == "provider_limit"


def test_the_breaker_opens_on_failures_and_one_probe_closes_it(clock: Clock) -> None:
    limits = limits_of(clock)
    late = limits.admit()
    for _ in range(4):
        call(limits, Outcome(shadow="s", reason="connect_error"))
    assert (limits.refusal(), limits.admit().reason) == ("breaker_open", "breaker_open")
    clock.now += 5
    probe = limits.admit()
    assert probe == ("", True)
    assert limits.admit().reason == "breaker_open"
    limits.learn(late, answer(200))  # from before the rest: says nothing
    assert limits.admit().reason == "breaker_open"
    limits.learn(probe, answer(200))
    assert limits.admit().reason == ""


def test_a_cancelled_probe_lets_another_one_out(clock: Clock) -> None:
    limits = limits_of(clock)
    for _ in range(4):
        call(limits, answer(500))
    clock.now += 5
    limits.cancel(limits.admit())
    assert limits.admit() == ("", True)


@pytest.mark.parametrize(
    ("outcome", "opens"),
    [
        (Outcome(shadow="s", reason="deadline"), True),
        (Outcome(shadow="s", reason="transport_error"), True),
        (Outcome(shadow="s", reason="response_too_large", status=200), False),
        (answer(500), True),
        (answer(503), True),
        (answer(503, (b"retry-after", b"0")), False),
        (answer(429), False),
        (answer(529), False),
        (answer(404), False),
    ],
)
def test_what_counts_as_a_failure(clock: Clock, outcome: Outcome, opens: bool) -> None:
    limits = limits_of(clock)
    for _ in range(6):
        permit = limits.admit()
        if permit.reason:
            break
        limits.learn(permit, outcome)
        clock.now += 0.1
    assert limits.breaker is not None
    assert (limits.breaker.state(clock.now) == "open") is opens


def test_a_budget_comes_before_everything_and_says_what_it_counts(clock: Clock) -> None:
    budget = Budget(BudgetLimits(tokens_per_hour=100, money_per_day=1), {"m": Price(input=10, output=20)})
    limits = limits_of(clock, budget=budget)
    spent = limits.spend("m", {"input_tokens": 50, "output_tokens": 49})
    assert (spent.tokens, spent.money) == (99, pytest.approx((50 * 10 + 49 * 20) / 1e6))
    assert limits.refusal() == ""
    limits.spend("other", {"total_tokens": 1})
    assert limits.spend("m", {}).tokens == 0
    call_state = limits.state()["budget"]
    assert limits.refusal() == "budget"
    assert call_state["reached"] == "tokens_per_hour"
    assert call_state["limits"]["tokens_per_hour"] == {"spent": 100, "limit": 100}
    assert (call_state["unmetered"], call_state["unpriced"]) == (1, ["other"])
    clock.now += 3700
    assert limits.refusal() == ""


def test_a_successor_goes_on_with_rate_pause_and_breaker(clock: Clock) -> None:
    limits = limits_of(clock)
    call(limits, answer(429))
    clock.now += 2
    for _ in range(4):
        call(limits, answer(500))
    limits.aimd.observe(429, {"retry-after": "30"}, clock.now)
    state = json.loads(json.dumps(limits.state()))
    rate = limits.aimd.unpaused
    clock.now += 1
    later = limits_of(clock)
    later.restore(state)
    assert later.aimd.unpaused == rate < 60
    assert later.paused_s() == pytest.approx(29, abs=0.2)
    assert later.breaker is not None
    assert later.breaker.state(clock.now) == "open"
    assert later.breaker.opens_in(clock.now) == pytest.approx(4, abs=0.2)


@pytest.mark.parametrize(("before", "now"), [(20.0, 200.0), (200.0, 20.0), (60.0, 60.0)])
def test_a_rate_that_nobody_lowered_asks_a_successor_for_nothing(clock: Clock, before: float, now: float) -> None:
    state = json.loads(json.dumps(limits_of(clock, qps=before).state()))
    later = limits_of(clock, qps=now)
    later.restore(state)
    assert (later.aimd.unpaused, later.aimd.slowed) == (now, False)
    lowered = limits_of(clock, qps=before)
    call(lowered, answer(429))
    later = limits_of(clock, qps=200.0)
    later.restore(json.loads(json.dumps(lowered.state())))
    assert (later.aimd.unpaused, later.aimd.slowed) == (before / 2, True)


def lane_of(clock: Clock, first: ShadowLimits, second: ShadowLimits, prod: ProdQuota | None = None) -> LaneLimits:
    return LaneLimits({"a": (first, 1.0), "b": (second, 0.5)}, qps=60.0, prod=prod, wall=clock.wall)


def test_admission_goes_as_fast_as_the_least_slowed_shadow(clock: Clock) -> None:
    first, second = limits_of(clock), limits_of(clock, qps=30.0)
    lane = lane_of(clock, first, second)
    assert lane.throttle() == Throttle(60.0)
    first.aimd.observe(429, {}, clock.now)
    assert lane.throttle() == Throttle(60.0)  # the other shadow takes half of what is mirrored, and would lose copies
    second.aimd.observe(429, {}, clock.now)
    assert lane.throttle() == Throttle(30.0)
    second.aimd.observe(429, {"retry-after": "9"}, clock.now)
    assert lane.throttle() == Throttle(30.0)
    first.aimd.observe(429, {"retry-after": "4"}, clock.now)
    assert lane.throttle() == Throttle(30.0, 4.0, "provider_limit")
    clock.now += 4
    assert lane.throttle() == Throttle(30.0)


def test_prods_quota_stops_everything_until_its_reset(clock: Clock) -> None:
    lane = lane_of(clock, limits_of(clock), limits_of(clock), ProdQuota(0.2))
    low = ((b"x-ratelimit-limit-requests", b"100"), (b"x-ratelimit-remaining-requests", b"19"))
    lane.observe_prod((*low, (b"x-ratelimit-reset-requests", b"6m0s")), clock.wall() - 60, "POST /v1/chat/completions")
    assert (lane.refusal(), lane.throttle()) == ("provider_limit", Throttle(60.0, 300.0, "provider_limit"))
    # Another route's quota is another one, and an older word about this one counts for nothing.
    full = ((b"x-ratelimit-limit-requests", b"100"), (b"x-ratelimit-remaining-requests", b"99"))
    lane.observe_prod(full, clock.wall(), "POST /v1/embeddings")
    lane.observe_prod(full, clock.wall() - 61, "POST /v1/chat/completions")
    assert lane.refusal() == "provider_limit"
    later = lane_of(clock, limits_of(clock), limits_of(clock), ProdQuota(0.2))
    later.restore(json.loads(json.dumps(lane.state())))
    assert later.throttle().pause_s == pytest.approx(300, abs=0.2)
    lane.observe_prod(full, clock.wall(), "POST /v1/chat/completions")
    assert (lane.refusal(), lane.throttle()) == ("", Throttle(60.0))


def test_prods_headers_are_not_read_when_the_floor_is_off(clock: Clock) -> None:
    lane = lane_of(clock, limits_of(clock), limits_of(clock))
    lane.observe_prod(((b"x-ratelimit-limit", b"10"), (b"x-ratelimit-remaining", b"0")), clock.wall(), "GET /")
    assert lane.refusal() == ""
