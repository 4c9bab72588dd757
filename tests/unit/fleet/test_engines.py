"""The engines on real servers: one contract, and what they do when the server is away, hangs or comes back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from shadowlane.errors import FleetError
from shadowlane.fleet.engine import TIMEOUT_S, Engine, Stored
from shadowlane.fleet.opening import open_engine
from tests.support.servers import postgres_server, redis_server


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    with redis_server() as redis_port, postgres_server() as postgres_port:
        yield {
            "redis": f"redis://127.0.0.1:{redis_port}/0",
            "postgresql": f"postgresql://postgres@127.0.0.1:{postgres_port}/postgres",
        }


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an engine does is looked at here, not how fast a busy machine lets it."""
    for kind in ("redis", "postgres"):
        monkeypatch.setattr(f"shadowlane.fleet.{kind}.TIMEOUT_S", 60.0)


@pytest.fixture(params=["redis", "postgresql"])
def url(request: pytest.FixtureRequest, urls: dict[str, str]) -> str:
    return urls[request.param]


def engine_of(url: str, name: str) -> Engine:
    return open_engine(url, name)


@pytest.mark.usefixtures("patient")
def test_only_who_read_the_last_version_writes_the_next_one(url: str) -> None:
    one, other, another = engine_of(url, "contract"), engine_of(url, "contract"), engine_of(url, "another")
    try:
        empty = one.read()
        assert (empty.data, empty.version) == (None, None)
        assert empty.life
        assert one.swap(empty, 1, b"first\x00")
        assert not other.swap(empty, 1, b"late")
        first = other.read()
        assert first == Stored(b"first\x00", 1, empty.life)
        assert other.swap(first, 2, b"second")
        assert not one.swap(first, 2, b"late")
        assert one.read() == Stored(b"second", 2, empty.life)
        assert not one.swap(one.read()._replace(life="of another server"), 3, b"elsewhere")
        assert another.read().version is None
    finally:
        for engine in (one, other, another):
            engine.close()


@pytest.mark.usefixtures("patient")
def test_of_many_who_write_at_once_one_does(url: str) -> None:
    engines = [engine_of(url, "race") for _ in range(6)]
    written: list[int] = []

    def write(number: int) -> None:
        for _ in range(5):
            before = engines[number].read()
            version = (before.version or 0) + 1
            if engines[number].swap(before, version, str(number).encode()):
                written.append(version)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = engines[0].read().version
    assert sorted(written) == list(range(1, (last or 0) + 1))
    for engine in engines:
        engine.close()


@pytest.mark.usefixtures("patient")
def test_hosts_that_start_together_make_one_table() -> None:
    with postgres_server() as port:
        engines = [engine_of(f"postgresql://postgres@127.0.0.1:{port}/postgres", "x") for _ in range(8)]
        found: list[Stored] = []
        threads = [threading.Thread(target=lambda engine=engine: found.append(engine.read())) for engine in engines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [stored.version for stored in found] == [None] * 8
        for engine in engines:
            engine.close()


def test_a_password_is_in_no_error() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        for url in (f"redis://u:hunter2secret@127.0.0.1:{port}", f"postgresql://u:hunter2secret@127.0.0.1:{port}/x"):
            with pytest.raises(FleetError) as caught:
                engine_of(url, "x").read()
            assert "hunter2secret" not in str(caught.value)


def test_a_server_that_takes_and_never_answers_is_left_after_the_timeout(url: str) -> None:
    """Accepts and is silent, as behind a partition; the test is over when the engine gives up by itself."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        scheme = url.partition(":")[0]
        engine = engine_of(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/0", "x")
        with pytest.raises(FleetError):
            engine.read()
        engine.close()
    assert TIMEOUT_S <= 2.0


@pytest.mark.usefixtures("patient")
def test_another_server_is_another_life(urls: dict[str, str]) -> None:
    """As after a restart, or where a replica took over; the restart itself is in the end-to-end test."""
    engine = engine_of(urls["redis"], "life")
    before = engine.read()
    engine.close()
    with redis_server() as port:
        other = engine_of(f"redis://127.0.0.1:{port}/0", "life")
        assert other.read().life != before.life
        assert not other.swap(before, 1, b"x")
        other.close()


def test_other_addresses_are_refused() -> None:
    with pytest.raises(FleetError, match="no engine that is known"):
        open_engine("mysql://127.0.0.1/x", "x")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hunter2%secret@127.0.0.1/x",  # libpq quotes the whole word
        "postgresql://u:hunter2@127.0.0.1/x?unknown=hunter2",
        "postgresql://u:hunter2[@127.0.0.1/x",
        "postgresql://u:1/hunter2@127.0.0.1/x",
        "redis://u:hunter2[@127.0.0.1/0",
        "redis://:hunter2/x@127.0.0.1/0",
        "redis://:hunter2@127.0.0.1/hunter2",
        "rediss://:hunter2@127.0.0.1/0?unknown=hunter2",
        "redis://:hunter2@127.0.0.1/0?socket_timeout=600",  # a call would take so long
        "hunter2",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(FleetError) as caught:
        open_engine(url, "x")
    assert "hunter2" not in str(caught.value)


@pytest.mark.usefixtures("patient")
def test_an_address_of_postgresql_may_name_several_hosts(urls: dict[str, str]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        other = f"127.0.0.1:{nobody.getsockname()[1]},"
        engine = open_engine(urls["postgresql"].replace("127.0.0.1", other + "127.0.0.1"), "several")
        assert engine.read().life
        engine.close()


@pytest.mark.parametrize(
    "answer", [b"+OK\r\n", b":x\r\n", b"*1\r\n+x\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff\r\n"]
)
def test_what_is_no_redis_is_an_engine_that_is_away(answer: bytes) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def serve() -> None:
            with suppress(OSError):  # also when the test is over
                while True:
                    peer, _ = server.accept()
                    with peer, suppress(OSError):
                        while asked := peer.recv(1 << 16):
                            peer.sendall(answer * asked.count(b"*"))  # one for each command

        thread = threading.Thread(target=serve)
        thread.start()
        engine = engine_of(f"redis://127.0.0.1:{server.getsockname()[1]}/0", "x")
        try:
            for ask in (engine.read, lambda: engine.swap(Stored(None, None, "1"), 1, b"x"), engine.notes):
                with pytest.raises(FleetError, match="redis: "):
                    ask()
        finally:
            engine.close()
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
