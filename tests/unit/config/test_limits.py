"""The sections about limits: what is refused, with its field, value and remedy, and that every default works."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shadowlane.config import Config
from shadowlane.errors import ConfigError


def configured(shadow: dict[str, Any] | None = None, **sections: Any) -> Config:
    return Config.from_dict({"shadows": {"candidate": {"url": "http://127.0.0.1:9", **(shadow or {})}}, **sections})


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        ({"limits": {"qps": 0.0}}, "limits.qps = 0.0: use more than 0"),
        ({"limits": {"burst": 0}}, "limits.burst = 0: use 1"),
        ({"limits": {"cap_mode": "fair"}}, "limits.cap_mode = 'fair'"),
        ({"limits": {"cap_mode": "reservoir", "window_s": 0.0}}, "limits.window_s = 0.0: use 0.05 to 60"),
        (
            {"limits": {"cap_mode": "reservoir", "qps": 2000.0}},
            "limits.window_s = 1.0: a window would choose more than",
        ),
        ({"limits": {"cap_mode": "reservoir", "weights": {"POST /x": 2}}}, "limits.weights"),
        ({"limits": {"prod_quota_floor": 1.0}}, "limits.prod_quota_floor = 1.0: use a share"),
        ({"limits": {"tenant_key": "json:/user"}}, "limits.tenant_key = 'json:/user'"),
        ({"store": {"keep_bodies": "some"}}, "store.keep_bodies = 'some'"),
        ({"store": {"exemplars": 0}}, "store.exemplars = 0: use 1"),
        ({"prices": {"m": {"input": -1.0, "output": 1.0}}}, "prices.m.input = -1.0: use 0 or more"),
        ({"prices": {"m": {"input": 1.0}}}, "prices"),
        ({"shadow": {"deadline_s": 1.0}}, "candidate.deadline_s = 1.0: use timeout_s = 30.0"),
        ({"shadow": {"min_qps": 0.0}}, "candidate.min_qps = 0.0: use more than 0"),
        ({"shadow": {"breaker": {"minimum": 50}}}, "candidate.breaker.minimum = 50: use 1 to window = 40"),
        ({"shadow": {"breaker": {"ratio": 0.0}}}, "candidate.breaker.ratio = 0.0"),
        ({"shadow": {"breaker": {"open_s": 90.0}}}, "candidate.breaker.open_s = 90.0"),
        ({"shadow": {"breaker": {"closes_after": 0}}}, "candidate.breaker.closes_after = 0"),
        ({"shadow": {"retry": {"attempts": 0}}}, "candidate.retry.attempts = 0: use 1 (no retries) to 10"),
        ({"shadow": {"retry": {"base_s": 9.0}}}, "candidate.retry.base_s = 9.0"),
        ({"shadow": {"budget": {"tokens_per_day": -1.0}}}, "candidate.budget.tokens_per_day = -1.0"),
        ({"shadow": {"budget": {"money_per_day": 1.0}}}, "candidate.budget.money_per_day = 1.0: money needs prices"),
        ({"shadow": {"budget": {"tokens": 1.0}}}, "budget.tokens: unknown field"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(sections: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(**sections)
    assert says in str(caught.value)


def test_a_configuration_goes_through_json_and_back() -> None:
    config = configured(
        {"budget": {"money_per_day": 2.5}, "retry": {"attempts": 3}, "deadline_s": 60.0},
        limits={"cap_mode": "reservoir"},
        store={"keep_bodies": "reservoir"},
        prices={"*": {"input": 1.0, "output": 2.0, "cached_input": 0.5}},
    )
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_the_deadline_is_never_shorter_than_a_call() -> None:
    assert configured().shadows["candidate"].deadline() == 300.0
    assert configured({"timeout_s": 900.0}).shadows["candidate"].deadline() == 900.0
    assert configured({"deadline_s": 45.0}).shadows["candidate"].deadline() == 45.0
