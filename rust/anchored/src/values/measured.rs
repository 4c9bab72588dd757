//! The unit behind a number: words, signs, composed units.
//!
//! Invariant: a unit stands in the sentence of its number; a letter alone is a unit behind digits only.

use super::amounts::Number;
use super::cursor::Reader;
use super::tokens::Kind;
use super::units::{Currency, Dimension};
use super::vocabulary::{AND, ARTICLE, EVERY, FROM, SMALL, TIMES, TO};
use crate::language::Language;

const WEEK: f64 = 604_800.0;
/// Units with a half between their signs.
const HALVED: [(&str, f64); 7] = [
    ("个半小时", 3600.0),
    ("个半钟头", 3600.0),
    ("個半小時", 3600.0),
    ("个半月", 2_629_800.0),
    ("個半月", 2_629_800.0),
    ("分半钟", 60.0),
    ("分半鐘", 60.0),
];

impl Reader<'_, '_> {
    /// The unit behind a number: its dimension, its factor, the token behind it.
    pub(super) fn unit_behind(&self, number: &Number) -> Option<(Dimension, f64, usize)> {
        let mut at = number.end;
        if self.text(at) == "-" && self.glued(at) && self.glued(at + 1) {
            at += 1; // 24-hour
        } else if matches!(self.text(at), "de" | "d") && number.value >= 1e6 {
            at += 1 + usize::from(matches!(self.text(at + 1), "'" | "’")); // 12 millions d'euros
        } else if matches!(self.text(at), "+" | ")") && self.glued(at) {
            at += 1;
        }
        let token = self.tokens.get(at)?;
        let same_line = self.tokens.get(number.end - 1).is_some_and(|last| last.sentence == token.sentence);
        if !same_line {
            return None;
        }
        if matches!(self.language, Language::Chinese | Language::Japanese) && token.kind == Kind::Sign {
            return self.unit_in_signs(at).or_else(|| self.counter(at, number));
        }
        let text = self.text(at);
        if text == "°" && matches!(self.text(at + 1), "c" | "f") && self.glued(at + 1) {
            let dimension = if self.text(at + 1) == "c" { Dimension::Celsius } else { Dimension::Fahrenheit };
            return Some((dimension, 1.0, at + 2));
        }
        if matches!(text, "°" | "degrees" | "grad" | "degrés" | "grados") {
            match self.text(at + 1) {
                "celsius" => return Some((Dimension::Celsius, 1.0, at + 2)),
                "fahrenheit" => return Some((Dimension::Fahrenheit, 1.0, at + 2)),
                _ => {}
            }
        }
        if self.text(at + 1) == "/" && self.glued(at + 1) {
            let whole = self.low.get(token.span.0..self.tokens.get(at + 2)?.span.1)?;
            if let Some((dimension, factor)) = self.words.look_up(whole).unit {
                return Some((dimension, factor, at + 3));
            }
        }
        if matches!((text, self.text(at + 1)), ("pour", "cent") | ("por", "ciento")) {
            return Some((Dimension::Percent, 1.0, at + 2));
        }
        // A hundredth of a per cent.
        if matches!((text, self.text(at + 1)), ("basis", "point" | "points")) {
            return Some((Dimension::Percent, 0.01, at + 2));
        }
        if matches!(text, "bp" | "bps" | "basispunkt" | "basispunkte" | "basispunkten") {
            return Some((Dimension::Percent, 0.01, at + 1));
        }
        if text == "percentage" {
            return Some((Dimension::Percent, 1.0, at + 1 + usize::from(self.text(at + 1).starts_with("point"))));
        }
        if let Some(found) = self.squared(at) {
            return Some(found);
        }
        if let Some((dimension, factor)) = self.side(at) {
            return Some((dimension, factor, number.end));
        }
        // 5 business days: what kind of day is not compared.
        let skip = usize::from(matches!(
            text,
            "business" | "working" | "calendar" | "consecutive" | "full" | "us" | "u" | "swiss" | "schweizer"
        ));
        let skip = if skip == 0 && self.described(number, at) { 1 } else { skip };
        if let Some((dimension, factor)) = self.entry(at + skip).unit {
            // A working week is five working days.
            let worked = matches!(text, "business" | "working")
                && dimension == Dimension::Duration
                && factor.to_bits() == WEEK.to_bits();
            let factor = if worked { factor / 7.0 * 5.0 } else { factor };
            // "in 3 s" is three seconds, "three s" is nothing.
            let short = text.chars().nth(1).is_none() && text.bytes().all(|byte| byte.is_ascii_alphabetic());
            let coded = matches!(dimension, Dimension::Money(Currency::Other(_)));
            let end = at + skip + 1;
            if let Some((factor, end)) = self.an_hour(dimension, factor, end) {
                return Some((Dimension::Speed, factor, end));
            }
            return (!short && !coded || number.digits).then_some((dimension, factor, end));
        }
        None
    }

    /// `24 paid days`: a word of its own between a number and a unit of time.
    fn described(&self, number: &Number, at: usize) -> bool {
        let (word, next) = (self.entry(at), self.entry(at + 1));
        let plain = word.unit.is_none() && word.number.is_none() && word.scale.is_none();
        let small = word.is(SMALL | AND | ARTICLE | EVERY | FROM | TO | TIMES) || self.text(at).chars().count() < 4;
        let word_of_text = self.tokens.get(at).is_some_and(|token| token.kind == Kind::Word);
        let time = next.unit.is_some_and(|(dimension, factor)| dimension == Dimension::Duration && factor >= 60.0);
        let glued = self.glued(at) || self.glued(at + 1);
        word_of_text && plain && !small && time && !glued && number.value < 1000.0
    }

    /// `kilometres per hour`, `Kilometer pro Stunde`: metres a second, and the token behind.
    fn an_hour(&self, dimension: Dimension, factor: f64, at: usize) -> Option<(f64, usize)> {
        let every = self.entry(at).is(EVERY | ARTICLE);
        let (unit, seconds) = self.entry(at + 1).unit?;
        let speed = dimension == Dimension::Length && every && unit == Dimension::Duration && seconds <= 3600.0;
        speed.then_some((factor / seconds, at + 2))
    }

    /// `2.10 by 1.40 metres`: the unit of a length in a product whose last one alone has it.
    fn side(&self, at: usize) -> Option<(Dimension, f64)> {
        let times = matches!(self.text(at), "x" | "×" | "by" | "mal" | "por" | "sur");
        let number = self.tokens.get(at + 1).is_some_and(|token| token.kind == Kind::Number);
        if !times || !number {
            return None;
        }
        let unit = self.entry(at + 2).unit.filter(|(dimension, _)| *dimension == Dimension::Length);
        unit.or_else(|| self.side(at + 2))
    }

    /// `square metres`, `mètres carrés`, `cubic metres`.
    fn squared(&self, at: usize) -> Option<(Dimension, f64, usize)> {
        let (length, power) = match (self.text(at), self.text(at + 1)) {
            ("square" | "sq", _) => (at + 1, 2),
            ("cubic", _) => (at + 1, 3),
            (_, "carrés" | "carré" | "cuadrados" | "cuadrado") => (at, 2),
            (_, "cubes" | "cube" | "cúbicos" | "cúbico") => (at, 3),
            _ => return None,
        };
        let (dimension, factor) = self.entry(length).unit?;
        let end = at + 2;
        match (dimension, power) {
            (Dimension::Length, 2) => Some((Dimension::Area, factor * factor, end)),
            // A cubic metre is a thousand litres.
            (Dimension::Length, 3) => Some((Dimension::Volume, factor * factor * factor * 1e3, end)),
            _ => None,
        }
    }

    pub(super) fn unit_in_signs(&self, at: usize) -> Option<(Dimension, f64, usize)> {
        let from = self.tokens.get(at)?.span.0;
        let rest = self.low.get(from..)?;
        // The half behind these is added by whoever reads the number: 三个半小时, 六分半.
        let halved = HALVED.iter().find(|(phrase, _)| rest.starts_with(phrase));
        if let Some((_, factor)) = halved {
            return Some((Dimension::Duration, *factor, at + 1));
        }
        let (word, dimension, factor) = self.words.signs.iter().find(|(word, ..)| rest.starts_with(word))?;
        // 70年代: a decade.
        if rest.starts_with("年代") {
            return None;
        }
        let end = at + self.tokens.get(at..)?.iter().take_while(|token| token.span.1 <= from + word.len()).count();
        // 年 behind a year is read as a date.
        Some((*dimension, *factor, end))
    }

    /// A sign that counts things makes a single sign a number: 三个, 二つ.
    fn counter(&self, at: usize, number: &Number) -> Option<(Dimension, f64, usize)> {
        let counts = number.weak && number.value > 1.0 && super::bounds::COUNTERS.contains(self.text(at));
        counts.then_some((Dimension::Count, 1.0, number.end))
    }
}
