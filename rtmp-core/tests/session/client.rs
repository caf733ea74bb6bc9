//! A client session against the oddities of real servers, and against hostile ones.

use crate::raw::{Peer, command_of};
use bytes::Bytes;
use rtmp_core::amf::{Object, Value};
use rtmp_core::session::{
    ClientEvent, ClientSession, ClientSessionConfig, PlayOptions, PublishMode, SessionError,
};
use rtmp_core::wire::chunk::{Message, MessageType};
use rtmp_core::wire::message::control::Control;

/// A client session and a raw server.
struct Raw {
    session: ClientSession,
    peer: Peer,
    reader: crate::raw::Decoder,
}

impl Raw {
    fn new() -> Self {
        let config = ClientSessionConfig::new("live", "rtmp://127.0.0.1/live");
        let mut session = ClientSession::new(config, [5; 32], 0);
        session.connect(0);
        Self {
            session,
            peer: Peer::new(),
            reader: crate::raw::Decoder::new(),
        }
    }

    fn connected() -> Self {
        let mut raw = Self::new();
        let info = Object::new()
            .with("level", "status")
            .with("code", "NetConnection.Connect.Success");
        raw.peer.command(0, "_result", 1.0, vec![info.into()]);
        assert!(matches!(&raw.feed()[..], [ClientEvent::Connected { .. }]));
        raw.sent();
        raw
    }

    fn feed(&mut self) -> Vec<ClientEvent> {
        self.session.input(self.peer.take(), 0).unwrap();
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    fn sent(&mut self) -> Vec<Message> {
        self.reader.read(&self.session.output().take_bytes())
    }

    fn sent_names(&mut self) -> Vec<(String, f64, u32)> {
        let line = |message: &Message| Some((command_of(message)?, message.stream_id));
        let name = |(command, stream_id): (_, u32)| {
            let command: rtmp_core::wire::message::command::Command = command;
            (command.name, command.transaction_id, stream_id)
        };
        self.sent().iter().filter_map(line).map(name).collect()
    }
}

fn names(expected: &[(&str, f64, u32)]) -> Vec<(String, f64, u32)> {
    expected
        .iter()
        .map(|&(name, id, stream)| (name.to_owned(), id, stream))
        .collect()
}

#[test]
fn the_chunk_size_and_connect_follow_the_handshake() {
    let mut raw = Raw::new();
    raw.feed();
    let sent = raw.sent();
    assert_eq!(Control::load(&sent[0]).unwrap(), Control::SetChunkSize(4096));
    let connect = command_of(&sent[1]).unwrap();
    assert_eq!((connect.name.as_str(), connect.transaction_id), ("connect", 1.0));
    for key in [
        "app",
        "flashVer",
        "tcUrl",
        "fpad",
        "capabilities",
        "audioCodecs",
        "videoCodecs",
        "videoFunction",
    ] {
        assert!(connect.object.get(key).is_some(), "{key}");
    }
    assert_eq!(
        connect.object.get("objectEncoding").and_then(Value::as_f64),
        Some(0.0)
    );
    assert_eq!(
        connect
            .object
            .get("fourCcList")
            .and_then(Value::as_array)
            .map(<[_]>::len),
        Some(1)
    );
}

#[test]
fn publishing_sends_what_encoders_send() {
    let mut raw = Raw::connected();
    assert_eq!(raw.session.publish_stream("test", PublishMode::Live), Some(4.0));
    assert_eq!(
        raw.sent_names(),
        names(&[
            ("releaseStream", 2.0, 0),
            ("FCPublish", 3.0, 0),
            ("createStream", 4.0, 0)
        ])
    );
    // As ffmpeg -listen 1 answers: three fields to releaseStream, the bare name for FCPublish.
    raw.peer.message(
        MessageType::COMMAND,
        0,
        0,
        b"\x02\0\x07_result\0\x40\0\0\0\0\0\0\0\x05",
    );
    raw.peer
        .message(MessageType::COMMAND, 0, 0, b"\x02\0\x0bonFCPublish");
    raw.peer.command(0, "_result", 4.0, vec![1.0.into()]);
    assert!(matches!(
        &raw.feed()[..],
        [ClientEvent::StreamCreated {
            request: 4.0,
            stream_id: 1
        }]
    ));
    assert_eq!(raw.sent_names(), names(&[("publish", 5.0, 1)]));
    raw.session.delete_stream(1);
    assert_eq!(
        raw.sent_names(),
        names(&[("FCUnpublish", 6.0, 0), ("deleteStream", 0.0, 0)])
    );
}

#[test]
fn playing_sends_play_and_the_buffer_length() {
    let mut raw = Raw::connected();
    raw.session.play_stream(PlayOptions::new("test")).unwrap();
    raw.sent();
    raw.peer.command(0, "_result", 2.0, vec![1.0.into()]);
    raw.feed();
    let sent = raw.sent();
    let play = command_of(&sent[0]).unwrap();
    assert_eq!(
        (play.name.as_str(), play.arg(0).as_str(), play.arg(1).as_f64()),
        ("play", Some("test"), Some(-2000.0))
    );
    // Sheet of transcripts, "SetBufferLength 1, 3000".
    assert_eq!(&sent[1].payload[..], &[0, 3, 0, 0, 0, 1, 0, 0, 0x0B, 0xB8]);
}

#[test]
fn the_peer_bandwidth_is_answered_with_a_window() {
    let mut raw = Raw::connected();
    raw.peer
        .message(MessageType::SET_PEER_BANDWIDTH, 0, 0, &[0, 0x26, 0x25, 0xA0, 2]);
    raw.peer
        .message(MessageType::SET_PEER_BANDWIDTH, 0, 0, &[0, 0x26, 0x25, 0xA0, 2]);
    raw.feed();
    let sent = raw.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        Control::load(&sent[0]).unwrap(),
        Control::WindowAckSize(2_500_000)
    );
}

/// C2: stream ids that cannot be.
#[test]
fn unusable_stream_ids_fail_the_request() {
    for id in [0.0, f64::NAN, -1.0, 1e300, 1.5]
        .map(Value::from)
        .into_iter()
        .chain(["1".into(), Value::Null])
    {
        let mut raw = Raw::connected();
        let request = raw.session.create_stream().unwrap();
        raw.peer.command(0, "_result", request, vec![id.clone()]);
        assert!(
            matches!(&raw.feed()[..], [ClientEvent::StreamFailed { .. }]),
            "{id:?}"
        );
    }
    let mut raw = Raw::connected();
    for _ in 0..2 {
        let request = raw.session.create_stream().unwrap();
        raw.peer.command(0, "_result", request, vec![1.0.into()]);
    }
    assert!(matches!(
        &raw.feed()[..],
        [
            ClientEvent::StreamCreated { .. },
            ClientEvent::StreamFailed { .. }
        ]
    ));
}

/// C3: statuses that say nothing.
#[test]
fn statuses_without_information_are_ignored() {
    let mut raw = Raw::connected();
    raw.peer.command(1, "onStatus", 0.0, vec![]);
    raw.peer.command(1, "onStatus", 0.0, vec![Value::Null]);
    raw.peer.command(1, "onStatus", 0.0, vec![Object::new().into()]);
    raw.peer.command(1, "onStatus", 0.0, vec!["text".into()]);
    assert!(raw.feed().is_empty());
}

/// C4: the server ends the connection.
#[test]
fn close_and_on_fc_unsubscribe_end_the_session_once() {
    for name in ["close", "onFCUnsubscribe"] {
        let mut raw = Raw::connected();
        raw.peer.command(0, name, 0.0, vec![]);
        raw.peer.command(0, name, 0.0, vec![]);
        assert!(matches!(&raw.feed()[..], [ClientEvent::Closed]));
        assert!(raw.session.is_closed());
        raw.session.close();
        assert!(raw.session.poll_event().is_none());
    }
}

/// C7: media for streams this client does not play.
#[test]
fn media_for_unknown_streams_is_dropped() {
    let mut raw = Raw::connected();
    for stream_id in [0, 1, 9, u32::MAX] {
        raw.peer.message(MessageType::VIDEO, stream_id, 0, &[0x17, 1]);
        raw.peer.message(MessageType::DATA, stream_id, 0, b"\x02\0\x01a");
    }
    assert!(raw.feed().is_empty());
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let config = ClientSessionConfig::new("live", "rtmp://127.0.0.1/live");
    let mut session = ClientSession::new(config, [5; 32], 0);
    assert_eq!(session.poll_timeout(), None);
    session.connect(100);
    assert_eq!(session.output().len(), 1537);
    session.input(Bytes::from_static(&[3]), 5000).unwrap();
    assert!(session.handle_timeout(10_099).is_ok());
    assert!(matches!(
        session.handle_timeout(10_100),
        Err(SessionError::HandshakeTimeout(_))
    ));

    let mut raw = Raw::new();
    raw.feed();
    assert!(matches!(
        raw.session.handle_timeout(10_000),
        Err(SessionError::ConnectTimeout(_))
    ));
}

#[test]
fn an_unanswered_publish_fails_in_time() {
    let mut raw = Raw::connected();
    raw.session.publish_stream("test", PublishMode::Live).unwrap();
    raw.peer.command(0, "_result", 4.0, vec![1.0.into()]);
    raw.feed();
    raw.session.handle_timeout(30_000).unwrap();
    let events: Vec<_> = std::iter::from_fn(|| raw.session.poll_event()).collect();
    assert!(
        matches!(&events[..], [ClientEvent::Status { stream_id: 1, status }] if status.is_error()),
        "{events:?}"
    );
}

#[test]
fn a_bare_result_to_publish_is_a_success() {
    let mut raw = Raw::connected();
    raw.session.publish_stream("test", PublishMode::Live).unwrap();
    raw.peer.command(0, "_result", 4.0, vec![1.0.into()]);
    raw.peer.command(0, "_result", 5.0, vec![]);
    let events = raw.feed();
    assert!(matches!(
        &events[..],
        [ClientEvent::StreamCreated { .. }, ClientEvent::Status { stream_id: 1, status }]
            if status.code == "NetStream.Publish.Start"
    ));
}
