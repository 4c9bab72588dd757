"""The compiled reader of answers beside the providers' modules: the same answer, or none."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.providers.answers import extract_answer, interpreted_answer
from shadowlane.providers.compiled import SHAPES, compiled_answer
from shadowlane.providers.reading import citing, thinking
from shadowlane.providers.registry import SHAPES as REGISTRY
from shadowlane.types import Answer
from tests.support.answers import ERRORS, STREAMS, WHOLE
from tests.support.applications import APPLICATIONS
from tests.support.bodies import JSON, SSE, js, openai_chat, sse
from tests.support.exchanges import exchanges, recorded_body

COMPILED = {"openai.responses", "openai.chat", "anthropic", "cohere", "gemini", "ollama", "watsonx", "bedrock"}
COMPILED |= {"huggingface"}
BODIES = [js(row[1]) for row in WHOLE] + [row[1] for row in STREAMS] + [js(body) for body, _ in ERRORS]
BODIES += [row[1] if isinstance(row[1], bytes) else js(row[1]) for row in APPLICATIONS]


def compared(body: bytes, content_type: str = "") -> Answer | None:
    """What the core reads, after it was compared with what the modules read."""
    found = compiled_answer(content_type, body)
    if found is not None:
        expected = interpreted_answer(content_type, body)
        assert found == expected
        # Equality does not see these.
        assert (list(found.usage), list(found.cached)) == (list(expected.usage), list(expected.cached))
    return found


def test_its_shapes_are_those_of_the_registry() -> None:
    modules = [shape.read.__module__.removeprefix("shadowlane.providers.") for shape in REGISTRY]
    assert [module for module, _ in SHAPES] == [*modules, "embeddings"]
    assert {module for module, compiled in SHAPES if compiled} == COMPILED


@pytest.mark.parametrize("content_type", ["", JSON, SSE])
def test_every_body_of_the_tests(content_type: str) -> None:
    read = [answer.kind for body in BODIES if (answer := compared(body, content_type)) is not None]
    families = {kind.partition(".")[0] for kind in read}
    assert families >= {"openai", "anthropic", "gemini", "ollama", "cohere", "bedrock", "watsonx"}
    assert len(read) >= 40


def test_every_recorded_exchange() -> None:
    read = [
        compared(recorded_body(one), str(one["response"]["headers"].get("content-type") or "")) for one in exchanges()
    ]
    kinds = [answer.kind for answer in read if answer is not None]
    assert {"openai.chat", "openai.responses", "anthropic.messages", "cohere.v2"} <= set(kinds)
    assert len(kinds) > len(read) / 2


@pytest.mark.parametrize("body", [row[1] for row in STREAMS], ids=[row[0] for row in STREAMS])
def test_streams_cut_at_every_byte(body: bytes) -> None:
    for cut in range(0, len(body), 1 if len(body) < 700 else 7):
        compared(body[:cut])


def test_a_stream_that_is_cut_within_an_event_is_read() -> None:
    event = b'data: {"choices":[{"delta":{"content":"Oslo, \\"so"}}]}\n\n'
    assert all(compared(event + event[:cut]) for cut in range(7, len(event) - 2) if event[cut - 1 : cut] != b"\\")
    line = b'{"message":{"content":"Oslo"},"done":false}\n'
    assert all(compared(line + line[:cut]) for cut in range(1, len(line) - 1))


def test_compressed_bodies() -> None:
    body = js(openai_chat({"content": "Cold."}))
    whole = gzip.compress(body)
    answer = compared(whole)
    assert answer is not None
    assert answer.text == "Cold."
    assert compared(whole[:-9]) is None


SPELT = [
    '"\\ud83d\\ude00 \\u00e9 \\/ \\b\\f\\n\\r\\t\\"\\\\ \\u0000\\u001f \x7f"',
    *('"\\ud800"', '"\\ude00\\ud83d"', '"a\tb"', '"\\x"', '"\\u12"'),
    *(
        "0",
        "-0",
        "-0.0",
        "0.0",
        "0e1",
        "1.0",
        "28.0",
        "2.5",
        "1e2",
        "1E+2",
        "0.00001",
        "1e-7",
        "0.1",
        "1e15",
        "1e16",
        "1e400",
    ),
    *("9007199254740992", "9007199254740993", "18446744073709551615", "18446744073709551616", "-9223372036854775809"),
    *("123456789012345678901234567890", "9" * 299, "9" * 400, "1" * 5_000, "01", "1.", ".5", "+1", "-", "1e", "0x1"),
    *("NaN", "Infinity", "-Infinity", "nan", "null", "true", "tru", "[]", "{}", '{"b":1,"a":[2,{"c":"é"}]}'),
    *('{"a":1,"a":2}', '{"a":1,}', "[1,]", '{"a" : [ ] }', "[" * 99 + "]" * 99, "[" * 600 + "]" * 600),
]


@pytest.mark.parametrize("spelt", SPELT, ids=range(len(SPELT)))
def test_json_means_the_same(spelt: str) -> None:
    held = [
        f'{{"candidates":[{{"content":{{"parts":[{{"functionCall":{{"name":"f","args":{{"x":{spelt}}}}}}}]}},"finishReason":"STOP"}}]}}',
        f'{{"choices":[{{"message":{{"content":"a"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":{spelt}}}}}',
        f'{{"choices":[{{"index":{spelt},"message":{{"content":{spelt}}},"finish_reason":{spelt}}}],"model":{spelt}}}',
        f'{{"content":[{{"type":"text","text":"a","citations":[{{"type":"page_location","title":"t","start_page_number":{spelt}}}]}}],"stop_reason":"end_turn"}}',
        f'{{"choices":[{{"message":{{"content":"a"}}}}],"citations":[{spelt},{{"url":"u","score":{spelt},"page":{spelt}}}]}}',
    ]
    for body in held:
        for data in (body, f"\ufeff{body}", f" \r\n{body}\n ", f"data: {body}\n\n", f"{body}\n{body}", f"\x0c{body}"):
            compared(data.encode())


def test_what_strict_json_says_is_read_by_the_core() -> None:
    for spelt in ('"a\\u00e9\\ud83d\\ude00"', "2.5", "-7", "[1,[2.25]]", '{"b":{"a":null}}', "123456789012345678"):
        call = f'{{"type":"tool_use","id":"i","name":"f","input":{{"x":{spelt}}}}}'
        body = f'{{"content":[{call}],"stop_reason":"tool_use"}}'
        answer = compared(body.encode())
        assert answer is not None, spelt
        assert json.loads(answer.tool_calls[0].arguments) == {"x": json.loads(spelt)}


MARKS = [mark for pair in (*thinking._PAIRS, *thinking._WRAPPERS) for mark in pair]
CHANNELS = ["<|channel|>", "<|start|>"]


@pytest.mark.parametrize("mark", [*MARKS, *CHANNELS])
def test_each_mark_of_reasoning_is_known(mark: str) -> None:
    for text in (
        mark,
        f"{mark}a",
        f"  {mark} a",
        f"a {mark}",
        f"a{mark}\nb",
        f"a `{mark}` b",
        f"<think>c</think>{mark}b",
    ):
        answer = compared(js(openai_chat({"content": text})))
        assert (answer is None) == text.lstrip().startswith(tuple(CHANNELS))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*MARKS, *CHANNELS, "a", " ", "\n", "`", "```", "<", "\x1c", ""]), max_size=7))
def test_reasoning_wherever_it_stands(pieces: list[str]) -> None:
    text = "".join(pieces)
    compared(js(openai_chat({"content": text})))
    compared(js({"choices": [{"index": at, "message": {"content": text}} for at in (1, 0)]}))
    compared(sse(*({"delta": piece} for piece in pieces)), SSE)
    compared(b"\n".join(js({"delta": piece}) for piece in pieces))


NAMES = (citing._SNIPPET, citing._LOOSE_ID, citing._SECTION, citing._PAGE, citing._SOURCE, citing._NAME, citing._TEXT)
CITED = sorted(
    {name for names in (*NAMES, citing._SCORE, citing._NESTED, ("offsets", "span", "offset")) for name in names}
)
IDENTIFIERS = ["", "doc:0", "[3]", "web-search_2", "chunk 17", "a b c d e f", "c0ffee00-0000-4000-8000-00000000beef"]
ADDRESSES = ["https://a.example/x", "https://vertexaisearch.cloud.google.com/grounding-api-redirect/x"]
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([*IDENTIFIERS, *ADDRESSES, "url_citation", "char_location"]),
    st.integers(-1, 20) | st.floats(0, 1) | st.none() | st.booleans(),
    st.sampled_from([[1, 2], {"start": 1, "end": 2}]),
)
CITATIONS = st.recursive(
    VALUES, lambda inner: st.dictionaries(st.sampled_from([*CITED, "type", "id_"]), inner, max_size=5)
)


@settings(max_examples=120, deadline=None)
@given(st.lists(CITATIONS, max_size=4))
def test_citations_of_any_spelling(cited: list[Any]) -> None:
    compared(js({**openai_chat({"content": "Oslo is cold.", "annotations": cited}), "citations": cited}))
    chunks = [{"web": item} if isinstance(item, dict) else item for item in cited]
    supports = [{"groundingChunkIndices": [0, 1], "segment": {"text": "x"}}]
    grounding = {"groundingChunks": chunks, "groundingSupports": supports}
    candidate = {"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP", "groundingMetadata": grounding}
    compared(js({"candidates": [candidate]}))
    compared(js({"text": "a", "generation_id": "g", "citations": cited, "documents": cited}))
    compared(js({"answer": "a", "citations": cited, "context": cited[::-1]}))
    compared(js({"output": {"answer": "a", "results": cited}, "documents": cited}))


NUMBERS = st.one_of(
    st.integers(0, 4),
    st.sampled_from(["[1]", "(2)", "0", "doc:1", "x", "", 2.0, True, None]),
    st.fixed_dictionaries(
        {"id": st.integers(0, 3)}, optional={"quote": st.just("q"), "url": st.sampled_from(["", "u"])}
    ),
)
SOURCES = st.lists(st.sampled_from(["https://a.example", "", {"title": "t", "text": "said"}, 7, {}]), max_size=4)


@settings(max_examples=120, deadline=None)
@given(st.lists(NUMBERS, max_size=4), SOURCES, SOURCES)
def test_numbers_of_sources(numbers: list[Any], sources: list[Any], others: list[Any]) -> None:
    compared(js({"answer": "a [1]", "citations": numbers, "sources": sources, "references": others}))


@pytest.mark.parametrize("name", CITED)
def test_each_name_of_a_citation_is_known(name: str) -> None:
    for value in ("x1", 7, 0.5, {"url": "u"}):
        answer = compared(
            js({**openai_chat({"content": "a"}), "citations": [{name: value}, {"title": "t", name: value}]})
        )
        assert answer is not None, value


OBJECTS = [json.loads(body) for body in BODIES if body[:1] == b"{" and b"\n{" not in body]


def names_in(value: Any) -> set[str]:
    """The names of all members, at any depth."""
    if isinstance(value, dict):
        return set(value).union(*map(names_in, value.values()))
    return set().union(*map(names_in, value)) if isinstance(value, list) else set()


FIELDS = sorted(names_in(OBJECTS) | {"refused", "index_hash", "model_rev", "retrieval", "embedding", "token", "bytes"})
WORDS = [
    "text",
    "message",
    "response.completed",
    "response.output_item.done",
    "content-delta",
    "message_stop",
    "tool_use",
]
WORDS += ["stream-end", "stop", "content_filter", "chat.completion", "function_call", "content_block_delta", "error"]
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=20,
)


def mutated(value: Any, draw: st.DrawFn) -> Any:
    """A value in which one thing, at any depth, is another."""
    if isinstance(value, dict) and value and draw(st.integers(0, 5)):
        name = draw(st.sampled_from(sorted(value)))
        return {**value, name: mutated(value[name], draw)}
    if isinstance(value, list) and value and draw(st.integers(0, 5)):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], mutated(value[at], draw), *value[at + 1 :]]
    if isinstance(value, dict):
        return {**value, draw(st.sampled_from(FIELDS)): draw(ANY_JSON)}
    return draw(ANY_JSON)


@st.composite
def changed_values(draw: st.DrawFn) -> Any:
    return mutated(draw(st.sampled_from(OBJECTS)), draw)


@settings(max_examples=200, deadline=None)
@given(st.lists(changed_values() | ANY_JSON, min_size=1, max_size=3))
def test_values_in_which_anything_is_another(values: list[Any]) -> None:
    compared(js(values[0]))
    compared(js(values))
    compared(sse(*values, done=False), SSE)
    compared(b"\n".join(map(js, values)))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(BODIES), st.integers(0, 100_000), st.integers(0, 12), st.binary(max_size=6), st.booleans())
def test_bytes_that_are_others(body: bytes, at: int, left_out: int, put: bytes, declared: bool) -> None:
    at %= len(body) + 1
    changed = body[:at] + put + body[at + left_out :]
    compared(changed, SSE if declared else "")
    answer = extract_answer("", changed)
    assert answer == interpreted_answer("", changed)


LINES = [
    b"data: ",
    b"data",
    b"event: ping\n",
    b"event: done\n",
    b"\n",
    b"\n\n",
    b"\r",
    b"\r\n",
    b"[DONE]",
    b": c\n",
    b"id:1\n",
]
LINES += [
    b'{"delta":"Oslo"}',
    b'{"answer":"Oslo is","done":true}',
    b'"Oslo"',
    b"Oslo",
    b'["a",{"text":"b"}]',
    *BODIES[:4],
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=14), st.booleans())
def test_lines_of_any_stream(pieces: list[bytes], known: bool) -> None:
    start = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n' if known else b"data: Oslo\n\n"
    compared(start + b"".join(pieces), SSE)
    compared(b"\n".join(pieces))


@pytest.mark.parametrize(
    "lasts", [["Os", "Oslo", "Oslo is"], ["a", "a", "a"], ["a]", "a]", "ab]"], ["x", "x y]", "x y]"]]
)
def test_pieces_that_repeat_what_came_before(lasts: list[str]) -> None:
    for pieces in (lasts, [*lasts, ""], lasts[:2]):
        answer = compared(sse(*({"delta": piece} for piece in pieces)), SSE)
        assert answer is not None
        assert answer.kind == "stream"
