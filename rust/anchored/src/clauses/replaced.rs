//! Two sentences that are the same but for a few words, in any of the six languages: what the words that stand in each
//! other's place say.
//!
//! Invariant: the same words on either side leave no doubt that both speak of the same; a word whose meaning is not known
//! (a synonym, perhaps) is no finding.

use super::overlap::Overlap;
use super::pairs;
use super::read::{Sentence, Text, Token};
use super::reworded::WITHOUT;
use super::vocabulary::{self as words, Flags};
use crate::Component;
use crate::edits::Finding;
use crate::facts::Span;

/// Share of the longer sentence's words that must be equal.
const COMMON: f64 = 0.6;
/// Words of a sentence that are compared one by one.
const LONGEST: usize = 120;

/// Tokens of one sentence that stand where those of the other do.
#[derive(Clone, Copy, Debug)]
struct Edit {
    a: (usize, usize),
    b: (usize, usize),
}

/// What contradicts in sentences that are nearly equal. `english`: negation, opposites and exchanged words are left to
/// the rules for English sentences.
pub(crate) fn contradictions(
    overlap: &Overlap<'_>,
    matched: &[(usize, usize)],
    english: bool,
    found: &mut Vec<Finding>,
) {
    for &(mine, theirs) in matched {
        let (Some(left), Some(right)) = (overlap.a.sentences.get(mine), overlap.b.sentences.get(theirs)) else {
            continue;
        };
        if pairs::says_nothing(left, right) {
            continue;
        }
        let Some(edits) = edits(overlap.a.tokens(left.tokens), overlap.b.tokens(right.tokens)) else { continue };
        let compared = Compared { overlap, left, right, edits: &edits };
        let finding = compared.quantifier().or_else(|| compared.role()).or_else(|| {
            if english {
                return None;
            }
            compared.in_other_languages()
        });
        found.extend(finding);
    }
}

struct Compared<'o, 't> {
    overlap: &'o Overlap<'t>,
    left: &'o Sentence,
    right: &'o Sentence,
    edits: &'o [Edit],
}

impl Compared<'_, '_> {
    fn words(&self) -> impl Iterator<Item = (&[Token], &[Token], Edit)> {
        self.edits.iter().map(|edit| {
            (self.overlap.a.tokens(at(self.left, edit.a)), self.overlap.b.tokens(at(self.right, edit.b)), *edit)
        })
    }

    fn in_other_languages(&self) -> Option<Finding> {
        self.exchange().or_else(|| self.negation()).or_else(|| self.modality()).or_else(|| self.antonym())
    }

    /// Bytes of an edit on both sides; of the word beside a gap where one side has none.
    fn spans(&self, edit: Edit) -> (Span, Span) {
        (span(self.overlap.a, self.left, edit.a), span(self.overlap.b, self.right, edit.b))
    }

    fn negation(&self) -> Option<Finding> {
        let count = |tokens: &[Token]| tokens.iter().filter(|token| token.is(words::NEGATOR | words::WEAK)).count();
        let whole = |text: &Text, sentence: &Sentence| count(text.tokens(sentence.tokens));
        if (whole(self.overlap.a, self.left) + whole(self.overlap.b, self.right)) % 2 == 0 {
            return None;
        }
        let (_, _, edit) = self.words().find(|(mine, theirs, _)| (count(mine) + count(theirs)) % 2 == 1)?;
        let (mine, theirs) =
            (self.overlap.a.tokens(at(self.left, edit.a)), self.overlap.b.tokens(at(self.right, edit.b)));
        let without = |tokens: &[Token]| tokens.first().is_some_and(|token| WITHOUT.contains(&token.mark));
        if theirs.is_empty() && without(mine) || mine.is_empty() && without(theirs) {
            return None;
        }
        // "only the first" in place of "not the second": another way to say it.
        let only = self.words().any(|(mine, theirs, _)| has(mine, words::ONLY) != has(theirs, words::ONLY));
        let doubted = self.words().any(|(mine, theirs, _)| has(mine, words::DOUBT) || has(theirs, words::DOUBT));
        (!only && !doubted && self.antonym().is_none()).then(|| Finding::relation("negation", self.spans(edit)))
    }

    fn modality(&self) -> Option<Finding> {
        let kinds = |tokens: &[Token]| (has(tokens, words::MUST), has(tokens, words::MAY));
        let (_, _, edit) = self.words().find(|(mine, theirs, _)| {
            matches!((kinds(mine), kinds(theirs)), ((true, false), (false, true)) | ((false, true), (true, false)))
        })?;
        let (a, b) = self.spans(edit);
        Some(Finding { kind: "modality", component: Component::Constraints, a, b })
    }

    /// `all` against `some`, `none` or `only`, in each other's place.
    fn quantifier(&self) -> Option<Finding> {
        let kinds = [words::ALL, words::SOME, words::EXCEPT, words::ONLY, words::NEGATOR];
        let kind = |tokens: &[Token]| -> Flags { kinds.iter().filter(|kind| has(tokens, **kind)).sum() };
        let (_, _, edit) = self.words().find(|(mine, theirs, _)| {
            let (one, other) = (kind(mine), kind(theirs));
            let quantified = words::ALL | words::SOME;
            let turned = |one: Flags, other: &[Token]| one & words::EXCEPT != 0 && has(other, words::INCLUDE);
            one != 0 && other != 0 && one & other == 0 && (one | other) & quantified != 0
                || turned(one, theirs)
                || turned(other, mine)
                || exclusive(mine, theirs)
                || exclusive(theirs, mine)
        })?;
        let (a, b) = self.spans(edit);
        Some(Finding { kind: "quantifier", component: Component::Constraints, a, b })
    }

    fn antonym(&self) -> Option<Finding> {
        let known = self.overlap.a.words;
        let sides = (self.overlap.a.tokens(self.left.tokens), self.overlap.b.tokens(self.right.tokens));
        let absent = |tokens: &[Token], token: &Token| !tokens.iter().any(|other| other.mark == token.mark);
        for (mine, theirs, _) in self.words() {
            for one in mine.iter().filter(|one| absent(sides.1, one)) {
                for other in theirs.iter().filter(|other| absent(sides.0, other)) {
                    if known.excludes(one.opposite, other.opposite) {
                        return Some(Finding::relation("antonym", (one.span, other.span)));
                    }
                }
            }
        }
        None
    }

    /// Words that took each other's places: the same ones are missing here and there.
    fn exchange(&self) -> Option<Finding> {
        if self.edits.len() < 2 {
            return None;
        }
        let mut all: (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
        for (mine, theirs, _) in self.words() {
            all.0.extend(mine.iter().map(|token| token.mark));
            all.1.extend(theirs.iter().map(|token| token.mark));
        }
        all.0.sort_unstable();
        all.1.sort_unstable();
        if all.0 != all.1 {
            return None;
        }
        let mut sides = self.words();
        let (mine, theirs, first) = sides.next()?;
        let (_, back, last) = sides.last()?;
        let marks = |tokens: &[Token]| -> Vec<u64> { tokens.iter().map(|token| token.mark).collect() };
        let content = |tokens: &[Token]| tokens.iter().any(|token| token.content || token.number);
        if marks(mine) != marks(back) || !content(mine) || !content(theirs) || self.listed(first, last) {
            return None;
        }
        Some(Finding::relation("direction", self.spans(first)))
    }

    /// Whether both stand in a list, each with a comma, an `and` or an end beside it: a list has no order.
    fn listed(&self, first: Edit, last: Edit) -> bool {
        let tokens = self.overlap.a.tokens(self.left.tokens);
        let joint = |token: &Token| token.parted || token.is(words::AND);
        let between = tokens.get(first.a.1..last.a.0).unwrap_or(&[]);
        let open = |edit: Edit| tokens.get(edit.a.1).is_none_or(joint);
        // "si pure et si personnelle": small words may stand with what joins.
        let joined = between.iter().any(joint) && between.iter().all(|token| joint(token) || token.is(words::STOP));
        let denied = between.iter().any(|token| token.is(words::NEGATOR));
        !denied && (joined || open(first) && open(last) && between.iter().any(joint))
    }

    /// A phrase in place of another that the same text tells apart from it: one sentence has both.
    fn role(&self) -> Option<Finding> {
        let sentences = [(self.overlap.a, &self.overlap.a.sentences), (self.overlap.b, &self.overlap.b.sentences)];
        // A sentence alone tells no two things apart: "a man ... another man" and "a man ... another person".
        if self.edits.len() != 1 || self.overlap.a.sentences.len().max(self.overlap.b.sentences.len()) < 2 {
            return None;
        }
        let (mine, theirs, edit) = self.words().next()?;
        let content = |tokens: &[Token]| -> Vec<u64> { tokens.iter().filter(|t| t.content).map(|t| t.root).collect() };
        let (one, other) = (content(mine), content(theirs));
        if one.is_empty() || other.is_empty() || one.iter().any(|root| other.contains(root)) {
            return None;
        }
        let told_apart = sentences.iter().any(|(text, known)| {
            known.iter().any(|sentence| {
                let has = |roots: &[u64]| {
                    roots.iter().all(|root| text.terms(sentence.terms).iter().any(|term| term.root == *root))
                };
                has(&one) && has(&other)
            })
        });
        told_apart.then(|| Finding::relation("direction", self.spans(edit)))
    }
}

/// `only` in place of nothing or of `also`, before a noun: it shuts out what the other lets in.
fn exclusive(one: &[Token], other: &[Token]) -> bool {
    has(one, words::ONLY) && !has(other, words::ONLY) && has(other, words::AFFIRM) && !has(one, words::AFFIRM)
}

fn has(tokens: &[Token], flags: Flags) -> bool {
    tokens.iter().any(|token| token.is(flags))
}

fn at(sentence: &Sentence, (start, end): (usize, usize)) -> (usize, usize) {
    (sentence.tokens.0 + start, sentence.tokens.0 + end)
}

fn span(text: &Text, sentence: &Sentence, (start, end): (usize, usize)) -> Span {
    let last = sentence.tokens.1 - sentence.tokens.0;
    let (start, end) = if start < end { (start, end) } else { (start.saturating_sub(1), (start.max(1)).min(last)) };
    text.span(at(sentence, (start, end)))
}

/// Where two sentences differ, when they are nearly equal: word by word if they have as many, else by their longest
/// common subsequence.
fn edits(mine: &[Token], theirs: &[Token]) -> Option<Vec<Edit>> {
    let longer = mine.len().max(theirs.len());
    if longer == 0 || longer > LONGEST {
        return None;
    }
    let most = longer as f64;
    if mine.len() == theirs.len() {
        let equal: Vec<bool> = mine.iter().zip(theirs).map(|(one, other)| one.mark == other.mark).collect();
        let count = equal.iter().filter(|equal| **equal).count();
        if count as f64 >= COMMON * most {
            let mut edits: Vec<Edit> = Vec::new();
            for (position, _) in equal.iter().enumerate().filter(|(_, equal)| !**equal) {
                match edits.last_mut() {
                    Some(open) if open.a.1 == position => (open.a.1, open.b.1) = (position + 1, position + 1),
                    _ => edits.push(Edit { a: (position, position + 1), b: (position, position + 1) }),
                }
            }
            return (!edits.is_empty()).then_some(edits);
        }
    }
    let kept = common(mine, theirs);
    if (kept.len() as f64) < COMMON * most {
        return None;
    }
    let mut edits = Vec::new();
    let mut from = (0, 0);
    for (i, j) in kept.into_iter().chain([(mine.len(), theirs.len())]) {
        if i > from.0 || j > from.1 {
            edits.push(Edit { a: (from.0, i), b: (from.1, j) });
        }
        from = (i + 1, j + 1);
    }
    Some(edits)
}

/// The places of a longest common subsequence.
fn common(mine: &[Token], theirs: &[Token]) -> Vec<(usize, usize)> {
    let head = mine.iter().zip(theirs).take_while(|(one, other)| one.mark == other.mark).count();
    let rest = mine.len().min(theirs.len()) - head;
    let tail = mine.iter().rev().zip(theirs.iter().rev()).take(rest).take_while(|(a, b)| a.mark == b.mark).count();
    let (left, right) =
        (mine.get(head..mine.len() - tail).unwrap_or(&[]), theirs.get(head..theirs.len() - tail).unwrap_or(&[]));
    let width = right.len() + 1;
    let mut table = vec![0_u16; (left.len() + 1) * width];
    let cell = |table: &[u16], i: usize, j: usize| table.get(i * width + j).copied().unwrap_or(0);
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            let equal = left.get(i).map(|token| token.mark) == right.get(j).map(|token| token.mark);
            let value =
                if equal { cell(&table, i + 1, j + 1) + 1 } else { cell(&table, i + 1, j).max(cell(&table, i, j + 1)) };
            if let Some(position) = table.get_mut(i * width + j) {
                *position = value;
            }
        }
    }
    let mut found: Vec<(usize, usize)> = (0..head).map(|position| (position, position)).collect();
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        if left.get(i).map(|token| token.mark) == right.get(j).map(|token| token.mark) {
            found.push((head + i, head + j));
            (i, j) = (i + 1, j + 1);
        } else if cell(&table, i + 1, j) >= cell(&table, i, j + 1) {
            i += 1;
        } else {
            j += 1;
        }
    }
    found.extend((0..tail).rev().map(|back| (mine.len() - 1 - back, theirs.len() - 1 - back)));
    found
}
