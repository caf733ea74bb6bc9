//! A socket with something between it and the connection.

use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::Bytes;
use rustls::ServerConfig;

use crate::engine::tls::TlsStart;
use crate::engine::transport::tcp::Tcp;
use crate::engine::transport::tls::Tls;
use crate::error::TlsError;
use crate::wire::chunk::Output;

/// A socket, and TLS on it.
pub(crate) struct Layered {
    pub(crate) socket: Tcp,
    tls: Tls,
    /// What an outgoing connection begins with, each time.
    start: Option<TlsStart>,
    /// What waits for the socket, encrypted.
    pub(crate) output: Output,
}

/// What is encrypted ahead of the socket, and at once.
const AHEAD: usize = 64 << 10;
const SLICES: usize = 64;

impl Layered {
    /// A socket that was accepted.
    pub(crate) fn accept(socket: Tcp, config: Arc<ServerConfig>) -> Result<Self, TlsError> {
        Ok(Self::new(socket, Tls::accept(config)?, None))
    }

    /// A socket that is being connected.
    pub(crate) fn connect(socket: Tcp, start: TlsStart) -> Result<Self, TlsError> {
        Ok(Self::new(socket, Tls::connect(&start)?, Some(start)))
    }

    fn new(socket: Tcp, tls: Tls, start: Option<TlsStart>) -> Self {
        Self {
            socket,
            tls,
            start,
            output: Output::new(),
        }
    }

    /// Begins anew with another socket.
    pub(crate) fn replace(&mut self, socket: Tcp) -> Result<(), TlsError> {
        self.socket = socket;
        self.output.clear();
        if let Some(start) = &self.start {
            self.tls = Tls::connect(start)?;
        }
        Ok(())
    }

    /// Takes some of what came from the socket; what it means is then to be [`read`](Self::read).
    pub(crate) fn input(&mut self, data: &mut Bytes) -> Result<(), TlsError> {
        let taken = self.tls.input(data);
        // The peer is told of errors too.
        self.tls.collect(&mut self.output);
        taken
    }

    /// Reads what the peer has said; 0 at its end, "would block" when there is no more for now.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tls.read(buffer)
    }

    /// Encrypts what `plain` has, as much of it as may be sent and waits for the socket at once; how much that was.
    pub(crate) fn send(&mut self, plain: &Output, room: usize) -> usize {
        let mut taken = 0;
        if self.tls.is_ready() && self.output.len() < AHEAD {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = plain.io_slices_within(room.min(AHEAD), &mut slices);
            if filled > 0 {
                taken = self.tls.write(slices.get(..filled).unwrap_or_default());
            }
        }
        self.tls.collect(&mut self.output);
        taken
    }

    /// Why the connection ended, if the socket did before TLS stood.
    pub(crate) fn cut_short(&self) -> Option<TlsError> {
        (!self.tls.is_ready()).then_some(TlsError::Closed)
    }

    /// Says that nothing more will be written.
    pub(crate) fn finish(&mut self) {
        self.tls.finish();
        self.tls.collect(&mut self.output);
        let mut slices = [IoSlice::new(&[]); 4];
        let filled = self.output.io_slices(&mut slices);
        let written = self.socket.write(slices.get(..filled).unwrap_or_default());
        self.output.consume(written.unwrap_or(0));
        if self.output.is_empty() {
            self.socket.finish();
        }
    }
}
