"""Report data beyond ΔS: λ within paraphrase groups, differences of structure above the noise, the judge's verdicts.

Invariants: JSON-ready plain values out, ``None`` where there is no data; a path that never differed against the
control is never called noise, and without a control nothing is.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

import msgspec

from ..gate.sequences import rate_cs
from ..judge.doubt import DOUBTS, Tally
from ..judge.language_model import JudgeState
from ..providers.question import listed_question
from ..render.text import cut
from ..score.noise import NoiseModel
from ..types import StructureDifference
from .source import PairSource
from .stats import RowStats, shares

__all__ = ["groups", "judge_agreement", "judge_counts", "structure"]

_FLIPS_SHOWN = 8
_DIFFERENCES_SHOWN = 12
_TEXT_CHARS = 400


def groups(rows: RowStats, store: PairSource, name: str, since: int | None) -> dict[str, Any] | None:
    """λ within paraphrase groups, of prod and of the shadow; ``None`` when no question was asked twice."""
    found = rows.groups
    if not found.answers:
        return None
    return {
        "groups": found.groups,
        "answers": found.answers,
        "flips": found.flips,
        "own_flips": found.own_flips,
        "prod_flips": found.prod_flips,
        "flip_rate": {"prod": found.prod_flips / found.answers, "shadow": found.flips / found.answers},
        "states": {side: shares(states) for side, states in found.states.items()},
        "trend": shares(found.trend),
        "shown": _flipped(store, name, since),
    }


def _flipped(store: PairSource, name: str, since: int | None) -> list[dict[str, Any]]:
    """The newest flips, those of the shadow alone first."""
    shown = []
    rows = store.iter_pairs(since, name, _FLIPS_SHOWN, with_bodies=True, order="flipped")
    with closing(rows):  # type: ignore[type-var]
        for row in rows:
            group = row.pair.scores.group
            if group is None or not group.flip:
                break
            shown.append(
                {
                    "shadow_id": row.pair.copy.shadow_id,
                    "started_ns": row.pair.copy.started_ns,
                    "asked": cut(listed_question(row.pair.copy), _TEXT_CHARS)
                    or f"{row.pair.copy.method} {row.pair.copy.target}",
                    "group": group.number,
                    "seen": group.seen,
                    "prod": group.prod,
                    "shadow": group.shadow,
                    "prod_flip": group.prod_flip,
                    "prod_text": cut(row.pair.prod_text, _TEXT_CHARS),
                    "shadow_text": cut(row.pair.shadow_text, _TEXT_CHARS),
                }
            )
    return shown


def structure(
    rows: RowStats, control: RowStats | None, store: PairSource, name: str, since: int | None
) -> dict[str, Any] | None:
    """Paths at which JSON answers differ, beside how often prod differs there from control; ``None`` without JSON."""
    pairs = rows.structured
    if not pairs:
        return None
    model = NoiseModel()
    found = store.difference_counts(name, since)
    model.add(pairs, {f"{kind} {shape}": n for shape, kind, n, _ in found}, arm="shadow")
    learnt = 0 if control is None else control.structured
    if learnt and name != "control":
        model.add(learnt, {f"{kind} {shape}": n for shape, kind, n, _ in store.difference_counts("control", since)})
    entries: list[dict[str, Any]] = []
    for shape, kind, n, example in found:
        evidence = model.evidence(f"{kind} {shape}")
        first = msgspec.json.decode(example, type=StructureDifference)
        entries.append(
            {
                "path": shape or "/",
                "kind": kind,
                "pairs": n,
                "share": n / pairs,
                "control_pairs": evidence.control_differs if learnt else None,
                "control_share": evidence.control_differs / learnt if learnt else None,
                "p_value": evidence.p_value if learnt else None,
                "noise": evidence.noise,
                "prod": first.a,
                "shadow": first.b,
            }
        )
    entries.sort(key=lambda entry: (entry["noise"], -entry["pairs"], entry["path"]))
    return {
        "pairs": pairs,
        "control_pairs": learnt,
        "real": sum(not entry["noise"] for entry in entries),
        "noise": sum(entry["noise"] for entry in entries),
        "places": entries[:_DIFFERENCES_SHOWN],
    }


def judge_agreement(saved: str, shadow: str) -> dict[str, Any] | None:
    """How often the judge says what the rules and ΔS say of a shadow's pairs, over the store's life: by class of doubt,
    and over all classes, weighted by their sizes. Intervals hold at any time (95 %). ``None`` without a verdict.
    """
    tallies = msgspec.json.decode(saved, type=JudgeState).tallies.get(shadow, {}) if saved else {}
    known = {doubt: tally for doubt, tally in tallies.items() if tally.judged}
    if not known:
        return None
    seen = sum(tally.seen for tally in tallies.values())
    classes, low, high, share, weighed = [], 0.0, 0.0, 0.0, 0.0
    for doubt, text in DOUBTS.items():
        tally = tallies.get(doubt)
        if tally is None:
            continue
        # A class that nobody judged may agree or not.
        risk, weight = 0.05 / len(known), tally.seen / seen
        each = rate_cs(tally.agreed, tally.judged, alpha=risk) if tally.judged else None
        low += weight * (each.lower if each else 0.0)
        high += weight * (each.upper if each else 1.0)
        share += weight * each.estimate if each else 0.0
        weighed += weight if each else 0.0
        classes.append({"doubt": doubt, "text": text, "seen": tally.seen, **_agreed(tally.agreed, tally.judged)})
    sums = {name: sum(getattr(tally, name) for tally in known.values()) for name in Tally.__struct_fields__}
    return {
        "judged": sum(tally.judged for tally in known.values()),
        "share": share / weighed,
        "interval": [low, high],
        "accepted": _agreed(sums["accepted_same"], sums["accepted_same"] + sums["accepted_not"]),
        "objected": _agreed(sums["objected_not"], sums["objected_same"] + sums["objected_not"]),
        "inconsistent": sums["inconsistent"],
        "classes": classes,
    }


def _agreed(agreed: int, judged: int) -> dict[str, Any]:
    seen = rate_cs(agreed, judged) if judged else None
    return {
        "judged": judged,
        "agreed": agreed,
        "interval": None if seen is None else [seen.lower, seen.upper],
    }


def judge_counts(saved: str) -> dict[str, Any] | None:
    """What became of the judge's candidates over the store's life; ``None`` when there never was a judge."""
    if not saved:
        return None
    state = msgspec.json.decode(saved, type=JudgeState)
    return {"model": state.model, "judged": state.judged, "failed": state.failed, "skipped": state.skipped}
