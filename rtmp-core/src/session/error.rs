//! Why a session ended by itself.

use crate::wire::chunk::ChunkError;
use crate::wire::deviation::Deviation;
use crate::wire::handshake::HandshakeError;
use crate::wire::message::command::CommandError;
use thiserror::Error;

/// A reason to end the connection. Whatever is not here is answered with a status or ignored.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The handshake failed.
    #[error("handshake: {0}")]
    Handshake(#[from] HandshakeError),
    /// The chunk stream broke the rules and cannot be followed further.
    #[error("chunk stream: {0}")]
    Chunk(#[from] ChunkError),
    /// The first command could not be read.
    #[error("the first command is not a readable connect: {0}")]
    Connect(#[from] CommandError),
    /// The peer sent something else than `connect` first.
    #[error("{0} arrived before connect was accepted; a client must connect first")]
    NotConnected(String),
    /// The peer sent `connect` twice.
    #[error("a second connect arrived on one connection")]
    AlreadyConnected,
    /// The peer deviated from the specification, which the strict profile does not accept.
    #[error("{0}, which the strict profile refuses; the lenient one accepts it")]
    Deviation(Deviation),
    /// The peer did not finish the handshake in time.
    #[error("the handshake was not finished within {0} ms")]
    HandshakeTimeout(u64),
    /// `connect` (server) or its answer (client) did not come in time.
    #[error("connect was not finished within {0} ms")]
    ConnectTimeout(u64),
    /// The peer sent nothing for the ping interval and nothing after a ping.
    #[error("the peer sent nothing for {0} ms and did not answer a ping")]
    PeerDead(u64),
    /// The peer kept creating streams past the limit after being refused.
    #[error("the peer asked for more than {0} message streams")]
    TooManyStreams(usize),
    /// The peer sent more than may be held while the host decides about its `connect`.
    #[error("more than {0} messages or bytes arrived while connect was being decided")]
    TooMuchWaiting(usize),
    /// The peer called more often than may wait for answers.
    #[error("more than {0} calls of the peer wait for an answer")]
    TooManyCalls(usize),
    /// The peer does not read what it is sent, or too slowly.
    #[error("{0} bytes wait for the peer, which does not read them")]
    Unread(usize),
}
