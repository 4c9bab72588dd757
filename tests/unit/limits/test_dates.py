"""Retry-After, HTTP-dates, RFC 3339, durations: tables, and laws against other writers of the same forms."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.limits import parse_retry_after
from shadowlane.limits.dates import parse_duration, parse_http_date, parse_reset, parse_rfc3339

NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110 §5.6.7

_moments = st.datetimes(datetime(1971, 1, 1), datetime(2400, 1, 1)).map(lambda t: t.replace(tzinfo=timezone.utc))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        (" 7\t", 7.0),
        ("1.5", 1.5),
        ("9" * 400, 2.0**31),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
        ("Sunday, 06-Nov-94 08:50:37 GMT", 60.0),
        ("Sun Nov  6 08:50:37 1994", 60.0),
        ("Sun Nov 06 08:50:37 1994", 60.0),
        ("Sat, 05 Nov 1994 08:49:37 GMT", 0.0),
        ("Sat, 31 Dec 1994 23:59:60 GMT", 788_918_400.0 - NOW),
        ("Saturday, 01-Jan-00 00:00:00 GMT", 946_684_800.0 - NOW),
        ("Monday, 06-Nov-67 08:49:37 GMT", 0.0),
        ("", None),
        ("-5", None),
        ("+5", None),
        ("5s", None),
        ("1e3", None),
        ("0x10", None),
        ("5, 6", None),
        ("٣", None),
        ("²", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("Sun, 06 Nov 1994 08:49:37 PST", None),
        ("Sun, 06 Nov 1994 08:49:37", None),
        ("Sun, 6 Nov 1994 08:49:37 GMT", None),
        ("Thu, 31 Feb 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 25:49:37 GMT", None),
        ("Sun, 00 Nov 1994 08:49:37 GMT", None),
        ("1994-11-06T08:50:37Z", None),
        # What is sent although it is not right: a Unix time, the header twice, other names of GMT.
        ("1732790000", 1_732_790_000.0 - NOW),
        ("1732790000.5", 1_732_790_000.5 - NOW),
        ("1732790000123", 1_732_790_000.123 - NOW),
        ("999999999", 999_999_999.0),
        ("5, 5", 5.0),
        ("120,120", 120.0),
        ("Sun, 06 Nov 1994 08:50:37 GMT, Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
        ("5, 5, 5", None),
        (", ", None),
        ("Sun, 06 Nov 1994 08:50:37 UTC", 60.0),
        ("Sun, 06 Nov 1994 08:50:37 +0000", 60.0),
        ("Sun, 06 Nov 1994 08:50:37 -0000", 60.0),
        ("Sun, 06 Nov 1994 08:50:37 +0100", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(_moments, st.floats(0, 1e10))
def test_http_dates_in_every_format(moment: datetime, now: float) -> None:
    expected = float(int(moment.timestamp()))
    assert parse_http_date(format_datetime(moment, usegmt=True), now) == expected
    asctime = f"{moment:%a %b} {moment.day:2d} {moment:%H:%M:%S %Y}"
    assert parse_http_date(asctime, now) == expected


@given(_moments, st.integers(-49 * 365, 49 * 365))
def test_two_digit_years_are_within_fifty_years(moment: datetime, days: int) -> None:
    now = (moment + timedelta(days=days)).timestamp()
    if now >= 0:
        assert parse_http_date(f"{moment:%A, %d-%b-%y %H:%M:%S} GMT", now) == float(int(moment.timestamp()))


@given(_moments, st.integers(-14 * 60 + 1, 14 * 60 - 1), st.integers(0, 9))
def test_rfc3339(moment: datetime, offset_min: int, digits: int) -> None:
    local = moment.astimezone(timezone(timedelta(minutes=offset_min)))
    sign = "-" if offset_min < 0 else "+"
    fraction = f".{moment.microsecond:06d}000"[: digits + 1] if digits else ""
    text = f"{local:%Y-%m-%dT%H:%M:%S}{fraction}{sign}{abs(offset_min) // 60:02d}:{abs(offset_min) % 60:02d}"
    parsed = parse_rfc3339(text)
    assert parsed is not None
    assert abs(parsed - moment.timestamp()) <= 10.0**-digits + 1e-4
    if not offset_min:
        assert parse_rfc3339(text[:-6] + "Z") == parsed


@pytest.mark.parametrize(
    "text", ["2025-02-30T00:00:00Z", "2025-01-01", "2025-01-01T00:00:00", "2025-01-01T00:00:00+24:00"]
)
def test_not_rfc3339(text: str) -> None:
    assert parse_rfc3339(text) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360.0),
        ("12ms", 0.012),
        ("20m52.666s", 1252.666),
        ("1h0m0s", 3600.0),
        ("17.399999999s", 17.399999999),
        ("1d2h", 93_600.0),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("0s", 0.0),
        ("", None),
        ("12", None),
        ("m", None),
        ("1m 2s", None),
        ("-1s", None),
        ("1.s", None),
        ("5 seconds", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    parsed = parse_duration(text)
    assert parsed == (None if seconds is None else pytest.approx(seconds, rel=1e-12))


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59_999))
def test_durations_as_go_writes_them(hours: int, minutes: int, millis: int) -> None:
    text = f"{hours}h{minutes}m{millis / 1000:g}s" if hours else f"{minutes}m{millis / 1000:g}s"
    parsed = parse_duration(text)
    assert parsed == pytest.approx(hours * 3600 + minutes * 60 + millis / 1000, rel=1e-5)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        ("0.25", 0.25),
        ("784111837", 784111837.0),  # below 1e9: a duration, however long
        ("1700000060", 60.0),
        ("1700000060.5", 60.5),
        ("1700000060000", 60.0),
        ("1699999999", 0.0),
        ("2023-11-14T22:14:20Z", 60.0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("1m", 60.0),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_resets(text: str, seconds: float | None) -> None:
    assert parse_reset(text, 1_700_000_000.0) == seconds


@given(st.text(max_size=40), st.floats(-1e12, 1e12))
def test_anything_gives_finite_seconds_or_none(text: str, now: float) -> None:
    for parsed in (parse_retry_after(text, now), parse_reset(text, now), parse_duration(text)):
        assert parsed is None or (math.isfinite(parsed) and parsed >= 0)
