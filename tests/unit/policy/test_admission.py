"""Which GETs a lane admits: not what only watches a service, nor, with an inference preset, what nobody asked for."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from shadowlane.capture.lane import Lane
from shadowlane.config import Config

WATCHED = (
    "/healthz",
    "/health",
    "/health/readiness",
    "/api/v1/health",
    "/metrics",
    "/docs",
    "/openapi.json",
    "/readyz",
)
USED = ("/search", "/wiki/health", "/docs/install", "/articles/metrics")


@pytest.fixture
def directory() -> Iterator[Path]:
    place = Path("/dev/shm") / f"shadowlane-test-{secrets.token_hex(6)}"
    yield place
    shutil.rmtree(place, ignore_errors=True)


def admitted(directory: Path, requests: Sequence[tuple[str, str]], routes: dict[str, Any]) -> tuple[list[str], int]:
    """The paths that get a ticket, and how many others were counted under ``route``."""
    config = Config.from_dict(
        {
            "lane": {"directory": str(directory), "worker": "external", "ring_bytes": 65536, "max_body_bytes": 1024},
            "shadows": {"candidate": {"url": "http://127.0.0.1:9"}},
            "sampling": {"ratio": 1.0},
            "limits": {"qps": 10_000, "burst": 10_000},
            "routes": routes,
        }
    )
    taken = []
    with Lane.open(config) as lane:
        for method, path in requests:
            ticket = lane.admit(method, path, ())
            if ticket is not None:
                lane.drop(ticket, "prod_failed")
                taken.append(path)
        return taken, lane.status()["dropped"].get("route", 0)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_only_watches_a_service_is_never_mirrored(directory: Path, method: str) -> None:
    requests = [(method, path) for path in (*WATCHED, *USED)]
    for routes in ({}, {"include": ["/*"]}, {"read": ["GET *", "HEAD *"]}):
        assert admitted(directory, requests, routes) == (list(USED), len(WATCHED))
        shutil.rmtree(directory)


def test_a_spelling_of_such_a_path_is_one_too(directory: Path) -> None:
    spellings = (
        "/healthz/",
        "//healthz",
        "/HealthZ",
        "/%68ealthz",
        "/a/../healthz",
        "/healthz?verbose=1",
        "/x;y/../livez",
    )
    assert admitted(directory, [("GET", path) for path in spellings], {}) == ([], len(spellings))


def test_what_is_named_in_full_is_mirrored_whatever_its_name(directory: Path) -> None:
    routes = {"read": ["GET /status"], "include": ["/docs", "/status"]}
    taken, _ = admitted(directory, [("GET", path) for path in ("/docs", "/status", "/health")], routes)
    assert taken == ["/docs", "/status"]


@pytest.mark.parametrize("preset", ["openai", "anthropic", "ollama", "cohere", "mistral", "bedrock"])
def test_with_an_inference_preset_only_its_routes_are_mirrored(directory: Path, preset: str) -> None:
    gets = [("GET", path) for path in ("/", "/v1/models", "/anything", "/favicon.ico", "/chat/completions")]
    assert admitted(directory, gets, {"presets": [preset]}) == ([], len(gets))


def test_what_is_asked_for_beside_an_inference_preset_is_mirrored(directory: Path) -> None:
    gets = [("GET", path) for path in ("/v1/models", "/search", "/else")]
    post = ("POST", "/v1/chat/completions")
    assert admitted(directory, [*gets, post], {"presets": ["openai"], "read": ["GET /search"]})[0] == [
        "/search",
        post[1],
    ]
    shutil.rmtree(directory)
    assert admitted(directory, [*gets, post], {"presets": ["openai"], "include": ["/v1/*"]})[0] == [
        "/v1/models",
        post[1],
    ]


def test_other_presets_leave_gets_as_they_are(directory: Path) -> None:
    assert admitted(directory, [("GET", "/search")], {"presets": ["graphql", "search", "sql:postgres"]})[0] == [
        "/search"
    ]
