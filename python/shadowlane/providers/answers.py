"""What a response says, whatever its shape: :func:`extract_answer` and, for embeddings, :func:`extract_vectors`.

Invariant: nothing here raises on bad data. A text that is empty or not whole always has a note that says why.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..types import Answer
from .bedrock import named_event
from .compiled import MAX_INFLATED, compiled_answer
from .embeddings import vectors_of
from .events import fold_events, read_chunks, read_value
from .reading.citing import parse_citations
from .reading.draft import Draft
from .reading.eventstream import parse_eventstream
from .reading.html import html_text, looks_like_html
from .reading.jsonlike import as_map, as_str, canonical, complete_items, parse_json, parse_values, resolve_pointer
from .reading.sse import parse_sse
from .reading.vectors import decode_base64
from .registry import USAGE
from .vercel import data_stream_parts

__all__ = ["MAX_INFLATED", "extract_answer", "extract_usage", "extract_vectors", "interpreted_answer"]

_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)
_WIDE_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OPAQUE = re.compile(r"(?:image|audio|video|font)/|application/(?:octet-stream|pdf|zip|x-protobuf|grpc|wasm)\b")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\ufffd]")
_CUT = "the stream ended before its end mark: the text is what came"


def extract_answer(content_type: str, body: bytes, *, text_pointer: str = "", citations_pointer: str = "") -> Answer:
    """What a response body says.

    Knows OpenAI (chat, completions, responses, threads) and those who speak it (Azure, Groq, Mistral, ...), Anthropic,
    Gemini, Cohere, Ollama, Bedrock, watsonx, Hugging Face, Replicate, JSON-RPC; each whole or streamed (SSE, NDJSON,
    Amazon's event stream); any other JSON, HTML and text. ``content_type`` is a hint that may be empty or wrong: the
    bytes decide. ``text_pointer`` and ``citations_pointer`` are JSON pointers (RFC 6901) that say where a JSON body, or
    each event of a stream, holds them, and then that is what counts.

    ``usage`` is normalised to ``input_tokens``, ``output_tokens``, ``total_tokens``, with cached prompt tokens among
    the input and reasoning among the output. Reasoning is never part of the text; several choices are joined by a blank
    line, in their order. Raises nothing: ``note`` says why the text is empty or not whole.
    """
    try:
        if not (text_pointer or citations_pointer) and (answer := compiled_answer(content_type.lower(), body)):
            return answer
        return interpreted_answer(content_type, body, text_pointer, citations_pointer)
    except Exception as error:
        # The promise above is worth more than a traceback: the body is somebody else's, and the note is stored.
        return Answer(kind="unreadable", note=f"cannot be read: {type(error).__name__}: {error}"[:300])


def interpreted_answer(content_type: str, body: bytes, text_pointer: str = "", citations_pointer: str = "") -> Answer:
    """The same by the providers' modules alone, which know every shape: what :mod:`.compiled` is held to."""
    return _read(content_type.lower(), body, text_pointer, citations_pointer).answer()


def extract_usage(content_type: str, body: bytes) -> dict[str, int]:
    """The tokens that a response says it took, as :func:`extract_answer` has them; numbers alone, no text."""
    return dict(extract_answer(content_type, body).usage)


def extract_vectors(body: bytes) -> NDArray[np.float32] | None:
    """The vectors of an embeddings response, (n, d) float32 as sent (not normalised); ``None`` when it holds none.

    Raises nothing; vectors of different lengths are ``None`` too.
    """
    data, _ = _inflate(body)
    value, why = parse_json(data)
    return None if why else vectors_of(value)


def _read(content_type: str, body: bytes, text_pointer: str, citations_pointer: str) -> Draft:
    draft = Draft(USAGE)
    body, cut = _inflate(body)
    draft.note_cut(cut)
    if not body.strip():
        draft.kind = "empty"
        draft.note("the body is empty")
        return draft
    pointers = _Pointers(text_pointer, citations_pointer)
    framing = _core.framing(body, "event-stream" in content_type)
    if framing == "frames":
        _read_eventstream(body, draft, pointers)
    elif framing == "events":
        _read_sse(body, draft, pointers)
    else:
        _read_document(content_type, body, draft, pointers)
    pointers.close(draft)
    return draft


class _Pointers:
    """Where the configuration says that text and citations stand."""

    def __init__(self, text: str, citations: str) -> None:
        self._text, self._citations = text, citations
        self._found: list[str] = []
        self._seen_json = False

    def look(self, value: Any, draft: Draft) -> None:
        """Looks into one JSON body or event."""
        self._seen_json = True
        if self._text:
            found, target = resolve_pointer(value, self._text)
            if found and target is not None:
                self._found.append(_pointed_text(target))
        if self._citations:
            found, target = resolve_pointer(value, self._citations)
            if found:
                draft.cite(*parse_citations(target))

    def close(self, draft: Draft) -> None:
        """Lets what was found replace what was guessed."""
        if not self._text or not self._seen_json or draft.kind == "error":
            return
        draft.clear_text()
        if self._found:
            draft.add_text("".join(self._found))
        else:
            draft.note(f"text_pointer {self._text!r} finds nothing in this answer")


def _pointed_text(target: Any) -> str:
    if isinstance(target, str):
        return target
    if isinstance(target, list) and target and all(isinstance(item, str) for item in target):
        return "\n".join(target)
    return canonical(target)


def _inflate(body: bytes) -> tuple[bytes, str]:
    """The body without its compression (gzip, deflate, br, zstd: its bytes tell), and what is missing of it."""
    found = _core.inflate(body, MAX_INFLATED)
    if found is None:
        return body, ""
    data, coding, state = found
    return data, {
        "whole": "",
        "cut": f"the {coding} body is cut",
        "longer": f"the {coding} body is longer than {MAX_INFLATED} bytes: the rest is left out",
        "damaged": f"the {coding} body is damaged",
    }[state]


def _read_eventstream(body: bytes, draft: Draft, pointers: _Pointers) -> None:
    messages, wrong = parse_eventstream(body)

    def events() -> Iterator[tuple[str, Any]]:
        for message in messages:
            value, why = parse_json(message.payload, halves=True)
            name = message.headers.get(":event-type", "")
            if message.headers.get(":message-type") in ("exception", "error"):
                what = message.headers.get(":exception-type") or message.headers.get(":error-code", "exception")
                draft.note_broken(f"{what}: {as_str(as_map(value).get('message'))}".rstrip(": "))
                continue
            if why:
                draft.note(f"an event is {why}")
                continue
            yield name, named_event(name, as_map(_unwrapped(value)))

    fold_events(_watched(events(), draft, pointers), draft)
    draft.note_cut(wrong)
    if not draft.ended:
        draft.note_cut(_CUT)


def _unwrapped(value: Any) -> Any:
    """The model's own chunk inside ``{"bytes": base64}``, as Bedrock's invoke stream sends it."""
    wrapped = as_map(value).get("bytes")
    if not isinstance(wrapped, str):
        return value
    inner, why = parse_json(decode_base64(wrapped), halves=True)
    return value if why else inner


def _read_sse(body: bytes, draft: Draft, pointers: _Pointers) -> None:
    tail_broken = False

    def events() -> Iterator[tuple[str, Any]]:
        nonlocal tail_broken
        for event in parse_sse(body):
            data = event.data
            if data.lstrip()[:1] in ("{", "[", '"') and data.strip() != "[DONE]":
                value, why = parse_json(data, halves=True)
                if not why:
                    yield event.name, _unwrapped(value)
                    continue
                if not event.complete:
                    tail_broken = True
                    continue
                if data.lstrip()[0] == "{":
                    draft.note(f"an event is {why}")
                    continue
            yield event.name, data

    fold_events(_watched(events(), draft, pointers), draft)
    if draft.events == 0:
        draft.kind = draft.kind or "stream"
        draft.note("the stream holds no event")
    # Streams of unknown services have no end mark that one could miss; what is seen there is a broken last event.
    if tail_broken or (not draft.ended and draft.kind not in ("stream", "error")):
        draft.note_cut(_CUT)


def _read_values(text: str, draft: Draft, pointers: _Pointers) -> bool:
    """Reads JSON values one after the other, on lines or without; false when the text is something else."""
    values, cut = parse_values(text)
    if len(values) + cut < 2 or not values:
        return False
    if not all(isinstance(value, (dict, list, str)) for value in values):
        return False
    fold_events(_watched(((as_str(as_map(value).get("event")), value) for value in values), draft, pointers), draft)
    if draft.kind == "stream" and not draft.text():
        draft.kind = "ndjson"
        draft.add_text("\n".join(canonical(value) for value in values))
    if cut or (not draft.ended and draft.kind not in ("stream", "ndjson", "error")):
        draft.note_cut(_CUT)
    return True


def _read_cut_array(text: str, draft: Draft, pointers: _Pointers) -> bool:
    """Reads the whole objects of an array that ends too early, as Gemini streams without SSE; false: it has none that
    any provider sends."""
    values = complete_items(text)
    if not values or not read_chunks(values, draft):
        return False
    for value in values:
        pointers.look(value, draft)
    draft.note_cut(_CUT)
    return True


def _watched(events: Iterator[tuple[str, Any]], draft: Draft, pointers: _Pointers) -> Iterator[tuple[str, Any]]:
    for name, value in events:
        if isinstance(value, (dict, list)):
            pointers.look(value, draft)
        yield name, value


def _read_document(content_type: str, body: bytes, draft: Draft, pointers: _Pointers) -> None:
    parts = data_stream_parts(body)
    if parts is not None:
        fold_events((("", part) for part in parts), draft)
        if not draft.ended:
            draft.note_cut(_CUT)
        return
    text = _decoded(content_type, body)
    start = text.lstrip("\ufeff\x1e \t\r\n")[:1]
    declared_json = "json" in content_type
    if declared_json or start in ("{", "[", '"'):
        value, why = parse_json(text)
        if not why:
            pointers.look(value, draft)
            read_value(value, draft)
            return
        if _read_values(text, draft, pointers):
            return
        if start == "[" and _read_cut_array(text, draft, pointers):
            return
        if declared_json and start in ("{", "["):
            draft.kind = "json"
            draft.note(why)
            return
    if ("html" in content_type and "<" in text) or looks_like_html(text):
        draft.kind = "html"
        draft.add_text(html_text(text))
    elif _OPAQUE.match(content_type) or len(_CONTROL.findall(text)) * 10 > len(text):
        draft.kind = "binary"
        draft.note(f"{len(body)} bytes of {content_type or 'an unknown type'} hold no text")
    else:
        draft.kind = "text"
        draft.add_text(text.removeprefix("\ufeff"))


def _decoded(content_type: str, body: bytes) -> str:
    """The body as text: by its byte order mark, else the declared charset, else UTF-8; what does not fit as U+FFFD."""
    for mark, encoding in _WIDE_MARKS:
        if body.startswith(mark):
            return body.decode(encoding, "replace")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        pass
    charset = _CHARSET.search(content_type)
    if charset:
        try:
            return body.decode(charset.group(1), "replace").encode("utf-8", "replace").decode("utf-8")
        except (LookupError, ValueError):
            pass  # a charset that nobody knows: the default below
    return body.decode("utf-8", "replace")
