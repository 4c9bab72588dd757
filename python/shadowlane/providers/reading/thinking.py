"""Reasoning that open models write into their answer, before it: marks of several vendors.

Invariant: only what stands at the head of a text is taken off, so that an answer which explains such a mark keeps it;
a text whose reasoning was cut off is no answer, and empty.
"""

from __future__ import annotations

import re

__all__ = ["without_thinking"]

_PAIRS = (
    ("<think>", "</think>"),  # DeepSeek, Qwen, Phi, GLM, Nemotron, ...
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<reflection>", "</reflection>"),
    ("<seed:think>", "</seed:think>"),  # Seed-OSS
    ("[THINK]", "[/THINK]"),  # Magistral
    ("◁think▷", "◁/think▷"),  # Kimi
    ("<|begin_of_thought|>", "<|end_of_thought|>"),  # Sky-T1, OpenThinker
    ("<|START_THINKING|>", "<|END_THINKING|>"),  # Cohere's open weights
    ("<unused94>thought", "<unused95>"),  # MedGemma
    ("<|channel>thought", "<channel|>"),  # Gemma
)
_CLOSES = dict(_PAIRS)
_OPENED = re.compile(r"\s*(" + "|".join(re.escape(opens) for opens, _ in _PAIRS) + ")")
_CLOSED = re.compile("|".join(re.escape(closes) for _, closes in _PAIRS))
_ANY_OPEN = re.compile("|".join(re.escape(opens) for opens, _ in _PAIRS))
_WRAPPERS = (
    ("<answer>", "</answer>"),
    ("<response>", "</response>"),
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
    ("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
)
# OpenAI's open models (harmony): channels one after the other, of which "final" is the answer.
_CHANNEL = re.compile(
    r"(?:<\|start\|>[a-z]+)?<\|channel\|>([a-z]+)[^<]*<\|message\|>(.*?)(?=<\|(?:end|return|call|start|channel)\|>|\Z)",
    re.DOTALL,
)
_IN_CODE = re.compile(r"`[^`\n]*\Z|```")


def without_thinking(text: str) -> str:
    """The text behind the reasoning at its head; the text itself when there is none."""
    if text.lstrip().startswith(("<|channel|>", "<|start|>")):
        return "".join(said for channel, said in _CHANNEL.findall(text) if channel == "final").strip()
    rest, found = text, False
    while match := _OPENED.match(rest):
        found = True
        _, closed, rest = rest[match.end() :].partition(_CLOSES[match[1]])
        if not closed:
            return ""
    if not found:
        rest, found = _behind_lone_end(text)
    return _unwrapped(rest.strip()) if found else text


def _behind_lone_end(text: str) -> tuple[str, bool]:
    """What follows an end mark without a beginning: where the prompt's template wrote the beginning."""
    match = _CLOSED.search(text)
    if match is None or _ANY_OPEN.search(text, 0, match.start()) or _IN_CODE.search(text[: match.start()]):
        return text, False
    if text[match.end() : match.end() + 1] not in ("", "\n", " ", "\r", "<"):
        return text, False  # within a sentence that names the mark
    return text[match.end() :], True


def _unwrapped(text: str) -> str:
    for opens, closes in _WRAPPERS:
        if text.startswith(opens):
            return text.removeprefix(opens).removesuffix(closes).strip()
    return text
