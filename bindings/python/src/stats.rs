//! Counts of servers, instances and streams.

use pyo3::prelude::*;
use rtmp_core as core;

/// Bytes and messages.
#[pyclass(frozen, get_all, eq, module = "rtmpkit._rtmpkit")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TrafficStats {
    /// Bytes received.
    bytes_in: u64,
    /// Bytes sent.
    bytes_out: u64,
    /// Media messages received.
    messages_in: u64,
    /// Media messages queued for sending.
    messages_out: u64,
    /// Media messages dropped because the receiver was too slow.
    messages_dropped: u64,
}

/// Counts of a server.
#[pyclass(frozen, get_all, eq, module = "rtmpkit._rtmpkit")]
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ServerStats {
    /// Connections now.
    connections: usize,
    /// Connections taken since the start.
    accepted: u64,
    /// Connections turned away by a limit.
    turned_away: u64,
    /// Bytes and messages of all connections.
    traffic: TrafficStats,
}

/// Counts of an application instance.
#[pyclass(frozen, get_all, eq, module = "rtmpkit._rtmpkit")]
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct InstanceStats {
    /// Clients connected now.
    clients: usize,
    /// Connections accepted since the instance started.
    accepted: u64,
    /// Connections refused since the instance started.
    rejected: u64,
    /// Streams with a publisher, a player or a handle now.
    streams: usize,
    /// Bytes and messages of all clients.
    traffic: TrafficStats,
}

/// Counts of a live stream.
#[pyclass(frozen, get_all, eq, module = "rtmpkit._rtmpkit")]
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StreamStats {
    /// Whether somebody publishes now.
    publishing: bool,
    /// Players and subscriptions now.
    players: usize,
    /// Media messages published so far.
    messages: u64,
    /// Bytes of those messages.
    bytes: u64,
    /// Messages held for those who join late.
    cached_messages: usize,
    /// Bytes held for those who join late.
    cached_bytes: usize,
}

impl From<core::TrafficStats> for TrafficStats {
    fn from(stats: core::TrafficStats) -> Self {
        Self {
            bytes_in: stats.bytes_in,
            bytes_out: stats.bytes_out,
            messages_in: stats.messages_in,
            messages_out: stats.messages_out,
            messages_dropped: stats.messages_dropped,
        }
    }
}

impl From<core::ServerStats> for ServerStats {
    fn from(stats: core::ServerStats) -> Self {
        Self {
            connections: stats.connections,
            accepted: stats.accepted,
            turned_away: stats.turned_away,
            traffic: stats.traffic.into(),
        }
    }
}

impl From<core::InstanceStats> for InstanceStats {
    fn from(stats: core::InstanceStats) -> Self {
        Self {
            clients: stats.clients,
            accepted: stats.accepted,
            rejected: stats.rejected,
            streams: stats.streams,
            traffic: stats.traffic.into(),
        }
    }
}

impl From<core::StreamStats> for StreamStats {
    fn from(stats: core::StreamStats) -> Self {
        Self {
            publishing: stats.publishing,
            players: stats.players,
            messages: stats.messages,
            bytes: stats.bytes,
            cached_messages: stats.cached_messages,
            cached_bytes: stats.cached_bytes,
        }
    }
}
