"""Pairs in the shapes of other tools, each looked up in its own source:

* ``openai-evals``: a line of the Evals API's JSONL data source, ``{"item", "sample"}``
  (openai-python, ``types/evals/create_eval_jsonl_run_data_source_param.py``);
* ``langfuse``: the body of ``POST /api/public/dataset-items``, an upsert by its ``id``
  (Langfuse's OpenAPI, ``CreateDatasetItemRequest``);
* ``langsmith``: an example of ``Client.create_examples``
  (https://docs.langchain.com/langsmith/manage-datasets-programmatically);
* ``wfgy``: the envelope with an answer of each side, and one metrics pack a shadow at the end
  (WFGY Problem Map, data-contracts, schema 1.0.0; PSBigBig, MIT).

Invariant: prod's answer is the expected one, the shadow's the sample; a pair that has no question, or no answer to
compare, makes no line, and is counted by who writes.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..gate.sample import Sample
from ..providers.cleaning import read_answer
from ..score.citations import cited
from ..score.lambda_ import ARROWS
from ..store import StoredPair
from ..types import Headers, Pair
from .records import request_value, time_text

__all__ = ["LINES", "Wfgy"]

_OURS = uuid.UUID("6f1c7b0e-3f0c-5e0a-9a51-6f0d0b1f7a11")
"""The namespace of the identifiers that pairs have elsewhere (RFC 9562 §5.5)."""
Json = dict[str, Any]


def _metadata(row: StoredPair) -> Json:
    """What is known of a pair beside question and answers; what is not known is left out."""
    pair, scores = row.pair, row.pair.scores
    found = {
        "shadow_id": pair.copy.shadow_id,
        "shadow": pair.outcome.shadow,
        "started_at": time_text(pair.copy.started_ns),
        "route": pair.copy.route,
        "tenant": pair.copy.tenant,
        "prod_model": pair.prod_model,
        "model": pair.model,
        "delta_s": scores.delta_s,
        "anchored": scores.anchored,
        "band": scores.band,
        "fact_flip": scores.fact_flip,
        "state": scores.state,
        "citation_match": scores.citation_match,
        "judge": scores.judge.verdict if scores.judge else "",
        "mark": pair.mark,
        "group_id": scores.group.number if scores.group else None,
        "prod_ms": _ms(pair.copy.duration_ns),
        "shadow_ms": _ms(pair.outcome.duration_ns),
        "pins": pair.pins,
    }
    return {name: value for name, value in found.items() if value not in (None, "", {})}


def _ms(took_ns: int) -> float | None:
    """``None`` where nobody measured or told it."""
    return round(took_ns / 1e6, 3) if took_ns else None


def _asked(row: StoredPair) -> Json | None:
    """The question of a pair that both sides answered; ``None``: there is nothing to make a line of."""
    pair = row.pair
    if pair.outcome.reason or pair.copy.status >= 400 or not pair.prod_text:
        return None
    return request_value(row)


def _openai_evals(row: StoredPair, _: str) -> Json | None:
    asked = _asked(row)
    if asked is None:
        return None
    pair = row.pair
    sample = {"output_text": pair.shadow_text, "model": pair.model, "finish_reason": pair.finish}
    item = {"id": _key(pair), "input": asked, "expected": pair.prod_text, "metadata": _metadata(row)}
    return {"item": item, "sample": sample}


def _langfuse(row: StoredPair, dataset: str) -> Json | None:
    asked = _asked(row)
    if asked is None:
        return None
    pair = row.pair
    metadata = _metadata(row) | {"shadow_output": pair.shadow_text}
    return {
        "datasetName": dataset, "id": _key(pair), "input": asked, "expectedOutput": pair.prod_text,
        "metadata": metadata, "status": "ACTIVE",
    }  # fmt: skip


def _langsmith(row: StoredPair, _: str) -> Json | None:
    asked = _asked(row)
    if asked is None:
        return None
    pair = row.pair
    metadata = _metadata(row) | {"shadow_output": pair.shadow_text}
    return {"id": _key(pair), "inputs": asked, "outputs": {"answer": pair.prod_text}, "metadata": metadata}


def _key(pair: Pair) -> str:
    """The same for a pair whenever it is exported: a second import updates, and adds nothing."""
    return str(uuid.uuid5(_OURS, f"{pair.copy.shadow_id}/{pair.outcome.shadow}"))


LINES: dict[str, Callable[[StoredPair, str], Json | None]] = {
    "openai-evals": _openai_evals,
    "langfuse": _langfuse,
    "langsmith": _langsmith,
}
"""By format: the line of a pair, given the data set's name; ``None`` where it makes none."""


class Wfgy:
    """Lines of the WFGY data contracts: two a pair, and a metrics pack for each shadow."""

    def __init__(self, lane: str, citations_pointer: str = "") -> None:
        """``citations_pointer`` is that of ``[score]``."""
        self._lane, self._pointer = lane, citations_pointer
        self._deltas: dict[str, Sample] = {}
        self._states: dict[str, list[int]] = {}
        self._last = ""

    def lines(self, row: StoredPair) -> Iterator[Json]:
        """An answer of each side; nothing where the shadow gave none."""
        pair, scores = row.pair, row.pair.scores
        if pair.outcome.reason:
            return
        shadow = pair.outcome.shadow
        if scores.delta_s is not None:
            delta = np.array([scores.delta_s])
            self._deltas.setdefault(shadow, Sample(1)).add(np.array([row.id]), delta)
        if scores.state:
            seen = self._states.setdefault(shadow, [0, 0])
            seen[0] += 1
            seen[1] += scores.state == "convergent"
        group = scores.group
        copy, outcome = pair.copy, pair.outcome
        yield self._answer(
            row, "prod", pair.prod_text, pair.prod_index_hash, group.prod if group else "", scores.prod_retrieved,
            copy.duration_ns, (copy.response_headers, copy.response_body),
        )  # fmt: skip
        yield self._answer(
            row, shadow, pair.shadow_text, pair.index_hash, scores.state, scores.retrieved,
            outcome.duration_ns, (outcome.headers, outcome.body),
        )  # fmt: skip

    def _answer(
        self, row: StoredPair, arm: str, text: str, index: str, state: str, far: float | None, took_ns: int,
        said: tuple[Headers, bytes],
    ) -> Json:  # fmt: skip
        pair = row.pair
        self._last = time_text(pair.copy.started_ns)
        line = self._envelope("answer.decide", pair.copy.shadow_id, pair.model_rev if arm != "prod" else "", index)
        line |= {
            "$schema": "https://wfgy.dev/schemas/answer-1.0.json",
            "q_id": pair.copy.req_hash,
            "answer_text": text if row.bodies else None,
            "cited_chunks": _chunks(*said, self._pointer) if row.bodies else [],
            "λ_observe": ARROWS.get(state),
            "metrics": {"ΔS_q_ctx": far, "latency_ms": _ms(took_ns)},
            "arm": arm,
        }
        return line if arm == "prod" else line | {"shadowlane": _metadata(row)}

    def packs(self) -> Iterator[Json]:
        """What CI reads, over all that was written."""
        for shadow in sorted({*self._deltas, *self._states}):
            sample, (n, convergent) = self._deltas.get(shadow), self._states.get(shadow, (0, 0))
            values = np.zeros(0) if sample is None else sample.column(0)
            yield self._envelope("answer.decide", f"{self._lane}/{shadow}", "", "") | {
                "$schema": "https://wfgy.dev/schemas/metrics-1.0.json",
                "dataset": f"{self._lane}/{shadow}",
                "ΔS_mean": float(values.mean()) if len(values) else None,
                "ΔS_p95": float(np.quantile(values, 0.95)) if len(values) else None,
                "λ_convergent_rate": convergent / n if n else None,
                "pairs": 0 if sample is None else sample.n,
            }

    def _envelope(self, event: str, trace: str, revision: str, index: str) -> Json:
        return {
            "schema_version": "1.0.0", "event": event, "ts": self._last, "trace_id": trace, "agent_id": "system",
            "mem_rev": revision, "mem_hash": index,
        }  # fmt: skip


def _chunks(headers: Headers, body: bytes, pointer: str) -> list[str]:
    """What an answer cites, each by the strongest name that it has."""
    found = cited(read_answer(headers, body, citations_pointer=pointer))
    names = (one.snippet_id or one.section_id or one.source_url or one.text for one in found)
    return [name for name in dict.fromkeys(names) if name]
