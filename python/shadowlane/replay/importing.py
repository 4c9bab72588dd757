"""What ``shadowlane import`` does: recorded traffic into a database, without a request.

Invariants: redaction and scores are a lane's; an exchange with both answers becomes a pair, one with prod's alone a row
that says the shadow was never asked, and one without prod's none; a second run of the same command adds what is new in
the source.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import islice

import msgspec

from ..compare.pairs import with_arms
from ..config import Config
from ..core import request_hash
from ..detect.cleaner import Cleaner, open_cleaner
from ..score import Scorer
from ..sources import Answered, Recorded, Source, Unusable
from ..store import Origin, Store
from ..types import FLAG_REPLAYED, Copy, Headers, Outcome, Pair
from .accounts import Accounts, account_data
from .command import Shown, add_source_options, progress_of, scorer_of, show, source_of
from .files import fingerprint, own_store, store_path
from .runner import name_of
from .settings import settings

__all__ = ["add_options", "run_command"]

_BATCH = 256
_NEVER_ASKED = "sampled_out"
"""Among the reasons that say nothing about the shadow."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``shadowlane import``."""
    add = parser.add_argument
    add("source", help="recorded traffic: a store, HAR, GoReplay, mitmproxy, a dataset; -: stdin")
    add("--shadow", default=None, metavar="NAME", help="whose the second answers are (default: the only shadow)")
    add("--config", default=None, help="configuration file, for [score], [sanitize] and [gate] (default: the defaults)")
    add("--store", default=None, metavar="FILE", help="database of the result (default: the lane's with -import in it)")
    add("--fresh", action="store_true", help="import everything anew, in place of what the database holds")
    add_source_options(parser)
    add("--gate", action="store_true", help="print the verdict alone; exit 0 only for GRADUATE")
    add("--html", metavar="FILE", help="write the report as one HTML page")
    add("--json", action="store_true", help="print JSON")


def run_command(options: argparse.Namespace) -> int:
    """Import; returns the exit code.

    Raises :class:`~shadowlane.errors.ConfigError`, :class:`~shadowlane.errors.DataError`,
    :class:`~shadowlane.errors.StoreError` and :class:`~shadowlane.errors.ScoreError`.
    """
    config, shadow = settings(options.config, options.shadow, sends=False)
    source = msgspec.structs.replace(source_of(options), shadow=shadow)
    origin = Origin(
        kind="import",
        source=source.path,
        form=source.form,
        fingerprint=fingerprint(source, shadow),
        shadow=shadow,
        began_ns=time.time_ns(),
    )
    path = store_path(config, options.store, "import")
    with own_store(config, path, origin, fresh=options.fresh) as (own, store):
        with scorer_of(own) as scorer, progress_of("importing") as progress:
            accounts = import_all(source, own, shadow, store, scorer, progress)
            scorer.save()
        data = account_data(accounts, store, shadow)
        kept = store.origin() or origin
        kept = msgspec.structs.replace(kept, finished=True, read=accounts.read, skipped=dict(accounts.skipped))
        store.put_origin(kept)
        title = f"import of {source.path} ({source.form}), kept in {path}"
        return show(
            options,
            with_arms(own, shadow, control=False, source=source.path),
            store,
            Shown(f"import of {source.path}"),
            data,
            title,
            "kept",
        )


def import_all(
    source: Source,
    config: Config,
    shadow: str,
    store: Store,
    scorer: Scorer,
    progress: Callable[[Accounts], None],
) -> Accounts:
    """Redact, score and store all exchanges, batch by batch, and say what became of each record."""
    accounts = Accounts()
    cleaner = open_cleaner(config).cleaner
    mark = fingerprint(source, shadow)
    store.set_epoch(f"import {mark}", {shadow: 0})
    records = source.records()
    while batch := list(islice(records, _BATCH)):
        pairs = []
        for record in batch:
            accounts.read += 1
            if isinstance(record, Unusable):
                accounts.unusable(record)
            elif record.prod is None:
                accounts.skip("no_prod_answer")
            else:
                name = record.id if record.stored else name_of(record, mark)
                pairs.append(_pair(record, record.prod, name, shadow, cleaner, config))
        known = store.stored_keys([(pair.copy.shadow_id, shadow) for pair in pairs])
        accounts.resumed += len(known)
        accounts.rows += len(pairs)
        fresh = [pair for pair in pairs if (pair.copy.shadow_id, shadow) not in known]
        store.save(scorer.score(fresh))
        progress(accounts)
    return accounts


def _pair(record: Recorded, prod: Answered, name: str, shadow: str, cleaner: Cleaner, config: Config) -> Pair:
    findings: dict[str, int] = {}

    def clean(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        kept, data, found, _ = cleaner.response(headers, body, False)
        for kind, count in found.items():
            findings[kind] = findings.get(kind, 0) + count
        return tuple(kept), data

    started_ns = record.started_ns or time.time_ns()
    target = cleaner.text(record.target)
    headers, body = clean(record.headers, record.body)
    prod_headers, prod_body = clean(prod.headers, prod.body)
    outcome = Outcome(shadow=shadow, reason=_NEVER_ASKED, detail="imported: the source has no answer of the shadow's")
    if record.shadow is not None:
        said = record.shadow
        shadow_headers, shadow_body = clean(said.headers, said.body)
        outcome = Outcome(
            shadow=shadow,
            status=said.status,
            headers=shadow_headers,
            body=shadow_body,
            started_ns=started_ns,
            ttfb_ns=said.ttfb_ns,
            duration_ns=said.duration_ns,
            tries=1,
        )
    copy = Copy(
        shadow_id=name,
        req_hash=request_hash(record.method, target, headers, body, config.sanitize.hash_ignore),
        started_ns=started_ns,
        method=record.method,
        target=target,
        headers=headers,
        body=body,
        status=prod.status,
        response_headers=prod_headers,
        response_body=prod_body,
        ttfb_ns=prod.ttfb_ns,
        duration_ns=prod.duration_ns,
        flags=FLAG_REPLAYED,
        findings=findings,
    )
    return Pair(copy=copy, outcome=outcome)
