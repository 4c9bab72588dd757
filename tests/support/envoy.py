"""Envoy: its program where it is installed, its configuration as a page prints it, its messages, and what it counts."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import httpx

from shadowlane.ext_proc.messages import ProcessingRequest

__all__ = ["PAGE", "counted", "envoy_program", "message", "printed_configuration"]

PAGE = Path(__file__).parents[2] / "docs" / "operate" / "ext-proc.md"


def envoy_program() -> str | None:
    beside = Path(sys.executable).with_name("envoy")
    return str(beside) if beside.exists() else shutil.which("envoy")


_PATIENT = {
    "connect_timeout: 1s": "connect_timeout: 60s",
    "interval: 1s, timeout: 5s": "interval: 60s, timeout: 60s",
    "deferred_close_timeout: 5s": "deferred_close_timeout: 60s",
}


def printed_configuration(ports: dict[int, int], *, patient: bool = True) -> str:
    """The configuration of the page, with other ports in place of those printed. ``patient``: on a machine that has
    other things to do, too, nobody is given up for being slow."""
    found = re.search(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert found is not None
    text = found[1]
    for before, after in ports.items():
        assert f"port_value: {before} " in text
        text = text.replace(f"port_value: {before} ", f"port_value: {after} ")
    for before, after in _PATIENT.items() if patient else ():
        assert before in text
        text = text.replace(before, after)
    return text


def counted(admin: int) -> dict[str, int]:
    """Envoy's counters and gauges by name."""
    answer = httpx.get(f"http://127.0.0.1:{admin}/stats?format=json", timeout=60, trust_env=False).json()
    return {one["name"]: one["value"] for one in answer["stats"] if "value" in one}


def message(kind: str, fields: dict[str, str | bytes] | None = None, body: bytes = b"", *, end: bool = False) -> Any:
    """A message of observability mode; ``kind`` is the name of the member of its ``oneof``, or empty for none."""
    made = ProcessingRequest(observability_mode=True)
    part = getattr(made, kind) if kind else None
    if kind.endswith("_headers"):
        _add(part.headers, fields or {})
        part.end_of_stream = end
    elif kind.endswith("_body"):
        part.body, part.end_of_stream = body, end
    elif kind.endswith("_trailers"):
        _add(part.trailers, fields or {})
    if part is not None:
        part.SetInParent()
    return made


def _add(values: Any, fields: dict[str, str | bytes]) -> None:
    for name, value in fields.items():
        values.headers.add(key=name, raw_value=value if isinstance(value, bytes) else value.encode())
