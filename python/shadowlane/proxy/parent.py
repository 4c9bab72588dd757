"""The process that the user starts: it owns the listening socket, and starts those that serve on it.

Invariants: the socket is one and the same from the first process to the last, so that no connection is refused or lost
while processes change; those that serve are told to leave only when all that follow them are ready; a process that
serves and dies is followed by another one; whoever of them outlives this process leaves, too.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..render.text import print_error

__all__ = ["LEAVE", "READY", "Parent", "command_of"]

READY = b"r"
"""What a process that serves says to its parent."""
LEAVE = b"l"
"""What the parent says to it: others serve now."""
_COMES_UP_S = 120.0
_ENDS_S = 60.0
"""Beyond the drain, in which it ends by itself."""
_AGAIN_S, _AGAIN_MOST_S = 1.0, 30.0


@dataclass
class _Child:
    process: subprocess.Popen[bytes]
    control: socket.socket
    ready: bool = False


class Parent:
    """Runs ``count`` processes of ``command``, which get the numbers of the socket and of their line to the parent
    as ``--handed SOCKET,LINE`` behind it. ``say`` is told what happens, as an event with its fields."""

    def __init__(
        self,
        command: Sequence[str],
        listening: socket.socket,
        count: int,
        drain_s: float,
        say: Callable[[dict[str, Any]], None],
    ) -> None:
        self._command = list(command)
        self._listening = listening
        self._count = count
        self._drain_s = drain_s
        self._say = say
        self._selector = selectors.DefaultSelector()
        self._serving: list[_Child] = []
        self._starting: list[_Child] = []
        self._leaving: list[_Child] = []
        self._served = False
        self._asked = False
        self._ends_by: float | None = None
        self._starts_by = 0.0
        self._replace_at: float | None = None
        self._backoff_s = _AGAIN_S
        self._code = 0

    def run(self) -> int:
        """Returns 0 after SIGTERM or SIGINT, and the code of the first process that cannot begin to serve."""
        with self._signals() as woken, contextlib.closing(self._selector):
            self._selector.register(woken, selectors.EVENT_READ)
            self._begin()
            while self._ends_by is None or self._all():
                for key, _ in self._selector.select(self._patience()):
                    if key.fileobj is woken:
                        self._woken(woken.recv(4096))
                    else:
                        self._heard(key.data)
                self._reap()
                self._due()
        return self._code

    def _all(self) -> list[_Child]:
        return [*self._serving, *self._starting, *self._leaving]

    @contextlib.contextmanager
    def _signals(self) -> Iterator[socket.socket]:
        """Signals as bytes of a socket: nothing is done inside of a handler."""
        ours, theirs = socket.socketpair()
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        with ours, theirs:
            ours.setblocking(False)
            theirs.setblocking(False)
            signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
            before = {number: signal.signal(number, lambda *_: None) for number in numbers}
            try:
                yield ours
            finally:
                signal.set_wakeup_fd(-1)
                for number, handler in before.items():
                    signal.signal(number, handler)

    def _woken(self, numbers: bytes) -> None:
        if signal.SIGHUP in numbers:
            self._asked = True
        if signal.SIGTERM in numbers or signal.SIGINT in numbers:
            self._end()

    def _start(self) -> _Child:
        ours, theirs = socket.socketpair()
        with theirs:
            ours.setblocking(False)
            numbers = (self._listening.fileno(), theirs.fileno())
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [*self._command, "--handed", ",".join(map(str, numbers))], stdin=subprocess.DEVNULL, pass_fds=numbers
            )
        child = _Child(process, ours)
        self._selector.register(ours, selectors.EVENT_READ, child)
        return child

    def _begin(self) -> None:
        self._starts_by = time.monotonic() + _COMES_UP_S
        try:
            for _ in range(self._count):
                self._starting.append(self._start())
        except OSError as error:
            print_error(f"no process can be started: {error.strerror}")
            self._failed(3)

    def _heard(self, child: _Child) -> None:
        try:
            said = child.control.recv(16)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:
            self._selector.unregister(child.control)
            child.control.close()
        elif READY in said:
            child.ready = True
            self._backoff_s = _AGAIN_S
            if child in self._serving:
                self._say({"event": "process started", "process": child.process.pid})
        if self._starting and all(one.ready for one in self._starting):
            self._take_over()

    def _take_over(self) -> None:
        before, self._serving, self._starting = self._serving, self._starting, []
        self._replace_at = None
        for child in before:
            with contextlib.suppress(OSError):
                child.control.send(LEAVE)
        self._leaving += before
        event = "reloaded" if self._served else "listening"
        self._served = True
        self._say({"event": event, "processes": [child.process.pid for child in self._serving]})

    def _reap(self) -> None:
        for child in self._all():
            code = child.process.poll()
            if code is None:
                continue
            if child.control.fileno() >= 0:
                self._selector.unregister(child.control)
                child.control.close()
            for some in (self._serving, self._starting, self._leaving):
                if child in some:
                    some.remove(child)
                    self._ended(child, code, some)

    def _ended(self, child: _Child, code: int, some: list[_Child]) -> None:
        if self._ends_by is not None or some is self._leaving:
            return
        if some is self._starting:
            self._failed(code)
            return
        self._say({"event": "process ended", "process": child.process.pid, "exit_code": code})
        self._replace_at = self._replace_at or time.monotonic() + self._backoff_s
        self._backoff_s = min(2 * self._backoff_s, _AGAIN_MOST_S)

    def _failed(self, code: int) -> None:
        """One of those that were to begin did not: none of them does."""
        for child in self._starting:
            child.process.terminate()
        self._leaving += self._starting
        self._starting = []
        if self._served:
            self._say({"event": "reload failed", "exit_code": code})
        else:
            self._code = code if code > 0 else 3
            self._end()

    def _end(self) -> None:
        if self._ends_by is not None:
            return
        self._ends_by = time.monotonic() + self._drain_s + _ENDS_S
        self._listening.close()
        for child in self._all():
            child.process.terminate()

    def _patience(self) -> float | None:
        times = [self._ends_by, self._replace_at, self._starts_by if self._starting else None]
        known = [at for at in times if at is not None]
        return max(0.0, min(known) - time.monotonic()) if known else None

    def _due(self) -> None:
        now = time.monotonic()
        if self._ends_by is not None:
            if now >= self._ends_by:
                for child in self._all():
                    child.process.kill()
                self._ends_by = now + _ENDS_S
            return
        if self._starting and now >= self._starts_by:
            self._failed(3)
        if self._replace_at is not None and now >= self._replace_at:
            self._replace_at = None
            with contextlib.suppress(OSError):
                while len(self._serving) < self._count:
                    self._serving.append(self._start())
        if self._asked and not self._starting and self._served:
            self._asked = False
            self._begin()


def command_of(arguments: Sequence[str]) -> list[str]:
    """This very command, begun anew: a new release of the package is taken, too."""
    return [sys.executable or os.devnull, "-m", "shadowlane", *arguments]
