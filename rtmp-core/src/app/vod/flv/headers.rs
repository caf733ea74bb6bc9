//! The headers of a file and where they stand: which of them hold at a place.

use std::sync::Arc;

use crate::app::stream::{GopCache, LiveMessage};
use crate::media::{FrameFlags, MediaMessage};

/// Metadata and sequence headers by the place of their tag.
#[derive(Debug, Default)]
pub(super) struct HeaderLog {
    entries: Vec<(u64, MediaMessage)>,
    bytes: usize,
    /// The place of the first tag that is no header.
    first_frame: Option<u64>,
}

/// Headers kept; later ones are not, and play with those before.
const MAX_ENTRIES: usize = 256;
const MAX_BYTES: usize = 2 << 20;

impl HeaderLog {
    /// The longest header that is kept, in bytes.
    pub(super) const MAX_SIZE: usize = 64 << 10;

    /// Whether a body is a header.
    pub(super) fn takes(flags: FrameFlags) -> bool {
        flags.intersects(FrameFlags::CONFIG | FrameFlags::METADATA)
    }

    /// Takes note of a tag; false if it is no header.
    pub(super) fn add(&mut self, position: u64, message: &MediaMessage, flags: FrameFlags) -> bool {
        if !Self::takes(flags) {
            self.first_frame.get_or_insert(position);
            return false;
        }
        let Err(at) = self.find(position) else { return true };
        let size = message.body.len();
        let before = self.entries.get(..at).unwrap_or_default();
        let last = before.iter().rev().find(|(_, other)| other.kind == message.kind);
        let is_news = last.is_none_or(|(_, other)| other.body != message.body);
        let room = self.entries.len() < MAX_ENTRIES && self.bytes + size <= MAX_BYTES;
        if is_news && room && size <= Self::MAX_SIZE {
            self.bytes += size;
            self.entries.insert(at, (position, message.clone()));
        }
        true
    }

    /// Whether the header at a place is kept.
    pub(super) fn knows(&self, position: u64) -> bool {
        self.find(position).is_ok()
    }

    /// Whether a place is at the file's first frame, or before it.
    pub(super) fn is_before_first_frame(&self, position: u64) -> bool {
        self.first_frame.is_none_or(|first| position <= first)
    }

    /// What a decoder needs that starts at a place, stamped with the time there.
    pub(super) fn at(&self, position: u64, time: u32) -> Vec<MediaMessage> {
        let mut cache = GopCache::new(0);
        let before = self.entries.iter().take_while(|(at, _)| *at < position);
        for (number, (_, message)) in (0..).zip(before) {
            let message = LiveMessage::new(number, message.kind, time, message.body.clone(), false);
            cache.add(&Arc::new(message));
        }
        let headers = cache.headers();
        let stamped = headers
            .iter()
            .map(|header| MediaMessage::new(header.kind, time, header.shared.payload.clone()));
        stamped.collect()
    }

    fn find(&self, position: u64) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&position, |(at, _)| *at)
    }
}
