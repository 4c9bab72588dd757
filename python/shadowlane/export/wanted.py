"""Which pairs a command wants: its options, and the filter that they make."""

from __future__ import annotations

import argparse
import re
import time
from datetime import datetime, timezone
from typing import Any, get_args, get_type_hints

from ..config import Config
from ..config.errors import advised
from ..errors import ConfigError
from ..report.wait import duration
from ..store import PairFilter
from ..types import REASONS

__all__ = ["add_filters", "filter_of", "moment"]

_AGO = re.compile(r"[0-9.]+[a-z0-9.]*\Z")


def moment(text: str, now_ns: int | None = None) -> int:
    """A time as an argument, in ns: ``2026-11-28``, ``2026-11-28T18:30:00Z`` (without a zone: UTC), or how long ago:
    ``90m``, ``7d``."""
    now = time.time_ns() if now_ns is None else now_ns
    if _AGO.match(text) and "-" not in text:
        return now - int(duration(text) * 1e9)
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: use a time as 2026-11-28 or 2026-11-28T18:30:00Z, or how long ago as 90m or 7d"
        ) from None
    at = at if at.tzinfo else at.replace(tzinfo=timezone.utc)
    return int(at.timestamp()) * 10**9 + at.microsecond * 1000


def _choices(field: str) -> tuple[str, ...]:
    """The words of a field of the filter, but for "not asked"."""
    return tuple(word for word in get_args(get_type_hints(PairFilter)[field]) if word)


def add_filters(parser: argparse.ArgumentParser) -> None:
    """The options that say which pairs."""
    add = parser.add_argument
    add("--store", metavar="FILE", help="the result of a replay or an import, in place of the lane's rows")
    add("--shadow", help="of this arm alone: a shadow's name, or control (default: of all)")
    add("--since", type=moment, metavar="TIME", help="that began at this time or later: 2026-11-28, ...T18:30:00Z, 7d")
    add("--until", type=moment, metavar="TIME", help="that began before it")
    add("--route", help='of this route: "POST /v1/chat/completions"')
    add("--tenant", help="of this tenant, as the store has it")
    add("--model", help="answered by this model, on either side")
    add("--band", choices=_choices("band"), help="with such a ΔS")
    add("--reason", metavar="REASON", help="not answered for this reason; answered: those that were")
    add(
        "--verdict",
        choices=_choices("verdict"),
        help="accepted or objected to by the rules and ΔS; or with this verdict of the judge",
    )
    add("--flip", choices=_choices("flip"), help="with a contradicted fact, or a λ that flipped")
    add("--mark", choices=_choices("mark"), help="marked so by a person; any: marked, none: not")


def filter_of(options: argparse.Namespace, config: Config) -> PairFilter:
    """The filter. Raises :class:`~shadowlane.errors.ConfigError` for a name that the configuration does not have."""
    arms = config.arms()
    if options.shadow is not None and options.shadow not in arms:
        why = advised(options.shadow, arms, f"no such arm in the configuration; known: {', '.join(arms)}")
        raise ConfigError(f"--shadow = {options.shadow!r}: {why}")
    known = ("answered", *REASONS)
    if options.reason is not None and options.reason not in known:
        why = advised(options.reason, known, f"no such reason; one of {', '.join(known)}")
        raise ConfigError(f"--reason = {options.reason!r}: {why}")
    if options.since is not None and options.until is not None and options.since >= options.until:
        raise ConfigError("--since and --until: nothing lies between them; give the earlier time to --since")
    names = ("route", "tenant", "model", "band", "reason", "verdict", "flip", "mark")
    members: dict[str, Any] = {name: getattr(options, name) or "" for name in names}
    return PairFilter(shadow=options.shadow or "", since_ns=options.since or 0, until_ns=options.until or 0, **members)
