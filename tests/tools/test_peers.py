"""The comparison with other mirrors measures what it says."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from benches.peers.peers import Peer
from benches.peers.processes import Server
from shadowlane import Config, Lane, _core

_JSON = [(b"content-type", b"application/json")]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "lane"
    folder.mkdir(mode=0o700)
    return folder


def _lane(directory: Path) -> Lane:
    return Lane.open(
        Config.from_dict(
            {
                "lane": {"directory": str(directory), "worker": "external"},
                "sampling": {"ratio": 1.0},
                "limits": {"qps": 1e6, "burst": 1_000_000},
                "routes": {"read": ["POST /on"]},
                "store": {"url": f"sqlite:///{directory}/pairs.db"},
                "shadows": {"candidate": {"url": "http://127.0.0.1:9"}},
            }
        )
    )


def _peer(lane: Path | None) -> Peer:
    return Peer("ours", cast("Server", None), lane=lane)


def test_lost_are_the_copies_that_were_wanted(directory: Path) -> None:
    peer = _peer(directory)
    with _lane(directory) as lane:
        assert lane.admit("POST", "/off", _JSON) is None
        assert lane.admit("DELETE", "/on", _JSON) is None
        _core.set_enabled(str(directory), False)
        assert lane.admit("POST", "/on", _JSON) is None
        _core.set_enabled(str(directory), True)
        assert sum(_core.lane_status(str(directory))["dropped"].values()) == 3
        assert peer.lost() == 0
        for lost, reason in enumerate(("prod_failed", "client_disconnected", "request_too_large"), 1):
            ticket = lane.admit("POST", "/on", _JSON)
            assert ticket is not None
            lane.drop(ticket, reason)
            assert peer.lost() == lost
    assert _peer(None).lost() is None
