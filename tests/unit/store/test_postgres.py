"""What holds for PostgreSQL alone: schemas and their versions, lost connections and commits, several writers, rights,
certificates, passwords."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
import trustme

from shadowlane.config import StoreConfig
from shadowlane.errors import NothingStoredError, StoreError, StoreLostError
from shadowlane.store import Store, find_store, open_store, postgres_schema
from shadowlane.store import postgres_database as database
from shadowlane.store.leader import Leader
from shadowlane.types import Outcome, Pair, Scores, StructureDifference
from tests.e2e.conftest import until
from tests.support.ports import reserved_port
from tests.support.servers import PostgresServer

from .engines import Engine
from .pairs import DAY_NS, make_pair

ROOT = Path(__file__).parents[3]


@pytest.fixture
def config(postgres: Engine, tmp_path: Path) -> StoreConfig:
    return postgres.config(tmp_path / "s.db")


@pytest.fixture
def store(config: StoreConfig) -> Iterator[Store]:
    with open_store(config) as made:
        made.set_epoch("lane", {"candidate": 0})
        yield made


@pytest.fixture
def admin(server: PostgresServer, config: StoreConfig) -> Iterator[psycopg.Connection[Any]]:
    """Somebody else's session, which sees the lane's tables."""
    with psycopg.connect(config.url, autocommit=True) as db:
        db.execute("SELECT set_config('search_path', %s, false)", (config.schema,))
        yield db


def cut(admin: psycopg.Connection[Any]) -> None:
    """All connections of stores are lost."""
    admin.execute("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE application_name = 'shadowlane'")


def accounts(store: Store) -> tuple[int, int, float]:
    """Rows, what is counted, and the sum of metrics: three ways to the same number."""
    counts = store.counts()["candidate"]
    observed = sum(one.n for one in store.observed() if one.series == "band")
    return len(store.scores()), counts.answered + sum(counts.failed.values()), observed


# ---- versions


def test_nothing_is_there_before_somebody_wrote(config: StoreConfig, admin: psycopg.Connection[Any]) -> None:
    with pytest.raises(NothingStoredError, match="nothing stored yet"):
        open_store(config, read_only=True)
    assert find_store(config) is None
    assert admin.execute("SELECT to_regnamespace(%s)", (config.schema,)).fetchone() == (None,), "reading makes nothing"


def test_many_that_start_together_make_one_schema(config: StoreConfig) -> None:
    failed: list[BaseException] = []

    def start(number: int) -> None:
        try:
            with open_store(config) as store:
                store.save([make_pair(number)])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    with open_store(config, read_only=True) as store:
        assert len(store.scores()) == 6


def test_a_newer_schema_is_refused(config: StoreConfig, store: Store, admin: psycopg.Connection[Any]) -> None:
    for part in ("steps", "own"):
        admin.execute("UPDATE shadowlane SET version = version + 1 WHERE part = %s", (part,))
        for read_only in (False, True):
            with pytest.raises(StoreError, match="newer release"):
                open_store(config, read_only=read_only)
        admin.execute("UPDATE shadowlane SET version = version - 1 WHERE part = %s", (part,))
    assert store.save([make_pair(1)]) == 1, "who has it open goes on"


def test_an_older_schema_is_brought_up_to_date_and_keeps_its_rows(
    config: StoreConfig, admin: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(config) as store:
        store.save([make_pair(1)])
    column = "ALTER TABLE pairs ADD COLUMN extra_of_a_test INTEGER NOT NULL DEFAULT 7"
    monkeypatch.setattr(postgres_schema, "STEPS", (*postgres_schema.STEPS, (column,)))
    monkeypatch.setattr(postgres_schema, "SCHEMA_VERSION", postgres_schema.SCHEMA_VERSION + 1)
    with pytest.raises(StoreError, match="start its worker"):
        open_store(config, read_only=True)
    with open_store(config) as store:
        assert store.save([make_pair(1), make_pair(2)]) == 1
    assert admin.execute("SELECT extra_of_a_test FROM pairs").fetchall() == [(7,), (7,)]


def test_an_upgrade_that_fails_leaves_the_schema_as_it_was(
    config: StoreConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(config).close()
    steps = (*postgres_schema.STEPS, ("ALTER TABLE pairs ADD COLUMN half INTEGER", "SELECT no_such_function()"))
    with monkeypatch.context() as patch:
        patch.setattr(postgres_schema, "STEPS", steps)
        patch.setattr(postgres_schema, "SCHEMA_VERSION", len(steps))
        with pytest.raises(StoreError, match="cannot open"):
            open_store(config)
    with open_store(config) as store:
        assert store.save([make_pair(1)]) == 1


def test_tables_of_others_are_left_alone(config: StoreConfig, admin: psycopg.Connection[Any]) -> None:
    admin.execute(f"CREATE SCHEMA {config.schema}")
    admin.execute("CREATE TABLE pairs (mine int)")
    with pytest.raises(StoreError, match=r"not shadowlane's; give store\.schema"):
        open_store(config)
    assert admin.execute("SELECT count(*) FROM pg_class WHERE relname = 'shadowlane'").fetchone() != (None,)
    assert admin.execute("SELECT count(*) FROM pairs").fetchone() == (0,)


# ---- connections and commits


def test_a_lost_connection_costs_nothing(store: Store, admin: psycopg.Connection[Any]) -> None:
    for number in range(4):
        assert store.save([make_pair(10 * number + i) for i in range(5)]) == 5
        cut(admin)
        assert len(list(store.iter_pairs())) == 5 * (number + 1)
        cut(admin)
    assert accounts(store) == (20, 20, 20)


def test_a_connection_that_is_lost_in_the_middle_leaves_nothing_of_the_batch(
    store: Store, admin: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = type(store)._finish_batch

    def cut_then_finish(self: Any) -> None:
        cut(admin)
        real(self)

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "_finish_batch", cut_then_finish)
        for _ in range(3):
            with pytest.raises(StoreError, match="cannot write") as raised:
                store.save([make_pair(1), make_pair(2)])
            assert not isinstance(raised.value, StoreLostError)
            store.check()
    store.set_epoch("lane", {"candidate": 0})
    assert accounts(store) == (0, 0, 0)
    assert store.save([make_pair(1), make_pair(2)]) == 2
    assert accounts(store) == (2, 2, 2)


def test_a_commit_whose_answer_is_lost_is_stored_again_and_counted_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = database.PostgresDatabase.execute

    def without_answer(self: Any, query: str, values: Any = ()) -> Any:
        result = real(self, query, values)
        if query == "COMMIT":
            self._db.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return result

    batch = [make_pair(1), make_pair(2, reason="deadline")]
    with monkeypatch.context() as patch:
        patch.setattr(database.PostgresDatabase, "execute", without_answer)
        with pytest.raises(StoreError, match="unexpectedly"):
            store.save(batch)
    assert store.save(batch) == 0, "it was committed"
    assert store.save([*batch, make_pair(3)]) == 1
    assert accounts(store)[:2] == (3, 3)


def test_a_commit_that_comes_late_is_waited_for_and_counted_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store gave its connection up, and the server commits what was sent on it after all."""
    real = database.PostgresDatabase.execute
    late: list[Any] = []

    def leaving(self: Any, query: str, values: Any = ()) -> Any:
        if query != "COMMIT":
            return real(self, query, values)
        late.append(self._db)
        self._db = self.connect()
        self._db.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(database.PostgresDatabase, "execute", leaving)
        with pytest.raises(StoreError, match="unexpectedly"):
            store.save([make_pair(1)])
    late[0].look = None
    commit = threading.Timer(0.05, late[0].execute, ("COMMIT",))
    commit.start()
    assert store.save([make_pair(2)]) == 1, "it waits for the counter's row"
    commit.join()
    late[0].close()
    assert store.save([make_pair(1), make_pair(2)]) == 0
    assert accounts(store) == (2, 2, 2)


def test_a_server_that_does_not_answer_is_given_up(
    store: Store, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = [make_pair(number) for number in range(3)]
    with server.paused(), monkeypatch.context() as patch:
        patch.setattr(database, "_PATIENCE_S", 0.2)
        with pytest.raises(StoreError, match="does not answer"):
            store.save(batch)
    store.save(batch)
    assert accounts(store) == (3, 3, 3)


def test_the_next_host_is_taken_when_one_is_gone(config: StoreConfig, store: Store, server: PostgresServer) -> None:
    with reserved_port() as gone:
        url = config.url.replace(f"@127.0.0.1:{server.port}", f"@127.0.0.1:{gone},127.0.0.1:{server.port}")
        several = msgspec.structs.replace(config, url=f"{url}&target_session_attrs=read-write")
        with open_store(several) as other:
            assert other.save([make_pair(1)]) == 1
    assert accounts(store)[0] == 1


def test_a_read_ends_when_nobody_wants_it_any_more(config: StoreConfig, store: Store) -> None:
    wanted = threading.Event()
    with open_store(config, read_only=True, stop=wanted.is_set) as reader, psycopg.connect(config.url) as holder:
        holder.execute(f"LOCK TABLE {config.schema}.pairs IN ACCESS EXCLUSIVE MODE")
        timer = threading.Timer(0.05, wanted.set)
        timer.start()
        with pytest.raises(StoreError, match="told to stop"):
            reader.shadows()
        holder.rollback()
        timer.join()
        wanted.clear()
        assert reader.shadows() == []


def test_tables_in_the_stead_of_those_that_were_opened_are_told_apart(
    config: StoreConfig, store: Store, admin: psycopg.Connection[Any]
) -> None:
    store.save([make_pair(1)])
    admin.execute(f"DROP SCHEMA {config.schema} CASCADE")
    open_store(config).close()
    cut(admin)
    with pytest.raises(StoreLostError, match="dropped or replaced"):
        store.save([make_pair(2)])


def test_a_server_that_lost_a_commit_is_told_apart(store: Store, admin: psycopg.Connection[Any]) -> None:
    store.save([make_pair(1)])
    before = admin.execute("SELECT key, value FROM meta WHERE key LIKE 'write_mark:%'").fetchone()
    store.save([make_pair(2)])
    assert before is not None
    admin.execute("UPDATE meta SET value = %s WHERE key = %s", before[::-1])  # as a standby without the last one has it
    cut(admin)
    with pytest.raises(StoreLostError, match="not there any more"):
        store.save([make_pair(3)])


# ---- several writers, sizes, values


def test_writers_of_several_hosts_add_up(config: StoreConfig) -> None:
    failed: list[BaseException] = []

    def write(host: int) -> None:
        try:
            with open_store(config) as store:
                store.set_epoch(f"host-{host}", {"candidate": host})
                for batch in range(15):
                    numbers = range(1000 * host + 10 * batch, 1000 * host + 10 * batch + 10)
                    pairs = [make_pair(n, scores=Scores(delta_s=n % 10 / 10), shadow="candidate") for n in numbers]
                    assert store.save(pairs if batch % 2 else pairs[::-1]) == 10
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(host,)) for host in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    with open_store(config, read_only=True) as store:
        assert len(store.scores()) == 450
        assert {host: store.counts(f"host-{host}")["candidate"].answered for host in range(3)} == dict.fromkeys(
            range(3), 150
        )
        assert store.bases("host-2") == {"candidate": 2}
        assert sum(one.n for one in store.observed() if one.series == "delta_s") == 450


@pytest.mark.parametrize("keep", ["all", "reservoir", "none"])
def test_the_sum_of_bytes_is_that_of_what_is_kept(
    postgres: Engine, tmp_path: Path, admin: psycopg.Connection[Any], keep: str
) -> None:
    config = postgres.config(tmp_path / "s.db", keep_bodies=keep, exemplars=5, max_age_days=1.0)
    admin.execute("SELECT set_config('search_path', %s, false)", (config.schema,))
    query = "SELECT coalesce(sum(bytes), 0) + (SELECT coalesce(sum(octet_length(packed)), 0) FROM bodies) FROM pairs"

    def kept() -> int:
        (size,) = admin.execute(query).fetchone() or (0,)
        return int(size)

    with open_store(config) as store:
        store._clock_ns = lambda: 0
        for start in range(0, 60, 20):
            store.save([make_pair(n, started_ns=n, body=b"x" * n) for n in range(start, start + 20)])
            assert store.bytes_used() == kept() > 0
        assert store.prune(DAY_NS + 3_700 * 10**9 + 30) > 0
        assert store.bytes_used() == kept()


def test_a_store_that_is_too_large_loses_its_oldest_rows(postgres: Engine, tmp_path: Path) -> None:
    with open_store(postgres.config(tmp_path / "s.db", max_bytes=1 << 20)) as store:
        store._clock_ns = lambda: 0
        store.save([make_pair(n, started_ns=n) for n in range(2500)])
        assert store.bytes_used() > 1 << 20
        assert store.prune(30 * 60 * 10**9) == 0, "young rows stay"
        deleted = store.prune(2 * 3_600 * 10**9)
        assert 0 < deleted < 2500
        assert store.bytes_used() <= 1 << 20
        assert [row.pair.copy.started_ns for row in store.iter_pairs(limit=1)] == [deleted]


def test_one_at_a_time_deletes(config: StoreConfig, store: Store) -> None:
    store._clock_ns = lambda: 0
    store.save([make_pair(1, started_ns=1)])
    with open_store(config) as other:
        for one in (store, other):
            one.leaders["retention"] = Leader(one._db, "retention", lease_s=3600.0)  # type: ignore[arg-type]
        assert other.leaders["retention"].take()
        assert store.prune(100 * DAY_NS) == 0
    assert store.prune(100 * DAY_NS) == 1, "who closes its store lets another one lead"


def test_text_with_a_nul_costs_no_row_and_can_be_counted(store: Store) -> None:
    place = StructureDifference("/a\x00", "/a\x00", "type", "int\\u0000", "str")
    pair = make_pair(1, target="/x\x00y", scores=Scores(differences=(place,)))
    store.save([pair, make_pair(2, reason="deadline", method="P\x00")])
    assert store.difference_counts("candidate")[0][:3] == ("/a?", "type", 1)
    assert [row.pair.copy.target for row in store.iter_pairs(limit=1)] == ["/x?y"]


def test_a_value_that_does_not_fit_quotes_nothing(store: Store) -> None:
    pair = make_pair(1)
    odd = Pair(copy=pair.copy, outcome=Outcome(shadow="candidate", rounds=1 << 70))
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever it is, it is no fault of the server's
        store.save([odd])
    assert not isinstance(raised.value, StoreError)
    assert str(1 << 70) not in str(raised.value)
    assert store.save([pair]) == 1


# ---- rights, passwords, certificates


def statements_of_the_page() -> list[str]:
    """The GRANTs that the documentation shows for who only reads."""
    page = (ROOT / "docs" / "operate" / "postgres.md").read_text()
    (block,) = [text for text in re.findall(r"```sql\n(.*?)```", page, re.DOTALL) if "GRANT SELECT" in text]
    return [line for line in block.splitlines() if line]


@pytest.fixture
def reader(admin: psycopg.Connection[Any], store: Store, config: StoreConfig) -> Iterator[str]:
    """The user that the documentation makes, who needs the password ``open sesame``."""
    name = f"reader_{config.schema}"
    (file,) = admin.execute("SHOW hba_file").fetchone() or ("",)
    before = Path(file).read_text()
    Path(file).write_text(f"host all {name} 127.0.0.1/32 scram-sha-256\n{before}")
    admin.execute("SELECT pg_reload_conf()")
    for statement in statements_of_the_page():
        text = statement.replace("shadowlane_reader", name).replace("shadowlane_default", config.schema)
        text = text.replace("ROLE shadowlane ", "ROLE postgres ").replace("DATABASE shadowlane ", "DATABASE postgres ")
        admin.execute(text.replace("'...'", "'open sesame'").encode())
    yield name
    Path(file).write_text(before)
    admin.execute("SELECT pg_reload_conf()")
    admin.execute(f"DROP OWNED BY {name}")
    admin.execute(f"DROP ROLE {name}")


def test_a_reader_reads_and_cannot_write(
    config: StoreConfig, store: Store, reader: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store.save([make_pair(1), make_pair(2, reason="deadline")])
    url = config.url.replace("postgres@", f"{reader}@")
    named = msgspec.structs.replace(config, url=url, credential_env="READERS_PASSWORD")
    monkeypatch.setenv("READERS_PASSWORD", "open sesame")
    with open_store(named, read_only=True) as read:
        assert len(list(read.iter_pairs(with_bodies=True))) == 2
        assert accounts(read)[:2] == (2, 2)
        with pytest.raises(StoreError, match="cannot write"):
            read.restart_window("candidate", 1)
    with open_store(named) as denied, pytest.raises(StoreError, match="lacks a right"):
        denied.save([make_pair(3)])
    monkeypatch.delenv("READERS_PASSWORD")
    passfile = tmp_path / "passfile"
    passfile.write_text(f"127.0.0.1:*:*:{reader}:open sesame\n")
    passfile.chmod(0o600)
    filed = msgspec.structs.replace(config, url=f"{url}&passfile={passfile}")
    with open_store(filed, read_only=True) as read:
        assert read.shadows() == ["candidate"]


def test_a_wrong_password_is_not_shown(config: StoreConfig, reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = config.url.replace("postgres@", f"{reader}@")
    named = msgspec.structs.replace(config, url=url, credential_env="READERS_PASSWORD")
    monkeypatch.setenv("READERS_PASSWORD", "wr0ng-secret")
    with pytest.raises(StoreError, match=r"store\.credential_env, PGPASSWORD or the passfile") as raised:
        open_store(named, read_only=True)
    assert "wr0ng" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_modes_of_tls_are_passed_on(
    config: StoreConfig, store: Store, server: PostgresServer, admin: psycopg.Connection[Any], tmp_path: Path
) -> None:
    authority, other = trustme.CA(), trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    files = {"server.crt": certificate.cert_chain_pems[0].bytes(), "server.key": certificate.private_key_pem.bytes()}
    for name, content in files.items():
        (server.data / name).write_bytes(content)
        (server.data / name).chmod(0o600)
        if server.user:
            shutil.chown(server.data / name, server.user)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    other.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    admin.execute("ALTER SYSTEM SET ssl = on")
    admin.execute("SELECT pg_reload_conf()")
    try:
        verified = f"{config.url}&sslmode=verify-full&sslrootcert={tmp_path}/"
        _until_tls(config.url)
        with open_store(msgspec.structs.replace(config, url=f"{verified}ca.pem"), read_only=True) as read:
            query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            assert read._db.execute(query).fetchone() == (True,)
        with pytest.raises(StoreError, match="certificate"):
            open_store(msgspec.structs.replace(config, url=f"{verified}other.pem"), read_only=True)
    finally:
        admin.execute("ALTER SYSTEM RESET ssl")
        admin.execute("SELECT pg_reload_conf()")


def _until_tls(url: str) -> None:
    def encrypted() -> bool:
        try:
            psycopg.connect(f"{url}&sslmode=require").close()
        except psycopg.OperationalError:
            return False
        return True

    until(encrypted, "the server has read its certificate")
