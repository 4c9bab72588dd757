//! Cuts a text into tokens: words, numbers, dates, URLs, code, quotes, ends of sentences.
//!
//! Invariant: one pass; a token's span lies on character borders; the scan only ever goes forward, and looks back by
//! one character to know whether a word begins here.

use super::lexicon::look_up;
use super::quantities::Quantity;

/// What a token is. A date that is none (`13/13/2024`) is a [`Token::Name`].
#[derive(Debug, PartialEq)]
pub(crate) enum Token {
    Code,
    Url,
    Quote,
    Date(Box<Quantity>),
    Name,
    Number,
    Unit,
    /// Letters; whether an apostrophe is among them.
    Word(bool),
    End,
    Separator,
}

/// Scans `low[..end]` from `at`. `low` is lower case, byte for byte beside the text that it was made of.
pub(crate) struct Scanner<'t> {
    low: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    pub fn new(low: &'t str, at: usize, end: usize) -> Self {
        Self { low: low.get(..end).unwrap_or(low), at }
    }

    fn rest(&self, at: usize) -> &'t str {
        self.low.get(at..).unwrap_or("")
    }

    #[inline]
    fn char_at(&self, at: usize) -> Option<char> {
        match self.low.as_bytes().get(at) {
            Some(byte) if byte.is_ascii() => return Some(char::from(*byte)),
            None => return None,
            Some(_) => {}
        }
        self.rest(at).chars().next()
    }

    fn byte(&self, at: usize) -> u8 {
        self.low.as_bytes().get(at).copied().unwrap_or(0)
    }

    fn word_before(&self, at: usize) -> bool {
        match at.checked_sub(1).and_then(|before| self.low.as_bytes().get(before)) {
            Some(byte) if byte.is_ascii() => byte.is_ascii_alphanumeric() || *byte == b'_',
            _ => self.low.get(..at).and_then(|head| head.chars().next_back()).is_some_and(in_word),
        }
    }

    /// Whether a number stands before the white space before `at`: in `1903 -1967` the dash is no sign.
    fn number_before(&self, at: usize) -> bool {
        let head = self.low.get(..at).unwrap_or("");
        let trimmed = head.trim_end();
        trimmed.len() < head.len() && trimmed.ends_with(|last: char| last.is_ascii_digit())
    }

    /// Whether a word ends at `at`, given that the character before it belongs to one.
    fn ends(&self, at: usize) -> bool {
        !self.char_at(at).is_some_and(in_word)
    }

    fn run(&self, at: usize, holds: impl Fn(char) -> bool) -> usize {
        let rest = self.rest(at);
        at + rest.find(|letter| !holds(letter)).unwrap_or(rest.len())
    }

    /// Where the letters end that begin at `at`.
    fn letters_end(&self, at: usize) -> usize {
        let bytes = self.low.as_bytes().get(at..).unwrap_or(&[]);
        let ascii = bytes.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if bytes.get(ascii).is_some_and(|byte| !byte.is_ascii()) { self.run(at + ascii, is_letter) } else { at + ascii }
    }

    fn spaces(&self, at: usize) -> usize {
        self.run(at, char::is_whitespace)
    }

    /// One to `most` digits: their value and where they end.
    fn digits(&self, at: usize, least: usize, most: usize) -> Option<(u32, usize)> {
        let mut end = at;
        let mut value = 0_u32;
        while end - at < most && self.byte(end).is_ascii_digit() {
            value = value * 10 + u32::from(self.byte(end) - b'0');
            end += 1;
        }
        (end - at >= least).then_some((value, end))
    }

    fn token(&self, at: usize, first: char) -> Option<(Token, usize)> {
        match first {
            'a'..='z' => Some(self.letters(at)),
            '`' => match self.typed_quote(at) {
                Some(end) => Some((Token::Quote, end)),
                None => self.code(at).map(|end| (Token::Code, end)),
            },
            '"' => self.quote(at, 1, '"').map(|end| (Token::Quote, end)),
            '“' => self.quote(at, '“'.len_utf8(), '”').map(|end| (Token::Quote, end)),
            '0'..='9' => {
                let begins = !self.word_before(at);
                if begins {
                    if let Some(found) = self.date_of_digits(at) {
                        return Some(found);
                    }
                    if let Some(end) = self.underscored(at).or_else(|| self.dotted(at)) {
                        return Some((Token::Name, end));
                    }
                }
                begins.then(|| (Token::Number, self.number(at)))
            }
            '-' | '+' | '−' => {
                let digit = at + first.len_utf8();
                (!self.word_before(at) && !self.number_before(at) && self.byte(digit).is_ascii_digit())
                    .then(|| (Token::Number, self.number(digit)))
            }
            '%' | '$' | '€' | '£' | '¥' => Some((Token::Unit, at + first.len_utf8())),
            '°' => {
                let end = at + first.len_utf8();
                Some((Token::Unit, if matches!(self.byte(end), b'c' | b'f') { end + 1 } else { end }))
            }
            '.' | '!' | '?' => {
                let end = self.run(at, |letter| matches!(letter, '.' | '!' | '?'));
                let closes = self
                    .char_at(end)
                    .is_none_or(|next| next.is_whitespace() || matches!(next, '"' | '\'' | '”' | ')' | '*' | '_'));
                closes.then_some((Token::End, end))
            }
            '\n' => Some((Token::End, self.run(at, |letter| letter == '\n'))),
            ',' | ';' | ':' | '(' | ')' | '—' | '–' => Some((Token::Separator, at + first.len_utf8())),
            _ if is_letter(first) => Some(self.letters(at)),
            '_' if !self.word_before(at) => self.underscored(at).map(|end| (Token::Name, end)),
            _ => None,
        }
    }

    fn letters(&self, at: usize) -> (Token, usize) {
        if let Some(end) = self.url(at) {
            return (Token::Url, end);
        }
        let mut end = self.letters_end(at);
        // Only what a digit or an underscore follows can be more than a word.
        let next = self.byte(end);
        let special = matches!(next, b'0'..=b'9' | b'_' | b'-' | b'.' | b',') || next.is_ascii_whitespace();
        // A date needs a digit right behind what parts it from its month.
        let dated = special && (next != b' ' || !self.byte(end + 1).is_ascii_alphabetic());
        if dated && !self.word_before(at) {
            if (next.is_ascii_whitespace() || matches!(next, b'.' | b','))
                && let Some(found) = self.date_of_month(at, end)
            {
                return found;
            }
            if matches!(next, b'0'..=b'9' | b'_' | b'-')
                && let Some(end) = self.lettered(at).or_else(|| self.underscored(at))
            {
                return (Token::Name, end);
            }
        }
        if next.is_ascii() && next != b'\'' {
            return (Token::Word(false), end);
        }
        while let Some(mark @ ('\'' | '’')) = self.char_at(end) {
            let next = end + mark.len_utf8();
            let more = self.run(next, is_letter);
            if more == next {
                break;
            }
            end = more;
        }
        (Token::Word(true), end)
    }

    fn code(&self, at: usize) -> Option<usize> {
        if self.rest(at).starts_with("```")
            && let Some(size) = self.rest(at + 3).find("```")
        {
            return Some(at + size + 6);
        }
        // The second half of an opening quote, as `typed_quote` reads them, opens no code.
        if self.byte(at + 1) == b' ' && at.checked_sub(1).is_some_and(|before| self.byte(before) == b'`') {
            return None;
        }
        let end = self.run(at + 1, |letter| letter != '`' && letter != '\n');
        (end > at + 1 && self.byte(end) == b'`').then_some(end + 1)
    }

    fn url(&self, at: usize) -> Option<usize> {
        if !matches!(self.byte(at), b'h' | b'w') {
            return None;
        }
        let rest = self.rest(at);
        let head = ["https://", "http://", "www."].into_iter().find(|head| rest.starts_with(head))?;
        let start = at + head.len();
        let stop = self.run(start, |letter| {
            !letter.is_whitespace() && !matches!(letter, '<' | '>' | '"' | '\'' | '`' | ')' | ']')
        });
        let body = self.low.get(start..stop)?.trim_end_matches(['.', ',', ';', ':', '!', '?']);
        (!body.is_empty()).then(|| start + body.len())
    }

    /// A string quoted as ``so'' on one line, as TeX and the Penn Treebank write it, of at most 60 characters.
    fn typed_quote(&self, at: usize) -> Option<usize> {
        let inside = self.rest(at).strip_prefix("``")?;
        let size = inside.find("''")?;
        let within = inside.get(..size)?;
        let short = !within.contains(['`', '\n']) && within.chars().nth(60).is_none();
        (short && !within.trim().is_empty()).then_some(at + 2 + size + 2)
    }

    /// A quoted string of at most 60 characters on one line.
    fn quote(&self, at: usize, open: usize, close: char) -> Option<usize> {
        let inside = self.rest(at + open);
        let size = inside.char_indices().take(61).find(|(_, letter)| *letter == close || *letter == '\n')?;
        (size.0 > 0 && size.1 == close).then(|| at + open + size.0 + close.len_utf8())
    }

    /// `covid-19`, `a4`, `x_1`: ASCII letters, a digit, and what hangs on it.
    fn lettered(&self, at: usize) -> Option<usize> {
        let mut digit = self.run(at, |letter| letter.is_ascii_alphabetic());
        if digit == at {
            return None;
        }
        if matches!(self.byte(digit), b'-' | b'_') {
            digit += 1;
        }
        if !self.byte(digit).is_ascii_digit() {
            return None;
        }
        let end = self.run(digit, |letter| in_word(letter) || letter == '-');
        Some(digit + self.low.get(digit..end)?.trim_end_matches('-').len())
    }

    /// `max_tokens`: a word with an underscore inside.
    fn underscored(&self, at: usize) -> Option<usize> {
        let end = self.run(at, in_word);
        let word = self.low.get(at..end)?;
        let inner = word.find('_').is_some_and(|position| position > 0) || word.get(1..)?.contains('_');
        (inner && word.trim_end_matches('_').len() > word.find('_').unwrap_or(0) && word.len() > 2).then_some(end)
    }

    /// `1.2.3`: three runs of digits or more.
    fn dotted(&self, at: usize) -> Option<usize> {
        let mut end = self.run(at, |letter| letter.is_ascii_digit());
        let mut parts = 0;
        let mut found = None;
        while self.byte(end) == b'.' && self.byte(end + 1).is_ascii_digit() {
            end = self.run(end + 1, |letter| letter.is_ascii_digit());
            parts += 1;
            if parts >= 2 && self.ends(end) {
                found = Some(end);
            }
        }
        found
    }

    fn number(&self, at: usize) -> usize {
        let mut end = self.run(at, |letter| letter.is_ascii_digit());
        let zero = self.low.get(at..end) == Some("0");
        while !zero && let Some(mark @ (',' | '_' | '\u{202f}')) = self.char_at(end) {
            let Some((_, next)) = self.digits(end + mark.len_utf8(), 3, 3) else { break };
            end = next;
        }
        if self.byte(end) == b'.' && self.byte(end + 1).is_ascii_digit() {
            end = self.run(end + 1, |letter| letter.is_ascii_digit());
        } else if zero && self.byte(end) == b',' && self.byte(end + 1).is_ascii_digit() {
            end = self.run(end + 1, |letter| letter.is_ascii_digit()); // 0,7: a comma for the point
        }
        end
    }

    /// A date or a time that begins with a digit.
    fn date_of_digits(&self, at: usize) -> Option<(Token, usize)> {
        let parts = |first: (usize, usize), marks: &[u8], last: &[usize]| {
            let (one, end) = self.digits(at, first.0, first.1)?;
            let (two, end) = marks.contains(&self.byte(end)).then(|| self.digits(end + 1, 1, 2))??;
            let mark = marks.contains(&self.byte(end)).then_some(end + 1)?;
            last.iter().find_map(|size| {
                let least = if *size == 2 && last.len() == 1 { 1 } else { *size };
                let (three, end) = self.digits(mark, least, *size)?;
                self.ends(end).then_some((one, two, three, end))
            })
        };
        if let Some((year, month, day, end)) = parts((4, 4), b"-/", &[2]) {
            return Some((named(Quantity::date(year, month, day, false)), end));
        }
        if let Some((one, two, year, end)) = parts((1, 2), b"/.", &[4, 2]) {
            return Some((named(Quantity::ambiguous(one, two, year)), end));
        }
        let (value, end) = self.digits(at, 1, 2)?;
        if let Some((month, after)) = self.day_then_month(end) {
            let (year, end) = self.year(after, &['.', ',']).unwrap_or((0, after));
            return Some((named(Quantity::date(year, u32::from(month), value, false)), end));
        }
        if self.byte(end) == b':' {
            let (minute, mut end) = self.digits(end + 1, 2, 2)?;
            if self.byte(end) == b':'
                && let Some((_, seconds)) = self.digits(end + 1, 2, 2)
            {
                end = seconds;
            }
            let half = self.half(end);
            let stop = half.map_or(end, |(_, stop)| stop);
            return Some((named(Quantity::clock(value, minute, half.map(|(half, _)| half))), stop));
        }
        let (half, stop) = self.half(end)?;
        Some((named(Quantity::clock(value, 0, Some(half))), stop))
    }

    /// `th of March` after a day: the month and where it ends.
    fn day_then_month(&self, at: usize) -> Option<(u8, usize)> {
        let mut at = self.ordinal(at);
        let next = self.spaces(at);
        if next == at {
            return None;
        }
        at = next;
        if self.rest(at).starts_with("of") && self.spaces(at + 2) > at + 2 {
            at = self.spaces(at + 2);
        }
        let end = self.run(at, is_letter);
        let month = look_up(self.low.get(at..end)?).month;
        (month > 0 && self.ends(end)).then_some((month, end))
    }

    fn ordinal(&self, at: usize) -> usize {
        let suffix = ["st", "nd", "rd", "th"].into_iter().any(|suffix| self.rest(at).starts_with(suffix));
        if suffix { at + 2 } else { at }
    }

    /// A year of four digits after white space, with these marks before it, each at most once.
    fn year(&self, at: usize, marks: &[char]) -> Option<(u32, usize)> {
        let mut position = at;
        for mark in marks {
            // Tokenized text has a space before its comma.
            let spaced = if *mark == ',' { self.spaces(position) } else { position };
            if self.char_at(spaced) == Some(*mark) {
                position = spaced + mark.len_utf8();
            }
        }
        let next = self.spaces(position);
        if next == position {
            return None;
        }
        let (year, end) = self.digits(next, 4, 4)?;
        self.ends(end).then_some((year, end))
    }

    /// `pm` or `p.m.`, with or without a space before it.
    fn half(&self, at: usize) -> Option<(u8, usize)> {
        let at = self.spaces(at);
        let half = self.byte(at);
        if !matches!(half, b'a' | b'p') {
            return None;
        }
        if self.byte(at + 1) == b'm' && self.ends(at + 2) {
            return Some((half, at + 2));
        }
        self.rest(at + 1).starts_with(".m.").then_some((half, at + 4))
    }

    /// `March 5th, 2024` or `March 2024`.
    fn date_of_month(&self, at: usize, stop: usize) -> Option<(Token, usize)> {
        let marks = self.run(stop, |letter| matches!(letter, '.' | ',') || letter.is_whitespace());
        if !self.byte(marks).is_ascii_digit() {
            return None;
        }
        let month = u32::from(look_up(self.low.get(at..stop)?).month);
        if month == 0 {
            return None;
        }
        let dot = stop + usize::from(self.byte(stop) == b'.');
        let next = self.spaces(dot);
        if next > dot
            && let Some((day, end)) = self.digits(next, 1, 2)
            && !self.byte(end).is_ascii_digit()
            && !(matches!(self.byte(end), b':' | b'.') && self.byte(end + 1).is_ascii_digit())
        {
            let end = self.ordinal(end);
            let (year, end) = self.year(end, &[',']).unwrap_or((0, end));
            return Some((named(Quantity::date(year, month, day, false)), end));
        }
        let (year, end) = self.year(stop, &['.', ','])?;
        Some((named(Quantity::date(year, month, 0, false)), end))
    }
}

fn named(found: Option<Quantity>) -> Token {
    found.map_or(Token::Name, |found| Token::Date(Box::new(found)))
}

impl Iterator for Scanner<'_> {
    type Item = (Token, usize, usize);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while self.byte(self.at) == b' ' {
                self.at += 1;
            }
            let start = self.at;
            let first = self.char_at(start)?;
            if let Some((token, end)) = self.token(start, first) {
                self.at = end;
                return Some((token, start, end));
            }
            self.at = start + first.len_utf8();
        }
    }
}

#[inline]
fn is_letter(letter: char) -> bool {
    letter.is_alphanumeric() && !letter.is_ascii_digit()
}

#[inline]
fn in_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Vec<(String, String)> {
        Scanner::new(text, 0, text.len())
            .map(|(token, start, end)| {
                let name = format!("{token:?}");
                (name.split(['(', ' ']).next().unwrap().to_owned(), text[start..end].to_owned())
            })
            .collect()
    }

    #[track_caller]
    fn only(text: &str, kind: &str) {
        assert_eq!(scan(text), [(kind.to_owned(), text.to_owned())]);
    }

    #[test]
    fn tokens() {
        for (kind, texts) in [
            (
                "Date",
                "2024-03-05|5/3/24|march 5 , 2024|march 5th, 2024|5 of march 2024|sept. 2024|12:30:15|3 p.m.|11am|31 december",
            ),
            ("Name", "13/13/2024|covid-19|max_tokens|1.2.3|a4|x_1"),
            ("Number", "1,200.50|-3|+4.5|12|0,712"),
            ("Url", "https://a.example/x?y=1|www.example.org"),
            ("Code", "`a b`|```x\ny```"),
            ("Quote", "\"a b c\"|“déjà vu”|`` a b ''"),
            ("Word", "don't|it’s|naïve"),
            ("Unit", "%|°c|°"),
            ("End", "...|?!|\n\n"),
        ] {
            for text in texts.split('|') {
                only(text, kind);
            }
        }
    }

    #[test]
    fn urls_end_before_the_sentence_does() {
        assert_eq!(scan("(https://a.example/b).")[1], ("Url".into(), "https://a.example/b".into()));
    }

    #[test]
    fn a_dash_after_a_number_is_no_sign() {
        assert_eq!(scan("1903 -1967")[1], ("Number".into(), "1967".into()));
        assert_eq!(scan("at -5")[1], ("Number".into(), "-5".into()));
    }

    #[test]
    fn a_full_stop_inside_ends_nothing() {
        assert!(scan("a.b c").iter().all(|(kind, _)| kind == "Word"));
    }
}
