//! Where persistent objects are kept: a store behind a trait, and the queue in front of it.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::app::disk::Disk;
use crate::app::shared_object::redb_store::RedbStore;
use crate::app::shared_object::slots::Snapshot;
use crate::app::shared_object::{SharedObjectConfig, stored};
use crate::error::Result;

/// A place for stored objects by key. All functions may block.
pub(crate) trait Store: Send + Sync + fmt::Debug {
    /// The stored form of an object.
    fn load(&self, key: &str) -> Result<Option<Vec<u8>>>;

    /// Stores, and with `None` deletes, all of these or none. What was stored survives the end of the process from the
    /// moment this returns.
    fn commit(&self, writes: &[(String, Option<Vec<u8>>)]) -> Result<()>;

    /// The keys that begin so.
    fn keys(&self, prefix: &str) -> Result<Vec<String>>;
}

/// Takes the outcome of a write, on a thread that may block.
pub(crate) type Done = Box<dyn FnOnce(Result<(), String>) + Send>;

/// A store and the writes on their way to it. Writes are done in order by one job at a time, which commits all that
/// wait together.
#[derive(Debug)]
pub(crate) struct Storage {
    store: Arc<dyn Store>,
    disk: Arc<dyn Disk>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    writes: Vec<Write>,
    /// The newest write of each object that is not committed yet: what reading must see.
    newest: HashMap<String, (u64, Option<Snapshot>)>,
    count: u64,
    running: bool,
}

struct Write {
    key: String,
    number: u64,
    snapshot: Option<Snapshot>,
    done: Done,
}

impl Storage {
    /// Opens the store that the settings name, if they name one. Blocks.
    pub(crate) fn open(config: &SharedObjectConfig, disk: &Arc<dyn Disk>) -> Result<Option<Arc<Self>>> {
        let Some(directory) = &config.directory else {
            return Ok(None);
        };
        let store = RedbStore::open(directory)?;
        Ok(Some(Arc::new(Self::new(store, Arc::clone(disk)))))
    }

    pub(crate) fn new(store: Arc<dyn Store>, disk: Arc<dyn Disk>) -> Self {
        Self {
            store,
            disk,
            queue: Mutex::default(),
        }
    }

    /// Runs a job where blocking is allowed.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) -> Result<()> {
        self.disk.run(Box::new(job))
    }

    /// Reads an object. Blocks.
    pub(crate) fn load(&self, key: &str) -> Result<Option<Snapshot>> {
        if let Some((_, snapshot)) = self.queue.lock().newest.get(key) {
            return Ok(snapshot.clone());
        }
        match self.store.load(key)? {
            Some(bytes) => stored::read(&bytes).map(Some),
            None => Ok(None),
        }
    }

    /// The keys in the store that begin so. Blocks.
    pub(crate) fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        self.store.keys(prefix)
    }

    /// Queues a write, or with `None` a deletion. [`kick`](Self::kick) has it done.
    pub(crate) fn submit(&self, key: &str, snapshot: Option<Snapshot>, done: Done) {
        let mut queue = self.queue.lock();
        queue.count += 1;
        let number = queue.count;
        queue.newest.insert(key.to_owned(), (number, snapshot.clone()));
        queue.writes.push(Write {
            key: key.to_owned(),
            number,
            snapshot,
            done,
        });
    }

    /// Has done what waits. Not to be called with an object's lock held: it may be done on this thread.
    pub(crate) fn kick(self: &Arc<Self>) {
        {
            let mut queue = self.queue.lock();
            if queue.running || queue.writes.is_empty() {
                return;
            }
            queue.running = true;
        }
        let storage = Arc::clone(self);
        if let Err(error) = self.run(move || storage.work()) {
            // The next kick, a second later at most, tries again.
            log::warn!("stored objects wait: {error}");
            self.queue.lock().running = false;
        }
    }

    fn work(&self) {
        loop {
            let writes = {
                let mut queue = self.queue.lock();
                if queue.writes.is_empty() {
                    queue.running = false;
                    return;
                }
                std::mem::take(&mut queue.writes)
            };
            let result = self.write(&writes).map_err(|error| error.to_string());
            {
                let newest = &mut self.queue.lock().newest;
                for write in &writes {
                    if newest
                        .get(&write.key)
                        .is_some_and(|(number, _)| *number == write.number)
                    {
                        newest.remove(&write.key);
                    }
                }
            }
            for write in writes {
                let result = result.clone();
                if catch_unwind(AssertUnwindSafe(|| (write.done)(result))).is_err() {
                    log::error!("a handler panicked when a shared object was stored");
                }
            }
        }
    }

    /// Commits the newest of each object.
    fn write(&self, writes: &[Write]) -> Result<()> {
        let newest: HashMap<&str, u64> = writes.iter().map(|write| (&*write.key, write.number)).collect();
        let chosen = writes
            .iter()
            .filter(|write| newest.get(&*write.key) == Some(&write.number));
        let encoded = |write: &Write| (write.key.clone(), write.snapshot.as_ref().map(stored::write));
        self.store.commit(&chosen.map(encoded).collect::<Vec<_>>())
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} writes", self.writes.len())
    }
}
