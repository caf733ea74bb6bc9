//! A message prepared once for many receivers.

use bytes::Bytes;

use super::header::{EXTENDED, HeaderBytes};
use super::{MAX_CHUNK_SIZE, MessageType};

/// A message whose body is cut into chunks once, for one chunk size and chunk stream, and then shared by all receivers.
///
/// Cloning copies references only. A receiver with another chunk size is still served, at the cost of cutting again.
#[derive(Debug, Clone)]
pub struct SharedMessage {
    /// What the payload is.
    pub kind: MessageType,
    /// Milliseconds on the sender's clock, modulo 2^32.
    pub timestamp: u32,
    /// The message body.
    pub payload: Bytes,
    /// The payload with the headers of all chunks but the first in between, if there are any.
    cut: Option<Bytes>,
    pub(super) chunk_size: u32,
    pub(super) csid: u32,
}

impl SharedMessage {
    /// Prepares `payload` for receivers written to with `chunk_size` (bytes, at least 1) on chunk stream `csid`.
    pub fn new(kind: MessageType, timestamp: u32, payload: Bytes, chunk_size: u32, csid: u32) -> Self {
        let chunk_size = chunk_size.clamp(1, MAX_CHUNK_SIZE);
        let size = chunk_size as usize;
        let cut = (payload.len() > size).then(|| cut(&payload, size, csid, timestamp));
        Self {
            kind,
            timestamp,
            payload,
            cut,
            chunk_size,
            csid,
        }
    }

    /// What follows the first header.
    #[inline]
    pub(super) fn body(&self) -> &Bytes {
        self.cut.as_ref().unwrap_or(&self.payload)
    }

    /// Whether the prepared body can follow a header on `csid` toward a peer with `chunk_size`.
    #[inline]
    pub(super) fn fits(&self, csid: u32, chunk_size: u32) -> bool {
        if self.payload.len() <= self.chunk_size as usize {
            self.payload.len() <= chunk_size as usize
        } else {
            self.csid == csid && self.chunk_size == chunk_size
        }
    }
}

/// The extended timestamp a message's header and all its continuations carry. The writer sends every timestamp this
/// large absolutely, so the value does not depend on the receiver.
#[inline]
pub(super) fn extended_timestamp(timestamp: u32) -> Option<u32> {
    (timestamp >= EXTENDED).then_some(timestamp)
}

fn cut(payload: &[u8], chunk_size: usize, csid: u32, timestamp: u32) -> Bytes {
    let header = HeaderBytes::continuation(csid, extended_timestamp(timestamp));
    let headers = (payload.len() / chunk_size).saturating_mul(header.as_slice().len());
    let mut body = Vec::with_capacity(payload.len().saturating_add(headers));
    for (index, piece) in payload.chunks(chunk_size).enumerate() {
        if index > 0 {
            body.extend_from_slice(header.as_slice());
        }
        body.extend_from_slice(piece);
    }
    Bytes::from(body)
}
