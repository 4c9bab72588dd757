"""An arm that waits where a lane's would give up: recorded traffic does not run away.

Invariants: a copy is sent as soon as limits, breaker and cap let it, and not before; when the budget is used up, the
breaker stays open for too long, or nobody ever answers, the run ends and leaves the rest unsent, for the next run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from ..config.shown import shown_url
from ..dispatch.arm import Arm
from ..dispatch.delivery import Awaited, Sending, outcome_of
from ..types import Copy, Outcome

__all__ = ["PATIENCE_S", "Patience", "PatientArm"]

PATIENCE_S = 600.0
"""How long a breaker may stay open before the run ends."""
_LOOK_S = 0.05
_TRIES_UNREACHED = 3
_UNREACHED_S = 1.0
_LATER = ("breaker_open", "provider_limit", "cap")


class Patience:
    """Shared by the arms of a run: whether it goes on, and why not."""

    def __init__(self, give_up: Callable[[str], None], patience_s: float = PATIENCE_S) -> None:
        self.give_up = give_up
        self.patience_s = patience_s
        self.over = False

    def end(self, why: str) -> None:
        """End the run; copies that wait are not sent."""
        if not self.over:
            self.over = True
            self.give_up(why)


class PatientArm(Arm):
    """See the module. Set :attr:`patience` before the first copy."""

    patience: Patience
    url = ""
    way = "tasks"
    answered = 0
    """Copies that had an answer, whatever its status."""

    def begin(self, copy: Copy, ended: Callable[[Sending], None], *, give_way: bool = False) -> Sending:
        """As :meth:`Arm.begin`, and never gives way; a copy that was not sent when the run ends is given back."""
        return Awaited(self._patiently(copy), ended)

    async def _patiently(self, copy: Copy) -> Outcome:
        loop, once = asyncio.get_running_loop(), partial(super().begin, copy)
        refused_since: float | None = None
        unreached = 0
        while True:
            if self.patience.over:
                raise asyncio.CancelledError
            outcome = await outcome_of(once)
            if outcome.reason == "budget" and not outcome.tries:
                self.patience.end(f"{self.name}: its budget is used up; run the same command again when there is more")
            elif outcome.reason in _LATER and not outcome.tries:
                now = loop.time()
                refused_since = now if refused_since is None else refused_since
                if now - refused_since > self.patience.patience_s:
                    waited = f"nothing could be sent for {self.patience.patience_s:g} s ({outcome.reason})"
                    self.patience.end(f"{self.name}: {waited}; mend it, then run the same command again")
                await asyncio.sleep(_LOOK_S)
            elif outcome.reason == "connect_error" and not self.answered:
                unreached += 1
                if unreached >= _TRIES_UNREACHED:
                    at = shown_url(self.url)
                    said = f"{self.name} at {at}: gave no answer: {outcome.detail or outcome.reason}"
                    self.patience.end(f"{said}; start it or correct the address, then run the same command again")
                await asyncio.sleep(_UNREACHED_S)
            else:
                self.answered += not outcome.reason
                return outcome
