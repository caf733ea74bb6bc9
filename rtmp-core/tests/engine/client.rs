//! The abilities that a server has with a client, one test per row of the catalogue (C1-C18).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rtmp_core::session::ClientSessionConfig;
use rtmp_core::{
    AcceptAll, ApplicationConfig, ApplicationHandler, Bandwidth, BandwidthCheck, CallRequest, Client,
    ConnectRequest, Direction, Error, NetConnectionConfig, Object, PlayOptions, PlayStart, PublishMode,
    ServerConfig, Status, StreamLengthRequest, Value,
};

use crate::support::{
    PATIENCE, Served, code, connect_with, connected, serve, serve_with, stream, wait_status,
};
use crate::wire::Wire;

/// Gives the accepted clients to the test, limited as it says.
struct Giving {
    clients: Mutex<Sender<Client>>,
    read: &'static str,
    write: &'static str,
}

impl ApplicationHandler for Giving {
    fn on_connect(&self, request: ConnectRequest) {
        request.client().set_access(self.read, self.write);
        request.client().set_sample_access("/public", "/public/cam;/x");
        request.accept();
    }

    fn on_accept(&self, client: &Client) {
        let _ = self.clients.lock().send(client.clone());
    }

    fn on_stream_length(&self, request: StreamLengthRequest) {
        match request.stream_name() {
            "film" => request.accept(12.5),
            _ => request.accept(0.0),
        };
    }

    fn on_call(&self, request: CallRequest) {
        request.accept(format!("any {}", request.method()));
    }
}

fn giving_with(
    read: &'static str,
    write: &'static str,
    application: ApplicationConfig,
) -> (Served, Receiver<Client>) {
    let (sender, clients) = channel();
    let handler = Giving {
        clients: Mutex::new(sender),
        read,
        write,
    };
    let mut config = ServerConfig::default();
    config.session.timeouts.ping_interval_ms = 50;
    (serve_with(handler, 2, config, application), clients)
}

fn giving() -> (Served, Receiver<Client>) {
    giving_with("/", "/", ApplicationConfig::default())
}

fn accepted(clients: &Receiver<Client>) -> Client {
    clients.recv_timeout(PATIENCE).expect("a client")
}

type Answer = Result<Value, Status>;

fn reply() -> (rtmp_core::Reply, Receiver<Answer>) {
    let (sender, answer) = channel();
    (Box::new(move |result| sender.send(result).unwrap()), answer)
}

fn answered(answer: &Receiver<Answer>) -> Answer {
    answer.recv_timeout(PATIENCE).expect("an answer")
}

#[test]
fn c1_c9_c10_c11_c13_c17_c18_a_client_has_properties() {
    let (served, clients) = giving();
    let mut wire = Wire::open(&served);
    wire.connect(
        Object::new()
            .with("app", "live/room?key=1")
            .with("flashVer", "WIN 11,2,202,235")
            .with("tcUrl", "rtmp://localhost/live/room?key=1")
            .with("pageUrl", "http://example.org/page")
            .with("swfUrl", "http://example.org/x.swf"),
    );
    wire.answer(1.0).unwrap();
    let client = accepted(&clients);
    assert_eq!(client.agent(), "WIN 11,2,202,235");
    assert_eq!(client.uri(), "rtmp://localhost/live/room?key=1");
    assert_eq!(client.page_url(), "http://example.org/page");
    assert_eq!(client.referrer(), "http://example.org/x.swf");
    assert_eq!(client.query(), "key=1");
    assert_eq!(client.instance().name(), "live/room");
    assert!(client.address().ip().is_loopback());
    assert_eq!((client.protocol(), client.is_secure()), ("rtmp", false));
    let _second = Wire::connected(&served, "live");
    assert_ne!(accepted(&clients).id(), client.id());
}

#[test]
fn c2_c3_sample_access_is_told_by_stream() {
    let (served, clients) = giving();
    let mut wire = Wire::connected(&served, "live");
    let client = accepted(&clients);
    assert_eq!(client.audio_sample_access().as_str(), "/public");
    assert_eq!(client.video_sample_access().as_str(), "/public/cam;/x");
    for (id, name, audio, video) in [
        (1.0, "public/cam", true, true),
        (2.0, "public/other", true, false),
        (3.0, "x", false, true),
        (4.0, "private", false, false),
    ] {
        wire.command(0, "createStream", id + 1.0, &[]);
        wire.answer(id + 1.0).unwrap();
        wire.command(id as u32, "play", 0.0, &[Value::from(name)]);
        let access = wire.wait_data("|RtmpSampleAccess");
        assert_eq!(access.args, [Value::from(audio), Value::from(video)], "{name}");
    }
}

#[test]
fn c4_a_clients_method_is_called() {
    let (served, clients) = giving();
    let (_connection, _statuses) = connected(&served.engine, &served.url);
    let client = accepted(&clients);
    for (method, args, expected) in [
        ("echo", vec![Value::from(7.0)], Some(Value::from(7.0))),
        ("none", vec![], None),
    ] {
        let (taking, answer) = reply();
        client.call_with_reply(method, args, taking);
        let result = answered(&answer);
        assert_eq!(result.as_ref().ok(), expected.as_ref(), "{result:?}");
    }
}

#[test]
fn c4_n2_calls_that_nobody_could_answer_are_refused_at_once() {
    let (served, clients) = giving();
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let client = accepted(&clients);
    let (longest, long) = ("x".repeat(65_535), "x".repeat(65_536));
    for name in [long.as_str(), "onStatus", "_result", "_error"] {
        let (taking, answer) = reply();
        let refused = connection.call(name, vec![], Some(taking));
        assert!(matches!(refused, Err(Error::InvalidArgument(_))), "{refused:?}");
        assert!(answer.recv_timeout(PATIENCE).is_err(), "the reply is dropped");
        let (taking, answer) = reply();
        client.call_with_reply(name, vec![], taking);
        assert_eq!(answered(&answer).unwrap_err().code, "NetConnection.Call.Failed");
    }
    assert!(connection.call(&long, vec![], None).is_err());
    connection.call("onStatus", vec![], None).unwrap();
    client.call(&long, vec![]);
    // Both sides go on, and the longest name is a name.
    let (taking, answer) = reply();
    connection.call(&longest, vec![], Some(taking)).unwrap();
    assert_eq!(answered(&answer), Ok(Value::from(format!("any {longest}"))));
    let (taking, answer) = reply();
    client.call_with_reply("echo", vec![Value::from(7.0)], taking);
    assert_eq!(answered(&answer), Ok(Value::from(7.0)));
}

fn measured(client: &Client, kind: BandwidthCheck) -> Result<Bandwidth, Status> {
    let (sender, found) = channel();
    let reply = Box::new(move |result| sender.send(result).unwrap());
    client.check_bandwidth(kind, Some(reply));
    found.recv_timeout(PATIENCE).expect("an outcome")
}

#[test]
fn c5_c6_bandwidth_is_measured_in_both_dialects() {
    let (served, clients) = giving();
    let (_connection, _statuses) = connected(&served.engine, &served.url);
    let client = accepted(&clients);
    for kind in [BandwidthCheck::Native, BandwidthCheck::Component] {
        let found = measured(&client, kind).unwrap();
        assert!(
            found.kbit_per_s > 0.0 && found.kbit > 100.0 && found.seconds > 0.0,
            "{found:?}"
        );
    }
    assert!(client.client_stats().bytes_per_s_out > 1000.0);
}

#[test]
fn c5_c6_a_client_asks_for_its_bandwidth() {
    let (served, _clients) = giving();
    for (ask, check, done) in [
        ("checkBandwidth", "onBWCheck", "onBWDone"),
        ("_checkbw", "_onbwcheck", "_onbwdone"),
    ] {
        let mut wire = Wire::connected(&served, "live");
        wire.command(0, ask, 2.0, &[]);
        let mut count = 0.0;
        let told = loop {
            let message = wire.next().unwrap();
            let limits = rtmp_core::amf::Limits::default();
            let Ok(command) = rtmp_core::wire::message::command::Command::load(&message, &limits) else {
                continue;
            };
            if command.name == check {
                count += 1.0;
                wire.command(0, "_result", command.transaction_id, &[Value::from(count)]);
            } else if command.name == done {
                break command.args;
            }
        };
        let numbers: Vec<f64> = told.iter().filter_map(Value::as_f64).collect();
        assert_eq!(numbers.len(), 4, "{told:?}");
        assert!(numbers[..3].iter().all(|number| *number > 0.0), "{numbers:?}");
        assert!(count >= 3.0, "payloads grow over several calls");
    }
}

#[test]
fn c5_c6_a_client_without_the_dialect_is_an_error() {
    let (served, clients) = giving();
    let mut wire = Wire::connected(&served, "live");
    let client = accepted(&clients);
    let (sender, found) = channel();
    let reply = Box::new(move |result: Result<Bandwidth, Status>| sender.send(result).unwrap());
    client.check_bandwidth(BandwidthCheck::Native, Some(reply));
    let asked = wire.wait_command("onBWCheck");
    wire.command(0, "_error", asked.transaction_id, &[Value::Null]);
    assert_eq!(
        found.recv_timeout(PATIENCE).unwrap().unwrap_err().code,
        "NetConnection.Call.Failed"
    );
}

#[test]
fn c6_a_limit_slows_what_is_sent_and_what_is_received() {
    let (served, clients) = giving();
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let client = accepted(&clients);
    assert!(client.set_bandwidth_limit(Direction::Out, Some(1)).is_err());
    let text = || vec![Value::from("x".repeat(60_000))];
    for direction in [Direction::Out, Direction::In] {
        client.set_bandwidth_limit(direction, Some(100_000)).unwrap();
        assert_eq!(client.bandwidth_limit(direction), Some(100_000));
        // The limit is there once what was asked for after it is done.
        let (taking, answer) = reply();
        client.ping(taking);
        answered(&answer).unwrap();
        let begin = Instant::now();
        let (taking, answer) = reply();
        match direction {
            Direction::Out => client.call_with_reply("echo", text(), taking),
            Direction::In => {
                // Two of them: one read may take a burst beyond the limit, and pays for it before the next.
                connection.call("one", text(), None).unwrap();
                connection.call("two", text(), Some(taking)).unwrap();
            }
        }
        answered(&answer).unwrap();
        assert!(
            begin.elapsed() > Duration::from_millis(350),
            "{direction:?}: {:?}",
            begin.elapsed()
        );
        client.set_bandwidth_limit(direction, None).unwrap();
        assert_eq!(client.bandwidth_limit(direction), None);
    }
    let (taking, answer) = reply();
    client.call_with_reply("echo", vec![Value::from("x".repeat(1_000_000))], taking);
    answered(&answer).unwrap();
}

#[test]
fn c7_c12_a_client_counts_and_is_pinged() {
    let (served, clients) = giving();
    let (_connection, _statuses) = connected(&served.engine, &served.url);
    let client = accepted(&clients);
    let (taking, answer) = reply();
    client.ping(taking);
    let millis = answered(&answer).unwrap().as_f64().unwrap();
    let stats = client.client_stats();
    assert_eq!(stats.ping_rtt_ms.map(|rtt| rtt as f64), Some(millis));
    assert!(stats.traffic.bytes_in > 3073 && stats.traffic.bytes_out > 3073);
    assert_eq!(stats.dropped_audio.messages + stats.dropped_video.messages, 0);
    assert_eq!(stats.traffic, client.stats());
}

#[test]
fn c8_the_length_of_a_stream_is_asked_for() {
    let (served, _clients) = giving_with("/film;/live", "/", ApplicationConfig::default());
    let (connection, _statuses) = connected(&served.engine, &served.url);
    for (name, seconds) in [
        ("film", 12.5),
        ("film?key=1", 12.5),
        ("live", 0.0),
        ("secret", 0.0),
    ] {
        let (taking, answer) = reply();
        let args = vec![Value::from(name)];
        connection.call("getStreamLength", args, Some(taking)).unwrap();
        assert_eq!(answered(&answer), Ok(Value::from(seconds)), "{name}");
    }
}

#[test]
fn c14_read_access_decides_what_may_be_played() {
    let (served, clients) = giving_with("/public", "/", ApplicationConfig::default());
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let client = accepted(&clients);
    assert_eq!(client.read_access().as_str(), "/public");
    for (name, code) in [
        ("public/cam", "NetStream.Play.Start"),
        ("cam", "NetStream.Play.Failed"),
        ("publicity", "NetStream.Play.Failed"),
    ] {
        let (play, events) = stream(&connection);
        play.play(PlayOptions::new(name)).unwrap();
        let status = wait_status(&events, code);
        if status.is_error() {
            assert_eq!(
                status.description,
                format!("Failed to play {name}; access denied.")
            );
            assert_eq!(status.info.get("details"), Some(&Value::from(name)));
        }
    }
    client.set_access("/", "/");
    let (play, events) = stream(&connection);
    play.play(PlayOptions::new("cam")).unwrap();
    wait_status(&events, "NetStream.Play.Start");
}

#[test]
fn c15_write_access_decides_what_may_be_published_and_recorded() {
    let (served, clients) = giving_with("/", "/mine", ApplicationConfig::default());
    let (connection, _statuses) = connected(&served.engine, &served.url);
    assert_eq!(accepted(&clients).write_access().as_str(), "/mine");
    for (name, mode, code) in [
        ("mine/cam", PublishMode::Live, "NetStream.Publish.Start"),
        ("cam", PublishMode::Live, "NetStream.Publish.BadName"),
        ("flv:cam", PublishMode::Record, "NetStream.Publish.BadName"),
        ("mp4:mine/x", PublishMode::Append, "NetStream.Publish.Start"),
    ] {
        let (out, events) = stream(&connection);
        out.publish(name, mode).unwrap();
        wait_status(&events, code);
    }
}

struct Quiet;

impl rtmp_core::SharedObjectHandler<rtmp_core::RemoteSharedObject> for Telling {
    fn on_status(&self, _: &rtmp_core::RemoteSharedObject, status: &Status) {
        let _ = self.0.lock().send(status.code.to_string());
    }

    fn on_sync(&self, _: &rtmp_core::RemoteSharedObject, _: &[rtmp_core::SlotChange]) {
        let _ = self.0.lock().send("joined".to_owned());
    }
}

impl rtmp_core::SharedObjectHandler<rtmp_core::SharedObject> for Quiet {}

struct Telling(Mutex<Sender<String>>);

#[test]
fn c14_c15_access_holds_for_shared_objects_too() {
    let (served, _clients) = giving_with("/a;/b", "/a", ApplicationConfig::default());
    let instance = served.server.instance("live").unwrap();
    let _objects = ["a/one", "b/two", "c/three"].map(|name| {
        let quiet = Arc::new(Quiet);
        instance.shared_object(name, false, quiet).unwrap()
    });
    let (connection, _statuses) = connected(&served.engine, &served.url);
    for (name, expected) in [
        ("a/one", "joined"),
        ("b/two", "SharedObject.NoWriteAccess"),
        ("c/three", "SharedObject.NoReadAccess"),
    ] {
        let (sender, told) = channel();
        let handler = Arc::new(Telling(Mutex::new(sender)));
        let object = connection.shared_object(name, false, handler).unwrap();
        if expected == "SharedObject.NoWriteAccess" {
            assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "joined");
            object.set("x", Value::from(1.0)).unwrap();
            while told.recv_timeout(PATIENCE).unwrap() != expected {}
        } else {
            assert_eq!(told.recv_timeout(PATIENCE).unwrap(), expected, "{name}");
        }
    }
}

#[test]
fn c16_methods_of_a_client_come_before_those_of_its_application() {
    let (served, clients) = giving();
    let application = served.server.find_application("live").unwrap();
    let says = |text: &'static str| -> rtmp_core::Method {
        Arc::new(move |request: CallRequest| {
            request.accept(text);
        })
    };
    application.register_method("who", says("application")).unwrap();
    application.register_method("both", says("application")).unwrap();
    assert!(application.register_method("_hidden", says("no")).is_err());
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let client = accepted(&clients);
    client.register_method("both", says("client")).unwrap();
    let call = |method: &str| {
        let (taking, answer) = reply();
        connection.call(method, Vec::new(), Some(taking)).unwrap();
        answered(&answer)
    };
    assert_eq!(call("who"), Ok(Value::from("application")));
    assert_eq!(call("both"), Ok(Value::from("client")));
    assert_eq!(call("other"), Ok(Value::from("any other")));
    let refused = call("_hidden").unwrap_err();
    assert_eq!(refused.code, "NetConnection.Call.Failed");
    assert_eq!(refused.description, "Method not found (_hidden).");
    assert!(client.unregister_method("both"));
    assert_eq!(call("both"), Ok(Value::from("application")));
}

#[test]
fn an_idle_client_is_told_and_disconnected_and_pings_do_not_help() {
    let mut config = ApplicationConfig::default();
    config.idle_timeout_ms = 1_000;
    let (served, _clients) = giving_with("/", "/", config);
    let (busy, _busy_statuses) = connected(&served.engine, &served.url);
    let (out, events) = stream(&busy);
    out.publish("cam", PublishMode::Live).unwrap();
    wait_status(&events, "NetStream.Publish.Start");
    let (_idle, statuses) = connected(&served.engine, &served.url);
    let status = statuses.recv_timeout(PATIENCE).unwrap();
    assert_eq!(status.code, "NetConnection.Connect.IdleTimeout");
    assert!(!status.is_error());
    assert_eq!(code(&statuses), "NetConnection.Connect.Closed");
    assert!(busy.is_connected());
    out.close();
    assert_eq!(code(&_busy_statuses), "NetConnection.Connect.IdleTimeout");
}

#[test]
fn what_is_only_recorded_is_not_found_among_live_streams() {
    let served = serve(AcceptAll, 1);
    let mut config = NetConnectionConfig::default();
    config.session = Some(ClientSessionConfig::default());
    let (connection, statuses) = connect_with(&served.engine, &served.url, config);
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
    let mut options = PlayOptions::new("film");
    options.start = PlayStart::Recorded(0);
    let (play, events) = stream(&connection);
    play.play(options.clone()).unwrap();
    let status = wait_status(&events, "NetStream.Play.StreamNotFound");
    assert_eq!(status.description, "Failed to play film; stream not found.");
    let live = served.server.instance("live").unwrap().stream("film").unwrap();
    let _publication = live.publish().unwrap();
    let (play, events) = stream(&connection);
    play.play(options).unwrap();
    wait_status(&events, "NetStream.Play.Start");
}
