//! A text without its layout: what a mean of word vectors reads, so that a table, a list and the same in prose are near.
//!
//! Bars and rulers of tables, bullets, numbers of lists, marks of headings and bold, and line breaks are as many tokens as
//! words are, and say nothing. Code between fences keeps all but its line breaks.
//!
//! Invariants: a text of one line without `**` is itself; no letter is lost, and no text that had one becomes blank.

use std::borrow::Cow;

use memchr::{memchr, memmem};

const BOLD: &str = "**";
const FENCE: &str = "```";

/// The text without its layout.
pub fn plain(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    if memchr(b'\n', bytes).is_none() && memmem::find(bytes, BOLD.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut made = String::with_capacity(text.len());
    let mut fenced = false;
    for line in text.lines().map(str::trim) {
        let fence = line.starts_with(FENCE);
        fenced ^= fence;
        if fence || fenced {
            add(&mut made, line);
        } else if line.starts_with('|') {
            if line.contains(|letter: char| !matches!(letter, '|' | '-' | ':' | ' ')) {
                line.split('|').for_each(|cell| said(&mut made, cell.trim()));
            }
        } else {
            said(&mut made, unmarked(line));
        }
    }
    if made.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(made) }
}

/// Adds what a line or cell says, without the marks of bold.
fn said(made: &mut String, words: &str) {
    if words.contains(BOLD) {
        add(made, words.replace(BOLD, "").trim());
    } else {
        add(made, words);
    }
}

fn add(made: &mut String, words: &str) {
    if !words.is_empty() {
        if !made.is_empty() {
            made.push(' ');
        }
        made.push_str(words);
    }
}

/// A line without what makes it a heading, a quotation or an item of a list.
fn unmarked(line: &str) -> &str {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let marks = match line.as_bytes().get(digits) {
        Some(b'.' | b')') if matches!(digits, 1 | 2) => digits + 1,
        Some(b'#') if digits == 0 => line.bytes().take_while(|byte| *byte == b'#').count(),
        Some(b'-' | b'*' | b'+' | b'>') if digits == 0 => 1,
        _ if line.starts_with('•') => '•'.len_utf8(),
        _ => 0,
    };
    // "3.5 km" and "-30" are no items: a space follows the mark.
    let rest = line.get(marks..).and_then(|rest| rest.strip_prefix(' '));
    rest.filter(|_| marks > 0).map_or(line, str::trim_start)
}

#[cfg(test)]
mod tests {
    use super::plain;
    use proptest::prelude::*;

    #[test]
    fn a_table_is_the_words_of_its_cells() {
        assert_eq!(plain("| Plan | Price |\n|:---|---:|\n| **Pro** | $24 |"), "Plan Price Pro $24");
    }

    #[test]
    fn items_headings_and_bold_are_their_words() {
        let list = "## Fees\n\n1. Fill in **form A**.\n2) Pay -30 euros.\n- 3.5 km away\n> a quotation\n• last";
        assert_eq!(plain(list), "Fees Fill in form A. Pay -30 euros. 3.5 km away a quotation last");
    }

    #[test]
    fn code_between_fences_keeps_its_marks() {
        assert_eq!(plain("Run:\n```\n- a | b\n# c\n```\n# End"), "Run: ``` - a | b # c ``` End");
    }

    #[test]
    fn figures_that_begin_a_line_stay() {
        assert_eq!(plain("a\n-30 degrees\n3.5 km\n2024. \n**"), "a -30 degrees 3.5 km 2024.");
    }

    proptest! {
        #[test]
        fn no_letter_is_lost(text in "[a-z|*#>` \n-]{0,60}") {
            let letters = |text: &str| text.chars().filter(|letter| letter.is_alphabetic()).collect::<String>();
            prop_assert_eq!(letters(&plain(&text)), letters(&text));
        }
    }
}
