"""The scorer: real bodies in, scores or a reason out, in order, whatever one pair holds."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from shadowlane.config import ScoreConfig, StructureConfig
from shadowlane.embedders import Embedder
from shadowlane.errors import ConfigError, ScoreError
from shadowlane.score.scorer import Scorer
from shadowlane.types import (
    FLAG_CLIENT_DISCONNECTED,
    FLAG_RESPONSE_CUT,
    Copy,
    Headers,
    Outcome,
    Pair,
    StructureDifference,
)

JSON: Headers = ((b"Content-Type", b"application/json"),)


def chat(text: str | None, finish: str = "stop", **extra: object) -> bytes:
    message = {"role": "assistant", "content": text, **extra}
    answer = {
        "id": "c1",
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }
    return json.dumps(answer).encode()


def pair(
    prod: bytes,
    shadow: bytes,
    *,
    headers: Headers = JSON,
    shadow_headers: Headers = JSON,
    status: int = 200,
    shadow_status: int = 200,
    reason: str = "",
    flags: int = 0,
) -> Pair:
    copy = Copy(
        shadow_id="0190d1a0-0000-7000-8000-000000000001",
        req_hash="0" * 32,
        started_ns=1,
        method="POST",
        target="/v1/chat/completions",
        headers=(),
        body=b"{}",
        status=status,
        response_headers=headers,
        response_body=prod,
        ttfb_ns=1,
        duration_ns=2,
        flags=flags,
    )
    outcome = Outcome(shadow="candidate", reason=reason, status=shadow_status, headers=shadow_headers, body=shadow)
    return Pair(copy=copy, outcome=outcome)


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(ScoreConfig())


def one(scorer: Scorer, given: Pair) -> Pair:
    [scored] = scorer.score([given])
    return scored


def test_equal_answers_converge(scorer: Scorer) -> None:
    scored = one(scorer, pair(chat("The capital of France is Paris."), chat("The capital of France is Paris.")))
    assert scored.prod_text == scored.shadow_text == "The capital of France is Paris."
    assert scored.scores.delta_s == pytest.approx(0, abs=1e-6)
    assert scored.scores.anchored == pytest.approx(0, abs=1e-6)
    assert (scored.scores.state, scored.scores.fact_flip, scored.scores.note) == ("convergent", False, "")
    assert scored.scores.embedder == scorer.embedder
    assert "@" in scorer.embedder


def test_a_contradiction_is_flagged_though_the_wording_is_near(scorer: Scorer) -> None:
    scored = one(scorer, pair(chat("The limit is 30 days for all items."), chat("The limit is 60 days for all items.")))
    assert scored.scores.delta_s is not None
    assert scored.scores.delta_s < 0.40
    assert scored.scores.fact_flip
    assert scored.scores.anchored is not None
    assert scored.scores.anchored >= 0.60


def test_answers_about_other_things_are_chaotic(scorer: Scorer) -> None:
    scored = one(scorer, pair(chat("The cat sat on the mat."), chat("Quarterly revenue grew; bond yields fell.")))
    assert scored.scores.state == "chaotic"


@pytest.mark.parametrize("reason", ["deadline", "connect_error", "sampled_out"])
def test_a_failed_copy_is_not_scored(scorer: Scorer, reason: str) -> None:
    scored = one(scorer, pair(chat("x"), b"", reason=reason))
    assert scored.scores.delta_s is None
    assert (scored.scores.note, scored.scores.state) == (reason, "")


@pytest.mark.parametrize(
    ("status", "shadow_status", "state", "note"),
    [
        (500, 200, "", "prod answered with HTTP 500"),
        (500, 500, "", "prod answered with HTTP 500"),
        (200, 500, "divergent", "the shadow answered with HTTP 500"),
        (200, 404, "divergent", "the shadow answered with HTTP 404"),
    ],
)
def test_error_pages_are_not_compared(scorer: Scorer, status: int, shadow_status: int, state: str, note: str) -> None:
    error = b'{"error": {"message": "boom", "type": "server_error"}}'
    given = pair(
        chat("x") if status == 200 else error,
        chat("x") if shadow_status == 200 else error,
        status=status,
        shadow_status=shadow_status,
    )
    scored = one(scorer, given)
    assert (scored.scores.delta_s, scored.scores.state, scored.scores.note) == (None, state, note)


@pytest.mark.parametrize(
    "shadow",
    [
        chat(""),
        chat(None, refusal="I cannot help with that."),
        chat("The capital of France", finish="length"),
        b'data: {"choices": [{"index": 0, "delta": {"content": "The capital of"}}]}\n\n',
    ],
    ids=["empty", "refused", "cut by length", "cut stream"],
)
def test_a_shadow_that_collapsed_diverges(scorer: Scorer, shadow: bytes) -> None:
    headers: Headers = ((b"content-type", b"text/event-stream"),) if shadow.startswith(b"data") else JSON
    scored = one(scorer, pair(chat("The capital of France is Paris."), shadow, shadow_headers=headers))
    assert scored.scores.state == "divergent"


def test_two_refusals_agree(scorer: Scorer) -> None:
    refusal = chat(None, refusal="I cannot help with that.")
    assert one(scorer, pair(refusal, refusal)).scores.state == "convergent"


def test_tool_calls_are_answers(scorer: Scorer) -> None:
    def call(city: str) -> bytes:
        function = {"name": "weather", "arguments": json.dumps({"city": city})}
        return chat(None, finish="tool_calls", tool_calls=[{"id": "1", "type": "function", "function": function}])

    same = one(scorer, pair(call("Oslo"), call("Oslo")))
    other = one(scorer, pair(call("Oslo"), call("Rome")))
    assert "weather" in same.prod_text
    assert same.scores.delta_s == pytest.approx(0, abs=1e-6)
    assert other.scores.delta_s is not None
    assert other.scores.delta_s > 0.01


def test_revisions_come_from_headers_or_bodies(scorer: Scorer) -> None:
    headers: Headers = (*JSON, (b"X-Model-Rev", b"r2"), (b"x-index-hash", b"aa"))
    scored = one(scorer, pair(chat("x"), chat("x"), headers=(*JSON, (b"x-index-hash", b"bb")), shadow_headers=headers))
    assert (scored.model_rev, scored.index_hash, scored.prod_index_hash) == ("r2", "aa", "bb")
    assert scored.scores.index_agrees is False


def test_citations_decide_the_state(scorer: Scorer) -> None:
    def cited(*ids: str) -> bytes:
        citations = [{"snippet_id": name, "section_id": "s", "source_url": "https://e.org/" + name} for name in ids]
        return json.dumps({"answer": "Leave is 25 days.", "citations": citations}).encode()

    agree = one(scorer, pair(cited("a", "b"), cited("a", "b")))
    part = one(scorer, pair(cited("a", "b"), cited("a", "z")))
    assert (agree.scores.citation_match, agree.scores.state) == (1.0, "convergent")
    assert (part.scores.citation_match, part.scores.state) == (0.5, "recursive")


def test_the_pointer_says_where_the_text_is() -> None:
    scorer = Scorer(ScoreConfig(embedder="lexical", text_pointer="/result/say"))
    body = b'{"result": {"say": "The answer.", "took": 3}}'
    assert one(scorer, pair(body, body)).prod_text == "The answer."


def test_embeddings_are_compared_as_vectors(scorer: Scorer) -> None:
    def vectors(*rows: list[float]) -> bytes:
        data = [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)]
        return json.dumps({"object": "list", "data": data, "model": "e"}).encode()

    half = one(scorer, pair(vectors([1.0, 0.0], [0.0, 2.0]), vectors([3.0, 0.0], [2.0, 0.0])))
    assert half.scores.delta_s == pytest.approx(0.5)
    assert half.scores.embedder == "response-vectors@1"
    other = one(scorer, pair(vectors([1.0, 0.0]), vectors([1.0, 0.0, 0.0])))
    assert other.scores.delta_s is None
    assert "cannot be compared" in other.scores.note
    blank = one(scorer, pair(vectors([1.0, 0.0]), vectors([0.0, 0.0])))
    assert "without direction" in blank.scores.note


def test_what_was_cut_is_said(scorer: Scorer) -> None:
    scored = one(scorer, pair(chat("x y z"), chat("x y z"), flags=FLAG_RESPONSE_CUT | FLAG_CLIENT_DISCONNECTED))
    assert "max_body_bytes" in scored.scores.note
    assert "client left" in scored.scores.note


def test_a_batch_keeps_its_order_and_one_bad_pair_costs_no_other() -> None:
    class Picky(Embedder):
        name, dim = "picky@1", 4

        def __init__(self) -> None:
            super().__init__()
            self.calls = 0

        def _encode(self, texts: list[str]) -> NDArray[np.float32]:
            self.calls += 1
            return np.ones((len(texts), self.dim), dtype=np.float32)

    embedder = Picky()
    scorer = Scorer(ScoreConfig(), embedder=embedder)
    given = [
        pair(chat("one"), chat("two")),
        pair(b"\xff\xfe\x00garbage", chat("two")),
        pair(chat("three"), b"", reason="deadline"),
        pair(chat("four"), chat("five")),
    ]
    scored = scorer.score(given)
    assert [msgspec.structs.replace(p, scores=given[0].scores).copy for p in scored] == [p.copy for p in given]
    assert scored[0].scores.delta_s == pytest.approx(0, abs=1e-6)
    assert scored[1].scores.note
    assert scored[2].scores.note == "deadline"
    assert scored[3].scores.delta_s == pytest.approx(0, abs=1e-6)
    assert embedder.calls == 1


class Failing(Embedder):
    """Rows of characters while ``error`` is ``None``, which it raises otherwise."""

    name, dim = "failing@1", 8

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        if self.error is not None:
            raise self.error
        return np.array([[text.count(letter) + 1 for letter in "aeinorst"] for text in texts], dtype=np.float32)


def test_an_embedder_that_fails_costs_delta_s_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    def asked(given: Pair, number: int) -> Pair:
        body = json.dumps({"question": f"How many days, case {number}?"}).encode()
        return msgspec.structs.replace(
            given, copy=msgspec.structs.replace(given.copy, body=body, shadow_id=str(number))
        )

    def cited(text: str, **more: object) -> bytes:
        return plain({"answer": text, "citations": [{"snippet_id": "a", "section_id": "s"}], **more})

    embedder = Failing()
    scorer = Scorer(ScoreConfig(), embedder=embedder)
    given = [
        pair(chat("The limit is 30 days for all items."), chat("The limit is 60 days for all items.")),
        pair(chat("The capital of France is Paris."), chat("")),
        pair(cited("Leave is 25 days.", n=1), cited("Leave is 25 days.", n=2)),
        pair(chat("x"), b"", reason="deadline"),
        pair(chat("x"), chat("x"), shadow_status=503),
    ]
    given = [asked(one, number) for number, one in enumerate(given)]
    embedder.error = ScoreError("score.embedder = 'm': HTTP 503; check it")
    for _ in range(2):
        scored = [one.scores for one in scorer.score(given)]
    why = "no ΔS: score.embedder = 'm': HTTP 503; check it"
    empty = "the shadow's answer: the answer holds no text (finish reason 'stop')"
    notes = [why, f"{empty}; {why}", why, "deadline", "the shadow answered with HTTP 503"]
    assert [scores.note for scores in scored] == notes
    assert [scores.state for scores in scored] == ["", "divergent", "", "", "divergent"]
    assert [scores.fact_flip for scores in scored] == [True, False, False, False, False]
    assert {(s.delta_s, s.anchored, s.embedder, s.group) for s in scored} == {(None, None, "", None)}
    assert scored[2].citation_match == 1.0
    assert scored[2].differences == (StructureDifference("/n", "/n", "value", "1", "2"),)
    embedder.error = None
    scored = [one.scores for one in scorer.score(given)]
    assert [scores.delta_s is None for scores in scored] == [False, False, False, True, True]
    assert [scores.group is None for scores in scored] == [False, False, False, True, False]
    assert [record.message for record in caplog.records] == [
        "pairs are stored without ΔS: score.embedder = 'm': HTTP 503; check it",
        "pairs have a ΔS again",
    ]


def test_what_an_embedder_raises_is_not_quoted(caplog: pytest.LogCaptureFixture) -> None:
    embedder = Failing()
    scorer = Scorer(ScoreConfig(), embedder=embedder)
    embedder.error = RuntimeError("cannot embed 'Paris is lovely'")
    scored = one(scorer, pair(chat("Paris is lovely"), chat("Paris is lovely")))
    assert scored.scores.note.startswith("no ΔS: failing@1 failed: RuntimeError in _encode (test_scorer.py:")
    assert scored.scores.note.endswith("); check the model, or set another score.embedder")
    assert "lovely" not in scored.scores.note
    assert "lovely" not in caplog.text


def test_groups_that_fail_cost_no_score(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("the question was 'How lovely?'")

    monkeypatch.setattr("shadowlane.score.live.LiveGroups.read", fails)
    scored = one(Scorer(ScoreConfig(embedder="lexical")), pair(chat("one"), chat("one")))
    assert (scored.scores.delta_s, scored.scores.group) == (pytest.approx(0, abs=1e-6), None)
    assert "paraphrase groups failed" in caplog.text
    assert "lovely" not in caplog.text


def test_other_languages_are_said_to_have_plain_scores(scorer: Scorer) -> None:
    text = "Il fatturato non è cresciuto nel corso dell'anno, e i costi sono calati."
    scored = one(scorer, pair(chat(text), chat(text.replace("non ", ""))))
    assert scored.scores.anchored == scored.scores.delta_s
    assert "only values were compared" in scored.scores.note
    assert (scored.scores.missing, scored.scores.extra, scored.scores.unread) == (None, None, "language")


def test_what_is_left_out_and_what_was_cut_are_said(scorer: Scorer) -> None:
    whole, part = "Unplug the device first. Remove the four screws.", "Remove the four screws."
    scores = one(scorer, pair(chat(whole), chat(part))).scores
    assert (scores.missing, scores.extra, scores.unread, scores.fact_flip) == (0.5, 0.0, "", False)
    given = pair(chat(whole), chat(part))
    cut = msgspec.structs.replace(given, copy=msgspec.structs.replace(given.copy, flags=FLAG_CLIENT_DISCONNECTED))
    assert one(scorer, cut).scores.unread == "cut"


def test_nothing_to_score(scorer: Scorer) -> None:
    assert scorer.score([]) == []


def test_a_wrong_embedder_fails_at_start() -> None:
    with pytest.raises(ConfigError, match=r"score\.embedder"):
        Scorer(ScoreConfig(embedder="nope"))


def plain(value: object) -> bytes:
    return json.dumps(value).encode()


def test_json_answers_are_compared_path_by_path(scorer: Scorer) -> None:
    a = {"answer": "Same text here.", "id": 1, "items": [{"n": 1, "p": 0.5}, {"n": 2, "p": 0.5}], "old": True}
    b = {"answer": "Same text here.", "id": 2, "items": [{"n": 1, "p": 0.5}, {"n": "2", "p": 0.7}], "new": None}
    scored = one(scorer, pair(plain(a), plain(b)))
    assert scored.scores.differences == (
        StructureDifference("/id", "/id", "value", "1", "2"),
        StructureDifference("/items/1/n", "/items/*/n", "type", "2", '"2"'),
        StructureDifference("/items/1/p", "/items/*/p", "value", "0.5", "0.7"),
        StructureDifference("/old", "/old", "missing", "true", ""),
        StructureDifference("/new", "/new", "extra", "", "null"),
    )
    assert one(scorer, pair(plain(a), plain(a))).scores.differences == ()


def test_the_configuration_says_what_differs() -> None:
    config = StructureConfig(ignore=("/id",), float_tolerance=0.5, time_tolerance_s=60, unordered={"/items": "n"})
    tolerant = Scorer(ScoreConfig(embedder="lexical", structure=config))
    a = {"answer": "t", "id": 1, "items": [{"n": 1}, {"n": 2, "p": 0.5}], "at": "2025-01-01T00:00:00Z"}
    b = {"answer": "t", "id": 2, "items": [{"n": 2, "p": 0.6}, {"n": 1}], "at": "2025-01-01T00:00:30Z"}
    assert one(tolerant, pair(plain(a), plain(b))).scores.differences == ()


def test_of_a_models_answer_only_json_that_it_says_is_compared(scorer: Scorer) -> None:
    assert one(scorer, pair(chat("A text."), chat("Another text."))).scores.differences is None
    said = one(scorer, pair(chat('{"city": "Paris"}'), chat('{"city": "Lyon"}')))
    assert said.scores.differences == (StructureDifference("/city", "/city", "value", '"Paris"', '"Lyon"'),)
    assert one(scorer, pair(chat('{"city": "Paris"}'), chat("Paris"))).scores.differences is None


def test_a_shape_is_kept_once_and_long_values_cut(scorer: Scorer) -> None:
    many = one(scorer, pair(plain({"a": "t", "x": ["l" * 500] * 90}), plain({"a": "t", "x": ["m" * 500] * 90})))
    assert many.scores.differences is not None
    [difference] = many.scores.differences
    assert (difference.shape, len(difference.a), len(difference.b)) == ("/x/*", 120, 120)
    wide = one(scorer, pair(plain({f"k{n}": n for n in range(200)}), plain({f"k{n}": n + 1 for n in range(200)})))
    assert wide.scores.differences is not None
    assert len(wide.scores.differences) == 64


def test_a_structure_that_cannot_be_compared_costs_no_score(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RecursionError

    monkeypatch.setattr("shadowlane.score.pointers.structural_difference", fails)
    scored = one(scorer, pair(plain({"answer": "t"}), plain({"answer": "t"})))
    assert scored.scores.delta_s == pytest.approx(0, abs=1e-6)
    assert (scored.scores.differences, scored.scores.note) == (None, "the structure cannot be compared: RecursionError")
