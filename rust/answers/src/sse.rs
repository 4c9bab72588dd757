//! Server-sent events (WHATWG HTML §9.2.6), out of a whole body.

use std::borrow::Cow;

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Empty for the default.
    pub name: &'a str,
    /// Its lines, joined by LF.
    pub data: Cow<'a, str>,
    /// False for a last event without the blank line that ends it: the stream may have been cut there.
    pub complete: bool,
}

/// All events of a body without a byte order mark; a last one without the blank line that ends it too.
pub fn events(body: &str) -> impl Iterator<Item = Event<'_>> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let (mut name, mut data) = ("", None);
        while !rest.is_empty() {
            let (line, left) = next_line(rest);
            rest = left;
            if line.is_empty() {
                if let Some(data) = data {
                    return Some(Event { name, data, complete: true });
                }
                name = "";
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "data" => {
                    data = Some(match data {
                        None => Cow::Borrowed(value),
                        Some(before) => Cow::Owned(before.into_owned() + "\n" + value),
                    });
                }
                "event" => name = value,
                _ => {}
            }
        }
        data.map(|data| Event { name, data, complete: false })
    })
}

/// A line without its end (CR LF, LF or CR), and what follows.
fn next_line(text: &str) -> (&str, &str) {
    let end = memchr::memchr2(b'\n', b'\r', text.as_bytes()).unwrap_or(text.len());
    let (line, left) = text.split_at(end);
    let left = left.strip_prefix("\r\n").or_else(|| left.get(1..)).unwrap_or_default();
    (line, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Vec<(&str, String)> {
        events(body).map(|event| (event.name, event.data.into_owned())).collect()
    }

    #[test]
    fn lines_ends_names_and_comments() {
        let body = ": hi\r\nevent: a\r\ndata: 1\r\ndata:2\r\n\r\nevent: b\n\ndata:  x\rid: 7\r\rdata\n\ndata: cut";
        let expected = [("a", "1\n2"), ("", " x"), ("", ""), ("", "cut")];
        assert_eq!(read(body), expected.map(|(name, data)| (name, data.to_owned())));
    }
}
