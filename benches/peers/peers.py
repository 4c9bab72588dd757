"""The peers: how each is started, how its mirroring is turned on and off, and what it says that it lost.

Invariant: both arms of a peer run in the same processes.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from shadowlane import _core

from .load import NUMBER
from .processes import Server, free_port, tree
from .servers import envoy_gateway, envoy_with_ext_proc, nginx_gateway

__all__ = ["PEERS", "QUESTION", "Arm", "Peer"]

QUESTION = json.dumps({"question": f"{NUMBER} " + "How do I know that my ride has ended? " * 26}).encode()
"""1 KiB; the digits are another number in every request, so that no two questions are equal."""
_CHAT = f"{NUMBER} " + "How do I know that my ride has ended? " * 24

_LOST = (
    "cap",
    "request_too_large",
    "prod_failed",
    "client_disconnected",
    "ring_full",
    "producer_died",
    "unreadable",
)
"""Why a copy that was wanted came to nothing in the lane; the other reasons say that none was wanted (a route, the
switch that the plain arm turns off)."""


@dataclass(frozen=True)
class Arm:
    """What is sent in one arm."""

    path: str
    body: bytes


@dataclass
class Peer:
    """A gateway with a mirror."""

    name: str
    server: Server
    off: Arm = field(default_factory=lambda: Arm("/off", QUESTION))
    on: Arm = field(default_factory=lambda: Arm("/on", QUESTION))
    lane: Path | None = None
    switch: bool = False
    beside: Server | None = None
    """What runs next to the gateway; its processor time is the peer's, too."""

    @property
    def pids(self) -> list[int]:
        """Everything whose processor time is the peer's."""
        found = [*self.server.pids, *(self.beside.pids if self.beside else ())]
        if self.lane is not None:
            worker = int(_core.lane_status(str(self.lane))["worker"]["pid"] or 0)
            found.extend(pid for pid in tree(worker) if worker and pid not in found)
        return found

    def turn(self, on: bool) -> None:
        """Turns mirroring on or off, where the request does not say it."""
        if self.switch and self.lane is not None:
            _core.set_enabled(str(self.lane), on)

    def held(self) -> str:
        """What the peer's lane has not settled, in words; empty when that is nothing. A copy leaves its ring when its
        row is stored."""
        if self.lane is None:
            return ""
        status = _core.lane_status(str(self.lane))
        used = sum(int(ring["used"]) for ring in status["rings"])
        return f"{status['open']} requests open and {used} bytes in rings" if status["open"] or used else ""

    def lost(self) -> int | None:
        """Requests that were to be mirrored and of which the peer itself says that they were not; ``None`` when it
        keeps no such count."""
        if self.lane is None:
            return None
        dropped = _core.lane_status(str(self.lane))["dropped"]
        return sum(int(dropped.get(reason, 0)) for reason in _LOST)


_CONFIG = """\
[lane]
name = "peers"
directory = "{lane}"
idle_exit_s = 2.0
[sampling]
ratio = 1.0
[limits]
qps = 1000000
burst = 1000000
[routes]
read = ["POST /on", "POST /v1/chat/completions"]
[store]
url = "sqlite:///{folder}/peers.db"
[score]
embedder = "{embedder}"
groups = {groups}
[shadows.candidate]
url = "http://127.0.0.1:{shadow}"
concurrency = 64
"""


def _python(folder: Path, kind: str, upstream: int, shadow: int, config: str | None = None, **env: str) -> Server:
    port = free_port()
    command = [sys.executable, "-m", "benches.peers.gateways", kind, "--upstream", str(upstream)]
    command += ["--shadow", str(shadow), "--port", str(port), *(["--config", config] if config else [])]
    return Server(command, port, folder / f"{kind}-{port}.log", env=env)


def _ours(name: str, score: bool) -> Callable[[Path, int, int], Peer]:
    def make(folder: Path, upstream: int, shadow: int) -> Peer:
        lane, config = _configure(folder, shadow, score)
        server = _python(folder, "bare", upstream, shadow, str(config))
        _wait_for_worker(lane)
        return Peer(name, server, lane=lane)

    return make


def _configure(folder: Path, shadow: int, score: bool) -> tuple[Path, Path]:
    lane = folder / f"lane-{free_port()}"
    lane.mkdir(mode=0o700)
    config = lane / "shadowlane.toml"
    config.write_text(
        _CONFIG.format(
            lane=lane,
            folder=lane,
            shadow=shadow,
            embedder="wordllama" if score else "lexical",
            groups=str(score).lower(),
        )
    )
    return lane, config


def _wait_for_worker(lane: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if _core.lane_status(str(lane))["worker"]["alive"]:
                return
        except (OSError, _core.CoreError):
            pass
        time.sleep(0.1)
    raise RuntimeError("our worker is not up after 60 s")


def _task(folder: Path, upstream: int, shadow: int) -> Peer:
    return Peer("task", _python(folder, "task", upstream, shadow))


def _nginx(folder: Path, upstream: int, shadow: int) -> Peer:
    return Peer("nginx mirror", nginx_gateway(folder, upstream, shadow))


def _envoy(folder: Path, upstream: int, shadow: int) -> Peer:
    return Peer("Envoy mirror", envoy_gateway(folder, upstream, shadow))


def _envoy_ours(name: str, *, taken: bool) -> Callable[[Path, int, int], Peer]:
    def make(folder: Path, upstream: int, shadow: int) -> Peer:
        lane, config = _configure(folder, shadow, score=False)
        if not taken:
            config.write_text(config.read_text().replace("POST /on", "POST /elsewhere"))
        port = free_port()
        command = [sys.executable, "-m", "shadowlane", "ext-proc", "--config", str(config)]
        beside = Server([*command, "--listen", f"127.0.0.1:{port}"], port, folder / "ext-proc.log")
        try:
            _wait_for_worker(lane)
            return Peer(name, envoy_with_ext_proc(folder, upstream, port), lane=lane, beside=beside)
        except BaseException:
            beside.stop()
            raise

    return make


def _chat(model: str) -> Arm:
    body = {"model": model, "messages": [{"role": "user", "content": _CHAT}]}
    return Arm("/v1/chat/completions", json.dumps(body).encode())


def _needs_litellm() -> None:
    if importlib.util.find_spec("litellm") is None:
        raise RuntimeError("litellm is not installed: pip install 'litellm[proxy]'")


def _litellm_file(folder: Path, upstream: int, shadow: int) -> Path:
    def entry(name: str, port: int, **more: str) -> dict[str, object]:
        base = f"http://127.0.0.1:{port}/v1"
        return {"model_name": name, "litellm_params": {"model": "openai/m", "api_base": base, "api_key": "k", **more}}

    models = [entry("plain", upstream), entry("mirrored", upstream, silent_model="silent"), entry("silent", shadow)]
    file = folder / "litellm.yaml"
    general = {"dangerously_permit_weak_or_unset_master_key": True}  # it listens on loopback only
    file.write_text(json.dumps({"model_list": models, "general_settings": general}))
    return file


_QUIET = {
    "LITELLM_LOG": "ERROR",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "NO_PROXY": "127.0.0.1",
}


def _litellm(folder: Path, upstream: int, shadow: int) -> Peer:
    _needs_litellm()
    file = _litellm_file(folder, upstream, shadow)
    server = _python(folder, "litellm", upstream, shadow, CONFIG_FILE_PATH=str(file), **_QUIET)
    return Peer("LiteLLM silent_model", server, off=_chat("plain"), on=_chat("mirrored"))


def _litellm_ours(folder: Path, upstream: int, shadow: int) -> Peer:
    _needs_litellm()
    file = _litellm_file(folder, upstream, shadow)
    lane, config = _configure(folder, shadow, score=True)
    server = _python(folder, "litellm", upstream, shadow, str(config), CONFIG_FILE_PATH=str(file), **_QUIET)
    _wait_for_worker(lane)
    return Peer("LiteLLM, shadowlane", server, off=_chat("plain"), on=_chat("plain"), lane=lane, switch=True)


PEERS: dict[str, Callable[[Path, int, int], Peer]] = {
    "nginx": _nginx,
    "envoy": _envoy,
    "envoy-ours": _envoy_ours("Envoy ext_proc, shadowlane", taken=True),
    "envoy-ours-not-taken": _envoy_ours("Envoy ext_proc, not taken", taken=False),
    "task": _task,
    "ours-words": _ours("shadowlane, words only", score=False),
    "ours": _ours("shadowlane, everything", score=True),
    "litellm": _litellm,
    "litellm-ours": _litellm_ours,
}
"""Name on the command line, and what starts it; raises RuntimeError or ImportError when something is not installed."""
