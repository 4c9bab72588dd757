"""A shadow's newest copies in a few figures, out of a real store."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from shadowlane.status.lately import lately_lines
from shadowlane.store import open_store
from tests.support.lanes import config_at, make_pairs, save
from tests.support.verdicts import altered

MS = 10**6


def test_waits_tries_use_and_versions_of_the_newest_copies(tmp_path: Path) -> None:
    pairs = altered(make_pairs(100), "outcome", tries=lambda i: 2 if i % 25 == 0 else 1, waited_ns=lambda i: i * MS)
    pairs = altered(pairs, prod_tokens=100, tokens=lambda i: 150 if i < 60 else 120, cache_served=lambda i: i == 99)
    pairs = altered(pairs, prod_cost=lambda i: 0.2 if i == 70 else None, cost=lambda i: 0.1 if i == 70 else None)
    pairs = [msgspec.structs.replace(pair, pins={"prompt": "v1" if i < 90 else "v2"}) for i, pair in enumerate(pairs)]
    config = config_at(tmp_path)
    save(config, pairs)
    with open_store(config.store, read_only=True) as store:
        found = store.lately("candidate", 40)
        nothing = store.lately("other", 40)
    assert (found["sent"], found["again"]) == (40, 1)
    assert found["wait_p95_s"] == pytest.approx(0.098)
    assert found["tokens"] == [39 * 100, 39 * 120]
    assert found["cost"] == pytest.approx([0.2, 0.1])
    assert found["pins"] == {"model_rev": "2025-06-01", "prompt": "v2"}
    assert lately_lines(found) == [
        "P95 of the wait for a slot 98 ms; 1 of 40 sent again; tokens +20.0 % to prod's; cost -50.0 % to prod's",
        "versions: model_rev 2025-06-01, prompt v2",
    ]
    assert nothing["sent"] == 0
    assert lately_lines(nothing) == lately_lines(None) == []
