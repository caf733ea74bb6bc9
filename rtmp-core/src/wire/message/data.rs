//! Data messages, types 18 and 15 (RTMP 1.0 7.1.2): a name and values, sent along with media.

use crate::amf::{ClassRegistry, Limits, Value, amf0};
use crate::wire::deviation::Tally;
use crate::wire::message::command::{
    CommandError, ObjectEncoding, begin_body, decode_values, encode_values, split_name, strip_selector,
};
use crate::wire::message::{Message, MessageType};
use bytes::Bytes;

/// One data message.
#[derive(Debug, Clone, PartialEq)]
pub struct DataMessage {
    /// Handler name: `onMetaData`, `onCuePoint`, a name of the host's.
    pub name: String,
    /// The values after it.
    pub args: Vec<Value>,
}

impl DataMessage {
    /// A data message.
    pub fn new(name: impl Into<String>, args: Vec<Value>) -> Self {
        Self {
            name: name.into(),
            args,
        }
    }

    /// Reads a data message.
    pub fn load(message: &Message, limits: &Limits) -> Result<Self, CommandError> {
        let body = body(message)?;
        Self::from_body(&body, limits)
    }

    /// Reads the AMF0 body of a data message, as media messages and FLV script tags carry it.
    pub fn from_body(body: &[u8], limits: &Limits) -> Result<Self, CommandError> {
        Self::from_body_counting(body, limits, &mut Tally::default())
    }

    /// Like [`from_body`](Self::from_body), with classes that are known.
    pub fn from_body_with(
        body: &[u8],
        limits: &Limits,
        classes: &ClassRegistry,
    ) -> Result<Self, CommandError> {
        Self::decode(body, limits, Some(classes), &mut Tally::default())
    }

    /// Like [`from_body`](Self::from_body), counting what is tolerated.
    pub(crate) fn from_body_counting(
        body: &[u8],
        limits: &Limits,
        tally: &mut Tally,
    ) -> Result<Self, CommandError> {
        Self::decode(body, limits, None, tally)
    }

    fn decode(
        body: &[u8],
        limits: &Limits,
        classes: Option<&ClassRegistry>,
        tally: &mut Tally,
    ) -> Result<Self, CommandError> {
        let (name, rest) = split_name(body).ok_or(CommandError::Name)?;
        Ok(Self {
            name: name.to_owned(),
            args: decode_values(rest, limits, classes, tally)?,
        })
    }

    /// The message on `stream_id` at `timestamp` milliseconds.
    pub fn encode(&self, stream_id: u32, timestamp: u32, encoding: ObjectEncoding) -> Message {
        let mut payload = Vec::with_capacity(128);
        let kind = begin_body(&mut payload, encoding, MessageType::DATA, MessageType::DATA_AMF3);
        amf0::encode(&Value::from(self.name.as_str()), &mut payload);
        encode_values(&self.args, encoding, &mut payload);
        Message {
            timestamp,
            kind,
            stream_id,
            payload: Bytes::from(payload),
        }
    }
}

/// The AMF0 body of a data message of either type, as a slice of it.
pub fn body(message: &Message) -> Result<Bytes, CommandError> {
    body_counting(message, &mut Tally::default())
}

/// Like [`body`], counting what is tolerated.
pub(crate) fn body_counting(message: &Message, tally: &mut Tally) -> Result<Bytes, CommandError> {
    match message.kind {
        MessageType::DATA => Ok(message.payload.clone()),
        MessageType::DATA_AMF3 => strip_selector(&message.payload, tally),
        kind => Err(CommandError::WrongType(kind.0)),
    }
}

/// The name in front of a data message's body and the bytes after it; `None` when there is none.
pub fn split(body: &[u8]) -> Option<(&str, &[u8])> {
    split_name(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::Object;

    /// Sheet of transcripts, data onStatus Data.Start.
    const DATA_START: &[u8] = b"\x02\0\x08onStatus\x03\0\x04code\x02\0\x14NetStream.Data.Start\0\0\x09";

    #[test]
    fn data_start_reads_and_writes_as_captured() {
        let start = DataMessage::new(
            "onStatus",
            vec![Object::new().with("code", "NetStream.Data.Start").into()],
        );
        let message = start.encode(1, 0, ObjectEncoding::Amf0);
        assert_eq!(&message.payload[..], DATA_START);
        assert_eq!(DataMessage::load(&message, &Limits::default()).unwrap(), start);
    }

    #[test]
    fn amf3_data_loses_its_selector() {
        let message = Message {
            timestamp: 0,
            kind: MessageType::DATA_AMF3,
            stream_id: 1,
            payload: Bytes::from_static(b"\0\x02\0\x01a"),
        };
        assert_eq!(&body(&message).unwrap()[..], b"\x02\0\x01a");
    }
}
