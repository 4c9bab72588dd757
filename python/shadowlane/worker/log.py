"""The worker's log: text for people, or one JSON object a line for collectors of logs.

A JSON line has ``ts`` (RFC 3339, UTC), ``level``, ``event`` (a fixed word, ``log`` for what has none), ``message``,
``logger`` and ``lane``; where the event is about one, ``shadow`` and ``shadow_id``, and what :data:`FIELDS` names.

Invariants: a line holds what the code says and nothing of an exchange: of an exception its type and where it was
raised, never its own words, which may quote what it was raised over. As JSON every line is, what ends the process and
warnings of Python's too.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from datetime import datetime, timezone
from typing import Any, Literal, get_args

import msgspec

from ..errors import ConfigError, describe

__all__ = ["FIELDS", "FORMAT_ENV", "JsonFormatter", "LogFormat", "configure_logging", "log_left_alone"]

LogFormat = Literal["text", "json"]

FORMAT_ENV = "SHADOWLANE_LOG_FORMAT"
"""The variable that ``--log-format`` defaults to: a worker that a gateway starts has the gateway's environment."""
FIELDS = ("shadow", "shadow_id", "reason", "status", "delta_s", "duration_s")
"""What a record's ``extra`` may add to its line."""
_TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"
_MOST_FRAMES = 8


class JsonFormatter(logging.Formatter):
    """One JSON object a record. ``lane`` is known when the configuration is."""

    def __init__(self, lane: str = "") -> None:
        super().__init__()
        self.lane = lane

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        at = datetime.fromtimestamp(record.created, timezone.utc)
        line: dict[str, Any] = {
            "ts": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "log"),
            "message": _encodable(record.getMessage()),
            "logger": record.name,
            "lane": self.lane,
        }
        for name in FIELDS:
            value = getattr(record, name, None)
            if value is not None:
                line[name] = _encodable(value) if isinstance(value, str) else value
        if record.exc_info and record.exc_info[1] is not None:
            line |= _raised(record.exc_info[1])
        return msgspec.json.encode(line).decode()


def _encodable(text: str) -> str:
    """A path may be no UTF-8 (PEP 383): its strange bytes are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def _raised(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
    where = [_encodable(f"{frame.filename}:{frame.lineno} {frame.name}") for frame in frames]
    return {"error": type(error).__name__, "where": where}


def _log_uncaught(kind: type[BaseException], error: BaseException | None, _: object = None) -> None:
    """What would end a process or a thread in words of Python's."""
    error = kind() if error is None else error
    found = (kind, error, error.__traceback__)
    logging.getLogger("shadowlane").critical("ended by an error of ours", exc_info=found, extra={"event": "crashed"})


def log_left_alone(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An event loop's handler of exceptions that nobody took. Its own one prints the words of the exception, and a
    callback with what it was called with."""
    error = context.get("exception")
    what = "a callback failed" if "handle" in context else str(context.get("message", ""))
    said = {"event": "left_alone"}
    if isinstance(error, BaseException):
        logging.getLogger("shadowlane").error("%s: %s; please report it", what, describe(error), extra=said)
    else:
        logging.getLogger("shadowlane").error("event loop: %s", what, extra=said)


def configure_logging(level: str, form: str) -> logging.Formatter:
    """Log to standard error from now on. Raises :class:`~shadowlane.errors.ConfigError` for an unknown form."""
    if form not in get_args(LogFormat):
        raise ConfigError(f"--log-format, or {FORMAT_ENV}, = {form!r}: use text or json")
    formatter: logging.Formatter = logging.Formatter(_TEXT)
    if form == "json":
        formatter = JsonFormatter()
        sys.excepthook = _log_uncaught
        threading.excepthook = lambda found: _log_uncaught(found.exc_type, found.exc_value)
        logging.captureWarnings(True)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler])
    return formatter
