"""What a reader of recorded traffic gives: an exchange, or why a record is none.

Invariant: every record of a source becomes exactly one of these two, in the order of the source and with its position
there, so that what was read is the sum of what was used and what was left out, by reason.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, TypeAlias

import msgspec

from ..errors import DataError
from ..types import Headers

__all__ = ["LONGEST", "Answered", "Record", "Recorded", "Unusable", "clipped", "seconds_ns", "time_ns"]

LONGEST = 64 * 1024 * 1024
"""The largest record that is read, in bytes."""
_MOST_S = 9.2e9
"""64 bits of nanoseconds end in the year 2262."""
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """One service's answer as it was recorded: bytes before any decoding that the headers name."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""
    ttfb_ns: int = 0
    """Time to the response's head; 0: not known."""
    duration_ns: int = 0
    """Time to its end; 0: not known."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange of a source."""

    where: str
    """Its position: ``line 17``, ``offset 2048``, ``entry 3``. Unique within the source."""
    id: str = ""
    """The source's own name of it; empty where it has none."""
    started_ns: int = 0
    """Unix time; 0: not known."""
    method: str = "POST"
    target: str
    """Path and query."""
    headers: Headers = ()
    body: bytes = b""
    prod: Answered | None = None
    """``None``: the source has no answer of prod's, or not its body."""
    shadow: Answered | None = None
    """A second service's answer, where the source has both."""
    stored: bool = False
    """Whether ``id`` is the ``shadow_id`` of a store's row."""


class Unusable(msgspec.Struct, frozen=True, kw_only=True):
    """A record that is no exchange."""

    where: str
    why: str
    """For a person, one line."""
    reason: str = "damaged"
    """What it is counted under: ``damaged``, ``not_http``, ``bodies_gone``, ``archived``."""


Record: TypeAlias = "Recorded | Unusable"


def clipped(value: Any) -> str:
    """A value in a message: short, on one line."""
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def seconds_ns(value: Any, field: str) -> int:
    """Unix seconds as nanoseconds. Raises :class:`~shadowlane.errors.DataError`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _MOST_S:
        raise DataError(f"{field} = {clipped(value)}: not a Unix time in seconds")
    return int(value) * 10**9 + round(value % 1 * 1e9)


def time_ns(value: Any, field: str) -> int:
    """A time of RFC 3339, or Unix seconds, as nanoseconds; 0 for ``None``. Without an offset it is UTC.

    Raises :class:`~shadowlane.errors.DataError`.
    """
    if value is None or value == "":
        return 0
    if not isinstance(value, str):
        return seconds_ns(value, field)
    try:
        moment = msgspec.convert(value.strip().replace(" ", "T", 1), datetime)
    except msgspec.ValidationError:
        raise DataError(f"{field} = {clipped(value)}: not a time of RFC 3339, such as 2026-01-31T12:00:00Z") from None
    passed = (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)) - _EPOCH
    if not 0 <= passed.total_seconds() <= _MOST_S:
        raise DataError(f"{field} = {clipped(value)}: not between the years 1970 and 2261")
    return (passed.days * 86_400 + passed.seconds) * 10**9 + passed.microseconds * 1000
