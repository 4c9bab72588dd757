"""Numbers, dates and times, each normalised to one comparable value.

Invariant: two ways to write the same quantity compare as equal (``30 days`` and ``thirty days``, ``1.5 km`` and
``1500 m``, ``3 pm`` and ``15:00``, ``March 5, 2024`` and ``2024-03-05``); a number never compares with one of another
kind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["MONTHS", "NUMBER_WORDS", "SCALES", "UNITS", "WEEKDAYS", "Quantity", "agrees", "parse_date", "parse_number"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """``kind`` says what may be compared with what: ``length``, ``money:usd``, ``percent``, ``date``, ``count``, ..."""

    kind: str
    value: float
    unit: str = ""
    """As written, so that 30 and 31 days stay apart while 30 days and a month may meet."""
    precision: float = 0.0
    """Half of the last digit's place, in the value's unit: 4.5 stands for 4.45 to 4.55."""
    date: tuple[int, int, int] = (0, 0, 0)
    """Year, month, day for ``date``; 0 where not said. A month and a day of which either may be first: see
    ``swapped``.
    """
    swapped: bool = False


_UNITS_AND_TEENS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"

NUMBER_WORDS: dict[str, int] = (
    {word: value for value, word in enumerate(_UNITS_AND_TEENS.split())}
    | {word: 10 * value for value, word in enumerate(_TENS.split(), start=2)}
    | {"dozen": 12}
)

SCALES: dict[str, float] = {
    "hundred": 1e2,
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "trillion": 1e12,
    "k": 1e3,
    "m": 1e6,
    "bn": 1e9,
    "mn": 1e6,
}

# unit: (kind, factor to the kind's base unit)
UNITS: dict[str, tuple[str, float]] = {
    form: (kind, factor)
    for kind, units in {
        "length": {"mm millimeter millimetre": 1e-3, "cm centimeter centimetre": 1e-2, "m meter metre": 1.0,
                   "km kilometer kilometre": 1e3, "inch in": 0.0254, "ft foot feet": 0.3048, "yd yard": 0.9144,
                   "mi mile": 1609.344},
        "mass": {"mg milligram": 1e-3, "g gram": 1.0, "kg kilogram kilo": 1e3, "t ton tonne": 1e6, "oz ounce": 28.3495,
                 "lb lbs pound": 453.592},
        "duration": {"ms millisecond": 1e-3, "µs us microsecond": 1e-6, "s sec second": 1.0, "min minute": 60.0,
                     "h hr hrs hour": 3600.0, "day": 86400.0, "week": 604800.0, "month": 2629800.0,
                     "year yr": 31557600.0},
        "bytes": {"byte": 1.0, "kb kilobyte": 1e3, "mb megabyte": 1e6, "gb gigabyte": 1e9, "tb terabyte": 1e12,
                  "kib": 1024.0, "mib": 1048576.0, "gib": 1073741824.0},
        "volume": {"ml milliliter millilitre": 1e-3, "l liter litre": 1.0, "gal gallon": 3.78541},
        "temperature:c": {"°c celsius": 1.0}, "temperature:f": {"°f fahrenheit": 1.0}, "temperature": {"° degree": 1.0},
        "percent": {"% percent pct": 1.0},
        "money:usd": {"dollar usd us$ $": 1.0}, "money:eur": {"euro eur €": 1.0}, "money:gbp": {"gbp £": 1.0},
        "money:jpy": {"yen jpy ¥": 1.0}, "money:cent": {"cent": 1.0},
        "power": {"w watt": 1.0, "kw kilowatt": 1e3, "mw megawatt": 1e6},
        "energy": {"kwh": 1.0, "mwh": 1e3}, "frequency": {"hz hertz": 1.0, "khz": 1e3, "mhz": 1e6, "ghz": 1e9},
        "speed": {"mph": 0.44704, "kph km/h": 0.277778},
    }.items()
    for forms, factor in units.items()
    for form in forms.split()
}  # fmt: skip

MONTHS: dict[str, int] = {
    form: number
    for number, forms in enumerate(
        ["january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
         "september sep sept", "october oct", "november nov", "december dec"], start=1)
    for form in forms.split()
}  # fmt: skip
WEEKDAYS: dict[str, int] = {
    form: number
    for number, forms in enumerate(
        ["monday mon", "tuesday tue", "wednesday wed", "thursday thu", "friday fri", "saturday sat", "sunday sun"]
    )
    for form in forms.split()
}

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_DATE_FORMS = (
    re.compile(r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})\Z"),
    re.compile(r"(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<y>\d{4}|\d\d)\Z"),
    re.compile(rf"(?P<n>{_MONTH})\.?\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s+(?P<y>\d{{4}}))?\Z", re.IGNORECASE),
    re.compile(
        rf"(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<n>{_MONTH})\.?(?:,?\s+(?P<y>\d{{4}}))?\Z", re.IGNORECASE
    ),
    re.compile(rf"(?P<n>{_MONTH})\.?,?\s+(?P<y>\d{{4}})\Z", re.IGNORECASE),
)
_WEEK = 604800.0
_CLOCK = re.compile(r"(?P<h>\d{1,2})(?::(?P<m>\d\d))?(?::\d\d)?\s*(?P<half>[ap])?\.?(?:m\.?)?\Z", re.IGNORECASE)


def parse_date(text: str) -> Quantity | None:
    """A calendar date or a time of day as :class:`Quantity`; ``None`` when the text is neither."""
    for form in _DATE_FORMS:
        match = form.match(text)
        if match:
            part = match.groupdict()
            year = int(part.get("y") or 0)
            year += (2000 if year < 70 else 1900) if part.get("y") and len(part["y"]) == 2 else 0
            if "a" in part:
                first, second = int(part["a"]), int(part["b"])
                month, day, open_ = (first, second, True) if first <= 12 else (second, first, False)
                open_ = open_ and second <= 12 and first != second
            else:
                month = MONTHS[part["n"].lower()] if "n" in part else int(part["m"])
                day, open_ = int(part.get("d") or 0), False
            if not (1 <= month <= 12 and 0 <= day <= 31):
                return None
            return Quantity("date", 0.0, date=(year, month, day), swapped=open_)
    match = _CLOCK.match(text)
    if match and (match["m"] or match["half"]):
        hour, minute = int(match["h"]), int(match["m"] or 0)
        if match["half"]:
            hour = hour % 12 + (12 if match["half"] in "pP" else 0)
        return Quantity("time", hour * 60.0 + minute) if hour < 25 and minute < 60 else None
    return None


def parse_number(text: str) -> tuple[float, float] | None:
    """Value and precision (half of the last written place) of digits such as ``1,200.50``; ``None`` when no number."""
    plain = text.replace(",", "").replace("\u202f", "").replace("_", "")
    try:
        value = float(plain)
    except ValueError:
        return None
    _, point, decimals = plain.partition(".")
    return value, 0.5 * 10.0 ** -len(decimals) if point else 0.0


def agrees(one: Quantity, other: Quantity, *, hedged: bool = False) -> bool:
    """Whether two quantities of one kind can be the same.

    Numbers agree when one is the other rounded to the places that it is written with; ``hedged`` (about, nearly) allows
    10 %. Calendar units are uneven, so durations of a day or more agree within 3 % when their units differ (a month
    is 30 or 31 days). Dates agree when no part that both say differs.
    """
    if one.kind == "date":
        return any(
            all(left == right or not left or not right for left, right in zip(mine, theirs, strict=True))
            for mine in _readings(one)
            for theirs in _readings(other)
        )
    gap, size = abs(one.value - other.value), max(abs(one.value), abs(other.value))
    allowed = max(one.precision, other.precision, 1e-9 * size)
    if hedged:
        allowed = max(allowed, 0.1 * size)
    elif one.unit != other.unit and one.kind == "duration" and size >= _WEEK:
        allowed = max(allowed, 0.03 * size)
    elif one.unit != other.unit and one.kind not in ("count", "duration"):
        allowed = max(allowed, 0.005 * size)  # 5 miles are given as 8 km, not as 8.04672
    return gap <= allowed * (1 + 1e-9)


def _readings(quantity: Quantity) -> list[tuple[int, int, int]]:
    year, month, day = quantity.date
    return [quantity.date, (year, day, month)] if quantity.swapped else [quantity.date]
