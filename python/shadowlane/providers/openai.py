"""The OpenAI shapes: chat completions, legacy completions, the Responses API, Assistants messages.

Azure, Groq, Mistral, vLLM, Writer, xAI and most others answer in the chat shape, with fields of their own; those that
carry an answer or citations are read, reasoning (``reasoning_content``, ``reasoning``, ``thinking`` parts) is left out.
"""

from __future__ import annotations

from typing import Any

from .citing import openai_annotation, parse_citations
from .draft import MESSAGE_SHIFT, Draft
from .jsonlike import JsonMap, as_count, as_list, as_map, as_str, first_str

__all__ = [
    "matches_chat",
    "matches_responses",
    "matches_threads",
    "read_chat",
    "read_content",
    "read_responses",
    "read_threads",
    "read_tool_calls",
]

_CHOICE_FIELDS = frozenset({"message", "delta", "text"})


def matches_chat(value: JsonMap) -> bool:
    """``choices`` with messages, deltas or texts; or, in a stream, empty ``choices`` beside the chunk's own fields."""
    choices = value.get("choices")
    if not isinstance(choices, list):
        return False
    if not choices:
        return "object" in value or "usage" in value or "id" in value
    return any(isinstance(choice, dict) and _CHOICE_FIELDS & choice.keys() for choice in choices)


def read_chat(value: JsonMap, draft: Draft) -> None:
    """A whole response, or one chunk of a stream."""
    choices = [as_map(choice) for choice in as_list(value.get("choices"))]
    for place, choice in enumerate(choices):
        number = as_count(choice.get("index"))
        number = place if number is None else number
        if isinstance(choice.get("text"), str):
            draft.kind = "openai.completions"
            draft.say(choice["text"], number)
        for name in ("message", "delta"):
            if isinstance(choice.get(name), dict):
                _read_message(choice[name], draft, number)
        reason = choice.get("finish_reason") or choice.get("stop_reason")
        draft.finish(reason, number)
        if reason == "content_filter":
            draft.refusal = True
            draft.note("the provider's content filter withheld the answer or a part of it")
    draft.kind = draft.kind or "openai.chat"
    groq = as_map(value.get("x_groq"))
    draft.use(as_map(groq.get("usage")))
    draft.use(as_map(value.get("usage")))
    draft.model = first_str(value, "model") or draft.model
    draft.model_rev = first_str(value, "system_fingerprint") or draft.model_rev
    sources = value.get("citations")
    draft.cite(*parse_citations(sources if isinstance(sources, list) and sources else value.get("search_results")))
    draft.ended = draft.all_finished()


def _read_message(message: JsonMap, draft: Draft, choice: int) -> None:
    read_content(message.get("content"), draft, choice)
    refusal = as_str(message.get("refusal"))
    if refusal:
        draft.refusal = True
        draft.say(refusal, choice)
    read_tool_calls(message.get("tool_calls"), draft, choice)
    function = as_map(message.get("function_call"))
    if function:
        draft.call((choice, 0), name=as_str(function.get("name")), arguments=function.get("arguments"))
    audio = as_map(message.get("audio"))
    if as_str(audio.get("transcript")):
        draft.say(audio["transcript"], choice)
    for annotation in map(as_map, as_list(message.get("annotations"))):
        citation = openai_annotation(annotation, as_str(message.get("content")))
        if citation is not None:
            draft.cite(citation)
    # Azure "on your data", Writer's knowledge graphs.
    draft.cite(*parse_citations(as_list(as_map(message.get("context")).get("citations"))))
    draft.cite(*parse_citations(as_list(as_map(message.get("graph_data")).get("sources"))))


def read_content(content: Any, draft: Draft, choice: int = 0, block: int = 0) -> None:
    """A message's content: text, or an array of parts of which the text and the refusals are visible."""
    if isinstance(content, str):
        draft.say(content, choice, block)
        return
    for part in as_list(content):
        if isinstance(part, str):
            draft.say(part, choice, block)
            continue
        part = as_map(part)
        kind = as_str(part.get("type"))
        if kind == "refusal":
            draft.refusal = True
            draft.say(as_str(part.get("refusal")), choice, block)
        elif kind in ("text", "output_text", "") and isinstance(part.get("text"), str):
            draft.say(part["text"], choice, block)
        elif kind == "reference":
            draft.cite(*parse_citations(as_list(part.get("reference_ids"))))


def read_tool_calls(calls: Any, draft: Draft, choice: int = 0) -> None:
    """``tool_calls`` as in chat: ``{index, id, function: {name, arguments}}``; the index is there in streams only."""
    for place, call in enumerate(map(as_map, as_list(calls))):
        number = as_count(call.get("index"))
        body = as_map(call.get("function")) or as_map(call.get("custom"))
        draft.call(
            (choice, place if number is None else number),
            id=as_str(call.get("id")),
            name=as_str(body.get("name")),
            arguments=body.get("arguments", body.get("input")),
        )


def matches_responses(value: JsonMap) -> bool:
    """A response object, or an event of its stream (``response.*``)."""
    if as_str(value.get("type")).startswith("response."):
        return True
    return isinstance(value.get("output"), list) and (value.get("object") == "response" or "output_text" in value)


def read_responses(value: JsonMap, draft: Draft) -> None:
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
        draft.say(as_str(value.get("delta")), 0, block)
    elif event in ("response.output_text.done", "response.refusal.done"):
        draft.replace(first_str(value, "text", "refusal"), 0, block)
    elif event in ("response.output_item.added", "response.output_item.done"):
        _read_item(as_map(value.get("item")), draft, output, with_text=event.endswith(".done"))
    elif event in ("response.function_call_arguments.delta", "response.custom_tool_call_input.delta"):
        draft.call((output,), arguments=as_str(value.get("delta")))
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
    for place, item in enumerate(map(as_map, as_list(value.get("output")))):
        _read_item(item, draft, place, with_text=True)
    draft.use(as_map(value.get("usage")))
    draft.model = first_str(value, "model") or draft.model
    status = as_str(value.get("status"))
    reason = as_str(as_map(value.get("incomplete_details")).get("reason"))
    draft.finish(reason or status)
    if reason == "content_filter":
        draft.refusal = True
    if status in ("failed", "cancelled", "queued", "in_progress"):
        error = as_str(as_map(value.get("error")).get("message"))
        draft.note(f"the response is {status}: {error}" if error else f"the response is {status}")


def _read_item(item: JsonMap, draft: Draft, place: int, *, with_text: bool) -> None:
    kind = as_str(item.get("type"))
    if kind == "message":
        if not with_text:
            return
        for number, part in enumerate(map(as_map, as_list(item.get("content")))):
            text = first_str(part, "text", "refusal")
            draft.refusal = draft.refusal or part.get("type") == "refusal"
            draft.replace(text, 0, (place << MESSAGE_SHIFT) + number)
            for annotation in map(as_map, as_list(part.get("annotations"))):
                citation = openai_annotation(annotation, text)
                if citation is not None:
                    draft.cite(citation)
        return
    # A free place before the next message, so that two messages are not glued together.
    draft.skip(0, place << MESSAGE_SHIFT)
    if kind in ("function_call", "custom_tool_call"):
        arguments = first_str(item, "arguments", "input")
        draft.call((place,), id=first_str(item, "call_id", "id"), name=as_str(item.get("name")))
        if arguments:
            draft.set_arguments((place,), arguments)
    elif kind == "file_search_call":
        draft.cite(*parse_citations(as_list(item.get("results"))))


def matches_threads(value: JsonMap) -> bool:
    """Objects of the Assistants API that carry an answer: messages, lists of messages, runs, events of a run."""
    kind = as_str(value.get("object"))
    if kind in ("thread.message", "thread.run", "thread.message.delta"):
        return True
    return kind == "list" and any(as_map(item).get("object") == "thread.message" for item in as_list(value.get("data")))


def read_threads(value: JsonMap, draft: Draft) -> None:
    """The assistant's messages of the newest run, in the order in which they were said."""
    draft.kind = "openai.threads"
    kind = as_str(value.get("object"))
    if kind == "thread.run":
        _read_run(value, draft)
        return
    if kind == "thread.message.delta":
        _read_thread_parts(as_map(value.get("delta")), draft, 0)
        return
    if kind == "thread.message":
        messages = [value]
    else:
        messages = [as_map(item) for item in as_list(value.get("data"))]
        messages.sort(key=lambda message: as_count(message.get("created_at")) or 0)
        answers = [message for message in messages if message.get("role") == "assistant"]
        run = answers[-1].get("run_id") if answers else None
        messages = [message for message in answers if message.get("run_id") == run]
        if not messages:
            draft.note("the thread holds no message of the assistant yet")
    for place, message in enumerate(messages):
        if as_str(message.get("status")) == "incomplete":
            draft.note("the message is incomplete")
        _read_thread_parts(message, draft, place, whole=True)


def _read_thread_parts(message: JsonMap, draft: Draft, place: int, *, whole: bool = False) -> None:
    for number, part in enumerate(map(as_map, as_list(message.get("content")))):
        index = as_count(part.get("index"))
        block = (place << MESSAGE_SHIFT) + (number if index is None else index)
        text = as_map(part.get("text"))
        said = as_str(text.get("value"))
        if whole:
            draft.replace(said, place, block)
        else:
            draft.say(said, place, block)
        for annotation in map(as_map, as_list(text.get("annotations"))):
            citation = openai_annotation(annotation, said)
            if citation is not None:
                draft.cite(citation)


def _read_run(value: JsonMap, draft: Draft) -> None:
    status = as_str(value.get("status"))
    draft.finish(status)
    draft.model = first_str(value, "model") or draft.model
    draft.use(as_map(value.get("usage")))
    draft.ended = status in ("completed", "failed", "cancelled", "expired", "incomplete", "requires_action")
    required = as_map(as_map(value.get("required_action")).get("submit_tool_outputs"))
    read_tool_calls(required.get("tool_calls"), draft)
    error = as_str(as_map(value.get("last_error")).get("message"))
    if error:
        draft.note(f"the run is {status}: {error}")
    elif not draft.calls() and not draft.text():
        draft.note(f"the run is {status}: its answer stands in the thread's messages")
