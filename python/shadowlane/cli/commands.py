"""What each command does: a function a command, from its options to the exit code.

Heavy parts are imported by the command that needs them, so that ``status``, ``on`` and ``off`` work in a gateway that
has only the base package.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import _core
from ..config import Config, lane_directory, load_config
from ..config.errors import advised
from ..errors import ConfigError, FleetError, LaneError, MissingExtraError
from ..files import may_exist
from ..render.text import print_json, print_lines

__all__ = [
    "alert",
    "compare",
    "dashboard",
    "demo",
    "doctor",
    "export",
    "ext_proc",
    "gate",
    "gold",
    "guard",
    "import_",
    "init",
    "off",
    "on",
    "otlp",
    "probe",
    "proxy",
    "replay",
    "report",
    "reset",
    "serve",
    "sink",
    "status",
    "worker",
]

_INTERVAL_S = 30.0


DEFAULT_CONFIG = "shadowlane.toml"
"""Where none is named."""


def _load(options: argparse.Namespace) -> Config:
    return load_config(options.config)


def demo(options: argparse.Namespace) -> int:
    from ..demo.run import DemoOptions, run_demo

    return run_demo(DemoOptions(seconds=options.seconds, qps=options.qps, out=Path(options.out)))


def worker(options: argparse.Namespace) -> int:
    config = _configured(options, options.log_level)
    from ..worker.process import run_worker

    try:
        run_worker(
            config,
            leave_when_idle=options.auto or options.leave_when_idle,
            side=_side(config, options.serve, options.dashboard),
        )
    except LaneError as error:
        if options.auto and "another worker" in str(error):
            return 0  # lost the election: the lane has its worker
        raise
    return 0


def _configured(options: argparse.Namespace, level: str) -> Config:
    """Log as the options say, and load the configuration."""
    from ..worker.log import JsonFormatter, configure_logging

    formatter = configure_logging(level, options.log_format)
    config = _load(options)
    if isinstance(formatter, JsonFormatter):
        formatter.lane = config.lane.name
    return config


def _side(config: Config, listen: str | None, dashboard: str | None) -> Any:
    """The endpoint and the alerts beside the worker, when they are asked for. They have a configuration of their own:
    the worker's is the lane's, whatever an option says."""
    from ..serve.command import with_listen

    if listen is not None and dashboard is not None and listen != dashboard:
        raise ConfigError(f"--dashboard = {dashboard!r}: one endpoint serves both; give the address of --serve, or one")
    for address, option in ((listen, "--serve"), (dashboard, "--dashboard")):
        if address is not None:
            config = with_listen(config, address, option, page=option == "--dashboard")
    endpoint = _endpoint(config) if config.serve.listen else None
    if not config.alerts:
        return endpoint
    from ..alerts.side import Alerting

    return Alerting(config, endpoint)


def _endpoint(config: Config) -> Any:
    from ..serve.endpoint import Endpoint

    if not config.serve.dashboard:
        return Endpoint(config)
    from ..dashboard.routes import dashboard_routes

    return Endpoint(config, (dashboard_routes,))


def serve(options: argparse.Namespace) -> int:
    from ..serve.command import run_serve

    return run_serve(_configured(options, "info"), listen=options.listen, as_json=options.json)


def dashboard(options: argparse.Namespace) -> int:
    from ..dashboard.command import run_dashboard

    return run_dashboard(_configured(options, "info"), listen=options.listen, as_json=options.json)


def alert(options: argparse.Namespace) -> int:
    try:
        from ..alerts.command import run_test
    except ImportError:
        raise MissingExtraError("shadowlane alert", "worker", "aiohttp") from None
    return run_test(_load(options), options.test, as_json=options.json)


def status(options: argparse.Namespace) -> int:
    if options.watch is not None:
        if options.json:
            raise ConfigError("--watch: draws on a terminal; leave --json out, or ask for status --json as often")
        from ..watch.command import run_watch

        return run_watch(_load(options), options.watch)
    if options.check:
        from ..status.alive import run_check

        return run_check(_load(options), json=options.json)
    from ..status.collect import collect_status
    from ..status.render import render_status

    status = collect_status(_load(options))
    if options.json:
        print_json(status)
    else:
        print_lines([(line, "") for line in render_status(status).splitlines()])
    return 0


def _switch(options: argparse.Namespace, enabled: bool) -> int:
    config = _load(options)
    directory = lane_directory(config)
    if not may_exist(directory):
        raise LaneError(
            f"lane {config.lane.name}: never started, there is no {directory}; start its gateway first, or check "
            "lane.name and lane.directory: the gateway and this command must see the same ones"
        )
    everywhere = config.fleet.on and not options.here
    told = _tell_fleet(config, enabled) if everywhere else ""
    if enabled or not everywhere or told:
        _core.set_enabled(str(directory), enabled)
    switched = "on" if enabled else "off"
    if told:
        raise FleetError(
            f"the fleet's switch is not set: {told}; mirroring is switched {switched} on this host alone, run the "
            "command again when the engine answers"
        )
    if everywhere:
        # At once here; the other hosts learn it with their next round.
        _core.set_fleet_off(str(directory), not enabled)
    if options.json:
        print_json({"lane": config.lane.name, "enabled": enabled, "fleet": everywhere})
    else:
        where = "on all hosts of its fleet" if everywhere else "for all its processes"
        print_lines([(f"lane {config.lane.name}: mirroring is {switched} {where}", "")])
    return 0


def _tell_fleet(config: Config, enabled: bool) -> str:
    """Set the fleet's switch; why that is not possible, or empty."""
    from ..fleet.keeper import set_switch
    from ..fleet.opening import open_engine

    try:
        engine = open_engine(config.fleet.address(), config.fleet.name or config.lane.name)
        try:
            set_switch(engine, not enabled)
        finally:
            engine.close()
    except FleetError as error:
        return str(error)
    return ""


def on(options: argparse.Namespace) -> int:
    return _switch(options, True)


def off(options: argparse.Namespace) -> int:
    return _switch(options, False)


def reset(options: argparse.Namespace) -> int:
    from ..status.reset import run_reset

    return run_reset(_load(options), yes=options.yes, as_json=options.json)


def report(options: argparse.Namespace) -> int:
    if options.store is not None:
        if options.hours is not None:
            raise ConfigError("--hours and --store: recorded traffic is judged as a whole; leave --hours out")
        from ..replay.stored import show_stored

        return show_stored(_result_config(options), options, gate=False)
    from ..report.command import run_report

    return run_report(_load(options), html=options.html, as_json=options.json, hours=options.hours)


def gate(options: argparse.Namespace) -> int:
    if options.store is not None:
        if options.wait or options.restart or options.shadow:
            raise ConfigError("--store: recorded traffic has one shadow and no window; leave the other options out")
        from ..replay.stored import show_stored

        return show_stored(_result_config(options), options, gate=True)
    config = _load(options)
    if options.shadow is not None and options.shadow not in config.shadows:
        known = ", ".join(config.shadows)
        why = advised(options.shadow, config.shadows, f"no such shadow in the configuration; known: {known}")
        raise ConfigError(f"--shadow = {options.shadow!r}: {why}")
    if options.wait and options.restart:
        raise ConfigError("--wait and --restart: a new window has nothing to wait for yet; give one of them")
    if not options.wait and (options.timeout or options.interval):
        raise ConfigError("--timeout and --interval: say how long --wait waits; add --wait")
    if options.wait:
        from ..report.wait import wait_for_verdict

        interval_s = options.interval or _INTERVAL_S
        return wait_for_verdict(
            config, options.shadow, timeout_s=options.timeout, interval_s=interval_s, as_json=options.json
        )
    from ..report.command import restart_window, run_gate

    if options.restart:
        return restart_window(config, shadow=options.shadow, as_json=options.json)
    return run_gate(config, shadow=options.shadow, as_json=options.json)


def probe(options: argparse.Namespace) -> int:
    from ..probe.command import run_command

    return run_command(options)


def compare(options: argparse.Namespace) -> int:
    from ..compare.command import run_command

    return run_command(options)


def replay(options: argparse.Namespace) -> int:
    from ..replay.command import run_command

    return run_command(options)


def import_(options: argparse.Namespace) -> int:
    from ..replay.importing import run_command

    return run_command(options)


def export(options: argparse.Namespace) -> int:
    from ..export.command import run_export

    return run_export(_stored(options), options)


def gold(options: argparse.Namespace) -> int:
    from ..export.gold import run_gold

    return run_gold(_stored(options), options)


def _stored(options: argparse.Namespace) -> Config:
    """The configuration, with the rows that ``--store`` names in place of the lane's."""
    if options.store is None:
        return _load(options)
    from ..replay.stored import stored_config

    return stored_config(_result_config(options), options.store)


def _result_config(options: argparse.Namespace) -> Config:
    """What the result of a replay or an import is looked at with. They need no configuration, and so does it: where
    none is named and none is there, the defaults hold."""
    if options.config == DEFAULT_CONFIG and not may_exist(Path(DEFAULT_CONFIG)):
        from ..replay.settings import settings

        return settings(None, None, sends=False)[0]
    return _load(options)


def sink(options: argparse.Namespace) -> int:
    from ..sink.command import DEFAULT_SINK, run_sink

    config = _configured(options, "info")
    return run_sink(config, options.listen or DEFAULT_SINK, anywhere=options.anywhere, as_json=options.json)


def otlp(options: argparse.Namespace) -> int:
    from ..otlp.command import run_otlp

    return run_otlp(_configured(options, "info"), options)


def ext_proc(options: argparse.Namespace) -> int:
    from ..ext_proc.command import run_ext_proc

    return run_ext_proc(_configured(options, "info"), options)


def proxy(options: argparse.Namespace) -> int:
    from ..proxy.command import run_proxy

    return run_proxy(_load(options), options)


def guard(options: argparse.Namespace) -> int:
    from ..guard.proxy.command import run_guard

    return run_guard(options)


def init(options: argparse.Namespace) -> int:
    from ..init.command import run_init

    return run_init(options)


def doctor(options: argparse.Namespace) -> int:
    from ..status.doctor import run_doctor

    if options.shadow is not None and options.try_source is None:
        raise ConfigError("--shadow: says whom --try asks; add --try")
    return run_doctor(options.config, as_json=options.json, try_source=options.try_source, shadow=options.shadow)
