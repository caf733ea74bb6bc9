//! RTMP messages (RTMP 1.0 sections 6 and 7): the raw [`Message`] of the chunk stream and its typed readings.

pub mod aggregate;
pub mod command;
pub mod control;
pub mod data;
mod kind;
pub mod shared_object;
pub mod user_control;

use bytes::Bytes;

pub use aggregate::{Aggregate, AggregateBuilder};
pub use command::{Command, CommandError, ObjectEncoding};
pub use control::{Control, LimitType};
pub use data::DataMessage;
pub use kind::MessageType;
pub use shared_object::{SharedObjectEvent, SharedObjectMessage};
pub use user_control::UserControl;

/// A message as the chunk stream carries it (RTMP 1.0 6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Milliseconds on the sender's clock, modulo 2^32.
    pub timestamp: u32,
    /// What the payload is.
    pub kind: MessageType,
    /// The message stream; 0 is the connection itself.
    pub stream_id: u32,
    /// The message body, without any chunk header.
    pub payload: Bytes,
}

impl Message {
    /// A message on the connection's own stream 0 at timestamp 0, as control messages are sent.
    pub fn control(kind: MessageType, payload: impl Into<Bytes>) -> Self {
        Self {
            timestamp: 0,
            kind,
            stream_id: 0,
            payload: payload.into(),
        }
    }
}

/// Why a control or user control message could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The payload ends before its fields do.
    #[error("{kind:?} message has {found} payload bytes where {needed} are needed: ignore it or close")]
    TooShort {
        /// The message's type.
        kind: MessageType,
        /// The bytes the message has.
        found: usize,
        /// The bytes its fields take.
        needed: usize,
    },
    /// The message is of another type than the one asked for.
    #[error("{kind:?} message was read as a {wanted} message: choose the reader by the message's type")]
    WrongType {
        /// The message's type.
        kind: MessageType,
        /// What the reader reads.
        wanted: &'static str,
    },
}

/// A big-endian `u32` at `at`; fields of control messages are all of this kind.
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*field))
}
