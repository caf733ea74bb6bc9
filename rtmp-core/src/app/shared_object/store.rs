//! Where persistent objects are kept: a store behind a trait, and the queue in front of it.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::app::disk::Disk;
use crate::app::shared_object::redb_store::RedbStore;
use crate::app::shared_object::room::{Room, Rooms};
use crate::app::shared_object::slots::Snapshot;
use crate::app::shared_object::{SharedObjectConfig, stored};
use crate::error::Result;

/// A place for stored objects by key. All functions may block.
pub(crate) trait Store: Send + Sync + fmt::Debug {
    /// The stored form of an object.
    fn load(&self, key: &str) -> Result<Option<Vec<u8>>>;

    /// Stores, and with `None` deletes, all of these or none, and tells [`rooms`](Self::rooms). What was stored survives the
    /// end of the process from the moment this returns.
    fn commit(&self, writes: &[(String, Option<Vec<u8>>)]) -> Result<()>;

    /// The keys that begin so.
    fn keys(&self, prefix: &str) -> Result<Vec<String>>;

    /// How many objects there are, and who has taken room for more, of all who use the store.
    fn rooms(&self) -> &Rooms;
}

/// Takes the outcome of a write, on a thread that may block.
pub(crate) type Done = Box<dyn FnOnce(Result<(), String>) + Send>;

/// A store and the writes on their way to it. Writes are done in order by one job at a time, which commits all that
/// wait together.
#[derive(Debug)]
pub(crate) struct Storage {
    store: Arc<dyn Store>,
    disk: Arc<dyn Disk>,
    max_stored: usize,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    /// By key: of what waits for one object only the newest is written.
    writes: HashMap<String, Write>,
    /// The newest write of each object that is not committed yet: what reading must see.
    newest: HashMap<String, (u64, Option<Snapshot>)>,
    count: u64,
    running: bool,
}

struct Write {
    number: u64,
    snapshot: Option<Snapshot>,
    /// Those who wait for it.
    replies: Vec<Done>,
    /// The newest of those that only take note.
    note: Option<Done>,
}

/// What takes the outcome of a write.
pub(crate) enum Outcome {
    /// Somebody waits for it.
    Reply(Done),
    /// A later write of the same object tells all that this one would.
    Note(Done),
}

/// Who may wait for writes of one object at a time.
const MAX_REPLIES: usize = 1024;
/// Objects that may wait to be written before no others are made.
const MAX_OBJECTS: usize = 1024;

impl Storage {
    /// Opens the store that the settings name, if they name one. Blocks.
    pub(crate) fn open(config: &SharedObjectConfig, disk: &Arc<dyn Disk>) -> Result<Option<Arc<Self>>> {
        let Some(directory) = &config.directory else {
            return Ok(None);
        };
        let store = RedbStore::open(directory)?;
        Ok(Some(Arc::new(Self::new(
            store,
            Arc::clone(disk),
            config.max_stored,
        ))))
    }

    pub(crate) fn new(store: Arc<dyn Store>, disk: Arc<dyn Disk>, max_stored: usize) -> Self {
        Self {
            store,
            disk,
            max_stored,
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

    /// Room for an object that is not stored. [`Error::Full`](crate::Error::Full) when there may be no more.
    pub(crate) fn room(&self, key: &str) -> Result<Room> {
        self.store.rooms().take(key, self.max_stored)
    }

    /// Room for an object that was stored until now, and is still used.
    pub(crate) fn keep_room(&self, key: &str) -> Room {
        self.store.rooms().keep(key)
    }

    /// Queues a write, or with `None` a deletion; [`kick`](Self::kick) has it done. Gives the outcome back that is one too many
    /// to wait, for the caller to say so; the write is queued all the same.
    pub(crate) fn submit(&self, key: &str, snapshot: Option<Snapshot>, outcome: Outcome) -> Option<Done> {
        let mut queue = self.queue.lock();
        queue.count += 1;
        let number = queue.count;
        queue.newest.insert(key.to_owned(), (number, snapshot.clone()));
        let write = queue.writes.entry(key.to_owned()).or_insert_with(|| Write {
            number,
            snapshot: None,
            replies: Vec::new(),
            note: None,
        });
        (write.number, write.snapshot) = (number, snapshot);
        match outcome {
            Outcome::Reply(done) if write.replies.len() >= MAX_REPLIES => return Some(done),
            Outcome::Reply(done) => write.replies.push(done),
            Outcome::Note(done) => write.note = Some(done),
        }
        None
    }

    /// Whether the disk is too slow for what clients want to be kept.
    pub(crate) fn is_behind(&self) -> bool {
        self.queue.lock().writes.len() >= MAX_OBJECTS
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
                for (key, write) in &writes {
                    if newest.get(key).is_some_and(|(number, _)| *number == write.number) {
                        newest.remove(key);
                    }
                }
            }
            let done = writes
                .into_values()
                .flat_map(|write| write.replies.into_iter().chain(write.note));
            for done in done {
                let result = result.clone();
                if catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
                    log::error!("a handler panicked when a shared object was stored");
                }
            }
        }
    }

    fn write(&self, writes: &HashMap<String, Write>) -> Result<()> {
        let encoded =
            |(key, write): (&String, &Write)| (key.clone(), write.snapshot.as_ref().map(stored::write));
        self.store.commit(&writes.iter().map(encoded).collect::<Vec<_>>())
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} writes", self.writes.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    type Job = Box<dyn FnOnce() + Send>;

    /// A disk that does nothing until it is told to, and what it was given to write.
    #[derive(Default)]
    struct Stuck {
        jobs: Mutex<Vec<Job>>,
        commits: Mutex<Vec<usize>>,
        rooms: Rooms,
    }

    impl Disk for Stuck {
        fn run(&self, job: Job) -> Result<()> {
            self.jobs.lock().push(job);
            Ok(())
        }

        fn run_surely(&self, job: Job) {
            self.jobs.lock().push(job);
        }
    }

    impl Store for Stuck {
        fn load(&self, _: &str) -> Result<Option<Vec<u8>>> {
            Ok(None)
        }

        fn commit(&self, writes: &[(String, Option<Vec<u8>>)]) -> Result<()> {
            self.commits.lock().push(writes.len());
            Ok(())
        }

        fn keys(&self, _: &str) -> Result<Vec<String>> {
            Ok(Vec::new())
        }

        fn rooms(&self) -> &Rooms {
            &self.rooms
        }
    }

    impl fmt::Debug for Stuck {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Stuck")
        }
    }

    #[test]
    fn m10_of_what_waits_for_the_disk_only_the_newest_of_each_object_is_kept() {
        let disk = Arc::new(Stuck::default());
        let storage = Arc::new(Storage::new(Arc::clone(&disk) as _, Arc::clone(&disk) as _, 0));
        let (noted, replied) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = |counter: &Arc<AtomicUsize>| -> Done {
            let counter = Arc::clone(counter);
            Box::new(move |result| {
                counter.fetch_add(usize::from(result.is_ok()), Relaxed);
            })
        };
        for version in 1..=5000 {
            let snapshot = Snapshot {
                version,
                ..Snapshot::default()
            };
            let outcome = Outcome::Note(counts(&noted));
            assert!(storage.submit("a", Some(snapshot), outcome).is_none());
            storage.kick();
        }
        let refused = (0..2000).find(|_| {
            storage
                .submit("a", None, Outcome::Reply(counts(&replied)))
                .is_some()
        });
        assert_eq!(refused, Some(1024));
        assert!(!storage.is_behind());
        for number in 1..1024 {
            assert!(
                storage
                    .submit(&number.to_string(), None, Outcome::Note(counts(&noted)))
                    .is_none()
            );
        }
        assert!(storage.is_behind());
        let jobs = std::mem::take(&mut *disk.jobs.lock());
        assert_eq!(jobs.len(), 1);
        jobs.into_iter().for_each(|job| job());
        assert_eq!(*disk.commits.lock(), [1024]);
        assert_eq!((noted.load(Relaxed), replied.load(Relaxed)), (1024, 1024));
        assert!(!storage.is_behind());
    }
}
