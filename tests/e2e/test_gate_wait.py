"""``gate --wait`` as a process: it sees what a store becomes, survives what is wrong for a while, and ends cleanly."""

from __future__ import annotations

import itertools
import signal
import sys

import pytest

from tests.e2e.conftest import ROOT, Process, World, until
from tests.e2e.test_serve import started
from tests.support.seeded import GATE, seed


def waiting(world: World, *options: str) -> Process:
    """A lane that has run, and a command that waits for its verdict; its lines are in a file."""
    started(world, gate=GATE)
    world.processes[-1].stop()
    command = [sys.executable, "-m", "shadowlane", "gate", "--wait", "--interval", "100ms", *options]
    shell = ["/bin/sh", "-c", 'exec "$@" >"$0"', str(world.folder / "lines"), *command, "--config", str(world.config)]
    made = Process(shell, world.folder / "wait.log", {"PYTHONPATH": str(ROOT / "python"), "COLUMNS": "4000"})
    world.processes.append(made)
    until(lambda: lines(world), "a first line")
    return made


def lines(world: World) -> list[str]:
    file = world.folder / "lines"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize(("verdict", "code"), [("GRADUATE", 0), ("REJECT", 1)])
def test_it_ends_when_the_verdict_is_there(world: World, verdict: str, code: int) -> None:
    made = waiting(world)
    assert " HOLD candidate: needs more data for " in lines(world)[0]
    broken = world.database.read_bytes()
    world.database.write_bytes(b"no database at all")
    until(
        lambda: any(" HOLD cannot be evaluated now: " in line for line in lines(world)),
        "a store that is broken is said",
    )
    world.database.write_bytes(broken)
    seed(world.config, verdict)
    assert made.popen.wait(60) == code
    said = lines(world)
    assert f" {verdict} candidate: " in said[-1]
    verdicts = [line.split(" ", 2)[2] for line in said]
    assert all(one != other for one, other in itertools.pairwise(verdicts)), "a line is a change"
    assert made.log.read_text() == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_told_to_end_ends_without_a_word(world: World, number: int) -> None:
    made = waiting(world, "--timeout", "1h")
    assert made.stop(number) == (3 if number == signal.SIGINT else -signal.SIGTERM)
    assert made.log.read_text() == ""


def test_time_that_is_over_is_exit_1(world: World) -> None:
    made = waiting(world, "--timeout", "1s")
    assert made.popen.wait(60) == 1
    assert all(" HOLD " in line for line in lines(world))
