"""The list of pairs: its filters, its rows, and the way to the next page.

Invariant: every value is escaped where it enters the markup; a list that is not whole says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..bands import band
from ..providers.question import listed_question
from ..render.page import escaped as _e
from ..render.text import clock
from ..score.lambda_ import ARROWS
from ..store import FoundPairs, StoredPair
from .addresses import pair_href
from .snapshot import ArmFigures, Snapshot
from .wanted import MOST_PAGES, Wanted

__all__ = ["ROWS", "listed", "pills"]

ROWS = 40
_SAID_CHARS = 220
_BAND_TONE = {"stable": "good", "transitional": "open", "critical": "bad"}
_BANDS = (
    ("", "all"),
    ("fact_flip", "facts contradict"),
    ("critical", "critical (0.60 and more)"),
    ("transitional", "transitional (0.40 to 0.60)"),
    ("stable", "stable (below 0.40)"),
    ("unscored", "without ΔS"),
)
_MARKS = (("", "all"), ("none", "not marked"), ("any", "marked"), ("fine", "marked fine"), ("wrong", "marked wrong"))
_ORDERS = (("worst", "worst first, one a question"), ("newest", "newest first"))


def listed(found: FoundPairs, wanted: Wanted, snapshot: Snapshot) -> str:
    """The whole section."""
    rows = "".join(_row(row, times) for row, times in found.rows)
    empty = "No pair matches." if wanted.filters else "No pairs are stored in this window yet."
    body = f'<ul class="rows">{rows}</ul>' if rows else f'<p class="soft">{empty}</p>'
    late = "" if found.whole else '<p class="soft">There was time for a part of the rows only: narrow the filters.</p>'
    return (
        f'<section class="card" id="pairs"><h3>Pairs</h3>{_form(wanted, snapshot.arms.get(wanted.filter.shadow))}'
        f'<div data-live="list" id="list">{body}{late}{_pages(found, wanted)}</div></section>\n'
    )


def _form(wanted: Wanted, arm: ArmFigures | None) -> str:
    chosen = wanted.filter
    named = {kind: [one.name for one in arm.segments if one.kind == kind] if arm else [] for kind in _KINDS}
    reasons = ["answered", *(arm.failed if arm else ())]
    return (
        '<form class="filter" method="get" action="/#pairs">'
        f'<input type="hidden" name="shadow" value="{_e(chosen.shadow)}">'
        f"{_select('order', _ORDERS, chosen.order)}{_select('band', _BANDS, chosen.band)}"
        + "".join(_select(kind, _options(named[kind], getattr(chosen, kind)), getattr(chosen, kind)) for kind in _KINDS)
        + f"{_select('reason', _options(reasons, chosen.reason), chosen.reason)}"
        f"{_select('mark', _MARKS, chosen.mark)}"
        f'<label>text<input type="search" name="text" value="{_e(chosen.text)}" maxlength="200"></label>'
        f'<button>Filter</button><a href="/?shadow={_e(chosen.shadow)}#pairs">all</a></form>'
    )


_KINDS = ("route", "tenant", "model")


def _options(names: Iterable[str], chosen: str) -> list[tuple[str, str]]:
    """All, the known ones, and the chosen one, known or not."""
    some = dict.fromkeys((*names, *([chosen] if chosen else [])))
    return [("", "all"), *((name, name) for name in some)]


def _select(name: str, options: Sequence[tuple[str, str]], chosen: str) -> str:
    inside = "".join(
        f'<option value="{_e(value)}"{" selected" if value == chosen else ""}>{_e(text)}</option>'
        for value, text in options
    )
    return f'<label>{name}<select name="{name}">{inside}</select></label>'


def _row(row: StoredPair, times: int) -> str:
    pair = row.pair
    question = listed_question(pair.copy) if row.bodies else ""
    where = f"{pair.copy.method} {pair.copy.target}"
    when = " · ".join(filter(None, (clock(pair.copy.started_ns), pair.copy.tenant)))
    said = pair.shadow_text or pair.outcome.detail or pair.scores.note
    return (
        f'<li><a href="{_e(pair_href(pair.copy.shadow_id, pair.outcome.shadow))}">{pills(row)}'
        f"{f'<span class=soft>×{times}</span>' if times > 1 else ''}"
        f'<span class="question" dir="auto">{_e(_cut(question or where))}</span>'
        f'<span class="hash num">{_e(when)}</span><span class="said" dir="auto">{_e(_cut(said))}</span></a></li>'
    )


def pills(row: StoredPair) -> str:
    """A pair's readings as marks: ΔS, contradiction, λ, why there is no answer, what persons and the judge said."""
    scores, outcome = row.pair.scores, row.pair.outcome
    if scores.delta_s is None:
        parts = [f'<span class="pill open">{_e(outcome.reason or "no ΔS")}</span>']
    else:
        tone = _BAND_TONE[band(scores.delta_s)]
        parts = [f'<span class="pill num {tone}">ΔS {scores.delta_s:.3f}</span>']
    if scores.fact_flip:
        parts.append('<span class="pill bad">facts contradict</span>')
    if scores.state:
        parts.append(f'<span class="soft" title="λ {_e(scores.state)}">{ARROWS[scores.state]}</span>')
    if scores.judge is not None:
        parts.append(f'<span class="pill open">judge: {_e(scores.judge.verdict.replace("_", " "))}</span>')
    if row.pair.mark:
        parts.append(
            f'<span class="pill {"good" if row.pair.mark == "fine" else "bad"}">marked {_e(row.pair.mark)}</span>'
        )
    return "".join(parts)


def _pages(found: FoundPairs, wanted: Wanted) -> str:
    links = []
    if wanted.page > 1:
        links.append(f'<a href="{_e(wanted.href(page=wanted.page - 1))}#pairs">before</a>')
    if found.more and wanted.page < MOST_PAGES:
        links.append(f'<a href="{_e(wanted.href(page=wanted.page + 1))}#pairs">more</a>')
    if not links:
        return ""
    return f'<p class="bar"><span class="soft">page {wanted.page}</span>{"".join(links)}</p>'


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SAID_CHARS else line[: _SAID_CHARS - 1] + "…"
