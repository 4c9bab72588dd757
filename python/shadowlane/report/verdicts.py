"""The verdicts on a lane now, as ``shadowlane gate --json``, ``--wait`` and ``GET /gate`` give them.

Invariant: what cannot be evaluated is HOLD with its reason, and has the same members as what can.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..config import Config
from ..gate import Verdict, verdicts_data
from ..gate.arms import arms_data, compare_arms
from ..gate.evidence import evaluate_lane
from ..status.collect import collect_status
from ..status.routes import STOOD_IN, TOLD, prod_lines
from ..store import ProdSeen, open_store
from .source import NoPairs, PairSource
from .terminal import REVERSE

__all__ = ["gate_data", "held_data", "read_arms", "read_verdicts", "reading", "verdict_line"]

_LINE_CHARS = 200
_MET = "every rule is met"
_BASELINE = "the baseline: prod is the candidate"


@contextlib.contextmanager
def reading(config: Config, status: Mapping[str, Any], stop: Callable[[], bool] | None = None) -> Iterator[PairSource]:
    """The store to read from, until ``stop`` says that this is over; one without pairs where there is none yet."""
    if not status["store"]["exists"]:
        yield NoPairs()
        return
    with open_store(config.store, read_only=True, stop=stop) as store:
        yield store


def read_verdicts(
    config: Config, shadow: str | None = None, stop: Callable[[], bool] | None = None
) -> tuple[dict[str, Any], list[Verdict]]:
    """The lane's status and the verdict on each shadow, or on one. Raises
    :class:`~shadowlane.errors.StoreError` and :class:`~shadowlane.errors.LaneError`."""
    status = collect_status(config, flips=False)
    with reading(config, status, stop) as store:
        return status, evaluate_lane(config, status, store, shadow=shadow)


def read_arms(
    config: Config,
    status: Mapping[str, Any],
    verdicts: Sequence[Verdict],
    stop: Callable[[], bool] | None = None,
) -> dict[str, Any] | None:
    """Several shadows side by side, JSON-ready; ``None``: there is only one. Raises
    :class:`~shadowlane.errors.StoreError`."""
    with reading(config, status, stop) as store:
        arms = compare_arms(config, store, time.time_ns(), status)
    return arms_data(arms, {verdict.shadow: verdict.decision for verdict in verdicts})


def gate_data(
    lane: str, status: Mapping[str, Any], verdicts: Sequence[Verdict], arms: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The verdicts, JSON-ready. ``shadow``: the one that is judged, ``None`` for several; ``pins``: by shadow, the
    newest value of each; ``reason``: why it is this verdict, in one line; ``arms``: see :func:`read_arms`. Each of
    ``shadows`` also has ``stood_in``, ``told`` and ``untimed`` (in how many of the newest copies prod's side is not
    what a gateway sees, :class:`~shadowlane.store.ProdSeen`) and ``notes``: how to read it, in words."""
    data = verdicts_data(verdicts)
    for one in data["shadows"]:
        seen = _prod_seen(status, one["shadow"])
        baseline = [REVERSE] if one["direction"] == "reverse" else []
        one |= {**seen, "notes": [*baseline, *prod_lines(seen)]}
    pins = {one["shadow"]: _pins(status, one["shadow"]) for one in data["shadows"]}
    return {
        "lane": lane,
        "shadow": verdicts[0].shadow if len(verdicts) == 1 else None,
        **data,
        "pins": pins,
        "reason": verdict_line(data)[len(data["verdict"]) + 1 :],
        "arms": arms,
    }


def _pins(status: Mapping[str, Any], shadow: str) -> dict[str, str]:
    lately = status["shadows"].get(shadow, {}).get("lately")
    return dict(lately["pins"]) if lately else {}


def _prod_seen(status: Mapping[str, Any], shadow: str) -> dict[str, int]:
    seen = status["shadows"].get(shadow, {})
    return {name: int(seen.get(name, 0)) for name in ProdSeen._fields}


def held_data(lane: str, shadow: str | None, reason: str) -> dict[str, Any]:
    """What stands for verdicts that could not be evaluated."""
    held: dict[str, Any] = {
        "verdict": "HOLD",
        "decision": "HOLD",
        "rules": [],
        "shadows": [],
        "pins": {},
        "arms": None,
    }
    return {"lane": lane, "shadow": shadow, **held, "reason": reason}


def verdict_line(data: Mapping[str, Any]) -> str:
    """The verdict and the rules that decide it, in one line of at most 200 characters."""
    if not data["shadows"]:
        return one_line(f"{data['verdict']} {data['reason']}")
    deciding = [one for one in data["shadows"] if one["verdict"] == data["verdict"]]
    parts = [f"{_named(one)}: {', '.join(_deciding(one)) or _MET}" for one in deciding]
    return one_line(f"{data['verdict']} {'; '.join(parts)}")


def _named(one: Mapping[str, Any]) -> str:
    """The shadow's name; and that it is the baseline, or whose answers it was held against where they were not
    prod's."""
    notes = [_BASELINE] if one["direction"] == "reverse" else []
    notes += [STOOD_IN] if one["stood_in"] else []
    notes += [TOLD] if one["told"] else []
    return f"{one['shadow']} ({'; '.join(notes)})" if notes else str(one["shadow"])


def one_line(text: str) -> str:
    """Without line ends, cut to 200 characters."""
    text = " ".join(text.split())
    return text if len(text) <= _LINE_CHARS else text[: _LINE_CHARS - 1] + "…"


def _deciding(one: Mapping[str, Any]) -> list[str]:
    """The names of the rules for which a shadow's verdict is what it is."""
    waits, by_key = one["waits_for"], {rule["key"]: rule["name"] for rule in one["rules"]}
    if one["verdict"] == "REJECT":
        return [rule["name"] for rule in one["rules"] if rule["beyond"]]
    asked = {"needs a person": waits["person"], "not met": waits["lane"], "needs more data": waits["data"]}
    return [f"{what} for {', '.join(by_key[key] for key in keys)}" for what, keys in asked.items() if keys]
