//! Changes of the network, told to the client connections that stand. Notices of the system say when to look; an event is what
//! differs from the last look, so that messages about nothing, lost ones and foreign ones do no harm.

#[cfg(target_os = "linux")]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "network/system_absent.rs"]
mod system;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use mio::Token;
use parking_lot::Mutex;
use slab::Slab;

use crate::client::ConnectionCore;
use crate::engine::mailbox::{Mailbox, Post};
use crate::engine::worker::Worker;
use system::Notices;

/// Where the poll reports notices.
pub(crate) const NETWORK: Token = Token(usize::MAX - 1);
/// A change is complete when nothing was heard for so long: an interface comes up and gets its addresses in steps.
const QUIET_MS: u64 = 200;
/// A network that never rests is looked at this often.
const AT_LATEST_MS: u64 = 2_000;

/// Addresses by which traffic may leave, with the names of their interfaces.
pub(crate) type Interfaces = BTreeSet<(String, IpAddr)>;

/// Who hears of changes, and what is known of the network.
pub(crate) struct Network {
    is_watched: bool,
    /// The mailbox of the worker that watches.
    watcher: Arc<Mailbox>,
    listeners: Mutex<Slab<Weak<ConnectionCore>>>,
    /// Held while the system is asked, so never locked on a worker.
    known: Mutex<Option<Interfaces>>,
}

/// A connection hears of changes as long as this lives.
pub(crate) struct NetworkInterest {
    network: Arc<Network>,
    key: usize,
}

/// A worker's watch.
pub(crate) struct NetworkWatch {
    notices: Notices,
    pause: Pause,
}

/// Waits for notices to pause.
#[derive(Debug, Default)]
struct Pause {
    /// When the first notice came, and the last.
    heard: Option<(u64, u64)>,
}

impl Network {
    pub(crate) fn new(is_watched: bool, watcher: Arc<Mailbox>) -> Self {
        Self {
            is_watched,
            watcher,
            listeners: Mutex::default(),
            known: Mutex::default(),
        }
    }

    /// Has a connection hear of what changes from now on. Asks the system how things are: only where that may block.
    pub(crate) fn listen(self: &Arc<Self>, core: &Arc<ConnectionCore>) -> NetworkInterest {
        let (key, is_first) = {
            let mut listeners = self.listeners.lock();
            (listeners.insert(Arc::downgrade(core)), listeners.len() == 1)
        };
        if self.is_watched && is_first {
            *self.known.lock() = look();
            self.watcher.post(Post::WatchNetwork);
        }
        let network = Arc::clone(self);
        NetworkInterest { network, key }
    }

    /// Looks at the interfaces, and tells if they have changed. Blocks.
    pub(crate) fn check(&self) {
        let mut known = self.known.lock();
        let Some(now) = look() else { return };
        let has_changed = known.as_ref().is_some_and(|before| *before != now);
        *known = Some(now);
        drop(known);
        if has_changed {
            self.tell();
        }
    }

    /// Tells every connection that stands.
    pub(crate) fn tell(&self) {
        let listeners: Vec<_> = self
            .listeners
            .lock()
            .iter()
            .map(|(_, core)| core.clone())
            .collect();
        for core in listeners.iter().filter_map(Weak::upgrade) {
            core.network_changed();
        }
    }

    fn is_wanted(&self) -> bool {
        self.is_watched && !self.listeners.lock().is_empty()
    }
}

impl Drop for NetworkInterest {
    fn drop(&mut self) {
        let is_last = {
            let mut listeners = self.network.listeners.lock();
            listeners.try_remove(self.key);
            listeners.is_empty()
        };
        if is_last && self.network.is_watched {
            self.network.watcher.post(Post::WatchNetwork);
        }
    }
}

impl Worker {
    /// Connections that hear of changes came or went: opens or closes the watch accordingly.
    pub(crate) fn watch_network(&mut self) {
        if !self.shared.network.is_wanted() {
            self.network = None;
            return;
        }
        if self.network.is_some() {
            return;
        }
        match Notices::open(self.poll.registry(), NETWORK) {
            Ok(notices) => {
                let mut pause = Pause::default();
                // What changed after the first look and before this.
                pause.note(self.now);
                self.network = Some(NetworkWatch { notices, pause });
            }
            Err(error) => log::debug!("changes of the network are not noticed here: {error}"),
        }
    }

    /// The system has something to say.
    pub(crate) fn network_noticed(&mut self) {
        if let Some(watch) = &mut self.network {
            watch.notices.drain();
            watch.pause.note(self.now);
        }
    }

    /// When [`serve_network`](Self::serve_network) wants its turn.
    pub(crate) fn next_network(&self) -> u64 {
        self.network.as_ref().map_or(u64::MAX, |watch| watch.pause.ends())
    }

    /// Has the network looked at when enough was heard.
    pub(crate) fn serve_network(&mut self) {
        let now = self.now;
        let Some(watch) = self.network.as_mut().filter(|watch| watch.pause.ends() <= now) else {
            return;
        };
        watch.pause = Pause::default();
        let network = Arc::clone(&self.shared.network);
        let pool = self.shared.blocking.lock().clone();
        if let Some(pool) = pool
            && pool.run(move || network.check()).is_err()
        {
            watch.pause.note(now);
        }
    }
}

impl Pause {
    fn note(&mut self, now: u64) {
        let first = self.heard.map_or(now, |(first, _)| first);
        self.heard = Some((first, now));
    }

    fn ends(&self) -> u64 {
        self.heard.map_or(u64::MAX, |(first, last)| {
            (last.saturating_add(QUIET_MS)).min(first.saturating_add(AT_LATEST_MS))
        })
    }
}

fn look() -> Option<Interfaces> {
    system::interfaces()
        .inspect_err(|error| log::debug!("the network's interfaces cannot be listed: {error}"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_change_is_looked_at_once_when_it_is_complete() {
        let mut pause = Pause::default();
        assert_eq!(pause.ends(), u64::MAX);
        pause.note(1_000);
        assert_eq!(pause.ends(), 1_200);
        pause.note(1_150);
        assert_eq!(pause.ends(), 1_350);
    }

    #[test]
    fn a_network_that_never_rests_is_looked_at_all_the_same() {
        let mut pause = Pause::default();
        (0..100).for_each(|number| pause.note(1_000 + number * 100));
        assert_eq!(pause.ends(), 3_000);
    }
}
