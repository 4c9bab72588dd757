"""The gate's further rules on files of answers, as a pipeline gets them: what one side leaves out, uses, costs,
retrieves, and which version answered."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .test_verdict_cases import Line, N, chat, gate, lines, reply

Change = Callable[[int, Line, random.Random], Line]
WARNING = " Never ride without a working front light."
SECTIONS = [
    {
        "section_id": f"tariff/{number}",
        "source_url": f"https://handbook.example/tariff/{number}",
        "text": f"Tariff {number}: a single ride may last so many minutes, and every further quarter costs extra.",
        "tokens": 20 + number,
    }
    for number in range(30)
]


def changed(change: Change, *, n: int = N) -> bytes:
    """One service in other words on both sides; ``change`` alters a line."""
    rng = random.Random(11)
    plain = lines(lambda number, _, words: chat(reply(words, number)), n=n).splitlines()
    return "\n".join(json.dumps(change(i, json.loads(line), rng)) for i, line in enumerate(plain)).encode()


def text_of(line: Line, arm: str) -> str:
    text: str = line[arm]["body"]["choices"][0]["message"]["content"]
    return text


def with_body(line: Line, arm: str, **fields: Any) -> Line:
    return {**line, arm: {**line[arm], "body": {**line[arm]["body"], **fields}}}


def with_header(line: Line, arm: str, name: str, value: str) -> Line:
    return {**line, arm: {**line[arm], "headers": {"content-type": "application/json", name: value}}}


@pytest.mark.parametrize(("who", "left_out", "added"), [("prod", "not met", "met"), ("shadow", "met", "not met")])
def test_a_warning_that_only_one_side_gives_needs_a_person(who: str, left_out: str, added: str, tmp_path: Path) -> None:
    def warns(_: int, line: Line, __: random.Random) -> Line:
        return {**line, who: {**line[who], **chat(text_of(line, who) + WARNING)}}

    code, found, rules = gate(changed(warns), tmp_path)
    assert (code, found["verdict"]) == (1, "HOLD")
    assert (rules["left out"]["status"], rules["added"]["status"]) == (left_out, added)
    missed = "missing" if left_out == "not met" else "extra"
    assert missed in found["shadows"][0]["waits_for"]["person"]


def test_a_figure_that_the_shadow_leaves_out_needs_a_person(tmp_path: Path) -> None:
    def shortens(_: int, line: Line, __: random.Random) -> Line:
        minutes = "You may ride for 45 minutes within the inner city. Further rides are billed at the end of the month."
        return {**line, "prod": {**line["prod"], **chat(minutes)}, "shadow": {
            **line["shadow"], **chat(minutes.replace(" for 45 minutes", ""))}}  # fmt: skip

    _, _, rules = gate(changed(shortens), tmp_path)
    assert rules["left out"]["status"] == "not met"
    assert rules["facts"]["status"] == "met"


PRICES = "[prices.big]\ninput = 10.0\noutput = 30.0\n[prices.small]\ninput = 5.0\noutput = 15.0\n"


@pytest.mark.parametrize(
    ("model", "more", "cost", "tokens"),
    [("small", 1.0, "met", "met"), ("big", 1.0, "met", "met"), ("big", 1.4, "not met", "not met"),
     ("small", 1.4, "met", "not met"), ("unheard-of", 1.0, "not judged", "met")],
)  # fmt: skip
def test_what_answers_use_and_cost(model: str, more: float, cost: str, tokens: str, tmp_path: Path) -> None:
    def uses(_: int, line: Line, rng: random.Random) -> Line:
        size = rng.lognormvariate(6, 0.5)
        for arm, name, factor in (("prod", "big", 1.0), ("shadow", model, more)):
            usage = {"prompt_tokens": int(size * factor), "completion_tokens": int(0.2 * size * factor)}
            line = with_body(line, arm, model=name, usage={**usage, "total_tokens": sum(usage.values())})
        return line

    code, found, rules = gate(changed(uses, n=2900), tmp_path, config=PRICES)
    assert (rules["cost"]["status"], rules["tokens"]["status"]) == (cost, tokens)
    assert (code == 0) == (tokens == "met"), found["shadows"][0]["summary"]
    if cost == "met" and model == "small":
        assert "the shadow would have saved" in rules["cost"]["evidence"]


@pytest.mark.parametrize(("shift", "status"), [(0, "met"), (1, "not met")], ids=["the same sections", "other sections"])
def test_the_sections_that_prod_retrieves_are_retrieved(shift: int, status: str, tmp_path: Path) -> None:
    def retrieves(_: int, line: Line, rng: random.Random) -> Line:
        asked = rng.randrange(30)
        line["question"] = f"How long may a ride of tariff {asked} last, and what does it cost after that?"
        own = [SECTIONS[asked], SECTIONS[(asked + 7) % 30]]
        other = [SECTIONS[(asked + shift) % 30], SECTIONS[(asked + 7 + shift) % 30]]
        for arm, cited in (("prod", own), ("shadow", other)):
            line = {**line, arm: {**line[arm], "body": {"answer": text_of(line, arm), "citations": cited}}}
        return line

    _, _, rules = gate(changed(retrieves), tmp_path)
    assert rules["coverage"]["status"] == status
    assert rules["ΔS retrieved"]["status"] == "met", rules["ΔS retrieved"]["evidence"]
    assert "above what prod retrieved, which is of" in rules["ΔS retrieved"]["evidence"]


PINS = '[pins]\nprompt = "header:x-prompt-version"\n[pins.chunks]\nread = "body:/chunk_schema"\nexpected = "7"\n'


def test_a_pin_that_changes_begins_the_window_anew_and_says_from_what_to_what(tmp_path: Path) -> None:
    def versioned(number: int, line: Line, _: random.Random) -> Line:
        line = with_header(line, "shadow", "x-prompt-version", "v1" if number < 600 else "v2")
        return with_body(line, "shadow", chunk_schema=7)

    _, found, rules = gate(changed(versioned), tmp_path, config=PINS)
    window = found["shadows"][0]["window"]
    assert window["why"] == "pin prompt changed from v1 to v2"
    assert f"{N - 600} pairs scored" in rules["pairs"]["evidence"]
    assert rules["pins"]["status"] == "met"
    assert "prompt changed from v1 to v2" in rules["pins"]["evidence"]


@pytest.mark.parametrize("wrong", [(lambda number: True), (lambda number: number == N - 3)], ids=["all", "one"])
def test_a_version_other_than_expected_is_a_finding(wrong: Callable[[int], bool], tmp_path: Path) -> None:
    def versioned(number: int, line: Line, _: random.Random) -> Line:
        return with_body(line, "shadow", chunk_schema=6 if wrong(number) else 7)

    code, found, rules = gate(changed(versioned, n=N), tmp_path, config=PINS)
    assert (code, rules["pins"]["status"]) == (1, "not met")
    assert "chunks: expected '7'" in rules["pins"]["evidence"]
    assert "'6'" in rules["pins"]["evidence"]
    assert "pins" in found["shadows"][0]["waits_for"]["person"]


def test_the_first_answers_of_a_cold_shadow_do_not_count_where_that_is_asked_for(tmp_path: Path) -> None:
    def cold(number: int, line: Line, _: random.Random) -> Line:
        return {**line, "shadow": {"status": 503}} if number < 60 else line

    warm = changed(cold, n=2900)
    code, found, rules = gate(warm, tmp_path, config="[gate]\nwarmup_pairs = 60\n")
    assert (code, found["verdict"]) == (0, "GRADUATE"), found["shadows"][0]["summary"]
    assert "the first 60 answers of the cold shadow do not count" in rules["pairs"]["evidence"]
    (tmp_path / "counted").mkdir()
    code, found, rules = gate(warm, tmp_path / "counted")
    assert (code, rules["shadow errors"]["status"]) == (1, "not met")


def test_one_bad_route_is_not_averaged_away(tmp_path: Path) -> None:
    def routed(number: int, line: Line, rng: random.Random) -> Line:
        line["route"] = f"POST /{('rides', 'prices', 'help', 'accounts', 'maps', 'news', 'jobs', 'shops')[number % 8]}"
        if number % 8 == 3:
            other = f"Bond yields fell by {rng.randint(1, 90)} points after the bank's announcement on Tuesday."
            line["shadow"] = {**line["shadow"], **chat(other)}
        return line

    code, found, rules = gate(changed(routed), tmp_path)
    assert rules["mean ΔS"]["ok"] is True
    assert (code, rules["segments"]["status"]) == (1, "not met")
    assert "route POST /accounts: mean ΔS" in rules["segments"]["evidence"]
    assert found["verdict"] != "GRADUATE"
    assert not any(f"route POST /{other}" in rules["segments"]["evidence"] for other in ("rides", "prices", "jobs"))
