"""What ``shadowlane otlp`` does: opens the lane as a gateway process does, and listens for exporters of telemetry.

Invariants: beyond loopback only when that is asked for; it ends at SIGTERM or SIGINT with what is in the ring left to
the worker, and says then what became of every record.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from typing import Any

from ..capture.lane import Lane
from ..capture.listening import listen_until_told
from ..capture.received import Noted
from ..config import Config
from ..config.serve import address_of, is_loopback
from ..errors import ConfigError, MissingExtraError, ShadowlaneError
from ..render.text import Line, print_json_line, print_lines

__all__ = ["DEFAULT_LISTEN", "add_options", "run_otlp"]

DEFAULT_LISTEN = "127.0.0.1:4318"
"""OTLP/HTTP's own port."""
_PATH = "/v1/chat/completions"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``shadowlane otlp``."""
    add = parser.add_argument
    add(
        "--listen", default=DEFAULT_LISTEN, metavar="HOST:PORT", help=f"default: {DEFAULT_LISTEN}; port 0: any free one"
    )
    add(
        "--service",
        action="append",
        default=[],
        metavar="NAME",
        help="take the telemetry of this service.name alone; again for another one (default: of every service)",
    )
    add("--path", default=_PATH, metavar="PATH", help=f"where the requests go at the shadow (default: {_PATH})")
    add("--anywhere", action="store_true", help="beyond loopback, too: for a network of the exporters' own")


def run_otlp(config: Config, options: argparse.Namespace) -> int:
    """Listen until told to stop; returns 0.

    Raises :class:`~shadowlane.errors.ConfigError`, :class:`~shadowlane.errors.LaneError`,
    :class:`~shadowlane.errors.MissingExtraError`, :class:`~shadowlane.errors.ShadowlaneError` when it cannot listen.
    """
    host, port = address_of(options.listen, "--listen")
    if not options.anywhere and not is_loopback(host):
        raise ConfigError(
            f"--listen = {options.listen!r}: beyond loopback everybody could have requests sent to the shadows; listen "
            "on 127.0.0.1, or say --anywhere behind a network that lets only the exporters through"
        )
    if not options.path.startswith("/") or not options.path.isascii() or any(c.isspace() for c in options.path):
        raise ConfigError(f"--path = {options.path!r}: write the path of a request, such as {_PATH}")
    for name, arm in config.arms().items():
        arm.credential(where=f"{name}: ")
    try:
        from .receiver import Receiver
        from .server import make_app
    except ImportError as error:
        raise MissingExtraError("shadowlane otlp", "otlp", error.name or "opentelemetry-proto") from None
    with Lane.open(config) as lane:
        if lane.ring_error:
            raise ShadowlaneError(f"the lane has no ring: {lane.ring_error}")
        receiver = Receiver(lane, target=options.path, services=options.service)
        with Noted(lane.directory, "otlp", receiver.counts):
            # A body stays as it came: it is unpacked within bounds.
            asyncio.run(listen_until_told(make_app(receiver), host, port, lambda address: _say(lane, address, options)))
            account = receiver.settled().data()
    if options.json:
        print_json_line({"lane": config.lane.name, "account": account})
    else:
        print_lines(_account_lines(account))
    return 0


def _say(lane: Lane, address: str, options: argparse.Namespace) -> None:
    if options.json:
        print_json_line({"listen": address, "lane": lane.config.lane.name})
    else:
        print_lines(_head(lane, address, options.service))


def _head(lane: Lane, address: str, services: list[str]) -> list[Line]:
    lines: list[Line] = [(f"http://{address}: lane {lane.config.lane.name}; OTLP/HTTP, /v1/logs and /v1/traces", "")]
    if not services:
        lines.append(
            ("all services are listened to; where a shadow exports to here, too, name prod's by --service", "")
        )
    return lines


def _account_lines(account: Mapping[str, Any]) -> list[Line]:
    """As ``shadowlane replay`` has them."""
    skipped, rejected = account["skipped"], account["rejected"]
    lines: list[Line] = [
        (
            f"received {account['received']} = offered {account['offered']} + skipped {sum(skipped.values())} + "
            f"rejected {sum(rejected.values())}",
            "",
        )
    ]
    for what, counts in (("skipped", skipped), ("rejected", rejected)):
        if counts:
            lines.append((f"{what}: " + ", ".join(f"{reason} {n}" for reason, n in counts.items()), ""))
    return lines
