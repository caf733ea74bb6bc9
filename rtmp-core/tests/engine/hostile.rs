//! Peers that break the rules: they are disconnected, the host hears of it, nobody else notices.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rtmp_core::{
    AcceptAll, ApplicationConfig, ApplicationHandler, CallRequest, Client, Deviation, FlowLimits, FourCc,
    Frame, Object, PlayOptions, PublishMode, Queue, ServerConfig, Status, SubscribeOptions, Tolerance, Value,
};

use crate::support::{
    PATIENCE, Seen, Served, code, connect, connected, frames, seen, serve, serve_with, stream, subscriber,
    wait_status, wait_until,
};
use crate::wire::{Wire, hex};

fn raw(served: &Served) -> TcpStream {
    let address = served
        .url
        .trim_start_matches("rtmp://")
        .trim_end_matches("/live")
        .to_owned();
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Whether the server closes the connection.
fn is_closed(mut socket: TcpStream) -> bool {
    let mut sink = [0; 4096];
    loop {
        match socket.read(&mut sink) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

#[test]
fn nonsense_closes_its_own_connection_only() {
    let served = serve(AcceptAll, 2);
    let (good, _statuses) = connected(&served.engine, &served.url);
    for nonsense in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0x16, 3, 1, 2, 0],
        vec![0xff; 4000],
        vec![0; 10],
    ] {
        let mut socket = raw(&served);
        socket.write_all(&nonsense).unwrap();
        assert!(is_closed(socket));
    }
    let mut socket = raw(&served);
    let mut hello = vec![3];
    hello.resize(1 + 1536 * 2, 0);
    hello.extend([0x83, 0, 0, 0, 1, 2, 3, 4]);
    socket.write_all(&hello).unwrap();
    assert!(is_closed(socket));
    assert!(good.is_connected());
}

struct Reporting(Mutex<Sender<String>>);

impl ApplicationHandler for Reporting {
    fn on_error(&self, _: &Client, status: &Status) {
        let _ = self.0.lock().send(format!("error {}", status.description));
    }

    fn on_disconnect(&self, _: &Client, why: &Status) {
        let _ = self.0.lock().send(format!("disconnect {}", why.code));
    }
}

#[test]
fn the_host_hears_why_a_client_was_disconnected() {
    let (sender, log) = channel();
    let served = serve(Reporting(Mutex::new(sender)), 1);
    let mut socket = raw(&served);
    socket
        .write_all(
            include_bytes!("../vectors/publish_client.bin")
                .get(..3230)
                .unwrap(),
        )
        .unwrap();
    let mut reply = [0; 3073 + 200];
    socket.read_exact(&mut reply).unwrap();
    // Set Chunk Size 0 is a violation (RTMP 1.0 5.4.1).
    socket
        .write_all(&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0])
        .unwrap();
    let error = log.recv_timeout(PATIENCE).unwrap();
    assert!(error.starts_with("error ") && error.len() > 20, "{error}");
    assert_eq!(
        log.recv_timeout(PATIENCE).unwrap(),
        "disconnect NetConnection.Connect.Closed"
    );
    assert!(is_closed(socket));
}

#[test]
fn a_silent_peer_is_closed_when_the_handshake_takes_too_long() {
    let mut config = ServerConfig::default();
    config.session.timeouts.handshake_ms = 100;
    let served = serve_with(AcceptAll, 1, config, ApplicationConfig::default());
    assert!(is_closed(raw(&served)));
    assert_eq!(served.server.stats().accepted, 1);
}

/// Those who do not even speak are closed at once when too many of them are waited for.
#[test]
fn not_many_are_told_that_they_are_turned_away() {
    let mut config = ServerConfig::default();
    config.max_connections = 1;
    let served = serve_with(AcceptAll, 1, config, ApplicationConfig::default());
    let (_first, _statuses) = connected(&served.engine, &served.url);
    let address = served.url.trim_start_matches("rtmp://").trim_end_matches("/live");
    let silent: Vec<_> = (0..4)
        .map(|_| std::net::TcpStream::connect(address).unwrap())
        .collect();
    wait_until("all are counted", || served.server.stats().turned_away == 4);
    let (_late, late) = connect(&served.engine, &served.url);
    assert_eq!(code(&late), "NetConnection.Connect.Failed");
    // They do not keep their places for long, and it is enough for one of them to leave.
    drop(silent);
    let refused = || {
        let (_next, next) = connect(&served.engine, &served.url);
        code(&next) == "NetConnection.Connect.Rejected"
    };
    wait_until("somebody is told again", refused);
}

#[test]
fn connections_beyond_the_limit_are_turned_away() {
    let mut config = ServerConfig::default();
    config.max_connections_per_address = 1;
    let served = serve_with(AcceptAll, 1, config, ApplicationConfig::default());
    let (first, statuses) = connected(&served.engine, &served.url);
    let (_second, second) = connect(&served.engine, &served.url);
    let refusal = second.recv_timeout(PATIENCE).unwrap();
    assert_eq!(refusal.code, "NetConnection.Connect.Rejected");
    assert_eq!(
        refusal.description,
        "The server takes no more connections from this address."
    );
    assert_eq!(code(&second), "NetConnection.Connect.Closed");
    assert_eq!(served.server.stats().turned_away, 1);
    assert_eq!(served.server.stats().connections, 1);
    first.close();
    assert_eq!(code(&statuses), "NetConnection.Connect.Closed");
}

struct Panicking;

impl ApplicationHandler for Panicking {
    fn on_publish(&self, request: rtmp_core::PublishRequest) {
        assert_ne!(request.stream_name(), "bomb", "a handler that panics");
        request.accept();
    }
}

#[test]
fn a_panic_in_a_handler_costs_one_connection() {
    let served = serve(Panicking, 1);
    let (good, _good_statuses) = connected(&served.engine, &served.url);
    let (bad, statuses) = connected(&served.engine, &served.url);
    let (out, _events) = stream(&bad);
    out.publish("bomb", PublishMode::Live).unwrap();
    assert_eq!(code(&statuses), "NetConnection.Connect.Closed");
    let (out, events) = stream(&good);
    out.publish("cam", PublishMode::Live).unwrap();
    wait_status(&events, "NetStream.Publish.Start");
}

#[test]
fn a_player_that_does_not_read_is_bounded_and_harms_nobody() {
    let mut config = ServerConfig::default();
    config.player_limits = FlowLimits {
        bytes: 1 << 20,
        millis: 60_000,
    };
    config.stall_timeout_ms = 2_000;
    let served = serve_with(AcceptAll, 1, config, ApplicationConfig::default());
    let live = served.server.instance("live").unwrap().stream("test").unwrap();
    let publication = live.publish().unwrap();
    let mut stuck = raw(&served);
    stuck
        .write_all(&in_application_live(include_bytes!("../vectors/play_client.bin")))
        .unwrap();
    let (handler, events) = subscriber();
    let _subscription = live.subscribe(SubscribeOptions::default(), handler);
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (play, play_events) = stream(&connection);
    play.play(PlayOptions::new("test")).unwrap();
    wait_status(&play_events, "NetStream.Play.Start");
    assert!(matches!(seen(&events), Seen::Published));
    let deadline = Instant::now() + PATIENCE;
    while live.stats().players < 3 {
        assert!(
            Instant::now() < deadline,
            "the player that will not read did not join"
        );
        std::thread::yield_now();
    }
    for number in 0..200 {
        publication
            .write(&Frame::video(
                FourCc::AVC1,
                number * 40,
                number % 10 == 0,
                0,
                &[1; 100_000],
            ))
            .unwrap();
        assert!(matches!(seen(&events), Seen::Frame(_)));
        assert_eq!(frames(&play_events, 1)[0].timestamp_ms, number * 40);
    }
    assert!(live.stats().cached_bytes <= 1_000_100);
    // After the stall timeout only those that read are left.
    let deadline = Instant::now() + PATIENCE;
    while live.stats().players > 2 {
        assert!(Instant::now() < deadline, "the stuck player is still there");
        publication
            .write(&Frame::audio(FourCc::MP4A, 8_000, &[1; 10]))
            .unwrap();
        assert!(matches!(seen(&events), Seen::Frame(_)));
    }
    drop(stuck);
}

/// The recorded session of a player up to its play command, with the application's name changed.
fn in_application_live(session: &[u8]) -> Vec<u8> {
    let mut session = session[..3369].to_vec();
    let at = session.windows(3).position(|part| part == b"vod").unwrap();
    session.splice(at - 1..at + 3, *b"\x04live");
    // The connect message is one byte longer, and its first chunk (RTMP 1.0 5.3) ends one byte later.
    session[3073 + 6] += 1;
    let second = session[3073..].iter().position(|byte| *byte == 0xc3).unwrap() + 3073;
    session.remove(second);
    session.insert(3073 + 12 + 128, 0xc3);
    session
}

#[test]
fn deviations_are_counted_for_the_host_or_refused() {
    for tolerance in [Tolerance::Lenient, Tolerance::Strict] {
        let (sender, log) = channel();
        let mut config = ServerConfig::default();
        config.session.tolerance = tolerance;
        let handler = Reporting(Mutex::new(sender));
        let served = serve_with(handler, 1, config, ApplicationConfig::default());
        let (good, _statuses) = connected(&served.engine, &served.url);
        let mut socket = raw(&served);
        socket.write_all(&[3; 1537]).unwrap();
        let mut hello = vec![0; 3073];
        socket.read_exact(&mut hello).unwrap();
        socket.write_all(&hello[1..1537]).unwrap();
        let connect = b"\x02\0\x07connect\0\x3f\xf0\0\0\0\0\0\0\x03\0\x03app\x02\0\x04live\0\0\x09";
        socket
            .write_all(
                &[
                    &[3, 0, 0, 0, 0, 0, connect.len() as u8, 0x14, 0, 0, 0, 0][..],
                    connect,
                ]
                .concat(),
            )
            .unwrap();
        socket.read_exact(&mut [0; 200]).unwrap();
        // A window on chunk stream 3.
        socket
            .write_all(&[3, 0, 0, 0, 0, 0, 4, 5, 0, 0, 0, 0, 0, 0x26, 0x25, 0xA0])
            .unwrap();
        if tolerance == Tolerance::Strict {
            let error = log.recv_timeout(PATIENCE).unwrap();
            assert!(error.contains("another chunk stream than 2"), "{error}");
            assert!(is_closed(socket));
        } else {
            // A ping that is answered shows that the window was read.
            socket
                .write_all(&[2, 0, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0, 0, 6, 1, 2, 3, 4])
                .unwrap();
            let mut answers = Vec::new();
            while !answers.ends_with(&[0, 7, 1, 2, 3, 4]) {
                let mut byte = [0];
                socket.read_exact(&mut byte).unwrap();
                answers.extend(byte);
            }
        }
        let deviations = served.server.deviations();
        assert_eq!(
            deviations.count(Deviation::ControlChunkStream),
            1,
            "{deviations:?}"
        );
        assert_eq!(deviations.total(), 1, "{deviations:?}");
        assert!(good.is_connected() && good.deviations().is_empty());
    }
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
fn m10_who_brings_more_than_the_host_takes_is_not_read() {
    const CALLS: u32 = 100_000;
    let queue = Queue::new(16).unwrap();
    let mut config = ApplicationConfig::default();
    config.dispatch = queue.to_dispatch();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let served = serve_with(Counts(Arc::clone(&heard)), 1, ServerConfig::default(), config);
    let mut wire = Wire::open(&served);
    wire.connect(Object::new().with("app", "live"));
    while served.server.instance("live").unwrap().clients().is_empty() {
        queue.dispatch(16, Duration::from_millis(10)).unwrap();
    }
    wire.answer(1.0).unwrap();
    let flood = std::thread::spawn(move || {
        // A command of 26 bytes each: "news", no answer wanted, null, a number.
        let head = hex("03 000000 00001A 14 00000000 02 0004 6E657773 00 0000000000000000 05 00");
        let numbers: Vec<u32> = (0..CALLS).collect();
        for some in numbers.chunks(1000) {
            let calls = some
                .iter()
                .flat_map(|number| [&head[..], &f64::from(*number).to_be_bytes()].concat());
            wire.raw(&calls.collect::<Vec<u8>>());
        }
        wire
    });
    wait_until("the client is held back", || queue.held_back() > 4);
    let waiting = queue.len();
    assert!((1024..40_000).contains(&waiting), "{waiting}");
    wait_until("nothing more is read", || queue.held_back() > 12);
    assert_eq!(queue.len(), waiting);

    let began = Instant::now();
    while heard.lock().len() < CALLS as usize {
        queue.dispatch(1000, Duration::from_millis(10)).unwrap();
        assert!(
            began.elapsed() < 3 * PATIENCE,
            "{} of {CALLS} came",
            heard.lock().len()
        );
    }
    let in_order = heard
        .lock()
        .iter()
        .zip(0..CALLS)
        .all(|(heard, sent)| *heard == f64::from(sent));
    assert!(in_order);
    drop(flood.join().unwrap());
}
