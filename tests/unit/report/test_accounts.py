"""What answers used, cost and said of themselves, and what a shadow refused with: as data, as text and on the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadowlane.report.build import build_report
from shadowlane.report.html import render_page
from shadowlane.report.terminal import render_report
from shadowlane.store import open_store
from shadowlane.types import Pair
from tests.support.lanes import NOW_NS, config_at, make_pairs, make_status, save
from tests.support.pages import read

replace = msgspec.structs.replace


def used(pair: Pair, prod: int, shadow: int, *, cost: tuple[float, float] | None = None, cached: bool = False) -> Pair:
    scores = replace(pair.scores, prod_tokens=prod, tokens=shadow, cache_served=cached)
    if cost is not None:
        scores = replace(scores, prod_cost=cost[0], cost=cost[1])
    return replace(pair, scores=scores)


def shown(tmp_path: Path, pairs: list[Pair]) -> tuple[dict[str, Any], str, str]:
    """The shadow's block, the text and the page's text."""
    config = config_at(tmp_path)
    save(config, pairs)
    with open_store(config.store, read_only=True) as store:
        report = build_report(config, make_status(len(pairs)), store, now_ns=NOW_NS)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    text = "\n".join(line for line, _ in render_report(report))
    return report["shadows"][0], text, " ".join(" ".join(read(render_page(report)).text).split())


def test_tokens_and_cost_are_of_the_pairs_in_which_both_say(tmp_path: Path) -> None:
    pairs = make_pairs(6)
    pairs[0] = used(pairs[0], 100, 150, cost=(0.01, 0.03))
    pairs[1] = used(pairs[1], 300, 350)
    pairs[2] = used(pairs[2], 10_000, 10, cost=(9.0, 0.0), cached=True)
    block, text, page = shown(tmp_path, pairs)
    both = {"pairs": 2, "prod": 200, "shadow": 250, "increase": 0.25, "reverse": False}
    assert block["accounts"]["tokens"] == both
    cost = block["accounts"]["cost"]
    assert (cost["pairs"], cost["prod"], cost["shadow"]) == (1, 0.01, 0.03)
    assert cost["increase"] == pytest.approx(2.0)
    assert block["accounts"]["cache_served"] == 1
    assert "prod 200 an answer, shadow 250 (+25.0 %); 2 pairs in which both say what they used" in text
    assert "prod 0.01 an answer, shadow 0.03 (+200.0 %); 1 pairs in which both models have a price" in text
    assert "served 1 pairs, left out of tokens and cost" in text
    for part in ("tokens an answer +25.0 %", "cost an answer +200.0 %", "served 1 pairs"):
        assert part in page


def test_nothing_is_said_of_what_nobody_says(tmp_path: Path) -> None:
    block, text, page = shown(tmp_path, make_pairs(6))
    assert (block["accounts"]["tokens"], block["accounts"]["cost"], block["models"]) == (None, None, [])
    assert (block["finish_reasons"], block["tool_agreement"]) == ([], {})
    for absent in ("an answer", "tool use", "finish  ", "models  "):
        assert absent not in text
    assert "tokens an answer" not in page


def test_models_ends_and_tool_use(tmp_path: Path) -> None:
    pairs = make_pairs(5)
    for number, tools in enumerate(("same", "same", "arguments", "missing", "")):
        pairs[number] = replace(
            pairs[number],
            prod_model="gpt-large",
            model="open-small" if number else "",
            prod_finish="stop",
            finish="length" if number == 4 else "stop",
            scores=replace(pairs[number].scores, tools=tools),
        )
    block, text, page = shown(tmp_path, pairs)
    assert block["models"][0] == {"prod": "gpt-large", "shadow": "open-small", "pairs": 4}
    assert block["finish_reasons"] == [
        {"prod": "stop", "shadow": "stop", "pairs": 4},
        {"prod": "stop", "shadow": "length", "pairs": 1},
    ]
    assert block["tool_agreement"] == {"same": 2, "arguments": 1, "missing": 1}
    for line in (
        "prod gpt-large, shadow open-small: 4 pairs",
        "prod gpt-large, shadow (not said): 1 pairs",
        "both stop: 4 pairs",
        "prod stop, shadow length: 1 pairs",
        "the same calls in 2, the same tools with other arguments in 1, only prod calls in 1 pairs",
    ):
        assert line in text
        assert line in page


def test_time_to_the_first_byte(tmp_path: Path) -> None:
    pairs = [
        replace(
            pair,
            copy=replace(pair.copy, ttfb_ns=100_000_000, duration_ns=200_000_000),
            outcome=replace(pair.outcome, ttfb_ns=150_000_000, duration_ns=200_000_000),
        )
        for pair in make_pairs(6)
    ]
    _, text, page = shown(tmp_path, pairs)
    assert "first byte   prod P50 100 ms, P95 100 ms; shadow P50 150 ms, P95 150 ms" in text
    assert "P95 to the first byte +50.0 % prod 100 ms, shadow 150 ms" in page


def test_a_copy_that_hangs_before_its_first_byte_looks_no_faster(tmp_path: Path) -> None:
    pairs = make_pairs(40)
    for number in range(0, 40, 4):
        outcome = replace(pairs[number].outcome, reason="deadline", status=0, ttfb_ns=0, duration_ns=30 * 10**9)
        pairs[number] = replace(pairs[number], outcome=outcome)
    block, text, page = shown(tmp_path, pairs)
    assert block["latency"]["ttfb"]["shadow"]["p95"] == 30.0
    assert "P95 30" in next(line for line in text.splitlines() if "first byte   prod" in line)
    assert "P95 to the first byte" in page


@pytest.mark.parametrize("stored", ["nothing", "the last byte's"])
def test_a_first_byte_that_nobody_measured_is_not_shown(stored: str, tmp_path: Path) -> None:
    def unmeasured(one: Any) -> Any:
        return replace(one, ttfb_ns=0 if stored == "nothing" else one.duration_ns)

    pairs = [replace(one, copy=unmeasured(one.copy), outcome=unmeasured(one.outcome)) for one in make_pairs(6)]
    block, text, page = shown(tmp_path, pairs)
    assert block["latency"]["ttfb"] is None
    assert "first byte   prod" not in text
    assert "P95 to the first byte" not in page
    if stored == "nothing":
        assert {side["first_byte_seconds"] for one in block["worst"] for side in (one["prod"], one["shadow"])} == {None}


def test_the_body_of_a_refusal_is_shown_as_it_is_kept(tmp_path: Path) -> None:
    body = b'{"error": {"message": "model `x-17` not found", "type": "invalid_request_error"},\n "hint": "[EMAIL]"}'
    pairs = make_pairs(4)
    for number in range(3):
        outcome = replace(
            pairs[number].outcome, status=404, body=body, detail=f"model `x-{number}` not found, request {number}"
        )
        pairs[number] = replace(pairs[number], outcome=outcome)
    block, text, page = shown(tmp_path, pairs)
    [refusal] = block["refusals"]
    assert (refusal["copies"], refusal["status"]) == (3, 404)
    assert refusal["body"] == " ".join(body.decode().split())
    assert refusal["asked"].endswith("?")
    for said in (text, page):
        assert '"hint": "[EMAIL]"' in said
        assert "3 copies: 404 model" in said


def test_a_question_is_shown_once_with_how_often_it_was_asked(tmp_path: Path) -> None:
    """In its group, by its request, and by its words where neither is the same."""
    pairs = make_pairs(90)
    for number, pair in enumerate(pairs):
        keep = pair.scores.group if number % 3 == 0 else None
        req_hash = f"{number:032x}" if number % 3 == 1 else f"{'same':>032}" if number % 3 == 2 else pair.copy.req_hash
        scores = replace(pair.scores, group=keep, delta_s=0.9 if number % 3 == 0 else 0.5 + number / 1000)
        pairs[number] = replace(pair, scores=scores, copy=replace(pair.copy, req_hash=req_hash))
    pairs[2] = replace(pairs[2], scores=replace(pairs[2].scores, fact_flip=True, delta_s=0.01))
    block, text, page = shown(tmp_path, pairs)
    worst = block["worst"]
    assert len({one["asked"] for one in worst}) == len(worst) == 3
    assert worst[0]["shadow_id"] == pairs[2].copy.shadow_id  # contradicted: first, however near
    assert worst[1]["delta_s"] == 0.9
    assert [one["asked_times"] for one in worst] == [30, 30, 30]
    for said in (text, page):
        assert "asked 30 times" in said


def test_questions_of_which_nothing_is_kept_are_told_apart_by_their_request(tmp_path: Path) -> None:
    config = config_at(tmp_path, store={"url": f"sqlite:///{tmp_path / 'shadowlane.db'}", "keep_bodies": "none"})
    pairs = [replace(pair, scores=replace(pair.scores, group=None)) for pair in make_pairs(80)]
    save(config, pairs)
    with open_store(config.store, read_only=True) as store:
        report = build_report(config, make_status(80), store, now_ns=NOW_NS)
    worst = report["shadows"][0]["worst"]
    assert len({one["req_hash"] for one in worst}) == len(worst) == 8
    assert {one["asked_times"] for one in worst} == {2}
