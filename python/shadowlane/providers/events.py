"""Which shape a JSON object has, and folding objects into a draft: one object, or the events of a stream.

Invariant: within a stream a shape, once seen, is kept for as long as it fits.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from . import embeddings
from .base import Shape
from .reading.draft import Draft
from .reading.jsonlike import JsonMap, as_list, as_map, as_str, canonical
from .reading.plain import delta_text, error_message, read_json, read_surroundings
from .registry import SHAPES

__all__ = ["fold_events", "read_chunks", "read_value"]


_SHAPES = (*SHAPES, embeddings.SHAPE)
_END_NAMES = frozenset({"done", "end", "complete", "completed", "finish", "finished", "close", "message_end", "stop"})


def read_value(value: Any, draft: Draft) -> None:
    """Reads one whole JSON body."""
    if isinstance(value, list):
        _read_list(value, draft)
        return
    if not isinstance(value, dict):
        if value is None or value == "":
            draft.kind = "json"
            draft.note(f"the body is {canonical(value)}")
        else:
            draft.kind = "json"
            draft.add_text(value if isinstance(value, str) else canonical(value))
        return
    shape = _shape_of(value)
    error = error_message(value)
    if shape is not None:
        shape.read(value, draft)
        read_surroundings(value, draft)
        if error and not (draft.text().strip() or draft.calls() or draft.notes):
            draft.note(error)
    elif error:
        _read_error(value, error, draft)
    elif not value:
        draft.kind = "json"
        draft.note("the body is an empty object")
    else:
        read_json(value, draft)
        read_surroundings(value, draft)


def _read_list(value: list[Any], draft: Draft) -> None:
    """An array: of chunks (Gemini without SSE), of one error, of vectors, or anything."""
    maps = [as_map(item) for item in value]
    if read_chunks(value, draft):
        if draft.kind == "gemini" and not draft.ended:
            draft.note_cut("the answer ended before its finish reason: the text is what came")
        return
    if embeddings.find_rows(value):
        draft.kind = "huggingface.embeddings"
        draft.note(embeddings.NOTE)
    elif len(value) == 1 and error_message(maps[0]):
        _read_error(maps[0], error_message(maps[0]), draft)
    elif not value:
        draft.kind = "json"
        draft.note("the body is an empty array")
    else:
        read_json(value, draft)


def read_chunks(values: list[Any], draft: Draft) -> bool:
    """Reads an array of chunks, each of a known shape; false, and nothing is read, when they are not."""
    maps = [as_map(item) for item in values]
    shapes = [shape for item in maps if (shape := _shape_of(item)) is not None]
    if not maps or len(shapes) < len(maps):
        return False
    for item, shape in zip(maps, shapes, strict=True):
        shape.read(item, draft)
        draft.events += 1
    return True


def _read_error(value: JsonMap, message: str, draft: Draft) -> None:
    draft.kind = "error"
    draft.note(message)
    inner = as_map(value.get("error"))
    # Azure refuses a prompt with an error instead of an answer.
    draft.refusal = "content_filter" in (inner.get("code"), inner.get("type"), value.get("code"))


def _shape_of(value: JsonMap) -> Shape | None:
    return next((shape for shape in _SHAPES if shape.matches(value)), None)


def fold_events(events: Iterable[tuple[str, Any]], draft: Draft) -> None:
    """Reads the events of a stream, each with its name (may be empty) and its parsed value, or its text if not JSON.

    Sets ``draft.ended`` when the stream's own end mark came. Errors in mid-stream become notes.
    """
    shape: Shape | None = None
    unknown: list[str] = []
    for name, value in events:
        draft.events += 1
        if value == "[DONE]" or (isinstance(value, str) and value.strip() == "[DONE]"):
            draft.ended = True
            continue
        item = as_map(value)
        if shape is None or not shape.matches(item):
            found = _shape_of(item) if item else None
            shape = found or shape
            if found is None:
                _read_loose(name, value, draft, unknown if shape is None else None)
                continue
        if shape is not None:
            error = error_message(item)
            shape.read(item, draft)
            read_surroundings(item, draft)
            if error:
                draft.note_broken(error)
    if unknown:
        draft.kind = draft.kind or "stream"
        draft.add_text(_joined(unknown))
    if shape is None:
        draft.kind = draft.kind or "stream"


def _read_loose(name: str, value: Any, draft: Draft, unknown: list[str] | None) -> None:
    """An event of no known shape: an error, an end mark, a sign of life, or a piece of text."""
    item = as_map(value)
    error = error_message(item)
    if not error and name == "error":
        error = as_str(value) or as_str(item.get("message")) or canonical(value)
    if error:
        if draft.events > 1:
            draft.note_broken(error)
        else:
            draft.note(error)
        draft.kind = draft.kind or "error"
        return
    marks = {name.lower(), as_str(item.get("event")).lower(), as_str(item.get("type")).lower()}
    if marks & _END_NAMES or any(item.get(field) is True for field in ("done", "finished", "is_finished")):
        draft.ended = True
        # Such an event may still carry the last piece, but plain text under it ("{}", "ok") is no piece.
        if not item:
            return
    if unknown is None or name == "ping":
        return
    piece = delta_text(value)
    if piece is not None:
        unknown.append(piece)
    if item:
        draft.kind, kind = "json", draft.kind
        read_surroundings(item, draft)
        draft.kind = kind
    for entry in as_list(value):
        piece = delta_text(entry)
        if piece is not None:
            unknown.append(piece)


def _joined(pieces: list[str]) -> str:
    """Pieces one after the other; or the last, when each repeats the one before and adds to it.

    Two that end in one masked value are equal, where they were parts of it before.
    """
    texts = [piece for piece in pieces if piece]
    grows = len(texts) >= 3 and all(
        later.startswith(earlier) and (later != earlier or later.endswith("]")) for earlier, later in pairwise(texts)
    )
    grows = grows and len(texts[-1]) > len(texts[0])
    return texts[-1] if grows else "".join(pieces)
