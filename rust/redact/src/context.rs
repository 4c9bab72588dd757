//! Words near a value that say what it is: "phone", "SSN", "Steuernummer". One automaton holds all of them.

use std::sync::LazyLock;

use aho_corasick::automaton::Automaton;
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, MatchKind, StartKind};

/// A set of contexts, one bit each.
pub(super) type Contexts = u64;

macro_rules! contexts {
    ($($name:ident: [$($word:literal),* $(,)?];)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u8)]
        enum Number { $($name,)* }
        $(pub(super) const $name: Contexts = 1 << Number::$name as u8;)*
        const WORDS: &[(&str, Contexts)] = &[$($(($word, $name),)*)*];
    };
}

contexts! {
    PHONE: [
        "phone", "mobile", "cell", "tel", "telephone", "telefon", "telefono", "teléfono", "téléphone", "telefone",
        "telefonnummer", "handy", "portable", "celular", "móvil", "movil", "call", "fax", "whatsapp", "sms", "dial",
        "puhelin", "numara", "numaram", "numero", "número", "numéro", "contact", "hotline", "電話", "电话", "手机",
        "携帯", "전화", "телефон", "ring me", "reach me", "text me", "msisdn", "calling", "called", "callback",
        "dialing", "dialling", "telefax", "rufnummer", "mobil", "mobiltelefon", "cellular", "cellphone", "landline",
        "voicemail", "telefoon", "téléphoner", "tlf", "phonenumber", "mobilenumber", "ph#", "tél", "telefonszám",
        "helpline", "switchboard", "telephones", "hotlines", "handynummer", "faxnummer",
    ];
    REACHED: [
        "office", "desk", "message", "messages", "answering", "answer at", "registered", "home", "work", "direct",
        "extension", "ext", "reach", "sms to", "büro", "buero", "zentrale", "bureau", "oficina", "ufficio", "kontor",
        "privat", "emergency", "reception", "number is",
    ];
    CARD: [
        "card", "credit", "debit", "visa", "mastercard", "amex", "pan", "kreditkarte", "carte", "tarjeta", "cc", "maestro", "discover", "diners", "jcb",
        "unionpay", "cardnumber", "creditcard", "debitcard", "kartennummer", "karte", "карта", "信用卡", "カード", "carta di credito",
        "cartão", "cartao", "kaart", "kort", "american express",
    ];
    SSN: ["ssn", "social security", "socialsecurity", "social_security", "ssns", "ss#", "ssid", "soc sec"];
    ITIN: ["itin", "taxpayer", "tax id", "tax_id", "taxid", "tin"];
    SIN: ["sin", "social insurance", "socialinsurance", "social_insurance", "assurance sociale", "nas"];
    NHS: ["nhs", "national health"];
    NPI: ["npi", "provider number", "provider id", "provider identifier", "national provider"];
    ROUTING: ["routing", "aba", "rtn", "transit"];
    DEA: ["dea", "medical license", "certificate", "prescriber"];
    MEDICARE: ["medicare", "mbi", "beneficiary"];
    ABN: ["abn", "australian business", "business number"];
    ACN: ["acn", "australian company", "company number"];
    TFN: ["tfn", "tax file"];
    GERMAN_TAX: [
        "steuer", "steuernummer", "steuer-id", "idnr", "tax", "steueridentifikationsnummer", "finanzamt", "steuerid",
    ];
    GERMAN_SOCIAL: ["sozialversicherung", "rentenversicherung", "sv-nummer", "svnr", "rvnr", "versicherungsnummer"];
    HEALTH: ["krankenkasse", "kvnr", "krankenversicherung", "versichertennummer", "health insurance"];
    DOCUMENT: [
        "personalausweis", "ausweis", "identity card", "id card", "idcard", "identity", "national id", "nationalid",
        "carta d'identità", "dni", "nric", "fin", "cédula", "cedula", "identity document", "carte d'identité",
    ];
    DOCTOR: ["lanr", "arztnummer", "arzt", "bsnr", "betriebsstättennummer"];
    VAT: ["vat", "ust", "umsatzsteuer", "ust-id", "ustid", "partita iva", "p.iva", "piva", "iva", "tva", "btw"];
    DUTCH: ["bsn", "burgerservicenummer", "sofinummer"];
    SWEDISH: ["personnummer", "samordningsnummer", "pnr", "organisationsnummer", "orgnr", "org.nr", "orgnummer"];
    NORDIC: ["fødselsnummer", "fodselsnummer", "henkilötunnus", "hetu", "cpr", "personal identity code"];
    POLISH: ["pesel"];
    BRAZIL: ["cpf", "cnpj"];
    FRENCH: ["sécurité sociale", "securite sociale", "nir", "numéro de sécu", "insee"];
    AADHAAR: ["aadhaar", "aadhar", "uidai", "uid"];
    INDIA: ["pan", "permanent account", "gstin", "gst", "voter", "epic"];
    KOREA: ["rrn", "주민등록번호", "주민번호", "resident registration", "frn", "외국인등록번호", "brn", "사업자등록번호"];
    NIGERIA: ["nin", "national identification", "nimc"];
    PHILIPPINES: ["tin", "tax id", "taxpayer"];
    SINGAPORE: ["nric", "fin", "uen"];
    THAI: ["tnin", "thai id", "เลขประจำตัวประชาชน", "บัตรประชาชน"];
    TURKISH: ["tckn", "t.c.", "tc kimlik", "kimlik", "turkish id", "vatandaşlık"];
    AFRICA: ["rsa id", "sa id", "south african", "permanent resident", "identity number", "id number", "idnumber"];
    CHINESE: ["身份证", "居民身份证"];
    PASSPORT: ["passport", "passaporto", "pasaporte", "passeport", "reisepass", "pass-nr", "여권", "パスポート", "护照"];
    LICENSE: [
        "driver license", "driver licence", "drivers license", "drivers licence", "driver's license", "driver's licence",
        "driver’s license", "driver’s licence", "driving license", "driving licence", "driver_license", "drivers_license",
        "driving_licence", "driverlicense", "driverslicense", "drivinglicence", "license number", "licence number",
        "license no", "licence no", "license #", "licence #", "licensenumber", "license_number", "licence_number",
        "driver id", "dl number", "driver lic", "führerschein", "fuhrerschein", "permis", "patente", "운전면허",
        "licencia", "operator license", "operator's license", "operators license", "driving permit", "learner's permit",
        "driver's lic", "drivers lic", "dmv number",
    ];
    ADDRESS: ["ip", "ipv4", "ipv6", "address", "addr", "host", "src", "dst", "server", "client", "listen", "bind", "gateway"];
    VERSION: ["version", "versions", "release", "ver", "build", "firmware", "section", "chapter", "§", "oid"];
    ID: [
        "id", "ids", "uuid", "guid", "order", "trace", "span", "request", "ticket", "invoice", "tracking", "transaction",
        "txn", "ref", "reference", "timestamp", "ts", "nonce", "seq", "sequence", "offset", "commit", "job", "run", "batch",
        "session", "event", "snowflake", "tweet", "item", "sku", "isbn", "ean", "upc", "gtin", "took", "created",
        "hash", "seed", "serial", "epoch", "identifier", "_id", "bestellung", "auftrag", "rechnung",
    ];
    SUM: [
        "calculate", "compute", "minus", "subtract", "evaluate", "solve", "equals", "difference", "what is", "what's",
        "subtraction", "berechne", "calcule", "calcula",
    ];
    WALLET: ["wallet", "bitcoin", "btc", "crypto", "ethereum", "eth", "address"];
}

/// Walked here state by state: the crate's search for overlapping words takes three times as long a byte.
static AUTOMATON: LazyLock<Option<DFA>> = LazyLock::new(|| {
    DFA::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        .start_kind(StartKind::Unanchored)
        .prefilter(false)
        .build(WORDS.iter().map(|(word, _)| word))
        .ok()
});

/// Whether the words can be found; without that no rules are made.
pub(super) fn is_built() -> bool {
    AUTOMATON.is_some()
}

/// The contexts that a text's words name. A word counts when no letter stands before or after it; a change of case, as
/// in `phoneNumber`, is a border too, and so is a plural's `s`.
pub(super) fn named(text: &[u8]) -> Contexts {
    let Some(automaton) = AUTOMATON.as_ref() else {
        return 0;
    };
    let Ok(mut state) = automaton.start_state(Anchored::No) else {
        return 0;
    };
    let mut found = 0;
    for (at, byte) in text.iter().enumerate() {
        state = automaton.next_state(Anchored::No, state, *byte);
        if !automaton.is_special(state) || !automaton.is_match(state) {
            continue;
        }
        for index in 0..automaton.match_len(state) {
            if let Some((word, context)) = WORDS.get(automaton.match_pattern(state, index).as_usize())
                && counts(text, word, at + 1)
            {
                found |= context;
            }
        }
    }
    found
}

/// Whether a word that ends before `end` is one by itself there.
fn counts(text: &[u8], word: &str, end: usize) -> bool {
    let letter = |at: Option<usize>| at.and_then(|at| text.get(at)).filter(|byte| byte.is_ascii_alphabetic());
    let start = end - word.len();
    let begins = match letter(start.checked_sub(1)) {
        None => true,
        Some(before) => before.is_ascii_lowercase() && text.get(start).is_some_and(u8::is_ascii_uppercase),
    };
    let ends = match letter(Some(end)) {
        None => true,
        Some(b's') => letter(Some(end + 1)).is_none(),
        Some(after) => after.is_ascii_uppercase() && text.get(end - 1).is_some_and(u8::is_ascii_lowercase),
    };
    // Scripts without spaces, and compounds of long words, have no borders.
    (begins && ends) || !word.is_ascii() || (word.len() >= 8 && begins)
}
