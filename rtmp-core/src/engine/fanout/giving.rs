//! What a player is given of its stream: judged by how it keeps up, and queued on its connection.

use std::sync::Arc;

use crate::app::stats::Drops;
use crate::app::stream::{Backlog, LiveMessage, LiveStream, Verdict};
use crate::engine::connection::{Connection, Peer};
use crate::engine::players::{Batch, Player, Waiting};
use crate::engine::server_peer::ServerPeer;

/// From this many players on, headers and bodies are put together once for all.
const LEAST_SHARED: usize = 3;

/// What a turn gives to the players of a stream.
pub(super) struct Giving<'a> {
    stream: Option<&'a LiveStream>,
    pub(super) is_shared: bool,
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

impl<'a> Giving<'a> {
    pub(super) fn new(stream: Option<&'a LiveStream>, players: usize, now: u64) -> Self {
        Self {
            stream,
            is_shared: players >= LEAST_SHARED,
            now,
            verdicts: Vec::new(),
        }
    }

    /// Queues what waits for one player. If with that it takes over from another stream, the time at which it does.
    pub(super) fn give(
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
        let can_run = self.is_shared && player.shares(&batch.span) && batch.can_run();
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
