"""Keeps the lane's worker running while a gateway process lives, and hands it the gateway's configuration.

Invariants: a gateway that ends, cleanly or not, takes no worker with it. Of all gateway processes one starts a worker
at a time, whoever of them is killed meanwhile: a lock is held from before a worker's process is made until that has the
lane, or ends (:mod:`.start`). A worker that hangs is ended before another is started.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ..config import Config
from ..config.worker_file import CONFIG_FILE, ERROR_FILE, START_LOCK, running_revision, worker_config
from ..errors import ConfigError, LaneError, ShadowlaneError
from ..files import append_private, write_private
from .start import StartLock, take_start_lock

__all__ = ["Supervisor", "spawn_worker", "write_worker_config"]

log = logging.getLogger("shadowlane")

_SUPERVISE_EVERY_S = 1.0
_HEARTBEAT_STALE_S = 5.0
_COMES_UP_S = 60.0
_BUSY_S = 120.0
"""What the core gives a worker that would report itself if it got processor time."""
_HUNG = "hung: process"
# What the kernel raises in a thread for what that thread did is for nobody else.
_FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS, signal.SIGABRT}


def write_worker_config(config: Config, directory: Path) -> Path:
    """Write what the worker reads: the very configuration that the gateway checked, with absolute paths.

    It holds no secret: credentials are named. A worker that runs another one leaves when it sees this, and the next
    starts with it. Raises :class:`~shadowlane.errors.LaneError` when it cannot be written.
    """
    anchored = worker_config(config, directory)
    target = directory / CONFIG_FILE
    before = running_revision(directory)
    try:
        write_private(target, json.dumps(anchored.to_dict(), allow_nan=False).encode())
    except OSError as error:
        raise LaneError(f"{target}: cannot be written: {error.strerror}; check the rights and space there") from None
    if before not in ("", anchored.revision()):
        log.warning(
            "lane %s: configuration %s is in force now, in place of %s, also for gateways that still run; if those are "
            "another service's, give each its own lane.name",
            config.lane.name,
            anchored.revision(),
            before,
        )
    return target


class _Watched(Protocol):
    """What a supervisor asks of the core's lane."""

    def is_in_place(self) -> bool: ...
    def take_along(self) -> None: ...
    def worker_heartbeat_age_s(self) -> float | None: ...
    def end_hung_worker(self) -> int | None: ...


class Supervisor:
    """Keeps the lane in its directory, and one worker running for it, while this gateway process lives.

    Every gateway process has one. A worker that does not come up is tried again after 1, 2, 4 ... 60 seconds; without a
    ``config`` none is started. ``remake`` opens the lane anew when its files were removed or replaced, and gives its
    directory. The file of the worker's configuration is written by who opens the lane (:func:`write_worker_config`).
    """

    def __init__(
        self,
        core: _Watched,
        directory: Path,
        config: Config | None,
        remake: Callable[[], Path],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._core = core
        self._remake = remake
        self._clock = clock
        self._trouble = ""
        self._directory = directory
        self._config = config
        self._in_force = b""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadowlane-supervisor", daemon=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._backoff_s = _SUPERVISE_EVERY_S
        self._next_try = 0.0
        self._absent_since = 0.0
        self._refused_since: float | None = None
        self._refusal_said = False
        self._kills: Counter[int] = Counter()
        self._unmasked: set[signal.Signals | int] | None = None

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
        # Signals are for the host's own threads: a server that waits in a system call for its next request (uWSGI) does
        # not hear of one that another thread got, and does not end.
        if _has_a_thread_of_its_own():
            others = signal.valid_signals() - _FAULTS
            self._unmasked = signal.pthread_sigmask(signal.SIG_BLOCK, others)
        while not self._stop.wait(_SUPERVISE_EVERY_S):
            try:
                self._step()
            except Exception:
                log.exception("the shadowlane supervisor could not start a worker")

    def _step(self) -> None:
        self._keep_in_place()
        if self._config is None:
            return
        if self._process is not None and (code := self._process.poll()) is not None:
            pid, self._process = self._process.pid, None
            if code < 0 and not self._is_said_to_hang(pid):
                self._killed(-code)
        age = self._core.worker_heartbeat_age_s()
        now = self._clock()
        if age is not None:
            self._absent_since = now
            self._refused_since, self._refusal_said = None, False
            if age < _HEARTBEAT_STALE_S:
                self._backoff_s, self._next_try = _SUPERVISE_EVERY_S, 0.0
            elif ended := self._core.end_hung_worker() or self._end_own(age):
                self._say_hung(ended, age)
            return
        if self._process is not None:
            if now - self._absent_since > _COMES_UP_S:  # it hangs before it has the lane, or after
                self._process.kill()
            return
        if now < self._next_try:
            return
        lock = take_start_lock(self._directory)
        if lock is None:
            self._refused(now)
            return
        self._refused_since, self._refusal_said = None, False
        try:
            if self._core.worker_heartbeat_age_s() is not None:
                return  # it came up meanwhile
            self._next_try = now + self._backoff_s
            self._backoff_s = min(2 * self._backoff_s, 60.0)
            self._absent_since = now
            self._process = self._spawn(self._written(self._config), lock)
        finally:
            lock.release()

    def _spawn(self, file: Path, lock: StartLock) -> subprocess.Popen[bytes]:
        if self._unmasked is None or threading.current_thread() is not self._thread:
            return spawn_worker(self._directory, file, lock)
        # A process begins with those signals blocked that are blocked in the thread that makes it.
        ours = signal.pthread_sigmask(signal.SIG_SETMASK, self._unmasked)
        try:
            return spawn_worker(self._directory, file, lock)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, ours)

    def _end_own(self, age: float) -> int | None:
        """End a child of this process that hangs and that the core did not end, as where it cannot tell whose the lane
        is. Its process id."""
        if self._process is None or age <= _BUSY_S:
            return None
        self._process.kill()
        return self._process.pid

    def _refused(self, now: float) -> None:
        """Another gateway's worker is coming up. One that should have by now is said once: it keeps all others away."""
        if self._refused_since is None:
            self._refused_since = now
        if self._refusal_said or now - self._refused_since <= _COMES_UP_S:
            return
        self._refusal_said = True
        text = (
            f"no worker can be started: another process has held {self._directory / START_LOCK} for "
            f"{now - self._refused_since:.0f} s, and no worker has come up; end that process (fuser names it)\n"
        )
        log.warning("%s", text.rstrip())
        with contextlib.suppress(OSError):
            write_private(self._directory / ERROR_FILE, text.encode())

    def _keep_in_place(self) -> None:
        if self._core.is_in_place():
            self._core.take_along()
            self._remember()
            return
        try:
            self._directory = self._remake()
        except (ShadowlaneError, OSError) as error:
            if str(error) != self._trouble:
                log.error("the lane's files were removed or replaced, and cannot be made anew: %s", error)
            else:
                log.debug("tried again to make the lane anew, in vain: %s", error)
            self._trouble = str(error)
        else:
            self._trouble = ""
            log.warning("the lane's files were removed or replaced while it ran: made anew in %s", self._directory)

    def _remember(self) -> None:
        """What is in force, should its file go with the lane's: a gateway that started later may have written it."""
        with contextlib.suppress(OSError):
            self._in_force = (self._directory / CONFIG_FILE).read_bytes()

    def _written(self, config: Config) -> Path:
        """The file of the worker's configuration. Written only when it is not there: all gateways of the lane ask, and
        none may bring back what another one has replaced."""
        path = self._directory / CONFIG_FILE
        if path.is_file():
            return path
        with contextlib.suppress(TypeError, ValueError, ConfigError):  # none yet, or one of another release
            config = Config.from_dict(json.loads(self._in_force))
        return write_worker_config(config, self._directory)

    def _say_hung(self, pid: int, age: float) -> None:
        text = f"{_HUNG} {pid} had not reported itself for {age:.0f} s and was ended; what it held is sent again\n"
        log.warning("the shadowlane worker hung: %s", text.rstrip())
        with contextlib.suppress(OSError):
            write_private(self._directory / ERROR_FILE, text.encode())

    def _is_said_to_hang(self, pid: int) -> bool:
        """Whether a supervisor, this one or another gateway's, has ended that process and said why."""
        with contextlib.suppress(OSError):
            return (self._directory / ERROR_FILE).read_bytes().startswith(f"{_HUNG} {pid} ".encode())
        return False

    def _killed(self, number: int) -> None:
        """A worker that was killed could not say so itself: it stands in ``worker.error`` until one runs again."""
        self._kills[number] += 1
        name = signal.Signals(number).name if number in list(signal.Signals) else "unknown"
        why = "; without somebody's doing this is the kernel's, when memory runs out" if name == "SIGKILL" else ""
        times = self._kills[number]
        text = f"killed by signal {number} ({name}), {times} time{'s' if times > 1 else ''}{why}\n"
        with contextlib.suppress(OSError):
            write_private(self._directory / ERROR_FILE, text.encode())


def _interpreter() -> str:
    """Python's own program. Where a server embeds Python (uWSGI, mod_wsgi) ``sys.executable`` may be the server."""
    if Path(sys.executable or "").name.startswith(("python", "pypy")):
        return sys.executable
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    places = [
        Path(folder) / "bin" / name
        for folder in (sys.exec_prefix, sys.base_exec_prefix)
        for name in (version, "python3")
    ]
    return next((str(place) for place in places if os.access(place, os.X_OK)), sys.executable or version)


def _has_a_thread_of_its_own() -> bool:
    """Not where gevent has put itself in the place of threads: what runs here is the process's first thread."""
    try:
        pid, _, thread = Path("/proc/thread-self").readlink().parts
    except OSError:
        return False
    return thread != pid


def spawn_worker(directory: Path, worker_config: Path, lock: StartLock) -> subprocess.Popen[bytes]:
    """Start a worker in a session of its own, which holds ``lock`` until it has the lane; its log goes to
    ``worker.log`` in the lane's directory (0600). SIGTERM waits in it until it heeds that."""
    log_file = append_private(directory / "worker.log")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # of this thread alone, and inherited
    try:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [_interpreter(), "-m", "shadowlane", "worker", "--auto", "--config", str(worker_config)],
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            start_new_session=True,
            pass_fds=(lock.fileno(),),
            # One thread for BLAS: the worker gives way to the gateway.
            env={**os.environ, **lock.environment(), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(log_file)
