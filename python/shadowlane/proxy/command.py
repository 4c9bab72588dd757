"""What ``shadowlane proxy`` does: serves the proxy with the lane's own middleware around it, on uvicorn.

Invariants: a configuration that is wrong ends it before it listens; whatever else keeps the lane from opening, users
are served; on SIGTERM it takes no new connections and lets requests finish, as long as ``--drain`` says.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..asgi import ShadowMiddleware
from ..config import Config
from ..config.serve import address_of
from ..config.shown import shown_url
from ..errors import ConfigError, MissingExtraError, ShadowlaneError
from ..files import is_file
from ..render.text import print_json_line, print_lines

__all__ = ["DEFAULT_PROXY", "add_options", "run_proxy"]

DEFAULT_PROXY = "127.0.0.1:8080"
_BACKLOG = 2048


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``shadowlane proxy``."""
    add = parser.add_argument
    add("--upstream", required=True, metavar="URL", help="who answers: http://HOST[:PORT][/PREFIX] or https://...")
    add(
        "--listen", default=DEFAULT_PROXY, metavar="HOST:PORT", help=f"default: {DEFAULT_PROXY}; port 0 is any free one"
    )
    add("--certificate", default="", metavar="FILE", help="PEM file: serve TLS with it")
    add("--key", default="", metavar="FILE", help="PEM file of its key (default: in the certificate's file)")
    add("--drain", type=float, default=30.0, metavar="SECONDS", help="how long requests may finish at the end (30)")


def run_proxy(config: Config, options: argparse.Namespace) -> int:
    """Serve until told to stop; returns 0.

    Raises :class:`~shadowlane.errors.ConfigError`, :class:`~shadowlane.errors.MissingExtraError`, and
    :class:`~shadowlane.errors.ShadowlaneError` when it cannot listen.
    """
    host, port = address_of(options.listen, "--listen")
    _check(options)
    try:
        import uvicorn

        from .app import Proxy
    except ImportError as error:
        raise MissingExtraError("shadowlane proxy", "proxy", error.name or "uvicorn") from None
    app = ShadowMiddleware(Proxy(options.upstream), config=config)
    with contextlib.closing(_bound(host, port, options.listen)) as listening:
        settings: dict[str, Any] = {"ssl_certfile": options.certificate or None, "ssl_keyfile": options.key or None}
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                lifespan="on",
                proxy_headers=False,
                server_header=False,
                date_header=False,
                access_log=False,
                log_level="warning",
                timeout_graceful_shutdown=max(1, round(options.drain)),
                **settings,
            )
        )
        bound, number = listening.getsockname()[:2]
        address = f"[{bound}]:{number}" if ":" in bound else f"{bound}:{number}"
        if options.json:
            print_json_line({"listen": address, "lane": config.lane.name})
        else:
            scheme = "https" if options.certificate else "http"
            upstream = shown_url(options.upstream)
            print_lines([(f"{scheme}://{address} -> {upstream}, lane {config.lane.name}", "")])
        if app.error:
            logging.getLogger("shadowlane").error("the lane is off, users are served: %s", app.error)
        # It raises the signal again that ended it, once it has ended.
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, lambda *_: None)
        server.run(sockets=[listening])
    return 0


def _check(options: argparse.Namespace) -> None:
    try:
        parts = urlsplit(options.upstream)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.fragment
        good = good and parts.username is None and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise ConfigError(
            f"--upstream = {shown_url(options.upstream)!r}: write http://HOST[:PORT][/PREFIX] or https://..., without "
            "a password, a query or a fragment"
        )
    if options.key and not options.certificate:
        raise ConfigError("--key: belongs to a certificate; name that with --certificate, too")
    for option in ("certificate", "key"):
        path = getattr(options, option)
        if path and not is_file(Path(path)):
            raise ConfigError(f"--{option} = {path!r}: no such file; name a PEM file")
    if not 0 <= options.drain <= 3600:
        raise ConfigError(f"--drain = {options.drain}: use 0 to 3600 seconds")


def _bound(host: str, port: int, listen: str) -> socket.socket:
    """Bound here and not by the server, so that the address can be said, and what is wrong with it as an error."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        raise ShadowlaneError(
            f"--listen = {listen!r}: cannot listen there: {error.strerror}; choose an address of this host with a free "
            "port"
        ) from None
    return listening
