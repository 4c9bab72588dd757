"""Which operations were told already: an exporter that got no answer sends its batch again, and an operation may be
told by its span and by its event.

Invariants: a record that comes again is known as long as it is among the newest :data:`MOST`; two records are never
taken for one unless their ids, time and attributes are the same, or one is the span and the other the event of one
operation.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Literal

import msgspec

from ..sources.genai import Telling

__all__ = ["MOST", "Seen"]

MOST = 100_000
"""Operations that are remembered: of 20 a second those of the last 80 minutes."""
_DIGEST = 16
_ENCODER = msgspec.json.Encoder(order="deterministic")


class Seen:
    """One process's memory; it ends with the process."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def note(self, told: Telling) -> Literal["", "duplicate", "told_twice"]:
        """Remember it; why it is not the first, or nothing. ``told_twice``: the span and the event of one operation."""
        mine = _digest(told.kind, told.trace_id, told.span_id)
        other = _digest("event" if told.kind == "span" else "span", told.trace_id, told.span_id)
        own = mine
        # An SDK ends a span once. Several events may belong to a span that is not theirs.
        if told.kind == "event" or not told.span_id:
            own = _digest(told.kind, told.trace_id, told.span_id, _ENCODER.encode([told.at_ns, told.attributes]))
        if own in self._known:
            return "duplicate"
        self._add(own)
        if told.span_id and other in self._known:
            return "told_twice"
        if told.span_id:
            self._add(mine)
        return ""

    def __len__(self) -> int:
        """How many marks are held: at most two an operation."""
        return len(self._known)

    def _add(self, digest: bytes) -> None:
        self._known[digest] = None
        self._known.move_to_end(digest)
        while len(self._known) > 2 * self._most:
            self._known.popitem(last=False)


def _digest(*parts: str | bytes) -> bytes:
    state = hashlib.blake2b(digest_size=_DIGEST)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little") + data)
    return state.digest()
