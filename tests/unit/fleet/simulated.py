"""A fleet in simulated time: hosts with clocks of their own, an engine that loses, and messages that are late or lost.

What is simulated are the network, the clocks and the control file; every decision is :class:`.Member`'s.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from shadowlane.fleet.member import DRIFT, MICRO, Held, Member, Plan, Terms
from shadowlane.fleet.record import Record, decoded, encoded

LEASE_S = 5.0


class Register:
    """The engine: one document under compare and swap, on a server that can die, and lose what it wrote last."""

    def __init__(self) -> None:
        self.data: bytes | None = None
        self.life = 0
        self.history: list[bytes | None] = [None]

    def read(self) -> tuple[bytes | None, str]:
        return self.data, str(self.life)

    def swap(self, expected: int | None, data: bytes, life: str) -> bool:
        there = decoded(self.data).version if self.data is not None else None
        if there != expected or life != str(self.life):
            return False
        self.data = data
        self.history.append(data)
        return True

    def restart(self, lose: int) -> None:
        """Come up again without the last ``lose`` writes."""
        self.history = self.history[: max(len(self.history) - lose, 1)]
        self.data = self.history[-1]
        self.life += 1


class Bucket:
    """The control file's lease, as ``rust/lane/src/lease.rs`` keeps it, by the host's clock."""

    def __init__(self) -> None:
        self.number = self.epoch = 0
        self.rate = self.burst = self.level = self.at = self.until = 0.0

    def fill(self, now: float) -> None:
        self.level = min(self.level + self.rate * (now - self.at), self.burst)
        self.at = now

    def begin(self, plan: Plan, until: float, now: float) -> None:
        self.fill(now)
        grant = plan.grant
        self.rate, self.burst, self.until = grant.rate / MICRO, float(grant.burst), until
        self.number, self.epoch = grant.number, plan.record.epoch
        self.level = min(self.level, self.burst) if plan.goes_on else 0.0

    def take(self, now: float) -> bool:
        self.fill(now)
        if now >= self.until or self.level < 1:
            return False
        self.level -= 1
        return True

    def saved(self, now: float) -> float:
        """What could be taken at once."""
        self.fill(now)
        return self.level if now < self.until else 0.0


class SimulatedHost:
    """A host: its clock runs at ``speed`` from ``offset``; a request to the engine may be on its way in both
    directions."""

    def __init__(self, name: str, terms: Terms, speed: float, offset: float) -> None:
        self.name, self.terms, self.speed, self.offset = name, terms, speed, offset
        self.bucket = Bucket()
        self.member = Member(name, name, terms)
        self.asked = 0.0
        self.answer: tuple[bytes | None, str] | None = None
        self.wanted = 0
        self.plan: Plan | None = None
        self.accepted: bool | None = None

    def clock(self, time: float) -> float:
        return self.offset + time * self.speed

    def restart_worker(self) -> None:
        """Its worker was killed: what was on its way comes to nobody. The control file stays."""
        self.member = Member(self.name, self.name, self.terms)
        self.give_up()

    def restart_machine(self, name: str) -> None:
        """The control file is gone: the fleet sees another host."""
        self.name, self.bucket = name, Bucket()
        self.restart_worker()

    def give_up(self) -> None:
        self.answer = self.plan = None
        self.accepted = None

    def ask(self, engine: Register, time: float) -> None:
        self.give_up()
        self.asked = self.clock(time)
        self.answer = engine.read()

    def decide(self, time: float) -> tuple[int | None, bytes, str] | None:
        """The answer has come: what to write, as a message."""
        if self.answer is None:
            return None
        (data, life), self.answer = self.answer, None
        now = self.clock(time)
        before = decoded(data) if data is not None else None
        record = self.member.look(before, life, now)
        expected = before.version if before is not None else None
        if record is not before:
            self.plan = None
            fresh = msgspec.structs.replace(record, version=record.version + 1)
            return expected, encoded(fresh), life
        bucket = self.bucket
        held = Held(bucket.number, bucket.epoch, max(bucket.until - now, 0.0))
        self.plan = self.member.plan(record, held, self.wanted, now)
        return (expected, encoded(self.plan.record), life) if self.plan else None

    def hear(self, accepted: bool, time: float) -> None:
        """Whether the write was taken."""
        if self.plan is not None and accepted:
            self.bucket.begin(self.plan, self.asked + self.terms.lease_s, self.clock(time))
            self.member.wrote(self.plan.record, self.clock(time))
        self.plan = None


class Law:
    """What was admitted by all hosts, against rate * t + burst in every window, as a bucket that fills by the rate."""

    def __init__(self, rate: float, burst: float, ahead: float = DRIFT / 2) -> None:
        # The fastest clock that is allowed runs so much ahead of true time.
        self.rate, self.burst = rate * (1 + ahead), burst
        self.level, self.at = burst, 0.0

    def fill(self, time: float) -> None:
        self.level = min(self.level + self.rate * (time - self.at), self.burst)
        self.at = time

    def holds(self, time: float, hosts: Iterable[SimulatedHost]) -> None:
        """Whatever is taken from now on: what all hosts have saved up is no more than what may be admitted at once
        now, and what they get is no more than the rate."""
        self.fill(time)
        saved = sum(host.bucket.saved(host.clock(time)) for host in hosts)
        assert saved <= self.level + 1e-6, f"{saved:.3f} saved up at {time:.3f} s, {self.level:.3f} may be admitted"
        rate = sum(host.bucket.rate for host in hosts if host.clock(time) < host.bucket.until)
        assert rate <= self.rate + 1e-6, f"shares of {rate:.3f} a second are in use at {time:.3f} s"

    def admitted(self, time: float) -> None:
        self.fill(time)
        self.level -= 1
        assert self.level > -1e-6, f"{-self.level:.3f} copies over rate * t + burst at {time:.3f} s"


def record_of(engine: Register) -> Record | None:
    return decoded(engine.data) if engine.data is not None else None
