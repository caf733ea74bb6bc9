//! Objects and their registry against the exchanges of the protocol notes, byte for byte, with a store in memory.

mod persistent;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::amf::{ClassRegistry, Object, Value};
use crate::app::disk::Disk;
use crate::app::dispatch::Dispatch;
use crate::app::peer::{PeerCommand, PeerLink};
use crate::app::shared_object::object::Sender;
use crate::app::shared_object::room::Rooms;
use crate::app::shared_object::store::Store;
use crate::app::shared_object::{SharedObjectConfig, SharedObjects, Storage, Subscriptions};
use crate::error::{Error, Result};
use crate::wire::message::{
    Message, MessageType, ObjectEncoding, SharedObjectEvent as Event, SharedObjectMessage,
};

type Job = Box<dyn FnOnce() + Send>;

/// Runs every job at once, or keeps them until told.
#[derive(Default)]
struct TestDisk {
    later: Mutex<Option<Vec<Job>>>,
}

impl Disk for TestDisk {
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> Result<()> {
        if let Some(jobs) = &mut *self.later.lock() {
            jobs.push(job);
            return Ok(());
        }
        job();
        Ok(())
    }

    fn run_surely(&self, job: Box<dyn FnOnce() + Send>) {
        job();
    }
}

impl std::fmt::Debug for TestDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestDisk")
    }
}

#[derive(Debug, Default)]
struct MemoryStore {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    broken: Mutex<bool>,
    rooms: Rooms,
}

impl MemoryStore {
    fn check(&self) -> Result<()> {
        match *self.broken.lock() {
            true => Err(Error::io("use a store", std::io::ErrorKind::StorageFull.into())),
            false => Ok(()),
        }
    }
}

impl Store for MemoryStore {
    fn load(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.check()?;
        Ok(self.objects.lock().get(key).cloned())
    }

    fn commit(&self, writes: &[(String, Option<Vec<u8>>)]) -> Result<()> {
        self.check()?;
        let mut objects = self.objects.lock();
        for (key, bytes) in writes {
            match bytes {
                Some(bytes) => objects.insert(key.clone(), bytes.clone()),
                None => objects.remove(key),
            };
        }
        self.rooms
            .committed(u64::try_from(objects.len()).unwrap(), writes);
        Ok(())
    }

    fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let objects = self.objects.lock();
        Ok(objects
            .keys()
            .filter(|key| key.starts_with(prefix))
            .cloned()
            .collect())
    }

    fn rooms(&self) -> &Rooms {
        &self.rooms
    }
}

#[derive(Debug, Default)]
struct Received(Mutex<Vec<Message>>);

impl PeerLink for Received {
    fn send(&self, command: PeerCommand) {
        match command {
            PeerCommand::Message(message) => self.0.lock().push(message),
            _ => panic!("not a message"),
        }
    }
}

struct World {
    objects: Arc<SharedObjects>,
    store: Arc<MemoryStore>,
    disk: Arc<TestDisk>,
}

impl World {
    fn new() -> Self {
        Self::on(Arc::default(), SharedObjectConfig::default())
    }

    fn on(store: Arc<MemoryStore>, config: SharedObjectConfig) -> Self {
        let disk = Arc::new(TestDisk::default());
        let storage = Storage::new(Arc::clone(&store) as _, Arc::clone(&disk) as _, config.max_stored);
        let objects = SharedObjects::new(
            "app/_definst_",
            config,
            Dispatch::inline(),
            Arc::clone(&disk) as _,
            Some(Arc::new(storage)),
        );
        let objects = Arc::new(objects);
        Self { objects, store, disk }
    }

    fn client(&self, id: u64) -> TestClient {
        TestClient {
            id,
            link: Arc::default(),
            subscriptions: Subscriptions::default(),
            objects: Arc::clone(&self.objects),
        }
    }
}

struct TestClient {
    id: u64,
    link: Arc<Received>,
    subscriptions: Subscriptions,
    objects: Arc<SharedObjects>,
}

impl TestClient {
    fn send_bytes(&mut self, kind: MessageType, bytes: Vec<u8>) {
        let sender = Sender {
            id: self.id,
            link: Arc::clone(&self.link) as _,
            client: None,
        };
        let message = Message::control(kind, Bytes::from(bytes));
        self.subscriptions
            .take(&self.objects, sender, &message, &ClassRegistry::new())
            .unwrap();
    }

    /// Sends a message of type 19 in hexadecimal digits.
    fn say(&mut self, digits: &str) {
        self.send_bytes(MessageType::SHARED_OBJECT, hex(digits));
    }

    fn send(&mut self, message: &SharedObjectMessage) {
        let message = message.encode();
        self.send_bytes(message.kind, message.payload.to_vec());
    }

    fn messages(&self) -> Vec<Message> {
        std::mem::take(&mut *self.link.0.lock())
    }

    fn hears(&self, expected: &[&str]) {
        let messages = self.messages();
        let payloads: Vec<Vec<u8>> = messages.iter().map(|message| message.payload.to_vec()).collect();
        let expected: Vec<Vec<u8>> = expected.iter().map(|digits| hex(digits)).collect();
        assert_eq!(payloads, expected, "client {}", self.id);
    }

    fn leave(&mut self) {
        self.subscriptions.leave_all(&self.objects, self.id);
    }
}

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|digit| u8::try_from(char::from(digit).to_digit(16).unwrap()).unwrap())
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn message(name: &str, version: u32, persistent: bool, events: Vec<Event>) -> SharedObjectMessage {
    SharedObjectMessage::new(name, version, persistent, ObjectEncoding::Amf0).with_events(events)
}

fn change(name: &str, value: impl Into<Value>) -> Event {
    Event::RequestChange(vec![(name.to_owned(), value.into())])
}

/// The event kinds and the version of each message a client got.
fn heard(client: &TestClient) -> Vec<(u32, Vec<u8>)> {
    let limits = crate::amf::Limits::default();
    let read = |message: &Message| {
        let message = SharedObjectMessage::load(message, &limits, 100_000).unwrap();
        (message.version, message.events.iter().map(Event::kind).collect())
    };
    client.messages().iter().map(read).collect()
}

fn status_code(client: &TestClient) -> String {
    let messages = client.messages();
    let limits = crate::amf::Limits::default();
    let last = SharedObjectMessage::load(messages.last().expect("a message"), &limits, 10).unwrap();
    assert_eq!(last.version, 0);
    match &last.events[..] {
        [Event::Status { code, level }] if level == "error" => code.clone(),
        other => panic!("{other:?}"),
    }
}

const USE: &str = "000463686174 00000000 00000000 00000000 01 00000000";
const SET_X: &str = "000463686174 00000001 00000000 00000000 03 0000000c 00016e 003ff0000000000000";

#[test]
fn two_clients_follow_the_exchange_of_the_notes() {
    let world = World::new();
    let (mut a, mut b) = (world.client(1), world.client(2));
    a.say(USE);
    a.hears(&["000463686174 00000001 00000000 00000000 0b 00000000 08 00000000"]);
    a.say(SET_X);
    a.hears(&["000463686174 00000002 00000000 00000000 05 00000003 00016e"]);
    b.say(USE);
    b.hears(&[
        "000463686174 00000002 00000000 00000000 0b00000000 0800000000 04 0000000c 00016e 003ff0000000000000",
    ]);
    b.say("000463686174 00000002 00000000 00000000 03 0000000c 00016e 004000000000000000");
    b.hears(&["000463686174 00000003 00000000 00000000 05 00000003 00016e"]);
    a.hears(&["000463686174 00000003 00000000 00000000 04 0000000c 00016e 004000000000000000"]);
    a.say("000463686174 00000003 00000000 00000000 06 00000014 0200036d7367 0200026869 003ff0000000000000");
    let sent =
        "000463686174 00000003 00000000 00000000 06 00000014 0200036d7367 0200026869 003ff0000000000000";
    a.hears(&[sent]);
    b.hears(&[sent]);
    a.say("000463686174 00000003 00000000 00000000 0a 00000003 00016e");
    let removed = "000463686174 00000004 00000000 00000000 09 00000003 00016e";
    a.hears(&[removed]);
    b.hears(&[removed]);
    b.say("000463686174 00000004 00000000 00000000 02 00000000");
    a.say("000463686174 00000004 00000000 00000000 03 00000005 000178 0101");
    a.hears(&["000463686174 00000005 00000000 00000000 05 00000003 000178"]);
    b.hears(&[]);
    a.leave();
    assert!(world.objects.is_idle());
    let mut c = world.client(3);
    c.say(USE);
    c.hears(&["000463686174 00000001 00000000 00000000 0b 00000000 08 00000000"]);
}

#[test]
fn several_changes_in_one_message_are_one_version_and_one_message_each_way() {
    let world = World::new();
    let (mut a, mut b) = (world.client(1), world.client(2));
    a.say(USE);
    b.say(USE);
    a.messages();
    b.messages();
    let events = vec![
        change("a", 1),
        change("b", 2),
        change("a", 3),
        Event::RequestRemove(vec!["b".to_owned()]),
    ];
    a.send(&message("chat", 1, false, events));
    assert_eq!(heard(&a), [(2, vec![5, 5, 5, 9])]);
    assert_eq!(heard(&b), [(2, vec![4, 4, 4, 9])]);
    // Equal values change nothing, null removes.
    a.send(&message("chat", 2, false, vec![change("a", 3)]));
    assert_eq!((heard(&a), heard(&b)), (vec![(2, vec![5])], vec![]));
    a.send(&message(
        "chat",
        2,
        false,
        vec![change("a", Value::Null), change("none", Value::Undefined)],
    ));
    assert_eq!(
        (heard(&a), heard(&b)),
        (vec![(3, vec![5, 5])], vec![(3, vec![9])])
    );
}

#[test]
fn each_client_hears_in_the_encoding_of_its_own_use() {
    let world = World::new();
    let (mut a, mut b) = (world.client(1), world.client(2));
    a.say(USE);
    b.send_bytes(MessageType::SHARED_OBJECT_AMF3, hex(&format!("00{USE}")));
    assert_eq!(b.messages()[0].kind, MessageType::SHARED_OBJECT_AMF3);
    a.messages();
    let value = Object::new().with("k", Value::Integer(5));
    b.send(&message("chat", 1, false, vec![change("o", value)]));
    let (to_a, to_b) = (a.messages(), b.messages());
    assert_eq!(to_a[0].kind, MessageType::SHARED_OBJECT);
    // An AMF0 object {k: 5}.
    let change =
        "000463686174 00000002 00000000 00000000 04 00000013 00016f 03 00016b 004014000000000000 000009";
    assert_eq!(to_a[0].payload, hex(change));
    assert_eq!(to_b[0].kind, MessageType::SHARED_OBJECT_AMF3);
}

#[test]
fn refusals_name_their_reason() {
    let world = World::new();
    let mut a = world.client(1);
    a.send(&message("chat", 0, false, vec![change("x", 1)]));
    assert_eq!(status_code(&a), "SharedObject.NoWriteAccess");
    for name in ["../../x", "/abs", "a\\b", "a//b", "", "nul\0", &"x".repeat(300)] {
        for persistent in [true, false] {
            a.send(&message(name, 0, persistent, vec![Event::Use]));
            assert_eq!(status_code(&a), "SharedObject.ObjectCreationFailed", "{name:?}");
        }
    }
    a.say(USE);
    a.messages();
    let mut b = world.client(2);
    b.send(&message("chat", 0, true, vec![Event::Use]));
    assert_eq!(status_code(&b), "SharedObject.BadPersistence");
    // What only a server says, unknown events and messages about nothing are ignored.
    let said: Vec<Event> = vec![
        Event::Change(vec![("x".to_owned(), Value::from(1))]),
        Event::Success(vec!["x".to_owned()]),
        Event::Clear,
        Event::Remove(vec!["x".to_owned()]),
        Event::UseSuccess,
        Event::Other {
            kind: 200,
            data: Bytes::from_static(b"abc"),
        },
    ];
    a.send(&message("chat", 1, false, said));
    b.send(&message("other", 1, false, vec![Event::Release]));
    assert!(a.messages().is_empty() && b.messages().is_empty());
    assert!(world.store.objects.lock().is_empty());
}

#[test]
fn a_value_that_is_refused_is_answered_with_what_the_slot_is() {
    let config = SharedObjectConfig {
        max_slots: 1,
        max_value_bytes: 100,
        ..SharedObjectConfig::default()
    };
    let world = World::on(Arc::default(), config);
    let mut a = world.client(1);
    a.send(&message("chat", 0, false, vec![Event::Use, change("x", 1)]));
    assert_eq!(heard(&a), [(2, vec![11, 8, 5])]);
    let cycle = Value::from(Object::new().with("self", Value::Cycle(0)));
    for (name, value) in [
        ("x", cycle),
        ("x", Value::from("y".repeat(99))),
        ("y", Value::from(1)),
    ] {
        a.send(&message("chat", 2, false, vec![change(name, value)]));
        let current = if name == "x" { 4 } else { 9 };
        assert_eq!(heard(&a), [(2, vec![7, current])], "{name}");
    }
    // Unreadable, because it is larger than a value may be.
    a.send(&message("chat", 2, false, vec![change("x", "y".repeat(200))]));
    assert_eq!(heard(&a), [(2, vec![7])]);
}

#[test]
fn a_client_uses_so_many_objects_and_sends_so_much() {
    let config = SharedObjectConfig {
        max_per_client: 2,
        max_sends_per_second: 3,
        ..SharedObjectConfig::default()
    };
    let world = World::on(Arc::default(), config);
    let mut a = world.client(1);
    for name in ["a", "b"] {
        a.send(&message(name, 0, false, vec![Event::Use]));
    }
    a.messages();
    a.send(&message("c", 0, false, vec![Event::Use]));
    assert_eq!(status_code(&a), "SharedObject.ObjectCreationFailed");
    let send = Event::Send {
        handler: "h".to_owned(),
        args: vec![],
    };
    a.send(&message("a", 1, false, vec![send; 5]));
    assert_eq!(heard(&a), [(0, vec![7]), (1, vec![6, 6, 6])]);
}

#[test]
fn clearing_by_path_empties_copies_and_deletes_stored_objects() {
    let world = World::new();
    let mut a = world.client(1);
    for (name, persistent) in [("a/one", true), ("a/two", true), ("a/three", false), ("b", true)] {
        a.send(&message(name, 0, persistent, vec![Event::Use, change("n", 1)]));
    }
    a.send(&message("a/two", 2, true, vec![Event::Release]));
    world.objects.commit();
    assert!(!world.objects.is_idle());
    assert_eq!(world.store.objects.lock().len(), 3);
    a.messages();
    let replies = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&replies);
    let reply = Box::new(move |result| taken.lock().push(result));
    world.objects.clear("/a/*", Some(reply)).unwrap();
    assert_eq!(*replies.lock(), [Ok(Value::from(3))]);
    let mut told = heard(&a);
    told.sort();
    assert_eq!(told, [(3, vec![8]), (3, vec![8])]);
    let left: Vec<String> = world.store.objects.lock().keys().cloned().collect();
    assert_eq!(left, ["app/_definst_\0b"]);
    // A cleared object that is changed again is stored again.
    a.send(&message("a/one", 3, true, vec![change("n", 2)]));
    world.objects.commit();
    assert_eq!(world.store.objects.lock().len(), 2);
}

#[test]
fn while_locked_the_host_gathers_and_clients_wait() {
    let world = World::new();
    let (mut a, mut b) = (world.client(1), world.client(2));
    a.say(USE);
    a.messages();
    let core = world.objects.open_now("chat", false).unwrap();
    core.with_host(|state| {
        state.add_handle(7);
        assert!(state.lock(7) && state.lock(7));
        state.set(7, "x", Value::from(1)).unwrap();
        state.set(7, "y", Value::from(1)).unwrap();
        state.set(7, "x", Value::from(2)).unwrap();
        state.remove(7, "y");
        state.send(7, "mark", vec![]);
    });
    a.send(&message("chat", 1, false, vec![change("x", 9)]));
    b.say(USE);
    core.with_host(|state| assert!(state.unlock(7)));
    assert!(a.messages().is_empty() && b.messages().is_empty());
    core.with_host(|state| {
        assert!(state.unlock(7));
        assert!(!state.unlock(7));
    });
    assert_eq!(heard(&a), [(2, vec![4, 9, 6]), (3, vec![5])]);
    assert_eq!(heard(&b), [(3, vec![11, 8, 4])]);
    // Closing a handle undoes its locks.
    core.with_host(|state| state.lock(7));
    a.send(&message("chat", 3, false, vec![change("x", 1)]));
    assert!(a.messages().is_empty());
    core.with_host(|state| state.remove_handle(7));
    assert_eq!(heard(&a), [(4, vec![5])]);
}

#[test]
fn half_a_change_is_not_stored() {
    let world = World::new();
    let core = world.objects.open_now("room", true).unwrap();
    core.with_host(|state| {
        state.add_handle(7);
        state.lock(7);
        state.set(7, "from", Value::from(1)).unwrap();
    });
    world.objects.commit();
    assert!(world.store.objects.lock().is_empty());
    core.with_host(|state| {
        state.set(7, "to", Value::from(2)).unwrap();
        state.unlock(7);
    });
    world.objects.commit();
    assert_eq!(world.store.objects.lock().len(), 1);
}
