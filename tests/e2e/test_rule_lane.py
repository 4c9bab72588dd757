"""What the gate's rules read beside the scores, through a real gateway and worker: versions, tries, waits, usage."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import httpx

from .conftest import World


def rows(world: World, columns: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(world.database)) as db:
        return db.execute(f"SELECT {columns} FROM pairs").fetchall()


def rules(world: World) -> dict[str, dict[str, Any]]:
    done = world.cli("gate", "--json")
    return {rule["key"]: rule for rule in json.loads(done.stdout)["shadows"][0]["rules"]}


def test_a_pins_header_passes_the_redaction_and_is_held_against_what_is_expected(
    world: World, client: httpx.Client
) -> None:
    pins = {
        "build": {"read": "header:X-Build", "expected": "42"},
        "kind": {"read": "body:/object"},
    }
    world.configure(
        world.shadow("ok", header="X-Build: 41"),
        **{f"pins__{name}": pin for name, pin in pins.items()},
        gate={"warmup_pairs": 0},
    )
    url = world.gateway()
    for number in range(12):
        assert client.post(f"{url}/ask", json={"question": f"What is {number}?"}).status_code == 200
    world.settle(12)
    assert {json.loads(row[0]).get("build") for row in rows(world, "pins")} == {"41"}
    assert {json.loads(row[0]).get("kind") for row in rows(world, "pins")} == {"chat.completion"}
    found = rules(world)["pins"]
    assert found["status"] == "not met"
    assert "build: expected '42', and 12 answers say another: '41' 12 times" in found["evidence"]
    assert "build 41: 12 answers" in world.cli("report").stdout
    assert "kind chat.completion" in world.cli("status").stdout


def test_tries_are_stored_and_copies_that_were_tried_again_are_judged(
    world: World, client: httpx.Client, tmp_path: Path
) -> None:
    retry = {"attempts": 3, "base_s": 0.01, "max_s": 0.02}
    world.configure(
        world.shadow("flaky", tmp_path / "log"),
        shadows__candidate__retry=retry,
        shadows__candidate__breaker={"enabled": False},
        gate={"warmup_pairs": 0},
    )
    url = world.gateway()
    # Not GET: a client's library itself asks once more where that is safe.
    for number in range(20):
        assert client.post(f"{url}/ask", json={"question": f"What is {number}?"}).status_code == 200
    world.settle(20)
    stored = rows(world, "tries, waited_ns")
    assert {tries for tries, _ in stored} == {2}
    assert all(0 <= waited_ns < 60e9 for _, waited_ns in stored)
    found = rules(world)
    assert "copies that were tried again in vain: 0.00 %, 0 of 20" in found["retried"]["evidence"]
    assert found["slot_wait"]["evidence"].startswith("P95 of the wait for a slot")
