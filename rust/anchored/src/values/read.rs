//! Reads the values of a text: the cursor over its tokens, and how neighbours join (ranges, compound durations, periods).
//!
//! Invariants: the cursor only goes forward; a token belongs to one value at most; at most [`MOST_VALUES`] are kept, and
//! what is left out is marked.

use super::bounds::{Bound, bound, counted_back, denies, hedged};
use super::codes::code;
use super::cursor::Reader;
use super::phrases;
use super::subject::Subjects;
use super::tokens::{Kind, tokens};
use super::trend::{Trend, trend};
use super::units::Dimension;
use super::vocabulary::{AND, ARTICLE, EVERY, Entry, FROM, PHRASE, TIMES, TO, UNKNOWN, vocabulary};
use super::{Amount, Measure, Value};
use crate::facts::Span;
use crate::language::Language;

/// So many values of a text are compared.
pub(crate) const MOST_VALUES: usize = 256;

/// The values of a text, and what stands around them.
pub(crate) struct Reading<'t> {
    pub values: Vec<Value<'t>>,
    pub subjects: Subjects<'t>,
    pub sentences: usize,
    /// There were more tokens or values than are read.
    pub cut: bool,
}

/// Reads the values of a text in a language; `low` is its lower-case form, byte for byte beside `text`.
pub(crate) fn read<'t>(text: &'t str, low: &'t str, language: Language) -> Reading<'t> {
    let (tokens, whole) = tokens(low);
    let words = vocabulary(language);
    let entries: Vec<&'static Entry> = tokens
        .iter()
        .map(|token| match token.kind {
            Kind::Word | Kind::Mark => words.look_up(low.get(token.span.0..token.span.1).unwrap_or("")),
            Kind::Number | Kind::Sign => &UNKNOWN,
        })
        .collect();
    let mut reader =
        Reader { text, low, language, words, tokens: &tokens, entries: &entries, values: Vec::with_capacity(8) };
    let full = reader.run();
    let values = reader.values;
    let sentences = tokens.last().map_or(0, |token| token.sentence + 1);
    let subjects = Subjects::new(low, tokens, entries);
    Reading { values, subjects, sentences, cut: full || !whole }
}

impl<'t> Reader<'_, 't> {
    /// Reads all; whether there were more values than are kept.
    fn run(&mut self) -> bool {
        let mut at = 0;
        while at < self.tokens.len() {
            if self.values.len() >= MOST_VALUES {
                return true;
            }
            at = self.take(at).max(at + 1);
        }
        false
    }

    /// Reads the value that begins at a token, if any; the token behind it.
    fn take(&mut self, at: usize) -> usize {
        let Some(token) = self.tokens.get(at) else { return at };
        let numeric = token.kind == Kind::Number;
        let known = self.entry(at).opens;
        if token.kind == Kind::Word && !known && !self.may_open(at) {
            return at + 1;
        }
        // Of the marks in ASCII, signs and units begin a value.
        let first = self.low.as_bytes().get(token.span.0).copied().unwrap_or(0);
        if token.kind == Kind::Mark && !known && first.is_ascii() && !matches!(first, b'+' | b'-') {
            return at + 1;
        }
        if numeric && (self.numbers_a_list(at) || self.numbers_a_step(at)) {
            return at + 1;
        }
        if (numeric || token.kind == Kind::Word || self.text(at) == "+")
            && let Some((form, text, end)) = code(self.low, self.tokens, at)
        {
            self.push(Measure::Text(form, text), at, end);
            return end;
        }
        if let Some((measure, end)) = self.phrase(at) {
            self.push(measure, at, end);
            return end;
        }
        if let Some((measure, end)) = self.calendar(at) {
            self.push(measure, at, end);
            return end;
        }
        if let Some((amount, end)) = self.amount(at) {
            self.push(Measure::Amount(amount), at, end);
            return end;
        }
        at + 1
    }

    /// Whether a word that is not known may begin a value: a code, an address, a German number in one word.
    fn may_open(&self, at: usize) -> bool {
        let joined = self.glued(at + 1)
            && self.tokens.get(at + 1).is_some_and(|next| {
                next.kind == Kind::Number || matches!(self.text(at + 1), "-" | "_" | "@" | "." | ":" | "+")
            });
        joined || self.language == Language::German && self.text(at).len() >= 7
    }

    /// `1.` or `2)` at the beginning of a line: a place in a list, no value.
    fn numbers_a_list(&self, at: usize) -> bool {
        let marked = matches!(self.text(at + 1), "." | ")" | "、" | "．") && self.glued(at + 1);
        let Some(token) = self.tokens.get(at).filter(|token| marked && token.span.1 - token.span.0 <= 2) else {
            return false;
        };
        let line = self.low.get(..token.span.0).unwrap_or("").rsplit('\n').next().unwrap_or("");
        line.chars().all(|letter| letter.is_whitespace() || matches!(letter, '#' | '*' | '-' | '>' | '_' | '|' | '('))
    }

    /// `Step 2`, `Schritt 2`: a place in an order, no value.
    fn numbers_a_step(&self, at: usize) -> bool {
        matches!(self.before(at, 1), "step" | "schritt" | "étape" | "paso" | "option" | "tip")
            || (self.before(at, 1) == "骤" && self.before(at, 2) == "步")
            || (self.before(at, 1) == "プ" && self.before(at, 2) == "ッ")
    }

    /// What a phrase says: `half an hour`.
    fn phrase(&self, at: usize) -> Option<(Measure<'t>, usize)> {
        let token = self.tokens.get(at)?;
        let eastern = matches!(self.language, Language::Chinese | Language::Japanese) && token.kind != Kind::Word;
        if !eastern && !self.entry(at).is(PHRASE) {
            return None;
        }
        let (dimension, value, bytes) = phrases::phrase(self.low.get(token.span.0..)?, self.language)?;
        let stop = token.span.0 + bytes;
        let end = at + self.tokens.get(at..)?.iter().take_while(|token| token.span.1 <= stop).count();
        let precision = if dimension == Dimension::Percent { 0.5 } else { 0.0 };
        let amount = Amount { dimension, low: value, high: value, written: value, other: None, precision, factor: 1.0 };
        (end > at).then_some((Measure::Amount(amount), end))
    }

    /// Keeps a value, or joins it to the one before it.
    fn push(&mut self, measure: Measure<'t>, at: usize, end: usize) {
        let (Some(first), Some(last)) =
            (self.tokens.get(at), end.checked_sub(1).and_then(|last| self.tokens.get(last)))
        else {
            return;
        };
        let (start, stop, sentence) = (first.span.0, last.span.1, first.sentence);
        let mut measure = measure;
        if let Measure::Amount(amount) = &mut measure {
            if self.recurs(amount, at, end) {
                (amount.dimension, amount.other) = (Dimension::Period, None);
            }
            if self.join(amount, at, end) {
                return;
            }
        }
        let (bound, from, to) = match &measure {
            Measure::Amount(_) => self.bounded(start, stop, at, end),
            _ => (Bound::None, start, stop),
        };
        let hedged = hedged(self.low, from);
        let trend = self.trend(&mut measure, (start, stop), sentence);
        let value = Value {
            measure,
            bound,
            hedged,
            trend,
            span: (start, stop),
            whole: (from, to),
            sentence,
            tokens: (at, end),
        };
        self.values.push(value);
    }

    /// Which way a share or a sum went; a share that fell may be written with a minus elsewhere.
    fn trend(&self, measure: &mut Measure<'t>, (start, stop): Span, sentence: usize) -> Trend {
        let Measure::Amount(amount) = measure else { return Trend::Open };
        let share = amount.dimension == Dimension::Percent;
        if !share && !matches!(amount.dimension, Dimension::Money(_)) {
            return Trend::Open;
        }
        if share && amount.low < 0.0 {
            return Trend::Down;
        }
        let first = self.tokens.partition_point(|token| token.sentence < sentence);
        let opens = self.tokens.get(first).map_or(start, |token| token.span.0);
        let from = self.values.last().map_or(opens, |last| last.span.1.max(opens)).min(start);
        let found = trend(self.low.get(from..start).unwrap_or(""), self.low.get(stop..).unwrap_or(""));
        if share && found == Trend::Down && amount.other.is_none() {
            amount.other = Some(-amount.low);
        }
        found
    }

    /// Whether a duration says how often: `every 6 hours`, `per month`, `a week` behind a value.
    fn recurs(&self, amount: &Amount, at: usize, end: usize) -> bool {
        if amount.dimension != Dimension::Duration {
            return false;
        }
        // 6時間ごと, 6時間おき
        if matches!((self.text(end), self.text(end + 1)), ("ご", "と") | ("お", "き")) {
            return true;
        }
        let article = self.entry(at).is(ARTICLE);
        let bare = at > 0 && self.entry(at).unit.is_some();
        let before = at.checked_sub(1).map_or(&UNKNOWN, |position| self.entry(position));
        if before.is(EVERY) || (self.before(at, 1) == "les" && matches!(self.before(at, 2), "toutes" | "tous")) {
            // "por 3 horas", "par 2 jours" are no periods.
            return bare || article || !matches!(self.before(at, 1), "por" | "par" | "al" | "per");
        }
        if bare && self.before(at, 1) == "/" {
            return true;
        }
        let behind_value = self.values.last().is_some_and(|last| last.tokens.1 == at);
        let counted = before.is(TIMES) || matches!(self.before(at, 1), "once" | "twice" | "einmal");
        article && (behind_value || counted)
    }

    /// Joins an amount to the value before it: a range, a compound duration, so many times in a period.
    fn join(&mut self, amount: &mut Amount, at: usize, end: usize) -> bool {
        let stop = end.checked_sub(1).and_then(|last| self.tokens.get(last)).map(|token| token.span.1);
        let sentence = self.tokens.get(at).map(|token| token.sentence);
        let Some(last) = self.values.last().filter(|last| Some(last.sentence) == sentence) else { return false };
        let Measure::Amount(known) = last.measure else { return false };
        let (from, until) = last.tokens;
        let gap = at - until;
        let joined = self
            .compound(&known, amount, until, gap)
            .or_else(|| self.times(&known, amount, until, gap))
            .or_else(|| self.range(&known, amount, from, until, at));
        let (Some(joined), Some(stop), Some(last)) = (joined, stop, self.values.last_mut()) else { return false };
        last.measure = Measure::Amount(joined);
        last.span.1 = stop;
        last.tokens.1 = end;
        let start = last.span.0;
        let (bound, first, to) = self.bounded(start, stop, from, end);
        if let Some(last) = self.values.last_mut() {
            if last.bound == Bound::None {
                last.bound = bound;
            }
            last.whole = (last.whole.0.min(first), to.max(stop));
        }
        true
    }

    /// The bound of the value between two bytes, of the tokens from `at` to `end`; none where the sentence denies
    /// something or the value is counted back from a time.
    fn bounded(&self, start: usize, stop: usize, at: usize, end: usize) -> (Bound, usize, usize) {
        let (found, from, to) = bound(self.low, start, stop);
        if found == Bound::None {
            return (found, from, to);
        }
        let sentence = self.tokens.get(at).map_or(0, |token| token.sentence);
        let first = (0..at).rev().take_while(|at| self.tokens.get(*at).is_some_and(|token| token.sentence == sentence));
        let first = first.last().and_then(|at| self.tokens.get(at)).map_or(start, |token| token.span.0);
        let last = (end..self.tokens.len())
            .take_while(|at| self.tokens.get(*at).is_some_and(|token| token.sentence == sentence));
        let last = last.last().and_then(|at| self.tokens.get(at)).map_or(stop, |token| token.span.1);
        let before = self.low.get(first.min(from)..from).unwrap_or("");
        let behind = self.low.get(to..last.max(to)).unwrap_or("");
        let back = matches!(found, Bound::Upper | Bound::Below) && counted_back(behind);
        let known = !back && !denies(before, behind, self.language);
        (if known { found } else { Bound::None }, from, to)
    }

    /// `2 hours and 15 minutes`, `2 h 15 min`.
    fn compound(&self, known: &Amount, amount: &Amount, until: usize, gap: usize) -> Option<Amount> {
        let joint = gap == 0 || (gap == 1 && (self.entry(until).is(AND) || self.text(until) == ","));
        let parts = known.dimension == Dimension::Duration
            && amount.dimension == Dimension::Duration
            && known.low.to_bits() == known.high.to_bits()
            && known.factor > amount.factor
            && amount.high < known.factor;
        let sum = known.low + amount.low;
        (joint && parts).then_some(Amount { low: sum, high: sum, factor: amount.factor, ..*known })
    }

    /// `three times a day`, `twice daily`, `1日3回`.
    fn times(&self, known: &Amount, amount: &Amount, until: usize, gap: usize) -> Option<Amount> {
        let often = |period: &Amount, count: f64| {
            let seconds = period.low / count;
            (count >= 1.0).then_some(Amount { low: seconds, high: seconds, written: count, ..*period })
        };
        let spoken = usize::from(self.entry(until).is(TIMES));
        let whole = spoken == 1 || self.before(until, 1) == "twice" || self.before(until, 1).ends_with("mal");
        let counted = whole && gap == spoken + usize::from(gap > spoken && self.entry(until + spoken).is(EVERY));
        if known.dimension == Dimension::Count && amount.dimension == Dimension::Period && counted {
            return often(amount, known.low);
        }
        let single = known.dimension == Dimension::Period
            || known.dimension == Dimension::Duration && known.low.to_bits() == known.factor.to_bits();
        let behind = amount.dimension == Dimension::Count && gap == 0;
        let again = matches!(self.text(until + 1), "次" | "回") || matches!(self.text(until + 2), "次" | "回");
        (single && behind && again)
            .then(|| often(&Amount { dimension: Dimension::Period, ..*known }, amount.low))
            .flatten()
    }

    /// `から`, `到`, `至` between two values, with `午後`, `晚上` and the like behind it.
    fn eastern_joint(&self, until: usize, at: usize) -> bool {
        let joint = match (self.text(until), self.text(until + 1)) {
            ("か", "ら") => until + 2,
            ("到" | "至", _) => until + 1,
            _ => return false,
        };
        let part = |position: usize| "上下午前後晚早夜间".contains(self.text(position));
        at == joint || (at > joint && at - joint <= 2 && (joint..at).all(part))
    }

    /// `2013-14`: the second year of the same century.
    fn short_year(&self, known: &Amount, amount: &Amount, until: usize, at: usize) -> Amount {
        let joined = matches!(self.text(until), "-" | "–" | "/") && at - until <= 2;
        let short =
            amount.dimension == Dimension::Count && (0.0..100.0).contains(&amount.low) && amount.low.fract() == 0.0;
        if known.dimension != Dimension::Year || !short || !joined {
            return *amount;
        }
        let year = (known.low / 100.0).floor() * 100.0 + amount.low;
        Amount { dimension: Dimension::Year, low: year, high: year, written: year, ..*amount }
    }

    /// `3 to 6 months`, `from 21 to 18 percent`, `to 18% from 21%`, `between 3 and 5 days`, `9:00–17:00`.
    fn range(&self, known: &Amount, amount: &Amount, from: usize, until: usize, at: usize) -> Option<Amount> {
        let bare = |amount: &Amount| matches!(amount.dimension, Dimension::Count | Dimension::Year);
        let amount = &self.short_year(known, amount, until, at);
        let alike = known.dimension.group() == amount.dimension.group()
            || (bare(known) && known.factor.to_bits() == 1_f64.to_bits() && !bare(amount));
        let single = |amount: &Amount| amount.low.to_bits() == amount.high.to_bits();
        // "fell 12 cents to $6.88", "rose by 3 % to 15 %": not the two ends of one range.
        let own_units = !bare(known) && !bare(amount);
        let other_unit =
            own_units && (known.dimension != amount.dimension || known.factor.to_bits() != amount.factor.to_bits());
        let by = matches!(self.before(from, 1), "by" | "um");
        if !alike || other_unit || by || !single(known) || !single(amount) {
            return None;
        }
        let opened = from > 0 && self.entry(from - 1).is(FROM);
        let gap = at - until;
        let word = self.entry(until);
        let dashes = matches!((self.text(until), self.text(until + 1)), ("-", "-")) && gap == 2;
        let mark = gap == 1 && matches!(self.text(until), "-" | "–" | "—" | "~" | "〜" | "～" | "至" | "到") || dashes;
        let mark = mark || (gap == 1 && self.text(until) == "/" && known.dimension == Dimension::Year);
        let reversed = from > 0
            && self.entry(from - 1).is(TO)
            && !self.entry(from - 1).is(AND)
            && (1..=3).contains(&gap)
            && matches!(self.before(at, 1), "from" | "von" | "desde");
        let eastern = self.eastern_joint(until, at);
        let joint = gap == 1 && word.is(TO) && (!word.is(AND) || opened || (bare(known) && !bare(amount)));
        let far = opened && (2..=4).contains(&gap) && self.entry(at - 1).is(TO) && !self.entry(at - 1).is(AND);
        // 5 (from 3): another one between them is no joint; a list says "3, 5 and 7 mg".
        if !(mark || joint || far || reversed || eastern) {
            return None;
        }
        // "de 9 h a 18 h" says when, not how long.
        let hours = |amount: &Amount| {
            amount.dimension == Dimension::Duration
                && amount.factor.to_bits() == 3600_f64.to_bits()
                && amount.written <= 24.0
        };
        if opened && hours(known) && hours(amount) && self.text(until - 1) == "h" && known.written < amount.written {
            let clock = Amount { dimension: Dimension::Clock, factor: 1.0, other: None, ..*amount };
            return Some(Amount { low: known.low / 60.0, high: amount.high / 60.0, ..clock });
        }
        let unit = if amount.dimension == Dimension::Clock { 60.0 } else { amount.factor };
        let scaled = match amount.dimension {
            _ if !bare(known) || bare(amount) => known.low,
            Dimension::Fahrenheit => (known.low - 32.0) / 1.8,
            _ => known.low * unit,
        };
        let (low, high) = if reversed { (amount.low, scaled) } else { (scaled, amount.high) };
        let (low, other) = if amount.dimension == Dimension::Clock && !reversed {
            half_of_day(known, amount, low)
        } else {
            (low, None)
        };
        Some(Amount { low, high, other, ..*amount })
    }
}

/// Where a range of times begins, and where else it may: `3:30 to 5 p.m.` begins in the afternoon; one without any half of
/// the day may be in either.
fn half_of_day(known: &Amount, amount: &Amount, low: f64) -> (f64, Option<f64>) {
    const HALF: f64 = 720.0;
    let open = known.dimension != Dimension::Clock || known.other.is_some();
    if !open || low > HALF {
        return (low, None);
    }
    match amount.other {
        None if low + HALF < amount.low => (low + HALF, None),
        None => (low, None),
        Some(_) => (low, Some(low + HALF)),
    }
}
