//! Shared objects over sockets: clients and host on one object.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;
use rtmp_core::session::ClientSessionConfig;
use rtmp_core::{
    AcceptAll, Client, Engine, Instance, NetConnection, NetConnectionConfig, NetConnectionHandler,
    RemoteSharedObject, SharedObject, SharedObjectHandler, SlotChange, SlotChangeKind, Status, Value,
};

use crate::shared_object_stored::{Directory, serve_stored};
use crate::support::{PATIENCE, Served, connected, serve};

#[derive(Debug, PartialEq)]
pub enum Heard {
    Sync(Vec<SlotChange>),
    Message(Option<u64>, String, Vec<Value>),
    Status(String),
    Clear,
}

pub struct ToChannel(Mutex<Sender<Heard>>);

impl ToChannel {
    fn send(&self, heard: Heard) {
        // The test may have seen enough.
        let _ = self.0.lock().send(heard);
    }
}

impl<O> SharedObjectHandler<O> for ToChannel {
    fn on_sync(&self, _: &O, changes: &[SlotChange]) {
        self.send(Heard::Sync(changes.to_vec()));
    }

    fn on_message(&self, _: &O, sender: Option<&Client>, handler: &str, args: &[Value]) {
        self.send(Heard::Message(
            sender.map(Client::id),
            handler.to_owned(),
            args.to_vec(),
        ));
    }

    fn on_status(&self, _: &O, status: &Status) {
        self.send(Heard::Status(status.code.clone()));
    }

    fn on_clear(&self, _: &O) {
        self.send(Heard::Clear);
    }
}

pub fn handler() -> (Arc<ToChannel>, Receiver<Heard>) {
    let (sender, heard) = channel();
    (Arc::new(ToChannel(Mutex::new(sender))), heard)
}

pub fn next(heard: &Receiver<Heard>) -> Heard {
    heard.recv_timeout(PATIENCE).expect("an event")
}

fn change(kind: SlotChangeKind, name: &str, old: Option<i32>, new: Option<i32>) -> SlotChange {
    SlotChange {
        kind,
        name: name.to_owned(),
        old_value: old.map(Value::from),
        new_value: new.map(Value::from),
    }
}

pub fn one(kind: SlotChangeKind, name: &str, old: Option<i32>, new: Option<i32>) -> Heard {
    Heard::Sync(vec![change(kind, name, old, new)])
}

/// A client's object that the server has let in.
pub fn join(
    connection: &NetConnection,
    name: &str,
    persistent: bool,
) -> (RemoteSharedObject, Receiver<Heard>) {
    let (handler, heard) = handler();
    let object = connection.shared_object(name, persistent, handler).unwrap();
    assert_eq!(next(&heard), Heard::Clear);
    assert!(matches!(next(&heard), Heard::Sync(_)));
    assert!(object.is_connected());
    (object, heard)
}

pub fn host(served: &Served, name: &str, persistent: bool) -> (SharedObject, Receiver<Heard>) {
    let (handler, heard) = handler();
    (
        instance(served).shared_object(name, persistent, handler).unwrap(),
        heard,
    )
}

pub fn instance(served: &Served) -> Instance {
    served.server.instance("live").unwrap()
}

pub type Answer = Result<Value, Status>;

pub fn reply() -> (Option<rtmp_core::Reply>, Receiver<Answer>) {
    let (sender, answer) = channel();
    let reply = Box::new(move |result| sender.send(result).unwrap());
    (Some(reply), answer)
}

#[test]
fn two_clients_and_the_host_see_each_others_changes() {
    let served = serve(AcceptAll, 2);
    let (object, at_host) = host(&served, "room", false);
    let (one_, _statuses) = connected(&served.engine, &served.url);
    let (two, _statuses) = connected(&served.engine, &served.url);
    let (a, at_a) = join(&one_, "room", false);
    let (b, at_b) = join(&two, "room", false);
    assert_eq!(object.subscribers(), 2);

    a.set("n", 1).unwrap();
    assert_eq!(a.get("n"), Some(Value::from(1)), "its own change shows at once");
    assert_eq!(next(&at_a), one(SlotChangeKind::Success, "n", None, Some(1)));
    assert_eq!(next(&at_b), one(SlotChangeKind::Change, "n", None, Some(1)));
    assert_eq!(next(&at_host), one(SlotChangeKind::Change, "n", None, Some(1)));

    object.set("n", 2).unwrap();
    assert_eq!(next(&at_a), one(SlotChangeKind::Change, "n", Some(1), Some(2)));
    assert_eq!(next(&at_b), one(SlotChangeKind::Change, "n", Some(1), Some(2)));

    b.lock().unwrap();
    for (name, value) in [("x", 1), ("y", 2), ("z", 3)] {
        b.set(name, value).unwrap();
    }
    b.remove("n").unwrap();
    b.unlock().unwrap();
    let changed = |kind| {
        let added = [("x", 1), ("y", 2), ("z", 3)];
        added
            .map(|(name, value)| change(kind, name, None, Some(value)))
            .to_vec()
    };
    let mut all = changed(SlotChangeKind::Change);
    all.push(change(SlotChangeKind::Delete, "n", Some(2), None));
    assert_eq!(next(&at_a), Heard::Sync(all.clone()), "one message, one event");
    assert_eq!(next(&at_host), Heard::Sync(all));
    let mut all = changed(SlotChangeKind::Success);
    all.push(change(SlotChangeKind::Success, "n", Some(2), None));
    assert_eq!(next(&at_b), Heard::Sync(all));
    assert_eq!((object.version(), a.version(), b.version()), (4, 4, 4));
    assert_eq!(object.names(), ["x", "y", "z"]);
    assert_eq!((object.size(), a.size(), b.names()), (3, 3, object.names()));
}

#[test]
fn messages_reach_everybody() {
    let served = serve(AcceptAll, 2);
    let (object, at_host) = host(&served, "room", false);
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (a, at_a) = join(&connection, "room", false);
    let args = vec![Value::from("hi"), Value::from(1)];
    a.send("say", &args).unwrap();
    let id = instance(&served).clients()[0].id();
    assert_eq!(next(&at_a), Heard::Message(None, "say".to_owned(), args.clone()));
    assert_eq!(
        next(&at_host),
        Heard::Message(Some(id), "say".to_owned(), args.clone())
    );
    let (_other, at_other) = host(&served, "room", false);
    object.send("tell", &args).unwrap();
    assert_eq!(next(&at_a), Heard::Message(None, "tell".to_owned(), args.clone()));
    assert_eq!(next(&at_other), Heard::Message(None, "tell".to_owned(), args));
    assert!(at_host.try_recv().is_err(), "not to the handle that sent it");
}

#[test]
fn a_locked_object_changes_at_once_when_it_is_unlocked() {
    let served = serve(AcceptAll, 2);
    let (object, _at_host) = host(&served, "room", false);
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (a, at_a) = join(&connection, "room", false);
    object.lock().unwrap();
    object.lock().unwrap();
    a.set("mine", 1).unwrap();
    object.set("x", 1).unwrap();
    object.set("y", 2).unwrap();
    object.mark("done", &[Value::from(true)]).unwrap();
    object.unlock().unwrap();
    assert_eq!(object.version(), 1);
    object.unlock().unwrap();
    assert!(object.unlock().is_err());
    let together = ["x", "y"].map(|name| {
        let value = if name == "x" { 1 } else { 2 };
        change(SlotChangeKind::Change, name, None, Some(value))
    });
    assert_eq!(next(&at_a), Heard::Sync(together.to_vec()));
    assert_eq!(
        next(&at_a),
        Heard::Message(None, "done".to_owned(), vec![Value::from(true)])
    );
    assert_eq!(next(&at_a), one(SlotChangeKind::Success, "mine", None, Some(1)));
    assert_eq!(a.version(), 3);
}

#[test]
fn clearing_empties_every_copy() {
    let served = serve(AcceptAll, 2);
    let (object, at_host) = host(&served, "room", false);
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (a, at_a) = join(&connection, "room", false);
    object.set("x", 1).unwrap();
    next(&at_a);
    assert!(object.clear().unwrap());
    assert!(!object.clear().unwrap());
    assert_eq!(next(&at_a), Heard::Clear);
    assert_eq!((a.size(), object.size()), (0, 0));
    assert_eq!(next(&at_a), Heard::Clear);

    object.set("x", 1).unwrap();
    next(&at_a);
    let (answer, answered) = reply();
    instance(&served).clear_shared_objects("/ro*", answer).unwrap();
    assert_eq!(next(&at_a), Heard::Clear);
    assert_eq!(next(&at_host), Heard::Clear);
    assert_eq!(answered.recv_timeout(PATIENCE).unwrap(), Ok(Value::from(1)));
    a.set("y", 1).unwrap();
    a.clear().unwrap();
    assert_eq!(next(&at_host), one(SlotChangeKind::Change, "y", None, Some(1)));
    assert_eq!(next(&at_host), one(SlotChangeKind::Delete, "y", Some(1), None));
}

#[test]
fn a_temporary_object_goes_with_its_last_user() {
    let served = serve(AcceptAll, 2);
    let (one_, _statuses) = connected(&served.engine, &served.url);
    let (two, _statuses) = connected(&served.engine, &served.url);
    let (a, at_a) = join(&one_, "room", false);
    let (b, _at_b) = join(&two, "room", false);
    a.set("n", 1).unwrap();
    next(&at_a);
    b.close();
    let (object, _at_host) = host(&served, "room", false);
    assert_eq!(object.get("n"), Some(Value::from(1)), "still the same object");
    drop(a);
    while object.subscribers() > 0 {
        std::thread::yield_now();
    }
    object.close();
    assert!(object.is_closed() && object.set("n", 2).is_err());
    let (fresh, _at_host) = host(&served, "room", false);
    assert_eq!((fresh.version(), fresh.size()), (1, 0));
}

#[test]
fn refusals_reach_the_client() {
    let served = serve(AcceptAll, 2);
    let (_object, _at_host) = host(&served, "room", false);
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let refused = |name: &str, persistent| {
        let (handler, heard) = handler();
        let object = connection.shared_object(name, persistent, handler).unwrap();
        let status = next(&heard);
        assert!(!object.is_connected());
        status
    };
    let status = |code: &str| Heard::Status(code.to_owned());
    assert_eq!(
        refused("room", true),
        status("SharedObject.ObjectCreationFailed"),
        "no directory"
    );
    assert!(connection.shared_object("../x", true, handler().0).is_err());
    assert!(
        instance(&served)
            .shared_object("../x", true, handler().0)
            .is_err()
    );
    assert!(instance(&served).shared_object("x", true, handler().0).is_err());

    let directory = Directory::new("bad-persistence");
    let served = serve_stored(&directory);
    let (_object, _at_host) = host(&served, "room", false);
    assert!(
        instance(&served)
            .shared_object("room", true, handler().0)
            .is_err()
    );
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (handler, heard) = handler();
    let _refused = connection.shared_object("room", true, handler).unwrap();
    assert_eq!(next(&heard), status("SharedObject.BadPersistence"));
}

#[test]
fn a_value_beyond_the_limit_is_rejected() {
    let served = serve(AcceptAll, 2);
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (a, at_a) = join(&connection, "room", false);
    a.set("n", 1).unwrap();
    next(&at_a);
    a.set("n", "x".repeat(65_534)).unwrap();
    assert_eq!(
        next(&at_a),
        Heard::Status("SharedObject.NoWriteAccess".to_owned())
    );
    let Heard::Sync(changes) = next(&at_a) else {
        panic!("no changes")
    };
    assert_eq!(changes[0].kind, SlotChangeKind::Reject);
    assert_eq!(a.get("n"), Some(Value::from(1)));
}

struct Quiet;

impl NetConnectionHandler for Quiet {}

/// A connection of object encoding 3.
fn connect_amf3(engine: &Engine, url: &str) -> NetConnection {
    let mut config = NetConnectionConfig::default();
    config.session = Some(ClientSessionConfig {
        amf3: true,
        ..ClientSessionConfig::default()
    });
    let connection = NetConnection::new(engine, config, Arc::new(Quiet)).unwrap();
    connection.connect(url, &[]).unwrap();
    connection
}

#[test]
fn clients_of_both_encodings_share_an_object() {
    let served = serve(AcceptAll, 2);
    let (object, _at_host) = host(&served, "room", false);
    let modern = connect_amf3(&served.engine, &served.url);
    let (a, at_a) = join(&modern, "room", false);
    let (old, _statuses) = connected(&served.engine, &served.url);
    let (b, at_b) = join(&old, "room", false);
    let bytes = Value::from(bytes::Bytes::from_static(b"\x00\x01"));
    let point = Value::from(
        rtmp_core::Object::new()
            .with("x", 1.5)
            .with("tags", vec![Value::from("t")]),
    );
    a.set("point", point.clone()).unwrap();
    a.set("bytes", bytes.clone()).unwrap();
    next(&at_a);
    next(&at_a);
    next(&at_b);
    next(&at_b);
    assert_eq!(
        (object.get("point"), object.get("bytes")),
        (Some(point.clone()), Some(bytes))
    );
    assert_eq!(b.get("point"), Some(point));
    assert_eq!(b.get("bytes"), Some(Value::Undefined), "AMF0 has no byte arrays");
    b.set("back", vec![Value::from(1), Value::from(2)]).unwrap();
    next(&at_a);
    assert_eq!(
        a.get("back")
            .and_then(|value| value.as_array().map(<[Value]>::len)),
        Some(2)
    );
}

#[test]
fn fifty_clients_change_one_object_and_end_in_the_same_state() {
    const CLIENTS: usize = 50;
    const CHANGES: usize = 200;
    let served = serve(AcceptAll, 2);
    let (object, _at_host) = host(&served, "board", false);
    let clients = served.engine.clone();
    let users: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (connection, statuses) = connected(&clients, &served.url);
            let (remote, heard) = join(&connection, "board", false);
            (connection, statuses, remote, heard)
        })
        .collect();
    let begun = std::time::Instant::now();
    std::thread::scope(|scope| {
        for (number, (_, _, remote, _)) in users.iter().enumerate() {
            scope.spawn(move || {
                for round in 0..CHANGES {
                    // Slots of its own and slots that all fight for; now and then one goes.
                    let slot = format!("slot {}", (number * 7 + round) % 40);
                    if round % 11 == 10 {
                        remote.remove(&slot).unwrap();
                    } else {
                        let value = u32::try_from(number * CHANGES + round).unwrap();
                        remote.set(&slot, value).unwrap();
                    }
                }
            });
        }
    });
    for (_, _, remote, _) in &users {
        remote.send("over", &[]).unwrap();
    }
    // Who has heard everybody's last word has heard all before it.
    for (_, _, _, heard) in &users {
        let mut over = 0;
        while over < CLIENTS {
            over += usize::from(matches!(next(heard), Heard::Message(..)));
        }
    }
    println!(
        "{CLIENTS} clients, {} changes, all told: {:?}",
        CLIENTS * CHANGES,
        begun.elapsed()
    );
    let state: Vec<_> = object
        .names()
        .into_iter()
        .map(|name| (object.get(&name), name))
        .collect();
    assert!(!state.is_empty());
    for (_, _, remote, _) in &users {
        let copy: Vec<_> = remote
            .names()
            .into_iter()
            .map(|name| (remote.get(&name), name))
            .collect();
        assert_eq!(copy, state);
    }
}

#[test]
fn an_object_joins_again_with_its_connection() {
    let served = serve(AcceptAll, 2);
    let (object, _at_host) = host(&served, "room", false);
    let (connection, statuses) = connected(&served.engine, &served.url);
    let (a, at_a) = join(&connection, "room", false);
    instance(&served).clients()[0].close(None);
    while statuses.recv_timeout(PATIENCE).unwrap().code != "NetConnection.Connect.Closed" {}
    assert!(!a.is_connected());
    object.set("n", 1).unwrap();
    connection.connect(&served.url, &[]).unwrap();
    assert_eq!(next(&at_a), Heard::Clear);
    assert_eq!(next(&at_a), one(SlotChangeKind::Change, "n", None, Some(1)));
    assert!(a.is_connected());
}

#[test]
fn purging_and_resync_depth_decide_who_starts_from_nothing() {
    let directory = Directory::new("purge");
    let served = serve_stored(&directory);
    let (object, _at_host) = host(&served, "room", true);
    let (connection, statuses) = connected(&served.engine, &served.url);
    let (a, at_a) = join(&connection, "room", true);
    object.set("x", 1).unwrap();
    next(&at_a);
    let again = |change: &dyn Fn()| {
        instance(&served).clients()[0].close(None);
        while statuses.recv_timeout(PATIENCE).unwrap().code != "NetConnection.Connect.Closed" {}
        change();
        connection.connect(&served.url, &[]).unwrap();
        next(&at_a)
    };
    let heard = again(&|| assert!(object.remove("x").unwrap()));
    assert_eq!(
        heard,
        one(SlotChangeKind::Delete, "x", Some(1), None),
        "only what is new"
    );
    let heard = again(&|| {
        object.set("x", 2).unwrap();
        object.remove("x").unwrap();
        object.purge(object.version() + 1).unwrap();
    });
    assert_eq!(heard, Heard::Clear);
    next(&at_a);
    let heard = again(&|| {
        object.set_resync_depth(Some(1)).unwrap();
        object.set("x", 3).unwrap();
        object.set("x", 4).unwrap();
    });
    assert_eq!(heard, Heard::Clear);
    assert!(a.is_connected());
}

#[test]
fn a_handler_may_use_its_object() {
    struct Doubling(Mutex<Sender<f64>>);
    impl SharedObjectHandler<SharedObject> for Doubling {
        fn on_sync(&self, object: &SharedObject, changes: &[SlotChange]) {
            let value = changes[0].new_value.as_ref().and_then(Value::as_f64).unwrap();
            object.set("double", value * 2.0).unwrap();
            self.0.lock().send(value).unwrap();
            if value > 2.0 {
                object.close();
            }
        }
    }
    let served = serve(AcceptAll, 2);
    let (sender, values) = channel();
    let handler = Arc::new(Doubling(Mutex::new(sender)));
    let object = instance(&served).shared_object("room", false, handler).unwrap();
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (a, at_a) = join(&connection, "room", false);
    for value in 1..=3 {
        a.set("n", value).unwrap();
        assert_eq!(values.recv_timeout(PATIENCE).unwrap(), f64::from(value));
        while a.get("double") != Some(Value::from(value * 2)) {
            next(&at_a);
        }
    }
    assert!(
        values.recv_timeout(PATIENCE).is_err(),
        "the handler is gone with the closed handle"
    );
    assert!(object.is_closed());
}
