"""What each rule on the scores asks for: one table with the configuration's field, the default's source, and whether
missing it can reject.

A value is *bad* the larger it is: shares of good things (convergence, citations found again) are judged by what is
missing from 1. Invariant: a rule's key is the name that ``gate.disable`` and ``gate.require`` take, and stands in one
line of the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["SCORE_RULES", "Target", "above_noise"]

_WFGY = "WFGY Problem Map, "


@dataclass(frozen=True, slots=True)
class Target:
    """One rule on a mean or a share of the pairs."""

    key: str
    name: str
    """As verdicts show it."""
    field: str
    """The field of ``[gate]`` with the target."""
    what: str
    """What is averaged, in words."""
    source: str
    """Where the default comes from."""
    rise: str = ""
    """The field of ``[gate]`` with the most that it may lie above the noise floor; empty: no control is compared."""
    alone: float = 1.0
    """How many times the target is allowed where no control shows the noise of prod against itself."""
    rejects: bool = True
    """Whether surely missing it is the shadow's fault; else a person looks at it, and the verdict is HOLD."""
    missing: bool = False
    """The field names the good share: the rule judges 1 − value against 1 − target."""
    low: float = 0.0
    high: float = 1.0
    share: bool = True
    rare: bool = False
    """An event that comes with others when it comes: an outage takes all copies of a minute."""
    of_questions: bool = True
    """Whether the question decides it, so that answers to one question are one vote; else the service does."""
    optional: bool = False
    """Says nothing where too few pairs have it (citations, tools, repeated questions): then it is not judged."""
    sparse: bool = False
    """Of few pairs by its nature (copies that were tried again): a miss that may be chance is not judged either."""
    own: Literal["", "alone", "always"] = ""
    """Whether the pair itself has a noise floor, prod's own value: where no control runs, or in any case."""
    own_name: str = ""
    """What that value is, in words."""
    absolute: bool = True
    """Whether there is a target beside the one above the floor; else ``field`` is that one."""


SCORE_RULES: tuple[Target, ...] = (
    Target(
        "mean_delta_s", "mean ΔS", "mean_delta_s", "mean ΔS", "this project's target; " + _WFGY + "batch mean",
        rise="mean_rise", high=2.0, share=False,
    ),
    Target(
        "anchored_delta_s", "anchored ΔS", "anchored_delta_s", "mean anchored ΔS", "as mean ΔS",
        rise="mean_rise", high=2.0, share=False,
    ),
    Target(
        "critical", "critical ΔS", "critical_rate", "ΔS of 0.60 or more",
        _WFGY + "deltaS_thresholds: none; 3 % is left for the wording noise of a model against itself",
        rise="rate_rise", rejects=False, rare=True,
    ),
    Target(
        "transitional", "transitional ΔS", "transitional_rate", "ΔS from 0.40 to 0.60",
        _WFGY + "deltaS_thresholds: at most 10 %; regression_gate: a person reviews them",
        rise="mean_rise", alone=2.0, rejects=False,
    ),
    Target(
        "no_chaos", "λ ×", "chaotic_rate", "chaotic answers (×)",
        _WFGY + "lambda_observe: none; 3 % is left for the wording noise of a model against itself",
        rise="rate_rise", rare=True,
    ),
    Target(
        "convergence", "λ convergence", "convergence", "answers that do not converge (→)",
        _WFGY + "lambda_observe: at least 80 %", rise="mean_rise", rejects=False, missing=True,
    ),
    Target(
        "no_flip", "λ flips", "flip_rate", "flips at repeated questions, the shadow's less prod's own",
        "half of what stops a rollout (" + _WFGY + "staged_rollout_canary: 20 %)",
        rise="mean_rise", low=-1.0, optional=True,
    ),
    Target(
        "contradicted_facts", "facts", "fact_flip_rate", "answers whose facts contradict prod's",
        "twice what the rules may claim of one model against itself (1 %)", rise="rate_rise", rare=True,
        optional=True,
    ),
    Target(
        "facts_read", "facts read", "facts_unread_rate", "pairs whose facts could not be looked at",
        "this project: four of five pairs are enough to speak of all", rejects=False, optional=True,
    ),
    Target(
        "collapsed", "collapsed (←)", "collapse_rate", "answers that collapsed, the shadow's less prod's own",
        "the error budget", low=-1.0, rare=True,
    ),
    Target(
        "citations", "citations", "citation_match", "prod's citations that the shadow lacks",
        _WFGY + "live_monitoring_rag: hit rate below 0.6 pages", rise="mean_rise", rejects=False, missing=True,
        optional=True,
    ),
    Target(
        "index", "index", "index_agreement", "answers from another index than prod's",
        "this project: an index that is to be exchanged is left out by name", rejects=False, missing=True,
        optional=True,
    ),
    Target(
        "tool_calls", "tool calls", "strange_call_rate", "pairs with tool calls that prod never made",
        _WFGY + "staged_rollout_canary: tool success at least 99 %", rise="rate_rise", rare=True,
    ),
    Target(
        "missing", "left out", "missing_rise", "sentences of prod's that the shadow leaves out",
        "as much as means may rise; no absolute target: one model against itself leaves out two in five",
        rise="missing_rise", rejects=False, optional=True, own="alone", absolute=False,
        own_name="the shadow's sentences that prod leaves out",
    ),
    Target(
        "extra", "added", "extra_rise", "sentences that the shadow adds",
        "as left out", rise="extra_rise", rejects=False, optional=True, own="alone", absolute=False,
        own_name="prod's sentences that the shadow leaves out",
    ),
    Target(
        "recursive", "λ <>", "recursive_rate", "answers that waver (<>)",
        _WFGY + "lambda_observe: at most 10 %", rise="mean_rise", alone=2.0, rejects=False,
    ),
    Target(
        "refused", "refusals", "refusal_rate", "answers that refuse, the shadow's less prod's own",
        "the error budget", rejects=False, low=-1.0, rare=True,
    ),
    Target(
        "empty", "empty answers", "empty_rate", "answers that are empty, the shadow's less prod's own",
        "the error budget", rejects=False, low=-1.0, rare=True,
    ),
    Target(
        "coverage", "coverage", "coverage", "what prod retrieved and the shadow did not",
        _WFGY + "staged_rollout_canary, coverage_tracking: at least 0.70", rise="mean_rise", rejects=False,
        missing=True, optional=True,
    ),
    Target(
        "retrieved", "ΔS retrieved", "retrieved_delta_s", "mean ΔS of the question and what the shadow retrieved",
        _WFGY + "rollout_readiness_gate: at most 0.45", rise="mean_rise", high=2.0, share=False, rejects=False,
        optional=True, own="always", own_name="what prod retrieved",
    ),
    Target(
        "retried", "retries", "retry_success", "copies that were tried again in vain",
        _WFGY + "retry_backoff: at least 90 % succeed", rejects=False, missing=True, optional=True, sparse=True,
        of_questions=False,
    ),
    Target(
        "throttled", "throttled", "throttle_rate", "copies answered with HTTP 429",
        _WFGY + "rate_limit_backpressure: at most 0.5 %", rejects=False, of_questions=False,
    ),
    Target(
        "shadow_errors", "shadow errors", "shadow_error_rate", "copies that the shadow failed",
        "this project's error budget", rare=True, of_questions=False,
    ),
)  # fmt: skip
"""In the order in which the verdict shows them."""


def above_noise(limit: float, floor: float, rise: float) -> float:
    """The absolute target; where prod against itself comes near it or misses it, no shadow can do better than that."""
    return max(limit, floor + min(rise, limit)) if floor > limit / 2 > 0.0 else limit
