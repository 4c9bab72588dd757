"""After adoption: the new service serves, and the old one is the shadow. Then the shadow is the baseline and prod the
candidate, and every rule has to look from the other side (``shadows.NAME.direction = "reverse"``).

Everywhere else in the gate *prod* means the baseline and *the shadow* the candidate. So the rows of a reverse shadow
are turned here, before any rule sees them, and what rules say of them is put into words that name the services.
Invariant: of both sides' citations, retrieved sections and tool calls the store knows which the other has too. Rows of
a release that kept one side's alone do not say it: they count for nothing, and never for the other side.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from ..columns import ScoreColumns, Texts
from .rules import Rule
from .selection import sent

__all__ = ["in_words", "turned"]

_SWAPPED = (
    ("prod_ttfb_ns", "shadow_ttfb_ns"),
    ("prod_ns", "shadow_ns"),
    ("prod_lambda", "shadow_lambda"),
    ("prod_flip", "flip"),
    ("missing", "extra"),
    ("prod_collapse", "collapse"),
    ("prod_tokens", "tokens"),
    ("prod_cost", "cost"),
    ("prod_retrieved", "retrieved"),
    ("prod_citation_match", "citation_match"),
    ("prod_coverage", "coverage"),
    ("prod_strange_calls", "strange_calls"),
)
_JUDGED = {"prod_better": "shadow_better", "shadow_better": "prod_better"}
_NO_ANSWER = 599
"""The status of a baseline that gave no answer: no fault of the candidate's, and nothing to compare with."""
_OTHERS_WORDS = (
    "asked",
    "segments",
    "pins",
    "accounting",
    "sampling",
    "overhead",
    "every_hour",
    "pairs",
    "prod_errors",
)
"""Rules that speak of no side or of prod as it is, or whose line may quote names from outside."""
_ONE_SIDED = ("citations", "coverage", "tool_calls")
_KEPT_SINCE = "rows that an earlier release stored know one side alone, new ones know both"
_SIDES = re.compile(r"\b(?:the )?shadow\b(?![-./])|\bprod\b(?![-./])")


def turned(columns: ScoreColumns) -> ScoreColumns:
    """The same rows with the sides exchanged."""
    fields: dict[str, Any] = msgspec.structs.asdict(columns)
    for one, other in _SWAPPED:
        fields[one], fields[other] = fields[other], fields[one]
    answered, went = columns.reason == "", sent(columns)
    # Prod answered, whatever became of the copy; a pair is missing only where none was sent.
    fields["reason"] = Texts(("sampled_out", ""), went.astype(np.int64))
    fields["status"] = columns.prod_status
    fields["prod_status"] = np.where(went & ~answered, _NO_ANSWER, columns.status)
    failed = (columns.prod_status >= 400) & (fields["prod_status"] < 400) & went
    fields["collapse"] = columns.prod_collapse.replaced(failed, "error")
    fell = (fields["collapse"] != "") & (columns.collapse == "") & (fields["prod_status"] < 400)
    known = columns.state.replaced(columns.state == "divergent", "")
    fields["state"] = known.replaced(fell, "divergent")
    fields["tries"] = np.minimum(columns.tries, 1)  # copies that were sent again were the baseline's
    said = columns.judge
    fields["judge"] = Texts(tuple(_JUDGED.get(word, word) for word in said.words), said.codes)
    return ScoreColumns(**fields)


def in_words(rule: Rule) -> Rule:
    """A rule's outcome on turned rows, its line naming the services as they are."""
    if rule.key in _OTHERS_WORDS:
        return rule
    evidence, why = _named(rule.evidence), _named(rule.not_judged)
    if why and rule.key in _ONE_SIDED:
        evidence = why = f"{why}; {_KEPT_SINCE}"
    return replace(rule, evidence=evidence, not_judged=why)


def _named(line: str) -> str:
    return _SIDES.sub(lambda found: "the shadow" if found[0] == "prod" else "prod", line)
