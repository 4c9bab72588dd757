"""Answers that decline in words, and answers that only sound like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.score.refusal import MOST_CHARS, is_refusal


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I\u2019m sorry, but I can\u2019t assist with that request.",
        "I cannot answer this question.",
        "Sorry, I won't be able to help with this.",
        "As an AI language model, I am unable to provide medical advice.",
        "Unfortunately, I am not able to assist you here.",
        "I'm unable to comply with this request.",
        "Es tut mir leid, aber ich kann Ihnen dabei nicht helfen.",
        "Leider kann ich diese Frage nicht beantworten.",
        "Dabei kann ich leider nicht weiterhelfen.",
        "Je suis désolé, mais je ne peux pas vous aider avec cette demande.",
        "Désolé, je ne peux pas répondre à cette question.",
        "Lo siento, pero no puedo ayudarte con eso.",
        "Lo lamento, no puedo responder a esa pregunta.",
        "抱歉，我无法回答这个问题。",
        "很抱歉，我不能提供这方面的信息。",
        "申し訳ありませんが、そのご質問にはお答えできません。",
        "申し訳ございませんが、お手伝いすることはできません。",
    ],
)
def test_an_answer_that_declines(text: str) -> None:
    assert is_refusal(text)
    assert is_refusal("\n" + text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I can't find an order with this number. Please check it.",
        "You cannot return opened software.",
        "Sorry for the delay! Your parcel arrives on Monday.",
        "I'm sorry to hear that. A refund takes five days.",
        "We are unable to ship to Norway.",
        "Unfortunately, the museum is closed on Mondays.",
        "The driver said: I'm sorry, but I can't help with that.",
        "Leider ist der Zug verspätet.",
        "Es tut mir leid, das zu hören. Die Erstattung dauert fünf Tage.",
        "Lo siento, el museo cierra los lunes.",
        "Désolé, le musée est fermé le lundi.",
        "抱歉，博物馆周一闭馆。",
        "申し訳ありませんが、月曜日は休館です。",
        "I'm sorry, but I can't help with that. " + "However, here is what the rules say about it. " * 10,
    ],
)
def test_an_answer_that_does_not(text: str) -> None:
    assert not is_refusal(text)


@given(st.text(max_size=600))
def test_anything_may_come(text: str) -> None:
    assert isinstance(is_refusal(text), bool)
    assert not is_refusal("x" * MOST_CHARS + text + "x")
