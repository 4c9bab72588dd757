"""Lanes with stored pairs, for the report: a configuration, a real store, and what the counters would say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from shadowlane.columns import ScoreColumns, Texts
from shadowlane.config import Config
from shadowlane.store import open_store
from shadowlane.store.scores import score_columns
from shadowlane.types import Copy, GroupReading, Outcome, Pair, Scores

NOW_NS = 1_760_000_000 * 10**9
HOUR_NS = 3600 * 10**9
EMBEDDER = "wordllama/l2_256"


def columns(n: int, **given: Any) -> ScoreColumns:
    """``n`` answered and scored rows of one embedder, without group, structure or judge; ``given`` columns replace."""
    empty = msgspec.structs.asdict(score_columns([]))
    bare = {name: np.zeros(n, dtype=array.dtype) for name, array in empty.items() if not isinstance(array, Texts)}
    texts = {name: [""] * n for name, array in empty.items() if isinstance(array, Texts)}
    usual = {"delta_s": 0.2, "anchored": np.nan, "citation_match": 1.0, "index_agrees": 1.0, "state": "convergent"}
    usual |= {"prod_status": 200, "status": 200, "embedder": "one", "group": -1, "rounds": 1}
    usual |= {f"{side}_ttfb_ns": 5 * 10**6 for side in ("prod", "shadow")}
    usual |= {f"{side}_ns": 10 * 10**6 for side in ("prod", "shadow")}
    whole = {**texts, **{name: [value] * n for name, value in usual.items()}, **given}
    made = {name: Texts.of(map(str, some)) if name in texts else np.array(some) for name, some in whole.items()}
    return ScoreColumns(**{**bare, **made})


MS = 10**6

QUESTIONS = (
    (
        "How long may I keep a bicycle on one ride?",
        "A single ride may last 45 minutes. After that every further 15 minutes cost 0.50 €. [riding#duration]",
        "A single ride may last 45 minutes; each further 15 minutes cost 0.50 €. [riding#duration]",
    ),
    (
        "Who pays when the lock breaks during a ride?",
        "You do not pay for a lock that breaks in normal use. Report it in the app within 24 hours. [safety#locks]",
        "Damage is charged to the rider's card up to 80 €. Report it to the support team. [payments#damage]",
    ),
    (
        "Can I take a child with me?",
        "Yes, on bicycles with a child seat, for children from 2 to 6 years. [riding#children]",
        "Children under 14 may not ride alone. [riding#age]",
    ),
)


def config_at(folder: Path, **more: Any) -> Config:
    """A lane in ``folder`` with one shadow; ``more`` replaces or adds tables."""
    return Config.from_dict(
        {
            "lane": {"directory": str(folder / "lane")},
            "store": {"url": f"sqlite:///{folder / 'shadowlane.db'}"},
            "sampling": {"ratio": 0.25},
            "shadows": {"candidate": {"url": "http://127.0.0.1:9001"}},
            **more,
        }
    )


def make_pairs(
    n: int,
    *,
    shadow: str = "candidate",
    mean: float = 0.25,
    slower: float = 1.02,
    hours: float = 24.0,
    embedder: str = EMBEDDER,
    seed: int = 7,
    first: int = 0,
) -> list[Pair]:
    """``n`` answered pairs, evenly spread over the last ``hours`` before ``NOW_NS``."""
    random = np.random.default_rng(seed)
    delta = np.clip(random.beta(2.0, 2.0 * (1 - mean) / mean, n), 0, 1)
    prod = random.lognormal(-3.2, 0.35, n)
    ratio = slower * random.lognormal(0, 0.02, n)
    return [
        _pair(first + i, n, shadow, float(delta[i]), prod[i], prod[i] * ratio[i], hours, embedder) for i in range(n)
    ]


def _pair(
    i: int, n: int, shadow: str, delta: float, prod_s: float, shadow_s: float, hours: float, embedder: str
) -> Pair:
    question, prod_text, shadow_text = QUESTIONS[i % len(QUESTIONS)]
    if delta < 0.2:
        shadow_text = prod_text
    return Pair(
        copy=Copy(
            shadow_id=f"0190a8f0-0000-7000-8000-{i:012x}",
            req_hash=f"{i % 40:032x}",
            started_ns=NOW_NS - int((n - i % n) / n * hours * HOUR_NS),
            method="POST",
            target="/v1/chat/completions",
            headers=((b"content-type", b"application/json"),),
            body=json.dumps({"messages": [{"role": "user", "content": question}]}).encode(),
            status=200,
            response_headers=(),
            response_body=prod_text.encode(),
            ttfb_ns=int(0.6e9 * prod_s),
            duration_ns=int(1e9 * prod_s),
        ),
        outcome=Outcome(
            shadow=shadow,
            status=200,
            body=shadow_text.encode(),
            started_ns=NOW_NS,
            ttfb_ns=int(0.6e9 * shadow_s),
            duration_ns=int(1e9 * shadow_s),
        ),
        scores=Scores(
            delta_s=delta,
            embedder=embedder,
            citation_match=1.0 if delta < 0.4 else 0.5,
            index_agrees=True,
            state="convergent" if delta < 0.4 else "recursive",
            group=GroupReading(
                number=i % len(QUESTIONS), seen=1 + i // len(QUESTIONS), prod="convergent", shadow="convergent"
            ),
        ),
        prod_text=prod_text,
        shadow_text=shadow_text,
        model_rev="2025-06-01",
        rate_limit={"x-ratelimit-remaining": "41"} if i % 5 == 0 else {},
    )


def failed(pair: Pair, reason: str, *, took_s: float = 0.0) -> Pair:
    """The same copy, not answered."""
    outcome = Outcome(shadow=pair.outcome.shadow, reason=reason, duration_ns=int(1e9 * took_s))
    return Pair(copy=pair.copy, outcome=outcome, scores=Scores(note=reason))


def save(config: Config, pairs: list[Pair], lane_id: str = "ab" * 16) -> None:
    """Store pairs as the worker does."""
    with open_store(config.store) as store:
        store.set_epoch(lane_id, dict.fromkeys(config.arms(), 0))
        store.save(pairs)


def make_status(n: int, *, ratio: float = 0.25, started: bool = True, **more: Any) -> dict[str, Any]:
    """What ``collect_status`` gives for a lane that mirrored ``n`` copies, all stored."""
    eligible = round(n / ratio)
    dropped = more.get("dropped", {"sampled_out": eligible - n})
    setting = {"number": 1, "since_ns": 1, "choice": "ratio", "ratio": ratio, "qps": 20.0, "burst": 20}
    revision = {**setting, "eligible": eligible, "taken": n, "dropped": dropped}
    return {
        "lane": "default",
        "started": started,
        "enabled": True,
        "seen": eligible,
        "mirrored": n,
        "dropped": {"sampled_out": eligible - n},
        "open": 0,
        "sampler": {"choice": "ratio", "ratio": ratio, "eligible": eligible, "taken": n, "revisions": [revision]},
        "accounting": {
            "holds": True,
            "known": started,
            "lines": [
                f"seen {eligible} = mirrored {n} + dropped {eligible - n} (sampled_out {eligible - n}) + open 0",
                f"candidate: mirrored {n} = answered {n} + failed 0 + in flight 0",
            ],
        },
        "store": {
            "path": "shadowlane.db",
            "exists": True,
            "rows": n,
            "bytes": 1,
            "blocks": "",
            "damaged_blocks": 0,
            "folds": {},
            "error": "",
        },
        **more,
    }
