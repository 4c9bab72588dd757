"""A gateway process that only asks: ``python -m tests.support.asker CONFIG.json N SECONDS HEADERS.json``.

Opens the lane, says so, waits for a line, then asks for ``N`` requests or until ``SECONDS`` have passed, whichever
comes first, and prints as JSON when (CLOCK_MONOTONIC, before and after the call, ns) it asked for each one that was let
through.
"""

from __future__ import annotations

import json
import sys
import time

from shadowlane import Lane


def main(config: str, n: str, seconds: str, headers: str) -> None:
    pairs = [(name.encode(), value.encode()) for name, value in json.loads(headers)]
    with Lane.open(json.loads(config)) as lane:
        print("ready", flush=True)
        sys.stdin.readline()
        given = []
        end = time.monotonic_ns() + int(float(seconds) * 1e9)
        for _ in range(int(n)):
            before = time.monotonic_ns()
            ticket = lane.admit("GET", "/x", pairs)
            after = time.monotonic_ns()
            if ticket is not None:
                given.append((before, after))
                lane.drop(ticket, "prod_failed")
            if after > end:
                break
        print(json.dumps(given), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
