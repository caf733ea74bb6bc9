//! The encrypted form of what a session sends and receives (RTMPE).

use bytes::Bytes;

use crate::wire::chunk::Output;
use crate::wire::handshake::Ciphers;

/// Ciphers of a connection and what they have encrypted so far. Payloads that others share are copied on the way.
pub(crate) struct Sealed {
    ciphers: Ciphers,
    out: Output,
    /// Bytes sent before the ciphers began.
    before: u64,
}

impl Sealed {
    /// Begins to encrypt; what waits in `clear` is still the handshake's.
    pub(crate) fn new(ciphers: Ciphers, clear: &mut Output) -> Self {
        let before = clear.consumed();
        let mut out = Output::new();
        out.push_bytes(clear.take_bytes().into());
        Self { ciphers, out, before }
    }

    /// Encrypts what waits in `clear`; gives all there is to send.
    pub(crate) fn seal(&mut self, clear: &mut Output) -> &mut Output {
        if !clear.is_empty() {
            let mut bytes = clear.take_bytes();
            self.ciphers.encrypt(&mut bytes);
            self.out.push_bytes(bytes.into());
        }
        &mut self.out
    }

    /// What was encrypted and waits.
    pub(crate) fn pending(&self) -> &Output {
        &self.out
    }

    /// Decrypts what came in.
    pub(crate) fn open(&mut self, data: &mut Bytes) {
        let mut bytes = Vec::from(std::mem::take(data));
        self.ciphers.decrypt(&mut bytes);
        *data = bytes.into();
    }

    /// Bytes sent, handshake included.
    pub(crate) fn sent(&self) -> u64 {
        self.before.saturating_add(self.out.consumed())
    }
}
