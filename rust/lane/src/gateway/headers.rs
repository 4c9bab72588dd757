//! What admission reads of a request's head.
//!
//! Invariants: nothing is copied; a header that is not looked for costs the comparison of its length; what
//! [`Lane::reads_header`] leaves out could not have changed an answer.

use super::Lane;
use shadowlane_base::Header;

/// The tag that every copy carries.
pub const SHADOW_HEADER: &[u8] = b"x-shadow";

/// A header that admission acts on.
enum Fact {
    /// The request is a copy.
    Tag,
    Length,
    /// The request may be something else than its method says.
    Override,
}

impl Fact {
    fn of(name: &[u8]) -> Option<Self> {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match name.len() {
            7 if is(b"upgrade") => Some(Self::Override),
            8 if is(SHADOW_HEADER) => Some(Self::Tag),
            14 if is(b"content-length") => Some(Self::Length),
            13 | 17 | 22 if overrides_method(name) => Some(Self::Override),
            _ => None,
        }
    }
}

/// What the headers say.
#[derive(Default)]
pub(super) struct Facts<'a> {
    pub(super) is_copy: bool,
    pub(super) overrides_method: bool,
    pub(super) content_length: u64,
    /// Of the sampler, when it is sticky by the head.
    pub(super) key: Option<&'a [u8]>,
    pub(super) tenant: Option<&'a [u8]>,
}

impl Lane {
    /// Whether [`Self::admit`] looks at headers of this name; the caller may leave out the others.
    pub fn reads_header(&self, name: &[u8]) -> bool {
        let key = self.sticky.as_ref().map(|(key, _)| key);
        Fact::of(name).is_some() || key.into_iter().chain(self.caps.tenant_key()).any(|key| key.reads(name))
    }

    /// Read them in one pass; of a key that comes twice the first holds.
    pub(super) fn facts<'a>(&self, headers: impl Iterator<Item = Header<'a>>) -> Facts<'a> {
        let mut facts = Facts::default();
        for (name, value) in headers {
            match Fact::of(name) {
                Some(Fact::Tag) => facts.is_copy = true,
                Some(Fact::Length) => facts.content_length = parse_length(value),
                Some(Fact::Override) => facts.overrides_method = true,
                None => {}
            }
            if let Some((key, _)) = &self.sticky
                && facts.key.is_none()
            {
                facts.key = key.find(name, value);
            }
            if let Some(key) = self.caps.tenant_key()
                && facts.tenant.is_none()
            {
                facts.tenant = key.find(name, value);
            }
        }
        facts
    }
}

/// The target without its query.
pub(super) fn path_of(target: &[u8]) -> &[u8] {
    memchr::memchr(b'?', target).and_then(|at| target.get(..at)).unwrap_or(target)
}

/// Whether frameworks take the method from this header. WSGI folds `_` into `-`, so both are the same there.
fn overrides_method(name: &[u8]) -> bool {
    [&b"x-http-method"[..], b"x-method-override", b"x-original-method", b"x-http-method-override"].iter().any(|known| {
        name.len() == known.len()
            && name
                .iter()
                .zip(*known)
                .all(|(have, want)| have.eq_ignore_ascii_case(want) || (*have == b'_' && *want == b'-'))
    })
}

/// What is not a number is checked by what really comes.
fn parse_length(value: &[u8]) -> u64 {
    std::str::from_utf8(value).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
