"""OpenAI's and Anthropic's SDKs with a transport that mirrors: the real ones, a server that answers as theirs."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from shadowlane.httpx import AsyncShadowTransport, ShadowTransport
from shadowlane.types import FLAG_STREAMED
from tests.support.answering import Upstream, upstream
from tests.support.captured import Captured

QUESTION = {"role": "user", "content": "how high is the deposit?"}
SAID = "You asked: how high is the deposit?"
SDKS = ("openai", "anthropic")
KEY = "a key that no copy carries"


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with upstream() as made:
        yield made


def made(sdk: str, into: Captured, server: Upstream, *, later: bool = False) -> Any:
    """The SDK's client, synchronous or not."""
    transport: Any = (
        AsyncShadowTransport(httpx2.AsyncHTTPTransport(), into.lane)
        if later
        else ShadowTransport(httpx2.HTTPTransport(), into.lane)
    )
    options: dict[str, Any] = {"api_key": KEY, "max_retries": 2}
    if sdk == "openai":
        openai_client = openai.DefaultAsyncHttpxClient if later else openai.DefaultHttpxClient
        openai_class: Any = openai.AsyncOpenAI if later else openai.OpenAI
        return openai_class(http_client=openai_client(transport=transport), base_url=f"{server.url}/v1", **options)
    anthropic_client = anthropic.DefaultAsyncHttpxClient if later else anthropic.DefaultHttpxClient
    anthropic_class: Any = anthropic.AsyncAnthropic if later else anthropic.Anthropic
    return anthropic_class(http_client=anthropic_client(transport=transport), base_url=server.url, **options)


def ask(client: Any, sdk: str, **more: Any) -> Any:
    if sdk == "openai":
        return client.chat.completions.create(model="small", messages=[QUESTION], **more)
    return client.messages.create(model="small", max_tokens=99, messages=[QUESTION], **more)


def text_of(answer: Any, sdk: str) -> str:
    return str(answer.choices[0].message.content if sdk == "openai" else answer.content[0].text)


def delta_of(event: Any, sdk: str) -> str:
    if sdk == "openai":
        return event.choices[0].delta.content or ""
    return event.delta.text if event.type == "content_block_delta" else ""


def the_copy(into: Captured, sdk: str) -> dict[str, Any]:
    [row] = into.rows()
    assert row["target"] == ("/v1/chat/completions" if sdk == "openai" else "/v1/messages")
    assert json.loads(row["body"])["messages"] == [QUESTION]
    assert KEY not in repr(row["headers"])
    assert into.accounted()
    return row


@pytest.mark.parametrize("sdk", SDKS)
def test_a_call_is_mirrored(into: Captured, server: Upstream, sdk: str) -> None:
    with made(sdk, into, server) as client:
        assert text_of(ask(client, sdk), sdk) == SAID
    row = the_copy(into, sdk)
    assert SAID.encode() in row["response_body"]


@pytest.mark.parametrize("sdk", SDKS)
def test_an_asynchronous_call_is_mirrored(into: Captured, server: Upstream, sdk: str) -> None:
    async def asked() -> str:
        async with made(sdk, into, server, later=True) as client:
            return text_of(await ask(client, sdk), sdk)

    assert asyncio.run(asked()) == SAID
    assert SAID.encode() in the_copy(into, sdk)["response_body"]


@pytest.mark.parametrize("sdk", SDKS)
def test_a_stream_is_mirrored_whole(into: Captured, server: Upstream, sdk: str) -> None:
    """OpenAI's SDK closes the response at ``[DONE]``, before the end of the body."""
    with made(sdk, into, server) as client:
        said = "".join(delta_of(event, sdk) for event in ask(client, sdk, stream=True))
    assert said.strip() == SAID
    row = the_copy(into, sdk)
    assert row["flags"] == FLAG_STREAMED
    assert row["response_body"].rstrip().endswith(b"data: [DONE]" if sdk == "openai" else b'{"type": "message_stop"}')


@pytest.mark.parametrize("sdk", SDKS)
def test_an_asynchronous_stream_is_mirrored_whole(into: Captured, server: Upstream, sdk: str) -> None:
    async def asked() -> str:
        async with made(sdk, into, server, later=True) as client:
            return "".join([delta_of(event, sdk) async for event in await ask(client, sdk, stream=True)])

    assert asyncio.run(asked()).strip() == SAID
    assert the_copy(into, sdk)["flags"] == FLAG_STREAMED


@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize("later", [False, True])
def test_a_stream_that_is_left_early_is_incomplete(into: Captured, server: Upstream, sdk: str, later: bool) -> None:
    async def asked() -> None:
        async with made(sdk, into, server, later=True) as client, await ask(client, sdk, stream=True) as stream:
            await stream.__anext__()

    if later:
        asyncio.run(asked())
    else:
        with made(sdk, into, server) as client, ask(client, sdk, stream=True) as stream:
            next(stream)
    assert into.rows() == []
    assert into.dropped() == {"client_disconnected": 1}


@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize("later", [False, True])
def test_each_try_is_an_exchange(into: Captured, server: Upstream, sdk: str, later: bool) -> None:
    once = {"extra_headers": {"x-once": secrets.token_hex(8)}}

    async def asked() -> str:
        async with made(sdk, into, server, later=True) as client:
            return text_of(await ask(client, sdk, **once), sdk)

    if later:
        assert asyncio.run(asked()) == SAID
    else:
        with made(sdk, into, server) as client:
            assert text_of(ask(client, sdk, **once), sdk) == SAID
    assert [row["status"] for row in into.rows()] == [503, 200]


def test_the_aiohttp_client_of_openai_is_mirrored(into: Captured, server: Upstream) -> None:
    """``DefaultAioHttpClient`` sends by a transport of its own, which is one of httpx2's."""
    pytest.importorskip("aiohttp")

    async def asked() -> str:
        http = openai.DefaultAioHttpClient()
        http._transport = AsyncShadowTransport(http._transport, into.lane)
        async with openai.AsyncOpenAI(http_client=http, base_url=f"{server.url}/v1", api_key=KEY) as client:
            return "".join([delta_of(event, "openai") async for event in await ask(client, "openai", stream=True)])

    assert asyncio.run(asked()).strip() == SAID
    assert the_copy(into, "openai")["flags"] == FLAG_STREAMED
