"""Replicate's predictions."""

from __future__ import annotations

from .base import Provider, Shape
from .reading.draft import Draft
from .reading.jsonlike import JsonMap, as_map, as_str, canonical, first_str

__all__ = ["PROVIDER"]


def _matches(value: JsonMap) -> bool:
    """A prediction of Replicate."""
    urls = value.get("urls")
    return "status" in value and "input" in value and isinstance(urls, dict) and "get" in urls


def _read(value: JsonMap, draft: Draft) -> None:
    """The output is a text, an array of its pieces, or any JSON; there is none before the prediction is done."""
    draft.kind = "replicate"
    draft.model = first_str(value, "model") or draft.model
    draft.model_rev = first_str(value, "version") or draft.model_rev
    status = as_str(value.get("status"))
    output = value.get("output")
    if isinstance(output, list) and all(isinstance(piece, str) for piece in output):
        draft.add_text("".join(output))
    elif isinstance(output, str):
        draft.add_text(output)
    elif output is not None:
        draft.add_text(canonical(output))
    draft.finish(status)
    metrics = as_map(value.get("metrics"))
    draft.count_tokens(metrics)
    error = value.get("error")
    if error:
        draft.note(f"the prediction is {status}: {error if isinstance(error, str) else canonical(error)}")
    elif status != "succeeded":
        draft.note(f"the prediction is {status}: its output comes later, from another request")
    draft.ended = True


PROVIDER = Provider(name="replicate", shapes=(Shape(_matches, _read),))
