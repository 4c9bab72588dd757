//! Quantities that a phrase says without a number: `half an hour`, `a quarter of`.
//!
//! Invariant: a phrase is found only whole, from the border of a word to the border of a word.

use super::units::Dimension::{self, Clock, Duration, Length, Mass, Percent, Volume};
use crate::language::Language;

type Phrases = &'static [(&'static str, Dimension, f64)];

const MINUTE: f64 = 60.0;
const HOUR: f64 = 3600.0;
const DAY: f64 = 86_400.0;
const YEAR: f64 = 31_557_600.0;

const ENGLISH: Phrases = &[
    ("a quarter of an hour", Duration, HOUR / 4.0),
    ("quarter of an hour", Duration, HOUR / 4.0),
    ("three quarters of an hour", Duration, HOUR * 0.75),
    ("a third of an hour", Duration, HOUR / 3.0),
    ("two thirds of an hour", Duration, HOUR / 1.5),
    ("a day and a quarter", Duration, DAY * 1.25),
    ("an hour and a quarter", Duration, HOUR * 1.25),
    ("three quarters of a year", Duration, YEAR * 0.75),
    ("a quarter of a year", Duration, YEAR / 4.0),
    ("half an hour", Duration, HOUR / 2.0),
    ("a half hour", Duration, HOUR / 2.0),
    ("half hour", Duration, HOUR / 2.0),
    ("an hour and a half", Duration, HOUR * 1.5),
    ("one hour and a half", Duration, HOUR * 1.5),
    ("one and a half hours", Duration, HOUR * 1.5),
    ("a day and a half", Duration, DAY * 1.5),
    ("half a minute", Duration, MINUTE / 2.0),
    ("a half minute", Duration, MINUTE / 2.0),
    ("half a metre", Length, 0.5),
    ("a half metre", Length, 0.5),
    ("half a meter", Length, 0.5),
    ("a half meter", Length, 0.5),
    ("half a kilometre", Length, 500.0),
    ("half a kilometer", Length, 500.0),
    ("half a mile", Length, 804.672),
    ("half an inch", Length, 0.0127),
    ("half a litre", Volume, 0.5),
    ("half a liter", Volume, 0.5),
    ("half a kilo", Mass, 500.0),
    ("half a kilogram", Mass, 500.0),
    ("half a second", Duration, 0.5),
    ("a twentieth of", Percent, 5.0),
    ("one twentieth of", Percent, 5.0),
    ("half a day", Duration, DAY / 2.0),
    ("half a year", Duration, YEAR / 2.0),
    ("a year and a half", Duration, YEAR * 1.5),
    ("a quarter of a percent", Percent, 0.25),
    ("a quarter of a per cent", Percent, 0.25),
    ("half a percent", Percent, 0.5),
    ("half a per cent", Percent, 0.5),
    ("a tenth of a percent", Percent, 0.1),
    ("a quarter of", Percent, 25.0),
    ("one quarter of", Percent, 25.0),
    ("three quarters", Percent, 75.0),
    ("half of", Percent, 50.0),
    ("half the", Percent, 50.0),
    ("a third of", Percent, 100.0 / 3.0),
    ("one third", Percent, 100.0 / 3.0),
    ("one in three", Percent, 100.0 / 3.0),
    ("one in four", Percent, 25.0),
    ("one in five", Percent, 20.0),
    ("one in ten", Percent, 10.0),
    ("a fifth of", Percent, 20.0),
    ("one fifth", Percent, 20.0),
    ("two fifths", Percent, 40.0),
    ("three fifths", Percent, 60.0),
    ("four fifths", Percent, 80.0),
    ("a tenth of", Percent, 10.0),
    ("one tenth", Percent, 10.0),
    ("three tenths", Percent, 30.0),
    ("nine tenths", Percent, 90.0),
    ("two thirds", Percent, 200.0 / 3.0),
    ("noon", Clock, 720.0),
    ("midday", Clock, 720.0),
    ("midnight", Clock, 0.0),
];
const GERMAN: Phrases = &[
    ("eine viertelstunde", Duration, HOUR / 4.0),
    ("einer viertelstunde", Duration, HOUR / 4.0),
    ("viertelstunde", Duration, HOUR / 4.0),
    ("anderthalb stunden", Duration, HOUR * 1.5),
    ("eineinhalb stunden", Duration, HOUR * 1.5),
    ("anderthalb jahre", Duration, YEAR * 1.5),
    ("anderthalb tage", Duration, DAY * 1.5),
    ("vierteljahr", Duration, YEAR / 4.0),
    ("halbes prozent", Percent, 0.5),
    ("halben prozent", Percent, 0.5),
    ("dreiviertelstunde", Duration, HOUR * 0.75),
    ("dreiviertel stunde", Duration, HOUR * 0.75),
    ("halbe stunde", Duration, HOUR / 2.0),
    ("halben stunde", Duration, HOUR / 2.0),
    ("halbe minute", Duration, MINUTE / 2.0),
    ("halben minute", Duration, MINUTE / 2.0),
    ("halbe sekunde", Duration, 0.5),
    ("halben sekunde", Duration, 0.5),
    ("halber meter", Length, 0.5),
    ("halben meter", Length, 0.5),
    ("halber kilometer", Length, 500.0),
    ("halben kilometer", Length, 500.0),
    ("halber liter", Volume, 0.5),
    ("halben liter", Volume, 0.5),
    ("halbes kilo", Mass, 500.0),
    ("halben kilo", Mass, 500.0),
    ("halbes kilogramm", Mass, 500.0),
    ("halben kilogramm", Mass, 500.0),
    ("halber tag", Duration, DAY / 2.0),
    ("halben tag", Duration, DAY / 2.0),
    ("halbes jahr", Duration, YEAR / 2.0),
    ("halben jahr", Duration, YEAR / 2.0),
    ("ein viertel der", Percent, 25.0),
    ("ein viertel des", Percent, 25.0),
    ("ein viertel von", Percent, 25.0),
    ("drei viertel der", Percent, 75.0),
    ("drei viertel des", Percent, 75.0),
    ("drei viertel", Percent, 75.0),
    ("ein fünftel", Percent, 20.0),
    ("zwei fünftel", Percent, 40.0),
    ("drei fünftel", Percent, 60.0),
    ("vier fünftel", Percent, 80.0),
    ("ein zehntel", Percent, 10.0),
    ("ein drittel", Percent, 100.0 / 3.0),
    ("zwei drittel", Percent, 200.0 / 3.0),
    ("hälfte", Percent, 50.0),
    ("mitternacht", Clock, 0.0),
];
const FRENCH: Phrases = &[
    ("un quart d'heure", Duration, HOUR / 4.0),
    ("un quart d’heure", Duration, HOUR / 4.0),
    ("trois quarts d'heure", Duration, HOUR * 0.75),
    // Fifteen days are two weeks, both counted with their ends.
    ("quinze jours", Duration, DAY * 14.0),
    ("huit jours", Duration, DAY * 7.0),
    ("deux heures et demie", Duration, HOUR * 2.5),
    ("un an et demi", Duration, YEAR * 1.5),
    ("une demi-heure", Duration, HOUR / 2.0),
    ("demi-heure", Duration, HOUR / 2.0),
    ("une heure et demie", Duration, HOUR * 1.5),
    ("demi-minute", Duration, MINUTE / 2.0),
    ("demi-seconde", Duration, 0.5),
    ("demi-mètre", Length, 0.5),
    ("demi-kilomètre", Length, 500.0),
    ("demi-litre", Volume, 0.5),
    ("demi-kilo", Mass, 500.0),
    ("une demi-journée", Duration, DAY / 2.0),
    ("un quart de", Percent, 25.0),
    ("un quart du", Percent, 25.0),
    ("un quart des", Percent, 25.0),
    ("trois quarts de", Percent, 75.0),
    ("moitié", Percent, 50.0),
    ("trois quarts", Percent, 75.0),
    ("un cinquième", Percent, 20.0),
    ("deux cinquièmes", Percent, 40.0),
    ("trois cinquièmes", Percent, 60.0),
    ("un dixième", Percent, 10.0),
    ("un tiers", Percent, 100.0 / 3.0),
    ("deux tiers", Percent, 200.0 / 3.0),
    ("midi", Clock, 720.0),
    ("minuit", Clock, 0.0),
];
const SPANISH: Phrases = &[
    ("un cuarto de hora", Duration, HOUR / 4.0),
    ("tres cuartos de hora", Duration, HOUR * 0.75),
    // Fifteen days are two weeks, both counted with their ends.
    ("quince días", Duration, DAY * 14.0),
    ("dos horas y media", Duration, HOUR * 2.5),
    ("un año y medio", Duration, YEAR * 1.5),
    ("media hora", Duration, HOUR / 2.0),
    ("una hora y media", Duration, HOUR * 1.5),
    ("medio minuto", Duration, MINUTE / 2.0),
    ("medio segundo", Duration, 0.5),
    ("medio metro", Length, 0.5),
    ("medio kilómetro", Length, 500.0),
    ("medio litro", Volume, 0.5),
    ("medio kilo", Mass, 500.0),
    ("tres décimas partes", Percent, 30.0),
    ("cuatro décimas partes", Percent, 40.0),
    ("cinco décimas partes", Percent, 50.0),
    ("seis décimas partes", Percent, 60.0),
    ("siete décimas partes", Percent, 70.0),
    ("ocho décimas partes", Percent, 80.0),
    ("nueve décimas partes", Percent, 90.0),
    ("medio día", Duration, DAY / 2.0),
    ("medio año", Duration, YEAR / 2.0),
    ("una cuarta parte", Percent, 25.0),
    ("un cuarto de", Percent, 25.0),
    ("un cuarto del", Percent, 25.0),
    ("mitad", Percent, 50.0),
    ("tres cuartas partes", Percent, 75.0),
    ("una quinta parte", Percent, 20.0),
    ("dos quintos", Percent, 40.0),
    ("una décima parte", Percent, 10.0),
    ("una tercera parte", Percent, 100.0 / 3.0),
    ("dos terceras partes", Percent, 200.0 / 3.0),
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
    ("半分钟", Duration, MINUTE / 2.0),
    ("半秒", Duration, 0.5),
    ("半个月", Duration, YEAR / 24.0),
    ("半米", Length, 0.5),
    ("半公里", Length, 500.0),
    ("半公斤", Mass, 500.0),
    ("半斤", Mass, 250.0),
    ("半升", Volume, 0.5),
    ("半天", Duration, DAY / 2.0),
    ("半年", Duration, YEAR / 2.0),
    ("一半", Percent, 50.0),
    ("四分之一", Percent, 25.0),
    ("四分之三", Percent, 75.0),
    ("三分之一", Percent, 100.0 / 3.0),
    ("三分之二", Percent, 200.0 / 3.0),
    ("五分之一", Percent, 20.0),
    ("五分之二", Percent, 40.0),
    ("十分之一", Percent, 10.0),
    ("午夜", Clock, 0.0),
];
const JAPANESE: Phrases = &[
    ("半時間", Duration, HOUR / 2.0),
    ("半メートル", Length, 0.5),
    ("半日", Duration, DAY / 2.0),
    ("半年", Duration, YEAR / 2.0),
    ("半分", Percent, 50.0),
    ("4分の1", Percent, 25.0),
    ("四分の一", Percent, 25.0),
    ("3分の1", Percent, 100.0 / 3.0),
    ("三分の一", Percent, 100.0 / 3.0),
    ("3分の2", Percent, 200.0 / 3.0),
    ("5分の1", Percent, 20.0),
    ("5分の2", Percent, 40.0),
    ("10分の1", Percent, 10.0),
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
    // Most phrases differ in their first bytes; each has three and more.
    let head = rest.as_bytes().first_chunk::<3>();
    list.iter()
        .filter(|(known, ..)| known.as_bytes().first_chunk::<3>() == head && starts_whole(rest, known))
        .max_by_key(|(known, ..)| known.len())
        .map(|(known, dimension, value)| (*dimension, *value, known.len()))
}

/// Whether a text begins with a phrase, up to the border of a word.
pub(super) fn starts_whole(text: &str, phrase: &str) -> bool {
    // Most phrases differ in a byte: there is no need to compare them.
    if text.as_bytes().first() != phrase.as_bytes().first() {
        return false;
    }
    let Some(rest) = text.strip_prefix(phrase) else { return false };
    phrase.ends_with(super::tokens::is_sign) || !rest.starts_with(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_whole() {
        assert_eq!(phrase("half an hour later", Language::English), Some((Duration, 1800.0, 12)));
        assert_eq!(phrase("half an hourglass", Language::English), None);
        assert_eq!(phrase("半小时后", Language::Chinese), Some((Duration, 1800.0, 9)));
    }
}
