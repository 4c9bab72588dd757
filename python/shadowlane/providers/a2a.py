"""The Agent2Agent protocol: messages, tasks and their artifacts, over JSON-RPC or plain HTTP, whole and streamed.

Both spellings: ``kind`` (0.2 and 0.3) and a wrapper with one name (1.0). The answer of a task are its artifacts; where
it has none, what its status says. What an agent says while it works is not the answer.
"""

from __future__ import annotations

from .base import Provider, Shape
from .reading.draft import MESSAGE_SHIFT, Draft
from .reading.jsonlike import JsonMap, as_list, as_map, as_str, canonical

__all__ = ["PROVIDER"]

_WRAPPED = {
    "task": "task",
    "message": "message",
    "statusUpdate": "status-update",
    "artifactUpdate": "artifact-update",
}
_KINDS = frozenset(_WRAPPED.values())
_BAD = frozenset({"failed", "canceled", "cancelled", "rejected"})
_ENDED = _BAD | {"completed", "input-required", "auth-required"}


def _matches(value: JsonMap) -> bool:
    """A result of ``message/send``, ``message/stream`` or ``tasks/get``."""
    return _unwrapped(value)[0] != ""


def _unwrapped(value: JsonMap) -> tuple[str, JsonMap]:
    """The kind of thing, and the thing; an empty kind when it is none of this protocol."""
    inner = as_map(value.get("result")) if "jsonrpc" in value else value
    kind = as_str(inner.get("kind"))
    if kind in _KINDS and (isinstance(inner.get("parts"), list) or "status" in inner or "artifact" in inner):
        return kind, inner
    for name, kind in _WRAPPED.items():
        held = inner.get(name)
        if isinstance(held, dict) and len(inner) == 1 and _is(kind, held):
            return kind, held
    if "jsonrpc" in value and as_map(inner.get("status")).get("state") and "id" in inner:
        return "task", inner
    return "", inner


def _is(kind: str, held: JsonMap) -> bool:
    if kind == "message":
        return isinstance(held.get("parts"), list)
    if kind == "artifact-update":
        return isinstance(held.get("artifact"), dict)
    return bool(as_map(held.get("status")).get("state"))


def _read(value: JsonMap, draft: Draft) -> None:
    """A whole result, or one event of a stream."""
    draft.kind = "a2a"
    kind, thing = _unwrapped(value)
    if kind == "message":
        _add(thing, draft, 0, fresh=True)
        draft.ended = True
    elif kind == "artifact-update":
        artifact = as_map(thing.get("artifact"))
        # Agents leave out that a piece is appended, and the artifact's name: then pieces follow each other.
        number = draft.part_number(as_str(artifact.get("artifactId")))
        _add(artifact, draft, number, fresh=thing.get("append") is False and thing.get("lastChunk") is True)
    else:
        artifacts = [as_map(item) for item in as_list(thing.get("artifacts"))]
        for artifact in artifacts:
            _add(artifact, draft, draft.part_number(as_str(artifact.get("artifactId"))), fresh=True)
        _status(as_map(thing.get("status")), draft)


def _add(thing: JsonMap, draft: Draft, number: int, *, fresh: bool) -> None:
    """A message's or an artifact's parts; ``fresh``: in place of what it had said."""
    pieces = []
    for part in map(as_map, as_list(thing.get("parts"))):
        data = as_map(part.get("data")) if part.get("kind", "data") == "data" else {}
        pieces.append(as_str(part.get("text")) or (canonical(data) if data else ""))
    text = "\n\n".join(piece for piece in pieces if piece) if fresh else "".join(pieces)
    if fresh:
        draft.replace(text, 0, number << MESSAGE_SHIFT)
    else:
        draft.add_text(text, 0, number << MESSAGE_SHIFT)


def _status(status: JsonMap, draft: Draft) -> None:
    state = as_str(status.get("state")).lower().removeprefix("task_state_").replace("_", "-")
    if state not in _ENDED:
        return
    draft.ended = True
    draft.finish("stop" if state == "completed" else state)
    message = as_map(status.get("message"))
    if state in _BAD:
        reason = " ".join(as_str(as_map(part).get("text")) for part in as_list(message.get("parts")))
        draft.note(f"the task is {state}: {reason}".rstrip(": "))
    elif not draft.text():
        _add(message, draft, 0, fresh=True)


PROVIDER = Provider(name="a2a", shapes=(Shape(_matches, _read),))
