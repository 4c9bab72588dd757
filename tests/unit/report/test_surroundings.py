"""Waiting, retrieval and versions in the report: as data, as text and on the page."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tests.support.lanes import make_pairs
from tests.support.verdicts import altered

from .test_accounts import shown

MS = 10**6


def test_waiting_retrieval_and_versions_are_shown(tmp_path: Path) -> None:
    pairs = altered(make_pairs(100), "outcome", waited_ns=lambda i: 300 * MS if i % 10 == 0 else 2 * MS, tries=1)
    pairs = altered(pairs, coverage=lambda i: 0.5 if i < 40 else None, retrieved=0.4, prod_retrieved=0.3)
    pairs = [
        msgspec.structs.replace(pair, pins={"prompt": "v1" if i < 30 else "<b>v2</b>"}) for i, pair in enumerate(pairs)
    ]
    block, text, page = shown(tmp_path, pairs)
    around = block["surroundings"]
    assert around["slot_wait"] == {"copies": 100, "p50": 0.002, "p95": 0.3}
    assert around["coverage"] == {"pairs": 40, "mean": 0.5}
    assert around["retrieved"]["pairs"] == 100
    assert [(pin["pin"], pin["value"], pin["answers"]) for pin in block["pins"]] == [
        ("model_rev", "2025-06-01", 100),
        ("prompt", "v1", 30),
        ("prompt", "<b>v2</b>", 70),
    ]
    lines = (
        "P50 2.00 ms, P95 300 ms; 100 copies",
        "50.0 % of what prod retrieved was retrieved too; 40 pairs",
        "ΔS to the question: prod 0.300, shadow 0.400; 100 pairs",
        "prompt v1: 30 answers, ",
        "prompt <b>v2</b>: 70 answers, ",
    )
    for line in lines:
        assert line in text
        assert line in page


def test_nothing_is_said_of_what_nobody_says(tmp_path: Path) -> None:
    pairs = [msgspec.structs.replace(pair, model_rev="") for pair in make_pairs(6)]
    block, text, _ = shown(tmp_path, pairs)
    assert (block["surroundings"], block["pins"]) == ({"slot_wait": None, "coverage": None, "retrieved": None}, [])
    assert not any(title in text for title in ("slot wait  P50", "retrieval  ", "versions  "))
