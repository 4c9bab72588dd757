//! Conditions in code, queries and commands: the same line with another operator, keyword or number.
//!
//! Invariant: only lines that are equal in most of their tokens are held against each other, and only a difference in what
//! decides (`<`, `AND`, `ASC`, `true`, `-30`) is a finding: other names and other formatting are none.

use std::ops::Range;

use crate::Component;
use crate::edits::Finding;
use crate::facts::Span;

/// Tokens of which one excludes the others in the same slot.
const DECIDING: &[&[&str]] = &[
    &["<", ">", "<=", ">=", "==", "!=", "===", "!==", "<>", "=", "~", "!~"],
    &["and", "or", "&&", "||", "&", "|", "xor"],
    &["asc", "desc"],
    &["true", "false"],
    &["inner", "left", "right", "full", "outer", "cross"],
    &["min", "max", "sum", "avg", "count"],
    &["+", "-", "+=", "-="],
    &["++", "--"],
    &["union", "except", "intersect"],
    &["any", "all", "some"],
    &["if", "unless"],
    &["while", "until"],
    &["before", "after"],
    &["allow", "deny"],
    &["add", "remove"],
    &["enable", "disable"],
    &["start", "stop"],
    &["distinct", "all"],
    &["select", "delete", "update", "insert"],
    &["first", "last"],
    &["up", "down"],
    &["private", "public"],
];
/// Share of the longer line's tokens that both must have.
const COMMON: f64 = 0.6;
/// Lines that are compared, and tokens of a line.
const MOST_LINES: usize = 200;
const MOST_TOKENS: usize = 80;

/// Lines of code that decide otherwise.
pub(crate) fn contradictions(low_a: &str, low_b: &str, found: &mut Vec<Finding>) {
    if !low_a.contains('`') || !low_b.contains('`') {
        return;
    }
    let (a, b) = (lines(low_a), lines(low_b));
    let equal = |one: &Line<'_>, other: &Line<'_>| one.words == other.words;
    for line in a.iter().filter(|line| !b.iter().any(|other| equal(line, other))) {
        for other in b.iter().filter(|other| !a.iter().any(|known| equal(known, other))) {
            let Some((edits, words)) = edits(&line.words, &other.words).map(|edits| (edits, &other.words)) else {
                continue;
            };
            let decided = edits.into_iter().find(|(mine, theirs)| {
                options(line, mine, other, theirs)
                    || decides(line.words.get(mine.clone()).unwrap_or(&[]), words.get(theirs.clone()).unwrap_or(&[]))
            });
            if let Some((mine, theirs)) = decided
                && let (Some(a), Some(b)) = (line.span(mine), other.span(theirs))
            {
                found.push(Finding { kind: "condition", component: Component::Constraints, a, b });
                break;
            }
        }
    }
}

/// The tokens of a line of code, and where they stand.
struct Line<'t> {
    words: Vec<&'t str>,
    spans: Vec<Span>,
}

impl Line<'_> {
    /// Bytes of these tokens; of the token before a gap.
    fn span(&self, range: Range<usize>) -> Option<Span> {
        let (first, last) = if range.is_empty() {
            (range.start.saturating_sub(1), range.start.saturating_sub(1))
        } else {
            (range.start, range.end - 1)
        };
        Some((self.spans.get(first)?.0, self.spans.get(last)?.1))
    }
}

/// Where two lines differ that are equal in most of their tokens.
fn edits(mine: &[&str], theirs: &[&str]) -> Option<Vec<(Range<usize>, Range<usize>)>> {
    let longer = mine.len().max(theirs.len());
    let least = (COMMON * longer as f64).max(2.0);
    if mine.len() == theirs.len() {
        let differ: Vec<usize> = mine
            .iter()
            .zip(theirs)
            .enumerate()
            .filter(|(_, (one, other))| one != other)
            .map(|(position, _)| position)
            .collect();
        let enough = (longer - differ.len()) as f64 >= least;
        return enough
            .then(|| differ.into_iter().map(|position| (position..position + 1, position..position + 1)).collect());
    }
    let shorter = mine.len().min(theirs.len());
    let head = mine.iter().zip(theirs).take_while(|(one, other)| one == other).count();
    let tail = mine.iter().rev().zip(theirs.iter().rev()).take(shorter - head).take_while(|(a, b)| a == b).count();
    ((head + tail) as f64 >= least).then(|| vec![(head..mine.len() - tail, head..theirs.len() - tail)])
}

/// `--abort` against `--skip`, `-i` against `-n`: another option of the same command. `-m` may be short for `--message`.
fn options(line: &Line<'_>, mine: &Range<usize>, other: &Line<'_>, theirs: &Range<usize>) -> bool {
    let named = |line: &Line<'_>, range: &Range<usize>| -> Option<(bool, String)> {
        let word = line.words.get(range.start).filter(|_| range.len() == 1)?;
        let letters =
            |text: &str| !text.is_empty() && text.chars().all(|letter| letter.is_alphabetic() || letter == '-');
        let long = range.start > 0 && line.words.get(range.start - 1) == Some(&"--");
        if long && letters(word) {
            return Some((true, (*word).to_owned()));
        }
        let short = word.strip_prefix('-').filter(|rest| letters(rest))?;
        Some((false, short.to_owned()))
    };
    match (named(line, mine), named(other, theirs)) {
        (Some((one, name)), Some((two, back))) => {
            (one == two || name.chars().next() != back.chars().next())
                && !name.starts_with(&back)
                && !back.starts_with(&name)
        }
        _ => false,
    }
}

/// Whether these tokens in each other's slot decide otherwise.
fn decides(mine: &[&str], theirs: &[&str]) -> bool {
    match (mine, theirs) {
        (["not" | "!"], []) | ([], ["not" | "!"]) => true,
        ([one], [other]) => {
            let numbers = (one.parse::<f64>(), other.parse::<f64>());
            let signed = |word: &str| word.starts_with(['+', '-']);
            let turned = matches!(numbers, (Ok(one), Ok(other)) if (one - other).abs() > f64::EPSILON)
                && (signed(one) || signed(other));
            turned || DECIDING.iter().any(|group| group.contains(one) && group.contains(other))
        }
        _ => false,
    }
}

/// The lines of fenced code, and code inside a line.
fn lines(text: &str) -> Vec<Line<'_>> {
    let mut found = Vec::new();
    let mut fenced = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        if line.trim_start().starts_with("```") && line.matches("```").count() == 1 {
            fenced = !fenced;
        } else if fenced {
            push(text, start..at, &mut found);
        } else {
            let mut from = start;
            for (position, piece) in line.split('`').enumerate() {
                if position % 2 == 1 {
                    push(text, from..from + piece.len(), &mut found);
                }
                from += piece.len() + 1;
            }
        }
    }
    found
}

fn push<'t>(text: &'t str, range: Range<usize>, found: &mut Vec<Line<'t>>) {
    if found.len() >= MOST_LINES {
        return;
    }
    let mut line = Line { words: Vec::new(), spans: Vec::new() };
    let mut at = range.start;
    while at < range.end && line.words.len() < MOST_TOKENS {
        let rest = text.get(at..range.end).unwrap_or("");
        let Some(first) = rest.chars().next() else { break };
        let size =
            token(rest, first, at == range.start || text.as_bytes().get(at - 1).is_some_and(u8::is_ascii_whitespace));
        if !first.is_whitespace()
            && let Some(word) = rest.get(..size)
        {
            line.words.push(word);
            line.spans.push((at, at + size));
        }
        at += size;
    }
    if line.words.len() > 2 {
        found.push(line);
    }
}

/// The bytes of the token that begins here; `fresh` behind white space, where a sign belongs to what follows.
fn token(rest: &str, first: char, fresh: bool) -> usize {
    let run = |from: usize, holds: fn(char) -> bool| {
        rest.get(from..).and_then(|tail| tail.find(|letter| !holds(letter))).map_or(rest.len(), |size| from + size)
    };
    let word: fn(char) -> bool = |letter| letter.is_alphanumeric() || matches!(letter, '_' | '.');
    let operator: fn(char) -> bool = |letter| "<>=!&|+-~".contains(letter);
    if word(first) {
        run(0, word)
    } else if fresh && matches!(first, '+' | '-') && rest.chars().nth(1).is_some_and(char::is_alphanumeric) {
        run(1, word)
    } else if matches!(first, '"' | '\'') {
        rest.get(1..).and_then(|tail| tail.find(first)).map_or(first.len_utf8(), |size| size + 2)
    } else if operator(first) {
        run(0, operator)
    } else {
        first.len_utf8()
    }
}
