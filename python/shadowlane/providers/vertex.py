"""Google's Vertex AI beside Gemini: older predictions (text-bison, chat-bison), and Vertex AI Search (answers and
summaries of Discovery Engine).

A search's references are counted by position in one answer; what is cited is the document behind the number.
"""

from __future__ import annotations

from typing import Any

from ..types import Citation
from .base import Provider, Shape
from .reading.draft import Draft
from .reading.jsonlike import JsonMap, as_float, as_list, as_map, as_str, first_str

__all__ = ["PROVIDER"]


def _is_predictions(value: JsonMap) -> bool:
    """``predictions`` of texts: Vertex text-bison and chat-bison, and models served behind the same API."""
    return isinstance(value.get("predictions"), list) and any(
        isinstance(item, str) or isinstance(as_map(item).get("content"), str) or "candidates" in as_map(item)
        for item in value["predictions"]
    )


def _read_predictions(value: JsonMap, draft: Draft) -> None:
    """Each prediction as a choice."""
    draft.kind = "vertex.predictions"
    for position, item in enumerate(value["predictions"]):
        if isinstance(item, str):
            draft.add_text(item, position)
            continue
        candidates = as_list(as_map(item).get("candidates"))
        for part in map(as_map, candidates or [item]):
            draft.add_text(first_str(part, "content"), position)
    draft.model = first_str(value, "model", "deployedModelId") or draft.model


def _is_search(value: JsonMap) -> bool:
    """An answer of the ``:answer`` and ``:streamAnswer`` methods, or the summary of a search or a conversation."""
    answer = as_map(value.get("answer"))
    return "answerText" in answer or ("state" in answer and "references" in answer) or bool(_summary(value))


def _summary(value: JsonMap) -> JsonMap:
    summary = as_map(value.get("summary")) or as_map(as_map(value.get("reply")).get("summary"))
    return summary if "summaryText" in summary else {}


def _read_search(value: JsonMap, draft: Draft) -> None:
    """An answer or a summary, and the documents that it cites; a stream sends the answer in pieces."""
    draft.kind = "vertex.search"
    answer, summary = as_map(value.get("answer")), _summary(value)
    metadata = as_map(summary.get("summaryWithMetadata"))
    text = as_str(answer.get("answerText")) or as_str(summary.get("summaryText"))
    if answer.get("state") == "SUCCEEDED" and text:
        draft.replace(text)  # the last piece of a stream repeats the whole answer
    else:
        draft.add_text(text)
    references = [_reference(as_map(item)) for item in as_list((answer or metadata).get("references"))]
    citations = as_list(answer.get("citations")) or as_list(as_map(metadata.get("citationMetadata")).get("citations"))
    sources = [as_map(source) for item in map(as_map, citations) for source in as_list(item.get("sources"))]
    numbers = [_number(source.get("referenceId", source.get("referenceIndex", 0))) for source in sources]
    cited = [references[number] for number in numbers if number is not None and number < len(references)]
    draft.cite(*(cited or references))
    state = as_str(answer.get("state"))
    draft.finish({"SUCCEEDED": "stop", "STREAMING": ""}.get(state, state.lower()) if answer else "stop")
    if state == "FAILED":
        draft.note("the answer failed")
    for why in as_list(answer.get("answerSkippedReasons")) + as_list(summary.get("summarySkippedReasons")):
        draft.note(f"the service gave no answer: {why}")
    draft.ended = state not in ("STREAMING", "IN_PROGRESS")


def _number(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else None


def _reference(item: JsonMap) -> Citation:
    """A chunk, a document with several, a structured document, or a summary's reference."""
    chunk = as_map(item.get("chunkInfo"))
    document = as_map(item.get("unstructuredDocumentInfo")) or as_map(item.get("structuredDocumentInfo"))
    inner = as_map(chunk.get("documentMetadata")) or document or item
    content = as_map(next(iter(as_list(inner.get("chunkContents")) or as_list(item.get("chunkContents"))), {}))
    page = first_str(inner, "pageIdentifier") or first_str(content, "pageIdentifier")
    return Citation(
        source_url=first_str(inner, "uri", "document", "title"),
        section_id=f"page {page}" if page else "",
        score=as_float(chunk.get("relevanceScore", content.get("relevanceScore"))),
        text=first_str(chunk, "content") or first_str(content, "content") or first_str(inner, "title"),
    )


def _embeddings(value: JsonMap) -> list[Any]:
    return [as_map(as_map(item).get("embeddings")).get("values") for item in as_list(value.get("predictions"))]


PROVIDER = Provider(
    name="vertex",
    shapes=(Shape(_is_search, _read_search), Shape(_is_predictions, _read_predictions)),
    embeddings=_embeddings,
)
