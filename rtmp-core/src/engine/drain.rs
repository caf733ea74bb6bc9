//! Winding a server down: no new connections, clients asked to go elsewhere, the others closed after a while.

use std::sync::Arc;

use crate::engine::connection::Peer;
use crate::engine::mailbox::Post;
use crate::engine::server::ServerCore;
use crate::engine::worker::Worker;
use crate::wire::status::Status;

/// What the workers are told.
#[derive(Debug)]
pub(crate) struct DrainOrder {
    pub(crate) server: Arc<ServerCore>,
    /// The request to reconnect.
    pub(crate) request: Status,
    pub(crate) grace_ms: u64,
}

/// A server that a worker winds down.
#[derive(Debug)]
pub(crate) struct Draining {
    server: Arc<ServerCore>,
    at: u64,
}

impl Worker {
    pub(crate) fn drain(&mut self, order: &DrainOrder) {
        self.stop_listening(&order.server);
        self.for_each_of(&order.server, |peer| {
            peer.request_reconnect(&order.request);
        });
        self.draining
            .retain(|draining| !Arc::ptr_eq(&draining.server, &order.server));
        self.draining.push(Draining {
            server: Arc::clone(&order.server),
            at: self.now.saturating_add(order.grace_ms),
        });
    }

    /// When the next server has to be closed.
    pub(crate) fn next_drained(&self) -> u64 {
        self.draining
            .iter()
            .map(|draining| draining.at)
            .min()
            .unwrap_or(u64::MAX)
    }

    /// Closes the servers whose time is up. Now and then (`early`) also those whose clients have all left.
    pub(crate) fn serve_draining(&mut self, early: bool) {
        let now = self.now;
        let over = |draining: &mut Draining| {
            let left = early && draining.server.connections() == 0;
            draining.at <= now || left || draining.server.is_closed()
        };
        let over: Vec<Draining> = self.draining.extract_if(.., over).collect();
        for Draining { server, .. } in over {
            // By mail, so that what the applications tell their clients comes before.
            self.guard(|| {
                if server.close() {
                    self.post_all(|| Post::CloseServer(Arc::clone(&server)));
                }
            });
        }
    }

    fn post_all(&self, post: impl Fn() -> Post) {
        for mailbox in &self.shared.mailboxes {
            mailbox.post(post());
        }
    }

    /// Does something with every connection of a server.
    pub(crate) fn for_each_of(
        &mut self,
        server: &Arc<ServerCore>,
        mut work: impl FnMut(&mut crate::engine::server_peer::ServerPeer),
    ) {
        let mine = |peer: &Peer| matches!(peer, Peer::Server(peer) if Arc::ptr_eq(&peer.server, server));
        let connections = self.connections.iter();
        let keys: Vec<usize> = connections
            .filter(|(_, connection)| mine(&connection.peer))
            .map(|(key, _)| key)
            .collect();
        for key in keys {
            self.with(key, |connection, _, _| {
                if let Peer::Server(peer) = &mut connection.peer {
                    work(peer);
                }
                Ok(())
            });
        }
    }
}
