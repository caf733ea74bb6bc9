//! The handshake that opens a connection (RTMP 1.0 5.2).

mod simple;

use bytes::{Buf, Bytes};

use super::chunk::Output;

use simple::{PACKET, hello};

/// Why a handshake cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The first byte is not that of any RTMP handshake.
    #[error("the peer's first byte is {first:#04x}, which looks like {guess}, not RTMP: close")]
    NotRtmp {
        /// The byte received.
        first: u8,
        /// What the peer probably speaks.
        guess: &'static str,
    },
}

/// One side of a handshake. Drop it when it is done.
///
/// Bytes after the handshake stay in the input: they are the first chunks. A peer's wrong echo is tolerated, as
/// deployed peers do not agree on it.
#[derive(Debug)]
pub struct Handshake {
    state: State,
    is_server: bool,
    /// Our C1 or S1.
    hello: Vec<u8>,
    received: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Version,
    Hello,
    Echo,
    Done,
}

impl Handshake {
    /// The server's side. `now_ms` is the time field to send; `seed` should be unpredictable.
    pub fn server(now_ms: u32, seed: [u8; 32]) -> Self {
        Self {
            state: State::Version,
            is_server: true,
            hello: hello(now_ms, seed),
            received: Vec::new(),
        }
    }

    /// The client's side. `now_ms` is the time field to send; `seed` should be unpredictable.
    pub fn client(now_ms: u32, seed: [u8; 32]) -> Self {
        Self {
            is_server: false,
            ..Self::server(now_ms, seed)
        }
    }

    /// Sends what this side sends first: C0 and C1 of a client, nothing of a server.
    pub fn start(&mut self, out: &mut Output) {
        if !self.is_server {
            out.push_slice(&[simple::VERSION]);
            out.push_slice(&self.hello);
        }
    }

    /// Takes handshake bytes from `input` and queues answers; true once the handshake is done. What is left in
    /// `input` then belongs to the chunk stream.
    ///
    /// # Errors
    /// When the peer does not speak RTMP.
    pub fn input(&mut self, input: &mut Bytes, out: &mut Output) -> Result<bool, HandshakeError> {
        if self.state == State::Version && !input.is_empty() {
            simple::check_version(input.get_u8())?;
            self.state = State::Hello;
        }
        if self.state == State::Hello && self.collect(input) {
            self.answer(out);
            self.state = State::Echo;
        }
        if self.state == State::Echo && self.collect(input) {
            self.hello = Vec::new();
            self.received = Vec::new();
            self.state = State::Done;
        }
        Ok(self.state == State::Done)
    }

    fn answer(&mut self, out: &mut Output) {
        if self.is_server {
            out.push_slice(&[simple::VERSION]);
            out.push_slice(&self.hello);
        }
        out.push_slice(&self.received);
        self.received.clear();
    }

    /// Gathers one packet of 1536 bytes; true when it is complete.
    fn collect(&mut self, input: &mut Bytes) -> bool {
        let take = input.len().min(PACKET - self.received.len().min(PACKET));
        self.received.extend_from_slice(&input.split_to(take));
        self.received.len() == PACKET
    }
}
