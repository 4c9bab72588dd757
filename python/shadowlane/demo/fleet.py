"""The worked example of a fleet: ``python -m shadowlane.demo.fleet [--out FOLDER]``.

Three gateways as three hosts (folders, lanes and workers of their own), one PostgreSQL that has the rows and the
fleet's cap, one load over them. Meanwhile a worker and a gateway are killed with SIGKILL. Then every host's accounting
is held against its users', its rows and the others', and the gate is asked for the one verdict.

Invariants: whatever happens, no process of the run outlives it; the exit code is 0 only when every equation holds, all
hosts come to one verdict, and no user saw an error but those whose connection the killed gateway had.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import math
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Config, load_config
from ..errors import ConfigError, MissingExtraError, ShadowlaneError
from ..render.text import print_error, print_lines
from ..worker.state import last_error
from .accounts import FleetAccount, account_lines, equations, host_account
from .corpus import load_questions
from .folders import lane_folder, prepared, toml_text
from .lanewatch import wait_until_drained, worker_pid
from .load import shots, steady_offsets, summarize
from .postgres import USER, server_folder
from .processes import NEEDS, Child, DemoError, end_by_force, start, terminable, wait_for_exit

if TYPE_CHECKING:
    from .balance import Answered

__all__ = ["FleetOptions", "run_fleet_demo"]

_HOSTS = ("host-1", "host-2", "host-3")
_TURNS = (0, 1, 0, 2, 0, 1)
"""Of six requests three go to the first host, two to the second, one to the third."""
_OWN = (*_HOSTS, "report.html", "logs")
_RATIO, _QPS, _BURST, _LEASE_S = 0.6, 8.0, 8, 4.0
_SHADOW = "candidate"
_SCHEMA = "fleet_demo"
_UP_S = 180.0
_WAIT_S = 180.0
_POLL_S = 0.1
_MAX_QPS = 200.0
_KILL_WORKER_AT, _KILL_GATEWAY_AT = 0.25, 0.45
"""Of the load's length."""


@dataclass(frozen=True)
class FleetOptions:
    """``seconds`` of load at ``qps`` requests a second over all hosts; results go into the folder ``out``."""

    seconds: float
    qps: float
    out: Path


@dataclass
class _Host:
    name: str
    folder: Path
    lane: Path
    gateway: Child | None = None
    killed: bool = False

    @property
    def config_file(self) -> Path:
        return self.folder / "shadowlane.toml"

    def config(self) -> Config:
        return load_config(self.config_file)


def run_fleet_demo(options: FleetOptions) -> int:
    """Run it; returns the exit code, 0. Raises :class:`.DemoError` when a part failed or something does not add up,
    :class:`~shadowlane.errors.ConfigError` for options that make no sense, :class:`.NoServerError` where PostgreSQL's
    server is not installed, and :class:`~shadowlane.errors.MissingExtraError`."""
    _check_options(options)
    server_folder()
    for package, extra in (("psycopg", "postgres"), *((package, "demo") for package in NEEDS)):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError("the fleet demonstration", extra, package)
    out = prepared(options.out, _OWN)
    with terminable():
        _Run(options, out).go()
    return 0


def _check_options(options: FleetOptions) -> None:
    if not (math.isfinite(options.seconds) and 5 <= options.seconds <= 86400):
        raise ConfigError(f"--seconds = {options.seconds}: use 5 to 86400")
    if not 1 <= options.qps <= _MAX_QPS:
        raise ConfigError(f"--qps = {options.qps}: use 1 to {_MAX_QPS:g}; one client process cannot time more")


def _say(text: str) -> None:
    print_lines([(line, "") for line in text.split("\n")])


class _Run:
    """One run, from the first process to the last line."""

    def __init__(self, options: FleetOptions, out: Path) -> None:
        self._options = options
        self._out = out
        self._logs = out / "logs"
        self._services: list[Child] = []
        self._hosts: list[_Host] = []
        self._server: Child | None = None

    def go(self) -> None:
        try:
            for name in _HOSTS:
                folder = self._out / name
                (folder / "state").mkdir(parents=True, mode=0o700)
                self._hosts.append(_Host(name, folder, lane_folder(self._out)))
            prod, shadow = self._start()
            begun = time.monotonic()
            answers = asyncio.run(self._send())
            seconds = time.monotonic() - begun
            self._settle()
            self._judge(answers, seconds, prod, shadow)
        finally:
            self._end()

    def _start(self) -> tuple[Child, Child]:
        self._server = start("postgresql", "shadowlane.demo.postgres", [], self._logs / "postgresql.log")
        for role in ("prod", "shadow"):
            child = start(role, "shadowlane.demo.service", ["--role", role], self._logs / f"{role}.log")
            self._services.append(child)
        prod, shadow = self._services
        for child in (self._server, prod, shadow):
            child.wait_until_up(_UP_S)
        database = f"postgresql://{USER}@127.0.0.1:{self._server.port}/{USER}"
        for host in self._hosts:
            host.config_file.write_text(
                _CONFIG.format(
                    name=toml_text(host.name), lane=toml_text(str(host.lane)), ratio=_RATIO, qps=_QPS, burst=_BURST,
                    database=toml_text(database), schema=toml_text(_SCHEMA), lease=_LEASE_S, shadow=_SHADOW,
                    url=toml_text(shadow.url),
                )
            )  # fmt: skip
            self._start_gateway(host)
        for host in self._hosts:
            _gateway(host).wait_until_up(_UP_S)
        _say(
            f"shadowlane fleet demo: {len(self._hosts)} hosts, each with its gateway, lane and worker\n"
            f"  prod        {prod.url}\n  shadow      {shadow.url}\n  postgresql  {database}: rows and cap\n"
            + "\n".join(f"  {host.name}      {_gateway(host).url}" for host in self._hosts)
            + f"\n\nEach mirrors {_RATIO:.0%} of the reads, all together {_QPS:g} a second with a burst of {_BURST}.\n"
            "Waiting until each host has its share ..."
        )
        self._wait("a share of the cap for every host", lambda: all(map(_has_share, self._hosts)))
        return prod, shadow

    def _start_gateway(self, host: _Host) -> None:
        """The first one, or its successor at the same address."""
        arguments = ["--config", str(host.config_file), "--upstream", self._services[0].url]
        log = self._logs / f"{host.name}{'-again' if host.gateway else ''}.log"
        port = host.gateway.port if host.gateway else 0
        # What a worker remembers beside its rows lies on its host.
        state = {"XDG_STATE_HOME": str(host.folder / "state")}
        host.gateway = start(host.name, "shadowlane.demo.gateway", arguments, log, port=port, env=state)

    async def _send(self) -> list[Answered]:
        from rich.console import Console

        from .balance import spread
        from .client import Meter

        offsets = steady_offsets(self._options.seconds, self._options.qps)
        plan = shots(load_questions(), len(offsets))
        urls = [_gateway(host).url for host in self._hosts]
        _say(f"Sending {len(plan)} requests, {self._options.qps:g} a second, to the hosts as 3 : 2 : 1:")
        console = Console(highlight=False, soft_wrap=True, markup=False)
        with Meter(console, len(plan)) as meter:
            answers = await spread(urls, _TURNS, plan, offsets, meter, self._kill)
        self._check()
        return answers

    async def _kill(self) -> None:
        """A worker, then a gateway, which is started again as a supervisor would."""
        first, second, _ = self._hosts
        await asyncio.sleep(_KILL_WORKER_AT * self._options.seconds)
        worker = await asyncio.to_thread(self._wait, "a worker to kill", lambda: worker_pid(first.lane))
        os.kill(worker, signal.SIGKILL)
        _say(f"  kill -9 {worker}: the worker of {first.name}")
        await asyncio.sleep((_KILL_GATEWAY_AT - _KILL_WORKER_AT) * self._options.seconds)
        gateway = _gateway(second)
        second.killed = True
        os.kill(gateway.pid, signal.SIGKILL)
        _say(f"  kill -9 {gateway.pid}: the gateway of {second.name}")
        await asyncio.to_thread(wait_for_exit, gateway.pid, _WAIT_S)
        gateway.stop()
        await asyncio.to_thread(self._start_gateway, second)
        await asyncio.to_thread(_gateway(second).wait_until_up, _UP_S)
        _say(f"  {second.name} has a gateway again")

    def _settle(self) -> None:
        """Every copy is stored; gateways end, and their workers leave by themselves."""
        _say("Waiting until every copy is answered, scored and stored ...")
        for host in self._hosts:
            wait_until_drained(host.lane, self._check, stall_s=_WAIT_S)
        for host in self._hosts:
            worker = worker_pid(host.lane)
            _gateway(host).stop()
            if worker and not wait_for_exit(worker, _WAIT_S):
                raise DemoError(f"worker of {host.name}: process {worker} did not leave; its log is in {self._logs}")

    def _judge(self, answers: Sequence[Answered], seconds: float, prod: Child, shadow: Child) -> None:
        from ..status.collect import collect_status
        from .fleet_verdict import one_verdict
        from .promises import find_leaks
        from .run import service_stats

        hosts = []
        for place, host in enumerate(self._hosts):
            mine = [answer for answer in answers if answer.host == place]
            hosts.append(
                host_account(
                    host.name,
                    collect_status(host.config()),
                    _SHADOW,
                    answered=sum(answer.status > 0 for answer in mine),
                    cut=sum(answer.status == 0 for answer in mine),
                    killed=host.killed,
                )
            )
        rows, ids = self._stored()
        fleet = FleetAccount(hosts=hosts, rows=rows, ids=ids, qps=_QPS, burst=_BURST, seconds=seconds)
        _say("\n" + "\n".join(account_lines(fleet)) + "\n")
        found = equations(fleet)
        for equation in found:
            print_lines(
                [(f"{'holds' if equation.holds else 'BROKEN'}  {equation.text}", "" if equation.holds else "bad")]
            )
        broken = [equation.text for equation in found if not equation.holds]
        if not fleet.rows:
            broken.append("nothing was mirrored")
        broken += _user_errors(answers, self._hosts)
        stats = {child.name: service_stats(child) for child in (prod, shadow)}
        for count, what in (("writes", "writes"), ("planted", "requests with planted secrets")):
            if stats["shadow"][count]:
                broken.append(f"{stats['shadow'][count]} {what} reached the shadow")
        config = self._hosts[0].config()
        broken += [f"a planted secret ({kind}) stands in {where}" for where, kind in find_leaks(config, self._out)]
        users = summarize([answer.latency_s for answer in answers])
        cut = sum(answer.status == 0 for answer in answers)
        moved = sum(answer.turned_away > 0 for answer in answers)
        _say(
            f"\nUsers   {users.count} requests; P50 {users.p50_ms:.1f} ms, P99 {users.p99_ms:.1f} ms; {cut} cut by the "
            f"kill of a gateway, {moved} answered by the next host while it was away\n"
            f"Writes  {stats['prod']['writes']} reached prod, {stats['shadow']['writes']} the shadow\n"
        )
        broken += one_verdict([host.config() for host in self._hosts], self._out / "report.html")
        _say(f"\nPage    {self._out / 'report.html'}\nLogs    {self._logs}")
        if broken:
            raise DemoError("Not as promised:" + "".join(f"\n  - {line}" for line in broken))

    def _stored(self) -> tuple[int, int]:
        """Rows and different requests among them, as the server counts them."""
        import psycopg

        assert self._server is not None
        with psycopg.connect(host="127.0.0.1", port=self._server.port, user=USER, dbname=USER) as connection:
            row = connection.execute(f"SELECT count(*), count(DISTINCT shadow_id) FROM {_SCHEMA}.pairs").fetchone()  # noqa: S608 - a name of this module
        return (int(row[0]), int(row[1])) if row else (0, 0)

    def _wait(self, what: str, condition: Any) -> Any:
        deadline = time.monotonic() + _WAIT_S
        while not (found := condition()):
            if time.monotonic() > deadline:
                failed = [f"\n  {host.name}'s worker: {why}" for host in self._hosts if (why := last_error(host.lane))]
                raise DemoError(f"waited {_WAIT_S:.0f} s for: {what}; the logs are in {self._logs}{''.join(failed)}")
            time.sleep(_POLL_S)
        return found

    def _check(self) -> None:
        for child in (*self._services, *map(_gateway, self._hosts)):
            child.check()
        if self._server is not None:
            self._server.check()

    def _end(self) -> None:
        """End what runs, gateways before what they need, and keep the workers' logs."""
        workers = []
        for host in self._hosts:
            with contextlib.suppress(Exception):  # a lane that never came up has no worker
                workers.append(worker_pid(host.lane))
            if host.gateway is not None:
                host.gateway.stop()
        for worker in filter(None, workers):
            end_by_force(worker)
        for child in self._services:
            child.stop()
        if self._server is not None:
            self._server.stop(grace_s=_WAIT_S)
        for host in self._hosts:
            with contextlib.suppress(OSError):
                shutil.copy(host.lane / "worker.log", self._logs / f"{host.name}-worker.log")
            shutil.rmtree(host.lane, ignore_errors=True)


def _gateway(host: _Host) -> Child:
    if host.gateway is None:
        raise DemoError(f"{host.name}: has no gateway")
    return host.gateway


def _has_share(host: _Host) -> bool:
    from .. import _core

    lease = _core.lane_status(str(host.lane))["lease"]
    return bool(lease and lease["left_s"] and lease["rate"])


def _user_errors(answers: Sequence[Answered], hosts: Sequence[_Host]) -> list[str]:
    """What users saw fail, but for connections that the killed gateway had."""
    found = [
        answer
        for answer in answers
        if not (100 <= answer.status < 400 or (answer.status == 0 and answer.host >= 0 and hosts[answer.host].killed))
    ]
    if not found:
        return []
    first = found[0]
    return [f"{len(found)} users' requests failed, the first ({first.kind}): {first.error or f'HTTP {first.status}'}"]


_CONFIG = """\
# Written by `make fleet-demo`. Everything that is not here has its default.
[lane]
name = {name}
directory = {lane}
worker = "auto"
ring_bytes = 4194304
max_body_bytes = 1048576
idle_exit_s = 1.0

[sampling]
ratio = {ratio}

[limits]
qps = {qps}
burst = {burst}

[fleet]
url = {database}
name = "demo"
lease_s = {lease}

[routes]
presets = ["openai"]
read = ["POST /ask"]

[score]
embedder = "wordllama"

[store]
url = {database}
schema = {schema}

[shadows.{shadow}]
url = {url}
timeout_s = 10
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m shadowlane.demo.fleet", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("fleet-demo-out"), help="folder for the page and the logs")
    parser.add_argument("--seconds", type=float, default=24.0, help="how long the load lasts (default: 24)")
    parser.add_argument("--qps", type=float, default=24.0, help="requests a second over all hosts (default: 24)")
    options = parser.parse_args()
    try:
        return run_fleet_demo(FleetOptions(options.seconds, options.qps, options.out))
    except KeyboardInterrupt:
        return 130
    except ShadowlaneError as error:
        print_error(str(error), "fleet demo")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
