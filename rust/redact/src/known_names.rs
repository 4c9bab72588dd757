//! What is known of the names of members in which nothing is found: bodies have few names, and those many times.
//!
//! Invariant: kept are only names without escapes that hold no value and no label, each with the options that it was
//! looked at with, so that what is kept is what a look at it would say.

use std::cell::RefCell;

use super::names::Name;
use super::path_hash::hash;

/// What a name says of its value.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub says: Name,
    /// The options list it as a secret's.
    pub listed: bool,
    /// A member beside it may say what its value is.
    pub of_pair: bool,
}

struct Kept {
    options: u64,
    name: [u8; LONGEST],
    length: usize,
    known: Known,
}

const LONGEST: usize = 40;
const KEPT: usize = 1024;

thread_local! {
    static NAMES: RefCell<Vec<Option<Kept>>> = RefCell::new((0..KEPT).map(|_| None).collect());
}

fn slot(options: u64, name: &[u8]) -> usize {
    hash(options, name) as usize % KEPT
}

/// What is known of a name under some options.
pub(super) fn get(options: u64, name: &[u8]) -> Option<Known> {
    NAMES.with_borrow(|names| {
        let kept = names.get(slot(options, name))?.as_ref()?;
        (kept.options == options && kept.name.get(..kept.length) == Some(name)).then_some(kept.known)
    })
}

/// Keep what a look at a name said: nothing was found in it, and it holds no label.
pub(super) fn keep(options: u64, name: &[u8], known: Known) {
    let mut kept = Kept { options, name: [0; LONGEST], length: name.len(), known };
    let Some(bytes) = kept.name.get_mut(..name.len()) else { return };
    bytes.copy_from_slice(name);
    NAMES.with_borrow_mut(|names| {
        if let Some(slot) = names.get_mut(slot(options, name)) {
            *slot = Some(kept);
        }
    });
}

#[cfg(test)]
mod tests {
    use crate::{Options, Sanitizer};

    #[test]
    fn what_one_set_of_options_says_of_a_name_is_not_what_another_says() {
        let sanitizer = |options: &Options| Sanitizer::new(options).expect("options");
        let plain = sanitizer(&Options::default());
        let listing = sanitizer(&Options { secret_names: vec!["zebra".to_owned()], ..Options::default() });
        let blind = sanitizer(&Options { disable: vec!["email".to_owned()], ..Options::default() });
        let clean = |sanitizer: &Sanitizer, body: &str| {
            String::from_utf8(sanitizer.json(body.as_bytes()).expect("JSON")).expect("text")
        };
        let (listed, address) = (r#"{"zebra":"stripes"}"#, r#"{"carol@mail.example":1}"#);
        for _ in 0..3 {
            assert_eq!(clean(&plain, listed), listed);
            assert_eq!(clean(&listing, listed), r#"{"zebra":"[SECRET]"}"#);
            assert_eq!(clean(&blind, address), address);
            assert_eq!(clean(&plain, address), r#"{"[EMAIL]":1}"#);
        }
    }

    #[test]
    fn a_name_says_the_same_the_first_time_and_later_however_long_it_is_and_however_many_there_are() {
        let sanitizer = Sanitizer::new(&Options::default()).expect("options");
        let names = (0..600).map(|number| format!("{}_password", "x".repeat(number % 40)));
        for name in names.chain(["content".to_owned(), "a\\u0062c".to_owned(), "[EMAIL]".to_owned()]) {
            let body = format!(r#"{{"{name}":"hunter2-and-3","key":"password"}}"#);
            let clean = || sanitizer.json(body.as_bytes()).expect("JSON");
            let first = clean();
            assert_eq!(first, clean(), "{body}");
            let secret = name.ends_with("_password") || name == "content";
            let masked = first.windows(8).any(|part| part == b"[SECRET]");
            assert_eq!(masked, secret, "{body}");
        }
    }
}
