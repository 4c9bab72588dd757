"""The comparison with other mirrors measures what it says."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import pytest

from benches.peers import __main__ as peers
from benches.peers import rest
from benches.peers.load import Block, NumberedClient, said_by_wrk
from benches.peers.peers import QUESTION, Peer
from benches.peers.processes import Server, cpu_seconds
from benches.peers.rest import come_to_rest
from shadowlane import Config, Lane, _core
from shadowlane.types import Copy
from tests.e2e.conftest import until

_JSON = [(b"content-type", b"application/json")]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "lane"
    folder.mkdir(mode=0o700)
    return folder


def _lane(directory: Path) -> Lane:
    return Lane.open(
        Config.from_dict(
            {
                "lane": {"directory": str(directory), "worker": "external"},
                "sampling": {"ratio": 1.0},
                "limits": {"qps": 1e6, "burst": 1_000_000},
                "routes": {"read": ["POST /on"]},
                "store": {"url": f"sqlite:///{directory}/pairs.db"},
                "shadows": {"candidate": {"url": "http://127.0.0.1:9"}},
            }
        )
    )


class _Process:
    """Stands for a server: one process."""

    def __init__(self, pid: int) -> None:
        self.pids = [pid]


def _peer(lane: Path | None, pid: int = 0) -> Peer:
    return Peer("ours", cast("Server", _Process(pid)), lane=lane)


def test_lost_are_the_copies_that_were_wanted(directory: Path) -> None:
    peer = _peer(directory)
    with _lane(directory) as lane:
        assert lane.admit("POST", "/off", _JSON) is None
        assert lane.admit("DELETE", "/on", _JSON) is None
        _core.set_enabled(str(directory), False)
        assert lane.admit("POST", "/on", _JSON) is None
        _core.set_enabled(str(directory), True)
        assert sum(_core.lane_status(str(directory))["dropped"].values()) == 3
        assert peer.lost() == 0
        for lost, reason in enumerate(("prod_failed", "client_disconnected", "request_too_large"), 1):
            ticket = lane.admit("POST", "/on", _JSON)
            assert ticket is not None
            lane.drop(ticket, reason)
            assert peer.lost() == lost
    assert _peer(None).lost() is None


def test_a_peer_is_at_rest_when_its_lane_is_empty(directory: Path) -> None:
    peer = _peer(directory)
    with _lane(directory) as lane:
        come_to_rest(peer, 0.0)
        ticket = lane.admit("POST", "/on", _JSON)
        assert ticket is not None
        with pytest.raises(RuntimeError, match="1 requests open"):
            come_to_rest(peer, 0.0)
        assert lane.offer(ticket, "/on", _JSON, b"{}", 200, _JSON, b"{}", 1, 0)
        drainer = _core.Drainer(str(directory), allow_headers=[])
        [row] = drainer.drain(10, 1 << 20)
        copy = dict(zip((field.name for field in msgspec.structs.fields(Copy)), row, strict=True))
        with pytest.raises(RuntimeError, match="bytes in rings"):
            come_to_rest(peer, 0.0)
        drainer.ack(copy["ring"], copy["seq"])
        assert drainer.drain(10, 1 << 20) == []  # takes the acknowledgement along
        come_to_rest(peer, 0.0)
        drainer.close()


def test_a_peer_is_not_at_rest_while_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """It works until its standard input ends, then it waits until it is ended. How much of a core it gets is the
    machine's affair: that it is looked at is measured, and a whole core is told."""
    program = "import select, sys, signal\nwhile not select.select([0], [], [], 0)[0]: pass\nsignal.pause()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as process:
        try:
            peer = _peer(None, process.pid)
            until(lambda: cpu_seconds(peer.pids) > 0.2, "it works, and that is seen")
            with monkeypatch.context() as told:
                told.setattr(rest, "cpu_seconds", lambda _: time.monotonic())
                with pytest.raises(RuntimeError, match="100 % of a core"):
                    come_to_rest(peer, 0.0)
            assert process.stdin is not None
            process.stdin.close()
            come_to_rest(peer)
        finally:
            process.kill()


def test_every_request_has_a_number_of_its_own() -> None:
    numbers = itertools.count(73000000)
    clients = [NumberedClient("http://127.0.0.1:9", path, QUESTION, numbers) for path in ("/on", "/off")]
    sent = [client._next_request() for client in clients for _ in range(3)]
    assert len(set(sent)) == 6
    for one in sent:
        head, _, body = one.partition(b"\r\n\r\n")
        assert f"content-length: {len(body)}".encode() in head


_SAID = """\
Running 3s test @ http://127.0.0.1:1/on
  1 threads and 32 connections
  21873 requests in 3.00s, 22.57MB read
{more}Requests/sec:   7290.73
Transfer/sec:      7.52MB
"""


def test_the_rate_of_wrk_counts_when_every_request_was_answered_well() -> None:
    assert said_by_wrk(_SAID.format(more="")) == (7290.73, 21873)
    for failed in ("Non-2xx or 3xx responses: 12", "Socket errors: connect 0, read 3, write 0, timeout 1"):
        with pytest.raises(RuntimeError, match=failed):
            said_by_wrk(_SAID.format(more=f"  {failed}\n"))
    with pytest.raises(RuntimeError, match="no request"):
        said_by_wrk("  0 requests in 3.00s, 0.00B read\nRequests/sec:      0.00\n")
    with pytest.raises(RuntimeError, match="no rate"):
        said_by_wrk("unable to connect to 127.0.0.1:1 Connection refused\n")


class _Stopped(_Process):
    """A server that runs no more."""

    def stop(self) -> None:
        self.pids = []


def test_paced_figures_are_kept_where_wrk_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    block = Block(requests=10, failed=0, cpu_s=0.01, latencies_s=np.full(10, 0.001))
    server = cast("Server", _Stopped(0))
    server.port = 9
    monkeypatch.setattr(peers, "start_target", lambda *_: server)
    monkeypatch.setattr(peers, "received", lambda _: 0)
    monkeypatch.setattr(peers, "paced", lambda *_, **__: ([(block, block)] * 3, 0))
    monkeypatch.setitem(peers.PEERS, "task", lambda *_: Peer("task", server))
    monkeypatch.setenv("PATH", str(tmp_path))  # no wrk
    assert peers.main(["--only", "task", "--json", str(tmp_path / "all.json")]) == 0
    [row] = json.loads((tmp_path / "all.json").read_text())["peers"]
    assert "wrk is not installed" in row["throughput_skipped"]
    assert (row["added_us"]["mean"], row["p50"]["ratio"]) == (0.0, 1.0)
    assert "throughput not measured: wrk is not installed" in capsys.readouterr().out


def test_names_are_checked_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(peers, "measure", lambda name, *_: begun.append(name))
    with pytest.raises(SystemExit):
        peers.main(["--only", "nginx,absent"])
    assert not begun
    assert "'absent' is none of nginx" in capsys.readouterr().err
