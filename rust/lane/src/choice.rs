//! How a lane chooses requests: written to the control file by the gateway, read by whoever asks for the lane's status.

use crate::keys::StickyKey;

/// How requests are chosen, as the control file says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Choice {
    /// By count: an exact share, at unpredictable positions.
    Ratio = 0,
    /// By a key of the request's head.
    Sticky = 1,
    /// By a key of the request's body: known only when prod has answered.
    StickyBody = 2,
}

impl Choice {
    /// The name that reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ratio => "ratio",
            Self::Sticky => "sticky",
            Self::StickyBody => "sticky by body",
        }
    }

    /// From the control file's word.
    pub fn of(word: u64) -> Self {
        match word {
            1 => Self::Sticky,
            2 => Self::StickyBody,
            _ => Self::Ratio,
        }
    }

    pub(crate) fn by(key: Option<&StickyKey>) -> Self {
        match key {
            None => Self::Ratio,
            Some(key) if key.needs_body() => Self::StickyBody,
            Some(_) => Self::Sticky,
        }
    }
}
