"""What each command takes, and its examples. Every command that prints a result takes ``--json``."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from .. import __version__
from ..config.shown import without_keys
from ..render.text import print_error
from . import commands

__all__ = ["EXAMPLES", "build_parser"]

_MOST_HOURS = 87_600

EXAMPLES: dict[str, tuple[str, ...]] = {
    "init": (
        "init --gateway fastapi --provider openai --shadow-url http://127.0.0.1:9001",
        "init --gateway litellm --provider anthropic --model NAME --output lane.toml",
    ),
    "doctor": ("doctor", "doctor --try", "doctor --try request.json --shadow candidate --config lane.toml"),
    "status": ("status", "status --json", "status --watch", "status --watch 5", "status --check"),
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
    "sink": ("sink", "sink --listen 127.0.0.1:9799 --config lane.toml"),
    "ext-proc": ("ext-proc", "ext-proc --listen 127.0.0.1:9801 --config lane.toml --streams 4000"),
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
    "replay": (
        "replay traffic.har --shadow http://127.0.0.1:9001",
        "replay traffic.gor --shadow candidate --config lane.toml --speed max --html report.html",
        "replay lane.db --shadow candidate --config lane.toml --speed 10 --gate",
        "replay --one 0195e0c4-7c3a-7000-8000-3f6c1a2b4d5e --shadow candidate --config lane.toml",
        "replay batch.jsonl --answers batch_output.jsonl --shadow http://127.0.0.1:9001",
    ),
    "import": ("import traffic.gor --html report.html", "import answers.jsonl --gate --store imported.db"),
    "export": (
        "export --out pairs.jsonl",
        "export --format parquet --since 7d --shadow candidate --out pairs.parquet",
        "export --format langfuse --mark wrong --dataset regressions --out items.jsonl",
    ),
    "gold": ("gold --out gold.jsonl", "gold --shadow candidate --worst 50 --groups 0 --out gold.jsonl"),
    "proxy": (
        "proxy --upstream http://127.0.0.1:9000",
        "proxy --upstream https://prod.internal --listen 0.0.0.0:443 --certificate tls.pem --key tls.key",
        "proxy --upstream http://127.0.0.1:50051 --http2 --upstream-http2",
    ),
    "otlp": ("otlp --listen 127.0.0.1:4318 --config lane.toml", "otlp --service gateway --service worker"),
    "guard": ("guard --allow api.internal:8080 --allow llm.internal:9000=openai --connect auth.internal:443",),
}
"""By command: what its ``--help`` shows. A test runs each through the parser."""


class _Parser(argparse.ArgumentParser):
    """What is not understood is said within the terminal's width, and without what may be a key."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        print_error(f"error: {without_keys(message)}", self.prog)
        self.exit(2)


def build_parser(arguments: Sequence[str] | None) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="shadowlane",
        description="Mirror a sample of a gateway's traffic to a shadow service, and compare the answers.",
        epilog="to begin: shadowlane init, then shadowlane doctor --try; every command has examples in its --help",
    )
    parser.add_argument("--version", action="version", version=f"shadowlane {__version__}")
    parser.set_defaults(run=lambda _: _help(parser))  # without a command
    subparsers = parser.add_subparsers(metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str, *, configured: bool = True) -> Any:
        sub = subparsers.add_parser(
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
                default=os.environ.get("SHADOWLANE_CONFIG", commands.DEFAULT_CONFIG),
                help="configuration file (default: $SHADOWLANE_CONFIG, else shadowlane.toml)",
            )
            sub.add_argument("--json", action="store_true", help="print JSON")
        return sub

    demo = command(
        "demo", commands.demo, "Run the demonstration: prod, shadow, gateway, load, report.", configured=False
    )
    demo.add_argument("--seconds", type=float, default=45.0, help="how long the load lasts (default: 45)")
    demo.add_argument("--qps", type=float, default=12.0, help="requests a second (default: 12)")
    demo.add_argument("--out", default="demo-out", help="folder for the database, the page and the logs")

    worker = command("worker", commands.worker, "Run the lane's worker: send copies to the shadows, score, store.")
    worker.add_argument("--auto", action="store_true", help=argparse.SUPPRESS)
    worker.add_argument("--leave-when-idle", action="store_true", help="leave when no gateway lives and all is empty")
    worker.add_argument("--serve", metavar="HOST:PORT", help="listen there for release tools and probes (serve.listen)")
    worker.add_argument("--dashboard", metavar="HOST:PORT", help="the same with the live page (serve.dashboard)")
    worker.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    _add_log_format(worker)

    serve = command("serve", commands.serve, "Answer release tools and probes over a lane, without a worker.")
    serve.add_argument("--listen", metavar="HOST:PORT", help="default: serve.listen, else 127.0.0.1:9797")
    _add_log_format(serve)

    dashboard = command("dashboard", commands.dashboard, "Serve the live page of a lane, without a worker.")
    dashboard.add_argument("--listen", metavar="HOST:PORT", help="default: serve.listen, else 127.0.0.1:9797")
    _add_log_format(dashboard)

    sink = command("sink", commands.sink, "Receive the copies of a mirror (nginx, Envoy, GoReplay) into a lane.")
    sink.add_argument("--listen", metavar="HOST:PORT", help="default: 127.0.0.1:9799; port 0 is any free one")
    sink.add_argument("--anywhere", action="store_true", help="beyond loopback, too: for a network of the mirror's own")
    _add_log_format(sink)

    alert = command(
        "alert", commands.alert, "Send a test alert to those whom the lane tells, and say what each answered."
    )
    alert.add_argument(
        "--test", nargs="?", const="", required=True, metavar="NAME", help="to this one alone (default: to all)"
    )

    status = command("status", commands.status, "Show counters, ring fill, cap and the worker's health.")
    status.add_argument(
        "--watch",
        nargs="?",
        type=_seconds,
        const=2.0,
        metavar="SECONDS",
        help="draw rates, drops, ring, ΔS and verdicts anew every so many seconds (default: 2) until Ctrl-C",
    )
    status.add_argument(
        "--check", action="store_true", help="say only whether a worker is at work, and exit 1 when none is"
    )
    for switch in (
        command("on", commands.on, "Switch mirroring on for all processes of the lane."),
        command("off", commands.off, "Switch mirroring off for all processes of the lane, at once."),
    ):
        switch.add_argument("--here", action="store_true", help="on this host alone, where hosts are a fleet")

    reset = command("reset", commands.reset, "Forget what the lane has counted and learned; its rows stay.")
    reset.add_argument("--yes", action="store_true", help="do not ask")

    report = command("report", commands.report, "Compare prod and the shadows from what is stored.")
    report.add_argument("--html", metavar="FILE", help="write the report as one HTML page")
    report.add_argument(
        "--store", metavar="FILE", help="the result of a replay or an import, in place of the lane's rows"
    )
    report.add_argument("--hours", type=_hours, default=None, help="only the last so many hours")

    gate = command("gate", commands.gate, "Say GRADUATE, HOLD or REJECT, with the evidence; exit 0 only for GRADUATE.")
    gate.add_argument("--shadow", default=None, help="the shadow's name (default: all of them)")
    gate.add_argument("--store", metavar="FILE", help="judge the result of a replay or an import")
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
        sub = command(name, run, text, configured=name in _CONFIGURED)
        if name in asked:
            _add_own_options(name, sub)

    init = command("init", commands.init, "Write a commented configuration to begin with.", configured=False)
    from ..init.command import add_options as add_init_options

    add_init_options(init)

    doctor = command("doctor", commands.doctor, "Check configuration, directories, shared memory, extras and shadows.")
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
        from ..probe.command import add_options as add
    elif name == "compare":
        from ..compare.command import add_options as add
    elif name == "replay":
        from ..replay.command import add_options as add
    elif name == "proxy":
        from ..proxy.command import add_options as add
    elif name == "otlp":
        from ..otlp.command import add_options as add
    elif name == "ext-proc":
        from ..ext_proc.command import add_options as add
    elif name == "import":
        from ..replay.importing import add_options as add
    elif name == "export":
        from ..export.command import add_options as add
    elif name == "gold":
        from ..export.gold import add_options as add
    else:
        from ..guard.proxy.command import add_arguments as add
    add(sub)
    if name == "otlp":
        _add_log_format(sub)


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
    from ..watch.command import seconds

    return seconds(text)


def _duration(text: str) -> float:
    from ..report.wait import duration

    return duration(text)


_WITH_OWN_OPTIONS = (
    ("probe", commands.probe, "Ask prod and shadow a gold file of questions, and compare."),
    ("compare", commands.compare, "Compare the answers of a file, without a lane: report and verdict."),
    ("replay", commands.replay, "Send recorded traffic to a shadow again, and compare with what prod answered then."),
    ("import", commands.import_, "Bring recorded traffic with its answers into a database: report and verdict."),
    ("export", commands.export, "Write stored pairs as JSON lines, Parquet or a data set of another tool."),
    ("gold", commands.gold, "Make a probe's gold file out of stored pairs."),
    ("proxy", commands.proxy, "Serve in front of a gateway that nobody can change, with the lane built in."),
    ("ext-proc", commands.ext_proc, "Take requests and answers as Envoy's external processor sees them into a lane."),
    ("otlp", commands.otlp, "Receive telemetry of calls to models (OpenTelemetry, OTLP/HTTP) into a lane."),
    ("guard", commands.guard, "Run the shadow's forward proxy: reads to listed hosts pass, writes are refused."),
)
_CONFIGURED = ("export", "ext-proc", "gold", "otlp", "proxy")
"""Those of them that read a lane's configuration."""
