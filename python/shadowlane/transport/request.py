"""What is sent to a shadow: the copy's request, turned towards the shadow's address.

Invariants: the authority is always the configured one, whatever the copy's target says; no header can smuggle a
second line; the copy's own credentials, tags and connection headers never pass; everything else is passed as it is.
"""

from __future__ import annotations

import functools
import re

from .. import __version__
from ..tag import sign
from ..types import Copy

__all__ = ["ACCEPTED_ENCODINGS", "path_and_query", "request_headers", "request_target", "signature_headers"]

ACCEPTED_ENCODINGS = ("gzip", "x-gzip", "deflate", "identity")
"""The content codings that :mod:`.body` can undo within a bound."""

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
# Hop-by-hop (RFC 9110 §7.6.1), framing and routing: these belong to a connection, and the shadow's is another one.
_OWN = {
    b"connection",
    b"content-length",
    b"expect",
    b"host",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"signature",  # RFC 9421: prod's signatures do not fit the copy, and the lane's own stand here
    b"signature-input",
    b"te",
    b"traceparent",  # W3C Trace Context: a copy is no part of prod's trace
    b"tracestate",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}
_TAG_PREFIX = b"x-shadow"
_LINE_END = re.compile(rb"[\r\n\0]")
_UNSAFE = re.compile(r"[^!-~]|#")  # not visible ASCII (RFC 5234 VCHAR), or the start of a fragment


def request_headers(copy: Copy, credential: tuple[bytes, bytes] | None) -> list[tuple[str, str]]:
    """Headers as text pairs: the copy's, the shadow's own credential, and the tags that break mirroring loops."""
    own = credential[0].lower().decode("ascii") if credential else ""
    headers: list[tuple[str, str]] = []
    has_agent = False
    for raw, value in copy.headers:
        name = _passed(raw)
        if not name or name == own or _LINE_END.search(value):
            continue
        has_agent = has_agent or name == "user-agent"
        headers.append((name, _value(_accepted(value) if name == "accept-encoding" else value)))
    if not has_agent:
        headers.append(("user-agent", f"shadowlane/{__version__}"))
    if credential:
        headers.append((own, _value(credential[1])))
    headers += [("x-shadow", "1"), ("x-shadow-id", copy.shadow_id), ("x-shadow-req-hash", copy.req_hash)]
    return headers


def signature_headers(key: bytes, copy: Copy, sent: str) -> list[tuple[str, str]]:
    """The lane's signature over the copy's tag, method and path and query as ``sent``; see :mod:`shadowlane.tag`."""
    path, _, query = sent.partition("?")
    return sign(key, copy.method, path.encode(), query.encode(), copy.shadow_id, copy.req_hash)


def request_target(base: str, target: str) -> str:
    """The URL to ask: the shadow's base with its path prefix, then the copy's path and query as they are.

    Characters that cannot stand in a request line (RFC 9112 §3.2) are percent-encoded, so that a target can neither
    end the line nor change the authority.
    """
    path = target if target.startswith("/") else "/" + target
    return base.rstrip("/") + _UNSAFE.sub(lambda m: "".join(f"%{b:02X}" for b in m[0].encode("utf-8", "replace")), path)


def path_and_query(url: str) -> str:
    """What of an address with a path, as :func:`request_target` makes it, stands in the request line. A ``?`` with
    nothing behind it is dropped, as clients do."""
    sent = "/" + url.split("/", 3)[3]
    path, mark, query = sent.partition("?")
    return sent if query or not mark else path


@functools.lru_cache(maxsize=1024)
def _passed(raw: bytes) -> str:
    """A header's name in lower case, or nothing when it does not pass. The same names come again and again."""
    name = raw.lower()
    if name in _OWN or name.startswith(_TAG_PREFIX) or not _TOKEN.match(name):
        return ""
    return name.decode("ascii")


@functools.lru_cache(maxsize=64)
def _accepted(value: bytes) -> bytes:
    """The part of an Accept-Encoding (RFC 9110 §12.5.3) that can be decoded here; ``identity`` when none is left."""
    parts = [part.strip() for part in value.decode("latin-1").split(",")]
    accepted = [part for part in parts if part.partition(";")[0].strip().lower() in ACCEPTED_ENCODINGS]
    return ", ".join(accepted or ["identity"]).encode("latin-1")


def _value(value: bytes) -> str:
    """Header text is sent as UTF-8: UTF-8 bytes pass unchanged, ISO 8859-1 bytes as the same characters."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
