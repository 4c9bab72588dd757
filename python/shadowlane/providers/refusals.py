"""What a shadow said when it refused a copy, counted, and what to do about it.

Invariant: works on words that are sanitized already, and quotes no more of them than one short line. Words that differ
in numbers, identifiers and quoted text of a request only are counted together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..config import ShadowConfig
from ..config.shadows import section_of
from ..types import Headers, route_of
from .cleaning import read_answer

__all__ = [
    "Refusal",
    "counted",
    "doubled_prefix",
    "kind_of",
    "refusal_data",
    "refusal_line",
    "refused_words",
    "remedy_of",
]

_MOST_CHARS = 240
_VARIES = re.compile(r"[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,})*|\b[\w-]*\d[\w-]*\b")
_VERSION = re.compile(r"/v\d\w*/?\Z")
_NO_MODEL = re.compile(r"\bmodel\b", re.IGNORECASE)


class Refusal(NamedTuple):
    """One kind of refusal. ``status`` is 0 where there was no HTTP answer: then ``reason`` says why."""

    status: int
    reason: str
    words: str
    target: str
    """Of one of the copies."""
    method: str
    copies: int


def refused_words(status: int, headers: Headers, body: bytes) -> str:
    """The message of an answer of HTTP 400 or above, in one line; empty when it has none. ``body`` is sanitized."""
    if status < 400 or not body:
        return ""
    answer = read_answer(headers, body)
    if answer.kind in ("unreadable", "empty"):
        return ""
    words = " ".join((answer.text or answer.note).split())
    return words if len(words) <= _MOST_CHARS else f"{words[: _MOST_CHARS - 1].rstrip()}…"


def kind_of(words: str) -> str:
    """What words that differ in numbers and identifiers only have in common."""
    return _VARIES.sub("#", words)


def counted(found: Iterable[Refusal], most: int = 5) -> list[Refusal]:
    """Refusals that say the same together, the most frequent first; those that are as frequent by status and words."""
    kinds: dict[tuple[int, str, str, str], Refusal] = {}
    for one in found:
        route = route_of(one.method, one.target)
        key = (one.status, one.reason, kind_of(one.words), route)
        before = kinds.get(key)
        kinds[key] = one if before is None else before._replace(copies=before.copies + one.copies)
    return [one for _, one in sorted(kinds.items(), key=lambda kind: (-kind[1].copies, kind[0]))[:most]]


def refusal_line(one: Refusal, name: str, arm: ShadowConfig) -> str:
    """``18 copies: 404 The model `x` does not exist (POST /v1/chat/completions); set shadows.candidate.model``."""
    said = f"{one.status} {one.words}".rstrip() if one.status else f"{one.reason}: {one.words}".removesuffix(": ")
    copies = "1 copy" if one.copies == 1 else f"{one.copies} copies"
    remedy = remedy_of(one, section_of(name), arm)
    return f"{copies}: {said} ({route_of(one.method, one.target)})" + (f"; {remedy}" if remedy else "")


def remedy_of(one: Refusal, where: str, arm: ShadowConfig) -> str:
    """What to change in the configuration; empty where nothing there explains it."""
    if one.status in (401, 403):
        if not arm.credential_env:
            return f"the shadow wants a key: set {where}.credential_env to the name of the variable that holds it"
        return f"correct the key in the variable that {where}.credential_env names, and {where}.credential_header"
    if doubled := doubled_prefix(arm.url, one.target):
        return f"{where}.url ends in {doubled}, and the request's path begins with it: leave it out of the url"
    if one.status in (400, 404, 422) and _NO_MODEL.search(one.words):
        return f"set {where}.model to a model that the shadow serves"
    if one.status in (404, 405):
        return f"correct {where}.url, or leave the route out (routes.exclude): the shadow does not know it"
    if one.reason == "connect_error":
        return f"start the shadow, or correct {where}.url"
    return ""


def doubled_prefix(url: str, target: str = "/v1/") -> str:
    """``/v1`` when the url ends in a version with which the request's path begins, too; else empty."""
    ending = _VERSION.search(urlsplit(url).path)
    version = ending[0].rstrip("/") if ending else ""
    return version if version and (target == version or target.startswith(f"{version}/")) else ""


def refusal_data(one: Refusal, name: str, arm: ShadowConfig) -> dict[str, Any]:
    """A refusal, JSON-ready."""
    where = section_of(name)
    return {
        "status": one.status,
        "reason": one.reason,
        "words": one.words,
        "route": route_of(one.method, one.target),
        "copies": one.copies,
        "remedy": remedy_of(one, where, arm),
        "text": refusal_line(one, name, arm),
    }
