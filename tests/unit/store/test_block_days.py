"""Over generated days: verdicts and report out of blocks, and out of kept folds, are those out of rows, whenever they
were made and whatever came after."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.columns import KeptFold
from shadowlane.config import Config
from shadowlane.gate import kept, verdict_data
from shadowlane.gate.evidence import evaluate_lane
from shadowlane.gate.keeping import keep
from shadowlane.report.build import build_report
from shadowlane.store import Store, open_store, rolling
from shadowlane.types import Pair
from tests.support.lanes import HOUR_NS, NOW_NS, config_at, failed, make_pairs, make_status
from tests.support.verdicts import altered

from .engines import Engine
from .test_engines_agree import plain

_MIN_NS = 60 * 10**9


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """What traffic was like, and what happened to the store meanwhile."""

    n: int
    hours: float
    seed: int
    mean: float
    slower: float
    block_rows: int
    fails: int
    """One copy in so many fails; 0: none."""
    flips: int
    at_once: int
    """So many rows in a row have one time."""
    elsewhere: int
    """One row in so many of the control has another time than the shadow's; 0: none."""
    control_from: int
    """From which pair on there is a control."""
    late: int
    """One pair in so many comes after blocks were made; 0: none."""
    model_until: int
    """Up to which pair an earlier model answered."""
    kept_hours: float
    """What is older is deleted after blocks were made."""
    now_h: float
    """When it is looked at, hours after the last pair."""


_often = st.sampled_from([0, 2, 3, 7])
_days = st.builds(
    Day,
    n=st.integers(1, 120),
    hours=st.sampled_from([0.2, 3.0, 24.0, 80.0]),
    seed=st.integers(0, 1 << 16),
    mean=st.sampled_from([0.1, 0.4, 0.6]),
    slower=st.sampled_from([0.9, 1.3]),
    block_rows=st.sampled_from([3, 20, 60]),
    fails=_often,
    flips=_often,
    at_once=st.sampled_from([1, 1, 5]),
    elsewhere=_often,
    control_from=st.integers(0, 120),
    late=_often,
    model_until=st.sampled_from([0, 0, 60]),
    kept_hours=st.sampled_from([2.0, 24.0, 1000.0]),
    now_h=st.sampled_from([0.0, 0.1, 2.0, 30.0]),
)


def _pairs(day: Day) -> list[Pair]:
    made = make_pairs(day.n, hours=day.hours, seed=day.seed, mean=day.mean, slower=day.slower)
    made = altered(made, fact_flip=lambda i: bool(day.flips) and i % day.flips == 0)
    made = [msgspec.structs.replace(pair, model_rev="a" if i < day.model_until else "b") for i, pair in enumerate(made)]
    times = [pair.copy.started_ns for pair in made]
    made = altered(made, "copy", started_ns=lambda i: times[i // day.at_once * day.at_once])
    mine = [failed(pair, "deadline") if day.fails and i % day.fails == 0 else pair for i, pair in enumerate(made)]
    theirs = altered(altered(made, "outcome", shadow="control"), delta_s=lambda i: i % 10 / 20)
    if day.elsewhere:
        shift = [(i % 3 - 1) * 70 * _MIN_NS if i % day.elsewhere == 0 else 0 for i in range(len(theirs))]
        theirs = altered(theirs, "copy", started_ns=lambda i: times[i] + shift[i])
    return [*mine, *theirs[day.control_from :]]


def _lane(folder: Path) -> Config:
    control = {"control": {"url": "http://127.0.0.1:9002"}}
    return config_at(folder, gate={"min_pairs": 20, "segment_pairs": 10, "warmup_pairs": 5}, **control)


def _keep(folder: Path, store: Store, now_ns: int) -> None:
    for some in keep(_lane(folder), {}, store, now_ns):
        if isinstance(some, KeptFold):
            store.keep_fold(some)


def _look(folder: Path, store: Store, now_ns: int) -> Any:
    config = _lane(folder)
    status = make_status(100)
    verdicts = [verdict_data(one) for one in evaluate_lane(config, status, store, now_ns=now_ns)]
    return plain(verdicts), plain(build_report(config, status, store, now_ns=now_ns, hours=30.0))


@settings(max_examples=15, deadline=None)
@given(_days)
def test_verdict_and_report_out_of_blocks_are_those_out_of_rows(day: Day) -> None:
    engine, pairs = Engine(), _pairs(day)
    late = {i for i in range(len(pairs)) if day.late and i % day.late == 0}
    now_ns = NOW_NS + int(day.now_h * HOUR_NS)
    with pytest.MonkeyPatch.context() as patched, tempfile.TemporaryDirectory() as folder:
        patched.setattr(rolling, "BLOCK_ROWS", day.block_rows)
        found = []
        patched.setattr(kept, "_LEAST_ROWS", 1)
        for with_blocks, with_folds in ((False, False), (True, False), (True, True)):
            if with_folds and day.elsewhere:
                continue  # a state does not hear of rows beside it that are of another time
            name = f"{with_blocks}{with_folds}.db"
            config = engine.config(Path(folder) / name, max_age_days=day.kept_hours / 24)
            with open_store(config) as store:
                clock = [NOW_NS]
                store._clock_ns = lambda clock=clock: clock[0]  # type: ignore[misc]
                store.set_epoch("ab" * 16, {"candidate": 0, "control": 0})
                store.save([pair for i, pair in enumerate(pairs) if i not in late])
                while with_blocks and store.roll_up():
                    pass
                if with_folds:
                    _keep(Path(folder), store, now_ns)
                store.save([pair for i, pair in enumerate(pairs) if i in late])
                clock[0] = now_ns + 2 * HOUR_NS
                store.prune(clock[0])
                found.append(_look(Path(folder), store, now_ns))  # before they are made anew
                while with_blocks and store.roll_up():
                    pass
                if with_folds:
                    _keep(Path(folder), store, now_ns)
                found.append(_look(Path(folder), store, now_ns))
    for other in found[1:]:
        assert other == found[0]
