"""Access logs in the combined or common format of Apache and nginx: requests alone, GET and HEAD.

``host ident user [time] "GET /path HTTP/1.1" status bytes "referrer" "agent"``
(https://httpd.apache.org/docs/2.4/logs.html). Invariant: an answer is never made up: a log has its status only, and no
request body, so that everything but GET and HEAD is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from .files import lines
from .http1 import target_of
from .records import Record, Recorded, Unusable, clipped

__all__ = ["LOG_LINE", "read_access_log"]

LOG_LINE = re.compile(
    rb'\S+ \S+ (?:\S+|"[^"]*") \[(?P<time>[^\]]+)\] "(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}) (?:\d+|-)'
)


def read_access_log(path: str) -> Iterator[Record]:
    """The requests in the order of the file."""
    for where, line in lines(path):
        yield line if isinstance(line, Unusable) else _request(where, line)


def _request(where: str, line: bytes) -> Record:
    found = LOG_LINE.match(line)
    if found is None:
        return Unusable(where=where, why=f"not a line of the combined format: {clipped(line[:60])}")
    words = found["request"].decode("latin-1").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/"):
        return Unusable(where=where, why=f"not a request: {clipped(found['request'][:60])}")
    method, target, _ = words
    if method not in ("GET", "HEAD"):
        return Unusable(where=where, why=f"{method}: a log has no bodies", reason="method")
    try:
        moment = datetime.strptime(found["time"].decode("latin-1"), "%d/%b/%Y:%H:%M:%S %z")
    except ValueError:
        return Unusable(where=where, why=f"not a time: {clipped(found['time'][:40])}")
    return Recorded(where=where, started_ns=int(moment.timestamp()) * 10**9, method=method, target=target_of(target))
