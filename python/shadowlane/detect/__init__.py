"""The hook for what has no form: names, addresses, and whatever else needs a model. Off by default.

``[sanitize] detector = "module:factory"`` names a function without arguments that gives a :class:`Detector`. The
worker calls it from one thread at a time, on bodies that the core has redacted already, before a copy is sent or
stored; what it finds is replaced like every other finding (``mask``, or the action of its kind). A detector that
fails keeps the copy from being sent: what could not be looked at is not passed on.

:mod:`shadowlane.detect.presidio` is an example that works.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol

import msgspec

from .. import _core
from ..errors import ConfigError, DetectorError
from ..types import UNREADABLE_DETECTOR, Copy, Headers, header

__all__ = [
    "DetectingDrainer",
    "DetectingSanitizer",
    "Detector",
    "DetectorError",
    "Found",
    "Hook",
    "load_detector",
]

log = logging.getLogger("shadowlane.worker")

_FIELDS = {field.name: position for position, field in enumerate(msgspec.structs.fields(Copy))}
_PLAIN = b"text/plain"


class Found(NamedTuple):
    """A value in a text: its kind (``"person"``), where it begins and ends in characters, end excluded."""

    kind: str
    start: int
    end: int


class Detector(Protocol):
    """Finds values in texts."""

    def detect(self, texts: Sequence[str]) -> Sequence[Sequence[Found]]:
        """For each text its findings. Called from one thread at a time; may take milliseconds a text, and may raise."""


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
        self._lock = threading.Lock()

    def clean(self, headers: Headers, body: bytes) -> tuple[bytes, dict[str, int]]:
        """A sanitized body without what the detector finds in its texts, and the counts by kind.

        Raises :class:`DetectorError`; then the body must not be passed on.
        """
        if not body:
            return body, {}
        kind = header(headers, b"content-type").encode("latin-1")
        with self._failing():
            texts = _core.Sanitizer.texts(kind, body)
            found = self._find(texts)
            return self._sanitizer.replace(kind, body, found) if any(found) else (body, {})

    def clean_texts(self, texts: Sequence[str]) -> list[str]:
        """Sanitized texts without what the detector finds in them, from one call of it.

        Raises :class:`~shadowlane.errors.DetectorError`; then none of them may be passed on.
        """
        bodies = [text.encode("utf-8", "replace") for text in texts]
        with self._failing():
            parts = [_core.Sanitizer.texts(_PLAIN, body) for body in bodies]
            found = iter(self._find([part for several in parts for part in several]))
            for position, several in enumerate(parts):
                of_body = list(islice(found, len(several)))
                if any(of_body):
                    bodies[position], _ = self._sanitizer.replace(_PLAIN, bodies[position], of_body)
        return [body.decode() for body in bodies]

    def _find(self, texts: Sequence[str]) -> list[list[tuple[int, int, str]]]:
        if not texts:
            return []
        with self._lock:
            found = [
                _in_order((int(start), int(end), str(kind)) for kind, start, end in of_text)
                for of_text in self._detector.detect(texts)
            ]
        if len(found) != len(texts):
            raise DetectorError(
                f"sanitize.detector gave {len(found)} lists of findings for {len(texts)} texts; it must give one a text"
            )
        return found

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except DetectorError:
            raise
        except BaseException as error:  # a detector may panic, or end the process: here that is a failure like others
            raise DetectorError(
                f"sanitize.detector failed ({type(error).__name__}); mend the detector, or remove the field"
            ) from error


def _in_order(found: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Sorted, and without what overlaps: of those the first, and of two that begin alike the longer."""
    kept: list[tuple[int, int, str]] = []
    for start, end, kind in sorted(found, key=lambda item: (item[0], -item[1])):
        if 0 <= start < end and (not kept or start >= kept[-1][1]):
            kept.append((start, end, kind))
    return kept


class DetectingDrainer:
    """A drainer whose copies went through the hook. A copy that could not is blocked, and its bodies are left out."""

    def __init__(self, drainer: _core.Drainer, hook: Hook) -> None:
        self._drainer = drainer
        self._hook = hook
        self.ack = drainer.ack
        self.pending = drainer.pending
        self.live_producers = drainer.live_producers
        self.suspects = drainer.suspects
        self.try_acquire = drainer.try_acquire
        self.wait_s = drainer.wait_s
        self.available = drainer.available

    def drain(self, max_frames: int, max_bytes: int) -> list[tuple[Any, ...]]:
        """As ``Drainer.drain``; takes as long as the detector does."""
        return [self._clean(row) for row in self._drainer.drain(max_frames, max_bytes)]

    def _clean(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        fields = list(row)
        counts = dict(fields[_FIELDS["findings"]])
        for headers, body in (("headers", "body"), ("response_headers", "response_body")):
            position = _FIELDS[body]
            try:
                fields[position], found = self._hook.clean(fields[_FIELDS[headers]], fields[position])
            except DetectorError as error:
                log.warning("a copy is not sent: %s", error)
                fields[position], found = b"", {UNREADABLE_DETECTOR: 1}
                fields[_FIELDS["blocked"]] = fields[_FIELDS["blocked"]] or "unreadable"
            _add(counts, found)
        fields[_FIELDS["findings"]] = counts
        return tuple(fields)


class DetectingSanitizer:
    """A sanitizer whose answers and texts went through the hook.

    An answer that could not is left out, and says so. A text that could not raises :class:`DetectorError`: an empty one
    in its place would pass for an answer that says nothing.
    """

    def __init__(self, sanitizer: _core.Sanitizer, hook: Hook) -> None:
        self._sanitizer = sanitizer
        self._hook = hook

    def text(self, text: str) -> str:
        """A short text of a shadow's, as a tool call's arguments. Raises :class:`DetectorError`."""
        return self._hook.clean_texts([self._sanitizer.text(text)])[0]

    def again(self, text: str) -> str:
        """As ``Sanitizer.again``: a whole shows names that no piece does. Raises :class:`DetectorError`."""
        return self.again_all([text])[0]

    def again_all(self, texts: Sequence[str]) -> list[str]:
        """:meth:`again` of each text, with one call of the detector. Raises :class:`DetectorError`."""
        return self._hook.clean_texts([self._sanitizer.again(text) for text in texts])

    def response(
        self, headers: Headers, body: bytes, cut: bool
    ) -> tuple[list[tuple[bytes, bytes]], bytes, dict[str, int], str]:
        """As ``Sanitizer.response``; takes as long as the detector does."""
        kept, clean, counts, note = self._sanitizer.response(headers, body, cut)
        try:
            clean, found = self._hook.clean(tuple(kept), clean)
        except DetectorError as error:
            log.warning("an answer is left out: %s", error)
            clean, found, note = b"", {UNREADABLE_DETECTOR: 1}, note or "detector"
        _add(counts, found)
        return kept, clean, counts, note


def _add(counts: dict[str, int], more: dict[str, int]) -> None:
    for kind, count in more.items():
        counts[kind] = counts.get(kind, 0) + count
