"""Rate-limit headers of the providers, read into one record: the budget that will run out first.

Families, all at once and in any case:

- the providers' own (``RateLimitFamily`` in :mod:`shadowlane.providers.base`), one header for each of limit, remaining
  and reset: ``x-ratelimit-{limit,remaining,reset}[-BUDGET]``, ``anthropic-ratelimit-BUDGET-{limit,remaining,reset}``,
  LiteLLM's own ``x-ratelimit-DESCRIPTOR-{limit,remaining}-BUDGET``; one answer may spell a family in two ways;
- a share that is used up: ``anthropic-ratelimit-unified-BUDGET-{utilization,status,reset}``;
- ``RateLimit`` and ``RateLimit-Policy`` as structured fields (draft-ietf-httpapi-ratelimit-headers, since -08), as a
  dictionary (-07), and ``RateLimit-{Limit,Remaining,Reset}`` before that.

Invariant: anything may stand in a header; what cannot be read is left out, and nothing is raised.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from ..providers.registry import RATE_LIMITS
from .dates import parse_reset, parse_retry_after
from .structured import list_members

__all__ = ["HeaderInput", "RateLimit", "parse_rate_limit", "rate_limit_headers", "retry_after_s"]

_RETRY = ("retry-after", "retry-after-ms")
_Text = str | bytes
HeaderInput = Mapping[str, _Text | Sequence[_Text]] | Mapping[bytes, bytes] | Iterable[tuple[_Text, _Text]]
"""A mapping (values may be lists) or pairs, of text or bytes, with names in any case."""


class RateLimit(msgspec.Struct, frozen=True):
    """One budget: requests, tokens or whatever the provider counts."""

    limit: int | None
    """The whole budget; ``None`` when the headers do not say."""
    remaining: int
    reset_s: float | None
    """Seconds until the budget is whole again; ``None`` when the headers do not say."""

    @property
    def share(self) -> float | None:
        """``remaining / limit``; 0.0 when nothing remains; ``None`` when the limit is not known."""
        if self.remaining == 0:
            return 0.0
        return None if self.limit is None else self.remaining / self.limit


def parse_rate_limit(headers: HeaderInput, now: float) -> RateLimit | None:
    """The tightest budget of a response, or ``None`` when its headers name none. ``now`` is the Unix time.

    Tightest is the least share left; where no limit is named, the least that remains. Among equals it is the one that
    resets last. Budgets without a count of what remains, with a limit of 0 or with negative numbers (which mean "does
    not apply") are not budgets.
    """
    fields = _fields(headers)
    if not fields:
        return None
    budgets = [*_counted(fields, now), *_structured(fields)]
    return min(budgets, key=_tightness, default=None)


def rate_limit_headers(headers: Mapping[bytes, bytes] | Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """What a response says of rate limits and of when to come back: its headers of any family, by lower-case name."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    found = {}
    for name, value in pairs:
        if key := _known(name):
            found[key] = value.decode("latin-1")
    return found


def retry_after_s(headers: HeaderInput, now: float) -> float | None:
    """Seconds to wait by ``retry-after-ms`` (OpenAI and Azure, finer) or ``Retry-After``, or ``None``."""
    fields = _fields(headers)
    millis = _number(fields.get("retry-after-ms", ""))
    if millis is not None:
        return millis / 1000
    return parse_retry_after(fields["retry-after"], now) if "retry-after" in fields else None


def _tightness(budget: RateLimit) -> tuple[int, float, float]:
    share = budget.share
    later_first = -(budget.reset_s or 0.0)
    return (0, share, later_first) if share is not None else (1, budget.remaining, later_first)


def _fields(headers: HeaderInput) -> dict[str, str]:
    """Values by lower-case name, of the headers that say something here; several of one name are one list (RFC 9110
    §5.3)."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    fields: dict[str, str] = {}
    for name, value in pairs:
        if not (key := _known(name)):
            continue
        values = [value] if isinstance(value, (str, bytes)) else value
        text = ", ".join(_decoded(one) for one in values)
        fields[key] = f"{fields[key]}, {text}" if key in fields else text
    return fields


@functools.lru_cache(maxsize=1024)
def _known(name: _Text) -> str:
    """A header's name in lower case, or nothing when it says nothing here. The same names come with every answer."""
    key = _decoded(name).lower()
    return key if key in _RETRY or _ANY.match(key) else ""


def _decoded(value: _Text) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


_KIND = r"(?P<kind>limit|remaining|reset)"
_EVERY = "|".join(family.pattern for family in RATE_LIMITS)
_EITHER_ORDER = "|".join(family.pattern for family in RATE_LIMITS if not family.budget_first)
_KIND_FIRST = re.compile(rf"(?P<family>{_EITHER_ORDER})-{_KIND}(?:-(?P<budget>.+))?\Z")
_BUDGET_FIRST = re.compile(rf"(?P<family>{_EVERY})-(?P<budget>.+)-{_KIND}\Z")
_BUDGET_AROUND = re.compile(rf"(?P<family>{_EITHER_ORDER})-(?P<budget>.+?-{_KIND}-.+)\Z")
_USED = re.compile(rf"(?P<family>{_EVERY})-(?P<budget>.+)-(?P<kind>utili[sz]ation|status)\Z")
_SHARE_UNITS = 1_000_000
"""A budget of which only a share is known counts in millionths."""
_ANY = re.compile(rf"(?:{_EVERY})(?:-|\Z)")
_MILLISECONDS = tuple(family for family in RATE_LIMITS if family.milliseconds_beside)
_LEADING_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(?:[,;]|\Z)", re.ASCII)


def _counted(fields: Mapping[str, str], now: float) -> Iterator[RateLimit]:
    """Budgets given as one header for each of limit, remaining and reset."""
    budgets: dict[tuple[str, str], dict[str, str]] = {}
    spellings: dict[str, set[str]] = {}
    for name, value in fields.items():
        match = _KIND_FIRST.match(name) or _BUDGET_FIRST.match(name) or _BUDGET_AROUND.match(name) or _USED.match(name)
        if match:
            budget, kind = match["budget"] or "", match["kind"]
            if match.re is _BUDGET_AROUND:
                budget = budget.replace(f"-{kind}-", "-", 1)
            if kind == "reset" and budget == "after":  # Discord: seconds beside a Unix time, and more exact
                budget, kind = "", "reset-after"
            family = match["family"].replace("rate-limit", "ratelimit").replace("token-limit", "tokenlimit")
            spellings.setdefault(family, set()).add(match["family"])
            budgets.setdefault((family, budget), {})[kind.replace("isation", "ization")] = value
    for (family, name), found in budgets.items():
        limit, remaining = _number(found.get("limit", "")), _number(found.get("remaining", ""))
        if remaining is None and (used := _used(found)) is not None:
            limit, remaining = _SHARE_UNITS, round(_SHARE_UNITS * max(1 - used, 0.0))
        if remaining is None or limit == 0 or found.get("limit", "").lstrip().startswith("-"):
            continue
        milliseconds = any(_in_milliseconds(spelling, name, fields) for spelling in spellings[family])
        reset_s = _reset(found.get("reset-after", found.get("reset", "")), now, 0.001 if milliseconds else 1.0)
        yield RateLimit(limit=None if limit is None else int(limit), remaining=int(remaining), reset_s=reset_s)


def _used(found: Mapping[str, str]) -> float | None:
    """The share of a budget that is used up; 1.0 for one that refuses, whatever else it says."""
    if found.get("status", "").strip().lower() == "rejected":
        return 1.0
    return _number(found.get("utilization", ""))


def _reset(reset: str, now: float, unit_s: float) -> float | None:
    reset_s = parse_reset(reset, now, unit_s=unit_s)
    if reset_s is None and "," in reset and not reset.lstrip()[:1].isalpha():
        reset_s = parse_reset(reset.partition(",")[0], now, unit_s=unit_s)  # the header was sent twice
    return reset_s


def _in_milliseconds(family: str, budget: str, fields: Mapping[str, str]) -> bool:
    return any(
        re.fullmatch(known.pattern, family) and f"{family}-{known.milliseconds_beside}-{budget}" in fields
        for known in _MILLISECONDS
    )


def _number(value: str) -> float | None:
    """The number that a value starts with: ``100``, or ``100, 100;w=60`` of the early IETF drafts."""
    match = _LEADING_NUMBER.match(value)
    return min(float(match[1]), 2.0**63) if match else None


def _structured(fields: Mapping[str, str]) -> Iterator[RateLimit]:
    """Budgets of ``RateLimit``, with their quotas from ``RateLimit-Policy``."""
    quotas: dict[str, int] = {}
    for item, parameters in list_members(fields.get("ratelimit-policy", "")):
        quota = parameters.get("q", item)  # before -08 the quota itself was the item
        if quota.isdigit():
            quotas[item if "q" in parameters else ""] = int(quota)
    dictionary: dict[str, str] = {}
    for item, parameters in list_members(fields.get("ratelimit", "")):
        name, sign, value = item.partition("=")
        if sign and name in ("limit", "remaining", "reset"):
            dictionary[name] = value
            continue
        remaining, reset = parameters.get("r", ""), parameters.get("t", "")
        limit = quotas.get(item)
        if remaining.isdigit() and limit != 0:
            yield RateLimit(limit=limit, remaining=int(remaining), reset_s=float(reset) if reset.isdigit() else None)
    if dictionary.get("remaining", "").isdigit() and dictionary.get("limit") != "0":
        limit_text, reset = dictionary.get("limit", ""), dictionary.get("reset", "")
        yield RateLimit(
            limit=int(limit_text) if limit_text.isdigit() else quotas.get(""),
            remaining=int(dictionary["remaining"]),
            reset_s=float(reset) if reset.isdigit() else None,
        )
