//! Sessions that encrypt by RTMPE.

use crate::joined::video;
use crate::support::pair::Pair;
use rtmp_core::session::{
    ClientEvent, ClientSessionConfig, ConnectReply, LimitType, PlayOptions, PublishMode, ServerEvent,
    ServerSessionConfig, Tolerance,
};

fn pair() -> Pair {
    let server = ServerSessionConfig {
        accept_encryption: true,
        tolerance: Tolerance::Strict,
        ..ServerSessionConfig::default()
    };
    let client = ClientSessionConfig {
        encrypted: true,
        tolerance: Tolerance::Strict,
        ..ClientSessionConfig::new("live", "rtmpe://h/live")
    };
    Pair::new(server, client)
}

#[test]
fn media_passes_unchanged_and_unreadable_on_the_way() {
    for piece in [1, 700, usize::MAX] {
        let mut pair = pair();
        pair.piece = piece;
        pair.pump();
        assert!(pair.server.is_encrypted() && pair.client.is_encrypted());
        pair.server.accept_connect(ConnectReply::default());
        pair.pump();
        pair.client.publish_stream("s", PublishMode::Live);
        pair.client.play_stream(PlayOptions::new("s"));
        pair.pump();
        pair.server.accept_publish(1);
        pair.server.accept_play(2);
        pair.pump();
        let frame = video(40, 5000);
        pair.client.send_media(1, &frame);
        pair.server_events.clear();
        pair.pump();
        let media: Vec<_> = pair
            .server_events
            .iter()
            .filter_map(|event| match event {
                ServerEvent::Media { message, .. } => Some(message.body.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(media, [frame.body]);
        let connected = |event: &ClientEvent| matches!(event, ClientEvent::Connected { .. });
        assert!(pair.client_events.iter().any(connected));
    }
}

#[test]
fn nothing_after_the_handshake_is_readable() {
    let mut pair = pair();
    pair.pump();
    pair.server.accept_connect(ConnectReply::default());
    let bytes = pair.server.output().take_bytes();
    assert!(bytes.len() > 100);
    for word in [&b"_result"[..], b"NetConnection"] {
        assert!(!bytes.windows(word.len()).any(|window| window == word));
    }
}

#[test]
fn limits_count_the_encrypted_bytes() {
    let mut pair = pair();
    pair.pump();
    pair.server.accept_connect(ConnectReply::default());
    pair.pump();
    pair.server.set_peer_bandwidth(10_000, LimitType::Hard);
    pair.pump();
    assert!(pair.client.send_room(0) <= 10_000);
    for index in 0..10 {
        pair.client.send_media(1, &video(index * 40, 4000));
        assert!(pair.client.send_room(0) > 4100, "at {index}");
        pair.pump();
    }
    let sent = pair.client.output().consumed();
    assert!(pair.server.bytes_received() > sent, "the handshake went before");
}
