"""Scores and stores batches of pairs, on a thread of its own, until they are stored.

Invariants: :meth:`Writer.write` returns when every pair of the batch is a row; a store that fails is tried again for
as long as it takes, and one that was taken away (:class:`~shadowlane.errors.StoreLostError`) ends the worker; a pair
that cannot be stored as it is, is stored without its contents under ``store_error``, so that one odd pair never stops a
lane; the log quotes nothing of a pair.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

import msgspec

from ..errors import ScoreError, StoreError, StoreLostError, describe
from ..store.backlog import Backlog
from ..types import Copy, JudgeVerdict, Outcome, Pair, Scores

__all__ = ["Writer"]

log = logging.getLogger("shadowlane.worker")

_T = TypeVar("_T")

_RETRY_MIN_S, _RETRY_MAX_S = 0.1, 5.0
_TRIES_TOGETHER = 3


class _Store(Protocol):
    def save(self, pairs: Sequence[Pair]) -> int: ...
    def stored_keys(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]: ...
    def prune(self, now_ns: int | None = None) -> int: ...
    def roll_up(self) -> bool: ...
    def backlog(self) -> Backlog | None: ...
    def damaged_blocks(self) -> int: ...
    def check(self) -> None: ...
    def save_verdicts(self, verdicts: Mapping[tuple[str, str], JudgeVerdict], state: str) -> int: ...


class _Scorer(Protocol):
    def score(self, pairs: list[Pair]) -> list[Pair]: ...
    def save(self) -> None: ...


class Writer:
    """The store and the scorer behind one thread: draining must not wait for scoring, and SQLite has one writer."""

    def __init__(self, store: _Store, scorer: _Scorer) -> None:
        self._store = store
        self._scorer = scorer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shadowlane-store")
        self.stored = 0
        """Rows that were new."""
        self.error = ""
        """Why nothing can be stored now; empty when all is well."""

    def close(self) -> None:
        """End the thread. The store itself is its opener's."""
        self._thread.shutdown()

    async def stored_keys(self, keys: list[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the (shadow_id, shadow) keys that are stored already; none when the store cannot be read."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._stored_keys, keys)

    def _stored_keys(self, keys: list[tuple[str, str]]) -> set[tuple[str, str]]:
        try:
            return self._store.stored_keys(keys)
        except StoreError as error:
            # A second send is harmless, since copies are reads; a second row cannot be, since the key is unique.
            log.warning("cannot look up stored pairs: %s", error)
            return set()

    async def write(self, pairs: list[Pair]) -> list[Pair]:
        """Score and store a batch, however long the store needs, and give it back with its scores."""
        loop = asyncio.get_running_loop()
        scored, stored = await loop.run_in_executor(self._thread, self._score_and_save, pairs)
        first, wait_s, tries = True, _RETRY_MIN_S, 0
        while True:
            try:
                if not first:
                    await self._save(scored)
                elif isinstance(stored, BaseException):
                    first = False
                    raise stored
                else:
                    self.stored += stored
            except StoreLostError as error:
                self.error = str(error)
                raise  # trying again would write where nobody reads; a new worker gets the frames again
            except StoreError as error:
                if str(error) != self.error:
                    log.error("cannot store, will try again: %s", error, extra={"event": "store_failed"})
                self.error = str(error)
                tries += 1
                if tries % _TRIES_TOGETHER == 0 and await self._save_each(scored):
                    break
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _RETRY_MAX_S)
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # a panic of an extension is no Exception
                log.error("a batch cannot be stored as it is, its pairs are stored one by one: %s", describe(error))
                if not await self._save_each(scored):
                    raise
                break
            else:
                break
        if self.error:
            log.warning("storing works again", extra={"event": "store_works"})
        self.error = ""
        if log.isEnabledFor(logging.DEBUG):
            for pair in scored:
                _log_stored(pair)
        return scored

    async def _save(self, pairs: list[Pair]) -> None:
        self.stored += await asyncio.get_running_loop().run_in_executor(self._thread, self._store.save, pairs)

    async def _save_each(self, pairs: list[Pair]) -> bool:
        """Store each pair by itself, bare where it must be. ``False`` when that fails too: then it is the store, and
        the whole batch may be tried again, since a key that is there already is left alone.
        """
        for pair in pairs:
            try:
                await self._save([pair])
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                try:
                    await self._save([_bare(pair, error)])
                except asyncio.CancelledError:
                    raise
                except BaseException:
                    return False
                said = {"event": "stored_bare", "shadow": pair.outcome.shadow, "shadow_id": pair.copy.shadow_id}
                why = describe(error)
                log.error("pair %s was stored without its contents: %s", pair.copy.shadow_id, why, extra=said)
        return True

    def _score_and_save(self, pairs: list[Pair]) -> tuple[list[Pair], int | BaseException]:
        """The first try, in one turn of the thread: the pairs with scores, and what storing them gave or raised."""
        scored = self._score(pairs)
        try:
            return scored, self._store.save(scored)
        except BaseException as error:  # as in _score
            return scored, error

    def _score(self, pairs: list[Pair]) -> list[Pair]:
        try:
            return self._scorer.score(pairs)
        except BaseException as error:  # on a thread of its own: nothing that ends the process is raised there
            why = describe(error)
            log.error("scoring failed, the pairs are stored without scores; please report it: %s", why)
            note = f"scoring failed: {why}"
            return [
                msgspec.structs.replace(pair, scores=msgspec.structs.replace(pair.scores, note=note)) for pair in pairs
            ]

    async def save_verdicts(self, verdicts: Mapping[tuple[str, str], JudgeVerdict], state: str) -> int:
        """The judge's verdicts beside their scores, see :meth:`shadowlane.store.Store.save_verdicts`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._store.save_verdicts, verdicts, state)

    async def call(self, work: Callable[[], _T]) -> _T:
        """Run other work with the store on its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def prune(self) -> None:
        """Retention: delete what is older or larger than the configuration allows.

        Raises :class:`~shadowlane.errors.StoreLostError` when the open database is not the one at its path any more.
        """
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._prune)
        except StoreLostError:
            raise
        except StoreError as error:
            log.warning("retention: %s", error)
        await self.save_scorer()

    async def roll_up(self) -> bool:
        """Make a block of rows that are over (:mod:`shadowlane.store.blocks`); returns whether there may be more."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._store.roll_up)
        except StoreLostError:
            raise
        except StoreError as error:
            log.warning("blocks: %s", error)
            return False

    async def backlog(self) -> tuple[Backlog | None, int] | None:
        """How far the blocks have come, and how many were ever damaged; ``None``: the store does not say."""
        try:
            return await self.call(lambda: (self._store.backlog(), self._store.damaged_blocks()))
        except StoreError as error:
            log.warning("blocks: %s", error)
            return None

    def _prune(self) -> None:
        self._store.check()
        self._store.prune()

    async def save_scorer(self) -> None:
        """What the scorer's successor goes on with. Losing it costs readings of repeated questions, never a pair."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._scorer.save)
        except ScoreError as error:
            log.warning("%s", error)


def _log_stored(pair: Pair) -> None:
    outcome, copy = pair.outcome, pair.copy
    said = {
        "event": "stored",
        "shadow": outcome.shadow,
        "shadow_id": copy.shadow_id,
        "reason": outcome.reason,
        "status": outcome.status,
        "delta_s": pair.scores.delta_s,
        "duration_s": outcome.duration_ns / 1e9,
    }
    what = outcome.reason or f"HTTP {outcome.status}"
    log.debug("copy %s to %s is stored: %s", copy.shadow_id, outcome.shadow, what, extra=said)


def _bare(pair: Pair, error: BaseException) -> Pair:
    """What accounts for a pair that cannot be stored as it is."""
    copy, outcome = pair.copy, pair.outcome
    return Pair(
        copy=Copy(
            shadow_id=copy.shadow_id,
            req_hash=copy.req_hash,
            started_ns=copy.started_ns,
            method=copy.method[:16],
            target="",
            status=copy.status,
            ttfb_ns=copy.ttfb_ns,
            duration_ns=copy.duration_ns,
        ),
        outcome=Outcome(
            shadow=outcome.shadow,
            reason="store_error",
            detail=type(error).__name__,
            status=outcome.status,
            started_ns=outcome.started_ns,
            tokens=outcome.tokens,
            money=outcome.money,
        ),
        scores=Scores(note=f"cannot be stored: {type(error).__name__}"),
    )
