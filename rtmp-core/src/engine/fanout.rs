//! From a stream's event to the sockets of all who play it here: kept until due, judged for each player, sent in as few
//! calls to the kernel as can be.

mod giving;
mod sender;

use crate::app::stream::{Delivery, Item, LiveMessage, LiveStream};
use crate::engine::connection::Peer;
use crate::engine::players::Waiting;
use crate::engine::worker::Worker;
use crate::media::MediaKind;
use giving::Giving;
pub(crate) use sender::Sender;

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

    /// Gives the events that are due to their players.
    pub(crate) fn distribute(&mut self) {
        let mut due = std::mem::take(&mut self.due);
        self.players.take_due(self.now, &mut due);
        due.drain(..).for_each(|stream| self.give_out(stream));
        self.due = due;
    }

    /// Gives what waits to the players of a stream: to those who keep up straight on their sockets, else on their queues.
    fn give_out(&mut self, stream: u64) {
        let Some(audience) = self.players.get_mut(stream) else {
            return;
        };
        let mut pending = std::mem::take(&mut audience.pending);
        let mut giving = Giving::new(audience.stream.as_deref(), audience.players.len(), self.now);
        let mut took_over = Vec::new();
        for player in &mut audience.players {
            let Some(connection) = self.connections.get_mut(player.key) else {
                continue;
            };
            if let ([Waiting::Messages(batch)], true) = (&mut pending[..], giving.is_shared)
                && let Some(run) = connection.pass(player, batch)
            {
                self.sender.pass(player.key, run);
                continue;
            }
            let start = giving.give(player, connection, &mut pending);
            took_over.extend(start.map(|timestamp| (player.key, player.stream_id, timestamp)));
            connection.refresh_room(self.now);
            if !connection.dirty {
                connection.dirty = true;
                self.dirty.push(player.key);
            }
        }
        if let [Waiting::Messages(batch)] = &pending[..] {
            self.send_straight(&batch.runs);
        }
        pending.clear();
        if let Some(audience) = self.players.get_mut(stream) {
            audience.pending = pending;
        }
        for (key, stream_id, timestamp) in took_over {
            self.with(key, |connection, _, context| {
                if let Peer::Server(peer) = &mut connection.peer {
                    peer.taken_over(stream_id, timestamp, context);
                }
                Ok(())
            });
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
