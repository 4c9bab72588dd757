"""``[sampling]`` and ``[limits]``: what is refused, with which words, and what reaches the core."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shadowlane import Config, Lane, _core
from shadowlane.dispatch.arm import Arm, ArmOptions
from shadowlane.errors import ConfigError
from shadowlane.status.collect import collect_status
from shadowlane.status.render import render_status
from shadowlane.types import Copy


def config(**sections: Any) -> Config:
    return Config.from_dict({"shadows": {"candidate": {"url": "http://127.0.0.1:9"}}, **sections})


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"sampling": {"mode": "sticky"}}, "sampling.key = ''"),
        ({"sampling": {"mode": "sticky", "key": "header:"}}, "sampling.key = 'header:'"),
        ({"sampling": {"mode": "sticky", "key": "cookie:a b"}}, "sampling.key"),
        ({"sampling": {"mode": "sticky", "key": "json:user"}}, "sampling.key"),
        ({"sampling": {"mode": "sticky", "key": "json:/a~2"}}, "sampling.key"),
        ({"sampling": {"key": "api_key"}}, "only sampling.mode"),
        ({"limits": {"routes": {"/x": 1.0}}}, "limits.routes = '/x': write METHOD"),
        ({"limits": {"routes": {"GET /x": 0.0}}}, "limits.routes.'GET /x' = 0.0"),
        ({"limits": {"weights": {"GET /x": 51}}}, "use 1 to limits.burst (50)"),
        ({"limits": {"weights": {"GET /x": 0}}}, "limits.weights.'GET /x' = 0"),
        ({"limits": {"tenant_qps": 5.0}}, "limits.tenant_key = ''"),
        ({"limits": {"tenant_qps": 5.0, "tenant_key": "json:/user"}}, "limits.tenant_key = 'json:/user'"),
        ({"limits": {"tenant_qps": -1.0, "tenant_key": "api_key"}}, "limits.tenant_qps = -1.0"),
        ({"routes": {"timed": ["/x"]}}, "routes.timed = '/x'"),
        ({"shadows": {"a": {"url": "http://h", "qps": -1.0}}}, "shadows.a.qps = -1.0"),
        ({"shadows": {"a": {"url": "http://h", "burst": -1}}}, "shadows.a.burst = -1"),
        ({"shadows": {"a": {"url": "http://h", "sample": "same"}}}, "shadows.a.sample = 'same': invalid enum"),
    ],
)
def test_what_cannot_be_is_refused_by_name(sections: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(**sections)
    assert words in str(caught.value)


@pytest.mark.parametrize("key", ["header:X-User", "cookie:sid", "api_key", "json:/user/id", "json:/a~1b/0", "json:/"])
def test_every_kind_of_key_reaches_the_core(key: str, directory: Path) -> None:
    lane = Lane.open(_at(directory, sampling={"mode": "sticky", "key": key}))
    lane.close()


@pytest.fixture
def directory() -> Iterator[Path]:
    made = Path("/dev/shm") / f"shadowlane-test-{secrets.token_hex(6)}"
    yield made
    shutil.rmtree(made, ignore_errors=True)


def _at(directory: Path, **sections: Any) -> Config:
    lane = {"directory": str(directory), "worker": "external", "ring_bytes": 65536, "max_body_bytes": 4096}
    store = {"url": f"sqlite:///{directory}/pairs.db"}
    return config(**{"lane": lane, "store": store, "sampling": {"ratio": 1.0}, **sections})


def test_caps_by_route_and_tenant_and_weights_hold(directory: Path) -> None:
    # Rates so low that no unit comes back while the test runs.
    limits = {
        "qps": 1e-3,
        "burst": 30,
        "routes": {"GET /few": 1e-3},
        "weights": {"GET /heavy": 5},
        "tenant_key": "header:x-tenant",
        "tenant_qps": 1e-3,
    }
    made = _at(directory, limits=limits)
    with Lane.open(made) as lane:

        def passed(path: str, tenant: bytes, n: int = 10) -> int:
            tickets = [lane.admit("GET", path, [(b"x-tenant", tenant)]) for _ in range(n)]
            return sum(ticket is not None for ticket in tickets)

        # A route's and a tenant's burst is the heaviest request: 5 units.
        assert passed("/few", b"a") == 5
        assert passed("/few", b"b") == 0
        assert passed("/heavy", b"c") == 1
        assert passed("/x", b"d", 3) == 3
        assert passed("/x", b"e", 3) == 3
        assert passed("/heavy", b"f") + passed("/heavy", b"g") == 2
        assert passed("/x", b"h") == 4, "what is left of the lane's thirty"
        assert _core.lane_status(str(directory))["dropped"]["cap"] == 5 + 10 + 9 + 9 + 9 + 6
        text = render_status(collect_status(made))
    assert "GET /few: 0.001 a second" in text
    assert "GET /heavy: a request costs 5" in text
    assert "each tenant: 0.001 a second" in text


def _copy(number: int) -> Copy:
    return Copy(
        shadow_id=f"0190a8f0-0000-7000-8000-{number:012x}",
        req_hash="",
        started_ns=0,
        method="GET",
        target="/",
        headers=(),
        body=b"",
        status=200,
        response_headers=(),
        response_body=b"",
        ttfb_ns=0,
        duration_ns=0,
    )


def test_shadows_get_independent_or_identical_samples_by_choice() -> None:
    same = {"url": "http://h", "ratio": 0.5, "sample": "identical"}
    made = config(
        shadows={
            "a": same,
            "b": {**same, "ratio": 0.25},
            "c": {**same, "sample": "independent"},
            "d": {**same, "sample": "independent"},
        }
    )
    copies = [_copy(number) for number in range(4000)]
    taken: dict[str, set[int]] = {}
    for name, shadow in made.arms().items():
        options = ArmOptions(ratio=shadow.ratio, concurrency=1, salt=shadow.salt(name))
        arm = Arm(name, None, options)  # type: ignore[arg-type]
        taken[name] = {number for number, copy in enumerate(copies) if arm.takes(copy)}
    assert taken["b"] < taken["a"]
    # Independent: half of the one is in the other; 27.4 is one standard deviation of Binomial(4000, 1/4).
    for one, other in (("a", "c"), ("c", "d")):
        assert abs(len(taken[one] & taken[other]) - 1000) < 6 * 27.4
