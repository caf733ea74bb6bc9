//! Command messages, types 20 and 17 (RTMP 1.0 7.1.1): a name, a transaction, a command object, arguments.

use crate::amf::{AmfError, ClassRegistry, Limits, Value, amf0};
use crate::wire::deviation::{Deviation, Tally};
use crate::wire::message::{Message, MessageType};
use bytes::Bytes;
use thiserror::Error;

/// How objects are encoded in commands and data, settled by `connect` (RTMP 1.0 7.2.1.1 objectEncoding).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ObjectEncoding {
    /// AMF0, message types 20 and 18.
    #[default]
    Amf0,
    /// AMF0 with objects switched to AMF3, message types 17 and 15.
    Amf3,
}

impl ObjectEncoding {
    /// The number `connect` carries: 0 or 3.
    pub fn number(self) -> u8 {
        match self {
            Self::Amf0 => 0,
            Self::Amf3 => 3,
        }
    }
}

/// A command message is not readable.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// Not type 20 or 17.
    #[error("message type {0} is not a command")]
    WrongType(u8),
    /// Type 17 or 15 with another format selector than 0.
    #[error("format selector {0}, only 0 is known")]
    Selector(u8),
    /// No name in front.
    #[error("the message does not begin with a name string")]
    Name,
    /// The transaction is not a finite number of 0 or more.
    #[error("the transaction id of {0:?} is not a number of 0 or more")]
    TransactionId(String),
    /// A value is not readable.
    #[error("AMF: {0}")]
    Amf(#[from] AmfError),
}

/// One command, of either direction.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// Command name, `_result` and `_error` for answers.
    pub name: String,
    /// Transaction; 0 wants no answer.
    pub transaction_id: f64,
    /// Command object; null nearly everywhere except in `connect` and its answer.
    pub object: Value,
    /// The values after it.
    pub args: Vec<Value>,
}

/// The longest name that a command can have: it is an AMF0 string with a length of 16 bits (RTMP 1.0 7.2).
#[cfg(feature = "engine")]
const MAX_NAME: usize = 65_535;

/// What keeps a method of this name from being called, if anything does. Answers and `onStatus` are never answered by whoever
/// gets them (RTMP 1.0 7.2.2).
#[cfg(feature = "engine")]
pub(crate) fn why_not_callable(name: &str, wants_answer: bool) -> Option<&'static str> {
    if name.len() > MAX_NAME {
        return Some("a method's name is longer than 65,535 bytes, which no command carries");
    }
    let unanswered = wants_answer && matches!(name, "onStatus" | "_result" | "_error");
    unanswered.then_some("onStatus, _result and _error are never answered: call them without a reply")
}

impl Command {
    /// A command with a null command object.
    pub fn new(name: impl Into<String>, transaction_id: f64, args: Vec<Value>) -> Self {
        Self {
            name: name.into(),
            transaction_id,
            object: Value::Null,
            args,
        }
    }

    /// The argument at `index`, null when it is missing.
    pub fn arg(&self, index: usize) -> &Value {
        self.args.get(index).unwrap_or(&Value::Null)
    }

    /// Reads a command message. Trailing fields may be missing: some servers send no more than the name. Padding zeros
    /// after the last value are ignored.
    pub fn load(message: &Message, limits: &Limits) -> Result<Self, CommandError> {
        Self::load_counting(message, limits, None, &mut Tally::default())
    }

    /// Like [`load`](Self::load), with classes that are known.
    pub fn load_with(
        message: &Message,
        limits: &Limits,
        classes: &ClassRegistry,
    ) -> Result<Self, CommandError> {
        Self::load_counting(message, limits, Some(classes), &mut Tally::default())
    }

    /// Like [`load`](Self::load), with classes that are known, and counting what is tolerated.
    pub(crate) fn load_counting(
        message: &Message,
        limits: &Limits,
        classes: Option<&ClassRegistry>,
        tally: &mut Tally,
    ) -> Result<Self, CommandError> {
        let body = match message.kind {
            MessageType::COMMAND => message.payload.clone(),
            MessageType::COMMAND_AMF3 => strip_selector(&message.payload, tally)?,
            kind => return Err(CommandError::WrongType(kind.0)),
        };
        let (name, rest) = split_name(&body).ok_or(CommandError::Name)?;
        tally.note_if(name.ends_with('\0'), Deviation::TrailingNul);
        let name = name.trim_end_matches('\0').to_owned();
        let values = decode_values(rest, limits, classes, tally)?;
        tally.note_if(values.len() < 2, Deviation::CommandFieldsMissing);
        let mut values = values.into_iter();
        let transaction_id = match values.next() {
            None | Some(Value::Null | Value::Undefined) => 0.0,
            Some(value) => value
                .as_f64()
                .filter(|id| id.is_finite() && *id >= 0.0)
                .ok_or_else(|| CommandError::TransactionId(name.clone()))?,
        };
        let object = values.next().unwrap_or(Value::Null);
        Ok(Self {
            name,
            transaction_id,
            object,
            args: values.collect(),
        })
    }

    /// The command as a message with timestamp 0 on `stream_id`.
    pub fn encode(&self, stream_id: u32, encoding: ObjectEncoding) -> Message {
        let mut body = Vec::with_capacity(128);
        let kind = begin_body(
            &mut body,
            encoding,
            MessageType::COMMAND,
            MessageType::COMMAND_AMF3,
        );
        amf0::encode(&Value::from(self.name.as_str()), &mut body);
        amf0::encode(&Value::Number(self.transaction_id), &mut body);
        encode_values(
            std::iter::once(&self.object).chain(&self.args),
            encoding,
            &mut body,
        );
        Message {
            timestamp: 0,
            kind,
            stream_id,
            payload: Bytes::from(body),
        }
    }
}

/// Splits the AMF0 string in front (marker 2, 16-bit length) from the rest, without copying.
pub(crate) fn split_name(body: &[u8]) -> Option<(&str, &[u8])> {
    let (&[marker, high, low], rest) = body.split_first_chunk::<3>()?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if marker != 2 || rest.len() < length {
        return None;
    }
    let (name, rest) = rest.split_at(length);
    Some((std::str::from_utf8(name).ok()?, rest))
}

/// Takes the format selector off a type 17 or 15 body. Some programs leave it out and begin with the name's marker.
pub(crate) fn strip_selector(payload: &Bytes, tally: &mut Tally) -> Result<Bytes, CommandError> {
    match payload.first() {
        Some(0) => Ok(payload.slice(1..)),
        Some(2) => {
            tally.note(Deviation::SelectorMissing);
            Ok(payload.clone())
        }
        Some(&other) => Err(CommandError::Selector(other)),
        None => Err(CommandError::Name),
    }
}

/// All values of `body`; zero bytes at the end that make no value are padding, and the last object may lack its end
/// marker.
pub(crate) fn decode_values(
    body: &[u8],
    limits: &Limits,
    classes: Option<&ClassRegistry>,
    tally: &mut Tally,
) -> Result<Vec<Value>, AmfError> {
    let mut decoder = amf0::Decoder::new(body, *limits).allow_open_end(true);
    if let Some(classes) = classes {
        decoder = decoder.with_registry(classes);
    }
    let mut values = Vec::new();
    while !decoder.is_empty() {
        let at = decoder.position();
        match decoder.decode() {
            Ok(value) => values.push(value),
            Err(_) if body.iter().skip(at).all(|&byte| byte == 0) => {
                tally.note(Deviation::Padding);
                break;
            }
            Err(error) => return Err(error),
        }
    }
    tally.note_if(decoder.ended_open(), Deviation::ObjectEndMissing);
    Ok(values)
}

/// Writes the format selector when `encoding` wants one; the message type to use.
pub(crate) fn begin_body(
    body: &mut Vec<u8>,
    encoding: ObjectEncoding,
    amf0: MessageType,
    amf3: MessageType,
) -> MessageType {
    match encoding {
        ObjectEncoding::Amf0 => amf0,
        ObjectEncoding::Amf3 => {
            body.push(0);
            amf3
        }
    }
}

/// Appends values that are decoded together: cycles in them count the containers of all.
pub(crate) fn encode_values<'v>(
    values: impl IntoIterator<Item = &'v Value>,
    encoding: ObjectEncoding,
    body: &mut Vec<u8>,
) {
    match encoding {
        ObjectEncoding::Amf0 => amf0::encode_all(values, body),
        ObjectEncoding::Amf3 => amf0::encode_avmplus_all(values, body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: MessageType, payload: &'static [u8]) -> Message {
        Message {
            timestamp: 0,
            kind,
            stream_id: 0,
            payload: Bytes::from_static(payload),
        }
    }

    /// Sheet of transcripts, "createStream" of the publish session.
    const CREATE_STREAM: &[u8] = b"\x02\x00\x0ccreateStream\x00\x40\x10\0\0\0\0\0\0\x05";

    #[test]
    fn create_stream_reads_and_writes_as_captured() {
        let message = message(MessageType::COMMAND, CREATE_STREAM);
        let command = Command::load(&message, &Limits::default()).unwrap();
        assert_eq!(command, Command::new("createStream", 4.0, Vec::new()));
        assert_eq!(
            &command.encode(0, ObjectEncoding::Amf0).payload[..],
            CREATE_STREAM
        );
    }

    #[test]
    fn a_command_of_a_name_alone_is_readable() {
        // ffmpeg -listen 1 answers FCPublish with nothing but the name.
        let message = message(MessageType::COMMAND, b"\x02\x00\x0bonFCPublish");
        let command = Command::load(&message, &Limits::default()).unwrap();
        assert_eq!(command, Command::new("onFCPublish", 0.0, Vec::new()));
    }

    #[test]
    fn amf3_commands_read_with_and_without_selector() {
        for payload in [
            &b"\0\x02\0\x05close\0\0\0\0\0\0\0\0\0\x05"[..],
            b"\x02\0\x05close\0\0\0\0\0\0\0\0\0\x05",
        ] {
            let message = message(MessageType::COMMAND_AMF3, payload);
            let command = Command::load(&message, &Limits::default()).unwrap();
            assert_eq!(command.name, "close");
        }
        let message = message(MessageType::COMMAND_AMF3, b"\x03\x02\0\x05close");
        assert!(matches!(
            Command::load(&message, &Limits::default()),
            Err(CommandError::Selector(3))
        ));
    }

    #[test]
    fn padding_zeros_are_ignored() {
        let message = message(MessageType::COMMAND, b"\x02\0\x05close\0\0\0\0\0\0\0\0\0\x05\0\0");
        assert!(
            Command::load(&message, &Limits::default())
                .unwrap()
                .args
                .is_empty()
        );
    }

    #[test]
    fn unusable_names_and_transactions_are_refused() {
        for payload in [
            &b""[..],
            b"\x05",
            b"\x00\x3f\xf0\0\0\0\0\0\0",
            b"\x02\0\x09short",
            b"\x02\0\x01a\x02\0\x01b",
            b"\x02\0\x01a\0\x7f\xf8\0\0\0\0\0\0",
            b"\x02\0\x01a\0\xbf\xf0\0\0\0\0\0\0",
        ] {
            let message = message(MessageType::COMMAND, payload);
            assert!(
                Command::load(&message, &Limits::default()).is_err(),
                "{payload:02x?}"
            );
        }
    }

    #[test]
    fn truncation_at_every_offset_never_panics() {
        for end in 0..CREATE_STREAM.len() {
            let message = message(MessageType::COMMAND, &CREATE_STREAM[..end]);
            let _ = Command::load(&message, &Limits::default());
        }
    }
}
