"""Live λ: each scored exchange finds its paraphrase group, and every arm's answer is read against its earlier ones.

Invariants: prod's answer to an exchange is observed once, however many shadows it is compared with, and in whatever
batch their answers come; a worker that starts goes on with the groups that the last one saved, or says in its log why
it starts with none. What came after the last save of a killed worker is not in its successor's groups (its rows are in
the store, with their readings).
"""

from __future__ import annotations

import contextlib
import logging
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..config import ScoreConfig
from ..embedders import Embedder
from ..errors import DetectorError, ScoreError
from ..providers.question import Question, find_question
from ..types import Citation, Copy, GroupReading
from .groups import Observation, ParaphraseGroups

__all__ = ["Answered", "LiveGroups", "citation_keys"]

log = logging.getLogger("shadowlane.score")

_RECENT = 8192
"""Exchanges whose prod answer is remembered as observed: several times what a worker holds in flight."""
_PROD = "\x00prod"
"""Prod's name among the arms: no shadow can have it."""


class Answered(NamedTuple):
    """One pair, as far as groups need it."""

    copy: Copy
    shadow: str
    prod_row: NDArray[np.float32]
    shadow_row: NDArray[np.float32]
    prod_cites: frozenset[Hashable]
    shadow_cites: frozenset[Hashable]
    prod_down: bool
    shadow_down: bool
    delta: float | None


class LiveGroups:
    """The groups of one lane. Not safe for several threads at once."""

    def __init__(self, embedder: Embedder, config: ScoreConfig, folder: Path | None = None) -> None:
        self._embedder = embedder
        self._folder = folder
        self._recent: OrderedDict[str, tuple[int, int, Observation | None]] = OrderedDict()
        self._changed = False
        fresh = ParaphraseGroups(
            embedder.dim,
            embedder=embedder.name,
            threshold=config.group_threshold,
            capacity=config.group_capacity,
            window=config.group_window,
            index=config.group_index,
        )
        self._groups = self._saved(fresh, config) or fresh

    def __len__(self) -> int:
        return len(self._groups)

    def read(self, answered: Sequence[Answered]) -> list[GroupReading | None]:
        """The reading of each pair, in order; ``None`` for a request that asks nothing we know.

        Raises :class:`~shadowlane.errors.ScoreError` when the embedder fails.
        """
        self._find([one for one in answered if one.copy.shadow_id not in self._recent])
        readings = [self._reading(one) for one in answered]
        while len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        return readings

    def save(self) -> None:
        """Write the groups, when they changed and have a folder. Raises :class:`~shadowlane.errors.ScoreError`."""
        if self._folder is not None and self._changed:
            self._groups.save(self._folder)
            self._changed = False

    def _saved(self, fresh: ParaphraseGroups, config: ScoreConfig) -> ParaphraseGroups | None:
        if self._folder is None or not (self._folder / "groups.bin").exists():
            return None
        try:
            groups = ParaphraseGroups.load(self._folder, embedder=fresh.embedder, index=config.group_index)
        except ScoreError as error:
            log.warning("paraphrase groups start anew: %s", error)
            return None
        for name in ("dim", "threshold", "capacity", "window"):
            before, now = getattr(groups, name), getattr(fresh, name)
            if before != now:
                log.warning("paraphrase groups start anew: their %s was %s, and is %s now", name, before, now)
                return None
        log.info("%d paraphrase groups taken over from %s", len(groups), self._folder)
        return groups

    def _find(self, answered: Sequence[Answered]) -> None:
        """Give each new exchange its group, and observe prod's answer to it."""
        unseen = {one.copy.shadow_id: one for one in answered}
        questions: dict[str, Question] = {}
        for key, one in unseen.items():
            with contextlib.suppress(DetectorError):  # what nobody could look at has no group; the others have theirs
                if (found := find_question(one.copy)) is not None:
                    questions[key] = found
        if not questions:
            return
        rows = self._embedder.embed([found.text for found in questions.values()])
        numbers = self._groups.assign_each(rows, [found.scope for found in questions.values()])
        for key, number in zip(questions, numbers, strict=True):
            one, seen = unseen[key], self._groups.size(number)
            prod = self._groups.observe(number, _PROD, one.prod_row, one.prod_cites, collapsed=one.prod_down)
            self._recent[key] = (number, seen, prod)
        self._changed = True

    def _reading(self, one: Answered) -> GroupReading | None:
        found = self._recent.get(one.copy.shadow_id)
        if found is None:
            return None
        number, seen, prod = found
        shadow = self._groups.observe(
            number, one.shadow, one.shadow_row, one.shadow_cites, collapsed=one.shadow_down, delta=one.delta
        )
        if prod is None or shadow is None:
            return None  # the group was dropped meanwhile: there is nothing left to compare with
        return GroupReading(
            number=number,
            seen=seen,
            prod=prod.state,
            shadow=shadow.state,
            prod_flip=prod.flipped,
            flip=shadow.flipped,
            trend=shadow.trend or "",
        )


def citation_keys(citations: Sequence[Citation]) -> frozenset[Hashable]:
    """What an answer cites, as λ compares it: each citation by the strongest identity that it has."""
    if not citations:
        return frozenset()
    keys = (
        one.snippet_id or " ".join(filter(None, (one.source_url, one.section_id))) or " ".join(one.text.split())
        for one in citations
    )
    return frozenset(key for key in keys if key)
