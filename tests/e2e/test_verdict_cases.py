"""Verdicts on files of answers, as a pipeline gets them: with what no shadow graduates, and what must not stop one."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .test_compare import DAY, START, compare, verdict

N = 1500
Line = dict[str, Any]
OPENERS = ("", "Sure. ", "Of course: ", "Thanks for asking! ", "Good question. ")
ENDERS = ("", " Let me know if that helps.", " Anything else?", " That is all there is to it.")


def chat(text: str, finish: str = "stop", **message: Any) -> Line:
    answer = {"role": "assistant", "content": text, **message}
    return {
        "body": {"object": "chat.completion", "choices": [{"index": 0, "message": answer, "finish_reason": finish}]}
    }


def reply(rng: random.Random, number: int) -> str:
    """One service's answer to a question: the same facts, worded anew each time."""
    minutes, cents = 5 + number % 40, 25 * (1 + number % 7)
    core = rng.choice(
        (
            f"A single ride may last {minutes} minutes, and every further quarter costs {cents} cents.",
            f"You may ride for {minutes} minutes. Each further quarter costs {cents} cents.",
            f"Rides of this tariff last {minutes} minutes; a further quarter costs {cents} cents.",
        )
    )
    return rng.choice(OPENERS) + core + rng.choice(ENDERS)


def lines(shadow: Callable[[int, str, random.Random], Line], *, n: int = N, seed: int = 1) -> bytes:
    rng = random.Random(seed)
    out = []
    for number in range(n):
        text = reply(rng, number)
        slow = rng.lognormvariate(0, 0.3)
        line = {
            "id": f"x{number}",
            "time": START + number * DAY / n,
            "question": f"How long may a ride of tariff {number % 400} last, and what does it cost after that?",
            "prod": {**chat(text), "latency_ms": 100 * slow},
            "shadow": {**shadow(number, text, rng), "latency_ms": 95 * slow},
        }
        out.append(json.dumps(line))
    return "\n".join(out).encode()


def gate(data: bytes, folder: Path, *more: str, config: str = "") -> tuple[int, dict[str, Any], dict[str, Any]]:
    (folder / "in").mkdir()
    file = folder / "in" / "answers.jsonl"
    file.write_bytes(data)
    options = list(more)
    if config:
        (folder / "in" / "lane.toml").write_text(config)
        options += ["--config", str(folder / "in" / "lane.toml")]
    done = compare(file, "--gate", "--json", *options, folder=folder)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout), verdict(done)


def test_the_same_service_with_other_words_graduates(tmp_path: Path) -> None:
    code, found, _ = gate(lines(lambda number, _, rng: chat(reply(rng, number)), n=2900), tmp_path)
    assert (code, found["verdict"]) == (0, "GRADUATE")


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_contradicted_facts_are_rejected(share: float, tmp_path: Path) -> None:
    def contradicting(number: int, text: str, rng: random.Random) -> Line:
        minutes = 5 + number % 40
        return chat(text.replace(f"{minutes} minutes", f"{minutes + 7} minutes") if rng.random() < share else text)

    code, found, rules = gate(lines(contradicting), tmp_path)
    assert (code, found["verdict"]) == (1, "REJECT")
    assert rules["facts"]["beyond"]


@pytest.mark.parametrize(
    ("share", "answer", "kind"),
    [
        (1.0, chat("A single ride may", "length"), "cut"),
        (0.3, chat(""), "empty"),
        (0.25, chat("", refusal="I can't help with that."), "refused"),
        (0.25, {"body": {"error": "overloaded"}, "status": 529}, "error"),
    ],
)
def test_answers_that_collapse_are_rejected_by_kind(share: float, answer: Line, kind: str, tmp_path: Path) -> None:
    code, found, rules = gate(lines(lambda _, text, rng: answer if rng.random() < share else chat(text)), tmp_path)
    assert (code, found["verdict"]) == (1, "REJECT")
    assert rules["collapsed (←)"]["beyond"]
    assert f"{kind} " in rules["collapsed (←)"]["evidence"]


def test_other_sources_are_not_met(tmp_path: Path) -> None:
    def citing(source: str) -> Callable[[int, str, random.Random], Line]:
        return lambda number, text, _: {
            "body": {"answer": text, "citations": [{"source_url": f"https://{source}.example/{number % 90}"}]}
        }

    data = [json.loads(line) for line in lines(citing("other")).splitlines()]
    for number, line in enumerate(data):
        line["prod"] = {**citing("own")(number, reply(random.Random(number), number), random.Random()), "latency_ms": 1}
    code, found, rules = gate("\n".join(map(json.dumps, data)).encode(), tmp_path)
    assert (code, found["verdict"]) != (0, "GRADUATE")
    assert rules["citations"]["status"] == "not met"


def test_a_rest_service_of_equal_bytes_graduates_and_what_it_has_not_is_not_judged(tmp_path: Path) -> None:
    rng = random.Random(5)
    out = []
    for number in range(N):
        body = {"id": number, "name": f"item {rng.randrange(10**6)}", "price": rng.randrange(10**4) / 100}
        slow = 20 * rng.lognormvariate(0, 0.3)
        request = {"method": "GET", "target": f"/items/{number}", "body": ""}
        arms = {"prod": {"body": body, "latency_ms": slow}, "shadow": {"body": body, "latency_ms": 0.95 * slow}}
        out.append(json.dumps({"id": str(number), "time": START + number * DAY / N, "request": request, **arms}))
    config = "[score]\ngroups = false\n"
    code, found, rules = gate("\n".join(out).encode(), tmp_path, config=config)
    assert (code, found["verdict"]) == (0, "GRADUATE"), found["shadows"][0]["summary"]
    assert rules["λ flips"]["status"] == "not judged"
    assert "no question was asked twice" in rules["λ flips"]["evidence"]
    assert rules["citations"]["status"] == "not judged"


def test_what_cannot_be_judged_blocks_when_it_is_required(tmp_path: Path) -> None:
    config = '[gate]\nrequire = ["citations"]\n'
    code, found, _ = gate(lines(lambda _, text, __: chat(text)), tmp_path, config=config)
    assert (code, found["verdict"]) == (1, "HOLD")
    assert "citations" in found["shadows"][0]["summary"]


def test_a_hold_says_how_far_it_is(tmp_path: Path) -> None:
    code, found, rules = gate(lines(lambda _, text, __: chat(text), n=200), tmp_path)
    assert (code, found["verdict"]) == (1, "HOLD")
    waiting = [rule for rule in rules.values() if rule["status"] == "not known"]
    assert rules["shadow errors"] in waiting
    assert rules["shadow errors"]["needs"]["pairs"] > 0
    assert found["shadows"][0]["last"] in {rule["key"] for rule in waiting}
