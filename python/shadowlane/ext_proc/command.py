"""What ``shadowlane ext-proc`` does: opens the lane as a gateway process does, and listens for Envoy's streams.

Invariants: beyond loopback only when that is asked for; on SIGTERM or SIGINT no new streams are taken, and those that
are open may end within ``--drain`` seconds; what is in the ring is left to the worker.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING

from ..capture.lane import Lane
from ..config import Config
from ..config.serve import address_of, is_loopback
from ..errors import ConfigError, MissingExtraError, ShadowlaneError
from ..render.text import print_json_line, print_lines
from .stream import Room

if TYPE_CHECKING:
    from .server import Processor

__all__ = ["DEFAULT_EXT_PROC", "add_options", "run_ext_proc"]

DEFAULT_EXT_PROC = "127.0.0.1:9800"
_MIB = 1024 * 1024
_LAST_S = 5.0
"""For streams that are ended when the drain is over, to say so to Envoy."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``shadowlane ext-proc``."""
    add = parser.add_argument
    add("--listen", default=DEFAULT_EXT_PROC, metavar="HOST:PORT", help=f"default: {DEFAULT_EXT_PROC}; port 0: any")
    add("--anywhere", action="store_true", help="beyond loopback, too: for a network of Envoy's own")
    add("--streams", type=int, default=1000, metavar="N", help="most exchanges followed at a time (1000)")
    add("--held", type=int, default=256, metavar="MIB", help="most bytes of bodies held for all of them (256 MiB)")
    add(
        "--log-format",
        default=os.environ.get("SHADOWLANE_LOG_FORMAT", "text"),
        metavar="{text,json}",
        help="text, or json: one object a line (default: $SHADOWLANE_LOG_FORMAT, else text)",
    )
    add("--drain", type=float, default=30.0, metavar="SECONDS", help="how long streams may end at the end (30)")


def run_ext_proc(config: Config, options: argparse.Namespace) -> int:
    """Listen until told to stop; returns 0.

    Raises :class:`~shadowlane.errors.ConfigError`, :class:`~shadowlane.errors.LaneError`,
    :class:`~shadowlane.errors.MissingExtraError`, :class:`~shadowlane.errors.ShadowlaneError` when it cannot listen.
    """
    host, port = address_of(options.listen, "--listen")
    _check(options, host)
    for name, arm in config.arms().items():
        arm.credential(where=f"{name}: ")
    try:
        from .server import Processor
    except ImportError as error:
        raise MissingExtraError("shadowlane ext-proc", "ext-proc", error.name or "grpcio") from None
    with Lane.open(config) as lane:
        if lane.ring_error:
            raise ShadowlaneError(f"the lane has no ring: {lane.ring_error}")
        processor = Processor(lane, Room(options.streams, options.held * _MIB))
        asyncio.run(_serve(processor, lane, host, port, options))
    return 0


def _check(options: argparse.Namespace, host: str) -> None:
    if not options.anywhere and not is_loopback(host):
        raise ConfigError(
            f"--listen = {options.listen!r}: beyond loopback everybody could have requests sent to the shadows; listen "
            "on 127.0.0.1, or say --anywhere behind a network that lets only Envoy through"
        )
    if not 1 <= options.streams <= 1_000_000:
        raise ConfigError(f"--streams = {options.streams}: use 1 to 1000000")
    if not 1 <= options.held <= 1_048_576:
        raise ConfigError(f"--held = {options.held}: use 1 to 1048576 MiB")
    if not 0 <= options.drain <= 3600:
        raise ConfigError(f"--drain = {options.drain}: use 0 to 3600 seconds")


async def _serve(processor: Processor, lane: Lane, host: str, port: int, options: argparse.Namespace) -> None:
    from .server import make_server

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = make_server(processor)
    written = f"[{host}]" if ":" in host else host
    try:
        bound = server.add_insecure_port(f"{written}:{port}")
    except RuntimeError:
        bound = 0
    if not bound:
        raise ShadowlaneError(
            f"--listen = {options.listen!r}: cannot listen there; choose an address of this host with a free port"
        )
    await server.start()
    sweeping = asyncio.create_task(processor.sweep())
    try:
        address = f"{written}:{bound}"
        if options.json:
            print_json_line({"listen": address, "lane": lane.config.lane.name})
        else:
            print_lines([(f"grpc://{address}: lane {lane.config.lane.name}", "")])
        await stop.wait()
    finally:
        sweeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sweeping
        stopping = asyncio.create_task(server.stop(options.drain + _LAST_S))
        await asyncio.wait((stopping,), timeout=options.drain)
        processor.end_all()
        await stopping
