"""The middleware in FastAPI under the servers that run it: what a copy carries, and what a bad start costs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shadowlane import _core
from shadowlane.types import Copy
from tests.e2e.conftest import Process, World, until
from tests.support.ports import Ports

SERVERS: dict[str, Callable[[str, int, str], list[str]]] = {
    "uvicorn": lambda app, port, root: ["uvicorn", app, "--port", str(port), "--root-path", root],
    "uvicorn without lifespan": lambda app, port, root: [
        *("uvicorn", app, "--port", str(port), "--root-path", root, "--lifespan", "off")
    ],
    "hypercorn": lambda app, port, root: ["hypercorn", app, "--bind", f"127.0.0.1:{port}", "--root-path", root],
    "granian": lambda app, port, root: [
        *("granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port), "--url-path-prefix", root, app)
    ],
}


@pytest.fixture
def port() -> Iterator[int]:
    ports = Ports()
    yield ports.reserve()
    ports.close()


class Gateway:
    """``app`` under a server, with the world's configuration."""

    def __init__(
        self, world: World, port: int, server: str, app: str = "tests.support.lazy:app", root: str = "/api"
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        env = {"SHADOWLANE_CONFIG": str(world.config), "PYTHONWARNINGS": "ignore"}
        command = [sys.executable, "-m", *SERVERS[server](app, port, root)]
        self.process = Process(command, world.folder / "server.log", env)
        world.processes.append(self.process)

    def up(self) -> None:
        until(self._answers, "the server answers")

    def _answers(self) -> bool:
        assert self.process.popen.poll() is None, self.process.log.read_text()
        try:
            httpx.get(f"{self.url}/up", trust_env=False, timeout=60)
        except httpx.TransportError:
            return False
        return True


def drained(world: World) -> list[dict[str, Any]]:
    drainer = _core.Drainer(str(world.lane), policy=_core.Policy(read=["POST /ask", "POST /sub/ask"]))
    try:
        names = Copy.__struct_fields__
        return [dict(zip(names, row, strict=True)) for row in drainer.drain(100, 1 << 24)]
    finally:
        drainer.close()


def asked(world: World) -> list[dict[str, Any]]:
    return [row for row in drained(world) if not row["target"].endswith(("/up", "/scope", "/warm"))]


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("app", ["app", "mounting"])
def test_a_copy_carries_what_was_sent_on_the_wire(world: World, port: int, server: str, app: str) -> None:
    world.configure("http://127.0.0.1:9", lane={"worker": "external"}, routes={"read": ["POST /ask", "POST /sub/ask"]})
    gateway = Gateway(world, port, server, f"tests.support.lazy:{app}")
    gateway.up()
    below = "/sub" if app == "mounting" else ""
    accepting = {"accept-encoding": "gzip"}
    with httpx.Client(base_url=gateway.url, timeout=60, trust_env=False, headers=accepting) as client:
        until(lambda: client.get(f"{below}/scope") and (world.lane / "control.shm").exists(), "the lane is open")
        until(lambda: client.get(f"{below}/warm") and drained(world), "a request is mirrored")
        answers = [
            client.get(f"{below}/sco%20pe/caf%C3%A9?q=1&q=%20"),
            client.post(f"{below}/ask", content=b'{"question": "how?"}', headers={"content-type": "application/json"}),
        ]
        for answer in answers:
            assert answer.status_code == 200
            assert answer.headers["content-encoding"] == "gzip"
        rows = until(lambda: rows if len(rows := asked(world)) == 2 else None, "both are mirrored")
    assert [row["target"] for row in rows] == [f"{below}/sco%20pe/caf%C3%A9?q=1&q=%20", f"{below}/ask"]
    # The outer middleware compressed what passed here in clear: the copy is whole.
    assert [json.loads(row["response_body"])["answer"] for row in rows] == ["word " * 100] * 2
    assert json.loads(rows[1]["body"]) == {"question": "how?"}


BAD: dict[str, str] = {
    "a typo": "[sampling]\nratoi = 0.1\n[shadows.a]\nurl = 'http://127.0.0.1:9'\n",
    "no TOML": "[sampling\n",
    "no shadow": "[sampling]\nratio = 0.1\n",
}


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn", "granian"])
@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_ends_the_server_while_it_starts(world: World, port: int, server: str, fault: str) -> None:
    world.config.write_text(BAD[fault])
    gateway = Gateway(world, port, server)
    out, _ = gateway.process.popen.communicate(timeout=60)  # it ends by itself
    said = out.decode() + gateway.process.log.read_text()
    assert f"shadowlane: {world.config}: " in said
    assert "MIRRORING IS OFF" not in said
    with pytest.raises(httpx.TransportError):
        httpx.get(gateway.url, trust_env=False, timeout=60)


@pytest.mark.parametrize("app", ["app", "mounting"])
@pytest.mark.parametrize("fault", [*BAD, "another's directory", "a file in its place", "a link"])
def test_where_it_cannot_prod_is_served(world: World, port: int, app: str, fault: str, tmp_path: Path) -> None:
    server = "uvicorn without lifespan" if fault in BAD else "uvicorn"
    if fault in BAD:
        world.config.write_text(BAD[fault])
    else:
        directory = tmp_path / "lane"
        world.configure("http://127.0.0.1:9", lane={"worker": "external", "directory": str(directory)})
        if fault == "another's directory":
            directory.mkdir(mode=0o777)
            directory.chmod(0o777)
        elif fault == "a file in its place":
            directory.write_text("")
        else:
            directory.symlink_to("/proc/1/nowhere")
    gateway = Gateway(world, port, server, f"tests.support.lazy:{app}")
    gateway.up()
    below = "/sub" if app == "mounting" else ""
    for _ in range(3):
        assert httpx.get(f"{gateway.url}{below}/scope", trust_env=False, timeout=60).status_code == 200
    until(lambda: "MIRRORING IS OFF" in gateway.process.log.read_text(), "it is said")
    assert httpx.get(f"{gateway.url}{below}/scope", trust_env=False, timeout=60).status_code == 200
    assert gateway.process.log.read_text().count("MIRRORING IS OFF") == 1
