"""A process that keeps folds is killed at any moment: a verdict stays what the rows give."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from shadowlane.gate import kept
from shadowlane.store import open_store, rolling
from tests.support.lanes import NOW_NS, make_pairs

from .engines import Engine
from .test_blocks_killed import _wait_for_its_server
from .test_folds import agrees, kept_now, lane

_KILLS = 3
_ROWS = 400
# States are dropped again, so that there are always some to make; a line says that it makes them now.
_MAKES = """
import sys
import msgspec
from pathlib import Path
from shadowlane.columns import KeptFold
from shadowlane.config import StoreConfig
from shadowlane.gate import kept
from shadowlane.gate.keeping import keep
from shadowlane.store import open_store
from tests.unit.store.test_folds import lane
kept._LEAST_ROWS = 1
config = lane(Path(sys.argv[2]))
with open_store(msgspec.json.decode(sys.argv[1], type=StoreConfig)) as store:
    store._clock_ns = lambda: int(sys.argv[3])
    print("makes", flush=True)
    while True:
        for some in keep(config, {}, store, int(sys.argv[3])):
            if isinstance(some, KeptFold):
                store.keep_fold(some)
        store._db.execute("DELETE FROM folds")
"""


def test_a_process_that_is_killed_while_it_keeps_folds_leaves_whole_ones(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_LEAST_ROWS", 1)
    monkeypatch.setattr(rolling, "BLOCK_ROWS", 60)
    stored, config = engine.config(tmp_path / "s.db"), lane(tmp_path)
    with open_store(stored) as store:
        store._clock_ns = lambda: NOW_NS
        store.set_epoch("ab" * 16, {"candidate": 0})
        store.save(make_pairs(_ROWS))
        assert kept_now(store, config)
    chance = random.Random(17)
    for _ in range(_KILLS):
        given = [msgspec.json.encode(stored).decode(), str(tmp_path), str(NOW_NS)]
        maker = subprocess.Popen([sys.executable, "-c", _MAKES, *given], stdout=subprocess.PIPE, text=True)
        try:
            assert maker.stdout is not None
            assert maker.stdout.readline() == "makes\n"
            with pytest.raises(subprocess.TimeoutExpired):  # it never ends by itself
                maker.wait(chance.uniform(0.1, 0.5))
        finally:
            maker.send_signal(signal.SIGKILL)
            maker.communicate()
        with open_store(stored, read_only=True) as store:
            agrees(config, store)
    _wait_for_its_server(stored)
    with open_store(stored) as store:
        store._clock_ns = lambda: NOW_NS
        kept_now(store, config)
        assert agrees(config, store) < _ROWS // 4
