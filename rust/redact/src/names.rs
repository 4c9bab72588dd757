//! What the name of a field, a variable, a header or an option says of its value.
//!
//! Invariant: only the name's own words count, so that the same name says the same in JSON, in code and in a form; names
//! of what merely has to do with secrets (a page's token, a table's key, a password's label) say nothing.

use std::cell::RefCell;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// What a name says of its value.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) enum Name {
    /// Nothing.
    #[default]
    Plain,
    /// A secret when it looks random.
    Token,
    /// A secret when it is long and looks random: a name that other things have too.
    Key,
    /// A secret that may be a few digits.
    Code,
    /// A header or a cookie, whose value is a secret to its end.
    Header,
    /// A secret whatever it looks like.
    Password,
}

/// Names of passwords end in these, without signs and in small letters.
const PASSWORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "motdepasse",
    "contrasena",
    "contraseña",
    "kennwort",
    "wachtwoord",
    "senha",
    "lösenord",
    "losenord",
    "hasło",
    "parola",
    "salasana",
    "heslo",
    "şifre",
    "пароль",
    "密码",
    "密碼",
    "パスワード",
    "비밀번호",
    "passwordhash",
    "passphrases",
    "passwords",
];
/// These are words of their own, between signs or changes of case: `DB_PASS` and not `bypass`.
const PASSWORD_WORDS: &[&str] = &["pass", "pwd", "pw", "psw", "pswd", "passw", "pwhash", "mdp", "clave"];
/// A word that makes another thing of the one behind it: a pass that is gone through, run or shown.
const NO_PASSWORD: &[&str] = &[
    "first",
    "second",
    "third",
    "fourth",
    "last",
    "next",
    "previous",
    "prev",
    "single",
    "double",
    "one",
    "two",
    "three",
    "multi",
    "each",
    "every",
    "forward",
    "backward",
    "final",
    "initial",
    "boarding",
    "bus",
    "day",
    "season",
    "ski",
    "rail",
    "train",
    "hall",
    "battle",
    "render",
    "shader",
    "low",
    "high",
    "band",
    "all",
    "did",
    "does",
    "will",
    "can",
    "must",
    "should",
    "to",
    "tests",
    "checks",
    "lint",
    "compiler",
    "opt",
    "optimization",
    "pre",
    "full",
    "partial",
    "fast",
    "slow",
    "quick",
    "dry",
    "draft",
    "review",
    "assist",
    "complete",
    "not",
    "or",
    "is",
];
/// Before `clave`, which is Spanish for what is most important too (`palabra_clave`), only these leave it a password.
const KEEPS_CLAVE: &[&str] = &[
    "la",
    "mi",
    "tu",
    "su",
    "nueva",
    "vieja",
    "actual",
    "usuario",
    "user",
    "admin",
    "root",
    "db",
    "bd",
    "sql",
    "mysql",
    "postgres",
    "oracle",
    "correo",
    "email",
    "mail",
    "smtp",
    "ftp",
    "ssh",
    "wifi",
    "red",
    "acceso",
    "login",
    "app",
    "api",
    "servidor",
    "server",
    "cuenta",
    "cliente",
    "my",
    "the",
    "new",
    "old",
    "repetir",
    "confirmar",
];
const TOKENS: &[&str] = &[
    "token",
    "secret",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "accountkey",
    "signature",
    "authkey",
    "encryptionkey",
    "sharedaccesskey",
    "accesskeyid",
    "credential",
    "credentials",
    "subscriptionkey",
    "signingkey",
    "masterkey",
    "sessionid",
    "apisecret",
    "connectionstring",
    "licensekey",
    "sessid",
    "tokens",
    "secrets",
    "authcode",
    "jenkinscrumb",
    "testreporterid",
];
const TOKEN_WORDS: &[&str] =
    &["sig", "key", "auth", "sid", "pat", "dsn", "bearer", "creds", "skey", "jwt", "apitoken", "keys"];
const CODES: &[&str] = &["otp", "pin", "passcode", "cvv", "cvc", "pincode", "totp"];
const HEADERS: &[&str] = &["authorization", "cookie"];
/// Words that end a name after the one that counts.
const AFTER: &[&str] = &[
    "hash",
    "value",
    "text",
    "plain",
    "plaintext",
    "new",
    "old",
    "current",
    "confirm",
    "confirmation",
    "repeat",
    "prod",
    "production",
    "dev",
    "test",
    "staging",
    "base",
    "digest",
    "encrypted",
    "secure",
    "raw",
    "default",
    "live",
    "admin",
    "root",
    "base64",
    "b64",
    "pem",
    "hex",
];
/// What has the words of a secret in its name and is none.
const NEVER: &[&str] = &[
    "page",
    "cursor",
    "continuation",
    "publickey",
    "pubkey",
    "primary",
    "foreign",
    "cachekey",
    "sortkey",
    "partition",
    "idempotency",
    "bostoken",
    "eostoken",
    "padtoken",
    "unktoken",
    "stoptoken",
    "masktoken",
    "maxtoken",
    "synctoken",
    "hotkey",
    "keyboard",
    "shortcut",
    "tokenizer",
    "i18n",
    "translation",
    "groupkey",
    "dedup",
    "routingkey",
    "issuekey",
    "projectkey",
    "hotkey",
    "nexttoken",
    "keyhash",
    "canceltoken",
    "cancellation",
    "passthrough",
    "public",
    "monkey",
    "turkey",
    "rowkey",
    "storagekey",
    "verifykey",
    "verificationkey",
    "fingerprint",
    "checksum",
    "etag",
    "keydigest",
    "keysha",
];

static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(NEVER).ok());

/// Longest name that says something, in bytes.
pub(super) const LONGEST: usize = 48;

/// Names that were asked about, each where its bytes say: bodies have few names, and those many times.
struct Said {
    name: [u8; LONGEST],
    length: usize,
    says: Name,
}

const SAID: usize = 512;

thread_local! {
    static KNOWN: RefCell<Vec<Option<Said>>> = RefCell::new((0..SAID).map(|_| None).collect());
}

/// What a name says of its value.
pub(super) fn says(name: &[u8]) -> Name {
    if !may_say(name) {
        return Name::Plain;
    }
    if name.len() > LONGEST {
        return looked_up(name);
    }
    let slot = name.iter().fold(name.len(), |hash, byte| hash.wrapping_mul(31) ^ usize::from(*byte)) % SAID;
    KNOWN.with_borrow_mut(|known| {
        let Some(slot) = known.get_mut(slot) else {
            return looked_up(name);
        };
        if let Some(said) = slot
            && said.name.get(..said.length) == Some(name)
        {
            return said.says;
        }
        let says = looked_up(name);
        let mut said = Said { name: [0; LONGEST], length: name.len(), says };
        if let Some(kept) = said.name.get_mut(..name.len()) {
            kept.copy_from_slice(name);
        }
        *slot = Some(said);
        says
    })
}

/// The last three letters of all words that say something or end a name that does: a bit for each last one, by the two
/// before. Before a word of two letters anything may stand.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler: a position outside would not compile")]
const ENDS: [[u32; 32]; 32] = {
    let lists = [PASSWORDS, PASSWORD_WORDS, TOKENS, TOKEN_WORDS, CODES, HEADERS, AFTER];
    let mut ends = [[0; 32]; 32];
    let mut list = 0;
    while list < lists.len() {
        let mut word = 0;
        while word < lists[list].len() {
            let letters = lists[list][word].as_bytes();
            let length = letters.len();
            let (two, last) = ((letters[length - 2] & 31) as usize, 1 << (letters[length - 1] & 31));
            let mut one = 0;
            while one < 32 {
                if length == 2 || one == (letters[length - 3] & 31) as usize {
                    ends[one][two] |= last;
                }
                one += 1;
            }
            word += 1;
        }
        list += 1;
    }
    ends
};

/// Whether a name may say something, by how it ends: in letters that such names end in, in a digit, or beyond ASCII.
fn may_say(name: &[u8]) -> bool {
    let mut written = name.iter().rev().filter(|byte| byte.is_ascii_alphanumeric() || **byte >= 0x80);
    let (Some(last), Some(two)) = (written.next(), written.next()) else {
        return false;
    };
    let one = written.next().copied().unwrap_or_default();
    if !last.is_ascii_alphabetic() || !two.is_ascii_alphabetic() || !one.is_ascii() {
        return true;
    }
    let ends = ENDS.get(usize::from(one & 31)).and_then(|ends| ends.get(usize::from(two & 31)));
    ends.is_some_and(|ends| ends >> (last & 31) & 1 == 1)
}

fn looked_up(name: &[u8]) -> Name {
    let mut plain = [0_u8; LONGEST];
    // Where the last words begin.
    let mut words = [0_usize; 16];
    let (mut length, mut count, mut before) = (0, 0, b' ');
    for byte in name {
        let letter = byte.is_ascii_alphanumeric() || *byte >= 0x80;
        let begins = !(before.is_ascii_alphanumeric() || before >= 0x80)
            || (byte.is_ascii_uppercase() && before.is_ascii_lowercase());
        before = *byte;
        if !letter {
            continue;
        }
        let Some(slot) = plain.get_mut(length) else {
            return Name::Plain;
        };
        if begins && let Some(word) = words.get_mut(count) {
            *word = length;
            count += 1;
        }
        *slot = byte.to_ascii_lowercase();
        length += 1;
    }
    let whole = plain.get(..length).unwrap_or_default();
    let mut plain = whole;
    // `password_2`, `DB_PASS_PROD`, `secretKeyBase`.
    while let Some(word) = count.checked_sub(1).filter(|word| *word > 0).and_then(|word| words.get(word))
        && let Some(last) = plain.get(*word..)
        && (last.iter().all(u8::is_ascii_digit) || is_one(AFTER, last))
    {
        plain = plain.get(..*word).unwrap_or_default();
        count -= 1;
    }
    while plain.last().is_some_and(u8::is_ascii_digit) {
        plain = plain.split_last().map_or(plain, |(_, rest)| rest);
    }
    let word = words.get(count.saturating_sub(1)).copied().unwrap_or_default();
    let before = count.checked_sub(2).and_then(|before| words.get(before)).and_then(|from| plain.get(*from..word));
    of(whole, plain, plain.get(word..).unwrap_or_default(), before.unwrap_or_default())
}

/// Whether a word of its own is a password's name behind the word before it.
fn is_password(word: &[u8], before: &[u8]) -> bool {
    match word {
        b"clave" => before.is_empty() || is_one(KEEPS_CLAVE, before),
        b"pass" => !is_one(NO_PASSWORD, before),
        _ => true,
    }
}

/// What a name without signs says: whole, up to the word that counts, that word, and the one before it.
fn of(whole: &[u8], plain: &[u8], word: &[u8], before: &[u8]) -> Name {
    let Some(last) = plain.last() else {
        return Name::Plain;
    };
    let ends =
        |list: &[&str]| list.iter().any(|end| end.as_bytes().last() == Some(last) && plain.ends_with(end.as_bytes()));
    if ends(PASSWORDS) || (is_one(PASSWORD_WORDS, word) && is_password(word, before)) {
        return Name::Password;
    }
    // Behind another word it is a password only by its look.
    if word == b"clave" {
        return Name::Token;
    }
    let (token, key) = (ends(TOKENS), is_one(TOKEN_WORDS, word));
    let code = is_one(CODES, word) || is_one(CODES, plain);
    let header = ends(HEADERS);
    if !(token || key || code || header) {
        return Name::Plain;
    }
    // Without the list a name says what its words do, so that nothing passes by it.
    if FINDER.as_ref().is_some_and(|never| never.is_match(whole)) {
        return Name::Plain;
    }
    match (header, code, token) {
        (true, ..) => Name::Header,
        (_, true, _) => Name::Code,
        // A session's UUID is mostly the caller's own name for it.
        (.., true) if plain.ends_with(b"sessionid") => Name::Key,
        (.., true) => Name::Token,
        _ => Name::Key,
    }
}

fn is_one(list: &[&str], word: &[u8]) -> bool {
    list.iter().any(|one| one.as_bytes() == word)
}

/// Words for a value's name in a pair of members or attributes: `name="password" value="..."`.
pub(super) fn names_a_pair(name: &[u8]) -> bool {
    matches!(
        name,
        b"name"
            | b"key"
            | b"field"
            | b"header"
            | b"param"
            | b"parameter"
            | b"variable"
            | b"property"
            | b"label"
            | b"Name"
            | b"Key"
            | b"Header"
            | b"Field"
            | b"k"
            | b"id"
            | b"title"
            | b"attribute"
            | b"option"
    )
}

/// And for the value itself.
pub(super) fn values_a_pair(name: &[u8]) -> bool {
    matches!(
        name,
        b"value" | b"val" | b"Value" | b"v" | b"content" | b"values" | b"stringValue" | b"string_value" | b"data"
    )
}

/// Tokens that a body carries about itself: a model's signed thinking, the caller's own session.
pub(super) fn is_of_the_body(name: &[u8]) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.ends_with(b"signature") || lower.ends_with(b"session_id") || lower.ends_with(b"sessionid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_that_says_something_is_passed_over_by_its_end() {
        let lists = [PASSWORDS, PASSWORD_WORDS, TOKENS, TOKEN_WORDS, CODES, HEADERS];
        for word in lists.into_iter().flatten() {
            assert!(may_say(word.as_bytes()), "{word}");
            for before in ["", "my_", "x9", "db.", "\u{e9}"] {
                for after in ["", "_2", "7", "--"].into_iter().chain(AFTER.iter().copied()) {
                    let name = format!("{before}{word}_{after}");
                    let said = looked_up(name.as_bytes());
                    assert!(said == Name::Plain || may_say(name.as_bytes()), "{name}");
                }
            }
        }
        assert!(!may_say(b"role") && !may_say(b"model") && !may_say(b"finish"));
    }
}
