//! Clauses in six languages: what two answers say of the same thing, and where one denies, limits or turns round what the
//! other says; and what only one of them says.
//!
//! A text is read once into sentences and clauses with the classes of their words ([`read`], [`vocabulary`]), the clauses
//! of both are held against each other by the terms that they share ([`overlap`]), and each rule looks at pairs that
//! surely speak of the same.
//!
//! Invariants: symmetric; a text against itself has no finding and nothing unmatched; what is merely left out is no
//! contradiction; every finding has a span on each side.

mod aligned;
mod conditions;
mod content;
mod contrasts;
mod crossed;
mod demands;
mod denial;
mod denied;
mod members;
mod named;
mod overlap;
mod pairs;
mod read;
mod replaced;
mod reworded;
mod roles;
mod roots;
mod segments;
mod sequences;
mod sides;
mod sorts;
mod stance;
mod steps;
mod tokens;
mod versions;
mod vocabulary;

pub(crate) use content::Unmatched;
use content::unmatched;
use overlap::Overlap;
use read::Text;

use crate::aligned::Aligned;
use crate::edits::Finding;
use crate::facts::Span;
use crate::language::Language;

/// What the clauses of two texts show.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    pub findings: Vec<Finding>,
    /// What only the first text says, and what only the second one does.
    pub missing: Unmatched,
    pub extra: Unmatched,
    /// Phrases of each text with a negator that negates nothing.
    pub neutral: (Vec<Span>, Vec<Span>),
    /// A text had more sentences than are read.
    pub cut: bool,
    /// Sentences that say the same in two versions of one answer.
    pub aligned: Aligned,
    /// Sentences that say the same the other way round: `A is lower than B`, `B is higher than A`.
    pub converse: Vec<(Span, Span)>,
    texts: Option<(Text, Text)>,
}

/// Compares two texts, both in one language, each as it is written and in lower case. `equal`: where values stand that
/// both have.
pub(crate) fn compared(
    (text_a, low_a): (&str, &str),
    (text_b, low_b): (&str, &str),
    language: Language,
    equal: &[(Span, Span)],
) -> Compared {
    let (mut a, mut b) = (Text::read(low_a, language), Text::read(low_b, language));
    let overlap = Overlap::new(&a, &b);
    let (groups, verbatim) = aligned::groups(&overlap, equal);
    let (missing, extra) = unmatched(&overlap);
    let mut findings = Vec::new();
    let (sentences, clauses) = (pairs::sentences(&overlap), pairs::clauses(&overlap));
    replaced::contradictions(&overlap, &sentences, language == Language::English, &mut findings);
    reworded::contradictions(&overlap, &clauses, &mut findings);
    roles::contradictions(&overlap, &sentences, &mut findings);
    steps::contradictions(&overlap, &clauses, &sentences, &mut findings);
    let mut converse = Vec::new();
    versions::contradictions(&overlap, &groups, &mut findings, &mut converse);
    let aligned = Aligned { verbatim, ..spans(&overlap, &groups) };
    let (wide_a, wide_b) = (a.widened(), b.widened());
    let narrow = (std::mem::replace(&mut a.terms, wide_a), std::mem::replace(&mut b.terms, wide_b));
    let wide = Overlap::new(&a, &b);
    let (wider, _) = aligned::groups(&wide, equal);
    let named = if wider.is_empty() { Default::default() } else { (sorts::named(&a), sorts::named(&b)) };
    crossed::contradictions(&wide, equal, &named, &mut findings);
    stance::contradictions(&wide, &wider, &mut findings);
    sorts::contradictions(&wide, &wider, &named, &mut findings);
    sides::contradictions(&wide, &wider, &mut findings);
    denied::contradictions(&wide, &wider, &mut findings);
    named::contradictions(&wide, &wider, (text_a, text_b), &mut findings);
    (a.terms, b.terms) = narrow;
    let neutral = (neutral(&a), neutral(&b));
    Compared { findings, missing, extra, neutral, cut: a.cut || b.cut, aligned, converse, texts: Some((a, b)) }
}

impl Compared {
    /// Whether a negation or an opposite that some rule found is a contradiction.
    pub fn stands(&self, finding: &Finding) -> bool {
        let known = self.texts.as_ref().filter(|_| matches!(finding.kind, "negation" | "antonym"));
        known.is_none_or(|(a, b)| denial::stands(a, b, finding))
    }
}

/// Where the sentences of each group stand.
fn spans(overlap: &Overlap<'_>, groups: &[aligned::Group]) -> Aligned {
    let mut found = Aligned::default();
    for (number, group) in groups.iter().enumerate() {
        for (text, list, spans) in [(overlap.a, &group.a, &mut found.a), (overlap.b, &group.b, &mut found.b)] {
            let sentences = list.iter().filter_map(|one| text.sentences.get(*one));
            spans.extend(sentences.map(|sentence| (sentence.span, number)));
        }
    }
    found.a.sort_unstable();
    found.b.sort_unstable();
    found
}

/// What contradicts in code, JSON and tables, whatever the language of the text around them.
pub(crate) fn formal(low_a: &str, low_b: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    conditions::contradictions(low_a, low_b, &mut findings);
    members::contradictions(low_a, low_b, &mut findings);
    findings
}

/// Where phrases stand with a negator that negates nothing, from their first word to the one after their last.
fn neutral(text: &Text) -> Vec<Span> {
    let found = text.tokens.iter().enumerate().filter(|(_, token)| token.is(vocabulary::NEUTRAL));
    found
        .map(|(position, token)| (token.span.0, text.tokens.get(position + 2).map_or(token.span.1, |last| last.span.1)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PIECES: &[&str] = &[
        "the tenant must pay the deposit",
        "the landlord may inspect the flat",
        "pets are not allowed",
        "all guests",
        "some guests",
        "before meals",
        "der mieter muss kündigen",
        "haustiere sind nicht erlaubt",
        "alle artikel",
        "les vélos ne sont pas admis",
        "tous les billets",
        "no se permiten bicicletas",
        "租客必须书面通知",
        "不可以退款",
        "所有房间",
        "返金できません",
        "すべての商品",
        ". ",
        ", ",
        "\n- ",
        "\n1. ",
        "。",
        "、",
        "? ",
        "; ",
        "but ",
        " 30 ",
        "|",
        "```\n",
        "’",
        "é",
        "only ",
        "except ",
    ];

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            ".{0,80}",
            proptest::collection::vec(prop::sample::select(PIECES), 0..14).prop_map(|pieces| pieces.join(" ")),
        ]
    }

    fn language() -> impl Strategy<Value = Language> {
        use Language::{Chinese, English, French, German, Japanese, Spanish};
        prop::sample::select(&[English, German, French, Spanish, Chinese, Japanese][..])
    }

    proptest! {
        #[test]
        fn the_other_way_round_is_the_same(a in text(), b in text(), language in language()) {
            let (a, b) = (crate::facts::lowered(&a), crate::facts::lowered(&b));
            let (one, other) = ((a.as_str(), a.as_str()), (b.as_str(), b.as_str()));
            let (there, back) = (compared(one, other, language, &[]), compared(other, one, language, &[]));
            let turned = |found: &Compared| {
                let mut all: Vec<_> = found.findings.iter().map(|one| (one.kind, one.b, one.a)).collect();
                all.sort_unstable();
                all
            };
            let mut straight: Vec<_> = there.findings.iter().map(|one| (one.kind, one.a, one.b)).collect();
            straight.sort_unstable();
            prop_assert_eq!(straight.is_empty(), turned(&back).is_empty(), "{:?} {:?}", straight, turned(&back));
            prop_assert_eq!((&there.missing, &there.extra), (&back.extra, &back.missing));
            for found in &there.findings {
                prop_assert!(found.a.0 < found.a.1 && found.b.0 < found.b.1, "{found:?}");
                prop_assert!(a.get(found.a.0..found.a.1).is_some() && b.get(found.b.0..found.b.1).is_some());
            }
        }

        #[test]
        fn a_text_says_all_that_it_says(a in text(), language in language()) {
            let low = crate::facts::lowered(&a);
            let found = compared((&a, &low), (&a, &low), language, &[]);
            prop_assert!(found.findings.is_empty(), "{:?}", found.findings);
            prop_assert_eq!((found.missing.share, found.extra.share), (0.0, 0.0));
        }
    }
}
