"""Starts the demonstration's processes and makes sure that none of them outlives it.

Invariants: every process is ended by its own id; each gets a pipe as standard input, which closes when this process
dies in whatever way; a process that does not come up is an error that shows the end of its log.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..errors import ShadowlaneError
from .serving import PORT_LINE

__all__ = ["NEEDS", "Child", "DemoError", "end_by_force", "start", "terminable", "wait_for_exit"]

NEEDS = ("starlette", "uvicorn", "httpx", "rich", "aiohttp", "wordllama")
"""Packages of the extra ``demo`` that a run imports."""
_TERM_GRACE_S = 10.0


class DemoError(ShadowlaneError):
    """A part of the demonstration failed: names the part, what it said, and where its log lies."""


class Child:
    """A process of the demonstration."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process
        self.port = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_until_up(self, timeout_s: float) -> None:
        """Read the port from the process's standard output. Raises DemoError when it ends, or stays silent."""
        stdout = self._process.stdout
        if stdout is None:
            raise DemoError(f"{self.name}: started without a pipe for its output")
        deadline = time.monotonic() + timeout_s
        output = b""
        while True:
            wait_s = deadline - time.monotonic()
            ready = wait_s > 0 and select.select([stdout], [], [], wait_s)[0]
            if not ready:
                raise DemoError(f"{self.name}: not up after {timeout_s:.0f} s; its log is {self.log}{self.tail()}")
            chunk = os.read(stdout.fileno(), 4096)
            if not chunk:
                code = self._process.wait(_TERM_GRACE_S)
                raise DemoError(f"{self.name}: ended with code {code} before it was up; see {self.log}{self.tail()}")
            output += chunk
            for line in output.decode("utf-8", "replace").splitlines(keepends=True):
                if line.startswith(PORT_LINE) and line.endswith("\n"):
                    self.port = int(line[len(PORT_LINE) :])
                    return

    def check(self) -> None:
        """Raise DemoError when the process has ended by itself."""
        code = self._process.poll()
        if code is not None:
            raise DemoError(f"{self.name}: ended with code {code} during the run; see {self.log}{self.tail()}")

    def stop(self, *, grace_s: float = _TERM_GRACE_S) -> None:
        """SIGTERM, then SIGKILL after ``grace_s``. Returns when the process is gone."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def tail(self, lines: int = 5) -> str:
        """The last lines of the log, on lines of their own; empty when there is nothing."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""
        return "".join(f"\n  | {line}" for line in text.splitlines()[-lines:])


def start(
    name: str,
    module: str,
    arguments: Sequence[str],
    log: Path,
    *,
    port: int = 0,
    folder: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Child:
    """Start ``python -m module ...`` in a session of its own, so that Ctrl-C reaches only us; its log goes to ``log``.

    ``port`` is where it listens (0: any free one), ``folder`` where it runs, ``env`` what it has beside our own
    environment. Raises DemoError when it cannot be started.
    """
    command = [sys.executable, "-m", module, *arguments, "--port", str(port), "--leave-with-parent"]
    try:
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as out:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
                start_new_session=True,
                # One thread for BLAS and none for tokenizers: the processes share the machine with the gateway.
                env={
                    **os.environ,
                    "OMP_NUM_THREADS": "1",
                    "OPENBLAS_NUM_THREADS": "1",
                    "TOKENIZERS_PARALLELISM": "0",
                    **(env or {}),
                },
            )
    except OSError as error:
        raise DemoError(f"{name}: cannot be started: {error.strerror}: {error.filename}") from None
    return Child(name, process, log)


def wait_for_exit(pid: int, timeout_s: float) -> bool:
    """Whether process ``pid``, which need not be a child of ours, is gone within ``timeout_s`` seconds.

    A process that has ended and whose parent has not noticed counts as gone.
    """
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        return bool(poller.poll(timeout_s * 1000))
    finally:
        os.close(handle)


def end_by_force(pid: int, *, grace_s: float = _TERM_GRACE_S) -> None:
    """SIGTERM, then SIGKILL, for a process that is not a child of ours and should have left by itself."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if wait_for_exit(pid, grace_s):
            return


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM and SIGHUP end the run as Ctrl-C does: through the code that ends the processes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
