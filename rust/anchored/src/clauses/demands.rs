//! Words that leave free and words that oblige, where both could be said of one thing: `may` against `mandatory`.

use std::sync::LazyLock;

use super::read::Text;
use super::stance::{Says, Stated};
use crate::lexicon::mark;

/// Words that permit and no more: `can` and `allows` may tell of what is possible.
static FREE: LazyLock<[u64; 18]> = LazyLock::new(|| {
    [
        "may",
        "allowed",
        "permitted",
        "darf",
        "dürfen",
        "erlaubt",
        "gestattet",
        "puede",
        "pueden",
        "permitido",
        "peut",
        "peuvent",
        "permis",
        "autorisé",
        "可以",
        "允许",
        "てもよい",
        "かまいません",
    ]
    .map(mark)
});
/// And words that oblige somebody: `needed` may tell of what is missing.
static BOUND: LazyLock<[u64; 30]> = LazyLock::new(|| {
    [
        "must",
        "shall",
        "have",
        "has",
        "mandatory",
        "compulsory",
        "obligatory",
        "required",
        "obliged",
        "muss",
        "müssen",
        "verpflichtet",
        "vorgeschrieben",
        "obligatorisch",
        "verpflichtend",
        "doit",
        "doivent",
        "devez",
        "obligatoire",
        "obligatoires",
        "debe",
        "deben",
        "obligatorio",
        "obligatoria",
        "必须",
        "须",
        "务必",
        "強制",
        "必須",
        "義務",
    ]
    .map(mark)
});

/// Whether one text leaves free what the other obliges to, where both could be said of one thing.
pub(crate) fn strict(free: &Text, permits: &Stated, bound: &Text, needs: &Stated) -> bool {
    let word = |text: &Text, stated: &Stated| stated.at.and_then(|at| text.tokens.get(at)).map(|token| token.mark);
    let plain = word(free, permits).is_some_and(|mark| FREE.contains(&mark));
    needs.says != Says::Needed || plain && word(bound, needs).is_some_and(|mark| BOUND.contains(&mark))
}
