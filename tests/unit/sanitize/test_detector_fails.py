"""A detector that fails on what is read out of bodies: the pair has no answers and is counted, others are scored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from shadowlane import _core
from shadowlane.config import PinConfig, ScoreConfig
from shadowlane.detect import DetectingSanitizer, Found, Hook
from shadowlane.errors import DetectorError
from shadowlane.providers.cleaning import clean, read_answer, use_rules
from shadowlane.providers.question import listed_question, shown_question
from shadowlane.score.scorer import Scorer
from shadowlane.types import Copy, Headers, Outcome, Pair

JSON: Headers = ((b"content-type", b"application/json"),)


class Fails:
    """Finds Anna, cannot look at what holds the word, and keeps the number of texts of each call."""

    def __init__(self, word: str = "Zebra") -> None:
        self.word = word
        self.calls: list[int] = []

    def detect(self, texts: Sequence[str]) -> list[list[Found]]:
        self.calls.append(len(texts))
        if any(self.word in text for text in texts):
            raise RuntimeError("the model is gone")
        return [[Found("person", at, at + 4)] if (at := text.find("Anna")) >= 0 else [] for text in texts]


@pytest.fixture
def detector() -> Iterator[Fails]:
    made = Fails()
    sanitizer = _core.Sanitizer()
    cleaner = DetectingSanitizer(sanitizer, Hook(made, sanitizer))
    use_rules(cleaner.again, cleaner.again_all)
    yield made
    use_rules(None)


def pair(prod: str, shadow: str, question: str = "What is the fee for a card?") -> Pair:
    copy = Copy(
        shadow_id="0190d1a0-0000-7000-8000-000000000001",
        req_hash="0" * 32,
        started_ns=1,
        method="POST",
        target="/ask",
        body=json.dumps({"question": question}).encode(),
        status=200,
        response_headers=JSON,
        response_body=json.dumps({"answer": prod}).encode(),
        ttfb_ns=1,
        duration_ns=2,
    )
    outcome = Outcome(shadow="candidate", status=200, headers=JSON, body=json.dumps({"answer": shadow}).encode())
    return Pair(copy=copy, outcome=outcome)


def test_an_answer_that_could_not_be_looked_at_is_none_and_is_counted(
    detector: Fails, caplog: pytest.LogCaptureFixture
) -> None:
    good, fee = pair("The fee is 5 euros.", "The fee is 5 euros."), "The fee is 5 euros."
    bad = [pair("Zebra costs 5 euros.", fee), pair(fee, "Zebra costs 5 euros.")]
    bad.append(pair(fee, fee, "What does a Zebra cost?"))
    pins = {"version": PinConfig(read="body:/answer")}
    scored = Scorer(ScoreConfig(), pins=pins).score([bad[0], good, *bad[1:]])
    for one in (scored[0], *scored[2:]):
        assert one.outcome.reason == "unreadable"
        assert one.copy.findings == {"unreadable:detector": 1}
        assert one.scores.delta_s is None
        assert one.scores.state == ""
        assert one.scores.collapse == ""
        assert one.scores.note.startswith("not scored: sanitize.detector")
        assert (one.prod_text, one.shadow_text) == ("", "")
    assert scored[1].scores.state == "convergent"
    assert caplog.text.count("is not scored: sanitize.detector failed (RuntimeError)") == 3
    assert "Zebra" not in caplog.text
    # An answer that the drain or the pipeline had to leave out is no answer that says nothing, either.
    left_out = pair(fee, fee)
    copy = msgspec.structs.replace(left_out.copy, findings={"unreadable:detector": 1})
    outcome = msgspec.structs.replace(left_out.outcome, body=b"")
    [one] = Scorer(ScoreConfig()).score([msgspec.structs.replace(left_out, copy=copy, outcome=outcome)])
    assert (one.outcome.reason, one.scores.state) == ("unreadable", "")


def test_no_text_is_emptied_by_a_failing_detector(detector: Fails) -> None:
    sanitizer = _core.Sanitizer()
    cleaner = DetectingSanitizer(sanitizer, Hook(detector, sanitizer))
    for call in (
        lambda: cleaner.text("a Zebra"),
        lambda: cleaner.again("a Zebra"),
        lambda: cleaner.again_all(["fine", "a Zebra"]),
        lambda: clean("a Zebra"),
        lambda: shown_question(pair("a", "b", "What is a Zebra?").copy),
        lambda: read_answer(JSON, b'{"answer": "a Zebra"}'),
    ):
        with pytest.raises(DetectorError, match=r"sanitize\.detector failed \(RuntimeError\)"):
            call()


def test_a_list_of_questions_says_which_is_not_shown(detector: Fails) -> None:
    asked = [listed_question(pair("a", "b", f"What does a {animal} cost?").copy) for animal in ("Zebra", "horse")]
    assert asked == ["(not shown: sanitize.detector failed on it)", "What does a horse cost?"]


def test_a_question_that_could_not_be_looked_at_has_no_group_and_the_others_have_theirs(detector: Fails) -> None:
    # The last message is shown, the conversation is what groups are made of.
    asked = json.dumps({"messages": [{"role": "user", "content": text} for text in ("A Zebra", "What of it?")]})
    fee = "The fee for a card is 5 euros."
    bad = pair(fee, fee)
    bad = msgspec.structs.replace(bad, copy=msgspec.structs.replace(bad.copy, shadow_id="bad", body=asked.encode()))
    scored = Scorer(ScoreConfig(groups=True)).score([bad, pair(fee, fee)])
    assert [one.scores.state for one in scored] == ["convergent", "convergent"]
    assert [one.scores.group is None for one in scored] == [True, False]


def test_the_texts_of_an_answer_are_one_call(detector: Fails) -> None:
    sources = [{"id": f"document-{n}", "text": f"Anna wrote section {n}"} for n in range(20)]
    body = json.dumps({"answer": "Anna says: see section 3.", "sources": sources}).encode()
    answer = read_answer(JSON, body)
    assert answer.text == "[PERSON] says: see section 3."
    assert "Anna" not in str(answer)
    assert len(answer.citations) == 20
    assert len(detector.calls) == 1
    assert detector.calls[0] > 20


def test_many_texts_are_cleaned_as_one_by_one(detector: Fails) -> None:
    sanitizer = _core.Sanitizer()
    cleaner = DetectingSanitizer(sanitizer, Hook(detector, sanitizer))
    texts = ["Anna", "", '{"to": "Anna", "n": 1}', "a\nAnna\n", "no name", '["x", "Anna"]']
    assert cleaner.again_all(texts) == [cleaner.again(text) for text in texts]
    assert cleaner.again_all(texts)[2] == '{"to": "[PERSON]", "n": 1}'
    assert cleaner.again_all([]) == []
