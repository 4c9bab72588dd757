"""Citations, as applications and providers spell them, into the one snippet contract.

Invariants: ``offsets`` is a span of the *source*, in characters. Where a provider says which part of its *answer* a
source supports (OpenAI, Cohere, Gemini), that part becomes ``text`` and ``offsets`` stays ``None``: two answers that
say the same in other words cite at other positions, and that is no difference in what they cite. A number by position
(the third of what was found for this question) names no source: it is never a ``snippet_id`` where anything else says
what is cited.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ...types import Citation
from .jsonlike import JsonMap, as_count, as_float, as_list, as_map, as_str, first_count, first_str

__all__ = [
    "BAD_OFFSETS",
    "LIST_NAMES",
    "anthropic_citation",
    "is_positional",
    "lasting_url",
    "openai_annotation",
    "parse_citations",
]

BAD_OFFSETS = (-1, -1)
"""Stands for offsets that were sent but cannot be read; validation names them ``bad_offsets``."""

LIST_NAMES = (
    "citations",
    "sources",
    "references",
    "source_documents",
    "sourceDocuments",
    "source_nodes",
    "sourceNodes",
    "retriever_resources",
    "retrieved_documents",
    "context",
    "contexts",
    "source_urls",
    "documents",
    "docs",
    "chunks",
    "passages",
    "snippets",
    "search_results",
    "searchResults",
    "urls",
    "links",
    "results",
)
"""Where answers keep what they cite, best first."""
_SNIPPET = ("snippet_id", "snippetId", "chunk_id", "chunkId", "passage_id", "segment_id", "document_id", "documentId")
_LOOSE_ID = ("doc_id", "docId", "file_id", "id", "id_", "node_id", "source_id", "sourceId")
_SECTION = ("section_id", "sectionId", "section", "heading")
_PAGE = ("page", "page_label", "page_number", "pageIdentifier")
_SOURCE = ("source_url", "sourceUrl", "url", "uri", "link", "href", "source", "filepath", "file_path", "filename")
_NAME = ("file_name", "document_name", "documentName", "document_title", "title", "name")
_TEXT = ("text", "snippet", "quote", "cited_text", "page_content", "pageContent", "content", "passage", "excerpt")
_SCORE = ("score", "relevance_score", "relevanceScore", "similarity", "confidence")
_NESTED = ("metadata", "meta", "document", "node", "kwargs", "source", "url_citation", "file_citation")
_POSITION = re.compile(
    r"[\[(#]?\d{1,3}[\])]?"
    r"|(?:doc(?:ument)?s?|source|src|ref(?:erence)?|cit(?:e|ation)|chunk|passage|snippet|segment|(?:search|tool)?[_ -]?"
    r"result|web[_ -]search|item|hit|node|context|page)(?:[:_ #-]?\d{1,3})+",
    re.IGNORECASE,
)
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_DRAWN_IDS = frozenset({"page_content", "pageContent", "id_", "node_id"})
_REDIRECTS = ("vertexaisearch.cloud.google.com/grounding-api-redirect/",)
_SENTENCE = 4
"""Words from which on a text that stands where an identifier might is what was cited."""


def parse_citations(value: Any) -> tuple[Citation, ...]:
    """Citations of a parsed JSON value: an array of objects, URLs or identifiers, or an object that holds one.

    Knows the snippet contract's own names and the common other spellings (documents of LangChain, nodes of LlamaIndex,
    provider annotations of a ``type`` too). Where citations are numbers, and sources stand beside them, the sources
    that are meant. What is no citation at all is left out. Raises nothing.
    """
    if isinstance(value, dict):
        lists = [value[name] for name in LIST_NAMES if isinstance(value.get(name), list)]
        if lists:
            return _chosen(lists)
        value = [value]
    found = (_parse_one(item) for item in as_list(value))
    return tuple(citation for citation in found if citation is not None)


def _chosen(lists: list[list[Any]]) -> tuple[Citation, ...]:
    """The first list; of one of bare numbers, what the next list has at those positions."""
    first = parse_citations(lists[0])
    numbers = [_bare_number(item) for item in lists[0]]
    if not lists[0] or any(number is None for number in numbers):
        return first
    positions = [number for number in numbers if number is not None]
    for others in lists[1:]:
        sources = [_parse_one(item) for item in others]
        start = 0 if 0 in positions else 1
        if sources and max(positions) - start < len(sources):
            return tuple(
                _quoted(source, item)
                for number, item in zip(positions, lists[0], strict=True)
                if (source := sources[number - start]) is not None
            )
    return first


def _quoted(source: Citation, item: Any) -> Citation:
    """A source with what is quoted of it."""
    quote = _first([item], _TEXT) if isinstance(item, dict) else ""
    return msgspec.structs.replace(source, text=quote or source.text)


def _bare_number(item: Any) -> int | None:
    """The number of a citation that is nothing but one, and perhaps a quotation."""
    if isinstance(item, dict):
        if any(item.get(name) for name in (*_SNIPPET, *_SECTION, *_SOURCE, *_NAME, *_NESTED)):
            return None
        return next((_bare_number(item[name]) for name in (*_LOOSE_ID, "index") if item.get(name) is not None), None)
    if isinstance(item, str):
        digits = item.strip("[]() ")
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 3 else None
    return as_count(item)


def is_positional(name: str) -> bool:
    """Whether an identifier looks like a number by position: ``3``, ``[3]``, ``doc:0``, ``web-search_2``."""
    return _POSITION.fullmatch(name.strip()) is not None


def lasting_url(url: str) -> str:
    """The URL; empty for a redirect that is made anew for every answer."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return "" if (parts.netloc.lower() + parts.path).startswith(_REDIRECTS) else url


def _parse_one(item: Any) -> Citation | None:
    if isinstance(item, str) and item.strip():
        if "://" in item and not any(map(str.isspace, item.strip())):
            return Citation(source_url=item)
        return Citation(text=item) if len(item.split()) > _SENTENCE else Citation(snippet_id=item)
    if isinstance(item, int) and not isinstance(item, bool):
        return Citation(snippet_id=str(item))
    if not isinstance(item, dict):
        return None
    kind = as_str(item.get("type"))
    if kind.endswith("_location"):
        return anthropic_citation(item)
    if kind in ("url_citation", "file_citation", "file_path", "container_file_citation"):
        return openai_annotation(item, "")
    return _from_layers(item, [item, *_layers(item, depth=2)])


def _layers(item: JsonMap, depth: int) -> list[JsonMap]:
    """The objects within a citation that say more of it: a document, its metadata."""
    inner = [as_map(item.get(name)) for name in _NESTED]
    found = [layer for layer in inner if layer]
    return found + ([deeper for layer in found for deeper in _layers(layer, depth - 1)] if depth > 1 else [])


def _from_layers(item: JsonMap, layers: list[JsonMap]) -> Citation | None:
    source = lasting_url(_first(layers, _SOURCE))
    name, text = _first(layers, _NAME), _first(layers, _TEXT)
    source = source or name
    snippet, section = _first(layers, _SNIPPET), _first(layers, _SECTION)
    if snippet and is_positional(snippet) and (source or text):
        # The number of a chunk within its document.
        section, snippet = section or (f"chunk {snippet}" if source and "chunk" in _named(layers, snippet) else ""), ""
    if not snippet:
        loose = _first(layers, _LOOSE_ID)
        # Numbers by position, and identifiers that an index gives itself when it is built.
        passing = is_positional(loose) or (_UUID.fullmatch(loose) is not None and _is_framework(layers))
        snippet = "" if passing and (source or text) else loose
    page = _first(layers, _PAGE)
    citation = Citation(
        snippet_id=snippet,
        section_id=section or (f"page {page}" if page and source else ""),
        source_url=source,
        offsets=_offsets(item),
        tokens=first_count(item, "tokens", "token_count", "n_tokens"),
        score=next((number for name in _SCORE if (number := as_float(item.get(name))) is not None), None),
        index_hash=_first(layers, ("index_hash", "indexHash")),
        analyzer=_first(layers, ("analyzer",)),
        text=text or (name if name != source else ""),
    )
    return None if citation == Citation() else citation


def _named(layers: list[JsonMap], value: str) -> str:
    """The name under which a snippet's number stands."""
    return next((name for layer in layers for name in _SNIPPET if str(layer.get(name)) == value), "").lower()


def _is_framework(layers: list[JsonMap]) -> bool:
    """Whether this is a document of LangChain or a node of LlamaIndex, whose identifiers are drawn at random."""
    return any(_DRAWN_IDS & layer.keys() for layer in layers)


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
        title = as_str(inner.get("title"))
        url = lasting_url(as_str(inner.get("url"))) or title
        return Citation(source_url=url, text=cited or title) if url else None
    if kind in ("file_citation", "file_path", "container_file_citation"):
        quote = as_str(inner.get("quote"))
        name, file = as_str(inner.get("filename")), as_str(inner.get("file_id"))
        return Citation(snippet_id=file, source_url=name, text=quote or cited) if name or file else None
    return None


def anthropic_citation(item: JsonMap) -> Citation | None:
    """A citation of a text block (Messages API, "Citations"): by characters, pages, blocks, or a search's result.

    ``document_index`` counts the documents of one request and names none: a document without title and file is known by
    what is quoted of it.
    """
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
    file, text = first_str(item, "file_id"), as_str(item.get("cited_text"))
    source = first_str(item, "url", "source", "document_title", "title")
    document = as_count(item.get("document_index", item.get("search_result_index")))
    return Citation(
        snippet_id=file or ("" if source or text or document is None else f"document {document}"),
        section_id=section if source or file or not text else "",
        source_url=source,
        offsets=offsets,
        text=text,
    )
