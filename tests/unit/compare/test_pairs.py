"""Exchanges of a file become the pairs that a worker would have made: redacted, all of them, each once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from shadowlane.compare.pairs import BATCH, batches, pairs_of, store_all, with_arms
from shadowlane.compare.reader import Exchange, parse_line
from shadowlane.config import Config
from shadowlane.core import request_hash
from shadowlane.detect.cleaner import open_cleaner
from shadowlane.errors import ConfigError, DataError
from shadowlane.types import Pair

CONFIG = Config.from_dict({"shadows": {"candidate": {"url": "http://127.0.0.1:9001"}}})


def exchange(number: int = 0, **more: Any) -> Exchange:
    given = {"id": f"x{number}", "time": number, "prod": "yes", "shadow": "no", **more}
    return parse_line(json.dumps(given).encode(), number + 1)


def made(one: Exchange) -> list[Pair]:
    return pairs_of(one, open_cleaner(CONFIG).cleaner, "candidate")


def test_a_pair_has_what_the_line_says() -> None:
    one = exchange(
        5,
        route="POST /ask",
        request={"question": "Why?", "model": "m"},
        prod={"text": "yes", "latency_ms": 3},
        shadow={"body": {"answer": "no"}, "status": 203, "latency_ms": 4},
        control="yes",
    )
    mine, control = made(one)
    assert (mine.copy.shadow_id, mine.copy.started_ns, mine.copy.method, mine.copy.target) == (
        "x5",
        5 * 10**9,
        "POST",
        "/ask",
    )
    assert json.loads(mine.copy.body) == {"question": "Why?", "model": "m"}
    assert mine.copy.req_hash == request_hash("POST", "/ask", mine.copy.headers, mine.copy.body)
    assert (mine.copy.duration_ns, mine.outcome.duration_ns) == (3_000_000, 4_000_000)
    assert (mine.outcome.shadow, mine.outcome.status, mine.outcome.reason) == ("candidate", 203, "")
    assert json.loads(mine.outcome.body) == {"answer": "no"}
    assert (control.outcome.shadow, control.copy) == ("control", mine.copy)


def test_a_first_byte_that_no_line_times_is_not_known() -> None:
    pairs = made(exchange(control={"text": "aye", "latency_ms": 5}, prod={"text": "yes", "latency_ms": 3}))
    assert [(one.copy.ttfb_ns, one.outcome.ttfb_ns) for one in pairs] == [(0, 0)] * 2


def test_every_text_is_redacted() -> None:
    mail = "ann.smith@example.com"
    one = exchange(question=mail, route=f"GET /u/{mail}", prod=f"a {mail}", shadow={"body": f"b {mail}"}, control=mail)
    for pair in made(one):
        kept = (pair.copy.target.encode(), pair.copy.body, pair.copy.response_body, pair.outcome.body)
        assert all(mail.encode() not in data for data in kept)
        assert pair.copy.findings


def test_an_identifier_that_is_itself_redacted_is_the_line_and_no_twin() -> None:
    cards = ("4012888888881881", "5555555555554444")
    names = [made(exchange(number, id=card))[0].copy.shadow_id for number, card in enumerate(cards)]
    assert names == ["line-1", "line-2"]


class Recorder:
    """A scorer and a store that keep what they were given."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.kept: dict[tuple[str, str], Pair] = {}

    def score(self, pairs: list[Pair]) -> list[Pair]:
        return pairs

    def save(self, pairs: Sequence[Pair]) -> int:
        self.batches.append(len(pairs))
        self.kept.update({(pair.copy.shadow_id, pair.outcome.shadow): pair for pair in pairs})
        return len(pairs)

    def stored_keys(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        return self.kept.keys() & set(keys)


def run(exchanges: list[Exchange]) -> tuple[Recorder, tuple[int, bool], list[int]]:
    recorder, steps = Recorder(), []
    result = store_all(
        iter(exchanges),
        source="file",
        shadow="candidate",
        config=CONFIG,
        cleaner=open_cleaner(CONFIG).cleaner,
        scorer=recorder,
        store=recorder,
        progress=steps.append,
    )
    return recorder, result, steps


def test_all_exchanges_are_stored_batch_by_batch() -> None:
    some = [exchange(number, **({"control": "yes"} if number == 1 else {})) for number in range(2 * BATCH + 3)]
    recorder, (count, control), steps = run(some)
    assert (count, control, steps) == (2 * BATCH + 3, True, [BATCH, BATCH, 3])
    assert recorder.batches == [BATCH + 1, BATCH, 3]
    assert len(recorder.kept) == count + 1


@pytest.mark.parametrize("twin", [1, BATCH - 1, BATCH, BATCH + 2])
def test_two_lines_of_one_identifier_are_named(twin: int) -> None:
    some = [exchange(number, **({"id": "x0"} if number == twin else {})) for number in range(BATCH + 3)]
    with pytest.raises(DataError, match=f"^file:{twin + 1}: id = 'x0'"):
        run(some)


def test_batches_read_no_further_than_they_are_asked() -> None:
    seen: list[int] = []

    def some() -> Any:
        for number in range(10):
            seen.append(number)
            yield exchange(number)

    first = next(batches(some(), size=3))
    assert (len(first), seen) == (3, [0, 1, 2])


def test_the_file_stands_for_the_lanes_services() -> None:
    config = with_arms(CONFIG, "candidate", control=True, source="answers.jsonl")
    assert {name: arm.url for name, arm in config.arms().items()} == {
        "candidate": "answers.jsonl",
        "control": "answers.jsonl",
    }
    assert list(with_arms(CONFIG, "other", control=False, source="-").arms()) == ["other"]


def test_a_detector_that_cannot_be_loaded_is_said_at_once() -> None:
    config = Config.from_dict(
        {
            "shadows": {"candidate": {"url": "http://127.0.0.1:9001"}},
            "sanitize": {"detector": "no_such_module:detector"},
        }
    )
    with pytest.raises(ConfigError, match="no_such_module"):
        open_cleaner(config)
