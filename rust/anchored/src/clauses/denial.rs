//! Whether a negator denies what the other text says, or only part of it, or nothing: `not until Monday`, `round, not
//! square`, and a sentence that denies it in a word of its own (`unknown` beside `cannot be identified`).
//!
//! Rules that find a negation on one side compare words; what stands around the negator is looked at here, once for all of
//! them.
//!
//! Invariants: symmetric; a finding is only ever taken back; a word that both sentences have explains nothing.

use std::sync::LazyLock;

use super::read::{Clause, Text, Token};
use super::reworded::WITHOUT;
use super::stance::{limited, stated};
use super::vocabulary::{self as words, Flags};
use crate::edits::Finding;
use crate::facts::Span;
use crate::language::Language;
use crate::lexicon::mark;

/// So many words behind a negator its bound may stand: `not ... until`.
const REACH: usize = 14;
/// So many words of content may follow a comma and a negator to be put beside what stands before it.
const ASIDE: usize = 3;

/// Words up to which something does not hold, and from which on it does.
static UNTIL: LazyLock<[u64; 8]> =
    LazyLock::new(|| ["until", "till", "bis", "erst", "hasta", "jusqu'à", "jusqu", "jusque"].map(mark));
static WITH: LazyLock<u64> = LazyLock::new(|| mark("with"));
static NOT_WITH: LazyLock<u64> = LazyLock::new(|| mark("without"));
const ORDER: Flags = words::BEFORE | words::AFTER;
/// Words that put what follows in place of what was denied.
static RATHER: LazyLock<[u64; 6]> = LazyLock::new(|| ["but", "rather", "sondern", "sino", "mais", "而是"].map(mark));

/// So few words of content are a subject without its predicate.
const SUBJECT: usize = 2;
/// Words that a heading of a place or a case begins with.
static PLACE: LazyLock<[u64; 4]> = LazyLock::new(|| ["at", "in", "on", "for"].map(mark));
/// Prepositions of places that are denied alone: `never over the leaves`.
static WHERE: LazyLock<[u64; 9]> =
    LazyLock::new(|| ["over", "onto", "under", "into", "near", "above", "below", "across", "inside"].map(mark));
/// What people say wrongly.
static MYTH: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let known =
        "myth misconception fallacy irrtum irrglaube mythos ammenmärchen mythe mito bulo 误区 误解 谣言 誤解 迷信";
    known.split(' ').map(mark).collect()
});
/// Whether a negation is a contradiction, read in the sentences around both spans.
pub(crate) fn stands(a: &Text, b: &Text, finding: &Finding) -> bool {
    let (Some(mine), Some(theirs)) = (Place::of(a, finding.a), Place::of(b, finding.b)) else { return true };
    if mine.myth() != theirs.myth() {
        return false;
    }
    // "prohibited" and "not permitted" say the same; "under" and "over" do not, whatever is permitted there.
    let agree = mine.stated().is_some_and(|sign| theirs.stated() == Some(sign));
    if finding.kind == "antonym" {
        return !(agree && mine.states() && theirs.states());
    }
    // "May be returned without a receipt" permits as much as "with" one: the two differ all the same.
    let lacks = |place: &Place<'_>| place.negator().is_some_and(|at| place.lacks(at));
    if agree && !lacks(&mine) && !lacks(&theirs) {
        return false;
    }
    if mine.opposed(&theirs) {
        return false;
    }
    let (denies, negator, says) = match (mine.negator(), theirs.negator()) {
        (Some(at), None) => (mine, at, theirs),
        (None, Some(at)) => (theirs, at, mine),
        _ => return true,
    };
    !(says.excepted()
        || denies.bounded(negator, &says)
        || denies.aside(negator, &says)
        || denies.without(negator, &says)
        || denies.titled(negator)
        || denies.aimed(negator, &says)
        || denies.names(negator, &says)
        || says.own_denial(&denies)
        || denies.limits(&says))
}

/// Where a span of a text is.
struct Place<'t> {
    text: &'t Text,
    sentence: usize,
    /// Its first token, and the one behind its last.
    range: (usize, usize),
}

impl<'t> Place<'t> {
    fn of(text: &'t Text, span: Span) -> Option<Self> {
        let start = text.tokens.partition_point(|token| token.span.1 <= span.0);
        let end = text.tokens.partition_point(|token| token.span.0 < span.1);
        let sentence = text.sentences.iter().position(|known| known.tokens.0 <= start && start < known.tokens.1)?;
        (start < end).then_some(Self { text, sentence, range: (start, end) })
    }

    /// Whether its clause lets its matter be, if it says so in words that do.
    fn stated(&self) -> Option<bool> {
        let (_, clause) = self.clauses().next()?;
        stated(self.text, clause).says.sign()
    }

    /// Whether its first word is one that says what may be.
    fn states(&self) -> bool {
        let (start, end) = self.range;
        self.text.words.stance(self.text.tokens((start, end))).is_some()
    }

    fn negator(&self) -> Option<usize> {
        (self.range.0..self.range.1)
            .find(|at| self.text.tokens.get(*at).is_some_and(|token| token.is(words::NEGATOR | words::WEAK)))
    }

    fn lacks(&self, negator: usize) -> bool {
        self.text.tokens.get(negator).is_some_and(|token| WITHOUT.contains(&token.mark))
    }

    fn sentence(&self) -> (usize, usize) {
        self.text.sentences.get(self.sentence).map_or((0, 0), |known| known.tokens)
    }

    fn tokens(&self) -> impl Iterator<Item = &'t Token> {
        self.text.tokens(self.sentence()).iter()
    }

    fn says(&self, root: u64) -> bool {
        self.tokens().any(|token| token.root == root)
    }

    /// Clauses that the span is in.
    fn clauses(&self) -> impl Iterator<Item = (usize, &'t Clause)> {
        let (start, end) = self.range;
        let all = self.text.clauses.iter().enumerate();
        all.filter(move |(_, clause)| clause.tokens.0 < end && start < clause.tokens.1)
    }

    /// `not ... until Monday` holds from Monday on; so does `not ... without a receipt` where the other side speaks of one,
    /// and `not ... after May` where that one says no `before` or `after` of its own.
    fn bounded(&self, negator: usize, says: &Place<'_>) -> bool {
        let end = self.sentence().1.min(negator + REACH);
        let ahead = self.text.tokens((negator + 1, end));
        let ordered = says.tokens().any(|token| token.is(ORDER));
        let bound = ahead.iter().position(|token| {
            UNTIL.contains(&token.mark)
                || token.is(words::EXCEPT)
                || WITHOUT.contains(&token.mark)
                || token.is(ORDER) && !ordered
        });
        let Some(at) = bound else { return false };
        let until = ahead.get(at).is_some_and(|token| UNTIL.contains(&token.mark));
        let mut behind = ahead.iter().skip(at + 1).filter(|token| token.content);
        until || behind.any(|token| says.says(token.root))
    }

    /// `without flash` denies nothing where the other side says `with` of nothing. English only: in the other languages
    /// `sin` and `ohne` stand before verbs too.
    fn without(&self, negator: usize, says: &Place<'_>) -> bool {
        let known = self.text.tokens.get(negator).is_some_and(|token| token.mark == *NOT_WITH);
        known && !says.tokens().any(|token| token.mark == *WITH)
    }

    /// `At junctions without lights:` says where, and denies nothing.
    fn titled(&self, negator: usize) -> bool {
        let tokens = self.text.tokens(self.sentence());
        let verb = words::VERB | words::MUST | words::MAY | words::AFFIRM;
        let content = tokens.iter().filter(|token| token.content).count();
        let opens = tokens.first().is_some_and(|token| PLACE.contains(&token.mark));
        self.lacks(negator) && opens && content <= ASIDE && !tokens.iter().any(|token| token.is(verb))
    }

    /// `It is a myth that you may not mix them` says that you may.
    fn myth(&self) -> bool {
        let tokens = self.text.tokens((self.sentence().0, self.range.0));
        tokens.iter().any(|token| MYTH.contains(&token.mark))
    }

    /// `Water at the base, never over the leaves` denies a place, of which the other side says nothing.
    fn aimed(&self, negator: usize, says: &Place<'_>) -> bool {
        let next = self.text.tokens.get(negator + 1).filter(|token| WHERE.contains(&token.mark));
        next.is_some_and(|next| !says.tokens().any(|token| token.mark == next.mark))
    }

    /// `Don't step into the road` and `basic steps`: the name of a thing, not what is done. English only.
    fn names(&self, negator: usize, says: &Place<'_>) -> bool {
        let size = |token: &Token| token.span.1 - token.span.0;
        let denied = self.text.tokens.get(negator + 1).filter(|token| token.content);
        let Some(denied) = denied else { return false };
        let order = self.text.words.language() == Language::English && negator == self.sentence().0;
        let mut said = says.text.tokens(says.range).iter().filter(|token| token.root == denied.root).peekable();
        order && said.peek().is_some() && said.all(|token| size(token) == size(denied) + 1)
    }

    /// Whether both clauses have a word that excludes one of the other's: `not counted as absence`, `counts as presence`.
    fn opposed(&self, denies: &Place<'_>) -> bool {
        let words = self.text.words;
        let (Some((_, mine)), Some((_, theirs))) = (self.clauses().next(), denies.clauses().next()) else {
            return false;
        };
        let there = || denies.text.tokens(theirs.tokens).iter().filter(|token| token.content);
        let known = self.text.tokens(mine.tokens).iter().filter(|token| token.content && token.has_opposite());
        let mut known = known.filter(|token| !denies.says(token.root));
        known.any(|token| there().any(|back| words.excludes(token.opposite, back.opposite) && !self.says(back.root)))
    }

    /// Whether it stands in an exception: `free, unless it was lost: then it costs 25` says `costs nothing` too.
    fn excepted(&self) -> bool {
        let (start, _) = self.sentence();
        self.text.tokens((start, self.range.0)).iter().any(|token| token.is(words::EXCEPT))
    }

    /// `round, not square`, `not square but round`: what is put in its place is what the other side says.
    fn aside(&self, negator: usize, says: &Place<'_>) -> bool {
        let range = self.sentence();
        let tokens = self.text.tokens(range);
        let Some(at) = negator.checked_sub(range.0) else { return false };
        let Some(word) = tokens.get(at) else { return false };
        let verb = words::VERB | words::MUST | words::MAY | words::AFFIRM;
        let rest = || tokens.iter().skip(at + 1);
        let until = |stop: fn(&Token) -> bool| rest().take_while(move |token| !stop(token));
        if word.parted && at > 0 {
            let scope: Vec<&Token> = until(|token| token.parted).collect();
            let content: Vec<u64> = scope.iter().filter(|token| token.content).map(|token| token.root).collect();
            let denied = content.len() <= ASIDE && !content.is_empty() && !scope.iter().any(|token| token.is(verb));
            return denied && !content.iter().all(|root| says.says(*root));
        }
        let turn = rest().position(|token| RATHER.contains(&token.mark));
        let Some(turn) = turn.filter(|turn| *turn <= 2 * ASIDE) else { return false };
        let put = rest().skip(turn + 1).find(|token| token.content);
        put.is_some_and(|token| says.says(token.root))
    }

    /// Whether its clause names a limit that the other one's does not.
    fn limits(&self, other: &Place<'_>) -> bool {
        let (Some((_, mine)), Some((_, theirs))) = (self.clauses().next(), other.clauses().next()) else {
            return false;
        };
        limited(self.text, mine, other.text, theirs)
    }

    /// Whether it denies in its own words what the other side denies: by a word that does so by its meaning, or in the
    /// clause that this one hangs on (`I do not think that it helps`).
    fn own_denial(&self, denies: &Place<'_>) -> bool {
        self.clauses().any(|(number, clause)| {
            // What stands in brackets may cut a subject off: `storms (for example) release the airline from paying`.
            let cut = self.text.terms(clause.terms).len() <= SUBJECT && !clause.is(words::VERB);
            let range = if cut { self.sentence() } else { clause.tokens };
            let mut tokens = self.text.tokens(range).iter();
            let doubts = tokens.any(|token| token.is(words::DOUBT | words::WEAK) && !denies.says(token.root));
            let before = number.checked_sub(1).and_then(|before| self.text.clauses.get(before));
            let hangs = before.is_some_and(|before| {
                before.sentence == clause.sentence && before.negators > 0 && self.text.terms(before.terms).len() <= 1
            });
            doubts || hangs
        })
    }
}
