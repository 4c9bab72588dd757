"""``--middleware shadowlane.asgi.ShadowMiddleware``, as vLLM loads it: by name, without arguments."""

from __future__ import annotations

import json
import sys

import httpx
import pytest

from tests.e2e.conftest import ROOT, Process, World, until
from tests.support.chatserver import Got, Reply, chat, serving
from tests.support.snippets import PAGE

OPTION = "--middleware shadowlane.asgi.ShadowMiddleware"
KEY = "sk-" + "0123456789abcdef" * 4
URL = "/v1/chat/completions"


def start(world: World, port: int, *options: str) -> Process:
    command = [sys.executable, "-m", "tests.support.vllmserver", "--port", str(port), *OPTION.split(), *options]
    process = Process(command, world.folder / "vllm.log", {"SHADOWLANE_CONFIG": str(world.config)}, cwd=ROOT)
    world.processes.append(process)
    return process


def ask(client: httpx.Client, url: str, question: str, *, key: str = KEY, stream: bool = False) -> httpx.Response:
    body = {"model": "m", "messages": [{"role": "user", "content": question}], "stream": stream}
    return client.post(url + URL, json=body, headers={"authorization": f"Bearer {key}"})


def echo(got: Got) -> Reply:
    return chat(f"You asked: {got.body['messages'][-1]['content']}")


def test_the_page_says_the_option_that_is_tested() -> None:
    assert f"SHADOWLANE_CONFIG=shadowlane.toml vllm serve MODEL {OPTION}" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("processes", [1, 2])
def test_every_api_server_mirrors_answers_and_streams(processes: int, world: World, client: httpx.Client) -> None:
    with serving(echo) as shadow:
        world.configure(shadow.url, routes={"presets": ["openai"], "read": []})
        port = world.ports.reserve()
        process = start(world, port, "--api-key", KEY, "--api-server-count", str(processes))
        process.listening(port)
        url = f"http://127.0.0.1:{port}"

        def opened() -> bool:
            assert process.popen.poll() is None, process.log.read_text()
            return (world.lane / "control.shm").exists() and len(world.lane_status()["rings"]) == processes

        until(opened, f"{processes} processes have a ring")
        for number in range(6):
            answer = ask(client, url, f"question {number}", stream=number % 2 == 1)
            assert answer.status_code == 200
            said = "".join(text_of(answer)) if number % 2 else answer.json()["choices"][0]["message"]["content"]
            assert said.strip() == f"You asked: question {number}"
        status = world.settle(6)
        assert status["shadows"]["candidate"]["answered"] == 6
        asked = sorted(copy.body["messages"][-1]["content"] for copy in shadow.requests)
        assert asked == [f"question {number}" for number in range(6)]
        assert KEY not in json.dumps([copy.headers for copy in shadow.requests])
        assert process.stop() == 0


def test_what_its_own_key_refuses_is_seen(world: World, client: httpx.Client) -> None:
    """vLLM puts the middleware outside of its own: the answer is the one that was sent, 401."""
    with serving(echo) as shadow:
        world.configure(shadow.url, routes={"presets": ["openai"], "read": []})
        port = world.ports.reserve()
        start(world, port, "--api-key", KEY).listening(port)
        assert ask(client, f"http://127.0.0.1:{port}", "may I?", key="another").status_code == 401
        status = world.settle(1)
        assert status["dropped"] == {"prod_failed": 1}


def text_of(answer: httpx.Response) -> list[str]:
    events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: {")]
    return [json.loads(event)["choices"][0]["delta"]["content"] for event in events]


def test_a_bad_configuration_ends_the_start(world: World) -> None:
    world.configure("http://127.0.0.1:9", sampling={"ratio": 7})
    process = start(world, world.ports.reserve())
    until(lambda: process.popen.poll() is not None, "the server ends")
    assert process.popen.returncode != 0
    assert f"shadowlane: {world.config}: sampling.ratio" in process.log.read_text()
