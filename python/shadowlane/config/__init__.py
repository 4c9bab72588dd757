"""Configuration: one TOML file, or the same keys as a dict. Unknown fields are refused.

Everything is checked here, at start, with one error that names the field, the value and the remedy.
No section knows how it is carried out: the steps read their own section.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..errors import ConfigError
from .alerts import AlertConfig
from .checks import problem_of
from .errors import readable
from .fleet import FleetConfig
from .gate import GateConfig
from .limits import BreakerConfig, BudgetConfig, LimitsConfig, PriceConfig, RetryConfig, Section
from .offload import OffloadConfig, WorkerConfig
from .paths import (
    default_store,
    groups_folder,
    lane_directory,
    lies_in_state_folder,
    make_lane_directory,
    make_state_folder,
    memory_path,
)
from .pins import PinConfig, pin_headers, pin_tables
from .sections import (
    FieldConfig,
    JudgeConfig,
    LaneConfig,
    PolicyConfig,
    RoutesConfig,
    RuleConfig,
    SamplingConfig,
    SanitizeConfig,
    ScoreConfig,
    StructureConfig,
)
from .serve import ServeConfig
from .shadows import ControlConfig, ShadowConfig
from .shown import without_secrets
from .store import StoreConfig
from .telemetry import TelemetryConfig

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

__all__ = [
    "AlertConfig",
    "BreakerConfig",
    "BudgetConfig",
    "Config",
    "FieldConfig",
    "FleetConfig",
    "GateConfig",
    "JudgeConfig",
    "LaneConfig",
    "LimitsConfig",
    "OffloadConfig",
    "PinConfig",
    "PolicyConfig",
    "PriceConfig",
    "RetryConfig",
    "RoutesConfig",
    "RuleConfig",
    "SamplingConfig",
    "SanitizeConfig",
    "ScoreConfig",
    "ServeConfig",
    "ShadowConfig",
    "StoreConfig",
    "StructureConfig",
    "TelemetryConfig",
    "WorkerConfig",
    "groups_folder",
    "lane_directory",
    "lies_in_state_folder",
    "load_config",
    "make_lane_directory",
    "make_state_folder",
    "memory_path",
]


_ALIKE = (
    "sampling", "limits", "routes", "policy", "sanitize", "shadows", "control", "score", "gate", "prices", "pins",
)  # fmt: skip


class Config(Section, frozen=True):
    """A whole configuration. Build it with :func:`load_config` or :meth:`from_dict`, which check it."""

    shadows: dict[str, ShadowConfig]
    lane: LaneConfig = LaneConfig()
    sampling: SamplingConfig = SamplingConfig()
    limits: LimitsConfig = LimitsConfig()
    routes: RoutesConfig = RoutesConfig()
    policy: PolicyConfig = PolicyConfig()
    sanitize: SanitizeConfig = SanitizeConfig()
    score: ScoreConfig = ScoreConfig()
    store: StoreConfig = StoreConfig()
    gate: GateConfig = GateConfig()
    control: ControlConfig = ControlConfig()
    prices: dict[str, PriceConfig] = msgspec.field(default_factory=dict)
    """By model: the exact name, else the longest beginning of it, else ``*``."""
    judge: JudgeConfig = JudgeConfig()
    pins: dict[str, PinConfig] = msgspec.field(default_factory=dict)
    serve: ServeConfig = ServeConfig()
    telemetry: TelemetryConfig = TelemetryConfig()
    alerts: tuple[AlertConfig, ...] = ()
    fleet: FleetConfig = FleetConfig()
    worker: WorkerConfig = WorkerConfig()
    offload: OffloadConfig = OffloadConfig()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Config:
        """A checked configuration from the TOML file's keys. Raises :class:`~shadowlane.errors.ConfigError`."""
        return _checked(dict(data), origin="configuration")

    def to_dict(self) -> dict[str, Any]:
        """The same keys, as plain values that TOML and JSON can hold: what is unset is left out."""
        plain: dict[str, Any] = _without_unset(msgspec.to_builtins(self))
        return plain

    def revision(self) -> str:
        """16 hex digits, the same for equal configurations in every process of a release."""
        import xxhash  # a gateway that only imports the package needs no hash

        return xxhash.xxh3_64_hexdigest(msgspec.json.encode(self.to_dict(), order="sorted"))

    def alike(self) -> str:
        """The same of what hosts that write to one store should have alike: all that says what is mirrored, and how it
        is judged."""
        import xxhash

        plain = self.to_dict()
        return xxhash.xxh3_64_hexdigest(msgspec.json.encode([plain[name] for name in _ALIKE], order="sorted"))

    def arms(self) -> dict[str, ShadowConfig]:
        """Every service that gets copies, by name: the shadows, and ``control`` when one is configured."""
        arms: dict[str, ShadowConfig] = dict(self.shadows)
        if self.control.url:
            arms["control"] = self.control
        return arms


def _without_unset(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_unset(item) for key, item in value.items() if item is not None}


def load_config(path: str | os.PathLike[str], *, defaults: Mapping[str, Any] | None = None) -> Config:
    """Read and check a TOML file (https://toml.io/en/v1.0.0), or the ``.json`` that a gateway writes for its worker.

    ``defaults`` are top-level keys that it may leave out.

    Raises :class:`~shadowlane.errors.ConfigError` with the field, its value and the remedy.
    """
    file = Path(path)
    try:
        content = file.read_bytes()
        data = (
            msgspec.json.decode(content, type=dict[str, Any])
            if file.suffix == ".json"
            else tomllib.loads(content.decode())
        )
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such file; write one (see the README), or pass --config PATH") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise ConfigError(f"{file}: not JSON: {error}; start the gateway again, it writes this file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not TOML: {error}") from None
    return _checked({**(defaults or {}), **data}, origin=str(file), base=file.resolve().parent)


def _checked(data: dict[str, Any], *, origin: str, base: Path | None = None) -> Config:
    if "pins" in data:
        data = {**data, "pins": pin_tables(data["pins"])}
    try:
        config = msgspec.convert(data, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{origin}: {without_secrets(readable(str(error), data, Config), data)}") from None
    problem = problem_of(config)
    if problem:
        raise ConfigError(f"{origin}: {without_secrets(problem, data)}")
    allowed = dict.fromkeys((*config.sanitize.allow_headers, *pin_headers(config.pins)))
    sanitize = msgspec.structs.replace(config.sanitize, allow_headers=tuple(allowed))
    config = msgspec.structs.replace(config, sanitize=sanitize, store=config.store.of_lane(config.lane.name))
    if base is not None:
        if "url" not in data.get("store", {}):
            at = default_store(base, config.store.path, config.lane.name)
            config = msgspec.structs.replace(config, store=config.store.anchored(at.parent, at.name))
        config = msgspec.structs.replace(config, store=config.store.anchored(base))
    return config
