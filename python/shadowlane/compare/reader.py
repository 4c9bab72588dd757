"""The lines of a file of logged answers: one exchange each, with prod's answer, the shadow's and perhaps a control's.

Invariants: a line that is wrong is named by its number, with the field, the value and the remedy; what is held is one
line at a time, and a line has a bound. Fields that nobody reads are counted by name, so that a misspelt one shows.
"""

from __future__ import annotations

import contextlib
import gzip
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from ..errors import DataError
from ..score.answers import RESPONSE_FIELDS, Response, request_of, response_of, shown

__all__ = ["ARMS", "MOST_BYTES", "Exchange", "Source", "parse_line"]

ARMS = ("prod", "shadow", "control")
MOST_BYTES = 64 * 1024 * 1024
"""The longest line."""

_FIELDS = frozenset({"id", "time", "route", "question", "request", *ARMS})
_REQUEST_FIELDS = frozenset({"method", "target", "headers", "body"})
_MOST_ID = 200
_MOST_TIME_S = 9.2e9
"""64 bits of nanoseconds end in the year 2262. Milliseconds of our time are beyond it."""
_WRONG_SHOWN = 20
_UNREAD_NAMES = 20


@dataclass(frozen=True, slots=True)
class Exchange:
    """One line: what was asked, and how each arm answered."""

    line: int
    id: str
    started_ns: int
    method: str
    target: str
    request: bytes
    """The request's body; of a question that is given alone ``{"question": ...}``. Empty when neither is given."""
    prod: Response
    shadow: Response
    control: Response | None


@dataclass(slots=True)
class Source:
    """A file of lines, ``-`` for standard input; gzip by the suffix ``.gz``."""

    path: str
    unread: Counter[str] = field(default_factory=Counter)
    """Fields that were there and are not read, by name."""

    @property
    def name(self) -> str:
        return "standard input" if self.path == "-" else self.path

    @property
    def is_file(self) -> bool:
        """Whether it can be read twice: a pipe cannot."""
        return self.path != "-" and Path(self.path).is_file()

    def check(self) -> int:
        """Read a file to its end; returns how many exchanges it has.

        What takes an hour to score should not end at its last line. Raises :class:`~shadowlane.errors.DataError` with
        all that is wrong, the first :data:`_WRONG_SHOWN` lines of it.
        """
        wrong: list[str] = []
        count = total = 0
        for number, raw in self._lines():
            try:
                parse_line(raw, number)
                count += 1
            except DataError as error:
                total += 1
                if len(wrong) < _WRONG_SHOWN:
                    wrong.append(f"{self.name}:{number}: {error}")
        if total > len(wrong):
            wrong.append(f"and {total - len(wrong)} lines more")
        if wrong:
            raise DataError("\n".join(wrong))
        return count

    def exchanges(self) -> Iterator[Exchange]:
        """The exchanges in order. Raises :class:`~shadowlane.errors.DataError` at the first line that is wrong."""
        self.unread.clear()
        for number, raw in self._lines():
            try:
                yield parse_line(raw, number, self.unread)
            except DataError as error:
                raise DataError(f"{self.name}:{number}: {error}") from None

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Each line that is not blank, with its number from 1."""
        with self._opened() as file:
            for number in range(1, sys.maxsize):
                try:
                    line = file.readline(MOST_BYTES + 1)
                except (OSError, EOFError, zlib.error) as error:
                    why = getattr(error, "strerror", None) or str(error)
                    raise DataError(f"{self.name}:{number}: cannot be read on: {why}; is the file whole?") from None
                if not line:
                    return
                if len(line) > MOST_BYTES:
                    raise DataError(f"{self.name}:{number}: longer than {MOST_BYTES} bytes; write one exchange a line")
                line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if not line.isspace():
                    yield number, line

    @contextlib.contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        if self.path == "-":
            yield sys.stdin.buffer
            return
        with contextlib.ExitStack() as stack:
            try:
                raw = stack.enter_context(Path(self.path).open("rb"))
            except OSError as error:
                why = f"cannot be read: {error.strerror}; give a file of lines, or -"
                raise DataError(f"{self.path}: {why}") from None
            if self.path.endswith(".gz"):
                with gzip.open(raw) as file:
                    yield cast("IO[bytes]", file)
            else:
                yield raw


def parse_line(raw: bytes, number: int, unread: Counter[str] | None = None) -> Exchange:
    """One line as an exchange. Raises :class:`~shadowlane.errors.DataError` with the field, the value and the remedy.

    ``{"id", "time", "route"?, "question"? or "request"?, "prod", "shadow", "control"?}``, each answer as
    :func:`shadowlane.score.answers.response_of` reads it. ``null`` is as good as not given.
    """
    try:
        line = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"not a JSON object: {error}; write one object a line, without line breaks in it") from None
    if not isinstance(line, dict):
        raise DataError(f"not a JSON object: {shown(line)}; write one object a line")
    if unread is not None:
        _count_unread(line, unread)
    method, target, request = _request(line)
    control = line.get("control")
    return Exchange(
        line=number,
        id=_id(line.get("id")),
        started_ns=_time_ns(line.get("time")),
        method=method,
        target=target,
        request=request,
        prod=_answer(line, "prod"),
        shadow=_answer(line, "shadow"),
        control=None if control is None else response_of(control, "control"),
    )


def _answer(line: dict[str, Any], arm: str) -> Response:
    if line.get(arm) is None:
        raise DataError(f'{arm}: missing; give the answer\'s text, or {{"text" or "body", "status"?, "latency_ms"?}}')
    return response_of(line[arm], arm)


def _id(value: Any) -> str:
    if value is None:
        raise DataError("id: missing; give each exchange its own")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip() or len(value) > _MOST_ID:
        raise DataError(f"id = {shown(value)}: give a text of 1 to {_MOST_ID} characters, or a whole number")
    return value


def _time_ns(value: Any) -> int:
    if value is None:
        raise DataError("time: missing; give the Unix time in seconds, or a time such as 2026-01-31T12:00:00Z")
    if isinstance(value, str):
        return _parsed_ns(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _MOST_TIME_S:
        raise DataError(
            f"time = {shown(value)}: not a Unix time in seconds (milliseconds: divide by 1000); "
            "a text such as 2026-01-31T12:00:00Z is good too"
        )
    return int(value) * 10**9 + round(value % 1 * 1e9)


def _parsed_ns(text: str) -> int:
    """RFC 3339; a time without an offset is UTC."""
    try:
        # Python 3.10 knows neither Z nor fractions of other lengths than three and six digits; msgspec does.
        moment = msgspec.convert(text.strip().replace(" ", "T", 1), datetime)
    except msgspec.ValidationError:
        raise DataError(
            f"time = {shown(text)}: not a time of RFC 3339; write it like 2026-01-31T12:00:00Z, or as Unix seconds"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    passed = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    if not 0 <= passed.total_seconds() <= _MOST_TIME_S:
        raise DataError(f"time = {shown(text)}: not between the years 1970 and 2261; correct it")
    return (passed.days * 86_400 + passed.seconds) * 10**9 + passed.microseconds * 1000


def _request(line: dict[str, Any]) -> tuple[str, str, bytes]:
    """Method, target and body. A question says what was asked, whatever the request's form is."""
    method, target = _route(line.get("route"))
    question, request = line.get("question"), line.get("request")
    body = b""
    if isinstance(request, dict) and "body" in request and request.keys() <= _REQUEST_FIELDS:
        given = request.get("method") or method, request.get("target") or target
        if not all(isinstance(part, str) for part in given):
            raise DataError(f"request = {shown(request)}: method and target are texts; correct them")
        (method, target), request = given, request["body"]
    if request is not None:
        body = request_of(request, "request")
    if question is not None:
        if not isinstance(question, str):
            raise DataError(f"question = {shown(question)}: not a text; give what was asked, or the JSON as request")
        body = request_of({"question": question}, "question")
    return method, target, body


def _route(value: Any) -> tuple[str, str]:
    """``POST /path``, ``/path``, or any name of a kind of request."""
    if value is None:
        return "POST", "/"
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"route = {shown(value)}: give a text such as POST /v1/chat, or leave it out")
    first, _, rest = value.strip().partition(" ")
    if first.isalpha() and first.isupper() and rest.strip().startswith("/"):
        return first, rest.strip()
    return "POST", value.strip() if value.strip().startswith("/") else f"/{value.strip()}"


def _count_unread(line: dict[str, Any], unread: Counter[str]) -> None:
    names = [name for name in line if name not in _FIELDS]
    for arm in ARMS:
        if isinstance(line.get(arm), dict):
            names += [f"{arm}.{name}" for name in line[arm] if name not in RESPONSE_FIELDS]
    for name in names:
        if name in unread or len(unread) < _UNREAD_NAMES:
            unread[name] += 1
