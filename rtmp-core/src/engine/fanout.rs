//! From a stream's event to the sockets of all who play it here: kept until due, judged for each player, sent in as few
//! calls to the kernel as can be.

use std::iter;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use bytes::Bytes;
use slab::Slab;

use crate::app::stats::Drops;
use crate::app::stream::{Backlog, Delivery, Item, LiveMessage, LiveStream, Verdict};
use crate::engine::connection::{Connection, End, Peer};
use crate::engine::players::{Audience, Batch, Player, Waiting};
use crate::engine::server_peer::ServerPeer;
use crate::engine::timer::Deadline;
use crate::engine::transport::ring::{BATCH, Ring};
use crate::engine::transport::{Sent, tcp};
use crate::engine::worker::Worker;
use crate::media::MediaKind;
use crate::wire::chunk::Runs;

/// How a worker sends: through a ring where there is one, and what it needs for it.
#[derive(Default)]
pub(crate) struct Sender {
    ring: Option<Ring>,
    outcomes: Vec<Sent>,
    /// Those that a batch sends for.
    sent_to: Vec<usize>,
    /// Those with nothing for a batch to send.
    rest: Vec<usize>,
    /// Who is sent what past the queues.
    straight: Vec<Straight>,
}

/// A run for a player for whom nothing waits.
#[derive(Clone, Copy)]
struct Straight {
    key: usize,
    run: usize,
}

/// Sends below this count go out one by one.
const LEAST_BATCH: usize = 3;
/// From this many players on, headers and bodies are put together once for all.
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
        let (mut took_over, mut broken) = (Vec::new(), Vec::new());
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
            let mut giving = Giving {
                stream: stream.as_deref(),
                is_shared: players.len() >= LEAST_SHARED,
                now: self.now,
                verdicts: Vec::new(),
            };
            for player in players {
                let Some(connection) = self.connections.get_mut(player.key) else {
                    continue;
                };
                if let ([Waiting::Messages(batch)], true) = (&mut pending[..], giving.is_shared)
                    && let Some(run) = connection.pass(player, batch)
                {
                    self.sender.straight.push(Straight { key: player.key, run });
                    continue;
                }
                let start = giving.give(player, connection, pending);
                took_over.extend(start.map(|timestamp| (player.key, player.stream_id, timestamp)));
                connection.refresh_room(self.now);
                if !connection.dirty {
                    connection.dirty = true;
                    self.dirty.push(player.key);
                }
            }
            if let [Waiting::Messages(batch)] = &pending[..] {
                let unsent = self.sender.send_straight(&self.connections, &batch.runs);
                for (straight, sent) in unsent {
                    let Some(connection) = self.connections.get_mut(straight.key) else {
                        continue;
                    };
                    let Some(run) = batch.runs.bytes(straight.run) else {
                        continue;
                    };
                    match connection.take_back(sent, run, self.now) {
                        Ok(()) if connection.dirty => {}
                        Ok(()) => {
                            connection.dirty = true;
                            self.dirty.push(straight.key);
                        }
                        Err(end) => broken.push((straight.key, end)),
                    }
                }
            }
            pending.clear();
            for (key, end) in broken.drain(..) {
                self.remove(key, &end);
            }
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
            while self.sender.ring.is_some() && !dirty.is_empty() {
                self.send_batch(&mut dirty);
            }
            dirty.append(&mut self.sender.rest);
        }
        let mut turn = 0;
        while let Some(&key) = dirty.get(turn) {
            turn += 1;
            let Some(connection) = self.connections.get_mut(key) else {
                continue;
            };
            let written = connection.write(self.now);
            if written.is_ok() && connection.outgoing().is_some() {
                dirty.push(key);
            } else {
                self.after_write(key, written);
            }
        }
        dirty.clear();
        if self.dirty.is_empty() {
            self.dirty = dirty;
        }
    }

    /// Sends for as many of `keys` as fit one batch; those that have more to send come again.
    fn send_batch(&mut self, keys: &mut Vec<usize>) {
        let Sender {
            ring,
            outcomes,
            sent_to,
            rest,
            ..
        } = &mut self.sender;
        let Some(open) = ring else { return };
        let mut batch = open.batch();
        sent_to.clear();
        for key in keys.drain(..keys.len().min(BATCH)) {
            match self.connections.get(key).and_then(Connection::outgoing) {
                Some(outgoing) => {
                    batch.add(outgoing.fd, outgoing.slices());
                    sent_to.push(key);
                }
                None => rest.push(key),
            }
        }
        if let Err(error) = batch.send(outcomes) {
            log::warn!("io_uring is given up for plain writes: {error}");
            *ring = None;
        }
        let (sent_to, outcomes) = (std::mem::take(sent_to), std::mem::take(outcomes));
        for (key, sent) in sent_to.iter().zip(&outcomes) {
            let Some(connection) = self.connections.get_mut(*key) else {
                continue;
            };
            let written = connection.sent(*sent, self.now);
            if written.is_ok() && connection.outgoing().is_some() {
                keys.push(*key);
            } else {
                self.after_write(*key, written);
            }
        }
        self.sender.sent_to = sent_to;
        self.sender.outcomes = outcomes;
    }

    /// Sees to a connection for which this turn has no more to send.
    fn after_write(&mut self, key: usize, written: Result<(), End>) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        connection.dirty = false;
        connection.settle(self.now);
        if let Err(end) = written {
            return self.remove(key, &end);
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
}

impl Sender {
    /// Sends runs past the queues; who could not be sent all of it.
    fn send_straight(&mut self, connections: &Slab<Connection>, runs: &Runs) -> Vec<(Straight, Sent)> {
        let mut unsent = Vec::new();
        for straight in self.straight.chunks(BATCH) {
            let sends = straight.iter().filter_map(|to| {
                let socket = connections.get(to.key)?.socket()?;
                Some((socket, runs.bytes(to.run)?))
            });
            send_all(&mut self.ring, sends, &mut self.outcomes);
            // Only what goes to a socket is sent straight.
            debug_assert_eq!(self.outcomes.len(), straight.len());
            let outcomes = straight.iter().zip(&self.outcomes);
            unsent.extend(
                outcomes
                    .filter(|(_, sent)| !sent.is_all())
                    .map(|(to, sent)| (*to, *sent)),
            );
        }
        self.straight.clear();
        unsent
    }

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

/// Sends to each socket once. Through the ring, or one by one with nothing in between that takes the processor's caches.
fn send_all<'a>(
    ring: &mut Option<Ring>,
    sends: impl Iterator<Item = (BorrowedFd<'a>, &'a Bytes)>,
    outcomes: &mut Vec<Sent>,
) {
    if let Some(open) = ring {
        let mut batch = open.batch();
        sends.for_each(|(socket, bytes)| batch.add(socket, iter::once(&bytes[..])));
        if let Err(error) = batch.send(outcomes) {
            log::warn!("io_uring is given up for plain writes: {error}");
            *ring = None;
        }
        return;
    }
    let sends: Vec<_> = sends.collect();
    outcomes.clear();
    outcomes.extend(sends.iter().map(|(socket, bytes)| tcp::send(*socket, bytes)));
}

/// How long a message may wait for others of its stream.
fn wait(message: &LiveMessage, stream: &LiveStream, load: u8) -> u64 {
    let latency = stream.latency();
    match message.kind {
        MediaKind::Video => latency.video_wait(load),
        MediaKind::Audio | MediaKind::Data => u64::from(latency.audio_wait_ms),
    }
}

/// What a turn gives to the players of a stream.
struct Giving<'a> {
    stream: Option<&'a LiveStream>,
    is_shared: bool,
    now: u64,
    /// Of the messages of a batch, for one player.
    verdicts: Vec<Verdict>,
}

/// What one player got.
#[derive(Default)]
struct Given {
    messages: u64,
    dropped: [Drops; 3],
    /// When it took over from another stream.
    took_over: Option<u32>,
}

impl Giving<'_> {
    /// Queues what waits for one player. If with that it takes over from another stream, the time at which it does.
    fn give(
        &mut self,
        player: &mut Player,
        connection: &mut Connection,
        pending: &mut [Waiting],
    ) -> Option<u32> {
        let mut given = Given::default();
        for waiting in pending {
            let backlog = connection.backlog();
            let Peer::Server(peer) = &mut connection.peer else {
                return None;
            };
            match waiting {
                Waiting::Messages(batch) => self.give_batch(player, peer, batch, backlog, &mut given),
                Waiting::Published => self.notify(player, peer, true),
                Waiting::Unpublished => {
                    player.flow.reset();
                    self.notify(player, peer, false);
                }
                Waiting::Dry => peer.session.stream_dry(player.stream_id),
            }
        }
        if let Peer::Server(peer) = &mut connection.peer {
            connection.streams = given.messages > 0;
            peer.traffic.messages_sent(given.messages);
            peer.traffic.dropped(&given.dropped);
            if player.flow.take_overrun() {
                peer.too_slow(player.stream_id, self.now);
            }
        }
        given.took_over
    }

    fn give_batch(
        &mut self,
        player: &mut Player,
        peer: &mut ServerPeer,
        batch: &mut Batch,
        backlog: Backlog,
        given: &mut Given,
    ) {
        let can_run = self.is_shared && player.takes_runs() && batch.can_run();
        let mut whole = can_run && player.flow.takes_all(&batch.span, backlog);
        if whole {
            player.flow.took_all(&batch.span);
        } else {
            self.judge(player, &batch.messages, backlog);
            whole = self.verdicts.iter().all(|verdict| *verdict == Verdict::Send);
        }
        if can_run && whole {
            let messages = batch.messages.iter().map(|message| &message.shared);
            peer.session.send_run(player.stream_id, messages, &mut batch.runs);
            given.messages += batch.messages.len() as u64;
            return;
        }
        for (message, verdict) in batch.messages.iter().zip(&self.verdicts) {
            self.give_message(player, peer, message, *verdict, given);
        }
    }

    /// Judges messages as if each had been queued before the next.
    fn judge(&mut self, player: &mut Player, messages: &[Arc<LiveMessage>], mut backlog: Backlog) {
        self.verdicts.clear();
        for message in messages {
            let verdict = player.flow.judge(message, backlog);
            if matches!(verdict, Verdict::Send | Verdict::Resume) {
                let form = message.form(player.reduction);
                backlog.waiting += form.map_or(0, |shared| shared.payload.len());
            }
            self.verdicts.push(verdict);
        }
    }

    fn give_message(
        &self,
        player: &mut Player,
        peer: &mut ServerPeer,
        message: &LiveMessage,
        verdict: Verdict,
        given: &mut Given,
    ) {
        match verdict {
            Verdict::Send | Verdict::Resume => {
                if verdict == Verdict::Resume {
                    send_headers(peer, player, self.stream);
                }
                if player.takes_over.take().is_some() {
                    given.took_over = Some(message.shared.timestamp);
                }
                if let Some(shared) = message.form(player.reduction) {
                    peer.session.send_media(player.stream_id, shared);
                    given.messages += 1;
                }
            }
            Verdict::Drop if player.takes_over.is_some() => {}
            Verdict::Drop => {
                let of_kind = &mut given.dropped[message.kind as usize];
                of_kind.messages += 1;
                of_kind.bytes += message.shared.payload.len() as u64;
            }
            Verdict::Skip => {}
        }
    }

    /// Tells of the beginning or end of a publisher, unless the player still plays what is to be taken over from.
    fn notify(&self, player: &Player, peer: &mut ServerPeer, published: bool) {
        if player.takes_over.is_none() {
            let name = self.stream.map_or("", LiveStream::name);
            peer.notify(player.stream_id, name, published, self.now);
        }
    }
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
