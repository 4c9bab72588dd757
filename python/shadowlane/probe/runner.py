"""Asks both services every item in every wording with every seed, and goes on where a killed run stopped.

Invariants: each (item, wording, seed, service) is answered at most once in the state file; a service that nobody
answers at ends the run early, with what was answered kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import xxhash

from ..config import ShadowConfig
from ..errors import DataError, ShadowlaneError
from ..transport import open_transport
from .gold import GoldItem
from .service import Pace, Service
from .shape import Shape
from .state import Arm, Run, RunState, Wordings
from .wordings import ask_for_wordings, given_wordings, missing

__all__ = ["Plan", "Runs", "Target", "run_probe"]

Runs = dict[tuple[str, int, int, Arm], Run]

_GIVE_UP = 8
"""Requests in a row that found nobody before the run ends."""


@dataclass(frozen=True, slots=True)
class Target:
    """A service, or the endpoint that writes paraphrases."""

    url: str
    model: str = ""
    credential: tuple[bytes, bytes] | None = None
    timeout_s: float = 60.0

    def config(self, concurrency: int) -> ShadowConfig:
        """As the worker's transport takes it."""
        return ShadowConfig(url=self.url, timeout_s=self.timeout_s, concurrency=concurrency)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of whom. ``qps`` and ``concurrency`` are for each service; ``qps`` 0 is no limit."""

    items: Sequence[GoldItem]
    prod: Target
    shadow: Target
    shape: Shape = field(default_factory=Shape)
    seeds: tuple[int, ...] = (1, 2)
    wordings: int = 3
    concurrency: int = 4
    qps: float = 5.0
    text_pointer: str = ""
    citations_pointer: str = ""
    paraphrases: Target | None = None

    def fingerprint(self, gold: bytes) -> str:
        """What makes two runs the same: gold file, services and requests; how fast they are sent does not matter."""
        parts = (
            gold,
            *(repr((target.url, target.model)).encode() for target in (self.prod, self.shadow)),
            repr((self.shape.method, self.shape.path, self.shape.body_template())).encode(),
            repr((self.seeds, self.wordings, self.text_pointer, self.citations_pointer)).encode(),
        )
        state = xxhash.xxh3_128()
        for part in parts:
            state.update(len(part).to_bytes(8, "little") + part)
        return str(state.hexdigest())


async def run_probe(
    plan: Plan, state: RunState, progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[dict[str, tuple[str, ...]], Runs]:
    """The wordings of each item, and every run. ``progress`` is told how many of how many are answered.

    Raises :class:`~shadowlane.errors.DataError` when an item has too few wordings and no endpoint writes more, and
    :class:`~shadowlane.errors.ShadowlaneError` when a service cannot be reached at all.
    """
    wordings = await _wordings(plan, state)
    runs: Runs = dict(state.runs)
    total = 2 * len(plan.items) * plan.wordings * len(plan.seeds)
    progress(len(runs), total)
    async with contextlib.AsyncExitStack() as stack:
        services = [_opened(plan, "prod", plan.prod, stack), _opened(plan, "shadow", plan.shadow, stack)]
        jobs = [job for job in _jobs(plan, services) if job.key not in runs]
        await _send(plan, state, wordings, runs, jobs, lambda: progress(len(runs), total))
        for service, target in services:
            mine = [run for run in runs.values() if run.arm == service.arm]
            if mine and all(run.reason for run in mine):
                raise ShadowlaneError(_nobody(service.arm, target, mine[-1]))
    return wordings, runs


class _Job(NamedTuple):
    """One request of a run."""

    service: Service
    target: Target
    number: int
    """Counted over all requests of the plan, those of an earlier process included: it names the request."""
    key: tuple[str, int, int, Arm]
    """Item, wording, seed, arm."""


def _opened(plan: Plan, arm: Arm, target: Target, stack: contextlib.AsyncExitStack) -> tuple[Service, Target]:
    transport = open_transport(arm, target.config(plan.concurrency), target.credential, where="")
    stack.push_async_callback(transport.close)
    service = Service(
        arm,
        transport,
        Pace(plan.qps),
        concurrency=plan.concurrency,
        text_pointer=plan.text_pointer,
        citations_pointer=plan.citations_pointer,
    )
    return service, target


def _jobs(plan: Plan, services: Sequence[tuple[Service, Target]]) -> Iterator[_Job]:
    runs = itertools.product(plan.items, range(plan.wordings), plan.seeds, services)
    for number, (item, wording, seed, (service, target)) in enumerate(runs, 1):
        yield _Job(service, target, number, (item.id, wording, seed, service.arm))


async def _wordings(plan: Plan, state: RunState) -> dict[str, tuple[str, ...]]:
    short = [item for item in missing(plan.items, plan.wordings) if item.id not in state.wordings]
    if short and plan.paraphrases is None:
        names = ", ".join(repr(item.id) for item in short[:5]) + (", ..." if len(short) > 5 else "")
        raise DataError(
            f"{len(short)} items have fewer than {plan.wordings} wordings ({names}); write paraphrases into the gold "
            "file, give --paraphrase-url and --paraphrase-model, or lower --paraphrases"
        )
    if short and plan.paraphrases is not None:
        target = plan.paraphrases
        transport = open_transport("paraphrases", target.config(plan.concurrency), target.credential, where="")
        pace = Pace(plan.qps)
        try:
            for number, item in enumerate(short, 1):
                await pace.turn()
                texts = await ask_for_wordings(transport, target.url, target.model, item, plan.wordings, number)
                state.add(Wordings(item=item.id, texts=texts))
        finally:
            await transport.close()
    return {item.id: state.wordings.get(item.id) or tuple(given_wordings(item, plan.wordings)) for item in plan.items}


async def _send(
    plan: Plan,
    state: RunState,
    wordings: dict[str, tuple[str, ...]],
    runs: Runs,
    jobs: Sequence[_Job],
    step: Callable[[], None],
) -> None:
    # A queue for each service, so that a slow one does not hold the other's turns.
    queues: dict[Arm, list[_Job]] = {}
    for job in reversed(jobs):
        queues.setdefault(job.service.arm, []).append(job)

    async def work(queue: list[_Job]) -> None:
        while queue:
            service, target, number, key = queue.pop()
            item, wording, seed, arm = key
            request = plan.shape.request(target.url, wordings[item][wording], seed, target.model, number)
            run = await service.ask(request, item, wording, seed)
            state.add(run)
            runs[key] = run
            step()
            if service.unreached >= _GIVE_UP and not service.answered:
                raise ShadowlaneError(_nobody(arm, target, run))

    tasks = [asyncio.create_task(work(queue)) for queue in queues.values() for _ in range(plan.concurrency)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _nobody(arm: Arm, target: Target, run: Run) -> str:
    return (
        f"--{arm} = {target.url!r}: gave no answer: {run.detail or run.reason}; start it or correct the address, then "
        "run the same command again: it goes on where it stopped"
    )
