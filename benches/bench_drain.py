"""What the worker does to every copy's body, against the standard library: canonical JSON, and undoing compression."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from shadowlane import _core

_SIZES = [1, 16, 128]


def _chat(kib: int) -> bytes:
    """A chat request of about ``kib`` KiB, its members not in order."""
    turn = {"role": "user", "content": "How do I know that my ride has ended? " * 6, "name": "a"}
    turns = [turn] * max(1, kib * 1024 // len(json.dumps(turn)))
    return json.dumps({"temperature": 0.5, "model": "m", "messages": turns, "max_tokens": 300}).encode()


def _sorted_dump(text: bytes) -> bytes:
    """What most people write for a canonical form; the same bytes as RFC 8785 for texts like these."""
    return json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize("kib", _SIZES)
@pytest.mark.parametrize("how", [_core.canonical_json, _sorted_dump], ids=["shadowlane", "json.dumps sort_keys"])
def test_canonical(benchmark: BenchmarkFixture, kib: int, how: Callable[[bytes], bytes | None]) -> None:
    benchmark.group = f"canonical JSON, {kib} KiB"
    text = _chat(kib)
    assert benchmark(how, text) == _sorted_dump(text)


def _ours(body: bytes) -> bytes:
    found = _core.inflate(body, 1 << 24)
    assert found is not None
    return found[0]


@pytest.mark.parametrize("kib", _SIZES)
@pytest.mark.parametrize("how", [_ours, gzip.decompress], ids=["shadowlane", "gzip.decompress"])
def test_inflate(benchmark: BenchmarkFixture, kib: int, how: Callable[[bytes], bytes]) -> None:
    benchmark.group = f"gzip undone, {kib} KiB"
    text = _chat(kib)
    assert benchmark(how, gzip.compress(text)) == text
