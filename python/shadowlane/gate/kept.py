"""Folds that go on from where an earlier look, or the worker, has come: what is read are the rows after it.

Invariant: a fold that goes on is the one that began at the first row: the same pieces in the same order, by the same
code. So what decides what is folded is in the name of what is kept, and so is the code itself: another release, or one
that was changed by hand, never reads it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from .. import __version__
from ..columns import KeptFold
from .codec import DamagedStateError, decoded, encoded

__all__ = ["ALL", "SHARE", "BlockSource", "FoldSource", "Plan", "bring_forward", "folded", "name_of"]

ALL = (1 << 63) - 1
_PACKAGE = Path(__file__).parents[1]
_DECIDING = ("bands.py", "columns.py", "types.py", "gate/*.py", "store/*.py")
"""The code that decides what a fold is, as patterns."""
SHARE = 64
"""A state is brought forward when there is one more row to so many: a look reads no more than this part of them."""

_LEAST_ROWS = 1 << 14
"""So many rows are read in less time than a state is."""

_Fold = TypeVar("_Fold")
_Count = tuple[int, int]
"""How many rows, and the sum of their times."""


class FoldSource(Protocol):
    """What keeps folds."""

    def kept_fold(self, shadow: str, name: str, *, until_ns: int = ALL) -> tuple[int, bytes] | None: ...


class BlockSource(FoldSource, Protocol):
    """What whoever makes them needs beside."""

    def kept_until(self, shadow: str, name: str, *, until_ns: int = ALL) -> tuple[int, _Count] | None: ...
    def rolled_until(self, shadow: str, since_ns: int) -> int | None: ...
    def rows_in(self, shadow: str, since_ns: int, until_ns: int) -> _Count: ...


class Plan(Protocol[_Fold]):
    """What is to be folded."""

    @property
    def shadow(self) -> str: ...
    @property
    def control(self) -> str:
        """Whose rows are read beside it; empty: nobody's."""
        ...

    @property
    def since_ns(self) -> int: ...
    @property
    def until_ns(self) -> int:
        """Where the rows end that are wanted."""
        ...

    @property
    def deciding(self) -> dict[str, Any]:
        """Everything else that decides what the fold is, JSON-ready; with the kind of the fold."""
        ...

    def new(self) -> _Fold: ...
    def pieces(self, from_ns: int, until_ns: int) -> Iterator[Any]: ...
    def add(self, fold: _Fold, piece: Any) -> None: ...


@functools.cache
def release() -> str:
    """What tells this code from any other that would read a state."""
    known = hashlib.blake2b(__version__.encode(), digest_size=16)
    for path in sorted(path for pattern in _DECIDING for path in _PACKAGE.glob(pattern)):
        known.update(hashlib.blake2b(path.read_bytes()).digest())
    return known.hexdigest()


def name_of(plan: Plan[Any]) -> str:
    """How the states of a plan are called."""
    said = msgspec.json.encode([release(), plan.since_ns, plan.control, plan.deciding], order="sorted")
    return hashlib.blake2b(said, digest_size=16).hexdigest()


def folded(store: FoldSource, plan: Plan[_Fold]) -> _Fold:
    """The fold of all rows of a plan."""
    fold, from_ns = _begun(store, plan, plan.until_ns)
    for piece in plan.pieces(from_ns, plan.until_ns):
        plan.add(fold, piece)
    return fold


def _begun(store: FoldSource, plan: Plan[_Fold], until_ns: int) -> tuple[_Fold, int]:
    fold = plan.new()
    kept = store.kept_fold(plan.shadow, name_of(plan), until_ns=until_ns)
    if kept is not None:
        with contextlib.suppress(DamagedStateError):  # all rows are read, and the next state takes its place
            return decoded(kept[1], type(fold)), kept[0]
    return fold, plan.since_ns


def bring_forward(store: BlockSource, plan: Plan[Any]) -> Iterator[KeptFold | None]:
    """Fold what has come to blocks since the state of a plan was kept, where it is enough: ``None`` after each piece,
    so that others have their turn, and at last the new state, unless other rows have come to its time meanwhile."""
    rolled = store.rolled_until(plan.shadow, plan.since_ns)
    if rolled is None:
        return
    yield None
    name, until = name_of(plan), min(rolled, plan.until_ns)
    rows = _rows(store, plan, until)
    yield None
    kept = store.kept_until(plan.shadow, name, until_ns=until)
    before = 0 if kept is None else kept[1][0]
    if rows[0][0] - before < max(_LEAST_ROWS, before // SHARE):
        return
    yield None
    fold, from_ns = _begun(store, plan, until)
    for piece in plan.pieces(from_ns, until):
        plan.add(fold, piece)
        yield None
    if _rows(store, plan, until) == rows:
        yield KeptFold(plan.shadow, name, plan.since_ns, until, plan.control, *rows, encoded(fold, type(fold)))


def _rows(store: BlockSource, plan: Plan[Any], until_ns: int) -> tuple[_Count, _Count]:
    theirs = store.rows_in(plan.control, plan.since_ns, until_ns) if plan.control else (0, 0)
    return store.rows_in(plan.shadow, plan.since_ns, until_ns), theirs
