"""Who does what is done once for all: on a real server, with leaders that stand still, are cut off or die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shadowlane.config import StoreConfig
from shadowlane.errors import DeposedError
from shadowlane.store import Store, open_store
from shadowlane.store.leader import Leader
from tests.e2e.conftest import ROOT, until

from .engines import Engine

_LEADER = """
import sys
from shadowlane.config import StoreConfig
from shadowlane.errors import DeposedError
from shadowlane.store import open_store
from shadowlane.store.leader import Leader
with open_store(StoreConfig(url=sys.argv[1], schema=sys.argv[2])) as store:
    leader = Leader(store._db, "x", lease_s=1.0)
    assert leader.take()
    token = leader.token
    print("leads", token, flush=True)
    sys.stdin.readline()  # it stands still, between what it has read and what it does
    try:
        leader.keep(f"by token {token}", token)
        print("did it", flush=True)
    except DeposedError:
        print("deposed", flush=True)
"""


@pytest.fixture
def config(postgres: Engine, tmp_path: Path) -> StoreConfig:
    return postgres.config(tmp_path / "s.db")


def leader_of(store: Store, lease_s: float = 3600.0) -> Leader:
    return Leader(store._db, "x", lease_s=lease_s)  # type: ignore[arg-type]


def test_one_leads_and_another_one_when_it_resigns(config: StoreConfig) -> None:
    with open_store(config) as first, open_store(config) as second:
        one, other = leader_of(first), leader_of(second)
        assert one.look() is None
        assert one.take()
        assert not other.take()
        assert one.take()
        assert (one.token, other.token) == (1, 0)
        assert 0 < one.left_s <= 3600
        assert other.left_s == 0
        seen, own = other.look(), one.look()
        assert seen is not None
        assert own is not None
        assert (seen.token, seen.here, own.here) == (1, False, True)
        assert seen.host == own.host != ""
        with pytest.raises(DeposedError):
            other.keep("by nobody", 0)
        one.keep("by the first", 1)
        one.resign()
        assert other.take()
        assert other.token == 2
        assert other.kept() == "by the first"
        with pytest.raises(DeposedError):
            one.keep("late", 1)
        assert not one.take()
        assert other.kept() == "by the first"


def test_a_deed_that_fails_leaves_nothing(config: StoreConfig) -> None:
    with open_store(config) as store:
        leader = leader_of(store)
        assert leader.take()

        def half() -> None:
            with leader.deed():
                store._db.execute("INSERT INTO meta (key, value) VALUES ('half', '')")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            half()
        assert store._db.execute("SELECT count(*) FROM meta WHERE key = 'half'").fetchone() == (0,)


def test_a_lease_of_a_clock_that_was_set_back_ends(config: StoreConfig) -> None:
    with open_store(config) as store:
        one, other = leader_of(store), leader_of(store)
        assert one.take()
        query = (
            "UPDATE meta SET value = '7 ' || extract(epoch FROM clock_timestamp()) + 1e6 || ' x h' "
            "WHERE key = 'leader:x'"
        )
        store._db.execute(query)
        assert other.take()
        assert other.token == 8


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_who_stands_still_past_its_lease_does_nothing_after_another_one(config: StoreConfig, number: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _LEADER, config.url, config.schema],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "leads 1\n"
        process.send_signal(number)
        with open_store(config) as store:
            leader = leader_of(store)
            until(leader.take, "another one leads")
            assert leader.token == 2
            leader.keep("by token 2", 2)
            if number == signal.SIGSTOP:
                process.stdin.write("\n")
                process.stdin.flush()
                process.send_signal(signal.SIGCONT)
                assert process.stdout.read() == "deposed\n"
            assert leader.kept() == "by token 2"
    finally:
        process.kill()
        process.wait(30)
        process.stdin.close()
        process.stdout.close()
