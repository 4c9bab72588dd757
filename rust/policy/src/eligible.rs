//! Which requests are reads, and which of those are mirrored.
//!
//! Invariant: what is not known to be a read is a write. A path that could mean something else to another server
//! (encoded slashes or dots, dot segments, empty segments, parameters, backslashes) never matches a read pattern, and
//! never slips past an exclusion. What only watches or describes a service is mirrored when it is named in full; with an
//! inference preset, so is every GET that no pattern asks for.

use std::borrow::Cow;

use crate::presets::{Kind, anywhere, find_path, is_inference, keeping_word, preset_problem};
use crate::upkeep::is_upkeep;
use shadowlane_base::Reason;
use shadowlane_base::{Error, Result};

/// A path pattern: `*` stands for any text.
#[derive(Clone, Debug)]
struct Glob(Vec<u8>);

impl Glob {
    /// Linear in practice and at most quadratic: on a mismatch only the last star takes one more byte.
    fn matches(&self, text: &[u8]) -> bool {
        let pattern = &self.0;
        let (mut p, mut t) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while let Some(byte) = text.get(t) {
            if pattern.get(p) == Some(&b'*') {
                star = Some((p, t));
                p += 1;
            } else if pattern.get(p) == Some(byte) {
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
        pattern.iter().skip(p).all(|byte| *byte == b'*')
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

/// Routes that are measured apart, by `METHOD /path` or by `/path` alone.
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
    pub fn index(&self, method: &[u8], path: &[u8]) -> usize {
        let matches =
            |(of, glob): &(Option<Vec<u8>>, Glob)| of.as_ref().is_none_or(|of| of == method) && glob.matches(path);
        self.routes.iter().position(matches).map_or(0, |index| index + 1)
    }
}

/// A `METHOD /path` that the user declared a read, perhaps with the preset that its body is classified by.
#[derive(Clone, Debug)]
struct Declared {
    pattern: Pattern,
    starred: bool,
    preset: Option<String>,
}

impl Declared {
    fn parse(text: &str) -> Result<Self> {
        const FIELD: &str = "routes.read";
        let invalid = |why: String| Error::Invalid { field: FIELD, why: format!("= {text:?}: {why}") };
        let mut words = text.splitn(3, ' ');
        let (method, path, preset) = (words.next().unwrap_or_default(), words.next(), words.next());
        let pattern = Pattern::parse(FIELD, &format!("{method} {}", path.unwrap_or_default()))
            .map_err(|_| invalid("not METHOD /path, for example \"POST /search\"".to_owned()))?;
        if !DECLARABLE.contains(&method) {
            return Err(invalid(format!("{method} is never a read; known: {}", DECLARABLE.join(", "))));
        }
        if let Some(problem) = preset.and_then(preset_problem) {
            return Err(invalid(problem));
        }
        let starred = pattern.path.0.contains(&b'*');
        Ok(Self { pattern, starred, preset: preset.map(str::to_owned) })
    }

    /// Whether it names the path. A star does not stand for what a provider keeps.
    fn names(&self, path: &[u8]) -> bool {
        let glob = &self.pattern.path;
        glob.matches(path)
            && (!self.starred
                || keeping_word(path).is_none_or(|word| memchr::memmem::find(&glob.0, word.as_bytes()).is_some()))
    }
}

/// Methods that may read: the safe ones (RFC 9110 §9.2.1, RFC 4918, RFC 3253, RFC 5323, QUERY), and POST.
const DECLARABLE: &[&str] = &["GET", "HEAD", "OPTIONS", "POST", "PROPFIND", "QUERY", "REPORT", "SEARCH"];

/// How a request to a route is classified, before its body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteClass<'a> {
    /// GET or HEAD.
    Safe,
    /// By a preset: its name, and what its body is.
    Preset(&'a str, Kind),
    /// Declared a read by the user, without a preset.
    Declared,
    /// Not a read: the method, or the route.
    Not(Reason),
}

/// The routes of a configuration.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    read: Vec<Declared>,
    presets: Vec<String>,
    include: Vec<Glob>,
    exclude: Vec<Glob>,
    inference: bool,
}

impl Routes {
    /// `read`: presets of POST routes (`openai`, `sql:postgres`) and `METHOD /path [PRESET]` patterns; `include`,
    /// `exclude`: path patterns. [`Error::Invalid`] for a text that is none.
    pub fn new(read: &[String], include: &[String], exclude: &[String]) -> Result<Self> {
        let (patterns, presets): (Vec<&String>, Vec<&String>) = read.iter().partition(|text| text.contains(' '));
        if let Some(why) = presets.iter().find_map(|preset| preset_problem(preset)) {
            return Err(Error::Invalid { field: "routes.presets", why: format!("= {why}") });
        }
        let inference = presets.iter().any(|preset| is_inference(preset));
        let presets = presets.into_iter().cloned().collect();
        let read = patterns.into_iter().map(|text| Declared::parse(text)).collect::<Result<_>>()?;
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
        let (include, exclude) = (paths("routes.include", include)?, paths("routes.exclude", exclude)?);
        Ok(Self { read, presets, include, exclude, inference })
    }

    /// How the request is classified, by method and path alone. What the user names with a preset comes first, then the
    /// presets in their order, then what the user only declares.
    pub fn class_of(&self, method: &[u8], path: &[u8]) -> RouteClass<'_> {
        let safe = method == b"GET" || method == b"HEAD";
        let mut named = safe;
        let mut declared = false;
        for read in self.read.iter().filter(|read| read.pattern.method == method) {
            named = true;
            if (read.preset.is_none() && declared) || !read.names(path) || !(safe || is_plain(path)) {
                continue;
            }
            match &read.preset {
                Some(preset) => match anywhere(preset) {
                    Some(kind) => return RouteClass::Preset(preset, kind),
                    None => declared = true,
                },
                None => declared = true,
            }
        }
        if safe {
            return RouteClass::Safe;
        }
        if method == b"POST" {
            for preset in &self.presets {
                if let Some(kind) = find_path(preset, path) {
                    return RouteClass::Preset(preset, kind);
                }
            }
            named = named || !self.presets.is_empty();
        }
        match (declared, named) {
            (true, _) => RouteClass::Declared,
            (false, true) => RouteClass::Not(Reason::Route),
            (false, false) => RouteClass::Not(Reason::Method),
        }
    }

    /// The configured presets of which `path` is a route, whatever the method.
    pub fn presets_at<'a>(&'a self, path: &'a [u8]) -> impl Iterator<Item = &'a str> {
        self.presets.iter().map(String::as_str).filter(|preset| find_path(preset, path).is_some())
    }

    /// `None` when the request may be mirrored; else why not. `path` is as sent, without the query.
    pub fn check(&self, method: &[u8], path: &[u8]) -> Option<Reason> {
        if path.first() != Some(&b'/') {
            // Absolute form asks a proxy, `*` and an authority ask about a server (RFC 9112 §3.2): no copy is like them.
            return Some(Reason::Route);
        }
        let class = self.class_of(method, path);
        if let RouteClass::Not(reason) = class {
            return Some(reason);
        }
        let plain = plainly(path);
        let excluded = |glob: &Glob| glob.matches(path) || glob.matches(&plain);
        if self.exclude.iter().any(excluded) {
            return Some(Reason::Route);
        }
        let included = self.include.iter().any(|glob| glob.matches(path));
        let asked = included || self.declares(method, path) || self.speaks_at(path);
        let unasked = !asked && class == RouteClass::Safe && self.inference;
        let watched = class == RouteClass::Safe && is_upkeep(&plain) && !self.names_in_full(method, path);
        if unasked || watched || !(included || self.include.is_empty()) {
            return Some(Reason::Route);
        }
        None
    }

    /// Whether `routes.read` has a pattern for it.
    fn declares(&self, method: &[u8], path: &[u8]) -> bool {
        self.read.iter().any(|read| read.pattern.method == method && read.names(path))
    }

    /// Whether it is a route of a preset that is no inference: GraphQL, SQL and searches are asked by GET, too.
    fn speaks_at(&self, path: &[u8]) -> bool {
        self.presets_at(path).any(|preset| !is_inference(preset))
    }

    /// Whether `routes.include` or `routes.read` names it without a star.
    pub fn names_in_full(&self, method: &[u8], path: &[u8]) -> bool {
        let read = self.read.iter().filter(|read| !read.starred && read.pattern.method == method);
        let included = self.include.iter().filter(|glob| !glob.0.contains(&b'*'));
        read.map(|read| &read.pattern.path).chain(included).any(|glob| glob.matches(path))
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
        while let Some(byte) = bytes.get(at) {
            match (*byte, decoded(&bytes, at)) {
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
