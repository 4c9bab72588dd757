"""``shadowlane demo``: prod, shadow and gateway as processes, load from a real client, then the report.

Invariants: whatever happens, no process of the run outlives it; the folder keeps what a user wants to look at
afterwards (configuration, database, page, logs, the lane's counters); a promise that the run itself can check (no user
saw an error, no write and no planted secret reached the shadow) is a failure of the run when it is broken.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import math
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import Config, load_config
from ..config.serve import DEFAULT_LISTEN
from ..errors import ConfigError, MissingExtraError
from ..render.text import print_lines
from .corpus import load_questions, load_sections
from .folders import lane_folder, prepared, toml_text
from .processes import NEEDS, Child, DemoError, end_by_force, start, terminable, wait_for_exit

__all__ = ["DemoOptions", "run_demo", "service_stats"]

_OWN = (
    "shadowlane.toml",
    "shadowlane.db",
    "shadowlane.db-wal",
    "shadowlane.db-shm",
    "shadowlane.db.demo.groups",
    "report.html",
    "lane",
    "logs",
)
_UP_S = 90.0
_LEAVE_S = 30.0
_RATIO = 0.5
_MAX_QPS = 200.0


@dataclass(frozen=True)
class DemoOptions:
    """``seconds`` of load at ``qps`` requests a second; results go into the folder ``out``."""

    seconds: float
    qps: float
    out: Path


def run_demo(options: DemoOptions) -> int:
    """Run the demonstration; returns the exit code: 0 when it worked, whatever the verdict, 3 when a part failed.

    Raises :class:`~shadowlane.errors.ConfigError` for options that make no sense and
    :class:`~shadowlane.errors.MissingExtraError` when a package of the extra ``demo`` is not installed.
    """
    _check_options(options)
    for package in NEEDS:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError("shadowlane demo", "demo", package)
    from rich.console import Console

    out = prepared(options.out, _OWN)
    console = Console(highlight=False, soft_wrap=True, markup=False)
    run = _Run(options, out, console)
    try:
        with terminable():
            run.go()
    except DemoError as error:
        _say(f"\nThe demonstration failed. {error}")
        return error.exit_code
    return 0


def _say(text: str) -> None:
    print_lines([(line, "") for line in text.split("\n")])


class _Run:
    """One run, from the first process to the last line."""

    def __init__(self, options: DemoOptions, out: Path, console: Any) -> None:
        self._options = options
        self._out = out
        self._logs = out / "logs"
        self._say = _say
        self._console = console
        self._children: list[Child] = []
        self._config_file = out / "shadowlane.toml"
        self._lane = lane_folder(out)  # the last of what can fail here: go() removes it

    def go(self) -> None:
        try:
            questions = load_questions()
            self._say(
                f"shadowlane demo: a handbook of {len(load_sections())} sections, {len(questions)} questions in "
                f"{sum(len(question.forms) for question in questions)} wordings"
            )
            prod, shadow, gateway = self._start()
            samples = self._send(gateway)
            self._drain()
            stats = {child.name: service_stats(child) for child in (prod, shadow)}
            self._leave(gateway)
        except BaseException:
            self._abandon()
            raise
        self._stop_all()
        config = self._settle(shadow)
        self._report(config, samples, stats)

    def _start(self) -> tuple[Child, Child, Child]:
        service = "shadowlane.demo.service"
        for name in ("prod", "shadow"):
            self._children.append(start(name, service, ["--role", name], self._logs / f"{name}.log"))
        prod, shadow = self._children
        for child in (prod, shadow):
            child.wait_until_up(_UP_S)
        self._write_config(shadow.url, self._lane)
        load_config(self._config_file)
        arguments = ["--config", str(self._config_file), "--upstream", prod.url]
        gateway = start("gateway", "shadowlane.demo.gateway", arguments, self._logs / "gateway.log")
        self._children.append(gateway)
        gateway.wait_until_up(_UP_S)
        self._say(
            f"  prod     {prod.url}   whole sections, 256 dimensions, k = 3\n"
            f"  shadow   {shadow.url}   windows of 48 words, 64 dimensions, k = 4\n"
            f"  gateway  {gateway.url}   mirrors {_RATIO:.0%} of the reads; configuration: {self._config_file}"
        )
        return prod, shadow, gateway

    def _send(self, gateway: Child) -> list[Any]:
        from .client import Meter, send_all
        from .load import shots, steady_offsets

        offsets = steady_offsets(self._options.seconds, self._options.qps)
        plan = shots(load_questions(), len(offsets))
        self._say(f"\nSending {len(plan)} requests, {self._options.qps:g} a second, answered or not:")
        with Meter(self._console, len(plan)) as meter:
            samples = asyncio.run(send_all(gateway.url, plan, offsets, meter))
        self._check()
        return samples

    def _drain(self) -> None:
        from .lanewatch import wait_until_drained

        self._say("Waiting until every copy is answered, scored and stored ...")
        wait_until_drained(self._lane, self._check)

    def _leave(self, gateway: Child) -> None:
        """End the gateway; the worker then leaves by itself, and that is waited for."""
        from .lanewatch import worker_pid

        worker = worker_pid(self._lane)
        gateway.stop()
        if worker and not wait_for_exit(worker, _LEAVE_S):
            end_by_force(worker)
            raise DemoError(
                f"worker: process {worker} did not leave within {_LEAVE_S:.0f} s after the last gateway; "
                f"it was ended; its log is {self._lane / 'worker.log'}"
            )

    def _check(self) -> None:
        for child in self._children:
            child.check()

    def _abandon(self) -> None:
        """After a failure or Ctrl-C: end gateway and worker at once, and keep the worker's log."""
        worker = 0
        with contextlib.suppress(Exception):  # a lane that never came up has no worker
            from .lanewatch import worker_pid

            worker = worker_pid(self._lane)
        self._stop_all()
        if worker:
            end_by_force(worker)
        with contextlib.suppress(OSError):
            shutil.copy(self._lane / "worker.log", self._logs / "worker.log")
        shutil.rmtree(self._lane, ignore_errors=True)

    def _stop_all(self) -> None:
        for child in reversed(self._children):
            child.stop()

    def _write_config(self, shadow_url: str, lane: Path) -> None:
        self._config_file.write_text(
            _CONFIG.format(lane=toml_text(str(lane)), shadow=toml_text(shadow_url), ratio=_RATIO)
        )

    def _settle(self, shadow: Child) -> Config:
        """Move the lane's files from shared memory into the folder, so that ``shadowlane status`` still finds them."""
        lane_copy = self._out / "lane"
        shutil.copytree(self._lane, lane_copy)
        lane_copy.chmod(0o700)
        shutil.rmtree(self._lane, ignore_errors=True)
        with contextlib.suppress(OSError):
            shutil.copy(lane_copy / "worker.log", self._logs / "worker.log")
        self._write_config(shadow.url, lane_copy)
        return load_config(self._config_file)

    def _report(self, config: Config, samples: Sequence[Any], stats: dict[str, dict[str, int]]) -> None:
        from ..report.command import run_report
        from .load import summarize
        from .promises import broken_promises, redactions, user_errors

        page = self._out / "report.html"
        self._say("")
        run_report(config, html=str(page), as_json=False, hours=None)
        users = summarize([sample.latency_s for sample in samples])
        planted = sum(sample.kind == "planted" for sample in samples)
        redacted = ", ".join(f"{kind} {count}" for kind, count in redactions(config).items()) or "nothing"
        self._say(
            f"\nUsers      {users.count} requests, {len(user_errors(samples))} errors; "
            f"P50 {users.p50_ms:.1f} ms, P95 {users.p95_ms:.1f} ms, P99 {users.p99_ms:.1f} ms\n"
            f"Writes     {stats['prod']['writes']} reached prod, {stats['shadow']['writes']} reached the shadow\n"
            f"Secrets    planted in {planted} requests: {stats['prod']['planted']} reached prod, "
            f"{stats['shadow']['planted']} reached the shadow; redacted in the copies: {redacted}\n"
            f"\nPage       {page}\nDatabase   {self._out / 'shadowlane.db'}\nLogs       {self._logs}\n"
            f"Try also   {command()} report --config {self._config_file}\n"
            f"           {command()} gate --config {self._config_file}\n"
            f"Live page  {command()} dashboard --config {self._config_file}\n"
            f"           then open http://{DEFAULT_LISTEN}/ in a browser"
        )
        broken = broken_promises(config, self._out, samples, stats)
        if broken:
            raise DemoError("A promise of shadowlane was broken:" + "".join(f"\n  - {line}" for line in broken))


def command() -> str:
    """What runs this package's command line in the shell that the demonstration was started from."""
    beside = Path(sys.executable).with_name("shadowlane")
    found = shutil.which("shadowlane")
    if not beside.exists() or (found is not None and beside.samefile(found)):
        return "shadowlane"
    here = Path.cwd()
    return shlex.quote(str(beside.relative_to(here) if beside.is_relative_to(here) else beside))


def _check_options(options: DemoOptions) -> None:
    if not (math.isfinite(options.seconds) and 1 <= options.seconds <= 86400):
        raise ConfigError(f"--seconds = {options.seconds}: use 1 to 86400")
    if not 0.1 <= options.qps <= _MAX_QPS:
        raise ConfigError(f"--qps = {options.qps}: use 0.1 to {_MAX_QPS:g}; one client process cannot time more")
    if options.seconds * options.qps < 1:
        raise ConfigError(f"--seconds = {options.seconds}: not one request at --qps = {options.qps}; run longer")


def service_stats(child: Child) -> dict[str, int]:
    import httpx

    try:
        answer = httpx.get(f"{child.url}/stats", timeout=10, trust_env=False)
        counts: dict[str, int] = answer.raise_for_status().json()
    except httpx.HTTPError as error:
        raise DemoError(f"{child.name}: {child.url}/stats: {error}; its log is {child.log}") from None
    return counts


_CONFIG = """\
# Written by `shadowlane demo`. Everything that is not here has its default.
[lane]
name = "demo"
directory = {lane}
worker = "auto"
ring_bytes = 4194304
max_body_bytes = 1048576
idle_exit_s = 1.0

[sampling]
ratio = {ratio}

[limits]
qps = 100
burst = 100

[routes]
presets = ["openai"]
read = ["POST /ask"]

[score]
embedder = "wordllama"

[store]
url = "sqlite:///shadowlane.db"

[shadows.candidate]
url = {shadow}
timeout_s = 10
"""
