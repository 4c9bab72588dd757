"""Cards of the report's page: λ on repeated questions, differences of structure, the judge. Empty without data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..render.page import escaped as _e
from ..render.text import count_line, percent
from ..score.lambda_ import ARROWS
from .terminal import state_line

__all__ = ["group_card", "judge_card", "structure_card"]


def group_card(groups: Mapping[str, Any] | None) -> str:
    """λ within paraphrase groups, with the newest flips."""
    if groups is None:
        return ""
    alert = (
        f'<span class="pill bad">{groups["own_flips"]} λ flips of the shadow alone</span>'
        if groups["own_flips"]
        else '<span class="pill good">no λ flip of the shadow alone</span>'
    )
    rows = "".join(
        f"<tr><th>{who}</th><td>{_e(state_line(groups['states'][who]))}</td>"
        f"<td>flips at {percent(groups['flip_rate'][who])} of the repetitions</td></tr>"
        for who in ("prod", "shadow")
    )
    if groups["trend"]:
        trend = _e(state_line(groups["trend"]))
        rows += f"<tr><th>trend of ΔS</th><td>{trend}</td><td>from one repetition to the next</td></tr>"
    flips = "".join(
        f"<tr><td>{_e(ARROWS[flip['shadow']])}</td><td>{'prod too' if flip['prod_flip'] else 'shadow alone'}</td>"
        f'<td dir="auto">{_e(flip["asked"])}</td><td dir="auto">{_e(flip["shadow_text"])}</td></tr>'
        for flip in groups["shown"]
    )
    header = "<tr><th>to</th><th>who flips</th><th>question</th><th>the shadow's answer</th></tr>"
    table = f'<table class="num">{header}{flips}</table>' if flips else ""
    return (
        f'<h3>Questions asked again in other words</h3><p>{alert} <span class="soft num">{groups["answers"]} answers '
        f"to {groups['groups']} repeated questions</span></p>"
        f'<table class="num">{rows}</table>{table}'
    )


def structure_card(structure: Mapping[str, Any] | None) -> str:
    """Where JSON answers differ, and which of these paths are noise."""
    if structure is None:
        return ""
    learnt = structure["control_pairs"]
    floor = (
        f"{structure['noise']} more are noise: prod differs there from itself as often ({learnt} pairs)"
        if learnt
        else "which of them are noise is not known: no control with JSON answers runs"
    )
    rows = "".join(
        f'<tr><td><span class="pill {"open" if entry["noise"] else "bad"}">{"noise" if entry["noise"] else "differs"}'
        f"</span></td><td><code>{_e(entry['path'])}</code></td><td>{_e(entry['kind'])}</td>"
        f"<td>{percent(entry['share'])}</td>"
        f"<td>{'' if entry['control_share'] is None else percent(entry['control_share'])}</td>"
        f"<td><code>{_e(entry['prod'])}</code></td><td><code>{_e(entry['shadow'])}</code></td></tr>"
        for entry in structure["places"]
    )
    header = "<tr><th></th><th>path</th><th>how</th><th>pairs</th><th>control</th><th>prod</th><th>shadow</th></tr>"
    table = f'<table class="num paths">{header}{rows}</table>' if rows else ""
    return (
        f'<h3>Structure of JSON answers</h3><p class="num">{structure["real"]} paths differ in {structure["pairs"]} '
        f'pairs; <span class="soft">{_e(floor)}</span></p>{table}'
    )


def judge_card(
    judged: Mapping[str, int] | None, counts: Mapping[str, Any] | None, agreement: Sequence[str] = ()
) -> str:
    """The judge's verdicts on this shadow's pairs, and what became of all its candidates."""
    if counts is None:
        return ""
    return (
        f'<h3>The judge <span class="soft mono">{_e(counts["model"])}</span></h3><table class="num">'
        f"<tr><th>verdicts</th><td>{_e(count_line(judged or {}).replace('_', ' '))}</td></tr>"
        f"<tr><th>failed calls</th><td>{_e(count_line(counts['failed']))}</td></tr>"
        f"<tr><th>left out</th><td>{_e(count_line(counts['skipped']))}</td></tr></table>"
        + "".join(f'<p class="soft">{_e(line)}</p>' for line in agreement)
    )
