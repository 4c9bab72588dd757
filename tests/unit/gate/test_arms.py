"""Shadows side by side: what is known of their differences is right, and equal ones are called equal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from shadowlane.config import Config
from shadowlane.gate.arms import Arms, Difference, arms_data, compare_arms
from shadowlane.report.arms import arms_lines
from shadowlane.store import open_store
from shadowlane.types import Pair
from tests.support.lanes import HOUR_NS, NOW_NS, config_at, failed, make_pairs, save

NAMES = ("candidate", "other", "third")


def lane(folder: Path, arms: int = 2, **more: Any) -> Config:
    shadows = {name: {"url": f"http://127.0.0.1:900{i}"} for i, name in enumerate(NAMES[:arms])}
    return config_at(folder, shadows=shadows, **more)


def of(
    pairs: list[Pair], shadow: str, *, slower: float = 1.0, further: float = 0.0, used: float | None = None, **more: Any
) -> list[Pair]:
    """The same requests, answered by another shadow."""
    found = []
    for pair in pairs:
        delta = float(np.clip((pair.scores.delta_s or 0.0) + further, 0, 2))
        tokens = {} if used is None else {"tokens": used, "prod_tokens": 100.0, "cost": used / 1e5, "prod_cost": 1e-3}
        found.append(
            msgspec.structs.replace(
                pair,
                outcome=msgspec.structs.replace(
                    pair.outcome, shadow=shadow, duration_ns=int(slower * pair.outcome.duration_ns), tries=1
                ),
                scores=msgspec.structs.replace(pair.scores, delta_s=delta, **tokens, **more),
            )
        )
    return found


def arms_of(config: Config) -> Arms:
    with open_store(config.store, read_only=True) as store:
        arms = compare_arms(config, store, NOW_NS)
    assert arms is not None
    data = arms_data(arms, {})
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    return arms


def by_key(arms: Arms, arm: str = "other", than: str = "candidate") -> dict[str, Difference]:
    return {one.key: one for one in arms.differences if (one.arm, one.than) == (arm, than)}


def test_a_known_difference_is_found_in_each_measure(tmp_path: Path) -> None:
    config = lane(tmp_path, gate={"warmup_pairs": 0})
    first = of(make_pairs(4000), "candidate", used=100.0)
    second = of(first, "other", slower=1.2, further=0.05, used=80.0)
    second = [failed(pair, "connect_error") if i % 10 == 0 else pair for i, pair in enumerate(second)]
    save(config, [*first, *second])
    arms = arms_of(config)
    known = {"mean_delta_s": 0.05, "shadow_errors": 0.1, "tokens": -0.2, "cost": -0.2, "contradicted_facts": 0.0}
    found = by_key(arms)
    for key, value in known.items():
        interval = found[key].interval
        assert interval.lower <= value + 0.002, key
        assert interval.upper >= value - 0.002, key
        assert interval.estimate == pytest.approx(value, abs=0.01), key
    ratio = found["p95_latency"].interval
    assert ratio.lower <= 0.2 <= ratio.upper
    assert {key: found[key].better for key in known} == {
        "mean_delta_s": "candidate", "shadow_errors": "candidate", "tokens": "other", "cost": "other",
        "contradicted_facts": "",
    }  # fmt: skip
    own = {arm.name: arm for arm in arms.arms}
    assert own["other"].failed == pytest.approx(0.1)
    assert own["candidate"].tokens == pytest.approx(100.0)
    assert own["other"].delta_s - own["candidate"].delta_s == pytest.approx(0.05, abs=0.01)


def test_mirrored_arms_give_the_mirrored_differences(tmp_path: Path) -> None:
    first = of(make_pairs(800), "candidate", used=100.0)
    second = of(first, "other", slower=1.3, further=0.1, used=50.0)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    here, there = lane(tmp_path / "a"), lane(tmp_path / "b")
    save(here, [*first, *second])
    save(there, [*of(second, "candidate"), *of(first, "other")])
    ours, theirs = by_key(arms_of(here)), by_key(arms_of(there))
    other = {"candidate": "other", "other": "candidate", "": ""}
    assert ours.keys() == theirs.keys()
    for key, one in ours.items():
        assert theirs[key].better == other[one.better], key
        if one.kind != "increase":
            assert theirs[key].interval.estimate == pytest.approx(-one.interval.estimate)
            assert theirs[key].interval.upper == pytest.approx(-one.interval.lower)


@pytest.mark.slow
@pytest.mark.statistics
def test_equal_arms_are_seldom_called_different_however_often_one_looks(tmp_path: Path) -> None:
    """40 lanes, each looked at six times in a window: of their 280 intervals 5 % may err, that is 14."""
    wrong, looks = set(), 0
    for seed in range(40):
        folder = tmp_path / str(seed)
        folder.mkdir()
        config = lane(folder, gate={"warmup_pairs": 0})
        first = of(make_pairs(300, seed=seed), "candidate")
        noise = np.random.default_rng(1000 + seed)
        second = [
            of([pair], "other", slower=float(noise.lognormal(0, 0.1)), further=float(noise.normal(0, 0.03)))[0]
            for pair in first
        ]
        save(config, [*first, *second])
        with open_store(config.store, read_only=True) as store:
            for hour in range(4, 25, 4):
                seen = _Until(NOW_NS - (24 - hour) * HOUR_NS, store)
                arms = compare_arms(config, seen, NOW_NS - (24 - hour) * HOUR_NS)
                assert arms is not None
                wrong |= {(seed, one.key) for one in arms.differences if one.better}
                looks += 1
    assert looks == 240
    assert len(wrong) <= 14


class _Until:
    """A store as it was at a time: later rows are left out."""

    def __init__(self, now_ns: int, store: Any) -> None:
        self._now_ns, self._store = now_ns, store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def _cut(self, columns: Any) -> Any:
        past = columns.started_ns < self._now_ns
        return type(columns)(**{name: values[past] for name, values in msgspec.structs.asdict(columns).items()})

    def pieces(self, *given: Any, **more: Any) -> Any:
        return (self._cut(columns) for columns in self._store.pieces(*given, **more))

    def pieces_beside(self, *given: Any, **more: Any) -> Any:
        both = self._store.pieces_beside(*given, **more)
        return ((self._cut(columns), self._cut(beside)) for columns, beside in both)


def test_three_arms_are_compared_two_by_two_and_share_the_risk(tmp_path: Path) -> None:
    pairs = make_pairs(500)
    (tmp_path / "two").mkdir()
    (tmp_path / "three").mkdir()
    two, three = lane(tmp_path / "two"), lane(tmp_path / "three", 3)
    both = [*of(pairs, "candidate"), *of(pairs, "other", further=0.02)]
    save(two, both)
    save(three, [*both, *of(pairs, "third", further=0.04)])
    alone, together = arms_of(two), arms_of(three)
    assert [arm.name for arm in together.arms] == list(NAMES)
    assert {(one.arm, one.than) for one in together.differences} == {
        ("other", "candidate"), ("third", "candidate"), ("third", "other")
    }  # fmt: skip
    narrow, wide = (by_key(arms)["mean_delta_s"].interval for arms in (alone, together))
    assert wide.estimate == narrow.estimate
    assert wide.upper - wide.lower > narrow.upper - narrow.lower


def test_one_arm_is_no_comparison(tmp_path: Path) -> None:
    config = lane(tmp_path, 1)
    save(config, make_pairs(10))
    with open_store(config.store, read_only=True) as store:
        assert compare_arms(config, store, NOW_NS) is None
    assert arms_data(None, {}) is None


def test_arms_that_never_answered_the_same_request(tmp_path: Path) -> None:
    config = lane(tmp_path)
    save(config, [*make_pairs(40), *make_pairs(40, shadow="other", first=1000)])
    arms = arms_of(config)
    assert arms.differences == ()
    assert [arm.copies for arm in arms.arms] == [20, 20]
    text = "\n".join(line for line, _ in arms_lines(arms_data(arms, {})))
    assert "no request yet that two of them answered" in text


def test_a_route_that_one_was_never_asked_rightly_counts_for_none(tmp_path: Path) -> None:
    config = lane(tmp_path, gate={"warmup_pairs": 0})
    pairs = make_pairs(200)
    elsewhere = [
        msgspec.structs.replace(pair, copy=msgspec.structs.replace(pair.copy, target="/v1/embeddings"))
        for pair in make_pairs(100, first=1000)
    ]
    refused = [
        msgspec.structs.replace(pair, outcome=msgspec.structs.replace(pair.outcome, status=404))
        for pair in of(elsewhere, "other")
    ]
    save(config, [*of(pairs, "candidate"), *of(elsewhere, "candidate"), *of(pairs, "other"), *refused])
    arms = arms_of(config)
    assert {arm.name: (arm.copies, arm.failed) for arm in arms.arms} == {"candidate": (200, 0.0), "other": (200, 0.0)}
    assert by_key(arms)["shadow_errors"].interval.n == 200
