"""The worker's part in the fleet's budgets: what it does with slices, races, and an engine that fails."""

from __future__ import annotations

import logging

import pytest

from shadowlane.errors import FleetError
from shadowlane.fleet.budget import Earlier
from shadowlane.fleet.budget_keeper import BudgetKeeper
from shadowlane.fleet.engine import Stored
from shadowlane.fleet.ledger import Amount, Ledger, decoded, encoded
from shadowlane.limits import Allowance, BudgetLimits
from shadowlane.limits.prices import Spent

from .memory import Memory

LIMIT = 10_000.0


class World:
    """Workers on one engine, and the time of all of them."""

    def __init__(self, count: int, spent: float = 0.0) -> None:
        self.now = 1000.0
        self.engine = Memory()
        self.allowances: list[Allowance] = []
        self.keepers = [self.keeper(number, spent) for number in range(count)]

    def clock(self) -> float:
        return self.now

    def keeper(self, number: int, spent: float = 0.0) -> BudgetKeeper:
        self.allowances.append(Allowance(BudgetLimits(tokens_per_hour=LIMIT), clock=self.clock))
        return BudgetKeeper(
            self.engine, {"s": self.allowances[-1]}, process=f"p{len(self.allowances)}", name=f"machine{number}",
            lease_s=5.0, store="one of all", earlier={"s": [Earlier(10.0, Amount(spent, 0.0))]} if spent else {},
            clock=self.clock, wait=lambda _: None,
        )  # fmt: skip

    def run(self, seconds: float) -> None:
        ends = self.now + seconds
        while self.now < ends:
            for keeper in self.keepers:
                keeper.round()
            self.now += 0.4

    def ledger(self) -> Ledger:
        assert self.engine.stored.data is not None
        return decoded(self.engine.stored.data)


def spend(allowance: Allowance, cost: float) -> bool:
    if not allowance.take():
        return False
    allowance.spend(Spent(cost, 0.0))
    allowance.done()
    return True


def test_workers_get_slices_after_one_lease_and_what_they_spend_is_counted() -> None:
    world = World(2)
    world.run(5.0)
    assert not any(one.allows() for one in world.allowances)
    assert world.keepers[0].state()["opens_in_s"] in (0, 1)
    world.run(1.5)
    assert all(spend(one, 20.0) for one in world.allowances)
    world.run(4.0)
    assert world.allowances[0].fleet["tokens_per_hour"] >= 40.0
    assert sum(slot.spent.tokens for slot in world.ledger().spent["s"]) == 40.0
    assert world.keepers[0].state() == {"error": "", "processes": 2, "opens_in_s": 0}


def test_all_of_it_is_spent_and_then_the_limit_is_named() -> None:
    world = World(3)
    for _ in range(60):
        world.run(0.4)
        for one in world.allowances:
            while spend(one, 20.0):
                pass
    assert LIMIT - 3 * 20 <= sum(one.needs().spent.tokens for one in world.allowances) <= LIMIT
    assert {one.reached for one in world.allowances} == {"tokens_per_hour"}


def test_what_a_store_that_all_share_tells_of_before_is_counted_once() -> None:
    world = World(3, spent=LIMIT - 500)
    world.run(8.0)
    assert world.ledger().stores.keys() == {"one of all"}
    assert sum(slot.spent.tokens for slot in world.ledger().spent["s"]) == LIMIT - 500
    world.keepers.append(world.keeper(3, spent=LIMIT - 500))
    world.run(2.0)
    assert sum(slot.spent.tokens for slot in world.ledger().spent["s"]) == LIMIT - 500


def test_an_engine_that_is_away_is_said_once_and_the_slice_stays_to_its_end(caplog: pytest.LogCaptureFixture) -> None:
    world = World(1)
    world.run(7.0)
    world.engine.away = True
    with caplog.at_level(logging.INFO):
        world.run(1.0)
        assert spend(world.allowances[0], 5.0)
        world.run(6.0)
        assert not world.allowances[0].allows()
        assert world.keepers[0].state()["error"] == "memory: away"
        world.engine.away = False
        world.run(1.0)
    said = [record.getMessage() for record in caplog.records]
    assert [("until this host's slice ends" in text, "answers again" in text) for text in said] == [
        (True, False),
        (False, True),
    ]
    assert world.allowances[0].allows()


def test_a_write_whose_answer_was_lost_gives_nothing_until_it_is_seen() -> None:
    world = World(1)
    world.run(7.0)
    swap, taken = world.engine.swap, []

    def lost(before: Stored, version: int, data: bytes) -> bool:
        taken.append(swap(before, version, data))
        raise FleetError("memory: lost")

    allowance = world.allowances[0]
    for _ in range(3):
        spend(allowance, 10.0)
    world.engine.swap = lost  # type: ignore[method-assign]
    left = allowance.left()[0].tokens
    world.run(2.8)
    assert any(taken)
    assert allowance.left()[0].tokens <= left
    world.engine.swap = swap  # type: ignore[method-assign]
    world.run(0.4)
    assert sum(slot.spent.tokens for slot in world.ledger().spent["s"]) == 30.0


def test_calls_that_go_out_meanwhile_are_kept() -> None:
    """A slice that others leave less of is not lowered below what is out."""
    world = World(1)
    world.run(7.0)
    one = world.allowances[0]
    assert spend(one, 20.0)
    world.run(1.0)
    while one.take():
        pass
    held = one.needs().held.tokens
    # Another one has taken all the rest.
    other = world.keeper(1)
    for _ in range(40):
        other.round()
        while spend(world.allowances[1], 20.0):
            pass
        world.keepers[0].round()
        world.now += 0.4
    assert held
    assert world.ledger().slices["p1"].parts["s"].open.tokens >= held
    assert held + 20.0 + world.allowances[1].needs().spent.tokens <= LIMIT


def test_who_leaves_says_what_it_spent_and_gives_the_rest_back() -> None:
    world = World(2)
    world.run(7.0)
    assert spend(world.allowances[0], 30.0)
    world.keepers[0].leave()
    assert not world.allowances[0].allows()
    assert world.ledger().slices.keys() == {"p2"}
    assert sum(slot.spent.tokens for slot in world.ledger().spent["s"]) == 30.0
    world.keepers[0].leave()
    world.engine.away = True
    world.keepers[1].leave()
    world.keepers[1].close()


def test_a_ledger_of_another_release_is_left_alone_and_said() -> None:
    world = World(1)
    world.engine.stored = Stored(encoded(Ledger(1, 7, "1", form=2)), 7, "1")
    world.run(2.0)
    assert world.engine.stored.version == 7
    assert "form 2" in world.keepers[0].state()["error"]
    world.engine.stored = Stored(b"{}", 7, "1")
    world.run(1.0)
    assert "another fleet.name" in world.keepers[0].state()["error"]
