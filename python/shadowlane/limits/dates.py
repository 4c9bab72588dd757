"""Points in time and durations as rate-limit headers write them.

Invariant: every function takes any text and returns seconds or ``None``; results are finite and never negative.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

__all__ = ["parse_duration", "parse_http_date", "parse_reset", "parse_retry_after", "parse_rfc3339"]

_MAX_S = float(1 << 31)  # RFC 9111 §1.2.2: what overflows counts as 2^31 seconds
_EPOCH_FROM = 1e9  # as a duration this would be 31 years; as a Unix time, any since 2001
_EPOCH_MS_FROM = 1e11

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?\Z", re.ASCII)
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|μs|ms|s|m|h|d))+\Z", re.ASCII)
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|μs|ms|s|m|h|d)", re.ASCII)
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_DAY, _DAY_LONG = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)", "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_MONTH, _CLOCK = f"(?P<month>{'|'.join(_MONTHS)})", "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_ZONE = r"(?:GMT|UTC|UT|[+-]0000)"  # GMT alone is right (RFC 9110 §5.6.7); the others are sent, and mean the same
_HTTP_DATES = (
    re.compile(rf"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_CLOCK} {_ZONE}\Z"),  # IMF-fixdate
    re.compile(rf"{_DAY_LONG}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_CLOCK} {_ZONE}\Z"),  # RFC 850
    re.compile(rf"{_DAY} {_MONTH} (?P<day>[ 0-9][0-9]) {_CLOCK} (?P<year>[0-9]{{4}})\Z"),  # asctime
)
_RFC3339 = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})[Tt ]"
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]+))?"
    r"(?:(?P<utc>[Zz])|(?P<sign>[+-])(?P<off_hour>[0-9]{2}):(?P<off_minute>[0-9]{2}))\Z"
)


def parse_retry_after(value: str, now: float) -> float | None:
    """Seconds to wait, from a Retry-After header (RFC 9110 §10.2.3): delta-seconds or an HTTP-date.

    ``now`` is the Unix time. A date in the past gives 0.0. What some services send instead is taken too: decimal
    fractions, a Unix time in seconds or milliseconds, and the same value twice (the header was sent twice). ``None``
    for anything else.
    """
    value = value.strip(" \t")
    value = next(
        (half for half in (value[: len(value) // 2 - 1], value[: len(value) // 2]) if _twice(value, half)), value
    )
    if _NUMBER.match(value):
        return _until(_unix_time(float(value)), now) if float(value) >= _EPOCH_FROM else float(value)
    date = parse_http_date(value, now)
    return None if date is None else _until(date, now)


def parse_http_date(value: str, now: float) -> float | None:
    """The Unix time of an HTTP-date in any of its three formats (RFC 9110 §5.6.7), or ``None``.

    ``now`` places two-digit years: what would be more than 50 years ahead is in the past.
    """
    for form in _HTTP_DATES:
        if match := form.match(value):
            year = int(match["year"])
            if len(match["year"]) == 2:
                this_year = (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=min(max(now, 0), 2e11))).year
                year += this_year - this_year % 100
                if year > this_year + 50:
                    year -= 100
                elif year <= this_year - 50:
                    year += 100
            return _unix(
                year, _MONTHS[match["month"]], int(match["day"]), match["hour"], match["minute"], match["second"]
            )
    return None


def parse_rfc3339(value: str) -> float | None:
    """The Unix time of an RFC 3339 date-time (§5.6), with any number of fraction digits, or ``None``."""
    match = _RFC3339.match(value.strip(" \t"))
    if not match:
        return None
    seconds = _unix(
        int(match["year"]), int(match["month"]), int(match["day"]), match["hour"], match["minute"], match["second"]
    )
    if seconds is None:
        return None
    if match["fraction"]:
        seconds += float("0." + match["fraction"])
    if match["sign"]:
        if int(match["off_hour"]) > 23 or int(match["off_minute"]) > 59:
            return None
        offset = int(match["off_hour"]) * 3600 + int(match["off_minute"]) * 60
        seconds += -offset if match["sign"] == "+" else offset
    return seconds


def parse_duration(value: str) -> float | None:
    """Seconds of a duration such as ``6m0s``, ``12ms`` or ``20m52.666s`` (as Go writes them, and days), or ``None``."""
    value = value.strip(" \t")
    if not _DURATION.match(value):
        return None
    return min(sum(float(amount) * _UNITS[unit] for amount, unit in _DURATION_PART.findall(value)), _MAX_S)


def parse_reset(value: str, now: float, *, unit_s: float = 1.0) -> float | None:
    """Seconds from ``now`` (Unix time) until a budget is whole again, in whichever form the header has it, or ``None``.

    Plain numbers are in ``unit_s``, unless they are so large that they must be Unix times in seconds or milliseconds;
    further durations, RFC 3339 and HTTP-dates. What lies in the past gives 0.0.
    """
    value = value.strip(" \t")
    if _NUMBER.match(value):
        number = float(value)
        return _until(_unix_time(number), now) if number >= _EPOCH_FROM else number * unit_s
    duration = parse_duration(value)
    if duration is not None:
        return duration
    moment = parse_rfc3339(value)
    if moment is None:
        moment = parse_http_date(value, now)
    return None if moment is None else _until(moment, now)


def _twice(value: str, half: str) -> bool:
    return bool(half) and value in (f"{half}, {half}", f"{half},{half}")


def _unix_time(number: float) -> float:
    """The Unix time that a number too large for a duration stands for: it is in seconds, or in milliseconds."""
    return number / 1000 if number >= _EPOCH_MS_FROM else number


def _until(moment: float, now: float) -> float:
    return min(max(moment - now, 0.0), _MAX_S)


def _unix(year: int, month: int, day: int, hour: str, minute: str, second: str) -> float | None:
    leap = second == "60"  # a leap second is the next minute's first (RFC 3339 §5.7)
    try:
        moment = datetime(year, month, day, int(hour), int(minute), 59 if leap else int(second), tzinfo=timezone.utc)
    except ValueError:
        return None
    return moment.timestamp() + leap
