//! Cuts a text into sentences: prose, items of a list, headings, rows of a table; code is left out.
//!
//! Invariant: one pass over the lines; spans are bytes of the text, in order, and do not overlap.

use crate::facts::Span;

/// What a sentence is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Prose,
    /// Of a list; with its number where it has one.
    Item(Option<u32>),
    Heading,
    Row,
}

/// A sentence before it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub span: Span,
    pub form: Form,
    /// It ends in a question mark.
    pub asks: bool,
}

/// The sentences of a text outside fenced code.
pub(crate) fn segments(text: &str) -> Vec<Segment> {
    let mut found = Vec::with_capacity(16);
    let mut fenced = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let body = line.trim();
        if body.starts_with("```") || body.starts_with("~~~") {
            // A fence that opens and closes on one line changes nothing.
            fenced ^= body.len() < 6 || !body.ends_with("```");
            continue;
        }
        if fenced || body.is_empty() {
            continue;
        }
        let from = start + (line.len() - line.trim_start().len());
        line_segments(body, from, &mut found);
    }
    found
}

fn line_segments(body: &str, from: usize, found: &mut Vec<Segment>) {
    if body.starts_with('|') {
        if !body.trim_matches(['|', '-', ':', ' ', '\t']).is_empty() {
            found.push(Segment { span: (from, from + body.len()), form: Form::Row, asks: false });
        }
        return;
    }
    let (form, skip) = form(body);
    let rest = body.get(skip..).unwrap_or("");
    let mut start = 0;
    for (position, byte) in rest.bytes().enumerate() {
        if BEGINS.get(usize::from(byte)) != Some(&true) {
            continue;
        }
        let letter = rest.get(position..).and_then(|rest| rest.chars().next()).unwrap_or(' ');
        if !ENDS.contains(&letter) {
            continue;
        }
        let end = position + letter.len_utf8();
        let next = rest.get(end..).and_then(|rest| rest.chars().next());
        if end > start && ends_sentence(rest, position, letter, next) {
            push(found, rest, (start, end), from + skip, form);
            start = end;
        }
    }
    push(found, rest, (start, rest.len()), from + skip, form);
}

/// Signs that may end a sentence.
const ENDS: [char; 8] = ['.', '!', '?', ';', '。', '！', '？', '；'];

/// First bytes of those: the eastern ones have two between them.
static BEGINS: [bool; 256] = {
    let mut table = [false; 256];
    let bytes = [b'.', b'!', b'?', b';', 0xe3, 0xef];
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
};

fn push(found: &mut Vec<Segment>, line: &str, (start, end): Span, from: usize, form: Form) {
    let piece = line.get(start..end).unwrap_or("");
    let trimmed = piece.trim_start();
    let start = end - trimmed.len();
    let trimmed = trimmed.trim_end();
    if trimmed.chars().any(char::is_alphanumeric) {
        let span = (from + start, from + start + trimmed.len());
        found.push(Segment { span, form, asks: trimmed.ends_with(['?', '？']) });
    }
}

fn ends_sentence(line: &str, position: usize, letter: char, next: Option<char>) -> bool {
    match letter {
        '。' | '！' | '？' | '；' => true,
        ';' => next.is_none_or(char::is_whitespace),
        '!' | '?' => next.is_none_or(|next| !next.is_alphanumeric() && !matches!(next, '=' | '!' | '?')),
        '.' => next.is_none_or(char::is_whitespace) && !abbreviated(line.get(..position).unwrap_or("")),
        _ => false,
    }
}

/// Whether a full stop after this text belongs to its last word: `z.B.`, `Dr.`, `3. März`.
fn abbreviated(head: &str) -> bool {
    let word = head.rsplit(|letter: char| letter.is_whitespace() || letter == '(').next().unwrap_or("");
    let letters = word.chars().filter(|letter| letter.is_alphabetic()).count();
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let single = letters == 1 && digits == 0;
    // "3. März": a day before its month, but "seit 2024." ends a sentence.
    let ordinal = letters == 0 && (1..=2).contains(&digits) && word.len() == digits;
    let known =
        ["bzw", "ca", "dr", "mr", "mrs", "no", "nr", "st", "str", "usw", "vgl", "etc", "sr", "sra", "art", "inkl"];
    single
        || ordinal && !head.trim_end().is_empty() && word.len() < head.len()
        || word.contains('.') && digits == 0
        || {
            let low = word.to_ascii_lowercase();
            known.contains(&low.as_str()) && low != "no"
        }
}

/// What a line is, and where its text begins.
fn form(body: &str) -> (Form, usize) {
    let marks = body.len() - body.trim_start_matches('#').len();
    if marks > 0 && body.get(marks..).is_some_and(|rest| rest.starts_with(' ')) {
        return (Form::Heading, marks);
    }
    for mark in ["- ", "* ", "• ", "– ", "+ ", "・", "> "] {
        if body.starts_with(mark) {
            let form = if mark == "> " { Form::Prose } else { Form::Item(None) };
            return (form, mark.len());
        }
    }
    let digits = body.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=2).contains(&digits) {
        let rest = body.get(digits..).unwrap_or("");
        let mark = rest.chars().next().filter(|mark| matches!(mark, '.' | ')' | '、' | '．'));
        if let Some(mark) = mark {
            let after = rest.get(mark.len_utf8()..).unwrap_or("");
            if !mark.is_ascii() || after.starts_with(' ') {
                return (
                    Form::Item(body.get(..digits).and_then(|number| number.parse().ok())),
                    digits + mark.len_utf8(),
                );
            }
        }
    }
    (Form::Prose, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        segments(text).iter().map(|segment| &text[segment.span.0..segment.span.1]).collect()
    }

    #[test]
    fn sentences_items_and_rows() {
        assert_eq!(texts("One. Two! Three?"), ["One.", "Two!", "Three?"]);
        assert_eq!(texts("Pay $2.50. Then go; it is open."), ["Pay $2.50.", "Then go;", "it is open."]);
        assert_eq!(texts("Am 3. März kommt Dr. Keller. Gut."), ["Am 3. März kommt Dr. Keller.", "Gut."]);
        assert_eq!(texts("押金2400元。所有租客！"), ["押金2400元。", "所有租客！"]);
        assert_eq!(
            texts("# Head\n- one\n2. two\n| a | b |\n|---|---|\n```py\nx\n```\nend"),
            ["Head", "one", "two", "| a | b |", "end"]
        );
        assert_eq!(segments("2. two")[0].form, Form::Item(Some(2)));
        assert!(segments("Is it?")[0].asks);
    }
}
