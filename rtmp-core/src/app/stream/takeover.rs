//! What happens between two publishers of one stream: who gives way, how long players are held, and how time goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::app::stream::publisher_id;
use crate::time::distance;
use crate::wire::status::{Code, Status};

/// What a publisher may do to the one before it, and what happens when it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Takeover {
    /// Take the stream from a publisher that is still there. If not, it is refused with NetStream.Publish.BadName. A client that
    /// loses the stream is told the same, and disconnected if it neither publishes nor plays anything else and uses no shared
    /// object.
    pub replace: bool,
    /// Milliseconds that players are held, and hear nothing, when this publisher leaves. Whoever publishes the stream
    /// in that time goes on where this one stopped.
    pub hold_ms: u32,
}

impl Takeover {
    /// The second publisher is refused; when the first leaves its players are told at once.
    pub const REFUSE: Self = Self {
        replace: false,
        hold_ms: 0,
    };

    /// The second publisher takes the stream from the first; players go on without a break.
    pub const REPLACE: Self = Self {
        replace: true,
        hold_ms: 0,
    };

    /// The second publisher is refused while the first is there; when it leaves, players are held for `millis`.
    pub const fn hold(millis: u32) -> Self {
        Self {
            replace: false,
            hold_ms: millis,
        }
    }

    pub(crate) fn hold_until(self) -> Option<Instant> {
        let wait = Duration::from_millis(u64::from(self.hold_ms));
        (self.hold_ms > 0).then(|| Instant::now() + wait)
    }
}

/// Whoever publishes a stream.
pub struct Publisher {
    /// Unique in the process.
    pub(crate) id: u64,
    pub(crate) takeover: Takeover,
    /// The streams that what it publishes came through, over relays, its source first.
    pub(crate) path: Arc<[String]>,
    /// It published the stream before: time goes on in any case.
    pub(crate) continues: bool,
    evict: Option<Evict>,
}

/// Tells a publisher that the stream is no longer its own.
type Evict = Box<dyn FnOnce(Eviction) + Send>;

/// Why a publisher has lost its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Eviction {
    /// Another publisher has taken it.
    Replaced,
    /// The host has cleared it.
    Cleared,
}

impl Publisher {
    /// A publication of the host, which finds out by itself that it lost the stream.
    pub(crate) fn host(takeover: Takeover) -> Self {
        Self {
            id: publisher_id(),
            takeover,
            path: Arc::default(),
            continues: false,
            evict: None,
        }
    }

    /// A publisher; what `evict` makes of its number tells it that it has lost the stream.
    pub(crate) fn new(takeover: Takeover, evict: impl FnOnce(u64) -> Evict) -> Self {
        let id = publisher_id();
        Self {
            id,
            takeover,
            path: Arc::default(),
            continues: false,
            evict: Some(evict(id)),
        }
    }

    /// The same publisher, of what came through other streams before.
    pub(crate) fn relayed(mut self, path: Arc<[String]>, continues: bool) -> Self {
        self.path = path;
        self.continues = continues;
        self
    }

    /// Whether it is a publication of the host.
    pub(crate) fn is_host(&self) -> bool {
        self.evict.is_none()
    }

    pub(crate) fn evict(self, why: Eviction) {
        if let Some(evict) = self.evict {
            evict(why);
        }
    }
}

impl Eviction {
    /// What the publisher is told.
    pub(crate) fn status(self, stream: &str) -> Status {
        Status::for_stream(Code::PublishBadName, stream).with_description(match self {
            Self::Replaced => "Another publisher has taken the stream.",
            Self::Cleared => "The application has cleared the stream.",
        })
    }
}

/// The times of a stream over all its publishers: each begins where the one before stopped.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    /// Added to the publisher's timestamps.
    offset: AtomicU32,
    /// The latest time sent.
    last: AtomicU32,
    /// The next message is the first of a publisher that goes on.
    joining: AtomicBool,
}

/// Between the last message of one publisher and the first of the next.
const GAP_MS: u32 = 20;

impl Timeline {
    /// A publisher begins.
    pub(crate) fn begin(&self, goes_on: bool) {
        if !goes_on {
            self.offset.store(0, Relaxed);
        }
        self.joining.store(goes_on, Relaxed);
    }

    /// The time at which a message of the publisher goes out.
    pub(crate) fn place(&self, timestamp: u32) -> u32 {
        // Once for each publisher: looking comes cheaper than swapping.
        if self.joining.load(Relaxed) && self.joining.swap(false, Relaxed) {
            let begin = self.last.load(Relaxed).wrapping_add(GAP_MS);
            self.offset.store(begin.wrapping_sub(timestamp), Relaxed);
        }
        timestamp.wrapping_add(self.offset.load(Relaxed))
    }

    /// A message has gone out.
    pub(crate) fn note(&self, timestamp: u32) {
        if distance(self.last.load(Relaxed), timestamp) > 0 {
            self.last.store(timestamp, Relaxed);
        }
    }

    /// The latest time sent.
    pub(crate) fn last(&self) -> u32 {
        self.last.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_publisher_begins_where_the_one_before_stopped() {
        let time = Timeline::default();
        time.begin(false);
        for timestamp in [1_000, 1_040, 1_020] {
            time.note(time.place(timestamp));
        }
        time.begin(true);
        assert_eq!(
            [0, 40, 80].map(|timestamp| time.place(timestamp)),
            [1_060, 1_100, 1_140]
        );
        time.note(1_140);
        time.begin(true);
        assert_eq!(time.place(0xffff_ff00), 1_160, "from the end of 32 bits as well");
    }

    #[test]
    fn a_fresh_publication_keeps_its_own_time() {
        let time = Timeline::default();
        time.begin(true);
        assert_eq!(time.place(500), 20);
        time.begin(false);
        assert_eq!(time.place(500), 500);
    }
}
