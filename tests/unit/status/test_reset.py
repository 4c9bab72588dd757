"""``shadowlane reset``: what goes, what stays, and when nothing may go."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shadowlane import _core
from shadowlane.capture.lane import Lane
from shadowlane.cli import main
from shadowlane.config import Config, groups_folder
from shadowlane.status.collect import collect_status
from shadowlane.store import open_store

from .test_collect import config, lane, take, work

__all__ = ["config", "lane"]


@pytest.fixture
def file(config: Config, tmp_path: Path) -> Path:
    path = tmp_path / "shadowlane.json"
    path.write_text(json.dumps(config.to_dict()))
    return path


def used(config: Config, lane: Lane) -> Path:
    """A lane that has counted, stored and learned, and whose gateway is gone."""
    take(lane, 40)
    work(config, 12)
    lane.close()
    directory = Path(config.lane.directory)
    (directory / "worker.json").write_text("{}")
    (directory / "redact.key").write_bytes(b"k" * 32)
    groups = groups_folder(config)
    groups.mkdir()
    (groups / "groups.bin").write_bytes(b"x")
    (groups / "embedder-1.json").write_text("{}")
    return directory


def run(file: Path, *options: str) -> int:
    return main(["reset", "--config", str(file), *options])


def test_counters_and_memories_go_rows_and_keys_stay(
    config: Config, lane: Lane, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = used(config, lane)
    before = collect_status(config)["lane_id"]
    assert run(file, "--yes") == 0
    told = capsys.readouterr().out
    assert "counters of 40 requests, 20 of them mirrored" in told
    assert "8 copies that no worker has stored yet: they are LOST" in told
    assert "memory of λ" in told
    assert "gate's windows (candidate)" in told
    assert not list(directory.glob("*.shm"))
    assert not (directory / "worker.json").exists()
    assert (directory / "redact.key").exists()
    assert [one.name for one in groups_folder(config).iterdir()] == ["embedder-1.json"]
    with open_store(config.store) as store:
        assert store.window_restarted("candidate") is not None
    anew = Lane.open(config)
    take(anew, 4)
    status = collect_status(config)
    anew.close()
    assert status["lane_id"] != before
    assert status["seen"] == 4
    with contextlib.closing(sqlite3.connect(config.store.path)) as db:
        assert db.execute("SELECT count(*) FROM pairs").fetchone() == (12,)
    assert status["accounting"]["holds"]


def test_a_living_gateway_is_named_and_nothing_goes(
    config: Config, lane: Lane, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take(lane, 4)
    assert run(file, "--yes") == 3
    assert "stop the gateway" in capsys.readouterr().err
    assert collect_status(config)["seen"] == 4


def test_a_living_worker_keeps_everything(
    config: Config, lane: Lane, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = used(config, lane)
    drainer = _core.Drainer(str(directory), allow_headers=())
    assert run(file, "--yes") == 3
    drainer.close()
    assert "its worker runs" in capsys.readouterr().err
    assert (groups_folder(config) / "groups.bin").exists()
    assert run(file, "--yes") == 0


@pytest.mark.parametrize(("said", "code"), [("", 1), ("n\n", 1), ("maybe\n", 1), ("y\n", 0), ("YES\n", 0)])
def test_it_asks(config: Config, lane: Lane, file: Path, monkeypatch: pytest.MonkeyPatch, said: str, code: int) -> None:
    directory = used(config, lane)
    terminal = io.StringIO(said)
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin", terminal)
    assert run(file) == code
    assert (directory / "control.shm").exists() == (code == 1)


class Terminal(io.StringIO):
    """Somebody who says yes to every question, and meanwhile something happens."""

    def __init__(self, *meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self.meanwhile = list(meanwhile)
        self.questions = 0

    def isatty(self) -> bool:
        return True

    def readline(self, size: int | None = -1, /) -> str:
        self.questions += 1
        if self.meanwhile:
            self.meanwhile.pop(0)()
        return "yes\n"


@pytest.fixture
def closing() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("before", ["used", "never started"])
def test_a_gateway_that_starts_while_it_asks_is_named_and_nothing_goes(
    config: Config,
    file: Path,
    closing: contextlib.ExitStack,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    before: str,
) -> None:
    if before == "used":
        used(config, Lane.open(config))

    def serve() -> None:
        take(closing.enter_context(Lane.open(config)), 4)

    terminal = Terminal(serve)
    monkeypatch.setattr("sys.stdin", terminal)
    assert run(file) == 3
    assert "stop the gateway" in capsys.readouterr().err
    assert terminal.questions == 1
    assert collect_status(config)["seen"] == (44 if before == "used" else 4)
    assert (groups_folder(config) / "groups.bin").exists() == (before == "used")


def test_a_worker_that_starts_while_it_asks_keeps_everything(
    config: Config, file: Path, closing: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was there when it asked, so no lock could be held; a gateway came and went, and a worker stayed."""
    directory = Path(config.lane.directory)

    def start() -> None:
        with Lane.open(config) as lane:
            take(lane, 4)
        closing.callback(_core.Drainer(str(directory), allow_headers=()).close)

    monkeypatch.setattr("sys.stdin", Terminal(start))
    assert run(file) == 3
    assert (directory / "control.shm").exists()


def test_what_came_while_it_asked_is_said_before_it_goes(
    config: Config, lane: Lane, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = used(config, lane)

    def serve() -> None:
        with Lane.open(config) as another:
            take(another, 8)

    terminal = Terminal(serve)
    monkeypatch.setattr("sys.stdin", terminal)
    assert run(file) == 0
    assert terminal.questions == 2
    told = capsys.readouterr().out
    assert told.index("counters of 40 requests") < told.index("counters of 48 requests")
    assert not list(directory.glob("*.shm"))


def test_a_lock_that_cannot_be_taken_is_no_running_worker(
    config: Config, lane: Lane, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = used(config, lane)
    (directory / "worker.lock").unlink()
    (directory / "worker.lock").symlink_to(directory / "nothing")
    assert run(file, "--yes") == 3
    said = " ".join(capsys.readouterr().err.split())
    assert "worker.lock" in said
    assert "its worker runs" not in said
    assert (directory / "control.shm").exists()


def test_where_nobody_can_be_asked_it_wants_yes(
    config: Config, lane: Lane, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = used(config, lane)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert run(file) == run(file, "--json") == 2
    assert "--yes" in capsys.readouterr().err
    assert (directory / "control.shm").exists()
    assert run(file, "--json", "--yes") == 0
    gone = json.loads(capsys.readouterr().out)
    assert gone["lane"] == config.lane.name
    assert str(directory / "control.shm") in gone["removed"]


def test_a_lane_that_never_started_has_nothing_to_forget(
    config: Config, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(file, "--yes") == 0
    assert "nothing: it has neither" in capsys.readouterr().out
    assert not Path(config.lane.directory).exists()
