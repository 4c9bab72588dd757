"""Recorded exchanges with providers, which are not part of the repository."""

from __future__ import annotations

import base64
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest


def data_folder() -> Path:
    """Where recorded data lies, if it is there."""
    folder = os.environ.get("SHADOWLANE_DATA")
    return Path(folder) if folder else Path(__file__).resolve().parents[3] / "shared" / "data"


def exchanges() -> list[dict[str, Any]]:
    """All of them; the test is skipped when they are not there."""
    path = data_folder() / "llm_exchanges.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no recorded exchanges at {path}: set SHADOWLANE_DATA to the folder that holds them")
    with gzip.open(path) as lines:
        return [json.loads(line) for line in lines]


def recorded_body(exchange: dict[str, Any]) -> bytes:
    """The response's body."""
    body = exchange["response"]["body"] or ""
    return base64.b64decode(body["$base64"]) if isinstance(body, dict) else body.encode()
