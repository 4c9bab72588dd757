"""The whole way of the judge: gateway, worker, shadow, control and a judging model, to status, report and gate."""

from __future__ import annotations

import hashlib
import itertools
import json
import stat
from pathlib import Path

import httpx

from tests.support.chatserver import Got, Reply, chat, serving

from .conftest import World, until

QUESTION = {"question": "How long may a single ride last?"}
FAR = "Bond yields fell sharply on Tuesday. The ride limit is not known to anybody here."


def prods_answer(got: Got) -> str:
    body = json.dumps(got.body, separators=(",", ":")).encode()
    return f"The answer to /ask is {hashlib.sha256(b'POST' + body).hexdigest()[:16]}."


def test_flips_noise_drift_and_verdicts_reach_the_reader(world: World, client: httpx.Client) -> None:
    numbers, shadows = itertools.count(), itertools.count()

    def control(got: Got) -> Reply:
        return Reply({"answer": prods_answer(got), "echo": json.dumps(got.body), "id": next(numbers)})

    def shadow(got: Got) -> Reply:
        number = next(shadows)
        text = prods_answer(got)
        if number == 6:
            text = FAR
        elif number > 8:
            text = text.replace(" is ", " is not ")
        return Reply({"answer": text, "echo": json.dumps(got.body), "id": next(numbers), "mode": "new"})

    def judging(got: Got) -> Reply:
        return chat(
            json.dumps({"same": False, "better": "neither", "why": "one is about bonds"}), usage={"total_tokens": 50}
        )

    with serving(shadow) as candidate, serving(control) as second, serving(judging) as model:
        world.configure(
            candidate.url,
            shadows__candidate={"concurrency": 1},
            control={"url": second.url},
            gate={"min_pairs": 5, "warmup_pairs": 0},
            score={"embedder": "wordllama"},
            judge={"url": model.url + "/v1", "model": "judge-1", "ratio": 1.0, "tokens_per_day": 100000.0},
        )
        url = world.gateway()
        for _ in range(12):
            assert client.post(url + "/ask", json=QUESTION).status_code == 200
        world.settle(12)
        for process in world.processes:
            process.stop()
        until(lambda: not world.worker_pid(), "the worker leaves when the gateway is gone")
        asked = [got.body["messages"][1]["content"] for got in model.requests]

    status = world.status()
    assert status["store"]["flips"]["candidate"]["flips"] == 2
    assert any("flipped" in line for line in status["alerts"])

    done = world.cli("report", "--json", "--html", str(world.folder / "r.html"))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    mine = next(one for one in report["shadows"] if one["name"] == "candidate")
    [block] = mine["delta_s"]
    low, high = block["above_floor_interval"]
    assert low <= block["above_floor"] <= high
    assert block["floor"] is not None
    assert (mine["groups"]["groups"], mine["groups"]["own_flips"]) == (1, 2)
    places = {(place["path"], place["kind"]): place["noise"] for place in mine["structure"]["places"]}
    assert places["/id", "extra"] is True
    assert places["/mode", "extra"] is False
    assert report["judge"]["failed"] == {}
    assert report["judge"]["judged"] == sum(mine["judged"].values()) == len(asked) // 2
    assert mine["judged"].keys() == {"different"}
    assert "noise floor" in (world.folder / "r.html").read_text()

    gate = world.cli("gate", "--json")
    assert gate.returncode == 1
    [verdict] = json.loads(gate.stdout)["shadows"]
    rules = {rule["name"]: rule for rule in verdict["rules"]}
    assert rules["λ flips"]["ok"] is False
    assert "above the noise floor" in rules["mean ΔS"]["evidence"]

    groups = Path(f"{world.database}.default.groups")
    assert stat.S_IMODE(groups.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in groups.iterdir()} == {0o600}


def test_a_judge_that_is_an_arm_is_refused_at_start(world: World) -> None:
    world.configure("http://127.0.0.1:9", judge={"url": "http://127.0.0.1:9/v1", "model": "m"})
    done = world.cli("worker")
    assert done.returncode == 2
    assert "the judge must not be one of the arms, and 'candidate' is at the same address" in done.stderr


def test_a_judge_that_fails_costs_no_pair(world: World, client: httpx.Client) -> None:
    with serving(lambda got: Reply({"answer": FAR})) as shadow:
        world.configure(
            shadow.url,
            score={"embedder": "wordllama"},
            judge={"url": "http://127.0.0.1:9/v1", "model": "m", "ratio": 1.0},
        )
        url = world.gateway()
        for number in range(20):
            assert client.post(url + "/ask", json={"question": f"What costs {number}?"}).status_code == 200
        settled = world.settle(20)
    assert settled["shadows"]["candidate"]["answered"] == 20
