"""A probe against real servers: what is asked, how fast, what a killed run's successor asks, what cannot be asked."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shadowlane.errors import DataError, ShadowlaneError
from shadowlane.probe.gold import GoldItem
from shadowlane.probe.runner import Plan, Runs, Target, run_probe
from shadowlane.probe.service import Pace
from shadowlane.probe.shape import Shape
from shadowlane.probe.state import RunState
from tests.support.chatserver import Got, Reply, chat, serving

ITEMS = [GoldItem(id=name, question=f"{name}?", paraphrases=(f"{name}1", f"{name}2", f"{name}3")) for name in "ab"]


def echo(got: Got) -> Reply:
    return chat(f"about {got.body['messages'][0]['content'][0]}")


def asked(got: Got) -> tuple[str, int]:
    return got.body["messages"][0]["content"], got.body["seed"]


def probe(plan: Plan, state: RunState, progress: Any = None) -> tuple[dict[str, tuple[str, ...]], Runs]:
    try:
        return asyncio.run(run_probe(plan, state, progress or (lambda done, total: None)))
    finally:
        state.close(done=False)


def test_every_wording_is_asked_with_every_seed_at_both(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with serving(echo) as prod, serving(echo) as shadow:
        plan = Plan(ITEMS, Target(prod.url, "p"), Target(shadow.url, "s"), qps=0, concurrency=3)
        wordings, runs = probe(plan, RunState(tmp_path / "s", "f"), lambda *step: told.append(step))
    assert wordings == {"a": ("a1", "a2", "a3"), "b": ("b1", "b2", "b3")}
    expected = Counter((f"{name}{index}", seed) for name in "ab" for index in (1, 2, 3) for seed in (1, 2))
    for server, model in ((prod, "p"), (shadow, "s")):
        assert Counter(map(asked, server.requests)) == expected
        assert {got.body["model"] for got in server.requests} == {model}
        assert {got.headers["x-shadow"] for got in server.requests} == {"1"}, "a gateway must not mirror probes"
        assert server.most_at_once <= 3
    assert len(runs) == 24
    assert runs["b", 2, 1, "shadow"].text == "about b"
    assert told[0] == (0, 24)
    assert told[-1] == (24, 24)


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 9:
            raise KeyboardInterrupt

    with serving(echo) as prod, serving(echo) as shadow:
        plan = Plan(ITEMS, Target(prod.url), Target(shadow.url), qps=0, concurrency=1)
        with pytest.raises(KeyboardInterrupt):
            probe(plan, RunState(tmp_path / "s", "f"), stop)
    again = RunState(tmp_path / "s", "f")
    kept = len(again.runs)
    assert kept >= 9
    # Servers of its own: a request that the first run had on the wire when it was stopped may arrive after that.
    with serving(echo) as prod, serving(echo) as shadow:
        _, runs = probe(Plan(ITEMS, Target(prod.url), Target(shadow.url), qps=0, concurrency=1), again)
        assert len(prod.requests) + len(shadow.requests) == 24 - kept
    assert len(runs) == 24


def test_patience_that_is_asked_for_is_given(tmp_path: Path) -> None:
    refused = threading.Event()

    def busy(got: Got) -> Reply:
        if not refused.is_set():
            refused.set()
            return Reply({"error": {"message": "slow down"}}, 429, {"retry-after": "0"})
        return echo(got)

    with serving(busy) as prod, serving(echo) as shadow:
        plan = Plan(ITEMS[:1], Target(prod.url), Target(shadow.url), qps=0, concurrency=1)
        _, runs = probe(plan, RunState(tmp_path / "s", "f"))
    assert len(prod.requests) == 7
    assert not any(run.collapsed for run in runs.values())


def test_errors_are_answers_that_collapsed(tmp_path: Path) -> None:
    def failing(got: Got) -> Reply:
        return Reply({"error": {"message": "boom"}}, 500) if asked(got)[1] == 2 else chat("")

    with serving(echo) as prod, serving(failing) as shadow:
        _, runs = probe(Plan(ITEMS[:1], Target(prod.url), Target(shadow.url), qps=0), RunState(tmp_path / "s", "f"))
    assert {(run.seed, run.collapsed, run.why) for run in runs.values() if run.arm == "shadow"} == {
        (1, True, "the answer holds no text (finish reason 'stop')"),
        (2, True, "HTTP 500"),
    }


@pytest.mark.parametrize("arm", ["prod", "shadow"])
def test_a_service_that_nobody_answers_at_ends_the_run_and_keeps_the_rest(tmp_path: Path, arm: str) -> None:
    with serving(echo) as there:
        nowhere = Target("http://127.0.0.1:9")
        targets = {"prod": Target(there.url), "shadow": Target(there.url), arm: nowhere}
        plan = Plan(ITEMS, targets["prod"], targets["shadow"], qps=0)
        with pytest.raises(ShadowlaneError, match=f"--{arm} = 'http://127.0.0.1:9': gave no answer"):
            probe(plan, RunState(tmp_path / "s", "f"))
        state = RunState(tmp_path / "s", "f")
        assert all(key[3] != arm for key in state.runs)
        state.close(done=False)


def test_missing_wordings_are_asked_for_and_kept(tmp_path: Path) -> None:
    items = [
        GoldItem(id="a", question="How long?"),
        GoldItem(id="b", question="Why?", paraphrases=("Why so?", "Why, then?")),
    ]
    texts = 'Sure:\n```json\n["How long?", "How much time?", "What time is needed?", "For how long?"]\n```'

    def writer(got: Got) -> Reply:
        assert "How long?" in got.body["messages"][0]["content"]
        return chat(texts)

    with serving(echo) as prod, serving(echo) as shadow, serving(writer) as words:
        plan = Plan(items, Target(prod.url), Target(shadow.url), qps=0, paraphrases=Target(words.url + "/v1", "w"))
        wordings, _ = probe(plan, RunState(tmp_path / "s", "f"))
        assert wordings == {
            "a": ("How long?", "How much time?", "What time is needed?"),
            "b": ("Why?", "Why so?", "Why, then?"),
        }
        assert [got.path for got in words.requests] == ["/v1/chat/completions"]
        again, _ = probe(plan, RunState(tmp_path / "s", "f"))
        assert again == wordings
        assert len(words.requests) == 1


def test_missing_wordings_without_an_endpoint_are_an_error_before_any_request(tmp_path: Path) -> None:
    with serving(echo) as prod, serving(echo) as shadow:
        plan = Plan([GoldItem(id="x", question="Why?")], Target(prod.url), Target(shadow.url))
        with pytest.raises(DataError, match=r"1 items have fewer than 3 wordings \('x'\).*--paraphrase-url"):
            probe(plan, RunState(tmp_path / "s", "f"))
        assert prod.requests == shadow.requests == []


@pytest.mark.parametrize(
    ("reply", "words"),
    [(Reply({"error": {"message": "no"}}, 401), "HTTP 401"), (chat("I cannot."), "too few different paraphrases")],
)
def test_an_endpoint_that_writes_none_is_said(tmp_path: Path, reply: Reply, words: str) -> None:
    with serving(lambda _: reply) as words_server:
        target = Target(words_server.url, "w")
        plan = Plan([GoldItem(id="x", question="Why?")], target, target, qps=0, paraphrases=target)
        with pytest.raises(ShadowlaneError, match=words):
            probe(plan, RunState(tmp_path / "s", "f"))


def test_plain_services_are_asked_through_a_template(tmp_path: Path) -> None:
    def answer(got: Got) -> Reply:
        return Reply({"result": {"say": got.body["q"]}, "refs": [{"section_id": "s/1"}]})

    with serving(answer) as prod, serving(answer) as shadow:
        shape = Shape(path="/ask", template={"q": "{{question}}"})
        plan = Plan(
            ITEMS[:1],
            Target(prod.url),
            Target(shadow.url),
            shape,
            qps=0,
            text_pointer="/result/say",
            citations_pointer="/refs",
        )
        _, runs = probe(plan, RunState(tmp_path / "s", "f"))
    run = runs["a", 1, 2, "prod"]
    assert (run.text, [one.section_id for one in run.citations]) == ("a2", ["s/1"])
    assert {got.path for got in prod.requests} == {"/ask"}


def test_the_rate_is_kept_whatever_comes() -> None:
    now = 100.0
    begun: list[float] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    async def go() -> None:
        nonlocal now
        pace = Pace(4.0, clock=lambda: now, sleep=sleep)
        for _ in range(5):
            await pace.turn()
            begun.append(now)
        now += 10
        for _ in range(3):
            await pace.turn()
            begun.append(now)

    asyncio.run(go())
    assert begun == [100.0, 100.25, 100.5, 100.75, 101.0, 111.0, 111.25, 111.5]


def test_the_fingerprint_knows_what_is_asked_and_not_how_fast() -> None:
    base = Plan(ITEMS, Target("http://a"), Target("http://b"))
    same = Plan(ITEMS, Target("http://a", timeout_s=5), Target("http://b"), qps=1, concurrency=9)
    assert base.fingerprint(b"gold") == same.fingerprint(b"gold")
    others = [
        (base, b"other"),
        (Plan(ITEMS, Target("http://a"), Target("http://c")), b"gold"),
        (Plan(ITEMS, Target("http://a", "m"), Target("http://b")), b"gold"),
        (Plan(ITEMS, Target("http://a"), Target("http://b"), seeds=(1, 3)), b"gold"),
        (Plan(ITEMS, Target("http://a"), Target("http://b"), Shape(path="/x")), b"gold"),
    ]
    prints = {plan.fingerprint(gold) for plan, gold in others} | {base.fingerprint(b"gold")}
    assert len(prints) == 6
