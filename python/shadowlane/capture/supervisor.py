"""Keeps the lane's worker running while a gateway process lives, and hands it the gateway's configuration.

Invariant: a gateway that ends, cleanly or not, takes no worker with it; the worker's lock file elects which of the
started ones stays.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ..config import Config
from ..errors import LaneError
from ..files import append_private, write_private

__all__ = ["Supervisor", "spawn_worker", "write_worker_config"]

log = logging.getLogger("shadowlane")

_SUPERVISE_EVERY_S = 1.0
_HEARTBEAT_STALE_S = 5.0


def write_worker_config(config: Config, directory: Path) -> Path:
    """Write what the worker reads: the very configuration that the gateway checked, with absolute paths.

    It holds no secret: credentials are named. Raises :class:`~shadowlane.errors.LaneError` when it cannot be written.
    """
    plain = config.to_dict()
    plain["store"]["url"] = config.store.anchored(Path.cwd()).url
    plain["lane"]["directory"] = str(directory)
    target = directory / "config.json"
    try:
        write_private(target, json.dumps(plain, allow_nan=False).encode())
    except OSError as error:
        raise LaneError(f"{target}: cannot be written: {error.strerror}; check the rights and space there") from None
    return target


class Supervisor:
    """Keeps one worker running for the lane while this gateway process lives.

    Every gateway process has one; the worker's lock file elects which started worker stays. A worker that does not
    come up is tried again after 1, 2, 4 ... 60 seconds.
    """

    def __init__(self, heartbeat_age_s: Callable[[], float | None], directory: Path, worker_config: Path) -> None:
        self._heartbeat_age_s = heartbeat_age_s
        self._directory = directory
        self._worker_config = worker_config
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadowlane-supervisor", daemon=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._backoff_s = _SUPERVISE_EVERY_S
        self._next_try = 0.0

    def start(self) -> None:
        """Look once now, and then every second on a thread of its own."""
        self._step()
        self._thread.start()

    def stop(self) -> None:
        """End the thread. The worker stays: it empties the rings and then leaves by itself."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        process = self._process
        if process is not None and process.poll() is None:
            process.returncode = 0  # keeps Popen's destructor from warning about a child that is meant to stay

    def _run(self) -> None:
        while not self._stop.wait(_SUPERVISE_EVERY_S):
            try:
                self._step()
            except Exception:
                log.exception("the shadowlane supervisor could not start a worker")

    def _step(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            self._process = None
        age = self._heartbeat_age_s()
        if age is not None and age < _HEARTBEAT_STALE_S:
            self._backoff_s = _SUPERVISE_EVERY_S
            return
        now = time.monotonic()
        if self._process is not None or now < self._next_try:
            return
        self._next_try = now + self._backoff_s
        self._backoff_s = min(2 * self._backoff_s, 60.0)
        self._process = spawn_worker(self._directory, self._worker_config)


def spawn_worker(directory: Path, worker_config: Path) -> subprocess.Popen[bytes]:
    """Start a worker in a session of its own; its log goes to ``worker.log`` in the lane's directory (0600)."""
    log_file = append_private(directory / "worker.log")
    try:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "shadowlane", "worker", "--auto", "--config", str(worker_config)],
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            start_new_session=True,
            # One thread for BLAS: the worker gives way to the gateway.
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
    finally:
        os.close(log_file)
