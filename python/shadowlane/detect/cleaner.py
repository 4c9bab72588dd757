"""The redaction of a process, as ``[sanitize]`` has it: the core's rules, the lane's key, the user's detector.

Invariant: every command that stores, embeds or shows texts opens it here, so that all of them redact alike.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from .. import _core
from ..config import Config
from ..config.sections import SanitizeConfig
from ..files import may_exist
from ..providers.cleaning import use_rules
from ..types import Headers
from . import DetectingDrainer, DetectingSanitizer, Hook, load_detector

__all__ = ["Cleaner", "Redaction", "open_cleaner"]

_KEY_FILE = "redact.key"


class Cleaner(Protocol):
    """What redacts: the core's ``Sanitizer``, with or without a detector of the user's."""

    def text(self, text: str) -> str: ...
    def again(self, text: str) -> str: ...
    def response(
        self, headers: Headers, body: bytes, cut: bool
    ) -> tuple[list[tuple[bytes, bytes]], bytes, dict[str, int], str]: ...


@dataclass(frozen=True, slots=True)
class Redaction:
    """What :func:`open_cleaner` gives."""

    sanitizer: _core.Sanitizer
    """The core's part alone: what a detector need not see again."""
    cleaner: Cleaner
    """Answers and texts go through it."""
    hook: Hook | None

    def drainer(self, drainer: _core.Drainer) -> _core.Drainer | DetectingDrainer:
        """The drainer, its copies through the detector where there is one."""
        return DetectingDrainer(drainer, self.hook) if self.hook else drainer


def open_cleaner(config: Config, directory: Path | None = None, *, reading: bool = False) -> Redaction:
    """The redaction of ``[sanitize]``; what is read out of bodies in this process goes through it from now on.

    ``directory``: the lane's, whose key hashed values have where none is configured. ``reading``: rows are only shown,
    which needs no secret of the worker's; without it a value that is found anew is masked, not hashed. Raises
    :class:`~shadowlane.errors.ConfigError`, and :class:`~shadowlane.errors.LaneError` for a key that is not private.
    """
    rules = _reading_rules(config.sanitize) if reading else config.sanitize.rules_dict()
    if reading and not (directory and may_exist(directory / _KEY_FILE)):
        directory = None  # who only reads makes none
    sanitizer = _core.Sanitizer(rules, None if directory is None else str(directory))
    if not config.sanitize.detector:
        use_rules(sanitizer.again, core=sanitizer)
        return Redaction(sanitizer, sanitizer, None)
    hook = Hook(load_detector(config.sanitize.detector), sanitizer)
    detecting = DetectingSanitizer(sanitizer, hook)
    use_rules(detecting.again, detecting.again_all)
    return Redaction(sanitizer, detecting, hook)


def _reading_rules(sanitize: SanitizeConfig) -> dict[str, Any]:
    """The rules; where the key's variable is not set those that mask what they would hash."""
    if not sanitize.hash_key_env or os.environ.get(sanitize.hash_key_env):
        return sanitize.rules_dict()
    rules = msgspec.structs.replace(sanitize, hash_key_env="").rules_dict()
    rules["actions"] = {kind: _masked(action) for kind, action in rules["actions"].items()}
    for one in (rules, *rules["rules"], *rules["fields"]):
        one["action"] = _masked(one["action"])
    return rules


def _masked(action: Any) -> Any:
    return "mask" if action == "hash" else action
