"""Which stored pairs count for which question: rows of :class:`~shadowlane.columns.ScoreColumns`, as masks (n,).

Invariant: the report and the gate select with the same functions, so that both speak of the same pairs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..columns import ScoreColumns
from ..types import NOT_SENT

__all__ = ["DELTA_S_MAX", "NOT_SENT", "comparable", "failed_copies", "first_bytes", "repeated", "sent", "tried_in_vain"]

DELTA_S_MAX = 2.0


def sent(columns: ScoreColumns) -> NDArray[np.bool_]:
    """Which rows are copies that were sent, or that the shadow's own state kept from being sent (its breaker)."""
    # A deadline without a time: it waited for a slot until it was too late or gave way, and never went out.
    waited = (columns.reason == "deadline") & (columns.shadow_ns == 0)
    answer: NDArray[np.bool_] = ~columns.reason.isin(NOT_SENT) & ~waited
    return answer


def failed_copies(columns: ScoreColumns) -> NDArray[np.bool_]:
    """Which rows the shadow failed: no whole answer, HTTP 500 or above, or HTTP 400 or above where prod had none."""
    bad = (columns.status >= 500) | ((columns.status >= 400) & (columns.prod_status < 400))
    answer: NDArray[np.bool_] = sent(columns) & ((columns.reason != "") | bad)
    return answer


def tried_in_vain(columns: ScoreColumns) -> tuple[int, int]:
    """How many copies were tried, and in how many of them the shadow was never asked rightly: refused by HTTP 4xx where
    prod answered, or nobody was reached. Where all were, a wrong key, model or address is the cause, and nothing is
    known of the shadow's answers. Refusals for the moment (408, 429) count for neither side."""
    tried = sent(columns) & ~np.isin(columns.status, (408, 429))
    refused = (columns.status >= 400) & (columns.status < 500) & (columns.prod_status < 400)
    wrong = np.where(columns.reason == "", refused, columns.reason == "connect_error")
    return int(tried.sum()), int((tried & wrong).sum())


def repeated(columns: ScoreColumns) -> NDArray[np.bool_]:
    """Which rows answer a question that was asked before: there λ can flip."""
    answer: NDArray[np.bool_] = (columns.group >= 0) & (columns.group_seen > 1)
    return answer


def comparable(columns: ScoreColumns) -> NDArray[np.bool_]:
    """Rows whose two times can be compared: both answered below HTTP 400, or the shadow ran into its deadline; in one
    round, because the time of prod's own tools is not known."""
    good = (columns.reason == "") & (columns.status < 400)
    late = columns.reason == "deadline"
    answer: NDArray[np.bool_] = (
        (columns.prod_status < 400) & (good | late) & (columns.shadow_ns > 0) & (columns.prod_ns > 0)
    )
    answer &= columns.rounds == 1
    return answer


def first_bytes(columns: ScoreColumns) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """Rows whose times to the first byte can be compared, and these times in ns, prod's and the shadow's (n,). A shadow
    that ran into its deadline before a first byte counts with the time that it took; 0 is a time nobody measured."""
    hung = (columns.reason == "deadline") & (columns.shadow_ttfb_ns == 0)
    prod, shadow = columns.prod_ttfb_ns, np.where(hung, columns.shadow_ns, columns.shadow_ttfb_ns)
    return comparable(columns) & (prod > 0) & (shadow > 0), prod, shadow
