//! From a stream's event to the sockets of all who play it here: kept until due, judged for each player, sent in as few
//! calls to the kernel as can be.

use std::sync::Arc;

use crate::app::stats::Drops;
use crate::app::stream::{Delivery, Item, LiveMessage, LiveStream, Verdict};
use crate::engine::connection::{Connection, Peer};
use crate::engine::players::{Audience, Player, Waiting};
use crate::engine::server_peer::ServerPeer;
use crate::engine::timer::Deadline;
use crate::engine::transport::Sent;
use crate::engine::transport::ring::{BATCH, Ring};
use crate::engine::worker::Worker;
use crate::media::MediaKind;

/// How a worker sends: through a ring where there is one, and what it needs for it.
#[derive(Default)]
pub(crate) struct Sender {
    ring: Option<Ring>,
    outcomes: Vec<Sent>,
    keys: Vec<usize>,
    again: Vec<usize>,
}

/// Sends below this count go out one by one.
const LEAST_BATCH: usize = 3;
/// From this many players on, header and body are put together once for all.
const LEAST_SHARED: usize = 3;

impl Worker {
    /// Takes a stream's event: subscriptions of the host see it at once, players when it is due.
    pub(crate) fn deliver(&mut self, delivery: &Delivery) {
        let Some(audience) = self.players.get_mut(delivery.stream) else {
            return;
        };
        let has_players = !audience.players.is_empty();
        let wait = match (&delivery.item, &audience.stream) {
            (Item::Media(message), Some(stream)) => wait(message, stream, self.load.percent()),
            _ => 0,
        };
        if !audience.feeds.is_empty() {
            let feeds = audience.feeds.clone();
            self.guard(|| feeds.iter().for_each(|feed| feed.take(&delivery.item)));
        }
        if has_players {
            self.players.keep(
                delivery.stream,
                delivery.item.clone(),
                self.now.saturating_add(wait),
            );
        }
    }

    /// Queues the events that are due on the connections of their players.
    pub(crate) fn distribute(&mut self) {
        let mut due = std::mem::take(&mut self.due);
        self.players.take_due(self.now, &mut due);
        let mut took_over = Vec::new();
        for stream in due.drain(..) {
            let Some(audience) = self.players.get_mut(stream) else {
                continue;
            };
            let Audience {
                stream,
                players,
                pending,
                ..
            } = audience;
            let is_shared = players.len() >= LEAST_SHARED;
            for player in players {
                let Some(connection) = self.connections.get_mut(player.key) else {
                    continue;
                };
                let start = give(
                    player,
                    connection,
                    pending,
                    is_shared,
                    stream.as_deref(),
                    self.now,
                );
                took_over.extend(start.map(|timestamp| (player.key, player.stream_id, timestamp)));
                if !connection.dirty {
                    connection.dirty = true;
                    self.dirty.push(player.key);
                }
            }
            pending.clear();
            for (key, stream_id, timestamp) in took_over.drain(..) {
                self.with(key, |connection, _, context| {
                    if let Peer::Server(peer) = &mut connection.peer {
                        peer.taken_over(stream_id, timestamp, context);
                    }
                    Ok(())
                });
            }
        }
        self.due = due;
    }

    /// Sends what this turn has queued, each connection once.
    pub(crate) fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        if dirty.len() >= LEAST_BATCH {
            self.sender.keys.clone_from(&dirty);
            while self.sender.ring.is_some() && !self.sender.keys.is_empty() {
                self.send_batch();
            }
        }
        for key in dirty.drain(..) {
            let Some(connection) = self.connections.get_mut(key) else {
                continue;
            };
            connection.dirty = false;
            // After a batch there is nothing left to send: this settles the connection.
            if let Err(end) = connection.flush(self.now) {
                self.remove(key, &end);
                continue;
            }
            if let Some(at) = connection
                .flushed_deadline()
                .filter(|at| *at < connection.timer_at)
            {
                connection.timer_at = at;
                self.timers.add(Deadline {
                    at,
                    key,
                    id: connection.id,
                });
            }
        }
        if self.dirty.is_empty() {
            self.dirty = dirty;
        }
    }

    /// Sends for as many of the sender's keys as fit one batch; those that have more to send come again.
    fn send_batch(&mut self) {
        let Sender {
            ring,
            outcomes,
            keys,
            again,
        } = &mut self.sender;
        for key in keys.iter().take(BATCH) {
            if let Some(connection) = self.connections.get_mut(*key) {
                connection.refresh_room(self.now);
            }
        }
        let Some(open) = ring else { return };
        let mut batch = open.batch();
        let mut taken = 0;
        again.clear();
        for key in keys.iter().take(BATCH) {
            taken += 1;
            if let Some(outgoing) = self.connections.get(*key).and_then(Connection::outgoing) {
                batch.add(outgoing.fd, outgoing.slices());
                again.push(*key);
            }
        }
        if let Err(error) = batch.send(outcomes) {
            log::warn!("io_uring is given up for plain writes: {error}");
            *ring = None;
        }
        keys.drain(..taken);
        let (sent_to, outcomes) = (std::mem::take(again), std::mem::take(outcomes));
        for (key, sent) in sent_to.iter().zip(&outcomes) {
            self.after_send(*key, *sent);
        }
        self.sender.again = sent_to;
        self.sender.outcomes = outcomes;
    }

    fn after_send(&mut self, key: usize, sent: Sent) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        match connection.sent(sent) {
            Ok(()) if connection.outgoing().is_some() => self.sender.keys.push(key),
            Ok(()) => {}
            Err(end) => self.remove(key, &end),
        }
    }
}

impl Sender {
    /// Opens the ring, unless it is not wanted or the kernel or sandbox does not allow it.
    pub(crate) fn open(wanted: bool) -> Self {
        let ring = wanted.then(Ring::open).and_then(|ring| {
            ring.inspect_err(|error| log::info!("io_uring is not to be had, writes are plain: {error}"))
                .ok()
        });
        Self {
            ring,
            ..Self::default()
        }
    }
}

/// How long a message may wait for others of its stream.
fn wait(message: &LiveMessage, stream: &LiveStream, load: u8) -> u64 {
    let latency = stream.latency();
    match message.kind {
        MediaKind::Video => latency.video_wait(load),
        MediaKind::Audio | MediaKind::Data => u64::from(latency.audio_wait_ms),
    }
}

/// Queues pending events for one player, one of several if `is_shared`. If with them it takes over from another stream,
/// the time at which it does.
fn give(
    player: &mut Player,
    connection: &mut Connection,
    pending: &mut [Waiting],
    is_shared: bool,
    stream: Option<&LiveStream>,
    now: u64,
) -> Option<u32> {
    let mut sent = 0;
    let mut took_over = None;
    let mut dropped = [Drops::default(); 3];
    for Waiting { item, frames } in pending {
        let backlog = connection.backlog();
        let Peer::Server(peer) = &mut connection.peer else {
            return None;
        };
        match item {
            Item::Media(message) => match player.flow.judge(message, backlog) {
                verdict @ (Verdict::Send | Verdict::Resume) => {
                    if verdict == Verdict::Resume {
                        send_headers(peer, player, stream);
                    }
                    if player.takes_over.take().is_some() {
                        took_over = Some(message.shared.timestamp);
                    }
                    if let Some(shared) = message.form(player.reduction) {
                        match player.reduction {
                            None if is_shared => peer.session.send_framed(player.stream_id, shared, frames),
                            _ => peer.session.send_media(player.stream_id, shared),
                        };
                        sent += 1;
                    }
                }
                Verdict::Drop if player.takes_over.is_some() => {}
                Verdict::Drop => {
                    let of_kind = &mut dropped[message.kind as usize];
                    of_kind.messages += 1;
                    of_kind.bytes += message.shared.payload.len() as u64;
                }
                Verdict::Skip => {}
            },
            Item::Published if player.takes_over.is_some() => {}
            Item::Published => {
                peer.notify(player.stream_id, stream.map_or("", LiveStream::name), true, now);
            }
            Item::Unpublished => {
                player.flow.reset();
                if player.takes_over.is_none() {
                    peer.notify(player.stream_id, stream.map_or("", LiveStream::name), false, now);
                }
            }
        }
    }
    if let Peer::Server(peer) = &mut connection.peer {
        connection.streams = sent > 0;
        peer.traffic.messages_sent(sent);
        peer.traffic.dropped(&dropped);
        if player.flow.take_overrun() {
            peer.too_slow(player.stream_id, now);
        }
    }
    took_over
}

fn send_headers(peer: &mut ServerPeer, player: &Player, stream: Option<&LiveStream>) {
    let headers: Vec<Arc<LiveMessage>> = stream.map(LiveStream::headers).unwrap_or_default();
    for header in headers.iter().filter_map(|header| header.form(player.reduction)) {
        peer.session.send_media(player.stream_id, header);
    }
}

/// The share of its time that a worker spends working, over the last while.
#[derive(Debug, Default)]
pub(crate) struct Load {
    busy_micros: u64,
    idle_micros: u64,
    percent: u8,
}

/// The time over which the load is measured.
const LOAD_WINDOW_MICROS: u64 = 200_000;

impl Load {
    /// Adds a turn: the time spent working and the time slept after it.
    pub(crate) fn add(&mut self, busy_micros: u64, idle_micros: u64) {
        self.busy_micros += busy_micros;
        self.idle_micros += idle_micros;
        let window = self.busy_micros + self.idle_micros;
        if window >= LOAD_WINDOW_MICROS {
            self.percent = u8::try_from(self.busy_micros * 100 / window).unwrap_or(100);
            self.busy_micros = 0;
            self.idle_micros = 0;
        }
    }

    /// Percentage of the last window spent working.
    pub(crate) fn percent(&self) -> u8 {
        self.percent
    }
}
