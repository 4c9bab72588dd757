"""The one exception tree. Every message names the field or thing, the value, and the remedy.

Nothing here is ever raised on a user's path: capture swallows and counts its own failures.
"""

from __future__ import annotations

import traceback
from pathlib import PurePath

__all__ = [
    "ConfigError",
    "CoreError",
    "DataError",
    "DetectorError",
    "FleetError",
    "LaneError",
    "MissingExtraError",
    "NothingStoredError",
    "OffloadError",
    "OffloadFullError",
    "ScoreError",
    "ShadowlaneError",
    "StoreError",
    "StoreLostError",
    "describe",
]


class ShadowlaneError(Exception):
    """Base of all errors of shadowlane. ``exit_code`` is what the command line ends with."""

    exit_code = 3


class ConfigError(ShadowlaneError, ValueError):
    """The configuration is wrong: names the field, the value and the remedy."""

    exit_code = 2


class MissingExtraError(ShadowlaneError, ImportError):
    """A part needs packages of an extra that is not installed."""

    exit_code = 2

    def __init__(self, what: str, extra: str, package: str) -> None:
        super().__init__(
            f"{what} needs the package {package!r}, which is not installed: pip install 'shadowlane[{extra}]'"
        )


class LaneError(ShadowlaneError):
    """The lane's runtime directory, control file or ring cannot be used."""


class CoreError(ShadowlaneError):
    """The compiled core failed by a fault of its own: names its line of source, quotes nothing, please report it."""


class StoreError(ShadowlaneError):
    """The store cannot be opened, read or written."""


class NothingStoredError(StoreError):
    """There is no store yet: nothing was ever stored."""


class StoreLostError(StoreError):
    """The open database is not the file at its path any more: what is written now would be lost."""


class DeposedError(StoreError):
    """Another worker leads since: nothing was done."""


class FleetError(ShadowlaneError):
    """The record that the hosts of a fleet share cannot be read or written."""


class OffloadError(ShadowlaneError):
    """The stream between forwarding hosts and judges cannot be used now."""


class OffloadFullError(OffloadError):
    """Its server has no memory left for more."""


class ScoreError(ShadowlaneError):
    """An embedder or a comparison cannot do its work."""


class DetectorError(ShadowlaneError):
    """The detector of ``sanitize.detector`` raised, or gave something else than one list of findings a text.

    What it should have looked at must not be passed on, stored or shown.
    """


class DataError(ShadowlaneError, ValueError):
    """Input data (a gold file, an import) is not what its schema says."""

    exit_code = 2


def describe(error: BaseException) -> str:
    """One line that quotes nothing of what was worked on: our own errors in their words, others by class and place."""
    if isinstance(error, ShadowlaneError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {frames[-1].name} ({PurePath(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}{where}"
