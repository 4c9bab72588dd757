//! GET requests that act all the same: by what their path or a parameter is called.
//!
//! Invariant: this only ever turns a read into a write. RFC 9110 calls GET safe, and servers log out, unsubscribe and
//! delete by it; the list is a default, which a configuration replaces.

use shadowlane_base::{Error, Result};

use super::effect::shown;
use super::parameters;
use super::target::{Target, decode};

/// The default list. `word`: a path's segment that is this word; `word*`: one of at most three words that begins or
/// ends with it; `name=`: a parameter, unless its value says no. A word counts as what a parameter such as `cmd` or
/// `action` asks for, too.
pub const ACTING_GETS: &[&str] = &[
    "abort*",
    "approve*",
    "cancel*",
    "clear",
    "clearcache",
    "deactivate*",
    "del",
    "delete*",
    "delete=",
    "destroy*",
    "disable*",
    "drop",
    "erase*",
    "evict*",
    "flush*",
    "flush=",
    "flushall",
    "flushdb",
    "forcemerge",
    "halt",
    "invalidate*",
    "kill*",
    "logoff*",
    "logout*",
    "logout=",
    "optout*",
    "poweroff*",
    "purge*",
    "purge=",
    "quit",
    "reboot*",
    "refresh",
    "reindex*",
    "reload*",
    "reload=",
    "remove*",
    "remove=",
    "reset*",
    "restart*",
    "restart=",
    "revoke*",
    "rm",
    "rollback*",
    "shutdown*",
    "shutdown=",
    "signoff*",
    "signout*",
    "sleep",
    "sleep=",
    "stop",
    "stream.body=",
    "stream.file=",
    "stream.url=",
    "terminate*",
    "trigger*",
    "truncate*",
    "uninstall*",
    "unsubscribe*",
    "unsubscribe=",
    "update",
    "vacuum",
    "wipe*",
];

/// A list of names whose GETs act.
#[derive(Clone, Debug)]
pub struct ActingGets {
    words: Vec<(String, bool)>,
    parameters: Vec<String>,
}

impl Default for ActingGets {
    fn default() -> Self {
        let mut list = Self { words: Vec::new(), parameters: Vec::new() };
        for name in ACTING_GETS {
            list.add(name);
        }
        list
    }
}

impl ActingGets {
    /// [`Error::Invalid`] for a text that is neither `word`, `word*` nor `name=`.
    pub fn new(names: &[String]) -> Result<Self> {
        let mut list = Self { words: Vec::new(), parameters: Vec::new() };
        for name in names {
            let bare = name.strip_suffix('*').or_else(|| name.strip_suffix('=')).unwrap_or(name);
            let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
            if bare.is_empty() || !bare.chars().all(word) {
                return Err(Error::Invalid {
                    field: "policy.acting_gets",
                    why: format!("{name:?} is neither \"word\", \"word*\" nor \"parameter=\", for example \"logout*\""),
                });
            }
            list.add(name);
        }
        Ok(list)
    }

    fn add(&mut self, name: &str) {
        let lower = name.to_lowercase();
        if let Some(parameter) = lower.strip_suffix('=') {
            self.parameters.push(parameter.to_owned());
        } else {
            let (word, starred) = lower.strip_suffix('*').map_or((lower.as_str(), false), |word| (word, true));
            self.words.push((Words::of(word).joined, starred));
        }
    }

    /// Why a GET of the target acts; none if nothing says so. `named`: the user named the path in full, and so what it is
    /// called; a parameter stands in no declared route, and acts on it as on any other.
    pub fn find(&self, target: &Target<'_>, named: bool) -> Option<String> {
        let segment = target.segments.iter().find(|segment| self.acts(segment)).filter(|_| !named);
        if let Some(segment) = segment {
            return Some(format!("the path's {} acts (policy.acting_gets)", shown(&decode(segment))));
        }
        let parameter = target.query.iter().find(|(name, value)| self.parameter(name, value))?;
        Some(format!("parameter {} acts (policy.acting_gets)", shown(&parameter.0)))
    }

    /// Whether a parameter acts: by its name, or by what it asks for (`cmd=restart`).
    fn parameter(&self, name: &str, value: &str) -> bool {
        let no = |value: &str| ["0", "false", "no", "off"].iter().any(|no| value.eq_ignore_ascii_case(no));
        let bare = parameters::bare(name);
        let by_name = |name: &str| self.parameters.iter().any(|known| known == name) && !no(value.trim());
        by_name(name)
            || by_name(bare)
            || (parameters::is_operation(bare) && parameters::readings(value).any(|value| self.acts(&value)))
    }

    fn acts(&self, segment: &str) -> bool {
        let decoded = decode(segment);
        let bare = decoded.split(';').next().unwrap_or_default();
        // `logout.php`, `delete.do`
        let bare = match bare.rsplit_once('.') {
            Some((name, kind)) if EXTENSIONS.iter().any(|known| kind.eq_ignore_ascii_case(known)) => name,
            _ => bare,
        };
        let Words { joined, ends } = Words::of(bare);
        let count = ends.len();
        let end = |words: usize| words.checked_sub(1).and_then(|at| ends.get(at)).copied().unwrap_or(0);
        // `log-out-all` begins with two words that are one in the list.
        let edges = (1..=2.min(count)).flat_map(|some| [joined.get(..end(some)), joined.get(end(count - some)..)]);
        let edges: Vec<&str> = if count <= 3 { edges.flatten().collect() } else { Vec::new() };
        self.words.iter().any(|(word, starred)| joined == *word || (*starred && edges.contains(&word.as_str())))
    }
}

const EXTENSIONS: &[&str] = &["action", "ashx", "asp", "aspx", "cgi", "do", "htm", "html", "jsp", "php", "pl", "py"];

/// The words of a segment in lower case, cut at separators and humps: one behind the other, and where each ends.
struct Words {
    joined: String,
    ends: Vec<usize>,
}

impl Words {
    fn of(text: &str) -> Self {
        let mut words = Self { joined: String::with_capacity(text.len()), ends: Vec::new() };
        let mut lower_before = false;
        for c in text.chars() {
            if !c.is_alphanumeric() || (c.is_uppercase() && lower_before) {
                words.end();
            }
            if c.is_alphanumeric() {
                words.joined.extend(c.to_lowercase());
            }
            lower_before = c.is_lowercase();
        }
        words.end();
        words
    }

    fn end(&mut self) {
        if self.joined.len() > self.ends.last().copied().unwrap_or(0) {
            self.ends.push(self.joined.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ActingGets;
    use crate::target::parse;

    #[test]
    fn paths_and_parameters_that_act_are_told_from_others() {
        let list = ActingGets::default();
        let finds = |target: &str| list.find(&parse(target.as_bytes()).expect("a target"), false).is_some();
        for target in [
            "/logout",
            "/auth/log-out",
            "/LogOut.aspx",
            "/sign_out?next=/",
            "/newsletter/unsubscribe/abc",
            "/users/7/delete",
            "/deleteUser?id=7",
            "/admin/shutdown",
            "/actuator/restart",
            "/cache/flush",
            "/cache_flush",
            "/_flush",
            "/%64elete",
            "/debug/sleep",
            "/x?sleep=5",
            "/core/select?stream.body=%3Cdelete/%3E",
            "/x?logout",
            "/x?delete[]=7",
            "/x?form.purge=1",
            "/x?cmd=restart",
            "/x?op=flush",
            "/x?Action=ReloadConfig",
            "/x?action[]=del",
            "/x?form[action]=log_out",
            "/x?_action=rm",
            "/x?cmd=%2566lush",
            "/safeRestart",
            "/logout;jsessionid=1",
            "/log-out-all",
            "/all-users/log_out",
            "/user/account-log-out",
            "/x/signOutNow.php",
        ] {
            assert!(finds(target), "{target}");
        }
        for target in [
            "/",
            "/docs/how-to-delete-a-user",
            "/deleted",
            "/sleep-masks",
            "/x?delete=false",
            "/x?q=delete",
            "/x?cmd=list",
            "/x?op=status",
            "/x?subject=restart",
            "/stopwatch",
            "/updates",
            "/v1/models",
            "/--",
            "/how-to-log-out",
            "/catalog-out",
        ] {
            assert!(!finds(target), "{target}");
        }
    }

    #[test]
    fn a_list_replaces_the_default() {
        let list = ActingGets::new(&["launch*".to_owned(), "go=".to_owned()]).expect("a list");
        let finds = |target: &str| list.find(&parse(target.as_bytes()).expect("a target"), false).is_some();
        assert!(finds("/launch-now") && finds("/x?go=1") && !finds("/logout"));
        for bad in ["", "*", "a b", "/logout", "="] {
            assert!(ActingGets::new(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
