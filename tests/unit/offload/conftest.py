"""One real Redis server for the tests of the stream, and a stream of its own for each."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shadowlane.config import OffloadConfig
from shadowlane.offload.stream import Stream
from tests.support.redisserver import RedisServer

Open = Callable[..., Stream]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path_factory.mktemp("redis"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def opened(server: RedisServer) -> Iterator[Open]:
    """Opens the test's stream as a consumer; keywords go to ``[offload]``."""
    from shadowlane.offload import open_stream

    name, streams = f"s-{secrets.token_hex(6)}", []

    def open_it(consumer: str = "one", **offload: Any) -> Stream:
        stream = open_stream(
            OffloadConfig(**{"url": server.url, "stream": name, "timeout_s": 60.0, **offload}), consumer=consumer
        )
        streams.append(stream)
        return stream

    yield open_it
    for stream in streams:
        stream.close()


@pytest.fixture
def raw(server: RedisServer) -> Iterator[Any]:
    """The server, as somebody else uses it."""
    import redis

    with redis.Redis(port=server.port, protocol=2) as client:
        yield client
