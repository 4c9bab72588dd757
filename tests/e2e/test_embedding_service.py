"""An embedding service that fails while the lane runs, and recovers: what its rows, the log and the report say."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading

import httpx

from shadowlane.config import StoreConfig
from shadowlane.store import open_store
from shadowlane.types import Scores
from tests.support.chatserver import Got, Reply, embeddings, serving

from .conftest import World, until

SECRET = "what the service says"


def test_a_service_that_fails_costs_delta_s_until_it_recovers(world: World, client: httpx.Client) -> None:
    failing = threading.Event()
    answers = itertools.cycle(["The answer is not known.", ""])

    def embed(got: Got) -> Reply:
        return Reply({"error": {"message": SECRET}}, 503) if failing.is_set() else embeddings(got)

    def shadow(got: Got) -> Reply:
        return Reply({"answer": next(answers), "echo": json.dumps(got.body)})

    with serving(shadow) as candidate, serving(embed) as service:
        world.configure(
            candidate.url,
            shadows__candidate={"concurrency": 1},
            score={"embedder": "openai:letters", "embedder_url": service.url + "/v1", "text_pointer": "/answer"},
        )
        url = world.gateway()
        for number, well in enumerate([True, False, False, True]):
            (failing.clear if well else failing.set)()
            for last in range(2):
                # Another question each time: nothing comes from the rows that are kept.
                assert client.post(url + "/ask", json={"question": f"What is it, case {number}?"}).status_code == 200
                world.settle(2 * number + last + 1)
        log = (world.lane / "worker.log").read_text()
        calls = len(service.requests)

    store = open_store(StoreConfig(url=f"sqlite:///{world.database}"), read_only=True)
    scores: list[Scores] = [
        row.pair.scores for row in sorted(store.iter_pairs(), key=lambda row: row.pair.copy.started_ns)
    ]
    store.close()
    assert [one.delta_s is None for one in scores] == [False] * 2 + [True] * 4 + [False] * 2
    assert [one.group is None for one in scores] == [False] * 2 + [True] * 4 + [False] * 2
    why = "score.embedder = 'openai:letters': HTTP 503; check score.embedder_url and score.embedder_credential_env"
    assert [one.note.rpartition("; no ΔS")[0] for one in scores[2:6]] == [
        "",
        "the shadow's answer: the answer holds no text",
    ] * 2
    assert all(one.note.endswith(f"no ΔS: {why}") for one in scores[2:6])
    assert [one.state for one in scores[2:6]] == ["", "divergent"] * 2
    assert all(one.differences for one in scores)
    assert log.count(why) == 1
    assert log.count("pairs have a ΔS again") == 1
    assert "Traceback" not in log
    assert SECRET not in log
    assert calls >= 5

    done = world.cli("report", "--json")
    assert done.returncode == 0, done.stderr
    [mine] = json.loads(done.stdout)["shadows"]
    assert sum(block["n"] for block in mine["delta_s"]) == 4


def test_a_worker_that_starts_while_the_service_is_down_goes_on(world: World, client: httpx.Client) -> None:
    failing = threading.Event()

    def embed(got: Got) -> Reply:
        return Reply({}, 503) if failing.is_set() else embeddings(got)

    with serving(lambda got: Reply({"answer": "Yes."})) as candidate, serving(embed) as service:
        world.configure(candidate.url, score={"embedder": "openai:letters", "embedder_url": service.url + "/v1"})
        url = world.gateway()
        for number, well in enumerate([True, False, True]):
            (failing.clear if well else failing.set)()
            if not well:
                pid = world.worker_pid()
                os.kill(pid, signal.SIGKILL)
                until(lambda pid=pid: world.worker_pid() not in (0, pid), "another worker has started")
            assert client.post(url + "/ask", json={"question": f"What is it, case {number}?"}).status_code == 200
            world.settle(number + 1)
    store = open_store(StoreConfig(url=f"sqlite:///{world.database}"), read_only=True)
    scores = [row.pair.scores for row in sorted(store.iter_pairs(), key=lambda row: row.pair.copy.started_ns)]
    store.close()
    assert [one.embedder for one in scores] == ["openai:letters@letters-1", "", "openai:letters@letters-1"]
    assert [one.delta_s is None for one in scores] == [False, True, False]
    assert "HTTP 503" in scores[1].note
    assert "there are no rows until the service answers" in (world.lane / "worker.log").read_text()
