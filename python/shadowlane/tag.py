"""The tag on every copy, and its signature: what the worker writes and what the shadow's side reads.

The tag is ``x-shadow: 1`` with ``x-shadow-id`` and ``x-shadow-req-hash``. Anybody can write a header; where that
matters the lane signs it with a key that it shares with the shadow: an HTTP Message Signature (RFC 9421) with the
algorithm ``hmac-sha256`` (§3.3.3) over method, path, query and the three headers, with ``created`` and ``nonce``. So
a signature cannot be moved to another request, and cannot be used twice while its verifier remembers nonces.

Invariants: comparing takes the same time whatever differs; a replay is never accepted, because when the memory of
nonces is full the verifier forgets the oldest and refuses everything as old as that. The body is not signed (TLS keeps
it); the path is signed in one normal form (RFC 3986 §6.2.2), so that servers that hand it out decoded can verify it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from urllib.parse import quote, unquote_to_bytes

from .errors import ConfigError

__all__ = [
    "MIN_KEY_BYTES",
    "TRACE_STATE",
    "TagError",
    "Verifier",
    "checked_key",
    "is_copys",
    "sign",
    "span_ids",
    "traceparent",
]

MIN_KEY_BYTES = 16
"""Shorter keys are refused. RFC 2104 §3 recommends the length of the hash, 32 bytes."""

TRACE_STATE = "shadowlane=copy"
"""``tracestate`` beside it (W3C Trace Context §3.3): the shadow's spans inherit it, and so are told from prod's."""

_LABEL = "shadowlane"
_COVERED = ("@method", "@path", "@query", "x-shadow", "x-shadow-id", "x-shadow-req-hash")
_LIST = " ".join(f'"{name}"' for name in _COVERED)
_INPUT = re.compile(
    rf'{_LABEL}=(?P<params>\({re.escape(_LIST)}\);created=(?P<created>[0-9]{{1,12}});nonce="(?P<nonce>[0-9A-Za-z_-]{{16,64}})"'
    r';alg="hmac-sha256";tag="shadowlane")\Z'
)
_SIGNATURE = re.compile(rf"{_LABEL}=:(?P<value>[A-Za-z0-9+/]{{43}}=):\Z")
_MAX_NONCES = 65_536


class TagError(Exception):
    """A tag is not what a lane with this key would send. The text says what is wrong, and quotes nothing of it."""


def span_ids(shadow_id: str, arm: str) -> tuple[int, int]:
    """Trace and span of a copy at an arm, as W3C Trace Context has them (16 and 8 bytes, never 0): the same in each
    process and after each restart, so that the shadow's spans find theirs whoever reports it."""
    digest = hashlib.blake2b(f"{shadow_id} {arm}".encode(), digest_size=24).digest()
    return int.from_bytes(digest[:16], "big") or 1, int.from_bytes(digest[16:], "big") or 1


def traceparent(shadow_id: str, arm: str) -> str:
    """The header that puts what an arm does for a copy below that copy's span."""
    trace, span = span_ids(shadow_id, arm)
    return f"00-{trace:032x}-{span:016x}-01"


def is_copys(trace_state: str) -> bool:
    """Whether a span with this trace state is part of what was done for a copy."""
    return any(member.partition("=")[0].strip() == _LABEL for member in trace_state.split(","))


def checked_key(key: str | bytes, field: str) -> bytes:
    """``key`` as bytes. Raises :class:`~shadowlane.errors.ConfigError` that names ``field`` when it is too short."""
    raw = key.encode() if isinstance(key, str) else bytes(key)
    if len(raw) < MIN_KEY_BYTES:
        raise ConfigError(
            f"{field}: {len(raw)} bytes are too few for a signing key; use {MIN_KEY_BYTES} or more random ones, "
            "for example from: openssl rand -hex 32"
        )
    return raw


def sign(
    key: bytes,
    method: str,
    path: bytes,
    query: bytes,
    shadow_id: str,
    req_hash: str,
    *,
    created: int | None = None,
    nonce: str | None = None,
) -> list[tuple[str, str]]:
    """The two headers that sign a tag: ``signature-input`` and ``signature`` (RFC 9421 §4).

    ``path`` and ``query`` (without ``?``) are as sent. ``created`` is in Unix seconds (default: now), ``nonce`` is
    random unless given.
    """
    stamp = int(time.time()) if created is None else created
    params = (
        f'({_LIST});created={stamp};nonce="{nonce or secrets.token_urlsafe(18)}";alg="hmac-sha256";tag="shadowlane"'
    )
    base = _base(method, path, query, ("1", shadow_id, req_hash), params)
    value = base64.b64encode(hmac.digest(key, base, "sha256")).decode("ascii")
    return [("signature-input", f"{_LABEL}={params}"), ("signature", f"{_LABEL}=:{value}:")]


class Verifier:
    """Checks signed tags. Thread-safe; one for a process.

    ``keys`` holds one key, or the old and the new one while they are changed. A signature is good for ``max_age_s``
    seconds before and after its ``created``, once. The memory of nonces is this process's own: a service of several
    processes can be shown a copy's signature once in each.
    """

    def __init__(
        self, keys: Sequence[str | bytes], *, max_age_s: float = 300.0, clock: Callable[[], float] = time.time
    ) -> None:
        if not keys:
            raise ConfigError("keys = []: give at least one signing key")
        if not 1 <= max_age_s <= 86_400:
            raise ConfigError(f"max_age_s = {max_age_s!r}: use 1 to 86400 seconds")
        self._keys = [checked_key(key, f"keys[{number}]") for number, key in enumerate(keys)]
        self._max_age_s = max_age_s
        self._clock = clock
        self._seen: OrderedDict[bytes, int] = OrderedDict()
        self._floor = -1  # what was created then or earlier may have been seen and forgotten
        self._lock = Lock()

    def verify(self, method: str, path: bytes, query: bytes, headers: Sequence[tuple[bytes, bytes]]) -> tuple[str, str]:
        """The tag's ``(shadow_id, req_hash)``. Raises :class:`TagError` unless a lane with one of the keys sent it now.

        ``headers`` are the request's, names in any case.
        """
        tags = tuple(_only(headers, name) for name in _COVERED[3:])
        signed = _INPUT.match(_only(headers, "signature-input"))
        given = _SIGNATURE.match(_only(headers, "signature"))
        if signed is None or given is None:
            raise TagError("the signature is not in the form that a lane sends")
        if tags[0] != "1":
            raise TagError("x-shadow is not 1")
        base = _base(method, path, query, tags, signed["params"])
        try:
            value = base64.b64decode(given["value"], validate=True)
        except binascii.Error:
            raise TagError("the signature is not in the form that a lane sends") from None
        good = False
        for key in self._keys:  # every key is tried, so that the time does not say which one fits
            good |= hmac.compare_digest(hmac.digest(key, base, "sha256"), value)
        if not good:
            raise TagError("the signature does not fit this request and key")
        self._once(int(signed["created"]), base)
        return tags[1], tags[2]

    def _once(self, created: int, base: bytes) -> None:
        """Accept this signature base if it is fresh and new, and remember it."""
        mark = hashlib.blake2b(base, digest_size=16).digest()
        now = self._clock()
        with self._lock:
            if abs(now - created) > self._max_age_s:
                raise TagError("the signature is too old or from the future; compare the clocks of both hosts")
            if mark in self._seen:
                raise TagError("the signature was used before")
            if created <= self._floor:
                raise TagError("the signature is older than what is remembered")
            self._seen[mark] = created
            while self._seen:
                oldest, stamp = next(iter(self._seen.items()))
                expired = now - stamp > self._max_age_s
                if not expired and len(self._seen) <= _MAX_NONCES:
                    break
                del self._seen[oldest]
                if not expired:
                    self._floor = max(self._floor, stamp)


def _only(headers: Sequence[tuple[bytes, bytes]], name: str) -> str:
    wanted = name.encode("ascii")
    values = [value for key, value in headers if key.lower() == wanted]
    if len(values) != 1:
        raise TagError(f"{name}: {'missing' if not values else 'given more than once'}")
    return values[0].decode("latin-1").strip(" \t")


def _base(method: str, path: bytes, query: bytes, tags: Sequence[str], params: str) -> bytes:
    """The signature base (RFC 9421 §2.5)."""
    values = (
        method,
        quote(unquote_to_bytes(path) or b"/", safe="/~!$&'()*+,;=:@"),
        "?" + query.decode("latin-1"),
        *tags,
    )
    lines = [f'"{name}": {value}' for name, value in zip(_COVERED, values, strict=True)]
    return "\n".join([*lines, f'"@signature-params": {params}']).encode("latin-1")
