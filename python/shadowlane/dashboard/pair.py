"""A pair's own page: the question, both answers with their differing words, and all that its scores come from.

Invariant: every value is escaped where it enters the markup, and none becomes an address: what an answer cites is
shown, never linked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..compare.explain import citation_names
from ..config import Config
from ..config.shown import shown_url
from ..providers.cleaning import read_answer
from ..providers.question import listed_question
from ..render.page import escaped as _e
from ..render.page import marked
from ..render.text import clock, milliseconds
from ..report.apart import side_by_side
from ..report.html import prod_note, record, side
from ..score.answers import comparison_of
from ..store import StoredPair
from ..types import Headers
from .addresses import pair_href
from .curl import as_curl
from .listed import pills
from .overview import table

__all__ = ["pair_page"]

_CHARS = 20_000
_COMPARED_CHARS = (6_000, 700, 0)
"""Of each answer, the first that is cheap enough: the time rises with how often words are repeated."""
_COMPARED_WORK = 40_000
_WORDS = re.compile(r"\w+|[^\w\s]")
_AROUND = 70
_DIFFERENCES = 40


def pair_page(rows: Sequence[StoredPair], shadow: str, config: Config) -> str:
    """The page's body: one exchange, with the arm ``shadow`` shown. ``rows`` are of all arms, at least one."""
    row = next((one for one in rows if one.pair.outcome.shadow == shadow), rows[0])
    copy, outcome = row.pair.copy, row.pair.outcome
    tabs = "".join(
        f'<a class="tab" href="{_e(pair_href(copy.shadow_id, one.pair.outcome.shadow))}"'
        f"{' aria-current=page' if one is row else ''}>{_e(one.pair.outcome.shadow)}</a>"
        for one in rows
    )
    question = listed_question(copy) if row.bodies else ""
    asked = f'<p class="answer question" dir="auto">{_e(question)}</p>' if question else ""
    return (
        f'<header><h1><a href="/?shadow={_e(outcome.shadow)}">shadow<b>lane</b></a> · pair</h1>'
        f'<span class="soft num">{_e(clock(copy.started_ns))} UTC</span></header>\n'
        f'<nav class="bar" aria-label="Arms">{tabs}</nav>'
        f'<section class="card"><p class="bar">{pills(row)}</p>{asked}<p class="hash isolate">{_e(copy.method)} '
        f"{_e(copy.target)} · {_e(copy.shadow_id)} · request {_e(copy.req_hash)}</p>{_mark_form(row)}</section>\n"
        f"{_answers(row)}{_facts(row)}{_details(row, config)}{_curl(row, config)}"
    )


def _mark_form(row: StoredPair) -> str:
    copy, outcome, mark = row.pair.copy, row.pair.outcome, row.pair.mark
    buttons = "".join(
        f'<button name="mark" value="{value}" aria-pressed="{"true" if value == mark else "false"}">{text}</button>'
        for value, text in (("fine", "This is fine"), ("wrong", "This is wrong"), ("", "Take the mark back"))
        if value or mark
    )
    action = pair_href(copy.shadow_id, outcome.shadow, "/mark")
    return f'<form class="bar" method="post" action="{_e(action)}">{buttons}</form>'


def _answers(row: StoredPair) -> str:
    pair, shown = row.pair, side_by_side(row, chars=_CHARS)
    if row.bodies:
        a, b = shown["prod"]["text"], shown["shadow"]["text"]
        chars = next(
            chars for chars in _COMPARED_CHARS if _work(a[:chars], b[:chars]) <= _COMPARED_WORK * (chars / 6_000)
        )
        prod, shadow = marked(a[:chars], b[:chars])
        prod, shadow = prod + _e(a[chars:]), shadow + _e(b[chars:])
    else:
        prod = shadow = '<span class="soft">(not kept, see store.keep_bodies)</span>'
    judge = f"judge: {shown['judge']['why']}" if shown["judge"] else ""
    notes = [pair.outcome.detail, shown["note"], judge]
    revision = [f"{key} {shown['shadow'][key]}" for key in ("model_rev", "index_hash") if shown["shadow"][key]]
    revision += [f"{pin} {value}" for pin, value in pair.pins.items()]
    more = _e(" · ".join(revision)) + "".join(f'<p class="soft isolate">{_e(note)}</p>' for note in notes if note)
    return (
        f'<section class="card pair"><div class="sides">{side("prod", shown["prod"], prod, prod_note(shown))}'
        f"{side('shadow', shown['shadow'], shadow, more)}</div><div class=case>{record(shown)}</div></section>\n"
    )


def _work(a: str, b: str) -> int:
    """Pairs of equal words, which a comparison looks at."""
    other = Counter(_WORDS.findall(b))
    return sum(n * other[word] for word, n in Counter(_WORDS.findall(a)).items())


def _facts(row: StoredPair) -> str:
    """The spans of a contradiction, in what stands around them."""
    if not row.pair.scores.fact_flip or not row.bodies:
        return ""
    evidence = comparison_of(row.pair).evidence
    if not evidence:
        return (
            '<section class="card"><p class="soft">The contradiction is not found again by this release.</p></section>'
        )
    parts = "".join(
        f'<tr><th scope="row">{_e(one.kind)}<br><span class="soft">{_e(one.component)}</span></th>'
        f'<td class="isolate" dir="auto">{_span(row.pair.prod_text, one.a)}</td>'
        f'<td class="isolate" dir="auto">{_span(row.pair.shadow_text, one.b)}</td></tr>'
        for one in evidence
    )
    return (
        '<section class="card"><table><caption>Facts that contradict</caption><thead><tr><th scope="col">kind</th>'
        f'<th scope="col">prod</th><th scope="col">shadow</th></tr></thead><tbody>{parts}</tbody></table></section>\n'
    )


def _span(text: str, span: tuple[int, int]) -> str:
    start, end = span
    before, after = text[max(start - _AROUND, 0) : start], text[end : end + _AROUND]
    dots = ("…" if start > _AROUND else "", "…" if end + _AROUND < len(text) else "")
    return f'{dots[0]}{_e(before)}<mark class="fact">{_e(text[start:end])}</mark>{_e(after)}{dots[1]}'


def _details(row: StoredPair, config: Config) -> str:
    pair, scores = row.pair, row.pair.scores
    readings = [
        ("ΔS", scores.delta_s),
        ("anchored ΔS", scores.anchored),
        ("left out", scores.missing),
        ("added", scores.extra),
        ("citations found again", scores.citation_match),
        ("coverage of what was retrieved", scores.coverage),
        ("ΔS to the question, prod", scores.prod_retrieved),
        ("ΔS to the question, shadow", scores.retrieved),
    ]
    rows = [(name, f"{value:.3f}") for name, value in readings if value is not None]
    rows += [
        (name, value)
        for name, value in (
            ("λ", scores.state),
            ("embedder", scores.embedder),
            ("tool calls", scores.tools),
            ("collapsed", f"prod {scores.prod_collapse or 'no'}, shadow {scores.collapse or 'no'}"),
            ("waited for a slot", milliseconds(pair.outcome.waited_ns / 1e9)),
            ("sent", f"{pair.outcome.tries} times"),
            ("tenant", pair.copy.tenant),
            ("redacted", ", ".join(f"{name} {n}" for name, n in pair.copy.findings.items())),
        )
        if value
    ]
    tables = [table("Readings", ("what", "value"), rows, wrap=True)]
    if row.bodies:
        tables += [_citations(row, config), _calls(row, config)]
    if scores.differences:
        places = [[one.path or "/", one.kind, one.a, one.b] for one in scores.differences[:_DIFFERENCES]]
        tables.append(table("Structure", ("path", "how", "prod", "shadow"), places, wrap=True))
    cards = "".join(f'<section class="card">{one}</section>' for one in tables if one)
    return f'<div class="two">{cards}</div>\n'


def _sides(row: StoredPair) -> tuple[tuple[Headers, bytes], tuple[Headers, bytes]]:
    copy, outcome = row.pair.copy, row.pair.outcome
    return (copy.response_headers, copy.response_body), (outcome.headers, outcome.body)


def _citations(row: StoredPair, config: Config) -> str:
    prod, shadow = ([*citation_names(*side, config)] for side in _sides(row))
    every = list(dict.fromkeys((*prod, *shadow)))
    if not every:
        return ""
    cells = [[name, "yes" if name in prod else "", "yes" if name in shadow else ""] for name in every]
    return table("Citations", ("what is cited", "prod", "shadow"), cells, wrap=True)


def _calls(row: StoredPair, config: Config) -> str:
    cells: list[list[Any]] = []
    for who, (headers, body) in zip(("prod", "shadow"), _sides(row), strict=True):
        answer = read_answer(
            headers, body, text_pointer=config.score.text_pointer, citations_pointer=config.score.citations_pointer
        )
        cells += [[who, call.name, call.arguments[:2000]] for call in answer.tool_calls]
    return table("Tool calls", ("who", "tool", "arguments"), cells, wrap=True) if cells else ""


def _curl(row: StoredPair, config: Config) -> str:
    arm = config.arms().get(row.pair.outcome.shadow)
    if not row.bodies or arm is None:
        return ""
    return (
        '<section class="card"><details><summary>As curl (as it is stored: sanitized, without credentials)</summary>'
        f'<pre class="copy" id="curl" tabindex="0">{_e(as_curl(row.pair.copy, shown_url(arm.url)))}</pre>'
        '<button type="button" class="hidden" data-copy="curl">Copy</button></details></section>\n'
    )
