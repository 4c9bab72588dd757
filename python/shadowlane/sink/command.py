"""What ``shadowlane sink`` does: opens the lane as a gateway process does, and listens for a mirror's copies.

Invariants: it does not start without a ``[control]``, which answers in prod's stead; beyond loopback only when that is
asked for; it ends at SIGTERM or SIGINT with what is in the ring left to the worker.
"""

from __future__ import annotations

import asyncio

from ..capture.lane import Lane
from ..capture.listening import listen_until_told
from ..capture.received import Noted, Tally
from ..config import Config
from ..config.serve import address_of, is_loopback
from ..errors import ConfigError, MissingExtraError, ShadowlaneError
from ..render.text import print_json_line, print_lines

__all__ = ["DEFAULT_SINK", "run_sink"]

DEFAULT_SINK = "127.0.0.1:9799"


def run_sink(config: Config, listen: str, *, anywhere: bool = False, as_json: bool = False) -> int:
    """Listen until told to stop; returns 0.

    Raises :class:`~shadowlane.errors.ConfigError`, :class:`~shadowlane.errors.LaneError`,
    :class:`~shadowlane.errors.MissingExtraError`, :class:`~shadowlane.errors.ShadowlaneError` when it cannot listen.
    """
    host, port = address_of(listen, "--listen")
    if not anywhere and not is_loopback(host):
        raise ConfigError(
            f"--listen = {listen!r}: beyond loopback everybody could have requests sent to the shadows; listen on "
            "127.0.0.1, or say --anywhere behind a network that lets only the mirror through"
        )
    if not config.control.url:
        raise ConfigError(
            "control.url: missing; a mirror's copies come without prod's answer, so a second prod must answer in its "
            "stead: name it in [control]"
        )
    for name, arm in config.arms().items():
        arm.credential(where=f"{name}: ")
    try:
        from .server import make_app
    except ImportError:
        raise MissingExtraError("shadowlane sink", "worker", "aiohttp") from None
    with Lane.open(config) as lane:
        if lane.ring_error:
            raise ShadowlaneError(f"the lane has no ring: {lane.ring_error}")
        tally = Tally()
        with Noted(lane.directory, "sink", tally.counts):
            # A body stays as it came: its head says how it is coded.
            app = make_app(lane, tally)
            asyncio.run(listen_until_told(app, host, port, lambda address: _say(lane, address, as_json)))
    return 0


def _say(lane: Lane, address: str, as_json: bool) -> None:
    if as_json:
        print_json_line({"listen": address, "lane": lane.config.lane.name})
    else:
        print_lines([(f"http://{address}: lane {lane.config.lane.name}; [control] answers in prod's stead", "")])
