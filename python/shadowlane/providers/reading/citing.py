"""Citations, as applications and providers spell them, into the one snippet contract.

Invariant: ``offsets`` is a span of the *source*, in characters. Where a provider says which part of its *answer* a
source supports (OpenAI, Cohere, Gemini), that part becomes ``text`` and ``offsets`` stays ``None``: two answers that
say the same in other words cite at other positions, and that is no difference in what they cite.
"""

from __future__ import annotations

from typing import Any

from ...types import Citation
from .jsonlike import JsonMap, as_count, as_float, as_list, as_map, as_str, first_count, first_str

__all__ = ["BAD_OFFSETS", "anthropic_citation", "openai_annotation", "parse_citations"]

BAD_OFFSETS = (-1, -1)
"""Stands for offsets that were sent but cannot be read; validation names them ``bad_offsets``."""

_LIST_NAMES = ("citations", "sources", "references", "source_documents", "documents", "search_results", "results")
_SNIPPET = ("snippet_id", "snippetId", "chunk_id", "chunkId", "passage_id", "document_id", "doc_id", "file_id", "id")
_SECTION = ("section_id", "sectionId", "section", "heading")
_SOURCE = ("source_url", "sourceUrl", "url", "uri", "link", "href", "source", "filepath", "file_path", "filename")
_TEXT = ("text", "snippet", "quote", "cited_text", "page_content", "content", "passage", "excerpt", "title")
_SCORE = ("score", "relevance_score", "relevanceScore", "similarity", "confidence")
_NESTED = ("metadata", "document", "source", "url_citation", "file_citation")


def parse_citations(value: Any) -> tuple[Citation, ...]:
    """Citations of a parsed JSON value: an array of objects, URLs or identifiers, or an object that holds one.

    Knows the snippet contract's own names and the common other spellings; provider annotations (``type`` of
    ``url_citation``, ``char_location``, ...) too. What is no citation at all is left out. Raises nothing.
    """
    if isinstance(value, dict):
        for name in _LIST_NAMES:
            if isinstance(value.get(name), list):
                return parse_citations(value[name])
        value = [value]
    found = (_parse_one(item) for item in as_list(value))
    return tuple(citation for citation in found if citation is not None)


def _parse_one(item: Any) -> Citation | None:
    if isinstance(item, str) and item.strip():
        return Citation(source_url=item) if "://" in item else Citation(snippet_id=item)
    if isinstance(item, int) and not isinstance(item, bool):
        return Citation(snippet_id=str(item))
    if not isinstance(item, dict):
        return None
    kind = as_str(item.get("type"))
    if kind.endswith("_location"):
        return anthropic_citation(item)
    if kind in ("url_citation", "file_citation", "file_path", "container_file_citation"):
        return openai_annotation(item, "")
    inner = [as_map(item.get(name)) for name in _NESTED]
    layers = [item, *(layer for layer in inner if layer)]
    citation = Citation(
        snippet_id=_first(layers, _SNIPPET),
        section_id=_first(layers, _SECTION),
        source_url=_first(layers, _SOURCE),
        offsets=_offsets(item),
        tokens=first_count(item, "tokens", "token_count", "n_tokens"),
        score=next((number for name in _SCORE if (number := as_float(item.get(name))) is not None), None),
        index_hash=_first(layers, ("index_hash", "indexHash")),
        analyzer=_first(layers, ("analyzer",)),
        text=_first(layers, _TEXT),
    )
    return None if citation == Citation() else citation


def _first(layers: list[JsonMap], names: tuple[str, ...]) -> str:
    for layer in layers:
        for name in names:
            value = layer.get(name)
            if isinstance(value, str) and value:
                return value
            if isinstance(value, int) and not isinstance(value, bool):
                return str(value)
    return ""


def _offsets(item: JsonMap) -> tuple[int, int] | None:
    value = item.get("offsets", item.get("span", item.get("offset")))
    if isinstance(value, dict):
        pair = [value.get("start"), value.get("end")]
    elif isinstance(value, list):
        pair = value
    elif value is not None:
        return BAD_OFFSETS
    elif "start" in item and "end" in item:
        pair = [item["start"], item["end"]]
    elif "start_char" in item and "end_char" in item:
        pair = [item["start_char"], item["end_char"]]
    else:
        return None
    if pair == [None, None]:
        return None
    counts = [as_count(number) for number in pair]
    if len(counts) != 2 or counts[0] is None or counts[1] is None:
        return BAD_OFFSETS
    return counts[0], counts[1]


def openai_annotation(item: JsonMap, text: str) -> Citation | None:
    """An annotation of chat (nested by its type) or of the Responses API (flat); ``text`` is the answer's part."""
    kind = as_str(item.get("type"))
    inner = as_map(item.get(kind)) or item
    start, end = as_count(inner.get("start_index")), as_count(inner.get("end_index"))
    cited = text[start:end] if start is not None and end is not None else ""
    if kind == "url_citation":
        url = as_str(inner.get("url"))
        return Citation(source_url=url, text=cited or as_str(inner.get("title"))) if url else None
    if kind in ("file_citation", "file_path", "container_file_citation"):
        quote = as_str(inner.get("quote"))
        name, file = as_str(inner.get("filename")), as_str(inner.get("file_id"))
        return Citation(snippet_id=file, source_url=name, text=quote or cited) if name or file else None
    return None


def anthropic_citation(item: JsonMap) -> Citation | None:
    """A citation of a text block (Messages API, "Citations"): by characters, pages, blocks, or a search's result."""
    kind = as_str(item.get("type"))
    section, offsets = "", None
    if kind == "char_location":
        start, end = as_count(item.get("start_char_index")), as_count(item.get("end_char_index"))
        offsets = BAD_OFFSETS if start is None or end is None else (start, end)
    elif kind == "page_location":
        section = f"pages {item.get('start_page_number')}-{item.get('end_page_number')}"
    elif kind in ("content_block_location", "search_result_location"):
        section = f"blocks {item.get('start_block_index')}-{item.get('end_block_index')}"
    elif kind != "web_search_result_location":
        return None
    document = item.get("document_index", item.get("search_result_index"))
    return Citation(
        snippet_id=first_str(item, "file_id") or (f"document {document}" if as_count(document) is not None else ""),
        section_id=section,
        source_url=first_str(item, "url", "source", "document_title", "title"),
        offsets=offsets,
        text=as_str(item.get("cited_text")),
    )
