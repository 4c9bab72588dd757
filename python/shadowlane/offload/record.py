"""What a forwarding host publishes: the sanitized copy, as dispatch gets it, in MessagePack.

A record is a map by field names, so a field that one side does not know is left out or has its default; the version
beside it changes only when old judges would read a new record wrongly. Invariants: the type that is encoded is
:class:`shadowlane.types.Copy`, which only the drain makes, so nothing unsanitized can be published; a record that is
decoded has the types of that class, a method that admission takes, numbers that a row holds, and no byte that could end
a header.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from ..types import FLAG_REDELIVERED, Copy

__all__ = ["VERSION", "Forwarded", "RecordError", "decode", "encode"]

VERSION = "1"
_INT64 = 1 << 63
_METHODS = frozenset({"GET", "HEAD", "POST"})
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_TARGET = re.compile(r"[/*][^\x00-\x20\x7f]*\Z")
_ENDS_A_FIELD = re.compile(rb"[\x00\r\n]")

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Copy)


class RecordError(ValueError):
    """A record that no judge of this release can take. The text says why, and quotes nothing of it."""


class Forwarded(NamedTuple):
    """One copy on its way to the stream."""

    shadow_id: str
    record: bytes


def encode(copy: Copy) -> Forwarded:
    """The record of a copy."""
    return Forwarded(copy.shadow_id, _ENCODER.encode(copy))


def decode(version: str, record: bytes, most_bytes: int) -> Copy:
    """The copy of a record of at most ``most_bytes``. Raises :class:`RecordError`."""
    if version != VERSION:
        raise RecordError(f"its version is not {VERSION}: update the judges before the forwarding hosts")
    if len(record) > most_bytes:
        raise RecordError(
            f"it has {len(record)} bytes, and judges take {most_bytes}: give them their hosts' lane.max_body_bytes"
        )
    try:
        copy = _DECODER.decode(record)
    except (msgspec.DecodeError, ValueError) as error:
        raise RecordError(f"it is no record: {error}") from None
    if not _ID.match(copy.shadow_id):
        raise RecordError("its shadow_id is no UUID")
    if not copy.blocked and (copy.method not in _METHODS or not _TARGET.match(copy.target)):
        raise RecordError("its method or target is none that a gateway mirrors")
    numbers = (copy.started_ns, copy.status, copy.ttfb_ns, copy.duration_ns, copy.flags, *copy.findings.values())
    if not all(0 <= number < _INT64 for number in numbers):
        raise RecordError("it holds a number that no row can")
    if any(_ENDS_A_FIELD.search(name + value) for name, value in copy.headers):
        raise RecordError("its headers hold what would end one")
    # What was delivered again is for the stream to say.
    return msgspec.structs.replace(copy, flags=copy.flags & ~FLAG_REDELIVERED)
