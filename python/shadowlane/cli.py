"""The command line. Exit codes: 0 good, 1 the answer is no, 2 wrong use or configuration, 3 failed to run.

Every command that prints a result takes ``--json``. Heavy parts are imported by the command that needs them, so that
``status``, ``on`` and ``off`` work in a gateway that has only the base package.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from . import __version__, _core
from .config import Config, lane_directory, load_config
from .config.errors import advised
from .config.shown import without_keys
from .errors import ConfigError, LaneError, MissingExtraError, ShadowlaneError
from .render.text import print_error, print_json, print_lines

__all__ = ["main"]

_DEFAULT_CONFIG = "shadowlane.toml"
_MOST_HOURS = 87_600
_INTERVAL_S = 30.0

EXAMPLES: dict[str, tuple[str, ...]] = {
    "init": (
        "init --gateway fastapi --provider openai --shadow-url http://127.0.0.1:9001",
        "init --gateway litellm --provider anthropic --model NAME --output lane.toml",
    ),
    "doctor": ("doctor", "doctor --try", "doctor --try request.json --shadow candidate --config lane.toml"),
    "status": ("status", "status --json", "status --watch", "status --watch 5"),
    "report": ("report --html report.html", "report --hours 24 --json"),
    "gate": (
        "gate",
        "gate --shadow candidate --json",
        "gate --wait --timeout 2h --interval 1m",
        "gate --restart",
    ),
    "on": ("on",),
    "off": ("off", "off --config lane.toml"),
    "reset": ("reset", "reset --yes --json"),
    "worker": (
        "worker --config lane.toml",
        "worker --leave-when-idle --log-level debug --log-format json",
        "worker --serve 127.0.0.1:9797",
        "worker --dashboard 127.0.0.1:9797",
    ),
    "serve": ("serve", "serve --listen 127.0.0.1:9798 --config lane.toml"),
    "dashboard": ("dashboard", "dashboard --listen 127.0.0.1:9798 --config lane.toml"),
    "alert": ("alert --test", "alert --test slack --json"),
    "demo": ("demo", "demo --seconds 90 --qps 20 --out demo-out"),
    "probe": (
        "probe gold.jsonl --prod http://127.0.0.1:9000 --shadow http://127.0.0.1:9001",
        "probe gold.jsonl --prod http://127.0.0.1:9000 --shadow http://127.0.0.1:9001 --qps 2 --junit probe.xml",
    ),
    "compare": (
        "compare answers.jsonl --html report.html",
        "compare answers.jsonl --gate",
        "compare answers.jsonl --explain 17",
    ),
    "guard": ("guard --allow api.internal:8080 --allow llm.internal:9000=openai --connect auth.internal:443",),
}
"""By command: what its ``--help`` shows. A test runs each through the parser."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    options = _parser(arguments).parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.run
    try:
        return command(options)
    except ShadowlaneError as error:
        text = without_keys(str(error), known=True)
        if getattr(options, "log_format", "") == "json":
            logging.getLogger("shadowlane").error("%s", text, extra={"event": "failed"})
        else:
            print_error(text)
        return error.exit_code
    except BrokenPipeError:  # the reader of our output left: not an error of ours
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 3


class _Parser(argparse.ArgumentParser):
    """What is not understood is said within the terminal's width, and without what may be a key."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        print_error(f"error: {without_keys(message)}", self.prog)
        self.exit(2)


def _parser(arguments: Sequence[str] | None) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="shadowlane",
        description="Mirror a sample of a gateway's traffic to a shadow service, and compare the answers.",
        epilog="to begin: shadowlane init, then shadowlane doctor --try; every command has examples in its --help",
    )
    parser.add_argument("--version", action="version", version=f"shadowlane {__version__}")
    parser.set_defaults(run=lambda _: _help(parser))  # without a command
    commands = parser.add_subparsers(metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str, *, configured: bool = True) -> Any:
        sub = commands.add_parser(
            name,
            help=text,
            description=text,
            epilog="\n".join(["examples:", *(f"  shadowlane {example}" for example in EXAMPLES[name])]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.set_defaults(run=run)
        if configured:
            sub.add_argument(
                "--config",
                default=os.environ.get("SHADOWLANE_CONFIG", _DEFAULT_CONFIG),
                help="configuration file (default: $SHADOWLANE_CONFIG, else shadowlane.toml)",
            )
            sub.add_argument("--json", action="store_true", help="print JSON")
        return sub

    demo = command("demo", _demo, "Run the demonstration: prod, shadow, gateway, load, report.", configured=False)
    demo.add_argument("--seconds", type=float, default=45.0, help="how long the load lasts (default: 45)")
    demo.add_argument("--qps", type=float, default=12.0, help="requests a second (default: 12)")
    demo.add_argument("--out", default="demo-out", help="folder for the database, the page and the logs")

    worker = command("worker", _worker, "Run the lane's worker: send copies to the shadows, score, store.")
    worker.add_argument("--auto", action="store_true", help=argparse.SUPPRESS)
    worker.add_argument("--leave-when-idle", action="store_true", help="leave when no gateway lives and all is empty")
    worker.add_argument("--serve", metavar="HOST:PORT", help="listen there for release tools and probes (serve.listen)")
    worker.add_argument("--dashboard", metavar="HOST:PORT", help="the same with the live page (serve.dashboard)")
    worker.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    _add_log_format(worker)

    serve = command("serve", _serve, "Answer release tools and probes over a lane, without a worker.")
    serve.add_argument("--listen", metavar="HOST:PORT", help="default: serve.listen, else 127.0.0.1:9797")
    _add_log_format(serve)

    dashboard = command("dashboard", _dashboard, "Serve the live page of a lane, without a worker.")
    dashboard.add_argument("--listen", metavar="HOST:PORT", help="default: serve.listen, else 127.0.0.1:9797")
    _add_log_format(dashboard)

    alert = command("alert", _alert, "Send a test alert to those whom the lane tells, and say what each answered.")
    alert.add_argument(
        "--test", nargs="?", const="", required=True, metavar="NAME", help="to this one alone (default: to all)"
    )

    status = command("status", _status, "Show counters, ring fill, cap and the worker's health.")
    status.add_argument(
        "--watch",
        nargs="?",
        type=_seconds,
        const=2.0,
        metavar="SECONDS",
        help="draw rates, drops, ring, ΔS and verdicts anew every so many seconds (default: 2) until Ctrl-C",
    )
    command("on", _on, "Switch mirroring on for all processes of the lane.")
    command("off", _off, "Switch mirroring off for all processes of the lane, at once.")

    reset = command("reset", _reset, "Forget what the lane has counted and learned; its rows stay.")
    reset.add_argument("--yes", action="store_true", help="do not ask")

    report = command("report", _report, "Compare prod and the shadows from what is stored.")
    report.add_argument("--html", metavar="FILE", help="write the report as one HTML page")
    report.add_argument("--hours", type=_hours, default=None, help="only the last so many hours")

    gate = command("gate", _gate, "Say GRADUATE, HOLD or REJECT, with the evidence; exit 0 only for GRADUATE.")
    gate.add_argument("--shadow", default=None, help="the shadow's name (default: all of them)")
    gate.add_argument("--restart", action="store_true", help="begin a new window now, and judge nothing")
    gate.add_argument("--wait", action="store_true", help="look again until it is GRADUATE or REJECT, a line a change")
    gate.add_argument(
        "--timeout", type=_duration, metavar="DURATION", help="with --wait: exit 1 when it is HOLD for so long"
    )
    gate.add_argument(
        "--interval", type=_duration, metavar="DURATION", help="with --wait: between two looks (default: 30s)"
    )

    # The options of these need the package's heavier half, so they are added only for the command that is asked for.
    asked = sys.argv[1:] if arguments is None else arguments
    for name, run, text in _WITH_OWN_OPTIONS:
        sub = command(name, run, text, configured=False)
        if name in asked:
            _add_own_options(name, sub)

    init = command("init", _init, "Write a commented configuration to begin with.", configured=False)
    from .init.command import add_options as add_init_options

    add_init_options(init)

    doctor = command("doctor", _doctor, "Check configuration, directories, shared memory, extras and shadows.")
    doctor.add_argument(
        "--try",
        dest="try_source",
        nargs="?",
        const="",
        metavar="FILE",
        help="send one real request to a shadow, on the way that copies go: the JSON object of FILE (method, path, "
        "headers, body; - is standard input), else the usual one of the lane's preset; counts in nothing",
    )
    doctor.add_argument("--shadow", default=None, help="with --try: which shadow (default: the first)")
    return parser


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0


def _add_log_format(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--log-format",
        default=os.environ.get("SHADOWLANE_LOG_FORMAT", "text"),
        metavar="{text,json}",
        help="text, or json: one object a line (default: $SHADOWLANE_LOG_FORMAT, else text)",
    )


def _add_own_options(name: str, sub: argparse.ArgumentParser) -> None:
    if name == "probe":
        from .probe.command import add_options as add
    elif name == "compare":
        from .compare.command import add_options as add
    else:
        from .guard.proxy.command import add_arguments as add
    add(sub)


def _hours(text: str) -> float:
    """An argument in hours: a number that a window of time can have."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= _MOST_HOURS:
        raise argparse.ArgumentTypeError(f"{text!r}: use more than 0 and at most {_MOST_HOURS} hours")
    return value


def _seconds(text: str) -> float:
    from .watch.command import seconds

    return seconds(text)


def _duration(text: str) -> float:
    from .report.wait import duration

    return duration(text)


def _load(options: argparse.Namespace) -> Config:
    return load_config(options.config)


def _demo(options: argparse.Namespace) -> int:
    from .demo.run import DemoOptions, run_demo

    return run_demo(DemoOptions(seconds=options.seconds, qps=options.qps, out=Path(options.out)))


def _worker(options: argparse.Namespace) -> int:
    config = _configured(options, options.log_level)
    from .worker.process import run_worker

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
    from .worker.log import JsonFormatter, configure_logging

    formatter = configure_logging(level, options.log_format)
    config = _load(options)
    if isinstance(formatter, JsonFormatter):
        formatter.lane = config.lane.name
    return config


def _side(config: Config, listen: str | None, dashboard: str | None) -> Any:
    """The endpoint and the alerts beside the worker, when they are asked for. They have a configuration of their own:
    the worker's is the lane's, whatever an option says."""
    from .serve.command import with_listen

    if listen is not None and dashboard is not None and listen != dashboard:
        raise ConfigError(f"--dashboard = {dashboard!r}: one endpoint serves both; give the address of --serve, or one")
    for address, option in ((listen, "--serve"), (dashboard, "--dashboard")):
        if address is not None:
            config = with_listen(config, address, option, page=option == "--dashboard")
    endpoint = _endpoint(config) if config.serve.listen else None
    if not config.alerts:
        return endpoint
    from .alerts.side import Alerting

    return Alerting(config, endpoint)


def _endpoint(config: Config) -> Any:
    from .serve.endpoint import Endpoint

    if not config.serve.dashboard:
        return Endpoint(config)
    from .dashboard.routes import dashboard_routes

    return Endpoint(config, (dashboard_routes,))


def _serve(options: argparse.Namespace) -> int:
    from .serve.command import run_serve

    return run_serve(_configured(options, "info"), listen=options.listen, as_json=options.json)


def _dashboard(options: argparse.Namespace) -> int:
    from .dashboard.command import run_dashboard

    return run_dashboard(_configured(options, "info"), listen=options.listen, as_json=options.json)


def _alert(options: argparse.Namespace) -> int:
    try:
        from .alerts.command import run_test
    except ImportError:
        raise MissingExtraError("shadowlane alert", "worker", "aiohttp") from None
    return run_test(_load(options), options.test, as_json=options.json)


def _status(options: argparse.Namespace) -> int:
    if options.watch is not None:
        if options.json:
            raise ConfigError("--watch: draws on a terminal; leave --json out, or ask for status --json as often")
        from .watch.command import run_watch

        return run_watch(_load(options), options.watch)
    from .status.collect import collect_status
    from .status.render import render_status

    status = collect_status(_load(options))
    if options.json:
        print_json(status)
    else:
        print_lines([(line, "") for line in render_status(status).splitlines()])
    return 0


def _switch(options: argparse.Namespace, enabled: bool) -> int:
    config = _load(options)
    directory = lane_directory(config)
    if not directory.exists():
        raise LaneError(
            f"lane {config.lane.name}: never started, there is no {directory}; start its gateway first, or check "
            "lane.name and lane.directory: the gateway and this command must see the same ones"
        )
    _core.set_enabled(str(directory), enabled)
    if options.json:
        print_json({"lane": config.lane.name, "enabled": enabled})
    else:
        switched = "on" if enabled else "off"
        print_lines([(f"lane {config.lane.name}: mirroring is {switched} for all its processes", "")])
    return 0


def _on(options: argparse.Namespace) -> int:
    return _switch(options, True)


def _off(options: argparse.Namespace) -> int:
    return _switch(options, False)


def _reset(options: argparse.Namespace) -> int:
    from .status.reset import run_reset

    return run_reset(_load(options), yes=options.yes, as_json=options.json)


def _report(options: argparse.Namespace) -> int:
    from .report.command import run_report

    return run_report(_load(options), html=options.html, as_json=options.json, hours=options.hours)


def _gate(options: argparse.Namespace) -> int:
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
        from .report.wait import wait_for_verdict

        interval_s = options.interval or _INTERVAL_S
        return wait_for_verdict(
            config, options.shadow, timeout_s=options.timeout, interval_s=interval_s, as_json=options.json
        )
    from .report.command import restart_window, run_gate

    if options.restart:
        return restart_window(config, shadow=options.shadow, as_json=options.json)
    return run_gate(config, shadow=options.shadow, as_json=options.json)


def _probe(options: argparse.Namespace) -> int:
    from .probe.command import run_command

    return run_command(options)


def _compare(options: argparse.Namespace) -> int:
    from .compare.command import run_command

    return run_command(options)


def _guard(options: argparse.Namespace) -> int:
    from .guard.proxy.command import run_guard

    return run_guard(options)


def _init(options: argparse.Namespace) -> int:
    from .init.command import run_init

    return run_init(options)


def _doctor(options: argparse.Namespace) -> int:
    from .status.doctor import run_doctor

    if options.shadow is not None and options.try_source is None:
        raise ConfigError("--shadow: says whom --try asks; add --try")
    return run_doctor(options.config, as_json=options.json, try_source=options.try_source, shadow=options.shadow)


_WITH_OWN_OPTIONS = (
    ("probe", _probe, "Ask prod and shadow a gold file of questions, and compare."),
    ("compare", _compare, "Compare the answers of a file, without a lane: report and verdict."),
    ("guard", _guard, "Run the shadow's forward proxy: reads to listed hosts pass, writes are refused."),
)
