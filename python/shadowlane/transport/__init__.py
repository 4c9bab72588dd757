"""How a copy reaches a shadow. The worker knows only :class:`~shadowlane.types.Transport`; HTTP is the first one.

Invariant: ``send`` never raises, whatever the shadow does; a copy always comes back as one
:class:`~shadowlane.types.Outcome`, with a reason when the shadow did not answer.
"""

from __future__ import annotations

from .. import _core
from ..config import ShadowConfig
from ..types import Transport
from .http import HttpTransport
from .native import NativeTransport
from .rounds import Rounds
from .stub import Reader

__all__ = ["HttpTransport", "NativeTransport", "Transport", "open_transport"]


def open_transport(
    name: str,
    shadow: ShadowConfig,
    credential: tuple[bytes, bytes] | None,
    *,
    read: Reader | None = None,
    stub_rounds: int = 0,
    where: str | None = None,
    propagate: bool = False,
    sanitizer: _core.Sanitizer | None = None,
    sanitized_bytes: int = 0,
) -> HttpTransport | NativeTransport:
    """The transport to ``shadow``; ``credential`` is the header that authenticates there (name, value). Which one it is
    says ``shadow.transport``; its ``kind`` is ``native`` or ``aiohttp``.

    ``read`` tells what an answer says (content type, body), so that tool calls in it are seen and recorded; they are
    answered up to ``stub_rounds`` times. ``where`` stands before a field's name in messages: ``shadows.NAME.`` unless
    given. ``propagate``: the copy carries the context of its own span (``telemetry.propagate``). ``sanitizer``: a
    native transport hands out answers of up to ``sanitized_bytes`` sanitized as well.

    Connects nowhere yet. Raises :class:`~shadowlane.errors.MissingExtraError` without aiohttp where it is needed, and
    :class:`~shadowlane.errors.ConfigError` when ``ca_file`` cannot be used.
    """
    rounds = Rounds(name, shadow, credential, read=read, stub_rounds=stub_rounds, where=where, propagate=propagate)
    if shadow.runs_native:
        return NativeTransport(rounds, sanitizer=sanitizer, sanitized_bytes=sanitized_bytes)
    return HttpTransport(rounds)
