"""Citations: read in any spelling, validated by code, compared alike from both sides."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.score.citations import cited, compare_citations, inline_markers, parse_citations, validate_citations
from shadowlane.types import Answer, Citation

GOOD = Citation(
    snippet_id="s1",
    section_id="h1",
    source_url="https://a.org/x",
    offsets=(0, 10),
    tokens=3,
    score=0.5,
    index_hash="i1",
    analyzer="std",
)


def but(**changes: Any) -> Citation:
    return msgspec.structs.replace(GOOD, **changes)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            [
                {
                    "snippet_id": "s1",
                    "section_id": "h1",
                    "source_url": "https://a.org/x",
                    "offsets": [0, 10],
                    "tokens": 3,
                    "score": 0.5,
                    "index_hash": "i1",
                    "analyzer": "std",
                }
            ],
            GOOD,
        ),
        ({"citations": [{"chunkId": 7, "uri": "u"}]}, Citation(section_id="chunk 7", source_url="u")),
        ({"citations": [{"chunkId": "c-7f3a", "uri": "u"}]}, Citation(snippet_id="c-7f3a", source_url="u")),
        (["https://a.org"], Citation(source_url="https://a.org")),
        (["doc-3"], Citation(snippet_id="doc-3")),
        ([{"url": "u", "offsets": {"start": 1, "end": 2}}], Citation(source_url="u", offsets=(1, 2))),
        ([{"url": "u", "start": 1, "end": 2}], Citation(source_url="u", offsets=(1, 2))),
        ([{"url": "u", "offsets": "1-2"}], Citation(source_url="u", offsets=(-1, -1))),
        ([{"url": "u", "offsets": [1]}], Citation(source_url="u", offsets=(-1, -1))),
        ([{"url": "u", "offsets": [5, 2]}], Citation(source_url="u", offsets=(5, 2))),
        ([{"url": "u", "offsets": None}], Citation(source_url="u")),
        (
            [{"page_content": "t", "metadata": {"source": "a.pdf", "section": "2"}}],
            Citation(source_url="a.pdf", section_id="2", text="t"),
        ),
        ([{"type": "url_citation", "url": "u", "title": "T"}], Citation(source_url="u", text="T")),
        ([{"type": "page_location", "start_page_number": 2, "end_page_number": 3}], Citation(section_id="pages 2-3")),
    ],
)
def test_parse(value: Any, expected: Citation) -> None:
    assert parse_citations(value) == (expected,)


@pytest.mark.parametrize("value", [None, 3, "x", [], [None, {}, "", [1]], {"a": 1}, {"citations": []}])
def test_what_is_no_citation_is_left_out(value: Any) -> None:
    assert parse_citations(value) == ()


@pytest.mark.parametrize(
    ("citations", "codes"),
    [
        ([], ("empty_citations",)),
        ([GOOD], ()),
        ([but(snippet_id="")], ("missing_snippet_id",)),
        ([but(section_id="")], ("missing_section_id",)),
        ([but(source_url="")], ("missing_source_url",)),
        ([but(offsets=None)], ("missing_offsets",)),
        ([but(tokens=None)], ("missing_tokens",)),
        ([but(tokens=0)], ()),
        ([but(offsets=(10, 10))], ("bad_offsets",)),
        ([but(offsets=(-1, -1))], ("bad_offsets",)),
        ([GOOD, but(section_id="h2")], ("cross_section_reuse",)),
        ([GOOD, but(snippet_id="s2", section_id="h2")], ()),
        ([but(score=None)], ("missing_score",)),
        ([but(score=0.0)], ()),
        ([GOOD, but(snippet_id="s2", index_hash="i2")], ("mismatch_index_hash",)),
        ([GOOD, but(snippet_id="s2", analyzer="icu")], ("analyzer_mismatch",)),
    ],
)
def test_validation_codes(citations: list[Citation], codes: tuple[str, ...]) -> None:
    assert validate_citations(citations) == codes


def test_validation_against_what_is_expected() -> None:
    assert validate_citations([GOOD], expected_index_hash="i1", expected_analyzer="std") == ()
    assert validate_citations([GOOD], expected_index_hash="i9") == ("mismatch_index_hash",)
    assert validate_citations([GOOD], expected_analyzer="icu") == ("analyzer_mismatch",)
    assert validate_citations([but(index_hash="")], expected_index_hash="i9") == ("missing_index_hash",)
    assert validate_citations([Citation(text="t")], required=("text",)) == ("missing_score",)


def snippets(*names: str) -> list[Citation]:
    return [Citation(snippet_id=name) for name in names]


@pytest.mark.parametrize(
    ("a", "b", "match", "order"),
    [
        ("", "", None, None),
        ("a", "", 0.0, None),
        ("", "a", 0.0, None),
        ("ab", "ab", 1.0, 1.0),
        ("ab", "ba", 1.0, -1.0),
        ("abcd", "ab", 0.5, 1.0),
        ("ab", "abcd", 1.0, 1.0),
        ("abc", "acb", 1.0, 1 / 3),
        ("aab", "ab", 1.0, 1.0),
        ("xaby", "bza", 0.5, -1.0),
    ],
)
def test_match_and_order(a: str, b: str, match: float | None, order: float | None) -> None:
    report = compare_citations(snippets(*a), snippets(*b))
    assert report.match == match
    assert report.order == pytest.approx(order) if order is not None else report.order is None


@pytest.mark.parametrize(
    ("a", "b", "iou"),
    [
        ([(0, 10)], [(0, 10)], 1.0),
        ([(0, 10)], [(5, 15)], 1 / 3),
        ([(0, 10)], [(20, 30)], 0.0),
        ([(0, 10), (10, 20)], [(0, 20)], 1.0),
        ([(0, 10), (5, 20)], [(0, 20)], 1.0),
        ([(9, 3)], [(0, 20)], None),
    ],
)
def test_span_overlap(a: list[tuple[int, int]], b: list[tuple[int, int]], iou: float | None) -> None:
    report = compare_citations([but(offsets=span) for span in a], [but(offsets=span) for span in b])
    assert report.span_iou == (pytest.approx(iou) if iou is not None else None)


def test_identity_falls_back_to_what_both_sides_have() -> None:
    a = [Citation(snippet_id="s1", source_url="https://A.org/x/?utm_source=chat#top")]
    b = [Citation(source_url="https://a.org/x")]
    assert compare_citations(a, b).match == 1.0
    assert compare_citations(a, [Citation(snippet_id="s2", source_url="https://a.org/x")]).match == 0.0
    by_section = [Citation(source_url="u", section_id="1")], [Citation(source_url="u", section_id="2")]
    assert compare_citations(*by_section).match == 0.0


@pytest.mark.parametrize(
    ("a", "b", "expected", "agrees"),
    [
        ("i1", "i1", "", True),
        ("i1", "i2", "", False),
        ("i1", "", "", None),
        ("i1", "", "i1", None),
        ("i1", "i1", "i9", False),
        ("i1", "i9", "i9", False),
        ("", "i1", "i9", False),
    ],
)
def test_index_agreement(a: str, b: str, expected: str, agrees: bool | None) -> None:
    report = compare_citations([but(index_hash=a)], [but(index_hash=b)], expected_index_hash=expected)
    assert report.index_agrees is agrees
    assert compare_citations([but(analyzer=a)], [but(analyzer=b)], expected_analyzer=expected).analyzer_agrees is agrees


small = st.sampled_from(["", "a", "b", "c", "https://a.org/x", "https://a.org/y?utm_medium=z"])
citations = st.lists(
    st.builds(
        Citation,
        snippet_id=small,
        section_id=small,
        source_url=small,
        text=small,
        index_hash=st.sampled_from(["", "i1", "i2"]),
        analyzer=st.sampled_from(["", "std"]),
        offsets=st.none() | st.tuples(st.integers(-2, 9), st.integers(0, 9)),
    ),
    max_size=6,
)


@given(citations, citations)
def test_both_sides_are_treated_alike(a: list[Citation], b: list[Citation]) -> None:
    there, back = compare_citations(a, b), compare_citations(b, a)
    assert (there.codes_a, there.codes_b) == (back.codes_b, back.codes_a)
    assert (there.index_agrees, there.analyzer_agrees) == (back.index_agrees, back.analyzer_agrees)
    assert there.order == pytest.approx(back.order) if there.order is not None else back.order is None
    assert there.span_iou == pytest.approx(back.span_iou) if there.span_iou is not None else back.span_iou is None
    assert (there.match is None) == (back.match is None) == (not a and not b)
    assert (there.match == 0.0) == (back.match == 0.0)
    for value, low in ((there.match, 0.0), (there.span_iou, 0.0), (there.order, -1.0)):
        assert value is None or low <= value <= 1.0


@given(citations)
def test_an_answer_agrees_with_itself(a: list[Citation]) -> None:
    report = compare_citations(a, a)
    assert report.match == (1.0 if a else None)
    assert report.span_iou in (None, 1.0)
    assert report.order in (None, 1.0)
    assert report.index_agrees is not False


@given(st.lists(st.integers(0, 40), unique=True, min_size=2), st.randoms())
def test_order_is_kendalls_tau(names: list[int], random: Any) -> None:
    other = list(names)
    random.shuffle(other)
    pairs = [(x, y) for i, x in enumerate(names) for y in names[i + 1 :]]
    signs = [1 if other.index(x) < other.index(y) else -1 for x, y in pairs]
    report = compare_citations(snippets(*map(str, names)), snippets(*map(str, other)))
    assert report.order == pytest.approx(sum(signs) / len(pairs))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("It is cold[1] and dark [2, 3].", [1, 2, 3]),
        ("Long [4-6], again [4].", [4, 5, 6, 4]),
        ("Notes[^7] and 【8†source】 and 【9:2†a.md】.", [7, 8, 9]),
        ("In [2024] it was `a[1]` and\n```\nb[2]\n```\n[0] [x] [10–12]", [10, 11, 12]),
        ("[9-2] [1-900]", []),
        ("", []),
    ],
)
def test_inline_markers(text: str, numbers: list[int]) -> None:
    assert inline_markers(text) == numbers


@given(st.text("[]0123456789,-–^`【】† ab", max_size=60))
def test_inline_markers_are_numbers_above_zero(text: str) -> None:
    assert all(0 < number < 1000 for number in inline_markers(text))


SOURCES = tuple(Citation(source_url=f"https://h.example/{name}") for name in "abc")


@pytest.mark.parametrize(
    ("text", "citations", "urls"),
    [
        ("Cold [3], dark [1]. Cold [3].", SOURCES, ["c", "a"]),
        ("Cold and dark.", SOURCES, ["a", "b", "c"]),
        ("Cold [4].", SOURCES, ["a", "b", "c"]),  # a marker without a source: the list is not what it counts
        ("`a[1]` is code.", SOURCES, ["a", "b", "c"]),
    ],
)
def test_inline_markers_choose_among_the_sources(text: str, citations: tuple[Citation, ...], urls: list[str]) -> None:
    found = cited(Answer(text=text, citations=citations))
    assert [citation.source_url[-1] for citation in found] == urls


def test_markers_without_sources_say_that_something_is_cited_and_not_what() -> None:
    a, b = cited(Answer(text="Cold [1], dark [2].")), cited(Answer(text="Dark [2], cold [3]."))
    assert len(a) == len(b) == 2
    assert compare_citations(a, b).match is None
    assert compare_citations(a, ()).match == 0.0
    assert compare_citations((), b).match == 0.0
    assert compare_citations(SOURCES, b).match == 0.0


def test_annotations_with_offsets_are_left_alone() -> None:
    placed = (Citation(source_url="https://h.example/a", offsets=(0, 4)),) * 2
    assert cited(Answer(text="Cold [1].", citations=placed)) == placed


def test_payloads_are_read_as_they_come() -> None:
    payload = {"citations": [{"snippet_id": "s1", "section_id": "x"}, {"snippet_id": "s2", "section_id": "y"}]}
    assert compare_citations(payload, payload["citations"][:1]).match == 0.5
    assert compare_citations(["https://h.example/a"], ["https://h.example/a#part"]).match == 1.0
