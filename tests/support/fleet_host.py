"""A gateway process of one host of a fleet: asks for admission as fast as it is told, and notes when it was given.

``python -m tests.support.fleet_host CONFIG OUT EVERY_S`` prints a line when the lane is open. Each admission is a
line of OUT: CLOCK_MONOTONIC in ns before and after the call, which all processes of the machine share. Ends with its
input.
"""

from __future__ import annotations

import select
import sys
import time
from pathlib import Path

from shadowlane import Lane

HEADERS = [(b"content-type", b"text/plain")]


def main(config: str, out: Path, every_s: float) -> None:
    lane = Lane.open(config)
    print("open", flush=True)
    number = 0
    with out.open("w", buffering=1) as lines:
        while not select.select([sys.stdin], [], [], every_s)[0]:
            number += 1
            before = time.monotonic_ns()
            ticket = lane.admit("GET", "/x", HEADERS)
            after = time.monotonic_ns()
            if ticket is not None:
                lines.write(f"{before} {after}\n")
                lane.offer(ticket, f"/x?n={number}", HEADERS, b"", 200, HEADERS, b"yes", 1000, 0)
    lane.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))
