"""Connections of aiohttp that read answers as leniently as prod's own clients do.

aiohttp's parser has no setting for this, so :class:`~.reading.AnswerReader` stands before it and hands it the plain
form. Everything else of aiohttp stays as it is: pool, TLS, names, proxies, times.

Invariant: a connection goes back into the pool only after an answer without anything to repair, and is closed when
bytes come that nobody asked for.
"""

from __future__ import annotations

import functools
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from .reading import AnswerFault, AnswerReader

__all__ = ["AnswerError", "LenientConnector"]

# The reader bounds the head; aiohttp's own bounds, for what it is handed, are out of the way.
_BOUNDS = ("max_line_size", "max_field_size", "max_headers")
_NO_BOUND = 1 << 30


class AnswerError(aiohttp.ClientError):
    """The answer cannot be read; the text says why and quotes nothing of it."""


class LenientConnector(aiohttp.TCPConnector):
    """A pool of such connections; options are those of :class:`aiohttp.TCPConnector`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # aiohttp (3.x) has no public name for it. A test of every leniency fails should it mean something else one day.
        protocol: type[ResponseHandler] = _Connection
        self._factory = functools.partial(protocol, loop=self._loop)


class _Connection(ResponseHandler):
    """One connection: bytes go through a reader of the answer that is awaited."""

    _reader: AnswerReader | None = None

    def set_response_params(self, **options: Any) -> None:
        """A request is about to be sent: its answer comes next."""
        self._reader = AnswerReader(head_only=bool(options.get("skip_payload")))
        super().set_response_params(**{**options, **{name: _NO_BOUND for name in _BOUNDS if name in options}})

    def data_received(self, data: bytes) -> None:
        """Bytes as received; none at all is aiohttp's sign to itself to go on."""
        reader = self._reader
        if reader is None or not data:
            super().data_received(data)
        elif reader.complete:
            self.force_close()
            if self.transport is not None:
                self.transport.close()
        else:
            self._pass_on(lambda: reader.feed(data), reader)

    def eof_received(self) -> None:
        """The shadow sends no more."""
        if self._reader is not None and not self._reader.complete:
            self._pass_on(self._reader.eof, self._reader)
        super().eof_received()

    def connection_lost(self, exc: BaseException | None) -> None:
        """A connection that breaks ends no body, whatever aiohttp's parser makes of it."""
        if exc is not None and self._reader is not None and not self._reader.complete:
            self._fail_body(aiohttp.ClientPayloadError("the connection broke"))
        super().connection_lost(exc)

    def _pass_on(self, read: Any, reader: AnswerReader) -> None:
        try:
            plain = read()
        except AnswerFault as fault:
            error = AnswerError(str(fault))
            self._fail_body(error)
            self.set_exception(error)
            if self.transport is not None:
                self.transport.close()
            return
        if not reader.reusable:
            self.force_close()  # before the last byte is passed on, which gives the connection back
        if plain:
            super().data_received(plain)

    def _fail_body(self, error: aiohttp.ClientError) -> None:
        if self._payload is not None and not self._payload.is_eof():
            self._payload.set_exception(error)
