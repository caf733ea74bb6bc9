//! A message prepared once for many receivers.

use bytes::Bytes;

use super::header::{EXTENDED, HeaderBytes};
use super::writer::Previous;
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

/// Messages that follow each other, headers and bodies in one piece, for all receivers that need the same headers: one
/// buffer to send, and no header to make. Made as they are needed, for the few different headers that there are.
#[derive(Debug, Default)]
pub struct Runs(pub(super) Vec<Run>);

/// What receivers need whose chunk streams stand alike.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) chunk_size: u32,
    pub(super) stream_id: u32,
    /// One for each chunk stream of the messages.
    pub(super) steps: Vec<Step>,
    pub(super) bytes: Bytes,
}

/// How a chunk stream stands before a run, if it was used, and after it.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) before: Option<Previous>,
    pub(super) after: Previous,
}

/// Different headers of the same messages; more than this is rare enough not to copy the bodies again.
const MOST_RUNS: usize = 4;

impl Runs {
    /// The bytes of a run.
    #[cfg(feature = "engine")]
    pub(crate) fn bytes(&self, number: usize) -> Option<&Bytes> {
        self.0.get(number).map(|run| &run.bytes)
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MOST_RUNS
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
