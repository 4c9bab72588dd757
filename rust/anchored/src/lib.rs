//! Anchored ΔS: ΔS that sees contradictions which the cosine of two embeddings does not.
//!
//! anchored ΔS = 1 − (0.5·entities + 0.3·relations + 0.2·constraints). Each component says how much the two texts agree
//! in it, on the scale of a cosine, and starts from the cosine of their embeddings:
//!
//! * entities: less a quarter of the share of numbers, dates, names, quotes, URLs and code that only one text has;
//! * relations: less the disorder of the words that both have, as far as both texts are made of the same words;
//! * constraints: the cosine;
//! * a component that is contradicted keeps half of its cosine.
//!
//! A contradiction puts the pair at 0.60 or above, whatever its wording shares. A pair without any evidence keeps its
//! plain ΔS, so every difference from it has a reason that can be printed.
//!
//! Invariant: rules and vocabulary only ([`lexicon`], [`compare`]), nothing learnt. Any two texts will do; nothing here
//! fails, and the work is bounded by [`MOST_BYTES`] of each.

mod compare;
mod edits;
pub mod embedding_bag;
mod exchange;
mod extract;
mod facts;
mod language;
mod lexicon;
mod order;
mod quantities;
mod same;
mod scan;
mod values;

use extract::extract;
use facts::{Span, lowered};
use language::{Language, language};

/// From here on two answers do not mean the same: what a contradiction puts a pair at.
pub const CRITICAL: f64 = 0.60;
/// So much of a text is read for facts; the rest counts in the embedding only.
pub const MOST_BYTES: usize = 64 * 1024;

const ENTITIES: f64 = 0.5;
const RELATIONS: f64 = 0.3;
const CONSTRAINTS: f64 = 0.2;

/// The part of the score that a contradiction speaks against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// Numbers, dates, names, quotes, URLs, code.
    Entities,
    /// Negation, antonyms, who did what to whom, yes against no.
    Relations,
    /// Must, may, never.
    Constraints,
}

impl Component {
    /// The name that Python uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entities => "entities",
            Self::Relations => "relations",
            Self::Constraints => "constraints",
        }
    }
}

/// One contradiction: its kind, and the characters (not bytes) of each side, start and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// `number`, `date`, `name`, `quote`, `url`, `code`, `negation`, `antonym`, `modality`, `direction` or `answer`.
    pub kind: &'static str,
    /// What it speaks against.
    pub component: Component,
    /// Characters of the first text.
    pub a: (usize, usize),
    /// Characters of the second text.
    pub b: (usize, usize),
}

/// How two texts compare, and why.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Anchored ΔS, in [0, 2].
    pub anchored: f64,
    /// Every contradiction found.
    pub evidence: Vec<Evidence>,
    /// False when either text is not English: then only their values are compared (numbers, dates, codes).
    pub english: bool,
    /// A text was longer than [`MOST_BYTES`], or had more entities than are compared: it was read in part.
    pub cut: bool,
}

/// The comparison of two texts whose plain ΔS is known.
pub fn anchor(text_a: &str, text_b: &str, plain: f64) -> Comparison {
    let unchanged = |english: bool| Comparison { anchored: plain, evidence: Vec::new(), english, cut: false };
    if text_a == text_b {
        return unchanged(true);
    }
    let (head_a, head_b) = (head(text_a), head(text_b));
    let cut = head_a.len() < text_a.len() || head_b.len() < text_b.len();
    let (low_a, low_b) = (lowered(head_a), lowered(head_b));
    let (a, b) = (extract(head_a, &low_a), extract(head_b, &low_b));
    let english = a.english && b.english;
    let values = said(head_a, &low_a, head_b, &low_b, english);
    let cut = cut || a.cut || b.cut || values.cut;
    let mut findings = if english { compare::contradictions(&a, &b) } else { Vec::new() };
    findings.retain(|finding| !(measures(finding) && values.equal_at(finding.a, finding.b)));
    for finding in values.findings {
        let meets = |one: Span, other: Span| one.0 < other.1 && other.0 < one.1;
        if !findings.iter().any(|known| meets(known.a, finding.a) || meets(known.b, finding.b)) {
            findings.push(finding);
        }
    }
    if !english && findings.is_empty() {
        return Comparison { cut, ..unchanged(false) };
    }
    let against = |component: Component| findings.iter().any(|finding| finding.component == component);
    let base = 1.0 - plain;
    let doubted = base.min(base / 2.0);
    let entities = match compare::entity_agreement(&a, &b) {
        _ if against(Component::Entities) => doubted,
        Some(agreement) if base >= 0.0 => base * (0.75 + 0.25 * agreement),
        _ => base,
    };
    let relations =
        if against(Component::Relations) { doubted } else { base - base.max(0.0) * order::disorder(&a, &b) };
    let constraints = if against(Component::Constraints) || against(Component::Relations) { doubted } else { base };
    let mut score = 1.0 - (ENTITIES * entities + RELATIONS * relations + CONSTRAINTS * constraints);
    if !findings.is_empty() {
        score = score.max(CRITICAL);
    }
    let evidence = findings
        .iter()
        .map(|finding| Evidence {
            kind: finding.kind,
            component: finding.component,
            a: characters(text_a, finding.a),
            b: characters(text_b, finding.b),
        })
        .collect();
    Comparison { anchored: score.clamp(0.0, 2.0), evidence, english, cut }
}

/// The values of two texts, compared. Each is read in its own language; a text of none of the six as an English one.
fn said(text_a: &str, low_a: &str, text_b: &str, low_b: &str, english: bool) -> values::Outcome {
    let spoken = |low: &str| {
        if english { Language::English } else { language(low).unwrap_or(Language::English) }
    };
    values::compare(&values::read(text_a, low_a, spoken(low_a)), &values::read(text_b, low_b, spoken(low_b)))
}

/// Whether a finding is about a number, a date or a time.
fn measures(finding: &edits::Finding) -> bool {
    matches!(finding.kind, "number" | "date")
}

/// The first [`MOST_BYTES`] of a text, up to a border between characters.
fn head(text: &str) -> &str {
    let end = (0..=MOST_BYTES.min(text.len())).rev().find(|place| text.is_char_boundary(*place));
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// Bytes to characters, as Python counts them.
fn characters(text: &str, (start, end): Span) -> (usize, usize) {
    let count = |upto: usize| text.get(..upto).map_or(upto, |head| head.chars().count());
    (count(start), count(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WORDS: &[&str] = &[
        "Ann",
        "not",
        "must",
        "3",
        "km",
        "$20",
        "\n",
        ". ",
        "\"a b\"",
        "`x`",
        "é",
        "日本",
        "May 5, 2024",
        "no",
        "’",
        "x_1",
        "https://a.example/b",
        "12:30 pm",
        "up",
        "down",
        "%",
        "°C",
        "1.2.3",
        "U.S. ",
        "million",
        "the",
        "and",
        ",",
        "İ",
        "n't",
    ];

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            ".{0,120}",
            proptest::collection::vec(prop::sample::select(WORDS), 0..40).prop_map(|words| words.join(" ")),
            proptest::collection::vec(prop::sample::select(WORDS), 0..40).prop_map(|words| words.concat()),
        ]
    }

    proptest! {
        #[test]
        fn any_two_texts_have_a_score_in_range_and_evidence_with_spans(a in text(), b in text(), plain in 0.0..2.0) {
            let found = anchor(&a, &b, plain);
            prop_assert!((0.0..=2.0).contains(&found.anchored));
            prop_assert!(found.evidence.is_empty() || found.anchored >= CRITICAL);
            for item in &found.evidence {
                prop_assert!(item.a.0 < item.a.1 && item.a.1 <= a.chars().count(), "{item:?}");
                prop_assert!(item.b.0 < item.b.1 && item.b.1 <= b.chars().count(), "{item:?}");
            }
            prop_assert!(anchor(&a, &a, plain).evidence.is_empty());
        }
    }

    #[test]
    fn more_entities_than_are_compared_are_named_as_such() {
        let many = |last: &str| format!("{} The fee is {last} here.", "See 7 of Oslo. ".repeat(400));
        let found = anchor(&many("$20"), &many("$30"), 0.1);
        assert!(found.cut && found.evidence.is_empty());
    }
}
