"""HTTP/1.1 to the user: uvicorn's protocol on httptools, with what a proxy needs beyond it.

Invariant: a connection that is to end says so with its last answer.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["Http1Protocol"]


class Http1Protocol(HttpToolsProtocol):
    """One connection of a user."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        # A length beside chunks is not the body's (RFC 9112 §6.3): the chunks count, and the connection ends.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True, lenient_chunked_length=True)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        cycle = self.cycle
        if cycle is not None and (self._leaving or self._framed_twice()):
            cycle.keep_alive = False

    def _framed_twice(self) -> bool:
        names = dict(self.headers)
        return b"transfer-encoding" in names and b"content-length" in names

    @property
    def _leaving(self) -> bool:
        return getattr(self.server_state, "leaving", False)

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    def leave(self) -> None:
        """End behind the answer that is next: one that has begun said that the connection goes on."""
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False
