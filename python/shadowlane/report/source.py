"""What a report reads: the protocol of the store, and the store of a lane that has stored nothing yet."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..columns import HostSeen, ScoreColumns, Timed
from ..gate.evidence import EvidenceSource
from ..status.routes import RouteSource
from ..store import MarkCounts, Order, ProdSeen, StoredPair

__all__ = ["NoPairs", "PairSource"]


class PairSource(EvidenceSource, RouteSource, Protocol):
    """What a report needs of the store."""

    def iter_pairs(
        self,
        since_ns: int | None = None,
        shadow: str | None = None,
        limit: int | None = None,
        with_bodies: bool = False,
        order: Order = "time",
        only_kept: bool = False,
    ) -> Iterator[StoredPair]: ...
    def policy_counts(
        self, shadow: str, since_ns: int | None = None, *, reverse: bool = False
    ) -> tuple[dict[str, int], int, int]: ...
    def difference_counts(self, shadow: str, since_ns: int | None = None) -> list[tuple[str, str, int, str]]: ...
    def judge_state(self) -> str: ...
    def mark_counts(self, shadow: str, since_ns: int = 0) -> MarkCounts: ...
    def said_counts(self, shadow: str, since_ns: int | None = None) -> dict[str, list[tuple[str, str, int]]]: ...
    def furthest_apart(
        self, shadow: str, since_ns: int | None, limit: int, *, only_kept: bool = False
    ) -> list[tuple[StoredPair, int]]: ...


class NoPairs:
    """The store of a lane whose worker has not stored anything yet."""

    def pieces(
        self, shadow: str, since_ns: int | None = None, *, without: Sequence[str] = (), until_ns: int = 0
    ) -> Iterator[ScoreColumns]:
        yield from ()

    def kept_fold(self, shadow: str, name: str, *, until_ns: int = 0) -> tuple[int, bytes] | None:
        return None

    def pieces_beside(
        self, shadow: str, other: str, since_ns: int | None = None, *, without: Sequence[str] = (), until_ns: int = 0
    ) -> Iterator[tuple[ScoreColumns, ScoreColumns]]:
        yield from ()

    def last_embedder(self, shadow: str, since_ns: int | None = None) -> str:
        return ""

    def iter_pairs(
        self,
        since_ns: int | None = None,
        shadow: str | None = None,
        limit: int | None = None,
        with_bodies: bool = False,
        order: Order = "time",
        only_kept: bool = False,
    ) -> Iterator[StoredPair]:
        yield from ()

    def policy_counts(
        self, shadow: str, since_ns: int | None = None, *, reverse: bool = False
    ) -> tuple[dict[str, int], int, int]:
        return {}, 0, 0

    def difference_counts(self, shadow: str, since_ns: int | None = None) -> list[tuple[str, str, int, str]]:
        return []

    def route_counts(self, shadow: str, since_ns: int | None, newest: int | None = None) -> list[tuple[str, int, int]]:
        return []

    def prod_seen(self, shadow: str, since_ns: int | None, newest: int | None = None) -> ProdSeen:
        return ProdSeen()

    def refused_routes(self, shadow: str, since_ns: int | None) -> list[tuple[str, int, int]]:
        return []

    def refusals(
        self, shadow: str, since_ns: int | None, newest: int | None = None
    ) -> list[tuple[int, str, str, str, str, int]]:
        return []

    def judge_state(self) -> str:
        return ""

    def mark_counts(self, shadow: str, since_ns: int = 0) -> MarkCounts:
        return MarkCounts(0, 0, 0, 0, 0)

    def said_counts(self, shadow: str, since_ns: int | None = None) -> dict[str, list[tuple[str, str, int]]]:
        return {"models": [], "finish": [], "tools": []}

    def furthest_apart(
        self, shadow: str, since_ns: int | None, limit: int, *, only_kept: bool = False
    ) -> list[tuple[StoredPair, int]]:
        return []

    def latency(self, since_ns: int) -> list[Timed]:
        return []

    def hosts(self) -> list[HostSeen]:
        return []

    def pins(self, shadow: str, since_ns: int) -> list[tuple[str, str, int, int, int]]:
        return []

    def first_ns(self, shadow: str) -> int | None:
        return None

    def after_answers(self, shadow: str, since_ns: int, answers: int) -> int | None:
        return None

    def segment_sums(
        self,
        shadow: str,
        since_ns: int,
        embedder: str,
        least: int,
        *,
        without: Sequence[str] = (),
        only: Container[tuple[str, str]] | None = None,
        reverse: bool = False,
    ) -> list[tuple[str, str, int, int, int, float, float, int, int]]:
        return []

    def failure_counts(
        self,
        shadow: str,
        since_ns: Sequence[int],
        not_sent: Sequence[str],
        *,
        without: Sequence[str] = (),
        reverse: bool = False,
    ) -> list[tuple[int, int]]:
        return [(0, 0)] * len(since_ns)

    def delta_values(self, shadow: str, since_ns: int, until_ns: int, embedder: str) -> Iterator[NDArray[np.float64]]:
        yield from ()

    def delta_sums(
        self, shadow: str, since_ns: int, until_ns: int, bin_ns: int, embedder: str, *, from_ns: int
    ) -> list[tuple[int, int, float, float]]:
        return []

    def window_restarted(self, shadow: str) -> int | None:
        return None

    def restart_reason(self, shadow: str) -> str:
        return ""
