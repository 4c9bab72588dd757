"""``[telemetry]``: where spans go, and that no secret stands in the address."""

from __future__ import annotations

from typing import Any

import pytest

from shadowlane.config import Config
from shadowlane.errors import ConfigError


def config(**telemetry: Any) -> Config:
    return Config.from_dict({"shadows": {"a": {"url": "http://127.0.0.1:9"}}, "telemetry": telemetry})


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("https://otel.internal/", "https://otel.internal/v1/traces"),
        ("https://otel.internal/custom/path", "https://otel.internal/custom/path"),
    ],
)
def test_the_path_of_otlp_is_put_behind_a_host(endpoint: str, url: str) -> None:
    assert config(endpoint=endpoint).telemetry.traces_url() == url


def test_it_is_off_by_default() -> None:
    assert config().telemetry.endpoint == ""
    assert not config().telemetry.propagate


@pytest.mark.parametrize(
    ("telemetry", "said"),
    [
        ({"endpoint": "127.0.0.1:4318"}, "use http://HOST"),
        ({"endpoint": "grpc://otel:4317"}, "use http://HOST"),
        ({"endpoint": "http://"}, "use http://HOST"),
        ({"endpoint": "http://otel:port"}, "host or port cannot be read"),
        ({"endpoint": "http://me:hunter2@otel:4318"}, "OTEL_EXPORTER_OTLP_HEADERS"),
        ({"endpoint": "http://otel:4318?key=hunter2"}, "OTEL_EXPORTER_OTLP_HEADERS"),
        ({"propagate": True}, "needs telemetry.endpoint"),
        ({"service_name": " "}, "telemetry.service_name"),
        ({"service_name": "a\nb"}, "telemetry.service_name"),
        ({"queue": 0}, "telemetry.queue"),
        ({"queue": 70_000}, "telemetry.queue"),
        ({"timeout_s": 0.0}, "telemetry.timeout_s"),
        ({"timeout_s": float("nan")}, "telemetry.timeout_s"),
        ({"endpont": "http://otel:4318"}, "endpont"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_remedy(telemetry: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        config(**telemetry)
    assert said in str(raised.value)
    assert "hunter2" not in str(raised.value)
