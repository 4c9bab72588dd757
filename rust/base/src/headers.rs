//! Headers as the core passes them: borrowed pairs in the order in which they came.

/// Name and value of a header.
pub type Header<'a> = (&'a [u8], &'a [u8]);

/// The value of the first header of that name.
pub fn header<'a>(headers: &[Header<'a>], wanted: &[u8]) -> Option<&'a [u8]> {
    headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value)
}
