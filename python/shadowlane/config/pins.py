"""``[pins]``: what says which version answered.

Invariant: a pin that passes here can be read from any exchange, and its header may pass the redaction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from .. import _core
from ..errors import ConfigError
from .limits import Section

__all__ = ["PinConfig", "pin_headers", "pin_tables", "pins_problem"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}\Z")
_READ = re.compile(r"(?:header:[!#$%&'*+.^_`|~0-9A-Za-z-]+|body:/(?:[^~]|~[01])*)\Z")
_TAKEN = ("model_rev", "index_hash", "prod_index_hash")
"""What every lane records without being asked."""


class PinConfig(Section, frozen=True):
    """``[pins.NAME]``: a version that is recorded with each pair. A change inside the gate's window restarts it.
    ``NAME = "header:..."`` under ``[pins]`` is short for a table with ``read`` alone."""

    read: str
    """Where it stands: ``header:NAME``, or ``body:POINTER`` with a JSON pointer (RFC 6901) into the body, or into the
    first event of a stream that has it. The header may then pass the redaction, as ``sanitize.allow_headers``."""
    of: Literal["shadow", "prod", "request"] = "shadow"
    """Whose header or body: the shadow's answer, prod's, or the request."""
    expected: str = ""
    """What it must say; another value is a finding of the gate's rule ``pins``. Empty: anything that stays the same."""


def pin_tables(pins: Any) -> Any:
    """``[pins]`` with every short form written out; what is no table is left for the check of types."""
    if not isinstance(pins, Mapping):
        return pins
    return {name: {"read": pin} if isinstance(pin, str) else pin for name, pin in pins.items()}


def pin_headers(pins: Mapping[str, PinConfig]) -> tuple[str, ...]:
    """The headers that pins are read from, in lower case."""
    found = [pin.read.partition(":")[2].lower() for pin in pins.values() if pin.read.startswith("header:")]
    return tuple(dict.fromkeys(found))


def pins_problem(pins: Mapping[str, PinConfig]) -> str | None:
    """The first thing that is wrong, as ``field = value: why; remedy``, or ``None``."""
    for name, pin in pins.items():
        if not _NAME.match(name):
            return f"pins = {name!r}: name a pin with 1 to 64 of a-z, 0-9, '_', '.', '-'"
        if name in _TAKEN:
            return f"pins.{name}: is recorded from x-model-rev and x-index-hash already; give this one another name"
        if not _READ.match(pin.read):
            return f'pins.{name}.read = {pin.read!r}: write header:NAME or body:/POINTER, for example "header:x-build"'
        if pin.read.startswith("header:"):
            try:
                _core.Redactor({"allow_headers": pin_headers({name: pin})})
            except ConfigError as error:
                why = str(error).partition(": ")[2] or str(error)
                return f"pins.{name}.read = {pin.read!r}: {why}"
    return None
