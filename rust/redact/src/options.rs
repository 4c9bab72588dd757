//! What a user says of redaction: `[sanitize]` of the configuration, and `Redactor`'s rules. Everything is checked when
//! it is compiled: a bad pattern, path, kind or key is one clear error at start.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use super::checks;
use super::context;
use super::header_names;
use super::kinds::{BUILT_IN, Kind, Kinds};
use super::label::{Action, Format};
use super::paths::Paths;
use super::pieces;
use super::spoken;
use shadowlane_base::{Error, Result};

/// `[sanitize]`, as JSON or TOML say it. Fields that are not given keep their default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Further headers that may pass, in requests and responses.
    pub allow_headers: Vec<String>,
    /// Further names of fields whose text is a secret whatever it looks like; case and punctuation do not count.
    pub secret_names: Vec<String>,
    /// Values that are never redacted, such as the company's own support address. Case does not count.
    pub allow_values: Vec<String>,
    /// Patterns of values that are never redacted; each must match the whole value.
    pub allow_patterns: Vec<String>,
    /// What is done with a value; `mask` when not given.
    pub action: Option<Action>,
    /// What stands in place of a number in JSON; the label when not given.
    pub format: Option<Format>,
    /// What is done with the values of a kind.
    pub actions: BTreeMap<String, Action>,
    /// Kinds that are not looked for.
    pub disable: Vec<String>,
    /// Least confidence, 0 to 1; 0.5 when not given.
    pub min_confidence: Option<f64>,
    /// Further rules.
    pub rules: Vec<RuleOptions>,
    /// Rules for fields of JSON bodies and names of form fields.
    pub fields: Vec<FieldOptions>,
    /// Key of the `hash` action, 64 hexadecimal digits; random when empty.
    pub hash_key: String,
}

impl Options {
    /// From JSON with the same names. [`Error::Invalid`] names what is unknown or of the wrong type.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            let why = error.to_string();
            let why = why.split(" at line ").next().unwrap_or_default();
            bad("sanitize", format!("{why}; correct it"))
        })
    }
}

/// A rule of the user's.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleOptions {
    /// Name of the kind: a new one, or a built-in one.
    pub kind: String,
    /// A regular expression (syntax of the `regex` crate: no look-around, no back-references). When it has a group
    /// named `value`, only that is the value.
    pub pattern: String,
    /// Name of a check that the value's digits must pass; none when empty.
    pub validator: String,
    /// Words of which one must stand within 80 bytes before the value; none needed when empty.
    pub context: Vec<String>,
    /// How sure a match is, 0 to 1; 0.9 when not given.
    pub confidence: Option<f64>,
    /// What is done with it; as `action` when not given.
    pub action: Option<Action>,
}

/// A rule for fields.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldOptions {
    /// A path: `$.messages[*].content`, `$..email`.
    #[serde(default)]
    pub path: String,
    /// Instead of a path: a name, wherever it stands; case and punctuation do not count.
    #[serde(default)]
    pub key: String,
    /// What is done with the field.
    pub action: Action,
    /// The kind of the label that replaces it; `field` when empty.
    #[serde(default)]
    pub kind: String,
}

/// A compiled rule.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub kind: Kind,
    pub pattern: Regex,
    pub check: Option<Validator>,
    pub context: Vec<String>,
    /// Per cent.
    pub confidence: u8,
}

/// What a rule's value must pass: over the digits of it, except for `iban` and `entropy`.
pub(super) type Validator = fn(&[u8]) -> bool;

/// Validators by name.
pub const VALIDATORS: &[&str] =
    &["luhn", "iban", "verhoeff", "mod11", "ean13", "entropy", "us_ssn", "uk_nhs", "tr_national_id", "date"];

fn validator(name: &str) -> Option<Validator> {
    fn digits(value: &[u8]) -> Vec<u8> {
        value.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0').collect()
    }
    Some(match name {
        "luhn" => |value| checks::luhn(&digits(value)),
        "verhoeff" => |value| checks::verhoeff(&digits(value)),
        "iban" => |value| {
            let plain: Vec<u8> = value.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
            checks::iban(&plain)
        },
        "mod11" => |value| checks::mod_11(&digits(value)),
        "ean13" => |value| digits(value).len() == 13 && checks::ean(&digits(value)),
        "entropy" => super::values::random,
        "us_ssn" => |value| digits(value).len() == 9 && checks::ssn(&digits(value)),
        "uk_nhs" => |value| digits(value).len() == 10 && checks::nhs(&digits(value)),
        "tr_national_id" => |value| digits(value).len() == 11 && checks::turkish(&digits(value)),
        "date" => |value| checks::yymmdd(&digits(value)),
        _ => return None,
    })
}

/// What the options say, ready for use.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    /// Tells these options from all others of the process; copies find the same.
    pub id: u64,
    pub kinds: Kinds,
    pub least: u8,
    pub rules: Vec<Rule>,
    pub paths: Paths,
    pub names: Vec<String>,
    pub actions: Vec<Action>,
    pub format: Format,
    pub allow_values: Vec<Vec<u8>>,
    pub allow_patterns: Vec<Regex>,
    pub allow_headers: Vec<String>,
    pub key: [u8; 32],
    /// Texts of one body that are put together; with more it does not pass.
    pub most_pieces: usize,
}

/// The next options' own number.
static NEXT: AtomicU64 = AtomicU64::new(0);

fn bad(field: &'static str, why: String) -> Error {
    Error::Invalid { field, why }
}

/// A compiled pattern may take this much memory.
const PATTERN_BYTES: usize = 4 * 1024 * 1024;

fn pattern(field: &'static str, text: &str, whole: bool) -> Result<Regex> {
    let written = if whole { format!("^(?:{text})$") } else { text.to_owned() };
    let compiled =
        RegexBuilder::new(&written).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES).build().map_err(
            |error| {
                let why = error.to_string();
                let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                bad(field, format!("{text:?} is not a pattern that can be used ({why}); correct it"))
            },
        )?;
    if compiled.is_match(b"") {
        return Err(bad(field, format!("{text:?} matches the empty text, so it matches everywhere; correct it")));
    }
    Ok(compiled)
}

fn percent(field: &'static str, confidence: Option<f64>, default: u8) -> Result<u8> {
    match confidence {
        None => Ok(default),
        Some(value) if (0.0..=1.0).contains(&value) => Ok((value * 100.0).round() as u8),
        Some(value) => Err(bad(field, format!("{value} is not between 0 and 1"))),
    }
}

/// Without the lists of words a text would be looked at, and little found in it.
fn words_are_built() -> Result<()> {
    if spoken::is_built() && context::is_built() {
        return Ok(());
    }
    Err(bad("sanitize", "the lists of words could not be built; report it, with the platform".to_owned()))
}

impl Compiled {
    pub(super) fn new(options: &Options) -> Result<Self> {
        words_are_built()?;
        let mut names: Vec<String> = BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
        let action = options.action.unwrap_or(Action::Mask);
        let mut actions = vec![action; names.len()];
        let mut kind_of = |field: &'static str, name: &str, own: Option<Action>| -> Result<Kind> {
            let shaped = name.len() <= 40
                && name.starts_with(|first: char| first.is_ascii_lowercase())
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            if !shaped {
                return Err(bad(field, format!("kind = {name:?}: use 1 to 40 of a-z, 0-9 and '_', a letter first")));
            }
            let index = names.iter().position(|other| other == name);
            // A kind that has an action of its own in each of two rules has two entries and one name.
            if let Some(index) = index
                && own.is_none_or(|own| actions.get(index) == Some(&own))
            {
                return Ok(Kind(index as u16));
            }
            if names.len() >= 250 {
                return Err(bad(field, "more than 250 kinds; merge some".to_owned()));
            }
            names.push(name.to_owned());
            actions.push(own.unwrap_or(action));
            Ok(Kind((names.len() - 1) as u16))
        };
        let mut rules = Vec::with_capacity(options.rules.len());
        for rule in &options.rules {
            let field = "sanitize.rules";
            let kind = kind_of(field, &rule.kind, rule.action)?;
            let check = match rule.validator.as_str() {
                "" => None,
                name => Some(validator(name).ok_or_else(|| {
                    bad(field, format!("validator = {name:?}: unknown; known: {}", VALIDATORS.join(", ")))
                })?),
            };
            rules.push(Rule {
                kind,
                pattern: pattern(field, &rule.pattern, false)?,
                check,
                context: rule.context.iter().map(|word| word.to_lowercase()).filter(|word| !word.is_empty()).collect(),
                confidence: percent(field, rule.confidence, 90)?,
            });
        }
        let mut paths = Paths::new(&options.secret_names);
        for rule in &options.fields {
            let field = "sanitize.fields";
            let kind = if rule.kind.is_empty() { Kind::FIELD } else { kind_of(field, &rule.kind, None)? };
            match (rule.path.as_str(), rule.key.as_str()) {
                ("", "") => return Err(bad(field, "give a path or a key".to_owned())),
                (path, "") => paths.add_path(path, rule.action, kind)?,
                ("", key) => paths.add_key(key, rule.action, kind)?,
                _ => return Err(bad(field, "give a path or a key, not both".to_owned())),
            }
        }
        let mut kinds = Kinds::all();
        for name in &options.disable {
            let kind = names
                .iter()
                .position(|other| other == name)
                .ok_or_else(|| bad("sanitize.disable", format!("{name:?} is no kind; the documentation lists them")))?;
            kinds.remove(Kind(kind as u16));
        }
        for (name, action) in &options.actions {
            let indices: Vec<usize> =
                names.iter().enumerate().filter(|(_, other)| *other == name).map(|(at, _)| at).collect();
            if indices.is_empty() {
                return Err(bad("sanitize.actions", format!("{name:?} is no kind; the documentation lists them")));
            }
            if let Some(default) = indices.first().and_then(|index| actions.get_mut(*index)) {
                *default = *action;
            }
        }
        let allow_headers: Vec<String> =
            options.allow_headers.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
        if let Some(name) = allow_headers.iter().find(|name| header_names::is_never(name)) {
            let why =
                format!("{name:?} can carry a credential, a cookie or a client's identity and never passes; remove it");
            return Err(bad("sanitize.allow_headers", why));
        }
        let allow_patterns = options
            .allow_patterns
            .iter()
            .map(|text| pattern("sanitize.allow_patterns", text, true))
            .collect::<Result<_>>()?;
        Ok(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            kinds,
            least: percent("sanitize.min_confidence", options.min_confidence, 50)?,
            rules,
            paths,
            names,
            actions,
            format: options.format.unwrap_or_default(),
            allow_values: options.allow_values.iter().map(|value| value.to_lowercase().into_bytes()).collect(),
            allow_patterns,
            allow_headers,
            key: key(&options.hash_key)?,
            most_pieces: pieces::MOST,
        })
    }
}

/// The key of the `hash` action: as given, or of the system's randomness.
fn key(text: &str) -> Result<[u8; 32]> {
    let mut key = [0; 32];
    if text.is_empty() {
        getrandom::fill(&mut key)
            .map_err(|error| bad("sanitize.hash_key", format!("no randomness from the system: {error}")))?;
        return Ok(key);
    }
    let wrong =
        || bad("sanitize.hash_key", "is not 64 hexadecimal digits; make one with: openssl rand -hex 32".to_owned());
    if text.len() != 64 {
        return Err(wrong());
    }
    for (byte, pair) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digits = std::str::from_utf8(pair).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
    }
    Ok(key)
}
