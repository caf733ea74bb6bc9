//! The abilities of an application, one test per row of the catalogue (A1-A30), but for the shared objects', classes (A27) and
//! proxied methods (A28).

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;
use rtmp_core::wire::chunk::MessageType;
use rtmp_core::{
    AcceptAll, ApplicationConfig, ApplicationHandler, Client, ConnectRequest, Error, FourCc, Frame, Instance,
    NetConnection, NetConnectionConfig, NetConnectionHandler, Object, PublishMode, PublishRequest, Reply,
    Server, ServerCall, ServerConfig, Status, Stream, Takeover, Value,
};

use crate::support::{
    PATIENCE, Served, code, connect, connected, serve_with, stream, subscriber, wait_status,
};
use crate::wire::{Wire, assert_info, members};

/// Notes everything that happens, and decides by what the client's query says.
struct Log {
    events: Mutex<Sender<String>>,
    /// Whether idle instances may go.
    may_go: bool,
}

impl Log {
    fn note(&self, event: impl Into<String>) {
        // The test may have heard enough.
        let _ = self.events.lock().send(event.into());
    }
}

impl ApplicationHandler for Log {
    fn on_instance_start(&self, instance: &Instance) {
        self.note(format!("start {}", instance.name()));
    }

    fn on_instance_idle(&self, instance: &Instance) -> bool {
        self.note(format!("idle {}", instance.name()));
        self.may_go
    }

    fn on_instance_stop(&self, instance: &Instance) {
        self.note(format!("stop {}", instance.name()));
    }

    fn on_status(&self, instance: &Instance, status: &Status) {
        self.note(format!("{} {}", status.code, instance.name()));
    }

    fn on_connect(&self, request: ConnectRequest) {
        self.note("connect");
        match request.query() {
            "refuse" => {
                request.reject_with_object("Not today.", Value::from(Object::new().with("until", 7.0)))
            }
            "elsewhere" => request.redirect("rtmp://other.example/live", "Moved."),
            "greet" => {
                request.client().call("hello", vec![Value::from("early")]);
                request.accept()
            }
            _ => request.accept(),
        };
    }

    fn on_accept(&self, client: &Client) {
        self.note(format!("accept {}", client.is_connected()));
    }

    fn on_reject(&self, _: &Client, why: &Status) {
        self.note(format!("reject {} {}", why.code, why.description));
    }

    fn on_disconnect(&self, _: &Client, why: &Status) {
        self.note(format!("disconnect {}", why.code));
    }

    fn on_publish(&self, request: PublishRequest) {
        self.note(format!("publish {}", request.stream_name()));
        request.accept();
    }

    fn on_unpublish(&self, _: &Client, stream: &Stream) {
        self.note(format!("unpublish {}", stream.name()));
    }

    fn on_error(&self, _: &Client, status: &Status) {
        self.note(format!("error {}", status.code));
    }
}

fn logged_with(config: ApplicationConfig, may_go: bool) -> (Served, Receiver<String>) {
    let (sender, events) = channel();
    let events_out = Mutex::new(sender);
    let log = Log {
        events: events_out,
        may_go,
    };
    (serve_with(log, 2, ServerConfig::default(), config), events)
}

pub fn logged() -> (Served, Receiver<String>) {
    logged_with(ApplicationConfig::default(), true)
}

fn next(events: &Receiver<String>) -> String {
    events.recv_timeout(PATIENCE).expect("an event")
}

/// Passes over events until one begins so.
pub fn until(events: &Receiver<String>, begin: &str) -> String {
    loop {
        let event = next(events);
        if event.starts_with(begin) {
            return event;
        }
    }
}

pub fn instance(served: &Served) -> Instance {
    served.server.instance("live").unwrap()
}

pub type Answer = Result<Value, Status>;

pub fn reply() -> (Reply, Receiver<Answer>) {
    let (sender, answer) = channel();
    (Box::new(move |result| sender.send(result).unwrap()), answer)
}

pub fn answered(answer: &Receiver<Answer>) -> Answer {
    answer.recv_timeout(PATIENCE).expect("an answer")
}

/// Calls a method of the server and waits for its result.
pub fn call(connection: &NetConnection, method: &str, args: Vec<Value>) -> Answer {
    let (reply, answer) = reply();
    connection.call(method, args, Some(reply)).unwrap();
    answered(&answer)
}

/// A directory of the test's own that goes with it.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rtmpkit-{name}-{}", std::process::id()));
        // Left by a run that was killed, if it is there.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a1_a18_a20_a_client_is_accepted_after_its_instance_started() {
    let (served, events) = logged();
    let (connection, _statuses) = connected(&served.engine, &served.url);
    assert!(connection.is_connected());
    let heard = [next(&events), next(&events), next(&events)];
    assert_eq!(heard, ["start live/_definst_", "connect", "accept true"]);
}

#[test]
fn a2_a21_a29_a_client_is_refused_with_an_error_object() {
    let (served, events) = logged();
    let mut wire = Wire::open(&served);
    wire.connect(Object::new().with("app", "live?refuse"));
    let refusal = wire.answer(1.0).unwrap_err();
    assert_info(
        &members(&refusal),
        &[
            ("level", Value::from("error")),
            ("code", Value::from("NetConnection.Connect.Rejected")),
            ("description", Value::from("Not today.")),
            ("application", Value::from(Object::new().with("until", 7.0))),
        ],
    );
    wire.wait_command("close");
    assert!(wire.next().is_none());
    drop(wire);
    assert_eq!(
        until(&events, "reject"),
        "reject NetConnection.Connect.Rejected Not today."
    );
    assert_eq!(instance(&served).stats().rejected, 1);
}

/// What a client is called by its server.
struct Called(Mutex<Sender<(String, Vec<Value>)>>);

impl NetConnectionHandler for Called {
    fn on_call(&self, _: &NetConnection, call: ServerCall) {
        let _ = self
            .0
            .lock()
            .send((call.method().to_owned(), call.args().to_vec()));
        call.accept("done");
    }
}

pub fn callee(served: &Served, url: &str) -> (NetConnection, Receiver<(String, Vec<Value>)>) {
    let (sender, calls) = channel();
    let handler = Arc::new(Called(Mutex::new(sender)));
    let connection = NetConnection::new(&served.engine, NetConnectionConfig::default(), handler).unwrap();
    connection.connect(url, &[]).unwrap();
    (connection, calls)
}

#[test]
fn a3_a_broadcast_reaches_all_clients() {
    let (served, events) = logged();
    let clients = [callee(&served, &served.url), callee(&served, &served.url)];
    until(&events, "accept");
    until(&events, "accept");
    instance(&served).broadcast("news", &[Value::from(1.0), Value::from("x")]);
    for (_connection, calls) in &clients {
        let (method, args) = calls.recv_timeout(PATIENCE).unwrap();
        assert_eq!(method, "news");
        assert_eq!(args, [Value::from(1.0), Value::from("x")]);
    }
}

#[test]
fn a3_calls_made_while_connecting_come_after_the_answer() {
    let (served, _events) = logged();
    let (_connection, calls) = callee(&served, &format!("{}?greet", served.url));
    let (method, args) = calls.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        (method.as_str(), &args[..]),
        ("hello", &[Value::from("early")][..])
    );
}

#[test]
fn a8_one_stream_is_cleared() {
    let (served, events) = logged();
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (out, out_events) = stream(&connection);
    out.publish("cam", PublishMode::Live).unwrap();
    wait_status(&out_events, "NetStream.Publish.Start");
    let (clearing, answer) = reply();
    instance(&served).clear_stream("cam", Some(clearing)).unwrap();
    assert_eq!(answered(&answer), Ok(Value::from(1.0)));
    wait_status(&out_events, "NetStream.Publish.BadName");
    until(&events, "NetStream.Clear.Success live/_definst_");
    let (clearing, answer) = reply();
    instance(&served).clear_stream("none", Some(clearing)).unwrap();
    let status = answered(&answer).unwrap_err();
    assert_eq!(
        (status.code.as_str(), status.is_error()),
        ("NetStream.Clear.Failed", true)
    );
    assert_eq!(status.info.get("details"), Some(&Value::from("none")));
    until(&events, "NetStream.Clear.Failed live/_definst_");
    assert!(instance(&served).clear_stream("../x", None).is_err());
    assert!(instance(&served).clear_stream("flv:../x", None).is_err());
}

#[test]
fn a9_all_streams_are_cleared() {
    let (served, _events) = logged();
    let instance = instance(&served);
    let streams = ["a", "b/c", "b/d"].map(|name| instance.stream(name).unwrap());
    let _publications = streams.each_ref().map(|stream| stream.publish().unwrap());
    let clear = |path: &str| {
        let (clearing, answer) = reply();
        instance.clear_streams(path, Some(clearing)).unwrap();
        answered(&answer).unwrap()
    };
    assert_eq!(clear("/b/*"), Value::from(2.0));
    assert_eq!(
        streams.each_ref().map(Stream::is_publishing),
        [true, false, false]
    );
    clear("/");
    assert!(!streams[0].is_publishing());
    assert!(instance.clear_streams("/*/x", None).is_err());
    assert!(
        instance.clear_streams("", None).is_err(),
        "nothing is not everything"
    );
}

#[test]
fn a10_recorded_streams_are_deleted() {
    let directory = Directory::new("clear");
    let mut config = ApplicationConfig::default();
    config.directory = Some(directory.0.clone());
    let (served, events) = logged_with(config, true);
    let folder = directory.0.join("streams/_definst_");
    fs::create_dir_all(folder.join("films")).unwrap();
    for name in ["cam.flv", "cam.mp4", "song.mp3", "films/one.mp4", "notes.txt"] {
        fs::write(folder.join(name), b"x").unwrap();
    }
    let clear = |path: &str| {
        let (clearing, answer) = reply();
        instance(&served).clear_streams(path, Some(clearing)).unwrap();
        answered(&answer).unwrap()
    };
    let (clearing, answer) = reply();
    instance(&served).clear_stream("flv:cam", Some(clearing)).unwrap();
    assert_eq!(answered(&answer), Ok(Value::from(1.0)));
    assert!(!folder.join("cam.flv").exists() && folder.join("cam.mp4").exists());
    assert_eq!(clear("mp4:/films/*"), Value::from(1.0));
    assert_eq!(clear("/"), Value::from(2.0));
    assert_eq!(clear("/"), Value::from(0.0));
    assert!(folder.join("notes.txt").exists());
    until(&events, "NetStream.Clear.Success");
}

#[test]
fn a11_all_clients_are_listed() {
    let (served, events) = logged();
    let (_one, _s1) = connected(&served.engine, &served.url);
    let (two, _s2) = connected(&served.engine, &served.url);
    assert_eq!(instance(&served).clients().len(), 2);
    two.close();
    until(&events, "disconnect");
    assert_eq!(instance(&served).clients().len(), 1);
}

#[test]
fn a12_the_configuration_file_is_edited_and_keeps_its_comments() {
    let directory = Directory::new("config");
    let path = directory.0.join("live.toml");
    fs::write(&path, "# Who may come.\n[limits]\nclients = 10 # at once\n").unwrap();
    let mut config = ApplicationConfig::default();
    config.file = Some(path.clone());
    let (served, _events) = logged_with(config.clone(), true);
    let application = served.server.find_application("live").unwrap();
    let file = application.config_file().unwrap();
    assert_eq!(file.get("limits.clients"), Some(Value::from(10.0)));
    file.set("limits.clients", 20.0).unwrap();
    file.set("name", "live").unwrap();
    file.save().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(
        text,
        "name = \"live\"\n# Who may come.\n[limits]\nclients = 20 # at once\n"
    );
    fs::write(&path, "[limits\n").unwrap();
    let error = served
        .server
        .application("other", config, Arc::new(AcceptAll))
        .unwrap_err();
    assert_eq!(error.code(), -14);
    assert!(error.to_string().contains("live.toml:1:"), "{error}");
}

#[test]
fn a13_a22_a_client_is_disconnected() {
    let (served, events) = logged();
    let (_connection, statuses) = connected(&served.engine, &served.url);
    instance(&served).clients()[0].close(None);
    assert_eq!(code(&statuses), "NetConnection.Connect.Closed");
    assert_eq!(
        until(&events, "disconnect"),
        "disconnect NetConnection.Connect.Closed"
    );
}

#[test]
fn a13_a_client_that_does_not_hang_up_is_gone_all_the_same() {
    let (served, events) = logged();
    let mut wire = Wire::connected(&served, "live");
    wire.command(1, "publish", 0.0, &["cam".into(), "live".into()]);
    wire.wait_status("NetStream.Publish.Start");
    let instance = instance(&served);
    instance.clients()[0].close(None);
    // It has been told, and keeps the connection.
    while wire.next().is_some() {}
    assert!(instance.clients().is_empty());
    let publication = instance.stream("cam").unwrap().publish();
    assert!(publication.is_ok(), "the name is free");
    assert_eq!(until(&events, "unpublish"), "unpublish cam");
    assert_eq!(
        until(&events, "disconnect"),
        "disconnect NetConnection.Connect.Closed"
    );
}

#[test]
fn a14_what_nobody_uses_goes_when_the_host_lets_it() {
    let (served, events) = logged_with(ApplicationConfig::default(), false);
    let kept = instance(&served);
    // The server looks for itself every second, and may be first.
    let collected = (0..9).any(|_| {
        drop(kept.stream("unused").unwrap());
        kept.collect() == 1
    });
    assert!(collected);
    assert_eq!(kept.collect(), 0);
    drop(kept);
    assert_eq!(until(&events, "idle"), "idle live/_definst_");
    let application = served.server.find_application("live").unwrap();
    assert_eq!(application.instances().len(), 1, "the host refused");

    let (served, events) = logged();
    let (connection, _statuses) = connected(&served.engine, &served.url);
    drop(connection);
    until(&events, "disconnect");
    let heard = [next(&events), next(&events), next(&events)];
    assert_eq!(
        heard,
        [
            "idle live/_definst_",
            "Application.GC live/_definst_",
            "stop live/_definst_"
        ]
    );
}

#[test]
fn a15_an_instance_counts() {
    let (served, events) = logged();
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (out, out_events) = stream(&connection);
    out.publish("cam", PublishMode::Live).unwrap();
    wait_status(&out_events, "NetStream.Publish.Start");
    let (seeing, seen) = subscriber();
    let live = instance(&served).stream("cam").unwrap();
    let _watching = live.subscribe(rtmp_core::SubscribeOptions::default(), seeing);
    out.write(&Frame::video(FourCc::AVC1, 0, true, 0, &[1; 1000]))
        .unwrap();
    while !matches!(
        seen.recv_timeout(PATIENCE).unwrap(),
        crate::support::Seen::Frame(_)
    ) {}
    let stats = instance(&served).stats();
    assert_eq!((stats.clients, stats.accepted, stats.streams), (1, 1, 1));
    assert!(stats.traffic.bytes_in > 1000 && stats.traffic.bytes_out > 3073);
    let [stream] = &instance(&served).streams()[..] else {
        panic!("one stream");
    };
    let stats = stream.stats();
    assert!(stats.publishing && stats.messages == 1 && stats.bytes > 1000 && stats.players == 1);
    drop(connection);
    until(&events, "disconnect");
    let stats = instance(&served).stats();
    assert!(stats.clients == 0 && stats.traffic.bytes_in > 1000);
}

#[test]
fn a16_a17_the_server_knows_its_host_its_platform_and_its_version() {
    assert!(!Server::host_name().is_empty());
    assert!(Server::platform().contains(std::env::consts::ARCH));
    assert_eq!(Server::version(), env!("CARGO_PKG_VERSION"));
}

#[test]
fn a23_a25_publishing_and_its_end_are_heard_of() {
    let (served, events) = logged();
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (out, out_events) = stream(&connection);
    out.publish("cam", PublishMode::Live).unwrap();
    wait_status(&out_events, "NetStream.Publish.Start");
    assert_eq!(until(&events, "publish"), "publish cam");
    // What was accepted and then refused has no end: the host hears that it has no beginning either.
    let (second, second_events) = stream(&connection);
    second.publish("cam", PublishMode::Live).unwrap();
    wait_status(&second_events, "NetStream.Publish.BadName");
    assert_eq!(until(&events, "error"), "error NetStream.Publish.BadName");
    out.close();
    assert_eq!(until(&events, "unpublish"), "unpublish cam");
}

#[test]
fn a24_what_cannot_be_processed_is_reported_and_the_client_stays() {
    let (served, events) = logged();
    let mut wire = Wire::connected(&served, "live");
    wire.message(MessageType::COMMAND, 0, b"\x02\x00\x03add\x02\x00\x01x");
    assert_eq!(until(&events, "error"), "error NetConnection.Call.Failed");
    wire.command(0, "createStream", 2.0, &[]);
    assert_eq!(wire.answer(2.0), Ok(Value::from(1.0)));
}

#[test]
fn a26_a_client_is_redirected() {
    let (served, events) = logged();
    let mut wire = Wire::open(&served);
    wire.connect(Object::new().with("app", "live?elsewhere"));
    let target = Object::new()
        .with("code", 302.0)
        .with("redirect", "rtmp://other.example/live");
    assert_info(
        &members(&wire.answer(1.0).unwrap_err()),
        &[
            ("level", Value::from("error")),
            ("code", Value::from("NetConnection.Connect.Rejected")),
            ("description", Value::from("Moved.")),
            ("ex", Value::from(target)),
        ],
    );
    drop(wire);
    until(&events, "reject");
}

#[test]
fn a19_a30_an_instance_is_unloaded_and_starts_anew() {
    let (served, events) = logged();
    let mut wire = Wire::connected(&served, "live");
    let old = instance(&served);
    assert!(old.unload());
    assert!(!old.unload() && old.is_unloaded());
    assert_info(
        &wire.wait_status("NetConnection.Connect.AppShutdown"),
        &[
            ("level", Value::from("error")),
            ("code", Value::from("NetConnection.Connect.AppShutdown")),
            ("description", Value::from("The application is being shut down.")),
        ],
    );
    assert!(wire.next().is_none());
    drop(wire);
    until(&events, "Application.Shutdown live/_definst_");
    assert_eq!(next(&events), "disconnect NetConnection.Connect.AppShutdown");
    assert_eq!(next(&events), "stop live/_definst_");
    let (_connection, _statuses) = connected(&served.engine, &served.url);
    assert_eq!(next(&events), "start live/_definst_");
    assert_eq!(old.clients().len(), 0);
}

#[test]
fn a30_handles_of_an_unloaded_instance_publish_nothing() {
    let (served, _events) = logged();
    let old = instance(&served);
    let (kept, taken) = (old.stream("cam").unwrap(), old.stream("taken").unwrap());
    let publication = taken.publish().unwrap();
    publication.write_data(0, "onText", &[]).unwrap();
    assert!(old.unload());
    let closed = |error: Error| assert!(matches!(error, Error::Closed(_)), "{error:?}");
    closed(publication.write_data(40, "onText", &[]).unwrap_err());
    assert!(!taken.is_publishing());
    closed(kept.publish().unwrap_err());
    closed(kept.publish_as(Takeover::REPLACE).unwrap_err());
    closed(taken.publish().unwrap_err());
    closed(old.stream("new").unwrap_err());
    // The next instance of the name is another.
    let publication = instance(&served).stream("cam").unwrap().publish().unwrap();
    publication.write_data(0, "onText", &[]).unwrap();
}

#[test]
fn a_full_application_refuses_and_says_so() {
    let mut config = ApplicationConfig::default();
    config.max_clients = 1;
    let (served, events) = logged_with(config, true);
    let (_one, _s1) = connected(&served.engine, &served.url);
    let (_two, statuses) = connect(&served.engine, &served.url);
    assert_eq!(code(&statuses), "NetConnection.Connect.Rejected");
    assert_eq!(
        until(&events, "reject"),
        "reject NetConnection.Connect.Rejected The application takes no more clients."
    );
}
