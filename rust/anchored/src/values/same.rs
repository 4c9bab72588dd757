//! When two values are the same, and when they are of one kind.
//!
//! Invariants: both are symmetric; a value is the same as itself; values that are the same are never in conflict.

use super::bounds::Bound;
use super::units::{Currency, Dimension};
use super::{Amount, Day, Form, Measure, Value};

/// The shortest unit of uneven length, in seconds.
const MONTH: f64 = 2_629_800.0;
const WEEK: f64 = 604_800.0;
const POUND: f64 = 453.592;
/// What is converted from one system of units into another is given in round numbers: 23 kg are 50 lb.
const ROUNDED: f64 = 0.025;

/// Whether two values can be the same.
pub(crate) fn same(one: &Value<'_>, other: &Value<'_>) -> bool {
    let hedged = one.hedged || other.hedged;
    match (&one.measure, &other.measure) {
        (Measure::Amount(mine), Measure::Amount(theirs)) => {
            amounts(mine, theirs, hedged) || next_to(one, other, mine, theirs) || next_to(other, one, theirs, mine)
        }
        (Measure::Date(mine), Measure::Date(theirs)) => dates(*mine, *theirs),
        (Measure::Date(day), Measure::Amount(amount)) | (Measure::Amount(amount), Measure::Date(day)) => {
            part_of_date(*day, amount)
        }
        (Measure::Text(Form::Identifier, mine), Measure::Text(Form::Identifier, theirs)) => {
            // Hyphens are set at will.
            let signs = |text: &str| text.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>();
            mine == theirs || signs(mine) == signs(theirs)
        }
        (Measure::Text(_, mine), Measure::Text(_, theirs)) => mine == theirs,
        (Measure::Text(_, text), Measure::Amount(amount)) | (Measure::Amount(amount), Measure::Text(_, text)) => {
            text.parse::<f64>().is_ok_and(|value| value.to_bits() == amount.written.to_bits())
        }
        _ => false,
    }
}

/// Whether two values of one kind are the same without any hedge: about 150 is not 148.
pub(crate) fn exactly(one: &Value<'_>, other: &Value<'_>) -> bool {
    match (&one.measure, &other.measure) {
        (Measure::Amount(mine), Measure::Amount(theirs)) => amounts(mine, theirs, false),
        (Measure::Date(mine), Measure::Date(theirs)) => dates(*mine, *theirs),
        (Measure::Text(..), Measure::Text(..)) => same(one, other),
        _ => false,
    }
}

/// Whether two values that are not the same exclude each other when they are said of one thing.
pub(crate) fn conflict(one: &Value<'_>, other: &Value<'_>) -> bool {
    match (&one.measure, &other.measure) {
        (Measure::Amount(mine), Measure::Amount(theirs)) => {
            let sum = |one: &Amount, other: &Amount| {
                one.dimension == Dimension::Count
                    && one.written >= 1e4
                    && matches!(other.dimension, Dimension::Money(_))
            };
            mine.dimension.group() == theirs.dimension.group() || sum(mine, theirs) || sum(theirs, mine)
        }
        (Measure::Date(_), Measure::Date(_)) => true,
        (Measure::Date(day), Measure::Amount(amount)) | (Measure::Amount(amount), Measure::Date(day)) => {
            amount.dimension == Dimension::Year && day.year > 0
        }
        (Measure::Text(mine, _), Measure::Text(theirs, _)) => mine == theirs,
        _ => false,
    }
}

/// Under six years is up to five, more than two is three or more.
fn next_to(one: &Value<'_>, other: &Value<'_>, mine: &Amount, theirs: &Amount) -> bool {
    let step = match (one.bound, other.bound) {
        (Bound::Below, Bound::Upper) => -1.0,
        (Bound::Above, Bound::Lower) => 1.0,
        _ => return false,
    };
    let whole = mine.written.fract() == 0.0 && theirs.written.fract() == 0.0;
    mine.dimension == theirs.dimension
        && mine.factor.to_bits() == theirs.factor.to_bits()
        && whole
        && (mine.written + step).to_bits() == theirs.written.to_bits()
}

fn dates(one: Day, other: Day) -> bool {
    let part = |mine: u32, theirs: u32| mine == theirs || mine == 0 || theirs == 0;
    let readings = |date: Day| {
        let turned = Day { month: date.number, number: date.month, ..date };
        [date, if date.swapped { turned } else { date }]
    };
    readings(one).iter().any(|mine| {
        readings(other).iter().any(|theirs| {
            part(mine.year, theirs.year) && part(mine.month, theirs.month) && part(mine.number, theirs.number)
        })
    })
}

/// Whether a number can be a part of a date: its year, its day, its quarter.
fn part_of_date(date: Day, amount: &Amount) -> bool {
    let is = |part: u32| part > 0 && (f64::from(part) - amount.written).abs() < f64::EPSILON;
    match amount.dimension {
        Dimension::Year => is(date.year),
        Dimension::Count => is(date.year) || is(date.number),
        Dimension::Quarter => date.month > 0 && is((date.month - 1) / 3 + 1),
        _ => false,
    }
}

fn amounts(one: &Amount, other: &Amount, hedged: bool) -> bool {
    use Dimension::{Count, Duration, Mass, Money, Ordinal, Percent, Period, Quarter, Year};
    let written = |mine: &Amount, theirs: &Amount| near(mine.written, theirs.written, 1e-9 * mine.written.abs());
    match (one.dimension, other.dimension) {
        (Money(mine), Money(theirs)) => currencies(mine, theirs) && ends(one, other, hedged) || cents(one, other),
        (Money(Currency::PoundOrMass), Mass) => near(one.written * POUND, other.low, ROUNDED * other.low.abs()),
        (Mass, Money(Currency::PoundOrMass)) => amounts(other, one, hedged),
        (Count | Year, Count | Year) | (Duration, Period) | (Period, Duration) => ends(one, other, hedged),
        (Count, Percent) | (Percent, Count) => {
            let (count, percent) = if one.dimension == Count { (one, other) } else { (other, one) };
            written(one, other) || near(count.low * 100.0, percent.low, percent.precision.max(1e-6))
        }
        (Count, Money(_)) | (Money(_), Count) if one.written.min(other.written) >= 1e4 => {
            written(one, other) || ends(one, other, hedged)
        }
        (Count, _) | (_, Count) => written(one, other) || clock_hour(one, other) || clock_hour(other, one),
        (Year | Quarter, Quarter | Year) | (Ordinal, Quarter) | (Quarter, Ordinal) => written(one, other),
        (mine, theirs) => mine.group() == theirs.group() && ends(one, other, hedged),
    }
}

fn clock_hour(clock: &Amount, count: &Amount) -> bool {
    clock.dimension == Dimension::Clock && near(clock.low, count.low * 60.0, 1e-6)
}

fn currencies(one: Currency, other: Currency) -> bool {
    use Currency::{Pound, PoundOrMass, Yen, YenOrYuan, Yuan};
    one == other
        || matches!((one, other), (YenOrYuan, Yen | Yuan) | (Yen | Yuan, YenOrYuan))
        || matches!((one, other), (PoundOrMass, Pound) | (Pound, PoundOrMass))
}

fn cents(one: &Amount, other: &Amount) -> bool {
    let cent = Dimension::Money(Currency::Cent);
    let pair = |mine: &Amount, theirs: &Amount| {
        mine.dimension == cent && theirs.dimension != cent && near(mine.low, theirs.low * 100.0, 1e-6)
    };
    pair(one, other) || pair(other, one)
}

/// Ranges agree in both ends; a single value agrees with either end.
fn ends(one: &Amount, other: &Amount, hedged: bool) -> bool {
    let single = |amount: &Amount| amount.low.to_bits() == amount.high.to_bits();
    let equal = |mine: f64, theirs: f64| close(one, other, mine, theirs, hedged);
    match (single(one), single(other)) {
        (true, true) => {
            equal(one.low, other.low)
                || one.other.is_some_and(|mine| equal(mine, other.low))
                || other.other.is_some_and(|theirs| equal(one.low, theirs))
        }
        (false, false) => {
            let moved = |mine: &Amount, by: f64, theirs: &Amount| {
                equal(mine.low + by, theirs.low) && equal(mine.high + by, theirs.high)
            };
            moved(one, 0.0, other)
                || one.other.is_some_and(|start| moved(one, start - one.low, other))
                || other.other.is_some_and(|start| moved(other, start - other.low, one))
        }
        _ => {
            equal(one.low, other.low)
                || equal(one.high, other.high)
                || equal(one.low, other.high)
                || equal(one.high, other.low)
        }
    }
}

/// Whether two numbers are one, rounded to the places that they are written with. Calendar units are uneven, other units
/// are converted into round numbers (5 miles are given as 8 km).
fn close(one: &Amount, other: &Amount, mine: f64, theirs: f64, hedged: bool) -> bool {
    let size = mine.abs().max(theirs.abs());
    let converted = one.factor.to_bits() != other.factor.to_bits();
    let mut allowed = one.precision.max(other.precision).max(1e-9 * size);
    match one.dimension {
        _ if hedged && !matches!(one.dimension, Dimension::Year | Dimension::Clock | Dimension::Weekday) => {
            allowed = allowed.max(0.1 * size);
        }
        Dimension::Duration | Dimension::Period if converted && one.factor.max(other.factor) >= MONTH => {
            allowed = allowed.max(if four_weeks(one, other) { 0.085 } else { 0.035 } * size);
        }
        Dimension::Count
        | Dimension::Duration
        | Dimension::Period
        | Dimension::Clock
        | Dimension::Year
        | Dimension::Ordinal => {}
        // Ovens are set to round degrees on either scale: 180 °C are given as 350 °F.
        Dimension::Celsius | Dimension::Fahrenheit | Dimension::Degrees if one.dimension != other.dimension => {
            allowed = allowed.max(if size > 120.0 { 4.6 } else { 0.6 });
        }
        Dimension::Bytes if converted && binary(mine, theirs) => return true,
        _ if converted && !metric(one.factor, other.factor) => allowed = allowed.max(ROUNDED * size),
        _ => {}
    }
    near(mine, theirs, allowed * (1.0 + 1e-9))
}

/// A course of twelve weeks takes three months: up to so many a month is given as four weeks.
const FOUR_WEEKS: f64 = 3.0;

fn four_weeks(one: &Amount, other: &Amount) -> bool {
    let weeks = |mine: &Amount, theirs: &Amount| {
        mine.factor.to_bits() == WEEK.to_bits()
            && theirs.factor.to_bits() == MONTH.to_bits()
            && theirs.written <= FOUR_WEEKS
            && (4.0 * theirs.written).to_bits() == mine.written.to_bits()
    };
    weeks(one, other) || weeks(other, one)
}

/// Whether one size is the other with thousands of 1,024: 2 GB and 2,048 MB.
fn binary(mine: f64, theirs: f64) -> bool {
    let steps = (mine / theirs).abs().ln().abs() / 1.024_f64.ln();
    (0.5..4.5).contains(&steps) && (steps - steps.round()).abs() < 1e-3
}

/// Whether one unit is the other times a power of ten: 4 g and 4,000 mg are exact.
fn metric(one: f64, other: f64) -> bool {
    let power = (one / other).abs().log10();
    (power - power.round()).abs() < 1e-9
}

fn near(one: f64, other: f64, allowed: f64) -> bool {
    (one - other).abs() <= allowed
}

/// Whether two texts of one form may be said of one thing: they are built alike, or share their host or their beginning.
pub(crate) fn built_alike(form: Form, one: &str, other: &str) -> bool {
    let shape = |text: &str| -> String {
        text.chars()
            .map(|letter| match letter {
                '0'..='9' => '0',
                letter if letter.is_alphabetic() => 'a',
                letter => letter,
            })
            .collect()
    };
    let host = |text: &str| text.rsplit('@').next().and_then(|text| text.split('/').next()).map(str::to_owned);
    match form {
        Form::Url | Form::Email => {
            host(one) == host(other) || one.split(['@', '.']).next() == other.split(['@', '.']).next()
        }
        Form::Identifier => shape(one) == shape(other),
        Form::Version => true,
    }
}
