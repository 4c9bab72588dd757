"""OpenAI's Responses API, whole and streamed, and its next turn."""

from __future__ import annotations

from collections.abc import Iterator

from ...types import Answer, ToolCall
from ..base import Shape, Turns
from ..reading.calls import Json, Made, Results, call_id, json_text, mapped, maps
from ..reading.citing import openai_annotation, parse_citations
from ..reading.draft import MESSAGE_SHIFT, Draft
from ..reading.jsonlike import JsonMap, as_count, as_list, as_map, as_str, first_str

__all__ = ["SHAPE", "TURNS"]


def _matches(value: JsonMap) -> bool:
    """A response object, or an event of its stream (``response.*``)."""
    if as_str(value.get("type")).startswith("response."):
        return True
    return isinstance(value.get("output"), list) and (value.get("object") == "response" or "output_text" in value)


def _read(value: JsonMap, draft: Draft) -> None:
    """A whole response, or one event; a closing event repeats the whole response, and then that one counts."""
    draft.kind = "openai.responses"
    event = as_str(value.get("type"))
    if not event.startswith("response."):
        _read_response(value, draft)
        return
    output = as_count(value.get("output_index")) or 0
    part = as_count(value.get("content_index")) or 0
    block = (output << MESSAGE_SHIFT) + part
    if event in ("response.output_text.delta", "response.refusal.delta"):
        draft.refusal = draft.refusal or event == "response.refusal.delta"
        draft.add_text(as_str(value.get("delta")), 0, block)
    elif event in ("response.output_text.done", "response.refusal.done"):
        draft.replace(first_str(value, "text", "refusal"), 0, block)
    elif event in ("response.output_item.added", "response.output_item.done"):
        _read_item(as_map(value.get("item")), draft, output, with_text=event.endswith(".done"))
    elif event in ("response.function_call_arguments.delta", "response.custom_tool_call_input.delta"):
        draft.add_call((output,), arguments=as_str(value.get("delta")))
    elif event == "response.output_text.annotation.added":
        citation = openai_annotation(as_map(value.get("annotation")), "")
        if citation is not None:
            draft.cite(citation)
    elif event in ("response.completed", "response.incomplete", "response.failed", "response.done"):
        response = as_map(value.get("response"))
        if as_list(response.get("output")):
            draft.restart()
        _read_response(response, draft)
        draft.ended = True
    elif "response" in value:
        response = as_map(value.get("response"))
        draft.model = first_str(response, "model") or draft.model


def _read_response(value: JsonMap, draft: Draft) -> None:
    for position, item in enumerate(map(as_map, as_list(value.get("output")))):
        _read_item(item, draft, position, with_text=True)
    draft.count_tokens(as_map(value.get("usage")))
    draft.model = first_str(value, "model") or draft.model
    status = as_str(value.get("status"))
    reason = as_str(as_map(value.get("incomplete_details")).get("reason"))
    draft.finish(reason or status)
    if reason == "content_filter":
        draft.refusal = True
    if status in ("failed", "cancelled"):
        draft.incomplete = "error"
    if status in ("failed", "cancelled", "queued", "in_progress"):
        error = as_str(as_map(value.get("error")).get("message"))
        draft.note(f"the response is {status}: {error}" if error else f"the response is {status}")


def _read_item(item: JsonMap, draft: Draft, position: int, *, with_text: bool) -> None:
    kind = as_str(item.get("type"))
    if kind == "message":
        if not with_text:
            return
        for number, part in enumerate(map(as_map, as_list(item.get("content")))):
            text = first_str(part, "text", "refusal")
            draft.refusal = draft.refusal or part.get("type") == "refusal"
            draft.replace(text, 0, (position << MESSAGE_SHIFT) + number)
            for annotation in map(as_map, as_list(part.get("annotations"))):
                citation = openai_annotation(annotation, text)
                if citation is not None:
                    draft.cite(citation)
        return
    # A free number before the next message, so that two messages are not glued together.
    draft.skip_block(0, position << MESSAGE_SHIFT)
    if kind in ("function_call", "custom_tool_call"):
        arguments = first_str(item, "arguments", "input")
        draft.add_call((position,), id=first_str(item, "call_id", "id"), name=as_str(item.get("name")))
        if arguments:
            draft.set_arguments((position,), arguments)
    elif kind == "file_search_call":
        draft.cite(*parse_citations(as_list(item.get("results"))))


def _speaks(preset: str, path: str, request: Json) -> bool:
    return preset == "openai" and path.rsplit("/", 1)[-1] == "responses"


def _made(request: Json) -> Iterator[Made]:
    open_calls: dict[str, ToolCall] = {}
    for item in maps(request.get("input")):
        kind, key = str(item.get("type")), str(item.get("call_id"))
        if kind in ("function_call", "custom_tool_call"):
            made = ToolCall(
                name=str(item.get("name")), arguments=json_text(item.get("arguments", item.get("input", "")))
            )
            open_calls[key] = made
            yield Made(made.name, made.arguments)
        elif kind in ("function_call_output", "custom_tool_call_output") and key in open_calls:
            yield Made(open_calls[key].name, open_calls[key].arguments, item.get("output"))


def _follow(request: Json, answer: Answer, pieces: list[Json], results: Results) -> Json:
    whole = next(
        (mapped(piece.get("response")) for piece in reversed(pieces) if "response" in piece), mapped(pieces[0])
    )
    question = request.get("input")
    items: list[Json] = [{"role": "user", "content": question}] if isinstance(question, str) else list(question or [])
    custom = {item.get("call_id") for item in maps(whole.get("output")) if item.get("type") == "custom_tool_call"}
    # Nothing is stored at the provider, so identifiers of items mean nothing there; reasoning can be handed back only
    # in its encrypted form.
    for item in maps(whole.get("output")):
        if item.get("type") == "reasoning" and item.get("encrypted_content"):
            items.append({name: value for name, value in item.items() if name not in ("id", "status")})
    if answer.text:
        items.append({"role": "assistant", "content": answer.text})
    for position, (call, _) in enumerate(results):
        key = call_id(call, position)
        if key in custom:
            items.append({"type": "custom_tool_call", "call_id": key, "name": call.name, "input": call.arguments})
        else:
            items.append({"type": "function_call", "call_id": key, "name": call.name, "arguments": call.arguments})
    for position, (call, result) in enumerate(results):
        key = call_id(call, position)
        kind = "custom_tool_call_output" if key in custom else "function_call_output"
        items.append({"type": kind, "call_id": key, "output": result})
    return {**request, "input": items}


SHAPE = Shape(_matches, _read)
TURNS = Turns(_speaks, _made, _follow)
