//! Which rule a field of a JSON body falls under: by its path from the root, or by its name alone.
//!
//! Paths are a part of `JSONPath` (RFC 9535): `$`, `.name`, `['name']`, `[0]`, `[*]`, `.*`, and `..` before any of them.
//! All paths are followed at once: the steps of all rules are bits, and the bits that are set at a field are the steps
//! that may come next. So a body is walked once, however many rules there are.

use std::collections::HashMap;

use super::kinds::Kind;
use super::label::Action;
use super::names::{self, Name};
use shadowlane_base::{Error, Result};

/// A rule that a field falls under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub action: Action,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Select {
    Name(String),
    Index(u32),
    All,
}

#[derive(Clone, Debug)]
struct Step {
    select: Select,
    /// Any number of levels may lie before it.
    deep: bool,
    /// The rule that ends here.
    ends: Option<Field>,
}

/// One step below a field.
#[derive(Clone, Copy)]
pub(super) enum Child<'a> {
    Name(&'a str),
    Index(u32),
}

/// Steps that may come next.
pub(super) type State = u128;

/// The rules of all fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths {
    steps: Vec<Step>,
    root: State,
    keys: HashMap<String, Field>,
    secret: Vec<String>,
}

/// A name without case and punctuation.
pub(super) fn plain_name(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// Names of fields whose text is a secret whatever it looks like.
fn secret_name(plain: &[u8]) -> bool {
    // A pattern and not a list: compiled, it looks at the length first.
    matches!(
        plain,
        b"password"
            | b"passwd"
            | b"pwd"
            | b"passphrase"
            | b"secret"
            | b"clientsecret"
            | b"apikey"
            | b"xapikey"
            | b"apitoken"
            | b"accesskey"
            | b"secretkey"
            | b"secretaccesskey"
            | b"awssecretaccesskey"
            | b"privatekey"
            | b"accesstoken"
            | b"refreshtoken"
            | b"idtoken"
            | b"authtoken"
            | b"sessiontoken"
            | b"bearertoken"
            | b"csrftoken"
            | b"authorization"
            | b"credential"
            | b"credentials"
            | b"ssn"
            | b"socialsecuritynumber"
            | b"cvv"
            | b"cvc"
            | b"cvv2"
            | b"cardnumber"
            | b"creditcardnumber"
            | b"connectionstring"
            | b"otp"
            | b"pincode"
    )
}

/// Whether a name ends as those do: in two letters of theirs, or a digit. Most do not.
fn ends_secret(name: &[u8]) -> bool {
    let mut written = name.iter().rev().filter(|byte| byte.is_ascii_alphanumeric());
    let (Some(last), Some(one)) = (written.next(), written.next()) else {
        return false;
    };
    last.is_ascii_digit()
        || matches!(
            &[one.to_ascii_lowercase(), last.to_ascii_lowercase()],
            b"rd"
                | b"wd"
                | b"se"
                | b"et"
                | b"ey"
                | b"en"
                | b"on"
                | b"al"
                | b"ls"
                | b"sn"
                | b"er"
                | b"vv"
                | b"vc"
                | b"ng"
                | b"tp"
                | b"de"
        )
}

impl Paths {
    pub(super) fn new(secret_names: &[String]) -> Self {
        Self { secret: secret_names.iter().map(|name| plain_name(name)).collect(), ..Self::default() }
    }

    pub(super) fn add_key(&mut self, key: &str, action: Action, kind: Kind) -> Result<()> {
        let plain = plain_name(key);
        if plain.is_empty() {
            return Err(bad(key, "a key needs a letter or digit"));
        }
        self.keys.insert(plain, Field { action, kind });
        Ok(())
    }

    pub(super) fn add_path(&mut self, path: &str, action: Action, kind: Kind) -> Result<()> {
        let mut rest = path.strip_prefix('$').ok_or_else(|| bad(path, "a path begins with '$'"))?;
        let first = self.steps.len();
        while !rest.is_empty() {
            let (deep, after) = match rest.strip_prefix("..") {
                Some(after) => (true, after),
                None => (false, rest.strip_prefix('.').unwrap_or(rest)),
            };
            let bracket = after.starts_with('[');
            if !deep && !bracket && after.len() == rest.len() {
                return Err(bad(path, "write '.' or '[' before each step"));
            }
            let (select, left) = if bracket { bracketed(path, after)? } else { named(path, after)? };
            self.steps.push(Step { select, deep, ends: None });
            rest = left;
        }
        let Some(last) = self.steps.get_mut(first..).and_then(<[Step]>::last_mut) else {
            return Err(bad(path, "a path needs a step; '$' alone would be the whole body"));
        };
        last.ends = Some(Field { action, kind });
        if self.steps.len() > 128 {
            return Err(bad(path, "more than 128 steps in all paths; use keys, or fewer rules"));
        }
        self.root |= 1 << first;
        Ok(())
    }

    /// What may come next at the root.
    pub(super) fn root(&self) -> State {
        self.root
    }

    /// What may come next at a child, and the rule that the child falls under.
    pub(super) fn step(&self, state: State, child: Child<'_>) -> (State, Option<Field>) {
        let (mut next, mut rule) = (0, None);
        let mut left = state;
        while left != 0 {
            let bit = left.trailing_zeros();
            left &= left - 1;
            let Some(step) = self.steps.get(bit as usize) else {
                continue;
            };
            if step.deep {
                next |= 1 << bit;
            }
            let matches = match (&step.select, child) {
                (Select::All, _) => true,
                (Select::Name(wanted), Child::Name(name)) => wanted == name,
                (Select::Index(wanted), Child::Index(index)) => *wanted == index,
                _ => false,
            };
            if matches {
                match step.ends {
                    Some(field) => rule = rule.or(Some(field)),
                    None => next |= 1 << (bit + 1),
                }
            }
        }
        if let (None, Child::Name(name)) = (rule, child)
            && !self.keys.is_empty()
        {
            rule = self.keys.get(&plain_name(name)).copied();
        }
        (next, rule)
    }

    /// Whether there is nothing to follow.
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.keys.is_empty()
    }

    /// Whether a field's text is a secret by its name.
    pub(super) fn is_secret(&self, name: &str) -> bool {
        self.is_listed(name) || matches!(names::says(name.as_bytes()), Name::Password | Name::Header)
    }

    /// Whether a name is one of those that are secret as they are.
    pub(super) fn is_listed(&self, name: &str) -> bool {
        if self.secret.is_empty() && !ends_secret(name.as_bytes()) {
            return false;
        }
        let mut plain = [0_u8; 64];
        let mut length = 0;
        for byte in name.bytes().filter(u8::is_ascii_alphanumeric) {
            let Some(slot) = plain.get_mut(length) else {
                return false;
            };
            *slot = byte.to_ascii_lowercase();
            length += 1;
        }
        let plain = plain.get(..length).unwrap_or_default();
        secret_name(plain) || self.secret.iter().any(|secret| secret.as_bytes() == plain)
    }
}

fn bad(path: &str, why: &str) -> Error {
    Error::Invalid { field: "sanitize.fields", why: format!("{path:?}: {why}; for example \"$.messages[*].content\"") }
}

fn named<'a>(path: &str, rest: &'a str) -> Result<(Select, &'a str)> {
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    match rest.split_at(end) {
        ("", _) => Err(bad(path, "a step is empty")),
        ("*", left) => Ok((Select::All, left)),
        (name, left) => Ok((Select::Name(name.to_owned()), left)),
    }
}

fn bracketed<'a>(path: &str, rest: &'a str) -> Result<(Select, &'a str)> {
    let open = || bad(path, "a bracket is not closed");
    let inner = rest.get(1..).unwrap_or_default();
    if let Some(quote) = inner.chars().next().filter(|quote| matches!(quote, '\'' | '"')) {
        let (name, left) = inner.get(1..).and_then(|inner| inner.split_once(quote)).ok_or_else(open)?;
        let left = left.strip_prefix(']').ok_or_else(open)?;
        return Ok((Select::Name(name.to_owned()), left));
    }
    let (inside, left) = inner.split_once(']').ok_or_else(open)?;
    if inside == "*" {
        return Ok((Select::All, left));
    }
    let index = inside.parse().map_err(|_| bad(path, "between brackets stands a number, '*', or a name in quotes"))?;
    Ok((Select::Index(index), left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_name_is_told_however_it_is_written() {
        let paths = Paths::new(&[]);
        for name in
            ["X-API-Key", "ssn", "CVV2", "cvc", "connection_string", "pinCode", "OTP", "cardNumber", "id_token", "pwd_"]
        {
            assert!(paths.is_listed(name), "{name}");
        }
        let own = Paths::new(&["badge no.".to_owned()]);
        assert!(own.is_listed("Badge_No") && !paths.is_listed("Badge_No") && !paths.is_listed("model"));
    }
}
