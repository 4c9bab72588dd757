"""IBM watsonx text generation, whole and streamed."""

from __future__ import annotations

from .base import Provider, Shape
from .reading.draft import Draft, UsageNames
from .reading.jsonlike import JsonMap, as_list, as_map, as_str, first_str

__all__ = ["PROVIDER"]


def _matches(value: JsonMap) -> bool:
    """``results`` of ``generated_text``: IBM watsonx text generation."""
    return any(isinstance(as_map(item).get("generated_text"), str) for item in as_list(value.get("results")))


def _read(value: JsonMap, draft: Draft) -> None:
    """A whole answer, or one event: ``stop_reason`` is ``not_finished`` until the last."""
    draft.kind = "watsonx"
    for position, item in enumerate(map(as_map, as_list(value.get("results")))):
        draft.add_text(as_str(item.get("generated_text")), position)
        reason = as_str(item.get("stop_reason"))
        draft.finish("" if reason.lower() == "not_finished" else reason, position)
        # Only the first event counts the prompt, later ones say 0.
        draft.count_tokens(
            {name: item[name] for name in ("input_token_count", "generated_token_count") if item.get(name)}
        )
    draft.model = first_str(value, "model_id") or draft.model
    draft.model_rev = first_str(value, "model_version") or draft.model_rev
    draft.ended = draft.all_finished()


PROVIDER = Provider(
    name="watsonx",
    shapes=(Shape(_matches, _read),),
    usage=UsageNames(input=("input_token_count",), output=("generated_token_count",)),
)
