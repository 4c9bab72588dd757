"""Every file that a running lane makes is in the documentation's table, and is nobody's but its user's."""

from __future__ import annotations

import re
import stat

import httpx

from .conftest import ROOT, World

TABLE = ROOT / "docs" / "operate" / "files.md"


def test_every_file_of_a_lane_is_listed_and_private(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow())
    url = world.gateway()
    assert client.get(url + "/x").status_code == 200
    world.settle(1)
    listed = set(re.findall(r"^\| `([^`]+)`", TABLE.read_text(encoding="utf-8"), re.MULTILINE))
    files = {re.sub(r"^ring-\d+", "ring-N", file.name): file for file in world.lane.iterdir()}
    assert {"control.shm", "ring-N.shm", "config.json", "worker.lock", "worker.log"} <= files.keys()
    assert files.keys() - listed == set()
    assert stat.S_IMODE(world.lane.stat().st_mode) == 0o700
    for file in files.values():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
