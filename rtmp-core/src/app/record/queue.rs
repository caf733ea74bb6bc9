//! What waits to be written: bounded in bytes, and when the bound is met, whole from the next keyframe on.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::app::stream::LiveMessage;
use crate::app::stream_files::RecordGuard;
use crate::media::MediaKind;
use crate::time::distance;

/// A thing to be written.
#[derive(Debug)]
pub(super) enum Item {
    Message(Arc<LiveMessage>),
    /// Another publisher begins.
    Restart,
}

/// The queue of a recorder, and how far it is.
#[derive(Debug, Default)]
pub(super) struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    limit: usize,
    /// Messages were dropped: the next is a keyframe, if there is video.
    gap: bool,
    has_video: bool,
    /// When the thread was given something last, by the stream's time.
    given_at: Option<u32>,
    /// A job is under way, or about to be.
    pub(super) running: bool,
    /// Nothing more is taken.
    pub(super) stopping: bool,
    /// It was cleared before its file was opened.
    pub(super) discarded: bool,
    pub(super) ended: bool,
    pub(super) guard: Option<RecordGuard>,
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It waits with others.
    Waits,
    /// It waits, and it is time to write.
    Due,
    Dropped,
    /// The recording is over.
    Refused,
}

/// So many bytes, or milliseconds of the stream, are written together.
const BATCH_BYTES: usize = 64 << 10;
const BATCH_MS: u32 = 500;

impl Queue {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Nothing is of use before the next keyframe.
    pub(super) fn wait_for_key(&mut self) {
        (self.gap, self.has_video) = (true, true);
    }

    pub(super) fn push(&mut self, message: &Arc<LiveMessage>) -> Pushed {
        if self.stopping || self.ended {
            return Pushed::Refused;
        }
        if !self.admits(message) {
            return Pushed::Dropped;
        }
        self.bytes += message.shared.payload.len();
        self.items.push_back(Item::Message(Arc::clone(message)));
        let timestamp = message.shared.timestamp;
        let waited = self
            .given_at
            .map_or(BATCH_MS, |at| distance(at, timestamp).unsigned_abs());
        if self.running || (self.bytes < BATCH_BYTES && waited < BATCH_MS) {
            return Pushed::Waits;
        }
        self.given_at = Some(timestamp);
        self.running = true;
        Pushed::Due
    }

    pub(super) fn restart(&mut self) {
        if !matches!(self.items.back(), Some(Item::Restart)) {
            self.items.push_back(Item::Restart);
        }
    }

    /// Everything that waits.
    pub(super) fn take(&mut self) -> VecDeque<Item> {
        self.bytes = 0;
        std::mem::take(&mut self.items)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether there is room for a message. Headers are small, rare, and needed after a gap.
    fn admits(&mut self, message: &LiveMessage) -> bool {
        let after = self.bytes + message.shared.payload.len();
        let limit = if message.is_header() {
            self.limit.saturating_mul(2)
        } else {
            self.limit
        };
        let too_many = LiveMessage::are_too_many(self.items.len(), limit);
        if message.is_header() {
            return after <= limit && !too_many;
        }
        self.has_video |= message.kind == MediaKind::Video;
        let fits = (after <= limit && !too_many) || self.items.is_empty();
        let resumes = !self.gap || !self.has_video || message.is_keyframe();
        self.gap = !(fits && resumes);
        !self.gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn message(kind: MediaKind, timestamp: u32, first: &[u8], size: usize) -> Arc<LiveMessage> {
        let mut body = first.to_vec();
        body.resize(size, 0);
        Arc::new(LiveMessage::new(0, kind, timestamp, Bytes::from(body), false))
    }

    fn inter(timestamp: u32, size: usize) -> Arc<LiveMessage> {
        message(MediaKind::Video, timestamp, b"\x27\x01", size)
    }

    fn key(timestamp: u32, size: usize) -> Arc<LiveMessage> {
        message(MediaKind::Video, timestamp, b"\x17\x01", size)
    }

    #[test]
    fn what_does_not_fit_is_dropped_up_to_the_next_keyframe() {
        let mut queue = Queue::new(1000);
        assert_eq!(queue.push(&key(0, 600)), Pushed::Due);
        assert_eq!(queue.push(&inter(40, 300)), Pushed::Waits);
        assert_eq!(queue.push(&inter(80, 300)), Pushed::Dropped);
        let header = message(
            MediaKind::Video,
            100,
            b"\x17\x00\x00\x00\x00\x01\x64\x00\x1f",
            300,
        );
        assert_eq!(queue.push(&header), Pushed::Waits, "headers are kept");
        assert_eq!(queue.take().len(), 3);
        assert_eq!(queue.push(&inter(120, 10)), Pushed::Dropped);
        let audio = message(MediaKind::Audio, 130, b"\xaf\x01", 10);
        assert_eq!(queue.push(&audio), Pushed::Dropped);
        assert_eq!(queue.push(&key(160, 10)), Pushed::Waits);
        assert_eq!(queue.push(&audio), Pushed::Waits);
    }

    #[test]
    fn empty_messages_are_counted() {
        let mut queue = Queue::new(1000);
        let empty = message(MediaKind::Audio, 0, b"", 0);
        let taken = (0..100_000)
            .filter(|_| queue.push(&empty) != Pushed::Dropped)
            .count();
        assert_eq!(taken, (1 << 20) / LiveMessage::WEIGHT);
        queue.take();
        assert_ne!(queue.push(&empty), Pushed::Dropped);
    }

    #[test]
    fn audio_alone_resumes_when_there_is_room() {
        let mut queue = Queue::new(100);
        let audio = message(MediaKind::Audio, 0, b"\xaf\x01", 80);
        assert_eq!(queue.push(&audio), Pushed::Due);
        assert_eq!(queue.push(&audio), Pushed::Dropped);
        queue.take();
        assert_eq!(queue.push(&audio), Pushed::Waits);
    }

    #[test]
    fn it_is_time_to_write_after_half_a_second_or_64_kib() {
        let mut queue = Queue::new(1 << 20);
        assert_eq!(queue.push(&key(0, 10)), Pushed::Due);
        queue.take();
        queue.running = false;
        assert_eq!(queue.push(&inter(499, 10)), Pushed::Waits);
        assert_eq!(queue.push(&inter(500, 10)), Pushed::Due);
        assert_eq!(queue.push(&inter(1500, 10)), Pushed::Waits, "it runs already");
        queue.take();
        queue.running = false;
        assert_eq!(queue.push(&inter(520, 64 << 10)), Pushed::Due);
    }

    #[test]
    fn a_recorder_that_joins_between_keyframes_waits_for_one() {
        let mut queue = Queue::new(1000);
        queue.wait_for_key();
        assert_eq!(queue.push(&inter(0, 10)), Pushed::Dropped);
        assert_eq!(queue.push(&key(40, 10)), Pushed::Due);
    }

    #[test]
    fn nothing_is_taken_after_the_end() {
        let mut queue = Queue::new(1000);
        queue.stopping = true;
        assert_eq!(queue.push(&key(0, 10)), Pushed::Refused);
    }
}
