//! What the words beside a value say of it: at least, at most, more than, about, not.
//!
//! Invariants: a phrase is found only whole; the longest one that fits is the one that was written; where a sentence
//! denies something, no bound is claimed.

use std::sync::LazyLock;

use super::phrases::starts_whole;
use crate::language::Language;
use crate::lexicon::WordSet;

/// Where the true value lies beside the one that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    None,
    /// At least.
    Lower,
    /// More than.
    Above,
    /// At most.
    Upper,
    /// Less than.
    Below,
}

impl Bound {
    /// Whether the value itself is left out.
    fn strict(self) -> Self {
        match self {
            Self::Lower => Self::Above,
            Self::Upper => Self::Below,
            other => other,
        }
    }
}

/// Phrases among those of bounds that leave the value itself out.
static STRICT: LazyLock<WordSet<&str>> = LazyLock::new(|| {
    "more than|over|above|exceeding|exceeds|older than|over the age of|above the age of|under the age of|below the age of|taller than|heavier than|longer than|greater than|higher than|>|less than|\
     fewer than|under|below|younger than|shorter than|lower than|smaller than|<|mehr als|über|länger als|\
     älter als|weniger als|unter|kürzer als|jünger als|unterhalb von|plus de|supérieur à|supérieure à|moins de|\
     inférieur à|inférieure à|sous|más de|superior a|menos de|inferior a|超过|多于|大于|高于|少于|低于|小于|不足|を超え|超|未満|未满"
        .split('|')
        .collect()
});

const NEGATORS: &[(Language, &[&str])] = &[
    (
        Language::English,
        &[" not ", "n't ", "n’t ", "never ", " no ", "nobody ", " avoid ", "without ", "forbidden", "prohibited"],
    ),
    (
        Language::German,
        &["nicht ", "kein", "nie ", "niemals ", "ohne ", "niemand", "vermeiden", "verboten", "untersagt"],
    ),
    (Language::French, &["ne ", "n'", "n’", " pas ", "jamais", "sans ", "interdit"]),
    (Language::Spanish, &["no ", "nunca ", "sin ", "nadie ", "evite ", "prohibid"]),
    (Language::Chinese, &["不", "勿", "别", "没", "未", "禁止"]),
    (Language::Japanese, &["ない", "ません", "なく", "ずに", "禁止"]),
];

/// Whether a sentence, less the words of a bound, denies something: then it is not known which way the bound holds.
pub(crate) fn denies(before: &str, behind: &str, language: Language) -> bool {
    let list = NEGATORS.iter().find(|(known, _)| *known == language).map_or(&[][..], |(_, list)| list);
    list.iter().any(|word| before.contains(word) || before.starts_with(word.trim_start()) || behind.contains(word))
}

/// Whether a duration is measured back from a time: up to 24 hours before is at least a day ahead.
pub(crate) fn counted_back(behind: &str) -> bool {
    const BACK: &[&str] = &[
        "before",
        "ahead",
        "prior",
        "in advance",
        "beforehand",
        "vor",
        "im voraus",
        "avant",
        "à l'avance",
        "antes",
        "de antelación",
        "前",
        "之前",
    ];
    let behind = behind.trim_start();
    BACK.iter().any(|word| starts_whole(behind, word))
}

/// Phrases by the byte that tells most of them from a text: the last one of those before a value, the first one of those
/// behind it.
struct Phrases {
    /// With the byte beside that one.
    by_byte: Vec<Vec<(Option<u8>, &'static str)>>,
    key: fn(&str) -> (Option<u8>, Option<u8>),
    fits: fn(&str, &str) -> bool,
}

impl Phrases {
    fn before(list: &'static str) -> Self {
        let key = |text: &str| {
            let mut bytes = text.bytes().rev();
            (bytes.next(), bytes.next())
        };
        Self::new(list, key, ends_whole)
    }

    fn behind(list: &'static str) -> Self {
        let key = |text: &str| {
            let mut bytes = text.bytes();
            (bytes.next(), bytes.next())
        };
        Self::new(list, key, starts_whole)
    }

    fn new(list: &'static str, key: fn(&str) -> (Option<u8>, Option<u8>), fits: fn(&str, &str) -> bool) -> Self {
        let mut by_byte = vec![Vec::new(); 256];
        for phrase in list.split('|') {
            let (first, second) = key(phrase);
            if let Some(known) = first.and_then(|byte| by_byte.get_mut(usize::from(byte))) {
                known.push((second, phrase));
            }
        }
        Self { by_byte, key, fits }
    }

    fn found<'p>(&'p self, text: &'p str) -> impl Iterator<Item = &'static str> + 'p {
        let (first, second) = (self.key)(text);
        let list = first.and_then(|byte| self.by_byte.get(usize::from(byte))).map_or(&[][..], Vec::as_slice);
        let like = move |known: Option<u8>| known.is_none() || known == second;
        let known = list.iter().filter(move |(known, phrase)| like(*known) && (self.fits)(text, phrase));
        known.map(|(_, phrase)| *phrase)
    }

    fn longest(&self, text: &str) -> Option<&'static str> {
        self.found(text).max_by_key(|phrase| phrase.len())
    }

    fn any(&self, text: &str) -> bool {
        self.found(text).next().is_some()
    }
}

static LOWER_BEFORE: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::before(
        "at least|over the age of|above the age of|taller than|heavier than|no less than|not less than|no fewer than|more than|over|above|exceeding|exceeds|a minimum of|\
     minimum|minimum of|min|min.|older than|longer than|greater than|higher than|upwards of|>|>=|≥|mindestens|\
     wenigstens|ab|mehr als|über|nicht weniger als|länger als|älter als|mind.|min.|au moins|minimum|plus de|\
     à partir de|dès|pas moins de|supérieur à|supérieure à|au minimum|al menos|por lo menos|a partir de|desde|\
     como mínimo|mínimo|más de|no menos de|superior a|mínimo de|至少|不少于|不低于|超过|多于|大于|高于|不小于|最少|少なくとも|最低|最低でも",
    )
});
static UPPER_BEFORE: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::before(
        "at most|up to and including|bis einschließlich|bis einschliesslich|under the age of|below the age of|no more than|not more than|less than|fewer than|under|below|up to|within|a maximum of|maximum|\
     maximum of|max|max.|not exceeding|not exceed|younger than|shorter than|lower than|no longer than|\
     no older than|smaller than|<|<=|≤|höchstens|maximal|weniger als|unter|bis zu|bis|nicht mehr als|\
     innerhalb von|binnen|max.|kürzer als|jünger als|nicht länger als|unterhalb von|au plus|maximum|moins de|\
     pas plus de|jusqu'à|jusqu’à|dans les|sous|inférieur à|inférieure à|au maximum|como máximo|máximo|menos de|\
     no más de|hasta|en un plazo de|inferior a|máximo de|a lo sumo|最多|不超过|至多|少于|低于|小于|不多于|不足|最高|最大|最大で|最長|多くとも",
    )
});
static LOWER_BEHIND: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::behind(
        "or more|or longer|or older|or over|or above|and above|and over|or higher|minimum|at least|oder mehr|\
     oder länger|und mehr|oder älter|mindestens|ou plus|et plus|au moins|au minimum|o más|como mínimo|o mayor|\
     及以上|以上|或以上|或更多|を超え|超",
    )
});
static UPPER_BEHIND: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::behind(
        "or less|or fewer|or shorter|or younger|or under|or below|and under|or lower|maximum|at most|oder weniger|\
     oder kürzer|höchstens|maximal|ou moins|au plus|au maximum|o menos|como máximo|以内|以下|之内|未満|未满|或以下|内|まで",
    )
});

/// Deadlines: no later than three months before is at least three months before, so they say nothing of a bound.
static DEADLINES: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::before("no later than|not later than|spätestens|au plus tard|a más tardar|最迟|遅くとも")
});
/// Signs that count things and may stand between a number and its bound: 3人以上.
pub(crate) const COUNTERS: &str = "个個名位人次件条台本家倍种種步层階楼号页份张つ回枚点";

/// What the words right before and right behind a value say of its bound, and the bytes that they begin and end at.
pub(crate) fn bound(low: &str, start: usize, end: usize) -> (Bound, usize, usize) {
    let before = low.get(..start).unwrap_or("").trim_end();
    let behind = low.get(end..).unwrap_or("");
    let skipped = behind.len() - behind.trim_start().len();
    let behind = behind.trim_start();
    let counter = behind.chars().next().filter(|first| COUNTERS.contains(*first)).map_or(0, char::len_utf8);
    let (behind, skipped) = (behind.get(counter..).unwrap_or(""), skipped + counter);
    let said = |bound: Bound, phrase: &str| if STRICT.contains(phrase) { bound.strict() } else { bound };
    // A line of its own begins nothing for the next one.
    let same_line = !low.get(before.len()..start).unwrap_or("").contains('\n');
    if same_line {
        if let Some(phrase) = DEADLINES.longest(before) {
            return (Bound::None, before.len() - phrase.len(), end);
        }
        let lower = LOWER_BEFORE.longest(before);
        let upper = UPPER_BEFORE.longest(before);
        // "no more than" ends with "more than": the longer phrase is the one that was written.
        match (lower, upper) {
            (Some(phrase), other) if other.is_none_or(|other| phrase.len() > other.len()) => {
                return (said(Bound::Lower, phrase), before.len() - phrase.len(), end);
            }
            (_, Some(phrase)) => return (said(Bound::Upper, phrase), before.len() - phrase.len(), end),
            _ => {}
        }
    }
    if let Some(phrase) = LOWER_BEHIND.longest(behind) {
        return (said(Bound::Lower, phrase), start, end + skipped + phrase.len());
    }
    if let Some(phrase) = UPPER_BEHIND.longest(behind) {
        return (said(Bound::Upper, phrase), start, end + skipped + phrase.len());
    }
    (Bound::None, start, end)
}

static HEDGES: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::before(
        "about|around|approximately|roughly|nearly|almost|approx.|approx|circa|~|≈|some|etwa|rund|circa|ca.|ungefähr|\
     fast|knapp|gut|environ|près de|à peu près|autour de|unos|unas|aproximadamente|alrededor de|cerca de|casi|约|\
     大约|約|左右|およそ|ほぼ|将近",
    )
});

/// Whether the words right before a value say that it is not exact.
pub(crate) fn hedged(low: &str, start: usize) -> bool {
    let before = low.get(..start).unwrap_or("").trim_end();
    HEDGES.any(before)
}

fn ends_whole(text: &str, phrase: &str) -> bool {
    let Some(rest) = text.strip_suffix(phrase) else { return false };
    phrase.starts_with(super::tokens::is_sign) || !rest.ends_with(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_before_and_behind() {
        for (text, value, expected) in [
            ("at least 3 days", "3 days", Bound::Lower),
            ("no less than 3 days", "3 days", Bound::Lower),
            ("no more than 3 days", "3 days", Bound::Upper),
            ("3 days or more", "3 days", Bound::Lower),
            ("höchstens 3 tage", "3 tage", Bound::Upper),
            ("au moins 3 jours", "3 jours", Bound::Lower),
            ("al menos 3 días", "3 días", Bound::Lower),
            ("18歳以上", "18歳", Bound::Lower),
            ("18歳未満", "18歳", Bound::Below),
            ("不超过3天", "3天", Bound::Upper),
            ("after 3 days", "3 days", Bound::None),
            ("moreover 3 days", "3 days", Bound::None),
        ] {
            let start = text.find(value).unwrap();
            assert_eq!(bound(text, start, start + value.len()).0, expected, "{text}");
        }
    }
}
