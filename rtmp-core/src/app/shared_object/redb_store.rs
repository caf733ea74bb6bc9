//! Shared objects in a redb database: one file per directory, shared by all who name it.

#![allow(clippy::result_large_err)] // redb's own error.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::{Condvar, Mutex};
use redb::{Database, Durability, ReadableTableMetadata, TableDefinition};

use crate::app::shared_object::room::Rooms;
use crate::app::shared_object::store::Store;
use crate::error::{Error, Result};

/// Name of the database in its directory.
const FILE: &str = "shared-objects.redb";
const OBJECTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("shared_objects");
/// Objects in use are in memory anyway.
const CACHE_BYTES: usize = 4 << 20;

/// A database that is open.
pub(crate) struct RedbStore {
    directory: PathBuf,
    /// `None` only while it is closed.
    database: Option<Database>,
    rooms: Rooms,
    /// Held over a commit and the counting of what it made of the objects.
    committing: Mutex<()>,
}

/// What this process has open: a file can be open only once.
#[derive(Default)]
struct Open {
    stores: Mutex<HashMap<PathBuf, Weak<RedbStore>>>,
    closed: Condvar,
}

fn open_stores() -> &'static Open {
    static OPEN: OnceLock<Open> = OnceLock::new();
    OPEN.get_or_init(Open::default)
}

impl RedbStore {
    /// Opens the database of a directory, which is made if need be. Blocks. After a crash it repairs itself.
    pub(crate) fn open(directory: &Path) -> Result<Arc<Self>> {
        let failed = |error| Error::io(format!("open {}", directory.display()), error);
        fs::create_dir_all(directory).map_err(failed)?;
        let directory = directory.canonicalize().map_err(failed)?;
        let open = open_stores();
        let mut stores = open.stores.lock();
        while let Some(store) = stores.get(&directory) {
            if let Some(store) = store.upgrade() {
                return Ok(store);
            }
            // Somebody is closing it.
            open.closed.wait(&mut stores);
        }
        let file = directory.join(FILE);
        let what = format!("open {}", file.display());
        let (database, stored) = guarded(&what, || {
            let mut builder = Database::builder();
            let database = builder.set_cache_size(CACHE_BYTES).create(&file)?;
            let stored = count(&database)?;
            Ok((database, stored))
        })?;
        let store = Arc::new(Self {
            directory: directory.clone(),
            database: Some(database),
            rooms: Rooms::new(stored),
            committing: Mutex::default(),
        });
        stores.insert(directory, Arc::downgrade(&store));
        Ok(store)
    }

    fn database(&self) -> Result<&Database> {
        self.database.as_ref().ok_or(Error::Closed("database"))
    }

    fn commit_all(&self, writes: &[(String, Option<Vec<u8>>)]) -> Result<(), redb::Error> {
        let Ok(database) = self.database() else {
            return Ok(());
        };
        let _committing = self.committing.lock();
        let mut transaction = database.begin_write()?;
        transaction.set_durability(Durability::Immediate);
        let stored = {
            let mut objects = transaction.open_table(OBJECTS)?;
            for (key, bytes) in writes {
                match bytes {
                    Some(bytes) => objects.insert(&**key, &**bytes)?,
                    None => objects.remove(&**key)?,
                };
            }
            objects.len()?
        };
        transaction.commit()?;
        self.rooms.committed(stored, writes);
        Ok(())
    }

    fn load_one(&self, key: &str) -> Result<Option<Vec<u8>>, redb::Error> {
        let Ok(database) = self.database() else {
            return Ok(None);
        };
        match database.begin_read()?.open_table(OBJECTS) {
            Ok(objects) => Ok(objects.get(key)?.map(|bytes| bytes.value().to_vec())),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn keys_from(&self, prefix: &str) -> Result<Vec<String>, redb::Error> {
        let Ok(database) = self.database() else {
            return Ok(Vec::new());
        };
        let objects = match database.begin_read()?.open_table(OBJECTS) {
            Ok(objects) => objects,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut keys = Vec::new();
        for entry in objects.range(prefix..)? {
            let (key, _) = entry?;
            if !key.value().starts_with(prefix) {
                break;
            }
            keys.push(key.value().to_owned());
        }
        Ok(keys)
    }
}

impl Store for RedbStore {
    fn load(&self, key: &str) -> Result<Option<Vec<u8>>> {
        guarded("read a shared object", || self.load_one(key))
    }

    fn commit(&self, writes: &[(String, Option<Vec<u8>>)]) -> Result<()> {
        guarded("store shared objects", || self.commit_all(writes))
    }

    fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        guarded("list shared objects", || self.keys_from(prefix))
    }

    fn rooms(&self) -> &Rooms {
        &self.rooms
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        let open = open_stores();
        let database = self.database.take();
        if let Err(error) = guarded("close the shared objects", || {
            drop(database);
            Ok(())
        }) {
            log::error!("{error}");
        }
        open.stores.lock().remove(&self.directory);
        open.closed.notify_all();
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedbStore({})", self.directory.display())
    }
}

/// How many objects there are: a number that the database keeps.
fn count(database: &Database) -> Result<u64, redb::Error> {
    match database.begin_read()?.open_table(OBJECTS) {
        Ok(objects) => Ok(objects.len()?),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Does something with the database, which panics over files that are damaged.
fn guarded<R>(what: &str, work: impl FnOnce() -> Result<R, redb::Error>) -> Result<R> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|error| storage_error(what, error)),
        Err(_) => Err(Error::io(what, std::io::Error::other("the database is damaged"))),
    }
}

fn storage_error(what: &str, error: impl Into<redb::Error>) -> Error {
    let source = match error.into() {
        redb::Error::Io(source) => source,
        other => std::io::Error::other(other.to_string()),
    };
    Error::io(what, source)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Directory(PathBuf);

    impl Drop for Directory {
        fn drop(&mut self) {
            // What is left is a temporary directory.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn directory(name: &str) -> Directory {
        Directory(std::env::temp_dir().join(format!("rtmpkit-store-{name}-{}", std::process::id())))
    }

    #[test]
    fn what_was_committed_is_there_after_opening_again() {
        let directory = directory("reopen");
        let write = |key: &str, bytes: &[u8]| (key.to_owned(), Some(bytes.to_vec()));
        {
            let store = RedbStore::open(&directory.0).unwrap();
            assert_eq!(store.load("a\0x").unwrap(), None);
            assert!(store.keys("").unwrap().is_empty());
            store
                .commit(&[write("a\0x", b"1"), write("a\0y", b"2"), write("b\0z", b"3")])
                .unwrap();
            store.commit(&[("a\0y".to_owned(), None)]).unwrap();
            assert!(store.rooms().take("b\0new", 2).is_err());
            let same = RedbStore::open(&directory.0).unwrap();
            assert!(Arc::ptr_eq(&store, &same));
        }
        let store = RedbStore::open(&directory.0).unwrap();
        assert_eq!(store.load("a\0x").unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(store.load("a\0y").unwrap(), None);
        assert_eq!(store.keys("a\0").unwrap(), ["a\0x"]);
        assert_eq!(store.keys("").unwrap(), ["a\0x", "b\0z"]);
        assert!(store.rooms().take("b\0new", 2).is_err() && store.rooms().take("b\0new", 3).is_ok());
    }

    #[test]
    fn a_directory_that_cannot_be_is_an_error() {
        assert!(RedbStore::open(Path::new("/proc/rtmpkit-nowhere")).is_err());
    }

    /// What a disk gives back may be anything: an answer or an error, and never a panic.
    #[test]
    fn a_damaged_database_is_an_error_and_no_panic() {
        let whole = directory("whole");
        let writes: Vec<_> = (0..40)
            .map(|at| (format!("a\0object {at}"), Some(vec![at; 300])))
            .collect();
        RedbStore::open(&whole.0).unwrap().commit(&writes).unwrap();
        let bytes = fs::read(whole.0.join(FILE)).unwrap();
        let (mut random, mut damaged) = (1_u64, 0);
        let mut next = move |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(random >> 33).unwrap() % below
        };
        for round in 0..40 {
            let directory = directory("damaged");
            let mut bytes = bytes.clone();
            // The first bytes of pages say what they are. The file's own header is believed: what it says is allocated.
            match round % 2 {
                0 => bytes.truncate(next(bytes.len())),
                _ => (1..bytes.len() / 4096).for_each(|page| bytes[page * 4096 + next(64)] ^= 1 << next(8)),
            }
            fs::create_dir_all(&directory.0).unwrap();
            fs::write(directory.0.join(FILE), bytes).unwrap();
            let outcome = RedbStore::open(&directory.0).and_then(|store| {
                let keys = store.keys("")?;
                keys.iter().try_for_each(|key| store.load(key).map(drop))?;
                store.commit(&writes)
            });
            damaged += usize::from(outcome.is_err());
        }
        assert!(damaged > 10, "{damaged}");
    }
}
