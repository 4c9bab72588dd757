"""The verdict of a probe as one HTML page (see :mod:`shadowlane.render.page` for what no page of ours can do)."""

from __future__ import annotations

from ..bands import band
from ..render.page import escaped as _e
from ..render.page import marked, page
from ..render.text import percent
from ..score.lambda_ import ARROWS
from .verdict import Criterion, ItemVerdict, PairScore, ProbeVerdict

__all__ = ["render_page"]

_TONE: dict[bool | None, str] = {True: "good", False: "bad", None: "open"}
_WORD: dict[bool | None, str] = {True: "met", False: "not met", None: "does not apply"}
_ITEM: dict[bool | None, str] = {True: "accepted", False: "not accepted", None: "prod has no answer"}
_BAND_TONE = {"stable": "good", "transitional": "open", "critical": "bad"}


def render_page(verdict: ProbeVerdict, *, title: str, prod: str, shadow: str) -> str:
    """The page; ``prod`` and ``shadow`` are the addresses that were asked."""
    says = "PASSED" if verdict.ok else "NOT PASSED"
    tone = _TONE[verdict.ok]
    header = (
        f'<header><h1>shadow<b>lane</b> · probe {_e(title)}</h1><span class="soft mono">prod {_e(prod)} · shadow '
        f"{_e(shadow)}</span></header>\n"
        f'<section class="card verdict v-{tone}"><p><span class="decision">{says}</span>{verdict.accepted} of '
        f"{len(verdict.items)} items accepted</p>"
        f'<table class="rules num">{_criteria(verdict.criteria)}</table></section>\n'
    )
    order = sorted(verdict.items, key=lambda item: (item.ok is True, item.ok is None))
    items = "".join(_item(item) for item in order)
    foot = (
        f"<footer>ΔS by {_e(verdict.embedder)}: below 0.40 stable, below 0.60 transitional, else critical. λ of "
        "each service's runs against the group's medoid: → convergent, ← collapsed, &lt;&gt; recursive, × chaotic; "
        "the seeds of a wording stand side by side. Marked words are only on that side.</footer>\n"
    )
    return page(f"shadowlane probe: {title}", f"{header}{_tiles(verdict)}{items}{foot}")


def _criteria(criteria: tuple[Criterion, ...]) -> str:
    return "".join(
        f'<tr><td><span class="pill {_TONE[one.ok]}">{_WORD[one.ok]}</span></td><td>{_e(one.name)}</td>'
        f"<td>{_e(one.evidence)}</td></tr>"
        for one in criteria
    )


def _tiles(verdict: ProbeVerdict) -> str:
    tiles = [("items accepted", f"{verdict.accepted}", f"of {len(verdict.items)}")]
    if verdict.mean_delta_s is not None:
        tiles.append(("mean ΔS", f"{verdict.mean_delta_s:.3f}", "over items and paraphrases"))
    tiles.append(
        ("λ convergent →", percent(verdict.convergence["shadow"]), f"prod {percent(verdict.convergence['prod'])}")
    )
    if verdict.citation_match is not None:
        tiles.append(("citations found again", percent(verdict.citation_match), "of prod's"))
    prod, shadow = verdict.coverage["prod"], verdict.coverage["shadow"]
    if prod is not None and shadow is not None:
        tiles.append(("expected sections", percent(shadow), f"prod {percent(prod)}"))
    cards = "".join(
        f'<div class="card"><div class="tile-name">{_e(name)}</div><div class="tile-value num">{_e(value)}</div>'
        f'<div class="tile-more num">{_e(more)}</div></div>'
        for name, value, more in tiles
    )
    return f'<div class="tiles">{cards}</div>\n'


def _item(item: ItemVerdict) -> str:
    pairs = "".join(_pair(item, pair) for pair in _one_a_wording(item))
    return (
        f'<details class="card pair"{"" if item.ok else " open"}><summary><span class="pill {_TONE[item.ok]}">'
        f'{_ITEM[item.ok]}</span><span class="question" dir="auto">{_e(item.question)}</span>'
        f'<span class="soft num">λ {_e(_states(item, "shadow"))} <span class="soft">(prod {_e(_states(item, "prod"))})'
        f'</span></span><code class="hash">{_e(item.id)}</code></summary>'
        f'<div class="case"><table class="rules num">{_criteria(item.criteria)}</table></div>{pairs}</details>\n'
    )


def _states(item: ItemVerdict, arm: str) -> str:
    return " ".join("".join(ARROWS[state] for state in wording) for wording in item.states[arm])


def _one_a_wording(item: ItemVerdict) -> list[PairScore]:
    """Of each wording the pair that is furthest apart: seeds seldom say more."""
    return [
        max((pair for pair in item.pairs if pair.wording == index), key=lambda pair: pair.delta_s or 0.0)
        for index in range(len(item.wordings))
    ]


def _pair(item: ItemVerdict, pair: PairScore) -> str:
    tone = "open" if pair.delta_s is None else _BAND_TONE[band(pair.delta_s)]
    delta = "no ΔS" if pair.delta_s is None else f"ΔS {pair.delta_s:.3f}"
    facts = f' <span class="pill bad">facts contradict</span> {_e(pair.evidence)}' if pair.fact_flip else ""
    prod, shadow = marked(pair.prod, pair.shadow)
    empty = '<span class="soft">(empty)</span>'
    fell = f'<div class="hash">{_e(pair.shadow_why)}</div>' if pair.shadow_why else ""
    return (
        f'<div class="case"><span class="pill num {tone}">{delta}</span> <span dir="auto">'
        f"{_e(item.wordings[pair.wording])}</span>{facts}</div>"
        f'<div class="sides"><div class="side prod"><h4><b>prod</b></h4><div class="answer" dir="auto">{prod or empty}'
        f'</div></div><div class="side shadow"><h4><b>shadow</b></h4><div class="answer" dir="auto">{shadow or empty}'
        f"</div>{fell}</div></div>"
    )
