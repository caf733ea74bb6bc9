//! What was published, for telling what a player should have got.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Instant;

use rtmp_core::media::{FrameFlags, MediaKind, MediaMessage, inspect};

use crate::source::read_stamp;

/// The one clock of all threads, and the video messages sent so far.
pub(crate) struct Ledger {
    began: Instant,
    sent: RwLock<Sent>,
}

#[derive(Default)]
struct Sent {
    /// Number and sending time by timestamp: enough for a file, whose messages carry neither.
    by_timestamp: HashMap<u32, (u32, u64)>,
    count: u32,
}

/// A video message with a place in the published order.
pub(crate) struct Sighting {
    pub(crate) number: u32,
    pub(crate) sent_micros: u64,
    pub(crate) keyframe: bool,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            sent: RwLock::default(),
        }
    }

    /// Microseconds since the run began.
    pub(crate) fn micros(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    /// Milliseconds since the run began.
    pub(crate) fn millis(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// Notes that `message` is about to be sent, if it is a picture.
    pub(crate) fn note(&self, message: &MediaMessage, micros: u64) {
        if is_picture(message) {
            let mut sent = self.sent.write().unwrap_or_else(PoisonError::into_inner);
            let number = sent.count;
            sent.by_timestamp.insert(message.timestamp, (number, micros));
            sent.count += 1;
        }
    }

    /// Pictures sent so far.
    pub(crate) fn count(&self) -> u32 {
        self.sent.read().unwrap_or_else(PoisonError::into_inner).count
    }

    /// Which picture `message` is; `None` when it is none of ours, or no picture.
    pub(crate) fn find(&self, message: &MediaMessage) -> Option<Sighting> {
        if !is_picture(message) {
            return None;
        }
        let by_timestamp = || {
            let sent = self.sent.read().unwrap_or_else(PoisonError::into_inner);
            sent.by_timestamp.get(&message.timestamp).copied()
        };
        let (number, sent_micros) = read_stamp(&message.body).or_else(by_timestamp)?;
        let keyframe = inspect(message.kind, &message.body).contains(FrameFlags::KEYFRAME);
        Some(Sighting {
            number,
            sent_micros,
            keyframe,
        })
    }
}

/// Video that is shown: neither a sequence header nor the end of a sequence.
pub(crate) fn is_picture(message: &MediaMessage) -> bool {
    let flags = inspect(message.kind, &message.body);
    message.kind == MediaKind::Video
        && !flags.contains(FrameFlags::CONFIG)
        && !flags.contains(FrameFlags::END_OF_SEQUENCE)
        && !flags.contains(FrameFlags::METADATA)
}
