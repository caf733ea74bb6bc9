//! The exchanges of RTMP 1.0 7.3, named after their sections.

use crate::memo_7_2::{flow, send};
use crate::raw::Raw;
use rtmp_core::amf::{Limits, Object, Value};
use rtmp_core::session::{ConnectReply, ServerEvent, ServerSessionConfig};
use rtmp_core::wire::chunk::MessageType;

#[test]
fn section_7_3_1_publish_recorded_video() {
    let mut raw = Raw::new(ServerSessionConfig::default());
    let mut transcript: Vec<String> = Vec::new();
    let mut hear = |raw: &mut Raw| {
        let names = flow(&raw.replies());
        transcript.extend(names.into_iter().filter(|name| name != "Set Chunk Size"));
    };
    send(
        &mut raw,
        0,
        b"\x02\0\x07connect\0\x3F\xF0\0\0\0\0\0\0\x03\0\x03app\x02\0\x04live\0\0\x09",
    );
    raw.session.accept_connect(ConnectReply::default());
    hear(&mut raw);
    raw.peer
        .message(MessageType::WINDOW_ACK_SIZE, 0, 0, &2_500_000_u32.to_be_bytes());
    send(&mut raw, 0, b"\x02\0\x0CcreateStream\0\x40\0\0\0\0\0\0\0\x05");
    hear(&mut raw);
    send(
        &mut raw,
        1,
        b"\x02\0\x07publish\0\0\0\0\0\0\0\0\0\x05\x02\0\x04test\x02\0\x06record",
    );
    raw.session.accept_publish(1);
    hear(&mut raw);
    raw.peer.message(
        MessageType::DATA,
        1,
        0,
        b"\x02\0\x0D@setDataFrame\x02\0\x0AonMetaData\x08\0\0\0\0\0\0\x09",
    );
    raw.peer.message(MessageType::AUDIO, 1, 0, b"\xAF\x01\x21");
    raw.peer
        .message(MessageType::SET_CHUNK_SIZE, 0, 0, &128_u32.to_be_bytes());
    raw.peer.message(MessageType::VIDEO, 1, 0, b"\x27\x01\0\0\0\x09");
    raw.feed().unwrap();
    let media: Vec<_> = raw
        .events()
        .iter()
        .filter_map(|event| match event {
            ServerEvent::Media { message, .. } => Some(message.type_id()),
            _ => None,
        })
        .collect();
    assert_eq!(media, [18, 8, 9]);
    let expected = [
        "Window Acknowledgement Size",
        "Set Peer Bandwidth",
        "StreamBegin(0)",
        "_result NetConnection.Connect.Success",
        "_result",
        "StreamBegin(1)",
        "onStatus NetStream.Publish.Start",
    ];
    assert_eq!(transcript, expected);
}

#[test]
fn section_7_3_3_publish_metadata_from_recorded_stream() {
    let mut raw = Raw::connected();
    send(&mut raw, 0, b"\x02\0\x0CcreateStream\0\x40\0\0\0\0\0\0\0\x05");
    assert_eq!(flow(&raw.replies()), ["_result"]);
    send(
        &mut raw,
        1,
        b"\x02\0\x07publish\0\0\0\0\0\0\0\0\0\x05\x02\0\x04test\x02\0\x04live",
    );
    raw.session.accept_publish(1);
    assert_eq!(flow(&raw.replies())[0], "StreamBegin(1)");
    let metadata = b"\x02\0\x0AonMetaData\x08\0\0\0\x01\0\x08duration\0\x40\x14\0\0\0\0\0\0\0\0\x09";
    raw.peer.message(MessageType::DATA, 1, 0, metadata);
    raw.feed().unwrap();
    let events = raw.events();
    let bodies: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            ServerEvent::Media { message, .. } => Some(&message.body[..]),
            _ => None,
        })
        .collect();
    assert_eq!(bodies, [&metadata[..]]);
    let duration = Value::EcmaArray(Object::new().with("duration", 5));
    let values = rtmp_core::amf::amf0::decode_all(bodies[0], &Limits::default()).unwrap();
    assert_eq!(values[1], duration);
}
