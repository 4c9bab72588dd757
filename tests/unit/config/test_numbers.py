"""Every number of every section: has a range, is refused outside it by name, and goes through JSON unharmed.

Nothing is listed here: fields are found in the sections, so a new one cannot be forgotten.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from shadowlane.capture.supervisor import write_worker_config
from shadowlane.cli import main
from shadowlane.config import Config, load_config
from shadowlane.config.bounds import Bound, bounds_of
from shadowlane.errors import ConfigError

NEEDED: dict[str, Any] = {
    "shadows": {"url": "http://127.0.0.1:9"},
    "prices": {"input": 1.0, "output": 1.0},
    "alerts": {"kind": "json", "url": "http://127.0.0.1:9"},
    "rules": {"kind": "badge", "pattern": "B-[0-9]{6}"},
}
"""What a section needs beside the field."""
BESIDE: dict[str, dict[str, Any]] = {
    "lane.ring_bytes": {"max_body_bytes": 1024},
    "lane.max_body_bytes": {"ring_bytes": 1 << 30},
    "shadows.x.timeout_s": {"deadline_s": 86_400.0},
    "shadows.x.deadline_s": {"timeout_s": 5e-324},
    "shadows.x.breaker.window": {"minimum": 1},
    "shadows.x.breaker.minimum": {"window": 10_000},
    "shadows.x.breaker.open_s": {"max_open_s": 86_400.0},
    "shadows.x.breaker.max_open_s": {"open_s": 5e-324},
    "shadows.x.retry.base_s": {"max_s": 3600.0},
    "shadows.x.retry.max_s": {"base_s": 5e-324},
    "limits.weights.x": {"burst": 1_000_000},
    "limits.tenant_qps": {"tenant_key": "api_key"},
}
"""Fields of which an extreme needs another field to fit; those of ``control`` are a shadow's."""


class Number(NamedTuple):
    path: str
    whole: bool
    """Whether the field takes whole numbers only."""
    bound: Bound | None


def _numeric(hint: Any) -> tuple[bool, bool]:
    """Whether a field is a number, and whether a whole one."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        parts = [part for part in typing.get_args(hint) if part is not type(None)]
        return _numeric(parts[0]) if len(parts) == 1 else (False, False)
    if typing.get_origin(hint) is dict:
        return _numeric(typing.get_args(hint)[1])
    return hint in (int, float), hint is int


def numbers(section: type[msgspec.Struct] = Config, where: str = "") -> Iterator[Number]:
    """Every number that a configuration may hold; ``x`` stands for a key of a table."""
    bounds = bounds_of(section)
    for name, hint in typing.get_type_hints(section).items():
        path = f"{where}.{name}" if where else name
        number, whole = _numeric(hint)
        if number:
            yield Number(f"{path}.x" if typing.get_origin(hint) is dict else path, whole, bounds.get(name))
        elif isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            yield from numbers(hint, path)
        else:
            for inner in typing.get_args(hint):
                if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                    yield from numbers(inner, f"{path}.x" if typing.get_origin(hint) is dict else f"{path}[0]")


ALL = list(numbers())


def key_of(part: str, whole_path: str) -> str:
    return "GET /x" if part == "x" and whole_path.startswith("limits.") else part


def config_with(path: str, value: Any) -> dict[str, Any]:
    """A configuration whose field has this value, and what that field needs beside it."""
    data: dict[str, Any] = {name: {"x": dict(NEEDED[name])} for name in ("shadows", "prices")}
    data["control"] = dict(NEEDED["shadows"])
    *parents, last = path.split(".")
    table = data
    for parent in parents:
        name, _, is_list = parent.partition("[")
        table = table.setdefault(name, [dict(NEEDED[name])])[0] if is_list else table.setdefault(name, {})
    beside = BESIDE.get(path.replace("control.", "shadows.x."), {})
    owner = data["limits"] if path == "limits.weights.x" else table
    owner.update(beside)
    table[key_of(last, path)] = value
    return data


def named(path: str) -> str:
    return path.replace(".x", ".'GET /x'") if path.startswith("limits.") else path


def wrong(number: Number) -> list[Any]:
    bound = number.bound
    assert bound is not None
    low, high = bound.least, bound.most
    if number.whole:
        return [math.nan, math.inf, -math.inf, int(low) - 1, int(high) + 1]
    below = low if bound.above else math.nextafter(low, -math.inf)
    beyond = high if bound.below else math.nextafter(high, math.inf)
    return [math.nan, math.inf, -math.inf, -1.0, below, beyond]


def extremes(number: Number) -> list[Any]:
    bound = number.bound
    assert bound is not None
    if number.whole:
        return [int(bound.least), int(bound.most)]
    low = math.nextafter(bound.least, math.inf) if bound.above else bound.least
    return [float(low), float(math.nextafter(bound.most, -math.inf) if bound.below else bound.most)]


def test_the_walk_finds_the_numbers() -> None:
    found = {number.path for number in ALL}
    assert {
        "gate.p95_increase",
        "sampling.seed",
        "shadows.x.breaker.ratio",
        "limits.weights.x",
        "prices.x.input",
    } <= found
    assert "sanitize.rules[0].confidence" in found
    assert len(found) == len(ALL)


@pytest.mark.parametrize("number", ALL, ids=lambda number: number.path)
def test_every_number_has_a_range_and_is_refused_by_name_outside(number: Number) -> None:
    assert number.bound is not None, f"{number.path} has no Bound (shadowlane.config.bounds)"
    for value in wrong(number):
        with pytest.raises(ConfigError) as caught:
            Config.from_dict(config_with(number.path, value))
        text = str(caught.value)
        assert f"{named(number.path)} = " in text, text
        assert ": use " in text or ": expected" in text.lower(), text


@pytest.mark.parametrize("number", ALL, ids=lambda number: number.path)
def test_minus_one_is_nothing_but_a_seed(number: Number) -> None:
    if number.path == "policy.seed":
        assert Config.from_dict(config_with(number.path, -1)).policy.seed == -1
        return
    with pytest.raises(ConfigError, match="= -1"):
        Config.from_dict(config_with(number.path, -1))


SHARES = [number for number in ALL if number.bound is not None and number.bound.share]


def test_the_shares_are_found() -> None:
    found = {number.path for number in SHARES}
    assert {"gate.p95_increase", "gate.mean_delta_s", "sampling.ratio", "limits.shed_above", "judge.ratio"} <= found


@pytest.mark.parametrize("number", SHARES, ids=lambda number: number.path)
@pytest.mark.parametrize(("percent", "share"), [(3, "0.03"), (45.0, "0.45")])
def test_a_percentage_for_a_share_is_told_the_share(number: Number, percent: float, share: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_dict(config_with(number.path, percent))
    assert f"for {percent:g} % use {share}" in str(caught.value)
    Config.from_dict(config_with(number.path, float(share)))


@pytest.mark.parametrize("number", ALL, ids=lambda number: number.path)
def test_extremes_reach_the_worker_unchanged(tmp_path: Path, number: Number) -> None:
    for value in extremes(number):
        data = config_with(number.path, value)
        # What the worker's file makes absolute is absolute already.
        data.setdefault("lane", {})["directory"] = str(tmp_path)
        data.setdefault("store", {})["url"] = f"sqlite:///{tmp_path / 's.db'}"
        config = Config.from_dict(data)
        assert load_config(write_worker_config(config, tmp_path)) == config


@pytest.mark.parametrize("command", ["status", "gate", "doctor", "report", "on"])
@pytest.mark.parametrize(
    "line",
    ["[gate]\nwindow_hours = nan", "[gate]\noverhead_p99 = inf", "[store]\nmax_age_days = -inf", "[judge]\nseed = nan"],
)
def test_no_command_ends_in_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, line: str
) -> None:
    file = tmp_path / "shadowlane.toml"
    file.write_text(f'[shadows.candidate]\nurl = "http://127.0.0.1:9"\n{line}\n')
    with pytest.raises(ConfigError):
        load_config(file)
    assert main([command, "--config", str(file)]) == 2
    said = capsys.readouterr()
    field = line.replace("]\n", ".")[1:].partition(" ")[0]
    assert f"{field} = " in said.out + said.err


@pytest.mark.parametrize("content", ["", "[]", '{"shadows": NaN}', '{"shadows": {}', '{"shadows": {"s": {"url": 1}}}'])
def test_a_workers_file_that_is_damaged_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match=r"config\.json: "):
        load_config(file)
