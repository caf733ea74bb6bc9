//! Plain TCP.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::SockRef;

use crate::engine::transport::Sent;

/// A socket that its peer has closed is an error, not the end of a host that leaves SIGPIPE at its default.
#[cfg(target_os = "linux")]
const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
/// Elsewhere sockets are made so.
#[cfg(not(target_os = "linux"))]
const NO_SIGNAL: i32 = 0;

/// A non-blocking TCP socket that reports both directions once per change.
#[derive(Debug)]
pub(crate) struct Tcp {
    socket: TcpStream,
}

impl Tcp {
    /// Takes over a socket; small messages are sent at once (no Nagle delay).
    pub(crate) fn new(socket: TcpStream) -> Self {
        if let Err(error) = socket.set_nodelay(true) {
            log::debug!("TCP_NODELAY: {error}");
        }
        Self { socket }
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE | Interest::WRITABLE)
    }

    pub(crate) fn deregister(&mut self, registry: &Registry) {
        if let Err(error) = registry.deregister(&mut self.socket) {
            log::debug!("deregister a socket: {error}");
        }
    }

    /// Whether an outgoing connection stands: `Ok(false)` while it is being made.
    pub(crate) fn is_established(&self) -> io::Result<bool> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The socket's descriptor, for sends in a batch.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.read(buffer)
    }

    pub(crate) fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            // A shorter way through the kernel.
            [slice] => (&self.socket).write(slice),
            _ => SockRef::from(&self.socket).send_vectored_with_flags(slices, NO_SIGNAL),
        }
    }

    /// Says that nothing more will be written.
    pub(crate) fn finish(&mut self) {
        if let Err(error) = self.socket.shutdown(Shutdown::Write) {
            log::debug!("shut a socket down: {error}");
        }
    }
}

/// Sends what a socket takes.
#[inline]
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8]) -> Sent {
    Sent::of(
        bytes.len(),
        SockRef::from(&socket).send_with_flags(bytes, NO_SIGNAL),
    )
}
