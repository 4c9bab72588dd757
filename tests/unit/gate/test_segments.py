"""Parts of the traffic by themselves, through the real store: a bad one is named, chance names none, and what the
control shows is heard."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from shadowlane.config import GateConfig
from shadowlane.gate.dependence import INDEPENDENT
from shadowlane.gate.segments import SegmentSums, found_bad
from shadowlane.types import GroupReading, Pair
from tests.support.verdicts import altered, good, judged, rule

ROUTES = ("/ask", "/search", "/chat", "/summarise", "/translate")


def routed(pairs: list[Pair]) -> list[Pair]:
    return altered(pairs, "copy", target=lambda i: f"{ROUTES[i % 5]}?q={i}", tenant=lambda i: f"t{i % 3}")


def worse(pairs: list[Pair], bad: Any, **fields: Any) -> list[Pair]:
    """Fields of the scores replaced in those whose number ``bad`` says."""
    changed = altered(pairs, **fields)
    return [changed[i] if bad(i) else pair for i, pair in enumerate(pairs)]


def test_one_bad_route_is_not_averaged_away(tmp_path: Path) -> None:
    rng = random.Random(1)
    pairs = routed(worse(good(), lambda i: i % 5 == 2, delta_s=lambda _: rng.uniform(0.5, 0.7)))
    verdict = judged(tmp_path, pairs, gate={"disable": ["overhead", "critical", "transitional"], "warmup_pairs": 0})
    assert rule(verdict, "mean_delta_s").ok is True
    some = rule(verdict, "segments")
    assert (some.status, some.needs_person, some.beyond) == ("not met", True, False)
    assert "1 are surely beyond their target: route POST /chat: mean ΔS 0.6" in some.evidence
    assert (verdict.decision, verdict.waits_for["person"]) == ("HOLD", ["segments"])


@pytest.mark.parametrize(
    ("kind", "name"), [("tenant", "tenant t1"), ("model", "model big"), ("question", "question group 7")]
)
def test_every_kind_of_segment_is_looked_at(kind: str, name: str, tmp_path: Path) -> None:
    bad = {"tenant": lambda i: i % 3 == 1, "model": lambda i: i % 4 == 0, "question": lambda i: i % 20 == 7}[kind]
    pairs = routed(good())
    pairs = [msgspec.structs.replace(pair, prod_model="big" if i % 4 == 0 else "small") for i, pair in enumerate(pairs)]
    pairs = altered(pairs, group=lambda i: GroupReading(number=i % 20, seen=9, prod="convergent", shadow="convergent"))
    pairs = altered(pairs, "outcome", status=lambda i: 500 if bad(i) and i // 60 % 2 else 200)
    some = rule(judged(tmp_path, pairs), "segments")
    assert some.status == "not met"
    assert f"{name}: failed copies" in some.evidence


def test_a_hard_part_is_held_against_the_controls(tmp_path: Path) -> None:
    rng = random.Random(3)

    def noisy(pairs: list[Pair]) -> list[Pair]:
        return routed(worse(pairs, lambda i: i % 5 == 2, delta_s=lambda _: min(max(rng.gauss(0.52, 0.1), 0), 2)))

    verdict = judged(tmp_path, noisy(good()), noisy(good(shadow="control")))
    assert rule(verdict, "segments").status == "met", rule(verdict, "segments").evidence


def tenth(pairs: list[Pair]) -> list[Pair]:
    """What a control with a ratio of 0.1 answers of them: less than ``gate.segment_pairs`` of each route."""
    return [pair for i, pair in enumerate(pairs) if i // 5 % 10 == 0]


@pytest.mark.parametrize(
    "noise",
    [
        {"delta_s": lambda rng: min(max(rng.gauss(0.7, 0.1), 0), 2)},
        {"delta_s": lambda rng: 0.9 if rng.random() < 0.9 else 0.1},
        {"fact_flip": lambda rng: rng.random() < 0.15},
    ],
)
def test_a_hard_part_is_held_against_the_little_that_the_control_has_of_it(noise: Any, tmp_path: Path) -> None:
    rng = random.Random(5)

    def noisy(pairs: list[Pair]) -> list[Pair]:
        fields = {name: lambda _, draw=draw: draw(rng) for name, draw in noise.items()}
        return routed(worse(pairs, lambda i: i % 5 == 2, **fields))

    some = rule(judged(tmp_path, noisy(good()), tenth(noisy(good(shadow="control")))), "segments")
    assert some.status == "met", some.evidence


def test_a_part_that_is_worse_than_the_controls_is_named(tmp_path: Path) -> None:
    pairs = routed(worse(good(), lambda i: i % 5 == 2, delta_s=1.2))
    control = routed(worse(good(shadow="control"), lambda i: i % 5 == 2, delta_s=0.3))
    some = rule(judged(tmp_path, pairs, control), "segments")
    assert "1 are surely beyond their target: route POST /chat: mean ΔS 1.2" in some.evidence


def test_a_part_that_the_control_never_answered_is_looked_at_for_failures_alone(tmp_path: Path) -> None:
    pairs = altered(worse(good(), lambda i: i % 5 == 2, delta_s=0.8, fact_flip=True), group=None)
    pairs = altered(pairs, "copy", target=lambda i: f"{ROUTES[i % 5]}?q={i}")
    control = [pair for i, pair in enumerate(routed(good(shadow="control"))) if i % 5 != 2]
    some = rule(judged(tmp_path, pairs, control), "segments")
    assert (some.ok, "route POST /chat" in some.evidence) == (True, False), some.evidence
    failing = altered(pairs, "outcome", status=lambda i: 500 if i % 10 == 2 else 200)
    (tmp_path / "failing").mkdir()
    some = rule(judged(tmp_path / "failing", failing, control), "segments")
    assert "1 are surely beyond their target: route POST /chat: failed copies" in some.evidence


@pytest.mark.statistics
def test_what_a_small_control_shows_by_chance_names_nobody() -> None:
    """100 routes, the shadow as far as the control, of which there are 40 copies of each."""

    def sums(name: str, values: Any) -> SegmentSums:
        n, flips = len(values), int((values > 0.8).sum())
        return SegmentSums("route", name, n, 0, n, float(values.sum()), float((values**2).sum()), flips, n)

    named = 0
    for seed in range(25):
        rng = np.random.default_rng(seed)
        arms = [[sums(str(i), rng.beta(2, 2, n)) for i in range(100)] for n in (2000, 40)]
        named += bool(found_bad(arms[0], arms[1], GateConfig(), design=INDEPENDENT, together=1.0)[0])
    assert named <= 3


@pytest.mark.parametrize("unread", ["language", "cut"])
def test_facts_of_a_segment_are_of_the_pairs_whose_facts_were_read(unread: str, tmp_path: Path) -> None:
    pairs = routed(worse(good(), lambda i: i % 5 == 2, unread=unread))
    pairs = worse(pairs, lambda i: i % 20 == 2, unread="", fact_flip=lambda i: i % 40 == 2)
    some = rule(judged(tmp_path, pairs), "segments")
    assert "1 are surely beyond their target: route POST /chat: contradicted facts 0.500" in some.evidence
    assert some.evidence.endswith("in 120; a person has to look at it")


def test_what_a_questions_answers_differ_by_is_no_fault_without_a_control(tmp_path: Path) -> None:
    pairs = altered(good(), group=lambda i: GroupReading(number=i % 20, seen=9, prod="convergent", shadow="convergent"))
    pairs = worse(pairs, lambda i: i % 20 == 7, delta_s=0.55, fact_flip=lambda i: i % 40 == 7)
    assert rule(judged(tmp_path, pairs), "segments").ok is True


def test_one_route_of_one_tenant_has_no_segments(tmp_path: Path) -> None:
    pairs = altered(good(), group=None)
    some = rule(judged(tmp_path, pairs), "segments")
    assert some.not_judged.startswith("no two routes, tenants, models or questions have 50 copies each")


def test_equal_routes_are_met_and_small_ones_are_left_out(tmp_path: Path) -> None:
    pairs = altered(good(), "copy", target=lambda i: "/rare" if i % 100 == 3 else ROUTES[i % 5])
    some = rule(judged(tmp_path, altered(pairs, group=None)), "segments")
    assert some.ok is True
    assert some.evidence.startswith("5 routes of 50 copies or more, 15 figures: none is surely beyond")


@pytest.mark.statistics
def test_segments_that_are_at_their_target_are_named_rarely() -> None:
    """100 routes exactly at 1 % of failures, looked at five times: some is named in at most 5 of 100 days."""
    named = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        fails = rng.random((100, 400)) < 0.01
        for n in range(80, 401, 80):
            sums = [SegmentSums("route", str(i), n, int(fails[i, :n].sum()), 0, 0.0, 0.0, 0, 0) for i in range(100)]
            if found_bad(sums, (), GateConfig(), design=INDEPENDENT, together=1.0)[0]:
                named += 1
                break
    assert named <= 5


def test_a_bad_one_among_a_hundred_is_named_alone() -> None:
    sums = [SegmentSums("route", str(i), 400, 60 if i == 42 else 4, 0, 0.0, 0.0, 0, 0) for i in range(100)]
    found, tried = found_bad(sums, (), GateConfig(), design=INDEPENDENT, together=1.0)
    assert ([one.segment.name for one in found], tried) == (["42"], 100)
