"""Google: Gemini's ``generateContent`` (AI Studio and Vertex AI), whole and streamed, and the older Vertex predictions.

Parts marked ``thought`` are reasoning and left out; their tokens count as output, as other providers count them.
"""

from __future__ import annotations

from .citing import gemini_citations
from .draft import Draft
from .jsonlike import JsonMap, as_count, as_list, as_map, as_str, first_str

__all__ = ["matches", "matches_predictions", "read", "read_predictions"]

_WITHHELD = frozenset(
    {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE", "MODEL_ARMOR"}
)


def matches(value: JsonMap) -> bool:
    """``candidates`` with content, or a chunk that carries only feedback or usage."""
    candidates = value.get("candidates")
    if isinstance(candidates, list) and candidates:
        first = as_map(candidates[0])
        return "content" in first or "finishReason" in first
    return "promptFeedback" in value or "usageMetadata" in value


def read(value: JsonMap, draft: Draft) -> None:
    """A whole response, or one chunk of a stream (chunks have the same shape)."""
    draft.kind = "gemini"
    for place, candidate in enumerate(map(as_map, as_list(value.get("candidates")))):
        index = as_count(candidate.get("index"))
        choice = place if index is None else index
        content = candidate.get("content")
        if isinstance(content, str):  # PaLM's chat-bison
            draft.say(content, choice)
        for part in map(as_map, as_list(as_map(content).get("parts"))):
            if part.get("thought") is True:
                continue
            if isinstance(part.get("text"), str):
                draft.say(part["text"], choice)
            call = as_map(part.get("functionCall") or part.get("function_call"))
            if call:
                name, key = as_str(call.get("name")), (choice, draft.calls())
                draft.call(key, id=as_str(call.get("id")), name=name, arguments=call.get("args", {}))
        reason = as_str(candidate.get("finishReason"))
        draft.finish(reason, choice)
        if reason in _WITHHELD:
            draft.refusal = True
            draft.note(f"the provider withheld the answer or a part of it: {reason}")
        draft.cite(*gemini_citations(candidate))
    blocked = first_str(as_map(value.get("promptFeedback")), "blockReason")
    if blocked:
        draft.refusal = True
        draft.finish(blocked)
        draft.note(f"the provider blocked the prompt: {blocked}")
    usage = as_map(value.get("usageMetadata"))
    draft.use(usage, extra_input=("toolUsePromptTokenCount",))
    visible, thoughts = as_count(usage.get("candidatesTokenCount")), as_count(usage.get("thoughtsTokenCount"))
    if visible is not None or thoughts is not None:
        draft.usage["output_tokens"] = (visible or 0) + (thoughts or 0)
    draft.model = first_str(value, "modelVersion") or draft.model
    draft.ended = draft.all_finished()


def matches_predictions(value: JsonMap) -> bool:
    """``predictions`` of texts: Vertex text-bison and chat-bison, and models served behind the same API."""
    return isinstance(value.get("predictions"), list) and any(
        isinstance(item, str) or isinstance(as_map(item).get("content"), str) or "candidates" in as_map(item)
        for item in value["predictions"]
    )


def read_predictions(value: JsonMap, draft: Draft) -> None:
    """Each prediction as a choice."""
    draft.kind = "vertex.predictions"
    for place, item in enumerate(value["predictions"]):
        if isinstance(item, str):
            draft.say(item, place)
            continue
        candidates = as_list(as_map(item).get("candidates"))
        for part in map(as_map, candidates or [item]):
            draft.say(first_str(part, "content"), place)
    draft.model = first_str(value, "model", "deployedModelId") or draft.model
