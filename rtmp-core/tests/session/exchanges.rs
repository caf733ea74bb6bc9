//! The publish and play exchanges of the reference transcripts, byte for byte on the client's side, message for message on
//! the server's.

use crate::raw::{Decoder, HANDSHAKE, command_of};
use bytes::Bytes;
use rtmp_core::amf::{Object, Value};
use rtmp_core::media::MediaKind;
use rtmp_core::session::{
    ConnectReply, PlayStart, PublishMode, ServerEvent, ServerSession, ServerSessionConfig,
};
use rtmp_core::wire::chunk::{Message, MessageType, SharedMessage, csid};
use std::sync::Arc;

const PUBLISH_CLIENT: &[u8] = include_bytes!("../vectors/publish_client.bin");
const PUBLISH_SERVER: &[u8] = include_bytes!("../vectors/publish_server.bin");
const PLAY_CLIENT: &[u8] = include_bytes!("../vectors/play_client.bin");
const PLAY_SERVER: &[u8] = include_bytes!("../vectors/play_server.bin");

/// The transcripts' server gave every client the id 1.
fn reply() -> ConnectReply {
    ConnectReply {
        properties: Object::new(),
        info: Object::new().with("clientid", 1.0),
        ..ConnectReply::default()
    }
}

fn session(chunk_size: u32) -> ServerSession {
    let config = ServerSessionConfig {
        chunk_size,
        ..Default::default()
    };
    ServerSession::new(Arc::new(config), [3; 32], 0)
}

/// Drives a publisher's bytes in pieces, answering each request at once. What was delivered, and what was answered.
fn publish(piece: usize) -> (Vec<ServerEvent>, Vec<u8>) {
    let mut session = session(4096);
    let mut events = Vec::new();
    for bytes in PUBLISH_CLIENT.chunks(piece) {
        session.input(Bytes::copy_from_slice(bytes), 0).unwrap();
        while let Some(event) = session.poll_event() {
            match event {
                ServerEvent::Connect(_) => session.accept_connect(reply()),
                ServerEvent::Publish { stream_id, .. } => session.accept_publish(stream_id),
                _ => {}
            }
            events.push(event);
        }
    }
    (events, session.output().take_bytes())
}

/// Equal but for the answer to `connect`, where ours may say more.
fn assert_same(ours: &[Message], theirs: &[Message]) {
    assert_eq!(ours.len(), theirs.len(), "{ours:#?}");
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert_eq!(
            (ours.kind, ours.stream_id, ours.timestamp),
            (theirs.kind, theirs.stream_id, theirs.timestamp)
        );
        match (command_of(ours), command_of(theirs)) {
            (Some(ours), Some(theirs)) if theirs.transaction_id == 1.0 => {
                assert_eq!(ours.name, theirs.name);
                assert_contains(&ours.object, &theirs.object);
                assert_contains(&ours.args[0], &theirs.args[0]);
            }
            _ => assert_eq!(ours.payload, theirs.payload),
        }
    }
}

fn assert_contains(ours: &Value, theirs: &Value) {
    for (key, value) in theirs.as_object().unwrap().iter() {
        assert_eq!(ours.get(key), Some(value), "{key}");
    }
}

#[test]
fn the_publisher_gets_the_answers_of_the_transcript() {
    let (_, output) = publish(1);
    let mut ours = Decoder::new().read(&output);
    // The transcript's server says nothing to FCUnpublish.
    ours.retain(|message| {
        command_of(message)
            .is_none_or(|command| command.name != "onFCUnpublish" && command.transaction_id != 6.0)
    });
    assert_same(&ours, &Decoder::new().read(PUBLISH_SERVER));
    // The control messages in front of the answer to connect are the same to the byte.
    let control = HANDSHAKE..3128;
    assert_eq!(output[control.clone()], PUBLISH_SERVER[control]);
}

#[test]
fn the_publishers_media_is_delivered_with_its_times() {
    let (events, _) = publish(usize::MAX);
    let media: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            ServerEvent::Media { stream_id, message } => Some((*stream_id, message.kind, message.timestamp)),
            _ => None,
        })
        .collect();
    use MediaKind::{Audio, Data, Video};
    let expected = [
        (Data, 0),
        (Video, 0),
        (Audio, 0),
        (Video, 0),
        (Audio, 0),
        (Audio, 23),
        (Video, 40),
    ];
    assert_eq!(media, expected.map(|(kind, time)| (1, kind, time)));
}

#[test]
fn pieces_of_any_size_give_the_same_events() {
    let whole = format!("{:?}", publish(usize::MAX).0);
    for piece in [1, 7, 128, 1537] {
        assert_eq!(format!("{:?}", publish(piece).0), whole, "{piece}");
    }
}

#[test]
fn the_publishers_requests_are_taken_apart() {
    let (events, _) = publish(1000);
    let ServerEvent::Connect(request) = &events[0] else {
        panic!("{events:?}");
    };
    assert_eq!(
        (request.app.as_str(), request.instance.as_str()),
        ("live", "_definst_")
    );
    assert_eq!(request.tc_url, "rtmp://127.0.0.1/live");
    assert_eq!(request.flash_ver, "FMLE/3.0 (compatible; FMSc/1.0)");
    assert_eq!(request.object_encoding, 0);
    let ServerEvent::Publish {
        stream_id: 1,
        name,
        query,
        mode: PublishMode::Live,
    } = &events[1]
    else {
        panic!("{events:?}");
    };
    assert_eq!((name.as_str(), query.as_str()), ("test", ""));
    let ServerEvent::DataFrame {
        stream_id: 1,
        name,
        message: Some(message),
    } = &events[2]
    else {
        panic!("{events:?}");
    };
    assert_eq!(name, "onMetaData");
    assert!(message.body.starts_with(b"\x02\0\x0aonMetaData\x08"));
    let unpublished = events
        .iter()
        .filter(|event| matches!(event, ServerEvent::Unpublish { stream_id: 1 }));
    assert_eq!(unpublished.count(), 1);
}

#[test]
fn the_players_requests_are_taken_apart() {
    let mut session = session(128);
    session.input(Bytes::from_static(PLAY_CLIENT), 0).unwrap();
    let Some(ServerEvent::Connect(request)) = session.poll_event() else {
        panic!("no connect");
    };
    assert_eq!(request.app, "vod");
    // User control is not part of the queue behind connect.
    assert!(matches!(
        session.poll_event(),
        Some(ServerEvent::SetBufferLength {
            stream_id: 1,
            millis: 3000
        })
    ));
    session.accept_connect(reply());
    let Some(ServerEvent::Play {
        stream_id: 1,
        name,
        start,
        duration: None,
        reset: true,
        ..
    }) = session.poll_event()
    else {
        panic!("no play");
    };
    assert_eq!((name.as_str(), start), ("test", PlayStart::Any));
    // The capture is in to its end, but its deleteStream waits for the answer to play.
    assert!(session.poll_event().is_none());
    session.accept_play(1);
    assert!(matches!(
        session.poll_event(),
        Some(ServerEvent::StopPlay { stream_id: 1 })
    ));
}

#[test]
fn the_play_answer_and_the_media_are_those_of_the_transcript() {
    let theirs = Decoder::new().read(PLAY_SERVER);
    // Without the deleteStream at the end.
    let mut session = session(128);
    session
        .input(Bytes::from_static(&PLAY_CLIENT[..3387]), 0)
        .unwrap();
    session.accept_connect(reply());
    session.stream_is_recorded(1);
    session.accept_play(1);
    let media = |message: &&Message| {
        matches!(message.kind, MessageType::AUDIO | MessageType::VIDEO)
            || message.payload.starts_with(b"\x02\0\x0aonMetaData")
    };
    for message in theirs.iter().filter(media) {
        let csid = match message.kind {
            MessageType::AUDIO => csid::AUDIO,
            MessageType::VIDEO => csid::VIDEO,
            _ => csid::DATA,
        };
        let shared = SharedMessage::new(
            message.kind,
            message.timestamp,
            message.payload.clone(),
            128,
            csid,
        );
        assert!(session.send_media(1, &shared));
    }
    session.play_complete(1, 0, 16_777.0, 0.0);
    let mut ours = Decoder::new().read(&session.output().take_bytes());
    let at = ours
        .iter()
        .position(|message| message.payload.starts_with(b"\x02\0\x0conPlayStatus"))
        .unwrap();
    // Its duration is the transcript's affair.
    ours[at].payload = theirs[at].payload.clone();
    assert_same(&ours, &theirs);
}

#[test]
fn media_slices_the_input_without_a_copy() {
    let mut session = session(4096);
    session.input(Bytes::from_static(PUBLISH_CLIENT), 0).unwrap();
    session.accept_connect(reply());
    session.accept_publish(1);
    let mut seen = 0;
    while let Some(event) = session.poll_event() {
        if let ServerEvent::Media { message, .. } = event {
            assert!(PUBLISH_CLIENT.as_ptr_range().contains(&message.body.as_ptr()));
            seen += 1;
        }
    }
    assert_eq!(seen, 7);
}
