"""Citations compared: which of prod's sources the shadow cites too, whether at the same offsets, in the same order.

Invariant: the comparison treats both sides alike. Swapping them swaps the codes, keeps span overlap, order and the
agreements, and the number of shared citations (``match`` counts it against the first side's, ``match_b`` against the
second's).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..providers.reading.citing import parse_citations
from ..types import Citation
from .cited import cited, inline_markers, url_key

__all__ = [
    "REQUIRED_FIELDS",
    "CitationReport",
    "cited",
    "compare_citations",
    "inline_markers",
    "parse_citations",
    "validate_citations",
]

REQUIRED_FIELDS = ("snippet_id", "section_id", "source_url", "offsets", "tokens")
"""Fields of the snippet contract that a citation must fill; score and index have codes of their own."""


Payload: TypeAlias = Sequence[Citation] | Sequence[Mapping[str, Any] | str | int] | Mapping[str, Any]
"""Citations read already, or as JSON sends them."""


@dataclass(frozen=True, slots=True)
class CitationReport:
    """How two answers' citations compare."""

    match: float | None
    """Share of ``a``'s distinct citations that ``b`` has too, in [0, 1]. ``None`` when neither cites, or when both cite
    by bare numbers, which name no source; 0.0 when only ``b`` does."""
    match_b: float | None
    """The same share of ``b``'s: what ``match`` is with the sides exchanged."""
    span_iou: float | None
    """Mean over shared citations of the overlap of their offsets, intersection over union, in [0, 1]. ``None`` when no
    shared citation has offsets on both sides."""
    order: float | None
    """Kendall's τ (1938) of the order in which shared citations are first cited, in [-1, 1]. ``None`` below two."""
    codes_a: tuple[str, ...]
    codes_b: tuple[str, ...]
    index_agrees: bool | None
    """Whether both answers come from one index (and from the expected one, when given). ``None`` when a side does not
    say."""
    analyzer_agrees: bool | None


def compare_citations(
    a: Payload,
    b: Payload,
    *,
    expected_index_hash: str = "",
    expected_analyzer: str = "",
) -> CitationReport:
    """Compares ``a`` (prod's citations) with ``b`` (the shadow's), each in the order in which they were cited.

    Either is a sequence of :class:`~shadowlane.types.Citation`, or a parsed JSON payload that :func:`parse_citations`
    reads.

    Citations are the same when the strongest identity that all of them have is: snippet, else source and section, else
    source, else section, else cited text; where no identity is common to all, each goes by its own strongest. A source
    cited several times counts once. URLs are compared without fragment, trailing slash and ``utm_*`` parameters.
    Raises nothing.
    """
    a, b = _parsed(a), _parsed(b)
    unknown = bool(a and b) and all(map(_bare_number, (*a, *b)))
    identity = _identity([*a, *b])
    spans_a, spans_b = _spans(a, identity), _spans(b, identity)
    shared = [key for key in spans_a if key in spans_b]
    match: float | None = None
    match_b: float | None = None
    if (a or b) and not unknown:
        match, match_b = (len(shared) / len(spans) if spans else 0.0 for spans in (spans_a, spans_b))
    overlaps = [_overlap(spans_a[key], spans_b[key]) for key in shared if spans_a[key] and spans_b[key]]
    positions = {key: position for position, key in enumerate(key for key in spans_b if key in spans_a)}
    return CitationReport(
        match=match,
        match_b=match_b,
        span_iou=sum(overlaps) / len(overlaps) if overlaps else None,
        order=None if unknown else _kendall_tau([positions[key] for key in shared]),
        codes_a=validate_citations(a, expected_index_hash=expected_index_hash, expected_analyzer=expected_analyzer),
        codes_b=validate_citations(b, expected_index_hash=expected_index_hash, expected_analyzer=expected_analyzer),
        index_agrees=_agrees(a, b, lambda citation: citation.index_hash, expected_index_hash),
        analyzer_agrees=_agrees(a, b, lambda citation: citation.analyzer, expected_analyzer),
    )


def _bare_number(citation: Citation) -> bool:
    """Whether a citation is a number by position and nothing else: it says that something is cited, not what."""
    named = citation.source_url or citation.section_id or citation.text
    return not named and re.fullmatch(r"\[\d{1,3}\]", citation.snippet_id) is not None


def _parsed(payload: Payload) -> tuple[Citation, ...]:
    if isinstance(payload, Mapping):
        return parse_citations(dict(payload))
    read = [(item,) if isinstance(item, Citation) else parse_citations([item]) for item in payload]
    return tuple(citation for citations in read for citation in citations)


def validate_citations(
    citations: Sequence[Citation],
    *,
    expected_index_hash: str = "",
    expected_analyzer: str = "",
    required: Sequence[str] = REQUIRED_FIELDS,
) -> tuple[str, ...]:
    """What is wrong with an answer's citations, each code once; empty when nothing is.

    ``empty_citations``: there are none. ``missing_<field>``: a required field is empty in one of them; index and
    analyzer are required when a certain one is expected. ``bad_offsets``: negative, reversed or unreadable.
    ``cross_section_reuse``: one snippet is cited under two sections. ``missing_score``: one has no score.
    ``mismatch_index_hash``, ``analyzer_mismatch``: one names another index or analyzer than expected, or, when nothing
    is expected, than the others.
    """
    if not citations:
        return ("empty_citations",)
    expected = [("index_hash", expected_index_hash), ("analyzer", expected_analyzer)]
    codes = [
        f"missing_{name}"
        for name in (*required, *(name for name, value in expected if value and name not in required))
        if any(getattr(citation, name) is None or getattr(citation, name) == "" for citation in citations)
    ]
    if any(citation.offsets is not None and not _sound(citation.offsets) for citation in citations):
        codes.append("bad_offsets")
    sections: dict[str, str] = {}
    for citation in citations:
        if citation.snippet_id and citation.section_id:
            first = sections.setdefault(citation.snippet_id, citation.section_id)
            if first != citation.section_id and "cross_section_reuse" not in codes:
                codes.append("cross_section_reuse")
    if any(citation.score is None for citation in citations):
        codes.append("missing_score")
    if _mixed({citation.index_hash for citation in citations}, expected_index_hash):
        codes.append("mismatch_index_hash")
    if _mixed({citation.analyzer for citation in citations}, expected_analyzer):
        codes.append("analyzer_mismatch")
    return tuple(codes)


def _sound(offsets: tuple[int, int]) -> bool:
    return 0 <= offsets[0] < offsets[1]


def _mixed(found: set[str], expected: str) -> bool:
    named = found - {""}
    return bool(named - {expected}) if expected else len(named) > 1


_Key = tuple[str, ...]


def _identity(citations: Sequence[Citation]) -> Callable[[Citation], _Key]:
    """The strongest identity that every citation has."""
    levels: tuple[tuple[str, ...], ...] = (
        ("snippet_id",),
        ("source_url", "section_id"),
        ("source_url",),
        ("section_id",),
        ("text",),
    )

    def key(citation: Citation, names: tuple[str, ...]) -> _Key:
        values = (getattr(citation, name) for name in names)
        return (*names, *(url_key(value) if "://" in value else " ".join(value.split()) for value in values))

    def has(citation: Citation, names: tuple[str, ...]) -> bool:
        return all(getattr(citation, name) for name in names)

    for names in levels:
        if citations and all(has(citation, names) for citation in citations):
            return lambda citation, names=names: key(citation, names)  # type: ignore[misc]

    def own(citation: Citation) -> _Key:
        return next((key(citation, names) for names in levels if has(citation, names)), ("",))

    return own


def _spans(citations: Sequence[Citation], identity: Callable[[Citation], _Key]) -> dict[_Key, list[tuple[int, int]]]:
    """Each distinct citation, in the order of first mention, with its sound offsets."""
    spans: dict[_Key, list[tuple[int, int]]] = {}
    for citation in citations:
        positions = spans.setdefault(identity(citation), [])
        if citation.offsets is not None and _sound(citation.offsets):
            positions.append(citation.offsets)
    return spans


def _overlap(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> float:
    """Intersection over union of two sets of half-open spans."""
    size_a, size_b, size_both = _covered(a), _covered(b), _covered([*a, *b])
    return (size_a + size_b - size_both) / size_both


def _covered(spans: list[tuple[int, int]]) -> int:
    total, reached = 0, -1
    for start, end in sorted(spans):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _kendall_tau(positions: list[int]) -> float | None:
    """τ of a permutation, by counting its inversions while merging (O(n log n))."""
    count = len(positions)
    if count < 2:
        return None
    return 1.0 - 4.0 * _inversions(positions)[0] / (count * (count - 1))


def _inversions(positions: list[int]) -> tuple[int, list[int]]:
    if len(positions) < 2:
        return 0, positions
    middle = len(positions) // 2
    left_count, left = _inversions(positions[:middle])
    right_count, right = _inversions(positions[middle:])
    merged: list[int] = []
    count = left_count + right_count
    at = 0
    for value in left:
        while at < len(right) and right[at] < value:
            merged.append(right[at])
            at += 1
        count += at
        merged.append(value)
    return count, merged + right[at:]


def _agrees(
    a: Sequence[Citation], b: Sequence[Citation], field: Callable[[Citation], str], expected: str
) -> bool | None:
    named_a, named_b = {field(citation) for citation in a} - {""}, {field(citation) for citation in b} - {""}
    if expected and (named_a | named_b) - {expected}:
        return False
    if not named_a or not named_b:
        return None
    return named_a == named_b
