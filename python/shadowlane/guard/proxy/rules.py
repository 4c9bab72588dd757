"""What the proxy lets through: hosts by an exact list, plain HTTP by the policy, CONNECT by a list of its own.

Invariant: names are compared as text, in lower case, with their port; another way to write an address (``127.1``,
``0x7f000001``, a trailing dot) is another name and is not on the list.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from ..._core import PRESET_NAMES
from ...config.errors import meant
from ...errors import ConfigError
from ...policy import classify_request, normalise_llm_body
from .wire import Request

__all__ = ["Decision", "Rules"]

_ENTRY = re.compile(
    r"(?P<host>(\*\.)?[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?(=(?P<preset>[a-z0-9:_-]+))?\Z"
)
_SAFE = ("GET", "HEAD", "OPTIONS")  # TRACE is safe by RFC 9110 too, but sends the request's credentials back
# A preset that is known, for requests whose method is safe already: it then classifies overrides, upgrades and bodies.
_METHOD_ONLY = "openai"


class Decision(msgspec.Struct, frozen=True):
    """What to do with a request, and why. The reason holds no values of the request."""

    action: Literal["forward", "tunnel", "refuse"]
    reason: str
    write: bool = False
    """Refused as a write (which a sink may take), and not for its host."""
    body: bytes | None = None
    """What is sent in the body's stead, because this is what was classified; ``None``: the body as it came."""
    changes: tuple[str, ...] = ()
    """What differs from the body as it came, one line each, never a value."""


class Rules:
    """``allow``: ``HOST[:PORT][=PRESET]`` for plain HTTP, port 80 if none is given; ``connect``: ``HOST[:PORT]``, 443.

    ``*.example.com`` stands for the names below example.com. Raises :class:`~shadowlane.errors.ConfigError`.
    """

    def __init__(self, allow: Sequence[str] = (), connect: Sequence[str] = ()) -> None:
        self._allow: dict[tuple[str, int], str] = {}
        self._connect: set[tuple[str, int]] = set()
        for entry in allow:
            host, port, preset = _entry("--allow", entry, 80)
            if preset and classify_request("GET", "/", [], b"", preset).reason == "unknown preset":
                guess, known = meant(preset, PRESET_NAMES), ", ".join(PRESET_NAMES)
                raise ConfigError(f"--allow = {entry!r}: {guess}{preset!r} is no preset; known: {known}")
            self._allow[host, port] = preset
        for entry in connect:
            host, port, preset = _entry("--connect", entry, 443)
            if preset:
                raise ConfigError(f"--connect = {entry!r}: a preset means nothing inside TLS; remove it")
            self._connect.add((host, port))
        if not self._allow and not self._connect:
            raise ConfigError("--allow, --connect: none is given, so nothing could pass; name a host")

    @property
    def tunnels(self) -> list[str]:
        """The hosts that are reached without being looked at."""
        return sorted(f"{host}:{port}" for host, port in self._connect)

    def connectable(self, request: Request) -> Decision:
        """Classify a CONNECT, by its host alone."""
        if any((name, request.port) in self._connect for name in _names(request.host)):
            return Decision("tunnel", "the host is on the list; what is said inside TLS is not seen")
        return Decision("refuse", "CONNECT to a host that is not on the list (--connect)")

    def host_allowed(self, request: Request) -> Decision | None:
        """The refusal of a plain request whose host is not on the list, ``None`` if it is."""
        if self._preset(request) is None:
            return Decision("refuse", "a host that is not on the list (--allow)")
        return None

    def classify(self, request: Request, body: bytes) -> Decision:
        """Classify a plain request, by method and policy. ``body`` is whole."""
        preset = self._preset(request)
        if preset is None:
            return Decision("refuse", "a host that is not on the list (--allow)")
        if request.method not in _SAFE and not (preset and request.method == "POST"):
            why = "is not a safe method" if preset else "is not a safe method, and the host has no preset"
            return Decision("refuse", f"{request.method[:16]} {why}", True)
        effect = classify_request(request.method, request.target, request.headers, body, preset or _METHOD_ONLY)
        if not effect.is_read:
            return Decision("refuse", effect.reason, True)
        if not effect.is_inference:
            return Decision("forward", effect.reason)
        # The verdict is that of the normalised body (no state kept, no acting tools), so this is what may leave.
        try:
            kept, changes = normalise_llm_body(preset, request.target, body)
        except ValueError as error:
            return Decision("refuse", str(error), True)
        return Decision("forward", effect.reason, body=kept, changes=tuple(changes))

    def _preset(self, request: Request) -> str | None:
        return next(
            (self._allow[name, request.port] for name in _names(request.host) if (name, request.port) in self._allow),
            None,
        )


def _names(host: str) -> list[str]:
    """``host``, and the wildcards above it."""
    labels = host.split(".")
    return [host, *("*." + ".".join(labels[index:]) for index in range(1, len(labels)))]


def _entry(field: str, text: str, default: int) -> tuple[str, int, str]:
    found = _ENTRY.match(text.lower())
    port = int(found["port"] or default) if found else 0
    if found is None or not 1 <= port <= 65_535:
        raise ConfigError(
            f"{field} = {text!r}: write HOST, HOST:PORT or HOST:PORT=PRESET, for example api.internal:8080"
        )
    return found["host"].strip("[]"), port, found["preset"] or ""
