//! Clients that ask and do not read: what they ask for, they have to take before they may ask for more.

use crate::engine::server_peer::ServerPeer;
use crate::wire::url::Scheme;

/// Bytes waiting for a client, media apart, beyond which nothing more is read of it.
const MAX_ANSWERS_WAITING: usize = 1 << 20;

impl ServerPeer {
    /// Whether the client has to read before it may ask for more. One that limits what it is sent has to be heard, because its
    /// acknowledgements make room, and one in a tunnel, because it reads by asking: they have only the larger limit.
    pub(super) fn is_unread(&mut self, now: u64) -> bool {
        let media = match self.playing.is_empty() {
            true => 0,
            false => self.server.config.player_limits.bytes,
        };
        let is_much = self.session.pending_output().len() > MAX_ANSWERS_WAITING.saturating_add(media);
        let is_in_tunnel = matches!(self.scheme, Scheme::Rtmpt | Scheme::Rtmpts | Scheme::Rtmpte);
        is_much && !is_in_tunnel && self.session.send_room(now) > 0
    }
}
