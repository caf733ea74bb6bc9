//! The error type of the face: what went wrong, where, and whose fault it was.

mod tls;

use std::io;

use crate::amf::AmfError;
use crate::session::SessionError;
use crate::wire::status::Status;
use crate::wire::url::UrlError;
pub use tls::TlsError;

/// Result of the face's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who has to act on an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initiator {
    /// The program that called the library.
    Host,
    /// The library or the machine it runs on.
    Library,
    /// The other end of a connection.
    Peer,
}

/// An error of the face.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument has a value that the function does not take.
    #[error("invalid argument: {0}")]
    InvalidArgument(String),
    /// The object is in a state in which the call makes no sense.
    #[error("wrong state: {0}")]
    WrongState(String),
    /// The object was closed, by the host or because its connection ended.
    #[error("{0} is closed")]
    Closed(&'static str),
    /// A waiting call was made on one of the library's own threads.
    #[error("{0} waits and must not be called on a thread of the library")]
    WrongThread(&'static str),
    /// Nothing of that name exists.
    #[error("not found: {0}")]
    NotFound(String),
    /// The name is taken.
    #[error("already exists: {0}")]
    AlreadyExists(String),
    /// A bound is reached: of a queue because the peer or the host does not keep up, of a store because of its settings.
    #[error("{0} is full: try again when there is room")]
    Full(&'static str),
    /// The call's own time limit passed.
    #[error("{0} timed out")]
    Timeout(&'static str),
    /// The operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The peer answered with an error status.
    #[error("refused by the peer: {} ({})", .0.code, .0.description)]
    Rejected(Box<Status>),
    /// The peer broke the protocol.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A URL could not be read.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// An AMF value could not be read.
    #[error(transparent)]
    Amf(#[from] AmfError),
    /// A configuration file, or a key of one, is not right.
    #[error(transparent)]
    Config(Box<ConfigError>),
    /// A certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// What is wrong with a configuration file, or with what is asked of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file is no TOML.
    #[error("{path}:{line}:{column}: {what}")]
    Syntax {
        /// The file.
        path: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the parser says.
        what: String,
    },
    /// The file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// A key is malformed, leads through something that is no table, or is given a value that TOML has no form for.
    #[error("{path}: key {key:?}: {what}")]
    Key {
        /// The file.
        path: String,
        /// The key.
        key: String,
        /// What is wrong.
        what: String,
    },
}

impl Error {
    /// Names the operation that an I/O error stopped.
    pub fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io {
            what: what.into(),
            source,
        }
    }

    /// Number of this kind of error, the same in every binding; negative and never reused.
    pub fn code(&self) -> i32 {
        match self {
            Self::InvalidArgument(_) => -1,
            Self::WrongState(_) => -2,
            Self::Closed(_) => -3,
            Self::WrongThread(_) => -4,
            Self::NotFound(_) => -5,
            Self::AlreadyExists(_) => -6,
            Self::Full(_) => -7,
            Self::Timeout(_) => -8,
            Self::Io { .. } => -9,
            Self::Rejected(_) => -10,
            Self::Session(_) => -11,
            Self::Url(_) => -12,
            Self::Amf(_) => -13,
            Self::Config(_) => -14,
            Self::Tls(_) => -15,
        }
    }

    /// Whose fault the error is.
    pub fn initiator(&self) -> Initiator {
        match self {
            Self::Full(_) | Self::Timeout(_) | Self::Rejected(_) | Self::Session(_) | Self::Amf(_) => {
                Initiator::Peer
            }
            Self::Io { .. } => Initiator::Library,
            _ => Initiator::Host,
        }
    }
}
