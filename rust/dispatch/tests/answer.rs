//! The reader of answers: the same however the bytes are cut, and nothing but its own faults for any bytes.

use proptest::prelude::*;
use shadowlane_dispatch::Fault;
use shadowlane_dispatch::answer::{AnswerReader, MOST_HEAD_BYTES, Sink};
use shadowlane_dispatch::head::Head;

/// What was read of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
struct Taken {
    head: Option<Head>,
    body: Vec<u8>,
}

impl Sink for Taken {
    fn head(&mut self, head: Head) -> Result<(), Fault> {
        assert!(self.head.is_none(), "one head");
        self.head = Some(head);
        Ok(())
    }

    fn body(&mut self, piece: &[u8]) -> Result<bool, Fault> {
        assert!(self.head.is_some(), "the head comes first");
        self.body.extend_from_slice(piece);
        Ok(true)
    }
}

/// What was read, whether the connection may be used again, and how it ended.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, head_only: bool) -> (Taken, bool, Result<(), Fault>) {
    let (mut reader, mut taken) = (AnswerReader::new(head_only), Taken::default());
    let feed_all = || {
        for piece in pieces {
            reader.feed(piece, &mut taken)?;
        }
        Ok(())
    };
    let fed = feed_all();
    let reusable = reader.reusable();
    let ended = fed.and_then(|()| reader.eof());
    (taken, reusable, ended)
}

fn whole(bytes: &[u8]) -> (Taken, bool, Result<(), Fault>) {
    read([bytes], false)
}

const PLAIN: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nX-A: 1\r\n\r\nbody";
const CHUNKS: &[u8] =
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nbo\r\n2;x=y\r\ndy\r\n0\r\nt: 1\r\n\r\n";

#[test]
fn a_plain_answer_leaves_the_connection_good() {
    for bytes in [PLAIN, CHUNKS, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody"] {
        let (taken, reusable, ended) = whole(bytes);
        assert_eq!((taken.body.as_slice(), reusable, ended), (&b"body"[..], true, Ok(())));
    }
    let (taken, ..) = whole(PLAIN);
    let head = taken.head.unwrap();
    assert_eq!((head.status, head.headers), (200, vec![(b"X-A".to_vec(), b"1".to_vec())]));
}

#[test]
fn what_is_repaired_ends_the_connection() {
    for bytes in [
        &b"HTTP/1.1 200 OK\ncontent-length: 4\n\nbody"[..],
        b"HTTP/1.1 200 OK\r\ncontent-length: +4\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbodyHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0x4 \r\nbody\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: 1\r\n 2\r\ncontent-length: 4\r\n\r\nbody",
        b"HTTP/1.0 200 OK\r\ncontent-length: 4\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\n\r\nbody",
    ] {
        let (taken, reusable, ended) = whole(bytes);
        assert_eq!((taken.body.as_slice(), reusable, ended), (&b"body"[..], false, Ok(())), "{bytes:?}");
    }
}

#[test]
fn no_body_where_none_can_be() {
    let (taken, reusable, ended) = read([&b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"[..]], true);
    assert_eq!((taken.body.len(), reusable, ended), (0, true, Ok(())));
    let (taken, reusable, ended) = whole(b"HTTP/1.1 204 No\r\ncontent-length: 9\r\n\r\n");
    assert_eq!((taken.body.len(), reusable, ended), (0, false, Ok(())));
}

#[test]
fn faults_are_fixed_words() {
    for (bytes, words) in [
        (&b"ICY 200 OK\r\n"[..], "does not begin with HTTP/"),
        (b"HTTP/1.1 2000\r\n\r\n", "status of three digits"),
        (b"HTTP/1.1 099\r\n\r\n", "below 100"),
        (b"HTTP/1.1 200\r\ncontent-length: 1, 2\r\n\r\n", "lengths that differ"),
        (b"HTTP/1.1 200\r\ntransfer-encoding: chunked\r\n\r\nsecret\r\n", "hexadecimal"),
        (b"HTTP/1.1 200\r\ntransfer-encoding: chunked\r\n\r\n1\r\nsecret", "longer than its size"),
        (b"HTTP/1.1 200\r\ntransfer-encoding: chunked, gzip\r\n\r\n", "before another coding"),
        (b"HTTP/1.1 200\r\ncontent-len", "within the answer's head"),
        (b"HTTP/1.1 200\r\ncontent-length: 9\r\n\r\nbody", "ended early"),
        (b"HTTP/1.1 200\r\ncontent-length: 99999999999999999999\r\n\r\n", "out of range"),
    ] {
        let (_, reusable, ended) = whole(bytes);
        let fault = ended.expect_err("a fault");
        assert!(fault.detail().contains(words) && !fault.detail().contains("secret"), "{fault:?}");
        assert!(!reusable);
    }
}

#[test]
fn a_head_and_trailers_are_bounded() {
    for begin in [&b"HTTP/1.1 200 "[..], b"HTTP/1.1 200 OK\r\nx: ", &CHUNKS[..CHUNKS.len() - 2]] {
        let line = vec![b'a'; MOST_HEAD_BYTES];
        let lines = b"a: 1\r\n".repeat(MOST_HEAD_BYTES / 6);
        for long in [line, lines] {
            let (_, _, ended) = read([begin, &long], false);
            assert!(ended.is_err_and(|fault| fault.detail().contains("longer than 262144")));
        }
    }
}

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let parts = prop::sample::select(vec![
        &b"HTTP/1.1 200 OK\r\n"[..],
        b"HTTP/1.0 404\r\n",
        b"HTTP/1.1 100 C\r\n\r\n",
        b"content-length: 5\r\n",
        b"content-length: 5, 5\n",
        b"transfer-encoding: chunked\r\n",
        b"transfer-encoding: gzip\r\n",
        b" folded\r\n",
        b"connection: close\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"5\r\nhello\r\n",
        b"0\r\n",
        b"0x5;a\r\n",
        b"hello",
        b"\0\xff",
    ]);
    prop::collection::vec(parts, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn wherever_it_is_cut_is_the_same(bytes in pieces(), cuts in prop::collection::vec(0_usize..200, 0..6), head in any::<bool>()) {
        let mut borders: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
        borders.sort_unstable();
        let cut = read(borders.windows(2).map(|pair| &bytes[pair[0]..pair[1]]), head);
        let bytewise = read(bytes.chunks(1), head);
        let at_once = read([bytes.as_slice()], head);
        // Of an answer that is refused, what came before the fault may be passed on or not.
        prop_assert_eq!((cut.1, &cut.2), (at_once.1, &at_once.2));
        prop_assert_eq!((bytewise.1, &bytewise.2), (at_once.1, &at_once.2));
        if at_once.2.is_ok() {
            prop_assert_eq!(&cut.0, &at_once.0);
            prop_assert_eq!(&bytewise.0, &at_once.0);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(begin in pieces(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let all = [begin, bytes].concat();
        let (taken, reusable, ended) = whole(&all);
        prop_assert!(!(reusable && ended.is_err()));
        prop_assert!(taken.body.len() <= all.len());
        prop_assert!(taken.head.is_none_or(|head| (100..1000).contains(&head.status)));
    }
}

#[test]
fn a_line_folded_often_or_with_nothing_is_one_value() {
    let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx:\r\n \r\n y\r\n  z \r\n \r\n\r\n";
    let (taken, _, ended) = whole(bytes);
    assert_eq!(ended, Ok(()));
    assert_eq!(taken.head.unwrap().headers, vec![(b"x".to_vec(), b"y z".to_vec())]);
    let folds = (MOST_HEAD_BYTES - 64) / 3;
    let head =
        [b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: 1\r\n".as_slice(), &b"\ta\n".repeat(folds), b"\r\n"].concat();
    let (taken, _, ended) = whole(&head);
    assert_eq!(ended, Ok(()));
    assert_eq!(taken.head.unwrap().headers, vec![(b"x".to_vec(), [b"1".as_slice(), &b" a".repeat(folds)].concat())]);
}
