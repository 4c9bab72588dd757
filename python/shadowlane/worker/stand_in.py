"""Where nobody saw prod's answer, as behind a mirror of requests alone, ``[control]`` answers in its stead.

Invariants: the control is asked before the shadows, with the sanitized copy, once an exchange; what it answers is
redacted before it counts as prod's; where it gives no answer the shadows are not asked, and that says nothing about
them (``prod_failed``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol

import msgspec

from ..dispatch.arm import Arm
from ..types import FLAG_NO_PROD, Copy, Headers

__all__ = ["NOBODY", "StandIn"]

log = logging.getLogger("shadowlane.worker")

NOBODY = "prod's answer was not seen, and there is no [control] that could answer in its stead"


class _Sanitizer(Protocol):
    def response(
        self, headers: Headers, body: bytes, cut: bool
    ) -> tuple[list[tuple[bytes, bytes]], bytes, dict[str, int], str]: ...


class StandIn:
    """Asks ``control``; ``None``: there is none."""

    def __init__(self, control: Arm | None, sanitizer: _Sanitizer) -> None:
        self._control = control
        self._sanitizer = sanitizer

    @staticmethod
    def is_needed(copy: Copy) -> bool:
        """Whether the exchange came without prod's answer."""
        return bool(copy.flags & FLAG_NO_PROD) and not copy.status

    async def fill(self, copy: Copy) -> tuple[Copy, str]:
        """The exchange with the control's answer as prod's; or as it was, and why there is none."""
        if self._control is None:
            return copy, NOBODY
        outcome = await self._control.deliver(copy)
        if outcome.reason:
            return copy, f"the control, in prod's stead, gave no answer: {outcome.reason}"
        try:
            headers, body, findings, _ = await asyncio.to_thread(
                self._sanitizer.response, outcome.headers, outcome.body, False
            )
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # a panic of an extension is no Exception
            log.error("an answer of the control could not be sanitized: %s", type(error).__name__)
            return copy, f"the control's answer could not be sanitized: {type(error).__name__}"
        filled = msgspec.structs.replace(
            copy,
            status=outcome.status,
            response_headers=tuple(headers),
            response_body=body,
            ttfb_ns=outcome.ttfb_ns,
            duration_ns=outcome.duration_ns,
            findings=_added(copy.findings, findings),
        )
        return filled, ""


def _added(counts: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {kind: counts.get(kind, 0) + more.get(kind, 0) for kind in {**counts, **more}}
