//! What speaks on a connection.

use crate::engine::client_peer::ClientPeer;
use crate::engine::http_peer::HttpPeer;
use crate::engine::server_peer::ServerPeer;
use crate::wire::chunk::Output;

/// Which side of RTMP this connection is.
pub(crate) enum Peer {
    Server(Box<ServerPeer>),
    Client(Box<ClientPeer>),
    /// None: it carries requests of tunnels.
    Http(Box<HttpPeer>),
}

impl Peer {
    pub(super) fn output(&mut self) -> &mut Output {
        match self {
            Self::Server(peer) => peer.session.output(),
            Self::Client(peer) => peer.session.output(),
            Self::Http(peer) => peer.http.output(),
        }
    }

    pub(super) fn pending_output(&self) -> &Output {
        match self {
            Self::Server(peer) => peer.session.pending_output(),
            Self::Client(peer) => peer.session.pending_output(),
            Self::Http(peer) => peer.http.pending_output(),
        }
    }

    /// Last words are not kept waiting: acknowledgements are not listened to any more.
    pub(super) fn send_room(&mut self, now: u64) -> usize {
        let (room, is_over) = match self {
            Self::Server(peer) => (peer.send_room(now), peer.session.is_closed()),
            Self::Client(peer) => (peer.session.send_room(now), peer.session.is_closed()),
            Self::Http(_) => return usize::MAX,
        };
        if is_over { usize::MAX } else { room }
    }

    pub(super) fn lift_deadline(&self) -> Option<u64> {
        match self {
            Self::Server(peer) => peer.lift_deadline(),
            Self::Client(peer) => peer.session.lift_deadline(),
            Self::Http(_) => None,
        }
    }

    pub(super) fn sent(&mut self, count: usize) {
        match self {
            Self::Server(peer) => peer.sent(count),
            Self::Client(peer) => peer.core.traffic.sent(count),
            Self::Http(_) => {}
        }
    }

    /// How many bytes may be read now.
    pub(super) fn read_room(&mut self, now: u64) -> usize {
        match self {
            Self::Server(peer) => peer.read_room(now),
            Self::Client(peer) => peer.read_room(now),
            Self::Http(peer) if !peer.http.has_room() => 0,
            Self::Http(_) => usize::MAX,
        }
    }

    /// When more may be read.
    pub(super) fn read_deadline(&self) -> Option<u64> {
        match self {
            Self::Server(peer) => peer.read_deadline(),
            Self::Client(peer) => peer.held_back.until(),
            // Once the request that is being served has its answer.
            Self::Http(peer) => (!peer.http.has_room()).then_some(u64::MAX),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Server(peer) => peer.session.is_closed(),
            Self::Client(peer) => peer.session.is_closed(),
            Self::Http(peer) => peer.http.is_over(),
        }
    }
}
