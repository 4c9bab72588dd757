"""After adoption, from the answers' bytes to the command line: what the new service cites, retrieves and calls is held
against the old one, which is the shadow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shadowlane.cli import main
from shadowlane.config import ScoreConfig, load_config
from shadowlane.score.scorer import Scorer
from shadowlane.types import Copy, Outcome, Pair
from tests.support.lanes import HOUR_NS, NOW_NS, save

N = 160
JSON = ((b"content-type", b"application/json"),)
PASSAGES = {
    "riding": "A single ride may last 45 minutes, and every further quarter of an hour costs half a euro.",
    "locks": "A lock that breaks in normal use is free of charge when it is reported within a day in the app.",
    "areas": "Bicycles are returned within the marked area of the town, at any rack that stands at a street.",
}


def answer(sections: tuple[str, ...], calls: tuple[str, ...]) -> bytes:
    """A chat completion that carries what was retrieved, and calls tools."""
    made = [{"id": name, "type": "function", "function": {"name": name, "arguments": "{}"}} for name in calls]
    message = {"role": "assistant", "content": "A ride lasts 45 minutes.", **({"tool_calls": made} if made else {})}
    citations = [
        {"section_id": name, "source_url": f"https://a.example/{name}", "text": PASSAGES[name]} for name in sections
    ]
    return json.dumps(
        {"object": "chat.completion", "choices": [{"index": 0, "message": message}], "citations": citations}
    ).encode()


def exchange(i: int, prod: bytes, shadow: bytes) -> Pair:
    asked = {"model": "m", "messages": [{"role": "user", "content": f"How long may ride {i} last?"}]}
    started = NOW_NS - int((N - i) / N * 24 * HOUR_NS)
    copy = Copy(
        shadow_id=f"0190a8f0-0000-7000-8000-{i:012x}", req_hash=f"{i:032x}", started_ns=started, method="POST",
        target="/v1/chat/completions", body=json.dumps(asked).encode(), status=200, response_headers=JSON,
        response_body=prod, ttfb_ns=10**7, duration_ns=2 * 10**7, preset="openai",
    )  # fmt: skip
    outcome = Outcome(shadow="old", status=200, headers=JSON, body=shadow, ttfb_ns=10**7, duration_ns=2 * 10**7)
    return Pair(copy=copy, outcome=outcome)


def rules(folder: Path, capsys: pytest.CaptureFixture[str], prod: bytes, shadow: bytes) -> dict[str, dict[str, Any]]:
    """What ``shadowlane gate --json`` says of a lane whose new service answers so, and the old one so."""
    folder.mkdir()
    file = folder / "lane.toml"
    file.write_text(
        f'[lane]\ndirectory = "{folder / "lane"}"\n[store]\nurl = "sqlite:///{folder / "s.db"}"\n'
        '[gate]\nwarmup_pairs = 0\nwindow_hours = 80000\ndisable = ["overhead"]\n'
        '[shadows.old]\nurl = "http://127.0.0.1:9"\ndirection = "reverse"\n'
    )

    scored = Scorer(ScoreConfig(embedder="lexical")).score([exchange(i, prod, shadow) for i in range(N)])
    assert all(pair.scores.delta_s is not None for pair in scored)
    save(load_config(file), scored)
    assert main(["gate", "--json", "--config", str(file)]) == 1
    found = json.loads(capsys.readouterr().out)
    return {rule["key"]: rule for rule in found["rules"]}


def test_what_the_new_service_lacks_and_what_it_does_beyond(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    less, more = answer(("riding",), ("find", "drop")), answer(("riding", "locks", "areas"), ("find",))
    lacking = rules(tmp_path / "a", capsys, prod=less, shadow=more)
    for key, said in (("citations", "the shadow's citations that prod lacks"), ("tool_calls", "the shadow never made")):
        assert lacking[key]["status"] == "not met", lacking[key]
        assert said in lacking[key]["evidence"]
    assert lacking["coverage"]["status"] == "not met"
    assert lacking["coverage"]["evidence"].startswith("what the shadow retrieved and prod did not")
    beyond = rules(tmp_path / "b", capsys, prod=more, shadow=less)
    for key in ("citations", "coverage", "tool_calls"):
        assert beyond[key]["status"] != "not met", beyond[key]
        assert beyond[key]["status"] != "not judged", beyond[key]
