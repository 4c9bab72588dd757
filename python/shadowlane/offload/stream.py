"""The seam: what forwarding hosts and judges ask of a server, whichever that is.

Behind it stands Redis or Valkey (:mod:`.redis`). Another one, such as Kafka, would have to say how a single message is
acknowledged, claimed from a consumer that is gone, and set aside; its client and a server for its tests are not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from .figures import Figures
from .record import Forwarded

__all__ = ["Accounts", "Message", "Owned", "Stream", "StreamState"]


class Message(NamedTuple):
    """A message that this judge has."""

    id: str
    source: str
    """Who published it; empty when it does not say."""
    version: str
    record: bytes


class Owned(NamedTuple):
    """One that was delivered before and waits at this judge, without its contents."""

    id: str
    deliveries: int


class Accounts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one source's copies, or of all."""

    base: int = 0
    """Frames of its lane that were acknowledged before it forwarded."""
    forwarded: int = 0
    judged: int = 0
    set_aside: int = 0


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """The stream and its accounts at one moment, as the server keeps them.

    ``total.forwarded = total.judged + total.set_aside + lost + length``, whatever was killed (:attr:`missing`).
    """

    length: int = 0
    """Copies that are in it: waiting, or with a judge."""
    pending: int = 0
    """Those of them that a judge has."""
    age_s: float = 0.0
    """How old the oldest one is, by the server's clock."""
    lost: int = 0
    """Delivered, and deleted from the stream by something else before they were judged."""
    foreign: int = 0
    """Messages that were set aside and do not say which host published them."""
    kept_aside: int = 0
    """Messages in the stream of those set aside."""
    judges: int = 0
    """Judges that gave a sign of life within ``offload.claim_s``, whether they hold copies or not."""
    total: Accounts = Accounts()
    sources: dict[str, Accounts] = {}

    @property
    def missing(self) -> int:
        """Copies that the server took and has no more; below 0: messages that no host of ours published."""
        return self.total.forwarded - self.total.judged - self.total.set_aside - self.lost - self.length


class Stream(Figures, Protocol):
    """The stream of a mirror. Calls wait for the server no longer than ``offload.timeout_s``, and may come from any
    thread. Each raises :class:`~shadowlane.errors.OffloadError` when it cannot be carried out, and may be repeated.
    """

    def publish(self, source: str, records: Sequence[Forwarded], forget: Sequence[str]) -> int:
        """Publish records in their order and return how many of the first of them are in the stream now: fewer than
        given when it is full. One that is in it already, by ``shadow_id``, is not put there again while it is
        remembered; ``forget``: ids whose frames are acknowledged, which cannot come again.

        Raises :class:`~shadowlane.errors.OffloadFullError` when the server has no memory; then none was taken.
        """

    def join(self, source: str, base: int) -> list[str]:
        """Begin to publish as ``source``; its first ``base`` stays. Returns its ids that are not forgotten yet."""

    def read(self, most: int) -> list[Message]:
        """Messages that no judge had yet."""

    def owned(self) -> list[Owned]:
        """Messages that this judge was given, and that are not acknowledged: its predecessor's, when it starts."""

    def claim(self, cursor: str) -> tuple[str, list[Owned]]:
        """Take over some that belong to judges which gave no sign of life for ``offload.claim_s``, and where to go on;
        the cursor is ``"0-0"`` at the beginning and at the end."""

    def take(self, ids: Sequence[str]) -> list[Message]:
        """Of :meth:`owned` and :meth:`claim`: the contents, for the next delivery. Those that are gone are left out."""

    def beat(self, ids: Sequence[str]) -> None:
        """A sign of life for messages that are held. Takes none back that another judge has by now."""

    def works(self) -> None:
        """A sign of life of this judge, whether it holds messages or not."""

    def leave(self) -> None:
        """This judge ends."""

    def acknowledge(self, done: Sequence[tuple[str, str]]) -> int:
        """These ``(id, source)`` are judged; returns how many were not acknowledged before."""

    def set_aside(self, message_id: str, reason: str) -> None:
        """Move one to those that nobody judges."""

    def tidy(self) -> None:
        """Remove consumers that are gone, and accounts of sources that were settled long ago."""

    def state(self) -> StreamState:
        """The stream now."""

    def close(self) -> None:
        """Give back connections."""
