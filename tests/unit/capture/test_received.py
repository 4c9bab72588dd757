"""What receivers were sent: one count over all their processes, whole at every moment, and whether one lives."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shadowlane.capture.lane import Lane
from shadowlane.capture.received import FILE, Counts, Noted, Tally, read_received
from tests.e2e.conftest import ROOT, until
from tests.support.lanedata import lane_config

KILLED = """
import sys, threading
from pathlib import Path
from shadowlane.capture.received import Noted, Tally
tally = Tally()
with Noted(Path(sys.argv[1]), "sink", tally.counts):
    for number in range(5):
        tally.offer()
    tally.skip("not_admitted")
    threading.Event().wait()
"""


@pytest.fixture
def lane(tmp_path: Path) -> Iterator[Lane]:
    with Lane.open(lane_config(tmp_path)) as opened:
        yield opened


def lane_id(lane: Lane) -> str:
    from shadowlane import _core

    return str(_core.lane_status(str(lane.directory))["lane_id"])


def said(lane: Lane) -> dict[str, dict[str, object]]:
    return read_received(lane.directory, lane_id(lane))


def test_before_a_receiver_ran_there_is_nothing(lane: Lane) -> None:
    assert said(lane) == {}


def test_processes_add_to_one_count_and_the_last_words_are_in_it(lane: Lane) -> None:
    for n in (3, 4):
        tally = Tally()
        with Noted(lane.directory, "sink", tally.counts):
            assert said(lane)["sink"]["up"]
            for _ in range(n):
                tally.offer()
            tally.skip("client_disconnected")
    assert said(lane) == {
        "sink": {
            "up": False, "received": 9, "offered": 7, "skipped": {"client_disconnected": 2}, "rejected": {},
            "answers": {},
        }
    }  # fmt: skip


def test_several_that_write_at_once_lose_nothing(lane: Lane) -> None:
    def work() -> None:
        tally = Tally()
        with Noted(lane.directory, "sink", tally.counts) as noted:
            for _ in range(40):
                tally.offer()
                noted._note()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said(lane)["sink"]["received"] == said(lane)["sink"]["offered"] == 160


def test_one_that_is_stopped_while_it_writes_holds_up_nobody(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shadowlane.capture.received._PATIENCE_S", 0.0)
    tally = Tally()
    with Noted(lane.directory, "sink", tally.counts):
        with (lane.directory / "receivers.lock").open("rb") as stopped:
            fcntl.flock(stopped, fcntl.LOCK_EX)
            tally.offer()
            with Noted(lane.directory, "otlp", lambda: Counts(1, 1)):
                """It begins and ends all the same."""
        assert "otlp" not in said(lane)
    assert said(lane)["sink"]["received"] == 1, "what was not noted comes with the next"


def test_kinds_are_apart(lane: Lane) -> None:
    otlp = Counts(5, 2, {"not_genai": 2}, {"damaged": 1}, {"200": 3})
    tally = Tally()
    with Noted(lane.directory, "otlp", lambda: otlp), Noted(lane.directory, "sink", tally.counts):
        tally.skip("not_admitted")
    found = said(lane)
    assert (found["otlp"]["received"], found["otlp"]["answers"]) == (5, {"200": 3})
    assert found["sink"]["skipped"] == {"not_admitted": 1}


def test_another_lives_when_one_has_ended(lane: Lane) -> None:
    tally = Tally()
    second = Noted(lane.directory, "sink", tally.counts)
    with Noted(lane.directory, "sink", tally.counts):
        second.__enter__()
    try:
        until(lambda: said(lane)["sink"]["up"], "the second one is seen")
    finally:
        second.__exit__()
    assert not said(lane)["sink"]["up"]


def test_of_another_life_of_the_lane_nothing_is_shown_and_counting_begins_anew(lane: Lane) -> None:
    tally = Tally()
    with Noted(lane.directory, "sink", tally.counts):
        tally.offer()
    assert read_received(lane.directory, "another") == {}
    text = (lane.directory / FILE).read_text().replace(lane_id(lane), "of-before")
    (lane.directory / FILE).write_text(text)
    assert said(lane) == {}
    with Noted(lane.directory, "sink", Tally().counts):
        assert said(lane)["sink"]["received"] == 0


@pytest.mark.parametrize("content", [b"", b"{", b'{"lane_id": 3}', b'{"lane_id": "x", "receivers": {"sink": 4}}'])
def test_a_file_that_cannot_be_read_is_made_anew(lane: Lane, content: bytes) -> None:
    (lane.directory / FILE).write_bytes(content)
    assert said(lane) == {}
    tally = Tally()
    tally.offer()
    with Noted(lane.directory, "sink", tally.counts):
        assert said(lane)["sink"]["received"] == 1


def test_where_nothing_can_be_written_the_receiver_goes_on_and_says_so_once(
    lane: Lane, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tally = Tally()
    with Noted(tmp_path / "gone", "sink", tally.counts) as noted:
        for _ in range(3):
            noted._note()
    assert [record.getMessage().endswith("cannot be noted: FileNotFoundError") for record in caplog.records] == [True]


def test_a_killed_one_is_not_up_and_what_it_said_stays(lane: Lane) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(lane.directory)], cwd=ROOT)
    try:
        until(lambda: said(lane).get("sink", {}).get("received") == 6, "it has noted what it counted")
        assert said(lane)["sink"]["up"]
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert said(lane)["sink"] == {
        "up": False, "received": 6, "offered": 5, "skipped": {"not_admitted": 1}, "rejected": {}, "answers": {},
    }  # fmt: skip
