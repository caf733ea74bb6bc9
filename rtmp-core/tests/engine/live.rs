//! Live streams: clients publish and play, the host does both in-process, late joiners, one name and two publishers.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use parking_lot::Mutex;
use rtmp_core::{
    AcceptAll, ApplicationHandler, Client, Engine, EngineConfig, FourCc, Frame, FrameFlags, MediaKind,
    NetConnectionConfig, PlayOptions, PlayRequest, PublishMode, PublishRequest, Stream, SubscribeOptions,
    Subscriber,
};

use crate::support::{
    PATIENCE, Seen, Served, code, connect_with, connected, frames, seen, serve, serve_on, stream, subscriber,
    wait_status,
};

const AVC_CONFIG: &[u8] = &[1, 0x64, 0, 0x0a, 0xff, 0xe1, 0, 1, 0x67, 1, 0, 1, 0x68];

/// A keyframe every five frames, a frame every 40 ms, each with audio 3 ms later.
pub(crate) fn film(count: u64) -> Vec<Frame> {
    let mut film = vec![
        Frame::audio_config(FourCc::MP4A, &[0x12, 0x10]),
        Frame::video_config(FourCc::AVC1, AVC_CONFIG),
    ];
    for number in 0..count {
        let time = number * 40;
        let picture = vec![number as u8; 3_000 + number as usize * 70];
        film.push(Frame::video(FourCc::AVC1, time, number % 5 == 0, 0, &picture));
        film.push(Frame::audio(FourCc::MP4A, time + 3, &[number as u8; 300]));
    }
    film
}

fn key(frame: &Frame) -> (MediaKind, u64, Vec<u8>) {
    (frame.kind, frame.timestamp_ms, frame.body.to_vec())
}

fn keys(frames: &[Frame]) -> Vec<(MediaKind, u64, Vec<u8>)> {
    frames.iter().map(key).collect()
}

#[test]
fn what_a_client_publishes_every_player_gets_unchanged() {
    everybody_gets_everything(&serve(AcceptAll, 2));
}

#[test]
fn without_io_uring_every_player_gets_the_same() {
    let mut config = EngineConfig::default();
    config.workers = 2;
    config.io_uring = false;
    everybody_gets_everything(&serve_on(Engine::new(config).unwrap(), AcceptAll));
}

pub(crate) fn everybody_gets_everything(served: &Served) {
    everybody_gets_everything_by(served, &NetConnectionConfig::default());
}

/// The same with settings of the connections.
pub(crate) fn everybody_gets_everything_by(served: &Served, config: &NetConnectionConfig) {
    let connected = || {
        let (connection, statuses) = connect_with(&served.engine, &served.url, config.clone());
        assert_eq!(code(&statuses), "NetConnection.Connect.Success");
        (connection, statuses)
    };
    let (publisher, _statuses) = connected();
    let (out, events) = stream(&publisher);
    out.publish("cam", PublishMode::Live).unwrap();
    wait_status(&events, "NetStream.Publish.Start");
    let players: Vec<_> = (0..4)
        .map(|_| {
            let (connection, statuses) = connected();
            let (play, events) = stream(&connection);
            play.play(PlayOptions::new("cam")).unwrap();
            wait_status(&events, "NetStream.Play.Start");
            (connection, statuses, play, events)
        })
        .collect();
    let film = film(200);
    for frame in &film {
        out.write(frame).unwrap();
    }
    for (_, _, _, events) in &players {
        let got = frames(events, film.len());
        assert!(keys(&got) == keys(&film));
    }
    out.close();
    for (_, _, _, events) in &players {
        wait_status(events, "NetStream.Play.UnpublishNotify");
    }
}

#[test]
fn a_late_player_gets_headers_and_the_current_group_of_pictures() {
    let served = serve(AcceptAll, 2);
    let live = served.server.instance("live").unwrap().stream("cam").unwrap();
    let publication = live.publish().unwrap();
    let film = film(8);
    for frame in &film {
        publication.write(frame).unwrap();
    }
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (play, events) = stream(&connection);
    play.play(PlayOptions::new("cam")).unwrap();
    // Two headers, then the group that begins with frame 5: film[12] is its keyframe.
    let group = &film[12..];
    let got = frames(&events, 2 + group.len());
    assert_eq!((&got[0].body, &got[1].body), (&film[0].body, &film[1].body));
    assert_eq!(keys(&got[2..]), keys(group));
    assert!(got[2].is_keyframe());
    publication
        .write(&Frame::video(FourCc::AVC1, 320, false, 0, &[9; 10]))
        .unwrap();
    assert_eq!(frames(&events, 1)[0].timestamp_ms, 320);
}

#[test]
fn the_host_publishes_and_subscribes_without_a_socket() {
    let served = serve(AcceptAll, 2);
    let live = served
        .server
        .instance("live/room")
        .unwrap()
        .stream("own")
        .unwrap();
    let (handler, events) = subscriber();
    let _subscription = live.subscribe(SubscribeOptions::default(), handler);
    let publication = live.publish().unwrap();
    assert!(matches!(seen(&events), Seen::Published));
    assert!(live.publish().is_err(), "a second publisher");
    let film = film(20);
    for frame in &film {
        publication.write(frame).unwrap();
    }
    for expected in &film {
        let Seen::Frame(frame) = seen(&events) else {
            panic!("no frame")
        };
        assert_eq!(key(&frame), key(expected));
    }
    let picture = publication.stream().stats();
    assert_eq!((picture.messages, picture.players), (film.len() as u64, 1));
    drop(publication);
    assert!(matches!(seen(&events), Seen::Unpublished));
    assert!(live.publish().is_ok());
}

#[test]
fn the_hosts_subscription_shares_the_publishers_bytes() {
    let served = serve(AcceptAll, 1);
    let live = served.server.instance("live").unwrap().stream("own").unwrap();
    let (handler, events) = subscriber();
    let _subscription = live.subscribe(SubscribeOptions::default(), handler);
    let publication = live.publish().unwrap();
    assert!(matches!(seen(&events), Seen::Published));
    let frame = Frame::video(FourCc::AVC1, 0, true, 0, &[1; 5_000]);
    publication.write(&frame).unwrap();
    let Seen::Frame(got) = seen(&events) else {
        panic!("no frame")
    };
    assert_eq!(got.payload.as_ptr(), frame.payload.as_ptr());
}

#[test]
fn one_name_has_one_publisher_and_is_free_when_it_leaves() {
    let served = serve(AcceptAll, 2);
    let (one, _s1) = connected(&served.engine, &served.url);
    let (first, first_events) = stream(&one);
    first.publish("cam", PublishMode::Live).unwrap();
    wait_status(&first_events, "NetStream.Publish.Start");
    let (two, _s2) = connected(&served.engine, &served.url);
    let (second, second_events) = stream(&two);
    second.publish("cam", PublishMode::Live).unwrap();
    let status = wait_status(&second_events, "NetStream.Publish.BadName");
    assert!(status.is_error());
    first.close();
    wait_closed(&first_events);
    let (third, third_events) = stream(&two);
    third.publish("cam", PublishMode::Live).unwrap();
    wait_status(&third_events, "NetStream.Publish.Start");
}

fn wait_closed(events: &std::sync::mpsc::Receiver<crate::support::StreamEvent>) {
    while !matches!(
        events.recv_timeout(PATIENCE).expect("the stream's end"),
        crate::support::StreamEvent::Close
    ) {}
}

#[test]
fn a_player_may_come_before_the_publisher() {
    let served = serve(AcceptAll, 2);
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (play, events) = stream(&connection);
    play.play(PlayOptions::new("later")).unwrap();
    wait_status(&events, "NetStream.Play.Start");
    let live = served.server.instance("live").unwrap().stream("later").unwrap();
    let publication = live.publish().unwrap();
    wait_status(&events, "NetStream.Play.PublishNotify");
    let film = film(3);
    for frame in &film {
        publication.write(frame).unwrap();
    }
    assert_eq!(keys(&frames(&events, film.len())), keys(&film));
}

#[test]
fn metadata_reaches_those_who_join_late() {
    let served = serve(AcceptAll, 1);
    let live = served.server.instance("live").unwrap().stream("cam").unwrap();
    let publication = live.publish().unwrap();
    let properties = rtmp_core::Object::new().with("width", 160.0);
    publication
        .write_data(0, "@setDataFrame", &["onMetaData".into(), properties.into()])
        .unwrap();
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (play, events) = stream(&connection);
    play.play(PlayOptions::new("cam")).unwrap();
    let frame = frames(&events, 1).remove(0);
    assert!(frame.body.starts_with(b"\x02\x00\x0aonMetaData"));
    // Until it is taken back, which nobody is told.
    publication
        .write_data(0, "@setDataFrame", &["onXMP".into(), "x".into()])
        .unwrap();
    publication
        .write_data(0, "@clearDataFrame", &["onMetaData".into()])
        .unwrap();
    publication.write_data(0, "onCuePoint", &[]).unwrap();
    let bodies = |events| frames(events, 2).into_iter().map(|frame| frame.body.to_vec());
    let told: Vec<_> = bodies(&events).collect();
    assert_eq!(
        told,
        [&b"\x02\0\x05onXMP\x02\0\x01x"[..], b"\x02\0\x0aonCuePoint"]
    );
    let (play, events) = stream(&connection);
    play.play(PlayOptions::new("cam")).unwrap();
    assert_eq!(frames(&events, 1)[0].body, told[0]);
}

#[test]
fn time_goes_on_past_32_bits() {
    let served = serve(AcceptAll, 1);
    let live = served.server.instance("live").unwrap().stream("long").unwrap();
    let publication = live.publish().unwrap();
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (play, events) = stream(&connection);
    play.play(PlayOptions::new("long")).unwrap();
    wait_status(&events, "NetStream.Play.Start");
    let times = [0xff_fffe, 0xff_ffff, 0x100_0000, 0xffff_fff0, 0x1_0000_0010];
    for time in times {
        publication
            .write(&Frame::video(FourCc::AVC1, time, true, 0, &[7; 70_000]))
            .unwrap();
    }
    let got: Vec<u64> = frames(&events, times.len())
        .iter()
        .map(|frame| frame.timestamp_ms)
        .collect();
    assert_eq!(got, times);
}

struct Deciding(Mutex<Sender<String>>);

impl ApplicationHandler for Deciding {
    fn on_publish(&self, request: PublishRequest) {
        let _ = match request.query() {
            "key=1" => request.accept(),
            _ => request.reject("No key."),
        };
    }

    fn on_play(&self, request: PlayRequest) {
        let _ = match request.stream_name() {
            "secret" => request.reject("Not for you."),
            "alias" => request.accept_as("cam"),
            "none" => request.not_found(),
            _ => request.accept(),
        };
    }

    fn on_unpublish(&self, _: &Client, stream: &Stream) {
        let _ = self.0.lock().send(format!("unpublish {}", stream.name()));
    }

    fn on_stop(&self, _: &Client, name: &str) {
        let _ = self.0.lock().send(format!("stop {name}"));
    }
}

#[test]
fn the_host_decides_on_publish_and_play() {
    let (sender, log) = channel();
    let served = serve(Deciding(Mutex::new(sender)), 2);
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (refused, events) = stream(&connection);
    refused.publish("cam?key=2", PublishMode::Live).unwrap();
    assert_eq!(
        wait_status(&events, "NetStream.Publish.BadName").description,
        "No key."
    );
    let (out, out_events) = stream(&connection);
    out.publish("cam?key=1", PublishMode::Live).unwrap();
    wait_status(&out_events, "NetStream.Publish.Start");
    for (name, code) in [
        ("secret", "NetStream.Play.Failed"),
        ("none", "NetStream.Play.StreamNotFound"),
        ("cam", "NetStream.Play.Start"),
    ] {
        let (play, events) = stream(&connection);
        play.play(PlayOptions::new(name)).unwrap();
        wait_status(&events, code);
    }
    assert_eq!(log.recv_timeout(PATIENCE).unwrap(), "stop cam");
    let (play, events) = stream(&connection);
    play.play(PlayOptions::new("alias")).unwrap();
    out.write(&Frame::video(FourCc::AVC1, 0, true, 0, &[1; 10]))
        .unwrap();
    assert_eq!(frames(&events, 1).len(), 1);
    out.close();
    assert_eq!(log.recv_timeout(PATIENCE).unwrap(), "unpublish cam");
}

#[test]
fn a_publisher_that_vanishes_frees_its_stream() {
    let served = serve(AcceptAll, 2);
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (out, events) = stream(&connection);
    out.publish("cam", PublishMode::Live).unwrap();
    wait_status(&events, "NetStream.Publish.Start");
    let live = served.server.instance("live").unwrap().stream("cam").unwrap();
    let (handler, seen_events) = subscriber();
    let _subscription = live.subscribe(SubscribeOptions::default(), handler);
    assert!(matches!(seen(&seen_events), Seen::Published));
    drop(connection);
    assert!(matches!(seen(&seen_events), Seen::Unpublished));
    let _publication = Arc::new(live.publish().unwrap());
}

/// Holds its worker up with its first frame until the test lets it go on.
struct Slow {
    entered: Mutex<Sender<()>>,
    go_on: Mutex<Receiver<()>>,
    seen: Mutex<Sender<(u64, bool)>>,
}

impl Subscriber for Slow {
    fn on_frame(&self, frame: &Frame) {
        let _ = self.entered.lock().send(());
        let _ = self.go_on.lock().recv();
        let is_key = frame.flags.contains(FrameFlags::KEYFRAME);
        let _ = self.seen.lock().send((frame.timestamp_ms, is_key));
    }
}

#[test]
fn what_a_busy_worker_does_not_take_is_counted() {
    let served = serve(AcceptAll, 1);
    let live = served.server.instance("live").unwrap().stream("cam").unwrap();
    let publication = live.publish().unwrap();
    let ((entered, at_work), (go_on, wait), (seen, got)) = (channel(), channel(), channel());
    let slow = Slow {
        entered: Mutex::new(entered),
        go_on: Mutex::new(wait),
        seen: Mutex::new(seen),
    };
    let _subscription = live.subscribe(Default::default(), Arc::new(slow));
    let picture = |time: u64, key| Frame::video(FourCc::AVC1, time, key, 0, &vec![7; 1 << 20]);
    publication.write(&picture(0, true)).unwrap();
    at_work.recv_timeout(PATIENCE).unwrap();
    for number in 1..=80 {
        publication.write(&picture(number * 40, false)).unwrap();
    }
    let undelivered = live.stats().undelivered;
    // 64 MiB wait, and the message that goes beyond them.
    assert!((15..=17).contains(&undelivered.messages), "{undelivered:?}");
    assert_eq!(undelivered.bytes / undelivered.messages, (1 << 20) + 5);
    drop(go_on);
    let last = 80 - undelivered.messages;
    while got.recv_timeout(PATIENCE).unwrap().0 < last * 40 {}
    // What follows the gap waits for a keyframe.
    publication.write(&picture(4000, false)).unwrap();
    publication.write(&picture(4040, true)).unwrap();
    assert_eq!(got.recv_timeout(PATIENCE).unwrap(), (4040, true));
    assert_eq!(live.stats().undelivered, undelivered);
}

/// Messages without a body are not free: 64 MiB hold 262,144 of them.
#[test]
fn m10_messages_that_weigh_nothing_are_counted_too() {
    let served = serve(AcceptAll, 1);
    let live = served.server.instance("live").unwrap().stream("cam").unwrap();
    let publication = live.publish().unwrap();
    let ((entered, at_work), (go_on, wait), (seen, got)) = (channel(), channel(), channel());
    let slow = Slow {
        entered: Mutex::new(entered),
        go_on: Mutex::new(wait),
        seen: Mutex::new(seen),
    };
    let _subscription = live.subscribe(Default::default(), Arc::new(slow));
    publication
        .write(&Frame::video(FourCc::AVC1, 0, true, 0, &[1]))
        .unwrap();
    at_work.recv_timeout(PATIENCE).unwrap();
    const SENT: u64 = 270_000;
    let mut empty = Frame::audio(FourCc::MP4A, 0, &[]);
    empty.body = Bytes::new();
    for time in 1..=SENT {
        empty.timestamp_ms = time;
        publication.write(&empty).unwrap();
    }
    let undelivered = live.stats().undelivered;
    let taken = SENT - undelivered.messages;
    assert!((262_000..=262_145).contains(&taken), "{undelivered:?}");
    drop(go_on);
    // What was taken is told, and then there is room again.
    while got.recv_timeout(PATIENCE).unwrap().0 < taken {}
    publication
        .write(&Frame::video(FourCc::AVC1, SENT + 40, true, 0, &[2]))
        .unwrap();
    assert_eq!(got.recv_timeout(PATIENCE).unwrap(), (SENT + 40, true));
    assert_eq!(live.stats().undelivered, undelivered);
}
