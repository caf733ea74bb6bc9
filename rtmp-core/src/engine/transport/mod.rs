//! What carries a connection's bytes.

pub(crate) mod layered;
#[cfg(target_os = "linux")]
pub(crate) mod ring;
#[cfg(not(target_os = "linux"))]
#[path = "ring_absent.rs"]
pub(crate) mod ring;
pub(crate) mod tcp;
pub(crate) mod tls;

use std::io;

use mio::Registry;

use crate::engine::tls::TlsStart;
use crate::error::TlsError;
use layered::Layered;
use tcp::Tcp;

/// How the bytes of a connection travel.
pub(crate) enum Transport {
    /// As they are.
    Tcp(Tcp),
    /// Through something in between.
    Layered(Box<Layered>),
}

impl Transport {
    /// What a URL's scheme puts on an outgoing socket.
    pub(crate) fn outgoing(socket: Tcp, tls: Option<TlsStart>) -> Result<Self, TlsError> {
        Ok(match tls {
            None => Self::Tcp(socket),
            Some(start) => Self::Layered(Box::new(Layered::connect(socket, start)?)),
        })
    }

    /// The socket under it.
    pub(crate) fn socket(&self) -> &Tcp {
        match self {
            Self::Tcp(socket) => socket,
            Self::Layered(layered) => &layered.socket,
        }
    }

    fn socket_mut(&mut self) -> &mut Tcp {
        match self {
            Self::Tcp(socket) => socket,
            Self::Layered(layered) => &mut layered.socket,
        }
    }

    /// Begins anew with another socket.
    pub(crate) fn replace(&mut self, socket: Tcp) -> Result<(), TlsError> {
        match self {
            Self::Tcp(before) => *before = socket,
            Self::Layered(layered) => layered.replace(socket)?,
        }
        Ok(())
    }

    pub(crate) fn deregister(&mut self, registry: &Registry) {
        self.socket_mut().deregister(registry);
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket_mut().read(buffer)
    }

    /// Whether something between connection and socket waits to be sent.
    pub(crate) fn has_output(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::Layered(layered) => !layered.output.is_empty(),
        }
    }

    /// Says that nothing more will be written.
    pub(crate) fn finish(&mut self) {
        match self {
            Self::Tcp(socket) => socket.finish(),
            Self::Layered(layered) => layered.finish(),
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
