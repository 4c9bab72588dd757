"""Reads a lane at scrape: control file, rings, store and the worker's state; keeps nothing between two scrapes.

Invariants: a scrape reads counts and sums, never rows, so its cost does not grow with what is stored; what cannot be
read is left out and named by ``shadowlane_readable``, never shown as zero; it raises nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.registry import Collector

from .. import __version__
from ..capture.received import read_received
from ..config import Config, lane_directory
from ..config.worker_file import running_revision, worker_config
from ..errors import LaneError, StoreError
from ..files import may_exist
from ..status.lane import LaneStatus, read_lane, read_settled, unstarted
from ..status.offload import offload_of
from ..store import find_store
from ..worker.state import read_state
from .families import Families
from .lane import add_lane, add_limits, add_offload, add_receivers, add_times
from .rows import StoreReading, add_copies, add_hosts, add_rows, read_store
from .verdicts import Judged, add_verdicts

__all__ = ["LaneCollector"]


class LaneCollector(Collector):
    """One lane's metrics, with its last verdicts; ``None``: there are none yet."""

    def __init__(self, config: Config, judged: Judged | None = None) -> None:
        self._config = config
        self._judged = judged
        self._directory = lane_directory(config)

    def collect(self) -> Iterable[Metric]:
        """The families of one scrape."""
        begun = time.perf_counter()
        families = Families(self._config.lane.name)
        families.info("shadowlane_build_info", __version__)
        started = may_exist(self._directory / "control.shm") or self._directory.is_symlink()
        lane: LaneStatus | None = None
        try:
            before = read_lane(self._directory) if started else unstarted(self._config)
            reading, readable = self._read_store(before.lane_id)
            lane, balanced = read_settled(self._directory) if started else (before, True)
            if started:
                add_times(families, self._directory)
        except LaneError:
            families.add("shadowlane_readable", False, "lane")
        else:
            families.add("shadowlane_readable", True, "lane")
            families.add("shadowlane_readable", readable, "store")
            add_lane(families, lane, started=started)
            offload = offload_of(self._config, read_state(self._directory), lane.lane_id)
            holds = balanced and not (offload and offload["missing"])
            if reading is not None:
                if offload is None or offload["role"] == "judge":
                    held = offload["held"] if offload else None
                    holds &= add_copies(families, reading, self._config.arms(), before, lane, held=held)
                add_rows(families, reading.observed, self._config.arms())
                since_ns = time.time_ns() - int(self._config.gate.window_hours * 3600e9)
                add_hosts(families, reading.hosts, since_ns)
            if reading is not None or offload is not None:
                families.add("shadowlane_accounting_holds", holds)
            if started:
                families.add("shadowlane_readable", add_limits(families, self._directory, lane), "worker")
            add_offload(families, offload)
            if started:
                add_receivers(families, read_received(self._directory, lane.lane_id))
            self._add_revisions(families, lane)
        if self._judged is not None:
            add_verdicts(families, self._judged)
        families.add("shadowlane_scrape_duration_seconds", time.perf_counter() - begun)
        return families.all()

    def _read_store(self, lane_id: str) -> tuple[StoreReading | None, bool]:
        try:
            found = find_store(self._config.store)
            if found is None:
                return None, True  # nothing is stored yet
            with found as store:
                return read_store(store, lane_id), True
        except StoreError:
            return None, False

    def _add_revisions(self, families: Families, lane: LaneStatus) -> None:
        state = read_state(self._directory) if lane.worker.alive else None
        running = "" if state is None else state.get("revision", "")
        families.info(
            "shadowlane_configuration_info",
            worker_config(self._config, self._directory).revision(),
            running_revision(self._directory),
            running if isinstance(running, str) else "",
        )
