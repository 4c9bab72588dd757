"""A process that makes blocks is killed at any moment: what is read stays what the rows give."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import psycopg
import pytest

from shadowlane.config import StoreConfig
from shadowlane.store import open_store, rolling
from tests.e2e.conftest import until
from tests.support.lanes import make_pairs

from .engines import Engine
from .test_blocks import ROLLED_AT_NS, _joined
from .test_engines_agree import plain

_KILLS = 6
_ROWS = 1200
# Blocks are dropped again, so that there are always some to make; a line says that it makes them now.
_MAKES = """
import sys
import msgspec
from shadowlane.config import StoreConfig
from shadowlane.store import open_store, rolling
rolling.BLOCK_ROWS = 40
with open_store(msgspec.json.decode(sys.argv[1], type=StoreConfig)) as store:
    store._clock_ns = lambda: int(sys.argv[2])
    print("makes", flush=True)
    while True:
        if not store.roll_up():
            store._db.execute("DELETE FROM blocks WHERE id % 3 = 0")
"""


def _read(config: StoreConfig) -> tuple[object, int]:
    with open_store(config, read_only=True) as store:
        whole = plain(_joined(plain(list(store.pieces("candidate"))), beside=False))
        seen = (
            store.route_counts("candidate", 0),
            store.said_counts("candidate", 0),
            store.segment_sums("candidate", 0, "wordllama/l2_256", 1),
        )
        return (whole, plain(seen)), int(store._db.execute("SELECT count(*) FROM blocks").fetchone()[0])


def _wait_for_its_server(config: StoreConfig) -> None:
    """PostgreSQL still does what it was told last, and sees then that nobody is there."""
    if not config.on_server:
        return
    with psycopg.connect(config.url, autocommit=True, application_name="test") as db:
        left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'shadowlane'"
        until(lambda: db.execute(left).fetchone() == (0,), "the killed ones' connections end")


def test_a_process_that_is_killed_while_it_makes_blocks_leaves_whole_ones(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = engine.config(tmp_path / "s.db")
    with open_store(config) as store:
        store.set_epoch("ab" * 16, {"candidate": 0})
        store.save(make_pairs(_ROWS))
    rows, none = _read(config)
    assert none == 0
    chance = random.Random(17)
    for _ in range(_KILLS):
        given = [msgspec.json.encode(config).decode(), str(ROLLED_AT_NS)]
        maker = subprocess.Popen([sys.executable, "-c", _MAKES, *given], stdout=subprocess.PIPE, text=True)
        try:
            assert maker.stdout is not None
            assert maker.stdout.readline() == "makes\n"
            with pytest.raises(subprocess.TimeoutExpired):  # it never ends by itself
                maker.wait(chance.uniform(0.0, 0.2))
        finally:
            maker.send_signal(signal.SIGKILL)
            maker.communicate()
        assert _read(config)[0] == rows
    _wait_for_its_server(config)
    monkeypatch.setattr(rolling, "BLOCK_ROWS", 40)
    with open_store(config) as store:
        store._clock_ns = lambda: ROLLED_AT_NS
        while store.roll_up():
            pass
        assert store.damaged_blocks() == 0
        covered = store._db.execute("SELECT sum(n), count(*) FROM blocks").fetchone()
    assert covered[0] == _ROWS
    assert _read(config) == (rows, covered[1])
