"""``shadowlane guard``: the proxy as a process. Listens on loopback unless told otherwise, ends cleanly on SIGTERM.

Log lines are JSON, one a request, on standard error or in a file of mode 0600. The counts are written there on SIGUSR1
and at the end, and at the end also as the command's result on standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO
from urllib.parse import urlsplit

from ...config.shown import shown_url
from ...errors import ConfigError, MissingExtraError, ShadowlaneError
from ...files import append_private
from ...render.text import count_line, print_json_line, print_lines

__all__ = ["add_arguments", "run_guard"]

_BLIND = (
    "CONNECT carries TLS, which this proxy cannot see into: methods, paths and bodies inside are not classified, so "
    "writes to these hosts pass"
)

_OPEN = "listening beyond loopback: whoever reaches this address can use the proxy; it asks nobody for a password"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="HOST[:PORT][=PRESET]",
        help="a host for plain HTTP reads (port 80 if none is given); the preset names POST routes that read, too",
    )
    parser.add_argument(
        "--connect",
        action="append",
        default=[],
        metavar="HOST[:PORT]",
        help="a host for CONNECT (port 443 if none is given). " + _BLIND,
    )
    parser.add_argument("--sink", default="", metavar="URL", help="send writes here (http://) instead of refusing them")
    parser.add_argument("--listen", default="127.0.0.1:3128", metavar="HOST:PORT", help="default: 127.0.0.1:3128")
    parser.add_argument("--log", default="", metavar="FILE", help="append log lines here (default: standard error)")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON at the end")


def run_guard(options: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT; 0. Raises ConfigError for wrong options, ShadowlaneError if it cannot listen."""
    try:
        import h11  # noqa: F401
    except ImportError:
        raise MissingExtraError("shadowlane guard", "guard", "h11>=0.16") from None
    from .rules import Rules

    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+):([0-9]{1,5})", options.listen)
    if found is None or int(found[2]) > 65_535:
        raise ConfigError(f"--listen = {options.listen!r}: write HOST:PORT, for example 127.0.0.1:3128")
    _check_sink(options.sink)
    rules = Rules(options.allow, options.connect)
    with _opened(options.log) as out:

        def log(line: dict[str, Any]) -> None:
            print_json_line(line, out)

        counts = asyncio.run(_run(rules, found[1].strip("[]"), int(found[2]), options.sink, log))
    if options.json:
        print_json_line(dict(sorted(counts.items())))
    else:
        print_lines([(count_line(counts), "")])
    return 0


async def _run(rules: Any, host: str, port: int, sink: str, log: Callable[[dict[str, Any]], None]) -> dict[str, int]:
    from .server import Limits, Proxy

    proxy = Proxy(rules, log=log, sink=sink, limits=Limits())
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def count() -> None:
        log({"time": time.time(), "event": "counts", "counts": dict(proxy.counts)})

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, count)
    try:
        bound = await proxy.start(host, port)
    except OSError as error:
        raise ShadowlaneError(f"--listen = {host}:{port}: {error.strerror or error}; use another port") from None
    log({"time": time.time(), "event": "listening", "host": bound[0], "port": bound[1]})
    if not ipaddress.ip_address(bound[0]).is_loopback:
        log({"time": time.time(), "event": "warning", "message": _OPEN})
    if rules.tunnels:
        log({"time": time.time(), "event": "warning", "message": _BLIND, "hosts": rules.tunnels})
    await stop.wait()
    await proxy.stop()
    count()
    return dict(proxy.counts)


def _check_sink(sink: str) -> None:
    if not sink:
        return
    with contextlib.suppress(ValueError):
        parts = urlsplit(sink)
        if parts.scheme == "http" and parts.hostname and parts.port != 0 and parts.username is None and not parts.query:
            return
    raise ConfigError(f"--sink = {shown_url(sink)!r}: write http://HOST[:PORT][/PATH]")


@contextmanager
def _opened(path: str) -> Iterator[TextIO]:
    if not path:
        yield sys.stderr
        return
    try:
        handle = append_private(path)
    except OSError as error:
        raise ConfigError(f"--log = {path!r}: {error.strerror}; give a file that can be written") from None
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        yield out
