//! Numbers, dates and times, each normalised to one comparable value.
//!
//! Invariant: two ways to write the same quantity compare as equal (`30 days` and `thirty days`, `1.5 km` and `1500 m`,
//! `3 pm` and `15:00`, `March 5, 2024` and `2024-03-05`); a number never compares with one of another kind.

/// A normalised quantity.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quantity {
    /// What may be compared with what: `length`, `money:usd`, `percent`, `date`, `count`, ...
    pub kind: &'static str,
    pub value: f64,
    /// The mark of what is written, so that 30 and 31 days stay apart while 30 days and a month may meet.
    pub unit: u64,
    /// Half of the last digit's place, in the value's unit: 4.5 stands for 4.45 to 4.55.
    pub precision: f64,
    /// Year, month, day of a date; 0 where not said.
    pub date: (u32, u32, u32),
    /// The month and the day may be the other way round.
    pub swapped: bool,
}

impl Quantity {
    pub fn new(kind: &'static str, value: f64) -> Self {
        Self { kind, value, unit: 0, precision: 0.0, date: (0, 0, 0), swapped: false }
    }

    /// A calendar date; `None` when there is no such month or day.
    pub fn date(year: u32, month: u32, day: u32, swapped: bool) -> Option<Self> {
        let real = (1..=12).contains(&month) && day <= 31;
        real.then(|| Self { date: (year, month, day), swapped, ..Self::new("date", 0.0) })
    }

    /// `03/05/2024`, of which either may be the month.
    pub fn ambiguous(first: u32, second: u32, year: u32) -> Option<Self> {
        let year = if year < 100 { year + if year < 70 { 2000 } else { 1900 } } else { year };
        if first <= 12 {
            Self::date(year, first, second, second <= 12 && first != second)
        } else {
            Self::date(year, second, first, false)
        }
    }

    /// A time of day in minutes; `half` is `a` or `p`.
    pub fn clock(hour: u32, minute: u32, half: Option<u8>) -> Option<Self> {
        let hour = match half {
            Some(half) => hour % 12 + if half.eq_ignore_ascii_case(&b'p') { 12 } else { 0 },
            None => hour,
        };
        (hour < 25 && minute < 60).then(|| Self::new("time", f64::from(hour * 60 + minute)))
    }

    /// What may be compared with it, without the part that must then be equal.
    pub fn group(&self) -> &'static str {
        self.kind.split_once(':').map_or(self.kind, |(group, _)| group)
    }

    fn readings(&self) -> [(u32, u32, u32); 2] {
        let (year, month, day) = self.date;
        [self.date, if self.swapped { (year, day, month) } else { self.date }]
    }
}

/// Value and precision of digits such as `1,200.50`.
pub(crate) fn parse_number(text: &str) -> Option<(f64, f64)> {
    // 0,7: no thousands stand behind a zero.
    let pointed = text.strip_prefix("0,").map(|decimals| format!("0.{decimals}"));
    let plain: String = pointed
        .as_deref()
        .unwrap_or(text)
        .chars()
        .filter(|letter| !matches!(letter, ',' | '_' | '\u{202f}'))
        .map(|letter| if letter == '−' { '-' } else { letter })
        .collect();
    let value: f64 = plain.parse().ok()?;
    let precision = plain.split_once('.').map_or(0.0, |(_, decimals)| 0.5 * 10_f64.powi(-(decimals.len() as i32)));
    Some((value, precision))
}

const WEEK: f64 = 604_800.0;

/// Whether two quantities of one kind can be the same.
///
/// Numbers agree when one is the other rounded to the places that it is written with; `hedged` (about, nearly) allows
/// 10 %. Calendar units are uneven, so durations of a week or more agree within 3 % when their units differ (a month is
/// 30 or 31 days). Dates agree when no part that both say differs.
pub(crate) fn agrees(one: &Quantity, other: &Quantity, hedged: bool) -> bool {
    if one.kind == "date" {
        return one.readings().iter().any(|mine| other.readings().iter().any(|theirs| same_date(*mine, *theirs)));
    }
    let gap = (one.value - other.value).abs();
    let size = one.value.abs().max(other.value.abs());
    let mut allowed = one.precision.max(other.precision).max(1e-9 * size);
    if hedged {
        allowed = allowed.max(0.1 * size);
    } else if one.unit != other.unit && one.kind == "duration" && size >= WEEK {
        allowed = allowed.max(0.03 * size);
    } else if one.unit != other.unit && one.kind != "count" && one.kind != "duration" {
        allowed = allowed.max(0.025 * size); // 5 miles are given as 8 km, 50 pounds as 23 kg
    }
    gap <= allowed * (1.0 + 1e-9)
}

fn same_date(mine: (u32, u32, u32), theirs: (u32, u32, u32)) -> bool {
    let part = |left: u32, right: u32| left == right || left == 0 || right == 0;
    part(mine.0, theirs.0) && part(mine.1, theirs.1) && part(mine.2, theirs.2)
}
