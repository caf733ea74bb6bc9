//! The listeners of a worker, and the connections that come in by them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use mio::net::TcpStream;
use mio::{Interest, Token};

use crate::engine::admission::Ticket;
use crate::engine::connection::{Connection, Peer};
use crate::engine::http_peer::HttpPeer;
use crate::engine::listener::{Accepted, Listener};
use crate::engine::mailbox::{Link, Post};
use crate::engine::server::ServerCore;
use crate::engine::server_peer::ServerPeer;
use crate::engine::transport::Transport;
use crate::engine::transport::layered::Layered;
use crate::engine::transport::tcp::Tcp;
use crate::engine::worker::{NEXT_CONNECTION, Worker, seed};
use crate::error::Result;
use crate::wire::url::Scheme;

/// Connections accepted before the others get their turn.
const ACCEPTS: usize = 256;

impl Worker {
    pub(super) fn accept(&mut self, token: Token) {
        for _ in 0..ACCEPTS {
            let Some(listener) = self.listeners.get(&token) else {
                return;
            };
            match listener.accept() {
                Accepted::Connection(socket, address) => {
                    let (server, scheme) = (Arc::clone(&listener.server), listener.scheme);
                    let ticket = match scheme.is_tunnelled() {
                        true => server.admit_http(address.ip(), self.now),
                        false => server.admit(address.ip(), self.now),
                    };
                    if let Some(ticket) = ticket {
                        self.shared.next_worker().post(Post::Accepted {
                            socket,
                            address,
                            scheme,
                            server,
                            ticket,
                        });
                    }
                }
                Accepted::None => return,
                Accepted::Failed(error) => {
                    log::warn!("no connection can be accepted for now: {error}");
                    self.paused_listeners = true;
                    return;
                }
            }
        }
        // The listener reports once: what still waits is fetched in the next turn.
        self.paused_listeners = true;
        self.next_collect = self.now;
    }

    pub(super) fn add_accepted(
        &mut self,
        socket: TcpStream,
        (address, scheme): (SocketAddr, Scheme),
        server: Arc<ServerCore>,
        ticket: Ticket,
    ) {
        let entry = self.connections.vacant_entry();
        let key = entry.key();
        let mut socket = Tcp::new(socket);
        if let Err(error) = socket.register(self.poll.registry(), Token(key)) {
            log::warn!("{address}: the socket cannot be watched: {error}");
            return server.dismiss(address.ip(), ticket);
        }
        let transport = match layers(socket, scheme, &server) {
            Ok(transport) => transport,
            Err(error) => {
                log::warn!("{address}: {error}");
                return server.dismiss(address.ip(), ticket);
            }
        };
        let id = NEXT_CONNECTION.fetch_add(1, Relaxed);
        let link = Link {
            mailbox: Arc::clone(&self.mailbox),
            key,
            id,
        };
        let seed = seed(&self.hasher, id);
        entry.insert(match ticket {
            Ticket::Http => {
                let peer = HttpPeer::new(server, (address, scheme), link, self.now);
                Connection::http(id, transport, peer)
            }
            ticket => {
                let peer = ServerPeer::new(server, (address, scheme), ticket, link, seed, self.now);
                Connection::accepted(id, transport, peer)
            }
        });
        self.touch(key);
    }

    pub(super) fn add_listener(&mut self, mut listener: Listener) {
        let token = Token(self.next_listener);
        self.next_listener += 1;
        if listener.server.is_closed() {
            return;
        }
        match self
            .poll
            .registry()
            .register(&mut listener.socket, token, Interest::READABLE)
        {
            Ok(()) => {
                self.listeners.insert(token, listener);
                self.accept(token);
            }
            Err(error) => log::error!("a listener cannot be watched: {error}"),
        }
    }

    pub(crate) fn stop_listening(&mut self, server: &Arc<ServerCore>) {
        self.listeners
            .retain(|_, listener| !Arc::ptr_eq(&listener.server, server));
    }

    pub(crate) fn close_server(&mut self, server: &Arc<ServerCore>) {
        self.stop_listening(server);
        self.for_each_of(server, |peer| peer.session.close(None));
        let now = self.now;
        let http = self.connections.iter_mut().filter_map(|(key, connection)| {
            let Peer::Http(peer) = &mut connection.peer else {
                return None;
            };
            Arc::ptr_eq(&peer.server, server).then(|| {
                peer.quit(now);
                key
            })
        });
        let http: Vec<usize> = http.collect();
        http.into_iter().for_each(|key| self.touch(key));
    }
}

/// What the listener's scheme puts on a socket.
fn layers(socket: Tcp, scheme: Scheme, server: &ServerCore) -> Result<Transport> {
    if !scheme.is_tls() {
        return Ok(Transport::Tcp(socket));
    }
    let layered = Layered::accept(socket, server.tls()?)?;
    Ok(Transport::Layered(Box::new(layered)))
}
