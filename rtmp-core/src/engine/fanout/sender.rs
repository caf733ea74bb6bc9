//! From the queues of connections, and past them, to their sockets in as few calls to the kernel as can be.

use std::iter;
use std::os::fd::BorrowedFd;

use bytes::Bytes;
use slab::Slab;

use crate::engine::connection::{Connection, End};
use crate::engine::timer::Deadline;
use crate::engine::transport::ring::{BATCH, Ring};
use crate::engine::transport::{Sent, tcp};
use crate::engine::worker::Worker;
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

impl Worker {
    /// Sends the runs that go past the queues; what a socket does not take is queued.
    pub(super) fn send_straight(&mut self, runs: &Runs) {
        for (straight, sent) in self.sender.send_straight(&self.connections, runs) {
            let (Some(connection), Some(run)) =
                (self.connections.get_mut(straight.key), runs.bytes(straight.run))
            else {
                continue;
            };
            match connection.take_back(sent, run, self.now) {
                Ok(()) if connection.dirty => {}
                Ok(()) => {
                    connection.dirty = true;
                    self.dirty.push(straight.key);
                }
                Err(end) => self.remove(straight.key, &end),
            }
        }
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

    /// Notes that a run goes to a connection past its queue.
    pub(super) fn pass(&mut self, key: usize, run: usize) {
        self.straight.push(Straight { key, run });
    }

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
