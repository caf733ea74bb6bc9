//! What carries a connection's bytes.

pub(crate) mod http_tunnel;
pub(crate) mod layered;
#[cfg(target_os = "linux")]
pub(crate) mod ring;
#[cfg(not(target_os = "linux"))]
#[path = "ring_absent.rs"]
pub(crate) mod ring;
pub(crate) mod tcp;
pub(crate) mod tls;

use std::io::{self, IoSlice};

use mio::Registry;

use crate::engine::connection::End;
use crate::engine::tls::TlsStart;
use crate::error::TlsError;
use http_tunnel::Tunnelled;
use layered::{Layered, TunnelStart};
use tcp::Tcp;

/// How the bytes of a connection travel.
pub(crate) enum Transport {
    /// As they are.
    Tcp(Tcp),
    /// Through something in between.
    Layered(Box<Layered>),
    /// In requests that come on other connections.
    Tunnelled(Box<Tunnelled>),
}

impl Transport {
    /// What a URL's scheme puts on an outgoing socket.
    pub(crate) fn outgoing(
        socket: Tcp,
        tls: Option<TlsStart>,
        tunnel: Option<TunnelStart>,
    ) -> Result<Self, TlsError> {
        Ok(match (tls, tunnel) {
            (None, None) => Self::Tcp(socket),
            (tls, tunnel) => Self::Layered(Box::new(Layered::connect(socket, tls, tunnel)?)),
        })
    }

    /// The socket under it, if it has one of its own.
    fn socket(&mut self) -> Option<&mut Tcp> {
        match self {
            Self::Tcp(socket) => Some(socket),
            Self::Layered(layered) => Some(&mut layered.socket),
            Self::Tunnelled(_) => None,
        }
    }

    /// Begins anew with another socket.
    pub(crate) fn replace(&mut self, socket: Tcp) -> Result<(), TlsError> {
        match self {
            Self::Tcp(before) => *before = socket,
            Self::Layered(layered) => layered.replace(socket)?,
            Self::Tunnelled(_) => {}
        }
        Ok(())
    }

    pub(crate) fn deregister(&mut self, registry: &Registry) {
        if let Some(socket) = self.socket() {
            socket.deregister(registry);
        }
    }

    pub(crate) fn is_established(&mut self) -> io::Result<bool> {
        self.socket().map_or(Ok(true), |socket| socket.is_established())
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.socket() {
            Some(socket) => socket.read(buffer),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    pub(crate) fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(slices),
            Self::Layered(layered) => layered.socket.write(slices),
            Self::Tunnelled(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Whether something between connection and socket waits to be sent.
    pub(crate) fn has_output(&self) -> bool {
        match self {
            Self::Layered(layered) => !layered.output.is_empty(),
            Self::Tcp(_) | Self::Tunnelled(_) => false,
        }
    }

    /// When [`timeout`](Self::timeout) wants to be called.
    pub(crate) fn deadline(&self) -> Option<u64> {
        match self {
            Self::Tcp(_) => None,
            Self::Layered(layered) => layered.deadline(),
            Self::Tunnelled(tunnelled) => Some(tunnelled.turns.deadline()),
        }
    }

    /// Does what is due.
    pub(crate) fn timeout(&mut self, now: u64) -> Result<(), End> {
        match self {
            Self::Tcp(_) => Ok(()),
            Self::Layered(layered) => layered.timeout(now).map_err(End::Tunnel),
            Self::Tunnelled(tunnelled) => tunnelled.turns.check(now).map_err(End::Tunnel),
        }
    }

    /// Says that nothing more will be written.
    pub(crate) fn finish(&mut self, now: u64) {
        match self {
            Self::Tcp(socket) => socket.finish(),
            Self::Layered(layered) => layered.finish(now),
            Self::Tunnelled(_) => {}
        }
    }
}

/// The outcome of one send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Bytes that were offered.
    pub(crate) offered: usize,
    /// Bytes that were sent, or a negative error number.
    pub(crate) result: i32,
}

impl Sent {
    /// Of a send that returned.
    pub(crate) fn of(offered: usize, result: io::Result<usize>) -> Self {
        let result = match result {
            Ok(0) => -libc::EPIPE,
            Ok(count) => i32::try_from(count).unwrap_or(i32::MAX),
            Err(error) => -error.raw_os_error().unwrap_or(libc::EIO),
        };
        Self { offered, result }
    }

    /// Whether everything was sent.
    #[inline]
    pub(crate) fn is_all(&self) -> bool {
        usize::try_from(self.result) == Ok(self.offered)
    }
}
