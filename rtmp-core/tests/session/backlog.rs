//! Chunk sizes both sides settle on, and what waits for a new player.

use bytes::Bytes;

use crate::raw::Raw;
use crate::support::pair::Pair;
use rtmp_core::amf::Object;
use rtmp_core::session::{
    ClientEvent, ClientSessionConfig, ConnectReply, PlayOptions, PublishMode, ServerSessionConfig,
};
use rtmp_core::wire::chunk::{Message, MessageType, SharedMessage, csid};
use rtmp_core::wire::message::control::Control;

fn shared(kind: MessageType, timestamp: u32, payload: &'static [u8]) -> SharedMessage {
    SharedMessage::new(kind, timestamp, Bytes::from_static(payload), 65_536, csid::VIDEO)
}

fn backlog() -> Vec<SharedMessage> {
    vec![
        shared(MessageType::AUDIO, 1000, &[0xAF, 1, 0xAA]),
        shared(MessageType::VIDEO, 1020, &[0x27, 1, 0, 0, 0]),
        shared(MessageType::VIDEO, 1040, &[0x17; 9000]),
        shared(MessageType::AUDIO, 1050, &[0xAF, 1, 0xBB]),
    ]
}

/// What a player with that `flashVer` is sent of the backlog.
fn sent_to(flash_ver: &str) -> Vec<Message> {
    let mut raw = Raw::new(ServerSessionConfig::default());
    raw.peer
        .connect(Object::new().with("app", "live").with("flashVer", flash_ver));
    raw.feed().unwrap();
    raw.session.accept_connect(ConnectReply::default());
    raw.replies();
    assert_eq!(raw.session.send_backlog(1, &backlog()), 4);
    raw.replies()
}

#[test]
fn section_7_1_6_a_known_player_gets_its_backlog_in_aggregates() {
    let sent = sent_to("WIN 11,2,202,235");
    let kinds: Vec<(MessageType, u32)> = sent.iter().map(|m| (m.kind, m.timestamp)).collect();
    assert_eq!(
        kinds,
        [
            (MessageType::AGGREGATE, 1000),
            (MessageType::VIDEO, 1040),
            // One message alone is not worth it.
            (MessageType::AUDIO, 1050),
        ]
    );
    assert_eq!(
        sent[0].payload[..],
        *b"\x08\0\0\x03\0\x03\xE8\0\0\0\0\xAF\x01\xAA\0\0\0\x0E\
           \x09\0\0\x05\0\x03\xFC\0\0\0\0\x27\x01\0\0\0\0\0\0\x10"
    );
}

#[test]
fn an_unknown_player_gets_every_message_by_itself() {
    for flash_ver in [
        "",
        "LNX 9,0,124,2",
        "LNX 10,0,32,18",
        "FMLE/3.0 (compatible; FMSc/1.0)",
    ] {
        let kinds: Vec<MessageType> = sent_to(flash_ver).iter().map(|m| m.kind).collect();
        assert!(!kinds.contains(&MessageType::AGGREGATE), "{flash_ver}");
        assert_eq!(kinds.len(), 4);
    }
}

#[test]
fn our_own_player_reads_what_was_put_together() {
    let mut pair = Pair::connected();
    pair.client.play_stream(PlayOptions::new("s"));
    pair.pump();
    pair.server.accept_play(1);
    pair.pump();
    pair.client_events.clear();
    pair.server.send_backlog(1, &backlog());
    pair.pump();
    let media = |event: &ClientEvent| match event {
        ClientEvent::Media { message, .. } => Some((message.timestamp, message.body.clone())),
        _ => None,
    };
    let got: Vec<_> = pair.client_events.iter().filter_map(media).collect();
    let want: Vec<_> = backlog()
        .iter()
        .map(|message| (message.timestamp, message.payload.clone()))
        .collect();
    assert_eq!(got, want);
}

#[test]
fn a_client_that_cannot_read_large_chunks_is_spared_them() {
    for (max_chunk_size, expected) in [(None, 65_536), (Some(4096), 4096), (Some(128), 128)] {
        let mut raw = Raw::new(ServerSessionConfig::default());
        raw.peer.connect(Object::new().with("app", "live"));
        raw.feed().unwrap();
        raw.session.accept_connect(ConnectReply {
            max_chunk_size,
            ..ConnectReply::default()
        });
        assert_eq!(raw.session.chunk_size(), expected);
        let replies = raw.replies();
        let announced = replies.iter().find_map(|message| match Control::load(message) {
            Ok(Control::SetChunkSize(size)) => Some(size),
            _ => None,
        });
        assert_eq!(announced, (expected != 128).then_some(expected));
        raw.session.send_backlog(1, &backlog());
        assert_eq!(raw.replies().len(), 4);
    }
}

#[test]
fn a_publisher_takes_the_servers_chunk_size_up_to_its_own_limit() {
    for (servers, most, expected) in [
        (65_536, 65_536, 65_536),
        (60_000, 65_536, 60_000),
        (65_536, 8192, 8192),
        (128, 65_536, 4096),
        (65_536, 0, 4096),
    ] {
        let server = ServerSessionConfig {
            chunk_size: servers,
            ..ServerSessionConfig::default()
        };
        let client = ClientSessionConfig {
            max_chunk_size: most,
            ..ClientSessionConfig::new("live", "rtmp://h/live")
        };
        let mut pair = Pair::new(server, client);
        pair.pump();
        pair.server.accept_connect(ConnectReply::default());
        pair.pump();
        assert_eq!(pair.client.chunk_size(), 4096);
        pair.client.publish_stream("s", PublishMode::Live);
        pair.pump();
        assert_eq!(pair.client.chunk_size(), expected);
    }
}
