//! Shared objects on disk: what is stored, when, and what a restart leaves of it.

use std::path::PathBuf;

use rtmp_core::{AcceptAll, ApplicationConfig, Error, NetConnection, ServerConfig, SlotChangeKind, Value};

use crate::shared_object::{Heard, handler, host, instance, join, next, one, reply};
use crate::support::{PATIENCE, Served, connected, serve_with};

/// A directory of the test's own that goes with it.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rtmpkit-{name}-{}", std::process::id()));
        // Left by a run that was killed, if it is there.
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn serve_stored(directory: &Directory) -> Served {
    let mut config = ApplicationConfig::default();
    config.shared_objects.directory = Some(directory.0.clone());
    serve_with(AcceptAll, 2, ServerConfig::default(), config)
}

fn stop(served: Served) {
    served.server.close();
    served.engine.close();
    served.engine.join(Some(PATIENCE)).unwrap();
}

#[test]
fn a_persistent_object_outlives_the_server() {
    let directory = Directory::new("restart");
    let served = serve_stored(&directory);
    {
        let (connection, _statuses) = connected(&served.engine, &served.url);
        let (a, at_a) = join(&connection, "rooms/one", true);
        a.set("topic", 7).unwrap();
        assert_eq!(next(&at_a), one(SlotChangeKind::Success, "topic", None, Some(7)));
        let (object, _at_host) = host(&served, "rooms/one", true);
        assert!(object.is_dirty());
        let (answer, answered) = reply();
        object.flush(answer).unwrap();
        assert_eq!(answered.recv_timeout(PATIENCE).unwrap(), Ok(Value::from(2)));
        assert!(!object.is_dirty());
        // Not flushed by anybody: stored when the server stops.
        object.set("late", 8).unwrap();
    }
    stop(served);

    let served = serve_stored(&directory);
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (a, _at_a) = join(&connection, "rooms/one", true);
    assert_eq!(
        (a.get("topic"), a.get("late")),
        (Some(Value::from(7)), Some(Value::from(8)))
    );
    assert_eq!(a.version(), 3);
    drop(a);
    let (answer, answered) = reply();
    instance(&served).clear_shared_objects("/rooms/", answer).unwrap();
    assert_eq!(answered.recv_timeout(PATIENCE).unwrap(), Ok(Value::from(1)));
    stop(served);

    let served = serve_stored(&directory);
    let (object, _at_host) = host(&served, "rooms/one", true);
    assert_eq!((object.size(), object.version()), (0, 1));
}

#[test]
fn commits_store_what_changed_and_say_so() {
    let directory = Directory::new("commit");
    let served = serve_stored(&directory);
    let (object, _at_host) = host(&served, "a", true);
    let (_temporary, _at_temporary) = host(&served, "t", false);
    object.set("n", 1).unwrap();
    let (answer, answered) = reply();
    instance(&served).commit_shared_objects(None, answer).unwrap();
    assert_eq!(answered.recv_timeout(PATIENCE).unwrap(), Ok(Value::from(1)));
    assert!(!object.is_dirty());
    assert!(
        instance(&served)
            .commit_shared_objects(Some("none"), None)
            .is_err()
    );
    let (answer, answered) = reply();
    _temporary.flush(answer).unwrap();
    let failed = answered.recv_timeout(PATIENCE).unwrap().unwrap_err();
    assert_eq!(failed.code, "SharedObject.Flush.Failed");
}

#[test]
fn autocommit_stores_without_being_asked() {
    let directory = Directory::new("autocommit");
    let mut config = ApplicationConfig::default();
    config.shared_objects.directory = Some(directory.0.clone());
    config.shared_objects.autocommit_ms = 1;
    let served = serve_with(AcceptAll, 1, ServerConfig::default(), config);
    let (object, _at_host) = host(&served, "a", true);
    object.set("n", 1).unwrap();
    let begun = std::time::Instant::now();
    while object.is_dirty() {
        assert!(begun.elapsed() < PATIENCE, "not stored");
        std::thread::yield_now();
    }
}

/// What a client that wants to use a persistent object is told instead.
fn refused(connection: &NetConnection, name: &str) {
    let (handler, heard) = handler();
    let object = connection.shared_object(name, true, handler).unwrap();
    assert_eq!(
        next(&heard),
        Heard::Status("SharedObject.ObjectCreationFailed".to_owned())
    );
    assert!(!object.is_connected());
}

#[test]
fn m10_clients_make_so_many_persistent_objects_and_no_more() {
    let directory = Directory::new("max-stored");
    let serve = || {
        let mut config = ApplicationConfig::default();
        config.shared_objects.directory = Some(directory.0.clone());
        config.shared_objects.max_stored = 3;
        config.shared_objects.max_per_client = 2;
        serve_with(AcceptAll, 2, ServerConfig::default(), config)
    };
    let served = serve();
    {
        let (connection, _statuses) = connected(&served.engine, &served.url);
        // One after another, as one who fills the disk would.
        for name in ["one", "two", "three"] {
            let (object, heard) = join(&connection, name, true);
            object.set("n", 1).unwrap();
            assert_eq!(next(&heard), one(SlotChangeKind::Success, "n", None, Some(1)));
        }
        // The last of them may be on its way to the disk.
        for name in ["four", "five", "six"] {
            refused(&connection, name);
        }
        let (handler, _heard) = handler();
        let full = instance(&served).shared_object("seven", true, handler);
        assert!(matches!(full, Err(Error::Full(_))));
        let (_temporary, _heard) = join(&connection, "eight", false);
        let (object, _heard) = join(&connection, "one", true);
        assert_eq!(object.get("n"), Some(Value::from(1)));
    }
    stop(served);

    let served = serve();
    let (connection, _statuses) = connected(&served.engine, &served.url);
    refused(&connection, "four");
    let (object, _heard) = host(&served, "two", true);
    let (answer, answered) = reply();
    instance(&served).clear_shared_objects("/three", answer).unwrap();
    assert_eq!(answered.recv_timeout(PATIENCE).unwrap(), Ok(Value::from(1)));
    // Written after the deletion, so that this is done, too.
    let (answer, answered) = reply();
    object.flush(answer).unwrap();
    assert!(answered.recv_timeout(PATIENCE).unwrap().is_ok());
    let (_four, _heard) = join(&connection, "four", true);
    refused(&connection, "five");
}
