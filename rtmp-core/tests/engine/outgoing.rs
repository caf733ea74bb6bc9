//! What a host sets and reads of connections and streams to other servers: encodings, handshakes, the object of connect,
//! the outgoing buffer, the time published, data messages.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use rtmp_core::session::{ClientSessionConfig, Swf};
use rtmp_core::{
    AcceptAll, ApplicationHandler, CallRequest, Client, ConnectRequest, Error, FourCc, Frame, MediaKind,
    NetConnectionConfig, Object, PublishMode, SubscribeOptions, Value,
};
use sha2::Sha256;

use crate::application::{answered, instance, reply};
use crate::support::{
    PATIENCE, Seen, Served, StreamEvent, code, connect, connect_with, connected, engine, seen, serve, stream,
    subscriber, wait_status, wait_until,
};

fn with_session(session: ClientSessionConfig) -> NetConnectionConfig {
    let mut config = NetConnectionConfig::default();
    config.session = Some(session);
    config
}

fn property(client: &Client, name: &str) -> Option<Value> {
    client.connect_object().get(name).cloned()
}

/// Gives back what it is called with, and says how it came.
struct Echo;

impl ApplicationHandler for Echo {
    fn on_call(&self, request: CallRequest) {
        request.accept(request.args().to_vec());
    }
}

#[test]
fn n6_either_encoding_is_chosen() {
    let served = serve(Echo, 1);
    for amf3 in [false, true] {
        let session = ClientSessionConfig {
            amf3,
            ..ClientSessionConfig::default()
        };
        let (connection, statuses) = connect_with(&served.engine, &served.url, with_session(session));
        let status = statuses.recv_timeout(PATIENCE).unwrap();
        let encoding = if amf3 { 3.0 } else { 0.0 };
        assert_eq!(status.info.get("objectEncoding"), Some(&Value::from(encoding)));
        let client = instance(&served).clients().remove(0);
        assert_eq!(property(&client, "objectEncoding"), Some(Value::from(encoding)));
        let (asking, answer) = reply();
        let given = Value::from(vec![Value::from("x"), Value::from(7.0)]);
        connection
            .call("echo", vec![given.clone()], Some(asking))
            .unwrap();
        assert_eq!(answered(&answer), Ok(Value::from(vec![given])));
        connection.close();
        wait_until("closed", || instance(&served).clients().is_empty());
    }
}

/// Keeps requests to connect.
struct Keep(Mutex<Sender<ConnectRequest>>);

impl ApplicationHandler for Keep {
    fn on_connect(&self, request: ConnectRequest) {
        self.0.lock().send(request).unwrap();
    }
}

fn keeping() -> (Served, std::sync::mpsc::Receiver<ConnectRequest>) {
    let (sender, requests) = channel();
    (serve(Keep(Mutex::new(sender)), 1), requests)
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// A server by hand: it wants to know which SWF file the client is, and gets the answer of its handshake's key.
#[test]
fn p3_p9_a_client_proves_which_swf_file_it_is() {
    let file = b"FWS\x09\x0C\0\0\0 rest";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtmp://{}/live", listener.local_addr().unwrap());
    let session = ClientSessionConfig {
        swf: Some(Swf::of(file)),
        ..ClientSessionConfig::default()
    };
    let engine = engine(1);
    let (_connection, _statuses) = connect_with(&engine, &url, with_session(session));
    let (mut socket, _) = listener.accept().unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut hello, mut echo) = (vec![0; 1537], vec![0; 1536]);
    socket.read_exact(&mut hello).unwrap();
    let s1: Vec<u8> = [0; 8].into_iter().chain((0..1528).map(|i| i as u8)).collect();
    socket.write_all(&[&[3], &s1[..], &hello[1..]].concat()).unwrap();
    socket.read_exact(&mut echo).unwrap();
    // SWF Verify Request of type 1.
    socket
        .write_all(&[2, 0, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0x1A, 1])
        .unwrap();
    let mut received = Vec::new();
    let proof = [
        &[0, 0x1B, 1, 1, 0, 0, 0, 13, 0, 0, 0, 13][..],
        &hmac(&s1[1504..], &hmac(b"Genuine Adobe Flash Player 001", file)),
    ]
    .concat();
    while !received.ends_with(&proof) {
        let mut more = [0; 4096];
        let count = socket.read(&mut more).unwrap();
        assert_ne!(count, 0, "closed without an answer");
        received.extend_from_slice(&more[..count]);
    }
}

/// Every field of the reference of `connect`, with values of its examples, as the server gets them.
#[test]
fn p12_every_argument_of_connect_reaches_the_server() {
    let (served, requests) = keeping();
    let session = ClientSessionConfig {
        flash_ver: "FMSc/1.0".to_owned(),
        swf_url: Some("https://testsite.com/data/player.swf".to_owned()),
        page_url: Some("http://testsite.com/cool_vid.html".to_owned()),
        properties: Object::new()
            .with("fpad", true)
            .with("audioCodecs", 1024.0) // SUPPORT_SND_AAC
            .with("videoCodecs", 128.0) // SUPPORT_VID_H264
            .with("videoFunction", 1.0) // SUPPORT_VID_CLIENT_SEEK
            .with("custom", "more"),
        amf3: true,
        ..ClientSessionConfig::default()
    };
    let (sender, _statuses) = channel();
    let connection = rtmp_core::NetConnection::new(
        &served.engine,
        with_session(session),
        std::sync::Arc::new(Statuses(Mutex::new(sender))),
    )
    .unwrap();
    let optional = Value::from(Object::new().with("token", "t").with("number", 5.0));
    connection
        .connect(&served.url, &[optional.clone(), Value::from("second")])
        .unwrap();
    let request = requests.recv_timeout(PATIENCE).unwrap();
    let client = request.client();
    for (name, expected) in [
        ("app", Value::from("live")),
        ("flashVer", Value::from("FMSc/1.0")),
        ("swfUrl", Value::from("https://testsite.com/data/player.swf")),
        ("tcUrl", Value::from(served.url.as_str())),
        ("fpad", Value::from(true)),
        ("audioCodecs", Value::from(1024.0)),
        ("videoCodecs", Value::from(128.0)),
        ("videoFunction", Value::from(1.0)),
        ("pageUrl", Value::from("http://testsite.com/cool_vid.html")),
        ("objectEncoding", Value::from(3.0)),
        ("custom", Value::from("more")),
    ] {
        assert_eq!(property(client, name), Some(expected), "{name}");
    }
    assert_eq!(request.args(), [optional, Value::from("second")]);
}

struct Statuses(Mutex<Sender<rtmp_core::Status>>);

impl rtmp_core::NetConnectionHandler for Statuses {
    fn on_status(&self, _: &rtmp_core::NetConnection, status: &rtmp_core::Status) {
        let _ = self.0.lock().send(status.clone());
    }
}

/// What the defaults announce: the flags of a Flash Player.
#[test]
fn p12_what_is_announced_by_default() {
    let (served, requests) = keeping();
    let (_connection, _statuses) = connect(&served.engine, &served.url);
    let request = requests.recv_timeout(PATIENCE).unwrap();
    let client = request.client();
    for (name, expected) in [
        ("fpad", Value::from(false)),
        ("capabilities", Value::from(239.0)),
        ("audioCodecs", Value::from(3575.0)),
        ("videoCodecs", Value::from(252.0)),
        ("videoFunction", Value::from(1.0)),
        ("objectEncoding", Value::from(0.0)),
    ] {
        assert_eq!(property(client, name), Some(expected), "{name}");
    }
    assert_eq!(
        (property(client, "swfUrl"), property(client, "pageUrl")),
        (None, None)
    );
    assert_eq!(request.args(), []);
}

#[test]
fn s3_the_outgoing_buffer_is_measured_in_seconds() {
    let (served, requests) = keeping();
    let (connection, _statuses) = connect(&served.engine, &served.url);
    let (out, events) = stream(&connection);
    out.publish("cam", PublishMode::Live).unwrap();
    assert_eq!(out.send_buffer(), 0);
    out.set_send_buffer(2_000);
    assert_eq!(out.send_buffer(), 2_000);
    // Nothing is sent before the server accepts: what is written waits.
    let write = |time| out.write(&Frame::video(FourCc::AVC1, time, true, 0, b"small"));
    for time in (0..=2_000).step_by(40) {
        write(time).unwrap();
    }
    write(2_040).unwrap();
    assert!(matches!(write(2_080), Err(Error::Full(_))));
    assert!(matches!(write(2_120), Err(Error::Full(_))));
    requests.recv_timeout(PATIENCE).unwrap().accept();
    loop {
        match events.recv_timeout(PATIENCE).expect("an event") {
            StreamEvent::Writable => break,
            event => assert!(matches!(event, StreamEvent::Status(_)), "{event:?}"),
        }
    }
    write(2_160).unwrap();
    out.set_send_buffer(0);
    write(60_000).unwrap();
}

#[test]
fn s6_data_messages_reach_players_and_the_host() {
    let served = serve(AcceptAll, 1);
    let (handler, host) = subscriber();
    let _subscription = instance(&served)
        .stream("cam")
        .unwrap()
        .subscribe(SubscribeOptions::default(), handler);
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (out, events) = stream(&connection);
    out.publish("cam", PublishMode::Live).unwrap();
    wait_status(&events, "NetStream.Publish.Start");
    let (player, played) = stream(&connection);
    player.play(rtmp_core::PlayOptions::new("cam")).unwrap();
    wait_status(&played, "NetStream.Play.Start");
    let args = [
        Value::from("hello"),
        Value::from(4.0),
        Object::new().with("a", true).into(),
    ];
    out.send(1_500, "onNote", &args).unwrap();
    assert!(matches!(seen(&host), Seen::Published));
    let Seen::Frame(frame) = seen(&host) else {
        panic!("no frame");
    };
    let read = connection.read_data(&frame).unwrap();
    assert_eq!((frame.timestamp_ms, frame.kind), (1_500, MediaKind::Data));
    assert_eq!((&*read.name, &read.args[..]), ("onNote", &args[..]));
    let [frame] = &crate::support::frames(&played, 1)[..] else {
        panic!("no frame");
    };
    let read = connection.read_data(frame).unwrap();
    assert_eq!((&*read.name, &read.args[..]), ("onNote", &args[..]));
}

#[test]
fn s7_a_stream_knows_how_long_it_is_published() {
    let (served, requests) = keeping();
    let (connection, statuses) = connect(&served.engine, &served.url);
    let (out, events) = stream(&connection);
    out.publish("cam", PublishMode::Live).unwrap();
    assert_eq!(out.time(), Duration::ZERO);
    requests.recv_timeout(PATIENCE).unwrap().accept();
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
    wait_status(&events, "NetStream.Publish.Start");
    let first = out.time();
    wait_until("time goes on", || out.time() > first + Duration::from_millis(20));
    out.close();
    while !matches!(events.recv_timeout(PATIENCE).unwrap(), StreamEvent::Close) {}
    let end = out.time();
    assert!(end > first);
    assert_eq!(out.time(), end, "it stands still");
}
