"""GoReplay's files: ``--output-file traffic.gor`` (https://github.com/probelabs/goreplay, protocol.go).

A record is ``TYPE ID TIME LATENCY\\n`` and the HTTP/1 message; type 1 is a request, 2 prod's answer to it, 3 the answer
of the service that it was replayed at. Records are apart by a line of three monkeys. Invariant: a request is given
once, with the answers of its id, when they have come, or as many other requests have that a bound is reached.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..errors import DataError
from .files import opened
from .http1 import parse_message, target_of
from .records import LONGEST, Answered, Record, Recorded, Unusable, clipped

__all__ = ["SEPARATOR", "read_gor"]

SEPARATOR = "\n🐵🙈🙉\n".encode()
_READ = 1 << 20
_MOST_OPEN = 10_000
_REQUEST, _ANSWER, _REPLAYED = b"1", b"2", b"3"


@dataclass(slots=True)
class _Open:
    where: str
    time_ns: int
    message: bytes
    answers: dict[bytes, tuple[int, int, bytes]] = field(default_factory=dict)


def read_gor(path: str) -> Iterator[Record]:
    """The exchanges, in the order in which they were complete; those without an answer at the end."""
    waiting: dict[bytes, _Open] = {}
    replays = _has_replays(path)
    for where, piece in _pieces(path):
        if isinstance(piece, Unusable):
            yield piece
            continue
        head, newline, message = piece.partition(b"\n")
        words = head.split(b" ")
        if not newline or len(words) < 3 or words[0] not in (_REQUEST, _ANSWER, _REPLAYED) or not words[2].isdigit():
            yield Unusable(where=where, why=f"not a record's first line: {clipped(head[:60])}")
            continue
        kind, name, time_ns = words[0], words[1], int(words[2])
        if kind == _REQUEST:
            if name in waiting:
                yield _exchange(waiting.pop(name))
            waiting[name] = _Open(where, time_ns, message)
            if len(waiting) > _MOST_OPEN:
                yield _exchange(waiting.pop(next(iter(waiting))))
            continue
        replays = replays or kind == _REPLAYED
        asked = waiting.get(name)
        if asked is None:
            yield Unusable(where=where, why="an answer to no request of this file", reason="no_request")
            continue
        latency = int(words[3]) if len(words) > 3 and words[3].isdigit() else 0
        asked.answers[kind] = (time_ns, latency, message)
        if _ANSWER in asked.answers and (not replays or _REPLAYED in asked.answers):
            yield _exchange(waiting.pop(name))
    for left in waiting.values():
        yield _exchange(left)


def _has_replays(path: str) -> bool:
    """Whether answers of a second service are to be waited for: their requests' prod answers come first."""
    if path == "-":
        return False
    with opened(path) as file:
        try:
            return SEPARATOR + _REPLAYED + b" " in file.read(_READ)
        except (OSError, EOFError, zlib.error):
            return False  # said where the file is read


def _exchange(found: _Open) -> Record:
    try:
        (method, target), headers, body = parse_message(found.message)
        return Recorded(
            where=found.where,
            started_ns=found.time_ns,
            method=method,
            target=target_of(target),
            headers=headers,
            body=body,
            prod=_answer(found, _ANSWER),
            shadow=_answer(found, _REPLAYED),
        )
    except DataError as error:
        return Unusable(where=found.where, why=str(error))


def _answer(found: _Open, kind: bytes) -> Answered | None:
    if kind not in found.answers:
        return None
    time_ns, latency, message = found.answers[kind]
    (_, status), headers, body = parse_message(message)
    if not status.isdigit():
        raise DataError(f"status = {clipped(status)}: not a number")
    # The latency is newer than the file's format; before it there was only the time of the answer's first byte.
    taken = latency or max(time_ns - found.time_ns, 0)
    return Answered(status=int(status), headers=headers, body=body, ttfb_ns=taken, duration_ns=taken)


def _pieces(path: str) -> Iterator[tuple[str, bytes | Unusable]]:
    """What lies between two separators, with its offset."""
    with opened(path) as file:
        held, at = bytearray(), 0
        while True:
            try:
                more = file.read(_READ)
            except (OSError, EOFError, zlib.error) as error:
                yield f"offset {at}", Unusable(where=f"offset {at}", why=f"the file cannot be read on: {error}")
                more = b""
            held += more
            while (end := held.find(SEPARATOR)) >= 0:
                yield f"offset {at}", bytes(held[:end])
                del held[: end + len(SEPARATOR)]
                at += end + len(SEPARATOR)
            if len(held) > 2 * LONGEST:
                yield f"offset {at}", Unusable(where=f"offset {at}", why=f"no separator within {len(held)} bytes")
                return
            if not more:
                break
        if held.strip():
            yield f"offset {at}", bytes(held)
