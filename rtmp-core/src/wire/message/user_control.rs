//! User control messages (RTMP 1.0 6.2 and 7.1.7).

use bytes::{BufMut, Bytes, BytesMut};

use super::{Message, MessageError, MessageType, u32_at};

/// A user control event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserControl {
    /// Event 0: the stream became usable. Sent with 0 after a connect.
    StreamBegin(u32),
    /// Event 1: playback of the stream is over.
    StreamEof(u32),
    /// Event 2: the stream has no data for now.
    StreamDry(u32),
    /// Event 3: the client's buffer for a stream; stream 0 sets the connection's default.
    SetBufferLength {
        /// The message stream.
        stream_id: u32,
        /// The buffer's length in milliseconds.
        millis: u32,
    },
    /// Event 4: the stream is a recording.
    StreamIsRecorded(u32),
    /// Event 6: the receiver is to answer with the same value.
    PingRequest(u32),
    /// Event 7: the answer to a ping request.
    PingResponse(u32),
    /// Event 26: the client is to prove which SWF file it runs; the value is the verification type, 1.
    SwfVerifyRequest(u8),
    /// Event 27: the 42 bytes of a client's proof.
    SwfVerifyResponse(Bytes),
    /// Event 31: the server has filled the client's buffer and now paces itself.
    BufferEmpty(u32),
    /// Event 32: the server goes on sending after `BufferEmpty`.
    BufferReady(u32),
    /// Any other event; ignore it.
    Unknown {
        /// The event's number.
        event: u16,
        /// The event's data.
        data: Bytes,
    },
}

impl UserControl {
    /// Reads a user control message. Bytes after the event's fields are ignored.
    ///
    /// # Errors
    /// [`MessageError::TooShort`] and, for other message types, [`MessageError::WrongType`].
    pub fn load(message: &Message) -> Result<Self, MessageError> {
        let kind = message.kind;
        if kind != MessageType::USER_CONTROL {
            return Err(MessageError::WrongType {
                kind,
                wanted: "user control",
            });
        }
        let payload = &message.payload;
        let short = |needed| MessageError::TooShort {
            kind,
            found: payload.len(),
            needed,
        };
        let event = payload
            .first_chunk::<2>()
            .ok_or(short(2))
            .map(|bytes| u16::from_be_bytes(*bytes))?;
        let field = || u32_at(payload, 2).ok_or(short(6));
        Ok(match event {
            0 => Self::StreamBegin(field()?),
            1 => Self::StreamEof(field()?),
            2 => Self::StreamDry(field()?),
            3 => {
                let millis = u32_at(payload, 6).ok_or(short(10))?;
                Self::SetBufferLength {
                    stream_id: field()?,
                    millis,
                }
            }
            4 => Self::StreamIsRecorded(field()?),
            6 => Self::PingRequest(field()?),
            7 => Self::PingResponse(field()?),
            26 => Self::SwfVerifyRequest(*payload.get(2).ok_or(short(3))?),
            27 => Self::SwfVerifyResponse(payload.slice(2..)),
            31 => Self::BufferEmpty(field()?),
            32 => Self::BufferReady(field()?),
            event => Self::Unknown {
                event,
                data: payload.slice(2..),
            },
        })
    }

    /// The message to send on chunk stream 2.
    pub fn encode(&self) -> Message {
        let mut payload = BytesMut::with_capacity(10);
        payload.put_u16(self.event());
        match self {
            Self::StreamBegin(value)
            | Self::StreamEof(value)
            | Self::StreamDry(value)
            | Self::StreamIsRecorded(value)
            | Self::PingRequest(value)
            | Self::PingResponse(value)
            | Self::BufferEmpty(value)
            | Self::BufferReady(value) => payload.put_u32(*value),
            Self::SetBufferLength { stream_id, millis } => {
                payload.put_u32(*stream_id);
                payload.put_u32(*millis);
            }
            Self::SwfVerifyRequest(version) => payload.put_u8(*version),
            Self::SwfVerifyResponse(data) | Self::Unknown { data, .. } => payload.extend_from_slice(data),
        }
        Message::control(MessageType::USER_CONTROL, payload)
    }

    /// The event's number on the wire.
    pub fn event(&self) -> u16 {
        match self {
            Self::StreamBegin(_) => 0,
            Self::StreamEof(_) => 1,
            Self::StreamDry(_) => 2,
            Self::SetBufferLength { .. } => 3,
            Self::StreamIsRecorded(_) => 4,
            Self::PingRequest(_) => 6,
            Self::PingResponse(_) => 7,
            Self::SwfVerifyRequest(_) => 26,
            Self::SwfVerifyResponse(_) => 27,
            Self::BufferEmpty(_) => 31,
            Self::BufferReady(_) => 32,
            Self::Unknown { event, .. } => *event,
        }
    }
}
