//! What the judge knows of English: function words, negators, modals, opposites, and the stems that make them match.
//!
//! Invariant: general vocabulary only, looked up and never learnt, so that every flag can be traced to a line in this
//! file, in `opposites.txt`, `alike.txt` or in `irregular.txt`. Written by hand, with contradictions of SICK's training part,
//! PAWS's development parts and the swapped facts of `benches/judge` at hand, so a figure measured on those flatters it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use crate::marks::Marks;

/// One group a line: every word excludes, said of the same thing at the same time, each word beyond the bar.
pub(crate) const OPPOSITES: &str = include_str!("opposites.txt");
/// One group a line: words that may stand for each other in most sentences.
const ALIKE: &str = include_str!("alike.txt");
/// A base form, and the inflected ones that no rule makes.
const IRREGULAR: &str = include_str!("irregular.txt");

/// FxHash: these are short keys from a bounded text, and a word costs several look-ups.
#[derive(Default)]
pub(crate) struct WordHasher(u64);

impl WordHasher {
    #[inline]
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for WordHasher {
    #[inline]
    fn write(&mut self, mut bytes: &[u8]) {
        while let Some((chunk, rest)) = bytes.split_first_chunk::<8>() {
            self.mix(u64::from_le_bytes(*chunk));
            bytes = rest;
        }
        let tail = match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
            }
            _ => bytes.iter().fold(1, |word, byte| word << 8 | u64::from(*byte)),
        };
        self.mix(tail ^ (bytes.len() as u64) << 60);
    }

    /// Of a key that is a mark already.
    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    #[inline]
    fn write_u8(&mut self, _: u8) {}

    #[inline]
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

/// A map with text keys.
pub(crate) type WordMap<K, V> = HashMap<K, V, BuildHasherDefault<WordHasher>>;
/// A set of texts.
pub(crate) type WordSet<K> = HashSet<K, BuildHasherDefault<WordHasher>>;

/// What a word is, one bit for each of the lists below.
pub(crate) type Flags = u32;

pub(crate) const DETERMINER: Flags = 1;
pub(crate) const PRONOUN: Flags = 1 << 1;
pub(crate) const AUXILIARY: Flags = 1 << 2;
pub(crate) const CONJUNCTION: Flags = 1 << 3;
pub(crate) const FUNCTION: Flags = 1 << 4;
/// Turns what follows it, up to the end of the clause, into its opposite.
pub(crate) const NEGATOR: Flags = 1 << 5;
pub(crate) const HEDGE: Flags = 1 << 7;
pub(crate) const YES: Flags = 1 << 8;
pub(crate) const NO: Flags = 1 << 9;
pub(crate) const AFTER_A_NAME: Flags = 1 << 10;
pub(crate) const SINGULAR: Flags = 1 << 11;
pub(crate) const AFTER_NO: Flags = 1 << 12;
pub(crate) const AFTER_NOT: Flags = 1 << 13;
pub(crate) const TITLE: Flags = 1 << 14;
pub(crate) const ARTICLE: Flags = 1 << 15;
pub(crate) const LISTING: Flags = 1 << 16;
pub(crate) const PARTICLE: Flags = 1 << 17;
pub(crate) const OBLIGING: Flags = 1 << 18;
pub(crate) const PERMITTING: Flags = 1 << 19;
/// Alone between two phrases, it holds both ways: `Paris is the capital`, `Ann with Bob`.
pub(crate) const BOTH_WAYS: Flags = 1 << 20;
/// Stands before the place, the time or the manner of a thing.
pub(crate) const PREPOSITION: Flags = 1 << 22;
/// Joins two names of one thing, or two things of which neither comes first.
pub(crate) const JOINING: Flags = 1 << 23;
/// May stand with what joins: `or even`, `and which ones are`.
pub(crate) const BESIDE_A_JOINT: Flags = 1 << 24;
/// Names who said a thing, which may stand before, behind or inside it.
pub(crate) const SAYING: Flags = 1 << 21;

const PREPOSITIONS: &str = "of in on at by for with from to into onto over under above below up down off out through \
    across about between among against during before after around behind beside along within without upon toward \
    towards as than like via per until till";
const OTHER_FUNCTION: &str = "and or nor also too very just only more most less least much many few other same then when \
    where how why again even still already quite rather really please let lot bit kind sort all both";

const LISTS: &[(Flags, &str)] = &[
    (DETERMINER | FUNCTION, "a an the this that these those some any each every another either such its his her their"),
    (
        PRONOUN | FUNCTION,
        "i you he she it we they me him us them my your our mine yours hers ours theirs who whom whose which what one \
         someone somebody something anyone anybody anything everyone everybody everything itself himself herself \
         themselves myself yourself there here",
    ),
    (
        AUXILIARY | FUNCTION,
        "is are was were be been being am do does did done has have had having 's 're 've 'm 'll 'd will would could \
         can may might shall should must",
    ),
    (CONJUNCTION | FUNCTION, "but although though while whereas because however unless if since so yet"),
    (FUNCTION, PREPOSITIONS),
    (
        PREPOSITION,
        "of in on at by for with from into onto over under through across about among during before after \
        around beside along within without toward towards as until till",
    ),
    (FUNCTION, OTHER_FUNCTION),
    (
        NEGATOR,
        "no non not n't never none nobody nothing nowhere neither nor without cannot noone hardly scarcely dont doesnt \
         didnt isnt wasnt arent werent wont cant couldnt wouldnt shouldnt hasnt havent hadnt",
    ),
    (HEDGE, "about around roughly approximately nearly almost some circa approx over under least most than"),
    (YES, "yes yeah yep correct indeed true absolutely certainly affirmative"),
    (NO, "no nope incorrect false negative"),
    (AFTER_A_NAME, "is was has had said says will would can could does did"),
    (SINGULAR, "is was has says does"),
    (AFTER_NO, "doubt wonder matter problem longer"),
    (AFTER_NOT, "only just merely simply"),
    (TITLE, "mr mrs ms dr prof sir adm gen col capt lt sgt rep sen gov rev hon jr sr inc corp ltd co plc"),
    (ARTICLE, "a an the"),
    (LISTING, "and or nor vs versus , the a an"),
    (PARTICLE, "up down out on onto off before after above below into"),
    (OBLIGING, "must shall required"),
    (PERMITTING, "may can could might optional"),
    (BOTH_WAYS, "is are was were be been being with near beside versus alongside together"),
    (JOINING, "and or nor vs versus also known as aka either maybe perhaps"),
    (BESIDE_A_JOINT, "even just both to which what ones is are"),
    (SAYING, "said says say saying added adds noted notes wrote writes according"),
];

/// Words that say one of the four modalities.
const MODALITIES: &[(Modality, &str)] = &[
    (Modality::Must, "must shall required mandatory obligatory obliged compulsory"),
    (Modality::May, "may optional optionally permitted allowed"),
    (Modality::Never, "never forbidden prohibited disallowed banned"),
    (Modality::Always, "always invariably"),
];

/// Stems that may say a negation in another way: beside one of them a difference in negation is no contradiction.
const WEAK_NEGATORS: &str = "fail refuse deny lack avoid prevent stop cease decline reject unable absent miss free \
    exclude failure forbid prohibit ban disallow empty few rule unlike rarely seldom release exempt spare excuse refrain \
    abstain";

/// Stems of predicates that hold both ways round.
const SYMMETRIC: &str = "talk meet marry fight same different equal differ between shake speak compare similar identical \
    resemble border adjoin neighbour neighbor twin sibling cousin spouse colleague classmate friend equivalent parallel \
    adjacent opposite";

const NUMBERS: &str = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen \
    sixteen seventeen eighteen nineteen";
const TENS: &str = "twenty thirty forty fifty sixty seventy eighty ninety";
const SCALES: &[(f64, &str)] =
    &[(1e2, "hundred"), (1e3, "thousand k"), (1e6, "million m mn"), (1e9, "billion bn"), (1e12, "trillion")];

/// Kind of quantity, factor to its base unit, forms of the unit.
const UNITS: &[(&str, f64, &str)] = &[
    ("length", 1e-3, "mm millimeter millimetre"),
    ("length", 1e-2, "cm centimeter centimetre"),
    ("length", 1.0, "m meter metre"),
    ("length", 1e3, "km kilometer kilometre"),
    ("length", 0.0254, "inch in"),
    ("length", 0.3048, "ft foot feet"),
    ("length", 0.9144, "yd yard"),
    ("length", 1609.344, "mi mile"),
    ("mass", 1e-3, "mg milligram"),
    ("mass", 1.0, "g gram"),
    ("mass", 1e3, "kg kilogram kilo"),
    ("mass", 1e6, "t ton tonne"),
    ("mass", 28.3495, "oz ounce"),
    ("mass", 453.592, "lb lbs pound"),
    ("duration", 1e-3, "ms millisecond"),
    ("duration", 1e-6, "µs us microsecond"),
    ("duration", 1.0, "s sec second"),
    ("duration", 60.0, "min minute"),
    ("duration", 3600.0, "h hr hrs hour"),
    ("duration", 86400.0, "day"),
    ("duration", 604_800.0, "week"),
    ("duration", 2_629_800.0, "month"),
    ("duration", 31_557_600.0, "year yr"),
    ("bytes", 1.0, "byte"),
    ("bytes", 1e3, "kb kilobyte"),
    ("bytes", 1e6, "mb megabyte"),
    ("bytes", 1e9, "gb gigabyte"),
    ("bytes", 1e12, "tb terabyte"),
    ("bytes", 1024.0, "kib"),
    ("bytes", 1_048_576.0, "mib"),
    ("bytes", 1_073_741_824.0, "gib"),
    ("area", 1e4, "hectare ha"),
    ("area", 4046.86, "acre"),
    ("volume", 1e-3, "ml milliliter millilitre"),
    ("volume", 1.0, "l liter litre"),
    ("volume", 3.78541, "gal gallon"),
    ("temperature:c", 1.0, "°c celsius"),
    ("temperature:f", 1.0, "°f fahrenheit"),
    ("temperature", 1.0, "° degree"),
    ("percent", 1.0, "% percent pct"),
    ("money:usd", 1.0, "dollar usd us$ $"),
    ("money:eur", 1.0, "euro eur €"),
    ("money:gbp", 1.0, "gbp £"),
    ("money:jpy", 1.0, "yen jpy ¥"),
    ("money:cent", 1.0, "cent"),
    ("power", 1.0, "w watt"),
    ("power", 1e3, "kw kilowatt"),
    ("power", 1e6, "mw megawatt"),
    ("energy", 1.0, "kwh"),
    ("energy", 1e3, "mwh"),
    ("frequency", 1.0, "hz hertz"),
    ("frequency", 1e3, "khz"),
    ("frequency", 1e6, "mhz"),
    ("frequency", 1e9, "ghz"),
    ("speed", 0.44704, "mph"),
    ("speed", 0.277_778, "kph km/h"),
];

const MONTHS: [&str; 12] = [
    "january jan",
    "february feb",
    "march mar",
    "april apr",
    "may",
    "june jun",
    "july jul",
    "august aug",
    "september sep sept",
    "october oct",
    "november nov",
    "december dec",
];
const WEEKDAYS: [&str; 7] =
    ["monday mon", "tuesday tue", "wednesday wed", "thursday thu", "friday fri", "saturday sat", "sunday sun"];

/// What a sentence obliges, permits or rules out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Modality {
    Must,
    May,
    Never,
    Always,
}

/// Everything known of one lower-case word. One look-up for all of it.
#[derive(Default)]
pub(crate) struct Word {
    pub flags: Flags,
    pub number: Option<f64>,
    pub scale: Option<f64>,
    pub unit: Option<(&'static str, f64)>,
    /// 1 to 12, or 0.
    pub month: u8,
    /// 1 (Monday) to 7, or 0.
    pub weekday: u8,
    pub modality: Option<Modality>,
    base: Option<&'static str>,
}

impl Word {
    /// The base form of the word that this is known of.
    pub fn stem<'w>(&self, word: &'w str) -> Cow<'w, str> {
        match self.base {
            Some(base) => Cow::Borrowed(base),
            None => cut(word),
        }
    }

    #[inline]
    pub fn is(&self, flags: Flags) -> bool {
        self.flags & flags != 0
    }
}

/// Of a word of which nothing is known.
static UNKNOWN: Word =
    Word { flags: 0, number: None, scale: None, unit: None, month: 0, weekday: 0, modality: None, base: None };

static WORDS: LazyLock<Marks<Word>> = LazyLock::new(|| {
    let mut table: WordMap<u64, Word> = WordMap::default();
    let mut set = |word: &'static str, change: &dyn Fn(&mut Word)| change(table.entry(mark(word)).or_default());
    for &(flags, list) in LISTS {
        for word in list.split_whitespace() {
            set(word, &|entry| entry.flags |= flags);
        }
    }
    for &(modality, list) in MODALITIES {
        for word in list.split_whitespace() {
            set(word, &|entry| entry.modality = Some(modality));
        }
    }
    for (value, word) in NUMBERS.split_whitespace().enumerate() {
        set(word, &|entry| entry.number = Some(value as f64));
    }
    for (tens, word) in TENS.split_whitespace().enumerate() {
        set(word, &|entry| entry.number = Some(10.0 * (tens as f64 + 2.0)));
    }
    set("dozen", &|entry| entry.number = Some(12.0));
    for &(factor, list) in SCALES {
        for word in list.split_whitespace() {
            set(word, &|entry| entry.scale = Some(factor));
        }
    }
    for &(kind, factor, list) in UNITS {
        for word in list.split_whitespace() {
            set(word, &|entry| entry.unit = Some((kind, factor)));
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
    for line in IRREGULAR.lines() {
        let mut forms = line.split_whitespace();
        if let Some(base) = forms.next() {
            set(base, &|entry| entry.base = Some(base));
            for form in forms {
                set(form, &|entry| entry.base = Some(base));
            }
        }
    }
    table.into()
});

/// The marks of the stems that exclude a stem, by its own.
static EXCLUDED: LazyLock<Marks<Vec<u64>>> = LazyLock::new(|| {
    let mut table: WordMap<u64, Vec<u64>> = WordMap::default();
    let mut exclude = |one: u64, other: u64| {
        let others = table.entry(one).or_default();
        if one != other && !others.contains(&other) {
            others.push(other);
        }
    };
    for line in OPPOSITES.lines() {
        let sides: Vec<&str> = line.split('|').collect();
        for (position, side) in sides.iter().enumerate() {
            for one in side.split_whitespace() {
                let others = sides.iter().skip(position + 1).flat_map(|other| other.split_whitespace());
                for other in others {
                    let (one, other) = (mark(&stem(one)), mark(&stem(other)));
                    exclude(one, other);
                    exclude(other, one);
                }
            }
        }
    }
    table.into()
});

static GROUPS: LazyLock<WordMap<String, Vec<usize>>> = LazyLock::new(|| {
    let mut table: WordMap<String, Vec<usize>> = WordMap::default();
    for (group, line) in ALIKE.lines().enumerate() {
        for word in line.split_whitespace() {
            table.entry(stem(word).into_owned()).or_default().push(group);
        }
    }
    table
});

static WEAK: LazyLock<WordSet<String>> = LazyLock::new(|| stems_of(WEAK_NEGATORS));
static MUTUAL: LazyLock<WordSet<String>> = LazyLock::new(|| stems_of(SYMMETRIC));

fn stems_of(list: &str) -> WordSet<String> {
    list.split_whitespace().map(|word| stem(word).into_owned()).collect()
}

/// A number that two words share only when they are one (but for chance in 2^64).
#[inline]
pub(crate) fn mark(word: &str) -> u64 {
    let mut hasher = WordHasher::default();
    hasher.write(word.as_bytes());
    hasher.finish()
}

/// Everything known of a lower-case word with this mark.
pub(crate) fn look_up_marked(mark: u64) -> &'static Word {
    WORDS.get(mark).unwrap_or(&UNKNOWN)
}

/// Everything known of a lower-case word.
pub(crate) fn look_up(word: &str) -> &'static Word {
    look_up_marked(mark(word))
}

/// Whether some stem excludes this one, said of the same thing.
pub(crate) fn has_opposite(root: &str) -> bool {
    EXCLUDED.get(mark(root)).is_some_and(|others| !others.is_empty())
}

pub(crate) fn excludes(one: &str, other: &str) -> bool {
    EXCLUDED.get(mark(one)).is_some_and(|others| others.contains(&mark(other)))
}

/// Whether two stems may stand for each other in most sentences.
pub(crate) fn alike(one: &str, other: &str) -> bool {
    match (GROUPS.get(one), GROUPS.get(other)) {
        (Some(mine), Some(theirs)) => mine.iter().any(|group| theirs.contains(group)),
        _ => false,
    }
}

pub(crate) fn weakly_negates(root: &str) -> bool {
    WEAK.contains(root)
}

/// Whether the predicate holds both ways round: who meets whom does not matter.
pub(crate) fn symmetric(root: &str) -> bool {
    MUTUAL.contains(root)
}

const NEGATING: [&str; 7] = ["un", "in", "im", "ir", "il", "dis", "non"];

/// Whether one stem is the other with a negating prefix: `able` and `unable`, `correct` and `incorrect`.
pub(crate) fn negated_form(one: &str, other: &str) -> bool {
    let (long, short) = if one.len() < other.len() { (other, one) } else { (one, other) };
    let short = short.strip_suffix('e').unwrap_or(short);
    let long = long.strip_suffix('e').unwrap_or(long);
    short.len() > 2 && long.strip_suffix(short).is_some_and(|prefix| NEGATING.contains(&prefix))
}

/// The base form of a lower-case English word, near enough to match its inflections.
pub(crate) fn stem(word: &str) -> Cow<'_, str> {
    look_up(word).stem(word)
}

fn cut(word: &str) -> Cow<'_, str> {
    if !longer(word, 3) {
        return Cow::Borrowed(word);
    }
    // Most words have none of the endings below.
    if !word.ends_with(['s', 'y', 'g', 'd']) {
        return Cow::Borrowed(bare(word));
    }
    if let Some(root) = word.strip_suffix("ies").or_else(|| word.strip_suffix("ily")) {
        return Cow::Owned(format!("{root}y"));
    }
    if let Some(root) = word.strip_suffix("ly")
        && longer(word, 5)
    {
        return Cow::Borrowed(bare(root));
    }
    if ["sses", "shes", "ches", "xes", "zes", "oes"].iter().any(|ending| word.ends_with(ending)) {
        return Cow::Borrowed(&word[..word.len() - 2]);
    }
    if let Some(root) = word.strip_suffix('s')
        && !["ss", "us", "is"].iter().any(|ending| word.ends_with(ending))
    {
        return Cow::Borrowed(bare(root));
    }
    if !word.ends_with(['g', 'd']) {
        return Cow::Borrowed(bare(word));
    }
    for ending in ["ing", "ed"] {
        if let Some(root) = word.strip_suffix(ending)
            && root.chars().nth(1).is_some()
            && root.bytes().any(|letter| b"aeiouy".contains(&letter))
        {
            return verb(root);
        }
    }
    Cow::Borrowed(bare(word))
}

/// Whether a word has more characters than so many.
fn longer(word: &str, size: usize) -> bool {
    match word.as_bytes().get(..=size) {
        Some(head) => head.is_ascii() || word.chars().nth(size).is_some(),
        None => false,
    }
}

/// Without a final `e`, so that `decline` and `declining` meet; short words keep theirs.
fn bare(word: &str) -> &str {
    if longer(word, 4) { word.strip_suffix('e').unwrap_or(word) } else { word }
}

/// `hopp` to `hop`, `hop` (of hoping) to `hope`, `carri` to `carry`; else as it is.
fn verb(root: &str) -> Cow<'_, str> {
    let letters = root.as_bytes();
    match *letters {
        [.., _, _, before, last] if before == last && last.is_ascii() && !b"aelosz".contains(&last) => {
            Cow::Borrowed(&root[..root.len() - 1])
        }
        [.., b'i'] => Cow::Owned(format!("{}y", &root[..root.len() - 1])),
        [first, middle, last]
            if !b"aeiouy".contains(&first) && b"aeiou".contains(&middle) && !b"aeiouwxy".contains(&last) =>
        {
            Cow::Owned(format!("{root}e"))
        }
        _ => Cow::Borrowed(root),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inflections_meet() {
        for (forms, base) in [
            ("running runs ran", "run"),
            ("declined declining declines decline", "decline"),
            ("cities city", "city"),
            ("hoping hoped hopes hope", "hope"),
            ("hopping hopped hops hop", "hop"),
            ("carried carries carry", "carry"),
            ("slices slicing sliced slice", "slice"),
            ("women woman", "woman"),
            ("quickly quick", "quick"),
        ] {
            for form in forms.split_whitespace() {
                assert_eq!(stem(form), stem(base), "{form}");
            }
        }
    }

    #[test]
    fn opposites_are_symmetric_and_no_word_excludes_itself() {
        let words = OPPOSITES.lines().flat_map(|line| line.split(['|', ' '])).filter(|word| !word.is_empty());
        for word in words.map(|word| mark(&stem(word))) {
            let others = EXCLUDED.get(word).unwrap();
            assert!(!others.contains(&word));
            assert!(others.iter().all(|other| EXCLUDED.get(*other).unwrap().contains(&word)));
        }
    }

    #[test]
    fn prefixes_negate() {
        assert!(negated_form("able", "unable") && negated_form("incorrect", "correct"));
        assert!(!negated_form("able", "table") && !negated_form("un", "unun"));
    }
}
