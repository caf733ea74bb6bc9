//! Counts of servers, instances and streams.

use std::collections::BTreeMap;

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

/// Counts of a client.
#[pyclass(frozen, get_all, eq, module = "rtmpkit._rtmpkit")]
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct PeerStats {
    /// Bytes received.
    bytes_in: u64,
    /// Bytes sent.
    bytes_out: u64,
    /// Media messages received.
    messages_in: u64,
    /// Media messages queued for sending.
    messages_out: u64,
    /// Media messages dropped because the client was too slow.
    messages_dropped: u64,
    /// Messages and bytes of audio among those dropped.
    dropped_audio: (u64, u64),
    /// Messages and bytes of video among those dropped.
    dropped_video: (u64, u64),
    /// Messages and bytes of data among those dropped.
    dropped_data: (u64, u64),
    /// Bytes that wait to be sent.
    queued_bytes: u64,
    /// Milliseconds of the last round trip measured.
    ping_rtt: Option<u64>,
    /// Bytes per second received lately.
    rate_in: f64,
    /// Bytes per second sent lately.
    rate_out: f64,
}

/// What a bandwidth check found.
#[pyclass(frozen, get_all, eq, module = "rtmpkit._rtmpkit")]
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Bandwidth {
    /// Kilobits per second towards the client.
    kbit_per_s: f64,
    /// Kilobits sent to find out.
    kbit: f64,
    /// Seconds they took, without the latency.
    seconds: f64,
    /// Milliseconds that an empty call takes there and back.
    latency_ms: f64,
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
    /// Clients disconnected or refused because more waited for them than may: they did not read, their worker was held up, or
    /// the host asked for too much before it accepted them.
    overrun: u64,
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
    /// Messages, and bytes of them, that a worker with players or subscriptions did not get, because 64 MiB waited for it.
    undelivered: (u64, u64),
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
            overrun: stats.overrun,
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
            undelivered: (stats.undelivered.messages, stats.undelivered.bytes),
        }
    }
}

impl From<core::ClientStats> for PeerStats {
    fn from(stats: core::ClientStats) -> Self {
        let drops = |drops: core::Drops| (drops.messages, drops.bytes);
        Self {
            bytes_in: stats.traffic.bytes_in,
            bytes_out: stats.traffic.bytes_out,
            messages_in: stats.traffic.messages_in,
            messages_out: stats.traffic.messages_out,
            messages_dropped: stats.traffic.messages_dropped,
            dropped_audio: drops(stats.dropped_audio),
            dropped_video: drops(stats.dropped_video),
            dropped_data: drops(stats.dropped_data),
            queued_bytes: stats.queued_bytes,
            ping_rtt: stats.ping_rtt_ms,
            rate_in: stats.bytes_per_s_in,
            rate_out: stats.bytes_per_s_out,
        }
    }
}

impl From<core::Bandwidth> for Bandwidth {
    fn from(found: core::Bandwidth) -> Self {
        Self {
            kbit_per_s: found.kbit_per_s,
            kbit: found.kbit,
            seconds: found.seconds,
            latency_ms: found.latency_ms,
        }
    }
}

/// Deviations by name, with how often each occurred.
pub(crate) fn deviations(counted: &core::Deviations) -> BTreeMap<&'static str, u32> {
    counted
        .iter()
        .map(|(deviation, count)| (deviation.name(), count))
        .collect()
}
