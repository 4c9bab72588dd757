"""The report and the verdict as text.

Invariant: no style carries meaning of its own; the plain text says everything.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from ..render.text import Line, clock, count_line, milliseconds, percent, printable, signed
from ..score.lambda_ import ARROWS, STATES
from ..status.routes import prod_lines, route_lines
from .accounts import account_rows
from .arms import arms_lines
from .marks import marks_lines
from .sides import cited_line, strange_line
from .stats import facts_line
from .surroundings import surrounding_rows
from .trial import overhead_line

__all__ = [
    "DECISIONS",
    "MARKS",
    "REVERSE",
    "TONES",
    "above_floor",
    "difference_line",
    "refusal_lines",
    "render_report",
    "render_verdict",
    "rule_line",
    "state_line",
    "window_line",
]

MARKS: dict[str, str] = {"met": "met", "not met": "NOT MET", "not known": "not known", "not judged": "not judged"}
TONES: dict[str, str] = {"met": "good", "not met": "bad", "not known": "open", "not judged": "dim"}
DECISIONS: dict[str, str] = {
    "GRADUATE": "the shadow may become a canary",
    "HOLD": "not yet: a target is not met, or not known to be",
    "REJECT": "no: a target is missed for sure",
}
REVERSE = "the baseline: prod, which serves, is the candidate (direction = reverse)"
"""What is said of a shadow that is the old service."""
_DECISION_TONE = {"GRADUATE": "good", "HOLD": "open", "REJECT": "bad"}
_WORST = 3
_FLIPS, _DIFFERENCES = 3, 6


def render_report(report: Mapping[str, Any]) -> list[Line]:
    """The whole report."""
    span = "" if report["first_ns"] is None else f", {clock(report['first_ns'])} to {clock(report['last_ns'])} UTC"
    if report["source"]:
        lines: list[Line] = [(f"shadowlane compare: {report['source']}, {report['pairs']} pairs{span}", "title")]
    else:
        lines = [(f"shadowlane report: lane {report['lane']}, {report['pairs']} pairs{span}", "title")]
        lines += [*_accounting(report), (overhead_line(report["overhead"]), "")]
    if report["arms"] is not None:
        lines += [("", ""), *arms_lines(report["arms"])]
    for shadow in report["shadows"]:
        lines += [("", ""), *_shadow(shadow, report)]
    return [(printable(text), style) for text, style in lines]


def _accounting(report: Mapping[str, Any]) -> list[Line]:
    accounting, sampling = report["accounting"], report["sampling"]
    if not accounting["known"]:
        return [
            ("accounting: the lane's counters are not here (it is not running, or its store cannot be read)", "open")
        ]
    holds = accounting["holds"]
    lines = [(f"accounting {'holds' if holds else 'DOES NOT HOLD'}", "good" if holds else "bad")]
    lines += [(f"  {line}", "") for line in accounting["lines"]]
    achieved = "nothing eligible yet" if sampling["achieved"] is None else f"{percent(sampling['achieved'])} achieved"
    counts = f"{sampling['taken']} of {sampling['eligible']} eligible"
    return [*lines, (f"sampling: {percent(sampling['configured'])} configured, {achieved} ({counts})", "")]


def _shadow(shadow: Mapping[str, Any], report: Mapping[str, Any]) -> list[Line]:
    role = "control (prod against itself: the noise floor)" if shadow["control"] else f"shadow {shadow['name']}"
    if shadow["direction"] == "reverse":
        role += f" ({REVERSE})"
    lines: list[Line] = [(f"{role}, {shadow['url']}", "title")]
    if not shadow["pairs"]:
        return [*lines, ("  no pairs stored yet", "open")]
    rows = [
        *_decided(shadow["verdict"]),
        ("copies", f"{shadow['pairs']} stored, {shadow['answered']} answered, failed: {count_line(shadow['failed'])}"),
        ("HTTP", f"shadow {count_line(shadow['http'])}; prod {count_line(shadow['prod_http'])}"),
        *(
            [("", f"another status than prod's: {count_line(differs)}")]
            if (differs := shadow["status_differs"])
            else []
        ),
        *_titled("prod", prod_lines(shadow)),
        *_titled("routes", route_lines(shadow["routes"])),
        *_titled("errors", [line for one in shadow["refusals"] for line in refusal_lines(one)]),
        *_delta_rows(shadow),
        *_answer_rows(shadow),
        *_group_rows(shadow["groups"]),
        *_structure_rows(shadow["structure"]),
        *_judge_rows(shadow["judged"], report["judge"], shadow["agreement"]),
        *_titled("marks", marks_lines(shadow["marks"])),
        *_latency_rows(shadow["latency"]),
        *_grouped(account_rows(shadow)),
        *_grouped(surrounding_rows(shadow)),
    ]
    if shadow["blocked"]:
        rows.append(("blocked", f"as writes: {count_line(shadow['blocked'])}"))
    if shadow["strange_calls"]["calls"]:
        rows.append(("tool calls", strange_line(shadow)))
    if shadow["rate_limit"]:
        headers = ", ".join(f"{name}: {value}" for name, value in shadow["rate_limit"]["headers"].items())
        rows.append(("rate limit", f"last seen {clock(shadow['rate_limit']['seen_ns'])} UTC: {headers}"))
    width = max(len(name) for name, _ in rows)
    lines += [(f"  {name:<{width}}  {text}", "") for name, text in rows]
    if shadow["verdict"]:
        lines += render_verdict(shadow["verdict"], indent="  ")
    if shadow["worst"]:
        lines += [("  furthest apart", "title")]
        for pair in shadow["worst"][:_WORST]:
            lines += _pair(pair)
    return lines


def _decided(verdict: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """The decision before all figures, and what stands against it; its rules, and what needs more data, follow them."""
    if verdict is None:
        return []
    decision = verdict["decision"]
    against = [text for what, text in verdict["reasons"].items() if what != "data"]
    return [("verdict", "; ".join([f"{decision}: {DECISIONS[decision]}", *against]))]


def refusal_lines(one: Mapping[str, Any]) -> list[str]:
    """What the shadow said to copies that it refused, how many, the remedy; and the body of one, redacted."""
    if not one["body"]:
        return [one["text"]]
    return [one["text"], f"its body: {textwrap.shorten(one['body'], 300, placeholder=' …')}"]


def _grouped(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Rows whose title is that of the row before, without it."""
    return [
        ("" if position and title == rows[position - 1][0] else title, text)
        for position, (title, text) in enumerate(rows)
    ]


def _titled(title: str, lines: list[str]) -> list[tuple[str, str]]:
    return [("" if position else title, line) for position, line in enumerate(lines)]


def _delta_rows(shadow: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for block in shadow["delta_s"]:
        low, high = block["interval"]
        text = (
            f"mean {block['mean']:.3f} (95 % at any time: {low:.3f} to {high:.3f}), median {block['median']:.3f}, "
            f"P95 {block['p95']:.3f}; {block['n']} pairs, {block['embedder']}"
        )
        text += f"; quantiles of {block['sampled']}" if block["sampled"] else ""
        rows.append(("ΔS", text))
        if not shadow["control"]:
            rows.append(("", above_floor(block)))
        bands = block["bands"]
        rows.append(
            ("", ", ".join(f"{name} {percent(bands[name])}" for name in ("stable", "transitional", "critical")))
        )
    return rows or [("ΔS", "no pair is scored")]


def above_floor(block: Mapping[str, Any]) -> str:
    """The drift above the noise floor, with its interval, or why it is not known."""
    if block["floor"] is None:
        return "drift above the noise floor: not known; no [control] with scores of this embedder"
    low, high = block["above_floor_interval"]
    return (
        f"noise floor {block['floor']:.3f} ({block['floor_n']} pairs of prod against itself), drift above it "
        f"{block['above_floor']:+.3f} (95 % at any time: {low:+.3f} to {high:+.3f})"
    )


def _group_rows(groups: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if groups is None:
        return [("paraphrases", "no question was asked twice yet")]
    alert = "ALERT: " if groups["own_flips"] else ""
    rows = [
        (
            "paraphrases",
            f"{alert}λ flips {groups['own_flips']} times where prod's does not ({groups['flips']} in all, prod "
            f"{groups['prod_flips']}), in {groups['answers']} answers to {groups['groups']} repeated questions",
        )
    ]
    for who in ("prod", "shadow"):
        rows.append(("", f"{who:<6} {state_line(groups['states'][who])}; flips {percent(groups['flip_rate'][who])}"))
    if groups["trend"]:
        rows.append(("", f"trend  {state_line(groups['trend'])} (of ΔS from one repetition to the next)"))
    for flip in groups["shown"][:_FLIPS]:
        also = ", prod's too" if flip["prod_flip"] else ""
        short = textwrap.shorten(flip["asked"], 80, placeholder=" …")
        rows.append(("", f"flip to {ARROWS[flip['shadow']]}{also}: {short}"))
    return rows


def state_line(shares: Mapping[str, float]) -> str:
    """``→ 80.0 %, <> 20.0 %``."""
    return ", ".join(f"{ARROWS[state]} {percent(shares[state])}" for state in STATES if state in shares)


def _structure_rows(structure: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if structure is None:
        return []
    learnt = (
        f"; {structure['noise']} more are noise (prod against control differs there as often, "
        f"{structure['control_pairs']} pairs)"
        if structure["control_pairs"]
        else "; no noise is known: no [control] with JSON answers"
    )
    rows = [("structure", f"{structure['pairs']} pairs of JSON, {structure['real']} paths differ{learnt}")]
    for entry in structure["places"][:_DIFFERENCES]:
        rows.append(("", difference_line(entry)))
    return rows


def difference_line(entry: Mapping[str, Any]) -> str:
    """One differing path in words."""
    control = "" if entry["control_share"] is None else f", control {percent(entry['control_share'])}"
    noise = ", noise" if entry["noise"] else ""
    values = {
        "missing": f"prod {entry['prod']}, not in the shadow",
        "extra": f"shadow {entry['shadow']}, not in prod",
    }.get(entry["kind"], f"prod {entry['prod']}, shadow {entry['shadow']}")
    short = textwrap.shorten(values, 110, placeholder=" …")
    return f"{entry['path']} ({entry['kind']}) in {percent(entry['share'])}{control}{noise}: {short}"


def _judge_rows(
    judged: Mapping[str, int] | None, counts: Mapping[str, Any] | None, agreement: Mapping[str, Any] | None
) -> list[tuple[str, str]]:
    if counts is None:
        return []
    rows = [("judge", f"{count_line(judged or {})} ({counts['model']})")]
    rows.append(("", f"failed: {count_line(counts['failed'])}; left out: {count_line(counts['skipped'])}"))
    return rows + [("", line) for line in agreement_lines(agreement)]


def agreement_lines(agreement: Mapping[str, Any] | None) -> list[str]:
    """How far the judge bears out the rules and ΔS, one line in all and one for each class of doubt."""
    if agreement is None:
        return []
    low, high = agreement["interval"]
    lines = [
        f"agrees with the rules and ΔS in {percent(agreement['share'])} of all pairs (95 % at any time: {percent(low)} "
        f"to {percent(high)}; {agreement['judged']} judged, weighted by how many pairs are like them)"
    ]
    for name, text in (("accepted", "of what they accept the judge accepts"), ("objected", "of what they object to")):
        if agreement[name]["judged"]:
            lines.append(f"{text}: {_share_line(agreement[name])}")
    return lines + [
        f"{one['text']}: {_share_line(one)}; {one['seen']} pairs" for one in agreement["classes"] if one["judged"]
    ]


def _share_line(part: Mapping[str, Any]) -> str:
    low, high = part["interval"]
    return f"{part['agreed']} of {part['judged']} ({percent(low)} to {percent(high)})"


def _answer_rows(shadow: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    if shadow["states"]:
        shares = [f"{ARROWS[s]} {s} {percent(shadow['states'].get(s, 0.0))}" for s in STATES]
        rows.append(("λ", ", ".join(shares)))
    parts = []
    if shadow["match"] is not None:
        parts.append(cited_line(shadow))
    if shadow["index_agreement"] is not None:
        parts.append(f"same index in {percent(shadow['index_agreement'])} of {shadow['index_n']}")
    rows.append(("citations", ", ".join(parts) or "none"))
    rows.append(("fact flips", f"{shadow['fact_flips']}; {facts_line(shadow['facts'])}"))
    if shadow["facts"]["missing"] is not None:
        only = (
            f"{percent(shadow['facts']['missing'])} of prod's sentences, and adds {percent(shadow['facts']['extra'])}"
        )
        rows.append(("", f"the shadow leaves out {only} of its own (means)"))
    return rows


def _latency_rows(latency: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if latency is None:
        return [("latency", "no pair to compare")]
    rows = [
        (
            "latency" if who == "prod" else "",
            f"{who:<6} P50 {milliseconds(latency[who]['p50'])}, P95 {milliseconds(latency[who]['p95'])}, "
            f"P99 {milliseconds(latency[who]['p99'])}",
        )
        for who in ("prod", "shadow")
    ]
    interval = latency["p95_interval"]
    bounds = f" (95 % bootstrap: {signed(interval[0])} to {signed(interval[1])})" if interval else ""
    late = f"; {latency['deadlines']} ran into the deadline" if latency["deadlines"] else ""
    increase = "not comparable" if latency["p95_increase"] is None else signed(latency["p95_increase"])
    increase += " (prod's above the shadow's)" if latency["reverse"] else ""
    pairs = f"{latency['n']} pairs" + (f" ({latency['sampled']})" if latency["sampled"] else "")
    return [*rows, ("", f"P95 {increase}{bounds}, {pairs}{late}")]


def render_verdict(verdict: Mapping[str, Any], indent: str = "") -> list[Line]:
    """The decision, and one line of evidence a rule."""
    decision = verdict["decision"]
    lines: list[Line] = [
        (
            f"{indent}{verdict['shadow']}: {decision}: {DECISIONS[decision]} ({verdict['summary']})",
            _DECISION_TONE[decision],
        )
    ]
    if verdict["direction"] == "reverse":
        lines.append((f"{indent}  {REVERSE}", "dim"))
    lines += [(f"{indent}  {line}", "dim") for line in window_line(verdict["window"])]
    width = max(len(rule["name"]) for rule in verdict["rules"])
    for rule in verdict["rules"]:
        text = f"{indent}  {MARKS[rule['status']]:<10} {rule['name']:<{width}}  {rule_line(rule)}"
        lines.append((text, TONES[rule["status"]]))
    return lines + [(f"{indent}  not judged: {what}", "dim") for what in verdict["left_out"]]


def rule_line(rule: Mapping[str, Any]) -> str:
    """A rule's evidence, and how far it is from being known."""
    ends = [rule["evidence"]]
    if rule["leaning"]:
        ends.append("on the way to REJECT")
    if rule["needs"] is not None:
        ends.append(rule["needs"]["text"])
    return "; ".join(ends)


def window_line(window: Mapping[str, Any]) -> list[str]:
    """Since when a window runs that began later than it could; empty for any other."""
    if not window["why"]:
        return []
    return [f"window since {clock(window['since_ns'])} UTC: {window['why']}"]


def _pair(pair: Mapping[str, Any]) -> list[Line]:
    score = "no ΔS" if pair["delta_s"] is None else f"ΔS {pair['delta_s']:.3f}"
    flip = ", facts contradict" if pair["fact_flip"] else ""
    if pair["judge"]:
        flip += f", judge: {pair['judge']['verdict']}"
    if pair["asked_times"] > 1:
        flip += f", asked {pair['asked_times']} times"
    lines: list[Line] = [(f"    {score}{flip}  {pair['method']} {pair['target']}  {pair['req_hash']}", "")]
    lines += _wrapped("id", pair["shadow_id"])
    if pair["asked"]:
        lines += _wrapped("question", pair["asked"])
    if not pair["bodies"]:
        return [*lines, ("      the answers are not kept (store.keep_bodies)", "dim")]
    return [*lines, *_wrapped("prod", pair["prod"]["text"]), *_wrapped("shadow", pair["shadow"]["text"])]


def _wrapped(name: str, text: str) -> list[Line]:
    short = textwrap.shorten(printable(text), 300, placeholder=" …") or "(empty)"
    return [(f"      {name:<8}  {short}", "dim")]
