"""What ``shadowlane proxy`` does: binds, and has processes serve (:mod:`.parent`), each as :mod:`.serving` says.

Invariants: a configuration that is wrong ends it before it listens; whatever else keeps the lane from opening, users
are served.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..config import Config
from ..config.serve import address_of
from ..config.shown import shown_url
from ..errors import ConfigError, MissingExtraError, ShadowlaneError
from ..files import is_file
from ..render.text import print_json_line, print_lines
from .parent import Parent, command_of

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
    add("--http2", action="store_true", help="serve HTTP/2, too: by ALPN under TLS, else by what a client begins with")
    add("--upstream-http2", action="store_true", help="ask the upstream over HTTP/2: by ALPN under TLS, else h2c")
    add("--workers", type=int, default=1, metavar="N", help="processes that serve, one a core; all share the lane (1)")
    add("--handed", default="", help=argparse.SUPPRESS)


def run_proxy(config: Config, options: argparse.Namespace) -> int:
    """Serve until told to stop; returns 0, or the code of a process that could not begin to serve.

    Raises :class:`~shadowlane.errors.ConfigError`, :class:`~shadowlane.errors.MissingExtraError`, and
    :class:`~shadowlane.errors.ShadowlaneError` when it cannot listen.
    """
    host, port = address_of(options.listen, "--listen")
    _check(options)
    _needs()
    if options.handed:
        _serve(config, options)
        return 0
    with contextlib.closing(_bound(host, port, options.listen)) as listening:
        bound, number = listening.getsockname()[:2]
        address = f"[{bound}]:{number}" if ":" in bound else f"{bound}:{number}"
        say = _json(config, address) if options.json else _text(config, options, address)
        return Parent(command_of(options.arguments), listening, options.workers, options.drain, say).run()


def _needs() -> None:
    for module in ("uvicorn", "httptools", "aiohttp", "h2"):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError("shadowlane proxy", "proxy", module)


def _serve(config: Config, options: argparse.Namespace) -> None:
    from .serving import Settings, serve

    socket_number, line_number = map(int, options.handed.split(","))
    settings = Settings(
        options.upstream, options.upstream_http2, options.http2, options.certificate, options.key, options.drain
    )
    with socket.socket(fileno=socket_number) as listening, socket.socket(fileno=line_number) as line:
        serve(config, settings, listening, line)


def _json(config: Config, address: str) -> Callable[[dict[str, Any]], None]:
    def say(event: dict[str, Any]) -> None:
        first = {"listen": address, "lane": config.lane.name} if event["event"] == "listening" else {}
        with contextlib.suppress(OSError):  # nobody reads any more: users are served all the same
            print_json_line({**first, **event})

    return say


def _text(config: Config, options: argparse.Namespace, address: str) -> Callable[[dict[str, Any]], None]:
    scheme = "https" if options.certificate else "http"
    upstream = shown_url(options.upstream)

    def say(event: dict[str, Any]) -> None:
        texts = {
            "listening": f"{scheme}://{address} -> {upstream}, lane {config.lane.name}",
            "reloaded": "reloaded: new requests are served with what is configured now",
            "reload failed": f"the reload failed (exit code {event.get('exit_code')}): all is served as before; mend "
            "what is said above and send SIGHUP again",
            "process ended": f"process {event.get('process')} ended (exit code {event.get('exit_code')}): another one "
            "takes its part",
            "process started": f"process {event.get('process')} serves in its stead",
        }
        with contextlib.suppress(OSError):
            print_lines([(texts[event["event"]], "")])

    return say


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
    if not 1 <= options.workers <= 256:
        raise ConfigError(f"--workers = {options.workers}: use 1 to 256 processes")
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
