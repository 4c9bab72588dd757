//! Units and currencies of six languages, by what they measure.
//!
//! Invariants: every unit has one dimension and one factor to its base unit (metre, gram, second, byte, square metre,
//! litre, degree Celsius, per cent, watt, pascal, watt hour, hertz, metre a second, bit a second); general vocabulary only.

use crate::language::Language;

/// What a value measures. Only values of one dimension are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dimension {
    /// Without a unit.
    Count,
    Length,
    Mass,
    Duration,
    Bytes,
    Area,
    Volume,
    Celsius,
    Fahrenheit,
    /// Degrees of which nobody says what kind.
    Degrees,
    Percent,
    Money(Currency),
    Power,
    Pressure,
    Energy,
    Frequency,
    Speed,
    Bitrate,
    /// How often: seconds from one time to the next.
    Period,
    /// A year without a day.
    Year,
    /// A quarter of a year, 1 to 4.
    Quarter,
    /// A day of the week, 1 (Monday) to 7.
    Weekday,
    /// Minutes of a day.
    Clock,
    /// A place in an order: the 5th.
    Ordinal,
}

/// What money is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Currency {
    Dollar,
    Euro,
    Pound,
    Yen,
    Yuan,
    /// The sign ¥, which stands for yen and for yuan.
    YenOrYuan,
    Franc,
    /// The word pound, which is a mass too.
    PoundOrMass,
    Cent,
    /// By its code: the letters in base 32.
    Other(u32),
}

use Dimension::{
    Area, Bitrate, Bytes, Celsius, Degrees, Duration, Energy, Fahrenheit, Frequency, Length, Mass, Money, Percent,
    Power, Pressure, Speed, Volume,
};

type Units = &'static [(Dimension, f64, &'static str)];

/// Symbols that all languages write, and English words, which others borrow.
const COMMON: Units = &[
    (Length, 1e-6, "µm μm"),
    (Length, 1e-3, "mm"),
    (Length, 1e-2, "cm"),
    (Length, 1.0, "m"),
    (Length, 1e3, "km"),
    (Mass, 1e-6, "µg μg mcg"),
    (Mass, 1e-3, "mg"),
    (Mass, 1.0, "g"),
    (Mass, 1e3, "kg"),
    (Duration, 1e-6, "µs μs us"),
    (Duration, 1e-3, "ms"),
    (Duration, 1.0, "s sec secs"),
    (Duration, 60.0, "min mins"),
    (Duration, 3600.0, "h hr hrs"),
    (Bytes, 1e3, "kb"),
    (Bytes, 1e6, "mb"),
    (Bytes, 1e9, "gb"),
    (Bytes, 1e12, "tb"),
    (Bytes, 1024.0, "kib"),
    (Bytes, 1_048_576.0, "mib"),
    (Bytes, 1_073_741_824.0, "gib"),
    (Area, 1.0, "m² m2 sqm"),
    (Area, 1e6, "km² km2"),
    (Area, 1e4, "ha"),
    (Volume, 1e-3, "ml"),
    (Volume, 1e-2, "cl"),
    (Volume, 1e-1, "dl"),
    (Volume, 1.0, "l"),
    (Volume, 1e3, "m³ m3"),
    (Celsius, 1.0, "°c ℃"),
    (Fahrenheit, 1.0, "°f ℉"),
    (Degrees, 1.0, "°"),
    (Percent, 1.0, "% ％"),
    (Money(Currency::Dollar), 1.0, "$ us$ usd dollar"),
    (Money(Currency::Euro), 1.0, "€ eur"),
    (Money(Currency::Pound), 1.0, "£ gbp"),
    (Money(Currency::YenOrYuan), 1.0, "¥ ￥"),
    (Money(Currency::Yen), 1.0, "jpy"),
    (Money(Currency::Yuan), 1.0, "cny rmb"),
    (Money(Currency::Franc), 1.0, "chf sfr"),
    (Power, 1.0, "w"),
    (Power, 1e3, "kw"),
    (Power, 1e6, "mw"),
    (Pressure, 1e2, "mbar hpa"),
    (Pressure, 1e3, "kpa"),
    (Pressure, 1e5, "bar"),
    (Pressure, 6894.76, "psi"),
    (Pressure, 133.322, "mmhg"),
    (Power, 745.7, "hp"),
    (Energy, 1.0 / 3.6, "kj"),
    (Energy, 1e3, "kwh"),
    (Energy, 1e6, "mwh"),
    (Energy, 1.163, "kcal"),
    (Frequency, 1.0, "hz"),
    (Frequency, 1e3, "khz"),
    (Frequency, 1e6, "mhz"),
    (Frequency, 1e9, "ghz"),
    (Speed, 1.0 / 3.6, "km/h kmh kph"),
    (Speed, 0.44704, "mph"),
    (Speed, 1.0, "m/s"),
    (Bitrate, 1e3, "kbps kbit/s"),
    (Bitrate, 1e6, "mbps mbit/s mbit"),
    (Bitrate, 1e9, "gbps gbit/s gbit"),
];

const ENGLISH: Units = &[
    (Length, 1e-3, "millimeter millimetre millimeters millimetres"),
    (Length, 1e-2, "centimeter centimetre centimeters centimetres"),
    (Length, 1.0, "meter metre meters metres"),
    (Length, 1e3, "kilometer kilometre kilometers kilometres"),
    (Length, 0.0254, "inch inches"),
    (Length, 0.3048, "foot feet ft"),
    (Length, 0.9144, "yard yards yd"),
    (Length, 1609.344, "mile miles mi"),
    (Mass, 1e-6, "microgram micrograms"),
    (Mass, 1e-3, "milligram milligrams"),
    (Mass, 1.0, "gram grams gramme grammes"),
    (Mass, 1e3, "kilogram kilograms kilo kilos"),
    (Mass, 1e6, "ton tons tonne tonnes"),
    (Mass, 28.3495, "oz ounce ounces"),
    (Mass, 453.592, "lb lbs"),
    (Speed, 0.514_444, "knot knots"),
    (Money(Currency::PoundOrMass), 1.0, "pound pounds"),
    (Duration, 1e-3, "millisecond milliseconds"),
    (Duration, 1.0, "second seconds"),
    (Duration, 60.0, "minute minutes"),
    (Duration, 3600.0, "hour hours"),
    (Duration, 86_400.0, "day days night nights"),
    (Duration, 604_800.0, "week weeks"),
    (Duration, 1_209_600.0, "fortnight fortnights"),
    (Duration, 2_629_800.0, "month months"),
    (Duration, 31_557_600.0, "year years yr yrs"),
    (Duration, 315_576_000.0, "decade decades"),
    (Bytes, 1.0, "byte bytes"),
    (Bytes, 1e3, "kilobyte kilobytes"),
    (Bytes, 1e6, "megabyte megabytes"),
    (Bytes, 1e9, "gigabyte gigabytes gigs"),
    (Bytes, 1e12, "terabyte terabytes"),
    (Area, 1e4, "hectare hectares"),
    (Area, 4046.86, "acre acres"),
    (Volume, 1e-3, "milliliter millilitre milliliters millilitres"),
    (Volume, 1.0, "liter litre liters litres"),
    (Volume, 3.78541, "gallon gallons gal"),
    (Volume, 0.236_588, "cup cups"),
    (Volume, 0.015, "tablespoon tablespoons tbsp"),
    (Volume, 0.005, "teaspoon teaspoons tsp"),
    (Celsius, 1.0, "celsius"),
    (Fahrenheit, 1.0, "fahrenheit"),
    (Degrees, 1.0, "degree degrees"),
    (Percent, 1.0, "percent pct"),
    (Money(Currency::Dollar), 1.0, "dollars bucks"),
    (Money(Currency::Euro), 1.0, "euro euros"),
    (Money(Currency::Yen), 1.0, "yen"),
    (Money(Currency::Yuan), 1.0, "yuan renminbi"),
    (Money(Currency::Franc), 1.0, "franc francs"),
    (Money(Currency::Cent), 1.0, "cent cents pence"),
    (Power, 1.0, "watt watts"),
    (Power, 1e3, "kilowatt kilowatts"),
    (Energy, 1.163, "calorie calories"),
];

const GERMAN: Units = &[
    (Length, 1e-3, "millimeter"),
    (Length, 1e-2, "zentimeter"),
    (Length, 1.0, "meter metern"),
    (Length, 1e3, "kilometer kilometern"),
    (Mass, 1e-3, "milligramm"),
    (Mass, 1.0, "gramm"),
    (Mass, 1e3, "kilo kilogramm"),
    (Mass, 1e6, "tonne tonnen t"),
    (Mass, 500.0, "pfund"),
    (Duration, 1e-3, "millisekunde millisekunden"),
    (Duration, 1.0, "sekunde sekunden sek"),
    (Duration, 60.0, "minute minuten"),
    (Duration, 3600.0, "stunde stunden std"),
    (
        Duration,
        86_400.0,
        "tag tage tagen tages werktag werktage werktagen arbeitstag arbeitstage arbeitstagen kalendertag kalendertage \
         kalendertagen nacht nächte nächten",
    ),
    (Duration, 604_800.0, "woche wochen"),
    (Duration, 2_629_800.0, "monat monate monaten monats"),
    (Duration, 31_557_600.0, "jahr jahre jahren jahres"),
    (Area, 1.0, "quadratmeter quadratmetern qm"),
    (Area, 1e6, "quadratkilometer quadratkilometern"),
    (Volume, 1e3, "kubikmeter kubikmetern"),
    (Area, 1e4, "hektar"),
    (Volume, 1e-3, "milliliter"),
    (Volume, 1.0, "liter litern"),
    (Degrees, 1.0, "grad"),
    (Percent, 1.0, "prozent prozentpunkte prozentpunkten"),
    (Money(Currency::Euro), 1.0, "euro euros"),
    (Money(Currency::Dollar), 1.0, "dollars"),
    (Money(Currency::Franc), 1.0, "franken"),
    (Money(Currency::Yen), 1.0, "yen"),
    (Money(Currency::Yuan), 1.0, "yuan"),
    (Money(Currency::Cent), 1.0, "cent"),
];

const FRENCH: Units = &[
    (Length, 1e-3, "millimètre millimètres"),
    (Length, 1e-2, "centimètre centimètres"),
    (Length, 1.0, "mètre mètres"),
    (Length, 1e3, "kilomètre kilomètres"),
    (Mass, 1e-3, "milligramme milligrammes"),
    (Mass, 1.0, "gramme grammes"),
    (Mass, 1e3, "kilo kilos kilogramme kilogrammes"),
    (Mass, 1e6, "tonne tonnes"),
    (Duration, 1e-3, "milliseconde millisecondes"),
    (Duration, 1.0, "seconde secondes"),
    (Duration, 60.0, "minute minutes"),
    (Duration, 3600.0, "heure heures"),
    (Duration, 86_400.0, "jour jours journée journées nuit nuits nuitée nuitées j"),
    (Duration, 604_800.0, "semaine semaines"),
    (Duration, 2_629_800.0, "mois"),
    (Duration, 31_557_600.0, "an ans année années"),
    (Bytes, 1e3, "ko"),
    (Bytes, 1e6, "mo"),
    (Bytes, 1e9, "go"),
    (Bytes, 1e12, "to"),
    (Area, 1e4, "hectare hectares"),
    (Volume, 1e-3, "millilitre millilitres"),
    (Volume, 1.0, "litre litres"),
    (Degrees, 1.0, "degré degrés"),
    (Money(Currency::Euro), 1.0, "euro euros"),
    (Money(Currency::Dollar), 1.0, "dollars"),
    (Money(Currency::Pound), 1.0, "livre livres"),
    (Money(Currency::Yen), 1.0, "yen yens"),
    (Money(Currency::Yuan), 1.0, "yuan yuans"),
    (Money(Currency::Franc), 1.0, "franc francs"),
    (Money(Currency::Cent), 1.0, "centime centimes cent cents"),
];

const SPANISH: Units = &[
    (Length, 1e-3, "milímetro milímetros"),
    (Length, 1e-2, "centímetro centímetros"),
    (Length, 1.0, "metro metros"),
    (Length, 1e3, "kilómetro kilómetros"),
    (Mass, 1e-3, "miligramo miligramos"),
    (Mass, 1.0, "gramo gramos"),
    (Mass, 1e3, "kilo kilos kilogramo kilogramos"),
    (Mass, 1e6, "tonelada toneladas"),
    (Duration, 1e-3, "milisegundo milisegundos"),
    (Duration, 1.0, "segundo segundos"),
    (Duration, 60.0, "minuto minutos"),
    (Duration, 3600.0, "hora horas"),
    (Duration, 86_400.0, "día días dia dias noche noches"),
    (Duration, 604_800.0, "semana semanas"),
    (Duration, 2_629_800.0, "mes meses"),
    (Duration, 31_557_600.0, "año años"),
    (Area, 1e4, "hectárea hectáreas"),
    (Volume, 1e-3, "mililitro mililitros"),
    (Volume, 1.0, "litro litros"),
    (Degrees, 1.0, "grado grados"),
    (Money(Currency::Euro), 1.0, "euro euros"),
    (Money(Currency::Dollar), 1.0, "dólar dólares"),
    (Money(Currency::Pound), 1.0, "libra libras"),
    (Money(Currency::Yen), 1.0, "yen yenes"),
    (Money(Currency::Yuan), 1.0, "yuan yuanes"),
    (Money(Currency::Franc), 1.0, "franco francos"),
    (Money(Currency::Cent), 1.0, "céntimo céntimos centavo centavos"),
];

/// Longest first, where one begins another.
const CHINESE: Units = &[
    (Duration, 60.0, "分钟 分鐘"),
    (Duration, 1.0, "秒钟 秒鐘 秒"),
    (Duration, 3600.0, "个小时 個小時 小时 小時 个钟头 钟头"),
    (Duration, 86_400.0, "个工作日 個工作日 工作日 个自然日 自然日 天 日 晚"),
    (Duration, 604_800.0, "个星期 個星期 星期 个礼拜 礼拜 周 週"),
    (Duration, 2_629_800.0, "个月 個月"),
    (Duration, 7_889_400.0, "个季度 季度"),
    (Duration, 31_557_600.0, "周岁 周年 年 岁 歲"),
    (Length, 1e-3, "毫米"),
    (Length, 1e-2, "厘米"),
    (Length, 1e3, "公里 千米"),
    (Area, 1e6, "平方公里 平方千米"),
    (Area, 1.0, "平方米 平米"),
    (Volume, 1e3, "立方米"),
    (Length, 1.0, "米"),
    (Mass, 1e-3, "毫克"),
    (Mass, 1e3, "公斤 千克"),
    (Mass, 500.0, "斤"),
    (Mass, 1e6, "吨 噸"),
    (Mass, 1.0, "克"),
    (Volume, 1e-3, "毫升"),
    (Volume, 1.0, "升"),
    (Celsius, 1.0, "摄氏度 攝氏度"),
    (Degrees, 1.0, "度"),
    (Percent, 1.0, "个百分点 百分点"),
    (Percent, 10.0, "成"),
    (Money(Currency::Dollar), 1.0, "美元 美金"),
    (Money(Currency::Euro), 1.0, "欧元 歐元"),
    (Money(Currency::Pound), 1.0, "英镑 英鎊"),
    (Money(Currency::Yen), 1.0, "日元 日圆"),
    (Money(Currency::Yuan), 1.0, "元人民币 人民币 元 块钱 块"),
];

/// Longest first, where one begins another.
const JAPANESE: Units = &[
    (Duration, 1.0, "秒間 秒"),
    (Duration, 60.0, "分間 分"),
    (Duration, 3600.0, "時間"),
    (Duration, 86_400.0, "営業日 日間 日 泊"),
    (Duration, 604_800.0, "週間"),
    (Duration, 2_629_800.0, "か月間 ヶ月間 カ月間 ヵ月間 か月 ヶ月 カ月 ヵ月 ケ月 箇月"),
    (Duration, 31_557_600.0, "年間 年 歳 才"),
    (Length, 1e-3, "ミリメートル"),
    (Length, 1e-2, "センチメートル センチ"),
    (Length, 1e3, "キロメートル"),
    (Area, 1e6, "平方キロメートル 平方キロ"),
    (Area, 1.0, "平方メートル 平米"),
    (Length, 1.0, "メートル"),
    (Mass, 1e-3, "ミリグラム"),
    (Mass, 1e3, "キログラム キロ"),
    (Mass, 1.0, "グラム"),
    (Mass, 1e6, "トン"),
    (Volume, 1e-3, "ミリリットル"),
    (Volume, 1.0, "リットル"),
    (Bytes, 1e9, "ギガバイト"),
    (Bytes, 1e6, "メガバイト"),
    (Degrees, 1.0, "度"),
    (Percent, 1.0, "パーセント"),
    (Percent, 10.0, "割"),
    (Money(Currency::Dollar), 1.0, "米ドル ドル"),
    (Money(Currency::Euro), 1.0, "ユーロ"),
    (Money(Currency::Pound), 1.0, "ポンド"),
    (Money(Currency::Yuan), 1.0, "人民元 元"),
    (Money(Currency::Yen), 1.0, "円"),
];

/// The units of a language, without the common ones.
pub(crate) fn units(language: Language) -> Units {
    match language {
        Language::English => ENGLISH,
        Language::German => GERMAN,
        Language::French => FRENCH,
        Language::Spanish => SPANISH,
        Language::Chinese => CHINESE,
        Language::Japanese => JAPANESE,
    }
}

/// The units that every language writes.
pub(crate) fn common() -> Units {
    COMMON
}

/// The codes of further currencies; the ones above have units of their own.
const CODES: &str = "aud cad nzd sek nok dkk pln czk huf inr krw brl mxn zar try sgd hkd ils aed thb";

/// Each code with the currency that it stands for.
pub(crate) fn codes() -> impl Iterator<Item = (&'static str, Currency)> {
    let number = |code: &str| code.bytes().fold(0, |sum, letter| sum << 5 | u32::from(letter & 31));
    CODES.split(' ').map(move |code| (code, Currency::Other(number(code))))
}

impl Dimension {
    /// Whether two quantities of it make a third one that is worth saying.
    pub fn adds(self) -> bool {
        matches!(self, Length | Mass | Duration | Bytes | Area | Volume | Money(_) | Energy)
    }

    /// Values of two dimensions in one group are of one kind: 5 € and 5 $, 20 °C and 68 °F.
    pub fn group(self) -> u8 {
        match self {
            Self::Count => 0,
            Length => 1,
            Mass => 2,
            Duration => 3,
            Bytes => 4,
            Area => 5,
            Volume => 6,
            Celsius | Fahrenheit | Degrees => 7,
            Percent => 8,
            Money(_) => 9,
            Power => 10,
            Pressure => 21,
            Energy => 11,
            Frequency => 12,
            Speed => 13,
            Bitrate => 14,
            Self::Period => 15,
            Self::Year => 16,
            Self::Quarter => 17,
            Self::Weekday => 18,
            Self::Clock => 19,
            Self::Ordinal => 20,
        }
    }
}
