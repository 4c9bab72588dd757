"""Tenants as the worker sees them: apart, the same for all that a tenant sends, and never by name."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from shadowlane import _core
from shadowlane.capture.lane import Lane
from shadowlane.errors import ConfigError
from shadowlane.types import Copy

FIELDS = [field.name for field in msgspec.structs.fields(Copy)]


def drained(folder: Path, senders: list[str | None], tenant_key: str | None) -> list[Copy]:
    config = {
        "lane": {
            "directory": str(folder / "lane"),
            "worker": "external",
            "ring_bytes": 1 << 18,
            "max_body_bytes": 4096,
        },
        "sampling": {"ratio": 1.0},
        "store": {"url": f"sqlite:///{folder / 'pairs.db'}"},
        "shadows": {"candidate": {"url": "http://127.0.0.1:9"}},
    }
    with Lane.open(config) as lane:
        for sender in senders:
            headers = [] if sender is None else [(b"X-Tenant", sender.encode())]
            ticket = lane.admit("GET", "/x", headers)
            assert ticket is not None
            assert lane.offer(ticket, "/x", headers, b"", 200, [], b"answer", 1, 0)
        drainer = _core.Drainer(str(folder / "lane"), allow_headers=[], tenant_key=tenant_key)
        rows = drainer.drain(100, 1 << 20)
        drainer.close()
    return [Copy(**dict(zip(FIELDS, row, strict=True))) for row in rows]


def test_a_tenant_is_a_hash_that_no_list_of_names_undoes(tmp_path: Path) -> None:
    one, two, again, nobody = drained(tmp_path, ["acme", "globex", "acme", None], "header:x-tenant")
    assert one.tenant == again.tenant != two.tenant
    assert (len(one.tenant), nobody.tenant) == (16, "")
    assert b"acme" not in msgspec.json.encode(one)
    other = tmp_path / "other"
    other.mkdir()
    assert drained(other, ["acme"], "header:x-tenant")[0].tenant != one.tenant


def test_without_a_key_there_are_no_tenants(tmp_path: Path) -> None:
    assert [copy.tenant for copy in drained(tmp_path, ["acme"], None)] == [""]


def test_a_key_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"limits\.tenant_key"):
        _core.Drainer(str(tmp_path / "lane"), allow_headers=[], tenant_key="user")
