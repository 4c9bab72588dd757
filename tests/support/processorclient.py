"""A gRPC client that is not Envoy, in a process of its own: gRPC's threads stay out of the process of the tests.

Each line of its input is a JSON list: what to do, the number of the call, and a value; each is answered with one line.
"""

from __future__ import annotations

import base64
import contextlib
import json
import queue
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Client", "client"]

ROOT = Path(__file__).parents[2]
METHOD = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
PATIENCE_S = 60.0


class Client:
    """The test's side. Calls are numbered from 0 in the order of :meth:`open`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def _do(self, *what: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def open(self, *messages: bytes) -> int:
        """Begin a call and send some; its number."""
        call: int = self._do("open", 0)
        for one in messages:
            self.send(call, one)
        return call

    def send(self, call: int, message: bytes) -> None:
        self._do("send", call, base64.b64encode(message).decode())

    def end(self, call: int) -> None:
        """No more messages: the client's half of the stream is closed."""
        self._do("end", call)

    def cancel(self, call: int) -> None:
        self._do("cancel", call)

    def kill(self) -> None:
        """End the client's process as it is: its connection breaks."""
        self._process.kill()
        self._process.wait()

    def result(self, call: int) -> tuple[str, int]:
        """Wait until the call has ended: the status code's name, and how many answers came."""
        code, answers = self._do("result", call)
        return code, answers


@contextmanager
def client(address: str) -> Iterator[Client]:
    command = [sys.executable, "-m", "tests.support.processorclient", address]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield Client(process)
        finally:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()


def main(address: str) -> None:
    import grpc

    calls: list[tuple[Any, queue.SimpleQueue[bytes | None]]] = []
    with grpc.insecure_channel(address) as channel:
        method = channel.stream_stream(METHOD)  # bytes as they are, both ways
        for line in sys.stdin:
            what, number, *value = json.loads(line)
            answer: Any = None
            if what == "open":
                waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
                calls.append((method(iter(waiting.get, None), timeout=PATIENCE_S, wait_for_ready=True), waiting))
                answer = len(calls) - 1
            else:
                call, waiting = calls[number]
                if what == "send":
                    waiting.put(base64.b64decode(value[0]))
                elif what == "end":
                    waiting.put(None)
                elif what == "cancel":
                    call.cancel()
                else:
                    answers = 0
                    try:
                        for _ in call:
                            answers += 1
                    except grpc.RpcError:
                        pass
                    waiting.put(None)
                    answer = (call.code().name, answers)
            print(json.dumps(answer), flush=True)
        for call, waiting in calls:
            call.cancel()
            waiting.put(None)


if __name__ == "__main__":
    main(sys.argv[1])
