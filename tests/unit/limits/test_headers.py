"""Rate-limit headers of real providers, the IETF drafts' forms, and hostile ones."""

from __future__ import annotations

import gzip
import json
import os
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.limits import RateLimit, parse_rate_limit, rate_limit_headers, retry_after_s
from shadowlane.limits.structured import list_members

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z
DATA = Path(os.environ.get("SHADOWLANE_DATA", Path(__file__).parents[4] / "shared" / "data"))

CASES: dict[str, tuple[dict[str, str], RateLimit | None]] = {
    "openai": (
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-limit-tokens": "150000",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-remaining-tokens": "100000",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-reset-tokens": "6m0s",
        },
        RateLimit(150000, 100000, 360.0),
    ),
    "groq": (
        {
            "X-RateLimit-Limit-Requests": "14400",
            "X-RateLimit-Remaining-Requests": "14398",
            "X-RateLimit-Reset-Requests": "20m52.666s",
        },
        RateLimit(14400, 14398, 1252.666),
    ),
    "anthropic": (
        {
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "49",
            "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:52Z",
            "anthropic-ratelimit-input-tokens-limit": "40000",
            "anthropic-ratelimit-input-tokens-remaining": "4000",
            "anthropic-ratelimit-input-tokens-reset": "2023-11-14T22:14:20.5Z",
        },
        RateLimit(40000, 4000, 60.5),
    ),
    "one family in two spellings": (
        {
            "x-ratelimit-limit-tokens": "1000",
            "x-ratelimit-remaining-tokens": "100",
            "x-rate-limit-reset-tokens": "30s",
            "x-ratelimit-limit-requests": "10",
            "x-rate-limit-remaining-requests": "9",
        },
        RateLimit(1000, 100, 30.0),
    ),
    "litellm's own": (
        {
            "x-ratelimit-api_key-limit-requests": "100",
            "x-ratelimit-api_key-remaining-requests": "7",
            "x-ratelimit-model_per_key-limit-tokens": "5000",
            "x-ratelimit-model_per_key-remaining-tokens": "4000",
            "llm_provider-x-ratelimit-limit-requests": "60",
            "llm_provider-x-ratelimit-remaining-requests": "59",
        },
        RateLimit(100, 7, None),
    ),
    "anthropic unified": (
        {
            "anthropic-ratelimit-unified-status": "allowed",
            "anthropic-ratelimit-unified-5h-status": "allowed",
            "anthropic-ratelimit-unified-5h-utilization": "0.9",
            "anthropic-ratelimit-unified-5h-reset": "1700000060",
            "anthropic-ratelimit-unified-7d-utilization": "0.25",
            "anthropic-ratelimit-unified-7d-reset": "1700500000",
        },
        RateLimit(1_000_000, 100_000, 60.0),
    ),
    "anthropic unified, over": (
        {
            "anthropic-ratelimit-unified-7d-utilization": "1.02",
            "anthropic-ratelimit-unified-7d-reset": "1700000010",
        },
        RateLimit(1_000_000, 0, 10.0),
    ),
    "anthropic unified, refusing": (
        {"anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": "1700000010"},
        RateLimit(1_000_000, 0, 10.0),
    ),
    "anthropic priority tier": (
        {
            "anthropic-priority-input-tokens-limit": "100",
            "anthropic-priority-input-tokens-remaining": "1",
            "anthropic-priority-input-tokens-reset": "2023-11-14T22:13:21Z",
        },
        RateLimit(100, 1, 1.0),
    ),
    "mistral": (
        {
            "x-ratelimit-limit-req-10-second": "60",
            "x-ratelimit-remaining-req-10-second": "51",
            "x-ratelimit-limit-tokens-minute": "2000000",
            "x-ratelimit-remaining-tokens-minute": "1999147",
            "x-ratelimit-tokens-query-cost": "78",
        },
        RateLimit(60, 51, None),
    ),
    "mistral by size": (
        {"ratelimitbysize-limit": "500000", "ratelimitbysize-remaining": "400000", "ratelimitbysize-reset": "12"},
        RateLimit(500000, 400000, 12.0),
    ),
    "azure counts resets in milliseconds": (
        {
            "x-ratelimit-limit-requests": "120",
            "x-ratelimit-remaining-requests": "119",
            "x-ratelimit-renewalperiod-requests": "60",
            "x-ratelimit-reset-requests": "500",
        },
        RateLimit(120, 119, 0.5),
    ),
    "cerebras": (
        {
            "x-ratelimit-limit-tokens-minute": "60000",
            "x-ratelimit-remaining-tokens-minute": "59000",
            "x-ratelimit-reset-tokens-minute": "11.38",
        },
        RateLimit(60000, 59000, 11.38),
    ),
    "github, Unix time": (
        {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "56", "x-ratelimit-reset": "1700000372"},
        RateLimit(60, 56, 372.0),
    ),
    "milliseconds of Unix time": (
        {"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1700000060000"},
        RateLimit(20, 0, 60.0),
    ),
    "discord": (
        {
            "x-ratelimit-limit": "5",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": "1700000001.2",
            "x-ratelimit-reset-after": "1.25",
        },
        RateLimit(5, 0, 1.25),
    ),
    "with a hyphen": (
        {"x-rate-limit-limit": "600", "x-rate-limit-remaining": "10", "x-rate-limit-reset": "5"},
        RateLimit(600, 10, 5.0),
    ),
    "through a proxy": (
        {"llm_provider-x-ratelimit-limit-requests": "100", "llm_provider-x-ratelimit-remaining-requests": "3"},
        RateLimit(100, 3, None),
    ),
    "no limit named": ({"ratelimit-remaining": "2999", "ratelimit-reset": "1"}, RateLimit(None, 2999, 1.0)),
    "least remaining when no limit is named": (
        {"x-ratelimit-remaining-requests": "119", "x-ratelimit-remaining-tokens": "119991"},
        RateLimit(None, 119, None),
    ),
    "nothing left is tightest, whatever the limit": (
        {
            "x-ratelimit-limit-requests": "10",
            "x-ratelimit-remaining-requests": "1",
            "x-ratelimit-remaining-tokens": "0",
        },
        RateLimit(None, 0, None),
    ),
    "equal shares: the later reset": (
        {
            "x-ratelimit-limit-a": "10",
            "x-ratelimit-remaining-a": "5",
            "x-ratelimit-reset-a": "1s",
            "x-ratelimit-limit-b": "100",
            "x-ratelimit-remaining-b": "50",
            "x-ratelimit-reset-b": "9s",
        },
        RateLimit(100, 50, 9.0),
    ),
    "ietf": (
        {
            "RateLimit-Policy": '"burst";q=100;w=60,"daily";q=1000;w=86400',
            "RateLimit": '"daily";r=900;t=3600,"burst";r=50;t=30',
        },
        RateLimit(100, 50, 30.0),
    ),
    "ietf with tokens, a partition key and spaces": (
        {"ratelimit-policy": "default ; q=100 ; pk=:YWJj:; w=10", "ratelimit": "default; r=5 ;pk=:YW,Jj:"},
        RateLimit(100, 5, None),
    ),
    "ietf without a policy": ({"ratelimit": '"default";r=50;t=30'}, RateLimit(None, 50, 30.0)),
    "ietf -07": ({"RateLimit": "limit=100, remaining=50, reset=5"}, RateLimit(100, 50, 5.0)),
    "ietf -07 with the limit in the policy": (
        {"RateLimit": "remaining=50, reset=5", "RateLimit-Policy": "100;w=60"},
        RateLimit(100, 50, 5.0),
    ),
    "ietf -03": (
        {"RateLimit-Limit": '100, 100;w=60;comment="fixed"', "RateLimit-Remaining": "20", "RateLimit-Reset": "56"},
        RateLimit(100, 20, 56.0),
    ),
    "ietf names with separators": (
        {"ratelimit-policy": '"a,b;\\"c";q=10', "ratelimit": '"a,b;\\"c";r=1;t=2'},
        RateLimit(10, 1, 2.0),
    ),
    "sent twice": (
        {
            "x-ratelimit-limit-tokens": "100, 100",
            "x-ratelimit-remaining-tokens": "9, 9",
            "x-ratelimit-reset-tokens": "2ms, 2ms",
        },
        RateLimit(100, 9, 0.002),
    ),
    "a reset in the past": (
        {"x-ratelimit-limit": "5", "x-ratelimit-remaining": "1", "x-ratelimit-reset": "2023-11-14T22:00:00Z"},
        RateLimit(5, 1, 0.0),
    ),
    "a fraction of a request": (
        {"x-ratelimit-remaining": "598.7", "x-ratelimit-limit": "600"},
        RateLimit(600, 598, None),
    ),
    "not a budget: no count": ({"x-ratelimit-limit": "5", "x-ratelimit-reset": "1"}, None),
    "not a budget: limit 0": ({"x-ratelimit-limit-images": "0", "x-ratelimit-remaining-images": "0"}, None),
    "not a budget: negative": ({"x-ratelimit-limit": "-1", "x-ratelimit-remaining": "-1"}, None),
    "not a budget: words": ({"x-ratelimit-limit": "high", "x-ratelimit-remaining": "plenty"}, None),
    "not a budget: retry-after": ({"retry-after": "53"}, None),
    "none": ({"content-type": "text/plain"}, None),
    "empty": ({}, None),
}


@pytest.mark.parametrize("name", CASES)
def test_providers(name: str) -> None:
    headers, expected = CASES[name]
    parsed = parse_rate_limit(headers, NOW)
    if expected is None or parsed is None:
        assert parsed is expected
        return
    assert (parsed.limit, parsed.remaining) == (expected.limit, expected.remaining)
    assert parsed.reset_s == (None if expected.reset_s is None else pytest.approx(expected.reset_s))


@pytest.mark.parametrize("name", CASES)
def test_every_shape_of_headers_reads_alike(name: str) -> None:
    headers, _ = CASES[name]
    parsed = parse_rate_limit(headers, NOW)
    raw = [(key.encode(), value.encode()) for key, value in headers.items()]
    assert parse_rate_limit(raw, NOW) == parsed
    assert parse_rate_limit(dict(raw), NOW) == parsed
    assert parse_rate_limit(iter([(key.upper(), value) for key, value in headers.items()]), NOW) == parsed
    assert parse_rate_limit({key: [value] for key, value in headers.items()}, NOW) == parsed


def test_a_list_sent_in_two_fields() -> None:
    headers = [("RateLimit", '"a";r=5'), ("RateLimit-Policy", '"a";q=10, "b";q=10'), ("ratelimit", '"b";r=1;t=3')]
    assert parse_rate_limit(headers, NOW) == RateLimit(10, 1, 3.0)


_names = st.sampled_from([name for headers, _ in CASES.values() for name in headers])
_values = st.sampled_from([value for headers, _ in CASES.values() for value in headers.values()]) | st.text(max_size=30)


@given(st.lists(st.tuples(_names | st.text(max_size=20), _values), max_size=8), st.floats(0, 1e11))
def test_nothing_raises_and_counts_are_never_negative(headers: list[tuple[str, str]], now: float) -> None:
    budget = parse_rate_limit(headers, now)
    wait = retry_after_s(headers, now)
    assert wait is None or wait >= 0
    if budget is not None:
        assert budget.remaining >= 0
        assert budget.limit is None or budget.limit > 0
        assert budget.reset_s is None or budget.reset_s >= 0


@given(st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, 10**9), st.integers(0, 10**6)), min_size=1, max_size=6))
def test_the_tightest_budget_is_found(budgets: list[tuple[int, int, int]]) -> None:
    headers: dict[str, str] = {}
    for index, (limit, remaining, reset) in enumerate(budgets):
        headers[f"x-ratelimit-limit-b{index}"] = str(limit)
        headers[f"x-ratelimit-remaining-b{index}"] = str(remaining)
        headers[f"x-ratelimit-reset-b{index}"] = f"{reset}ms"
    tightest = parse_rate_limit(headers, NOW)
    assert tightest is not None
    assert tightest.share == min(remaining / limit for limit, remaining, _ in budgets)


def test_retry_after() -> None:
    assert retry_after_s({"Retry-After": "7"}, NOW) == 7.0
    assert retry_after_s([(b"retry-after", b"7"), (b"retry-after-ms", b"6500")], NOW) == 6.5
    assert retry_after_s({"retry-after": "Tue, 14 Nov 2023 22:14:20 GMT"}, NOW) == 60.0
    assert retry_after_s({"x-retry-after": "7"}, NOW) is None


@pytest.mark.parametrize(
    ("field", "members"),
    [
        ('"a";r=1, b;t=2;flag', [("a", {"r": "1"}), ("b", {"t": "2", "flag": "?1"})]),
        ('a;x="1;2,3"', [("a", {"x": "1;2,3"})]),
        ("limit=1, remaining=2", [("limit=1", {}), ("remaining=2", {})]),
        ('"open, b;r=1', []),
        ('a;r=1, "open', [("a", {"r": "1"})]),
        (",, a", [("a", {})]),
        ("a;UPPER=1;=2;r=3", [("a", {"r": "3"})]),
        ("", []),
    ],
)
def test_structured_lists(field: str, members: list[Any]) -> None:
    assert list_members(field) == members


def test_recorded_answers() -> None:
    file = DATA / "ratelimit_headers.jsonl.gz"
    if not file.exists():
        pytest.skip("no recorded headers here: set SHADOWLANE_DATA")
    read = 0
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            headers = record["headers"]
            counts = {k: v for k, v in headers.items() if "remaining" in k}
            date = headers.get("date")
            now = parsedate_to_datetime(date).timestamp() if isinstance(date, str) else NOW
            budget = parse_rate_limit(headers, now)
            assert (budget is not None) == bool(counts), record["id"]
            if budget is not None:
                read += 1
                assert str(budget.remaining) in {v if isinstance(v, str) else v[0] for v in counts.values()}
                # Every one of these budgets renews within a minute.
                has_reset = any("reset" in name for name in headers)
                assert (budget.reset_s is not None and budget.reset_s <= 60) == has_reset, record["id"]
    assert read > 100


def test_of_a_response_the_rate_limit_headers_of_every_family_are_kept() -> None:
    wanted = {
        "x-ratelimit-remaining-requests": "9",
        "X-RateLimit-Limit": "10",
        "x-rate-limit-reset": "1",
        "RateLimit": '"default";r=9',
        "RateLimit-Policy": '"default";q=10',
        "anthropic-ratelimit-tokens-remaining": "7",
        "llm_provider-x-ratelimit-remaining-tokens": "5",
        "Retry-After": "2",
        "retry-after-ms": "1500",
    }
    others = {"content-type": "text/plain", "x-request-id": "1", "x-limits": "2", "set-cookie": "ratelimit-remaining=1"}
    pairs = [(name.encode(), value.encode()) for name, value in {**wanted, **others}.items()]
    kept = {name.lower(): value for name, value in wanted.items()}
    assert rate_limit_headers(pairs) == rate_limit_headers(dict(pairs)) == kept
