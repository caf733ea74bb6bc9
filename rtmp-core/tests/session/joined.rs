//! A server session and a client session, joined in memory.

use crate::support::pair::Pair;
use bytes::Bytes;
use rtmp_core::amf::{Object, Value};
use rtmp_core::media::{MediaKind, MediaMessage};
use rtmp_core::session::{
    ClientEvent, ConnectReply, PlayOptions, PublishMode, ServerEvent, ServerSessionConfig, redirect_target,
};
use rtmp_core::wire::chunk::{MessageType, SharedMessage, csid};
use rtmp_core::wire::status::{Code, Status};

pub(crate) fn video(timestamp: u32, size: usize) -> MediaMessage {
    let mut body = vec![0x17, 1, 0, 0, 0];
    body.resize(size, 0x5A);
    MediaMessage {
        kind: MediaKind::Video,
        timestamp,
        body: body.into(),
    }
}

/// Publishing `test` on stream 1, accepted.
pub(crate) fn publishing() -> Pair {
    let mut pair = Pair::connected();
    pair.client
        .publish_stream("test?token=abc", PublishMode::Live)
        .unwrap();
    pair.pump();
    pair.server.accept_publish(1);
    pair.pump();
    pair
}

/// Playing `test` on stream 1, accepted.
fn playing() -> Pair {
    let mut pair = Pair::connected();
    pair.client.play_stream(PlayOptions::new("test")).unwrap();
    pair.pump();
    pair.server.accept_play(1);
    pair.pump();
    pair
}

#[test]
fn a_client_connects() {
    let mut pair = Pair::usual();
    pair.piece = 13;
    pair.pump();
    assert!(
        matches!(&pair.server_events[..], [ServerEvent::Connect(_)]),
        "{:?}",
        pair.server_events
    );
    let info = Object::new().with("clientid", "abc").with("motd", "hello");
    pair.server.accept_connect(ConnectReply {
        info,
        ..Default::default()
    });
    pair.pump();
    let [
        ClientEvent::UserControl(_),
        ClientEvent::Connected {
            status, properties, ..
        },
    ] = &pair.client_events[..]
    else {
        panic!("{:?}", pair.client_events);
    };
    assert!(status.is(Code::ConnectSuccess));
    assert_eq!(status.info.get("motd").and_then(Value::as_str), Some("hello"));
    assert_eq!(
        properties.get("fmsVer").and_then(Value::as_str),
        Some("FMS/3,5,7,7009")
    );
    assert!(pair.client.is_connected() && pair.server.is_connected());
    assert_eq!(
        (pair.server.chunk_size(), pair.client.chunk_size()),
        (65_536, 4096)
    );
}

#[test]
fn a_rejected_client_learns_why_and_where_to_go() {
    let mut pair = Pair::usual();
    pair.pump();
    let ex = Object::new()
        .with("code", 302.0)
        .with("redirect", "rtmp://other/live");
    let status = Status::new(Code::ConnectRejected)
        .with_description("no")
        .with("ex", ex);
    pair.server.reject_connect(status);
    assert!(pair.server.is_closed());
    pair.pump();
    let [ClientEvent::Rejected(status)] = &pair.client_events[..] else {
        panic!("{:?}", pair.client_events);
    };
    assert_eq!(
        (status.code.as_str(), status.description.as_str()),
        ("NetConnection.Connect.Rejected", "no")
    );
    assert_eq!(redirect_target(status), Some("rtmp://other/live"));
    assert!(pair.client.is_closed());
}

#[test]
fn commands_wait_for_the_decision_about_connect() {
    // As a client that does not wait for the answer to connect.
    let mut raw = crate::raw::Raw::new(ServerSessionConfig::default());
    raw.peer.connect(Object::new().with("app", "live"));
    raw.peer.command(0, "createStream", 2.0, vec![]);
    raw.peer
        .command(1, "publish", 3.0, vec!["a".into(), "record".into()]);
    raw.feed().unwrap();
    assert_eq!(raw.events().len(), 1);
    assert!(raw.replies().is_empty());
    raw.session.accept_connect(ConnectReply::default());
    let names: Vec<_> = raw
        .reply_commands()
        .into_iter()
        .map(|(name, id, _)| (name, id))
        .collect();
    assert_eq!(names, [("_result".to_owned(), 1.0), ("_result".to_owned(), 2.0)]);
    let events = raw.events();
    assert!(matches!(
        &events[..],
        [ServerEvent::Publish {
            stream_id: 1,
            mode: PublishMode::Record,
            ..
        }]
    ));
}

#[test]
fn media_flows_from_publisher_to_server() {
    let mut pair = publishing();
    assert_eq!(pair.statuses(), [(1, "NetStream.Publish.Start".to_owned())]);
    let ServerEvent::Publish { name, query, .. } = &pair.server_events[0] else {
        panic!("{:?}", pair.server_events);
    };
    assert_eq!((name.as_str(), query.as_str()), ("test", "token=abc"));
    pair.server_events.clear();
    pair.piece = 1000;
    assert!(pair.client.send_media(1, &video(40, 300_000)));
    pair.pump();
    let [
        ServerEvent::Media {
            stream_id: 1,
            message,
        },
    ] = &pair.server_events[..]
    else {
        panic!("{:?}", pair.server_events.len());
    };
    assert_eq!((message.timestamp, &message.body), (40, &video(40, 300_000).body));
}

#[test]
fn the_end_of_publishing_is_told_once() {
    let mut pair = publishing();
    pair.server_events.clear();
    pair.client.delete_stream(1);
    pair.pump();
    assert!(matches!(
        &pair.server_events[..],
        [ServerEvent::Unpublish { stream_id: 1 }]
    ));
    pair.server.accept_publish(1);
    assert!(pair.server.output().is_empty());
}

#[test]
fn media_sent_before_the_publish_is_accepted_is_held_back() {
    let mut pair = Pair::connected();
    pair.client.publish_stream("test", PublishMode::Live).unwrap();
    pair.pump();
    pair.client.send_media(1, &video(0, 20));
    pair.client.send_media(1, &video(40, 20));
    pair.pump();
    assert!(matches!(&pair.server_events[..], [ServerEvent::Publish { .. }]));
    pair.server_events.clear();
    pair.server.accept_publish(1);
    pair.pump();
    let times: Vec<_> = pair
        .server_events
        .iter()
        .map(|event| match event {
            ServerEvent::Media { message, .. } => message.timestamp,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(times, [0, 40]);
}

#[test]
fn a_refused_publisher_gets_the_status_and_its_media_is_dropped() {
    let mut pair = Pair::connected();
    pair.client.publish_stream("test", PublishMode::Live).unwrap();
    pair.pump();
    pair.client.send_media(1, &video(0, 20));
    pair.pump();
    pair.server_events.clear();
    pair.server
        .reject_publish(1, Status::for_stream(Code::PublishBadName, "test"));
    pair.pump();
    pair.client.send_media(1, &video(40, 20));
    pair.pump();
    assert_eq!(pair.statuses(), [(1, "NetStream.Publish.BadName".to_owned())]);
    assert!(pair.server_events.is_empty());
}

#[test]
fn media_flows_from_server_to_player() {
    let mut pair = playing();
    let codes: Vec<_> = pair.statuses().into_iter().map(|(_, code)| code).collect();
    assert_eq!(
        codes,
        [
            "NetStream.Play.Reset",
            "NetStream.Play.Start",
            "NetStream.Data.Start"
        ]
    );
    pair.client_events.clear();
    let body = video(0, 200_000).body;
    let shared = SharedMessage::new(
        MessageType::VIDEO,
        80,
        body.clone(),
        pair.server.chunk_size(),
        csid::VIDEO,
    );
    assert!(pair.server.send_media(1, &shared));
    pair.pump();
    let [
        ClientEvent::Media {
            stream_id: 1,
            message,
        },
    ] = &pair.client_events[..]
    else {
        panic!("{:?}", pair.client_events.len());
    };
    assert_eq!((message.timestamp, &message.body), (80, &body));
}

#[test]
fn a_player_is_told_of_missing_streams_and_changing_publishers() {
    let mut pair = Pair::connected();
    pair.client.play_stream(PlayOptions::new("test")).unwrap();
    pair.pump();
    pair.server
        .reject_play(1, Status::for_stream(Code::PlayStreamNotFound, "test"));
    pair.pump();
    assert_eq!(pair.statuses(), [(1, "NetStream.Play.StreamNotFound".to_owned())]);

    let mut pair = playing();
    pair.client_events.clear();
    pair.server.publish_notify(1, "test");
    pair.server.unpublish_notify(1, "test");
    pair.server.stream_eof(1);
    pair.pump();
    let codes: Vec<_> = pair.statuses().into_iter().map(|(_, code)| code).collect();
    assert_eq!(
        codes,
        ["NetStream.Play.PublishNotify", "NetStream.Play.UnpublishNotify"]
    );
}

#[test]
fn a_second_play_ends_the_first() {
    let mut pair = playing();
    pair.server_events.clear();
    pair.client.play(1, &PlayOptions::new("other"));
    pair.pump();
    let [
        ServerEvent::StopPlay { stream_id: 1 },
        ServerEvent::Play {
            stream_id: 1, name, ..
        },
        ..,
    ] = &pair.server_events[..]
    else {
        panic!("{:?}", pair.server_events);
    };
    assert_eq!(name, "other");
}

#[test]
fn pause_seek_and_receive_reach_the_host() {
    let mut pair = playing();
    pair.server_events.clear();
    pair.client.pause(1, true, 1234);
    pair.client.seek(1, 5000);
    pair.client.receive_audio(1, false);
    pair.client.receive_video(1, true);
    pair.pump();
    let [
        ServerEvent::Pause {
            stream_id: 1,
            pause: Some(true),
            millis: 1234,
        },
        ServerEvent::Seek {
            stream_id: 1,
            millis: 5000,
        },
        ServerEvent::ReceiveAudio {
            stream_id: 1,
            on: false,
        },
        ServerEvent::ReceiveVideo {
            stream_id: 1,
            on: true,
        },
    ] = &pair.server_events[..]
    else {
        panic!("{:?}", pair.server_events);
    };
}

#[test]
fn metadata_and_shared_objects_pass() {
    let mut pair = publishing();
    pair.server_events.clear();
    let body = Bytes::from_static(b"\x02\0\x0aonMetaData\x08\0\0\0\0\0\0\x09");
    let data = MediaMessage {
        kind: MediaKind::Data,
        timestamp: 0,
        body: body.clone(),
    };
    pair.client.set_data_frame(1, &data);
    pair.pump();
    let [
        ServerEvent::DataFrame {
            message: Some(kept), ..
        },
        ServerEvent::Media { message, .. },
    ] = &pair.server_events[..]
    else {
        panic!("{:?}", pair.server_events);
    };
    assert_eq!((&kept.body, &message.body), (&body, &body));
}

#[test]
fn what_follows_a_request_waits_for_its_answer() {
    let mut raw = crate::raw::Raw::connected();
    raw.peer.command(0, "createStream", 2.0, vec![]);
    raw.peer.command(1, "publish", 3.0, vec!["a".into()]);
    raw.peer.message(MessageType::AUDIO, 1, 5, &[0xAF, 1, 2]);
    raw.peer.command(1, "closeStream", 0.0, vec![]);
    raw.peer.message(MessageType::AUDIO, 1, 6, &[0xAF, 1, 2]);
    raw.peer.command(1, "publish", 4.0, vec!["b".into()]);
    raw.peer.message(MessageType::AUDIO, 1, 7, &[0xAF, 1, 2]);
    raw.feed().unwrap();
    assert!(matches!(&raw.events()[..], [ServerEvent::Publish { .. }]));
    raw.session.accept_publish(1);
    let events = raw.events();
    let [
        ServerEvent::Media { message, .. },
        ServerEvent::Unpublish { .. },
        ServerEvent::Publish { name, .. },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!((message.timestamp, name.as_str()), (5, "b"));
    raw.session.reject_publish(1, Status::new(Code::PublishBadName));
    assert!(raw.events().is_empty());
}
