//! Times of day in four languages; those in signs are in [`super::calendar`].
//!
//! Invariant: a time without a half of the day may be in either; what cannot be a time is none.

use super::Measure;
use super::cursor::{Found, Reader, amount};
use super::units::Dimension;
use crate::language::Language;

/// A time of day; without a half it may be in the morning or in the afternoon.
pub(super) fn clock(hour: u32, minute: u32, half: Option<bool>) -> Option<Measure<'static>> {
    if hour > 24 || minute > 59 {
        return None;
    }
    let hour = match half {
        Some(afternoon) if hour <= 12 => hour % 12 + if afternoon { 12 } else { 0 },
        _ => hour,
    };
    let value = f64::from(hour * 60 + minute);
    let Measure::Amount(mut found) = amount(Dimension::Clock, value) else { return None };
    if half.is_none() && (1..=12).contains(&hour) {
        found.other = Some((value + 720.0) % 1440.0);
    }
    Some(Measure::Amount(found))
}

impl Reader<'_, '_> {
    /// `a` or `p` and the token behind `am`, `p.m.`.
    fn half(&self, at: usize) -> Option<(bool, usize)> {
        match self.text(at) {
            "am" if self.language == Language::English => Some((false, at + 1)),
            "pm" => Some((true, at + 1)),
            half @ ("a" | "p") if self.text(at + 1) == "." && self.text(at + 2) == "m" => {
                Some((half == "p", at + 3 + usize::from(self.text(at + 3) == "." && self.glued(at + 3))))
            }
            _ => None,
        }
    }

    /// `15:10`, `3:30 pm`, `3 pm`, `15.10 Uhr`, `15 h 10`, `15h`, `15 Uhr 10`.
    pub(super) fn time(&self, at: usize) -> Found {
        let ends = |end: usize| if matches!(self.text(end), "uhr" | "h" | "hrs") { end + 1 } else { end };
        let token = self.tokens.get(at)?;
        let whole = self.figure(at).filter(|_| self.size(at) <= 2);
        if let Some(hour) = whole {
            if self.text(at + 1) == ":" && self.glued(at + 1) && self.glued(at + 2) && self.size(at + 2) == 2 {
                let minute = self.figure(at + 2)?;
                let mut end = at + 3;
                if self.text(end) == ":" && self.glued(end) && self.size(end + 1) == 2 && self.figure(end + 1).is_some()
                {
                    end += 2;
                }
                let half = self.half(end).or_else(|| self.part_of_day(end));
                let end = half.map_or_else(|| ends(end), |(_, end)| end);
                return Some((clock(hour, minute, half.map(|(half, _)| half))?, end));
            }
            if let Some((half, end)) = self.half(at + 1).filter(|_| (1..=12).contains(&hour)) {
                return Some((clock(hour, 0, Some(half))?, end));
            }
            let minutes = |at: usize| self.figure(at).filter(|minute| *minute < 60 && self.size(at) == 2);
            match self.text(at + 1) {
                "uhr" => {
                    let minute = minutes(at + 2);
                    return Some((
                        clock(hour, minute.unwrap_or(0), (hour > 12).then_some(true))?,
                        at + 2 + usize::from(minute.is_some()),
                    ));
                }
                "h" | "heures" | "heure" if self.language == Language::French => {
                    if let Some(minute) = minutes(at + 2) {
                        return Some((clock(hour, minute, Some(hour >= 12))?, at + 3));
                    }
                    let before = at.checked_sub(1).map_or("", |before| self.text(before));
                    if matches!(before, "à" | "vers" | "dès" | "jusqu" | "avant" | "après") {
                        return Some((clock(hour, 0, Some(hour >= 12))?, at + 2));
                    }
                }
                _ => {}
            }
            let before = at.checked_sub(1).map_or("", |before| self.text(before));
            if self.language == Language::Spanish
                && matches!(before, "las" | "la")
                && self.entry(at + 1).unit.is_none_or(|_| self.text(at + 1) == "h")
            {
                let half = self.part_of_day(at + 1);
                let end = half.map_or_else(|| ends(at + 1), |(_, end)| end);
                return Some((clock(hour, 0, half.map(|(half, _)| half))?, end));
            }
        }
        // 15.10 Uhr, 15.10 h
        let text = self.low.get(token.span.0..token.span.1)?;
        let (hour, minute) = text.split_once('.')?;
        let timed = self.text(at + 1) == "uhr" || (self.text(at + 1) == "h" && self.language != Language::English);
        if timed
            && minute.len() == 2
            && let (Ok(hour), Ok(minute)) = (hour.parse::<u32>(), minute.parse::<u32>())
        {
            return Some((clock(hour, minute, Some(hour >= 12))?, at + 2));
        }
        None
    }

    /// `de la tarde`, `de la mañana`, `in the afternoon`.
    fn part_of_day(&self, at: usize) -> Option<(bool, usize)> {
        let words = [self.text(at), self.text(at + 1), self.text(at + 2)];
        match words {
            ["de", "la", "tarde" | "noche"] | ["in", "the", "afternoon" | "evening"] | ["de", "l", _] => {
                (words[1] != "l").then_some((true, at + 3))
            }
            ["de", "la", "mañana"] | ["in", "the", "morning"] => Some((false, at + 3)),
            _ => None,
        }
    }

    /// `halb vier`, `half past three`.
    pub(super) fn spoken_time(&self, at: usize) -> Found {
        let (hour, minute, end) = match (self.text(at), self.text(at + 1)) {
            ("halb", _) => (self.entry(at + 1).number? - 1.0, 30, at + 2),
            ("half", "past") => (self.entry(at + 2).number.or_else(|| self.figure(at + 2).map(f64::from))?, 30, at + 3),
            _ => return None,
        };
        let half = self.part_of_day(end);
        let end = half.map_or(end, |(_, end)| end);
        let found = ((0.0..=12.0).contains(&hour)).then(|| clock(hour as u32, minute, half.map(|(half, _)| half)));
        found.flatten().map(|found| (found, end))
    }
}
