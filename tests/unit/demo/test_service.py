"""The services as processes, over HTTP, alone and behind the gateway's proxy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("wordllama")

from shadowlane.demo.client import Sample, send_all
from shadowlane.demo.corpus import load_chapters, load_questions, load_sections
from shadowlane.demo.gateway import build_proxy
from shadowlane.demo.load import Shot, shots
from shadowlane.demo.planted import PLANTED
from shadowlane.demo.processes import Child, start


@pytest.fixture(scope="module", params=["prod", "shadow"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    log: Path = tmp_path_factory.mktemp("logs") / f"{request.param}.log"
    child = start(request.param, "shadowlane.demo.service", ["--role", request.param], log)
    try:
        child.wait_until_up(90)
        yield child
    finally:
        child.stop()


@pytest.fixture
def client(service: Child) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30, trust_env=False) as client:
        yield client


def test_answers_with_valid_citations(service: Child, client: httpx.Client) -> None:
    sections = {section.section_id: section for section in load_sections()}
    for question in load_questions()[::6]:
        response = client.post("/ask", json={"question": question.forms[0]})
        assert response.status_code == 200
        answer = response.json()
        assert answer["answer"]
        assert answer["model"] == f"handbook-{service.name}"
        assert response.headers["x-index-hash"] == answer["index_hash"]
        assert response.headers["x-model-rev"].startswith("extractive-1/wordllama:")
        assert answer["citations"]
        for citation in answer["citations"]:
            section = sections[citation["section_id"]]
            start, end = citation["offsets"]
            assert section.start <= start < end <= section.end
            assert citation["tokens"] == len(load_chapters()[section.chapter][start:end].split())
            assert citation["source_url"] == section.source_url
            assert citation["index_hash"] == answer["index_hash"]
            assert citation["snippet_id"].startswith(section.section_id)
            assert 0 < citation["score"] <= 1.0001
            assert load_chapters()[section.chapter][start:end] in answer["answer"]


def test_get_and_chat_give_the_same_answer_as_post(client: httpx.Client) -> None:
    question = load_questions()[7].forms[0]
    posted = client.post("/ask", json={"question": question}).json()
    assert client.get("/ask", params={"q": question}).json() == posted
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
    whole = client.post("/v1/chat/completions", json={"messages": messages}).json()
    assert whole["choices"][0]["message"]["content"] == posted["answer"]
    with client.stream("POST", "/v1/chat/completions", json={"messages": messages, "stream": True}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        text, citations = _read_events(response.iter_lines())
    assert text == posted["answer"]
    assert citations == posted["citations"]


def _read_events(lines: Iterator[str]) -> tuple[str, Any]:
    text, citations, done = "", None, False
    for line in lines:
        if not line:
            continue
        assert not done, "an event after [DONE]"
        data = line.removeprefix("data: ")
        if data == "[DONE]":
            done = True
            continue
        event = json.loads(data)
        text += event["choices"][0]["delta"].get("content", "")
        citations = event.get("citations", citations)
    assert done
    return text, citations


def test_bad_requests_are_told_so(client: httpx.Client) -> None:
    assert client.post("/ask", content=b"not json").status_code == 422
    assert client.post("/ask", json={"question": "  "}).status_code == 422
    assert client.get("/ask").status_code == 422
    assert client.post("/v1/chat/completions", json={"messages": []}).status_code == 422


def test_counts_writes_tags_and_planted_secrets(client: httpx.Client) -> None:
    before = client.get("/stats").json()
    client.post("/feedback", json={"stars": 5})
    client.delete("/history/3")
    client.get("/ask", params={"q": f"I paid with {PLANTED['card']}, and how much is a day pass?"})
    client.post("/ask", json={"question": "day pass"}, headers={"authorization": f"Bearer {PLANTED['bearer']}"})
    client.get("/ask", params={"q": "day pass"}, headers={"x-shadow": "1"})
    after = client.get("/stats").json()
    assert {name: after[name] - before[name] for name in after} == {
        "requests": 5,
        "writes": 2,
        "planted": 2,
        "shadow_tagged": 1,
    }


class _Count:
    def __init__(self) -> None:
        self.done = self.errors = 0

    def advance(self, errors: int) -> None:
        self.done += 1
        self.errors += errors


def test_proxy_passes_everything_through(service: Child) -> None:
    plan = shots(load_questions(), 40)
    count = _Count()

    async def run() -> tuple[list[Sample], list[Sample]]:
        proxy = build_proxy(service.url)
        async with proxy.router.lifespan_context(proxy):
            transport = httpx.ASGITransport(proxy)
            good = await send_all("http://gateway", plan, [0.0] * len(plan), count, transport=transport)
            question = {"q": "How much is a day pass?"}
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as through:
                proxied = await through.get("/ask", params=question)
            async with httpx.AsyncClient(base_url=service.url, trust_env=False) as direct:
                assert proxied.content == (await direct.get("/ask", params=question)).content
            missing = [Shot(kind="ask", method="GET", path="/nowhere")]
            return good, await send_all("http://gateway", missing, [0.0], count, transport=transport)

    good, missing = asyncio.run(run())
    assert [sample.kind for sample in good] == [shot.kind for shot in plan]
    assert {sample.status for sample in good} <= {200, 201}
    assert missing[0].status == 404
    assert (count.done, count.errors) == (41, 1)


def test_proxy_says_when_upstream_is_down() -> None:
    async def run() -> list[Sample]:
        proxy = build_proxy("http://127.0.0.1:9")  # RFC 863: nobody listens on discard
        async with proxy.router.lifespan_context(proxy):
            plan = [Shot(kind="get", method="GET", path="/ask", params={"q": "x"})]
            return await send_all("http://gateway", plan, [0.0], _Count(), transport=httpx.ASGITransport(proxy))

    assert asyncio.run(run())[0].status == 502
