"""OpenAI, and all who speak its APIs: Azure, Groq, Mistral, Together, Cerebras, vLLM, Writer, xAI, ..."""

from __future__ import annotations

from typing import Any

from ..base import Provider, QuestionFields, RateLimitFamily
from ..reading.draft import UsageNames
from ..reading.jsonlike import JsonMap, as_list, as_map
from . import chat, responses, threads

__all__ = ["PROVIDER"]


def _embeddings(value: JsonMap) -> list[Any]:
    data = as_list(value.get("data"))
    if all(type(as_map(item).get("index")) is int for item in data):
        data = sorted(data, key=lambda item: as_map(item)["index"])
    return [as_map(item).get("embedding") for item in data]


PROVIDER = Provider(
    name="openai",
    shapes=(responses.SHAPE, chat.SHAPE, threads.SHAPE),
    turns=(chat.TURNS, responses.TURNS),
    embeddings=_embeddings,
    questions=(QuestionFields("messages"), QuestionFields("input", system="instructions")),
    usage=UsageNames(
        input=("prompt_tokens", "input_tokens"),
        output=("completion_tokens", "output_tokens"),
        total=("total_tokens",),
        cached=("cached_tokens",),
        details=("prompt_tokens_details", "input_tokens_details"),
    ),
    rate_limits=(
        # Also without "x-" or with "rate-limit", as others send them; a gateway in between may put its own name first:
        # "llm_provider-x-ratelimit-remaining-requests". Mistral names the window in the budget: "req-10-second".
        # Azure names a renewal period, and then counts resets in milliseconds: 500 for 1 of 120 requests a minute, 7
        # for 14 of 120,000 tokens a minute.
        RateLimitFamily(
            r"(?:[a-z0-9_]+-)*?(?:rate-?limit|token-?limit)(?:bysize)?", milliseconds_beside="renewalperiod"
        ),
    ),
)
