"""What is wrong with ``ca_file``, in the same words for either transport."""

from __future__ import annotations

from ..config import ShadowConfig
from ..errors import ConfigError

__all__ = ["NO_CERTIFICATES", "bad_bundle"]

NO_CERTIFICATES = "holds no PEM certificates"


def bad_bundle(where: str, shadow: ShadowConfig, why: str | None) -> ConfigError:
    """The error for a file that cannot be used."""
    return ConfigError(f"{where}ca_file = {shadow.ca_file!r}: {why}; give a readable PEM bundle")
