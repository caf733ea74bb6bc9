//! The figures and tables of RTMP 1.0 section 6 and of the messages in 7.1, named after their sections, in literal bytes.

use bytes::Bytes;
use rtmp_core::amf::{Limits, Object, Value};
use rtmp_core::wire::chunk::{Message, MessageType};
use rtmp_core::wire::message::aggregate::Aggregate;
use rtmp_core::wire::message::command::{Command, ObjectEncoding};
use rtmp_core::wire::message::data::DataMessage;
use rtmp_core::wire::message::shared_object::{SharedObjectEvent, SharedObjectMessage};
use rtmp_core::wire::message::user_control::UserControl;

use super::{hex, read};

fn message(timestamp: u32, kind: MessageType, stream_id: u32, payload: &[u8]) -> Message {
    let payload = Bytes::copy_from_slice(payload);
    Message {
        timestamp,
        kind,
        stream_id,
        payload,
    }
}

#[test]
fn section_6_1_1_message_header() {
    // As in an aggregate: type, length of three bytes, timestamp of four (the highest last, as FLV has it), stream id of
    // three; then payload and back pointer.
    let body = hex("08 000002 000010 01 000000 AF01 0000000D");
    let mut aggregate = Aggregate::new(&message(0x0100_0010, MessageType::AGGREGATE, 1, &body));
    assert_eq!(
        aggregate.next(),
        Some(message(0x0100_0010, MessageType::AUDIO, 1, &hex("AF01")))
    );
    assert_eq!(
        (
            aggregate.next(),
            aggregate.wrong_back_pointers(),
            aggregate.is_cut()
        ),
        (None, 0, false)
    );
}

#[test]
fn section_6_1_2_message_payload_is_opaque() {
    let messages = read(&hex("03 000000 000003 63 00000000 DEADBE")).unwrap();
    assert_eq!(messages, [message(0, MessageType(99), 0, &hex("DEADBE"))]);
}

#[test]
fn section_6_2_user_control_messages() {
    // Event type of 16 bits, then event data, on chunk stream 2 and message stream 0.
    let messages = read(&hex("02 000000 000006 04 00000000 0000 00000001")).unwrap();
    assert_eq!(UserControl::load(&messages[0]), Ok(UserControl::StreamBegin(1)));
    assert_eq!(UserControl::StreamBegin(1).encode(), messages[0]);
}

#[test]
fn section_7_1_1_command_message() {
    let amf0 = hex("02 0004 73656E64 00 4000000000000000 05 02 0002 6869");
    let command = Command::new("send", 2.0, vec!["hi".into()]);
    let encoded = message(0, MessageType(20), 1, &amf0);
    assert_eq!(command.encode(1, ObjectEncoding::Amf0), encoded);
    // Type 17 has a format selector of 0 in front.
    let amf3 = message(0, MessageType(17), 1, &[&[0], &amf0[..]].concat());
    for message in [encoded, amf3] {
        let read = Command::load(&message, &Limits::default()).unwrap();
        assert_eq!(
            (read.name.as_str(), read.transaction_id, &read.args),
            ("send", 2.0, &command.args)
        );
        assert!(read.object.is_null());
    }
}

#[test]
fn section_7_1_2_data_message() {
    let amf0 =
        hex("02 000A 6F6E4D65746144617461 08 00000001 0008 6475726174696F6E 00 4014000000000000 000009");
    let duration = Value::EcmaArray(Object::new().with("duration", 5));
    let data = DataMessage::new("onMetaData", vec![duration.clone()]);
    assert_eq!(
        data.encode(1, 0, ObjectEncoding::Amf0),
        message(0, MessageType(18), 1, &amf0)
    );
    for (kind, selector) in [(18, &[][..]), (15, &[0])] {
        let message = message(0, MessageType(kind), 1, &[selector, &amf0].concat());
        let read = DataMessage::load(&message, &Limits::default()).unwrap();
        assert_eq!(
            (read.name.as_str(), &read.args[..]),
            ("onMetaData", &[duration.clone()][..])
        );
    }
}

#[test]
fn section_7_1_3_shared_object_message() {
    use SharedObjectEvent::{
        Change, Clear, Release, Remove, RequestChange, RequestRemove, Send, Status, Success, Use, UseSuccess,
    };
    let slot = || vec![("a".to_owned(), Value::from(true))];
    let names = || vec!["a".to_owned()];
    let cases = [
        ("01 00000000", Use),
        ("02 00000000", Release),
        ("03 00000005 0001 61 0101", RequestChange(slot())),
        ("04 00000005 0001 61 0101", Change(slot())),
        ("05 00000003 0001 61", Success(names())),
        (
            "06 00000006 02 0001 66 0101",
            Send {
                handler: "f".to_owned(),
                args: vec![true.into()],
            },
        ),
        (
            "07 00000006 0001 63 0001 6C",
            Status {
                code: "c".to_owned(),
                level: "l".to_owned(),
            },
        ),
        ("08 00000000", Clear),
        ("09 00000003 0001 61", Remove(names())),
        ("0A 00000003 0001 61", RequestRemove(names())),
        ("0B 00000000", UseSuccess),
    ];
    // Name, version, flags of eight bytes, then events: type, data length, data.
    let head = "0002 736F 00000007 00000002 00000000";
    let all: String = cases.iter().map(|(bytes, _)| *bytes).collect();
    for (kind, selector) in [(19, ""), (16, "00")] {
        let payload = hex(&format!("{selector} {head} {all}"));
        let message = message(0, MessageType(kind), 0, &payload);
        let object = SharedObjectMessage::load(&message, &Limits::default(), 20).unwrap();
        assert_eq!(
            (object.name.as_str(), object.version, object.persistent),
            ("so", 7, true)
        );
        assert!(
            object.events.iter().eq(cases.iter().map(|(_, event)| event)),
            "{:?}",
            object.events
        );
    }
}

#[test]
fn section_7_1_4_audio_and_7_1_5_video_messages() {
    let messages = read(&hex(
        "04 000000 000002 08 01000000 AF01  06 000000 000005 09 01000000 1701000000",
    ))
    .unwrap();
    assert_eq!(
        messages.iter().map(|message| message.kind).collect::<Vec<_>>(),
        [MessageType::AUDIO, MessageType::VIDEO]
    );
}

#[test]
fn section_7_1_6_aggregate_message_body() {
    let body = hex("08 000002 0003E8 00 000000 AF01 0000000D  09 000001 0003FC 00 000005 17 0000000C");
    let units = |timestamp| {
        let aggregate = Aggregate::new(&message(timestamp, MessageType::AGGREGATE, 7, &body));
        aggregate
            .map(|unit| (unit.timestamp, unit.kind.0, unit.stream_id))
            .collect::<Vec<_>>()
    };
    // The aggregate's message stream overrides the units'.
    assert_eq!(units(1000), [(1000, 8, 7), (1020, 9, 7)]);
    // The difference of the two timestamps is added to all units.
    assert_eq!(units(5000), [(5000, 8, 7), (5020, 9, 7)]);
}

#[test]
fn section_7_1_7_user_control_message_events() {
    let cases = [
        ("0000 00000001", UserControl::StreamBegin(1)),
        ("0001 00000001", UserControl::StreamEof(1)),
        ("0002 00000001", UserControl::StreamDry(1)),
        (
            "0003 00000001 00000BB8",
            UserControl::SetBufferLength {
                stream_id: 1,
                millis: 3000,
            },
        ),
        ("0004 00000001", UserControl::StreamIsRecorded(1)),
        ("0006 0000162E", UserControl::PingRequest(5678)),
        ("0007 0000162E", UserControl::PingResponse(5678)),
    ];
    for (bytes, event) in cases {
        let message = message(0, MessageType(4), 0, &hex(bytes));
        assert_eq!(UserControl::load(&message).as_ref(), Ok(&event));
        assert_eq!(event.encode(), message);
    }
}
