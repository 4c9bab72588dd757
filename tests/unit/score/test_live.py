"""Live λ through the scorer: groups over real embeddings, flips of each arm, across batches and across workers."""

from __future__ import annotations

import json
import logging
import stat
from pathlib import Path

import pytest

from shadowlane.config import ScoreConfig
from shadowlane.embedders import Embedder, load_embedder
from shadowlane.score.scorer import Scorer
from shadowlane.types import Copy, GroupReading, Outcome, Pair

RIDE = "A ride may last 45 minutes; every further quarter of an hour costs 50 cents."
FAR = "Bond yields fell sharply after the central bank's announcement on Tuesday."
ASKED = ("How long may a single ride last?", "How long may one single ride last?", "How long can a single ride last?")


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder("wordllama")


def pair(
    number: int,
    question: str,
    prod: str,
    shadow: str,
    *,
    arm: str = "candidate",
    status: int = 200,
    prod_status: int = 200,
) -> Pair:
    def body(text: str) -> bytes:
        return json.dumps({"answer": text}).encode()

    json_type = ((b"content-type", b"application/json"),)
    return Pair(
        copy=Copy(
            shadow_id=f"id-{number}",
            req_hash="0" * 32,
            started_ns=number,
            method="POST",
            target="/ask",
            headers=(),
            body=json.dumps({"question": question}).encode(),
            status=prod_status,
            response_headers=json_type,
            response_body=body(prod),
            ttfb_ns=1,
            duration_ns=2,
        ),
        outcome=Outcome(shadow=arm, status=status, headers=json_type, body=body(shadow)),
    )


def readings(scorer: Scorer, *pairs: Pair) -> list[GroupReading | None]:
    return [one.scores.group for one in scorer.score(list(pairs))]


def reading(scorer: Scorer, one: Pair) -> GroupReading:
    [got] = readings(scorer, one)
    assert got is not None
    return got


def test_paraphrases_share_a_group_and_a_flip_is_the_arms_own(embedder: Embedder) -> None:
    scorer = Scorer(ScoreConfig(), embedder=embedder)
    got = readings(
        scorer,
        pair(1, ASKED[0], RIDE, RIDE),
        pair(2, ASKED[1], RIDE, FAR),
        pair(3, "Which lamp is red on the dock?", RIDE, RIDE),
        pair(4, ASKED[2], RIDE, RIDE),
    )
    first, second, other, third = got
    assert first == GroupReading(number=0, seen=1, prod="convergent", shadow="convergent")
    assert second == GroupReading(number=0, seen=2, prod="convergent", shadow="chaotic", flip=True, trend="chaotic")
    assert other is not None
    assert other.number == 1
    assert third is not None
    assert (third.seen, third.shadow, third.flip, third.trend) == (3, "convergent", True, "convergent")


def test_prods_answer_counts_once_for_all_its_shadows_in_whatever_batch(embedder: Embedder) -> None:
    scorer = Scorer(ScoreConfig(), embedder=embedder)
    reading(scorer, pair(1, ASKED[0], RIDE, RIDE))
    reading(scorer, pair(2, ASKED[1], FAR, RIDE))
    late = reading(scorer, pair(1, ASKED[0], RIDE, RIDE, arm="other"))
    again = reading(scorer, pair(2, ASKED[1], FAR, RIDE, arm="other"))
    assert (late.number, late.seen, late.prod, late.prod_flip) == (0, 1, "convergent", False)
    assert (again.seen, again.prod, again.prod_flip, again.flip) == (2, "chaotic", True, False)


def test_a_shadow_that_errs_is_a_run_that_collapsed(embedder: Embedder) -> None:
    scorer = Scorer(ScoreConfig(), embedder=embedder)
    reading(scorer, pair(1, ASKED[0], RIDE, RIDE))
    [scored] = scorer.score([pair(2, ASKED[1], RIDE, "boom", status=500)])
    assert scored.scores.delta_s is None
    assert scored.scores.group is not None
    assert (scored.scores.group.shadow, scored.scores.group.flip) == ("divergent", True)


def test_what_prod_failed_and_what_was_never_sent_is_in_no_group(embedder: Embedder) -> None:
    scorer = Scorer(ScoreConfig(), embedder=embedder)
    lost = pair(2, ASKED[0], RIDE, "")
    lost = Pair(copy=lost.copy, outcome=Outcome(shadow="candidate", reason="deadline"))
    assert readings(scorer, pair(1, ASKED[0], RIDE, RIDE, prod_status=500), lost) == [None, None]
    assert reading(scorer, pair(3, ASKED[0], RIDE, RIDE)).seen == 1


def test_other_figures_are_another_question(embedder: Embedder) -> None:
    scorer = Scorer(ScoreConfig(), embedder=embedder)
    thirty, sixty = (reading(scorer, pair(n, f"What costs a ride of {n} minutes?", RIDE, RIDE)) for n in (30, 60))
    assert thirty.number != sixty.number


def test_groups_outlive_a_worker_and_hold_no_text(embedder: Embedder, tmp_path: Path) -> None:
    folder = tmp_path / "store.db.default.groups"
    scorer = Scorer(ScoreConfig(), embedder=embedder, groups_folder=folder)
    reading(scorer, pair(1, ASKED[0], RIDE, RIDE))
    scorer.save()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    [file] = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    data = file.read_bytes()
    assert not any(word.encode() in data for word in (*RIDE.split(), *ASKED[0].split()) if len(word) > 4)
    next_one = Scorer(ScoreConfig(), embedder=embedder, groups_folder=folder)
    got = reading(next_one, pair(2, ASKED[1], RIDE, FAR))
    assert (got.number, got.seen, got.flip) == (0, 2, True)


@pytest.mark.parametrize("change", [{"group_threshold": 0.9}, {"group_window": 3}, {"group_capacity": 5}])
def test_groups_of_other_settings_start_anew_and_say_so(
    embedder: Embedder, tmp_path: Path, change: dict[str, float], caplog: pytest.LogCaptureFixture
) -> None:
    scorer = Scorer(ScoreConfig(), embedder=embedder, groups_folder=tmp_path)
    reading(scorer, pair(1, ASKED[0], RIDE, RIDE))
    scorer.save()
    with caplog.at_level(logging.WARNING, "shadowlane.score"):
        other = Scorer(ScoreConfig(**change), embedder=embedder, groups_folder=tmp_path)  # type: ignore[arg-type]
    assert "start anew" in caplog.text
    assert reading(other, pair(2, ASKED[0], RIDE, RIDE)).seen == 1


def test_a_damaged_file_starts_anew_and_says_so(
    embedder: Embedder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "groups.bin").write_bytes(b"nonsense")
    with caplog.at_level(logging.WARNING, "shadowlane.score"):
        scorer = Scorer(ScoreConfig(), embedder=embedder, groups_folder=tmp_path)
    assert "damaged" in caplog.text
    assert reading(scorer, pair(1, ASKED[0], RIDE, RIDE)).seen == 1


def test_groups_can_be_switched_off(embedder: Embedder) -> None:
    assert readings(Scorer(ScoreConfig(groups=False), embedder=embedder), pair(1, ASKED[0], RIDE, RIDE)) == [None]


def test_memory_is_bounded_by_the_capacity(embedder: Embedder) -> None:
    scorer = Scorer(ScoreConfig(group_capacity=3), embedder=embedder)
    topics = ("red lamps", "lost keys", "winter tyres", "night buses", "open windows", "green tea")
    got = [reading(scorer, pair(n, f"Tell me about {topic}", RIDE, RIDE)) for n, topic in enumerate(topics)]
    assert [one.number for one in got] == list(range(6))
    assert scorer._groups is not None
    assert len(scorer._groups) == 3
