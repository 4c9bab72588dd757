//! Quantities that a phrase says without a number, and bounds: `half an hour`, `a quarter of`, `at least`, `or more`.
//!
//! Invariant: a phrase is found only whole, from the border of a word to the border of a word.

use super::units::Dimension::{self, Clock, Duration, Percent};
use crate::language::Language;

/// Where the true value lies beside the one that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    None,
    /// At least, more than, above.
    Lower,
    /// At most, less than, below.
    Upper,
}

type Phrases = &'static [(&'static str, Dimension, f64)];

const HOUR: f64 = 3600.0;
const DAY: f64 = 86_400.0;
const YEAR: f64 = 31_557_600.0;

const ENGLISH: Phrases = &[
    ("a quarter of an hour", Duration, HOUR / 4.0),
    ("quarter of an hour", Duration, HOUR / 4.0),
    ("three quarters of an hour", Duration, HOUR * 0.75),
    ("half an hour", Duration, HOUR / 2.0),
    ("a half hour", Duration, HOUR / 2.0),
    ("half hour", Duration, HOUR / 2.0),
    ("an hour and a half", Duration, HOUR * 1.5),
    ("one hour and a half", Duration, HOUR * 1.5),
    ("one and a half hours", Duration, HOUR * 1.5),
    ("a day and a half", Duration, DAY * 1.5),
    ("half a day", Duration, DAY / 2.0),
    ("half a year", Duration, YEAR / 2.0),
    ("a year and a half", Duration, YEAR * 1.5),
    ("a quarter of", Percent, 25.0),
    ("one quarter of", Percent, 25.0),
    ("three quarters of", Percent, 75.0),
    ("half of", Percent, 50.0),
    ("half the", Percent, 50.0),
    ("a third of", Percent, 100.0 / 3.0),
    ("one third of", Percent, 100.0 / 3.0),
    ("two thirds of", Percent, 200.0 / 3.0),
    ("noon", Clock, 720.0),
    ("midday", Clock, 720.0),
    ("midnight", Clock, 0.0),
];
const GERMAN: Phrases = &[
    ("eine viertelstunde", Duration, HOUR / 4.0),
    ("einer viertelstunde", Duration, HOUR / 4.0),
    ("viertelstunde", Duration, HOUR / 4.0),
    ("dreiviertelstunde", Duration, HOUR * 0.75),
    ("dreiviertel stunde", Duration, HOUR * 0.75),
    ("halbe stunde", Duration, HOUR / 2.0),
    ("halben stunde", Duration, HOUR / 2.0),
    ("halber tag", Duration, DAY / 2.0),
    ("halben tag", Duration, DAY / 2.0),
    ("halbes jahr", Duration, YEAR / 2.0),
    ("halben jahr", Duration, YEAR / 2.0),
    ("ein viertel der", Percent, 25.0),
    ("ein viertel des", Percent, 25.0),
    ("ein viertel von", Percent, 25.0),
    ("drei viertel der", Percent, 75.0),
    ("drei viertel des", Percent, 75.0),
    ("ein drittel", Percent, 100.0 / 3.0),
    ("zwei drittel", Percent, 200.0 / 3.0),
    ("hälfte", Percent, 50.0),
    ("mitternacht", Clock, 0.0),
];
const FRENCH: Phrases = &[
    ("un quart d'heure", Duration, HOUR / 4.0),
    ("un quart d’heure", Duration, HOUR / 4.0),
    ("trois quarts d'heure", Duration, HOUR * 0.75),
    ("une demi-heure", Duration, HOUR / 2.0),
    ("demi-heure", Duration, HOUR / 2.0),
    ("une heure et demie", Duration, HOUR * 1.5),
    ("une demi-journée", Duration, DAY / 2.0),
    ("un quart de", Percent, 25.0),
    ("un quart du", Percent, 25.0),
    ("un quart des", Percent, 25.0),
    ("trois quarts de", Percent, 75.0),
    ("moitié", Percent, 50.0),
    ("un tiers", Percent, 100.0 / 3.0),
    ("deux tiers", Percent, 200.0 / 3.0),
    ("midi", Clock, 720.0),
    ("minuit", Clock, 0.0),
];
const SPANISH: Phrases = &[
    ("un cuarto de hora", Duration, HOUR / 4.0),
    ("tres cuartos de hora", Duration, HOUR * 0.75),
    ("media hora", Duration, HOUR / 2.0),
    ("una hora y media", Duration, HOUR * 1.5),
    ("medio día", Duration, DAY / 2.0),
    ("medio año", Duration, YEAR / 2.0),
    ("una cuarta parte", Percent, 25.0),
    ("un cuarto de", Percent, 25.0),
    ("un cuarto del", Percent, 25.0),
    ("mitad", Percent, 50.0),
    ("un tercio", Percent, 100.0 / 3.0),
    ("dos tercios", Percent, 200.0 / 3.0),
    ("mediodía", Clock, 720.0),
    ("medianoche", Clock, 0.0),
];
const CHINESE: Phrases = &[
    ("一刻钟", Duration, HOUR / 4.0),
    ("三刻钟", Duration, HOUR * 0.75),
    ("半个小时", Duration, HOUR / 2.0),
    ("半小时", Duration, HOUR / 2.0),
    ("一个半小时", Duration, HOUR * 1.5),
    ("半天", Duration, DAY / 2.0),
    ("半年", Duration, YEAR / 2.0),
    ("一半", Percent, 50.0),
    ("四分之一", Percent, 25.0),
    ("四分之三", Percent, 75.0),
    ("三分之一", Percent, 100.0 / 3.0),
    ("三分之二", Percent, 200.0 / 3.0),
    ("午夜", Clock, 0.0),
];
const JAPANESE: Phrases = &[
    ("半日", Duration, DAY / 2.0),
    ("半年", Duration, YEAR / 2.0),
    ("半分", Percent, 50.0),
    ("4分の1", Percent, 25.0),
    ("四分の一", Percent, 25.0),
    ("3分の1", Percent, 100.0 / 3.0),
    ("三分の一", Percent, 100.0 / 3.0),
    ("3分の2", Percent, 200.0 / 3.0),
    ("正午", Clock, 720.0),
];

/// The quantity that a phrase at the beginning of `rest` says: its dimension, its value, its bytes.
pub(crate) fn phrase(rest: &str, language: Language) -> Option<(Dimension, f64, usize)> {
    let list = match language {
        Language::English => ENGLISH,
        Language::German => GERMAN,
        Language::French => FRENCH,
        Language::Spanish => SPANISH,
        Language::Chinese => CHINESE,
        Language::Japanese => JAPANESE,
    };
    list.iter()
        .filter(|(known, ..)| starts_whole(rest, known))
        .max_by_key(|(known, ..)| known.len())
        .map(|(known, dimension, value)| (*dimension, *value, known.len()))
}

fn starts_whole(text: &str, phrase: &str) -> bool {
    // Most phrases differ in a byte: there is no need to compare them.
    if text.as_bytes().first() != phrase.as_bytes().first() {
        return false;
    }
    let Some(rest) = text.strip_prefix(phrase) else { return false };
    phrase.ends_with(super::tokens::is_sign) || !rest.starts_with(char::is_alphanumeric)
}

fn ends_whole(text: &str, phrase: &str) -> bool {
    if text.as_bytes().last() != phrase.as_bytes().last() {
        return false;
    }
    let Some(rest) = text.strip_suffix(phrase) else { return false };
    phrase.starts_with(super::tokens::is_sign) || !rest.ends_with(char::is_alphanumeric)
}

const LOWER_BEFORE: &[&str] = &[
    "at least",
    "no less than",
    "not less than",
    "no fewer than",
    "more than",
    "over",
    "above",
    "exceeding",
    "exceeds",
    "a minimum of",
    "minimum",
    "minimum of",
    "min",
    "min.",
    "older than",
    "longer than",
    "greater than",
    "higher than",
    "upwards of",
    ">",
    ">=",
    "≥",
    "mindestens",
    "wenigstens",
    "mehr als",
    "über",
    "nicht weniger als",
    "länger als",
    "älter als",
    "mind.",
    "min.",
    "au moins",
    "minimum",
    "plus de",
    "pas moins de",
    "supérieur à",
    "supérieure à",
    "au minimum",
    "al menos",
    "por lo menos",
    "como mínimo",
    "mínimo",
    "más de",
    "no menos de",
    "superior a",
    "mínimo de",
    "至少",
    "不少于",
    "不低于",
    "超过",
    "多于",
    "大于",
    "高于",
    "不小于",
    "最少",
    "少なくとも",
    "最低",
    "最低でも",
];
const UPPER_BEFORE: &[&str] = &[
    "at most",
    "no more than",
    "not more than",
    "less than",
    "fewer than",
    "under",
    "below",
    "up to",
    "within",
    "a maximum of",
    "maximum",
    "maximum of",
    "max",
    "max.",
    "not exceeding",
    "not exceed",
    "younger than",
    "shorter than",
    "lower than",
    "no longer than",
    "no older than",
    "smaller than",
    "<",
    "<=",
    "≤",
    "höchstens",
    "maximal",
    "weniger als",
    "unter",
    "bis zu",
    "nicht mehr als",
    "innerhalb von",
    "binnen",
    "max.",
    "kürzer als",
    "jünger als",
    "nicht länger als",
    "unterhalb von",
    "au plus",
    "maximum",
    "moins de",
    "pas plus de",
    "jusqu'à",
    "jusqu’à",
    "dans les",
    "sous",
    "inférieur à",
    "inférieure à",
    "au maximum",
    "como máximo",
    "máximo",
    "menos de",
    "no más de",
    "hasta",
    "en un plazo de",
    "inferior a",
    "máximo de",
    "a lo sumo",
    "最多",
    "不超过",
    "至多",
    "少于",
    "低于",
    "小于",
    "不多于",
    "不足",
    "最高",
    "最大",
    "最大で",
    "最長",
    "多くとも",
];
const LOWER_BEHIND: &[&str] = &[
    "or more",
    "or longer",
    "or older",
    "or over",
    "or above",
    "and above",
    "and over",
    "or higher",
    "minimum",
    "at least",
    "oder mehr",
    "oder länger",
    "und mehr",
    "oder älter",
    "mindestens",
    "ou plus",
    "et plus",
    "au moins",
    "au minimum",
    "o más",
    "como mínimo",
    "o mayor",
    "及以上",
    "以上",
    "或以上",
    "或更多",
    "を超え",
    "超",
];
const UPPER_BEHIND: &[&str] = &[
    "or less",
    "or fewer",
    "or shorter",
    "or younger",
    "or under",
    "or below",
    "and under",
    "or lower",
    "maximum",
    "at most",
    "oder weniger",
    "oder kürzer",
    "höchstens",
    "maximal",
    "ou moins",
    "au plus",
    "au maximum",
    "o menos",
    "como máximo",
    "以内",
    "以下",
    "之内",
    "未満",
    "未满",
    "或以下",
    "内",
    "まで",
];

/// Deadlines: no later than three months before is at least three months before, so they say nothing of a bound.
const DEADLINES: &[&str] =
    &["no later than", "not later than", "spätestens", "au plus tard", "a más tardar", "最迟", "遅くとも"];
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
    let longest = |list: &[&'static str], text: &str, whole: fn(&str, &str) -> bool| {
        list.iter().filter(|phrase| whole(text, phrase)).map(|phrase| phrase.len()).max()
    };
    // A line of its own begins nothing for the next one.
    let same_line = !low.get(before.len()..start).unwrap_or("").contains('\n');
    if same_line {
        if let Some(size) = longest(DEADLINES, before, ends_whole) {
            return (Bound::None, before.len() - size, end);
        }
        let lower = longest(LOWER_BEFORE, before, ends_whole);
        let upper = longest(UPPER_BEFORE, before, ends_whole);
        // "no more than" ends with "more than": the longer phrase is the one that was written.
        match (lower, upper) {
            (Some(size), other) if other.is_none_or(|other| size > other) => {
                return (Bound::Lower, before.len() - size, end);
            }
            (_, Some(size)) => return (Bound::Upper, before.len() - size, end),
            _ => {}
        }
    }
    if let Some(size) = longest(LOWER_BEHIND, behind, starts_whole) {
        return (Bound::Lower, start, end + skipped + size);
    }
    if let Some(size) = longest(UPPER_BEHIND, behind, starts_whole) {
        return (Bound::Upper, start, end + skipped + size);
    }
    (Bound::None, start, end)
}

const HEDGES: &[&str] = &[
    "about",
    "around",
    "approximately",
    "roughly",
    "nearly",
    "almost",
    "approx.",
    "approx",
    "circa",
    "~",
    "≈",
    "some",
    "etwa",
    "rund",
    "circa",
    "ca.",
    "ungefähr",
    "fast",
    "knapp",
    "gut",
    "environ",
    "près de",
    "à peu près",
    "autour de",
    "unos",
    "unas",
    "aproximadamente",
    "alrededor de",
    "cerca de",
    "casi",
    "约",
    "大约",
    "約",
    "左右",
    "およそ",
    "ほぼ",
    "将近",
];

/// Whether the words right before a value say that it is not exact.
pub(crate) fn hedged(low: &str, start: usize) -> bool {
    let before = low.get(..start).unwrap_or("").trim_end();
    HEDGES.iter().any(|phrase| ends_whole(before, phrase))
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
            ("18歳未満", "18歳", Bound::Upper),
            ("不超过3天", "3天", Bound::Upper),
            ("after 3 days", "3 days", Bound::None),
            ("moreover 3 days", "3 days", Bound::None),
        ] {
            let start = text.find(value).unwrap();
            assert_eq!(bound(text, start, start + value.len()).0, expected, "{text}");
        }
    }

    #[test]
    fn phrases_are_whole() {
        assert_eq!(phrase("half an hour later", Language::English), Some((Duration, 1800.0, 12)));
        assert_eq!(phrase("half an hourglass", Language::English), None);
        assert_eq!(phrase("半小时后", Language::Chinese), Some((Duration, 1800.0, 9)));
    }
}
