"""Where the database lies when the file does not say: beside it, or in the user's state directory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from shadowlane.config import Config, load_config
from shadowlane.config.paths import default_store, lies_in_state_folder, make_state_folder

LANE = '[shadows.candidate]\nurl = "http://127.0.0.1:9001"\n'


@pytest.fixture
def mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that nobody can write, root neither, as far as ``os.access`` tells."""
    folder = tmp_path / "etc"
    folder.mkdir()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder and real(path, mode))
    return folder


def configured(folder: Path, text: str = LANE) -> Config:
    (folder / "shadowlane.toml").write_text(text)
    return load_config(folder / "shadowlane.toml")


def test_beside_the_file_where_that_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    config = configured(tmp_path)
    assert config.store.path == tmp_path / "shadowlane.db"
    make_state_folder(config)
    assert not (tmp_path / "state").exists()


def test_a_read_only_mount_takes_the_state_directory(
    mount: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    config = configured(mount, '[lane]\nname = "blue"\n' + LANE)
    assert config.store.path == tmp_path / "state" / "shadowlane" / "blue.db"
    assert lies_in_state_folder(config)
    assert not (tmp_path / "state").exists(), "asking makes nothing"
    make_state_folder(config)
    assert stat.S_IMODE(config.store.path.parent.stat().st_mode) == 0o700


def test_without_the_variable_it_is_below_the_home(
    mount: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    expected = tmp_path / "home" / ".local" / "state" / "shadowlane" / "default.db"
    assert configured(mount).store.path == expected
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert configured(mount).store.path == expected


def test_a_database_that_is_there_stays_the_one(mount: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (mount / "shadowlane.db").touch()
    assert configured(mount).store.path == mount / "shadowlane.db"


@pytest.mark.parametrize("url", ["sqlite:///shadowlane.db", "sqlite:///other.db", "sqlite:////tmp/absolute.db"])
def test_a_url_that_is_given_is_taken(url: str, mount: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    config = configured(mount, LANE + f'[store]\nurl = "{url}"\n')
    assert config.store.path == mount / url.removeprefix("sqlite:///")


def test_a_user_without_a_home_keeps_the_file_beside(mount: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert default_store(mount, Path("shadowlane.db"), "default", {}) == mount / "shadowlane.db"


def test_what_the_worker_gets_is_absolute(mount: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shadowlane.config.worker_file import worker_config

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    config = worker_config(configured(mount), tmp_path / "lane")
    assert config.store.path == tmp_path / "state" / "shadowlane" / "default.db"
