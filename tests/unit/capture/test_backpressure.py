"""``limits.backpressure``: what happens when the worker falls behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shadowlane import Config, ConfigError, Lane, _core
from shadowlane.types import Copy


def opened(folder: Path, **limits: Any) -> Lane:
    return Lane.open(
        Config.from_dict(
            {
                "lane": {
                    "directory": str(folder / "lane"),
                    "worker": "external",
                    "ring_bytes": 65536,
                    "max_body_bytes": 16384,
                },
                "sampling": {"ratio": 1.0},
                "limits": {"qps": 1e6, "burst": 1000, **limits},
                "shadows": {"candidate": {"url": "http://127.0.0.1:9"}},
            }
        )
    )


def fill(lane: Lane) -> tuple[int, int, int]:
    """Offer 100 exchanges of 1,000 bytes; how many were admitted and mirrored, and the bytes in the ring then."""
    admitted = mirrored = 0
    for _ in range(100):
        ticket = lane.admit("GET", "/x", [])
        if ticket is not None:
            admitted += 1
            mirrored += lane.offer(ticket, "/x", [], b"", 200, [], b"x" * 1000, 1000, 0)
    return admitted, mirrored, lane.status()["rings"][0]["used"]


def test_drop_newest_admits_and_drops_when_the_ring_is_full(tmp_path: Path) -> None:
    with opened(tmp_path) as lane:
        admitted, mirrored, used = fill(lane)
        assert admitted == 100
        assert used > 65536 - 2000
        assert lane.status()["dropped"] == {"ring_full": 100 - mirrored}


def test_shed_refuses_at_admission_above_the_mark_and_takes_again_below_it(tmp_path: Path) -> None:
    with opened(tmp_path, backpressure="shed", shed_above=0.5) as lane:
        admitted, mirrored, used = fill(lane)
        assert admitted == mirrored, "no copy was started in vain"
        assert 32768 < used < 32768 + 2000
        status = lane.status()
        assert status["dropped"] == {"ring_full": 100 - mirrored}
        assert status["seen"] == 100
        # What was shed took nothing from the cap.
        assert status["cap"]["available"] >= 1000 - mirrored
        drainer = _core.Drainer(str(lane.directory), allow_headers=())
        for row in drainer.drain(1000, 1 << 30):
            copy = Copy(**dict(zip(Copy.__struct_fields__, row, strict=True)))
            drainer.ack(copy.ring, copy.seq)
        drainer.close()
        assert lane.admit("GET", "/x", []) is not None


def test_the_mark_counts_only_when_it_is_asked_for(tmp_path: Path) -> None:
    with opened(tmp_path, shed_above=0.1) as lane:
        assert fill(lane)[0] == 100


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"backpressure": "block"}, r"limits\.backpressure = 'block'"),
        ({"shed_above": 0.0}, r"limits\.shed_above = 0\.0: use more than 0 and less than 1"),
        ({"shed_above": 1.0}, r"limits\.shed_above = 1\.0: use more than 0 and less than 1"),
        ({"shed_above": float("nan")}, r"limits\.shed_above = nan: use"),
    ],
)
def test_bad_values_are_refused(tmp_path: Path, limits: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        opened(tmp_path, **limits)
