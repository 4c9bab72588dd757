"""Options that the core takes as keywords: the stub names those that the core reads, and errors name the field."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from shadowlane import _core
from shadowlane.config import Config


def stubbed(name: str) -> list[str]:
    """The fields of a class of options in the stub, with those of its base."""
    tree = ast.parse(Path(_core.__file__).with_name("_core.pyi").read_text(encoding="utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    node = classes[name]
    fields = [
        item.target.id for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    ]
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in classes:
            fields += stubbed(base.id)
    return fields


@pytest.fixture
def calls(tmp_path: Path) -> dict[str, Callable[..., Any]]:
    return {
        "_LaneOptions": partial(_core.Lane, str(tmp_path / "lane")),
        "_PolicyOptions": _core.Policy,
        "_NormaliseOptions": partial(_core.normalise_llm_body, "openai", b"/v1/chat/completions", b'{"model":"m"}'),
    }


OPTIONS = ["_LaneOptions", "_PolicyOptions", "_NormaliseOptions"]


@pytest.mark.parametrize("options", OPTIONS)
def test_every_field_of_the_stub_is_read_by_the_core(options: str, calls: dict[str, Callable[..., Any]]) -> None:
    fields = stubbed(options)
    assert len(fields) >= 5
    for field in fields:
        with pytest.raises(TypeError, match=rf"\(\): {field}: "):
            calls[options](**{field: object()})


@pytest.mark.parametrize("options", OPTIONS)
def test_an_unknown_keyword_is_refused_with_the_known_ones(options: str, calls: dict[str, Callable[..., Any]]) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'ratios'") as refused:
        calls[options](ratios=0.5)
    known = str(refused.value).partition("it takes ")[2].split(", ")
    assert sorted(known) == sorted(stubbed(options))


def test_a_number_out_of_range_is_named(calls: dict[str, Callable[..., Any]]) -> None:
    with pytest.raises(OverflowError, match=r"Lane\(\): burst: "):
        calls["_LaneOptions"](burst=-1)
    with pytest.raises(OverflowError, match=r"Policy\(\): seed: "):
        calls["_PolicyOptions"](seed=1 << 70)


def test_what_is_not_given_is_the_default_of_the_configuration(tmp_path: Path) -> None:
    directory = tmp_path / "lane"
    lane = _core.Lane(str(directory))
    try:
        status = _core.lane_status(str(directory))
    finally:
        lane.close()
    config = Config.from_dict({"shadows": {"s": {"url": "http://127.0.0.1:1"}}})
    assert status["sampler"]["ratio"] == pytest.approx(config.sampling.ratio)
    assert (status["cap"]["qps"], status["cap"]["burst"]) == (config.limits.qps, config.limits.burst)
    assert [ring["bytes"] for ring in status["rings"]] == [config.lane.ring_bytes]
