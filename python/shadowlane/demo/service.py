"""One retrieval service over the handbook: ``python -m shadowlane.demo.service --role prod|shadow --port 0``.

It answers questions (``POST /ask``, ``GET /ask?q=``, and ``POST /v1/chat/completions``, which streams when asked to),
takes writes (``POST /feedback``, ``DELETE /history/ID``), and counts at ``GET /stats`` what it was sent: that is how
the demonstration shows that no write and no planted secret reached the shadow.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote_plus

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ..embedders import load_embedder
from ..errors import ShadowlaneError
from ..render.text import print_error
from .corpus import load_sections
from .planted import find_planted
from .retrieval import ROLES, Composed, HandbookIndex
from .serving import add_serving_options, serve

__all__ = ["build_app"]

_WORDS_IN_A_CHUNK = 6
_PAUSE_S = 0.002


class _Ask(msgspec.Struct):
    question: str


class _Message(msgspec.Struct):
    role: str
    content: str


class _Chat(msgspec.Struct):
    messages: list[_Message]
    stream: bool = False


class Service:
    """The handlers of one service, with its index and its counts."""

    def __init__(self, role: str, index: HandbookIndex) -> None:
        self._index = index
        self._model = f"handbook-{role}"
        self._headers = {"x-model-rev": index.model_rev, "x-index-hash": index.index_hash}
        self.stats = {"requests": 0, "writes": 0, "planted": 0, "shadow_tagged": 0}

    async def ask(self, request: Request) -> Response:
        """``{answer, citations, model, index_hash}`` for ``?q=`` or ``{"question": ...}``."""
        body = await self._count(request)
        if request.method == "GET":
            question = request.query_params.get("q", "")
        else:
            try:
                question = msgspec.json.decode(body, type=_Ask).question
            except msgspec.DecodeError as error:
                return self._json({"error": f'send {{"question": "..."}}: {error}'}, status=422)
        if not question.strip():
            return self._json({"error": "the question is empty"}, status=422)
        composed = self._index.answer(question)
        return self._json(
            {
                "answer": composed.text,
                "citations": self._citations(composed),
                "model": self._model,
                "index_hash": self._index.index_hash,
            }
        )

    async def chat(self, request: Request) -> Response:
        """The OpenAI chat shape; with ``"stream": true`` as server-sent events."""
        body = await self._count(request)
        try:
            chat = msgspec.json.decode(body, type=_Chat)
        except msgspec.DecodeError as error:
            return self._json({"error": {"message": str(error)}}, status=422)
        question = next((message.content for message in reversed(chat.messages) if message.role == "user"), "")
        if not question.strip():
            return self._json({"error": {"message": "no user message"}}, status=422)
        composed = self._index.answer(question)
        envelope = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": self._model,
            "system_fingerprint": self._index.model_rev,
        }
        if chat.stream:
            return StreamingResponse(
                self._events(envelope, composed), media_type="text/event-stream", headers=self._headers
            )
        message = {"role": "assistant", "content": composed.text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return self._json(
            {**envelope, "object": "chat.completion", "choices": [choice], "citations": self._citations(composed)}
        )

    async def _events(self, envelope: dict[str, Any], composed: Composed) -> AsyncIterator[bytes]:
        def event(delta: dict[str, str], finish: str | None = None, **more: Any) -> bytes:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            chunk = {**envelope, "object": "chat.completion.chunk", "choices": [choice], **more}
            return b"data: " + msgspec.json.encode(chunk) + b"\n\n"

        yield event({"role": "assistant", "content": ""}, citations=self._citations(composed))
        words = composed.text.split(" ")
        for first in range(0, len(words), _WORDS_IN_A_CHUNK):
            await asyncio.sleep(_PAUSE_S)
            part = " ".join(words[first : first + _WORDS_IN_A_CHUNK])
            yield event({"content": part if first == 0 else f" {part}"})
        yield event({}, "stop")
        yield b"data: [DONE]\n\n"

    async def write(self, request: Request) -> Response:
        """``POST /feedback`` and ``DELETE /history/ID``: a side effect, here only a count."""
        await self._count(request)
        self.stats["writes"] += 1
        return self._json({"stored": True}, status=201 if request.method == "POST" else 200)

    async def show_stats(self, _: Request) -> Response:
        """What this service was sent."""
        return self._json(self.stats)

    async def _count(self, request: Request) -> bytes:
        body = await request.body()
        self.stats["requests"] += 1
        self.stats["shadow_tagged"] += request.headers.get("x-shadow") == "1"
        seen = [unquote_plus(str(request.url)), *request.headers.values(), body.decode("utf-8", "replace")]
        self.stats["planted"] += bool(find_planted("\n".join(seen)))
        return body

    def _citations(self, composed: Composed) -> list[dict[str, Any]]:
        return [
            {
                "snippet_id": quote.snippet_id,
                "section_id": quote.section.section_id,
                "source_url": quote.section.source_url,
                "offsets": [quote.start, quote.end],
                "tokens": quote.tokens,
                "score": round(score, 4),
                "index_hash": self._index.index_hash,
            }
            for quote, score in composed.quotes
        ]

    def _json(self, value: Any, *, status: int = 200) -> Response:
        return Response(msgspec.json.encode(value), status, self._headers, "application/json")


def build_app(role: str) -> Starlette:
    """The application of ``prod`` or ``shadow``; loads the embedder and builds the index."""
    service = Service(role, HandbookIndex(load_sections(), ROLES[role], load_embedder("wordllama")))
    return Starlette(
        routes=[
            Route("/ask", service.ask, methods=["GET", "POST"]),
            Route("/v1/chat/completions", service.chat, methods=["POST"]),
            Route("/feedback", service.write, methods=["POST"]),
            Route("/history/{entry}", service.write, methods=["DELETE"]),
            Route("/stats", service.show_stats),
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m shadowlane.demo.service", description=__doc__)
    parser.add_argument("--role", choices=sorted(ROLES), required=True)
    add_serving_options(parser)
    options = parser.parse_args()
    try:
        app = build_app(options.role)
    except ShadowlaneError as error:
        print_error(str(error), options.role)
        return error.exit_code
    return serve(app, options)


if __name__ == "__main__":
    sys.exit(main())
