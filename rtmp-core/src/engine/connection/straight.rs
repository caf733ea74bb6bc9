//! Messages that go straight to the socket of a player for whom nothing waits: no queue, and one look at the connection.

use std::os::fd::BorrowedFd;

use bytes::Bytes;

use super::{Connection, End, MUCH, Peer, State};
use crate::app::stream::Backlog;
use crate::engine::players::{Batch, Player};
use crate::engine::transport::{Sent, Transport};

impl Connection {
    /// Notes whether messages may go past the queue; all that is queued ends that until it is sent.
    pub(super) fn open_straight(&mut self, now: u64) {
        let is_plain = matches!((&self.transport, &self.state), (Transport::Tcp(_), State::Open));
        self.straight = is_plain
            && self.writable
            && match &mut self.peer {
                Peer::Server(peer) => peer.may_pass(now),
                Peer::Client(_) | Peer::Http(_) => false,
            };
    }

    /// The number of the run that the socket is to be sent for this player. It counts as sent; what is not comes back with
    /// [`take_back`](Self::take_back). `None`, with nothing changed, when the messages have to be queued.
    #[inline]
    pub(crate) fn pass(&mut self, player: &mut Player, batch: &mut Batch) -> Option<usize> {
        let Peer::Server(peer) = &mut self.peer else {
            return None;
        };
        let backlog = Backlog {
            written: self.written,
            waiting: 0,
        };
        let may = self.straight && batch.span.bytes <= MUCH && player.shares(&batch.span);
        if !may || !player.flow.takes_all(&batch.span, backlog) {
            return None;
        }
        let (number, bytes) = peer.pass_run(player.stream_id, batch)?;
        player.flow.took_all(&batch.span);
        self.written += bytes as u64;
        Some(number)
    }

    /// The socket, if bytes go to it as they are.
    #[inline]
    pub(crate) fn socket(&self) -> Option<BorrowedFd<'_>> {
        match &self.transport {
            Transport::Tcp(socket) => Some(socket.as_fd()),
            Transport::Layered(_) | Transport::Tunnelled(_) => None,
        }
    }

    /// Queues what was not sent of a run.
    pub(crate) fn take_back(&mut self, sent: Sent, run: &Bytes, now: u64) -> Result<(), End> {
        let rest = run.slice(usize::try_from(sent.result).unwrap_or(0).min(run.len())..);
        self.written -= rest.len() as u64;
        self.streams = true;
        if let Peer::Server(peer) = &mut self.peer {
            peer.take_back(rest);
        }
        self.outcome(sent)?;
        self.refresh_room(now);
        Ok(())
    }
}
