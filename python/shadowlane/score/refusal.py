"""Whether an answer declines to answer, in words: models say so in their text more often than in a field.

A short answer that begins by declining, in English, German, French, Spanish, Chinese or Japanese. What a service cannot
do ("I can't find your order") is an answer; what it will not say is none. Invariant: an answer that goes on after its
apology, longer than :data:`MOST_CHARS`, is never called a refusal.
"""

from __future__ import annotations

import re

__all__ = ["MOST_CHARS", "is_refusal"]

MOST_CHARS = 400

_SORRY = (
    r"(?:(?:i'?m|i am|we'?re|we are)\s+(?:very\s+|really\s+)?sorry|sorry|i apologi[sz]e|my apologies|unfortunately)"
)
_AS_AI = r"as an? (?:ai|artificial intelligence)\b[^.!?]{0,60}"
_CANNOT = (
    r"(?:i|we)(?:'m| am|'re| are)?\s*(?:really\s+|simply\s+|just\s+)?"
    r"(?:can(?:no|')t|can not|won'?t|will not|(?:not able|unable) to|must decline to|have to decline to)"
)
_DO = (
    r"(?:be able to\s+)?(?:help|assist|answer|comply|discuss|fulfil+|continue with|engage|do that|do this|respond to|"
    r"support (?:that|this)|provide (?:that|this|any|information|assistance|guidance|instructions|medical|legal)|"
    r"(?:share|generate|create|write|produce) (?:that|this|such|content))\b"
)
_FORMS = (
    rf"(?:{_SORRY}|{_AS_AI})?[,.;:\s]*(?:but\s+|however,?\s+)?{_CANNOT}\s+{_DO}",
    r"(?:es tut mir (?:sehr )?leid|tut mir leid|entschuldigung|leider)[^.!?]{0,40}\bkann ich\b[^.!?]{0,60}\bnicht\s+"
    r"(?:helfen|weiterhelfen|beantworten|unterstützen|geben|entsprechen)",
    r"(?:es tut mir (?:sehr )?leid|tut mir leid|entschuldigung)[^.!?]{0,10}aber ich kann\b[^.!?]{0,60}\bnicht\s+"
    r"(?:helfen|weiterhelfen|beantworten|unterstützen|geben|entsprechen)",
    r"(?:dabei|damit) kann ich (?:ihnen |dir )?(?:leider )?nicht (?:helfen|weiterhelfen)",
    r"(?:je suis |nous sommes )?(?:vraiment |sincèrement )?désolée?s?[^.!?]{0,10}(?:mais )?(?:je ne peux|je ne suis|"
    r"nous ne pouvons|il m'est impossible)[^.!?]{0,30}(?:aider|répondre|fournir|traiter|accéder à cette|donner suite)",
    r"(?:lo siento|lo lamento|disculpa|disculpe)[^.!?]{0,10}(?:pero )?(?:no puedo|no podemos|no me es posible)\s+"
    r"(?:ayudar|ayudarte|ayudarle|asistir|responder|proporcionar|contestar|cumplir)",
    r"(?:很|非常)?(?:抱歉|对不起|遗憾)[，,。\s]*(?:但)?我?(?:无法|不能|没办法)(?:帮助|回答|提供|协助|满足|处理|就此)",
    r"(?:大変)?(?:申し訳(?:ありません|ございません)|すみません)が?[、,。\s]*[^。]{0,40}"
    r"(?:お答え|お手伝い|ご対応|対応|お力になること|回答)(?:は|を|が)?(?:することは?)?(?:できません|できかねます|いたしかねます)",
)
_REFUSAL = re.compile(rf"\s*(?:{'|'.join(f'(?:{form})' for form in _FORMS)})", re.IGNORECASE)


def is_refusal(text: str) -> bool:
    """Whether ``text`` declines to answer. Takes any text; linear in its first :data:`MOST_CHARS` characters."""
    return len(text) <= MOST_CHARS and _REFUSAL.match(text.replace("\u2019", "'")) is not None
