//! White space as Python's `str` knows it.

/// Whether `str.isspace` is true of the character: Unicode's white space, and four separators of ASCII.
pub fn is_space(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '\u{1c}'..='\u{1f}')
}

/// `str.strip`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Whether nothing but white space stands in a text.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(is_space)
}
