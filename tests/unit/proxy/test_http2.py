"""What is taken out of an HTTP/2 connection before h2 reads it, and what becomes of its fields."""

from __future__ import annotations

import pytest

pytest.importorskip("h2", reason="extra proxy")

from hyperframe.frame import DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, WindowUpdateFrame
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.proxy.http2 import LAST_STREAM, _Frames, fields, goaway

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
streams = st.integers(1, LAST_STREAM)
others = st.one_of(
    st.builds(lambda n, data: DataFrame(n, data), streams, st.binary(max_size=300)),
    st.builds(lambda n, data: HeadersFrame(n, data), streams, st.binary(max_size=50)),
    st.builds(lambda data: PingFrame(0, data), st.binary(min_size=8, max_size=8)),
    st.builds(lambda size: WindowUpdateFrame(0, size), st.integers(1, LAST_STREAM)),
)
leaving = st.builds(
    lambda last, code, more: GoAwayFrame(0, last, code, more), streams, st.integers(0, 13), st.binary(max_size=20)
)


@given(st.data(), st.lists(st.one_of(others, leaving), max_size=8), st.booleans())
def test_goaway_is_taken_out_wherever_reads_cut_it(data: st.DataObject, frames: list[Frame], server: bool) -> None:
    wire = (PREFACE if server else b"") + b"".join(frame.serialize() for frame in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6)))
    reader, kept, found = _Frames(len(PREFACE) if server else 0), b"", []
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        if start < end:
            some, goaways = reader.feed(wire[start:end])
            kept += some
            found += goaways
    plain = [frame for frame in frames if not isinstance(frame, GoAwayFrame)]
    assert kept == (PREFACE if server else b"") + b"".join(frame.serialize() for frame in plain)
    assert found == [(f.last_stream_id, f.error_code) for f in frames if isinstance(f, GoAwayFrame)]


def test_a_frame_that_is_too_long_is_not_waited_for() -> None:
    """h2 refuses it by its head: the rest need never come."""
    good, head = PingFrame(0, b"12345678").serialize(), b"\xff\xff\xff\x00\x00\x00\x00\x00\x01"
    assert _Frames(0).feed(good + head + b"begun") == (good + head + b"begun", [])


@given(streams, st.integers(0, 13))
def test_our_goaway_reads_as_one(last: int, code: int) -> None:
    assert _Frames(0).feed(goaway(last, code)) == (b"", [(last, code)])


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b":path", b"/"), (b"a", b"1"), (b"a", b"2")], ((b"a", b"1"), (b"a", b"2"))),
        (
            [(b"x", b"1"), (b"cookie", b"a=1"), (b"y", b"2"), (b"cookie", b"b=2"), (b"cookie", b"c=3")],
            ((b"x", b"1"), (b"cookie", b"a=1; b=2; c=3"), (b"y", b"2")),
        ),
        ([], ()),
    ],
)
def test_the_pieces_of_a_cookie_are_one_field(
    headers: list[tuple[bytes, bytes]], expected: tuple[tuple[bytes, bytes], ...]
) -> None:
    assert fields(headers) == expected
