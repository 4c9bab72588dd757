"""The receiver's HTTP server: OTLP/HTTP as its specification says (https://opentelemetry.io/docs/specs/otlp/#otlphttp).

Invariants: a batch is taken as a whole or, with a 4xx or 503, not at all; what is held of bodies is bounded, however
many exporters there are; nobody waits for a shadow.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

import msgspec
from aiohttp import web

from .answers import JSON, PROTOBUF, failed, taken
from .decode import MOST_BYTES, BadBody, Signal, TooLarge, decoded, unpacked
from .receiver import Account, Receiver

__all__ = ["make_app"]

log = logging.getLogger("shadowlane.otlp")

_MOST_HELD = 4 * MOST_BYTES
"""Of bodies that are not done with, in bytes, over all connections."""
_PATIENCE_S = 60.0
"""For a body, from its head to its last byte."""
_PATHS: dict[str, Signal] = {"/v1/logs": "logs", "/v1/traces": "traces"}


class _Held:
    """The bytes of one body among those of all, whose number is ``total[0]``."""

    def __init__(self, total: list[int]) -> None:
        self._total, self.mine = total, 0

    def grow(self, more: int) -> bool:
        """Whether there is room for so many more."""
        if self._total[0] + more > _MOST_HELD:
            return False
        self._total[0] += more
        self.mine += more
        return True

    def free(self) -> None:
        """All of them are done with."""
        self._total[0] -= self.mine


class _Full(Exception):
    """No room for a body now."""


def make_app(receiver: Receiver) -> web.Application:
    """The application: ``POST /v1/logs`` and ``/v1/traces``; ``GET /`` says what became of all records."""
    total = [0]
    # Protobuf holds the interpreter while it decodes: one at a time, so that memory is that of one batch.
    worker = ThreadPoolExecutor(1, thread_name_prefix="shadowlane-otlp")

    async def export(request: web.Request) -> web.Response:
        response = await answer(request)
        receiver.note_answer(response.status)
        return response

    async def answer(request: web.Request) -> web.Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        content_type = kind if kind in (JSON, PROTOBUF) else PROTOBUF
        signal = _PATHS.get(request.path)
        if signal is None:
            return failed(404, f"{request.path}: not received here, only {' and '.join(_PATHS)}", content_type)
        if request.method != "POST":
            return failed(405, f"{request.method}: OTLP/HTTP is POST", content_type)
        if kind != content_type:
            return failed(415, f"Content-Type {kind!r} is not known: send {PROTOBUF} or {JSON}", content_type)
        coding = request.headers.get("content-encoding", "").strip().lower()
        held = _Held(total)

        def work(body: bytes) -> Account:
            return receiver.take(decoded(signal, unpacked(body, coding), as_json=kind == JSON))

        try:
            body = await asyncio.wait_for(_body(request, held), _PATIENCE_S)
            batch = await asyncio.get_running_loop().run_in_executor(worker, work, body)
        except TooLarge as error:
            return failed(413, str(error), content_type)
        except BadBody as error:
            return failed(400, str(error), content_type)
        except (_Full, asyncio.TimeoutError) as error:
            why = str(error) or f"the body did not come within {_PATIENCE_S:g} seconds"
            return failed(503, why, content_type)
        except Exception as error:
            log.error("a batch could not be taken: %s", type(error).__name__)
            return failed(500, "the batch could not be taken; the receiver's log says more", content_type)
        finally:
            held.free()
        return taken(signal, batch, content_type)

    async def show(_: web.Request) -> web.Response:
        body = msgspec.json.encode(receiver.account().data())
        return web.Response(body=body, content_type=JSON)

    async def end(_: web.Application) -> None:
        worker.shutdown(wait=False, cancel_futures=True)

    # The body is read here, chunk by chunk: the server's own bound is for handlers that ask for it whole.
    app = web.Application()
    app.router.add_get("/", show)
    app.router.add_route("*", "/{any:.+}", export)
    app.on_cleanup.append(end)
    return app


async def _body(request: web.Request, held: _Held) -> bytes:
    """As it came. Raises :class:`BadBody` and :class:`_Full`."""
    body = bytearray()
    chunks = request.content.iter_any()
    while True:
        try:
            chunk = await anext(chunks, b"")
        except Exception as error:  # the exporter left before its last byte, or it was no HTTP
            raise BadBody(f"the body broke off: {type(error).__name__}") from None
        if not chunk:
            return bytes(body)
        if len(body) + len(chunk) > MOST_BYTES:
            raise TooLarge(f"more than {MOST_BYTES} bytes: send smaller batches")
        if not held.grow(len(chunk)):
            raise _Full(f"{_MOST_HELD} bytes of batches wait already")
        body += chunk
