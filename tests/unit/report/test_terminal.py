"""The report as text."""

from __future__ import annotations

from pathlib import Path

import msgspec

from shadowlane.render.wrap import wrapped
from shadowlane.report.build import build_report
from shadowlane.report.terminal import render_report
from shadowlane.store import open_store
from shadowlane.types import Scores
from tests.support.lanes import NOW_NS, config_at, failed, make_pairs, make_status, save


def text_of(tmp_path: Path, pairs: list[msgspec.Struct], **more: object) -> str:
    config = config_at(tmp_path, **more)
    save(config, pairs)  # type: ignore[arg-type]
    with open_store(config.store, read_only=True) as store:
        report = build_report(config, make_status(len(pairs)), store, now_ns=NOW_NS)
    return "\n".join(line for line, _ in render_report(report))


def test_the_text_has_everything(tmp_path: Path) -> None:
    pairs = make_pairs(100)
    text = text_of(tmp_path, [failed(pairs[0], "deadline", took_s=30), *pairs[1:]])
    for expected in (
        "lane default, 100 pairs",
        "accounting holds",
        "25.0 % configured, 25.0 % achieved",
        "99 answered, failed: deadline 1",
        "stable",
        "→ convergent",
        "1 ran into the deadline",
        "x-ratelimit-remaining: 41",
        "candidate: HOLD",
        "not known  pairs",
        "furthest apart",
        "question ",
    ):
        assert expected in text
    shown = [line.split()[1] for line in text.splitlines() if line.startswith("      id ")]
    assert shown
    assert set(shown) <= {pair.copy.shadow_id for pair in pairs}  # what `replay --one` takes


def test_answers_cannot_drive_the_terminal(tmp_path: Path) -> None:
    (pair,) = make_pairs(1)
    evil = "\x1b]0;title\x07\x1b[2Jcleared\r\x9b31m\u202e"
    evil_pair = msgspec.structs.replace(
        pair,
        prod_text=evil,
        shadow_text=evil + "!",
        rate_limit={"x-ratelimit-note": evil},
        copy=msgspec.structs.replace(pair.copy, target="/" + evil),
    )
    text = text_of(tmp_path, [evil_pair])
    assert "cleared" in text
    assert not set("\x1b\x07\r\x9b\u202e") & set(text)


def test_a_shadow_without_pairs_says_so(tmp_path: Path) -> None:
    shadows = {"a": {"url": "http://127.0.0.1:1"}, "candidate": {"url": "http://127.0.0.1:2"}}
    text = text_of(tmp_path, make_pairs(3), shadows=shadows)
    assert "shadow a, http://127.0.0.1:1\n  no pairs stored yet" in text


def test_the_verdict_and_what_the_shadow_refused_stand_on_the_first_screen(tmp_path: Path) -> None:
    pairs = make_pairs(100)
    for number in range(20):
        outcome = msgspec.structs.replace(pairs[number].outcome, status=401, detail="Incorrect API key provided")
        pairs[number] = msgspec.structs.replace(pairs[number], outcome=outcome, scores=Scores(note="no"))
    lines = [piece for line in text_of(tmp_path, pairs).splitlines() for piece in wrapped(line, 80)]
    first = "\n".join(lines[:24])
    assert "verdict      HOLD" in first
    assert "20 copies: 401 Incorrect API key provided" in first
