"""What the demonstration can check of shadowlane's promises, after its processes have ended.

Invariant: a broken promise is said in words and fails the run; nothing here changes what was stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, quote_plus

from ..config import Config
from ..status.collect import collect_status
from ..store import open_store
from .client import Sample
from .planted import PLANTED

__all__ = ["broken_promises", "find_leaks", "redactions", "user_errors"]

_SPELLINGS = {
    spelling.encode(): kind
    for kind, value in PLANTED.items()
    for spelling in (value, quote(value), quote(value, safe=""), quote_plus(value))
}


def user_errors(samples: Sequence[Sample]) -> list[Sample]:
    """The requests that a user saw fail."""
    return [sample for sample in samples if sample.error or not 100 <= sample.status < 400]


def broken_promises(
    config: Config, out: Path, samples: Sequence[Sample], stats: Mapping[str, Mapping[str, int]]
) -> list[str]:
    """One line for each promise that this run broke; empty when all were kept.

    ``stats`` holds what ``prod`` and ``shadow`` counted themselves. Raises StoreError when the store cannot be read.
    """
    broken = []
    errors = user_errors(samples)
    if errors:
        first = errors[0]
        why = first.error or f"HTTP {first.status}"
        broken.append(f"{len(errors)} of {len(samples)} users' requests failed, the first ({first.kind}) with {why}")
    status = collect_status(config)
    if not (status["accounting"]["holds"] and status["accounting"]["known"]):
        broken.append(f"the accounting does not hold: {'; '.join(status['accounting']['lines'])}")
    if status["seen"] != len(samples):
        broken.append(f"{len(samples)} requests were sent, and the lane saw {status['seen']}")
    if not status["mirrored"]:
        broken.append(f"nothing was mirrored: {status['accounting']['lines'][0]}")
    for name, counts in status["shadows"].items():
        rows = counts["answered"] + sum(counts["failed"].values())
        if rows != status["mirrored"]:
            broken.append(f"{status['mirrored']} exchanges were mirrored, and {rows} outcomes of {name} are stored")
    if stats["shadow"]["writes"]:
        broken.append(f"{stats['shadow']['writes']} writes reached the shadow")
    if stats["shadow"]["planted"]:
        broken.append(f"{stats['shadow']['planted']} requests with planted secrets reached the shadow")
    broken += [f"a planted secret ({kind}) stands in {where}" for where, kind in find_leaks(config, out)]
    return broken


def redactions(config: Config) -> dict[str, int]:
    """How many values of each kind were redacted in what is stored, most first."""
    found: Counter[str] = Counter()
    with open_store(config.store, read_only=True) as store:
        for stored in store.iter_pairs():
            found.update(stored.pair.copy.findings)
    return dict(found.most_common())


def find_leaks(config: Config, out: Path) -> Iterator[tuple[str, str]]:
    """Where planted values stand in the files under ``out`` and in the store's bodies, with their kind."""
    for file in sorted(path for path in out.rglob("*") if path.is_file()):
        for kind in _kinds(file.read_bytes()):
            yield str(file), kind
    with open_store(config.store, read_only=True) as store:
        for stored in store.iter_pairs(with_bodies=True):
            # Bodies, headers and texts are compressed in the file. The planted values look in a repr as they are.
            for kind in _kinds(repr(stored).encode()):
                yield f"the stored row of {stored.pair.copy.shadow_id}", kind


def _kinds(content: bytes) -> list[str]:
    return sorted({kind for spelling, kind in _SPELLINGS.items() if spelling in content})
