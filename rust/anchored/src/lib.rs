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

mod aligned;
mod clauses;
mod compare;
mod edits;
pub mod embedding_bag;
mod exchange;
mod extract;
mod facts;
pub mod flat_index;
pub mod hashed_words;
mod language;
mod lexicon;
mod marks;
pub mod markup;
mod order;
mod quantities;
mod same;
mod scan;
mod values;

use edits::Finding;
use extract::extract;
use facts::{Facts, Span, lowered};
use language::{Language, common, language};

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
    /// `number`, `date`, `name`, `quote`, `url`, `code`, `negation`, `antonym`, `modality`, `quantifier`,
    /// `direction`, `order`, `cause`, `condition`, `member` or `answer`.
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
    /// What only the first text says.
    pub missing: Unmatched,
    /// What only the second text says.
    pub extra: Unmatched,
    /// Either text is in no language that is known here, or they are in two: clauses were not compared.
    pub foreign: bool,
    /// A text was longer than [`MOST_BYTES`], or had more entities or sentences than are compared: it was read in part.
    pub cut: bool,
}

/// The share of a text's sentences, and of its values in sentences that are said, which the other text does not say,
/// and the characters of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unmatched {
    /// In [0, 1]. A sentence without content, as a greeting is, does not count.
    pub share: f64,
    /// Start and end in characters, in the order of the text.
    pub spans: Vec<(usize, usize)>,
}

/// The comparison of two texts whose plain ΔS is known.
pub fn anchor(text_a: &str, text_b: &str, plain: f64) -> Comparison {
    let mut made = Comparison {
        anchored: plain,
        evidence: Vec::new(),
        missing: Unmatched::default(),
        extra: Unmatched::default(),
        foreign: false,
        cut: false,
    };
    if text_a == text_b {
        return made;
    }
    let (head_a, head_b) = (head(text_a), head(text_b));
    let (low_a, low_b) = (lowered(head_a), lowered(head_b));
    let (a, b) = (extract(head_a, &low_a), extract(head_b, &low_b));
    let spoken = (language(&low_a), language(&low_b));
    let both = common(spoken.0, spoken.1);
    let english = both == Some(Language::English);
    // A text of none of the six languages is read as an English one.
    let reading = |text, low, own: Option<Language>| values::read(text, low, both.or(own).unwrap_or(Language::English));
    let readings = (reading(head_a, &low_a, spoken.0.0), reading(head_b, &low_b, spoken.1.0));
    let held = values::Both::new(&readings.0, &readings.1);
    let clauses = both.map_or_else(clauses::Compared::default, |both| {
        clauses::compared((head_a, &low_a), (head_b, &low_b), both, &held.equal())
    });
    let values = held.compared(&clauses.aligned);
    made.cut = head_a.len() < text_a.len() || head_b.len() < text_b.len();
    made.cut = made.cut || a.cut || b.cut || values.cut || clauses.cut;
    made.foreign = both.is_none();
    if both.is_some() {
        made.missing = in_characters(text_a, &clauses.missing.with_values(&values.only_a));
        made.extra = in_characters(text_b, &clauses.extra.with_values(&values.only_b));
    }
    let mut findings = if english { compare::contradictions(&a, &b) } else { Vec::new() };
    // "No later than Friday" denies nothing.
    let touches = |spans: &[Span], span: Span| spans.iter().any(|known| meets(*known, span));
    let neutral = |known: &Finding| touches(&clauses.neutral.0, known.a) || touches(&clauses.neutral.1, known.b);
    findings.retain(|known| {
        let one_value = measures(known) && values.equal_at(known.a, known.b)
            || known.kind == "antonym" && values.known_at(known.a, known.b);
        !(known.kind == "negation" && neutral(known) || one_value)
    });
    for finding in &values.findings {
        // A value says better what differs than a name or a word of it.
        findings.retain(|known| {
            let better = measures(finding) && known.component == Component::Entities;
            !(better && meets(known.a, finding.a) && meets(known.b, finding.b))
        });
        if !findings.iter().any(|known| meets(known.a, finding.a) || meets(known.b, finding.b)) {
            findings.push(*finding);
        }
    }
    let turned = |known: &Finding| {
        let within = |(one, other): &(Span, Span)| meets(known.a, *one) && meets(known.b, *other);
        matches!(known.kind, "antonym" | "direction")
            && (clauses.converse.iter().any(within) || values.split.iter().any(within))
    };
    findings.retain(|known| !turned(known));
    for finding in
        clauses.findings.iter().copied().filter(|known| !turned(known)).chain(clauses::formal(&low_a, &low_b))
    {
        // One difference is one finding, whichever rule saw it first; "3 or more" is no more than "at least 3".
        let one_value = measures(&finding) && values.equal_at(finding.a, finding.b)
            || finding.kind == "antonym" && values.known_at(finding.a, finding.b);
        if !one_value && !findings.iter().any(|known| meets(known.a, finding.a) && meets(known.b, finding.b)) {
            findings.push(finding);
        }
    }
    findings.retain(|known| clauses.stands(known));
    if english || !findings.is_empty() {
        made.anchored = score(&a, &b, &findings, plain, english);
    }
    made.evidence = findings
        .iter()
        .map(|finding| Evidence {
            kind: finding.kind,
            component: finding.component,
            a: characters(text_a, finding.a),
            b: characters(text_b, finding.b),
        })
        .collect();
    made
}

/// The formula at the top. Agreement of entities and the order of words are read in English only.
fn score(a: &Facts<'_>, b: &Facts<'_>, findings: &[Finding], plain: f64, english: bool) -> f64 {
    let against = |component: Component| findings.iter().any(|finding| finding.component == component);
    let base = 1.0 - plain;
    let doubted = base.min(base / 2.0);
    let agreement = if english { compare::entity_agreement(a, b) } else { None };
    let entities = match agreement {
        _ if against(Component::Entities) => doubted,
        Some(agreement) if base >= 0.0 => base * (0.75 + 0.25 * agreement),
        _ => base,
    };
    let relations = match english {
        _ if against(Component::Relations) => doubted,
        true => base - base.max(0.0) * order::disorder(a, b),
        false => base,
    };
    let constraints = if against(Component::Constraints) || against(Component::Relations) { doubted } else { base };
    let score = 1.0 - (ENTITIES * entities + RELATIONS * relations + CONSTRAINTS * constraints);
    if findings.is_empty() { score.clamp(0.0, 2.0) } else { score.clamp(CRITICAL, 2.0) }
}

fn in_characters(text: &str, unmatched: &clauses::Unmatched) -> Unmatched {
    Unmatched { share: unmatched.share, spans: unmatched.spans.iter().map(|span| characters(text, *span)).collect() }
}

fn meets(one: Span, other: Span) -> bool {
    one.0 < other.1 && other.0 < one.1
}

/// Whether a finding is about a number, a date, a time, or the words of their bounds.
fn measures(finding: &Finding) -> bool {
    matches!(finding.kind, "number" | "date" | "negation" | "antonym")
}

/// The first [`MOST_BYTES`] of a text, up to a border between characters.
fn head(text: &str) -> &str {
    let end = (0..=MOST_BYTES.min(text.len())).rev().find(|position| text.is_char_boundary(*position));
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
