//! Protocol control messages (RTMP 1.0 5.4).

use super::{Message, MessageError, MessageType, u32_at};

/// A protocol control message. Such messages act as soon as they are received; their timestamps mean nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// The sender's chunks from now on have up to this many bytes (RTMP 1.0 5.4.1).
    SetChunkSize(u32),
    /// The sender will not complete its message on this chunk stream (RTMP 1.0 5.4.2).
    Abort(u32),
    /// The sender has received this many bytes so far, modulo 2^32 (RTMP 1.0 5.4.3).
    Acknowledgement(u32),
    /// The sender expects an acknowledgement at least every so many bytes (RTMP 1.0 5.4.4).
    WindowAckSize(u32),
    /// The receiver is to limit its unacknowledged output (RTMP 1.0 5.4.5).
    SetPeerBandwidth {
        /// The window in bytes.
        size: u32,
        /// How the window is to be understood.
        limit: LimitType,
    },
}

/// How a Set Peer Bandwidth message limits the peer (RTMP 1.0 5.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LimitType {
    /// Limit to the given window.
    Hard,
    /// Limit to the given window or the one in force, whichever is smaller.
    Soft,
    /// As `Hard` when the limit before was hard; otherwise ignore.
    Dynamic,
    /// A value the specification does not define; ignore the message.
    Unknown(u8),
}

impl Control {
    /// Reads a protocol control message. Bytes after the fields are ignored, whatever stream the message came on.
    ///
    /// # Errors
    /// [`MessageError::TooShort`] and, for other message types, [`MessageError::WrongType`].
    pub fn load(message: &Message) -> Result<Self, MessageError> {
        let kind = message.kind;
        let payload: &[u8] = &message.payload;
        let field = || {
            u32_at(payload, 0).ok_or(MessageError::TooShort {
                kind,
                found: payload.len(),
                needed: 4,
            })
        };
        Ok(match kind {
            MessageType::SET_CHUNK_SIZE => Self::SetChunkSize(field()?),
            MessageType::ABORT => Self::Abort(field()?),
            MessageType::ACKNOWLEDGEMENT => Self::Acknowledgement(field()?),
            MessageType::WINDOW_ACK_SIZE => Self::WindowAckSize(field()?),
            MessageType::SET_PEER_BANDWIDTH => {
                // Some peers leave the limit type out and mean a plain limit.
                let limit = payload
                    .get(4)
                    .map_or(LimitType::Hard, |byte| LimitType::from_byte(*byte));
                Self::SetPeerBandwidth {
                    size: field()?,
                    limit,
                }
            }
            _ => {
                return Err(MessageError::WrongType {
                    kind,
                    wanted: "protocol control",
                });
            }
        })
    }

    /// The message to send on chunk stream 2.
    pub fn encode(&self) -> Message {
        let plain = |kind, value: u32| Message::control(kind, value.to_be_bytes().to_vec());
        match *self {
            Self::SetChunkSize(size) => plain(MessageType::SET_CHUNK_SIZE, size),
            Self::Abort(csid) => plain(MessageType::ABORT, csid),
            Self::Acknowledgement(sequence) => plain(MessageType::ACKNOWLEDGEMENT, sequence),
            Self::WindowAckSize(size) => plain(MessageType::WINDOW_ACK_SIZE, size),
            Self::SetPeerBandwidth { size, limit } => {
                let mut payload = size.to_be_bytes().to_vec();
                payload.push(limit.to_byte());
                Message::control(MessageType::SET_PEER_BANDWIDTH, payload)
            }
        }
    }
}

impl LimitType {
    /// The type a byte stands for.
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Hard,
            1 => Self::Soft,
            2 => Self::Dynamic,
            other => Self::Unknown(other),
        }
    }

    /// The byte that stands for the type.
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::Hard => 0,
            Self::Soft => 1,
            Self::Dynamic => 2,
            Self::Unknown(other) => other,
        }
    }
}
