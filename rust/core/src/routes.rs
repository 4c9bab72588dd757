//! Which requests are reads, and which of those are mirrored.
//!
//! Invariant: what is not known to be a read is a write. A path that could mean something else to another server
//! (encoded slashes or dots, dot segments, empty segments, parameters, backslashes) never matches a read pattern, and
//! never slips past an exclusion.

use std::borrow::Cow;

use crate::error::{Error, Result};
use crate::reason::Reason;

/// A path pattern: `*` stands for any text.
#[derive(Clone, Debug)]
struct Glob(Vec<u8>);

impl Glob {
    /// Linear in practice and at most quadratic: on a mismatch only the last star takes one more byte.
    fn matches(&self, text: &[u8]) -> bool {
        let pattern = &self.0;
        let (mut p, mut t) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while t < text.len() {
            if pattern.get(p) == Some(&b'*') {
                star = Some((p, t));
                p += 1;
            } else if pattern.get(p) == Some(&text[t]) {
                p += 1;
                t += 1;
            } else if let Some((at, taken)) = star {
                p = at + 1;
                t = taken + 1;
                star = Some((at, taken + 1));
            } else {
                return false;
            }
        }
        pattern[p..].iter().all(|byte| *byte == b'*')
    }
}

/// A `METHOD /path` pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    method: Vec<u8>,
    path: Glob,
}

impl Pattern {
    /// [`Error::Invalid`], naming `field`, for a text that is none.
    pub fn parse(field: &'static str, text: &str) -> Result<Self> {
        match text.split_once(' ') {
            Some((method, path))
                if !method.is_empty()
                    && method.bytes().all(|byte| byte.is_ascii_uppercase())
                    && path.starts_with(['/', '*']) =>
            {
                Ok(Self { method: method.as_bytes().to_vec(), path: Glob(path.as_bytes().to_vec()) })
            }
            _ => Err(Error::Invalid {
                field,
                why: format!("{text:?} is not \"METHOD /path\", for example \"POST /search\""),
            }),
        }
    }

    /// Whether a request is meant. `path` is as sent, without the query.
    pub fn matches(&self, method: &[u8], path: &[u8]) -> bool {
        self.method == method && self.path.matches(path)
    }
}

/// Routes that are told apart in what is measured, by `METHOD /path` or by `/path` alone.
#[derive(Clone, Debug, Default)]
pub struct NamedRoutes {
    routes: Vec<(Option<Vec<u8>>, Glob)>,
}

impl NamedRoutes {
    /// From patterns; the first that matches a request is its route.
    pub fn new(patterns: &[String]) -> Result<Self> {
        let routes = patterns
            .iter()
            .map(|text| match text.split_once(' ') {
                Some(_) => Pattern::parse("routes.timed", text).map(|pattern| (Some(pattern.method), pattern.path)),
                None => Ok((None, Glob(text.as_bytes().to_vec()))),
            })
            .collect::<Result<_>>()?;
        Ok(Self { routes })
    }

    /// 1 for the first pattern, and so on; 0 when none matches.
    pub fn place(&self, method: &[u8], path: &[u8]) -> usize {
        let matches =
            |(of, glob): &(Option<Vec<u8>>, Glob)| of.as_ref().is_none_or(|of| of == method) && glob.matches(path);
        self.routes.iter().position(matches).map_or(0, |place| place + 1)
    }
}

/// The routes of a configuration.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    read: Vec<Pattern>,
    include: Vec<Glob>,
    exclude: Vec<Glob>,
}

impl Routes {
    /// `read`: `METHOD /path` patterns; `include`, `exclude`: path patterns. [`Error::Invalid`] for a pattern that is not
    /// one.
    pub fn new(read: &[String], include: &[String], exclude: &[String]) -> Result<Self> {
        let read = read.iter().map(|text| Pattern::parse("routes.read", text)).collect::<Result<_>>()?;
        let paths = |field: &'static str, patterns: &[String]| {
            patterns
                .iter()
                .map(|pattern| {
                    if pattern.starts_with(['/', '*']) {
                        Ok(Glob(pattern.as_bytes().to_vec()))
                    } else {
                        Err(Error::Invalid {
                            field,
                            why: format!("{pattern:?} does not begin with \"/\" or \"*\", for example \"/v1/*\""),
                        })
                    }
                })
                .collect::<Result<Vec<_>>>()
        };
        Ok(Self { read, include: paths("routes.include", include)?, exclude: paths("routes.exclude", exclude)? })
    }

    /// `None` when the request may be mirrored; else why not. `path` is as sent, without the query.
    pub fn check(&self, method: &[u8], path: &[u8]) -> Option<Reason> {
        if method != b"GET" && method != b"HEAD" {
            let mut named = false;
            let mut read = false;
            for pattern in &self.read {
                if pattern.method == method {
                    named = true;
                    read = read || pattern.path.matches(path);
                }
            }
            if !named {
                return Some(Reason::Method);
            }
            if !read || !is_plain(path) {
                return Some(Reason::Route);
            }
        }
        if self.exclude.is_empty() && self.include.is_empty() {
            return None;
        }
        let plain = plainly(path);
        let excluded = |glob: &Glob| glob.matches(path) || glob.matches(&plain);
        if self.exclude.iter().any(excluded) {
            return Some(Reason::Route);
        }
        if !self.include.is_empty() && !self.include.iter().any(|glob| glob.matches(path)) {
            return Some(Reason::Route);
        }
        None
    }
}

/// Whether every server reads the path in the same way.
fn is_plain(path: &[u8]) -> bool {
    if path.first() != Some(&b'/') {
        return false;
    }
    let odd = path.iter().any(|byte| matches!(byte, b'\\' | b';' | 0..=0x20 | 0x7f..));
    !odd && !has_encoded(path)
        && !path.windows(2).any(|two| two == b"//")
        && path.split(|byte| *byte == b'/').all(|segment| !matches!(segment, b"." | b".."))
}

/// An encoded slash, backslash, dot, semicolon, percent sign or control: what another server might decode.
fn has_encoded(path: &[u8]) -> bool {
    path.iter().enumerate().filter(|(_, byte)| **byte == b'%').any(|(at, _)| {
        !decoded(path, at).is_some_and(|byte| !matches!(byte, b'/' | b'\\' | b'.' | b';' | b'%' | 0..=0x1f | 0x7f))
    })
}

fn decoded(path: &[u8], at: usize) -> Option<u8> {
    let hex = |byte: u8| char::from(byte).to_digit(16);
    let (high, low) = (hex(*path.get(at + 1)?)?, hex(*path.get(at + 2)?)?);
    Some((high * 16 + low) as u8)
}

/// The path with everything decoded and dot segments and empty segments removed, as a lenient server might read it.
fn plainly(path: &[u8]) -> Cow<'_, [u8]> {
    let easy = !path.contains(&b'%')
        && !path.contains(&b'\\')
        && !path.contains(&b';')
        && !path.windows(2).any(|two| two == b"//" || two == b"/.");
    if easy {
        return Cow::Borrowed(path);
    }
    let mut bytes = path.to_vec();
    // Twice, for what was encoded twice.
    for _ in 0..2 {
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            match (bytes[at], decoded(&bytes, at)) {
                (b'%', Some(byte)) => {
                    out.push(byte);
                    at += 3;
                }
                (byte, _) => {
                    out.push(byte);
                    at += 1;
                }
            }
        }
        bytes = out;
    }
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in bytes.split(|byte| matches!(byte, b'/' | b'\\')) {
        let segment = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        match segment {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut plain = Vec::with_capacity(bytes.len());
    for segment in segments {
        plain.push(b'/');
        plain.extend_from_slice(segment);
    }
    if plain.is_empty() {
        plain.push(b'/');
    }
    Cow::Owned(plain)
}
