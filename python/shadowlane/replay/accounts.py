"""What became of each record of a source: counts by reason, and which records were damaged.

Invariant: ``read = rows + Σ skipped``; a row was sent, or it says why not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..render.text import Line, printable
from ..sources import Unusable
from ..store import Store

__all__ = ["DAMAGED_SHOWN", "Accounts", "sent_and_not"]

DAMAGED_SHOWN = 20


@dataclass(slots=True)
class Accounts:
    """Of one pass over the source."""

    read: int = 0
    rows: int = 0
    """Exchanges whose rows are stored, those of an earlier run of the same command included."""
    resumed: int = 0
    """Those of an earlier run."""
    skipped: Counter[str] = field(default_factory=Counter)
    damaged: list[str] = field(default_factory=list)
    """The first of them, with position and cause."""
    late_s: float = 0.0
    """How far the replay fell behind its pace, at most."""

    def unusable(self, record: Unusable) -> None:
        """Count a record that is no exchange."""
        self.skip(record.reason)
        if record.reason == "damaged" and len(self.damaged) < DAMAGED_SHOWN:
            self.damaged.append(f"{record.where}: {record.why}")

    def skip(self, reason: str) -> None:
        """Count an exchange that becomes no row."""
        self.skipped[reason] += 1


def sent_and_not(store: Store, shadow: str) -> tuple[int, Counter[str], Counter[str]]:
    """Of a shadow's rows: how many were sent, of those the failed by reason, and the unsent by reason."""
    sent, failed, unsent = 0, Counter[str](), Counter[str]()
    for columns in store.pieces(shadow):
        for reason, tries in zip(columns.reason.tolist(), columns.tries.tolist(), strict=True):
            if not tries and reason:
                unsent[reason] += 1
                continue
            sent += 1
            if reason:
                failed[reason] += 1
    return sent, failed, unsent


def account_data(accounts: Accounts, store: Store, shadow: str) -> dict[str, Any]:
    """The same, JSON-ready; ``read = sent + Σ skipped`` is ``holds``."""
    sent, failed, unsent = sent_and_not(store, shadow)
    skipped = accounts.skipped + unsent
    return {
        "read": accounts.read,
        "rows": sent + sum(unsent.values()),
        "sent": sent,
        "skipped": dict(sorted(skipped.items())),
        "holds": accounts.read == sent + sum(skipped.values()),
        "answered": sent - sum(failed.values()),
        "failed": dict(sorted(failed.items())),
        "resumed": accounts.resumed,
        "late_s": round(accounts.late_s, 3),
        "damaged": list(accounts.damaged),
    }


def account_lines(data: Mapping[str, Any], title: str, verb: str = "sent") -> list[Line]:
    """For a person."""
    skipped, failed = data["skipped"], data["failed"]
    left_out = f" + skipped {sum(skipped.values())}" if skipped else ""
    lines: list[Line] = [
        (printable(title), "title"),
        (f"read {data['read']} = {verb} {data['sent']}{left_out}", "" if data["holds"] else "bad"),
    ]
    if skipped:
        lines.append((f"skipped: {_listed(skipped)}", "open"))
    lines.append((f"answered {data['answered']}" + (f", failed: {_listed(failed)}" if failed else ""), ""))
    if data["resumed"]:
        lines.append((f"{data['resumed']} of them by an earlier run of this command", ""))
    if data["late_s"] >= 1:
        lines.append((f"at most {data['late_s']:.0f} s behind its pace: the cap and the shadow decide", ""))
    lines += [(printable(f"damaged: {one}"), "open") for one in data["damaged"]]
    more = skipped.get("damaged", 0) - len(data["damaged"])
    if more > 0:
        lines.append((f"damaged: and {more} more", "open"))
    return [*lines, ("", "")]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{printable(name)} {n}" for name, n in counts.items())
