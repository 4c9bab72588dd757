"""A judge's side of the stream, as the pipeline knows a lane's rings: ``drain``, ``ack``, and the cap.

Invariants: a message is acknowledged only after the pipeline acknowledged its copy, which is after its rows are
committed; what is held gives a sign of life, as long as the event loop does, so that no other judge takes it; a message
that cannot be read, or was given out too often, is set aside and never tried again; copies leave no faster than this
judge's cap, and not at all while it pauses: they wait in the stream.

``drain`` runs on the pipeline's thread; the sign of life, acknowledgements and what is shown have a thread of their own
(``shadowlane-stream``); ``ack`` and the cap never wait.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from ..core import RateLimiter
from ..errors import OffloadError, describe
from ..offload import Message, RecordError, Stream, StreamState, decode
from ..offload.figures import TIMES, Times, read_counts, read_times
from ..offload.stream import Owned
from ..types import Copy

__all__ = ["Inbox"]

log = logging.getLogger("shadowlane.worker")

_AT_A_TIME = 16
"""Messages of one read: their size is not known before."""
_KEEP_EVERY_S = 0.5
_TIDY_EVERY_S = 60.0
_FIELDS = Copy.__struct_fields__


class _Lane(Protocol):
    def lane_id(self) -> str: ...
    def take_own(self, name: str, qps: float, burst: int) -> bool: ...


class Inbox:
    """Takes copies from a stream. :meth:`open` it before the pipeline runs, :meth:`close` it after.

    ``qps`` and ``burst``: the cap. ``most_bytes``: of a record. ``claim_s``, ``max_deliveries``: as in ``[offload]``.
    """

    def __init__(
        self,
        stream: Stream,
        lane: _Lane,
        *,
        qps: float,
        burst: int,
        most_bytes: int,
        claim_s: float,
        max_deliveries: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._lane = lane
        self._qps = qps
        self._limiter = RateLimiter(qps, burst)
        self._limiter.try_acquire(burst)  # empty at first: many restarts are not as many bursts
        self._paused = (0.0, "")
        self._most_bytes = most_bytes
        self._claim_s = claim_s
        self._max_deliveries = max_deliveries
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[int, tuple[str, str]] = {}
        """Copies with the pipeline: id and source, by number."""
        self._done: list[tuple[str, str]] = []
        """Judged, and not acknowledged yet."""
        self._waiting: dict[str, int] = {}
        """Delivered before, and to be taken again: deliveries by id."""
        self._ready: deque[Message] = deque()
        """Read, and without a unit of the cap yet."""
        self._cursor = "0-0"
        self._claim_at = 0.0
        self._number = 0
        self._suspect = ""
        """The id of the message that must be out alone."""
        self._alone = 0
        """The number of the copy that is out alone."""
        self._recovered = False
        self._beaten_at = clock()
        self._counts = {"judged": 0, "set_aside": 0, "taken_over": 0}
        self._state = StreamState()
        self._hosts: dict[str, Any] = {}
        self._errors: dict[str, str] = {}
        """What does not work now, and why."""
        self._thread = threading.Thread(target=self._keep, name="shadowlane-stream", daemon=True)
        self._wake = threading.Event()
        self._closing = False

    def open(self) -> None:
        """Begin to give signs of life."""
        self._thread.start()

    def close(self) -> None:
        """Acknowledge what is judged; what is held is the next judge's."""
        self._closing = True
        self._wake.set()
        self._thread.join()
        self._stream.close()

    # ---- what the pipeline asks of a drainer

    def drain(self, max_frames: int, max_bytes: int) -> list[tuple[Any, ...]]:
        """Up to ``max_frames`` copies within the cap, or about ``max_bytes`` of records, as a drainer gives them."""
        rows: list[tuple[Any, ...]] = []
        if not self._attempt("take", self._fill, rows, max_frames, max_bytes):
            self._recovered = False  # the server may have given out what did not arrive
        return rows

    def ack(self, ring: int, seq: int) -> None:
        """A copy's rows are committed."""
        with self._lock:
            done = self._held.pop(seq, None)
            if seq == self._alone:
                self._alone = 0
            if done is not None:
                self._done.append(done)
        self._wake.set()

    def pending(self) -> int:
        """Copies that this judge has."""
        with self._lock:
            return len(self._held) + len(self._waiting) + len(self._ready)

    def live_producers(self) -> int:
        """None that a judge waits for."""
        return 0

    def suspects(self) -> int:
        """Only windows ask, and a judge has none."""
        return 0

    def available(self, after_s: float = 0.0) -> float:
        """Copies that the cap would let pass, ``after_s`` seconds from now."""
        return self._limiter.available + after_s * self._limiter.rate

    def try_acquire(self, n: int = 1) -> bool:
        """Take units of this judge's cap, or none."""
        return self._limiter.try_acquire(n)

    def wait_s(self, n: int = 1) -> float:
        """How long until there are so many."""
        return self._limiter.wait_s(n)

    def take_own(self, name: str, qps: float, burst: int) -> bool:
        """A unit of a shadow's own cap."""
        return self._lane.take_own(name, qps, burst)

    # ---- what the control loop tells admission: here, how fast is taken from the stream

    def lane_id(self) -> str:
        """The judge's own lane."""
        return self._lane.lane_id()

    def set_rate(self, qps: float) -> None:
        """Take no more than ``qps`` copies a second; 0: as configured."""
        self._limiter.set_rate(min(qps, self._qps) if qps > 0 else self._qps)

    def pause(self, seconds: float, reason: str) -> None:
        """Take none for a while."""
        self._paused = (self._clock() + seconds, reason) if seconds > 0 else (0.0, "")

    def throttle(self) -> tuple[float, float, str]:
        """Copies a second, seconds of pause left, and why."""
        left = max(self._paused[0] - self._clock(), 0.0)
        return self._limiter.rate, left, self._paused[1] if left else ""

    def beat(self) -> None:
        """The event loop lives."""
        self._beaten_at = self._clock()

    def state(self) -> Mapping[str, Any]:
        """For ``shadowlane status``."""
        with self._lock:
            held, error = len(self._held), next(iter(self._errors.values()), "")
        return {
            "held": held,
            **self._counts,
            "error": error,
            "stream": msgspec.to_builtins(self._state),
            "hosts": self._hosts,
        }

    # ---- what the hosts count and time

    def hosts_told(self) -> dict[str, Any]:
        """What they counted when it was read last, by source."""
        return self._hosts

    def read_figures(self) -> tuple[list[Times], list[str]]:
        """What they timed, and the names of what is over; what they counted is shown from now on."""
        found: tuple[list[Times], list[str]] = ([], [])

        def read() -> None:
            self._hosts = read_counts(self._stream)
            times, over = read_times(self._stream, time.time_ns())
            found[0].extend(times)
            found[1].extend(over)

        self._attempt("read the hosts' figures", read)
        return found

    def drop_times(self, names: list[str]) -> None:
        """These are stored, and will not change."""
        if names:
            self._attempt("drop times", self._stream.drop_figures, TIMES, names)

    # ---- taking messages

    def _fill(self, rows: list[tuple[Any, ...]], most: int, most_bytes: int) -> None:
        if self._alone or self._clock() < self._paused[0]:
            return
        if not self._recovered:
            self._wait_for(self._stream.owned())  # what its predecessor held, or never arrived
            self._recovered = True
        self._claim_when_due()
        size = 0
        while len(rows) < most and size < most_bytes and not self._alone:
            if not self._ready and not self._more(min(most - len(rows), _AT_A_TIME), has_rows=bool(rows)):
                return
            while self._ready and self._limiter.try_acquire():
                message = self._ready.popleft()
                row = self._row(message)
                if row is not None:
                    rows.append(row)
                    size += len(message.record)
            if self._ready:
                return  # as fast as the cap lets

    def _more(self, most: int, *, has_rows: bool) -> bool:
        """Get messages into :attr:`_ready`: first those that were delivered before. ``False``: there are none now."""
        most = min(most, int(self._limiter.available))
        if most < 1:
            return False
        often = self._max_deliveries // 2
        worn = [one for one, deliveries in self._waiting.items() if deliveries >= self._max_deliveries]
        for one in worn:
            self._set_aside(one, f"delivered {self._waiting[one]} times, and judged by none")
        again = [one for one, deliveries in self._waiting.items() if deliveries <= often][:most]
        if again:
            return self._take(again)
        if self._waiting:  # suspects: one at a time, with nothing else in work
            if self._held or has_rows:
                return False
            self._suspect = next(iter(self._waiting))
            return self._take([self._suspect])
        found = self._stream.read(most)
        self._ready += found
        return bool(found)

    def _take(self, ids: list[str]) -> bool:
        found = self._stream.take(ids)
        with self._lock:
            for one in ids:
                self._waiting.pop(one, None)  # those that are not found are another's, or gone
        self._ready += found
        return bool(found)

    def _row(self, message: Message) -> tuple[Any, ...] | None:
        try:
            copy = decode(message.version, message.record, self._most_bytes)
        except RecordError as error:
            self._set_aside(message.id, str(error))
            return None
        with self._lock:
            self._number += 1
            number = self._number
            self._held[number] = (message.id, message.source)
            if message.id == self._suspect:
                self._alone = number
        copy = msgspec.structs.replace(copy, ring=0, seq=number)
        return tuple(getattr(copy, name) for name in _FIELDS)

    def _set_aside(self, message_id: str, reason: str) -> None:
        self._stream.set_aside(message_id, reason)
        with self._lock:
            self._waiting.pop(message_id, None)
        self._counts["set_aside"] += 1
        said = {"event": "set_aside"}
        log.error("message %s is set aside: %s", message_id, reason, extra=said)

    def _claim_when_due(self) -> None:
        """Look through what the other judges hold, a page at a time; all of it several times in ``claim_s``."""
        now = self._clock()
        if self._cursor == "0-0" and now < self._claim_at:
            return
        if self._cursor == "0-0":
            self._claim_at = now + self._claim_s / 4
        self._cursor, found = self._stream.claim(self._cursor)
        if found:
            self._counts["taken_over"] += len(found)
            log.info("%d copies of a judge that is gone are taken over", len(found), extra={"event": "taken_over"})
        self._wait_for(found)

    def _wait_for(self, found: list[Owned]) -> None:
        with self._lock:
            mine = {one for one, _ in self._held.values()} | {one for one, _ in self._done}
            mine |= {one.id for one in self._ready}
            self._waiting |= {one.id: one.deliveries for one in found if one.id not in mine}

    # ---- signs of life

    def _keep(self) -> None:
        beat_at = tidy_at = look_at = 0.0
        while True:
            self._wake.wait(_KEEP_EVERY_S)
            closing = self._closing
            self._wake.clear()
            self._attempt("acknowledge", self._acknowledge)
            if closing:
                self._attempt("leave", self._stream.leave)
                return
            now = self._clock()
            if now >= beat_at and now - self._beaten_at < self._claim_s:
                beat_at = now + self._claim_s / 4 if self._attempt("give signs", self._give_sign) else now
            if now >= tidy_at:
                tidy_at = now + _TIDY_EVERY_S if self._attempt("tidy", self._stream.tidy) else now
            if now >= look_at:
                look_at = now + _KEEP_EVERY_S
                self._attempt("look", self._look)

    def _acknowledge(self) -> None:
        with self._lock:
            done = list(self._done)
        if done:
            self._counts["judged"] += self._stream.acknowledge(done)
            with self._lock:
                del self._done[: len(done)]

    def _give_sign(self) -> None:
        ready = list(self._ready)  # at once: the other thread takes from it
        with self._lock:
            ids = [one for one, _ in (*self._held.values(), *self._done)] + list(self._waiting)
        ids += [one.id for one in ready]
        if ids:
            self._stream.beat(ids)
        self._stream.works()

    def _look(self) -> None:
        self._state = self._stream.state()

    def _attempt(self, name: str, work: Callable[..., None], *given: Any) -> bool:
        """Do something with the server; what goes wrong is said once, shown, and tried again later. Returns whether it
        was done."""
        try:
            work(*given)
        except OffloadError as error:
            return self._failed(name, str(error))
        except Exception as error:  # of the client: the pipeline and the thread go on
            return self._failed(name, describe(error))
        with self._lock:
            over = self._errors.pop(name, "") and not self._errors
        if over:
            log.warning("the stream can be used again", extra={"event": "stream_works"})
        return True

    def _failed(self, name: str, text: str) -> bool:
        with self._lock:
            told = text in self._errors.values()
            self._errors[name] = text
        if not told:
            log.error("the stream cannot be used, will try again: %s", text, extra={"event": "stream_failed"})
        return False
