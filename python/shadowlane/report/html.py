"""The report as one HTML page (see :mod:`shadowlane.render.page` for what no page of ours can do).

Invariant: every value is escaped where it enters the markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..bands import band
from ..render.page import escaped as _e
from ..render.page import marked, page
from ..render.svg import histogram, latency_curves
from ..render.text import clock, count_line, milliseconds, percent, signed
from ..score.lambda_ import ARROWS, STATES
from ..status.routes import STOOD_IN, TOLD, prod_lines, route_lines
from .accounts import account_rows
from .arms import arms_card
from .marks import marks_lines
from .sections import group_card, judge_card, structure_card
from .sides import strange_line
from .stats import facts_line
from .surroundings import surrounding_rows
from .terminal import (
    DECISIONS,
    MARKS,
    REVERSE,
    TONES,
    above_floor,
    agreement_lines,
    refusal_lines,
    rule_line,
    window_line,
)
from .trial import overhead_line

__all__ = ["charts", "record", "render_page", "side", "verdict_card"]

_TONE: dict[bool | None, str] = {True: "good", False: "bad", None: "open"}
_DECISION_TONE = {"GRADUATE": "good", "HOLD": "open", "REJECT": "bad"}
_BAND_TONE = {"stable": "good", "transitional": "open", "critical": "bad"}
_OPEN_PAIRS = 2
_OPEN_RULES = 6
_NOT_KEPT = '<span class="soft">(not kept, see store.keep_bodies)</span>'


def render_page(report: Mapping[str, Any]) -> str:
    """The page for the data of :func:`shadowlane.report.build.build_report`."""
    body = "".join(_shadow(shadow, report) for shadow in report["shadows"])
    parts = (_head(report), arms_card(report["arms"]), body, _foot(report))
    return page(f"shadowlane: {_title(report)}", "".join(parts))


def _title(report: Mapping[str, Any]) -> str:
    return str(report["source"] or report["lane"])


def _head(report: Mapping[str, Any]) -> str:
    span = ""
    if report["first_ns"] is not None:
        span = f"{clock(report['first_ns'])} to {clock(report['last_ns'])} UTC"
    switched = "" if report["enabled"] else '<span class="pill open">mirroring is off</span>'
    return (
        f'<header><h1>shadow<b>lane</b> · {_e(_title(report))}</h1><span class="soft num">{report["pairs"]} pairs'
        f"{', ' if span else ''}{_e(span)}</span>{switched}</header>\n{_accounting(report)}"
    )


def _accounting(report: Mapping[str, Any]) -> str:
    if report["source"]:
        return ""
    accounting, sampling = report["accounting"], report["sampling"]
    cost = _e(overhead_line(report["overhead"]))
    if not accounting["known"]:
        text = "the lane's counters are not here: it is not running, or its store cannot be read"
        pill = '<span class="pill open">accounting not known</span>'
        return f'<section class="card account">{pill}<span class="mono">{text}<br>{cost}</span></section>\n'
    holds = accounting["holds"]
    achieved = "" if sampling["achieved"] is None else f", {percent(sampling['achieved'])} achieved"
    lines = [*accounting["lines"], f"sampling: {percent(sampling['configured'])} configured{achieved}"]
    says = "every request accounted for" if holds else "accounting does not hold"
    pill = f'<span class="pill {_TONE[holds]}">{says}</span>'
    text = "<br>".join([*(_e(line) for line in lines), cost])
    return f'<section class="card account">{pill}<span class="mono">{text}</span></section>\n'


def _shadow(shadow: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    name = "control (prod against itself)" if shadow["control"] else f"shadow {shadow['name']}"
    if shadow["direction"] == "reverse":
        name += f" ({REVERSE})"
    header = f'<h2>{_e(name)} <span class="soft mono">{_e(shadow["url"])}</span></h2>\n'
    verdict = verdict_card(shadow["verdict"]) if shadow["verdict"] else ""
    if not shadow["pairs"]:
        return f'{header}{verdict}<section class="card soft">No pairs stored yet.</section>\n'
    return "".join(
        (
            header,
            verdict,
            _tiles(shadow, report),
            charts(shadow, report["targets"]),
            _readings(shadow, report),
            _tables(shadow),
            _pairs(shadow),
        )
    )


def verdict_card(verdict: Mapping[str, Any], *, folded: bool = False, notes: Sequence[str] = ()) -> str:
    """The decision, and one line of evidence a rule. ``folded``: the rules that are open, others on demand; ``notes``:
    lines on how to read it."""
    decision, rules = verdict["decision"], verdict["rules"]
    since = "".join(f'<p class="soft num">{_e(line)}</p>' for line in (*notes, *window_line(verdict["window"])))
    left_out = "".join(f'<p class="soft">Not judged: {_e(what)}.</p>' for what in verdict["left_out"])
    by_status = {status: [rule for rule in rules if rule["status"] == status] for status in MARKS}
    rest = "".join(
        f'<details{" open" if status == "not known" and len(some) <= _OPEN_RULES else ""}><summary class="soft">'
        f"{len(some)} {status}{_e(_last(verdict) if status == 'not known' else '')}</summary>{_rules(some)}</details>"
        for status, some in by_status.items()
        if folded and some and status != "not met"
    )
    shown = by_status["not met"] if folded else rules
    return (
        f'<section class="card verdict v-{_DECISION_TONE[decision]}"><p><span class="decision">{decision}</span>'
        f'{_e(DECISIONS[decision])} <span class="soft">({_e(verdict["summary"])})</span></p>{since}'
        f"{_rules(shown)}{rest}{left_out}</section>\n"
    )


def _last(verdict: Mapping[str, Any]) -> str:
    """Which rule will be known last, and what it needs."""
    needs = [(rule["name"], rule["needs"]["text"]) for rule in verdict["rules"] if rule["key"] == verdict["last"]]
    return "".join(f"; last {name}, which {text}" for name, text in needs)


def _rules(rules: Iterable[Mapping[str, Any]]) -> str:
    rows = "".join(
        f'<tr><td><span class="pill {TONES[rule["status"]]}">{MARKS[rule["status"]].lower()}</span></td>'
        f"<td>{_e(rule['name'])}</td><td>{_e(rule_line(rule))}</td></tr>"
        for rule in rules
    )
    return f'<table class="rules num">{rows}</table>' if rows else ""


def _tiles(shadow: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    tiles = []
    for block in shadow["delta_s"][:1]:
        low, high = block["interval"]
        tiles.append(("mean ΔS", f"{block['mean']:.3f}", f"95 %: {low:.3f} to {high:.3f}, target ≤ {_target(report)}"))
    if shadow["latency"] and shadow["latency"]["p95_increase"] is not None:
        interval = shadow["latency"]["p95_interval"]
        more = f"95 %: {signed(interval[0])} to {signed(interval[1])}, " if interval else ""
        limit = report["targets"]["p95_increase"]
        tiles.append(("P95 latency", signed(shadow["latency"]["p95_increase"]), f"{more}target ≤ {signed(limit)}"))
    failed = sum(shadow["failed"].values())
    tiles.append(("answered", f"{shadow['answered']}", f"of {shadow['pairs']} copies, {failed} failed"))
    if shadow["states"]:
        rest = ", ".join(
            f"{ARROWS[state]} {percent(shadow['states'][state])}" for state in STATES[1:] if state in shadow["states"]
        )
        tiles.append(("λ convergent →", percent(shadow["states"].get("convergent", 0.0)), rest or "nothing else"))
    if shadow["match"] is not None:
        index = shadow["index_agreement"]
        more = f"{shadow['match_n']} pairs cite" + ("" if index is None else f", same index {percent(index)}")
        name = "the shadow's citations in prod's" if shadow["direction"] == "reverse" else "citations found again"
        tiles.append((name, percent(shadow["match"]), more))
    tiles.append(("fact flips", str(shadow["fact_flips"]), facts_line(shadow["facts"])))
    if shadow["facts"]["missing"] is not None:
        added = f"of prod's sentences; adds {percent(shadow['facts']['extra'])} of its own"
        tiles.append(("left out", percent(shadow["facts"]["missing"]), added))
    tiles += _account_tiles(shadow)
    cards = "".join(
        f'<div class="card"><div class="tile-name">{_e(name)}</div><div class="tile-value num">{_e(value)}</div>'
        f'<div class="tile-more num">{_e(more)}</div></div>'
        for name, value, more in tiles
    )
    return f'<div class="tiles">{cards}</div>\n'


def _account_tiles(shadow: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """First byte, tokens and cost: how much more the shadow takes, and of what."""
    tiles = []
    measured = shadow["latency"] and shadow["latency"]["ttfb"]
    if measured:
        first = {who: measured[who]["p95"] for who in ("prod", "shadow")}
        base, candidate = ("shadow", "prod") if shadow["direction"] == "reverse" else ("prod", "shadow")
        more = f"prod {milliseconds(first['prod'])}, shadow {milliseconds(first['shadow'])}"
        tiles.append(("P95 to the first byte", signed(first[candidate] / first[base] - 1), more))
    for name, form in (("tokens", "{:,.0f}"), ("cost", "{:.4g}")):
        mean = shadow["accounts"][name]
        if mean is not None and mean["increase"] is not None:
            more = f"prod {form.format(mean['prod'])}, shadow {form.format(mean['shadow'])}; {mean['pairs']} pairs"
            tiles.append((f"{name} an answer", signed(mean["increase"]), more))
    return tiles


def _target(report: Mapping[str, Any]) -> str:
    return f"{report['targets']['mean_delta_s']:g}"


def charts(shadow: Mapping[str, Any], targets: Mapping[str, Any]) -> str:
    """ΔS and latency, as drawings with their figures in words."""
    cards = []
    for block in shadow["delta_s"]:
        bands = "".join(
            f'<span><i class="{name}"></i>{name} {percent(block["bands"][name])}</span>'
            for name in ("stable", "transitional", "critical")
        )
        floor = "" if shadow["control"] else f"<span>{_e(above_floor(block))}</span>"
        sampled = f", of {block['sampled']}" if block["sampled"] else ""
        cards.append(
            f"<h3>How far apart the answers are</h3>{histogram(block, targets)}"
            f'<div class="key num">{bands}<span>median {block["median"]:.3f}, '
            f"P95 {block['p95']:.3f}{sampled}</span>{floor}"
            f"<span>{_e(block['embedder'])}</span></div>"
        )
    if shadow["latency"]:
        latency = shadow["latency"]
        key = "".join(
            f'<span><i class="{who}"></i>{who} P50 {milliseconds(latency[who]["p50"])}, '
            f"P95 {milliseconds(latency[who]['p95'])}, P99 {milliseconds(latency[who]['p99'])}</span>"
            for who in ("prod", "shadow")
        )
        late = f"<span>{latency['deadlines']} ran into the deadline</span>" if latency["deadlines"] else ""
        late += f"<span>{latency['sampled']}</span>" if latency["sampled"] else ""
        cards.append(f'<h3>How long they take</h3>{latency_curves(latency)}<div class="key num">{key}{late}</div>')
    return f'<div class="two">{"".join(f"""<section class="card">{card}</section>""" for card in cards)}</div>\n'


def _readings(shadow: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    cards = (
        group_card(shadow["groups"]),
        structure_card(shadow["structure"]),
        judge_card(shadow["judged"], report["judge"], agreement_lines(shadow["agreement"])),
    )
    return "".join(f'<section class="card">{card}</section>\n' for card in cards if card)


def _tables(shadow: Mapping[str, Any]) -> str:
    rows = [
        ("Failed copies", count_line(shadow["failed"])),
        ("HTTP status", f"shadow {count_line(shadow['http'])}; prod {count_line(shadow['prod_http'])}"),
        ("another status than prod's", count_line(shadow["status_differs"])),
    ]
    rows += [("Marked by persons", line) for line in marks_lines(shadow["marks"])]
    rows += [("Prod", line) for line in prod_lines(shadow)]
    rows += [("Routes", line) for line in route_lines(shadow["routes"])]
    rows += [("The shadow's errors", line) for one in shadow["refusals"] for line in refusal_lines(one)]
    rows += [(title.capitalize(), line) for title, line in (*account_rows(shadow), *surrounding_rows(shadow))]
    if shadow["blocked"]:
        rows.append(("Blocked as writes", count_line(shadow["blocked"])))
    if shadow["strange_calls"]["calls"]:
        rows.append(("Tool calls", strange_line(shadow)))
    if shadow["rate_limit"]:
        headers = ", ".join(f"{name}: {value}" for name, value in shadow["rate_limit"]["headers"].items())
        rows.append(("Rate limit", f"last seen {clock(shadow['rate_limit']['seen_ns'])} UTC: {headers}"))
    body = "".join(f"<tr><th>{_e(name)}</th><td>{_e(text)}</td></tr>" for name, text in rows)
    return f'<section class="card"><table class="num">{body}</table></section>\n'


def _pairs(shadow: Mapping[str, Any]) -> str:
    if not shadow["worst"]:
        return ""
    cards = "".join(_pair(pair, index < _OPEN_PAIRS) for index, pair in enumerate(shadow["worst"]))
    return f"<h3>The pairs furthest apart</h3>\n{cards}"


def _pair(pair: Mapping[str, Any], opened: bool) -> str:
    delta = pair["delta_s"]
    tone = "open" if delta is None else _BAND_TONE[band(delta)]
    pills = f'<span class="pill num {tone}">{"no ΔS" if delta is None else f"ΔS {delta:.3f}"}</span>'
    if pair["state"]:
        pills += f' <span class="soft">{ARROWS[pair["state"]]} {_e(pair["state"])}</span>'
    if pair["fact_flip"]:
        pills += ' <span class="pill bad">facts contradict</span>'
    if pair["asked_times"] > 1:
        pills += f' <span class="soft">asked {pair["asked_times"]} times</span>'
    if pair["judge"]:
        pills += f' <span class="pill open">judge: {_e(pair["judge"]["verdict"].replace("_", " "))}</span>'
    prod, shadow = marked(pair["prod"]["text"], pair["shadow"]["text"]) if pair["bodies"] else (_NOT_KEPT, _NOT_KEPT)
    where = f"{pair['method']} {pair['target']}"
    question = _e(pair["asked"]) or _e(where)
    notes = [pair["note"], f"judge: {pair['judge']['why']}" if pair["judge"] else ""]
    note = "".join(f'<p class="soft">{_e(text)}</p>' for text in notes if text)
    revision = " · ".join(_e(pair["shadow"][key]) for key in ("model_rev", "index_hash") if pair["shadow"][key])
    return (
        f'<details class="card pair"{" open" if opened else ""}><summary>{pills}<span class="question" dir="auto">'
        f'{question}</span><code class="hash">{_e(where)} {_e(pair["req_hash"][:12])}</code></summary>'
        f'<div class="sides">{side("prod", pair["prod"], prod, prod_note(pair))}'
        f"{side('shadow', pair['shadow'], shadow, revision + note)}"
        f'</div><p class="hash">id {_e(pair["shadow_id"])}</p>{record(pair)}</details>\n'
    )


def prod_note(pair: Mapping[str, Any]) -> str:
    """Below what is shown as prod's answer: whose it is, where that is not prod. Markup."""
    notes = [*([STOOD_IN] if pair["stood_in"] else []), *([TOLD] if pair["told"] else [])]
    return "".join(f'<p class="soft">{_e(note)}</p>' for note in notes)


def record(pair: Mapping[str, Any]) -> str:
    """Below the two answers: why it is a read, what was changed on the copy, and which tool calls were stubbed."""
    rows = [("Policy", " · ".join(filter(None, (pair["policy"]["why"], pair["policy"]["preset"]))))]
    rows.append(("Changed on the copy", "; ".join(pair["normalised"])))
    for call in pair["tool_calls"]:
        results = {"recorded": "answered with prod's result", "unavailable": "answered: unavailable in shadow"}
        how = results.get(call["answered"], "left, the turn ends there")
        made = "" if call["by_prod"] else "; prod never made it"
        rows.append((f"Tool call, round {call['round']}", f"{call['name']} {call['arguments'][:300]}: {how}{made}"))
    if pair["rounds"] > 1:
        rounds = ", ".join(milliseconds(seconds) for seconds in pair["round_seconds"])
        rows.append(("Rounds", f"{pair['rounds']} ({rounds}); {count_line(pair['usage'])}"))
    body = "".join(f"<tr><th>{_e(name)}</th><td>{_e(text)}</td></tr>" for name, text in rows if text)
    return f'<table class="num">{body}</table>' if body else ""


def side(who: str, answer: Mapping[str, Any], text: str, more: str) -> str:
    """One answer with what is known of it; ``text`` and ``more`` are markup."""
    parts = [f"HTTP {answer['status']}", _took(answer["seconds"]), answer["model"]]
    parts += [f"ended: {answer['finish']}"] if answer["finish"] else []
    parts += [f"{answer['tokens']:,} tokens"] if answer["tokens"] is not None else []
    parts += [f"cost {answer['cost']:.4g}"] if answer["cost"] is not None else []
    facts = _e(", ".join(filter(None, parts)))
    shown = text or '<span class="soft">(empty)</span>'
    below = f'<div class="hash">{more}</div>' if more else ""
    return (
        f'<div class="side {who}"><h4><b>{who}</b> <span class="soft num">{facts}</span></h4>'
        f'<div class="answer" dir="auto">{shown}</div>{below}</div>'
    )


def _took(seconds: float | None) -> str:
    return "time not known" if seconds is None else milliseconds(seconds)


def _foot(report: Mapping[str, Any]) -> str:
    return (
        f"<footer>Made {clock(report['generated_ns'])} UTC from sanitized copies. ΔS = 1 − cosine of the two answers' "
        "embeddings: below 0.40 stable, below 0.60 transitional, else critical. The verdict's intervals hold however "
        "often one looks; the intervals of latency in the tile hold for one look. Marked words are only on that side."
        "</footer>\n"
    )
