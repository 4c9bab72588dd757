"""The hook for what has no form: names, addresses, and whatever else needs a model. Off by default.

``[sanitize] detector = "module:factory"`` names a function without arguments that gives a :class:`Detector`. The worker
calls it on a thread of its own, on bodies that the core has redacted already, before a copy is sent or stored; what it
finds is replaced like every other finding (``mask``, or the action of its kind). A detector that fails keeps the copy
from being sent: what could not be looked at is not passed on.

:mod:`shadowlane.detect.presidio` is an example that works.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from .. import _core
from ..errors import ConfigError
from ..types import Headers

__all__ = ["Detector", "DetectorError", "Found", "Hook", "load_detector"]


class Found(NamedTuple):
    """A value in a text: its kind (``"person"``), and its place in characters, end excluded."""

    kind: str
    start: int
    end: int


class Detector(Protocol):
    """Finds values in texts."""

    def detect(self, texts: Sequence[str]) -> Sequence[Sequence[Found]]:
        """For each text its findings. Called from one thread at a time; may take milliseconds a text, and may raise."""


class DetectorError(Exception):
    """A detector raised, or gave something else than one list of findings a text."""


def load_detector(where: str) -> Detector:
    """The detector that ``module:factory`` makes. Raises :class:`~shadowlane.errors.ConfigError` when it cannot."""
    module, _, factory = where.partition(":")
    try:
        made: Detector = getattr(importlib.import_module(module), factory)()
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"sanitize.detector = {where!r}: {type(error).__name__}: {error}; "
            "install what it needs into the worker's environment, or remove the field"
        ) from error
    if not callable(getattr(made, "detect", None)):
        raise ConfigError(f"sanitize.detector = {where!r}: what it gives has no method detect(texts); correct it")
    return made


class Hook:
    """A detector with the replacing: bodies in, bodies out."""

    def __init__(self, detector: Detector, sanitizer: _core.Sanitizer) -> None:
        self._detector = detector
        self._sanitizer = sanitizer

    def clean(self, headers: Headers, body: bytes) -> tuple[bytes, dict[str, int]]:
        """A sanitized body without what the detector finds in its texts, and the counts by kind.

        Raises :class:`DetectorError`; then the body must not be passed on.
        """
        if not body:
            return body, {}
        kind = next((value for name, value in headers if name.lower() == b"content-type"), b"")
        texts = _core.Sanitizer.texts(kind, body)
        if not texts:
            return body, {}
        try:
            found = [
                _in_order((int(start), int(end), str(kind)) for kind, start, end in of_text)
                for of_text in self._detector.detect(texts)
            ]
        except Exception as error:
            raise DetectorError(f"{type(error).__name__}: the detector failed") from error
        if len(found) != len(texts):
            raise DetectorError(f"the detector gave {len(found)} lists of findings for {len(texts)} texts")
        if not any(found):
            return body, {}
        return self._sanitizer.replace(kind, body, found)


def _in_order(found: object) -> list[tuple[int, int, str]]:
    """Sorted, and without what overlaps: of those the first, and of two that begin alike the longer."""
    kept: list[tuple[int, int, str]] = []
    for start, end, kind in sorted(found, key=lambda item: (item[0], -item[1])):  # type: ignore[call-overload]
        if 0 <= start < end and (not kept or start >= kept[-1][1]):
            kept.append((start, end, kind))
    return kept
