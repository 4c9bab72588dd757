"""The binary event stream of Amazon Bedrock (``application/vnd.amazon.eventstream``).

A message is: total length, header length and their CRC-32 (4 bytes each, big-endian), headers, payload, CRC-32 of all
before it (Smithy, "Amazon Event Stream specification"). Invariants: where a message begins is trusted only when its
prelude's checksum holds; else the reading ends there, with a reason, and what came before is kept. A message whose own
checksum does not hold is left out.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

__all__ = ["Message", "looks_like_eventstream", "parse_eventstream"]

_PRELUDE = struct.Struct(">III")
_FIXED_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_STRING, _BYTES = 7, 6


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its string headers (``:event-type``, ``:message-type``, ...) and its payload."""

    headers: dict[str, str]
    payload: bytes


def looks_like_eventstream(body: bytes) -> bool:
    """Whether the first prelude's checksum holds: a chance of 2^-32 for anything else."""
    if len(body) < _PRELUDE.size:
        return False
    _, _, crc = _PRELUDE.unpack_from(body)
    return bool(zlib.crc32(body[:8]) == crc)


def parse_eventstream(body: bytes) -> tuple[list[Message], str]:
    """The messages, and what was wrong with them (empty when nothing was)."""
    messages: list[Message] = []
    wrong = ""
    at = number = 0
    while at < len(body):
        number += 1
        if len(body) - at < _PRELUDE.size:
            return messages, f"the event stream is cut in message {number}"
        total, header_size, crc = _PRELUDE.unpack_from(body, at)
        if zlib.crc32(body[at : at + 8]) != crc or total < header_size + 16:
            return messages, f"message {number} of the event stream is damaged"
        if at + total > len(body):
            return messages, f"the event stream is cut in message {number}"
        if zlib.crc32(body[at : at + total - 4]) != int.from_bytes(body[at + total - 4 : at + total], "big"):
            wrong = wrong or f"message {number} of the event stream fails its checksum"
            at += total
            continue
        start = at + _PRELUDE.size
        headers = _headers(body[start : start + header_size])
        messages.append(Message(headers, body[start + header_size : at + total - 4]))
        at += total
    return messages, wrong


def _headers(data: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    at = 0
    while at < len(data):
        name_end = at + 1 + data[at]
        name = data[at + 1 : name_end].decode("utf-8", "replace")
        if name_end >= len(data):
            break
        kind, at = data[name_end], name_end + 1
        if kind in (_STRING, _BYTES):
            size = int.from_bytes(data[at : at + 2], "big")
            at += 2
            if kind == _STRING:
                headers[name] = data[at : at + size].decode("utf-8", "replace")
            at += size
        elif kind in _FIXED_SIZES:
            at += _FIXED_SIZES[kind]
        else:
            break
    return headers
