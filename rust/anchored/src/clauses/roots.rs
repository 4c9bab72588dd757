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

/// An English stem without an ending that makes a noun or an adjective of a verb: `treatment` and `treat`, `approval` and
/// `approve`. Of two endings the longer one; four letters must stay, five before a short one.
pub(super) fn underived(stem: &str) -> &str {
    let root = match stem.as_bytes() {
        [root @ .., b'a', b't', b'i', b'o', b'n']
        | [root @ .., b't', b'i', b'o', b'n']
        | [root @ .., b'i', b'o', b'n']
        | [root @ .., b'm', b'e', b'n', b't']
        | [root @ .., b'a' | b'e', b'n', b'c', b'e']
        | [root @ .., b'a' | b'i', b'b', b'l', b'e']
        | [root @ .., b'n', b'e', b's', b's']
        | [root @ .., b'i', b'v', b'e']
        | [root @ .., b'i', b't', b'y']
            if root.len() >= 4 =>
        {
            root
        }
        [root @ .., b'a', b'l'] | [root @ .., b'e' | b'o', b'r'] if root.len() >= 5 => root,
        all => all,
    };
    let root = stem.get(..root.len()).unwrap_or(stem);
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
