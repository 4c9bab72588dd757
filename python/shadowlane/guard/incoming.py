"""Who may say that a request is a copy: what the ASGI and the WSGI middleware share, options included.

Invariant: with keys, a tag without a good signature is refused, because neither answer to it is safe: taken for a
copy, a client could have its own writes skipped; taken for prod's, a damaged copy could write.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Generic, Literal, TypeVar

from ..errors import ConfigError
from ..tag import TagError, Verifier
from .baggage import has_tag
from .context import Shadow

__all__ = ["Expect", "Refused", "TagGuard"]

AppT = TypeVar("AppT")
Expect = Literal["any", "shadow-only"]
_OFF = ("", "0", "false")
_SIGNED_BY = b"shadowlane="


class Refused(Exception):
    """A request that must not be served. ``body`` is the answer's JSON."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.body = json.dumps({"error": "shadow_tag_refused", "reason": reason}).encode()


class TagGuard(Generic[AppT]):
    """``app`` and the rules by which the tags of its requests are read; :class:`shadowlane.guard.ShadowGuard` says what
    the parameters mean. Raises ConfigError when the rules contradict each other."""

    def __init__(
        self,
        app: AppT,
        *,
        keys: Sequence[str | bytes] = (),
        expect: Expect = "any",
        require_signature: bool | None = None,
        max_age_s: float = 300.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if isinstance(keys, (str, bytes)):
            keys = (keys,)
        if expect not in ("any", "shadow-only"):
            raise ConfigError(f"expect = {expect!r}: use 'any', or 'shadow-only' where only copies may arrive")
        if require_signature and not keys:
            raise ConfigError("require_signature = True: needs keys; give the lane's signing key")
        self.app = app
        self._expect = expect
        self._verifier = Verifier(keys, max_age_s=max_age_s, clock=clock) if keys else None
        self._require = bool(keys) if require_signature is None else require_signature

    def _read(self, method: str, path: bytes, query: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Shadow | None:
        """The copy that the request is, ``None`` for a request of prod's. Raises :class:`Refused`."""
        tags: list[str] = []
        carried: list[str] = []
        parts = signed = False
        for name, value in headers:
            lower = name.lower()
            if lower == b"x-shadow":
                tags.append(value.decode("latin-1").strip(" \t").lower())
            elif lower in (b"x-shadow-id", b"x-shadow-req-hash"):
                parts = True
            elif lower == b"signature-input" and _SIGNED_BY in value:
                signed = True
            elif lower == b"baggage":
                carried.append(value.decode("latin-1"))
        # A copy whose x-shadow was lost on the way is a copy all the same. One that a lane signed is never prod's: its
        # x-shadow was changed on the way, and verifying says so.
        tagged = any(tag not in _OFF for tag in tags) or (parts and not tags) or signed
        if not tagged and not has_tag(carried):
            if self._expect == "shadow-only":
                raise Refused("this service answers shadow copies only, and the request has no shadow tag")
            return None
        if self._verifier is not None:
            try:
                shadow_id, req_hash = self._verifier.verify(method, path, query, headers)
            except TagError as error:
                if self._require:
                    raise Refused(str(error)) from None
            else:
                return Shadow(id=shadow_id, req_hash=req_hash, signed=True)
        return Shadow(id=_text(headers, b"x-shadow-id"), req_hash=_text(headers, b"x-shadow-req-hash"))


def _text(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> str:
    """A tag header's value, empty when it is missing or could not stand in a header again."""
    for key, value in headers:
        if key.lower() == name:
            text = value.decode("latin-1").strip(" \t")
            return text if text.isascii() and text.isprintable() and len(text) <= 128 else ""
    return ""
