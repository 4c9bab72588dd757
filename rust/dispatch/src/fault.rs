//! Why a call got no answer: a reason of the project's own, and words for a person.
//!
//! Invariant: no text quotes anything that the shadow sent. Names, ports and numbers in it are the configuration's.

use std::io;

/// Why a call got no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not whole within its time.
    Deadline,
    /// No connection: the name, the connection or TLS. The text says which.
    Connect(String),
    /// More bytes than the bound.
    TooLarge,
    /// Anything else.
    Transport(&'static str),
    /// An error of ours: the line of source.
    Own(String),
}

impl Fault {
    /// One of the project's reasons.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Connect(_) => "connect_error",
            Self::TooLarge => "response_too_large",
            Self::Transport(_) | Self::Own(_) => "transport_error",
        }
    }

    /// The words; empty where the caller knows the field that they must name.
    pub fn detail(&self) -> &str {
        match self {
            Self::Deadline | Self::TooLarge => "",
            Self::Connect(text) | Self::Own(text) => text,
            Self::Transport(text) => text,
        }
    }
}

/// The connection ended before a byte of the answer came.
pub const CLOSED: Fault = Fault::Transport("the shadow closed the connection without an answer");
/// The connection broke before the answer was whole.
pub const BROKE: Fault = Fault::Transport("the connection broke before the answer was whole");
/// The body is shorter than its framing says.
pub const ENDED_EARLY: Fault = Fault::Transport("the body ended early or is not what its headers say");
/// The transport was closed while the call was out.
pub const STOPPED: Fault = Fault::Transport("the transport was closed");

/// What the system says of a failed connection, in its own fixed words.
pub fn io_words(error: &io::Error) -> &'static str {
    // POSIX EMFILE and ENFILE, which are 24 and 23 on Linux, the BSDs and macOS; there is no kind for them.
    if matches!(error.raw_os_error(), Some(23 | 24)) {
        return "Too many open files";
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "Connection refused",
        io::ErrorKind::ConnectionReset => "Connection reset by peer",
        io::ErrorKind::ConnectionAborted => "Connection aborted",
        io::ErrorKind::HostUnreachable => "No route to host",
        io::ErrorKind::NetworkUnreachable => "Network is unreachable",
        io::ErrorKind::NetworkDown => "Network is down",
        io::ErrorKind::TimedOut => "Connection timed out",
        io::ErrorKind::AddrNotAvailable => "Cannot assign requested address",
        io::ErrorKind::PermissionDenied => "Permission denied",
        io::ErrorKind::BrokenPipe => "Broken pipe",
        io::ErrorKind::UnexpectedEof => "the other side ended it",
        _ => "it failed",
    }
}
