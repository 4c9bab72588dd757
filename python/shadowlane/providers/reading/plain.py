"""Answers of no known provider: errors, and JSON of some API.

Invariant: which part of a JSON body is the text depends on names and types only, never on the values, so that prod's
and the shadow's answers are cut the same way.
"""

from __future__ import annotations

from typing import Any

from .citing import LIST_NAMES, parse_citations
from .draft import Draft
from .jsonlike import JsonMap, as_count, as_map, as_str, canonical, first_str

__all__ = ["delta_text", "error_message", "read_json", "read_surroundings"]

_TEXT_FIELDS = (
    "answer",
    "output_text",
    "generated_text",
    "completion",
    "response",
    "reply",
    "text",
    "output",
    "result",
    "content",
    "message",
    "summary",
    "translation",
    "transcript",
)
_DELTA_FIELDS = ("delta", "token", "chunk", "piece", *_TEXT_FIELDS, "data")
_HOLDERS = ("answer", "message", "output", "result", "response", "data", "metadata")
_DEPTH = 3
_ERROR_FIELDS = frozenset(
    {"message", "Message", "code", "status", "statusCode", "status_code", "type", "object", "param", "error_code"}
    | {"request_id", "requestId", "raw_status_code", "id", "timestamp", "path", "__type"}
)
_PROBLEM_FIELDS = frozenset({"type", "title", "status", "detail", "instance"})  # RFC 9457 §3.1
_FAILED = frozenset({"error", "failed", "failure", "fail"})


def error_message(value: JsonMap) -> str:
    """The message of an error body; empty when this is no error.

    Knows ``error`` (OpenAI, Anthropic, Gemini, Ollama, JSON-RPC), ``errors`` (GraphQL, JSON:API), ``detail`` (FastAPI),
    problem details (RFC 9457), AWS's ``__type`` and bodies that hold a message and a code only.
    """
    error = value.get("error")
    if isinstance(error, str) and error:
        more = first_str(value, "message", "error_description")
        return f"{error}: {more}" if more else error
    if isinstance(error, (dict, list)) and error:
        return _inner_message(error)
    if error is True or value.get("type") == "error" or value.get("object") == "error":
        return first_str(value, "message", "detail", "msg", "errorText", "code") or canonical(value)
    errors = value.get("errors")
    if isinstance(errors, (list, dict)) and errors and not value.get("data"):
        return _inner_message(errors)
    if "detail" in value and value["detail"] and value.keys() <= _PROBLEM_FIELDS:
        return _inner_message(value["detail"])
    if "title" in value and "status" in value and value.keys() <= _PROBLEM_FIELDS:
        return as_str(value["title"])
    message = first_str(value, "message", "Message")
    if message and value.keys() <= _ERROR_FIELDS and _means_failure(value):
        return message
    return ""


def _means_failure(value: JsonMap) -> bool:
    codes = (value.get(name) for name in ("status", "statusCode", "status_code", "code", "raw_status_code"))
    if any((as_count(code) or 0) >= 400 or (isinstance(code, str) and code.lower() in _FAILED) for code in codes):
        return True
    return "__type" in value or "error" in as_str(value.get("type")).lower()


def _inner_message(error: Any) -> str:
    if isinstance(error, str):
        return error
    if isinstance(error, list):
        return "; ".join(_inner_message(item) for item in error[:5])
    inner = as_map(error)
    message = first_str(inner, "message", "msg", "detail", "description", "reason")
    return message or canonical(error)


def read_json(value: Any, draft: Draft) -> None:
    """The text of some API's JSON: its first common field that holds text, else all of it, in canonical form."""
    draft.kind = "json"
    text = _field_text(value, _DEPTH)
    draft.add_text(text if text is not None else canonical(value))
    draft.ended = True


def _cite(value: JsonMap, draft: Draft) -> None:
    """What a body cites: at its top, or in the object that holds its answer (LangServe's ``output``)."""
    inner = [as_map(value.get(name)) for name in _HOLDERS]
    for layer in [value, *inner]:
        # A list of results is what an answer rests on only where there is an answer.
        names = LIST_NAMES if first_str(layer, *_TEXT_FIELDS) else LIST_NAMES[: LIST_NAMES.index("documents")]
        lists = {name: layer[name] for name in names if isinstance(layer.get(name), list)}
        if lists:
            draft.cite(*parse_citations(lists))
            return


def _field_text(value: Any, depth: int) -> str | None:
    for name in _TEXT_FIELDS if isinstance(value, dict) else ():
        found = value.get(name)
        if isinstance(found, str) and found.strip():
            return found
        if isinstance(found, dict) and depth:
            inner = _field_text(found, depth - 1)
            if inner is not None:
                return inner
        if isinstance(found, list) and found and all(isinstance(as_map(part).get("text"), str) for part in found):
            return "".join(part["text"] for part in found)
    return None


def delta_text(value: Any, depth: int = _DEPTH) -> str | None:
    """The piece of text in one event of an unknown stream; ``None`` when it carries none."""
    if isinstance(value, str):
        return value
    for name in _DELTA_FIELDS if isinstance(value, dict) else ():
        found = value.get(name)
        if isinstance(found, str):
            return found
        if isinstance(found, dict) and depth:
            inner = delta_text(found, depth - 1)
            if inner is not None:
                return inner
    return None


def read_surroundings(value: JsonMap, draft: Draft) -> None:
    """What any body may say beside its text: citations, the index it was answered from, model and revision, usage."""
    if draft.kind == "json":
        _cite(value, draft)
    inner = [as_map(value.get(name)) for name in ("metadata", "meta", "retrieval")]
    for layer in [value, *inner]:
        draft.index_hash = draft.index_hash or first_str(layer, "index_hash", "indexHash")
        draft.model_rev = draft.model_rev or first_str(layer, "model_rev", "model_revision", "model_version")
        if draft.kind == "json":
            draft.model = draft.model or first_str(layer, "model", "model_id")
            draft.count_tokens(as_map(layer.get("usage")))
    if draft.kind == "json":
        draft.finish(first_str(value, "finish_reason", "stop_reason"))
        refusal = value.get("refusal", value.get("refused"))
        draft.refusal = draft.refusal or refusal is True or bool(as_str(refusal))
