"""A secret planted anywhere reaches neither the shadow, the database, a log, nor the page."""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from pathlib import Path

import httpx

from .conftest import World

# Made up, in the shapes of real ones.
MAIL = "jane.planted@example.org"
CARD = "4012 8888 8888 1881"
KEY = "sk-ant-api03-" + "Zk9" * 12
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
IBAN = "GB82 WEST 1234 5698 7654 32"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJlcGxhbnRlZA"
PHONE = "+1 415 555 2671"
COOKIE = "session-planted-0123456789"
CLIENT = "203.0.113.77"
PASSWORD = "correct-horse-planted"
SECRETS = (MAIL, CARD, KEY, GITHUB, IBAN, JWT, PHONE, COOKIE, CLIENT, PASSWORD)


def everything_in(database: Path) -> bytes:
    """All of a database: the files as they are, and every packed column unpacked."""
    whole = b"".join(file.read_bytes() for file in database.parent.glob(database.name + "*"))
    with contextlib.closing(sqlite3.connect(database)) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in db.execute(f"SELECT * FROM {table}"):
                for value in row:
                    data = value if isinstance(value, bytes) else str(value).encode()
                    with contextlib.suppress(zlib.error):
                        data += zlib.decompress(data)
                    whole += data + b"\n"
    return whole


def test_planted_secrets_stay_in_prod(world: World, client: httpx.Client) -> None:
    seen_by_shadow = world.folder / "shadow.jsonl"
    world.configure(world.shadow(log=seen_by_shadow))
    url = world.gateway()
    headers = {
        "authorization": f"Bearer {JWT}",
        "x-api-key": KEY,
        "cookie": f"sid={COOKIE}",
        "x-forwarded-for": CLIENT,
        "idempotency-key": COOKIE,
        "accept": f"text/html; note={MAIL}",
    }
    client.get(url + "/x", params={"mail": MAIL, "card": CARD, "token": GITHUB}, headers=headers)
    client.get(url + f"/users/{MAIL}/cards", headers=headers)
    client.post(url + "/ask", json={"q": f"I am {MAIL}, {PHONE}", "n": [CARD, {"password": PASSWORD}], KEY: IBAN})
    client.post(
        url + "/ask",
        content=f'{{"q": "{MAIL.replace("@", chr(92) + "u0040")}"}}',
        headers={"content-type": "application/json"},
    )
    client.post(url + "/ask", data={"mail": MAIL, "password": PASSWORD, "text": f"pay from {IBAN}"})
    client.post(url + "/ask", content=f"call {PHONE} or {MAIL}", headers={"content-type": "text/plain"})
    # The answer is cut into events of four characters, so every secret is cut too.
    answer = client.post(url + "/sse", json={"say": f"mail {MAIL} card {CARD} key {KEY} done"})
    assert answer.status_code == 200
    assert MAIL not in answer.text, "the stream is meant to cut secrets"
    status = world.settle(7)
    assert status["mirrored"] == 7
    page = world.folder / "page.html"
    report = world.cli("report", "--html", str(page))
    assert report.returncode == 0, report.stderr
    places = {
        "shadow": seen_by_shadow.read_bytes(),
        "database": everything_in(world.database),
        "page": page.read_bytes(),
        "terminal": report.stdout.encode(),
        "logs": b"".join(file.read_bytes() for file in [*world.folder.glob("*.log"), *world.lane.glob("*.log")]),
    }
    assert places["shadow"].count(b"\n") == 7
    for place, data in places.items():
        for secret in SECRETS:
            for form in (
                secret,
                secret.replace(" ", ""),
                secret.replace(" ", "+"),
                secret.replace("@", "%40"),
                secret.replace("@", "\\u0040"),
            ):
                assert form.encode() not in data, f"{secret!r} reached the {place}"
    assert b"[EMAIL]" in places["shadow"]
    assert oct(world.database.stat().st_mode & 0o777) == "0o600"
    assert oct(page.stat().st_mode & 0o777) == "0o600"


def test_a_value_in_pieces_reaches_nothing_whatever_the_pieces_are_called(world: World, client: httpx.Client) -> None:
    seen_by_shadow = world.folder / "shadow.jsonl"
    world.configure(world.shadow(log=seen_by_shadow), routes={"read": ["POST /pieces"]})
    url = world.gateway()
    fields = ("answer", "chunk", "data", "message", "output", "piece", "reply", "result", "translation", "x-own")
    kinds = ("application/json", "text/plain", "text/event-stream", "")
    frames = ("events", "lines", "joined", "array", "parts")
    for number, field in enumerate(fields):
        say = f"I am {MAIL}, and my card is {CARD}, my key {GITHUB} for number {number}"
        wanted = {"say": say, "field": field, "frame": frames[number % 5], "type": kinds[number % 4]}
        answer = client.post(url + "/pieces", json=wanted)
        assert answer.status_code == 200
        assert MAIL not in answer.text, "the pieces are meant to cut values"
    assert world.settle(len(fields))["mirrored"] == len(fields)
    page = world.folder / "page.html"
    assert world.cli("report", "--html", str(page)).returncode == 0
    places = {
        "shadow": seen_by_shadow.read_bytes(),
        "database": everything_in(world.database),
        "page": page.read_bytes(),
    }
    for place, data in places.items():
        text = data.decode("utf-8", "replace")
        joined = "".join(sign for sign in text if sign not in '{}[],: "\\\n')
        for field in ("", *fields):
            for secret in (MAIL, CARD, GITHUB):
                plain = joined.replace(field, "") if field else text
                assert secret not in plain, f"{secret!r} reached the {place}"
                assert secret.replace(" ", "") not in plain.replace("data", ""), f"{secret!r} reached the {place}"
    assert places["database"].count(b"[GITHUB_TOKEN]") >= 2 * len(fields)


def test_the_shadows_own_credential_comes_from_the_environment(world: World, client: httpx.Client, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    seen_by_shadow = world.folder / "shadow.jsonl"
    monkeypatch.setenv("TEST_SHADOW_KEY", "the-shadows-own-key")
    world.configure(world.shadow(log=seen_by_shadow), shadows__candidate={"credential_env": "TEST_SHADOW_KEY"})
    client.get(world.gateway() + "/x", headers={"authorization": "Bearer of-the-user-12345678"})
    world.settle(1)
    sent = seen_by_shadow.read_text()
    assert "Bearer the-shadows-own-key" in sent
    assert "of-the-user" not in sent
    assert b"the-shadows-own-key" not in everything_in(world.database)
    assert "the-shadows-own-key" not in (world.lane / "worker.log").read_text()
    assert "the-shadows-own-key" not in (world.lane / "config.json").read_text()
