//! A panic of ours becomes a value, and nothing of what was worked on gets into a log.
//!
//! Invariant: [`guarded`] returns, whatever its work does short of ending the process, and prints nothing: the text of a
//! panic may quote what was sliced or parsed, so only the line of source is kept. Outside of it panics are reported as ever.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A panic that was caught: the source line, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a fault of shadowlane's own at {}", self.0)
    }
}

/// Do the work; a panic in it is a [`Fault`]. What the work had changed by then stays changed: only lend it what is sound
/// at every step, or is thrown away afterwards.
pub fn guarded<R>(work: impl FnOnce() -> R) -> std::result::Result<R, Fault> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| if DEPTH.get() > 0 { note(info) } else { before(info) }));
    });
    DEPTH.set(DEPTH.get() + 1);
    let done = catch_unwind(AssertUnwindSafe(work));
    DEPTH.set(DEPTH.get() - 1);
    done.map_err(|payload| {
        // What was thrown may be of any type, and may panic itself when it is dropped: it is left to the process.
        std::mem::forget(payload);
        Fault(LAST.take())
    })
}

/// File name and line: a whole path would be of the machine that this was built on.
fn note(info: &PanicHookInfo<'_>) {
    let Some(at) = info.location() else { return };
    let file = at.file().rsplit(['/', '\\']).next().unwrap_or_default();
    LAST.set(format!("{file}:{}", at.line()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_value_that_quotes_nothing() {
        let secret = String::from("s\u{e9}cret");
        let fault = guarded(|| secret.split_at(2).0.len()).unwrap_err();
        assert!(!fault.to_string().contains("cret"), "{fault}");
        assert!(fault.to_string().contains(".rs:"), "{fault}");
        assert_eq!(guarded(|| 7), Ok(7));
    }

    #[test]
    fn guards_nest_and_what_was_thrown_may_be_anything() {
        struct Thrown;
        impl Drop for Thrown {
            fn drop(&mut self) {
                panic!("in the drop of what was thrown");
            }
        }
        let outer = guarded(|| {
            let inner = guarded(|| std::panic::panic_any(Thrown));
            assert!(inner.is_err());
            guarded(|| 1)
        });
        assert_eq!(outer, Ok(Ok(1)));
        assert_eq!(DEPTH.get(), 0);
    }
}
