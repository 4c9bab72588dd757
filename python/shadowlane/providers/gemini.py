"""Google's Gemini: ``generateContent`` (AI Studio and Vertex AI), whole and streamed.

Parts marked ``thought`` are reasoning and left out; their tokens count as output, as other providers count them.
"""

from __future__ import annotations

from typing import Any

from ..types import Citation
from .base import Provider, QuestionFields, Shape
from .reading.citing import lasting_url
from .reading.draft import Draft, UsageNames
from .reading.jsonlike import JsonMap, as_count, as_float, as_list, as_map, as_str, first_str

__all__ = ["PROVIDER"]

_WITHHELD = frozenset(
    {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE", "MODEL_ARMOR"}
)


def _matches(value: JsonMap) -> bool:
    """``candidates`` with content, or a chunk that carries only feedback or usage."""
    candidates = value.get("candidates")
    if isinstance(candidates, list) and candidates:
        first = as_map(candidates[0])
        return "content" in first or "finishReason" in first
    return "promptFeedback" in value or "usageMetadata" in value


def _read(value: JsonMap, draft: Draft) -> None:
    """A whole response, or one chunk of a stream (chunks have the same shape)."""
    draft.kind = "gemini"
    for position, candidate in enumerate(map(as_map, as_list(value.get("candidates")))):
        index = as_count(candidate.get("index"))
        choice = position if index is None else index
        content = candidate.get("content")
        if isinstance(content, str):  # PaLM's chat-bison
            draft.add_text(content, choice)
        for part in map(as_map, as_list(as_map(content).get("parts"))):
            if part.get("thought") is True:
                continue
            if isinstance(part.get("text"), str):
                draft.add_text(part["text"], choice)
            call = as_map(part.get("functionCall") or part.get("function_call"))
            if call:
                name, key = as_str(call.get("name")), (choice, draft.calls())
                draft.add_call(key, id=as_str(call.get("id")), name=name, arguments=call.get("args", {}))
        reason = as_str(candidate.get("finishReason"))
        draft.finish(reason, choice)
        if reason in _WITHHELD:
            draft.refusal = True
            draft.note(f"the provider withheld the answer or a part of it: {reason}")
        draft.cite(*_citations(candidate))
    blocked = first_str(as_map(value.get("promptFeedback")), "blockReason")
    if blocked:
        draft.refusal = True
        draft.finish(blocked)
        draft.note(f"the provider blocked the prompt: {blocked}")
    usage = as_map(value.get("usageMetadata"))
    draft.count_tokens(usage, extra_input=("toolUsePromptTokenCount",))
    visible, thoughts = as_count(usage.get("candidatesTokenCount")), as_count(usage.get("thoughtsTokenCount"))
    if visible is not None or thoughts is not None:
        draft.usage["output_tokens"] = (visible or 0) + (thoughts or 0)
    draft.model = first_str(value, "modelVersion") or draft.model
    draft.ended = draft.all_finished()


def _citations(candidate: JsonMap) -> list[Citation]:
    """``groundingMetadata`` (chunks and the supports that name them) and ``citationMetadata`` of a candidate."""
    found: list[Citation] = []
    grounding = as_map(candidate.get("groundingMetadata") or candidate.get("grounding_metadata"))
    sources = [_grounding_source(as_map(chunk)) for chunk in as_list(grounding.get("groundingChunks"))]
    supported: set[int] = set()
    for support in map(as_map, as_list(grounding.get("groundingSupports"))):
        scores = as_list(support.get("confidenceScores"))
        for position, index in enumerate(as_list(support.get("groundingChunkIndices"))):
            number = as_count(index)
            if number is None or number >= len(sources):
                continue
            supported.add(number)
            found.append(
                Citation(
                    snippet_id=sources[number].snippet_id,
                    source_url=sources[number].source_url,
                    score=as_float(scores[position]) if position < len(scores) else None,
                    text=as_str(as_map(support.get("segment")).get("text")) or sources[number].text,
                )
            )
    found += [source for number, source in enumerate(sources) if number not in supported and source != Citation()]
    metadata = as_map(candidate.get("citationMetadata") or candidate.get("citation_metadata"))
    for item in map(as_map, as_list(metadata.get("citations") or metadata.get("citationSources"))):
        url = first_str(item, "uri", "title", "license")
        if url:
            found.append(Citation(source_url=url))
    return found


def _grounding_source(chunk: JsonMap) -> Citation:
    inner = as_map(chunk.get("web")) or as_map(chunk.get("retrievedContext")) or as_map(chunk.get("maps"))
    title = first_str(inner, "title", "domain")
    return Citation(
        snippet_id=first_str(inner, "documentName", "placeId"),
        # A search's addresses are redirects of this one answer; the title says where they lead.
        source_url=lasting_url(first_str(inner, "uri")) or title or first_str(inner, "uri"),
        text=first_str(inner, "text"),
    )


def _embeddings(value: JsonMap) -> list[Any]:
    single = as_map(value.get("embedding")).get("values")
    return [single] if single else [as_map(item).get("values") for item in as_list(value.get("embeddings"))]


PROVIDER = Provider(
    name="gemini",
    shapes=(Shape(_matches, _read),),
    embeddings=_embeddings,
    questions=(QuestionFields("contents"),),
    usage=UsageNames(input=("promptTokenCount",), total=("totalTokenCount",), cached=("cachedContentTokenCount",)),
)
