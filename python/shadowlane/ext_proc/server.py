"""The gRPC service that Envoy's ``ext_proc`` filter streams to, in ``observability_mode``.

Invariants: no answer is ever sent: a stream of which no more is wanted is ended with OK, after which Envoy sends
nothing of it any more and goes on. Whatever a client sends or leaves out, nothing is raised, and nothing of it is
logged. At most ``Room.most_streams`` streams are followed, and those that are silent for :data:`SILENT_S` are ended.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import grpc
import grpc.aio

from ..capture.lane import Lane
from .messages import METHOD, SERVICE, DecodeError, ProcessingRequest
from .stream import Room, Stream

__all__ = ["Processor", "make_server"]

log = logging.getLogger("shadowlane.ext_proc")

SILENT_S = 600.0
"""Twice as long as Envoy lets a user's stream be silent (``stream_idle_timeout``, 5 minutes)."""
_SWEEP_S = 5.0
_MANY = 20
"""Streams whose heads say that a body follows, and none did: more than chance."""
_MOST_MESSAGE_BYTES = 16 * 1024 * 1024
"""Envoy's pieces of a body are at most ``per_connection_buffer_limit_bytes`` long, which is 1 MiB by default."""


class Processor:
    """Follows the streams of one process into ``lane``."""

    def __init__(self, lane: Lane, room: Room) -> None:
        self.room = room
        self._lane = lane
        self._said: set[str] = set()
        self._calls: dict[Stream, asyncio.Task[Any] | None] = {}
        self._bodiless = 0

    async def process(self, _: Any, context: Any) -> None:
        """One call of ``Process``, as grpc.aio runs it on a task of its own; cancelled when the client breaks off."""
        stream = Stream(self._lane, self.room)
        first = True
        try:
            self._calls[stream] = asyncio.current_task()
            while (data := await context.read()) is not grpc.aio.EOF:
                message = ProcessingRequest.FromString(data)
                if first and not self._observed(message):
                    return
                if not stream.take(message):
                    return
                first = False
        except DecodeError:
            stream.spoilt()
        except asyncio.CancelledError:
            pass  # what was cancelled is the call, which has no more to do
        except Exception:
            self._lane.fault()
        finally:
            self._calls.pop(stream, None)
            stream.close()
            if stream.without_body and not self.room.bodies_seen:
                self._bodiless += 1
                if self._bodiless == _MANY:
                    self._say("no stream had a body: set request_body_mode and response_body_mode to STREAMED")

    def _observed(self, message: Any) -> bool:
        if message.observability_mode:
            return True
        self._say(
            "Envoy waits for answers, which it never gets here: set observability_mode: true; nothing is mirrored"
        )
        return False

    def _say(self, what: str) -> None:
        """A configuration of Envoy's that cannot work, once."""
        if what not in self._said:
            self._said.add(what)
            log.warning("%s", what)

    async def sweep(self) -> None:
        """End silent streams, until cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            self.end(self.silent())

    def silent(self) -> list[Stream]:
        """Open calls that nothing came of for :data:`SILENT_S`, whether they are followed or have not begun."""
        since = self.room.clock() - SILENT_S
        return [stream for stream in self._calls if stream.last < since]

    def end_all(self) -> None:
        """End what is open: each with OK, as Envoy would have it, and before gRPC cuts it short and complains."""
        self.end(list(self._calls))

    def end(self, streams: list[Stream]) -> None:
        for stream in streams:
            if (task := self._calls.get(stream)) is not None:
                task.cancel()


def make_server(processor: Processor) -> grpc.aio.Server:
    """A server that is bound to nothing yet."""
    # No (de)serializers: what does not parse is ours to settle, and nobody's to log.
    handler: Any = grpc.stream_stream_rpc_method_handler(processor.process)
    server = grpc.aio.server(
        options=(
            ("grpc.so_reuseport", 0),  # a second process on the same port is a mistake that is to be said
            ("grpc.max_receive_message_length", _MOST_MESSAGE_BYTES),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            # Envoy's own pings of an idle connection are no abuse.
            ("grpc.http2.min_ping_interval_without_data_ms", 500),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_ping_strikes", 0),
        )
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))
    return server
