"""Real rate-limit headers of the providers, through the sanitizer and into the rate, when the data is there."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from shadowlane import _core
from shadowlane.limits import Aimd, ProdQuota, parse_rate_limit, retry_after_s

DATA = os.environ.get("SHADOWLANE_DATA", "")
pytestmark = pytest.mark.skipif(not DATA, reason="SHADOWLANE_DATA is not set: no recorded headers")

NOW = 1_730_000_000.0


def recorded() -> list[dict[str, Any]]:
    with gzip.open(Path(DATA) / "ratelimit_headers.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


def test_what_is_read_of_an_answer_survives_the_sanitizer() -> None:
    sanitizer = _core.Sanitizer()
    for item in recorded():
        raw = [(name.encode(), str(value).encode()) for name, value in item["headers"].items()]
        clean, _, _, _ = sanitizer.response(raw, b"", False)
        assert parse_rate_limit(clean, NOW) == parse_rate_limit(raw, NOW), item


def test_recorded_successes_slow_nothing_unless_they_say_that_nothing_is_left() -> None:
    seen = 0
    for item in recorded():
        budget = parse_rate_limit(item["headers"], NOW)
        if int(item.get("status", 200)) >= 400 or (budget is not None and budget.remaining == 0):
            continue
        rate = Aimd(50.0, wall=lambda: NOW)
        assert rate.observe(200, item["headers"], 1000.0) == 50.0, item
        seen += retry_after_s(item["headers"], NOW) is not None
    assert seen, "no recorded success carries a retry-after; the claim was not tried"


def test_recorded_headers_never_pause_prod_without_evidence_or_for_ever() -> None:
    for item in recorded():
        quota = ProdQuota(0.2)
        quota.observe(item["headers"], NOW)
        budget = parse_rate_limit(item["headers"], NOW)
        low = budget is not None and budget.share is not None and (budget.share < 0.2 or budget.remaining <= 0)
        assert quota.paused_s(NOW) <= 3600
        if not low:
            assert quota.allow(NOW), item
