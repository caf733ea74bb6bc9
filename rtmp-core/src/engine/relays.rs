//! The relays that live on a worker, and when each wants its next turn.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use crate::client::relay::{RelayCore, RelayInput};
use crate::engine::worker::Worker;

/// The relays of one worker.
#[derive(Default)]
pub(crate) struct Relays {
    known: HashMap<u64, Known>,
    /// Times and relays, nearest first. Entries are never taken back: they count if the relay still says so.
    times: BinaryHeap<Reverse<(u64, u64)>>,
}

struct Known {
    relay: Arc<RelayCore>,
    at: u64,
}

impl Relays {
    /// When the next relay wants its turn.
    pub(crate) fn next(&self) -> u64 {
        self.times.peek().map_or(u64::MAX, |Reverse((at, _))| *at)
    }

    fn note(&mut self, relay: Arc<RelayCore>, at: u64) {
        let id = relay.id();
        let before = self.known.insert(id, Known { relay, at });
        if at < u64::MAX && before.is_none_or(|before| before.at != at) {
            self.times.push(Reverse((at, id)));
        }
    }

    /// Takes a relay whose time has come.
    fn pop_due(&mut self, now: u64) -> Option<Arc<RelayCore>> {
        while let Some(Reverse((at, id))) = self.times.peek().copied()
            && at <= now
        {
            self.times.pop();
            if let Some(known) = self.known.get_mut(&id).filter(|known| known.at == at) {
                known.at = u64::MAX;
                return Some(Arc::clone(&known.relay));
            }
        }
        None
    }
}

impl Worker {
    /// Gives a relay its turn.
    pub(crate) fn relay_turn(&mut self, relay: Arc<RelayCore>, input: RelayInput) {
        let now = self.now;
        let mut next = None;
        self.guard(|| next = relay.turn(input, now));
        match next {
            Some(at) => self.relays.note(relay, at),
            None => {
                self.relays.known.remove(&relay.id());
            }
        }
    }

    /// Gives those their turn whose time has come.
    pub(crate) fn serve_relays(&mut self) {
        while let Some(relay) = self.relays.pop_due(self.now) {
            self.relay_turn(relay, RelayInput::Timer);
        }
    }

    /// The engine closes.
    pub(crate) fn close_relays(&mut self) {
        let relays: Vec<Arc<RelayCore>> = self.relays.known.drain().map(|(_, known)| known.relay).collect();
        for relay in relays {
            self.relay_turn(relay, RelayInput::Gone);
        }
    }
}
