"""The verdict of a probe: each criterion by itself, what is not asked of the shadow, and what is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from shadowlane.embedders import Embedder, load_embedder
from shadowlane.probe.gold import GoldItem
from shadowlane.probe.page import render_page
from shadowlane.probe.render import junit, render_verdict
from shadowlane.probe.runner import Runs
from shadowlane.probe.state import Run
from shadowlane.probe.verdict import ItemVerdict, ProbeVerdict, Targets, evaluate_runs
from shadowlane.render.text import Line
from shadowlane.types import Citation

GOOD = "A ride may last 45 minutes; each further quarter of an hour costs 50 cents."
OTHER = "Bond yields fell sharply after the central bank's announcement on Tuesday."
ITEM = GoldItem(id="ride", question="How long may a ride be?", sections=("riding/duration",))
WORDINGS = ("one", "two", "three")


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder("wordllama")


def runs_of(
    prod: Callable[[int, int], dict[str, Any]], shadow: Callable[[int, int], dict[str, Any]], item: str = "ride"
) -> Runs:
    runs: Runs = {}
    for arm, answer in (("prod", prod), ("shadow", shadow)):
        for wording in range(3):
            for seed in (1, 2):
                values = {"status": 200, "text": GOOD, "citations": cite("riding/duration"), **answer(wording, seed)}
                run = Run(item=item, wording=wording, seed=seed, arm=arm, **values)  # type: ignore[arg-type]
                runs[run.key] = run
    return runs


def cite(*sections: str) -> tuple[Citation, ...]:
    return tuple(Citation(section_id=section, snippet_id=section) for section in sections)


def good(wording: int, seed: int) -> dict[str, Any]:
    return {}


def judged(runs: Runs, embedder: Embedder, targets: Targets | None = None, item: GoldItem = ITEM) -> ItemVerdict:
    [verdict] = evaluate_runs([item], {item.id: WORDINGS}, runs, (1, 2), embedder, targets).items
    return verdict


def missed(item: ItemVerdict) -> set[str]:
    return {criterion.name for criterion in item.criteria if criterion.ok is False}


def test_equal_services_pass(embedder: Embedder) -> None:
    verdict = evaluate_runs([ITEM], {"ride": WORDINGS}, runs_of(good, good), (1, 2), embedder)
    assert (verdict.ok, verdict.accepted, verdict.items[0].ok) == (True, 1, True)
    assert verdict.mean_delta_s == pytest.approx(0, abs=1e-6)
    assert verdict.convergence == {"prod": 1.0, "shadow": 1.0}
    assert (verdict.citation_match, verdict.coverage) == (1.0, {"prod": 1.0, "shadow": 1.0})
    assert verdict.items[0].states["shadow"] == (("convergent", "convergent"),) * 3


@pytest.mark.parametrize(
    ("shadow", "names"),
    [
        (
            lambda w, s: {"text": "", "status": 500, "collapsed": True, "why": "HTTP 500"} if w == 1 else {},
            {"answers", "λ"},
        ),
        (lambda w, s: {"text": OTHER}, {"ΔS"}),
        (lambda w, s: {"text": GOOD.replace("45", "90").replace("50", "80")}, {"facts"}),
        (lambda w, s: {"text": OTHER, "citations": cite("x")} if s == 2 else {}, {"ΔS", "λ", "coverage"}),
        (lambda w, s: {"citations": cite("other/place")}, {"citations", "coverage"}),
        (lambda w, s: {"citations": ()}, {"citations", "coverage"}),
    ],
)
def test_each_fault_is_named(embedder: Embedder, shadow: Callable[[int, int], dict[str, Any]], names: set[str]) -> None:
    item = judged(runs_of(good, shadow), embedder)
    assert item.ok is False
    assert missed(item) == names
    assert all(criterion.evidence for criterion in item.criteria)


def test_one_paraphrase_that_is_far_off_is_enough(embedder: Embedder) -> None:
    item = judged(runs_of(good, lambda w, s: {"text": OTHER} if w == 2 else {}), embedder)
    assert item.delta_s[:2] == pytest.approx((0, 0), abs=1e-6)
    assert item.delta_s[2] is not None
    assert item.delta_s[2] > 0.6
    assert "ΔS" in missed(item)


def test_seeds_that_disagree_are_counted_by_wording(embedder: Embedder) -> None:
    item = judged(
        runs_of(good, lambda w, s: {"text": OTHER, "citations": cite("x")} if (w, s) == (0, 2) else {}), embedder
    )
    assert item.flips == {"prod": 0, "shadow": 1}
    assert item.states["shadow"][0] == ("convergent", "chaotic")


NEAR = "A ride may last 45 minutes."


@pytest.mark.parametrize(
    ("prod", "shadow", "ok"),
    [
        (lambda w, s: {}, lambda w, s: {}, True),
        (lambda w, s: {}, lambda w, s: {"text": NEAR}, True),
        (lambda w, s: {}, lambda w, s: {"text": NEAR} if s == 2 else {}, False),
        (lambda w, s: {"text": NEAR} if s == 2 else {}, lambda w, s: {"text": NEAR} if s == 1 else {}, True),
        (lambda w, s: {"text": NEAR} if s == 2 else {}, lambda w, s: {"text": NEAR}, True),
    ],
    ids=["equal", "always other words", "by the seed", "as prod by the seed", "prod by the seed"],
)
def test_how_far_the_seeds_differ_is_held_against_prods_own(
    prod: Callable[[int, int], dict[str, Any]],
    shadow: Callable[[int, int], dict[str, Any]],
    ok: bool,
    embedder: Embedder,
) -> None:
    item = judged(runs_of(prod, shadow), embedder, Targets(delta_s=2.0, spread=0.15))
    found = next(one for one in item.criteria if one.name == "spread")
    assert found.ok is ok, found.evidence
    assert "σ/μ" in found.evidence
    allowed = judged(runs_of(prod, shadow), embedder, Targets(delta_s=2.0, spread=1.0))
    assert next(one for one in allowed.criteria if one.name == "spread").ok is True
    shown = judged(runs_of(prod, shadow), embedder, Targets(delta_s=2.0))
    assert next(one for one in shown.criteria if one.name == "spread").ok is None


def test_a_spread_of_three_answers_is_not_known(embedder: Embedder) -> None:
    runs = {key: run for key, run in runs_of(good, good).items() if run.seed == 1}
    [item] = evaluate_runs([ITEM], {"ride": WORDINGS}, runs, (1,), embedder).items
    found = next(one for one in item.criteria if one.name == "spread")
    assert (found.ok, "give more seeds or paraphrases" in found.evidence, item.ok) == (None, True, True)


def test_what_prod_itself_does_not_do_is_not_asked_of_the_shadow(embedder: Embedder) -> None:
    def wavers(wording: int, seed: int) -> dict[str, Any]:
        return {"text": OTHER, "citations": cite("x")} if wording == 1 else {}

    item = judged(runs_of(wavers, wavers), embedder)
    assert item.ok is True
    assert "no worse than prod" in next(one.evidence for one in item.criteria if one.name == "λ")
    assert item.coverage == {"prod": pytest.approx(4 / 6), "shadow": pytest.approx(4 / 6)}
    worse = judged(
        runs_of(
            wavers, lambda w, s: {"text": OTHER, "citations": cite("x")} if w == 1 else {"text": OTHER} if w else {}
        ),
        embedder,
    )
    assert "λ" in missed(worse)


def test_without_an_answer_of_prod_nothing_is_evaluated(embedder: Embedder) -> None:
    down = lambda w, s: {"text": "", "status": 503, "collapsed": True, "why": "HTTP 503", "citations": ()}  # noqa: E731
    verdict = evaluate_runs([ITEM], {"ride": WORDINGS}, runs_of(down, good), (1, 2), embedder)
    assert (verdict.ok, verdict.items[0].ok, verdict.mean_delta_s) == (False, None, None)
    case = ElementTree.fromstring(junit(verdict)).find(".//testcase[@name='ride']/error")
    assert case is not None
    assert "HTTP 503 ×6" in (case.text or "")


def test_criteria_that_do_not_apply_do_not_count(embedder: Embedder) -> None:
    bare = msgspec.structs.replace(ITEM, sections=())
    item = judged(runs_of(lambda w, s: {"citations": ()}, lambda w, s: {"citations": ()}), embedder, item=bare)
    assert item.ok is True
    assert [criterion.name for criterion in item.criteria if criterion.ok is None] == [
        "spread",
        "citations",
        "coverage",
    ]


def test_targets_are_the_users(embedder: Embedder) -> None:
    runs = runs_of(
        good, lambda w, s: {"citations": cite("riding/duration", "more")} if w else {"citations": cite("more")}
    )
    assert missed(judged(runs, embedder)) == {"λ", "coverage"}
    assert missed(judged(runs, embedder, Targets(coverage=0.6))) == {"λ"}
    assert missed(judged(runs, embedder, Targets(citation_match=0.9))) == {"λ", "coverage", "citations"}
    two = [ITEM, msgspec.structs.replace(ITEM, id="b")]
    half = {**runs_of(good, lambda w, s: {"text": OTHER}), **runs_of(good, good, "b")}
    wordings = {"ride": WORDINGS, "b": WORDINGS}
    assert not evaluate_runs(two, wordings, half, (1, 2), embedder, Targets(delta_s=0.6)).ok
    assert evaluate_runs(two, wordings, half, (1, 2), embedder, Targets(delta_s=0.6, accepted=0.5)).ok


EVIL = "</td><script>alert(1)</script>\x00\x1b[31m\ud7ff\ufffe ]]> &amp; \u202e"


@pytest.fixture(scope="module")
def evil(embedder: Embedder) -> ProbeVerdict:
    item = GoldItem(id=EVIL, question=EVIL, sections=(EVIL,))
    shadow = lambda w, s: {"text": EVIL + OTHER, "why": EVIL, "collapsed": w == 0}  # noqa: E731
    return evaluate_runs([item], {EVIL: (EVIL, "b", "c")}, runs_of(good, shadow, EVIL), (1, 2), embedder)


def test_the_page_shows_answers_and_runs_none(evil: ProbeVerdict) -> None:
    markup = render_page(evil, title=EVIL, prod="http://p", shadow="http://s")
    assert "<script" not in markup
    assert "\x00" not in markup
    assert "NOT PASSED" in markup
    assert "alert(1)" in markup


def test_the_text_drives_no_terminal(evil: ProbeVerdict) -> None:
    lines: list[Line] = render_verdict(evil, every=True)
    assert all(text.isprintable() or set(text) & set("\u202e") == set() for text, _ in lines)
    assert not any(sign in text for text, _ in lines for sign in "\x00\x1b\u202e")
    assert lines[0][0] == "shadowlane probe: NOT PASSED, 0 of 1 items accepted"


def test_junit_is_well_formed_and_counts_what_it_holds(evil: ProbeVerdict) -> None:
    root = ElementTree.fromstring(junit(evil))
    [suite] = root
    cases = suite.findall("testcase")
    assert (root.tag, suite.tag, len(cases)) == ("testsuites", "testsuite", 2)
    assert int(suite.attrib["tests"]) == len(cases)
    assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure")) == 2
    assert int(suite.attrib["errors"]) == len(suite.findall("testcase/error")) == 0
    allowed = {
        "testcase": {"classname", "name", "time"},
        "failure": {"type", "message"},
        "system-out": set(),
    }
    for element in suite.iter():
        if element is not suite:
            assert set(element.attrib) == allowed[element.tag]
    assert "answers: 2 of 6 runs collapsed" in (suite.findtext("testcase/failure") or "")
