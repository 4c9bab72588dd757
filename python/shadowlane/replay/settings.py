"""The configuration of a replay or an import: the user's, with the one shadow that is asked for.

Invariant: without a configuration the defaults hold, every inference preset is read, and nothing of the working folder
is looked at.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from ..config import Config, ShadowConfig, load_config
from ..config.errors import advised
from ..errors import ConfigError

__all__ = ["settings"]

_NOWHERE = "http://shadow.invalid"
_PRESETS = ("openai", "anthropic", "ollama", "cohere", "mistral", "bedrock")


def settings(config_path: str | None, shadow: str | None, *, sends: bool) -> tuple[Config, str]:
    """The configuration and the shadow's name. ``shadow`` is a name of it or a URL; ``sends``: it must have an address.

    Raises :class:`~shadowlane.errors.ConfigError`.
    """
    url = shadow is not None and urlsplit(shadow).scheme in ("http", "https")
    defaults: dict[str, Any] = {"shadows": {"shadow": {"url": shadow if url else _NOWHERE}}}
    if config_path is None:
        config = Config.from_dict({**defaults, "routes": {"presets": list(_PRESETS)}})
        if sends and not url:
            raise ConfigError(
                f"--shadow = {shadow!r}: a name needs --config; give the shadow's address, such as "
                "http://127.0.0.1:9001"
                if shadow
                else "--shadow: missing; give the shadow's address, or its name and --config"
            )
    else:
        config = load_config(config_path, defaults=defaults)
    if url:
        assert shadow is not None  # it is a URL
        checked = Config.from_dict({"shadows": {"shadow": {"url": shadow}}})
        return _with(config, "shadow", checked.shadows["shadow"])
    if shadow is None:
        if len(config.shadows) != 1:
            raise ConfigError(f"--shadow: missing; the configuration has several: {', '.join(config.shadows)}")
        shadow = next(iter(config.shadows))
    if shadow not in config.shadows:
        if sends:
            known = f"no such shadow in the configuration; known: {', '.join(config.shadows)}"
            raise ConfigError(f"--shadow = {shadow!r}: {advised(shadow, config.shadows, known)}")
        if not shadow.isprintable() or not shadow.strip() or shadow == "control":
            raise ConfigError(f"--shadow = {shadow!r}: not a shadow's name; give another")
        return _with(config, shadow, ShadowConfig(url=_NOWHERE))
    return _with(config, shadow, config.shadows[shadow])


def _with(config: Config, name: str, shadow: ShadowConfig) -> tuple[Config, str]:
    whole = msgspec.structs.replace(shadow, ratio=1.0)  # all that is recorded, not a share of it
    return msgspec.structs.replace(config, shadows={name: whole}), name
