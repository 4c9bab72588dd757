"""The embedded store: one SQLite file (https://sqlite.org/wal.html), written by the worker, read by anybody.

Invariants: a batch is stored whole or not at all; no (shadow_id, shadow) is stored or counted twice; counters outlive
the rows that retention deletes, and retention leaves young rows alone (:mod:`.pruning`).

The object belongs to one thread at a time, and a process opens a file for writing once: the check of the file at its
opening would drop the first one's locks, and the next reader would take the write-ahead log away from under it. A
process that is killed loses nothing that :meth:`SqliteStore.save` returned for; a power cut may cost the last commits
(``synchronous=NORMAL``), never the file's consistency.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from ..columns import ScoreColumns, Timed
from ..types import JudgeVerdict, Pair, ShadowCounts
from . import tallies
from .apart import furthest_apart
from .columns import judge_values
from .exemplars import Exemplars
from .found import LOOK_EVERY, Looks
from .history import History
from .identity import MARK, FileIdentity
from .latency import GET_ROWS, PUT_ROW, between
from .observed import ADD_OBSERVED, Tally
from .origin import Origins
from .pruning import Retention, bytes_used, prune, transaction
from .queries import Order, pairs_query, selected
from .retention import RetentionClock
from .rows import BODY_COLUMNS, PAIR_COLUMNS, StoredPair, from_row, to_rows
from .schema import connect, explained
from .scores import joined_columns, rows_beside, score_columns, score_rows
from .starts import WindowStarts
from .tallies import Refused, Routed
from .walk import Walks

__all__ = ["SqliteStore"]

_ANSWERED = "answered"
_KEYS_A_QUERY = 500
_FETCH_ROWS = 256
_MINUTE_NS = 60 * 10**9
_HOUR_NS = 3_600 * 10**9

_INSERT_PAIR = (
    f"INSERT INTO pairs (stored_ns, {', '.join(PAIR_COLUMNS)}) VALUES (?{', ?' * len(PAIR_COLUMNS)}) "  # noqa: S608
    "ON CONFLICT (shadow_id, shadow) DO NOTHING"
)
_INSERT_BODIES = f"INSERT INTO bodies (pair, {', '.join(BODY_COLUMNS)}) VALUES (?{', ?' * len(BODY_COLUMNS)})"  # noqa: S608
_GET_SPENT = "SELECT 60.0 * minute, tokens, money FROM spend WHERE shadow = ? ORDER BY minute"
_ADD_SPENT = (
    "INSERT INTO spend (shadow, minute, tokens, money) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (shadow, minute) DO UPDATE SET tokens = tokens + excluded.tokens, money = money + excluded.money"
)
_ADD_COUNT = (
    "INSERT INTO counts (lane_epoch, shadow, reason, n) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (lane_epoch, shadow, reason) DO UPDATE SET n = n + excluded.n"
)
_JUDGE_STATE = "judge"
_RETENTION = "retention"
_SET_META = "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)"


class SqliteStore(History, WindowStarts, Looks, Origins, Walks):
    """Pairs and counters in one file. Open it with :func:`shadowlane.store.open_store`."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_age_ns: int,
        max_bytes: int,
        keep_bodies: Literal["all", "reservoir", "none"] = "all",
        exemplars: int = 20,
        read_only: bool = False,
        clock_ns: Callable[[], int] = time.time_ns,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        """``stop`` ends whatever is read once it says so: with a :class:`~shadowlane.errors.StoreError`, soon."""
        self.path = Path(path)
        self._max_age_ns = max_age_ns
        self._max_bytes = max_bytes
        self._clock_ns = clock_ns
        self._keep_bodies = keep_bodies
        self._db = connect(self.path, read_only=read_only)
        self._stop = stop
        if stop is not None:
            self._db.set_progress_handler(stop, LOOK_EVERY)
        self._identity = None if read_only else FileIdentity(self.path)
        self._mark = ""
        self._exemplars = Exemplars(self._db, exemplars) if keep_bodies == "reservoir" else None
        with explained(self.path, "read"):
            known = dict(self._db.execute("SELECT key, value FROM meta").fetchall())
        self._epoch: str = known.get("lane_epoch", "")
        self._retention = RetentionClock(known.get(_RETENTION, ""), wall_ns=clock_ns)

    def close(self) -> None:
        """Close the file. Further calls raise :class:`~shadowlane.errors.StoreError`."""
        self._db.close()

    def __enter__(self) -> SqliteStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- writing

    def save(self, pairs: Sequence[Pair]) -> int:
        """Store ``pairs`` in one transaction and return how many were new; a key that is there already is left alone.

        The counters of the current epoch, and what the shadows used, rise with the rows that were really inserted.
        Bodies are kept as ``keep_bodies`` says. Raises :class:`~shadowlane.errors.StoreError` (disk full, read-only,
        ...); then nothing of the batch is stored. Raises :class:`~shadowlane.errors.StoreLostError` when the open
        database is not the one at :attr:`path` any more: then nothing of the batch can be read there.
        """
        now = self._clock_ns()
        rows = [to_rows(pair) for pair in pairs]
        added: Counter[tuple[str, str]] = Counter()
        observed = Tally()
        try:
            with self._transaction("write"):
                for pair, (thin, thick) in zip(pairs, rows, strict=True):
                    cursor = self._db.execute(_INSERT_PAIR, (now, *thin))
                    if cursor.rowcount != 1:
                        continue
                    if self._keeps(cursor.lastrowid, pair):
                        self._db.execute(_INSERT_BODIES, (cursor.lastrowid, *thick))
                    added[pair.outcome.shadow, pair.outcome.reason or _ANSWERED] += 1
                    observed.add(pair)
                    if pair.outcome.tokens or pair.outcome.money:
                        outcome = pair.outcome
                        spent = (outcome.shadow, now // _MINUTE_NS, outcome.tokens, outcome.money)
                        self._db.execute(_ADD_SPENT, spent)
                self._db.executemany(_ADD_COUNT, [(self._epoch, *key, n) for key, n in added.items()])
                self._db.executemany(ADD_OBSERVED, observed.rows())
                self._put_mark()
        except BaseException:
            if self._exemplars is not None:
                self._exemplars.forget()
            raise
        self.check()
        return sum(added.values())

    def _put_mark(self) -> None:
        self._mark = secrets.token_hex(8)
        self._db.execute(_SET_META, (MARK, self._mark))

    def check(self) -> None:
        """Raise :class:`~shadowlane.errors.StoreLostError` unless what was written last can be read by the path."""
        if self._identity is not None:
            self._identity.check(self._mark)

    def _keeps(self, row: int | None, pair: Pair) -> bool:
        if self._exemplars is not None and row is not None:
            return self._exemplars.keeps(row, pair)
        return self._keep_bodies == "all"

    def save_verdicts(self, verdicts: Mapping[tuple[str, str], JudgeVerdict], state: str) -> int:
        """Put the judge's verdicts beside the scores of their ``(shadow_id, shadow)``, and keep the judge's own state
        (see :meth:`judge_state`), in one transaction. Returns how many rows were still there.
        """
        with self._transaction("write"):
            found = 0
            for key, verdict in verdicts.items():
                query = "UPDATE pairs SET judge = ?, judge_why = ?, judge_model = ? WHERE shadow_id = ? AND shadow = ?"
                found += self._db.execute(query, (*judge_values(verdict), *key)).rowcount
            self._db.execute(_SET_META, (_JUDGE_STATE, state))
        return found

    def judge_state(self) -> str:
        """What the judge gave with its last verdicts; empty when there never was one."""
        with explained(self.path, "read"):
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (_JUDGE_STATE,)).fetchone()
        return str(row[0]) if row else ""

    def set_epoch(self, lane_id: str, shadows: Mapping[str, int]) -> None:
        """Count for this life of the lane from now on, and register its shadows.

        ``shadows`` gives for each how many mirrored frames had been acknowledged before it joined the lane, its base:
        ``mirrored = base + answered + Σ failed + in_flight``. The base given first for an epoch stays.
        """
        with self._transaction("write"):
            self._db.execute(_SET_META, ("lane_epoch", lane_id))
            self._put_mark()
            self._db.executemany(
                "INSERT INTO arms (lane_epoch, shadow, base) VALUES (?, ?, ?) "
                "ON CONFLICT (lane_epoch, shadow) DO NOTHING",
                [(lane_id, shadow, base) for shadow, base in shadows.items()],
            )
        self._epoch = lane_id

    def save_latency(self, lane_id: str, at_ns: int, choice: str, ratio: float, counts: bytes) -> None:
        """Store what a life of the lane has timed so far (see :mod:`shadowlane.store.latency`). Replaces its row of the
        same hour, ``choice`` and ``ratio``.
        """
        with self._transaction("write"):
            self._db.execute(PUT_ROW, (lane_id, at_ns // _HOUR_NS, choice, ratio, at_ns, counts))

    def prune(self, now_ns: int | None = None) -> int:
        """Delete what is older or more than the configuration allows, see :mod:`.pruning`. Returns how many rows.

        ``now_ns`` is the Unix time; by default a clock that no wrong setting of the wall's puts ahead
        (:mod:`shadowlane.store.retention`).
        """
        if now_ns is None:
            now_ns = self._retention.read()
            with self._transaction("keep the time"):
                self._db.execute(_SET_META, (_RETENTION, self._retention.state()))
        allowed = Retention(now_ns, self._max_age_ns, self._max_bytes)
        with explained(self.path, "delete old rows"):
            deleted = prune(self._db, allowed, self._epoch)
        if self._exemplars is not None:
            self._exemplars.forget()  # some of them may be gone: the next rows may take their turns
        return deleted

    # ---- reading

    def stored_keys(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the ``(shadow_id, shadow)`` keys that are stored already.

        Keys of rows that retention deleted are not known; retention deletes no row that was stored within the last
        hour, and copies are redelivered within seconds of a crash.
        """
        by_shadow: dict[str, list[str]] = {}
        for shadow_id, shadow in keys:
            by_shadow.setdefault(shadow, []).append(shadow_id)
        found: set[tuple[str, str]] = set()
        with explained(self.path, "read"):
            for shadow, ids in by_shadow.items():
                for start in range(0, len(ids), _KEYS_A_QUERY):
                    some = ids[start : start + _KEYS_A_QUERY]
                    marks = ", ".join("?" * len(some))
                    query = f"SELECT shadow_id FROM pairs WHERE shadow_id IN ({marks}) AND shadow = ?"  # noqa: S608
                    found.update((row[0], shadow) for row in self._db.execute(query, (*some, shadow)))
        return found

    def counts(self, lane_id: str | None = None) -> dict[str, ShadowCounts]:
        """The counters of each shadow in an epoch (default: the current one), registered ones without rows included."""
        epoch = self._epoch if lane_id is None else lane_id
        by_shadow: dict[str, dict[str, int]] = {shadow: {} for shadow in self.bases(epoch)}
        with explained(self.path, "read"):
            query = "SELECT shadow, reason, n FROM counts WHERE lane_epoch = ?"
            for shadow, reason, n in self._db.execute(query, (epoch,)):
                by_shadow.setdefault(shadow, {})[reason] = n
        return {
            shadow: ShadowCounts(answered=reasons.pop(_ANSWERED, 0), failed=reasons)
            for shadow, reasons in by_shadow.items()
        }

    def bases(self, lane_id: str | None = None) -> dict[str, int]:
        """For each shadow registered in an epoch (default: the current one), its base (see :meth:`set_epoch`)."""
        epoch = self._epoch if lane_id is None else lane_id
        with explained(self.path, "read"):
            return dict(self._db.execute("SELECT shadow, base FROM arms WHERE lane_epoch = ?", (epoch,)).fetchall())

    def spent(self, shadow: str) -> list[tuple[float, float, float]]:
        """What a shadow's answers used: (Unix time of the minute, tokens, money), by rising time, two days at most."""
        with explained(self.path, "read"):
            return self._db.execute(_GET_SPENT, (shadow,)).fetchall()

    def latency(self, since_ns: int) -> list[Timed]:
        """What requests took from the hour of ``since_ns`` on, over all lives of the lane, hour by hour."""
        with explained(self.path, "read"):
            return list(between(self._db.execute(GET_ROWS, {"hour": since_ns // _HOUR_NS})))

    def shadows(self) -> list[str]:
        """The names of all shadows that have rows, in alphabetical order."""
        with explained(self.path, "read"):
            return [row[0] for row in self._db.execute("SELECT DISTINCT shadow FROM pairs ORDER BY shadow")]

    def iter_pairs(
        self,
        since_ns: int | None = None,
        shadow: str | None = None,
        limit: int | None = None,
        with_bodies: bool = False,
        order: Order = "time",
        only_kept: bool = False,
    ) -> Iterator[StoredPair]:
        """Rows one by one: ``time`` (oldest first), ``newest``, ``worst`` (contradicted facts, then by falling ΔS;
        pairs without ΔS last), ``flipped`` (only those whose λ flipped, the shadow's alone first, newest first), or
        ``refused`` (only answers of HTTP 400 and above where prod's was below, newest first).
        ``since_ns`` is compared with ``started_ns``. ``only_kept``: rows whose bodies are kept.

        The whole iteration sees one state of the database. Close the iterator, or read it to its end, before long
        waits: an open one keeps the write-ahead log from shrinking.
        """
        query, values = pairs_query(since_ns, shadow, order, with_bodies=with_bodies, only_kept=only_kept)
        with (
            explained(self.path, "read"),
            contextlib.closing(self._db.execute(query, (*values, -1 if limit is None else limit))) as cursor,
        ):
            while rows := cursor.fetchmany(_FETCH_ROWS):
                yield from map(from_row, rows)

    def furthest_apart(
        self, shadow: str, since_ns: int | None, limit: int, *, only_kept: bool = False
    ) -> list[tuple[StoredPair, int]]:
        """See :func:`.apart.furthest_apart`."""
        with explained(self.path, "read"):
            return furthest_apart(self._db, *selected(since_ns, shadow), limit, only_kept=only_kept)

    def said_counts(self, shadow: str, since_ns: int | None = None) -> dict[str, list[tuple[str, str, int]]]:
        """See :func:`.tallies.said_counts`."""
        with explained(self.path, "read"):
            return tallies.said_counts(self._db, *selected(since_ns, shadow))

    def scores(self, shadow: str | None = None, since_ns: int | None = None) -> ScoreColumns:
        """All of :meth:`pieces` at once: for stores that are known to be small."""
        return joined_columns(self.pieces(shadow, since_ns))

    def pieces(
        self, shadow: str | None = None, since_ns: int | None = None, *, without: Sequence[str] = ()
    ) -> Iterator[ScoreColumns]:
        """Scores, times and statuses as numpy columns, by rising ``started_ns``, some thousand rows at a time, but for
        the routes of ``without``; bodies are not touched. As with :meth:`iter_pairs`, close the iterator or read it to
        its end.
        """
        with explained(self.path, "read"):
            yield from map(score_columns, score_rows(self._db, *selected(since_ns, shadow, without)))

    def pieces_beside(
        self, shadow: str, other: str, since_ns: int | None = None, *, without: Sequence[str] = ()
    ) -> Iterator[tuple[ScoreColumns, ScoreColumns]]:
        """The same, and beside each piece the rows of another shadow with the same ``shadow_id``, in any order."""
        with explained(self.path, "read"):
            for rows in score_rows(self._db, *selected(since_ns, shadow, without)):
                yield score_columns(rows), score_columns(rows_beside(self._db, rows, other))

    def last_embedder(self, shadow: str, since_ns: int | None = None) -> str:
        """What the newest scored row was scored with; empty when there is none."""
        with explained(self.path, "read"):
            return tallies.last_embedder(self._db, *selected(since_ns, shadow))

    def difference_counts(self, shadow: str, since_ns: int | None = None) -> list[tuple[str, str, int, str]]:
        """Where a shadow's JSON answers differ from prod's: ``(shape, kind, pairs, example)``, most frequent first.

        ``example`` is one row of :class:`~shadowlane.types.StructureDifference` as JSON.
        """
        with explained(self.path, "read"):
            return tallies.difference_counts(self._db, *selected(since_ns, shadow))

    def flips(self, shadow: str, since_ns: int | None = None) -> tuple[int, int, int]:
        """See :func:`.tallies.flips`."""
        with explained(self.path, "read"):
            return tallies.flips(self._db, *selected(since_ns, shadow))

    def policy_counts(
        self, shadow: str, since_ns: int | None = None, *, reverse: bool = False
    ) -> tuple[dict[str, int], int, int]:
        """See :func:`.tallies.policy_counts`."""
        with explained(self.path, "read"):
            return tallies.policy_counts(self._db, *selected(since_ns, shadow), reverse=reverse)

    def route_counts(self, shadow: str, since_ns: int | None, newest: int | None = None) -> list[Routed]:
        """See :func:`.tallies.by_route`."""
        with explained(self.path, "read"):
            return tallies.by_route(self._db, *selected(since_ns, shadow), newest)

    def prod_seen(self, shadow: str, since_ns: int | None, newest: int | None = None) -> tallies.ProdSeen:
        """See :func:`.tallies.prod_seen`."""
        with explained(self.path, "read"):
            return tallies.prod_seen(self._db, *selected(since_ns, shadow), newest)

    def refused_routes(self, shadow: str, since_ns: int | None) -> list[Routed]:
        """See :func:`.tallies.refused_routes`."""
        with explained(self.path, "read"):
            return tallies.refused_routes(self._db, *selected(since_ns, shadow))

    def refusals(self, shadow: str, since_ns: int | None, newest: int | None = None) -> list[Refused]:
        """See :func:`.tallies.refusals`."""
        with explained(self.path, "read"):
            return tallies.refusals(self._db, *selected(since_ns, shadow), newest)

    def bytes_used(self) -> int:
        """Bytes of the pages that hold something (the file may be larger until :meth:`prune` shrinks it)."""
        with explained(self.path, "read"):
            return bytes_used(self._db)

    # ---- inside

    @contextlib.contextmanager
    def _transaction(self, doing: str) -> Iterator[None]:
        with explained(self.path, doing), transaction(self._db):
            yield
