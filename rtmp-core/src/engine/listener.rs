//! Listening sockets.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use crate::engine::server::ServerCore;
use crate::error::{Error, Result};
use crate::wire::url::Scheme;

/// A listening socket and the server it belongs to.
pub(crate) struct Listener {
    pub(crate) socket: mio::net::TcpListener,
    pub(crate) scheme: Scheme,
    pub(crate) server: Arc<ServerCore>,
}

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

impl Listener {
    /// Binds and listens; returns the address with the port that was chosen if it was 0.
    pub(crate) fn bind(
        address: SocketAddr,
        scheme: Scheme,
        server: Arc<ServerCore>,
    ) -> Result<(Self, SocketAddr)> {
        let socket = bind(address).map_err(|error| Error::io(format!("listen on {address}"), error))?;
        let bound = socket
            .local_addr()
            .map_err(|error| Error::io(format!("listen on {address}"), error))?;
        Ok((
            Self {
                socket: mio::net::TcpListener::from_std(socket),
                scheme,
                server,
            },
            bound,
        ))
    }

    /// Takes the next connection that waits.
    pub(crate) fn accept(&self) -> Accepted {
        loop {
            match self.socket.accept() {
                Ok((socket, address)) => return Accepted::Connection(socket, unmapped(address)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Accepted::None,
                // The peer left before it was accepted.
                Err(error) if is_transient(&error) => {}
                Err(error) => return Accepted::Failed(error),
            }
        }
    }
}

/// What accepting gave.
pub(crate) enum Accepted {
    /// A connection.
    Connection(TcpStream, SocketAddr),
    /// Nothing waits.
    None,
    /// The system refuses for now, as when it is out of descriptors.
    Failed(io::Error),
}

fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
    )
}

/// An IPv4 address stays one when it comes through an IPv6 socket, so that limits per address hold.
fn unmapped(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
