"""Pauses that hosts of a fleet tell each other: what is told, and what becomes of what was heard."""

from __future__ import annotations

from shadowlane.limits import LaneLimits, ProdQuota, ShadowLimits


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def lane(clock: Clock, *, prod: bool = True) -> LaneLimits:
    shadows = {name: (ShadowLimits(qps=10.0, clock=clock, wall=clock), 1.0) for name in ("a", "b")}
    return LaneLimits(shadows, qps=10.0, prod=ProdQuota(0.2) if prod else None, wall=clock)


def test_what_one_host_heard_the_other_keeps() -> None:
    clock = Clock()
    one, other = lane(clock), lane(clock)
    assert one.pauses() == {}
    one.shadows["a"].pause(60.0)
    one.hold(30.0)
    assert one.pauses() == {"a": 60.0, "": 30.0}
    other.heed(one.pauses())
    assert other.pauses() == one.pauses()
    assert other.shadows["a"].refusal() == "provider_limit"
    assert other.shadows["b"].refusal() == ""
    assert other.throttle().pause_s == 30.0
    clock.now += 61.0
    assert other.pauses() == {}
    assert other.shadows["a"].refusal() == ""


def test_a_longer_pause_of_ones_own_stays() -> None:
    clock = Clock()
    limits = lane(clock)
    limits.shadows["a"].pause(100.0)
    limits.heed({"a": 5.0})
    assert limits.pauses() == {"a": 100.0}


def test_a_shadow_that_is_not_here_and_a_quota_that_is_not_watched_are_none_of_ours() -> None:
    clock = Clock()
    limits = lane(clock, prod=False)
    limits.heed({"elsewhere": 60.0, "": 60.0})
    assert limits.pauses() == {}
    assert limits.throttle().pause_s == 0.0
