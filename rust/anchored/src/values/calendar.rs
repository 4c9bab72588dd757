//! Dates, weekdays and quarters in six languages; times of day are in [`super::clock`].
//!
//! Invariant: a form that has two readings (`03/05/2024`) is marked so; what cannot be a date or a time is none.

use super::clock::clock;
use super::cursor::{Found, Reader, amount};
use super::number_words::ORDINALS;
use super::numerals::{self, digits};
use super::tokens::Kind;
use super::units::Dimension;
use super::{Day, Measure};
use crate::language::Language;

fn date(year: u32, month: u32, day: u32, swapped: bool) -> Option<Measure<'static>> {
    let real = month <= 12 && day <= 31 && (month > 0 || year > 0);
    real.then_some(Measure::Date(Day { year, month, number: day, swapped }))
}

impl Reader<'_, '_> {
    /// A date, a time, a weekday or a quarter that begins at a token.
    pub(super) fn calendar(&self, at: usize) -> Found {
        let token = self.tokens.get(at)?;
        match token.kind {
            Kind::Number => self
                .numeric_date(at)
                .or_else(|| self.eastern(at))
                .or_else(|| self.day_and_month(at))
                .or_else(|| self.time(at)),
            Kind::Word => self
                .month_and_day(at)
                .or_else(|| self.weekday(at))
                .or_else(|| self.quarter(at))
                .or_else(|| self.spoken_time(at)),
            Kind::Sign => self.eastern(at).or_else(|| self.eastern_day(at)),
            Kind::Mark => None,
        }
    }

    /// One to four plain digits.
    pub(super) fn figure(&self, at: usize) -> Option<u32> {
        let token = self.tokens.get(at).filter(|token| token.kind == Kind::Number)?;
        let text = self.low.get(token.span.0..token.span.1)?;
        text.chars().try_fold(0, |sum: u32, letter| {
            super::tokens::digit(letter).filter(|_| sum < 10_000).map(|digit| sum * 10 + digit)
        })
    }

    pub(super) fn size(&self, at: usize) -> usize {
        self.tokens.get(at).map_or(0, |token| token.span.1 - token.span.0)
    }

    /// `2024-03-05`, `05/03/2024`, `5.3.2024`.
    fn numeric_date(&self, at: usize) -> Found {
        let text = self.text(at);
        let parts: Vec<&str> = text.split('.').collect();
        if let [one, two, three] = parts.as_slice()
            && three.len() == 4
            && let (Ok(day), Ok(month), Ok(year)) = (one.parse(), two.parse(), three.parse())
        {
            return Some((date(year, month, day, false)?, at + 1));
        }
        let mark = self.text(at + 1);
        let joined =
            (1..=4).all(|step| self.glued(at + step)) && matches!(mark, "-" | "/") && mark == self.text(at + 3);
        if !joined {
            return None;
        }
        let (one, two, three) = (self.figure(at)?, self.figure(at + 2)?, self.figure(at + 4)?);
        if self.size(at) == 4 {
            return Some((date(one, two, three, false)?, at + 5));
        }
        let year = match self.size(at + 4) {
            4 => three,
            2 => three + if three < 70 { 2000 } else { 1900 },
            _ => return None,
        };
        if mark == "-" && self.size(at + 4) != 4 {
            return None;
        }
        if one > 12 {
            return Some((date(year, two, one, false)?, at + 5));
        }
        // English may mean either; other languages write the day first.
        let open = self.language == Language::English && two <= 12 && one != two;
        let measure =
            if self.language == Language::English { date(year, one, two, open) } else { date(year, two, one, false) };
        Some((measure?, at + 5))
    }

    fn month(&self, at: usize) -> Option<u32> {
        let known = self.entry(at).month;
        (known > 0).then_some(u32::from(known))
    }

    fn year(&self, at: usize) -> Option<u32> {
        self.figure(at).filter(|year| self.size(at) == 4 && *year >= 1000)
    }

    /// A year behind a date, with `,`, `of`, `de` or `del` before it.
    fn year_behind(&self, at: usize) -> (u32, usize) {
        for skip in 0..=1 {
            let between = skip == 0 || matches!(self.text(at), "," | "of" | "de" | "del" | ".");
            if between && let Some(year) = self.year(at + skip) {
                return (year, at + skip + 1);
            }
        }
        (0, at)
    }

    /// `3. März 2024`, `3rd of March`, `3 de marzo de 2024`, `1er mars`.
    fn day_and_month(&self, at: usize) -> Found {
        let day = self.figure(at).filter(|day| (1..=31).contains(day) && self.size(at) <= 2)?;
        let mut next = at + 1;
        if self.glued(next) && matches!(self.text(next), "." | "st" | "nd" | "rd" | "th" | "er" | "º") {
            next += 1;
        }
        if matches!(self.text(next), "of" | "de") {
            next += 1;
        }
        let month = self.month(next)?;
        let mut behind = next + 1;
        if self.text(behind) == "." && self.glued(behind) && self.size(next) <= 5 {
            behind += 1;
        }
        let (year, end) = self.year_behind(behind);
        Some((date(year, month, day, false)?, if end == behind { next + 1 } else { end }))
    }

    /// `March 5th, 2024`, `March 2024`, `in March`.
    fn month_and_day(&self, at: usize) -> Found {
        let month = self.month(at)?;
        let mut next = at + 1;
        if self.text(next) == "." && self.glued(next) && self.size(at) <= 5 {
            next += 1;
        }
        let clock = matches!(self.text(next + 1), ":" | "%") || self.entry(next + 1).unit.is_some();
        if let Some(day) = self.figure(next).filter(|day| (1..=31).contains(day) && self.size(next) <= 2 && !clock) {
            let ordinal = self.glued(next + 1) && matches!(self.text(next + 1), "st" | "nd" | "rd" | "th");
            let behind = next + 1 + usize::from(ordinal);
            let (year, end) = self.year_behind(behind);
            return Some((date(year, month, day, false)?, end));
        }
        let (year, end) = self.year_behind(next);
        if year > 0 {
            return Some((date(year, month, 0, false)?, end));
        }
        // "July 82" is no July.
        if self.figure(next).is_some() && self.size(next) <= 2 && !clock {
            return None;
        }
        // Alone it may be another word: May, March, mars, Mar.
        let before = at.checked_sub(1).map_or("", |before| self.text(before));
        let dated = matches!(
            before,
            "in" | "of"
                | "by"
                | "until"
                | "since"
                | "from"
                | "im"
                | "ab"
                | "bis"
                | "seit"
                | "en"
                | "de"
                | "desde"
                | "hasta"
                | "fin"
                | "début"
                | "early"
                | "late"
                | "next"
                | "last"
                | "anfang"
                | "ende"
                | "mitte"
        );
        let doubtful = matches!(
            self.text(at),
            "may" | "march" | "mars" | "mar" | "mai" | "jan" | "dec" | "sep" | "dic" | "ago" | "ene"
        );
        (self.size(at) > 3 && (!doubtful || dated) || doubtful && dated && self.capital(at))
            .then(|| date(0, month, 0, false))
            .flatten()
            .map(|found| (found, at + 1))
    }

    fn weekday(&self, at: usize) -> Found {
        let day = self.entry(at).weekday;
        (day > 0).then(|| (amount(Dimension::Weekday, f64::from(day)), at + 1))
    }

    /// `Q3`, `T3`, `third quarter`, `3. Quartal`, `troisième trimestre`, `tercer trimestre`.
    fn quarter(&self, at: usize) -> Found {
        let found = |number: u32, end: usize| {
            (1..=4).contains(&number).then(|| (amount(Dimension::Quarter, f64::from(number)), end))
        };
        if matches!(self.text(at), "q" | "t") && self.glued(at + 1) {
            return self
                .figure(at + 1)
                .filter(|_| self.size(at + 1) == 1 && (self.text(at) == "q" || self.trimester()))
                .and_then(|number| found(number, at + 2));
        }
        // Few words stand before one of these; only then is a look at all the ordinals worth its time.
        if !matches!(self.text(at + 1), "quarter" | "quartal" | "quartals" | "trimestre") {
            return None;
        }
        let word = self.text(at);
        let number = (1..).zip(ORDINALS).find(|(_, words)| words.split(' ').any(|known| known == word))?.0;
        found(number, at + 2)
    }

    /// Whether a quarter is written with a T.
    fn trimester(&self) -> bool {
        matches!(self.language, Language::French | Language::Spanish)
    }

    /// A number in digits or signs, and the token behind it.
    pub(super) fn eastern_number(&self, at: usize) -> Option<(f64, usize)> {
        if let Some(token) = self.tokens.get(at).filter(|token| token.kind == Kind::Number) {
            let found = digits(self.low.get(token.span.0..token.span.1)?, self.language)?;
            return Some((found.value, at + 1));
        }
        let mut end = at;
        while self.tokens.get(end).is_some_and(|token| token.kind == Kind::Sign)
            && self
                .letter(end)
                .is_some_and(|letter| numerals::sign(letter).is_some() || numerals::multiplier(letter).is_some())
        {
            end += 1;
        }
        let text = self.low.get(self.tokens.get(at)?.span.0..self.tokens.get(end.checked_sub(1)?)?.span.1)?;
        (end > at).then(|| numerals::signs(text)).flatten().map(|value| (value, end))
    }

    fn letter(&self, at: usize) -> Option<char> {
        self.text(at).chars().next()
    }

    /// `2024年3月3日`, `3月3日`, `15時10分`, `3点半`, `第三季度`.
    fn eastern(&self, at: usize) -> Found {
        if !matches!(self.language, Language::Chinese | Language::Japanese) {
            return None;
        }
        let half = at.checked_sub(2).and_then(|from| {
            let word = self.low.get(self.tokens.get(from)?.span.0..self.tokens.get(from + 1)?.span.1)?;
            match word {
                "下午" | "晚上" | "午後" | "中午" => Some(true),
                "上午" | "早上" | "午前" | "凌晨" => Some(false),
                _ => None,
            }
        });
        let (first, next) = self.eastern_number(at)?;
        let whole = |value: f64| (value.fract() == 0.0 && (0.0..10_000.0).contains(&value)).then_some(value as u32);
        let part = |at: usize, unit: &[&str]| -> Option<(u32, usize)> {
            let (value, next) = self.eastern_number(at)?;
            unit.contains(&self.text(next)).then(|| whole(value).map(|value| (value, next + 1))).flatten()
        };
        match self.text(next) {
            "年" if first >= 1000.0 => {
                let year = whole(first)?;
                let Some((month, behind)) = part(next + 1, &["月"]) else {
                    return Some((amount(Dimension::Year, first), next + 1));
                };
                let (day, end) = part(behind, &["日", "号"]).unwrap_or((0, behind));
                Some((date(year, month, day, false)?, end))
            }
            "月" if (1.0..=12.0).contains(&first) => {
                let (day, end) = part(next + 1, &["日", "号"]).unwrap_or((0, next + 1));
                Some((date(0, whole(first)?, day, false)?, end))
            }
            "時" | "点" | "點" | "时" if self.text(next + 1) != "間" && self.text(next + 1) != "间" => {
                let hour = whole(first)?;
                if self.text(next + 1) == "半" {
                    return Some((clock(hour, 30, half.or((hour > 12).then_some(true)))?, next + 2));
                }
                let (minute, end) = part(next + 1, &["分"]).unwrap_or((0, next + 1));
                Some((clock(hour, minute, half.or((hour > 12).then_some(true)))?, end))
            }
            "季" if self.text(next + 1) == "度" && at > 0 && self.text(at - 1) == "第" => {
                Some((amount(Dimension::Quarter, first), next + 2))
            }
            _ => None,
        }
    }

    /// `星期一`, `周五`, `月曜日`.
    fn eastern_day(&self, at: usize) -> Found {
        let number = |letter: &str| match letter {
            "一" | "月" => Some(1.0),
            "二" | "火" => Some(2.0),
            "三" | "水" => Some(3.0),
            "四" | "木" => Some(4.0),
            "五" | "金" => Some(5.0),
            "六" | "土" => Some(6.0),
            "日" | "天" => Some(7.0),
            _ => None,
        };
        let found = |day: f64, end: usize| Some((amount(Dimension::Weekday, day), end));
        match self.language {
            Language::Japanese if self.text(at + 1) == "曜" => {
                found(number(self.text(at))?, at + 2 + usize::from(self.text(at + 2) == "日"))
            }
            Language::Chinese if matches!((self.text(at), self.text(at + 1)), ("星", "期") | ("礼", "拜")) => {
                found(number(self.text(at + 2))?, at + 3)
            }
            Language::Chinese
                if self.text(at) == "周" && at.checked_sub(1).is_none_or(|before| self.text(before) != "一") =>
            {
                found(number(self.text(at + 1))?, at + 2)
            }
            _ => None,
        }
    }
}
