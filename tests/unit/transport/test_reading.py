"""The reader of answers: the same however the bytes are cut, and nothing but its own error for any bytes."""

from __future__ import annotations

import gzip
import itertools
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.transport.body import BodyError, BoundedBody
from shadowlane.transport.reading import MOST_HEAD_BYTES, AnswerFault, AnswerReader
from tests.unit.transport.test_lenient import BODY, EMPTY, ODD, REFUSED, TAKEN

WHOLE = {**TAKEN, **EMPTY, **{name: sent for name, (sent, _) in REFUSED.items()}}
WHOLE |= {f"odd: {name}": sent("/path") for name, sent in ODD.items()}


def plain(pieces: list[bytes]) -> tuple[bytes, bytes, bool, bool, str]:
    """Head and body of the plain form (chunks put together), and how it ended."""
    reader = AnswerReader()
    out, fault = b"", ""
    try:
        for piece in pieces:
            out += reader.feed(piece)
        out += reader.eof()
    except AnswerFault as error:
        fault = str(error)
    head, _, rest = out.partition(b"\r\n\r\n")
    body = b""
    if b"\r\ntransfer-encoding: chunked" in head:
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    else:
        body = rest
    return head, body, reader.complete, reader.reusable, fault


@pytest.mark.parametrize("sent", WHOLE.values(), ids=WHOLE)
def test_byte_by_byte_is_the_same(sent: bytes) -> None:
    at_once, bytewise = plain([sent]), plain([sent[i : i + 1] for i in range(len(sent))])
    assert bytewise[2:] == at_once[2:]
    if not at_once[4]:  # of an answer that is refused, what came before the fault may be passed on or not
        assert bytewise[:2] == at_once[:2]


@given(st.sampled_from(sorted(WHOLE)), st.lists(st.integers(0, 200), max_size=5))
def test_wherever_it_is_cut_is_the_same(name: str, cuts: list[int]) -> None:
    sent = WHOLE[name]
    borders = sorted({0, len(sent), *(min(cut, len(sent)) for cut in cuts)})
    cut = plain([sent[a:b] for a, b in itertools.pairwise(borders)])
    at_once = plain([sent])
    assert cut[2:] == at_once[2:]
    assert at_once[4] or cut[:2] == at_once[:2]


@given(
    st.lists(st.binary(max_size=60), max_size=4), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", TAKEN["chunks"][:60]])
)
def test_any_bytes_are_read_or_refused(pieces: list[bytes], begin: bytes) -> None:
    head, _, complete, reusable, fault = plain([begin, *pieces])
    assert not (fault and complete and reusable)
    assert not head or head.startswith(b"HTTP/1.1 ")
    assert b"\0" not in head


def feed_all(reader: AnswerReader, piece: bytes, times: int) -> None:
    for _ in range(times):
        reader.feed(piece)


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 ", b"HTTP/1.1 200 OK\r\nx: ", b"HTTP/1.1 200 OK\r\n\r\n"], ids=len)
def test_what_is_held_is_bounded(begin: bytes) -> None:
    reader = AnswerReader()
    reader.feed(begin)
    if begin.endswith(b"\r\n\r\n"):
        for _ in range(64):  # a body up to the connection's end: passed on as it comes
            assert len(reader.feed(b"a" * 65536)) == 65536
        return
    with pytest.raises(AnswerFault, match=f"longer than {MOST_HEAD_BYTES}"):
        feed_all(reader, b"a" * 1024, MOST_HEAD_BYTES // 1024 + 1)


def test_trailers_without_an_end_are_bounded() -> None:
    reader = AnswerReader()
    reader.feed(TAKEN["chunks"][:-2])
    with pytest.raises(AnswerFault, match="trailers"):
        feed_all(reader, b"a: 12345\r\n", MOST_HEAD_BYTES // 8)


def decoded(coding: str, pieces: list[bytes], limit: int = 1 << 20) -> tuple[bytes, bool]:
    body = BoundedBody(coding, limit)
    for piece in pieces:
        if not body.feed(piece):
            return body.partial, True
    return body.finish(), body.over


MEMBERS = gzip.compress(BODY[:9], mtime=0) + gzip.compress(BODY[9:], mtime=0)
TEXT = b'{"choices": [{"message": {"content": "h\xc3\xa9llo"}}]}'
"""As written by the zstd command, and by brotli 1.2."""
ZSTD = b"\x28\xb5\x2f\xfd\x24\x31\x89\x01\x00" + TEXT + b"\x54\xdb\xc5\x74"
BROTLI = b"\x0b\x18\x80" + TEXT + b"\x03"
CODED = [
    ("gzip", MEMBERS),
    ("gzip", MEMBERS + b"\0\0"),
    ("gzip", MEMBERS + b"\x1f\x8b and no member"),
    ("x-gzip, deflate", zlib.compress(MEMBERS)),
    ("deflate", zlib.compress(BODY) + b"more"),
    ("identity, gzip, none", MEMBERS),
]


@pytest.mark.parametrize(("coding", "packed"), CODED)
def test_codings_byte_by_byte(coding: str, packed: bytes) -> None:
    assert decoded(coding, [packed]) == (BODY, False)
    assert decoded(coding, [packed[i : i + 1] for i in range(len(packed))]) == (BODY, False)


@pytest.mark.parametrize(
    ("coding", "packed"), [("zstd", ZSTD), ("br", BROTLI), ("br, gzip", gzip.compress(BROTLI, mtime=0))]
)
def test_codings_that_were_not_asked_for_are_read(coding: str, packed: bytes) -> None:
    assert decoded(coding, [packed[:9], packed[9:]]) == (TEXT, False)
    assert decoded(coding, [packed], limit=len(packed) - 20)[1]


def test_a_bomb_within_a_bomb_is_bounded() -> None:
    inner = gzip.compress(bytes(8 << 20), mtime=0)
    body, over = decoded("gzip, gzip", [gzip.compress(inner, mtime=0)], limit=1000)
    assert (body, over) == (bytes(1000), True)
    # Nothing comes out at the end, but a lot on the way there: many members that hold nothing.
    nothing = gzip.compress(gzip.compress(b"", mtime=0) * 100_000, mtime=0)
    assert decoded("gzip, gzip", [nothing], limit=1000)[1]


@pytest.mark.parametrize(
    ("coding", "packed", "words"),
    [
        ("gzip", MEMBERS[:-3], "ended early"),
        ("gzip, gzip", gzip.compress(MEMBERS[:-3], mtime=0), "ended early"),
        ("compress", BODY, "not read"),
        ("gzip, gzip, gzip, gzip, gzip, gzip", b"", "more than 5"),
        ("br, gzip, zstd", b"", "above another"),
        ("zstd", b"no zstd", "damaged"),
    ],
)
def test_codings_that_cannot_be_undone(coding: str, packed: bytes, words: str) -> None:
    with pytest.raises(BodyError, match=words):
        decoded(coding, [packed])
