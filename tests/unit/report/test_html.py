"""The page: whole, safe whatever is in the answers, and self-contained."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import msgspec

from shadowlane.report.build import build_report
from shadowlane.report.html import render_page
from shadowlane.store import open_store
from shadowlane.types import STRANGE_CALLS, StubbedCall
from tests.support.lanes import NOW_NS, QUESTIONS, config_at, failed, make_pairs, make_status, save
from tests.support.pages import read

EVIL = "</div><script>alert(1)</script><img src=x onerror='alert(2)'>\"&amp;\x1b[31m\x00\u202e"
TARGETS = {"stable": 0.4, "critical": 0.6, "mean_delta_s": 0.45}


def page_of(tmp_path: Path, pairs: list[Any], **more: Any) -> str:
    config = config_at(tmp_path, **more)
    save(config, pairs)
    with open_store(config.store, read_only=True) as store:
        return render_page(build_report(config, make_status(len(pairs)), store, now_ns=NOW_NS))


def test_the_page_shows_the_report(tmp_path: Path) -> None:
    page = page_of(tmp_path, make_pairs(120))
    text = " ".join(read(page).text)
    for expected in ("HOLD", "mean ΔS", "P95 latency", "stable", "shadow candidate", "every request accounted for"):
        assert expected in text
    assert page.count("<svg") == 2
    assert page.count("<details") == len(QUESTIONS)


def test_nothing_from_outside_runs_or_loads(tmp_path: Path) -> None:
    (pair,) = make_pairs(1)
    evil = msgspec.structs.replace(
        pair,
        prod_text=EVIL,
        shadow_text=EVIL + " more",
        model_rev=EVIL,
        model=EVIL,
        prod_model=EVIL,
        finish=EVIL,
        prod_finish=EVIL,
        index_hash=EVIL,
        rate_limit={EVIL: EVIL},
        copy=msgspec.structs.replace(
            pair.copy, target=EVIL, method=EVIL, req_hash=EVIL, body=msgspec.json.encode({"query": EVIL})
        ),
        scores=msgspec.structs.replace(pair.scores, embedder=EVIL, note=EVIL, delta_s=0.9),
    )
    page = page_of(tmp_path, [evil])
    reader = read(page)
    assert not reader.tags & {"script", "img", "iframe", "link", "object", "embed", "base", "form", "a"}
    assert not {name for name in reader.attributes if name.startswith("on")} | (
        reader.attributes & {"src", "href", "style", "srcdoc"}
    )
    assert "alert(1)" in " ".join(reader.text)
    assert not set("\x00\x1b\u202e") & set(page)


def test_the_policy_allows_this_style_sheet_and_nothing_else(tmp_path: Path) -> None:
    page = page_of(tmp_path, make_pairs(3))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert policy is not None
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy[1].replace("&#x27;", "'") == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_a_pair_shows_its_policy_its_changes_and_its_stubbed_calls(tmp_path: Path) -> None:
    pairs = make_pairs(3)
    calls = (
        StubbedCall(name="weather", arguments='{"city":"Bern"}', answered="recorded", by_prod=True),
        StubbedCall(name=EVIL, arguments="{}", answered="unavailable"),
        StubbedCall(name="wipe", arguments="{}", round=2),
    )
    pairs[0] = msgspec.structs.replace(
        pairs[0],
        copy=msgspec.structs.replace(pairs[0].copy, why="inference", preset="openai", normalised=("store: false",)),
        outcome=msgspec.structs.replace(
            pairs[0].outcome,
            rounds=2,
            round_ns=(10**9, 2 * 10**9),
            usage={"input_tokens": 30},
            calls=calls,
            findings={STRANGE_CALLS: 2},
            normalised=("model: rewritten",),
        ),
    )
    blocked = failed(pairs[1], "write_intent")
    pairs[1] = msgspec.structs.replace(
        blocked, copy=msgspec.structs.replace(blocked.copy, blocked="write_intent", why="GraphQL mutation")
    )
    text = " ".join(" ".join(read(page_of(tmp_path, pairs)).text).split())
    assert "Blocked as writes GraphQL mutation 1" in text
    assert "2 that prod never made, in 1 pairs" in text
    assert "Policy inference · openai" in text
    assert "Changed on the copy store: false; model: rewritten" in text
    assert 'weather {"city":"Bern"}: answered with prod\'s result' in text
    assert "wipe {}: left, the turn ends there; prod never made it" in text
    assert "2 (1.00 s, 2.00 s); input_tokens 30" in text


def test_a_lane_without_pairs_has_a_page(tmp_path: Path) -> None:
    assert "No pairs stored yet" in " ".join(read(page_of(tmp_path, [])).text)


def test_the_control_has_its_own_section(tmp_path: Path) -> None:
    pairs = [*make_pairs(30), *make_pairs(30, shadow="control", seed=2)]
    page = page_of(tmp_path, pairs, control={"url": "http://127.0.0.1:9002"})
    text = " ".join(read(page).text)
    assert "control (prod against itself)" in text
    assert "noise floor" in text
