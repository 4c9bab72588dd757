//! What a classifier answers: read or write, and why. A reason never quotes a value of the input.

use std::borrow::Cow;

/// Whether something only reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EffectKind {
    /// It leaves no trace that another request could see.
    Read,
    /// It changes something, or nobody can tell that it does not.
    Write,
}

impl EffectKind {
    /// `"read"` or `"write"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// The verdict of a classifier, with the reason in words for the record and the log.
///
/// The reason never quotes a value of the input, only names from it (methods, functions, fields), cut to 64 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Read or write.
    pub kind: EffectKind,
    /// Why.
    pub reason: Cow<'static, str>,
}

impl Effect {
    /// A read, because of `reason`.
    pub fn read(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: EffectKind::Read, reason: reason.into() }
    }

    /// A write, because of `reason`.
    pub fn write(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: EffectKind::Write, reason: reason.into() }
    }

    /// Whether it is a read.
    pub fn is_read(&self) -> bool {
        self.kind == EffectKind::Read
    }
}

/// A name of the input as it may stand in a reason: at most 64 characters, control characters replaced.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(64).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
