//! Numbers as they are written: in digits with any separators, in one German word, in signs.
//!
//! Invariants: a form that has two readings (`1.000`, `1,000`) keeps both; a word that is no number is none; the value
//! and the count of tokens that it took are given back together.

use super::number_words::number_words;
use crate::language::Language;

/// A number read from digits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Digits {
    pub value: f64,
    /// The other reading of a form that has two.
    pub other: Option<f64>,
    /// Half of the last decimal's place.
    pub precision: f64,
    /// How many digits stand before the decimals, and whether there is any separator.
    pub size: usize,
    pub plain: bool,
}

/// Reads `1,000.5`, `1.000,5`, `12 400`, `1'000`, `0,7`; `None` when it is no number (`1.2.3`, a date).
///
/// One separator with three digits behind it is thousands in one language and decimals in another: the language decides
/// which reading is first.
pub(crate) fn digits(text: &str, language: Language) -> Option<Digits> {
    let mut plain = String::with_capacity(text.len());
    let mut marks: Vec<(char, usize)> = Vec::new();
    for letter in text.chars() {
        match super::tokens::digit(letter) {
            Some(value) => plain.push(char::from_digit(value, 10)?),
            None => marks.push((
                if letter == '．' {
                    '.'
                } else if letter == '，' {
                    ','
                } else {
                    letter
                },
                plain.len(),
            )),
        }
    }
    let number = |whole: usize| -> Option<f64> {
        let (head, tail) = plain.split_at_checked(whole)?;
        format!("{head}.{tail}").parse().ok()
    };
    let size = plain.len();
    let finish = |whole: usize, other: Option<f64>| -> Option<Digits> {
        let decimals = size - whole;
        let precision = if decimals == 0 { 0.0 } else { 0.5 * 10_f64.powi(-(decimals as i32)) };
        Some(Digits { value: number(whole)?, other, precision, size: whole, plain: marks.is_empty() })
    };
    // Thousands: groups of three behind a head of one to three.
    let grouped = |upto: usize| {
        let ends: Vec<usize> =
            marks.iter().map(|(_, position)| *position).filter(|position| *position < upto).collect();
        ends.first().is_some_and(|first| (1..=3).contains(first))
            && ends.iter().zip(ends.iter().skip(1).chain([&upto])).all(|(from, to)| to - from == 3)
    };
    match *marks.as_slice() {
        [] => finish(size, None),
        [(mark, position)] => {
            let three = size - position == 3 && position <= 3 && !plain.starts_with('0');
            if !three {
                return matches!(mark, '.' | ',').then(|| finish(position, None))?;
            }
            if !matches!(mark, '.' | ',') {
                return finish(size, None);
            }
            let comma_decimal = matches!(language, Language::German | Language::French | Language::Spanish);
            let thousands = (mark == ',') != comma_decimal;
            if thousands { finish(size, number(position)) } else { finish(position, number(size)) }
        }
        [(first, _), .., (last, position)] if first == last => grouped(size).then(|| finish(size, None))?.or({
            // 1.2.3 is a version.
            let _ = position;
            None
        }),
        [.., (last, position)] => {
            let one_kind = marks.iter().rev().skip(1).all(|(mark, _)| *mark != last);
            let decimal = matches!(last, '.' | ',') && one_kind && grouped(position);
            decimal.then(|| finish(position, None))?
        }
    }
}

/// A German number in one word: `fünfundzwanzig`, `zweihundertdreißig`, `dreitausend`, `vierzehn`.
pub(crate) fn german(word: &str) -> Option<f64> {
    let small =
        |word: &str| number_words(Language::German).iter().find(|(known, _)| *known == word).map(|(_, value)| *value);
    if word.is_empty() {
        return None;
    }
    if let Some(value) = small(word) {
        return Some(value);
    }
    for (scale, factor) in [("tausend", 1e3), ("hundert", 1e2)] {
        if let Some((head, tail)) = word.split_once(scale) {
            let head = if matches!(head, "" | "ein") { 1.0 } else { german(head)? };
            let tail = tail.strip_prefix("und").unwrap_or(tail);
            return Some(head * factor + if tail.is_empty() { 0.0 } else { german(tail)? });
        }
    }
    if let Some(head) = word.strip_suffix("zehn") {
        return small(head).filter(|head| *head < 10.0).map(|head| head + 10.0);
    }
    let (ones, tens) = word.split_once("und")?;
    let ones = if ones == "ein" { 1.0 } else { small(ones).filter(|ones| *ones < 10.0)? };
    let tens = small(tens).filter(|tens| *tens >= 20.0 && *tens % 10.0 == 0.0)?;
    Some(tens + ones)
}

/// The value of one sign that is a number, and of one that multiplies.
pub(crate) fn sign(letter: char) -> Option<f64> {
    Some(match letter {
        '〇' | '零' => 0.0,
        '一' | '壱' => 1.0,
        '二' | '两' | '兩' => 2.0,
        '三' => 3.0,
        '四' => 4.0,
        '五' => 5.0,
        '六' => 6.0,
        '七' => 7.0,
        '八' => 8.0,
        '九' => 9.0,
        _ => return None,
    })
}

/// Ten, a hundred, a thousand; ten thousand and above.
pub(crate) fn multiplier(letter: char) -> Option<f64> {
    Some(match letter {
        '十' => 1e1,
        '百' => 1e2,
        '千' => 1e3,
        '万' | '萬' => 1e4,
        '亿' | '億' => 1e8,
        '兆' => 1e12,
        _ => return None,
    })
}

/// A number in signs: `三十五`, `两千四百`, `二〇二四`; `None` when the signs are no number.
pub(crate) fn signs(text: &str) -> Option<f64> {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() > 1 && letters.iter().all(|letter| sign(*letter).is_some()) {
        return Some(letters.iter().filter_map(|letter| sign(*letter)).fold(0.0, |sum, digit| sum * 10.0 + digit));
    }
    let (mut total, mut section, mut open) = (0.0, 0.0, None::<f64>);
    for letter in letters {
        if let Some(value) = sign(letter) {
            open = Some(value);
        } else {
            let factor = multiplier(letter)?;
            if factor >= 1e4 {
                total += (section + open.take().unwrap_or(0.0)).max(1.0) * factor;
                section = 0.0;
            } else {
                section += open.take().unwrap_or(1.0) * factor;
            }
        }
    }
    Some(total + section + open.unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_with_any_separators() {
        use Language::{English, French, German};
        for (text, language, value) in [
            ("1,000", English, 1000.0),
            ("1.000", English, 1.0),
            ("1.000", German, 1000.0),
            ("1,000", German, 1.0),
            ("12,4", English, 12.4),
            ("12.4", German, 12.4),
            ("1,234,567.89", English, 1_234_567.89),
            ("1.234.567,89", German, 1_234_567.89),
            ("12 400 000", French, 12_400_000.0),
            ("12\u{202f}400", French, 12_400.0),
            ("1'000", English, 1000.0),
            ("0.125", German, 0.125),
            ("３０", English, 30.0),
            ("2400", English, 2400.0),
        ] {
            let text = text.replace(' ', "\u{a0}");
            assert_eq!(digits(&text, language).map(|found| found.value), Some(value), "{text}");
        }
        for text in ["1.2.3", "3.5.2024", "12.34,56,78"] {
            assert_eq!(digits(text, English), None, "{text}");
        }
        assert_eq!(digits("1.000", English).and_then(|found| found.other), Some(1000.0));
    }

    #[test]
    fn german_numbers_in_one_word() {
        for (word, value) in [
            ("fünf", 5.0),
            ("vierzehn", 14.0),
            ("einundzwanzig", 21.0),
            ("fünfundzwanzig", 25.0),
            ("hundert", 100.0),
            ("zweihundertdreißig", 230.0),
            ("dreitausendfünfhundert", 3500.0),
            ("eintausend", 1000.0),
        ] {
            assert_eq!(german(word), Some(value), "{word}");
        }
        for word in ["hundertste", "hund", "und", "rundum", "gesund", "tausender"] {
            assert_eq!(german(word), None, "{word}");
        }
    }

    #[test]
    fn numbers_in_signs() {
        for (text, value) in [
            ("三十五", 35.0),
            ("十二", 12.0),
            ("两千四百", 2400.0),
            ("二〇二四", 2024.0),
            ("三万五千", 35_000.0),
            ("一亿二千万", 120_000_000.0),
            ("三", 3.0),
        ] {
            assert_eq!(signs(text), Some(value), "{text}");
        }
    }
}
