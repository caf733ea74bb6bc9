//! RTMPT: RTMP in the bodies of HTTP requests and responses, for networks that let nothing else through.
//!
//! A client opens a session (`POST /open/1`), then carries its bytes in requests `/send/SESSION/NUMBER`, or asks for what
//! the server has by `/idle/SESSION/NUMBER`; each response carries a polling byte and what the server has to say.
//! Requests of a session count up, and may come on several connections. No specification was ever published: this follows
//! what FFmpeg, librtmp and the servers of the field do.
//!
//! [`TunnelConnection`] is a server's side of one HTTP connection, [`TunnelSession`] of one session over any number of
//! them, [`TunnelClient`] the client's side of both.

mod client;
mod connection;
mod head;
mod session;

pub use client::TunnelClient;
pub use connection::{Response, TunnelConnection};
pub use session::{MAX_REPLY, TunnelSession, Turn};

use bytes::Bytes;

/// What a request of a tunnel asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// A new session.
    Open,
    /// To take the body, and for what the server has.
    Send {
        /// The session's id.
        session: u128,
        /// The request's number.
        number: u32,
    },
    /// For what the server has.
    Idle {
        /// The session's id.
        session: u128,
        /// The request's number.
        number: u32,
    },
    /// To end the session.
    Close {
        /// The session's id.
        session: u128,
        /// The request's number.
        number: u32,
    },
}

/// A request of a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it asks for.
    pub ask: Ask,
    /// What it carries.
    pub body: Bytes,
}

/// Why a server's answers cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TunnelError {
    /// The server does not know the session any more.
    #[error("the server has ended the tunnel's session (HTTP status {0})")]
    SessionGone(u16),
    /// The server refuses tunnels.
    #[error("the server offers no RTMPT: it answers /open/1 with HTTP status {0}")]
    Refused(u16),
    /// The answer is no HTTP response, or one that RTMPT has no use for.
    #[error("the server's answer is no RTMPT: {0}")]
    Malformed(&'static str),
    /// The connection ended within an answer, or without one.
    #[error("the server closed the connection instead of answering")]
    Cut,
    /// The server does not answer.
    #[error("the server has not answered a request of the tunnel for {0} ms")]
    Timeout(u64),
    /// The client was silent, or left a request out.
    #[error("the tunnel's client sent no request, or not the one that was due, for {0} ms")]
    Silent(u64),
    /// More requests came before their turn than are kept.
    #[error("too many requests of the tunnel came before their turn")]
    OutOfOrder,
}

/// Longest body of a request or response.
const MAX_BODY: usize = 16 << 20;

/// Session ids as they are written in URLs.
pub fn session_text(id: u128) -> String {
    format!("{id:032x}")
}
