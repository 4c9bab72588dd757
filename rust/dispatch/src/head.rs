//! The head of an HTTP/1 answer, and what it says about the length of the body (RFC 9112 §6.3).
//!
//! Invariant: what is repaired is repaired one way, as RFC 9112 says where it says so, and [`Framing::plain`] is false
//! from then on: bytes that another reader would take for the next answer never meet another request.

use crate::fault::Fault;

/// A header as received, without the blanks around its value.
pub type Header = (Vec<u8>, Vec<u8>);

/// They belong to the connection (RFC 9110 §7.6.1), or say how the body was framed there.
const HOP: [&str; 6] =
    ["connection", "content-length", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];
const MOST_LENGTH: u64 = 1 << 62;

/// The head of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Three digits, from 100.
    pub status: u16,
    /// Without those of the connection.
    pub headers: Vec<Header>,
    /// The content codings, and behind them transfer codings other than chunked, which are undone like them.
    pub encoding: String,
}

impl Head {
    /// The headers as they are kept beside a decoded body, whose coding and length they would describe wrongly.
    pub fn kept(self) -> Vec<Header> {
        let coded = |name: &[u8]| name.eq_ignore_ascii_case(b"content-encoding") || is_hop(name);
        self.headers.into_iter().filter(|(name, _)| !coded(name)).collect()
    }
}

/// How the body of an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// There is none.
    None,
    /// So many bytes.
    Sized(u64),
    /// With the last chunk.
    Chunked,
    /// With the connection.
    UntilEof,
}

/// What a head says about what comes behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// How the body ends.
    pub length: Length,
    /// Whether the connection may be used again behind it.
    pub plain: bool,
}

/// The parts of a head as they come.
#[derive(Debug, Default)]
pub struct Lines {
    /// `1.1`.
    pub version: [u8; 3],
    /// Three digits.
    pub status: u16,
    /// As received.
    pub headers: Vec<Header>,
}

impl Lines {
    /// The first line: version and status (RFC 9112 §4), with any reason or none.
    pub fn first(&mut self, line: &[u8]) -> Result<(), Fault> {
        const ODD: Fault =
            Fault::Transport("not an HTTP answer: its first line is not a version and a status of three digits");
        let rest = line.strip_prefix(b"HTTP/").ok_or(ODD)?;
        let (version, rest) = rest.split_first_chunk::<3>().ok_or(ODD)?;
        if !(version[0].is_ascii_digit() && version[1] == b'.' && version[2].is_ascii_digit()) {
            return Err(ODD);
        }
        let blanks = rest.iter().take_while(|byte| is_blank(**byte)).count();
        let (digits, rest) = rest[blanks..].split_first_chunk::<3>().ok_or(ODD)?;
        if blanks == 0 || !digits.iter().all(u8::is_ascii_digit) || !rest.first().is_none_or(|byte| is_blank(*byte)) {
            return Err(ODD);
        }
        self.version = *version;
        self.status = digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'));
        if self.status < 100 { Err(Fault::Transport("not an HTTP answer: its status is below 100")) } else { Ok(()) }
    }

    /// A header's line, or one that goes on with the last header. Whether it was plain.
    pub fn header(&mut self, line: &[u8]) -> bool {
        if is_blank(line[0]) {
            // RFC 9112 §5.2: a folded line goes on with one space. With nothing before it, it is no header.
            if let Some((_, value)) = self.headers.last_mut() {
                // In its own room: a head can be folded 80,000 times, and copying it each time would take seconds.
                if !value.is_empty() {
                    value.push(b' ');
                }
                value.extend(cleaned(line));
                while value.last() == Some(&b' ') {
                    value.pop();
                }
            }
            return false;
        }
        let Some(colon) = memchr::memchr(b':', line) else { return false };
        let (raw, value) = (&line[..colon], &line[colon + 1..]);
        let end = raw.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |at| at + 1);
        let name = &raw[..end];
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            return false; // no header: left out
        }
        // Bytes that cannot stand in a field value (RFC 9110 §5.5), and that a parser may end a line at.
        let plain = name.len() == raw.len() && memchr::memchr2(b'\r', 0, value).is_none();
        self.headers.push((name.to_vec(), cleaned(value)));
        plain
    }

    /// Members of a list-valued field, in lower case, without empty ones (RFC 9110 §5.6.1).
    fn all(&self, name: &str) -> Vec<Vec<u8>> {
        let named = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()));
        named
            .flat_map(|(_, value)| value.split(|byte| *byte == b','))
            .map(|part| trim(part, is_blank).to_ascii_lowercase())
            .filter(|member| !member.is_empty())
            .collect()
    }

    /// Whether it is an interim answer, behind which the awaited one comes.
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }

    /// The head in its plain form and how the body ends. `head_only`: it answers a HEAD.
    pub fn framed(self, head_only: bool) -> Result<(Head, Framing), Fault> {
        let named = self.all("transfer-encoding");
        let mut codings: Vec<&[u8]> = named.iter().map(Vec::as_slice).filter(|word| *word != b"identity").collect();
        let lengths = self.all("content-length");
        let options = self.all("connection");
        let has = |word: &[u8]| options.iter().any(|option| option == word);
        let mut plain = !has(b"close") && (&self.version >= b"1.1" || has(b"keep-alive"));
        let length = if head_only || matches!(self.status, 101 | 204 | 304) {
            let odd = !codings.is_empty() || lengths.iter().any(|length| length.iter().any(|digit| *digit != b'0'));
            plain &= head_only || !(odd || self.status == 101);
            codings.clear();
            Length::None
        } else if !codings.is_empty() {
            while codings.len() > 1 && codings[codings.len() - 2..] == [b"chunked", b"chunked"] {
                codings.pop();
            }
            match codings.iter().position(|word| *word == b"chunked") {
                None => Length::UntilEof,
                Some(at) if at + 1 == codings.len() => {
                    // §6.1: a length beside it is overridden, and a sign of somebody who reads the answer otherwise.
                    plain &= codings.len() == 1 && named.len() == 1 && lengths.is_empty() && &self.version >= b"1.1";
                    codings.pop();
                    Length::Chunked
                }
                Some(_) => return Err(Fault::Transport("its transfer-encoding has chunked before another coding")),
            }
        } else {
            sized(&lengths, &mut plain)?
        };
        plain &= length != Length::UntilEof;
        let encoding = encoding(&self.headers, &codings);
        let headers = self.headers.into_iter().filter(|(name, _)| !is_hop(name)).collect();
        Ok((Head { status: self.status, headers, encoding }, Framing { length, plain }))
    }
}

fn sized(lengths: &[Vec<u8>], plain: &mut bool) -> Result<Length, Fault> {
    let mut found: Option<Option<u64>> = None;
    for value in lengths {
        let length = length_of(value)?;
        if found.is_some_and(|before| before != length) {
            return Err(Fault::Transport("it has several content-lengths that differ"));
        }
        found = Some(length);
        *plain &= value.iter().all(u8::is_ascii_digit);
    }
    Ok(found.flatten().map_or(Length::UntilEof, Length::Sized))
}

fn encoding(headers: &[Header], codings: &[&[u8]]) -> String {
    let content = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"content-encoding"));
    let words = content.map(|(_, value)| value.as_slice()).chain(codings.iter().copied());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>().join(", ")
}

/// A content-length with what Python's `int` takes: a sign, blanks around it, `_` between digits. `None` when it is
/// none: the connection's end counts then.
fn length_of(value: &[u8]) -> Result<Option<u64>, Fault> {
    let text = trim(value, |byte| byte.is_ascii_whitespace() || byte == 0x0b);
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    let mut number: u64 = 0;
    let mut after_digit = false;
    for byte in digits {
        match byte {
            b'0'..=b'9' => number = number.saturating_mul(10).saturating_add(u64::from(byte - b'0')),
            b'_' if after_digit => {}
            _ => return Ok(None),
        }
        after_digit = byte.is_ascii_digit();
    }
    if !after_digit || (negative && number > 0) {
        return Ok(None);
    }
    if number > MOST_LENGTH {
        return Err(Fault::Transport("its content-length is out of range"));
    }
    Ok(Some(number))
}

fn is_hop(name: &[u8]) -> bool {
    HOP.iter().any(|hop| name.eq_ignore_ascii_case(hop.as_bytes()))
}

/// A space or a tab.
pub fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Whether the byte may stand in a name (RFC 9110 §5.6.2).
pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Without the bytes at both ends that `out` names.
pub fn trim(value: &[u8], out: impl Fn(u8) -> bool) -> &[u8] {
    let start = value.iter().position(|byte| !out(*byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !out(*byte)).map_or(start, |at| at + 1);
    &value[start..end]
}

/// A field value without the blanks around it; a bare CR or NUL is a space (RFC 9112 §2.2, RFC 9110 §5.5).
fn cleaned(value: &[u8]) -> Vec<u8> {
    let mut clean = trim(value, |byte| is_blank(byte) || byte == b'\r' || byte == 0).to_vec();
    for byte in &mut clean {
        if *byte == b'\r' || *byte == 0 {
            *byte = b' ';
        }
    }
    clean
}
