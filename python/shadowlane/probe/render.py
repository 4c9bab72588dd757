"""The verdict of a probe as text, and as JUnit XML for a build server.

Invariants: the plain text says everything; the XML is well-formed whatever the answers hold, and keeps to the elements
and attributes of the Jenkins schema (junit-10.xsd of its xUnit plugin): an item that is not accepted is a ``failure``,
one that prod could not answer an ``error``.
"""

from __future__ import annotations

import re
import textwrap
from xml.etree import ElementTree

from ..render.text import Line, percent, printable
from ..score.lambda_ import ARROWS
from .verdict import Criterion, ItemVerdict, ProbeVerdict

__all__ = ["junit", "render_verdict"]

_MARKS = {True: ("accepted", "good"), False: ("NOT", "bad"), None: ("no prod", "open")}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_verdict(verdict: ProbeVerdict, *, every: bool = False) -> list[Line]:
    """The whole, then the items: those that are not accepted with their criteria; with ``every`` all of them."""
    says = "PASSED" if verdict.ok else "NOT PASSED"
    lines: list[Line] = [
        (f"shadowlane probe: {says}, {verdict.accepted} of {len(verdict.items)} items accepted", _tone(verdict.ok))
    ]
    lines += [(f"  {criterion.name:<10}  {criterion.evidence}", _tone(criterion.ok)) for criterion in verdict.criteria]
    lines.append((f"  {'→':<10}  " + _both(verdict.convergence, "of the runs converge"), ""))
    if verdict.citation_match is not None:
        lines.append((f"  {'citations':<10}  {percent(verdict.citation_match)} of prod's found again", ""))
    if verdict.coverage["prod"] is not None:
        lines.append((f"  {'coverage':<10}  " + _both(verdict.coverage, "of the expected sections cited"), ""))
    lines.append((f"  {'embedder':<10}  {verdict.embedder}", "dim"))
    for item in verdict.items:
        mark, tone = _MARKS[item.ok]
        mean = [value for value in item.delta_s if value is not None]
        delta = f"ΔS {sum(mean) / len(mean):.3f}" if mean else "no ΔS"
        lines.append((f"{mark:<8}  {item.id}  {delta}  λ {states(item)}", tone))
        if item.ok is not True or every:
            lines += _details(item)
    return [(printable(text), style) for text, style in lines]


def states(item: ItemVerdict) -> str:
    """The shadow's λ, wording by wording with the seeds side by side: ``→→ →→ <>→``."""
    return " ".join("".join(ARROWS[state] for state in wording) for wording in item.states["shadow"])


def _details(item: ItemVerdict) -> list[Line]:
    lines: list[Line] = [(f"          {textwrap.shorten(item.question, 100, placeholder=' …')}", "dim")]
    for criterion in item.criteria:
        if criterion.ok is False or item.ok is None:
            lines += _wrapped(f"{criterion.name}: {criterion.evidence}", _tone(criterion.ok))
    worst = max(
        (pair for pair in item.pairs if pair.delta_s is not None), key=lambda pair: pair.delta_s or 0.0, default=None
    )
    if worst is not None and item.ok is False:
        for who, text in (("prod", worst.prod), ("shadow", worst.shadow)):
            lines += _wrapped(f"{who:<6}  {textwrap.shorten(text, 220, placeholder=' …')}", "dim")
    return lines


def _wrapped(text: str, style: str) -> list[Line]:
    return [(" " * 10 + " ".join(text.split()), style)]


def _both(shares: dict[str, float] | dict[str, float | None], what: str) -> str:
    return ", ".join(f"{arm} {percent(share)}" for arm, share in shares.items() if share is not None) + f" {what}"


def _tone(ok: bool | None) -> str:
    return {True: "good", False: "bad", None: "open"}[ok]


def junit(verdict: ProbeVerdict) -> str:
    """The verdict as JUnit XML: one suite, one test case an item, and one for the whole."""
    missed = [item for item in verdict.items if item.ok is False]
    unknown = [item for item in verdict.items if item.ok is None]
    counts = {
        "tests": str(len(verdict.items) + 1),
        "failures": str(len(missed) + (not verdict.ok)),
        "errors": str(len(unknown)),
        "time": f"{sum(item.seconds for item in verdict.items):.3f}",
    }
    root = ElementTree.Element("testsuites", {"name": "shadowlane probe", **counts})
    suite = ElementTree.SubElement(root, "testsuite", {"name": "shadowlane probe", "skipped": "0", **counts})
    for item in verdict.items:
        case = _case(suite, _clean(item.id), item.seconds)
        if item.ok is None:
            _child(case, "error", "prod", item.criteria)
        elif not item.ok:
            _child(case, "failure", "not accepted", item.criteria)
        _text(case, "system-out", "\n".join((item.question, f"shadow λ {states(item)}")))
    whole = _case(suite, "all items", 0.0)
    if not verdict.ok:
        _child(whole, "failure", "not accepted", verdict.criteria)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(suite: ElementTree.Element, name: str, seconds: float) -> ElementTree.Element:
    return ElementTree.SubElement(
        suite, "testcase", {"classname": "shadowlane.probe", "name": name, "time": f"{seconds:.3f}"}
    )


def _child(case: ElementTree.Element, tag: str, kind: str, criteria: tuple[Criterion, ...]) -> None:
    named = [criterion for criterion in criteria if criterion.ok is False] or list(criteria)[:1]
    element = _text(case, tag, "\n".join(f"{criterion.name}: {criterion.evidence}" for criterion in named))
    element.set("type", kind)
    element.set("message", _clean("; ".join(criterion.name for criterion in named)))


def _text(parent: ElementTree.Element, tag: str, text: str) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, tag)
    element.text = _clean(text)
    return element


def _clean(text: str) -> str:
    """Without the characters that XML 1.0 (§2.2) does not allow, even escaped."""
    return _NOT_XML.sub("\ufffd", text)
