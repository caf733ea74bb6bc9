//! Captured sessions with a byte changed, cut short or doubled: whatever happens, nothing panics and nothing hangs.

use bytes::Bytes;
use rtmp_core::session::{
    ClientEvent, ClientSession, ClientSessionConfig, ConnectReply, PlayOptions, ServerEvent, ServerSession,
    ServerSessionConfig,
};
use std::sync::Arc;

use crate::raw::HANDSHAKE;

const CLIENTS: [&[u8]; 2] = [
    include_bytes!("../vectors/publish_client.bin"),
    include_bytes!("../vectors/play_client.bin"),
];
const SERVERS: [&[u8]; 2] = [
    include_bytes!("../vectors/publish_server.bin"),
    include_bytes!("../vectors/play_server.bin"),
];

fn serve(bytes: &[u8], config: &Arc<ServerSessionConfig>) {
    let mut session = ServerSession::new(Arc::clone(config), [9; 32], 0);
    let mut now = 0;
    for piece in bytes.chunks(700) {
        now += 10;
        if session.input(Bytes::copy_from_slice(piece), now).is_err() {
            assert!(session.is_closed());
        }
        while let Some(event) = session.poll_event() {
            match event {
                ServerEvent::Connect(_) => session.accept_connect(ConnectReply::default()),
                ServerEvent::Publish { stream_id, .. } => session.accept_publish(stream_id),
                ServerEvent::Play { stream_id, .. } => session.accept_play(stream_id),
                _ => {}
            }
        }
    }
    let _ = session.handle_timeout(now + 200_000);
    assert!(session.output().len() < 100_000);
}

fn call(bytes: &[u8], config: &ClientSessionConfig) {
    let mut session = ClientSession::new(config.clone(), [9; 32], 0);
    session.connect(0);
    for piece in bytes.chunks(700) {
        if session.input(Bytes::copy_from_slice(piece), 10).is_err() {
            assert!(session.is_closed());
        }
        while let Some(event) = session.poll_event() {
            if let ClientEvent::Connected { .. } = event {
                session.play_stream(PlayOptions::new("test"));
            }
        }
    }
    let _ = session.handle_timeout(200_000);
    assert!(session.output().len() < 100_000);
}

fn mutations(original: &[u8], mut check: impl FnMut(&[u8])) {
    for at in HANDSHAKE..original.len() {
        for change in [0x01, 0x80, 0xFF] {
            let mut bytes = original.to_vec();
            bytes[at] ^= change;
            check(&bytes);
        }
        check(&original[..at]);
        let doubled = [&original[..at], &original[HANDSHAKE..]].concat();
        check(&doubled);
    }
}

#[test]
fn servers_survive_changed_clients() {
    let config = Arc::new(ServerSessionConfig::default());
    for client in CLIENTS {
        mutations(client, |bytes| serve(bytes, &config));
    }
}

#[test]
fn clients_survive_changed_servers() {
    let config = ClientSessionConfig::new("live", "rtmp://127.0.0.1/live");
    for server in SERVERS {
        mutations(server, |bytes| call(bytes, &config));
    }
}
