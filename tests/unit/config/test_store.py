"""``[store]``: files and servers; no password stands in the configuration, and none is shown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shadowlane.config import Config, groups_folder, load_config, make_state_folder
from shadowlane.config.worker_file import worker_config
from shadowlane.errors import ConfigError

SERVER = "postgresql://writer@db.internal:5432/pairs?sslmode=verify-full&sslrootcert=/etc/ca.pem"


def config(**store: Any) -> Config:
    return Config.from_dict(
        {"lane": {"name": "chat"}, "store": store, "shadows": {"candidate": {"url": "http://127.0.0.1:9001"}}}
    )


def test_a_lane_has_a_schema_of_its_name() -> None:
    assert config(url=SERVER).store.schema == "shadowlane_chat"
    assert config(url=SERVER, schema="other").store.schema == "other"
    assert config(url="sqlite:///x.db").store.schema == ""


def test_the_worker_finds_the_same_tables(tmp_path: Path) -> None:
    given = config(url=SERVER, credential_env="DB_PASSWORD")
    assert worker_config(given, tmp_path).store == given.store
    file = tmp_path / "lane.toml"
    file.write_text(
        f'[lane]\nname = "chat"\n[store]\nurl = "{SERVER}"\n[shadows.candidate]\nurl = "http://127.0.0.1:9001"\n'
    )
    assert load_config(file).store.url == SERVER


def test_parameters_are_not_shown() -> None:
    store = config(url=f"{SERVER}&passfile=/home/x/secret-place").store
    assert store.shown == "postgresql://writer@db.internal:5432/pairs schema shadowlane_chat"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://writer:hunter2@db.internal/pairs",
        "postgres://writer:hunter2@/pairs",
        "postgresql://:hunter2@db.internal/pairs",
        "postgresql://db.internal/pairs?password=hunter2",
        "postgresql://db.internal/pairs?sslmode=require&sslpassword=hunter2",
        "postgresql://db.internal/pairs?pass%77ord=hunter2",
        "postgresql://db.internal/pairs?unknown=hunter2",
        "postgresql://db.internal/pairs?options=-chunter2",
        "postgresql://a:hunter2@b@db.internal/pairs",
        "postgresql:/writer:hunter2@db.internal/pairs",
        "postgresql+psycopg://writer:hunter2@db.internal/pairs",
    ],
)
def test_a_password_in_the_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigError, match=r"store\.url") as raised:
        config(url=url)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://writer@one:5432,two:5433/pairs?target_session_attrs=read-write",
        "postgresql:///pairs?host=/run/postgresql",
        "postgresql://%2Frun%2Fpostgresql/pairs",
        "postgresql://[::1]:5432/pairs?connect_timeout=3",
    ],
)
def test_urls_of_libpq_are_taken(url: str) -> None:
    assert config(url=url).store.on_server


@pytest.mark.parametrize(
    ("store", "match"),
    [
        ({"url": SERVER, "schema": "Shadow Lane"}, r"store\.schema = 'Shadow Lane'"),
        ({"url": SERVER, "schema": "x" * 64}, r"store\.schema"),
        ({"url": SERVER, "credential_env": "not a name"}, r"store\.credential_env"),
        ({"url": "sqlite:///x.db", "schema": "x"}, r"store\.schema: is for a store on PostgreSQL"),
        ({"url": "sqlite:///x.db", "credential_env": "X"}, r"store\.credential_env: is for a store on PostgreSQL"),
        ({"url": "mysql://x/y"}, r"store\.url"),
    ],
)
def test_what_cannot_be_is_refused(store: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        config(**store)


def test_what_a_host_remembers_lies_in_the_users_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    given = config(url=SERVER)
    make_state_folder(given)
    assert groups_folder(given) == tmp_path / "state" / "shadowlane" / "chat.groups"
    assert (tmp_path / "state" / "shadowlane").stat().st_mode & 0o777 == 0o700
    assert groups_folder(config(url="sqlite:////a/b.db")) == Path("/a/b.db.chat.groups")


def test_psycopg_is_imported_for_a_server_alone(tmp_path: Path) -> None:
    code = (
        "import sys; from shadowlane.config import StoreConfig; from shadowlane.store import open_store\n"
        f"open_store(StoreConfig(url='sqlite:///{tmp_path}/s.db')).close()\n"
        "assert not [name for name in sys.modules if name.startswith('psycopg')]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
