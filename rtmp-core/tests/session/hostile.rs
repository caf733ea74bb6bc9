//! Hostile and clumsy clients against a server session.

use crate::raw::{Raw, summary};
use bytes::Bytes;
use rtmp_core::amf::{Object, Value};
use rtmp_core::session::{ConnectReply, ServerEvent, ServerSessionConfig, SessionError};
use rtmp_core::wire::chunk::MessageType;

/// S1: anything before connect.
#[test]
fn whatever_comes_before_connect_ends_the_connection() {
    let mut raw = Raw::new(ServerSessionConfig::default());
    raw.peer.command(0, "createStream", 2.0, vec![]);
    assert!(matches!(raw.feed(), Err(SessionError::NotConnected(name)) if name == "createStream"));
    assert!(raw.session.is_closed());
    for kind in [
        MessageType::AUDIO,
        MessageType::VIDEO,
        MessageType::DATA,
        MessageType::SHARED_OBJECT,
    ] {
        let mut raw = Raw::new(ServerSessionConfig::default());
        raw.peer.message(kind, 1, 0, &[0x17, 1, 0]);
        assert!(
            matches!(raw.feed(), Err(SessionError::NotConnected(_))),
            "{kind:?}"
        );
    }
    let mut raw = Raw::new(ServerSessionConfig::default());
    raw.peer.message(MessageType::COMMAND, 0, 0, &[5, 5, 5]);
    assert!(matches!(raw.feed(), Err(SessionError::Connect(_))));
}

/// S1: but types nobody defines and empty commands are ignored.
#[test]
fn unknown_types_before_connect_are_ignored() {
    let mut raw = Raw::new(ServerSessionConfig::default());
    for kind in [0, 7, 10, 14, 21, 23, 255] {
        raw.peer.message(MessageType(kind), 1, 0, &[1, 2, 3]);
    }
    raw.peer.message(MessageType::COMMAND, 0, 0, &[]);
    raw.peer.connect(Object::new().with("app", "live"));
    raw.feed().unwrap();
    assert!(matches!(&raw.events()[..], [ServerEvent::Connect(_)]));
}

/// S2: connect twice.
#[test]
fn a_second_connect_ends_the_connection() {
    let mut raw = Raw::connected();
    raw.peer.connect(Object::new().with("app", "live"));
    assert!(matches!(raw.feed(), Err(SessionError::AlreadyConnected)));
}

/// S2: the second one while the first is being decided.
#[test]
fn a_second_connect_while_deciding_is_an_error_reported_later() {
    let mut raw = Raw::new(ServerSessionConfig::default());
    raw.peer.connect(Object::new().with("app", "live"));
    raw.peer.connect(Object::new().with("app", "live"));
    raw.feed().unwrap();
    raw.events();
    raw.session.accept_connect(ConnectReply::default());
    assert!(matches!(&raw.events()[..], [ServerEvent::Close]));
    assert_eq!(raw.session.poll_timeout(), Some(0));
    assert!(matches!(
        raw.session.handle_timeout(0),
        Err(SessionError::AlreadyConnected)
    ));
}

/// S2: bad applications.
#[test]
fn bad_applications_are_refused_with_a_status() {
    let long = "a".repeat(10_240);
    for app in ["", "..", "a/../b", "a\0b", "a\r\nb", &long] {
        let mut raw = Raw::new(ServerSessionConfig::default());
        raw.peer.connect(Object::new().with("app", app));
        raw.feed().unwrap();
        let replies = raw.reply_commands();
        let expected = [
            ("_error", 1.0, "NetConnection.Connect.InvalidApp"),
            ("close", 0.0, ""),
        ]
        .map(|(name, id, code)| (name.to_owned(), id, code.to_owned()));
        assert_eq!(replies, expected, "{app:?}");
        assert!(raw.session.is_closed());
        assert!(matches!(&raw.events()[..], [ServerEvent::Close]));
    }
    let mut raw = Raw::new(ServerSessionConfig::default());
    raw.peer.connect(Value::Null);
    raw.feed().unwrap();
    assert_eq!(raw.reply_commands()[0].2, "NetConnection.Connect.InvalidApp");
}

/// S3: createStream without end.
#[test]
fn streams_are_refused_at_the_limit_and_then_the_connection_ends() {
    let mut raw = Raw::connected();
    for id in 0..80 {
        raw.peer.command(0, "createStream", f64::from(id + 2), vec![]);
    }
    raw.feed().unwrap();
    let replies = raw.reply_commands();
    assert_eq!(replies.iter().filter(|(name, ..)| name == "_result").count(), 64);
    assert_eq!(replies.iter().filter(|(name, ..)| name == "_error").count(), 16);
    raw.peer.command(0, "createStream", 99.0, vec![]);
    assert!(matches!(raw.feed(), Err(SessionError::TooManyStreams(64))));
}

/// S4: publish and play on streams nobody created.
#[test]
fn streams_never_created_are_usable_when_small_and_refused_when_not() {
    for (stream_id, expected) in [(0, 1), (1, 1), (7, 7)] {
        let mut raw = Raw::connected();
        raw.peer.command(stream_id, "publish", 0.0, vec!["a".into()]);
        raw.feed().unwrap();
        let events = raw.events();
        assert!(
            matches!(&events[..], [ServerEvent::Publish { stream_id, .. }] if *stream_id == expected),
            "{events:?}"
        );
        raw.session.accept_publish(expected);
        raw.peer.message(MessageType::AUDIO, stream_id, 0, &[0xAF, 1, 2]);
        raw.feed().unwrap();
        assert!(matches!(&raw.events()[..], [ServerEvent::Media { .. }]));
    }
    for stream_id in [65, 0x0100_0000, u32::MAX] {
        let mut raw = Raw::connected();
        raw.peer.command(stream_id, "play", 0.0, vec!["a".into()]);
        raw.feed().unwrap();
        assert!(raw.events().is_empty());
        assert_eq!(raw.reply_commands()[0].2, "NetStream.Failed");
    }
    let mut raw = Raw::new(ServerSessionConfig {
        lenient_streams: false,
        ..Default::default()
    });
    raw.peer.connect(Object::new().with("app", "live"));
    raw.feed().unwrap();
    raw.session.accept_connect(ConnectReply::default());
    raw.peer.command(1, "publish", 0.0, vec!["a".into()]);
    raw.feed().unwrap();
    assert_eq!(raw.events().len(), 1);
    assert_eq!(raw.reply_commands().last().unwrap().2, "NetStream.Failed");
}

/// S6: releaseStream and FCUnpublish of a name this client does not publish.
#[test]
fn other_clients_names_cannot_be_released() {
    let mut raw = Raw::connected();
    raw.peer.command(0, "releaseStream", 2.0, vec!["theirs".into()]);
    raw.peer.command(0, "FCUnpublish", 3.0, vec!["theirs".into()]);
    raw.peer.command(0, "deleteStream", 0.0, vec![9.0.into()]);
    raw.feed().unwrap();
    assert!(raw.events().is_empty());
}

/// S8: names no application could use.
#[test]
fn unusable_stream_names_are_refused_with_a_status() {
    let long = "n".repeat(257);
    for name in [
        Value::Null,
        Value::from(7.0),
        "".into(),
        "?x".into(),
        "a\0b".into(),
        long.into(),
    ] {
        let mut raw = Raw::connected();
        raw.peer.command(1, "publish", 0.0, vec![name.clone()]);
        raw.peer.command(2, "play", 0.0, vec![name]);
        raw.feed().unwrap();
        assert!(raw.events().is_empty());
        let codes: Vec<_> = raw
            .reply_commands()
            .into_iter()
            .map(|(_, _, code)| code)
            .collect();
        assert_eq!(
            codes,
            ["NetStream.Publish.BadName", "NetStream.Play.StreamNotFound"]
        );
    }
}

/// S12: answers to calls never made.
#[test]
fn answers_to_nothing_are_ignored() {
    let mut raw = Raw::connected();
    for id in [0.0, 1.0, 2.0, 1e300] {
        raw.peer.command(0, "_result", id, vec![Value::Null]);
        raw.peer.command(0, "_error", id, vec![]);
    }
    raw.feed().unwrap();
    assert!(raw.events().is_empty());
    assert!(raw.replies().is_empty());
}

/// S12: the second answer to one call.
#[test]
fn a_call_is_answered_once() {
    let mut raw = Raw::connected();
    let id = raw.session.call("hello", vec![], true).unwrap();
    raw.peer.command(0, "_result", id, vec![1.0.into()]);
    raw.peer.command(0, "_result", id, vec![2.0.into()]);
    raw.feed().unwrap();
    assert!(matches!(
        &raw.events()[..],
        [ServerEvent::CallReply { result: Ok(_), .. }]
    ));
}

/// S13: calls without reading the answers.
#[test]
fn too_many_unanswered_calls_end_the_connection() {
    let mut raw = Raw::connected();
    for _ in 0..1024 {
        raw.peer.command(0, "work", 5.0, vec![]);
    }
    raw.feed().unwrap();
    raw.session.reply_call(5.0, Ok(Value::Null));
    raw.peer.command(0, "work", 5.0, vec![]);
    raw.feed().unwrap();
    raw.peer.command(0, "work", 5.0, vec![]);
    assert!(matches!(raw.feed(), Err(SessionError::TooManyCalls(1024))));
}

/// S16: metadata without bounds.
#[test]
fn data_frames_are_bounded_in_number_and_size() {
    let mut raw = publishing();
    for index in 0..40 {
        let body = format!("\x02\0\x0d@setDataFrame\x02\0\x02{index:02}\x05");
        raw.peer.message(MessageType::DATA, 1, 0, body.as_bytes());
    }
    let mut big = b"\x02\0\x0d@setDataFrame\x02\0\x0aonMetaData\x0c\0\x01\0\0".to_vec();
    big.resize(big.len() + 65_536, b'x');
    raw.peer.message(MessageType::DATA, 1, 0, &big);
    raw.feed().unwrap();
    let events = raw.events();
    let kept = events
        .iter()
        .filter(|event| matches!(event, ServerEvent::DataFrame { .. }))
        .count();
    let passed = events
        .iter()
        .filter(|event| matches!(event, ServerEvent::Media { .. }))
        .count();
    assert_eq!((kept, passed), (16, 40));
}

/// S17: media on a stream that does not publish.
#[test]
fn media_nobody_publishes_is_dropped() {
    let mut raw = Raw::connected();
    raw.peer.command(0, "createStream", 2.0, vec![]);
    for stream_id in [0, 1, 2, u32::MAX] {
        raw.peer.message(MessageType::VIDEO, stream_id, 0, &[0x17, 1]);
        raw.peer.message(
            MessageType::AGGREGATE,
            stream_id,
            0,
            &[8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        );
    }
    raw.feed().unwrap();
    assert!(raw.events().is_empty());
}

/// P11: an aggregate's messages are those of its stream.
#[test]
fn aggregates_are_unpacked() {
    let mut raw = publishing();
    let body = [
        0x08, 0, 0, 3, 0, 3, 0xE8, 0, 0, 0, 0, 0xAF, 0x01, 0xAA, 0, 0, 0, 0x0E, 0x09, 0, 0, 5, 0, 3, 0xFC, 0,
        0, 0, 0, 0x27, 1, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    raw.peer.message(MessageType::AGGREGATE, 1, 1000, &body);
    raw.feed().unwrap();
    let times: Vec<_> = raw
        .events()
        .iter()
        .map(|event| match event {
            ServerEvent::Media { message, .. } => (message.timestamp, message.body.len()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(times, [(1000, 3), (1020, 5)]);
}

/// P1, P2, P3, P4, P6, P7, P10: control messages with wild values.
#[test]
fn wild_control_messages_do_no_harm() {
    let mut raw = Raw::connected();
    for value in [0_u32, 1, 0x8000_0000, u32::MAX] {
        raw.peer
            .message(MessageType::WINDOW_ACK_SIZE, 0, 0, &value.to_be_bytes());
        raw.peer
            .message(MessageType::ACKNOWLEDGEMENT, 0, 0, &value.to_be_bytes());
        raw.peer.message(MessageType::ABORT, 0, 0, &value.to_be_bytes());
        let bandwidth = [&value.to_be_bytes()[..], &[9]].concat();
        raw.peer
            .message(MessageType::SET_PEER_BANDWIDTH, 0, 0, &bandwidth);
        raw.peer
            .message(MessageType::SET_PEER_BANDWIDTH, 0, 0, &value.to_be_bytes());
    }
    for kind in 1..=6 {
        raw.peer.message(MessageType(kind), 0, 0, &[]);
        raw.peer.message(MessageType(kind), 0, 0, &[0]);
    }
    for event in [3_u16, 5, 8, 27, 100, u16::MAX] {
        raw.peer
            .message(MessageType::USER_CONTROL, 0, 0, &event.to_be_bytes());
    }
    raw.feed().unwrap();
    assert!(raw.events().is_empty());
}

/// K8, K9: chunk sizes that cannot be.
#[test]
fn impossible_chunk_sizes_end_the_connection() {
    for size in [0_u32, 0x8000_0000, u32::MAX] {
        let mut raw = Raw::connected();
        raw.peer
            .message(MessageType::SET_CHUNK_SIZE, 0, 0, &size.to_be_bytes());
        assert!(matches!(raw.feed(), Err(SessionError::Chunk(_))), "{size}");
    }
}

/// P8: pings without end.
#[test]
fn a_flood_of_pings_gets_few_answers() {
    let mut raw = Raw::connected();
    for _ in 0..10_000 {
        raw.peer
            .message(MessageType::USER_CONTROL, 0, 0, &[0, 6, 0, 0, 13, 15]);
        raw.peer
            .message(MessageType::USER_CONTROL, 0, 0, &[0, 7, 0, 0, 13, 15]);
    }
    raw.feed().unwrap();
    let replies = raw.replies();
    assert_eq!(replies.len(), 10);
    assert_eq!(&replies[0].payload[..], &[0, 7, 0, 0, 13, 15]);
}

/// T1, and the time for connect.
#[test]
fn slow_clients_are_given_up() {
    let mut raw = Raw::new(ServerSessionConfig::default());
    raw.session.input(Bytes::from_static(&[3, 0, 0]), 9000).unwrap();
    assert_eq!(raw.session.poll_timeout(), Some(10_000));
    assert!(matches!(
        raw.session.handle_timeout(10_000),
        Err(SessionError::HandshakeTimeout(10_000))
    ));
    let mut raw = Raw::new(ServerSessionConfig::default());
    raw.now = 4000;
    raw.feed().unwrap();
    assert_eq!(raw.session.poll_timeout(), Some(14_000));
    assert!(matches!(
        raw.session.handle_timeout(14_000),
        Err(SessionError::ConnectTimeout(10_000))
    ));
}

/// What may wait for the host's decision is bounded.
#[test]
fn too_much_before_the_decision_ends_the_connection() {
    let mut raw = Raw::new(ServerSessionConfig::default());
    raw.peer.connect(Object::new().with("app", "live"));
    for _ in 0..257 {
        raw.peer.command(0, "x", 0.0, vec![]);
    }
    assert!(matches!(raw.feed(), Err(SessionError::TooMuchWaiting(256))));
}

/// A9: commands nobody can read.
#[test]
fn unreadable_commands_are_ignored() {
    let mut raw = Raw::connected();
    for payload in [
        &b""[..],
        b"\x05",
        b"\x02\0\x04play\x02\0\x01x",
        b"\x02\0\x04play\0\x7f\xf8\0\0\0\0\0\0",
        b"\x02\0",
    ] {
        raw.peer.message(MessageType::COMMAND, 1, 0, payload);
        raw.peer.message(MessageType::COMMAND_AMF3, 1, 0, payload);
    }
    raw.feed().unwrap();
    let events = raw.events();
    assert_eq!(events.len(), 8, "the host hears of each that is not empty");
    assert!(
        events
            .iter()
            .all(|event| matches!(event, ServerEvent::Unreadable(_)))
    );
    assert!(raw.replies().is_empty());
}

/// Transaction 0 wants no answer.
#[test]
fn transaction_zero_is_never_answered() {
    let mut raw = Raw::connected();
    raw.peer.command(0, "releaseStream", 0.0, vec!["a".into()]);
    raw.peer.command(0, "createStream", 0.0, vec![]);
    raw.peer.command(0, "getStreamLength", 0.0, vec!["a".into()]);
    raw.feed().unwrap();
    assert!(raw.replies().is_empty());
    raw.session.reply_call(0.0, Ok(Value::Null));
    assert!(raw.replies().is_empty());
}

fn publishing() -> Raw {
    let mut raw = Raw::connected();
    raw.peer.command(0, "createStream", 2.0, vec![]);
    raw.peer.command(1, "publish", 0.0, vec!["a".into()]);
    raw.feed().unwrap();
    raw.events();
    raw.session.accept_publish(1);
    let statuses = raw.replies();
    let last = statuses
        .iter()
        .filter_map(crate::raw::command_of)
        .next_back()
        .unwrap();
    assert_eq!(summary(&last).2, "NetStream.Publish.Start");
    raw
}
