//! Which of the six languages a text is written in.
//!
//! Invariant: by its script and its small words only; a text that shows none of them in Latin letters (a code, a name, a
//! number) is taken for English, whose rules then find no more than words that exclude each other.

use std::sync::LazyLock;

use crate::lexicon::{WordMap, mark};
use crate::marks::Marks;

/// A language whose words are known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    German,
    French,
    Spanish,
    Chinese,
    Japanese,
}

impl Language {
    /// Whether words stand without spaces between them.
    pub fn spaceless(self) -> bool {
        matches!(self, Self::Chinese | Self::Japanese)
    }
}

/// Small words that tell the languages in Latin letters apart; the last line is of those that are not known here.
const LATIN: [(Option<Language>, &str); 5] = [
    (
        Some(Language::English),
        "the a an and is are was were of to in for with you your it this that be or not on at by from can will have has \
         do does if as we they must may no all more when which but there",
    ),
    (
        Some(Language::German),
        "der die das und ist nicht ein eine einen einem mit auf dem den zu sich auch wird werden sind im für von sie wir \
         oder bei nach kein keine kann können darf muss müssen aus zum zur innerhalb bis nur wenn als vor über durch haben",
    ),
    (
        Some(Language::French),
        "le la les des est et une un dans pour que qui sur pas avec ne du au aux en vous votre vos ce cette il elle nous \
         sont ou par plus peut peuvent doit doivent être à si sans de",
    ),
    (
        Some(Language::Spanish),
        "el la los las del de en por para con una un como su sus al es son que y o se no más puede pueden debe deben \
         está están si usted lo hay sin",
    ),
    (
        None,
        "il lo gli di che per sono della nel è non alla alle dal al ma dei delle anche questo os da em não uma um ao é het een op te dat zijn voor niet att \
         det som på är och inte ikke jeg w nie się na jest że ve bir için dengan yang dan untuk",
    ),
];

/// Bits that each language has in a sum: a sample's words count for less than this holds.
const COUNTER: u32 = 12;

/// What a word says for each language, [`COUNTER`] bits a place: two when it is in the lists above, one more when it is in
/// the words of that language.
static SMALL: LazyLock<Marks<u64>> = LazyLock::new(|| {
    let mut bits: WordMap<&'static str, u16> = WordMap::default();
    for (position, (language, list)) in LATIN.iter().enumerate() {
        for word in list.split_whitespace() {
            *bits.entry(word).or_default() |= 1 << position;
        }
        for word in language.map_or("", list_of).split_whitespace().filter(|word| !word.contains('_')) {
            *bits.entry(word).or_default() |= 1 << (position + LATIN.len());
        }
    }
    let says = |bits: u16| {
        // A word of the short lists tells more.
        let of = |place: usize| u64::from(bits >> place & 1) * 2 + u64::from(bits >> (place + LATIN.len()) & 1);
        (0_u32..).zip(0..LATIN.len()).map(|(shift, place)| of(place) << (shift * COUNTER)).sum()
    };
    bits.into_iter().map(|(word, bits)| (mark(word), says(bits))).collect()
});

/// So many characters tell the language.
const SAMPLE: usize = 600;

/// The language that two texts share; `None` when there is none, or none of the six.
pub(crate) fn common(one: Spoken, other: Spoken) -> Option<Language> {
    match (one, other) {
        // A text in Latin letters without any small word may be in the other's language, if that is written in them too.
        ((_, false), (theirs, _)) => theirs.filter(|language| !language.spaceless()),
        ((mine, _), (_, false)) => mine.filter(|language| !language.spaceless()),
        ((mine, true), (theirs, true)) => mine.filter(|_| mine == theirs),
    }
}

/// The language of a text, `None` when it is none of the six, and whether anything in the text says so.
pub(crate) type Spoken = (Option<Language>, bool);

/// The language of a lower-case text.
pub(crate) fn language(low: &str) -> Spoken {
    let (mut latin, mut han, mut kana, mut other) = (0_usize, 0_usize, 0_usize, 0_usize);
    if low.is_ascii() {
        latin = 1;
    } else {
        for letter in low.chars().take(SAMPLE) {
            match letter {
                'a'..='z' | '\u{c0}'..='\u{24f}' => latin += 1,
                '\u{3040}'..='\u{30ff}' => kana += 1,
                '\u{3400}'..='\u{9fff}' | '々' => han += 1,
                letter if letter.is_alphabetic() => other += 1,
                _ => {}
            }
        }
    }
    // A sign of Chinese or Japanese says as much as several letters.
    let eastern = (han + kana) * 3;
    if other * 2 > latin + eastern {
        return (None, true);
    }
    if eastern > latin {
        return (Some(if kana * 10 > han { Language::Japanese } else { Language::Chinese }), true);
    }
    let counts = counted(low);
    let count = |position: usize| counts >> (position as u32 * COUNTER) & ((1 << COUNTER) - 1);
    let best = (0..LATIN.len()).rev().max_by_key(|position| count(*position)).unwrap_or(0);
    (LATIN.get(best).and_then(|(language, _)| *language), count(best) > 0)
}

/// What the words of a text's sample say for each language together.
fn counted(low: &str) -> u64 {
    let small = &*SMALL;
    let of = |word: &str| small.get(mark(word)).copied().unwrap_or(0);
    if !low.is_ascii() {
        let end = low.char_indices().nth(SAMPLE).map_or(low.len(), |(end, _)| end);
        let head = low.get(..end).unwrap_or(low);
        let words = head.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty());
        return words.map(of).sum();
    }
    let head = low.get(..SAMPLE.min(low.len())).unwrap_or(low);
    let bytes = head.as_bytes();
    let (mut sum, mut start) = (0, 0);
    for (at, byte) in bytes.iter().enumerate() {
        if !byte.is_ascii_alphabetic() {
            if start < at {
                sum += head.get(start..at).map_or(0, of);
            }
            start = at + 1;
        }
    }
    sum + head.get(start..).filter(|word| !word.is_empty()).map_or(0, of)
}

fn list_of(language: Language) -> &'static str {
    match language {
        Language::English => include_str!("clauses/words/en.txt"),
        Language::German => include_str!("clauses/words/de.txt"),
        Language::French => include_str!("clauses/words/fr.txt"),
        Language::Spanish => include_str!("clauses/words/es.txt"),
        Language::Chinese => include_str!("clauses/words/zh.txt"),
        Language::Japanese => include_str!("clauses/words/ja.txt"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_of_a_sentence() {
        for (text, expected) in [
            ("the deposit is returned within 60 days.", Some(Language::English)),
            ("reduzierte ware ist vom umtausch ausgeschlossen.", Some(Language::German)),
            ("les vélos ne sont pas admis.", Some(Language::French)),
            ("no se permiten bicicletas en el tren.", Some(Language::Spanish)),
            ("租客必须在租期结束前书面通知。", Some(Language::Chinese)),
            ("セール品は交換できません。", Some(Language::Japanese)),
            ("il treno non parte alle otto, ma alle nove.", None),
            ("поезд отправляется в восемь часов.", None),
            ("ord-4417", Some(Language::English)),
            ("", Some(Language::English)),
        ] {
            assert_eq!(language(text).0, expected, "{text}");
        }
    }
}
