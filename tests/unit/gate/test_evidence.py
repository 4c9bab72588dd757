"""Evidence out of a real store: the window and what begins it anew, pairs of shadow and control, and whole verdicts."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadowlane.cli import main
from shadowlane.gate import Rule
from shadowlane.gate.evidence import evaluate_lane
from shadowlane.store import open_store
from shadowlane.store.sqlite import SqliteStore
from shadowlane.types import STRANGE_CALLS, Pair, Scores
from tests.support.lanes import HOUR_NS, NOW_NS, config_at, make_pairs, make_status, save
from tests.support.verdicts import CONTROL, PLAIN, altered, good, judged, rule, verdict_of

Change = Callable[[int], Any]


def versioned(pairs: list[Pair], model: Change, index: Change = lambda _: "") -> list[Pair]:
    return [msgspec.structs.replace(pair, model_rev=model(i), index_hash=index(i)) for i, pair in enumerate(pairs)]


# ---- cases


def test_a_good_day_graduates(tmp_path: Path) -> None:
    verdict = judged(tmp_path, good())
    assert verdict.decision == "GRADUATE", verdict.summary


def test_contradicted_facts_on_every_pair_are_rejected_however_near_the_answers_are(tmp_path: Path) -> None:
    verdict = judged(tmp_path, altered(good(), fact_flip=True))
    assert (verdict.decision, rule(verdict, "contradicted_facts").beyond) == ("REJECT", True)
    assert rule(verdict, "mean_delta_s").ok is True


@pytest.mark.parametrize(("share", "kind"), [(1.0, "cut"), (0.3, "empty"), (0.25, "refused"), (0.05, "error")])
def test_answers_that_collapse_are_rejected_by_kind(share: float, kind: str, tmp_path: Path) -> None:
    rng = random.Random(1)
    down = [rng.random() < share for _ in range(2400)]
    pairs = altered(
        good(),
        state=lambda i: "divergent" if down[i] else "convergent",
        collapse=lambda i: kind if down[i] else "",
    )
    verdict = judged(tmp_path, pairs)
    assert verdict.decision == "REJECT"
    assert f"{kind} {sum(down)}" in rule(verdict, "collapsed").evidence


def test_a_shadow_that_collapses_where_prod_does_as_often_is_met(tmp_path: Path) -> None:
    rng = random.Random(2)
    who = [rng.choice(("prod", "shadow", "", "", "", "", "", "", "", "")) for _ in range(9000)]
    pairs = altered(
        good(9000),
        state=lambda i: "divergent" if who[i] == "shadow" else "convergent",
        collapse=lambda i: "refused" if who[i] == "shadow" else "",
        prod_collapse=lambda i: "refused" if who[i] == "prod" else "",
    )
    some = rule(judged(tmp_path, pairs, gate={"collapse_rate": 0.05}), "collapsed")
    assert some.ok is True


def test_rows_of_an_older_release_that_do_not_say_how_they_collapsed_count(tmp_path: Path) -> None:
    verdict = judged(tmp_path, altered(good(), state=lambda i: "divergent" if i % 10 == 0 else "convergent"))
    assert "not said how 240" in rule(verdict, "collapsed").evidence


@pytest.mark.parametrize("with_control", [True, False])
def test_one_chaotic_answer_in_a_thousand_is_met(with_control: bool, tmp_path: Path) -> None:
    def rare(pairs: list[Pair]) -> list[Pair]:
        return altered(pairs, state=lambda i: "chaotic" if i % 1000 == 7 else "convergent")

    control = rare(good(6000, shadow="control")) if with_control else None
    verdict = judged(tmp_path, rare(good(6000)), control)
    assert rule(verdict, "no_chaos").ok is True
    assert verdict.decision == "GRADUATE", verdict.summary


def test_drift_far_above_the_floor_is_rejected(tmp_path: Path) -> None:
    rng = random.Random(3)
    pairs = altered(good(), delta_s=lambda _: rng.uniform(0.55, 0.60), state="recursive")
    verdict = judged(tmp_path, pairs, altered(good(shadow="control"), delta_s=0.2))
    assert verdict.decision == "REJECT"
    assert "above the noise floor of 0.200" in rule(verdict, "mean_delta_s").evidence


def test_other_sources_are_not_met_and_strange_tool_calls_are_rejected(tmp_path: Path) -> None:
    calls = [
        msgspec.structs.replace(pair, outcome=msgspec.structs.replace(pair.outcome, findings={STRANGE_CALLS: 1}))
        for pair in altered(good(), citation_match=0.0)
    ]
    verdict = judged(tmp_path, calls)
    assert rule(verdict, "citations").status == "not met"
    assert rule(verdict, "tool_calls").beyond


def test_what_this_lane_has_not_is_not_judged(tmp_path: Path) -> None:
    pairs = altered(good(), group=None, citation_match=None, index_agrees=None)
    verdict = judged(tmp_path, pairs)
    assert verdict.decision == "GRADUATE"
    assert {"no_flip", "citations", "index"} <= {some.key for some in verdict.rules if some.not_judged}


def test_a_cap_that_dropped_nearly_all_is_not_met_sampling(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    save(config, good())
    status = make_status(48_000, dropped={"sampled_out": 144_000, "cap": 45_600}, mirrored=2400)
    some = rule(verdict_of(config, 2400, status=status), "sampling")
    assert some.ok is False
    assert "2400 of the 48000 wanted had room" in some.evidence


def test_settings_of_before_the_window_are_not_judged(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    pairs = good()
    save(config, pairs)
    start = pairs[0].copy.started_ns
    status = make_status(2400)
    (last,) = status["sampler"]["revisions"]
    wrong = {**last, "ratio": 0.9, "number": 0}

    def sampling(began_ns: int) -> Rule:
        status["sampler"]["revisions"] = [wrong, {**last, "since_ns": began_ns}]
        return rule(verdict_of(config, 2400, status=status), "sampling")

    assert sampling(start - 48 * HOUR_NS).ok is True
    assert sampling(start + 12 * HOUR_NS).ok is False


def test_a_bad_half_of_the_day_first_holds_until_the_end(tmp_path: Path) -> None:
    rng = random.Random(4)
    pairs = altered(
        good(), delta_s=lambda i: rng.gauss(0.54 if i < 1200 else 0.24, 0.02), anchored=None, state="convergent"
    )
    config = config_at(tmp_path, gate={"disable": ["overhead", "transitional"]})
    save(config, pairs[:1200])
    start = pairs[0].copy.started_ns
    half = verdict_of(config, 1200, now_ns=start + 12 * HOUR_NS)
    assert half.decision == "HOLD"
    assert half.summary.startswith("on the way to REJECT, unless the rest of the window saves it: mean ΔS")
    save(config, pairs[1200:])
    assert verdict_of(config, 2400).decision == "GRADUATE"


@pytest.mark.parametrize("shadows", [1, 3])
def test_the_controls_own_rows_are_read_once_for_all_shadows(
    shadows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"s{i}" for i in range(shadows)]
    lane = config_at(
        tmp_path, shadows={name: {"url": "http://127.0.0.1:9001"} for name in names}, gate=PLAIN, **CONTROL
    )
    for i, name in enumerate(names):
        save(lane, good(shadow=name, mean=0.2 + 0.01 * i))
    save(lane, good(shadow="control", mean=0.2))
    read: list[tuple[str, str]] = []
    for what in ("pieces", "segment_sums"):
        whole = getattr(SqliteStore, what)

        def counted(store: Any, arm: str, *given: Any, _whole: Any = whole, _what: str = what, **named: Any) -> Any:
            read.append((_what, arm))
            return _whole(store, arm, *given, **named)

        monkeypatch.setattr(SqliteStore, what, counted)
    with open_store(lane.store, read_only=True) as store:
        verdicts = evaluate_lane(lane, make_status(2400), store, now_ns=NOW_NS)
        assert Counter(read)["pieces", "control"] == Counter(read)["segment_sums", "control"] == 1
        alone = [evaluate_lane(lane, make_status(2400), store, shadow=name, now_ns=NOW_NS)[0] for name in names]
    assert verdicts == alone
    assert all("above the noise floor of 0." in rule(some, "mean_delta_s").evidence for some in verdicts)


# ---- the window


@pytest.mark.parametrize("stored", ["nothing", "cold answers", "an older window"])
def test_a_window_without_a_row_that_counts_has_not_run_yet(stored: str, tmp_path: Path) -> None:
    config = config_at(tmp_path)
    pairs = {"nothing": 0, "cold answers": 9, "an older window": 2400}[stored]
    save(config, make_pairs(pairs, hours=20))
    now = NOW_NS + (40 * HOUR_NS if stored == "an older window" else 0)
    window = verdict_of(config, pairs, now_ns=now).window
    assert (window.elapsed < 1e-6, window.hours < 1e-5) == (True, True), window


def test_a_window_that_is_restarted_begins_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = config_at(tmp_path)
    save(config, altered(good(), fact_flip=lambda i: i < 1200))
    assert verdict_of(config, 2400).decision == "REJECT"
    with open_store(config.store) as store:
        store.restart_window("candidate", NOW_NS - 12 * HOUR_NS)
        assert store.window_restarted("other") is None
    verdict = verdict_of(config, 2400)
    assert verdict.decision == "HOLD"
    assert (verdict.window.since_ns, verdict.window.why) == (NOW_NS - 12 * HOUR_NS, "restarted by hand")
    assert rule(verdict, "contradicted_facts").ok is True
    assert rule(verdict, "every_hour").needs is not None


def test_the_command_begins_a_new_window_for_one_shadow_or_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_at(tmp_path, shadows={"a": {"url": "http://127.0.0.1:1"}, "b": {"url": "http://127.0.0.1:2"}})
    save(config, make_pairs(5, shadow="a"))
    file = tmp_path / "lane.toml"
    file.write_text(
        f'[store]\nurl = "{config.store.url}"\n[shadows.a]\nurl = "http://127.0.0.1:1"\n'
        '[shadows.b]\nurl = "http://127.0.0.1:2"\n'
    )
    assert main(["gate", "--config", str(file), "--restart", "--shadow", "b"]) == 0
    assert "b: the gate's window begins now" in capsys.readouterr().out
    with open_store(config.store, read_only=True) as store:
        assert (store.window_restarted("a"), store.window_restarted("b") is None) == (None, False)
    assert main(["gate", "--config", str(file), "--restart", "--json"]) == 0
    with open_store(config.store, read_only=True) as store:
        assert store.window_restarted("a") is not None


def test_a_version_that_is_exchanged_begins_a_new_window(tmp_path: Path) -> None:
    pairs = versioned(altered(good(), fact_flip=lambda i: i < 1200), lambda i: "old" if i < 1200 else "new")
    verdict = judged(tmp_path, pairs)
    assert verdict.window.since_ns == pairs[1200].copy.started_ns
    assert verdict.window.why == "pin model_rev changed from old to new"
    assert rule(verdict, "contradicted_facts").ok is True


def test_versions_that_take_turns_begin_none(tmp_path: Path) -> None:
    verdict = judged(tmp_path, versioned(good(), lambda i: ("a", "b")[i % 2]))
    assert (verdict.window.why, verdict.decision) == ("", "GRADUATE")


def test_the_control_is_compared_at_the_same_requests(tmp_path: Path) -> None:
    pairs, control = good(3000), good(3000, shadow="control", seed=8)
    # A control that answered the second half only, and its answers differ by the question as the shadow's do.
    noisy = altered(control, delta_s=lambda i: pairs[i].scores.delta_s)
    some = rule(judged(tmp_path, pairs, noisy[1500:]), "mean_delta_s")
    assert some.ok is True
    assert "+0.000 (-0.0" in some.evidence


# ---- asked wrongly on a route


def refused(n: int, path: str = "/v1/embeddings", status: int = 404, first: int = 100_000, **more: Any) -> list[Pair]:
    """Copies of another route that the shadow refuses, all over the window."""
    words = {404: "The model `large` does not exist", 401: "Incorrect API key", 400: "Bad input"}.get(status, "no")
    return [
        msgspec.structs.replace(
            pair,
            copy=msgspec.structs.replace(pair.copy, target=path),
            outcome=msgspec.structs.replace(pair.outcome, status=status, detail=words),
            scores=Scores(note=f"HTTP {status}"),
        )
        for pair in make_pairs(n, first=first, **more)
    ]


@pytest.mark.parametrize(
    ("status", "remedy"),
    [(404, "set shadows.candidate.model"), (401, "set shadows.candidate.credential_env"), (400, "Bad input")],
)
def test_a_route_on_which_the_shadow_was_never_asked_rightly_holds(status: int, remedy: str, tmp_path: Path) -> None:
    verdict = judged(tmp_path, [*good(), *refused(600, status=status)])
    asked = rule(verdict, "asked")
    assert (verdict.decision, asked.ok) == ("HOLD", False)
    assert "POST /v1/embeddings (600 copies): 600 copies:" in asked.evidence
    assert remedy in asked.evidence
    assert [one.key for one in verdict.rules if one.ok is False] == ["asked"], "its copies count for nothing else"


def test_several_such_routes_are_all_named(tmp_path: Path) -> None:
    pairs = [*good(), *refused(40), *refused(30, "/v1/rerank", 401, 200_000)]
    evidence = rule(judged(tmp_path, pairs), "asked").evidence
    assert "POST /v1/embeddings (40 copies): 40 copies: 404 The model" in evidence
    assert "POST /v1/rerank (30 copies): 30 copies: 401 Incorrect" in evidence


def test_a_bad_shadow_is_rejected_whatever_it_was_wrongly_asked_beside(tmp_path: Path) -> None:
    verdict = judged(tmp_path, [*altered(good(), fact_flip=True), *refused(600)])
    assert verdict.decision == "REJECT"
    assert rule(verdict, "asked").ok is False


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/chat/completions"])
def test_a_route_that_is_refused_in_part_is_the_shadows_fault(path: str, tmp_path: Path) -> None:
    some = [*good(600, first=300_000), *refused(600, path)]
    answered = [
        msgspec.structs.replace(pair, copy=msgspec.structs.replace(pair.copy, target=path)) for pair in some[:600]
    ]
    verdict = judged(tmp_path, [*good(), *answered, *some[600:]])
    assert "asked" not in [one.key for one in verdict.rules]
    assert verdict.decision == "REJECT"


def test_a_few_odd_requests_are_no_route(tmp_path: Path) -> None:
    verdict = judged(tmp_path, [*good(), *refused(5)])
    assert "asked" not in [one.key for one in verdict.rules]


def test_refusals_for_the_moment_are_no_wrong_request(tmp_path: Path) -> None:
    verdict = judged(tmp_path, [*good(), *refused(600, status=429)])
    assert "asked" not in [one.key for one in verdict.rules]


def test_beside_a_control_the_route_is_left_out_of_both(tmp_path: Path) -> None:
    control = [*good(shadow="control"), *refused(600, shadow="control")]
    verdict = judged(tmp_path, [*good(), *refused(600)], control)
    assert [one.key for one in verdict.rules if one.ok is False] == ["asked"]
