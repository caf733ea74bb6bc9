//! Relays between servers of ours: pulls and pushes, what they survive, and what they refuse.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use rtmp_core::{
    AcceptAll, ApplicationConfig, BackOff, Demand, Direction, Engine, FourCc, Frame, FrameFlags, MediaKind,
    NetStream, PlayOptions, PublishMode, Relay, RelayConfig, RelayEvent, RelayHandler, RelayState, Server,
    ServerConfig, Stream, Subscription, Value,
};

use crate::support::{
    PATIENCE, Seen, Served, connected, engine, frames, serve, stream, subscriber, wait_status, wait_until,
};

struct Events(Sender<RelayEvent>);

impl RelayHandler for Events {
    fn on_event(&self, _: &Relay, event: &RelayEvent) {
        let _ = self.0.send(event.clone());
    }
}

fn events() -> (Arc<Events>, Receiver<RelayEvent>) {
    let (sender, receiver) = channel();
    (Arc::new(Events(sender)), receiver)
}

/// Tries again soon, so that tests do not wait.
fn hasty() -> RelayConfig {
    let mut config = RelayConfig::default();
    config.back_off = BackOff {
        first_ms: 20,
        max_ms: 200,
        jitter_percent: 25,
        max_failures: 0,
    };
    config
}

fn pull(to: &Served, url: &str, name: &str, config: RelayConfig) -> (Relay, Receiver<RelayEvent>) {
    let (handler, events) = events();
    let instance = to.server.instance("live").unwrap();
    let relay = Relay::pull(&instance, url, name, config, handler).unwrap();
    (relay, events)
}

fn push(from: &Served, name: &str, url: &str, config: RelayConfig) -> (Relay, Receiver<RelayEvent>) {
    let (handler, events) = events();
    let relay = Relay::push(&live(from, name), url, config, handler).unwrap();
    (relay, events)
}

fn next(events: &Receiver<RelayEvent>) -> RelayEvent {
    events.recv_timeout(PATIENCE).expect("an event of the relay")
}

fn wait_for(events: &Receiver<RelayEvent>, wanted: &RelayEvent) {
    while next(events) != *wanted {}
}

/// The reason of the next failure.
fn failure(events: &Receiver<RelayEvent>) -> (u64, u32, String) {
    loop {
        if let RelayEvent::Retrying {
            after_ms,
            failures,
            reason,
        } = next(events)
        {
            return (after_ms, failures, reason.code.to_string());
        }
    }
}

fn live(served: &Served, name: &str) -> Stream {
    served.server.instance("live").unwrap().stream(name).unwrap()
}

fn watch(served: &Served, name: &str) -> (Subscription, Receiver<Seen>) {
    let (subscriber, seen) = subscriber();
    let subscription = live(served, name).subscribe(Default::default(), subscriber);
    (subscription, seen)
}

/// The next frame that is seen; what else happens is passed over.
fn frame(seen: &Receiver<Seen>) -> Frame {
    loop {
        if let Seen::Frame(frame) = seen.recv_timeout(PATIENCE).expect("a frame") {
            return frame;
        }
    }
}

fn picture(time: u64, key: bool) -> Frame {
    Frame::video(FourCc::AVC1, time, key, 0, &[7; 300])
}

fn config() -> Frame {
    let header: &[u8] = b"\x17\0\0\0\0\x01\x64\0\x0a\xff\xe1\0\0\x01\0\0";
    Frame::parse(MediaKind::Video, 0, bytes::Bytes::from_static(header))
}

fn is_header(frame: &Frame) -> bool {
    frame.flags.intersects(FrameFlags::CONFIG | FrameFlags::METADATA)
}

/// A client that publishes, with metadata and a sequence header.
fn publisher(served: &Served, name: &str) -> (rtmp_core::NetConnection, NetStream) {
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (publish, events) = stream(&connection);
    publish.publish(name, PublishMode::Live).unwrap();
    wait_status(&events, "NetStream.Publish.Start");
    let mut info = rtmp_core::Object::new();
    info.insert("title", "film");
    let args = [Value::from("onMetaData"), Value::EcmaArray(info)];
    publish.send(0, "@setDataFrame", &args).unwrap();
    publish.write(&config()).unwrap();
    (connection, publish)
}

fn server_on(engine: &Engine, address: &str, application: ApplicationConfig) -> (Server, String) {
    let server = Server::new(engine, ServerConfig::default()).unwrap();
    server
        .application("live", application, Arc::new(AcceptAll))
        .unwrap();
    let address = server.listen(address).unwrap();
    (server, format!("rtmp://{address}/live"))
}

#[test]
fn m6_a_stream_is_pulled_with_what_players_need_first() {
    let (origin, edge) = (serve(AcceptAll, 2), serve(AcceptAll, 2));
    let (_c, source) = publisher(&origin, "cam");
    source.write(&picture(1_000, true)).unwrap();
    wait_until("the keyframe", || {
        live(&origin, "cam").stats().cached_messages == 1
    });
    let (relay, heard) = pull(
        &edge,
        &format!("{}/cam?key=1", origin.url),
        "copy",
        RelayConfig::default(),
    );
    assert_eq!(
        (next(&heard), next(&heard)),
        (RelayEvent::Connected, RelayEvent::Streaming)
    );

    let (viewer, _s) = connected(&edge.engine, &edge.url);
    let (play, shown) = stream(&viewer);
    play.play(PlayOptions::new("copy")).unwrap();
    source.write(&picture(1_040, false)).unwrap();
    let got = frames(&shown, 4);
    assert!(
        got[0].flags.contains(FrameFlags::METADATA) && got[1].is_config(),
        "{got:?}"
    );
    assert_eq!(
        (got[2].is_keyframe(), got[2].timestamp_ms, got[3].timestamp_ms),
        (true, 1_000, 1_040)
    );

    let stats = relay.stats();
    assert_eq!(
        (stats.state, stats.attempts, stats.failures_total),
        (RelayState::Streaming, 1, 0)
    );
    assert_eq!(stats.messages, 4);
    assert!(stats.traffic.bytes_in > 600 && stats.bytes > 600, "{stats:?}");
    assert!(!relay.url().contains("key") && relay.is_pull());

    // The publisher leaves and comes back: players are held, the connection stays, time goes on.
    source.close();
    assert_eq!(next(&heard), RelayEvent::Connected);
    let (_c2, again) = publisher(&origin, "cam");
    again.write(&picture(0, true)).unwrap();
    again.write(&picture(40, false)).unwrap();
    assert_eq!(next(&heard), RelayEvent::Streaming);
    let got: Vec<Frame> = frames(&shown, 4)
        .into_iter()
        .filter(|frame| !is_header(frame))
        .collect();
    assert_eq!((got[0].timestamp_ms, got[1].timestamp_ms), (1_060, 1_100));
    assert_eq!(relay.stats().attempts, 1);

    relay.close();
    wait_for(&heard, &RelayEvent::Ended);
    wait_status(&shown, "NetStream.Play.UnpublishNotify");
    assert!(!live(&edge, "copy").is_publishing());
}

#[test]
fn m6_a_pull_outlives_the_server_it_pulls_from_and_time_goes_on() {
    let edge = serve(AcceptAll, 2);
    let first = engine(1);
    let (server, url) = server_on(&first, "127.0.0.1:0", ApplicationConfig::default());
    let origin = Served {
        engine: first,
        server,
        url: url.clone(),
    };
    let (_c, source) = publisher(&origin, "cam");
    let (relay, heard) = pull(&edge, &format!("{url}/cam"), "cam", hasty());
    let (_watch, seen) = watch(&edge, "cam");
    source.write(&picture(5_000, true)).unwrap();
    wait_for(&heard, &RelayEvent::Streaming);
    while is_header(&frame(&seen)) {}

    origin.engine.close();
    origin.engine.join(Some(PATIENCE)).unwrap();
    let (_, failures, _) = failure(&heard);
    assert_eq!(failures, 1);

    let address = url
        .trim_start_matches("rtmp://")
        .trim_end_matches("/live")
        .to_owned();
    let second = engine(1);
    let (server, url) = server_on(&second, &address, ApplicationConfig::default());
    let origin = Served {
        engine: second,
        server,
        url,
    };
    let (_c2, source) = publisher(&origin, "cam");
    source.write(&picture(0, true)).unwrap();
    source.write(&picture(40, false)).unwrap();
    wait_for(&heard, &RelayEvent::Streaming);
    let mut times = Vec::new();
    while times.len() < 2 {
        let frame = frame(&seen);
        if is_header(&frame) {
            assert!(frame.timestamp_ms >= 5_000, "{frame:?}");
        } else {
            times.push(frame.timestamp_ms);
        }
    }
    assert_eq!(times, [5_020, 5_060]);
    assert!(relay.stats().attempts > 1);
    // The host's subscription heard nothing of it.
    assert!(!seen.try_iter().any(|event| matches!(event, Seen::Unpublished)));
}

#[test]
fn m6_a_pull_on_demand_comes_with_the_first_player_and_goes_after_the_last() {
    let (origin, edge) = (serve(AcceptAll, 1), serve(AcceptAll, 2));
    let (_c, source) = publisher(&origin, "cam");
    source.write(&picture(0, true)).unwrap();
    let mut settings = hasty();
    settings.demand = Demand::WhilePlayed { linger_ms: 50 };
    let (relay, heard) = pull(&edge, &format!("{}/cam", origin.url), "cam", settings);
    assert_eq!(relay.stats().attempts, 0);
    for round in 1..=2 {
        let (viewer, _s) = connected(&edge.engine, &edge.url);
        let (play, shown) = stream(&viewer);
        play.play(PlayOptions::new("cam")).unwrap();
        wait_status(&shown, "NetStream.Play.Start");
        assert_eq!(
            (next(&heard), next(&heard)),
            (RelayEvent::Connected, RelayEvent::Streaming)
        );
        assert_eq!(frames(&shown, 3)[2].timestamp_ms, if round == 1 { 0 } else { 20 });
        assert_eq!(relay.stats().attempts, round);
        play.close();
        assert_eq!(next(&heard), RelayEvent::Idle);
        wait_until("the pull has left", || live(&origin, "cam").stats().players == 0);
    }
    assert_eq!(relay.stats().failures_total, 0);
}

#[test]
fn m6_one_source_is_pushed_to_three_servers_and_each_gets_everything() {
    let origin = serve(AcceptAll, 2);
    let targets: Vec<Served> = (0..3).map(|_| serve(AcceptAll, 1)).collect();
    let watched: Vec<_> = targets.iter().map(|target| watch(target, "copy")).collect();
    let relays: Vec<_> = targets
        .iter()
        .map(|target| push(&origin, "cam", &format!("{}/copy", target.url), hasty()))
        .collect();
    // Nobody publishes: nothing is connected.
    assert!(relays.iter().all(|(relay, _)| relay.stats().attempts == 0));
    let (_c, source) = publisher(&origin, "cam");
    for at in 0..100 {
        source.write(&picture(at * 40, at % 25 == 0)).unwrap();
    }
    for ((relay, heard), (_, seen)) in relays.iter().zip(&watched) {
        assert_eq!(
            (next(heard), next(heard)),
            (RelayEvent::Connected, RelayEvent::Streaming)
        );
        let mut times = Vec::new();
        let mut headers = 0;
        while times.last() != Some(&(99 * 40)) {
            let frame = frame(seen);
            if is_header(&frame) {
                headers += 1;
            } else {
                times.push(frame.timestamp_ms);
            }
        }
        let first = times[0];
        assert!(
            headers >= 2 && first % 1_000 == 0,
            "begins with a keyframe: {times:?}"
        );
        let all: Vec<u64> = (first / 40..100).map(|at| at * 40).collect();
        assert_eq!(times, all);
        assert_eq!(relay.stats().dropped.messages, 0);
    }
    source.close();
    for ((relay, heard), (_, seen)) in relays.iter().zip(&watched) {
        assert_eq!(next(heard), RelayEvent::Idle);
        while !matches!(seen.recv_timeout(PATIENCE).unwrap(), Seen::Unpublished) {}
        assert_eq!(relay.stats().state, RelayState::Idle);
    }
}

#[test]
fn m6_a_server_that_does_not_read_loses_frames_and_costs_the_others_none() {
    struct Throttled;
    impl rtmp_core::ApplicationHandler for Throttled {
        fn on_connect(&self, request: rtmp_core::ConnectRequest) {
            let client = request.client().clone();
            request.accept();
            client.set_bandwidth_limit(Direction::In, Some(4_096)).unwrap();
        }
    }
    let (origin, slow, fast) = (serve(AcceptAll, 2), serve(Throttled, 1), serve(AcceptAll, 1));
    let mut settings = hasty();
    settings.limits.bytes = 256 << 10;
    let (to_slow, slow_events) = push(&origin, "cam", &format!("{}/cam", slow.url), settings.clone());
    let (to_fast, fast_events) = push(&origin, "cam", &format!("{}/cam", fast.url), settings);
    let (_watch, seen) = watch(&fast, "cam");
    let (_c, source) = publisher(&origin, "cam");
    wait_for(&slow_events, &RelayEvent::Streaming);
    wait_for(&fast_events, &RelayEvent::Streaming);
    let body = vec![9; 64 << 10];
    let mut at = 0;
    while to_slow.stats().dropped.messages == 0 {
        source
            .write(&Frame::video(FourCc::AVC1, at * 40, at % 10 == 0, 0, &body))
            .unwrap();
        let sent = at * 40;
        loop {
            let frame = frame(&seen);
            if !is_header(&frame) {
                assert_eq!(frame.timestamp_ms, sent, "the fast one gets every frame");
                break;
            }
        }
        at += 1;
        assert!(at < 2_000, "{:?}", to_slow.stats());
    }
    let stats = to_slow.stats();
    assert!(stats.dropped.bytes >= 64 << 10, "{stats:?}");
    assert_eq!(to_fast.stats().dropped.messages, 0);
}

#[test]
fn m6_a_wrong_application_is_told_and_tried_again_ever_more_rarely() {
    let (origin, edge) = (serve(AcceptAll, 1), serve(AcceptAll, 1));
    let url = origin.url.replace("/live", "/nothing");
    let mut settings = hasty();
    settings.back_off.max_failures = 5;
    let (relay, heard) = pull(&edge, &format!("{url}/cam"), "cam", settings);
    let mut waits = Vec::new();
    for number in 1..=4 {
        let (after_ms, failures, code) = failure(&heard);
        assert_eq!((failures, &*code), (number, "NetConnection.Connect.InvalidApp"));
        waits.push(after_ms);
    }
    for (wait, longest) in waits.iter().zip([20, 40, 80, 160]) {
        assert!((longest * 3 / 4..=longest).contains(wait), "{waits:?}");
    }
    let reason = match next(&heard) {
        RelayEvent::GaveUp { reason } => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason.code, "NetConnection.Connect.InvalidApp");
    assert_eq!(next(&heard), RelayEvent::Ended);
    let stats = relay.stats();
    assert_eq!(
        (stats.attempts, stats.failures_total, stats.state),
        (5, 5, RelayState::Ended)
    );
    assert_eq!(stats.last_failure, Some(reason));
}

#[test]
fn m6_nobody_listening_a_taken_name_and_a_pull_beside_a_publisher_are_failures() {
    let (origin, edge) = (serve(AcceptAll, 1), serve(AcceptAll, 1));
    let (_nobody, heard) = pull(&edge, "rtmp://127.0.0.1:1/live/cam", "gone", hasty());
    assert_eq!(failure(&heard).2, "NetConnection.Connect.Failed");

    let (_c, _taken) = publisher(&edge, "cam");
    let (_pull, heard) = pull(&edge, &format!("{}/cam", origin.url), "cam", hasty());
    assert_eq!(failure(&heard).2, "NetStream.Publish.BadName");

    let (_c2, source) = publisher(&origin, "cam");
    source.write(&picture(0, true)).unwrap();
    let (_push, heard) = push(&origin, "cam", &format!("{}/cam", edge.url), hasty());
    assert_eq!(failure(&heard).2, "NetStream.Publish.BadName");
}

#[test]
fn m6_chains_pass_everything_on_and_circles_are_refused() {
    let servers: Vec<Served> = (0..3).map(|_| serve(AcceptAll, 1)).collect();
    let url = |at: usize| format!("{}/cam", servers[at].url);
    let (_ab, ab) = pull(&servers[1], &url(0), "cam", hasty());
    let (_bc, bc) = push(&servers[1], "cam", &url(2), hasty());
    let (_watch, seen) = watch(&servers[2], "cam");
    let (c, source) = publisher(&servers[0], "cam");
    source.write(&picture(0, true)).unwrap();
    wait_for(&ab, &RelayEvent::Streaming);
    wait_for(&bc, &RelayEvent::Streaming);
    while frame(&seen).is_keyframe() {}
    // The last of the chain back to the first: there the name is taken now, and then it would be a circle.
    let (_ca, ca) = pull(&servers[0], &url(2), "cam", hasty());
    assert_eq!(failure(&ca).2, "NetStream.Publish.BadName");
    source.close();
    drop(c);
    loop {
        match failure(&ca).2.as_str() {
            "NetStream.Play.Failed" => break,
            "NetStream.Publish.BadName" => {}
            other => panic!("{other}"),
        }
    }
    let (_push, heard) = push(&servers[2], "cam", &url(0), hasty());
    assert_eq!(failure(&heard).2, "NetStream.Publish.BadName");
    let stats = live(&servers[0], "cam").stats();
    assert!(!stats.publishing, "{stats:?}");
}

#[test]
fn m6_unloading_and_closing_end_relays() {
    let (origin, edge) = (serve(AcceptAll, 2), serve(AcceptAll, 2));
    let (_c, source) = publisher(&origin, "cam");
    source.write(&picture(0, true)).unwrap();
    let (_one, one) = pull(&edge, &format!("{}/cam", origin.url), "one", hasty());
    wait_for(&one, &RelayEvent::Streaming);
    edge.server.instance("live").unwrap().unload();
    wait_for(&one, &RelayEvent::Ended);
    let (two, heard) = pull(&edge, &format!("{}/cam", origin.url), "two", hasty());
    wait_for(&heard, &RelayEvent::Streaming);
    drop(two);
    wait_for(&heard, &RelayEvent::Ended);
    let (_three, three) = pull(&edge, &format!("{}/cam", origin.url), "three", hasty());
    let (_four, four) = pull(&edge, "rtmp://127.0.0.1:1/live/cam", "four", hasty());
    wait_for(&three, &RelayEvent::Streaming);
    failure(&four);
    edge.server.drain(None, "", Duration::ZERO).unwrap();
    wait_for(&three, &RelayEvent::Ended);
    wait_for(&four, &RelayEvent::Ended);
    let (_five, five) = pull(
        &serve(AcceptAll, 1),
        &format!("{}/cam", origin.url),
        "five",
        hasty(),
    );
    wait_for(&five, &RelayEvent::Ended);
}

#[test]
fn m6_a_pull_follows_a_request_to_reconnect_and_time_does_not_jump_back() {
    let (first, second, edge) = (serve(AcceptAll, 1), serve(AcceptAll, 1), serve(AcceptAll, 1));
    let (_c, source) = publisher(&first, "cam");
    let (_c2, again) = publisher(&second, "cam");
    let (relay, heard) = pull(&edge, &format!("{}/cam", first.url), "cam", hasty());
    let (_watch, seen) = watch(&edge, "cam");
    source.write(&picture(60_000, true)).unwrap();
    wait_for(&heard, &RelayEvent::Streaming);
    while is_header(&frame(&seen)) {}

    // The publisher is sent nothing.
    let clients = first.server.instance("live").unwrap().clients();
    let player = clients.iter().find(|client| client.stats().messages_out > 0);
    assert!(
        player
            .expect("the relay")
            .request_reconnect(Some(&second.url), "")
    );
    wait_until("the pull has moved", || live(&second, "cam").stats().players == 1);
    again.write(&picture(0, true)).unwrap();
    again.write(&picture(40, false)).unwrap();
    let mut times = Vec::new();
    while times.len() < 2 {
        let frame = frame(&seen);
        if !is_header(&frame) {
            times.push(frame.timestamp_ms);
        }
    }
    assert_eq!(times, [60_020, 60_060]);
    let stats = relay.stats();
    assert_eq!((stats.attempts, stats.failures_total), (1, 0));
}

/// Stands between a relay and its origin; what the origin sends over the first connection is lost once it is `frozen`.
fn wire_that_freezes(origin: &str, frozen: &Arc<AtomicBool>) -> String {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtmp://{}/live", door.local_addr().unwrap());
    let origin = origin
        .trim_start_matches("rtmp://")
        .trim_end_matches("/live")
        .to_owned();
    let frozen = Arc::clone(frozen);
    thread::spawn(move || {
        for (number, client) in door.incoming().map_while(Result::ok).enumerate() {
            let Ok(server) = TcpStream::connect(&origin) else {
                return;
            };
            let mut up = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut up.0, &mut up.1));
            let (mut from, mut to, frozen) = (server, client, Arc::clone(&frozen));
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(count) = from.read(&mut buffer) {
                    let is_lost = number == 0 && frozen.load(Relaxed);
                    if count == 0 || (!is_lost && to.write_all(&buffer[..count]).is_err()) {
                        break;
                    }
                }
            });
        }
    });
    url
}

#[test]
fn m6_a_pull_whose_server_falls_silent_is_made_again() {
    let (origin, edge) = (serve(AcceptAll, 2), serve(AcceptAll, 2));
    let source = live(&origin, "cam").publish().unwrap();
    source.write(&config()).unwrap();
    source.write(&picture(0, true)).unwrap();
    let frozen = Arc::new(AtomicBool::new(false));
    let url = wire_that_freezes(&origin.url, &frozen);
    let (_watching, seen) = watch(&edge, "cam");
    let mut settings = hasty();
    settings.silence_ms = 300;
    let (relay, heard) = pull(&edge, &format!("{url}/cam"), "cam", settings);
    wait_for(&heard, &RelayEvent::Streaming);
    while is_header(&frame(&seen)) {}

    frozen.store(true, Relaxed);
    source.write(&picture(40, true)).unwrap();
    let RelayEvent::Retrying { reason, failures, .. } = next(&heard) else {
        panic!("silence is a failure");
    };
    assert_eq!((&*reason.code, failures), ("NetConnection.Connect.Closed", 1));
    assert_eq!(reason.description, "Nothing has come for 300 ms.");
    wait_for(&heard, &RelayEvent::Streaming);
    // What was lost on the way is the newest keyframe now; the players were held meanwhile.
    let told: Vec<Seen> = std::iter::from_fn(|| Some(seen.recv_timeout(PATIENCE).unwrap()))
        .take_while(|seen| !matches!(seen, Seen::Frame(frame) if !is_header(frame) && frame.is_keyframe()))
        .collect();
    assert!(
        !told.iter().any(|seen| matches!(seen, Seen::Unpublished)),
        "{told:?}"
    );
    let stats = relay.stats();
    assert_eq!((stats.attempts, stats.failures_total), (2, 1));
}
