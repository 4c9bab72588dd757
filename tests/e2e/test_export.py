"""Export and gold over a lane whose worker runs: what was asked and answered goes out, a planted secret does not."""

from __future__ import annotations

import json

import httpx

from .conftest import World, until

N = 30
MAIL = "jane.planted@example.org"


def test_pairs_go_out_while_the_worker_runs(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow())
    url = world.gateway()
    for i in range(N):
        body = {"model": "m", "messages": [{"role": "user", "content": f"May {MAIL} have bicycle {i % 10}?"}]}
        client.post(f"{url}/v1/chat/completions", json=body)
    world.settle(N)
    until(world.worker_pid, "the worker lives")
    done = world.cli("export")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == N
    assert {line["shadow"] for line in lines} == {"candidate"}
    assert {line["route"] for line in lines} == {"POST /v1/chat/completions"}
    assert sorted(line["question"][-2] for line in lines) == sorted(str(i % 10) for i in range(N))
    assert MAIL not in done.stdout
    out = world.folder / "items.jsonl"
    done = world.cli("export", "--format", "langfuse", "--out", str(out), "--json")
    assert json.loads(done.stdout) == {"file": str(out), "format": "langfuse", "pairs": N, "left_out": 0}
    assert MAIL not in out.read_text()
    done = world.cli("gold", "--out", str(world.folder / "gold.jsonl"), "--json")
    found = json.loads(done.stdout)
    assert found["items"] == 10, done.stderr
    assert MAIL not in (world.folder / "gold.jsonl").read_text()
    assert world.worker_pid(), "the worker goes on"
    assert world.status()["accounting"]["holds"]
