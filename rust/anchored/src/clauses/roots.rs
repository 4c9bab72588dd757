//! What the inflections of a word have in common, in six languages.

use std::borrow::Cow;

use crate::language::Language;
use crate::lexicon::{mark, stem};

/// What inflections of a lower-case word have in common: its first six letters without accents and ending. English has
/// rules of its own.
pub(crate) fn root(language: Language, word: &str) -> u64 {
    match language {
        Language::English => mark(underived(&stem(word))),
        Language::Chinese | Language::Japanese => mark(word),
        Language::German => mark(&folded(word, &["en", "es", "em", "e", "n", "s"])),
        Language::French => mark(&folded(word, &["ent", "es", "er", "ez", "e", "s", "x"])),
        Language::Spanish => mark(&folded(word, &["os", "as", "es", "an", "en", "ar", "er", "ir", "o", "a", "e", "s"])),
    }
}

/// Endings that make a noun or an adjective of an English verb, by their last letter, longest first, and the letters that
/// must stay.
const DERIVED: [(u8, &[(&str, usize)]); 7] = [
    (b'n', &[("ation", 4), ("tion", 4), ("ion", 4)]),
    (b't', &[("ment", 4)]),
    (b'e', &[("ance", 4), ("ence", 4), ("able", 4), ("ible", 4), ("ive", 4)]),
    (b's', &[("ness", 4)]),
    (b'y', &[("ity", 4)]),
    (b'l', &[("al", 5)]),
    (b'r', &[("er", 5), ("or", 5)]),
];

/// An English stem without such an ending: `treatment` and `treat`, `approval` and `approve`.
pub(super) fn underived(stem: &str) -> &str {
    let last = stem.as_bytes().last().copied().unwrap_or(0);
    let endings = DERIVED.iter().find(|(letter, _)| *letter == last).map_or(&[][..], |(_, endings)| endings);
    let cut = endings.iter().find_map(|(ending, least)| stem.strip_suffix(ending).filter(|root| root.len() >= *least));
    let root = cut.unwrap_or(stem);
    root.strip_suffix('e').filter(|root| root.len() > 3).unwrap_or(root)
}

const ROOT_LETTERS: usize = 6;

fn folded<'w>(mut word: &'w str, endings: &[&str]) -> Cow<'w, str> {
    let cut = |word: &'w str| {
        endings.iter().find_map(|ending| word.strip_suffix(ending).filter(|root| root.chars().nth(3).is_some()))
    };
    while let Some(root) = cut(word) {
        word = root;
    }
    if word.is_ascii() {
        return Cow::Borrowed(word.get(..ROOT_LETTERS).unwrap_or(word));
    }
    Cow::Owned(word.chars().take(ROOT_LETTERS).map(plain).collect())
}

/// A letter without its accent.
fn plain(letter: char) -> char {
    match letter {
        'à' | 'á' | 'â' | 'ã' | 'ä' => 'a',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inflections_share_a_root() {
        for (language, one, other) in [
            (Language::German, "artikel", "artikeln"),
            (Language::German, "kosten", "koste"),
            (Language::French, "permise", "permis"),
            (Language::French, "vélos", "vélo"),
            (Language::Spanish, "bicicletas", "bicicleta"),
            (Language::Spanish, "reembolso", "reembolsos"),
        ] {
            assert_eq!(root(language, one), root(language, other), "{one} {other}");
        }
        assert_ne!(root(Language::German, "mieter"), root(Language::German, "miete"));
    }
}
