"""Which host of a fleet does what is done once for all, where hosts share an engine and no store.

The leader of a task holds a lease under a fencing token that rises with each change of holder; both lie in a document
of the engine's, which is replaced only where it is the one that was read. As a share (:mod:`.member`), a lease ends by
observation: its holder counts from before it asked, the others from when they themselves saw the last sign of life, by
their own clocks and :data:`~.member.DRIFT` longer. Invariants: what is kept under a token is written in one step with
the proof that the token is the last one, so one that stood still, however long, keeps nothing; while
:attr:`FleetLeader.left_s` is above 0 nobody else leads, whatever engine, network and clocks do. A life of the server
that is not the one that wrote the document may have lost a leader: nobody takes over in it before a lease is over.
"""

from __future__ import annotations

import contextlib
import math
import secrets
import socket
from collections.abc import Callable

import msgspec

from ..errors import DeposedError, FleetError
from .engine import Engine, Stored
from .keeper import boottime
from .member import DRIFT

__all__ = ["LEADER", "LEASE_S", "FleetLeader", "Lead"]

LEADER = ":leader:"
"""Between the fleet's name and the task's, of the document's."""
LEASE_S = 20.0
_FORM = 1
_TRIES = 4


class Lead(msgspec.Struct, frozen=True):
    """The document. ``beat`` rises with each sign of life; ``life`` is the server's that it was written in; an empty
    ``holder`` resigned. ``kept`` is what leaders keep for their successors."""

    token: int
    beat: int
    life: str
    holder: str
    host: str
    kept: str = ""
    form: int = _FORM


class FleetLeader:
    """One worker's part in one task. Used by one thread at a time. Calls raise :class:`~shadowlane.errors.FleetError`
    where the engine is away, or keeps something else."""

    def __init__(
        self,
        engine: Engine,
        *,
        lease_s: float = LEASE_S,
        clock: Callable[[], float] = boottime,
        holder: str | None = None,
    ) -> None:
        self._engine = engine
        self._lease_s = lease_s
        self._clock = clock
        self._holder = secrets.token_hex(8) if holder is None else holder
        self._host = socket.gethostname()
        self._seen: tuple[str, Lead | None] | None = None
        self._seen_at = 0.0
        self._until = -math.inf
        self._kept = ""
        self.token = 0
        """That of this worker's lease; 0: it does not lead, as far as it knows."""

    @property
    def left_s(self) -> float:
        """For how long nobody else can have taken over; counted from before the engine was asked."""
        return max(self._until - self._clock(), 0.0) if self.token else 0.0

    def take(self) -> bool:
        """Take the lease, or go on with it; whether this worker leads now."""
        for _ in range(_TRIES):
            asked = self._clock()
            before, lead = self._read()
            if self._is_mine(before, lead):
                assert lead is not None
                after = msgspec.structs.replace(lead, beat=lead.beat + 1)
            elif self._is_free(before, lead):
                token, kept = (lead.token, lead.kept) if lead is not None else (0, "")
                after = Lead(token + 1, 1, before.life, self._holder, self._host, kept)
            else:
                break
            if self._write(before, after):
                self.token, self._until, self._kept = after.token, asked + self._lease_s, after.kept
                return True
        self.token = 0
        return False

    def go_on(self) -> None:
        """Hold the lease for longer. Raises as :meth:`keep`."""
        self._under(self.token, None)

    def keep(self, value: str, token: int) -> None:
        """Keep something for the successors, where ``token`` is still this worker's. Raises
        :class:`~shadowlane.errors.DeposedError` where it is not; then nothing is kept."""
        self._under(token, value)

    def kept(self) -> str:
        """What a leader kept last, as this worker knows since it took the lease; empty: nothing."""
        return self._kept

    def resign(self) -> None:
        """Let another one lead at once. Raises nothing: the lease ends by itself."""
        with contextlib.suppress(FleetError):
            if self.token:
                before, lead = self._read()
                if self._is_mine(before, lead):
                    assert lead is not None
                    self._write(before, msgspec.structs.replace(lead, holder="", beat=lead.beat + 1))
        self.token = 0

    def close(self) -> None:
        """Resign, and give the connection back."""
        self.resign()
        self._engine.close()

    def _under(self, token: int, value: str | None) -> None:
        for _ in range(_TRIES):
            asked = self._clock()
            before, lead = self._read()
            if not token or token != self.token or lead is None or not self._is_mine(before, lead):
                self.token = 0
                raise DeposedError("another host leads")
            after = msgspec.structs.replace(lead, beat=lead.beat + 1, kept=lead.kept if value is None else value)
            if self._write(before, after):
                self._until, self._kept = asked + self._lease_s, after.kept
                return
        raise FleetError("the leader's document is written by others without end")

    def _read(self) -> tuple[Stored, Lead | None]:
        before = self._engine.read()
        lead = _decoded(before.data) if before.data is not None else None
        if (before.life, lead) != self._seen:
            self._seen, self._seen_at = (before.life, lead), self._clock()
        return before, lead

    def _write(self, before: Stored, after: Lead) -> bool:
        if not self._engine.swap(before, (before.version or 0) + 1, msgspec.json.encode(after)):
            return False
        self._seen, self._seen_at = (before.life, after), self._clock()
        return True

    def _is_mine(self, before: Stored, lead: Lead | None) -> bool:
        return (
            lead is not None
            and self.token > 0
            and (lead.token, lead.holder, lead.life) == (self.token, self._holder, before.life)
        )

    def _is_free(self, before: Stored, lead: Lead | None) -> bool:
        """Whether whoever led has surely ended: it said so, or gave no sign for its lease since this host saw one."""
        if lead is not None and not lead.holder and lead.life == before.life:
            return True
        return self._clock() - self._seen_at >= self._lease_s * (1 + DRIFT)


def _decoded(data: bytes) -> Lead:
    try:
        lead = msgspec.json.decode(data, type=Lead)
    except msgspec.DecodeError as error:
        raise FleetError(
            f"what is stored under the fleet's name is no leader's document ({error}); choose another fleet.name"
        ) from None
    if lead.form != _FORM:
        raise FleetError(f"the leader's document is of form {lead.form}, and this release writes form {_FORM}")
    return lead
