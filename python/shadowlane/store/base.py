"""A store, whichever engine keeps it: what is written, and how it is opened and closed.

Invariants: a batch is stored whole or not at all; no (shadow_id, shadow) is stored or counted twice; counters outlive
the rows that retention deletes, and retention leaves young rows alone (:mod:`.pruning`). Sums that several processes
raise are raised in the order of their keys, so that no two wait for each other.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ..columns import HostCounts, KeptFold
from ..types import JudgeVerdict, Pair
from .backlog import BEGUN, DAMAGED, begun
from .block_totals import PartTotals
from .blocks import Block
from .columns import judge_values
from .engine import Database
from .exemplars import Exemplars
from .folds import drop_left, put_fold
from .hosts import forget_hosts, save_host
from .latency import PUT_ROW
from .observed import ADD_OBSERVED, Tally
from .pruning import Retention
from .reading import ANSWERED, HOUR_NS, Reads
from .retention import RetentionClock
from .rolling import drop_damaged, drop_judged, drop_lost, made, put
from .rows import to_bodies, to_row

if TYPE_CHECKING:
    from .leader import Leader  # needs psycopg

__all__ = ["SET_META", "Row", "Store"]

_Self = TypeVar("_Self", bound="Store")

Row = Sequence[Any]
"""A pair as :func:`.rows.to_row` gives it."""

SET_META = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
_MINUTE_NS = 60 * 10**9
_ADD_SPENT = (
    "INSERT INTO spend (shadow, minute, tokens, money) VALUES (?, ?, ?, ?) ON CONFLICT (shadow, minute) DO UPDATE SET "
    "tokens = spend.tokens + excluded.tokens, money = spend.money + excluded.money"
)
_ADD_COUNT = (
    "INSERT INTO counts (lane_epoch, shadow, reason, n) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (lane_epoch, shadow, reason) DO UPDATE SET n = counts.n + excluded.n"
)
_ADD_ARM = "INSERT INTO arms (lane_epoch, shadow, base) VALUES (?, ?, ?) ON CONFLICT (lane_epoch, shadow) DO NOTHING"
_PUT_VERDICT = "UPDATE pairs SET judge = ?, judge_why = ?, judge_model = ? WHERE shadow_id = ? AND shadow = ?"
_NAME_IT = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING"
_IDENTITY = "identity"
_FORGET = "DELETE FROM meta WHERE key = ?"
_SHADOWS = "SELECT DISTINCT shadow FROM arms ORDER BY shadow"
_JUDGE_STATE = "judge"
_RETENTION = "retention"
_LOOK_S = 30.0


class Store(Reads, ABC):
    """Pairs and counters in one database. Open it with :func:`shadowlane.store.open_store`; it belongs to one thread at
    a time."""

    def __init__(
        self,
        db: Database,
        *,
        max_age_ns: int,
        max_bytes: int,
        keep_bodies: Literal["all", "reservoir", "none"] = "all",
        exemplars: int = 20,
        clock_ns: Callable[[], int] = time.time_ns,
        read_only: bool = False,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        """``stop`` ends whatever is read once it says so: with a :class:`~shadowlane.errors.StoreError`, soon."""
        self._db = db
        self._max_age_ns = max_age_ns
        self._max_bytes = max_bytes
        self._clock_ns = clock_ns
        self._keep_bodies = keep_bodies
        if stop is not None:
            db.watch(stop)
        self._exemplars = Exemplars(db, exemplars) if keep_bodies == "reservoir" else None
        with db.explained("read"):
            known = dict(db.execute("SELECT key, value FROM meta").fetchall())
        self._look_s = _LOOK_S if read_only else 0.0
        self._looked: dict[int, float] = {}
        self._totals: dict[Block, PartTotals] = {}
        self._tail: dict[tuple[str, int, int], tuple[float, list[PartTotals]]] = {}
        self._damaged: set[int] = set()
        self._looked_at = self._read_at = 0
        """The number of the block whose rows, and of that whose contents were looked at last."""
        self._epoch: str = known.get("lane_epoch", "")
        self._retention = RetentionClock(known.get(_RETENTION, ""), wall_ns=clock_ns)
        self.leaders: dict[str, Leader] = {}
        """This worker's part in what one of several does for all, by task, where several may write to one store."""

    def close(self) -> None:
        """Close the database. Further calls raise :class:`~shadowlane.errors.StoreError`."""
        self._db.close()

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def save(self, pairs: Sequence[Pair]) -> int:
        """Store ``pairs`` in one transaction and return how many were new; a key that is there already is left alone.

        The counters of the current epoch, and what the shadows used, rise with the rows that were really inserted.
        Bodies are kept as ``keep_bodies`` says. Raises :class:`~shadowlane.errors.StoreError` (disk full, read-only,
        ...); then nothing of the batch is stored, or, where the connection was lost at the end, all of it may be:
        storing it again is right in both cases. Raises :class:`~shadowlane.errors.StoreLostError` when the open
        database is not the one that was opened any more: then nothing of the batch can be read there.
        """
        now = self._clock_ns()
        rows = [to_row(pair) for pair in pairs]
        bodies = to_bodies(pairs) if self._keep_bodies == "all" else []
        kept: list[tuple[int, tuple[bytes, ...]]] = []
        added: Counter[tuple[str, str]] = Counter()
        spent: dict[str, tuple[int, float]] = {}
        observed = Tally()
        try:
            with self._transaction("write"):
                for at, row in self._insert(now, pairs, rows):
                    pair, outcome = pairs[at], pairs[at].outcome
                    if bodies:
                        kept.append((row, bodies[at]))
                    elif self._exemplars is not None and self._exemplars.keeps(row, pair):
                        # At once: the next row may take its turn, and then these go.
                        self._put_bodies([(row, to_bodies([pair])[0])])
                    added[outcome.shadow, outcome.reason or ANSWERED] += 1
                    observed.add(pair)
                    if outcome.tokens or outcome.money:
                        tokens, money = spent.get(outcome.shadow, (0, 0.0))
                        spent[outcome.shadow] = tokens + outcome.tokens, money + outcome.money
                self._put_bodies(kept)
                minute = now // _MINUTE_NS
                self._db.executemany(_ADD_SPENT, [(shadow, minute, *used) for shadow, used in sorted(spent.items())])
                self._db.executemany(_ADD_COUNT, [(self._epoch, *key, n) for key, n in sorted(added.items())])
                self._db.executemany(ADD_OBSERVED, sorted(observed.rows()))
                self._finish_batch()
        except BaseException:
            if self._exemplars is not None:
                self._exemplars.forget()
            raise
        self._committed()
        return sum(added.values())

    @abstractmethod
    def _insert(self, now: int, pairs: Sequence[Pair], rows: Sequence[Row]) -> Iterator[tuple[int, int]]:
        """Insert rows, those with a new key: gives the position and the number of each."""

    @abstractmethod
    def _put_bodies(self, kept: Sequence[tuple[int, tuple[bytes, ...]]]) -> None:
        """Keep the bodies of rows, by their numbers, as :func:`.rows.to_bodies` gives them."""

    @abstractmethod
    def _finish_batch(self) -> None:
        """The last thing that is written in a transaction that stores pairs or begins an epoch."""

    @abstractmethod
    def _committed(self) -> None:
        """Such a transaction was committed. May raise as :meth:`check` does."""

    @abstractmethod
    def check(self) -> None:
        """Raise :class:`~shadowlane.errors.StoreLostError` unless what was written last can be read."""

    @abstractmethod
    def bytes_used(self) -> int:
        """Bytes that what is kept takes (what the engine has of the disk may be more)."""

    @abstractmethod
    def _prune(self, allowed: Retention) -> int:
        """Delete what is not allowed; returns how many rows."""

    def leader(self, task: str) -> Leader | None:
        """This worker's part in a task that one of several does for all; ``None``: no other one writes to the store."""
        return None

    def roll_up(self) -> bool:
        """Make a block (:mod:`.blocks`) of rows that are over, of one shadow; returns whether there may be more. Where
        there is none to make, drop those that are no copies any more, and look whether one is damaged. Raises
        :class:`~shadowlane.errors.StoreError`."""
        now = self._clock_ns()
        with self._db.explained("make a block"):
            names = [str(name) for (name,) in self._db.execute(_SHADOWS).fetchall()]
            for name in names:
                judged = self._meta(_JUDGE_STATE)
                block = made(self._db, name, now)
                if block is None:
                    continue
                with self._db.transaction(alone=True):
                    if not self._meta(BEGUN):
                        self._db.execute(SET_META, (BEGUN, begun(self._db, now)))
                    if self._meta(_JUDGE_STATE) == judged:  # else verdicts may have come to rows that were read
                        self._hold(put(self._db, block))
                return True
            with self._db.transaction():
                self._looked_at, freed = drop_lost(self._db, self._looked_at)
                self._hold(-freed)
            with self._db.transaction(alone=True):
                self._db.execute(_FORGET, (BEGUN,))
                self._read_at, damaged = drop_damaged(self._db, self._read_at)
                if damaged is not None:
                    self._hold(-damaged)
                    self._db.execute(SET_META, (DAMAGED, str(int(self._meta(DAMAGED) or 0) + 1)))
        return False

    def keep_fold(self, kept: KeptFold) -> None:
        """Keep what was made of many rows (:mod:`.folds`) in the stead of what was made of fewer of them."""
        with self._db.explained("keep a fold"), self._db.transaction():
            self._hold(put_fold(self._db, kept, self._clock_ns()))

    def drop_folds(self, used: Collection[tuple[str, str]]) -> None:
        """Drop the folds that nobody brings forward any more, but for those of these shadows and names."""
        with self._db.explained("delete old folds"), self._db.transaction():
            self._hold(-drop_left(self._db, used, self._clock_ns()))

    def _hold(self, size: int) -> None:
        """Count bytes that are kept beside rows, within a transaction, where the engine counts them."""

    def save_verdicts(self, verdicts: Mapping[tuple[str, str], JudgeVerdict], state: str) -> int:
        """Put the judge's verdicts beside the scores of their ``(shadow_id, shadow)``, and keep the judge's own state
        (see :meth:`judge_state`), in one transaction. Returns how many rows were still there.
        """
        with self._db.explained("write"), self._db.transaction(alone=True):  # no block is made meanwhile
            found = 0
            for key, verdict in sorted(verdicts.items(), key=lambda one: one[0]):
                found += self._db.execute(_PUT_VERDICT, (*judge_values(verdict), *key)).rowcount
                self._hold(-drop_judged(self._db, *key))
            self._db.execute(SET_META, (_JUDGE_STATE, state))
        return found

    def identity(self) -> str:
        """What tells this store from all others, whoever opens it; made once."""
        with self._transaction("write"):
            self._db.execute(_NAME_IT, (_IDENTITY, secrets.token_hex(16)))
            (name,) = self._db.execute("SELECT value FROM meta WHERE key = ?", (_IDENTITY,)).fetchone()
        return str(name)

    def judge_state(self) -> str:
        """What the judge gave with its last verdicts; empty when there never was one."""
        with self._db.explained("read"):
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (_JUDGE_STATE,)).fetchone()
        return str(row[0]) if row else ""

    def set_epoch(self, lane_id: str, shadows: Mapping[str, int]) -> None:
        """Count for this life of the lane from now on, and register its shadows.

        ``shadows`` gives for each how many mirrored frames had been acknowledged before it joined the lane, its base:
        ``mirrored = base + answered + Σ failed + in_flight``. The base given first for an epoch stays.
        """
        with self._transaction("write"):
            self._db.execute(SET_META, ("lane_epoch", lane_id))
            self._finish_batch()
            self._db.executemany(
                _ADD_ARM,
                [(lane_id, shadow, base) for shadow, base in shadows.items()],
            )
        self._committed()
        self._epoch = lane_id

    def save_latency(self, lane_id: str, at_ns: int, choice: str, ratio: float, counts: bytes) -> None:
        """Store what a life of the lane has timed so far (see :mod:`shadowlane.store.latency`). Replaces its row of the
        same hour, ``choice`` and ``ratio``.
        """
        with self._transaction("write"):
            self._db.execute(PUT_ROW, (lane_id, at_ns // HOUR_NS, choice, ratio, at_ns, counts))

    def save_host(self, counts: HostCounts) -> None:
        """Store what a life of a lane has counted so far, in the place of what it had before (:mod:`.hosts`)."""
        with self._transaction("write"):
            save_host(self._db, counts)

    def forget_hosts(self) -> int:
        """Drop the counts of hosts that are gone for longer than pairs are kept. Returns of how many lives."""
        with self._transaction("delete old rows"):
            return forget_hosts(self._db, self._max_age_ns / 1e9)

    def prune(self, now_ns: int | None = None) -> int:
        """Delete what is older or more than the configuration allows, see :mod:`.pruning`. Returns how many rows.

        ``now_ns`` is the Unix time; by default a clock that no wrong setting of the wall's puts ahead
        (:mod:`shadowlane.store.retention`).
        """
        if now_ns is None:
            now_ns = self._retention.read()
            with self._transaction("keep the time"):
                self._db.execute(SET_META, (_RETENTION, self._retention.state()))
        allowed = Retention(now_ns, self._max_age_ns, self._max_bytes)
        with self._db.explained("delete old rows"):
            deleted = self._prune(allowed)
        if self._exemplars is not None:
            self._exemplars.forget()  # some of them may be gone: the next rows may take their turns
        return deleted

    @contextlib.contextmanager
    def _transaction(self, doing: str) -> Iterator[None]:
        with self._db.explained(doing), self._db.transaction():
            yield
