"""The programs of ``docs/operate/gateways.md`` as printed, started by the command that is printed: a real framework, a
real worker and a real shadow."""

from __future__ import annotations

import importlib.util
import json
import shlex
import sys

import httpx
import pytest

from shadowlane.init.choices import GATEWAYS, PROVIDERS
from shadowlane.init.command import configuration
from tests.e2e.conftest import Process, World, until
from tests.support.chatserver import Got, Reply, chat, serving
from tests.support.snippets import PAGE, Snippet, gateway_snippets

SNIPPETS = gateway_snippets()
PACKAGES = {"Any ASGI application": "uvicorn", "Django under WSGI": "django", "Ray Serve": "ray"}
"""By section: what must be installed, where it is not the title in small letters."""
KEY = "sk-" + "0123456789abcdef" * 4
UPSTREAM = """
model_list:
  - model_name: small
    litellm_params: {model: openai/small, api_base: %s/v1, api_key: none}
"""

RAY = """
import ray
from ray import serve

ray.init(num_cpus=1, object_store_memory=80_000_000, include_dashboard=False, _node_ip_address="127.0.0.1")
serve.start(http_options={"host": "127.0.0.1", "port": %d})
from gateway import gateway

serve.run(gateway, blocking=True)
"""
"""``serve run gateway:gateway``, which takes no port."""


def started(world: World, snippet: Snippet, upstream: str) -> str:
    """Serve a snippet as its section says; the gateway's URL."""
    port = world.ports.reserve()
    (world.folder / "gateway.py").write_text(snippet.program)
    (world.folder / "litellm.yaml").write_text(UPSTREAM % upstream)
    words = shlex.split(snippet.command)
    set_here = [word for word in words if "=" in word.partition(" ")[0] and not word.startswith("-")]
    environment = dict(word.split("=", 1) for word in set_here) | {"LITELLM_MASTER_KEY": KEY}
    server, *rest = words[len(set_here) :]
    where = ["--bind", f"127.0.0.1:{port}"] if server in ("hypercorn", "gunicorn") else ["--port", str(port)]
    command = [sys.executable, "-m", server, *rest, *where]
    if command[2:] == ["serve", "run", "gateway:gateway", *where]:
        command = [sys.executable, "-c", RAY % port]
    process = Process(command, world.folder / "gateway.log", environment, cwd=world.folder)
    world.processes.append(process)
    process.listening(port)
    return f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("name", SNIPPETS)
def test_a_snippet_mirrors_as_printed(name: str, world: World, client: httpx.Client) -> None:
    package = PACKAGES.get(name, name.lower())
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")

    def answer(got: Got) -> Reply:
        return chat(f"You asked: {got.body['messages'][-1]['content']}")

    with serving(answer) as prod, serving(answer) as shadow:
        world.configure(shadow.url, routes={"presets": ["openai"], "read": []})
        gateway = started(world, SNIPPETS[name], prod.url)
        body = {"model": "small", "messages": [{"role": "user", "content": "how high is the deposit?"}]}

        def answered() -> httpx.Response | None:
            got = client.post(f"{gateway}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {KEY}"})
            return None if got.status_code == 404 else got  # Ray's port is there before the application is

        response = until(answered, "the application answers")
        assert response.json()["choices"][0]["message"]["content"] == "You asked: how high is the deposit?"
        status = world.settle(1)
        assert status["shadows"]["candidate"]["answered"] == 1
        [copy] = shadow.requests
        assert copy.body["messages"] == body["messages"]
        assert KEY not in json.dumps(copy.headers)


@pytest.mark.parametrize("name", GATEWAYS)
def test_every_gateway_of_init_has_its_section_with_the_same_lines(name: str) -> None:
    """What init prints for a gateway, its code line by line and its command, stands in its section of the page."""
    gateway = GATEWAYS[name]
    start = gateway.start.format(config="shadowlane.toml").replace("gateway.asgi:", "gateway:")
    if not gateway.code:
        assert f"\n```\n{start}\n```\n" in PAGE.read_text(encoding="utf-8")
        return
    [section] = [snippet for title, snippet in SNIPPETS.items() if gateway.title.lower().startswith(title.lower())]
    lines = section.program.splitlines()
    printed = configuration(gateway, PROVIDERS["openai"], "shadowlane.toml").splitlines()
    for line in gateway.code:
        code = line.format(config='"shadowlane.toml"')
        assert code in lines
        assert f"#     {code}".rstrip() in printed
    assert section.command == start
    assert f"# Start it: {gateway.start.format(config='shadowlane.toml')}" in printed
