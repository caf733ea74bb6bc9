//! Message bodies of every type: read within bounds or refused, and what was read can be written and read again.

use bytes::Bytes;
use rtmp_core::amf::Limits;
use rtmp_core::session::ObjectEncoding;
use rtmp_core::wire::chunk::{Message, MessageType};
use rtmp_core::wire::message::aggregate::{Aggregate, AggregateBuilder};
use rtmp_core::wire::message::command::Command;
use rtmp_core::wire::message::control::Control;
use rtmp_core::wire::message::data::DataMessage;
use rtmp_core::wire::message::shared_object::SharedObjectMessage;
use rtmp_core::wire::message::user_control::UserControl;

use super::amf0::{GENEROUS, limits};
use super::memory;
use super::script::Script;

/// Types of messages that something reads; the numbers of bodies that a reader must refuse are among them.
const KINDS: [MessageType; 14] = [
    MessageType::SHARED_OBJECT,
    MessageType::SHARED_OBJECT_AMF3,
    MessageType::AGGREGATE,
    MessageType::COMMAND,
    MessageType::COMMAND_AMF3,
    MessageType::DATA,
    MessageType::DATA_AMF3,
    MessageType::SET_CHUNK_SIZE,
    MessageType::ABORT,
    MessageType::ACKNOWLEDGEMENT,
    MessageType::USER_CONTROL,
    MessageType::WINDOW_ACK_SIZE,
    MessageType::SET_PEER_BANDWIDTH,
    MessageType::AUDIO,
];

/// The most events of a shared object message that are asked for.
const MAX_EVENTS: usize = 100;

/// Byte 0: the type; byte 1: limits; then the body.
pub fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let kind = KINDS[usize::from(script.u8()) % KINDS.len()];
    let limits = limits(script.u8());
    let body = Bytes::copy_from_slice(script.rest());
    let message = Message {
        timestamp: u32::MAX,
        kind,
        stream_id: 1,
        payload: body.clone(),
    };
    let ((), peak) = memory::peak(|| read(&message, &limits));
    assert!(
        peak <= (16 << 10) + 640 * body.len(),
        "{peak} bytes for {} of type {}",
        body.len(),
        kind.0
    );
    shared_object(&message, &limits);
    aggregate(&message);
    command(&message, &limits);
    if let Ok(control) = Control::load(&message) {
        assert_eq!(Control::load(&control.encode()).as_ref(), Ok(&control));
    }
    if let Ok(event) = UserControl::load(&message) {
        assert_eq!(UserControl::load(&event.encode()).as_ref(), Ok(&event));
    }
}

fn read(message: &Message, limits: &Limits) {
    let _ = SharedObjectMessage::load(message, limits, MAX_EVENTS);
    let _ = Command::load(message, limits);
    let _ = DataMessage::load(message, limits);
    let _ = Aggregate::new(message).count();
}

fn shared_object(message: &Message, limits: &Limits) {
    let Ok(read) = SharedObjectMessage::load(message, limits, MAX_EVENTS) else {
        return;
    };
    assert!(read.events.len() <= MAX_EVENTS);
    let again = SharedObjectMessage::load(&read.encode(), &GENEROUS, MAX_EVENTS).expect("what was written");
    assert_eq!(again.events.len(), read.events.len());
    let kinds = |read: &SharedObjectMessage| read.events.iter().map(|event| event.kind()).collect::<Vec<_>>();
    assert_eq!(kinds(&again), kinds(&read));
    let twice = SharedObjectMessage::load(&again.encode(), &GENEROUS, MAX_EVENTS);
    assert_eq!(twice.as_ref(), Ok(&again));
}

/// The parts of an aggregate, put together again, are the parts.
fn aggregate(message: &Message) {
    if message.kind != MessageType::AGGREGATE {
        return;
    }
    let parts: Vec<Message> = Aggregate::new(message).collect();
    let length: usize = parts.iter().map(|part| part.payload.len() + 11).sum();
    assert!(length <= message.payload.len());
    let mut builder = AggregateBuilder::default();
    for part in &parts {
        builder.push(part.kind, part.timestamp, &part.payload);
    }
    assert_eq!(builder.count(), parts.len());
    let mut again = Aggregate::new(&builder.take(message.stream_id));
    let same: Vec<Message> = again.by_ref().collect();
    assert_eq!(same, parts);
    assert!(!again.is_cut() && again.wrong_back_pointers() == 0);
}

fn command(message: &Message, limits: &Limits) {
    for encoding in [ObjectEncoding::Amf0, ObjectEncoding::Amf3] {
        if let Ok(read) = Command::load(message, limits) {
            let again = Command::load(&read.encode(1, encoding), &GENEROUS).expect("what was written");
            assert_eq!((&again.name, again.args.len()), (&read.name, read.args.len()));
            let twice = Command::load(&again.encode(1, encoding), &GENEROUS);
            assert_eq!(twice.ok().as_ref(), Some(&again));
        }
        if let Ok(read) = DataMessage::load(message, limits) {
            let again = DataMessage::load(&read.encode(1, 2, encoding), &GENEROUS).expect("what was written");
            assert_eq!((&again.name, again.args.len()), (&read.name, read.args.len()));
        }
    }
}
