//! A server's session whose bytes come and go in HTTP requests of other connections.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::engine::mailbox::{Link, Post};
use crate::engine::server::ServerCore;
use crate::wire::tunnel::{Ask, Response, TunnelSession};
use crate::wire::url::Scheme;

/// What is posted between the connections that requests come on and the sessions that they are for.
pub(crate) enum TunnelPost {
    /// Open a session.
    Open {
        asker: Link,
        server: Arc<ServerCore>,
        address: SocketAddr,
        scheme: Scheme,
    },
    /// A request of a session.
    Request {
        to: Link,
        asker: Asker,
        number: u32,
        body: Bytes,
    },
    /// The answer to a request.
    Answer { to: Link, response: Response },
}

/// Who asks, and for what.
pub(crate) struct Asker {
    link: Link,
    pub(crate) ask: Ask,
}

impl Asker {
    pub(crate) fn new(link: Link, ask: Ask) -> Self {
        Self { link, ask }
    }

    pub(crate) fn answer(self, response: Response) {
        self.link.answer(response);
    }
}

impl Link {
    /// Answers the request that a connection waits for.
    pub(crate) fn answer(&self, response: Response) {
        self.mailbox.post(Post::Tunnel(TunnelPost::Answer {
            to: self.clone(),
            response,
        }));
    }
}

/// The server's end of a tunnel's session. The session is known to its server while this lives.
pub(crate) struct Tunnelled {
    pub(crate) turns: TunnelSession<Asker>,
    id: u128,
    server: Arc<ServerCore>,
}

impl Tunnelled {
    /// Makes the session known: requests for `id` are posted to `link`.
    pub(crate) fn open(id: u128, link: Link, server: Arc<ServerCore>, now: u64) -> Self {
        server.tunnels.lock().insert(id, link);
        Self {
            turns: TunnelSession::new(now),
            id,
            server,
        }
    }
}

impl Drop for Tunnelled {
    fn drop(&mut self) {
        self.server.tunnels.lock().remove(&self.id);
        self.turns
            .abandon()
            .for_each(|asker| asker.answer(Response::Unknown));
    }
}
