//! A server session and a client session joined in memory.

use bytes::Bytes;
use rtmp_core::session::{
    ClientEvent, ClientSession, ClientSessionConfig, ConnectReply, ServerEvent, ServerSession,
    ServerSessionConfig,
};
use std::sync::Arc;

/// Both ends of one connection, and what they have told so far.
pub(crate) struct Pair {
    pub(crate) server: ServerSession,
    pub(crate) client: ClientSession,
    pub(crate) now: u64,
    pub(crate) server_events: Vec<ServerEvent>,
    pub(crate) client_events: Vec<ClientEvent>,
    /// Cut the bytes into pieces of this size on their way.
    pub(crate) piece: usize,
}

impl Pair {
    pub(crate) fn new(server: ServerSessionConfig, client: ClientSessionConfig) -> Self {
        let mut client = ClientSession::new(client, [2; 32], 0);
        client.connect(0);
        Self {
            server: ServerSession::new(Arc::new(server), [1; 32], 0),
            client,
            now: 0,
            server_events: Vec::new(),
            client_events: Vec::new(),
            piece: usize::MAX,
        }
    }

    /// The usual settings, `live` at a local address.
    pub(crate) fn usual() -> Self {
        Self::new(
            ServerSessionConfig::default(),
            ClientSessionConfig::new("live", "rtmp://127.0.0.1/live"),
        )
    }

    /// Usual settings, connected.
    pub(crate) fn connected() -> Self {
        let mut pair = Self::usual();
        pair.pump();
        pair.server.accept_connect(ConnectReply::default());
        pair.pump();
        pair.server_events.clear();
        pair.client_events.clear();
        pair
    }

    /// Moves bytes both ways until both sides are quiet.
    pub(crate) fn pump(&mut self) {
        loop {
            let up = self.client.output().take_bytes();
            let down = self.server.output().take_bytes();
            if up.is_empty() && down.is_empty() {
                break;
            }
            for piece in up.chunks(self.piece.min(up.len().max(1))) {
                let result = self.server.input(Bytes::copy_from_slice(piece), self.now);
                result.expect("the server took the client's bytes");
            }
            for piece in down.chunks(self.piece.min(down.len().max(1))) {
                let result = self.client.input(Bytes::copy_from_slice(piece), self.now);
                result.expect("the client took the server's bytes");
            }
        }
        self.server_events
            .extend(std::iter::from_fn(|| self.server.poll_event()));
        self.client_events
            .extend(std::iter::from_fn(|| self.client.poll_event()));
    }

    /// The statuses the client got, as stream and code.
    pub(crate) fn statuses(&self) -> Vec<(u32, String)> {
        let status = |event: &ClientEvent| match event {
            ClientEvent::Status { stream_id, status } => Some((*stream_id, status.code.clone())),
            _ => None,
        };
        self.client_events.iter().filter_map(status).collect()
    }
}
