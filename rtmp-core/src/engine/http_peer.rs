//! One HTTP connection of a server, which carries requests of tunnels.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::engine::admission::Ticket;
use crate::engine::mailbox::{Link, Post};
use crate::engine::server::ServerCore;
use crate::engine::transport::http_tunnel::{Asker, TunnelPost};
use crate::wire::tunnel::{Ask, Request, Response, TunnelConnection};
use crate::wire::url::Scheme;

/// The server's side of an HTTP connection.
pub(crate) struct HttpPeer {
    pub(crate) http: TunnelConnection,
    pub(crate) server: Arc<ServerCore>,
    address: SocketAddr,
    scheme: Scheme,
    link: Link,
    /// When it is closed because the server is.
    expires: Option<u64>,
    /// Requests that waited for answers to be sent may go on.
    goes_on: bool,
}

/// What is left to clients of a closed server to hear of it.
const LAST_ANSWERS_MS: u64 = 2_000;

impl HttpPeer {
    pub(crate) fn new(
        server: Arc<ServerCore>,
        (address, scheme): (SocketAddr, Scheme),
        link: Link,
        now: u64,
    ) -> Self {
        Self {
            http: TunnelConnection::new(now),
            server,
            address,
            scheme,
            link,
            expires: None,
            goes_on: false,
        }
    }

    /// Takes bytes from the socket.
    pub(crate) fn input(&mut self, data: &[u8], now: u64) {
        self.http.input(data, now);
        self.serve();
    }

    /// Answers the request that waits, and serves the next.
    pub(crate) fn answer(&mut self, response: &Response, now: u64) {
        self.http.answer(response);
        self.http.answered(now);
        self.serve();
    }

    /// The server is closed.
    pub(crate) fn quit(&mut self, now: u64) {
        self.expires.get_or_insert(now.saturating_add(LAST_ANSWERS_MS));
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        self.http.poll_timeout().into_iter().chain(self.expires).min()
    }

    /// Answers were sent.
    pub(crate) fn flushed(&mut self, now: u64) {
        self.goes_on |= self.http.sent(now);
        self.http.output().release();
    }

    /// Whether requests wait for [`timeout`](Self::timeout) to be served.
    pub(crate) fn goes_on(&self) -> bool {
        self.goes_on
    }

    pub(crate) fn timeout(&mut self, now: u64) {
        if std::mem::take(&mut self.goes_on) {
            self.serve();
        }
        self.http.handle_timeout(now);
        if self.expires.is_some_and(|at| at <= now) {
            self.http.close();
        }
    }

    /// Says what went wrong.
    pub(crate) fn report(&self, why: &dyn std::error::Error) {
        log::info!("{}: disconnected: {why}", self.address);
    }

    /// The connection is gone.
    pub(crate) fn end(&self) {
        self.server.dismiss(self.address.ip(), Ticket::Http);
    }

    fn serve(&mut self) {
        while let Some(request) = self.http.next_request() {
            match self.pass_on(request) {
                Some(post) => self.link.mailbox.post(Post::Tunnel(post)),
                None => self.http.answer(&Response::Unknown),
            }
        }
    }

    fn pass_on(&self, request: Request) -> Option<TunnelPost> {
        let (session, number) = match request.ask {
            Ask::Open => {
                return Some(TunnelPost::Open {
                    asker: self.link.clone(),
                    server: Arc::clone(&self.server),
                    address: self.address,
                    scheme: self.scheme,
                });
            }
            Ask::Send { session, number }
            | Ask::Idle { session, number }
            | Ask::Close { session, number } => (session, number),
        };
        let to = self.server.tunnels.lock().get(&session).cloned()?;
        let asker = Asker::new(self.link.clone(), request.ask);
        let body = request.body;
        let post = TunnelPost::Request {
            to: to.clone(),
            asker,
            number,
            body,
        };
        Some(post)
    }
}
