"""What a fleet needs of an engine: to keep one document, and to replace it when nobody else did.

Invariants of every engine: ``swap`` writes only where version and life of the server are those that were read; what
it has said to have written stays, or the server's life is another one afterwards; no call takes longer than
:data:`TIMEOUT_S`, whatever the server or the network does; no error quotes the address's password.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

__all__ = ["TIMEOUT_S", "Engine", "Stored"]

TIMEOUT_S = 2.0


class Stored(NamedTuple):
    """What is stored: ``data`` under ``version`` (``None``: nothing), and which life of which server answered."""

    data: bytes | None
    version: int | None
    life: str


class Engine(Protocol):
    """See the module. Every call raises :class:`~shadowlane.errors.FleetError` when the engine does not do it."""

    kind: str
    """For people."""

    def read(self) -> Stored:
        """What is there now."""
        ...

    def swap(self, before: Stored, version: int, data: bytes) -> bool:
        """Replace what was read. ``False``: it is not there any more."""
        ...

    def notes(self) -> list[str]:
        """What about the server weakens what a fleet promises, in words."""
        ...

    def close(self) -> None:
        """Give the connection back. Raises nothing."""
        ...
