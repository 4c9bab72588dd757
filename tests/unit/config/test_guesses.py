"""An unknown field's error names the field that was meant, at every depth, and guesses nothing far-fetched."""

from __future__ import annotations

from typing import Any

import pytest

from shadowlane.config import Config
from shadowlane.errors import ConfigError

SHADOW = {"url": "http://127.0.0.1:9"}


def routes(**fields: list[str]) -> dict[str, Any]:
    return {"shadows": {"a": SHADOW}, "routes": fields}


def gate(**fields: Any) -> dict[str, Any]:
    return {"shadows": {"a": SHADOW}, "gate": fields}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            {"shadows": {"a": SHADOW}, "sampling": {"ration": 0.5}},
            "sampling.ration: unknown field; did you mean ratio?",
        ),
        ({"shadows": {"a": {**SHADOW, "timeout": 3}}}, "shadows.a.timeout: unknown field; did you mean timeout_s?"),
        ({"shadows": {"a": {**SHADOW, "retry": {"atempts": 3}}}}, "did you mean attempts?"),
        ({"shadows": {"a": SHADOW}, "sample": {}}, "sample: unknown field; did you mean"),
        ({"shadows": {"a": SHADOW}, "lane": {"zzqq": 1}}, "lane.zzqq: unknown field; remove it"),
        ({"shadow": {"a": SHADOW}}, "shadow: unknown field; did you mean shadows?"),
        ({"shadows": {"a": SHADOW}, "gates": {}}, "gates: unknown field; did you mean gate?"),
        (routes(presets=["opnai"]), "routes.presets = 'opnai': did you mean openai?"),
        (routes(presets=["openai", "sqll:postgres"]), "routes.presets = 'sqll:postgres': did you mean sql?"),
        (routes(presets=["sql:postgress"]), "routes.presets = 'sql:postgress': did you mean sql:postgres?"),
        (routes(read=["antropic"]), "routes.read = 'antropic': did you mean anthropic?"),
        (routes(read=["GET /a", "POST /b coher"]), "routes.read = 'POST /b coher': did you mean cohere?"),
        (routes(presets=["openai"], read=["POST search"]), "routes.read = 'POST search': not METHOD /path"),
        (routes(read=["DELETE /x"]), "routes.read = 'DELETE /x': DELETE is never a read"),
        (routes(include=["v1/*"]), "routes.include = 'v1/*': write a path pattern"),
        (routes(exclude=["/ok", "health"]), "routes.exclude = 'health': write a path pattern"),
        (routes(timed=["/ask"]), "routes.timed = '/ask': write METHOD and a path pattern"),
        ({"shadows": {"a": SHADOW}, "score": {"embedder": "wordlama"}}, "did you mean wordllama?"),
        ({"shadows": {"a": SHADOW}, "score": {"embedder": "sentence_transformers:x"}}, "mean sentence-transformers?"),
        (gate(disable=["overheads"]), "gate.disable = 'overheads': did you mean overhead?"),
        (gate(require=["citation"]), "gate.require = 'citation': did you mean citations?"),
        (gate(require=["contradicted-facts"]), "= 'contradicted-facts': did you mean contradicted_facts?"),
        ({"shadows": {"a": SHADOW}, "lane": {"worker": "extern"}}, "did you mean external? Use one of: auto, external"),
        ({"shadows": {"a": SHADOW}, "store": {"keep_bodies": "no"}}, "se one of: all, none, reservoir"),
        ({"shadows": {"a": SHADOW}, "policy": {"tool_mode": "stubs"}}, "did you mean stub?"),
        ({"shadows": {"a": SHADOW}, "sanitize": {"disable": ["emial"]}}, "did you mean email?"),
    ],
)
def test_the_error_names_what_was_meant(data: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        Config.from_dict(data)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (gate(mean_delta_s=45), "gate.mean_delta_s = 45.0: use more than 0 and at most 1; for 45 % use 0.45"),
        (gate(mean_delta_s=1.5), "gate.mean_delta_s = 1.5: use more than 0 and at most 1"),
        (gate(fact_flip_rate=2), "gate.fact_flip_rate = 2.0: use 0 to 1; for 2 % use 0.02"),
        (gate(p95_increase="3 %"), "gate.p95_increase = '3 %': expected `float`, got `str`; write a number"),
        (gate(p95_increase="3 %"), "without quotes: 0.03"),
        ({"shadows": {"a": {**SHADOW, "timeout_s": "30s"}}}, "shadows.a.timeout_s = '30s': expected `float`"),
        ({"shadows": {"a": {**SHADOW, "timeout_s": 0}}}, "shadows.a.timeout_s = 0.0: use more than 0"),
        ({"shadows": {"a": SHADOW, "b": {**SHADOW, "deadline_s": 1}}}, "shadows.b.deadline_s = 1"),
        ({"shadows": {"a": SHADOW}, "control": {**SHADOW, "timeout_s": -1}}, "control.timeout_s = -1"),
        ({"shadows": {"a": {**SHADOW, "breaker": {"minimum": 50}}}}, "shadows.a.breaker.minimum = 50"),
    ],
)
def test_a_number_is_told_its_field_and_what_to_write(data: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        Config.from_dict(data)
    assert said in str(error.value)
