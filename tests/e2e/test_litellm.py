"""LiteLLM itself: its proxy with the callback and behind the middleware, its SDK with the callback."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e.conftest import ROOT, Process, World
from tests.support.answering import Upstream, upstream
from tests.support.snippets import gateway_settings

if importlib.util.find_spec("litellm") is None:
    pytest.skip("litellm is not installed (it is too large for the dev extra)", allow_module_level=True)

pytestmark = pytest.mark.timeout(400)
KEY = "sk-" + "0123456789abcdef" * 4
QUIET = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "NO_PROXY": "127.0.0.1"}
CHAT = [{"role": "user", "content": "how high is the deposit?"}]
SAID = "You asked: how high is the deposit?"


def model(name: str, provider: str, base: str) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": {"model": f"{provider}/small", "api_base": base, "api_key": "none"}}


def configured(world: World, url: str, nobody: str, settings: dict[str, Any]) -> None:
    """LiteLLM's own configuration: models of three providers, one of nobody that falls back, a pass-through route."""
    (world.folder / "litellm.yaml").write_text(
        json.dumps(
            {
                "model_list": [
                    model("small", "openai", f"{url}/v1"),
                    model("claude", "anthropic", url),
                    model("ranker", "cohere", url),
                    model("away", "openai", f"{nobody}/v1"),
                    model("gone", "openai", f"{nobody}/v1"),
                ],
                "litellm_settings": {**settings, "num_retries": 0, "request_timeout": 60},
                "router_settings": {"num_retries": 0, "fallbacks": [{"away": ["small"]}], "disable_cooldowns": True},
                "general_settings": {
                    "pass_through_endpoints": [{"path": "/through", "target": f"{url}/v1/chat/completions"}]
                },
            }
        )
    )


def proxy(world: World, server: str, app: str) -> str:
    port = world.ports.reserve()
    command = {
        "uvicorn": [sys.executable, "-m", "uvicorn", app, "--port", str(port)],
        "granian": [sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port), app],
    }[server]
    environment = {
        **QUIET,
        "CONFIG_FILE_PATH": str(world.folder / "litellm.yaml"),
        "LITELLM_MASTER_KEY": KEY,
        "SHADOWLANE_CONFIG": str(world.config),
        "PYTHONPATH": os.pathsep.join([str(world.folder), str(ROOT / "python")]),
    }
    process = Process(command, world.folder / "proxy.log", environment, cwd=world.folder)
    world.processes.append(process)
    process.listening(port)
    return f"http://127.0.0.1:{port}"


class Lane:
    """One proxy, its upstream and its shadow."""

    def __init__(self, world: World, prod: Upstream, shadow: Upstream, url: str) -> None:
        self.world, self.prod, self.shadow = world, prod, shadow
        self.client = httpx.Client(
            base_url=url, headers={"authorization": f"Bearer {KEY}"}, timeout=120, trust_env=False
        )
        self.asked = 0

    def post(self, path: str, body: dict[str, Any], status: int = 200) -> str:
        self.asked += 1
        answer = self.client.post(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.text

    def settled(self) -> dict[str, Any]:
        return self.world.settle(self.asked)


@contextmanager
def served(folder: Path, *, server: str = "uvicorn", settings: dict[str, Any], gateway: str = "") -> Iterator[Lane]:
    world = World(folder)
    try:
        with upstream() as prod, upstream() as shadow:
            routes = {"presets": ["openai", "anthropic", "cohere"], "read": ["POST /through openai"]}
            world.configure(shadow.url, routes=routes)
            configured(world, prod.url, world.nobody(), settings)
            if gateway:
                (world.folder / "gateway.py").write_text(gateway)
            url = proxy(world, server, "gateway:app" if gateway else "litellm.proxy.proxy_server:app")
            lane = Lane(world, prod, shadow, url)
            try:
                yield lane
            finally:
                lane.client.close()
    finally:
        world.close()


GATEWAY = """
from litellm.proxy.proxy_server import app as proxy
from shadowlane.asgi import ShadowMiddleware

app = ShadowMiddleware(proxy)
"""

MIRRORED: list[tuple[str, dict[str, Any], str]] = [
    ("/v1/chat/completions", {"model": "small", "messages": CHAT, "temperature": 0.5}, "messages"),
    ("/chat/completions", {"model": "small", "messages": CHAT, "stream": True}, "messages"),
    ("/v1/completions", {"model": "small", "prompt": "how high is the deposit?"}, "prompt"),
    ("/v1/embeddings", {"model": "small", "input": ["how high", "is the deposit?"]}, "input"),
    ("/v1/responses", {"model": "small", "input": "how high is the deposit?"}, "input"),
    ("/v1/messages", {"model": "claude", "max_tokens": 9, "messages": CHAT}, "messages"),
    ("/v1/messages", {"model": "claude", "max_tokens": 9, "messages": CHAT, "stream": True}, "messages"),
    ("/v1/rerank", {"model": "ranker", "query": "deposit", "documents": ["high", "low"]}, "documents"),
    ("/v1/moderations", {"model": "small", "input": "how high is the deposit?"}, "input"),
    ("/v1/chat/completions", {"model": "away", "messages": CHAT}, "messages"),
    ("/through", {"model": "small", "messages": CHAT}, "messages"),
]
REFUSED = [("/v1/images/generations", {"model": "small", "prompt": "a deposit"})]


def ask_everything(lane: Lane) -> dict[str, Any]:
    """One request of each family; the status when all have settled, and what reached the shadow is looked at."""
    for path, body, _ in MIRRORED:
        lane.post(path, body)
    for path, body in REFUSED:
        lane.post(path, body)
    status = lane.settled()
    assert sorted(lane.shadow.paths) == sorted(path for path, _, _ in MIRRORED)
    copies = [json.loads(body) for body in lane.shadow.bodies]
    for _, body, member in MIRRORED:
        assert any(copy.get(member) == body[member] and copy["model"] == body["model"] for copy in copies), body
    assert KEY not in json.dumps([lane.shadow.headers, copies])
    assert "user_api_key" not in json.dumps(copies)
    assert status["shadows"]["candidate"]["answered"] == len(MIRRORED)
    return status


def leave(lane: Lane) -> None:
    """Begin to read a stream, and go: LiteLLM logs the part that was sent as an answer."""
    lane.asked += 1
    held = [{"role": "user", "content": "please hold key"}]
    body = {"model": "small", "messages": held, "stream": True}
    with lane.client.stream("POST", "/v1/chat/completions", json=body) as answer:
        lane.prod.let("key")
        assert any(line.startswith("data: ") for line in answer.iter_lines())


def test_the_callback_mirrors_each_family_or_counts_why_not(tmp_path: Path) -> None:
    settings = yaml.safe_load(gateway_settings()["LiteLLM by a callback"])["litellm_settings"]
    with served(tmp_path, settings=settings) as lane:
        status = ask_everything(lane)
        assert status["dropped"] == {"route": 1}
        lane.post("/v1/chat/completions", {"model": "gone", "messages": CHAT}, status=500)
        lane.post("/v1/chat/completions", {"model": "nobody-knows", "messages": CHAT}, status=400)
        status = lane.settled()
        assert status["dropped"] == {"route": 1, "prod_failed": 2}
        leave(lane)
        status = lane.settled()
        assert status["dropped"] == {"route": 1, "prod_failed": 2, "client_disconnected": 1}
        assert status["faults"] == 0


@pytest.mark.parametrize("server", ["uvicorn", "granian"])
def test_the_middleware_mirrors_each_family_or_counts_why_not(server: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(server) is None:
        pytest.skip(f"{server} is not installed")
    with served(tmp_path, server=server, settings={}, gateway=GATEWAY) as lane:
        status = ask_everything(lane)
        assert status["dropped"] == {"route": 1}
        lane.asked += 2
        assert lane.client.get("/v1/models").status_code == 200
        assert lane.client.post("/v1/files", files={"file": b"{}"}, data={"purpose": "batch"}).status_code >= 400
        status = lane.settled()
        assert status["dropped"] == {"route": 3}
        assert status["faults"] == 0


PROGRAM = """
import asyncio, gc, json, os, time

import litellm
from shadowlane.litellm import ShadowLogger

litellm.suppress_debug_info = True
logger = ShadowLogger(config=os.environ["LANE"])
litellm.callbacks = [logger]
chat = [{"role": "user", "content": "how high is the deposit?"}]
here = {"model": "openai/small", "api_base": os.environ["BASE_URL"] + "/v1", "api_key": os.environ["KEY"]}
nobody = {**here, "api_base": os.environ["NOBODY"] + "/v1", "max_retries": 0}
said = []


def text(answer):
    return answer.choices[0].message.content


async def asynchronous():
    said.append(text(await litellm.acompletion(messages=chat, **here)))
    stream = await litellm.acompletion(messages=chat, stream=True, **here)
    said.append("".join([chunk.choices[0].delta.content or "" async for chunk in stream]).strip())
    await litellm.aembedding(input=["one", "two"], **here)
    try:
        await litellm.acompletion(messages=chat, **nobody)
    except litellm.InternalServerError:
        said.append("failed")
    deadline = time.monotonic() + 60
    while logger._calls and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
        gc.collect()  # the stream that was left is part of a circle


messages = [dict(chat[0])]
said.append(text(litellm.completion(messages=messages, temperature=0.5, **here)))
messages[0]["content"] = "changed afterwards"
stream = litellm.completion(messages=chat, stream=True, **here)
said.append("".join([chunk.choices[0].delta.content or "" for chunk in stream]).strip())
left = litellm.completion(messages=chat, stream=True, **here)
next(iter(left))
del left, stream
asyncio.run(asynchronous())
print(json.dumps(said))
"""


def test_the_sdk_with_the_callback(tmp_path: Path) -> None:
    world = World(tmp_path)
    try:
        with upstream() as prod, upstream() as shadow:
            world.configure(shadow.url, routes={"presets": ["openai"], "read": []})
            (tmp_path / "program.py").write_text(PROGRAM)
            paths = {"PYTHONPATH": str(ROOT / "python"), "LANE": str(world.config), "KEY": KEY}
            done = subprocess.run(
                [sys.executable, "program.py"], capture_output=True, text=True, timeout=300, cwd=tmp_path, check=False,
                env={**os.environ, **QUIET, **paths, "BASE_URL": prod.url, "NOBODY": world.nobody()},
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout.splitlines()[-1]) == [SAID, SAID, SAID, SAID, "failed"]
            status = world.settle(7)
            assert status["dropped"] == {"client_disconnected": 1, "prod_failed": 1}
            assert status["shadows"]["candidate"]["answered"] == 5
            copies = [json.loads(body) for body in shadow.bodies]
            assert [copy["messages"] for copy in copies if "messages" in copy] == [CHAT] * 4
            assert [copy["input"] for copy in copies if "input" in copy] == [["one", "two"]]
            assert KEY not in json.dumps([shadow.headers, copies])
            assert status["faults"] == 0
    finally:
        world.close()
