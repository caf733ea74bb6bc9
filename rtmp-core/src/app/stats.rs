//! Counters of connections, instances and streams, and what the host reads of them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use parking_lot::Mutex;

use crate::session::Deviations;
use crate::wire::deviation::Counts;

/// Bytes and messages of a connection, or the sum over an instance or a server. Updated without locks.
#[derive(Debug, Default)]
pub struct Traffic {
    bytes_out: AtomicU64,
    messages_out: AtomicU64,
    bytes_in: AtomicU64,
    messages_in: AtomicU64,
    messages_dropped: AtomicU64,
    dropped: [[AtomicU64; 2]; 3],
    queued: AtomicU64,
    /// One more than the milliseconds of the last round trip; 0 before the first.
    ping_rtt: AtomicU64,
    deviations: Mutex<Counts>,
}

/// Bytes and messages counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrafficStats {
    /// Bytes received, handshake included.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Media messages received.
    pub messages_in: u64,
    /// Media messages queued for sending.
    pub messages_out: u64,
    /// Media messages dropped because the receiver was too slow.
    pub messages_dropped: u64,
}

/// Media messages of one kind that a client did not get, because it was too slow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drops {
    /// How many.
    pub messages: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// Statistics of a client.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct ClientStats {
    /// Bytes and messages so far.
    pub traffic: TrafficStats,
    /// Audio that the client did not get.
    pub dropped_audio: Drops,
    /// Video that the client did not get.
    pub dropped_video: Drops,
    /// Data messages of streams that the client did not get.
    pub dropped_data: Drops,
    /// Bytes that wait to be sent to the client.
    pub queued_bytes: u64,
    /// Milliseconds of the last round trip; `None` before the first ping was answered.
    pub ping_rtt_ms: Option<u64>,
    /// Bytes per second from the client, since these were last asked for (at least a second ago), or since it connected.
    pub bytes_per_s_in: f64,
    /// Bytes per second to the client.
    pub bytes_per_s_out: f64,
}

/// How fast bytes come and go, measured between two readings.
#[derive(Debug)]
pub(crate) struct Rates {
    at: Instant,
    bytes: [u64; 2],
    per_s: [f64; 2],
    is_first: bool,
}

impl Rates {
    pub(crate) fn new() -> Self {
        Self {
            at: Instant::now(),
            bytes: [0; 2],
            per_s: [0.0; 2],
            is_first: true,
        }
    }

    /// Bytes per second in and out. Readings that follow each other within a second get the same.
    pub(crate) fn read(&mut self, now: Instant, traffic: TrafficStats) -> [f64; 2] {
        let bytes = [traffic.bytes_in, traffic.bytes_out];
        let seconds = now.duration_since(self.at).as_secs_f64();
        if seconds >= 1.0 || self.is_first {
            #[allow(clippy::cast_precision_loss)] // Rates need no more digits.
            let per_s =
                |kind: usize| bytes[kind].saturating_sub(self.bytes[kind]) as f64 / seconds.max(0.001);
            self.per_s = [per_s(0), per_s(1)];
        }
        if seconds >= 1.0 {
            (self.at, self.bytes, self.is_first) = (now, bytes, false);
        }
        self.per_s
    }
}

/// Adds to a count that one thread writes and any may read: an operation that locks the bus would wait for all of a
/// message's bytes to reach the memory first.
fn count(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(more), Relaxed);
}

impl Traffic {
    /// Counts bytes read from a socket. A connection's counts are written by its worker alone.
    pub fn received(&self, bytes: usize) {
        count(&self.bytes_in, bytes as u64);
    }

    /// Counts bytes written to a socket.
    pub fn sent(&self, bytes: usize) {
        count(&self.bytes_out, bytes as u64);
    }

    /// Counts media messages received.
    pub fn messages_received(&self, messages: u64) {
        count(&self.messages_in, messages);
    }

    /// Counts media messages sent.
    pub fn messages_sent(&self, messages: u64) {
        count(&self.messages_out, messages);
    }

    /// Counts media messages that went to the socket at once.
    pub(crate) fn passed(&self, messages: u64, bytes: u64) {
        count(&self.messages_out, messages);
        count(&self.bytes_out, bytes);
    }

    /// Counts bytes back that were not sent after all.
    pub(crate) fn take_back(&self, bytes: u64) {
        count(&self.bytes_out, bytes.wrapping_neg());
    }

    /// Counts media messages dropped.
    pub fn dropped(&self, drops: &[Drops; 3]) {
        for (counted, drops) in self
            .dropped
            .iter()
            .zip(drops)
            .filter(|(_, drops)| drops.messages > 0)
        {
            count(&self.messages_dropped, drops.messages);
            count(&counted[0], drops.messages);
            count(&counted[1], drops.bytes);
        }
    }

    /// Takes note of how many bytes wait to be sent.
    pub fn set_queued(&self, bytes: usize) {
        self.queued.store(bytes as u64, Relaxed);
    }

    /// Takes note of a round trip.
    pub fn set_ping_rtt(&self, millis: u64) {
        self.ping_rtt.store(millis.saturating_add(1), Relaxed);
    }

    /// Bytes that wait to be sent.
    pub fn queued(&self) -> u64 {
        self.queued.load(Relaxed)
    }

    /// The last round trip in milliseconds.
    pub fn ping_rtt(&self) -> Option<u64> {
        self.ping_rtt.load(Relaxed).checked_sub(1)
    }

    /// Media messages dropped: audio, video, data.
    pub fn drops(&self) -> [Drops; 3] {
        [0, 1, 2].map(|kind: usize| Drops {
            messages: self.dropped[kind][0].load(Relaxed),
            bytes: self.dropped[kind][1].load(Relaxed),
        })
    }

    /// Takes a connection's counts of what its peer did against the specifications; returns what is new in them.
    pub fn set_deviations(&self, now: Deviations) -> Deviations {
        let before = std::mem::replace(self.deviations.lock().get_mut(), now);
        now.since(&before)
    }

    /// Adds to the counts of what peers did against the specifications.
    pub fn add_deviations(&self, more: &Deviations) {
        self.deviations.lock().get_mut().absorb(more);
    }

    /// What peers did against the specifications, so far.
    pub fn deviations(&self) -> Deviations {
        *self.deviations.lock().get()
    }

    /// Adds the counts of another, as when a connection ends.
    pub fn absorb(&self, other: TrafficStats) {
        self.bytes_in.fetch_add(other.bytes_in, Relaxed);
        self.bytes_out.fetch_add(other.bytes_out, Relaxed);
        self.messages_in.fetch_add(other.messages_in, Relaxed);
        self.messages_out.fetch_add(other.messages_out, Relaxed);
        self.messages_dropped.fetch_add(other.messages_dropped, Relaxed);
    }

    /// The counts now.
    pub fn read(&self) -> TrafficStats {
        TrafficStats {
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            messages_in: self.messages_in.load(Relaxed),
            messages_out: self.messages_out.load(Relaxed),
            messages_dropped: self.messages_dropped.load(Relaxed),
        }
    }
}

impl TrafficStats {
    /// The sum of two readings.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            bytes_in: self.bytes_in + other.bytes_in,
            bytes_out: self.bytes_out + other.bytes_out,
            messages_in: self.messages_in + other.messages_in,
            messages_out: self.messages_out + other.messages_out,
            messages_dropped: self.messages_dropped + other.messages_dropped,
        }
    }
}

/// Statistics of an application instance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InstanceStats {
    /// Clients connected now.
    pub clients: usize,
    /// Connections accepted since the instance started.
    pub accepted: u64,
    /// Connections refused since the instance started.
    pub rejected: u64,
    /// Streams with a publisher, a player or a handle now.
    pub streams: usize,
    /// Bytes and messages of all clients, those that left included.
    pub traffic: TrafficStats,
}

/// Statistics of a live stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// Whether somebody publishes now.
    pub publishing: bool,
    /// Players and subscriptions now.
    pub players: usize,
    /// Media messages published since the stream object exists.
    pub messages: u64,
    /// Bytes of those messages' bodies.
    pub bytes: u64,
    /// Messages held for those who join late.
    pub cached_messages: usize,
    /// Bytes held for those who join late.
    pub cached_bytes: usize,
    /// Media messages that a worker with players or subscriptions did not get, because 64 MiB waited for it; once per worker.
    /// They go on at the next keyframe.
    pub undelivered: Drops,
}
