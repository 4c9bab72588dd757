"""Live paraphrase groups: requests that ask the same, found by their embeddings, and how each arm answers them.

Invariants: memory is bounded: at most ``capacity`` groups, the one not seen for longest goes first, and at most
``window`` answers are kept for each group and arm; a group's number is never given to another group; what was saved
and loaded again goes on with the same groups, numbers and histories.

A group is led by its first request: a request joins the group of the nearest leader of its own scope when their cosine
reaches the threshold, else it leads a new one. So a group cannot drift by chains of near neighbours. The scope is a
number that the caller gives: requests of different scopes (another route, model, system prompt, other figures in the
question) never share a group, however alike they read. No text is kept: embeddings of sanitized text only.
The leaders are looked up in one of the indexes of ``leaders``; what is saved does not depend on which.
"""

from __future__ import annotations

import os
import struct
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, ScoreError
from ..files import private_file
from .arm import ArmHistory
from .lambda_ import State
from .leaders import Leaders, open_leaders

__all__ = ["Observation", "ParaphraseGroups", "Purity", "purity"]

_FORMAT = 2
_ARRAY, _ARRAY_32 = struct.Struct(">BI"), 0xDD
"""The head of an array of msgpack (array 32), and its mark: https://github.com/msgpack/msgpack/blob/master/spec.md."""


class Observation(NamedTuple):
    """What one more answer of an arm says of its group."""

    group: int
    state: State
    """The new answer's state against the medoid of the arm's answers to this group."""
    flipped: bool
    """Whether the state differs from the one before it."""
    flips: int
    """How often this arm has flipped in this group so far."""
    trend: State | None
    """λ of the arm's series of ΔS in this group; ``None`` below two values."""


@dataclass(slots=True)
class _Group:
    slot: int
    scope: int = 0
    size: int = 0
    arms: dict[str, ArmHistory] = field(default_factory=dict)


class _SavedArm(msgspec.Struct, array_like=True):
    rows: list[bytes]
    citations: list[list[str]]
    collapsed: list[bool]
    deltas: list[float]
    state: State | None
    flips: int


class _SavedGroup(msgspec.Struct, array_like=True):
    number: int
    slot: int
    scope: int
    size: int
    arms: dict[str, _SavedArm]


class _Saved(msgspec.Struct):
    format: int
    embedder: str
    dim: int
    threshold: float
    capacity: int
    window: int
    next_number: int
    groups: list[_SavedGroup]


class ParaphraseGroups:
    """Groups of requests that ask the same. Not safe for several threads at once.

    ``threshold`` is the least cosine to a group's leader, in (0, 1]: high enough that a group rarely mixes questions,
    at the price of several groups for one question (``make judge-bench`` measures both). ``capacity`` is the most
    groups held at a time, ``window`` the answers kept for each group and arm. ``index`` is how the nearest leader is
    found: ``exact``, or ``hnsw`` for hundreds of thousands of groups. ``embedder`` names the embedder of the requests:
    groups that were saved with another one are refused on load.

    Raises :class:`~shadowlane.errors.ConfigError` for a value out of range and
    :class:`~shadowlane.errors.MissingExtraError` for ``hnsw`` when hnswlib is not installed.
    """

    def __init__(
        self,
        dim: int,
        *,
        embedder: str = "",
        threshold: float = 0.70,
        capacity: int = 4096,
        window: int = 6,
        index: Literal["exact", "hnsw"] = "exact",
        seed: int = 0,
    ) -> None:
        if not 0 < threshold <= 1:
            raise ConfigError(f"threshold = {threshold}: must be a cosine in (0, 1]")
        for name, value in (("dim", dim), ("capacity", capacity), ("window", window)):
            if value < 1:
                raise ConfigError(f"{name} = {value}: must be at least 1")
        self.dim, self.embedder, self.threshold = dim, embedder, threshold
        self.capacity, self.window = capacity, window
        self._leaders: Leaders = open_leaders(index, dim, capacity, seed)
        self._groups: OrderedDict[int, _Group] = OrderedDict()
        self._at_slot: dict[int, int] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._groups)

    def assign(self, rows: NDArray[np.float32], scopes: Sequence[int] | None = None) -> NDArray[np.int64]:
        """The groups of n requests, in order: (n, dim) float32 unit rows to (n,) group numbers, new groups included.

        ``scopes`` holds a number for each request, below 2^64; without it all are of one scope. Raises
        :class:`~shadowlane.errors.ScoreError` when a shape or type is wrong or a row is not finite.
        """
        return np.fromiter(self.assign_each(rows, scopes), dtype=np.int64, count=len(rows))

    def assign_each(self, rows: NDArray[np.float32], scopes: Sequence[int] | None = None) -> Iterator[int]:
        """The same one by one: what the caller does in between comes before the next request is looked at."""
        if rows.ndim != 2 or rows.shape[1] != self.dim or rows.dtype != np.float32:
            raise ScoreError(f"assign: rows are {rows.dtype} {rows.shape}; give float32 (n, {self.dim})")
        if not np.isfinite(rows).all():
            raise ScoreError("assign: a row is not finite; check the embedder")
        if scopes is not None and len(scopes) != len(rows):
            raise ScoreError(f"assign: {len(rows)} rows and {len(scopes)} scopes; give one for each row")
        scopes = scopes or [0] * len(rows)
        return map(self._assign, rows, scopes, self._leaders.nearest_each(rows, scopes, self.threshold))

    def size(self, group: int) -> int:
        """How many requests a group has taken; 0 for one that was dropped or never was."""
        found = self._groups.get(group)
        return found.size if found else 0

    def observe(
        self,
        group: int,
        arm: str,
        answer: NDArray[np.float32],
        citations: Iterable[Hashable] = (),
        *,
        collapsed: bool = False,
        delta: float | None = None,
    ) -> Observation | None:
        """Record an arm's answer to a request of a group, and read its λ; ``None`` when the group was dropped.

        ``answer`` is its (d,) float32 unit row, ``delta`` its ΔS to prod's answer where it has one. The state is that
        of :func:`~shadowlane.score.lambda_.lambda_group` over the arm's last ``window`` answers to this group.
        """
        found = self._groups.get(group)
        if found is None:
            return None
        history = found.arms.get(arm)
        if history is None:
            history = found.arms[arm] = ArmHistory()
        read = history.observe(self.window, answer, citations, collapsed, delta)
        return Observation(group, read.state, read.flipped, history.flips, read.trend)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the groups into a folder (made 0700, files 0600), whole or not at all. Citations are kept as texts.

        Raises :class:`~shadowlane.errors.ScoreError` when the folder cannot be written.
        """
        target = Path(folder)
        try:
            target.mkdir(mode=0o700, parents=True, exist_ok=True)
            # One file, so that a crash between two of them cannot pair old groups with new leaders.
            with private_file(target / "groups.bin", durable=True) as file:
                self._write(file)
        except OSError as error:
            raise ScoreError(f"{target}: the paraphrase groups cannot be saved: {error.strerror}") from None

    def _write(self, file: BinaryIO) -> None:
        """The size of :class:`_Saved` in msgpack (8 bytes, little-endian), that itself, and the leaders in its order.

        Group by group: all of them at once are several times what they take here.
        """
        none = _Saved(_FORMAT, self.embedder, self.dim, self.threshold, self.capacity, self.window, self._next, [])
        head = msgspec.msgpack.encode(none)[:-1]  # the last byte is the empty array of groups
        size = len(head) + _ARRAY.size
        file.write(bytes(8) + head + _ARRAY.pack(_ARRAY_32, len(self._groups)))
        for number, group in self._groups.items():
            size += file.write(msgspec.msgpack.encode(_saved(number, group)))
        for group in self._groups.values():
            file.write(self._leaders.row(group.slot).astype(np.float32).tobytes())
        file.seek(0)
        file.write(size.to_bytes(8, "little"))

    @classmethod
    def load(
        cls,
        folder: str | os.PathLike[str],
        *,
        embedder: str = "",
        index: Literal["exact", "hnsw"] = "exact",
        seed: int = 0,
    ) -> ParaphraseGroups:
        """Groups as :meth:`save` wrote them, whichever index they had.

        Raises :class:`~shadowlane.errors.ScoreError` when there are none, when the file is damaged, or when they were
        built with another embedder.
        """
        file = Path(folder) / "groups.bin"
        try:
            data = file.read_bytes()
        except OSError as error:
            raise ScoreError(f"{file}: the paraphrase groups cannot be read: {error.strerror}") from None
        size = int.from_bytes(data[:8], "little")
        try:
            state = msgspec.msgpack.decode(memoryview(data)[8 : 8 + size], type=_Saved)
            leaders = np.frombuffer(data, np.float32, offset=8 + size).reshape(len(state.groups), state.dim)
            if not np.isfinite(leaders).all():
                raise ValueError("a leader is not finite")
            arms = [arm for group in state.groups for arm in group.arms.values()]
            if any(len(row) != state.dim * leaders.itemsize for arm in arms for row in arm.rows):
                raise ValueError("an answer's row has another length")
        except (msgspec.DecodeError, ValueError) as error:
            raise ScoreError(f"{file}: the paraphrase groups are damaged ({error}); delete the file") from None
        if state.format != _FORMAT:
            raise ScoreError(f"{file}: has format {state.format}, this release reads {_FORMAT}; delete the file")
        if state.embedder != embedder:
            raise ScoreError(
                f"{file}: was built with the embedder {state.embedder!r}, and this one is {embedder!r}; "
                "delete the file, or go back to that embedder"
            )
        groups = cls(
            state.dim,
            embedder=embedder,
            threshold=state.threshold,
            capacity=state.capacity,
            window=state.window,
            index=index,
            seed=seed,
        )
        by_slot: dict[int, tuple[int, NDArray[np.float32]]] = {}
        for saved, leader in zip(state.groups, leaders, strict=True):
            group = _Group(saved.slot, saved.scope, saved.size)
            for name, arm in saved.arms.items():
                group.arms[name] = ArmHistory(
                    tuple(np.frombuffer(row, dtype=np.float32) for row in arm.rows),
                    tuple(frozenset(cited) for cited in arm.citations),
                    tuple(arm.collapsed),
                    tuple(arm.deltas),
                    arm.state,
                    arm.flips,
                )
            groups._groups[saved.number] = group
            groups._at_slot[saved.slot] = saved.number
            by_slot[saved.slot] = (saved.scope, leader)
        if sorted(by_slot) != list(range(len(state.groups))):
            raise ScoreError(f"{file}: the paraphrase groups are damaged (slots are missing); delete the file")
        for slot, (scope, leader) in sorted(by_slot.items()):
            groups._leaders.set(slot, scope, leader)
        groups._next = state.next_number
        return groups

    def _assign(self, row: NDArray[np.float32], scope: int, found: int | None) -> int:
        """The group of a request whose nearest leader's slot is known, ``None`` when none is near enough."""
        if found is not None:
            number = self._at_slot[found]
            self._groups.move_to_end(number)
            self._groups[number].size += 1
            return number
        if len(self._groups) >= self.capacity:
            _, oldest = self._groups.popitem(last=False)
            del self._at_slot[oldest.slot]
            slot = oldest.slot
        else:
            slot = len(self._groups)
        number = self._next
        self._next += 1
        self._leaders.set(slot, scope, row)
        self._groups[number] = _Group(slot, scope, 1)
        self._at_slot[slot] = number
        return number


def _saved(number: int, group: _Group) -> _SavedGroup:
    arms = {
        name: _SavedArm(
            [row.tobytes() for row in arm.rows],
            [sorted(map(str, cited)) for cited in arm.citations],
            list(arm.collapsed),
            list(arm.deltas),
            arm.state,
            arm.flips,
        )
        for name, arm in group.arms.items()
    }
    return _SavedGroup(number, group.slot, group.scope, group.size, arms)


@dataclass(frozen=True, slots=True)
class Purity:
    """How found groups match known ones."""

    purity: float
    """Share of requests that lie in a group whose majority has their label, in [0, 1]."""
    recall: float
    """Share of pairs of one label that lie in one group, in [0, 1]."""
    groups: int


def purity(groups: NDArray[np.int64], labels: NDArray[np.int64]) -> Purity:
    """Purity and pairwise recall of found groups against known labels, both (n,).

    Raises :class:`~shadowlane.errors.ScoreError` when the lengths differ or there is nothing to compare.
    """
    if groups.shape != labels.shape or groups.ndim != 1 or not groups.size:
        raise ScoreError(
            f"purity: groups {groups.shape} against labels {labels.shape}; give as many of each, at least one"
        )
    _, found = np.unique(groups, return_inverse=True)
    _, true_labels = np.unique(labels, return_inverse=True)
    table = np.zeros((found.max() + 1, true_labels.max() + 1), dtype=np.int64)
    np.add.at(table, (found, true_labels), 1)
    same_label = table.sum(axis=0)
    pairs = int((same_label * (same_label - 1)).sum())
    joined = int((table * (table - 1)).sum())
    return Purity(
        purity=float(table.max(axis=1).sum() / groups.size),
        recall=joined / pairs if pairs else 1.0,
        groups=len(table),
    )
