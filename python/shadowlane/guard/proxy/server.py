"""The proxy's server: reads and classifies a request, forwards, tunnels, sinks or refuses it; logs and counts it.

Invariant: a byte reaches another host only after its request was read whole and classified; and every request ends in
exactly one counted, logged outcome. A request is written anew for the next host, on a connection of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import h11
import msgspec

from ... import _core
from .messages import answer_events, answer_json, forwarded_headers, passed_on, request_parts, reusable
from .rules import Decision, Rules
from .wire import MAX_HEAD_BYTES, BadRequest, Request, read_body, read_head

__all__ = ["OUTCOMES", "Limits", "Proxy"]

OUTCOMES = ("forwarded", "refused_write", "refused_host", "sunk", "tunnelled", "bad_request", "upstream_error")
"""How a request can end."""

_CREDENTIALS = frozenset(("authorization", "cookie", "x-api-key", "api-key"))


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds, in bytes and seconds."""

    max_body_bytes: int = 8 * 1024 * 1024
    connections: int = 512
    head_s: float = 60.0
    """For the next head on an open connection, and for a body."""
    connect_s: float = 10.0
    idle_s: float = 300.0
    """Between two reads of an answer or a tunnel."""


class Proxy:
    """A forward proxy. ``log`` gets one dict for each request; ``sink`` is where writes go instead, or empty."""

    def __init__(self, rules: Rules, *, log: Callable[[dict[str, Any]], None], sink: str = "", limits: Limits) -> None:
        self._rules, self._log, self._limits = rules, log, limits
        self._sink = urlsplit(sink) if sink else None
        self._redactor = _core.Redactor()
        self.counts: Counter[str] = Counter(dict.fromkeys(("requests", *OUTCOMES), 0))
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen; the address that was bound. Raises OSError."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=MAX_HEAD_BYTES)
        address = self._server.sockets[0].getsockname()
        return address[0], address[1]

    async def stop(self, grace_s: float = 5.0) -> None:
        """Take no more connections, let requests end for ``grace_s`` seconds, then cut what is left (tunnels too)."""
        if self._server is not None:
            self._server.close()
        tasks = set(self._tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=grace_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._tasks) >= self._limits.connections:
            writer.transport.abort()
            self.counts["connections_refused"] += 1
            return
        self._tasks.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.TimeoutError, EOFError):
            self.counts["connections_lost"] += 1  # the client's side; what was classified is in the log
        except Exception as error:
            self.counts["internal_errors"] += 1
            self._log({"time": time.time(), "event": "internal_error", "error": type(error).__name__})
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; whether the connection may carry another."""
        started = time.perf_counter()
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES * 2)
        try:
            request = await asyncio.wait_for(read_head(reader), self._limits.head_s)
        except BadRequest as error:
            self.counts["requests"] += 1
            await self._bad(None, error, writer, started)
            return False
        if request is None:
            return False
        self.counts["requests"] += 1
        if request.method == "CONNECT":
            decision = self._rules.connectable(request)
            if decision.action == "tunnel":
                await self._tunnel(request, decision, reader, writer, started)
            else:
                await self._refuse(request, None, writer, decision, started)
            return False
        refusal = self._rules.host_allowed(request)
        if refusal is not None:
            await self._refuse(request, None, writer, refusal, started)  # the body is not read: the connection ends
            return False
        try:
            body = await asyncio.wait_for(
                read_body(request, connection, reader, self._limits.max_body_bytes, writer), self._limits.head_s
            )
        except (BadRequest, h11.RemoteProtocolError, asyncio.TimeoutError, OSError) as error:
            await self._bad(request, error, writer, started)
            return False
        except asyncio.CancelledError:
            self._note("bad_request", request, "the proxy ended before the body did", started)
            raise
        decision = self._rules.classify(request, body)
        if decision.action == "forward":
            sent = body if decision.body is None else decision.body
            return await self._forward(request, sent, connection, writer, decision, started)
        if self._sink is not None and decision.write:
            return await self._forward(request, body, connection, writer, decision, started, sink=True)
        await self._refuse(request, connection, writer, decision, started)
        return reusable(connection)

    async def _bad(
        self, request: Request | None, error: Exception, writer: asyncio.StreamWriter, started: float
    ) -> None:
        status, reason = 400, "the body is malformed or ends early"
        if isinstance(error, BadRequest):
            status, reason = error.status, str(error)
        elif isinstance(error, asyncio.TimeoutError):
            status, reason = 408, "the body did not come in time"
        self._note("bad_request", request, reason, started, status=status)
        await answer_json(writer, None, status, {"error": "bad_request", "reason": reason})

    async def _refuse(
        self,
        request: Request,
        connection: h11.Connection | None,
        writer: asyncio.StreamWriter,
        decision: Decision,
        started: float,
    ) -> None:
        outcome = "refused_write" if decision.write else "refused_host"
        self._note(outcome, request, decision.reason, started, status=403)
        answer = {
            "error": "shadow_write_refused" if decision.write else "shadow_host_refused",
            "reason": decision.reason,
            "method": request.method,
            "host": f"{request.host}:{request.port}",
        }
        await answer_json(writer, connection, 403, answer, head=request.method == "HEAD")

    async def _forward(
        self,
        request: Request,
        body: bytes,
        connection: h11.Connection,
        writer: asyncio.StreamWriter,
        decision: Decision,
        started: float,
        *,
        sink: bool = False,
    ) -> bool:
        host, port, target, headers = self._next_hop(request, body, decision, sink=sink)
        status = 0
        opened: asyncio.StreamWriter | None = None
        try:
            source, upstream = await asyncio.wait_for(asyncio.open_connection(host, port), self._limits.connect_s)
            opened = upstream
            other = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES * 2)
            encoded = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]
            anew = h11.Request(method=request.method, target=target, headers=encoded)
            upstream.write(b"".join(other.send(part) or b"" for part in request_parts(anew, body)))
            await upstream.drain()
            async for event in answer_events(other, source, self._limits.idle_s):
                if isinstance(event, h11.Response):
                    status = event.status_code
                    event = passed_on(event, request)
                data = connection.send(event)
                if data:
                    writer.write(data)
                    await writer.drain()
        except asyncio.CancelledError:
            self._note("upstream_error", request, "the proxy ended before the answer did", started, sink=sink)
            raise
        except (OSError, asyncio.TimeoutError, h11.ProtocolError) as error:
            reason = f"{type(error).__name__} while the request was passed on"
            self._note("upstream_error", request, reason, started, status=status or 502, sink=sink)
            if status == 0:
                await answer_json(writer, connection, 502, {"error": "bad_gateway", "reason": reason})
                return reusable(connection)
            writer.transport.abort()  # so that a cut answer cannot be taken for a whole one
            return False
        finally:
            if opened is not None:
                opened.close()
        changed = {"changed": list(decision.changes)} if decision.changes and not sink else {}
        self._note("sunk" if sink else "forwarded", request, decision.reason, started, status=status, **changed)
        return reusable(connection)

    def _next_hop(
        self, request: Request, body: bytes, decision: Decision, *, sink: bool
    ) -> tuple[str, int, str, list[tuple[str, str]]]:
        """Host, port, target and headers of the request that is written anew: for its own host, or for the sink."""
        host, port, target, headers = request.host, request.port, request.target, forwarded_headers(request)
        if sink and self._sink is not None:
            host, port = self._sink.hostname or "", self._sink.port or 80
            target = self._sink.path or "/"
            headers = [pair for pair in headers if pair[0] not in _CREDENTIALS]
            headers += [
                ("x-shadow-guard-reason", decision.reason.encode("ascii", "replace").decode()),
                ("x-shadow-guard-host", f"{request.host}:{request.port}"),
                ("x-shadow-guard-target", request.target),
            ]
        where = f"[{host}]" if ":" in host else host
        headers.insert(0, ("host", where if port == 80 else f"{where}:{port}"))
        if body or request.method not in ("GET", "HEAD", "OPTIONS"):
            headers.append(("content-length", str(len(body))))
        headers.append(("connection", "close"))
        return host, port, target, headers

    async def _tunnel(
        self,
        request: Request,
        decision: Decision,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        started: float,
    ) -> None:
        try:
            source, upstream = await asyncio.wait_for(
                asyncio.open_connection(request.host, request.port), self._limits.connect_s
            )
        except (OSError, asyncio.TimeoutError) as error:
            reason = f"{type(error).__name__}: the host cannot be reached"
            self._note("upstream_error", request, reason, started, status=502)
            await answer_json(writer, None, 502, {"error": "bad_gateway", "reason": reason})
            return
        sizes = [0, 0]
        pumps = [
            asyncio.ensure_future(_pump(reader, upstream, self._limits.idle_s, sizes, 0)),
            asyncio.ensure_future(_pump(source, writer, self._limits.idle_s, sizes, 1)),
        ]
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(*pumps)
        except (OSError, asyncio.TimeoutError):
            self.counts["tunnels_cut"] += 1
        finally:
            for pump in pumps:
                pump.cancel()
            upstream.close()
            self._note(
                "tunnelled",
                request,
                decision.reason,
                started,
                status=200,
                opaque=True,
                sent_bytes=sizes[0],
                received_bytes=sizes[1],
            )

    def _note(self, outcome: str, request: Request | None, reason: str, started: float, **more: Any) -> None:
        self.counts[outcome] += 1
        line: dict[str, Any] = {"time": time.time(), "outcome": outcome, "reason": reason}
        if request is not None:
            line["method"] = request.method
            line["host"], line["port"] = request.host, request.port
            # The query and the body are not logged, and the path without what looks personal or secret.
            line["path"] = self._redactor.redact_text(request.target.partition("?")[0])[0]
        line["ms"] = round((time.perf_counter() - started) * 1000, 3)
        self._log({**line, **more})


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, idle_s: float, sizes: list[int], index: int
) -> None:
    while data := await asyncio.wait_for(reader.read(65_536), idle_s):
        sizes[index] += len(data)
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
