//! The words of values in six languages, one look-up for all that is known of one: numbers, scales, units, months,
//! weekdays, periods, small words.
//!
//! Invariant: general vocabulary only, written by hand, looked up and never learnt.

use std::sync::LazyLock;

use super::number_words::{ORDINALS, number_words, ordinal_words, scales};
use super::units::{Dimension, common, units};
use crate::language::Language;
use crate::lexicon::{WordMap, mark};
use crate::marks::Marks;

/// A small word: it says nothing about what a value measures.
pub(crate) const SMALL: u16 = 1;
/// An article that stands for one before a unit: `a week`.
pub(crate) const ARTICLE: u16 = 1 << 1;
/// Makes the duration behind it a period: `every 6 hours`, `per month`.
pub(crate) const EVERY: u16 = 1 << 2;
/// Counts how often: `three times a day`.
pub(crate) const TIMES: u16 = 1 << 3;
/// May begin a phrase of [`super::phrases`].
pub(crate) const PHRASE: u16 = 1 << 4;
/// Stands between the two ends of a range.
pub(crate) const TO: u16 = 1 << 5;
/// Joins two parts of one quantity: `2 hours and 15 minutes`.
pub(crate) const AND: u16 = 1 << 6;
/// May begin a date or a time: `half past`, `Q3`, `third quarter`.
pub(crate) const DATED: u16 = 1 << 8;
/// Stands before the first end of a range or a change: `from 21 to 18`.
pub(crate) const FROM: u16 = 1 << 7;

/// What is known of a word in one language.
#[derive(Clone, Copy, Default)]
pub(crate) struct Entry {
    pub number: Option<f64>,
    pub scale: Option<f64>,
    pub unit: Option<(Dimension, f64)>,
    /// 1 to 12, or 0.
    pub month: u8,
    /// 1 (Monday) to 7, or 0.
    pub weekday: u8,
    /// Seconds from one time to the next: `weekly`.
    pub period: Option<f64>,
    /// A place in an order: `third`.
    pub ordinal: Option<f64>,
    pub flags: u16,
    /// A value may begin with the word.
    pub opens: bool,
}

impl Entry {
    pub fn is(&self, flags: u16) -> bool {
        self.flags & flags != 0
    }

    /// What [`Entry::opens`] is, once all is known of a word.
    fn may_open(&self) -> bool {
        self.number.is_some()
            || self.scale.is_some()
            || self.unit.is_some()
            || self.month + self.weekday > 0
            || self.period.is_some()
            || self.ordinal.is_some()
            || self.is(ARTICLE | PHRASE | DATED)
    }
}

/// Of a word of which nothing is known.
pub(crate) static UNKNOWN: Entry = Entry {
    number: None,
    scale: None,
    unit: None,
    month: 0,
    weekday: 0,
    period: None,
    ordinal: None,
    flags: 0,
    opens: false,
};

/// The words of a language, and its units without spaces, the longest first.
pub(crate) struct Vocabulary {
    words: Marks<Entry>,
    pub signs: Vec<(&'static str, Dimension, f64)>,
}

impl Vocabulary {
    /// What is known of a word; [`UNKNOWN`] for most.
    pub fn look_up(&'static self, word: &str) -> &'static Entry {
        self.words.get(mark(word)).unwrap_or(&UNKNOWN)
    }
}

const LANGUAGES: [Language; 6] =
    [Language::English, Language::German, Language::French, Language::Spanish, Language::Chinese, Language::Japanese];

static ALL: LazyLock<Vec<Vocabulary>> = LazyLock::new(|| LANGUAGES.into_iter().map(build).collect());

/// The vocabulary of a language.
pub(crate) fn vocabulary(language: Language) -> &'static Vocabulary {
    let position = LANGUAGES.iter().position(|known| *known == language).unwrap_or(0);
    // One is built for each of the languages above.
    ALL.get(position).unwrap_or_else(|| &ALL[0])
}

const MONTHS: [&str; 12] = [
    "january jan januar jänner janvier enero ene",
    "february feb februar februars février févr febrero",
    "march mar märz mars marzo",
    "april apr avril abril abr",
    "may mai mayo",
    "june jun juni juin junio",
    "july jul juli juillet juil julio",
    "august aug août agosto ago",
    "september sep sept septembre septiembre setiembre",
    "october oct oktober okt octobre octubre",
    "november nov novembre noviembre",
    "december dec dezember dez décembre déc diciembre dic",
];
const WEEKDAYS: [&str; 7] = [
    "monday mondays montag montags lundi lundis lunes",
    "tuesday tuesdays dienstag dienstags mardi mardis martes",
    "wednesday wednesdays mittwoch mittwochs mercredi mercredis miércoles",
    "thursday thursdays donnerstag donnerstags jeudi jeudis jueves",
    "friday fridays freitag freitags vendredi vendredis viernes",
    "saturday saturdays samstag samstags sonnabend samedi samedis sábado sábados",
    "sunday sundays sonntag sonntags dimanche dimanches domingo domingos",
];

const DAY: f64 = 86_400.0;
const WEEK: f64 = 604_800.0;
const MONTH: f64 = 2_629_800.0;
const YEAR: f64 = 31_557_600.0;

const PERIODS: &[(f64, &str)] = &[
    (3600.0, "hourly stündlich stündliche stündlichen"),
    (DAY, "daily täglich tägliche täglichen quotidien quotidienne quotidiennement diario diaria diariamente"),
    (WEEK, "weekly wöchentlich wöchentliche wöchentlichen hebdomadaire hebdomadaires semanal semanales semanalmente"),
    (
        MONTH,
        "monthly monatlich monatliche monatlichen monatlicher mensuel mensuelle mensuels mensuelles mensuellement mensual \
         mensuales mensualmente",
    ),
    (
        YEAR / 4.0,
        "quarterly vierteljährlich quartalsweise trimestriel trimestrielle trimestriellement trimestral trimestralmente",
    ),
    (
        YEAR,
        "yearly annually annum jährlich jährliche jährlichen annuel annuelle annuels annuelles annuellement anual anuales \
         anualmente",
    ),
];

/// Small words of a language, as far as they may stand beside a value.
fn small(language: Language) -> &'static str {
    match language {
        Language::English => {
            "the a an of in on at to for and or is are was were be been by with from as it its this that these those you \
             your we our they their he she his her i my if not no do does did have has had will would can could may might \
             must shall should than then there here about around so but up down out off over under after before until \
             within more less least most per each every any all some only also just into onto during between both which \
             who what when where how why get gets got one please note here's it's usually"
        }
        Language::German => {
            "der die das den dem des ein eine einen einem einer eines und oder in im an am auf aus bei mit nach von vom zu \
             zum zur für ist sind war waren wird werden wurde sein es sie er wir ihr ihre ihren ihnen du dein sich nicht \
             kein keine als auch nur noch schon so wie wenn dass da bis über unter vor um pro je jede jeder jedes alle etwa \
             rund ca circa mindestens höchstens maximal innerhalb binnen ab seit kann können muss müssen darf dürfen man \
             dann hier haben hat bitte"
        }
        Language::French => {
            "le la les l d un une des du de et ou en dans à au aux sur par pour avec sans est sont était être a ont il elle \
             ils elles on nous vous votre vos notre nos ce cet cette ces se sa son ses qui que quoi dont ne pas plus moins \
             si y environ jusqu après avant dès chaque tout tous toute toutes peut peuvent doit doivent ainsi comme mais"
        }
        Language::Spanish => {
            "el la los las un una unos unas de del y o en a al con por para sin es son era ser está están hay se su sus lo le \
             les que quien cual como si no ni más menos muy ya cada todo toda todos todas unos hasta desde tras antes después \
             sobre puede pueden debe deben usted ustedes tu tus nos nuestro nuestra este esta estos estas ese esa pero"
        }
        Language::Chinese | Language::Japanese => "",
    }
}

/// Flags of the words of a language.
fn flagged(language: Language) -> &'static [(u16, &'static str)] {
    match language {
        Language::English => &[
            (ARTICLE, "a an one"),
            (EVERY, "every each per"),
            (TIMES, "times time"),
            (
                PHRASE,
                "a an half one two three four nine quarter once noon midnight midday third tres cuatro cinco seis siete ocho nueve",
            ),
            (TO, "to and or until till through"),
            (FROM, "from between"),
            (AND, "and"),
        ],
        Language::German => &[
            (ARTICLE, "ein eine einen einem einer eines"),
            (EVERY, "alle jede jeden jeder jedes pro je"),
            (TIMES, "mal"),
            (
                PHRASE,
                "ein eine einer einem eines einen halbe halbes halben halber viertelstunde dreiviertel dreiviertelstunde \
              hälfte drittel viertel einmal zweimal dreimal viermal zwei drei vier mittag mitternacht anderthalb \
                 eineinhalb vierteljahr",
            ),
            (TO, "bis und oder auf"),
            (FROM, "von zwischen"),
            (AND, "und"),
        ],
        Language::French => &[
            (ARTICLE, "un une"),
            (EVERY, "chaque par toutes tous"),
            (TIMES, "fois"),
            (PHRASE, "un une demi quart moitié tiers trois deux quinze huit midi minuit"),
            (TO, "à a et ou"),
            (FROM, "de entre"),
            (AND, "et"),
        ],
        Language::Spanish => &[
            (ARTICLE, "un una"),
            (EVERY, "cada por al"),
            (TIMES, "veces vez"),
            (PHRASE, "un una media medio cuarto mitad tercio dos tres quince mediodía medianoche"),
            (TO, "a y o hasta"),
            (FROM, "de entre desde"),
            (AND, "y"),
        ],
        Language::Chinese | Language::Japanese => &[],
    }
}

/// The endings of a word for a place in an order.
fn inflected(word: &'static str, language: Language) -> Vec<String> {
    let bare = word.strip_suffix('o').unwrap_or(word);
    let endings: &[&str] = match language {
        Language::German => &["", "n", "r", "s", "m"],
        Language::French => &["", "s"],
        Language::Spanish => &["o", "a", "os", "as", ""],
        _ => &[""],
    };
    let stem = if language == Language::Spanish { bare } else { word };
    // "cuart" and the like are no words; "tercer" is.
    endings.iter().map(|ending| format!("{stem}{ending}")).collect()
}

fn build(language: Language) -> Vocabulary {
    let mut words: WordMap<u64, Entry> = WordMap::default();
    let mut set = |word: &str, change: &dyn Fn(&mut Entry)| change(words.entry(mark(word)).or_default());
    let spaceless = matches!(language, Language::Chinese | Language::Japanese);
    let mut signs = Vec::new();
    for (dimension, factor, list) in common().iter().chain(units(language)) {
        for word in list.split_whitespace() {
            if word.starts_with(super::tokens::is_sign) {
                signs.push((word, *dimension, *factor));
            } else {
                set(word, &|entry| entry.unit = Some((*dimension, *factor)));
            }
        }
    }
    signs.sort_by_key(|(word, ..)| std::cmp::Reverse(word.len()));
    let spoken = if spaceless { Language::English } else { language };
    for (word, value) in number_words(spoken) {
        set(word, &|entry| entry.number = Some(*value));
    }
    for (word, factor) in scales(spoken) {
        set(word, &|entry| entry.scale = Some(*factor));
    }
    for (position, word) in (3_u8..).zip(ordinal_words(spoken).split_whitespace()) {
        for form in inflected(word, spoken) {
            set(&form, &|entry| entry.ordinal = Some(f64::from(position)));
        }
    }
    for (number, list) in (1_u8..).zip(MONTHS) {
        for word in list.split_whitespace() {
            set(word, &|entry| entry.month = number);
        }
    }
    for (number, list) in (1_u8..).zip(WEEKDAYS) {
        for word in list.split_whitespace() {
            set(word, &|entry| entry.weekday = number);
        }
    }
    for (seconds, list) in PERIODS {
        for word in list.split_whitespace() {
            set(word, &|entry| entry.period = Some(*seconds));
        }
    }
    for word in small(language).split_whitespace() {
        set(word, &|entry| entry.flags |= SMALL);
    }
    for word in ORDINALS.iter().flat_map(|words| words.split(' ')).chain(["q", "t", "halb", "half"]) {
        set(word, &|entry| entry.flags |= DATED);
    }
    for (code, currency) in super::units::codes() {
        set(code, &|entry| entry.unit = entry.unit.or(Some((Dimension::Money(currency), 1.0))));
    }
    for (flags, list) in flagged(language) {
        for word in list.split_whitespace() {
            set(word, &|entry| entry.flags |= flags);
        }
    }
    for entry in words.values_mut() {
        entry.opens = entry.may_open();
    }
    Vocabulary { words: words.into(), signs }
}
