"""What the store asks of a database, whichever engine it is, and where the engines' SQL differs.

Queries are written once, in the SQL that both engines read: ``?`` for a value, ``FILTER``, ``ON CONFLICT``, the table's
name before a column on the right of an upsert, no boolean arithmetic. What cannot be said in both is in
:class:`Dialect`.

Invariant: a query's text is made of this package's words alone; what comes from outside goes in as a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

__all__ = ["ALL", "Cursor", "Database", "Dialect", "TimeIsOver", "Values"]

ALL = (1 << 63) - 1
"""A limit that limits nothing."""

Values = Sequence[Any] | Mapping[str, Any]


class TimeIsOver(Exception):
    """Raised by what is read within :meth:`Database.until`."""


class Dialect(NamedTuple):
    """Parts of queries."""

    route: str
    """The route of a row of ``pairs`` (:func:`~shadowlane.types.route_of`)."""
    route_parts: str
    """The columns that it is made of."""
    indexed: str
    """With the name of an index in ``{}``: behind a table, to have that index used."""
    not_indexed: str
    """Behind a table, to have no index used but the primary key."""
    now: str
    """Unix seconds by the database's clock, with their fractions."""
    bodies: str
    """When a row of ``bodies`` is that of a row of ``pairs``."""
    beside: str
    """Behind ``pairs``: the bodies of each row that comes, or NULLs; never a look through all bodies."""
    differences: tuple[str, str, str, str]
    """Shape, kind and JSON text of one difference, and the table of those of a row of ``pairs``."""
    furthest: str
    """With ``kept`` (a join), or ``first`` and ``also`` (the same, bodies first), and ``where``; a value for the limit:
    of each question (paraphrase group, or request) its row that is furthest apart, with the distance and the question's
    rows."""


class Cursor(Protocol):
    """The result of a query."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchmany(self, size: int, /) -> list[Any]: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...
    def close(self) -> None: ...


class Database(Protocol):
    """An open database. It belongs to one thread at a time."""

    dialect: Dialect

    def execute(self, query: str, values: Values = (), /) -> Cursor:
        """Outside of :meth:`transaction` it is one of its own."""
        ...

    def executemany(self, query: str, rows: Iterable[Sequence[Any]], /) -> object: ...

    def stream(self, query: str, values: Values = (), /) -> Cursor:
        """Of a result of any size: rows come as they are fetched, all of one state of the database, and beside it
        other things can be read and written. To be closed."""
        ...

    def transaction(self, *, alone: bool = False) -> AbstractContextManager[None]:
        """A write that happens whole or not at all. ``alone``: no other process writes to the lane's ``meta``."""
        ...

    def explained(self, doing: str) -> AbstractContextManager[None]:
        """Turn the engine's errors into :class:`~shadowlane.errors.StoreError`: with the database, the cause and the
        remedy."""
        ...

    def until(self, deadline: float) -> AbstractContextManager[None]:
        """What is read takes no longer than this moment of the monotonic clock; else :class:`TimeIsOver`."""
        ...

    def watch(self, stop: Callable[[], bool]) -> None:
        """Whatever is read ends soon once ``stop`` says so, with an error."""
        ...

    def drop_bodies(self, pair: int, /) -> None:
        """A row loses its bodies."""
        ...

    def close(self) -> None: ...
