"""Values that a configuration names and does not hold: environment variables.

Invariant: an error about one says which field named it, never what it holds, and not its name where the name may be the
key itself, pasted into the wrong field. Nobody is told to export a key.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from ..errors import ConfigError
from .shown import is_name, looks_like_key, names_variable, shown_name

__all__ = ["unset_remedy", "value_of", "variable_problem"]


def value_of(field: str, name: str, environ: Mapping[str, str] | None = None) -> str:
    """The value of the variable that ``field`` names.

    Raises :class:`~shadowlane.errors.ConfigError` when it is unset or empty.
    """
    value = (os.environ if environ is None else environ).get(name, "")
    if not value:
        raise ConfigError(
            f"{field} = {shown_name(name)}: the environment variable is not set; {unset_remedy(name)}, or remove the "
            "field"
        )
    return value


def unset_remedy(name: str) -> str:
    """What to do about a variable that is not set, or that is none."""
    if names_variable(name):
        return "export it for the worker"
    return "put the key into a variable of the worker's environment, and that variable's name into the field"


def variable_problem(field: str, name: str) -> str | None:
    """What is wrong with a field that names a variable, before anybody looks it up; ``None`` when it may be one."""
    if not name or (is_name(name) and not looks_like_key(name)):
        return None
    return (
        f"{field}: not the name of an environment variable, and not shown, since it may be the key itself; put the key "
        "into a variable, for example SHADOW_KEY, and write that name here"
    )
