//! What one side denies, and the other says of it too: `contractors are not covered` against `it also applies to
//! contractors`, `no repartirá dividendo` against `habrá dividendo`.
//!
//! Invariants: symmetric; a finding needs one negation on one side and none on the other, in sentences that say the same;
//! a side that says `also`, or says of nothing but what the other denies.

use std::sync::LazyLock;

use super::aligned::Group;
use super::overlap::Overlap;
use super::read::{Clause, Sentence, Text, Token};
use super::reworded::WITHOUT;
use super::segments::Form;
use super::vocabulary as words;
use crate::Component;
use crate::edits::Finding;
use crate::facts::Span;
use crate::language::Language;
use crate::lexicon::mark;

/// So much must two groups of sentences share.
const TIED: f32 = 0.18;
/// A side of so few words of content may say of nothing else.
const FEW: usize = 4;
/// Of what both say under one condition so much must be the same.
const MOST: f64 = 0.6;
/// Words that add what they are said of to what is so anyway.
static ALSO: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let known = "also auch ebenfalls ebenso aussi également también igualmente 也 同样 も";
    known.split(' ').map(mark).collect()
});
static AS: LazyLock<u64> = LazyLock::new(|| mark("as"));
static WELL: LazyLock<u64> = LazyLock::new(|| mark("well"));
/// Anybody, where the other side says who alone.
static ANYBODY: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let known = "anyone anybody everyone everybody jeder jedermann quiconque cualquiera todos 任何人 所有人 誰でも";
    known.split(' ').map(mark).collect()
});
const OPEN: words::Flags = words::DOUBT | words::ONLY | words::EXCEPT | words::NEUTRAL | words::IF;

/// Sentences of one group of which one denies what the other adds.
pub(crate) fn contradictions(overlap: &Overlap<'_>, groups: &[Group], found: &mut Vec<Finding>) {
    for group in groups.iter().filter(|group| group.likeness >= TIED) {
        let (mine, theirs) = (Side::new(overlap.a, &group.a), Side::new(overlap.b, &group.b));
        if let Some((a, b)) = alone(&mine, &theirs) {
            found.push(Finding { kind: "quantifier", component: Component::Constraints, a, b });
            continue;
        }
        let (denies, says, turned) = match (mine.negations(), theirs.negations()) {
            (1, 0) => (mine, theirs, false),
            (0, 1) => (theirs, mine, true),
            _ => continue,
        };
        let Some((negator, other)) = denies.against(&says) else { continue };
        let (a, b) = if turned { (other, negator) } else { (negator, other) };
        let meets = |one: Span, other: Span| one.0 < other.1 && other.0 < one.1;
        if !found.iter().any(|known| known.kind == "negation" && meets(known.a, a) && meets(known.b, b)) {
            found.push(Finding::relation("negation", (a, b)));
        }
    }
}

/// `Only electricians may open it` against `anyone may open it`.
fn alone(mine: &Side<'_>, theirs: &Side<'_>) -> Option<(Span, Span)> {
    if !mine.is(words::ONLY) && !theirs.is(words::ONLY) {
        return None;
    }
    if mine.says_nothing() || theirs.says_nothing() || mine.negations() + theirs.negations() > 0 {
        return None;
    }
    let only = |side: &Side<'_>| side.tokens().find(|token| token.is(words::ONLY)).map(|token| token.span);
    let any = |side: &Side<'_>| side.tokens().find(|token| ANYBODY.contains(&token.mark)).map(|token| token.span);
    let open = words::EXCEPT | words::IF;
    match (only(mine), any(theirs), only(theirs), any(mine)) {
        _ if mine.is(open) || theirs.is(open) => None,
        (Some(a), Some(b), None, None) | (None, None, Some(b), Some(a)) => Some((a, b)),
        _ => None,
    }
}

/// The sentences of one text that are in a group.
struct Side<'t> {
    text: &'t Text,
    sentences: Vec<&'t Sentence>,
    clauses: Vec<&'t Clause>,
}

impl<'t> Side<'t> {
    fn new(text: &'t Text, list: &[usize]) -> Self {
        let sentences = list.iter().filter_map(|at| text.sentences.get(*at)).collect();
        Self { text, sentences, clauses: text.clauses.iter().filter(|one| list.contains(&one.sentence)).collect() }
    }

    fn negations(&self) -> usize {
        self.clauses.iter().map(|clause| clause.negators + clause.weak).sum()
    }

    fn is(&self, flags: words::Flags) -> bool {
        self.clauses.iter().any(|clause| clause.is(flags))
    }

    fn says_nothing(&self) -> bool {
        self.sentences.iter().any(|sentence| sentence.asks || sentence.form == Form::Row)
    }

    fn tokens(&self) -> impl Iterator<Item = &'t Token> {
        let text = self.text;
        self.clauses.iter().flat_map(move |clause| text.tokens(clause.tokens))
    }

    /// The word that adds: `also`, `as well`.
    fn adds(&self, clause: &Clause) -> Option<Span> {
        let tokens = self.text.tokens(clause.tokens);
        let as_well = tokens.iter().zip(tokens.iter().skip(1));
        let as_well =
            as_well.filter(|(one, other)| one.mark == *AS && other.mark == *WELL).map(|(one, _)| one.span).next();
        as_well.or_else(|| tokens.iter().find(|token| ALSO.contains(&token.mark)).map(|token| token.span))
    }

    fn roots(clause: &Clause, text: &Text) -> Vec<u64> {
        text.terms(clause.terms).iter().map(|term| term.root).collect()
    }

    /// The negator, and what says otherwise.
    fn against(&self, says: &Side<'_>) -> Option<(Span, Span)> {
        let order = words::BEFORE | words::AFTER;
        // What both say under one condition is held against each other as it stands.
        let both = if self.is(words::IF) && says.is(words::IF) { words::IF } else { 0 };
        if self.says_nothing() || says.says_nothing() || says.is(OPEN & !both) || self.is(OPEN & !words::DOUBT & !both)
        {
            return None;
        }
        let clause = self.clauses.iter().find(|clause| clause.negators + clause.weak > 0)?;
        let token = self.text.tokens(clause.tokens).iter().find(|token| token.is(words::NEGATOR | words::WEAK))?;
        let negator = token.span;
        let denied = Self::roots(clause, self.text);
        let opposed = |token: &Token| {
            let words = self.text.words;
            self.tokens().any(|own| words.excludes(own.opposite, token.opposite))
        };
        if says.tokens().filter(|token| token.content).any(opposed) {
            return None;
        }
        if !self.clauses.iter().any(|clause| self.adds(clause).is_some()) {
            let of_it = |clause: &&&Clause| Self::roots(clause, says.text).iter().any(|root| denied.contains(root));
            if let Some(adds) = says.clauses.iter().filter(of_it).find_map(|clause| says.adds(clause)) {
                return Some((negator, adds));
            }
        }
        if both != 0 {
            let asserts = |token: &&Token| token.is(words::MUST | words::MAY | words::AFFIRM);
            let asserting = says.tokens().find(asserts)?;
            let about: Vec<u64> = says.clauses.iter().flat_map(|clause| Self::roots(clause, says.text)).collect();
            let own: Vec<u64> = self.clauses.iter().flat_map(|clause| Self::roots(clause, self.text)).collect();
            let shared = about.iter().filter(|root| own.contains(root)).count();
            return (shared as f64 >= MOST * about.len() as f64).then_some((negator, asserting.span));
        }
        // English has its own rule for what is said without a word that affirms.
        let bare = self.text.words.language() != Language::English && self.text.words.spaced() && clause.negators > 0;
        // "Without a fee" is left out where nothing is said of a fee.
        let bare = bare && !WITHOUT.contains(&token.mark);
        let [only] = says.clauses.as_slice() else { return None };
        let about = Self::roots(only, says.text);
        let within = !about.is_empty() && about.len() <= FEW && about.iter().all(|root| denied.contains(root));
        (bare && within && !self.is(order) && !says.is(order)).then(|| (negator, says.text.span(only.tokens)))
    }
}
