"""Three hosts as three lanes with workers of their own, under one cap in a real engine: through partitions, kills,
stops and a restart of the engine the fleet never admits more than rate * t + burst, and every copy is accounted
for."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import Ports, is_open
from tests.support.rawserver import RawServer
from tests.support.relay import Relay
from tests.support.servers import postgres_server

from .conftest import ROOT, World, until

QPS, BURST, LEASE_S = 30.0, 12, 2.0
REFUSAL = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 60\r\ncontent-length: 0\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\nyes"


class RedisServer:
    """A Redis that keeps nothing, and can be killed and started again on its port."""

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            pytest.skip("redis-server is not installed (Debian: redis-server)")
        self._ports = Ports()
        self.port = self._ports.reserve()
        self._arguments = [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._arguments, stdout=subprocess.DEVNULL)
        until(lambda: is_open(self.port), "redis-server listens")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(60)

    def close(self) -> None:
        self.kill()
        self._ports.close()


class Host:
    """A host: its lane, its worker, and a process that asks for admission."""

    def __init__(
        self, folder: Path, engine: Callable[[int], str], port: int, shadow: str, every_s: float, **sections: Any
    ) -> None:
        folder.mkdir()
        self.relay = Relay(port)
        self.world = World(folder)
        self.world.configure(
            shadow,
            limits={"qps": QPS, "burst": BURST},
            fleet={"url": engine(self.relay.port), "name": "test", "lease_s": LEASE_S},
            **sections,
        )
        self.out = folder / "admitted"
        arguments = [sys.executable, "-m", "tests.support.fleet_host", str(self.world.config), str(self.out)]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*arguments, str(every_s)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=ROOT
            )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"open\n", (folder / "log").read_text()

    def admitted(self) -> list[tuple[int, int]]:
        """When, by the clock of all processes here: (not before, not after), of whole lines."""
        lines = self.out.read_text().rpartition("\n")[0].splitlines()
        return [(int(before), int(after)) for before, _, after in (line.partition(" ") for line in lines)]

    def lease(self) -> dict[str, Any]:
        lease = self.world.lane_status()["lease"]
        assert lease is not None
        return lease

    def more(self, what: str) -> None:
        """Wait until it admits more."""
        count = len(self.admitted())
        until(lambda: len(self.admitted()) > count, what)

    def finish(self) -> dict[str, Any]:
        """End its gateway; the status when all its copies are stored."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(60) == 0
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.world.settle(self.world.lane_status()["seen"])

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(60)
        self.world.close()
        self.relay.close()


@contextmanager
def fleet(
    folder: Path,
    engine: Callable[[int], str],
    port: int,
    count: int,
    every_s: float,
    answers: Sequence[bytes] = (ANSWER,),
    **sections: Any,
) -> Iterator[tuple[list[Host], RawServer]]:
    with ExitStack() as stack:
        shadow = stack.enter_context(RawServer(lambda _: answers[-1]))
        hosts = []
        for number in range(count):
            hosts.append(Host(folder / f"host{number}", engine, port, shadow.url, every_s, **sections))
            stack.callback(hosts[-1].close)
        yield hosts, shadow


def assert_law(hosts: list[Host]) -> int:
    """In each window that begins and ends at an admission: no more than rate * t + burst. Of an admission it is known
    between which two moments it was; in a window count those that surely lie in it, so a slow call can prove nothing
    wrong."""
    events = sorted(event for host in hosts for event in host.admitted())
    for index, (begins, _) in enumerate(events):
        for count, (_, after) in enumerate(sorted(events[index:], key=lambda event: event[1]), start=1):
            assert count <= QPS * (after - begins) / 1e9 + BURST + 1e-6, (count, (after - begins) / 1e9)
    return len(events)


def test_no_trouble_of_hosts_or_engine_lets_the_fleet_admit_more(tmp_path: Path) -> None:
    redis = RedisServer(tmp_path)
    try:
        with fleet(tmp_path, lambda port: f"redis://127.0.0.1:{port}/0", redis.port, 3, 0.004) as (hosts, shadow):
            cut, killed, stopped = hosts
            for host in hosts:
                until(host.admitted, "a host admits")
            cut.relay.cut()
            # A round that failed: none from before the cut can renew the share any more.
            until(lambda: "engine is away" in cut.world.cli("status").stdout, "its worker knows that it is cut off")
            until(lambda: not cut.lease()["left_s"], "the share of the host that is cut off ends")
            ended = time.monotonic_ns()
            os.kill(until(killed.world.worker_pid, "its worker"), signal.SIGKILL)
            stopped.process.send_signal(signal.SIGSTOP)
            killed.more("a host whose worker was killed goes on")
            until(lambda: killed.lease()["rate"] > 0.6 * QPS, "others take the share of the host that is cut off")
            assert all(before <= ended for before, _ in cut.admitted()), "without a share nothing is admitted"
            assert "NO SHARE" in cut.world.cli("status").stdout
            stopped.process.send_signal(signal.SIGCONT)
            cut.relay.heal()
            for host in (cut, stopped):
                host.more("a host that comes back admits again")
            redis.kill()
            until(lambda: not any(host.lease()["left_s"] for host in hosts), "without the engine all shares end")
            redis.start()
            for host in hosts:
                host.more("the fleet goes on with an empty engine")
            statuses = [host.finish() for host in hosts]
            admitted = assert_law(hosts)
            took = (time.monotonic_ns() - min(host.admitted()[0][0] for host in hosts)) / 1e9
            assert sum(status["mirrored"] for status in statuses) == admitted
            assert sum(status["shadows"]["candidate"]["answered"] for status in statuses) == admitted
            for status in statuses:
                refused = status["dropped"]
                assert set(refused) <= {"cap", "disabled"}, refused
                assert refused["cap"] > 0
            received = sum(len(paths) for paths in shadow.paths)
            assert admitted <= received <= QPS * took + BURST, "what a killed worker had sent is sent again, at the cap"
    finally:
        redis.close()


def test_switch_and_pauses_reach_all_hosts(tmp_path: Path) -> None:
    with postgres_server() as port:
        url = lambda port: f"postgresql://postgres@127.0.0.1:{port}/postgres"  # noqa: E731
        answers = [ANSWER]
        with fleet(tmp_path, url, port, 2, 0.01, answers) as (hosts, _):
            one, other = hosts
            for host in hosts:
                until(host.admitted, "a host admits")

            def switched(host: Host, to: str) -> str:
                """What the command says, once the engine answered in its time, which it may not on a busy machine."""
                done = host.world.cli(to)
                assert done.returncode in (0, 3), done.stderr
                return done.stdout if done.returncode == 0 else ""

            assert "on all hosts of its fleet" in until(lambda: switched(one, "off"), "the fleet is switched off")
            until(lambda: other.lease()["off"], "the other host is told")
            assert not other.world.lane_status()["enabled"]
            assert "OFF for the whole fleet" in other.world.cli("status").stdout
            until(lambda: switched(other, "on"), "the fleet is switched on")
            for host in hosts:
                host.more("a host admits again")
            assert one.world.cli("off", "--here").returncode == 0
            other.more("a switch of one host is that host's")
            assert not one.world.lane_status()["enabled"]
            # It sends nothing, so that what it knows of the provider comes from the other host.
            answers.append(REFUSAL)
            until(lambda: one.world.lane_status()["cap"]["paused_s"] > 0, "a pause that another host was asked for")
            assert one.world.lane_status()["cap"]["paused_reason"] == "provider_limit"
            one.relay.cut()
            failed = one.world.cli("on")
            assert failed.returncode == 3
            assert "the fleet's switch is not set" in failed.stderr
            one.relay.heal()
            until(lambda: "postgresql answers" in one.world.cli("doctor").stdout, "the doctor reaches the engine")
            for host in hosts:
                host.finish()
            assert_law(hosts)
