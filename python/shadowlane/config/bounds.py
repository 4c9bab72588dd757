"""The range of every number of the configuration, declared beside its field and checked in one walk.

A field says ``Annotated[float, Bound(...)]``; dictionaries of numbers bound their values. Invariant: a number that
passed is finite and inside its range, so that no step has to ask for ``nan``, ``inf`` or a negative one again. A
numeric field without a bound fails a test (``tests/unit/config/test_numbers.py``).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, get_type_hints

import msgspec

__all__ = ["DAY_S", "SHARE", "Bound", "bounds_of", "number_problem"]

DAY_S = 86_400.0


class Bound(NamedTuple):
    """From ``least`` to ``most``, both included unless ``above`` or ``below`` says otherwise."""

    least: float
    most: float
    above: bool = False
    """More than ``least``, not ``least`` itself."""
    below: bool = False
    """Less than ``most``."""
    unit: str = ""
    """Named behind the range in the error, such as ``seconds``."""
    remedy: str = ""
    """What the error says instead of the range, where that needs more words."""
    share: bool = False
    """A share of a whole: who gave 3 for 3 % is told 0.03."""

    def holds(self, value: float) -> bool:
        """Whether the value is finite and inside."""
        if not math.isfinite(value):
            return False
        low = value > self.least if self.above else value >= self.least
        return low and (value < self.most if self.below else value <= self.most)

    def advice(self, value: float) -> str:
        """What to do about a value that is not inside."""
        text = self.remedy
        if not text:
            low = f"more than {self.least:.16g} and" if self.above else f"{self.least:.16g} to"
            high = f"less than {self.most:.16g}" if self.below else f"at most {self.most:.16g}" if self.above else ""
            text = " ".join(part for part in ("use", low, high or f"{self.most:.16g}", self.unit) if part)
        if self.share and 1 < value <= 100 and self.holds(value / 100):
            text += f"; for {value:g} % use {value / 100:g}"
        return text


SHARE = Bound(0, 1, above=True, share=True)


@functools.cache
def bounds_of(section: type[msgspec.Struct]) -> Mapping[str, Bound]:
    """The bounds that a section's fields declare, by field."""
    hints = get_type_hints(section, include_extras=True)
    declared = {name: getattr(hint, "__metadata__", ()) for name, hint in hints.items()}
    return {name: found for name, marks in declared.items() for found in marks if isinstance(found, Bound)}


def number_problem(section: msgspec.Struct, where: str = "") -> str | None:
    """The first number of a section, or of the sections inside it, that is out of its range; or ``None``."""
    for path, value, bound in _numbers(section, where):
        if not bound.holds(value):
            return f"{path} = {value!r}: {bound.advice(value)}"
    return None


def _numbers(section: msgspec.Struct, where: str) -> Iterator[tuple[str, float, Bound]]:
    bounds = bounds_of(type(section))
    for name in section.__struct_fields__:
        value, path, bound = getattr(section, name), f"{where}.{name}" if where else name, bounds.get(name)
        if bound is not None:
            numbers = value.items() if isinstance(value, Mapping) else [(None, value)]
            for key, number in numbers:
                if number is not None:
                    yield (path if key is None else f"{path}.{key!r}"), number, bound
        else:
            yield from _inside(value, path)


def _inside(value: Any, path: str) -> Iterator[tuple[str, float, Bound]]:
    """The numbers of a section, or of the sections in a table or a list of them."""
    if isinstance(value, msgspec.Struct):
        yield from _numbers(value, path)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _inside(item, f"{path}.{key}")
    elif isinstance(value, tuple):
        for position, item in enumerate(value):
            yield from _inside(item, f"{path}[{position}]")
