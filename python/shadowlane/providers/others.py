"""Shapes of single services: Ollama, watsonx, Hugging Face (TGI, SageMaker), Replicate, JSON-RPC (MCP, A2A)."""

from __future__ import annotations

from typing import Any

from .citing import parse_citations
from .draft import Draft
from .jsonlike import JsonMap, as_list, as_map, as_str, canonical, first_str
from .openai import read_content, read_tool_calls

__all__ = [
    "matches_jsonrpc",
    "matches_ollama",
    "matches_replicate",
    "matches_tgi",
    "matches_watsonx",
    "read_jsonrpc",
    "read_ollama",
    "read_replicate",
    "read_tgi",
    "read_watsonx",
]


def matches_ollama(value: JsonMap) -> bool:
    """``/api/chat`` and ``/api/generate``: a line of NDJSON, or the one object of ``"stream": false``."""
    return isinstance(value.get("done"), bool) and (
        isinstance(value.get("message"), dict) or isinstance(value.get("response"), str)
    )


def read_ollama(value: JsonMap, draft: Draft) -> None:
    """``thinking`` is left out; durations are no part of the answer."""
    message = as_map(value.get("message"))
    draft.kind = "ollama.chat" if message else "ollama.generate"
    read_content(message.get("content"), draft)
    for call in as_list(message.get("tool_calls")):
        # Numbers of its own: each line begins to count its calls at 0 again.
        read_tool_calls([{**as_map(call), "index": draft.calls()}], draft)
    draft.say(as_str(value.get("response")))
    draft.model = first_str(value, "model") or draft.model
    draft.use(value)
    if value["done"]:
        draft.finish(first_str(value, "done_reason") or "stop")
        draft.ended = True


def matches_watsonx(value: JsonMap) -> bool:
    """``results`` of ``generated_text``: IBM watsonx text generation."""
    return any(isinstance(as_map(item).get("generated_text"), str) for item in as_list(value.get("results")))


def read_watsonx(value: JsonMap, draft: Draft) -> None:
    """A whole answer, or one event: ``stop_reason`` is ``not_finished`` until the last."""
    draft.kind = "watsonx"
    for place, item in enumerate(map(as_map, as_list(value.get("results")))):
        draft.say(as_str(item.get("generated_text")), place)
        reason = as_str(item.get("stop_reason"))
        draft.finish("" if reason.lower() == "not_finished" else reason, place)
        # Only the first event counts the prompt, later ones say 0.
        draft.use({name: item[name] for name in ("input_token_count", "generated_token_count") if item.get(name)})
    draft.model = first_str(value, "model_id") or draft.model
    draft.model_rev = first_str(value, "model_version") or draft.model_rev
    draft.ended = draft.all_finished()


def matches_tgi(value: JsonMap) -> bool:
    """``generated_text``, or a token of a stream: Hugging Face text generation, also on SageMaker."""
    return isinstance(value.get("generated_text"), str) or isinstance(as_map(value.get("token")).get("text"), str)


def read_tgi(value: JsonMap, draft: Draft) -> None:
    """A whole answer, or one token; the last token's event repeats the whole text."""
    draft.kind = "huggingface"
    token = as_map(value.get("token"))
    if isinstance(value.get("generated_text"), str):
        if token:
            draft.replace(value["generated_text"])
        else:
            draft.say(value["generated_text"], draft.events)
        draft.ended = True
    elif token.get("special") is not True:
        draft.say(as_str(token.get("text")))
    details = as_map(value.get("details"))
    draft.finish(details.get("finish_reason"))
    draft.use(details)
    prefill = details.get("prefill")
    if isinstance(prefill, list) and prefill:
        draft.usage["input_tokens"] = len(prefill)


def matches_replicate(value: JsonMap) -> bool:
    """A prediction of Replicate."""
    urls = value.get("urls")
    return "status" in value and "input" in value and isinstance(urls, dict) and "get" in urls


def read_replicate(value: JsonMap, draft: Draft) -> None:
    """The output is a text, an array of its pieces, or any JSON; there is none before the prediction is done."""
    draft.kind = "replicate"
    draft.model = first_str(value, "model") or draft.model
    draft.model_rev = first_str(value, "version") or draft.model_rev
    status = as_str(value.get("status"))
    output = value.get("output")
    if isinstance(output, list) and all(isinstance(piece, str) for piece in output):
        draft.say("".join(output))
    elif isinstance(output, str):
        draft.say(output)
    elif output is not None:
        draft.say(canonical(output))
    draft.finish(status)
    metrics = as_map(value.get("metrics"))
    draft.use(metrics)
    error = value.get("error")
    if error:
        draft.note(f"the prediction is {status}: {error if isinstance(error, str) else canonical(error)}")
    elif status != "succeeded":
        draft.note(f"the prediction is {status}: its output comes later, from another request")
    draft.ended = True


def matches_jsonrpc(value: JsonMap) -> bool:
    """A response of JSON-RPC 2.0 (§5); its errors are read with all other errors."""
    return "jsonrpc" in value and "result" in value


def read_jsonrpc(value: JsonMap, draft: Draft) -> None:
    """The result's content (MCP tool results, A2A messages and artifacts), else the whole result."""
    draft.kind = "jsonrpc"
    result: Any = value.get("result")
    inner = as_map(result)
    parts = as_list(inner.get("content")) or as_list(inner.get("parts")) or as_list(inner.get("contents"))
    artifacts = [part for item in as_list(inner.get("artifacts")) for part in as_list(as_map(item).get("parts"))]
    texts = [text for part in [*parts, *artifacts] if (text := as_str(as_map(part).get("text")))]
    if inner.get("isError") is True:
        draft.note("the tool reports an error: " + (" ".join(texts) or canonical(result)))
    draft.say("\n\n".join(texts) if texts else canonical(result))
    draft.cite(*parse_citations(as_list(inner.get("citations"))))
    draft.ended = True
