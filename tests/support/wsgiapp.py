"""A WSGI application under real servers: what ``application`` answers below ``/plain`` comes from ``app`` as it is, the
rest from ``app`` behind the middleware, which ``SHADOWLANE_CONFIG``'s file sets up."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

from shadowlane.wsgi import ShadowMiddleware

WORDS = b"word " * 20_000
EVENTS = [b"data: %d\n\n" % number for number in range(5)]


def app(environ: Any, start_response: Any) -> Iterable[bytes]:
    """Answers by the last part of the path."""
    name = environ["PATH_INFO"].rsplit("/", 1)[-1]
    plain = [("Content-Type", "text/plain")]
    if name == "ask":
        length = environ.get("CONTENT_LENGTH")
        source = environ["wsgi.input"]
        body = source.read(int(length)) if length else source.read()
        start_response("200 OK", [*plain, ("Content-Length", str(len(body)))])
        return [body]
    if name == "unread":
        start_response("413 Content Too Large", [*plain, ("Content-Length", "2"), ("Connection", "close")])
        return [b"no"]
    if name == "events":
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return iter(EVENTS)
    if name == "file":
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the server closes it
        file.write(WORDS)
        file.seek(0)
        start_response("200 OK", [*plain, ("Content-Length", str(len(WORDS)))])
        return environ["wsgi.file_wrapper"](file, 8192)  # type: ignore[no-any-return]
    if name == "written":
        write = start_response("200 OK", [*plain, ("Content-Length", "6")])
        write(b"one ")
        return [b"tw"]
    if name == "endless":
        start_response("200 OK", plain)
        return _endless()
    start_response("200 OK", plain)
    return [b"sized by the server"]


def _endless() -> Iterator[bytes]:
    while True:
        yield WORDS


mirrored = ShadowMiddleware(app, os.environ["SHADOWLANE_CONFIG"])


def application(environ: Any, start_response: Any) -> Iterable[bytes]:
    return (app if environ["PATH_INFO"].startswith("/plain/") else mirrored)(environ, start_response)
