"""A shadow that is the baseline: data with the sides exchanged gives the same verdict, and a worse baseline none."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadowlane.gate import Rule, Verdict, verdict_data
from shadowlane.gate.evidence import evaluate_lane
from shadowlane.gate.reverse import in_words, turned
from shadowlane.report.build import build_report
from shadowlane.report.html import render_page
from shadowlane.report.terminal import render_report, render_verdict
from shadowlane.store import open_store
from shadowlane.types import STRANGE_CALLS, GroupReading, Pair, Scores
from tests.support.lanes import NOW_NS, columns, config_at, failed, make_status, save
from tests.support.pages import read
from tests.support.verdicts import CONTROL, PLAIN, altered, good, rule

ONE_SIDED = {"citations", "coverage", "tool_calls"}
"""Rules on what an earlier release stored from one side only."""
REVERSE = {"candidate": {"url": "http://127.0.0.1:9001", "direction": "reverse"}}
PRICES = {"*": {"input": 1.0, "output": 1.0}}
N = 2400


def exchanged(pair: Pair) -> Pair:
    """What would have been stored if the two services had changed places."""
    copy, outcome, scores, group = pair.copy, pair.outcome, pair.scores, pair.scores.group
    if group is not None:
        group = GroupReading(
            number=group.number, seen=group.seen, prod=group.shadow, shadow=group.prod,
            prod_flip=group.flip, flip=group.prod_flip, trend=group.trend,
        )  # fmt: skip
    if scores == HTTP_ERROR:
        scores = NOT_SCORED
    fell = scores.prod_collapse and not scores.collapse
    state = "divergent" if fell else "convergent" if scores.state == "divergent" else scores.state
    return msgspec.structs.replace(
        pair,
        copy=msgspec.structs.replace(
            copy, status=outcome.status, ttfb_ns=outcome.ttfb_ns, duration_ns=outcome.duration_ns
        ),
        outcome=msgspec.structs.replace(
            outcome, status=copy.status, ttfb_ns=copy.ttfb_ns, duration_ns=copy.duration_ns,
            findings={STRANGE_CALLS: scores.prod_strange_calls} if scores.prod_strange_calls else {},
        ),
        scores=msgspec.structs.replace(
            scores, missing=scores.extra, extra=scores.missing, tokens=scores.prod_tokens, prod_tokens=scores.tokens,
            cost=scores.prod_cost, prod_cost=scores.cost, collapse=scores.prod_collapse,
            prod_collapse=scores.collapse, retrieved=scores.prod_retrieved, prod_retrieved=scores.retrieved,
            group=group, state=state,
            citation_match=scores.prod_citation_match, prod_citation_match=scores.citation_match,
            coverage=scores.prod_coverage, prod_coverage=scores.coverage,
            prod_strange_calls=outcome.findings.get(STRANGE_CALLS, 0),
        ),
    )  # fmt: skip


def verdict_on(folder: Path, pairs: list[Pair], *, reverse: bool, control: list[Pair] | None = None) -> Verdict:
    folder.mkdir()
    shadows = {"shadows": REVERSE} if reverse else {}
    config = config_at(folder, gate=PLAIN, prices=PRICES, **(CONTROL if control else {}), **shadows)
    save(config, [*pairs, *(control or [])])
    with open_store(config.store, read_only=True) as store:
        [verdict] = evaluate_lane(config, make_status(len(pairs)), store, now_ns=NOW_NS)
    assert verdict.reverse is reverse
    return verdict


def share(part: float, seed: int = 1) -> Callable[[int], bool]:
    rng = random.Random(seed)
    hit = [rng.random() < part for _ in range(N)]
    return lambda i: hit[i]


def answering(pairs: list[Pair], which: Callable[[int], bool], **outcome: Any) -> list[Pair]:
    return [
        msgspec.structs.replace(pair, outcome=msgspec.structs.replace(pair.outcome, **outcome)) if which(i) else pair
        for i, pair in enumerate(pairs)
    ]


def slower(pairs: list[Pair], by: float, *, first: float = 1.0) -> list[Pair]:
    return [
        msgspec.structs.replace(
            pair,
            outcome=msgspec.structs.replace(
                pair.outcome,
                duration_ns=int(pair.outcome.duration_ns * by),
                ttfb_ns=int(pair.outcome.ttfb_ns * first),
            ),
        )
        for pair in pairs
    ]


def using(pairs: list[Pair], prod: int, shadow: int) -> list[Pair]:
    return altered(pairs, prod_tokens=prod, tokens=shadow, prod_cost=prod / 1e6, cost=shadow / 1e6)


def flipping(which: Callable[[int], bool]) -> Callable[[int], GroupReading]:
    return lambda i: GroupReading(number=i % 40, seen=5, prod="convergent", shadow="convergent", flip=which(i))


HTTP_ERROR = Scores(state="divergent", collapse="error", note="HTTP error")
NOT_SCORED = Scores(note="HTTP error")
"""Where prod answers with an error, nothing is scored."""


def errors(pairs: list[Pair], status: int, which: Callable[[int], bool]) -> list[Pair]:
    """The shadow answers with an error, as the scorer has it."""
    found = answering(pairs, which, status=status, body=b"")
    return [msgspec.structs.replace(pair, scores=HTTP_ERROR) if which(i) else pair for i, pair in enumerate(found)]


def fallen(pairs: list[Pair], kind: str, which: Callable[[int], bool]) -> list[Pair]:
    return altered(
        pairs,
        state=lambda i: "divergent" if which(i) else "convergent",
        collapse=lambda i: kind if which(i) else "",
    )


def calling(which: Callable[[int], bool]) -> list[Pair]:
    """The shadow makes calls that prod never made, prod none that the shadow did not make."""
    made = answering(good(), which, findings={STRANGE_CALLS: 1})
    return altered(made, prod_strange_calls=0)


WORSE: dict[str, tuple[str, Callable[[], list[Pair]]]] = {
    "P95": ("p95_latency", lambda: slower(good(), 1.4)),
    "first byte": ("ttfb", lambda: slower(good(), 1.0, first=1.5)),
    "HTTP 503": ("shadow_errors", lambda: errors(good(), 503, share(0.2))),
    "HTTP 404": ("shadow_errors", lambda: errors(good(), 404, share(0.2))),
    "HTTP 429": ("throttled", lambda: errors(good(), 429, share(0.1))),
    "refused": ("refused", lambda: fallen(good(), "refused", share(0.2))),
    "empty": ("empty", lambda: fallen(good(), "empty", share(0.2))),
    "cut": ("collapsed", lambda: fallen(good(), "cut", share(0.2))),
    "tokens": ("tokens", lambda: using(good(), 100, 150)),
    "cost": ("cost", lambda: using(good(), 100, 150)),
    "flips": ("no_flip", lambda: altered(good(), group=flipping(share(0.5)))),
    "left out": ("missing", lambda: altered(good(), missing=0.5, extra=0.1)),
    "added": ("extra", lambda: altered(good(), missing=0.1, extra=0.5)),
    "retrieved": ("retrieved", lambda: altered(good(), retrieved=0.7, prod_retrieved=0.2)),
    "citations": ("citations", lambda: altered(good(), citation_match=0.3, prod_citation_match=0.9)),
    "coverage": ("coverage", lambda: altered(good(), coverage=0.4, prod_coverage=0.95)),
    "tool calls": ("tool_calls", lambda: calling(share(0.2))),
}
"""How a candidate is worse than its baseline: the rule that sees it, and the rows."""
BOTH_ALIKE: dict[str, tuple[str, Callable[[], list[Pair]]]] = {
    "ΔS": ("mean_delta_s", lambda: altered(good(), delta_s=0.7, anchored=0.7)),
    "facts": ("contradicted_facts", lambda: altered(good(), fact_flip=True)),
    "critical": ("critical", lambda: altered(good(), delta_s=lambda i: 0.9 if share(0.1)(i) else 0.1)),
    "chaos": ("no_chaos", lambda: altered(good(), state=lambda i: "chaotic" if share(0.3)(i) else "convergent")),
    "recursive": ("recursive", lambda: altered(good(), state=lambda i: "recursive" if share(0.5)(i) else "convergent")),
    "index": ("index", lambda: altered(good(), index_agrees=False)),
}
"""Differences that are nobody's in particular."""


def outcome(some: Rule) -> tuple[Any, ...]:
    return some.ok, some.beyond, some.needs_person, bool(some.not_judged)


@pytest.mark.parametrize("what", [*WORSE, *BOTH_ALIKE, "good"])
def test_exchanged_data_gives_the_same_verdict(tmp_path: Path, what: str) -> None:
    key, made = {**WORSE, **BOTH_ALIKE, "good": ("", good)}[what]
    pairs = made()
    forward = verdict_on(tmp_path / "forward", pairs, reverse=False)
    reverse = verdict_on(tmp_path / "reverse", [exchanged(pair) for pair in pairs], reverse=True)
    assert reverse.decision == forward.decision
    assert not key or rule(forward, key).ok is False
    for ours in forward.rules:
        theirs = rule(reverse, ours.key)
        if ours.key in ONE_SIDED and theirs.not_judged:  # these rows do not say it of the other side
            assert theirs.not_judged.endswith("know one side alone, new ones know both")
            assert what != ours.name
            continue
        assert outcome(theirs) == outcome(ours), ours.key
        assert theirs.figure == (None if ours.figure is None else pytest.approx(ours.figure)), ours.key


@pytest.mark.parametrize("what", WORSE)
def test_no_rule_holds_a_worse_baseline_against_the_candidate(tmp_path: Path, what: str) -> None:
    key, made = WORSE[what]
    assert rule(verdict_on(tmp_path / "a", made(), reverse=True), key).ok is not False


def test_the_noise_floor_is_turned_too(tmp_path: Path) -> None:
    noisy, noise = altered(good(), group=flipping(share(0.3))), good(shadow="control", mean=0.2)
    noise = altered(noise, group=flipping(share(0.28, seed=2)))
    forward = verdict_on(tmp_path / "a", noisy, reverse=False, control=noise)
    reverse = verdict_on(
        tmp_path / "b", [exchanged(pair) for pair in noisy], reverse=True, control=[exchanged(one) for one in noise]
    )
    for key in ("no_flip", "mean_delta_s", "delta_s_p95", "segments"):
        assert outcome(rule(reverse, key)) == outcome(rule(forward, key))
        assert rule(reverse, key).figure == pytest.approx(rule(forward, key).figure)


def test_a_baseline_that_does_not_answer_is_not_the_candidates_fault(tmp_path: Path) -> None:
    which = share(0.4)
    pairs = [failed(pair, "deadline", took_s=30.0) if which(i) else pair for i, pair in enumerate(good(slower=1.1))]
    verdict = verdict_on(tmp_path / "a", pairs, reverse=True)
    assert rule(verdict, "shadow_errors").ok is True
    assert rule(verdict, "p95_latency").ok is True
    assert verdict.decision == "GRADUATE", verdict.summary


def test_a_baseline_that_was_never_asked_rightly_is_said(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path / "a", errors(good(), 401, lambda _: True), reverse=True)
    assert verdict.decision == "HOLD"
    assert rule(verdict, "asked").ok is False


@pytest.mark.parametrize("reverse", [False, True])
def test_requests_that_prod_failed_are_the_candidates_where_prod_is_one(tmp_path: Path, reverse: bool) -> None:
    config = config_at(tmp_path, gate=PLAIN, **({"shadows": REVERSE} if reverse else {}))
    save(config, good())
    status = make_status(N, dropped={"sampled_out": 1, "prod_failed": 900})
    with open_store(config.store, read_only=True) as store:
        [verdict] = evaluate_lane(config, status, store, now_ns=NOW_NS)
    some = rule(verdict, "prod_errors")
    assert (some.ok, some.beyond) == (False, reverse)
    assert verdict.decision == ("REJECT" if reverse else "HOLD")
    assert ("prod_errors" in verdict.waits_for["lane"]) is not reverse
    assert some.evidence.startswith("prod failed 900 of ")


def test_lines_name_the_services_as_they_are(tmp_path: Path) -> None:
    forward = verdict_on(tmp_path / "a", slower(good(), 1.4), reverse=False)
    reverse = verdict_on(tmp_path / "b", [exchanged(pair) for pair in slower(good(), 1.4)], reverse=True)
    assert rule(forward, "p95_latency").evidence.startswith("shadow P95 against prod P95")
    assert rule(reverse, "p95_latency").evidence.startswith("prod P95 against the shadow P95")
    assert "prod's less the shadow's own" in rule(reverse, "refused").evidence
    for some in reverse.rules:
        assert not re.search(r"the the|the prod", some.evidence), some


def test_names_from_outside_are_left_alone() -> None:
    line = "route POST /prod/shadow: failed copies 0.5"
    assert in_words(Rule("segments", "segments", False, line)).evidence == line
    hint = "prod's wait; raise shadows.NAME.concurrency, shadow_error_rate, /prod/x, prod-1"
    said = in_words(Rule("slot_wait", "slot wait", False, hint)).evidence
    assert said == "the shadow's wait; raise shadows.NAME.concurrency, shadow_error_rate, /prod/x, prod-1"


def test_turning_rows() -> None:
    rows = columns(
        5,
        reason=["", "deadline", "cap", "", "connect_error"],
        status=[200, 0, 0, 503, 0],
        prod_status=[200, 200, 200, 200, 503],
        shadow_ns=[10, 20, 0, 30, 0],
        state=["convergent", "", "", "divergent", ""],
        collapse=["", "", "", "error", ""],
        tries=[3, 1, 0, 1, 1],
        judge=["prod_better", "same", "", "shadow_better", ""],
    )
    other = turned(rows)
    assert other.reason.tolist() == ["", "", "sampled_out", "", ""]
    assert other.status.tolist() == [200, 200, 200, 200, 503]
    assert other.prod_status.tolist() == [200, 599, 0, 503, 599]
    assert other.prod_ns.tolist() == [10, 20, 0, 30, 0]
    assert other.state.tolist() == ["convergent", "", "", "", ""]
    assert other.tries.tolist() == [1, 1, 0, 1, 1]
    assert other.judge.tolist() == ["shadow_better", "same", "", "prod_better", ""]
    assert other.prod_citation_match.tolist() == [1.0] * 5
    assert turned(columns(2, prod_strange_calls=[-1, 3], strange_calls=[7, 0])).strange_calls.tolist() == [-1, 3]


def test_rows_of_an_earlier_release_are_not_taken_from_the_other_side(tmp_path: Path) -> None:
    """They say that the shadow lacks all that prod cites and retrieves: nothing of what prod, the candidate, lacks."""
    old = altered(
        good(), citation_match=0.0, coverage=0.0, prod_citation_match=None, prod_coverage=None, prod_strange_calls=None
    )
    verdict = verdict_on(tmp_path / "a", answering(old, lambda _: True, findings={STRANGE_CALLS: 1}), reverse=True)
    for key in ONE_SIDED:
        assert rule(verdict, key).not_judged.endswith("know one side alone, new ones know both"), key


def test_the_report_says_whose_citations_sections_and_calls(tmp_path: Path) -> None:
    pairs = altered(
        good(),
        citation_match=0.1, prod_citation_match=0.75, coverage=0.1, prod_coverage=0.5,
        prod_strange_calls=lambda i: 2 if i < 3 else 0,
    )  # fmt: skip
    said = {}
    for name, shadows in (("reverse", {"shadows": REVERSE}), ("forward", {})):
        (tmp_path / name).mkdir()
        config = config_at(tmp_path / name, **shadows)
        save(config, pairs)
        with open_store(config.store, read_only=True) as store:
            report = build_report(config, make_status(N), store, now_ns=NOW_NS)
        said[name] = "\n".join(line for line, _ in render_report(report))
        page = " ".join(read(render_page(report)).text)
        assert ("the shadow's citations in prod's" in page) is (name == "reverse")
    assert "75.0 % of the shadow's are prod's too (2400 pairs cite)" in said["reverse"]
    assert "50.0 % of what the shadow retrieved was retrieved by prod" in said["reverse"]
    assert "6 of prod's that the shadow never made, in 3 pairs" in said["reverse"]
    assert "10.0 % of prod's found again (2400 pairs cite)" in said["forward"]
    assert "10.0 % of what prod retrieved was retrieved too" in said["forward"]
    assert "of prod's that the shadow never made" not in said["forward"]


def test_the_report_and_its_page_read_the_right_way_round(tmp_path: Path) -> None:
    config = config_at(tmp_path, shadows=REVERSE, prices=PRICES)
    pairs = using(slower(good(), 2.0), 100, 200)
    save(config, pairs)
    with open_store(config.store, read_only=True) as store:
        report = build_report(config, make_status(N), store, now_ns=NOW_NS)
    [shadow] = report["shadows"]
    latency, tokens = shadow["latency"], shadow["accounts"]["tokens"]
    assert latency["shadow"]["p95"] == pytest.approx(2 * latency["prod"]["p95"], rel=0.1)
    assert latency["p95_increase"] == pytest.approx(-0.5, abs=0.05)
    assert (tokens["prod"], tokens["shadow"], tokens["increase"]) == (100.0, 200.0, pytest.approx(-0.5))
    text = "\n".join(line for line, _ in render_report(report))
    assert "the baseline: prod, which serves, is the candidate" in text
    assert "(prod's above the shadow's)" in text
    page = " ".join(read(render_page(report)).text)
    assert "the baseline: prod, which serves, is the candidate" in page
    lines = render_verdict(shadow["verdict"])
    assert any("the baseline" in line for line, _ in lines)


def test_json_says_the_direction(tmp_path: Path) -> None:
    assert verdict_data(verdict_on(tmp_path / "a", good()[:200], reverse=True))["direction"] == "reverse"
    assert verdict_data(verdict_on(tmp_path / "b", good()[:200], reverse=False))["direction"] == "forward"
