"""Where two answers that are JSON differ, as a row of the store keeps it: once for each shape of path, values cut."""

from __future__ import annotations

from typing import Any

from ..config import StructureConfig
from ..providers.reading.jsonlike import canonical, parse_json
from ..types import Answer, StructureDifference
from .structure import Difference, structural_difference

__all__ = ["structure_differences"]

_MAX_SHAPES = 64
"""Shapes of differing paths that are stored of a pair. An answer that differs in more is another answer; ΔS says so."""
_VALUE_CHARS = 120


def structure_differences(
    prod: Answer, shadow: Answer, bodies: tuple[bytes, bytes], how: StructureConfig
) -> tuple[StructureDifference, ...] | None:
    """Where two answers, whose bodies are given, differ; ``None`` when one side is no JSON."""
    sides = _documents(prod, shadow, bodies)
    if sides is None:
        return None
    found = structural_difference(
        *sides,
        ignore=how.ignore,
        float_tolerance=how.float_tolerance,
        time_tolerance_s=how.time_tolerance_s,
        unordered=how.unordered,
    )
    shapes: dict[tuple[str, str], StructureDifference] = {}
    for difference in found:
        if len(shapes) == _MAX_SHAPES:
            break
        shapes.setdefault((difference.shape, difference.kind), _shown(difference))
    return tuple(shapes.values())


def _documents(prod: Answer, shadow: Answer, bodies: tuple[bytes, bytes]) -> tuple[Any, Any] | None:
    """What of both answers is compared by structure: bodies of plain JSON APIs; of language models' answers what they
    say, when that is JSON (ids, times and token counts around it differ always and mean nothing).
    """
    if prod.kind != "json" and shadow.kind != "json":
        if not all(answer.text.lstrip()[:1] in ("{", "[") for answer in (prod, shadow)):
            return None
        bodies = (prod.text.encode(), shadow.text.encode())
    (a, wrong_a), (b, wrong_b) = parse_json(bodies[0]), parse_json(bodies[1])
    return None if wrong_a or wrong_b else (a, b)


def _shown(difference: Difference) -> StructureDifference:
    def text(value: Any, there: bool) -> str:
        shown = canonical(value) if there else ""
        return shown if len(shown) <= _VALUE_CHARS else shown[: _VALUE_CHARS - 1] + "…"

    return StructureDifference(
        difference.path,
        difference.shape,
        difference.kind,
        text(difference.a, difference.kind != "extra"),
        text(difference.b, difference.kind != "missing"),
    )
