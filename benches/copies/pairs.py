"""Pairs as a worker gets them: chats of about 1 KiB, no two texts alike, a tenth of the words of the shadow's another.

Made of the demo's handbook, from a seed: the same pairs in every checkout. Questions hold no figure, so that all groups
are of one scope, which is what looking one up takes longest in.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from importlib import resources

from shadowlane.types import Copy, Outcome, Pair

__all__ = ["pairs"]

_CHARS = 700
_HEADERS = (
    (b"content-type", b"application/json"),
    (b"server", b"gateway"),
    (b"date", b"Sat, 28 Nov 2026 18:00:00 GMT"),
    (b"x-request-id", b"0190f3c2-7c1e-7d44-9f3a-0d5c0a1b2c3d"),
)
_WORD = re.compile(r"\b[a-z]{5,}\b")


def pairs(seed: int = 5) -> Iterator[Pair]:
    """As many as are asked for."""
    draw = random.Random(seed)
    handbook = [
        file.read_text() for file in sorted((resources.files("shadowlane.demo") / "handbook").iterdir(), key=str)
    ]
    sentences = [one for text in handbook for one in re.findall(r"[A-Z][^.\n]{20,200}\.", text)]
    words = sorted({word for one in sentences for word in _WORD.findall(one)})

    def reworded(text: str, share: float) -> str:
        return _WORD.sub(lambda found: draw.choice(words) if draw.random() < share else found[0], text)

    def text(number: int) -> str:
        said: list[str] = []
        while sum(map(len, said)) < _CHARS:
            said.append(reworded(draw.choice(sentences), 0.15))
        return " ".join([*said, f"Ticket {number}."])

    number = 0
    while True:
        number += 1
        question, answer = re.sub(r"\d", "", text(number)), text(number)
        yield _pair(number, question, answer, reworded(answer, 0.1))


def _pair(number: int, question: str, prod: str, shadow: str) -> Pair:
    messages = [{"role": "system", "content": "You answer."}, {"role": "user", "content": question}]
    at_ns = 1_790_000_000 * 10**9 + number * 10**6
    return Pair(
        copy=Copy(
            shadow_id=f"0190f3c2-7c1e-7d44-9f3a-{number:012d}",
            req_hash=f"{number:032x}",
            started_ns=at_ns,
            method="POST",
            target="/v1/chat/completions",
            headers=_HEADERS,
            body=json.dumps({"model": "model-a", "messages": messages}).encode(),
            status=200,
            response_headers=_HEADERS,
            response_body=_completion(number, "model-a", prod),
            ttfb_ns=10**7,
            duration_ns=2 * 10**7,
            preset="openai",
        ),
        outcome=Outcome(
            shadow="candidate",
            status=200,
            headers=_HEADERS,
            body=_completion(number, "model-b", shadow),
            started_ns=at_ns,
            ttfb_ns=10**7,
            duration_ns=3 * 10**7,
            tries=1,
        ),
    )


def _completion(number: int, model: str, text: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 120, "completion_tokens": 140, "total_tokens": 260}
    made = {"id": f"chatcmpl-{number}", "object": "chat.completion", "created": 1_790_000_000, "model": model}
    return json.dumps(made | {"choices": [choice], "usage": usage}).encode()
