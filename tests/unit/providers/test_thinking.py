"""Reasoning at the head of an answer is taken off in every vendor's marks, and nowhere else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.providers import extract_answer
from shadowlane.providers.reading.thinking import without_thinking
from tests.support.bodies import JSON, SSE


@pytest.mark.parametrize(
    "text",
    [
        "<think>hm, 7?</think>\n\nIt is 8.",
        "  <thinking>hm</thinking>It is 8.",
        "hm, perhaps 7.\n</think>\n\nIt is 8.",
        "Okay, the user wants a number.</think>\nIt is 8.",
        "[THINK]hm, 7?[/THINK]It is 8.",
        "◁think▷hm◁/think▷It is 8.",
        "<seed:think>hm</seed:think>\nIt is 8.",
        "<|begin_of_thought|>hm<|end_of_thought|>\n<|begin_of_solution|>It is 8.<|end_of_solution|>",
        "<think>hm</think><answer>It is 8.</answer>",
        "<think>hm</think>\n<think>again</think>\nIt is 8.",
        "<reasoning>hm</reasoning> It is 8.",
        "<unused94>thought\nhm<unused95>It is 8.",
        "<|channel|>analysis<|message|>hm, 7?<|end|><|start|>assistant<|channel|>final<|message|>It is 8.<|return|>",
        "<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>It is 8.<|END_RESPONSE|>",
    ],
)
def test_reasoning_is_not_the_answer(text: str) -> None:
    assert without_thinking(text) == "It is 8."
    body = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "object": "chat.completion"}
    assert extract_answer(JSON, json.dumps(body).encode()).text == "It is 8."


@pytest.mark.parametrize(
    "text",
    [
        "It is 8.",
        "Write `</think>` to end the reasoning.",
        "```\nreturn text.split('</think>')[1]\n```\nsplits it.",
        "A <think> mark begins it, and </think> ends it.",
        "The mark </think>, as it is called, ends it.",
        "Use [THINK] in a prompt.",
        "I <answer>know</answer> it.",
    ],
)
def test_an_answer_about_marks_keeps_them(text: str) -> None:
    assert without_thinking(text) == text


@pytest.mark.parametrize(
    "text", ["<think>hm, it may be", "[THINK]hm", "<|channel|>analysis<|message|>hm", "◁think▷", "<think>hm</think>"]
)
def test_reasoning_alone_is_no_answer(text: str) -> None:
    assert without_thinking(text) == ""


@given(st.integers(0, 40), st.integers(0, 40))
def test_marks_cut_anywhere_in_a_stream_are_marks(first: int, second: int) -> None:
    text = "hm, perhaps 7.\n</think>\n\nIt is 8. 日本"
    cuts = sorted((min(first, len(text)), min(second, len(text))))
    pieces = [text[: cuts[0]], text[cuts[0] : cuts[1]], text[cuts[1] :]]
    events = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    stream = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    assert extract_answer(SSE, stream.encode()).text == "It is 8. 日本"
