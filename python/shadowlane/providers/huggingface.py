"""Hugging Face text generation (TGI), also on SageMaker, whole and streamed."""

from __future__ import annotations

from .base import Provider, Shape
from .reading.draft import Draft, UsageNames
from .reading.jsonlike import JsonMap, as_map, as_str

__all__ = ["PROVIDER"]


def _matches(value: JsonMap) -> bool:
    """``generated_text``, or a token of a stream: Hugging Face text generation, also on SageMaker."""
    return isinstance(value.get("generated_text"), str) or isinstance(as_map(value.get("token")).get("text"), str)


def _read(value: JsonMap, draft: Draft) -> None:
    """A whole answer, or one token; the last token's event repeats the whole text."""
    draft.kind = "huggingface"
    token = as_map(value.get("token"))
    if isinstance(value.get("generated_text"), str):
        if token:
            draft.replace(value["generated_text"])
        else:
            draft.add_text(value["generated_text"], draft.events)
        draft.ended = True
    elif token.get("special") is not True:
        draft.add_text(as_str(token.get("text")))
    details = as_map(value.get("details"))
    draft.finish(details.get("finish_reason"))
    draft.count_tokens(details)
    prefill = details.get("prefill")
    if isinstance(prefill, list) and prefill:
        draft.usage["input_tokens"] = len(prefill)


PROVIDER = Provider(
    name="huggingface", shapes=(Shape(_matches, _read),), usage=UsageNames(output=("generated_tokens",))
)
