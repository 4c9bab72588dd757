"""Exchanges of a file as the pairs that a worker would have made of them: redacted, scored, stored.

Invariants: nothing is embedded, stored or shown before it went through ``[sanitize]``; a batch is all that is held; no
two exchanges of a file share an id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

import msgspec

from ..config import Config
from ..core import request_hash
from ..detect.cleaner import Cleaner
from ..errors import DataError
from ..score.answers import Response
from ..types import Copy, Headers, Outcome, Pair
from .reader import Exchange

__all__ = ["batches", "name_of", "pairs_of", "store_all", "with_arms"]

BATCH = 256
_JSON: Headers = ((b"content-type", b"application/json"),)


class _Scorer(Protocol):
    def score(self, pairs: list[Pair]) -> list[Pair]: ...


class _Store(Protocol):
    def save(self, pairs: Sequence[Pair]) -> int: ...
    def stored_keys(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]: ...


def batches(exchanges: Iterable[Exchange], size: int = BATCH) -> Iterator[list[Exchange]]:
    """The exchanges in lists of at most ``size``."""
    some = iter(exchanges)
    while batch := list(islice(some, size)):
        yield batch


def pairs_of(exchange: Exchange, cleaner: Cleaner, shadow: str, ignore: Sequence[str] = ()) -> list[Pair]:
    """Prod against the shadow, and against the control where one answered; redacted, not scored yet."""
    findings: dict[str, int] = {}

    def clean(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        kept, data, found, _ = cleaner.response(headers, body, False)
        for kind, count in found.items():
            findings[kind] = findings.get(kind, 0) + count
        return tuple(kept), data

    target = cleaner.text(exchange.target)
    headers, body = clean(_JSON, exchange.request) if exchange.request else ((), b"")
    prod_headers, prod_body = clean(exchange.prod.headers, exchange.prod.body)
    arms = [(shadow, exchange.shadow), *([("control", exchange.control)] if exchange.control else [])]
    outcomes = [_outcome(name, response, exchange.started_ns, clean) for name, response in arms]
    copy = Copy(
        shadow_id=name_of(exchange, cleaner),
        req_hash=request_hash(exchange.method, target, headers, body, ignore),
        started_ns=exchange.started_ns,
        method=exchange.method,
        target=target,
        headers=headers,
        body=body,
        status=exchange.prod.status,
        response_headers=prod_headers,
        response_body=prod_body,
        ttfb_ns=0,  # a file says when an answer was whole
        duration_ns=exchange.prod.latency_ns,
        findings=findings,
    )
    return [Pair(copy=copy, outcome=outcome) for outcome in outcomes]


def name_of(exchange: Exchange, cleaner: Cleaner) -> str:
    """Its id; ``line-N`` of an id that is itself something to redact, since two of those may look the same after it."""
    return exchange.id if cleaner.text(exchange.id) == exchange.id else f"line-{exchange.line}"


def _outcome(
    name: str,
    response: Response,
    started_ns: int,
    clean: Callable[[Headers, bytes], tuple[Headers, bytes]],
) -> Outcome:
    headers, body = clean(response.headers, response.body)
    return Outcome(
        shadow=name,
        status=response.status,
        headers=headers,
        body=body,
        started_ns=started_ns,
        duration_ns=response.latency_ns,
    )


def store_all(
    exchanges: Iterable[Exchange],
    *,
    source: str,
    shadow: str,
    config: Config,
    cleaner: Cleaner,
    scorer: _Scorer,
    store: _Store,
    progress: Callable[[int], None],
) -> tuple[int, bool]:
    """Redact, score and store all exchanges, batch by batch; ``progress`` gets the number of each batch.

    Returns how many there were, and whether a control was among them. Raises :class:`~shadowlane.errors.DataError`
    where two share an id, :class:`~shadowlane.errors.StoreError` and :class:`~shadowlane.errors.ScoreError`.
    """
    count, with_control = 0, False
    for batch in batches(exchanges):
        made = [pairs_of(one, cleaner, shadow, config.sanitize.hash_ignore) for one in batch]
        _refuse_twins(batch, [pairs[0].copy.shadow_id for pairs in made], shadow, source, store)
        pairs = [pair for several in made for pair in several]
        store.save(scorer.score(pairs))
        count += len(batch)
        with_control = with_control or len(pairs) > len(batch)
        progress(len(batch))
    return count, with_control


def _refuse_twins(batch: list[Exchange], ids: list[str], shadow: str, source: str, store: _Store) -> None:
    stored = {key[0] for key in store.stored_keys([(name, shadow) for name in ids])}
    for exchange, name in zip(batch, ids, strict=True):
        if name in stored:
            raise DataError(
                f"{source}:{exchange.line}: id = {exchange.id!r} is the id of an earlier line too; give each its own"
            )
        stored.add(name)


def with_arms(config: Config, shadow: str, *, control: bool, source: str) -> Config:
    """The configuration with the arms that the file has, in place of a lane's services."""
    arm = msgspec.structs.replace(next(iter(config.shadows.values())), url=source)
    own_control = msgspec.structs.replace(config.control, url=source if control else "")
    return msgspec.structs.replace(config, shadows={shadow: arm}, control=own_control)
