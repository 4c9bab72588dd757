//! The one error enum of the core.

use std::fmt;
use std::path::PathBuf;

/// Everything that can go wrong when a lane is opened, read or configured. Nothing on the user path returns it.
#[derive(Debug)]
pub enum Error {
    /// An operating system call failed; `what` names the thing that was attempted.
    Io {
        /// What was attempted.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A file or directory is not what it must be (owner, mode, kind, magic, version, size).
    Refused {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong and what to do.
        why: String,
    },
    /// A parameter is out of range.
    Invalid {
        /// The parameter's name.
        field: &'static str,
        /// What is wrong and what to do.
        why: String,
    },
    /// A frame that cannot be decoded.
    BadFrame(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { what, path, source } => write!(f, "{what} {}: {source}", path.display()),
            Self::Refused { path, why } => write!(f, "{}: {why}", path.display()),
            Self::Invalid { field, why } => write!(f, "{field}: {why}"),
            Self::BadFrame(why) => write!(f, "bad frame: {why}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// The result of the core's fallible calls.
pub type Result<T> = std::result::Result<T, Error>;
