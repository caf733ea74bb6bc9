//! Counters of connections, instances and streams, and what the host reads of them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::session::Deviations;

/// Bytes and messages of a connection, or the sum over an instance or a server. Updated without locks.
#[derive(Debug, Default)]
pub struct Traffic {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    messages_in: AtomicU64,
    messages_out: AtomicU64,
    messages_dropped: AtomicU64,
    deviations: Mutex<Deviations>,
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

impl Traffic {
    /// Counts bytes read from a socket.
    pub fn received(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Relaxed);
    }

    /// Counts bytes written to a socket.
    pub fn sent(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Relaxed);
    }

    /// Counts media messages received.
    pub fn messages_received(&self, count: u64) {
        self.messages_in.fetch_add(count, Relaxed);
    }

    /// Counts media messages sent.
    pub fn messages_sent(&self, count: u64) {
        self.messages_out.fetch_add(count, Relaxed);
    }

    /// Counts media messages dropped.
    pub fn dropped(&self, count: u64) {
        self.messages_dropped.fetch_add(count, Relaxed);
    }

    /// Takes a connection's counts of what its peer did against the specifications; returns what is new in them.
    pub fn set_deviations(&self, now: Deviations) -> Deviations {
        let before = std::mem::replace(&mut *self.deviations.lock(), now);
        now.since(&before)
    }

    /// Adds to the counts of what peers did against the specifications.
    pub fn add_deviations(&self, more: &Deviations) {
        self.deviations.lock().absorb(more);
    }

    /// What peers did against the specifications, so far.
    pub fn deviations(&self) -> Deviations {
        *self.deviations.lock()
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
}
