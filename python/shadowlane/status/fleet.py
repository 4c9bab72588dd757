"""This host's share of its fleet's cap, in words: what it is, or why there is none.

Invariant: where nothing is mirrored for want of a share, a line says so and why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..config import Config
from ..errors import ShadowlaneError
from .check import Check

__all__ = ["fleet_checks", "fleet_lines", "leader_checks", "leader_lines"]


def fleet_lines(
    fleet: Mapping[str, Any] | None, lease: Mapping[str, Any] | None, budgets: Mapping[str, Any] | None = None
) -> list[str]:
    """``fleet`` and ``budgets`` are what the worker said, ``lease`` what the control file has; nothing where there is
    no fleet."""
    return [*_share_lines(fleet, lease), *_budget_lines(budgets)]


def _budget_lines(budgets: Mapping[str, Any] | None) -> list[str]:
    if budgets is None:
        return []
    if budgets["error"]:
        return [f"budgets: its engine is away, and shadows with a budget get nothing without it: {budgets['error']}"]
    if budgets["opens_in_s"]:
        return [f"budgets: their ledger began anew, slices of before are over in {budgets['opens_in_s']} s"]
    return [f"budgets: {budgets['processes']} workers share them"]


def _share_lines(fleet: Mapping[str, Any] | None, lease: Mapping[str, Any] | None) -> list[str]:
    if lease is None:
        return []
    if lease["left_s"] > 0 and lease["burst"]:
        lines = ["{rate:.3g} copies a second and {burst} at once are this host's for {left_s:.1f} s".format(**lease)]
    else:
        lines = [f"NO SHARE, nothing is mirrored here (refused requests count as cap): {_why(fleet)}"]
    if fleet is None:
        return lines
    if fleet["error"] and not lines[0].startswith("NO"):
        lines.append(f"its engine is away, and without it nothing is mirrored when the share ends: {fleet['error']}")
    if fleet["joined"]:
        lines.append(
            f"{fleet['hosts']} hosts share {fleet['rate']:g} copies a second and {fleet['burst']} at once, by "
            f"{fleet['engine']}"
        )
    return lines


def _why(fleet: Mapping[str, Any] | None) -> str:
    if fleet is None:
        return "no worker runs that could get one"
    if fleet["error"]:
        return f"its engine is away: {fleet['error']}"
    if fleet["opens_in_s"]:
        return f"the fleet's record began anew, what was granted before is over in {fleet['opens_in_s']} s"
    if fleet["joined"]:
        return "others have it; it comes with their next round, or limits.burst is too small for so many hosts"
    return "the worker asks for one"


def leader_lines(leaders: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Who does what is done once for all that write to the store, a line a task."""
    return [f"{task}: {_who(leader)} (token {leader['token']})" for task, leader in sorted(leaders.items())]


def _who(leader: Mapping[str, Any]) -> str:
    if leader["left_s"]:
        return "this worker, for all" if leader["here"] else f"a worker on {leader['host']}, for all"
    return "NOBODY now" if leader["host"] == "-" else f"NOBODY now; the last was a worker on {leader['host']}"


def leader_checks(leaders: Mapping[str, Mapping[str, Any]]) -> Iterator[Check]:
    """Whether somebody does what is done once for all, as this host's worker last saw it."""
    idle = [task for task, leader in leaders.items() if not leader["left_s"]]
    if idle:
        text = f"nobody leads now: {', '.join(sorted(idle))}"
        yield Check("leaders", "warn", text, "a worker takes over within a minute; if not, see the workers' logs")
    elif leaders:
        yield Check("leaders", "ok", "; ".join(leader_lines(leaders)))


def fleet_checks(config: Config) -> Iterator[Check]:
    """Whether the fleet's engine answers, and what about it weakens the fleet's promises."""
    if not config.fleet.on:
        return
    from ..fleet.opening import open_engine

    try:
        engine = open_engine(config.fleet.address(), config.fleet.name or config.lane.name)
        try:
            engine.read()
            notes = engine.notes()
        finally:
            engine.close()
    except ShadowlaneError as error:
        yield Check(
            "fleet", "fail", str(error), "without its engine this host mirrors nothing; see docs/operate/fleet.md"
        )
        return
    yield Check("fleet", "ok", f"{engine.kind} answers")
    if not config.store.on_server and config.worker.role == "all":
        text = (
            "cap, budgets, switch, pauses and pins are the fleet's; store, verdict and its alerts are this host's own"
        )
        yield Check("fleet", "ok", text)
    for note in notes:
        text, _, remedy = note.rpartition("; ")
        yield Check("fleet", "warn", text, remedy)
