"""What services really send as citations: different sources are told apart, equal ones found again, none overlooked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shadowlane.providers import extract_answer
from shadowlane.score.citations import cited, compare_citations
from shadowlane.types import Answer
from tests.support.bodies import JSON

TEXT = "Deposits are returned within 14 days [doc1]."


def azure(title: str, path: str, chunk: str = "0", text: str = TEXT) -> dict[str, Any]:
    citation = {"content": f"{title} says so.", "title": title, "url": None, "filepath": path, "chunk_id": chunk}
    message = {"role": "assistant", "content": text, "context": {"citations": [citation], "intent": "[]"}}
    return {"object": "extensions.chat.completion", "choices": [{"index": 0, "message": message}]}


def cohere2(title: str, snippet: str, name: str = "doc:0") -> dict[str, Any]:
    source = {"type": "document", "id": name, "document": {"id": name, "title": title, "snippet": snippet}}
    citations = [{"start": 0, "end": 8, "text": "Deposits", "sources": [source]}]
    return {
        "finish_reason": "COMPLETE",
        "message": {"content": [{"type": "text", "text": TEXT}], "citations": citations},
    }


def cohere1(url: str) -> dict[str, Any]:
    documents = [{"id": "web-search_0", "url": url, "snippet": "x"}]
    citations = [{"start": 0, "end": 8, "text": "Deposits", "document_ids": ["web-search_0"]}]
    return {"text": TEXT, "generation_id": "g", "citations": citations, "documents": documents}


def anthropic(quote: str, title: str | None = None, kind: str = "char_location") -> dict[str, Any]:
    place = {"start_char_index": 0, "end_char_index": 9} if kind == "char_location" else {"start_page_number": 1}
    citation = {"type": kind, "cited_text": quote, "document_index": 0, "document_title": title, **place}
    return {
        "type": "message",
        "content": [{"type": "text", "text": TEXT, "citations": [citation]}],
        "stop_reason": "end_turn",
    }


def rag(*urls: str, text: str = "In 14 days [1].", **more: Any) -> dict[str, Any]:
    return {"answer": text, "sources": [{"id": n, "url": url} for n, url in enumerate(urls, 1)], **more}


def gemini(uri: str, title: str) -> dict[str, Any]:
    grounding = {"groundingChunks": [{"web": {"uri": uri, "title": title}}]}
    return {"candidates": [{"content": {"parts": [{"text": TEXT}]}, "groundingMetadata": grounding}]}


def langchain(source: str, page: int = 0, **more: Any) -> dict[str, Any]:
    document = {"page_content": "In 14 days.", "metadata": {"source": source, "page": page}, "type": "Document", **more}
    return {"input": "When?", "context": [document], "answer": "In 14 days."}


def llama(file: str, name: str) -> dict[str, Any]:
    node = {
        "id_": name,
        "metadata": {"file_name": file, "page_label": "3"},
        "text": "In 14 days.",
        "class_name": "TextNode",
    }
    return {"response": "In 14 days.", "source_nodes": [{"node": node, "score": 0.8, "class_name": "NodeWithScore"}]}


def dify(document: str) -> dict[str, Any]:
    resource = {"position": 1, "document_id": f"d-{document}", "document_name": document, "content": "In 14 days."}
    return {
        "event": "message",
        "task_id": "t",
        "message_id": "m",
        "answer": "In 14 days.",
        "metadata": {"retriever_resources": [resource]},
    }


def vertex(uri: str) -> dict[str, Any]:
    return {
        "answer": {
            "state": "SUCCEEDED",
            "answerText": "In 14 days.",
            "citations": [{"sources": [{"referenceId": "0"}]}],
            "references": [{"chunkInfo": {"content": "x", "documentMetadata": {"uri": uri, "title": "T"}}}],
        }
    }


def chat(text: str, **more: Any) -> dict[str, Any]:
    return {"object": "chat.completion", "choices": [{"message": {"content": text}, "finish_reason": "stop"}], **more}


def read(body: Any) -> Answer:
    return extract_answer(JSON, json.dumps(body).encode())


def match(a: Any, b: Any) -> float | None:
    there, back = (compare_citations(cited(read(x)), cited(read(y))).match for x, y in ((a, b), (b, a)))
    assert there == back, "these have one citation each"
    return there


UUIDS = ("1f0c9a52-6d1e-4a6b-9b57-0c2f7f7c8f01", "7b0d3c11-0a1f-4e0e-8f52-51f3a2a9d702")

DIFFERENT: dict[str, tuple[Any, Any]] = {
    "azure, another file": (azure("Terms", "terms.md"), azure("Fees", "fees.md")),
    "azure, another part of the file": (azure("Terms", "terms.md", "0"), azure("Terms", "terms.md", "4")),
    "cohere v2": (cohere2("Terms", "In 14 days."), cohere2("Fees", "Never.")),
    "cohere v2, no title": (cohere2("", "In 14 days."), cohere2("", "Never.")),
    "cohere v1": (cohere1("https://h.example/terms"), cohere1("https://h.example/fees")),
    "anthropic, no title": (anthropic("In 14 days."), anthropic("Never.")),
    "anthropic, titles": (anthropic("In 14 days.", "Terms"), anthropic("In 14 days.", "Fees")),
    "anthropic, pages, no title": (anthropic("14 days", kind="page_location"), anthropic("no", kind="page_location")),
    "numbered sources": (rag("https://h.example/terms"), rag("https://h.example/fees")),
    "numbered sources, titles": (
        {"answer": "In 14 days.", "sources": [{"id": 1, "title": "Terms"}]},
        {"answer": "In 14 days.", "sources": [{"id": 1, "title": "Fees"}]},
    ),
    "source_1": (
        {"answer": "In 14 days.", "references": [{"id": "source_1", "text": "It takes 14 days."}]},
        {"answer": "In 14 days.", "references": [{"id": "source_1", "text": "It takes a year."}]},
    ),
    "markers over a list of URLs": (
        {"answer": "In 14 days [1].", "urls": ["https://h.example/terms", "https://h.example/a"]},
        {"answer": "In 14 days [1].", "urls": ["https://h.example/fees", "https://h.example/a"]},
    ),
    "markers over a chat's list": (
        chat("In 14 days [1].", citations=["https://h.example/terms"]),
        chat("In 14 days [1].", citations=["https://h.example/fees"]),
    ),
    "markers over a list in the text": (
        chat("In 14 days [1].\n\nSources:\n[1] https://h.example/terms"),
        chat("In 14 days [1].\n\nSources:\n[1] https://h.example/fees"),
    ),
    "footnotes": (chat("In 14 days.[^1]\n\n[^1]: Terms, section 3"), chat("In 14 days.[^1]\n\n[^1]: Fees, section 9")),
    "a numbered list in the text": (
        chat("In 14 days [1].\n\n1. https://h.example/terms"),
        chat("In 14 days [1].\n\n1. https://h.example/fees"),
    ),
    "numbers of documents": (
        {"answer": "In 14 days.", "citations": [1], "documents": [{"title": "Terms"}, {"title": "Fees"}]},
        {"answer": "In 14 days.", "citations": [1], "documents": [{"title": "Fees"}, {"title": "Terms"}]},
    ),
    "numbers of documents, with quotations": (
        {"answer": "In 14 days.", "citations": [{"source_id": 0, "quote": "14"}], "context": [{"url": "u/terms"}]},
        {"answer": "In 14 days.", "citations": [{"source_id": 0, "quote": "14"}], "context": [{"url": "u/fees"}]},
    ),
    "within the answer": (
        {"answer": {"text": "In 14 days.", "sources": [{"id": 1, "url": "https://h.example/terms"}]}},
        {"answer": {"text": "In 14 days.", "sources": [{"id": 1, "url": "https://h.example/fees"}]}},
    ),
    "gemini": (
        gemini("https://vertexaisearch.cloud.google.com/grounding-api-redirect/A", "h.example"),
        gemini("https://vertexaisearch.cloud.google.com/grounding-api-redirect/A", "other.example"),
    ),
    "langchain": (langchain("terms.pdf"), langchain("fees.pdf")),
    "langserve": (
        {"output": langchain("terms.pdf"), "metadata": {}},
        {"output": langchain("fees.pdf"), "metadata": {}},
    ),
    "llama index": (llama("terms.pdf", UUIDS[0]), llama("fees.pdf", UUIDS[0])),
    "dify": (dify("terms.pdf"), dify("fees.pdf")),
    "vertex search": (vertex("gs://b/terms.pdf"), vertex("gs://b/fees.pdf")),
    "markdown links": (
        chat("In 14 days ([terms](https://h.example/terms))."),
        chat("In 14 days ([terms](https://h.example/fees))."),
    ),
}

SAME: dict[str, tuple[Any, Any]] = {
    "azure": (azure("Terms", "terms.md"), azure("Terms", "terms.md", text="14 days it takes [doc1].")),
    "cohere, another number": (cohere2("Terms", "In 14 days."), cohere2("Terms", "In 14 days.", "doc:3")),
    "anthropic, another quote": (anthropic("In 14 days.", "Terms"), anthropic("14 days", "Terms")),
    "numbered otherwise": (
        rag("https://h.example/terms"),
        rag("https://h.example/a", "https://h.example/terms", text="[2]"),
    ),
    "gemini's redirects": (
        gemini("https://vertexaisearch.cloud.google.com/grounding-api-redirect/A", "h.example"),
        gemini("https://vertexaisearch.cloud.google.com/grounding-api-redirect/B", "h.example"),
    ),
    "langchain, drawn identifiers": (langchain("terms.pdf", id=UUIDS[0]), langchain("terms.pdf", id=UUIDS[1])),
    "langchain against langserve": (langchain("terms.pdf"), {"output": langchain("terms.pdf"), "metadata": {}}),
    "langserve, serialised": (
        langchain("terms.pdf"),
        {
            "output": {
                "answer": "In 14 days.",
                "context": [
                    {
                        "lc": 1,
                        "type": "constructor",
                        "id": ["langchain", "schema", "document", "Document"],
                        "kwargs": {"page_content": "In 14 days.", "metadata": {"source": "terms.pdf", "page": 0}},
                    }
                ],
            }
        },
    ),
    "llama index, built again": (llama("terms.pdf", UUIDS[0]), llama("terms.pdf", UUIDS[1])),
    "markdown links, other words": (
        chat("In 14 days ([terms](https://h.example/terms))."),
        chat('[See here](https://h.example/terms "Terms"): 14 days.'),
    ),
    "markdown links, named": (
        chat("In 14 days ([terms](https://h.example/terms))."),
        chat("In 14 days ([the terms][t]).\n\n[t]: https://h.example/terms"),
    ),
    "numbers of documents, in another order": (
        {"answer": "In 14 days.", "citations": [1], "documents": [{"title": "Terms"}, {"title": "Fees"}]},
        {"answer": "In 14 days.", "citations": [2], "documents": [{"title": "Fees"}, {"title": "Terms"}]},
    ),
    "a list against markers": (
        chat("In 14 days [1].\n\n[1]: https://h.example/terms"),
        chat("In 14 days [1].", citations=["https://h.example/terms"]),
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_different_sources_are_told_apart(name: str) -> None:
    assert match(*DIFFERENT[name]) == 0.0


@pytest.mark.parametrize("name", SAME)
def test_equal_sources_are_found_again(name: str) -> None:
    assert match(*SAME[name]) == 1.0


@pytest.mark.parametrize("name", [*DIFFERENT, *SAME])
def test_an_answer_cites_what_it_cites_itself(name: str) -> None:
    for body in {**DIFFERENT, **SAME}[name]:
        assert match(body, body) == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "![a picture](https://h.example/a.png) of it.",
        "`[a](https://h.example/a)` is a link.",
        "```\n[a](https://h.example/a)\n```",
        "[here](/relative) and [there](#top).",
        "f(x)[y](z)",
    ],
)
def test_what_is_no_link_cites_nothing(text: str) -> None:
    assert cited(Answer(text=text)) == ()


def test_links_keep_their_order_and_their_brackets() -> None:
    text = "[b](https://h.example/b_(x)), [a](<https://h.example/a>). [b again](https://h.example/b_(x)#top)"
    assert [one.source_url for one in cited(Answer(text=text))] == ["https://h.example/b_(x)", "https://h.example/a"]


def test_a_search_api_without_an_answer_cites_nothing() -> None:
    assert read({"results": [{"id": 1, "title": "Terms"}]}).citations == ()
    assert len(read({"answer": "In 14 days.", "results": [{"id": 1, "title": "Terms"}]}).citations) == 1
