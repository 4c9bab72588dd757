"""What the pins of ``[pins]`` say of an exchange: which version of what answered.

Invariant: reads sanitized exchanges only, and raises nothing; a pin that is not there has no value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import xxhash

from ..config import PinConfig
from ..providers.cleaning import clean
from ..providers.reading.jsonlike import canonical, parse_json, resolve_pointer
from ..providers.reading.sse import looks_like_sse, parse_sse
from ..types import Copy, Headers, Outcome, header

__all__ = ["read_pins"]

_MOST_CHARS = 120
"""A longer value (a whole prompt) is told by its hash."""
_MOST_EVENTS = 200


def read_pins(pins: Mapping[str, PinConfig], copy: Copy, outcome: Outcome) -> dict[str, str]:
    """The value of each pin that has one, by name. The shadow's are read from answers only."""
    sides: dict[str, tuple[Headers, bytes]] = {
        "request": (copy.headers, copy.body),
        "prod": (copy.response_headers, copy.response_body),
    }
    if not outcome.reason and outcome.status < 400:
        sides["shadow"] = (outcome.headers, outcome.body)
    found = {name: clean(_value(pin, *sides[pin.of])) for name, pin in pins.items() if pin.of in sides}
    return {name: value for name, value in found.items() if value}


def _value(pin: PinConfig, headers: Headers, body: bytes) -> str:
    kind, _, where = pin.read.partition(":")
    if kind == "header":
        return _short(header(headers, where.lower().encode()))
    for value in _values(headers, body):
        known, target = resolve_pointer(value, where)
        if known and target is not None:
            return _short(target if isinstance(target, str) else canonical(target))
    return ""


def _values(headers: Headers, body: bytes) -> Iterator[Any]:
    """The body as JSON, or each event of a stream."""
    if not body:
        return
    if not looks_like_sse(body, declared="event-stream" in header(headers, b"content-type").lower()):
        yield parse_json(body)[0]
        return
    for event in parse_sse(body)[:_MOST_EVENTS]:
        yield parse_json(event.data)[0]


def _short(value: str) -> str:
    value = " ".join(value.split())
    return value if len(value) <= _MOST_CHARS else f"xxh3:{xxhash.xxh3_64_hexdigest(value.encode('utf-8', 'replace'))}"
