//! Values: numbers, quantities, money, dates, times, identifiers and addresses of two texts, compared by what they
//! measure.
//!
//! A text of any of six languages is cut into tokens ([`tokens`]) and read once ([`read`]); the values of two texts are
//! held against each other over the whole texts ([`compare`]), not slot by slot.
//!
//! Invariants: equal quantities are equal however they are written; a value that one text merely leaves out is no
//! contradiction; every value keeps the bytes that it was read from; reading does not depend on the other text.

mod amounts;
mod bounds;
mod calendar;
mod clock;
mod codes;
mod compare;
mod cursor;
mod measured;
mod number_words;
mod numerals;
mod phrases;
mod read;
mod replaced;
mod same;
mod subject;
mod tokens;
mod trend;
mod units;
mod versions;
mod vocabulary;

pub(crate) use compare::Both;
pub(crate) use read::read;

use std::borrow::Cow;

use crate::facts::Span;
use bounds::Bound;
use trend::Trend;
use units::Dimension;

/// What kind of text a value is that is no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Email,
    Url,
    Version,
    /// Of an order, a product, a parcel, a person: letters and digits, or many digits.
    Identifier,
}

/// A quantity: a value, or the two ends of a range, in the base unit of its dimension.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amount {
    pub dimension: Dimension,
    /// The value; of a range the end that is written first.
    pub low: f64,
    /// The value; of a range the end that is written last.
    pub high: f64,
    /// The number as it is written, before its unit: what a number without a unit may be compared with.
    pub written: f64,
    /// Another reading of the same digits, in the base unit.
    pub other: Option<f64>,
    /// Half of the last decimal's place, in the base unit.
    pub precision: f64,
    /// The factor of the unit: a month and 30 days are written with two.
    pub factor: f64,
}

/// A calendar date; 0 where a part is not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    pub year: u32,
    pub month: u32,
    /// Of the month.
    pub number: u32,
    /// The month and the day may be the other way round.
    pub swapped: bool,
}

/// What a value says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Measure<'t> {
    Amount(Amount),
    Date(Day),
    Text(Form, Cow<'t, str>),
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Value<'t> {
    pub measure: Measure<'t>,
    pub bound: Bound,
    /// About, nearly: within 10 %.
    pub hedged: bool,
    /// Of a share: which way something went by so much.
    pub trend: Trend,
    pub span: Span,
    /// With the words of its bound.
    pub whole: Span,
    pub sentence: usize,
    /// Its first token, and the one after its last.
    pub tokens: Span,
}

impl Value<'_> {
    /// The kind that evidence names it by.
    pub fn kind(&self) -> &'static str {
        match &self.measure {
            Measure::Date(_) => "date",
            Measure::Text(Form::Url, _) => "url",
            Measure::Amount(amount) if matches!(amount.dimension, Dimension::Weekday | Dimension::Quarter) => "date",
            Measure::Amount(_) => "number",
            Measure::Text(..) => "code",
        }
    }
}
