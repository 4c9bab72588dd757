"""What both sides of an HTTP/2 connection (RFC 9113) share: streams with their windows, over h2, which does no I/O.

Invariants: a stream holds no more than its window, however slow who takes from it is, and holds up no other one; what
is sent waits for the other side's windows and the transport; a stream that ends early says so to whoever waits on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from ..types import Headers

__all__ = ["LAST_STREAM", "LostError", "Session", "Stream", "goaway"]

LAST_STREAM = 2**31 - 1
STREAMS = 100
"""How many the other side may have open at a time."""
_WINDOW = 256 * 1024
_CONNECTION_WINDOW = 2**31 - 1
_FIRST_WINDOW = 65_535
_PREFACE = 24
_HEAD = 9
_GOAWAY = 7
_FRAME = 16_384
_UNREAD = 16 * 1024 * 1024
"""Bodies wait for the other side; what answers its frames does not, and who never reads it loses the connection."""


class LostError(ConnectionError):
    """A stream that ended before all was said. ``unprocessed``: the other side has not looked at it (§8.7)."""

    def __init__(self, why: str, *, unprocessed: bool = False) -> None:
        super().__init__(why)
        self.unprocessed = unprocessed


class Stream:
    """One request with its answer."""

    __slots__ = (
        "_chunks",
        "_owed",
        "_session",
        "ended",
        "head",
        "head_only",
        "lost",
        "news",
        "number",
        "room",
        "trailers",
    )

    def __init__(self, session: Session, number: int) -> None:
        self._session = session
        self._chunks: list[bytes] = []
        self._owed = 0
        self.number = number
        self.head: Headers | None = None
        self.head_only = False
        self.trailers: Headers = ()
        self.ended = False
        """Whether the other side has said all."""
        self.lost: LostError | None = None
        self.news = asyncio.Event()
        self.room = asyncio.Event()

    def came(self, event: DataReceived) -> None:
        self._owed += event.flow_controlled_length
        if event.data:
            self._chunks.append(event.data)
        self.news.set()

    def lose(self, error: LostError) -> None:
        if self.lost is None:
            self.lost = error
        self.news.set()
        self.room.set()

    @property
    def over(self) -> bool:
        """Whether the other side has said all, and all of it is taken."""
        return self.ended and not self._chunks

    async def take(self) -> bytes | None:
        """What has come of the body; nothing at its end. Raises :class:`LostError`."""
        while not self._chunks:
            if self.ended:
                return None
            if self.lost is not None:
                raise self.lost
            self.news.clear()
            await self.news.wait()
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self.drop()
        return data

    def drop(self) -> None:
        """Open the windows again for what has come."""
        self._chunks.clear()
        owed, self._owed = self._owed, 0
        if owed:
            self._session.acknowledge(self.number, owed)

    async def give(self, data: bytes) -> None:
        """Send, as fast as the other side takes it. Raises :class:`LostError`."""
        at = 0
        while at < len(data):
            if self.lost is not None:
                raise self.lost
            size = self._session.send(self.number, data, at)
            at += size
            if not size:
                self.room.clear()
                await self.room.wait()


class Session(asyncio.Protocol):
    """One connection. Subclasses take heads, and what concerns the connection."""

    def __init__(self, *, client_side: bool) -> None:
        self.h2 = H2Connection(
            H2Configuration(client_side=client_side, header_encoding=None, normalize_inbound_headers=False)
        )
        self.h2.local_settings = Settings(
            client=client_side,
            initial_values={
                SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
                SettingCodes.MAX_CONCURRENT_STREAMS: STREAMS,
                SettingCodes.MAX_HEADER_LIST_SIZE: 65_536,
                **({SettingCodes.ENABLE_PUSH: 0} if client_side else {}),
            },
        )
        self.streams: dict[int, Stream] = {}
        self.transport: asyncio.Transport
        self._paused = False
        self._flushing = False
        self._frames = _Frames(0 if client_side else _PREFACE)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.h2.initiate_connection()
        # A stream's own window bounds it; one that nobody takes from must not fill the one of all.
        self.h2.increment_flow_control_window(_CONNECTION_WINDOW - _FIRST_WINDOW)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        for stream in list(self.streams.values()):
            stream.lose(LostError("the connection ended"))

    def data_received(self, data: bytes) -> None:
        whole, goaways = self._frames.feed(data)
        try:
            events = self.h2.receive_data(whole) if whole else []
        except ProtocolError:
            self.flush()
            self.transport.close()
            return
        for event in events:
            self.on_event(event)
        for last, code in goaways:
            self.on_goaway(last, code)
        self.flush()

    def on_event(self, event: Event) -> None:
        stream = self.streams.get(getattr(event, "stream_id", 0) or 0)
        if isinstance(event, DataReceived):
            if stream is not None:
                stream.came(event)
            elif event.flow_controlled_length:
                self.acknowledge(event.stream_id, event.flow_controlled_length)
        elif isinstance(event, WindowUpdated):
            for one in [stream] if stream is not None else [] if event.stream_id else self.streams.values():
                one.room.set()
        elif isinstance(event, RemoteSettingsChanged):
            for one in self.streams.values():
                one.room.set()
        elif stream is None:
            return
        elif isinstance(event, TrailersReceived):
            stream.trailers = fields(event.headers)
        elif isinstance(event, StreamEnded):
            stream.ended = True
            stream.news.set()
        elif isinstance(event, StreamReset):
            refused = event.error_code == ErrorCodes.REFUSED_STREAM
            stream.lose(LostError(f"the stream was reset ({int(event.error_code)})", unprocessed=refused))

    def on_goaway(self, last: int, code: int) -> None:
        """The other side begins no stream any more, and has looked at none behind ``last``."""

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        for stream in self.streams.values():
            stream.room.set()

    def send(self, number: int, data: bytes, at: int) -> int:
        """Send what the windows take of it now; its length. Raises :class:`LostError` on a stream that is closed."""
        try:
            room = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size, len(data) - at)
            if self._paused or room <= 0:
                return 0
            self.h2.send_data(number, data[at : at + room])
        except ProtocolError as error:
            raise LostError(str(error)) from None
        self.flush_soon()
        return room

    def send_head(self, number: int, head: Iterable[tuple[bytes, bytes]], *, end: bool = False) -> None:
        """Send a head or trailers. Raises :class:`LostError` on a stream that is closed, and for fields that none of
        HTTP/2 are."""
        try:
            self.h2.send_headers(number, head, end_stream=end)
        except ProtocolError as error:
            raise LostError(str(error)) from None
        self.flush_soon()

    def send_end(self, number: int) -> None:
        """Say that all is said. Raises :class:`LostError` on a stream that is closed."""
        try:
            self.h2.end_stream(number)
        except ProtocolError as error:
            raise LostError(str(error)) from None
        self.flush_soon()

    def reset(self, number: int, code: ErrorCodes) -> None:
        """End a stream at once; nothing when it has ended."""
        try:
            self.h2.reset_stream(number, code)
        except ProtocolError:
            return
        self.flush_soon()

    def acknowledge(self, number: int, size: int) -> None:
        try:
            self.h2.acknowledge_received_data(size, number)
        except ProtocolError:
            return
        self.flush_soon()

    def flush_soon(self) -> None:
        """Write once for all frames of this turn of the loop."""
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        self._flushing = False
        data = self.h2.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)
            if self.transport.get_write_buffer_size() > _UNREAD:
                self.transport.abort()


class _Frames:
    """Cuts what comes into whole frames, and takes GOAWAY out: behind one, h2 would take no frame of a stream that goes
    on (§6.8)."""

    def __init__(self, preface: int) -> None:
        self._preface = preface
        self._rest = b""

    def feed(self, data: bytes) -> tuple[bytes, list[tuple[int, int]]]:
        """The frames for h2, and of each GOAWAY its last stream and code."""
        data = self._rest + data if self._rest else data
        goaways: list[tuple[int, int]] = []
        kept: list[bytes] = []
        at = begun = 0
        if self._preface:
            if len(data) < self._preface:
                self._rest = data
                return b"", []
            at, self._preface = self._preface, 0
        while len(data) - at >= _HEAD:
            size = int.from_bytes(data[at : at + 3], "big")
            if size > _FRAME:  # h2 says what is wrong with it
                self._rest = b""
                return b"".join(kept) + data[begun:], goaways
            end = at + _HEAD + size
            if end > len(data):
                break
            if data[at + 3] == _GOAWAY and size >= 8:
                kept.append(data[begun:at])
                last = int.from_bytes(data[at + _HEAD : at + _HEAD + 4], "big") & LAST_STREAM
                goaways.append((last, int.from_bytes(data[at + _HEAD + 4 : at + _HEAD + 8], "big")))
                begun = end
            at = end
        self._rest = data[at:]
        kept.append(data[begun:at])
        return b"".join(kept) if len(kept) > 1 else kept[0], goaways


def goaway(last: int, code: int = 0) -> bytes:
    """The frame; not by h2, which sends nothing more behind it."""
    return GoAwayFrame(0, last_stream_id=last, error_code=code).serialize()


def fields(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Fields without pseudo ones; the pieces of a cookie in one (§8.2.3), where the first was."""
    found: list[tuple[bytes, bytes]] = []
    cookie = -1
    for name, value in headers:
        if name.startswith(b":"):
            continue
        if name == b"cookie" and cookie >= 0:
            found[cookie] = (b"cookie", found[cookie][1] + b"; " + value)
            continue
        if name == b"cookie":
            cookie = len(found)
        found.append((bytes(name), bytes(value)))
    return tuple(found)
