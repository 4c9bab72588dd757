"""What one of several hosts tells for all, and a fleet's engine that is away."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from shadowlane.alerts.common import told_by_one
from shadowlane.alerts.leads import FleetLeads
from shadowlane.config import Config
from shadowlane.errors import StoreError
from tests.support.lanes import config_at
from tests.support.ports import Ports

_SERVER = {"store": {"url": "postgresql://u@127.0.0.1/d"}}
_FLEET = {"fleet": {"url": "redis://127.0.0.1:9"}}


@pytest.mark.parametrize(
    ("tables", "by_one"),
    [
        ({}, set()),
        (_FLEET, {"budget"}),
        (_SERVER, {"sampling", "prod_errors", "accounting", "pins", "verdict"}),
        (_SERVER | _FLEET, {"sampling", "prod_errors", "accounting", "pins", "verdict", "budget"}),
    ],
)
def test_what_is_the_same_on_all_hosts_is_told_by_one(tmp_path: Path, tables: dict[str, Any], by_one: set[str]) -> None:
    config = config_at(tmp_path, **tables)
    rules = {"sampling", "prod_errors", "accounting", "pins", "verdict", "budget", "drops", "store", "breaker", "cap"}
    assert {rule for rule in rules if told_by_one(config, rule)} == by_one


def test_an_engine_that_is_away_is_said_as_what_keeps_the_post(tmp_path: Path) -> None:
    ports = Ports()
    config = Config.from_dict(
        {
            "shadows": {"candidate": {"url": "http://127.0.0.1:9"}},
            "fleet": {"url": f"redis://127.0.0.1:{ports.reserve()}/0"},
        }
    )

    async def run() -> None:
        leads = FleetLeads(config, "alerts json")
        with pytest.raises(StoreError, match="the fleet's engine: redis: "):
            await leads.lead()
        with pytest.raises(StoreError, match="the fleet's engine: redis: "):
            await leads.keep(1, "x")
        await leads.hold(1)  # another one's
        await leads.close()
        await leads.close()

    asyncio.run(run())
    ports.close()
