//! Quantities: a number in digits, words or signs, its scale, its unit or currency.
//!
//! Invariants: a number gets at most one unit; a word that only may be a number (`one`, `second`) is one only beside a
//! unit; the number as written is kept beside the quantity.

use super::Amount;
use super::cursor::Reader;
use super::numerals::{self, Digits, digits, german};
use super::tokens::Kind;
use super::units::{Currency, Dimension};
use super::vocabulary::ARTICLE;
use crate::language::Language;

/// A number and the token behind it.
#[derive(Clone, Copy)]
pub(super) struct Number {
    pub(super) value: f64,
    pub(super) other: Option<f64>,
    pub(super) precision: f64,
    pub(super) end: usize,
    /// Four plain digits.
    pub(super) year: bool,
    pub(super) digits: bool,
    /// A single sign or the word one: a number beside a unit only.
    pub(super) weak: bool,
}

impl Number {
    fn whole(value: f64, end: usize) -> Self {
        Self { value, other: None, precision: 0.0, end, year: false, digits: false, weak: false }
    }

    fn scaled(self, factor: f64, end: usize) -> Self {
        // "114 million" is rounded to the million, though its digits are whole.
        let precision = if factor >= 1e6 && self.precision == 0.0 && self.digits { 0.5 } else { self.precision };
        Self {
            value: self.value * factor,
            other: self.other.map(|other| other * factor),
            precision: precision * factor,
            end,
            year: false,
            ..self
        }
    }
}

impl Reader<'_, '_> {
    /// A quantity that begins at a token, and the token behind it.
    pub(super) fn amount(&self, at: usize) -> Option<(Amount, usize)> {
        if let Some((dimension, factor)) = self.entry(at).unit
            && matches!(dimension, Dimension::Money(_))
            && let Some(number) = self.number(at + 1).filter(|number| number.digits)
        {
            // $5m, $55B: what is glued to money is no unit.
            let scale = match self.text(number.end) {
                "m" if self.glued(number.end) => Some(1e6),
                "b" | "bn" if self.glued(number.end) => Some(1e9),
                _ => None,
            };
            let number = scale.map_or(number, |scale| number.scaled(scale, number.end + 1));
            return Some((made(dimension, factor, number), number.end));
        }
        if let Some(found) = self.unit_alone(at).or_else(|| self.eastern_percent(at)) {
            return Some(found);
        }
        let minus = matches!(self.text(at), "-" | "−")
            && self.glued(at + 1)
            && self.tokens.get(at).is_some_and(|token| token.spaced || at == 0)
            && at
                .checked_sub(1)
                .and_then(|before| self.tokens.get(before))
                .is_none_or(|before| before.kind != Kind::Number);
        let number = self.number(at + usize::from(minus))?;
        let number = if minus { Number { value: -number.value, other: None, ..number } } else { number };
        if let Some((dimension, end)) = self.in_an_order(&number) {
            return Some((made(dimension, 1.0, number), end));
        }
        let Some((dimension, factor, end)) = self.unit_behind(&number) else {
            // "Other" one: a pronoun, an article.
            let dimension = if number.year { Dimension::Year } else { Dimension::Count };
            return (!number.weak).then(|| (made(dimension, 1.0, number), number.end));
        };
        let mut amount = made(dimension, factor, number);
        let end = self.and_a_half(&mut amount, end);
        let end = self.tenths_behind(&mut amount, end);
        Some((amount, end))
    }

    /// `一米二`, `一米七五`, `三块五`: tenths and hundredths in signs behind a unit that none follows.
    fn tenths_behind(&self, amount: &mut Amount, end: usize) -> usize {
        let joins = self.language == Language::Chinese && matches!(self.before(end, 1), "米" | "块");
        let digit = |at: usize| self.glued(at).then(|| self.text(at).chars().next().and_then(numerals::sign)).flatten();
        let Some(tenths) = digit(end).filter(|_| joins) else { return end };
        let hundredths = digit(end + 1);
        let stop = end + 1 + usize::from(hundredths.is_some());
        let behind = self.text(stop);
        let goes_on =
            behind.chars().next().is_some_and(|next| numerals::sign(next).or(numerals::multiplier(next)).is_some());
        if goes_on || super::bounds::COUNTERS.contains(behind) || self.unit_in_signs(stop).is_some() {
            return end;
        }
        amount.low += (tenths + hundredths.unwrap_or(0.0) / 10.0) / 10.0 * amount.factor;
        amount.high = amount.low;
        stop
    }

    /// `6.`, `6th`, `37e`, `第6`: a place in an order. `1970s`, `1970er`: a year.
    fn in_an_order(&self, number: &Number) -> Option<(Dimension, usize)> {
        let at = number.end;
        if !number.digits || number.precision > 0.0 {
            return None;
        }
        if self.before(at, 2) == "第" {
            return Some((Dimension::Ordinal, at));
        }
        if !self.glued(at) {
            return None;
        }
        let open = |from: usize| {
            let (here, there) = (self.tokens.get(at - 1), self.tokens.get(from));
            there.is_some_and(|there| there.spaced && here.is_some_and(|here| here.sentence == there.sentence))
        };
        match self.text(at) {
            "s" | "er" | "ern" if number.year => Some((Dimension::Year, at + 1)),
            "st" | "nd" | "rd" | "th" | "e" | "er" | "ème" | "º" | "ª" | "eme" => Some((Dimension::Ordinal, at + 1)),
            "." if self.language == Language::German && number.value < 100.0 && open(at + 1) => {
                Some((Dimension::Ordinal, at + 1))
            }
            _ => None,
        }
    }

    /// A unit without a number: `a week`, `per month`, `weekly`, `每周`.
    fn unit_alone(&self, at: usize) -> Option<(Amount, usize)> {
        let known = self.entry(at);
        let one = |dimension, factor, end| Some((made(dimension, factor, Number::whole(1.0, end)), end));
        if let Some(seconds) = known.period {
            return one(Dimension::Period, seconds, at + 1);
        }
        if let Some(position) = known.ordinal {
            return Some((made(Dimension::Ordinal, 1.0, Number::whole(position, at + 1)), at + 1));
        }
        if matches!(self.text(at), "每" | "毎") {
            let (seconds, size) = match (self.text(at + 1), self.text(at + 2)) {
                ("天" | "日", _) => (86_400.0, 1),
                ("周" | "週", _) => (604_800.0, 1),
                ("星", "期") => (604_800.0, 2),
                ("月", _) => (2_629_800.0, 1),
                ("个", "月") => (2_629_800.0, 2),
                ("年", _) => (31_557_600.0, 1),
                ("小", "时") | ("時", "間") => (3600.0, 2),
                _ => return None,
            };
            return one(Dimension::Period, seconds, at + 1 + size);
        }
        let long = |at: usize| {
            self.entry(at).unit.filter(|(dimension, factor)| *dimension == Dimension::Duration && *factor >= 60.0)
        };
        let spelled = |at: usize| self.text(at).chars().nth(1).is_some();
        if known.is(ARTICLE)
            && spelled(at + 1)
            && let Some((dimension, factor)) = long(at + 1)
        {
            return one(dimension, factor, at + 2);
        }
        let recurring = at > 0
            && (self.entry(at - 1).is(super::vocabulary::EVERY)
                || self.text(at - 1) == "/"
                || (self.text(at - 1) == "les" && matches!(self.before(at, 2), "toutes" | "tous")));
        let (dimension, factor) = long(at).filter(|_| recurring)?;
        one(dimension, factor, at + 1)
    }

    /// `百分之三十`
    fn eastern_percent(&self, at: usize) -> Option<(Amount, usize)> {
        if (self.text(at), self.text(at + 1), self.text(at + 2)) != ("百", "分", "之") {
            return None;
        }
        let (value, end) = self.eastern_number(at + 3)?;
        Some((made(Dimension::Percent, 1.0, Number::whole(value, end)), end))
    }

    fn number(&self, at: usize) -> Option<Number> {
        match self.tokens.get(at)?.kind {
            Kind::Number => self.written(at),
            Kind::Word => self.spoken(at),
            Kind::Sign => self.in_signs(at),
            Kind::Mark => None,
        }
    }

    /// A number in digits with its scale.
    fn written(&self, at: usize) -> Option<Number> {
        let found: Digits = digits(self.text(at), self.language)?;
        let year = found.plain && found.size == 4 && (1800.0..2200.0).contains(&found.value);
        let Digits { value, other, precision, .. } = found;
        let mut number = Number { value, other, precision, end: at + 1, year, digits: true, weak: false };
        // 12 400 000: groups of three behind a space, which English does not write.
        if found.plain && found.size <= 3 && self.language != Language::English {
            while self.thousands(number.end) {
                number.value = number.value * 1e3 + self.text(number.end).parse::<f64>().unwrap_or(0.0);
                number.end += 1;
            }
        }
        while let Some(factor) = self.scale(number.end, true) {
            let dot =
                self.text(number.end + 1) == "." && self.glued(number.end + 1) && self.text(number.end).len() <= 4;
            number = number.scaled(factor, number.end + 1 + usize::from(dot));
        }
        // 12,4 M€, 10 k€
        let money = matches!(self.text(number.end + 1), "€" | "$" | "£") && self.glued(number.end + 1);
        match self.text(number.end) {
            "m" if money => number = number.scaled(1e6, number.end + 1),
            "md" | "mrd" | "bn" if money => number = number.scaled(1e9, number.end + 1),
            "k" if money => number = number.scaled(1e3, number.end + 1),
            _ => {}
        }
        while let Some(factor) = self.text(number.end).chars().next().and_then(numerals::multiplier) {
            number = number.scaled(factor, number.end + 1);
            // 3 万 4000, 3 万 5 千
            if factor >= 1e4
                && let Some(rest) = digits(self.text(number.end), self.language).filter(|rest| rest.value < factor)
            {
                let small = self.text(number.end + 1).chars().next().and_then(numerals::multiplier);
                let small = small.filter(|small| *small < factor);
                let value = number.value + rest.value * small.unwrap_or(1.0);
                let end = number.end + 1 + usize::from(small.is_some());
                number = Number { value, precision: 0.0, end, ..number };
            }
        }
        Some(number)
    }

    fn thousands(&self, at: usize) -> bool {
        let text = self.text(at);
        let Some(token) = self.tokens.get(at).filter(|token| token.spaced) else { return false };
        let gap = self.low.get(..token.span.0).unwrap_or("");
        text.len() == 3
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && !gap.ends_with("  ")
            && !gap.ends_with('\n')
    }

    /// What a word multiplies the number before it by.
    fn scale(&self, at: usize, digits: bool) -> Option<f64> {
        let factor = self.entry(at).scale?;
        match self.text(at) {
            "k" | "b" => self.glued(at).then_some(factor),
            // Metres, or millions behind a sign of money, which are read elsewhere; millimetres.
            "m" | "mm" => None,
            // "200 cents" are no 20,000.
            "cent" | "cents" if digits => None,
            _ => Some(factor),
        }
    }

    /// A number in words: `twenty-five`, `two hundred and five`, `quatre-vingt-dix`, `treinta y cinco`.
    fn spoken(&self, at: usize) -> Option<Number> {
        let (mut total, mut open, mut end) = (0.0, None::<f64>, at);
        loop {
            // What joins two parts is part of the number only when another part follows.
            let joint =
                end > at && (self.text(end) == "-" && self.glued(end) || matches!(self.text(end), "and" | "y" | "et"));
            let next = end + usize::from(joint);
            if next > at
                && self
                    .tokens
                    .get(next)
                    .is_some_and(|token| Some(token.sentence) != self.tokens.get(at).map(|first| first.sentence))
            {
                break;
            }
            if let Some(value) = self.word(next).filter(|value| follows(open, *value, self.language)) {
                let known = open.unwrap_or(0.0);
                // quatre-vingts: four times twenty, four of which are there.
                open = Some(known + if fourscore(known, value, self.language) { 76.0 } else { value });
            } else if let Some(factor) =
                self.scale(next, false).filter(|_| !joint && (open.is_some() || self.stands_alone(next)))
            {
                if factor < 1e3 {
                    open = Some(open.unwrap_or(1.0).max(1.0) * factor);
                } else {
                    total += open.take().unwrap_or(1.0) * factor;
                }
            } else {
                break;
            }
            end = next + 1;
        }
        let value = total + open.unwrap_or(0.0);
        let weak = end == at + 1
            && matches!(self.text(at), "one" | "once" | "second" | "six" | "beiden" | "mille")
            && (self.text(at) != "six" || self.language == Language::Chinese);
        (end > at).then(|| Number { weak, ..Number::whole(value, end) })
    }

    fn word(&self, at: usize) -> Option<f64> {
        self.entry(at).number.or_else(|| {
            let long = self.language == Language::German
                && self.tokens.get(at)?.kind == Kind::Word
                && self.text(at).len() >= 7;
            long.then(|| german(self.text(at))).flatten()
        })
    }

    /// `hundert`, `mille`, `cien`: a scale that is a number without another one before it.
    fn stands_alone(&self, at: usize) -> bool {
        matches!(self.text(at), "hundert" | "tausend" | "mille" | "mil" | "cien" | "ciento")
            || matches!(self.text(at), "hundred" | "thousand" | "million") && matches!(self.before(at, 1), "a")
    }

    /// A number in signs; one sign alone is one beside a unit only.
    fn in_signs(&self, at: usize) -> Option<Number> {
        let (value, end) = self.eastern_number(at)?;
        // 第一: an ordinal, 统一: a word.
        let weak = end == at + 1;
        let ordinal = self.before(at, 1) == "第";
        (!ordinal).then(|| Number { weak, ..Number::whole(value, end) })
    }

    /// `two hours and a half`, `deux heures et demie`, `dos horas y media`, `3時間半`.
    fn and_a_half(&self, amount: &mut Amount, end: usize) -> usize {
        let words = (self.text(end), self.text(end + 1), self.text(end + 2));
        let size = match words {
            ("and", "a", "half") => 3,
            ("et", "demi" | "demie", _) | ("y", "media" | "medio", _) => 2,
            ("半", _, _) => 1,
            _ => return end,
        };
        amount.low += 0.5 * amount.factor;
        amount.high = amount.low;
        end + size
    }
}

/// Whether a number word may go on from what is open: twenty and five, a hundred and thirty, soixante et quinze.
fn follows(open: Option<f64>, value: f64, language: Language) -> bool {
    let Some(open) = open else { return true };
    let (tens, value_of_word) = ((open % 100.0) as u32, value as u32);
    if open >= 100.0 && tens == 0 {
        return value_of_word < 100;
    }
    let french = language == Language::French
        && match tens {
            60 | 80 => (10..20).contains(&value_of_word),
            10 | 70 | 90 => (7..10).contains(&value_of_word),
            _ => fourscore(open, value, language),
        };
    french || (tens >= 20 && tens % 10 == 0 && (1..10).contains(&value_of_word))
}

/// Whether twenty stands behind four in French: quatre-vingt.
fn fourscore(open: f64, value: f64, language: Language) -> bool {
    language == Language::French && (open % 100.0) as u32 == 4 && value as u32 == 20
}

fn made(dimension: Dimension, factor: f64, number: Number) -> Amount {
    let (dimension, value, other, precision, factor) = match dimension {
        // Held against degrees Celsius.
        Dimension::Fahrenheit => (dimension, (number.value - 32.0) / 1.8, None, number.precision.max(0.5) / 1.8, 1.0),
        Dimension::Money(Currency::Cent) => (dimension, number.value, None, number.precision, 1.0),
        _ => (
            dimension,
            number.value * factor,
            number.other.map(|other| other * factor),
            number.precision * factor,
            factor,
        ),
    };
    Amount { dimension, low: value, high: value, written: number.value, other, precision, factor }
}
