//! Prod's trace context out of a frame (W3C Trace Context, <https://www.w3.org/TR/trace-context/#traceparent-header>).
//!
//! Invariant: what leaves here is made of hex digits and dashes, or empty, whatever a client wrote.

use std::borrow::Cow;

use shadowlane_base::{Header, header};

/// Under this name a gateway adds the context of the span that serves the request; no client can send a header so named.
const SERVING: &[u8] = b":traceparent";

const VERSION: usize = 2;
const TRACE: usize = VERSION + 1 + 32;
const SPAN: usize = TRACE + 1 + 16;
const LENGTH: usize = SPAN + 1 + 2;

/// `00-<trace>-<span>-<flags>`: of the span that serves the request, else what the client sent; empty without either.
pub(super) fn context(headers: &[Header<'_>]) -> String {
    [SERVING, b"traceparent"].iter().find_map(|name| header(headers, name).and_then(read)).unwrap_or_default()
}

/// The headers that the request came with.
pub(super) fn without<'a, 'b>(headers: &'b [Header<'a>]) -> Cow<'b, [Header<'a>]> {
    if headers.iter().all(|(name, _)| *name != SERVING) {
        return Cow::Borrowed(headers);
    }
    headers.iter().copied().filter(|(name, _)| *name != SERVING).collect()
}

/// A context of this version, or what a later one has in common with it.
fn read(value: &[u8]) -> Option<String> {
    let value = value.trim_ascii();
    let (known, rest) = value.split_at_checked(LENGTH)?;
    let hex = |from: usize, to: usize| {
        let digits = known.get(from..to)?;
        digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).then_some(digits)
    };
    let dashes = [VERSION, TRACE, SPAN].iter().all(|&at| known.get(at) == Some(&b'-'));
    let version = hex(0, VERSION)?;
    let (trace, span, flags) = (hex(VERSION + 1, TRACE)?, hex(TRACE + 1, SPAN)?, hex(SPAN + 1, LENGTH)?);
    let ended = if version == b"00" { rest.is_empty() } else { rest.first().is_none_or(|&byte| byte == b'-') };
    let set = |digits: &[u8]| digits.iter().any(|&byte| byte != b'0');
    let good = dashes && ended && version != b"ff" && set(trace) && set(span);
    let text = |digits: &[u8]| String::from_utf8_lossy(digits).into_owned();
    good.then(|| format!("00-{}-{}-{}", text(trace), text(span), text(flags)))
}

#[cfg(test)]
mod tests {
    use super::{SERVING, context, without};

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_serving_span_comes_before_what_the_client_sent() {
        let other = GOOD.replace("4bf9", "aaaa");
        let sent: (&[u8], &[u8]) = (b"Traceparent", GOOD.as_bytes());
        assert_eq!(context(&[sent]), GOOD);
        assert_eq!(context(&[sent, (SERVING, other.as_bytes())]), other);
        assert_eq!(context(&[sent, (SERVING, b"nothing")]), GOOD);
        assert_eq!(context(&[(b"x-other", GOOD.as_bytes())]), "");
    }

    #[test]
    fn only_our_own_name_is_taken_out() {
        let (ours, theirs): (_, (&[u8], &[u8])) = ((SERVING, GOOD.as_bytes()), (b"traceparent", GOOD.as_bytes()));
        assert_eq!(without(&[ours, theirs, ours]).as_ref(), [theirs]);
        assert_eq!(without(&[theirs]).as_ref(), [theirs]);
    }

    #[test]
    fn what_is_no_context_is_none() {
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473\u{e9}-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-\u{1b}[",
        ] {
            assert_eq!(context(&[(b"traceparent", bad.as_bytes())]), "", "{bad}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = format!("cc-{}-anything", &GOOD[3..]);
        assert_eq!(context(&[(b"traceparent", later.as_bytes())]), GOOD);
    }
}
