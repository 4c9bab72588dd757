"""``[shadows.NAME]`` and ``[control]``: the services that get copies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from ..errors import ConfigError
from ..tag import checked_key
from .bounds import DAY_S, SHARE, Bound
from .limits import BreakerConfig, BudgetConfig, RetryConfig, Section
from .shown import shown_name
from .variables import value_of

__all__ = ["ControlConfig", "ShadowConfig", "section_of"]

_RATIO = SHARE._replace(remedy="use more than 0 and at most 1, or remove the shadow")
_QPS = Bound(0, 1e6, remedy="use 0 (no cap of its own) to 1000000 copies a second")
_BURST = Bound(0, 1_000_000, remedy="use 0 (what comes in one second) to 1000000")
_TIMEOUT = Bound(0, 3600, above=True, unit="seconds")


def section_of(name: str) -> str:
    """The table of the configuration that an arm of this name has."""
    return "control" if name == "control" else f"shadows.{name}"


class ShadowConfig(Section, frozen=True):
    """``[shadows.NAME]``: one shadow service."""

    url: str
    """Base of the service: ``http://HOST[:PORT][/PREFIX]`` or ``https://...``; the request's path is put behind
    it."""
    credential_env: str = ""
    """Name of the environment variable that holds the shadow's own credential."""
    credential_header: str = "authorization"
    """The header that carries the credential."""
    credential_prefix: str = "Bearer "
    """What stands before the credential in that header."""
    sign_key_env: str = ""
    """Name of the environment variable that holds the key with which the tag is signed (RFC 9421, hmac-sha256)."""
    ratio: Annotated[float, _RATIO] = 1.0
    """Share of the mirrored traffic that this shadow gets."""
    sample: Literal["independent", "identical"] = "independent"
    """With a ``ratio`` below 1: drawn for itself, or the same copies as every other shadow that says ``identical``
    (those of a smaller ratio are among those of a larger one)."""
    direction: Literal["forward", "reverse"] = "forward"
    """``reverse``: the new service serves already, and this is the old one: the gate takes the shadow as the baseline
    and prod as the candidate."""
    qps: Annotated[float, _QPS] = 0.0
    """The most copies a second that this shadow gets, under the lane's cap; 0: no cap of its own."""
    burst: Annotated[int, _BURST] = 0
    """Copies that may come at once under ``qps``; 0: what comes in one second."""
    timeout_s: Annotated[float, _TIMEOUT] = 30.0
    """How long a call may take, from the moment it has one of ``concurrency`` slots to the answer's last byte."""
    deadline_s: Annotated[float | None, Bound(0, DAY_S, above=True, unit="seconds")] = None
    """How long a copy may take in all, waiting for a slot and retries included; unset: 300, or a longer
    ``timeout_s``."""
    concurrency: Annotated[int, Bound(1, 4096)] = 16
    """Calls that are out at a time."""
    min_qps: Annotated[float, Bound(0, 1e6, above=True, unit="copies a second")] = 0.1
    """As far down the rate adapts to a provider's refusals, in copies a second."""
    breaker: BreakerConfig = BreakerConfig()
    retry: RetryConfig = RetryConfig()
    budget: BudgetConfig = BudgetConfig()
    model: str = ""
    """Rewrite of the request's ``model`` field; empty: left as it is."""
    model_rev: str = ""
    """Revision of the model, recorded with each pair; empty: from the response's headers."""
    index_hash: str = ""
    """Hash of the index, recorded with each pair; empty: from the response's headers."""
    max_response_bytes: Annotated[int, Bound(1024, 1 << 30, unit="bytes")] = 4 * 1024 * 1024
    """A larger answer is a failure with reason ``response_too_large``."""
    ca_file: str = ""
    """A PEM bundle for a private certificate authority. Verification cannot be switched off."""
    trust_env: bool = False
    """Use ``HTTP_PROXY`` and friends from the environment."""
    transport: Literal["auto", "native", "aiohttp"] = "auto"
    """What sends the copies: ``native``, the core's own thread, or ``aiohttp`` in Python. ``auto``: native, but aiohttp
    with ``trust_env``, since only that one knows proxies."""

    @property
    def runs_native(self) -> bool:
        """Whether the core sends the copies itself."""
        return self.transport == "native" or (self.transport == "auto" and not self.trust_env)

    def deadline(self) -> float:
        """Seconds from a copy's arrival at this shadow to the end of its answer."""
        return max(300.0, self.timeout_s) if self.deadline_s is None else self.deadline_s

    def salt(self, name: str) -> str:
        """The salt of its sample: equal salts take the same copies."""
        return "" if self.sample == "identical" else name

    def credential(self, environ: Mapping[str, str] | None = None, *, where: str = "") -> tuple[bytes, bytes] | None:
        """The header that authenticates at the shadow, or ``None``. Raises ConfigError when the variable is unset, or
        holds what no header can; ``where`` stands before the field's name in it, such as ``shadows.candidate.``."""
        if not self.credential_env:
            return None
        field = f"{where}credential_env"
        value = value_of(field, self.credential_env, environ)
        if not value.isprintable() or not value.isascii():
            raise ConfigError(
                f"{field}: the variable holds a line break, a control character or a letter beyond ASCII, which no "
                "credential has; write the key into it alone, without a line's end"
            )
        return self.credential_header.lower().encode("latin-1"), (self.credential_prefix + value).encode("latin-1")

    def sign_key(self, environ: Mapping[str, str] | None = None, *, where: str = "") -> bytes | None:
        """The key that signs the tag, or ``None``. Raises ConfigError when the variable is unset or too short, see
        :meth:`credential`."""
        if not self.sign_key_env:
            return None
        field = f"{where}sign_key_env"
        return checked_key(value_of(field, self.sign_key_env, environ), f"{field} = {shown_name(self.sign_key_env)}")


class ControlConfig(ShadowConfig, frozen=True):
    """``[control]``: an optional second copy of prod, for the noise floor. An empty ``url`` means none."""

    url: str = ""
    """Base of the second prod; empty: none."""
