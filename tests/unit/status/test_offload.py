"""What status, metrics and doctor show of a forwarding host and of a judge."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from shadowlane import _core
from shadowlane.config import Config
from shadowlane.metrics import LaneCollector, expose
from shadowlane.serve.lane import LaneView
from shadowlane.status.attempt import attempt
from shadowlane.status.collect import collect_status
from shadowlane.status.render import render_status
from shadowlane.status.sample import Request
from shadowlane.status.server import offload_checks
from shadowlane.worker.state import write_state
from tests.e2e.conftest import ROOT
from tests.support.lanedata import numbers_in
from tests.support.redisserver import RedisServer
from tests.unit.metrics.test_names import KNOWN, LEFT_OUT, matches

A, B = "a/lane/0123", "b/lane/4567"


def config(folder: Path, role: str, url: str = "redis://127.0.0.1:1", **offload: Any) -> Config:
    return Config.from_dict(
        {
            "lane": {"directory": str(folder / "lane"), "worker": "external"},
            "store": {"url": f"sqlite:///{folder / 'pairs.db'}"},
            "shadows": {"s": {"url": "http://127.0.0.1:9"}},
            "worker": {"role": role},
            "offload": {"url": url, **offload},
        }
    )


def accounts(forwarded: int, judged: int, set_aside: int = 0, base: int = 0) -> dict[str, int]:
    return {"base": base, "forwarded": forwarded, "judged": judged, "set_aside": set_aside}


def stream(**given: Any) -> dict[str, Any]:
    sources = given.pop("sources", {A: accounts(10, 7, 1), B: accounts(5, 5)})
    total = {name: sum(one[name] for one in sources.values()) for name in accounts(0, 0)}
    plain = {"length": 2, "pending": 1, "age_s": 4.0, "lost": 0, "foreign": 0, "kept_aside": 1, "judges": 2}
    return {**plain, "total": total, "sources": sources, **given}


def status_of(config: Config, said: dict[str, Any] | None) -> dict[str, Any]:
    """The status of a lane whose worker last said this."""
    drainer = _core.Drainer(config.lane.directory)
    if said is not None:
        limits = {"rate": 50.0, "prod_paused_until": None, "shadows": {}}
        state = {"lane_id": drainer.lane_id(), "pid": 1, "limits": limits, "arms": {}, "offload": said}
        write_state(Path(config.lane.directory), state)
    drainer.close()
    return collect_status(config)


def test_a_judge_shows_the_accounts_over_all_hosts(tmp_path: Path) -> None:
    said = {"held": 1, "judged": 7, "set_aside": 1, "taken_over": 3, "error": "", "stream": stream()}
    status = status_of(config(tmp_path, "judge"), said)
    assert status["accounting"]["lines"] == [
        "all hosts: forwarded 15 = judged 12 + set aside 1 + lost 0 + in the stream 2",
        f"{A}: forwarded 10, judged 7, set aside 1, 2 not yet",
        f"{B}: forwarded 5, judged 5, set aside 0, 0 not yet",
    ]
    assert status["accounting"]["holds"]
    assert status["shadows"]["s"]["in_flight"] == status["shadows"]["s"]["mirrored"] == 1
    text = render_status(status)
    assert "role judge; 2 copies in the stream, the oldest for 4 s, 1 with 2 judges; this judge has 1, judged 7" in text
    assert "1 messages were set aside, 1 of them are kept" in text


def test_judges_are_scaled_by_what_waits_in_the_stream(tmp_path: Path) -> None:
    given = config(tmp_path, "judge")
    assert LaneView(given, None).backlog()["backlog"] == 0
    status_of(given, {"held": 1, "stream": stream(length=7)})
    assert LaneView(given, None).backlog() == {"lane": "default", "backlog": 7, "ring_fill": 0.0, "started": True}


@pytest.mark.parametrize(("length", "lost", "missing"), [(1, 0, 1), (0, 2, 0), (4, 0, -2)])
def test_what_does_not_add_up_is_said(tmp_path: Path, length: int, lost: int, missing: int) -> None:
    said = {"held": 0, "judged": 0, "set_aside": 0, "taken_over": 0, "stream": stream(length=length, lost=lost)}
    status = status_of(config(tmp_path, "judge"), said)
    assert status["offload"]["missing"] == missing
    assert status["accounting"]["holds"] is (missing == 0)
    assert any("accounts miss" in text for text in status["alerts"]) is (missing != 0)
    assert any("were deleted from the stream" in text for text in status["alerts"]) is (lost > 0)


def test_a_forwarding_host_shows_its_own_part(tmp_path: Path) -> None:
    said = {"source": A, "acked": 10, "error": "", "stream": stream()}
    status = status_of(config(tmp_path, "forward"), said)
    assert status["accounting"]["lines"][1:] == [
        "this host: mirrored 0 = forwarded 10 + in the rings 0",
        "of those: judged 7, set aside 1, 2 not yet",
    ]
    assert status["accounting"]["holds"]
    lost = status_of(config(tmp_path, "forward"), {**said, "acked": 12, "error": "it is away"})
    assert lost["offload"]["missing"] == 2
    assert not lost["accounting"]["holds"]
    assert "LOST BY THE SERVER 2" in lost["accounting"]["lines"][1]
    assert "the stream cannot be used: it is away" in lost["alerts"]


@pytest.mark.parametrize("said", [None, {"held": "many"}, {"stream": []}])
def test_before_a_worker_said_anything_nothing_is_known(tmp_path: Path, said: dict[str, Any] | None) -> None:
    for role in ("judge", "forward"):
        status = status_of(config(tmp_path, role), said)
        assert not status["accounting"]["known"]
        assert "no worker has seen the stream yet" in render_status(status)


@pytest.mark.parametrize("role", ["judge", "forward"])
def test_every_number_has_a_metric_and_every_path_leads_somewhere(tmp_path: Path, role: str) -> None:
    said = {"source": A, "acked": 10, "held": 1, "judged": 7, "stream": stream()}
    given = config(tmp_path, role)
    status = status_of(given, said)
    found = [path for path in numbers_in(status) if path[0] == "offload"]
    assert all(any(matches(path, pattern) for pattern in (*KNOWN, *LEFT_OUT)) for path in found), found
    patterns = [pattern for pattern in (*KNOWN, *LEFT_OUT) if pattern[0] == "offload"]
    assert all(any(matches(path, pattern) for path in found) for pattern in patterns)
    text = expose(LaneCollector(given), "text/plain")[0].decode()
    figures = dict(re.findall(r"^shadowlane_offload_(\w+)\{[^}]*\} (\S+)$", text, re.M))
    assert float(figures["forwarded_total"]) == 15
    assert float(figures["judged_total"]) == 12
    assert float(figures["length"]) == 2
    assert float(figures["missing"]) == 0
    assert re.search(r"^shadowlane_accounting_holds\{[^}]*\} 1", text, re.M)


@pytest.mark.parametrize("role", ["judge", "forward"])
def test_the_doctor_tries_a_request_whatever_the_role(tmp_path: Path, role: str) -> None:
    tried = attempt(config(tmp_path, role), "s", Request("GET", "/x", (), b""))
    assert (tried.sent, tried.reason) == (True, "connect_error")


def test_the_doctor_looks_at_the_server(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    try:
        given = config(tmp_path, "forward", server.url)
        found = {check.text.partition(": ")[2]: check.level for check in offload_checks(given)}
        assert [level for text, level in found.items() if "maxmemory-policy is allkeys-lru" in text] == ["fail"]
        assert [level for text, level in found.items() if "appendfsync always" in text] == ["ok"]
        server.stop()
        [away] = offload_checks(given)
        assert (away.level, "cannot connect" in away.text) == ("fail", True)
    finally:
        server.close()
    assert list(offload_checks(Config.from_dict({"shadows": {"s": {"url": "http://127.0.0.1:9"}}}))) == []


def test_the_documented_user_may_do_all_that_is_needed_and_no_more(tmp_path: Path, monkeypatch: Any) -> None:
    import redis

    from shadowlane.config import OffloadConfig
    from shadowlane.offload import encode, open_stream
    from tests.unit.worker.world import copy_of

    page = (ROOT / "docs" / "operate" / "offload.md").read_text()
    block = page.split("ACL SETUSER", 1)[1].split("```", 1)[0]
    words = ["ACL", "SETUSER", *block.replace(">PASSWORD", ">hunter2").split()]
    server = RedisServer(tmp_path / "redis")
    try:
        with redis.Redis(port=server.port) as admin:
            admin.execute_command(*words)
        monkeypatch.setenv("REDIS_PASSWORD", "hunter2")
        access = {"url": server.url, "user": "shadowlane", "credential_env": "REDIS_PASSWORD", "timeout_s": 30}
        given = config(tmp_path, "judge", **access)
        assert not [check for check in offload_checks(given) if "NOPERM" in check.text or "refuse" in check.text]
        stream = open_stream(OffloadConfig(stream="shadowlane:checkout", **access), consumer="one")
        stream.join(A, 0)
        assert stream.publish(A, [encode(copy_of(number)) for number in range(3)], []) == 3
        first, second, third = stream.read(3)
        stream.beat([first.id, second.id])
        assert stream.claim("0-0") == ("0-0", [])
        assert [one.id for one in stream.take([third.id])] == [third.id]
        stream.acknowledge([(first.id, A)])
        stream.set_aside(second.id, "poison")
        stream.works()
        assert stream.state().judges == 1
        stream.leave()
        stream.tidy()
        assert [one.id for one in stream.owned()] == [third.id]
        assert stream.state().missing == 0
        stream.close()
        with redis.Redis(port=server.port, username="shadowlane", password="hunter2") as client:
            for command in (("SET", "other", "1"), ("DEL", "shadowlane:checkout"), ("FLUSHALL",), ("KEYS", "*")):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    client.execute_command(*command)
    finally:
        server.close()


def test_a_server_behind_tls_is_trusted_by_its_authority_alone(tmp_path: Path) -> None:
    trustme = pytest.importorskip("trustme")
    from shadowlane.config import OffloadConfig
    from shadowlane.errors import OffloadError
    from shadowlane.offload import open_stream

    authority, other = trustme.CA(), trustme.CA()
    made = authority.issue_cert("127.0.0.1")
    for name, blob in (("ca", authority.cert_pem), ("other", other.cert_pem)):
        blob.write_to_path(str(tmp_path / f"{name}.pem"))
    made.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    files = [f"--tls-{what}-file" for what in ("cert", "key")]
    options = [part for option in files for part in (option, str(tmp_path / "server.pem"))]
    server = RedisServer(tmp_path / "redis", *options, "--tls-ca-cert-file", str(tmp_path / "ca.pem"),
                         "--tls-auth-clients", "no", tls=True)  # fmt: skip
    try:
        for bundle, good in (("ca", True), ("other", False)):
            offload = OffloadConfig(url=server.tls_url, ca_file=str(tmp_path / f"{bundle}.pem"), timeout_s=30)
            stream = open_stream(offload, consumer="one")
            if good:
                assert stream.state().length == 0
            else:
                with pytest.raises(OffloadError, match="cannot connect"):
                    stream.state()
            stream.close()
    finally:
        server.close()
