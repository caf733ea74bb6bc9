//! Shared object messages, types 19 and 16 (RTMP 1.0 7.1.3): a name, a version, and events of eleven kinds.

use bytes::Bytes;
use thiserror::Error;

use crate::amf::{ClassRegistry, Limits, Value, amf0};
use crate::wire::message::command::{ObjectEncoding, encode_values};
use crate::wire::message::{Message, MessageType};

/// One shared object message: everything that changes together travels in one.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedObjectMessage {
    /// Name of the object, unique within an application instance.
    pub name: String,
    /// Version of the object as the sender knows it; 0 when it has no copy.
    pub version: u32,
    /// Whether the object is kept on disk (flags value 2).
    pub persistent: bool,
    /// Message type 19 or 16.
    pub encoding: ObjectEncoding,
    /// What happened, in order.
    pub events: Vec<SharedObjectEvent>,
}

/// One event (RTMP 1.0 7.1.3). Peers may put several slots into one event; we write one each.
#[derive(Debug, Clone, PartialEq)]
pub enum SharedObjectEvent {
    /// 1, client: joins the object, which is made if need be.
    Use,
    /// 2, client: leaves the object.
    Release,
    /// 3, client: asks to set slots.
    RequestChange(Vec<(String, Value)>),
    /// 4, server: slots were set, by another client or by the server.
    Change(Vec<(String, Value)>),
    /// 5, server: the receiver's own change of these slots was accepted.
    Success(Vec<String>),
    /// 6, both: calls a handler of everybody who uses the object.
    Send {
        /// The handler's name.
        handler: String,
        /// Its arguments.
        args: Vec<Value>,
    },
    /// 7, server: something was refused.
    Status {
        /// For example `SharedObject.NoWriteAccess`.
        code: String,
        /// `error`, `warning` or `status`.
        level: String,
    },
    /// 8, server: all slots are gone.
    Clear,
    /// 9, server: slots are gone.
    Remove(Vec<String>),
    /// 10, client: asks to remove slots.
    RequestRemove(Vec<String>),
    /// 11, server: answers Use.
    UseSuccess,
    /// An event of an unknown kind, or one whose data cannot be read.
    Other {
        /// The kind's number.
        kind: u8,
        /// Its data.
        data: Bytes,
    },
}

/// A shared object message is not readable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SharedObjectError {
    /// Not type 19 or 16.
    #[error("message type {0} is not a shared object message: choose the reader by the message's type")]
    WrongType(u8),
    /// Type 16 with another format selector than 0.
    #[error("format selector {0} of a shared object message, only 0 is known")]
    Selector(u8),
    /// The message, or an event that declares its length, ends early.
    #[error("shared object message is cut short at byte {0}")]
    Truncated(usize),
    /// The name is not UTF-8.
    #[error("the shared object's name is not UTF-8")]
    Name,
    /// More events than the reader takes.
    #[error("shared object message of more than {0} events")]
    TooManyEvents(usize),
}

/// `flags` of a persistent object; the only bit with a known meaning.
const PERSISTENT: u32 = 2;

impl SharedObjectMessage {
    /// A message without events.
    pub fn new(name: impl Into<String>, version: u32, persistent: bool, encoding: ObjectEncoding) -> Self {
        Self {
            name: name.into(),
            version,
            persistent,
            encoding,
            events: Vec::new(),
        }
    }

    /// The same message with these events.
    #[must_use]
    pub fn with_events(mut self, events: Vec<SharedObjectEvent>) -> Self {
        self.events = events;
        self
    }

    /// Reads a message of at most `max_events` events; `limits` hold for each value in it. What cannot be read inside
    /// an event makes that event [`SharedObjectEvent::Other`]; the message fails only when its frame is broken.
    pub fn load(message: &Message, limits: &Limits, max_events: usize) -> Result<Self, SharedObjectError> {
        Self::load_with(message, limits, max_events, ClassRegistry::builtin())
    }

    /// Like [`load`](Self::load), with classes that are known. A value that is refused makes its event unreadable.
    pub fn load_with(
        message: &Message,
        limits: &Limits,
        max_events: usize,
        classes: &ClassRegistry,
    ) -> Result<Self, SharedObjectError> {
        let (encoding, skipped) = match message.kind {
            MessageType::SHARED_OBJECT => (ObjectEncoding::Amf0, 0),
            MessageType::SHARED_OBJECT_AMF3 => match message.payload.first() {
                Some(0) => (ObjectEncoding::Amf3, 1),
                Some(&other) => return Err(SharedObjectError::Selector(other)),
                None => return Err(SharedObjectError::Truncated(0)),
            },
            kind => return Err(SharedObjectError::WrongType(kind.0)),
        };
        let mut reader = Reader {
            payload: &message.payload,
            at: skipped,
        };
        let length = usize::from(reader.u16()?);
        let name = String::from_utf8(reader.take(length)?.to_vec()).map_err(|_| SharedObjectError::Name)?;
        let version = reader.u32()?;
        let flags = reader.u32()?;
        let _reserved = reader.u32()?;
        let mut events = Vec::new();
        while !reader.is_empty() {
            if events.len() >= max_events {
                return Err(SharedObjectError::TooManyEvents(max_events));
            }
            let kind = reader.u8()?;
            let length = usize::try_from(reader.u32()?).unwrap_or(usize::MAX);
            let data = reader.take(length)?;
            events.push(SharedObjectEvent::read(kind, data, limits, classes));
        }
        Ok(Self {
            name,
            version,
            persistent: flags & PERSISTENT != 0,
            encoding,
            events,
        })
    }

    /// The message at timestamp 0 on message stream 0. The name, and slot names, are cut off at 65,535 bytes.
    pub fn encode(&self) -> Message {
        let mut body = Vec::with_capacity(64);
        let kind = match self.encoding {
            ObjectEncoding::Amf0 => MessageType::SHARED_OBJECT,
            ObjectEncoding::Amf3 => {
                body.push(0);
                MessageType::SHARED_OBJECT_AMF3
            }
        };
        put_text(&mut body, &self.name);
        body.extend(self.version.to_be_bytes());
        body.extend(if self.persistent { PERSISTENT } else { 0 }.to_be_bytes());
        body.extend([0; 4]);
        for event in &self.events {
            event.write(self.encoding, &mut body);
        }
        Message {
            timestamp: 0,
            kind,
            stream_id: 0,
            payload: body.into(),
        }
    }
}

impl SharedObjectEvent {
    /// The kind's number on the wire.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Use => 1,
            Self::Release => 2,
            Self::RequestChange(_) => 3,
            Self::Change(_) => 4,
            Self::Success(_) => 5,
            Self::Send { .. } => 6,
            Self::Status { .. } => 7,
            Self::Clear => 8,
            Self::Remove(_) => 9,
            Self::RequestRemove(_) => 10,
            Self::UseSuccess => 11,
            Self::Other { kind, .. } => *kind,
        }
    }

    fn read(kind: u8, data: Bytes, limits: &Limits, classes: &ClassRegistry) -> Self {
        let known = match kind {
            1 => Some(Self::Use),
            2 => Some(Self::Release),
            3 => read_slots(&data, limits, classes).map(Self::RequestChange),
            4 => read_slots(&data, limits, classes).map(Self::Change),
            5 => read_names(&data).map(Self::Success),
            6 => read_send(&data, limits, classes),
            7 => read_status(&data),
            8 => Some(Self::Clear),
            9 => read_names(&data).map(Self::Remove),
            10 => read_names(&data).map(Self::RequestRemove),
            11 => Some(Self::UseSuccess),
            _ => None,
        };
        known.unwrap_or(Self::Other { kind, data })
    }

    fn write(&self, encoding: ObjectEncoding, body: &mut Vec<u8>) {
        body.push(self.kind());
        let length_at = body.len();
        body.extend([0; 4]);
        match self {
            Self::Use | Self::Release | Self::Clear | Self::UseSuccess => {}
            Self::RequestChange(slots) | Self::Change(slots) => {
                for (name, value) in slots {
                    put_text(body, name);
                    encode_values([value], encoding, body);
                }
            }
            Self::Success(names) | Self::Remove(names) | Self::RequestRemove(names) => {
                for name in names {
                    put_text(body, name);
                }
            }
            Self::Send { handler, args } => {
                amf0::encode(&Value::from(handler.as_str()), body);
                encode_values(args, encoding, body);
            }
            Self::Status { code, level } => {
                put_text(body, code);
                put_text(body, level);
            }
            Self::Other { data, .. } => body.extend_from_slice(data),
        }
        let length = u32::try_from(body.len() - length_at - 4).unwrap_or(u32::MAX);
        if let Some(field) = body.get_mut(length_at..length_at + 4) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }
}

struct Reader<'a> {
    payload: &'a Bytes,
    at: usize,
}

impl Reader<'_> {
    fn is_empty(&self) -> bool {
        self.at >= self.payload.len()
    }

    fn take(&mut self, length: usize) -> Result<Bytes, SharedObjectError> {
        let end = self
            .at
            .checked_add(length)
            .filter(|end| *end <= self.payload.len());
        let end = end.ok_or(SharedObjectError::Truncated(self.at))?;
        let taken = self.payload.slice(self.at..end);
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SharedObjectError> {
        let field = self.payload.get(self.at..).and_then(<[u8]>::first_chunk::<N>);
        let field = *field.ok_or(SharedObjectError::Truncated(self.at))?;
        self.at += N;
        Ok(field)
    }

    fn u8(&mut self) -> Result<u8, SharedObjectError> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16, SharedObjectError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, SharedObjectError> {
        self.array().map(u32::from_be_bytes)
    }
}

/// A text with a 16-bit length and no marker, and what follows it.
fn split_text(data: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = data.split_first_chunk::<2>()?;
    let (text, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

fn read_slots(mut data: &[u8], limits: &Limits, classes: &ClassRegistry) -> Option<Vec<(String, Value)>> {
    let mut slots = Vec::new();
    while !data.is_empty() {
        let (name, rest) = split_text(data)?;
        // References do not reach from one value into another.
        let mut decoder = amf0::Decoder::new(rest, *limits).with_registry(classes);
        let value = decoder.decode().ok()?;
        data = rest.get(decoder.position()..)?;
        slots.push((name.to_owned(), value));
    }
    (!slots.is_empty()).then_some(slots)
}

fn read_names(mut data: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    while !data.is_empty() {
        let (name, rest) = split_text(data)?;
        names.push(name.to_owned());
        data = rest;
    }
    (!names.is_empty()).then_some(names)
}

fn read_send(data: &[u8], limits: &Limits, classes: &ClassRegistry) -> Option<SharedObjectEvent> {
    let mut decoder = amf0::Decoder::new(data, *limits).with_registry(classes);
    let mut values = vec![decoder.decode().ok()?];
    while !decoder.is_empty() {
        values.push(decoder.decode().ok()?);
    }
    let args = values.split_off(1);
    let handler = values.first()?.as_str()?.to_owned();
    Some(SharedObjectEvent::Send { handler, args })
}

fn read_status(data: &[u8]) -> Option<SharedObjectEvent> {
    let (code, rest) = split_text(data)?;
    let level = split_text(rest).map_or("error", |(level, _)| level);
    Some(SharedObjectEvent::Status {
        code: code.to_owned(),
        level: level.to_owned(),
    })
}

fn put_text(body: &mut Vec<u8>, text: &str) {
    let mut end = text.len().min(usize::from(u16::MAX));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    #[allow(clippy::cast_possible_truncation)] // At most 65,535.
    body.extend((end as u16).to_be_bytes());
    body.extend_from_slice(&text.as_bytes()[..end]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::Object;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .map(|digit| u8::try_from((digit as char).to_digit(16).unwrap()).unwrap())
            .collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    fn load(kind: MessageType, payload: Vec<u8>) -> Result<SharedObjectMessage, SharedObjectError> {
        SharedObjectMessage::load(&Message::control(kind, payload), &Limits::default(), 1000)
    }

    fn chat(version: u32, events: Vec<SharedObjectEvent>) -> SharedObjectMessage {
        SharedObjectMessage::new("chat", version, false, ObjectEncoding::Amf0).with_events(events)
    }

    fn n(value: f64) -> Vec<(String, Value)> {
        vec![("n".to_owned(), Value::Number(value))]
    }

    /// The worked bytes of the protocol notes on shared objects, name "chat".
    fn examples() -> Vec<(&'static str, SharedObjectMessage)> {
        use SharedObjectEvent as E;
        let name = || vec!["n".to_owned()];
        let args = vec![Value::from("hi"), Value::from(1)];
        let handler = "msg".to_owned();
        let status = E::Status {
            code: "SharedObject.NoReadAccess".to_owned(),
            level: "error".to_owned(),
        };
        vec![
            (
                "000463686174 00000000 00000000 00000000 01 00000000",
                chat(0, vec![E::Use]),
            ),
            (
                "000463686174 00000003 00000000 00000000 02 00000000",
                chat(3, vec![E::Release]),
            ),
            (
                "000463686174 00000001 00000000 00000000 0b 00000000 08 00000000",
                chat(1, vec![E::UseSuccess, E::Clear]),
            ),
            (
                "000463686174 00000005 00000000 00000000 0b00000000 0800000000
                 04 0000000c 00016e 003ff0000000000000",
                chat(5, vec![E::UseSuccess, E::Clear, E::Change(n(1.0))]),
            ),
            (
                "000463686174 00000005 00000000 00000000 03 0000000c 00016e 004000000000000000",
                chat(5, vec![E::RequestChange(n(2.0))]),
            ),
            (
                "000463686174 00000006 00000000 00000000 05 00000003 00016e",
                chat(6, vec![E::Success(name())]),
            ),
            (
                "000463686174 00000006 00000000 00000000 04 0000000c 00016e 004000000000000000",
                chat(6, vec![E::Change(n(2.0))]),
            ),
            (
                "000463686174 00000006 00000000 00000000
                 06 00000014 0200036d7367 0200026869 003ff0000000000000",
                chat(6, vec![E::Send { handler, args }]),
            ),
            (
                "000463686174 00000006 00000000 00000000 0a 00000003 00016e",
                chat(6, vec![E::RequestRemove(name())]),
            ),
            (
                "000463686174 00000007 00000000 00000000 09 00000003 00016e",
                chat(7, vec![E::Remove(name())]),
            ),
            (
                "000463686174 00000008 00000000 00000000 08 00000000",
                chat(8, vec![E::Clear]),
            ),
            (
                "000463686174 00000000 00000000 00000000 07 00000022
                 0019 5368617265644f626a6563742e4e6f52656164416363657373 0005 6572726f72",
                chat(0, vec![status]),
            ),
        ]
    }

    #[test]
    fn the_eleven_events_read_and_write_their_bytes() {
        for (bytes, message) in examples() {
            let bytes = hex(bytes);
            assert_eq!(message.encode().payload, bytes, "{message:?}");
            assert_eq!(message.encode().kind, MessageType::SHARED_OBJECT);
            assert_eq!(load(MessageType::SHARED_OBJECT, bytes).unwrap(), message);
        }
    }

    #[test]
    fn type_16_has_a_selector_in_front() {
        let bytes = hex("00 000463686174 00000000 00000002 00000000 01 00000000");
        let mut message = chat(0, vec![SharedObjectEvent::Use]);
        message.encoding = ObjectEncoding::Amf3;
        message.persistent = true;
        assert_eq!(message.encode().payload, bytes);
        assert_eq!(message.encode().kind, MessageType::SHARED_OBJECT_AMF3);
        assert_eq!(load(MessageType::SHARED_OBJECT_AMF3, bytes).unwrap(), message);
        assert_eq!(
            load(MessageType::SHARED_OBJECT_AMF3, hex("03 0001 61")),
            Err(SharedObjectError::Selector(3))
        );
    }

    #[test]
    fn objects_of_type_16_are_amf3() {
        let value = Value::from(Object::new().with("a", Value::Integer(5)));
        let mut message = chat(1, vec![SharedObjectEvent::Change(vec![("o".to_owned(), value)])]);
        message.encoding = ObjectEncoding::Amf3;
        let body = message.encode().payload;
        // Avmplus marker, then an anonymous dynamic object {a: integer 5} (AMF 3 3.12).
        let change = hex("04 0000000c 00016f 11 0a 0b 01 03 61 04 05 01");
        assert_eq!(body[19..], change);
        assert_eq!(
            load(MessageType::SHARED_OBJECT_AMF3, body.to_vec()).unwrap(),
            message
        );
    }

    #[test]
    fn several_slots_may_share_an_event() {
        let bytes = hex("000161 00000001 00000000 00000000 03 0000000a 000161 0101 000162 05 05 0000");
        // The declared length covers both slots; what is behind them is the next event, cut short.
        assert!(matches!(
            load(MessageType::SHARED_OBJECT, bytes),
            Err(SharedObjectError::Truncated(_))
        ));
        let bytes = hex("000161 00000001 00000000 00000000 03 00000009 000161 0101 000162 05");
        let message = load(MessageType::SHARED_OBJECT, bytes).unwrap();
        let slots = vec![("a".to_owned(), Value::from(true)), ("b".to_owned(), Value::Null)];
        assert_eq!(message.events, [SharedObjectEvent::RequestChange(slots)]);
        let bytes = hex("000161 00000001 00000000 00000000 05 00000006 000161 000162");
        let message = load(MessageType::SHARED_OBJECT, bytes).unwrap();
        let names = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(message.events, [SharedObjectEvent::Success(names)]);
    }

    #[test]
    fn unknown_and_unreadable_events_are_skipped_by_their_length() {
        let bytes = hex("000161 00000001 00000000 00000000 0c 00000002 ffff 03 00000003 000161 01 00000000");
        let message = load(MessageType::SHARED_OBJECT, bytes).unwrap();
        let kinds: Vec<u8> = message.events.iter().map(SharedObjectEvent::kind).collect();
        assert_eq!(kinds, [12, 3, 1]);
        assert!(matches!(
            message.events[1],
            SharedObjectEvent::Other { kind: 3, .. }
        ));
        assert_eq!(message.events[2], SharedObjectEvent::Use);
    }

    #[test]
    fn no_events_are_legal_and_too_many_are_not() {
        let head = hex("000161 00000001 00000000 00000000");
        assert!(
            load(MessageType::SHARED_OBJECT, head.clone())
                .unwrap()
                .events
                .is_empty()
        );
        let mut many = head;
        many.extend([8, 0, 0, 0, 0].repeat(1001));
        assert_eq!(
            load(MessageType::SHARED_OBJECT, many),
            Err(SharedObjectError::TooManyEvents(1000))
        );
    }

    #[test]
    fn truncation_at_every_offset_is_an_error_or_a_shorter_message() {
        for (bytes, _) in examples() {
            let bytes = hex(bytes);
            for end in 0..bytes.len() {
                let result = load(MessageType::SHARED_OBJECT, bytes[..end].to_vec());
                assert!(end >= 18 || result.is_err(), "{end} of {bytes:02x?}");
            }
        }
    }
}
