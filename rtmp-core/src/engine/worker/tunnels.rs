//! Sessions in tunnels: opened, asked, answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;

use crate::engine::connection::{Connection, End, Peer};
use crate::engine::mailbox::Link;
use crate::engine::server::ServerCore;
use crate::engine::server_peer::ServerPeer;
use crate::engine::tls::random_id;
use crate::engine::transport::Transport;
use crate::engine::transport::http_tunnel::{TunnelPost, Tunnelled};
use crate::engine::worker::{NEXT_CONNECTION, Worker, open_next, seed};
use crate::wire::tunnel::{Response, session_text};
use crate::wire::url::Scheme;

impl Worker {
    pub(super) fn tunnel(&mut self, post: TunnelPost) {
        match post {
            TunnelPost::Open {
                asker,
                server,
                address,
                scheme,
            } => {
                let response = self.open_tunnel(server, address, scheme);
                asker.answer(response.unwrap_or(Response::Full));
            }
            TunnelPost::Request {
                to,
                asker,
                number,
                body,
            } if !self.is_here(&to) => {
                // Requests for a session of another worker are posted on; what has ended is unknown.
                if Arc::ptr_eq(&to.mailbox, &self.mailbox) {
                    asker.answer(Response::Unknown);
                } else {
                    let mailbox = Arc::clone(&to.mailbox);
                    mailbox.post(crate::engine::Post::Tunnel(TunnelPost::Request {
                        to,
                        asker,
                        number,
                        body,
                    }));
                }
            }
            TunnelPost::Request {
                to,
                asker,
                number,
                body,
            } => {
                self.with(to.key, |connection, _, context| {
                    connection.take_turn(number, asker, body, context)
                });
            }
            TunnelPost::Answer { to, response } if self.is_here(&to) => self.answer(to.key, &response),
            TunnelPost::Answer { .. } => {}
        }
    }

    fn is_here(&self, link: &Link) -> bool {
        let connection = self.connections.get(link.key);
        Arc::ptr_eq(&link.mailbox, &self.mailbox) && connection.is_some_and(|open| open.id == link.id)
    }

    /// Opens a session; what is answered. `None` if the server takes no more.
    fn open_tunnel(
        &mut self,
        server: Arc<ServerCore>,
        address: SocketAddr,
        scheme: Scheme,
    ) -> Option<Response> {
        let tunnel_id = random_id()?;
        let ticket = server.admit(address.ip(), self.now)?;
        let entry = self.connections.vacant_entry();
        let (key, id) = (entry.key(), NEXT_CONNECTION.fetch_add(1, Relaxed));
        let link = Link {
            mailbox: Arc::clone(&self.mailbox),
            key,
            id,
        };
        let end = Tunnelled::open(tunnel_id, link.clone(), Arc::clone(&server), self.now);
        let seed = seed(&self.hasher, id);
        let peer = ServerPeer::new(server, (address, scheme), ticket, link, seed, self.now);
        let transport = Transport::Tunnelled(Box::new(end));
        entry.insert(Connection::accepted(id, transport, peer));
        self.touch(key);
        let body = session_text(tunnel_id) + "\n";
        Some(Response::Ok(Bytes::from(body)))
    }

    /// Answers a request on the connection that it came on, which may have more.
    fn answer(&mut self, key: usize, response: &Response) {
        self.with(key, |connection, _, context| {
            if let Peer::Http(peer) = &mut connection.peer {
                peer.answer(response, context.now);
            }
            Ok(())
        });
        self.read_again(key);
    }

    /// A tunnel's client goes on by another connection.
    pub(super) fn open_another(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let Some(addresses) = connection.wants_socket() else {
            return;
        };
        connection.transport.deregister(self.poll.registry());
        let opened = open_next(self.poll.registry(), mio::Token(key), addresses).map_err(End::Io);
        let resumed = opened.and_then(|(socket, others)| {
            let resumed = connection.resume(socket, others, self.now);
            resumed.map_err(End::Tls)
        });
        match resumed {
            Ok(()) => self.touch(key),
            Err(end) => self.remove(key, &end),
        }
    }
}
