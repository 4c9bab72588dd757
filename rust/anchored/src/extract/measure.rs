//! Numbers of the pass: digits and words become quantities, and take the scale and the unit that stand beside them.
//!
//! Invariant: a number gets at most one unit, and its span covers all that it was read from.

use std::borrow::Cow;

use super::Reader;
use crate::facts::{Entity, Kind, Span};
use crate::lexicon::{look_up, mark};
use crate::quantities::{Quantity, parse_number};

impl<'t> Reader<'t> {
    pub(super) fn number(&mut self, span: Span) {
        let (start, end) = span;
        let raw = self.cut(span);
        let Some((value, precision)) = parse_number(raw) else {
            self.whole(Kind::Name, Cow::Borrowed(raw), span);
            return;
        };
        let position = self.push(raw, span);
        if !raw.contains('.') && ["st", "nd", "rd", "th"].iter().any(|suffix| self.after(end).starts_with(suffix)) {
            self.entity(Kind::Number, Cow::Borrowed(""), position, Some(Quantity::new("ordinal", value)));
            return;
        }
        let year = raw.len() == 4 && raw.starts_with(['1', '2']) && raw.bytes().all(|digit| digit.is_ascii_digit());
        let currency = self.currency.take();
        let kind = currency.map_or(if year { "year" } else { "count" }, |(kind, _)| kind);
        let unit = currency.map_or(0, |(kind, _)| mark(kind));
        let quantity = Quantity { unit, precision, ..Quantity::new(kind, value) };
        self.entity(Kind::Number, Cow::Borrowed(""), position, Some(quantity));
        let sentence = self.closed.len();
        if let (Some((_, sign)), Some(made)) = (currency, self.entities.last_mut())
            && (made.sentence, made.position) == (sentence, position)
        {
            made.span = (sign.min(start), end);
        }
    }

    pub(super) fn spelled(&mut self, value: f64, end: usize) {
        let position = self.sentence.words.len() - 1;
        if let Some(before) = self.open_number(position)
            && before.key == "spelled"
            && let Some(quantity) = &mut before.quantity
            && quantity.kind == "count"
            && quantity.precision == 0.0
        {
            let known = quantity.value;
            let tens = (20.0..=90.0).contains(&(known % 100.0)) && known % 10.0 == 0.0 && value < 10.0;
            let hundreds = known >= 100.0 && known % 100.0 == 0.0 && value < 100.0;
            if tens || hundreds {
                quantity.value += value;
                before.span.1 = end;
                before.stop += 1;
                return;
            }
        }
        self.entity(Kind::Number, Cow::Borrowed("spelled"), position, Some(Quantity::new("count", value)));
    }

    /// The number whose last token stands right before the token at `position`.
    fn open_number(&mut self, position: usize) -> Option<&mut Entity<'t>> {
        let sentence = self.closed.len();
        self.entities
            .last_mut()
            .filter(|before| before.sentence == sentence && before.stop == position && before.kind == Kind::Number)
    }

    /// Whether a number's last token stands right before the token at `position`: only then can that be its unit.
    pub(super) fn counted(&mut self, position: usize) -> bool {
        self.open_number(position).is_some()
    }

    pub(super) fn scale(&mut self, low: &str, factor: f64, end: usize) -> bool {
        let position = self.sentence.words.len() - 1;
        let Some(before) = self.open_number(position) else { return false };
        let glued = before.span.1 + 1 == end;
        let Some(quantity) = &mut before.quantity else { return false };
        // 5m are metres, $5m are millions.
        if quantity.kind == "ordinal"
            || (matches!(low, "k" | "m") && !glued)
            || (low == "m" && !quantity.kind.starts_with("money"))
        {
            return false;
        }
        quantity.value *= factor;
        // "114 million" is rounded to the million, though its digits are whole.
        let written = if factor >= 1e6 && quantity.precision == 0.0 { 0.5 } else { quantity.precision };
        quantity.precision = written * factor;
        before.span.1 = end;
        before.stop += 1;
        true
    }

    /// Gives the open number this unit, which is the token just pushed.
    pub(super) fn measured(&mut self, name: &str, kind: &'static str, factor: f64, end: usize) -> bool {
        let position = self.sentence.words.len() - 1;
        let Some(before) = self.open_number(position) else { return false };
        let Some(quantity) = &mut before.quantity else { return false };
        let exact = quantity.kind == "temperature" && matches!(name, "celsius" | "fahrenheit");
        // "5 in" is five inches, "5 in the box" is not.
        if (!exact && !matches!(quantity.kind, "count" | "year")) || name == "in" {
            return false;
        }
        quantity.kind = kind;
        quantity.value *= factor;
        quantity.precision *= factor;
        quantity.unit = mark(name);
        before.span.1 = end;
        before.stop += 1;
        true
    }

    pub(super) fn unit(&mut self, span: Span) {
        let (start, end) = span;
        let low = self.cut(span);
        let Some((kind, factor)) = look_up(low).unit else { return };
        if matches!(low, "$" | "€" | "£" | "¥") {
            self.currency = Some((kind, start));
            let next = self.after(end);
            let closes = next.is_empty() || next.starts_with([' ', '.', ',']);
            let position = self.sentence.words.len();
            if let Some(before) = self.open_number(position)
                && before.span.1 == start
                && closes
                && let Some(quantity) = &mut before.quantity
            {
                quantity.kind = kind;
                quantity.unit = mark(kind);
                before.span.1 = end;
                self.currency = None;
            }
            return;
        }
        self.push(low, span);
        self.measured(low, kind, factor, end);
    }
}
