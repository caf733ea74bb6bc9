//! What waits is bounded: events of shared objects, what clients are to be told, what tunnels bring, commands to servers.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use rtmp_core::{
    AcceptAll, ApplicationConfig, ApplicationHandler, CallRequest, Client, ConnectRequest, Error, FourCc,
    Frame, MediaKind, MediaMessage, NetConnection, PublishMode, Queue, Reply, ServerConfig, SharedObject,
    SharedObjectHandler, SlotChange, Status, Subscriber, Value,
};

use crate::shared_object::{Heard, host, instance, join, next};
use crate::support::{
    PATIENCE, Served, code, connect, connected, engine, listen, serve, serve_with, stream, wait_until,
};
use crate::wire::Wire;

/// Replies to calls, in the order in which they come.
fn replies() -> (impl Fn() -> Reply, Receiver<Result<Value, Status>>) {
    let (sender, results) = channel();
    let reply = move || -> Reply {
        let sender = sender.clone();
        Box::new(move |result| sender.send(result).unwrap())
    };
    (reply, results)
}

/// Tells what becomes of clients; `connect` is what it does with those who come.
struct Host<F> {
    connect: F,
    told: Mutex<Sender<(String, Status)>>,
}

impl<F: Fn(ConnectRequest) + Send + Sync + 'static> Host<F> {
    fn new(connect: F) -> (Self, Receiver<(String, Status)>) {
        let (sender, told) = channel();
        let told_to = Mutex::new(sender);
        (
            Self {
                connect,
                told: told_to,
            },
            told,
        )
    }

    fn tell(&self, what: &str, why: &Status) {
        let _ = self.told.lock().send((what.to_owned(), why.clone()));
    }
}

impl<F: Fn(ConnectRequest) + Send + Sync + 'static> ApplicationHandler for Host<F> {
    fn on_connect(&self, request: ConnectRequest) {
        (self.connect)(request);
    }

    fn on_reject(&self, _: &Client, why: &Status) {
        self.tell("reject", why);
    }

    fn on_disconnect(&self, _: &Client, why: &Status) {
        self.tell("disconnect", why);
    }

    fn on_call(&self, request: CallRequest) {
        request.accept("x".repeat(1 << 20));
    }
}

const TOO_MUCH: &str = "Too much waits for the client.";

/// Holds its thread up with its first event until the test lets it go on.
struct Slow {
    entered: Mutex<Sender<()>>,
    go_on: Mutex<Receiver<()>>,
    numbers: Mutex<Sender<f64>>,
}

impl SharedObjectHandler<SharedObject> for Slow {
    fn on_sync(&self, _: &SharedObject, _: &[SlotChange]) {
        let _ = self.entered.lock().send(());
        let _ = self.go_on.lock().recv();
    }

    fn on_message(&self, _: &SharedObject, _: Option<&Client>, _: &str, args: &[Value]) {
        let _ = self.numbers.lock().send(args[0].as_f64().unwrap());
    }
}

impl Subscriber for Slow {
    fn on_frame(&self, _: &Frame) {
        let _ = self.entered.lock().send(());
        let _ = self.go_on.lock().recv();
    }
}

fn slow() -> (Slow, Receiver<()>, Sender<()>, Receiver<f64>) {
    let ((entered, at_work), (go_on, wait), (numbers, heard)) = (channel(), channel(), channel());
    let slow = Slow {
        entered: Mutex::new(entered),
        go_on: Mutex::new(wait),
        numbers: Mutex::new(numbers),
    };
    (slow, at_work, go_on, heard)
}

/// How often something is done until it is refused for good; `most` is too often.
fn as_many_as_are_taken(most: u32, mut take: impl FnMut(u32) -> Result<(), Error>) -> u32 {
    let (mut taken, mut refused) = (0, None);
    while refused.is_none_or(|since: Instant| since.elapsed() < Duration::from_millis(200)) {
        match take(taken) {
            Ok(()) => (taken, refused) = (taken + 1, None),
            Err(Error::Full(_)) => {
                refused.get_or_insert_with(Instant::now);
                thread::yield_now();
            }
            Err(error) => panic!("{error}"),
        }
        assert!(taken < most, "as much as one likes is taken");
    }
    taken
}

#[test]
fn m10_events_of_a_shared_object_that_its_handlers_do_not_take_hold_those_back_who_bring_them() {
    let mut config = ApplicationConfig::default();
    // More than 10,000 in a second are not to be lost here.
    config.shared_objects.max_sends_per_second = 0;
    let served = serve_with(AcceptAll, 2, ServerConfig::default(), config);
    let (changing, changes) = host(&served, "room", false);
    let (slow, at_work, go_on, heard) = slow();
    let _listening = instance(&served)
        .shared_object("room", false, Arc::new(slow))
        .unwrap();
    let others = engine(1);
    let (connection, _statuses) = connected(&others, &served.url);
    let (object, echoes) = join(&connection, "room", false);
    changing.set("slot", 1).unwrap();
    at_work.recv_timeout(PATIENCE).unwrap();
    let _ = next(&echoes);

    // No worker is held up, and yet what the client sends is not taken for ever.
    let text = Value::from("x".repeat(1000));
    let sent = as_many_as_are_taken(100_000, |number| {
        object.send("hit", &[Value::from(number), text.clone()])
    });
    assert!(sent > 4_096, "{sent}");
    let full = |result: Result<(), Error>| matches!(result, Err(Error::Full(_)));
    assert!(full(changing.set("slot", 2)) && full(changing.send("hit", &[])));
    assert_eq!(changing.get("slot"), Some(Value::from(1)));
    // Other objects of the same application are not concerned.
    let (other, _unheard) = host(&served, "other", false);
    let (at_other, heard_there) = join(&connected(&others, &served.url).0, "other", false);
    assert!(other.set("slot", 1).is_ok());
    drop((at_other, heard_there));

    drop(go_on);
    for number in 0..sent {
        assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), f64::from(number));
        assert!(matches!(next(&changes), Heard::Message(Some(_), ..)));
    }
    changing.set("slot", 3).unwrap();
}

#[test]
fn m10_a_locked_object_takes_no_more_changes_of_the_host_than_it_may() {
    let served = serve(AcceptAll, 1);
    let (object, _heard) = host(&served, "room", false);
    object.lock().unwrap();
    let taken = (0..100_000).find(|_| object.send("hit", &[]).is_err());
    assert_eq!(taken, Some(65_536));
    assert!(matches!(object.set("slot", 1), Err(Error::Full(_))));
    object.unlock().unwrap();
    object.set("slot", 1).unwrap();
    object.lock().unwrap();
    let large = Value::from("x".repeat(1 << 20));
    let taken = (0..100).find(|_| object.send("hit", std::slice::from_ref(&large)).is_err());
    assert_eq!(taken, Some(16));
    object.unlock().unwrap();
}

#[test]
fn m10_a_client_is_refused_when_too_much_waits_for_it_before_it_is_accepted() {
    // Commands, and bytes of them.
    for (size, calls) in [(1, 1025), (1 << 20, 9)] {
        let (reply, results) = replies();
        let kept = Arc::new(Mutex::new(Vec::new()));
        let keeps = Arc::clone(&kept);
        let text = Value::from("x".repeat(size));
        let (handler, told) = Host::new(move |request: ConnectRequest| {
            for _ in 0..calls {
                request
                    .client()
                    .call_with_reply("news", vec![text.clone()], reply());
            }
            keeps.lock().push(request);
        });
        let served = serve(handler, 1);
        let (_connection, statuses) = connect(&served.engine, &served.url);
        let refusal = statuses.recv_timeout(PATIENCE).unwrap();
        assert_eq!(refusal.code, "NetConnection.Connect.Rejected");
        assert_eq!(refusal.description, TOO_MUCH);
        let (what, why) = told.recv_timeout(PATIENCE).unwrap();
        assert_eq!((what.as_str(), why.description.as_str()), ("reject", TOO_MUCH));
        for _ in 0..calls {
            let failed = results.recv_timeout(PATIENCE).unwrap().unwrap_err();
            assert_eq!(failed.code, "NetConnection.Call.Failed");
        }
        assert_eq!(served.server.stats().overrun, 1);
        assert_eq!(instance(&served).stats().rejected, 1);
        // An answer that comes too late changes nothing.
        kept.lock().pop().unwrap().accept();
    }
}

#[test]
fn m10_as_many_commands_as_may_wait_reach_a_client_once_it_is_accepted() {
    let (reply, results) = replies();
    let (handler, _told) = Host::new(move |request: ConnectRequest| {
        for number in 0..1024 {
            request
                .client()
                .call_with_reply("echo", vec![Value::from(number)], reply());
        }
        request.accept();
    });
    let served = serve(handler, 1);
    let (_connection, _statuses) = connected(&served.engine, &served.url);
    for number in 0..1024 {
        assert_eq!(results.recv_timeout(PATIENCE).unwrap(), Ok(Value::from(number)));
    }
    assert_eq!(served.server.stats().overrun, 0);
}

#[test]
fn m10_a_client_whose_worker_is_held_up_is_disconnected_when_too_much_waits_for_it() {
    let (host, told) = Host::new(|request: ConnectRequest| {
        request.accept();
    });
    let served = serve(host, 1);
    let others = engine(1);
    let (_stays, _statuses) = connected(&others, &served.url);
    let (_goes, statuses) = connected(&others, &served.url);
    wait_until("both are there", || instance(&served).clients().len() == 2);
    let mut clients = instance(&served).clients();
    clients.sort_by_key(Client::id);
    let live = instance(&served).stream("cam").unwrap();
    let (slow, at_work, go_on, _heard) = slow();
    let _subscription = live.subscribe(Default::default(), Arc::new(slow));
    let publication = live.publish().unwrap();
    publication
        .write(&Frame::video(FourCc::AVC1, 0, true, 0, &[1]))
        .unwrap();
    at_work.recv_timeout(PATIENCE).unwrap();

    let text = Value::from("x".repeat(1 << 20));
    let (reply, results) = replies();
    for _ in 0..70 {
        clients[1].call_with_reply("news", vec![text.clone()], reply());
    }
    // 64 wait; those after them fail at once, though the worker does nothing.
    for _ in 64..70 {
        let failed = results.recv_timeout(PATIENCE).unwrap().unwrap_err();
        assert_eq!(failed.description, TOO_MUCH);
    }
    assert!(results.try_recv().is_err());
    let (answer, answered) = replies();
    clients[0].call_with_reply("echo", vec![Value::from(7)], answer());
    drop(go_on);
    let (what, why) = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        (what.as_str(), why.description.as_str()),
        ("disconnect", TOO_MUCH)
    );
    for _ in 0..64 {
        assert!(results.recv_timeout(PATIENCE).unwrap().is_err());
    }
    assert_eq!(code(&statuses), "NetConnection.Connect.Closed");
    assert_eq!(answered.recv_timeout(PATIENCE).unwrap(), Ok(Value::from(7)));
    assert_eq!(served.server.stats().overrun, 1);
}

/// A client that asks and asks, and reads no answer. `ask` is done until the server has had enough.
fn asks_without_reading(ask: impl Fn(&mut Wire) -> bool + Send + 'static) -> String {
    let (handler, told) = Host::new(|request: ConnectRequest| {
        request.accept();
    });
    let mut config = ServerConfig::default();
    config.stall_timeout_ms = 600_000;
    let served = serve_with(handler, 1, config, ApplicationConfig::default());
    let mut wire = Wire::connected(&served, "live");
    let flood = thread::spawn(move || {
        while ask(&mut wire) {}
        wire
    });
    let (what, why) = told.recv_timeout(PATIENCE * 6).unwrap();
    assert_eq!(what, "disconnect");
    assert_eq!(served.server.stats().overrun, 1);
    drop(flood.join().unwrap());
    why.description
}

#[test]
fn m10_a_client_that_does_not_read_what_it_asked_for_is_disconnected() {
    // The host answers each call with a MiB.
    let why = asks_without_reading(|wire| {
        for number in 0..100 {
            wire.command(0, "news", f64::from(number + 2), &[]);
        }
        false
    });
    assert_eq!(why, TOO_MUCH);
}

#[test]
fn m10_a_client_that_does_not_read_what_the_library_answers_is_disconnected() {
    // 02 0009 FCPublish, 00 and a number, 05, 02 and a name of 250 bytes: the answer repeats it.
    let name = "n".repeat(250);
    let body = [
        &b"\x02\x00\x09FCPublish\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x02\x00\xfa"[..],
        name.as_bytes(),
    ]
    .concat();
    let (first, rest) = body.split_at(128);
    let (second, third) = rest.split_at(128);
    let head = [3, 0, 0, 0, 0, 1, (body.len() - 256) as u8, 20, 0, 0, 0, 0];
    let one = [&head[..], first, &[0xc3], second, &[0xc3], third].concat();
    let many = one.repeat(200);
    let why = asks_without_reading(move |wire| wire.try_raw(&many));
    assert!(why.contains("does not read"), "{why}");
}

/// Takes down what clients call.
struct Counts(Arc<Mutex<Vec<f64>>>);

impl ApplicationHandler for Counts {
    fn on_call(&self, request: CallRequest) {
        let number = request.args().first().and_then(Value::as_f64);
        self.0.lock().push(number.unwrap_or(-1.0));
    }
}

#[test]
fn m10_a_tunnel_that_brings_more_than_the_host_takes_is_not_served() {
    const CALLS: u32 = 60_000;
    let queue = Queue::new(16).unwrap();
    let mut config = ApplicationConfig::default();
    config.dispatch = queue.to_dispatch();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let counts = Counts(Arc::clone(&heard));
    let mut served = listen(engine(1), counts, ServerConfig::default(), config);
    let address = served.server.listen("rtmpt://127.0.0.1:0").unwrap();
    served.url = format!("rtmpt://{address}/live");
    let others = engine(1);
    let (connection, statuses) = connect(&others, &served.url);
    while instance_clients(&served) == 0 {
        queue.dispatch(16, Duration::from_millis(10)).unwrap();
    }
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
    let flood = thread::spawn(move || {
        for number in 0..CALLS {
            call_when_there_is_room(&connection, number);
        }
        connection
    });
    wait_until("the tunnel is held back", || queue.held_back() > 4);
    let waiting = queue.len();
    // A request brings 256 KiB at most.
    assert!((1024..12_000).contains(&waiting), "{waiting}");
    wait_until("nothing more is taken", || queue.held_back() > 12);
    assert_eq!(queue.len(), waiting);

    let began = Instant::now();
    while heard.lock().len() < CALLS as usize {
        queue.dispatch(1000, Duration::from_millis(10)).unwrap();
        let came = heard.lock().len();
        assert!(began.elapsed() < 3 * PATIENCE, "{came} of {CALLS} came");
    }
    let in_order = heard.lock().iter().copied().eq((0..CALLS).map(f64::from));
    assert!(in_order);
    assert!(statuses.try_recv().is_err());
    drop(flood.join().unwrap());
}

/// Clients that come while the host is behind wait for it too: a storm of connections adds nothing to its queue.
#[test]
fn m10_who_connects_while_the_host_is_behind_waits_for_it() {
    const NEW: usize = 20;
    let queue = Queue::new(16).unwrap();
    let mut config = ApplicationConfig::default();
    config.dispatch = queue.to_dispatch();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let counts = Counts(Arc::clone(&heard));
    let served = listen(engine(1), counts, ServerConfig::default(), config);
    let others = engine(1);
    let (connection, statuses) = connect(&others, &served.url);
    while instance_clients(&served) == 0 {
        queue.dispatch(16, Duration::from_millis(10)).unwrap();
    }
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
    for number in 0..20_000 {
        call_when_there_is_room(&connection, number);
    }
    wait_until("the host is behind", || queue.held_back() > 4);
    let waiting = queue.len();
    let new: Vec<_> = (0..NEW).map(|_| connect(&others, &served.url)).collect();
    wait_until("all are there", || served.server.stats().connections == NEW + 1);
    let before = queue.held_back();
    wait_until("and wait", || queue.held_back() > before + 4 * NEW as u64);
    assert_eq!(queue.len(), waiting);
    let began = Instant::now();
    while instance_clients(&served) <= NEW {
        queue.dispatch(1000, Duration::from_millis(10)).unwrap();
        assert!(began.elapsed() < PATIENCE);
    }
    for (_connection, statuses) in &new {
        assert_eq!(code(statuses), "NetConnection.Connect.Success");
    }
}

fn instance_clients(served: &Served) -> usize {
    instance(served).clients().len()
}

fn call_when_there_is_room(connection: &NetConnection, number: u32) {
    let deadline = Instant::now() + 3 * PATIENCE;
    loop {
        match connection.call("news", vec![Value::from(number)], None) {
            Err(Error::Full(_)) => thread::yield_now(),
            result => return result.unwrap(),
        }
        assert!(Instant::now() < deadline, "there is no room");
    }
}

#[test]
fn m10_commands_for_a_server_that_does_not_answer_are_bounded() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = engine(1);
    let url = format!("rtmp://{}/live", silent.local_addr().unwrap());
    let (connection, statuses) = connect(&own, &url);
    let (reply, results) = replies();
    let _socket = silent.accept().unwrap();
    // The worker has the connection, but the server says nothing: they wait there.
    let calls = as_many_as_are_taken(65_600, |_| connection.call("news", Vec::new(), Some(reply())));
    assert!(calls > 60_000, "{calls}");
    let (out, _events) = stream(&connection);
    assert!(matches!(
        out.publish("cam", PublishMode::Live),
        Err(Error::Full(_))
    ));
    connection.close();
    for _ in 0..calls {
        assert!(results.recv_timeout(PATIENCE).unwrap().is_err());
    }
    assert_ne!(code(&statuses), "NetConnection.Connect.Success");
    // Another attempt begins with room for as many.
    wait_until("it can be made again", || connection.connect(&url, &[]).is_ok());
    connection.call("news", Vec::new(), None).unwrap();
}

#[test]
fn m10_what_a_stream_is_to_do_before_the_server_opens_it_is_bounded() {
    let served = serve(AcceptAll, 1);
    let (connection, _statuses) = connected(&served.engine, &served.url);
    // It is neither published nor played: everything waits for that.
    let (out, _events) = stream(&connection);
    let empty = MediaMessage {
        kind: MediaKind::Audio,
        timestamp: 0,
        body: Bytes::new(),
    };
    // What is on its way from one place to the other counts in neither for a moment.
    let written = as_many_as_are_taken(66_000, |_| out.write_message(&empty));
    assert!(written > 60_000, "{written}");
    // Without it there is room again.
    out.close();
    wait_until("there is room", || {
        connection.call("echo", Vec::new(), None).is_ok()
    });
}
