"""``shadowlane gold``: what it writes is a gold file, of the pairs that it promises."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from shadowlane.cli import main
from shadowlane.config import load_config
from shadowlane.probe.gold import GoldItem, read_gold
from shadowlane.types import GroupReading, Pair
from tests.support.lanes import make_pairs, save


def asking(pair: Pair, *turns: str, group: int | None = None, **scores: object) -> Pair:
    messages = [{"role": "user" if i % 2 == 0 else "assistant", "content": text} for i, text in enumerate(turns)]
    cited = [{"section_id": "riding#duration", "source_url": "https://a.example/riding"}]
    answer = {"object": "chat.completion", "choices": [{"index": 0, "message": {"content": "x"}}], "citations": cited}
    reading = None
    if group is not None:
        reading = GroupReading(number=group, seen=2, prod="convergent", shadow="convergent")
    return msgspec.structs.replace(
        pair,
        copy=msgspec.structs.replace(
            pair.copy,
            body=json.dumps({"messages": messages}).encode(),
            response_headers=((b"content-type", b"application/json"),),
            response_body=json.dumps(answer).encode(),
        ),
        scores=msgspec.structs.replace(pair.scores, **{"group": reading, "delta_s": 0.1, **scores}),
    )


@pytest.fixture
def lane(tmp_path: Path) -> Path:
    file = tmp_path / "lane.toml"
    file.write_text(
        f'[lane]\ndirectory = "{tmp_path / "l"}"\n[store]\nurl = "sqlite:///{tmp_path / "s.db"}"\n'
        '[shadows.candidate]\nurl = "http://127.0.0.1:9"\n'
    )
    return file


def gold(lane: Path, *more: str) -> list[GoldItem]:
    out = lane.with_name("gold.jsonl")
    assert main(["gold", "--config", str(lane), "--out", str(out), *more]) == 0
    return read_gold(out)[0]


def test_the_worst_come_first_and_a_question_once(lane: Path) -> None:
    pairs = make_pairs(40)
    asked = [asking(pair, f"Question {i % 20}?", delta_s=0.02 * (i % 20)) for i, pair in enumerate(pairs)]
    asked[5] = asking(pairs[5], "Who pays the fine?", delta_s=0.01, fact_flip=True)
    save(load_config(lane), asked)
    found = gold(lane, "--worst", "4", "--exemplars", "0", "--groups", "0")
    assert [item.question for item in found] == ["Who pays the fine?", "Question 19?", "Question 18?", "Question 17?"]
    assert {item.sections for item in found} == {("riding#duration",)}
    assert all(item.id.startswith("worst-0190a8f0-") for item in found)


def test_of_a_group_one_question_with_its_other_wordings(lane: Path) -> None:
    pairs = make_pairs(30)
    wordings = ["How long may I ride?", "how long  MAY I ride?", "For how long?", "What is the longest ride?"]
    asked = [asking(pair, wordings[i % 4], group=7) for i, pair in enumerate(pairs[:20])]
    asked += [asking(pair, f"Other {i % 2}?", group=8) for i, pair in enumerate(pairs[20:26])]
    asked += [asking(pair, "Rare?", group=9) for pair in pairs[26:]]
    save(load_config(lane), asked)
    items = gold(lane, "--worst", "0", "--exemplars", "0", "--groups", "2")
    assert [item.question for item in items] == [wordings[0], "Other 0?"]
    assert items[0].paraphrases == (wordings[2], wordings[3]), "the second is the first in other letters"
    assert items[1].paraphrases == ("Other 1?",)
    assert len(gold(lane, "--worst", "0", "--exemplars", "0")) == 3


def test_a_sample_of_each_route_and_band_is_the_same_again(lane: Path) -> None:
    pairs = [asking(pair, f"Question {i}?", delta_s=0.1 if i % 2 else 0.7) for i, pair in enumerate(make_pairs(300))]
    save(load_config(lane), pairs)
    first = gold(lane, "--worst", "0", "--groups", "0", "--exemplars", "5")
    assert len(first) == 10
    assert gold(lane, "--worst", "0", "--groups", "0", "--exemplars", "5") == first
    parity = [int(item.question.split()[1].rstrip("?")) % 2 for item in first]
    assert sorted(parity) == [0] * 5 + [1] * 5
    narrower = gold(lane, "--worst", "0", "--groups", "0", "--exemplars", "5", "--band", "critical")
    assert [item for item in first if item in narrower] == narrower


def test_a_turn_of_a_conversation_cannot_be_asked_alone(lane: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = make_pairs(2)
    talk = asking(pairs[0], "How long may I ride?", "45 minutes.", "And at night?")
    save(load_config(lane), [talk])
    out = lane.with_name("gold.jsonl")
    assert main(["gold", "--config", str(lane), "--out", str(out)]) == 2
    assert "no stored pair has a question that can be asked alone" in capsys.readouterr().err
    assert not out.exists()
    save(load_config(lane), [asking(pairs[1], "Alone?")])
    assert [item.question for item in gold(lane)] == ["Alone?"]


def test_nothing_asked_for_is_said(lane: Path, capsys: pytest.CaptureFixture[str]) -> None:
    none = ["--worst", "0", "--exemplars", "0", "--groups", "0"]
    assert main(["gold", "--config", str(lane), "--out", str(lane) + ".g", *none]) == 2
    assert "give one of them a number above 0" in capsys.readouterr().err
