"""A lane's own store: the exchanges that it kept, each once, however many shadows had it.

Invariants: the store is only read, over a live worker too, and no transaction is open while what was read is used; what
comes out went through the redaction before it came in.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..config import StoreConfig
from ..store import Store, StoredPair, open_store
from ..types import Headers
from .http1 import kept_headers
from .records import Answered, Record, Recorded, Unusable

__all__ = ["open_stored", "read_stored", "stored_record"]

_PAGE = 64
_CONTROL = "control"


def open_stored(path: str) -> Store:
    """The store, to be read. Raises :class:`~shadowlane.errors.StoreError`."""
    return open_store(StoreConfig(url=f"sqlite:///{Path(path).absolute()}"), read_only=True)


def read_stored(path: str, shadow: str = "") -> Iterator[Record]:
    """The exchanges by their time, page by page: a reader that stays in one query, as a replay at its own pace would,
    keeps the write-ahead log of a live lane from ever shrinking. With the answers of ``shadow`` where the store has
    such a one, else of any but the control."""
    with open_stored(path) as store:
        arm = shadow if shadow in store.shadows() else None
        since_ns, seen, limit = 0, set[str](), _PAGE
        while True:
            rows = list(store.iter_pairs(since_ns, arm, limit, with_bodies=True))
            fresh = False
            for row in rows:
                copy = row.pair.copy
                if copy.started_ns != since_ns:
                    since_ns, seen = copy.started_ns, set()
                # An exchange's rows, one for each shadow, have one time; those of the last page come again.
                if copy.shadow_id not in seen and row.pair.outcome.shadow != _CONTROL:
                    seen.add(copy.shadow_id)
                    fresh = True
                    yield stored_record(row)
            if len(rows) < limit:
                return
            limit = _PAGE if fresh else 2 * limit


def stored_record(row: StoredPair) -> Record:
    """One row as an exchange."""
    copy = row.pair.copy
    if not row.bodies:
        why = "its bodies are not kept any more, see store.keep_bodies"
        return Unusable(where=copy.shadow_id, why=why, reason="bodies_gone")
    prod = Answered(
        status=copy.status,
        headers=kept_headers(copy.response_headers),
        body=copy.response_body,
        ttfb_ns=copy.ttfb_ns,
        duration_ns=copy.duration_ns,
    )
    return Recorded(
        where=copy.shadow_id,
        id=copy.shadow_id,
        started_ns=copy.started_ns,
        method=copy.method,
        target=copy.target,
        headers=kept_headers(copy.headers),
        body=copy.body,
        prod=prod if copy.status else None,
        shadow=_answered(row),
        stored=True,
    )


def _answered(row: StoredPair) -> Answered | None:
    outcome = row.pair.outcome
    if outcome.reason or not outcome.status:
        return None
    headers: Headers = kept_headers(outcome.headers)
    return Answered(
        status=outcome.status,
        headers=headers,
        body=outcome.body,
        ttfb_ns=outcome.ttfb_ns,
        duration_ns=outcome.duration_ns,
    )
