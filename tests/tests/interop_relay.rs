//! Relays of ours between nginx with its rtmp module on both ends, ffmpeg publishing: the whole film comes through, and a server
//! that is killed is found again.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rtmp_core::{
    AcceptAll, ApplicationConfig, BackOff, Engine, EngineConfig, Instance, Relay, RelayConfig, RelayEvent,
    RelayHandler, Server, ServerConfig,
};
use rtmp_tests::media;
use rtmp_tests::nginx::Nginx;
use rtmp_tests::packets::{Packets, assert_whole};
use rtmp_tests::players::{ffmpeg_play, ffmpeg_publish, limit};
use rtmp_tests::programs::spawn_example;

const PATIENCE: Duration = Duration::from_secs(30);

struct Events(Sender<RelayEvent>);

impl RelayHandler for Events {
    fn on_event(&self, _: &Relay, event: &RelayEvent) {
        let _ = self.0.send(event.clone());
    }
}

/// A server that listens nowhere, for the stream between two relays.
fn between() -> (Engine, Server, Instance) {
    let engine = Engine::new(EngineConfig::default()).unwrap();
    let server = Server::new(&engine, ServerConfig::default()).unwrap();
    server
        .application("relay", ApplicationConfig::default(), Arc::new(AcceptAll))
        .unwrap();
    let instance = server.instance("relay").unwrap();
    (engine, server, instance)
}

fn hasty() -> RelayConfig {
    let mut config = RelayConfig::default();
    config.back_off = BackOff {
        first_ms: 50,
        max_ms: 500,
        ..BackOff::default()
    };
    config
}

fn wait_for(events: &Receiver<RelayEvent>, is_it: impl Fn(&RelayEvent) -> bool) {
    while !is_it(&events.recv_timeout(PATIENCE).expect("an event of the relay")) {}
}

#[test]
fn m6_a_film_goes_from_nginx_through_ours_to_nginx_unchanged() {
    let dir = media::scratch("interop_relay");
    let sample = media::h264_aac_short();
    let (from, to) = (Nginx::start(&dir.join("from")), Nginx::start(&dir.join("to")));
    let out = dir.join("ffmpeg.flv");
    let mut player = ffmpeg_play(&to.url("copy"), &out);
    to.wait_for_player();
    let (engine, _server, instance) = between();
    let (pull_events, pulled) = channel();
    let (push_events, pushed) = channel();
    let stream = instance.stream("film").unwrap();
    let _push = Relay::push(&stream, &to.url("copy"), hasty(), Arc::new(Events(push_events))).unwrap();
    let pull = Relay::pull(
        &instance,
        &from.url("film"),
        "film",
        hasty(),
        Arc::new(Events(pull_events)),
    )
    .unwrap();
    from.wait_for_player();

    let mut publisher = ffmpeg_publish(&sample, &from.url("film"));
    wait_for(&pushed, |event| *event == RelayEvent::Streaming);
    publisher.wait_success(limit(media::SHORT_SECONDS));
    wait_for(&pulled, |event| *event == RelayEvent::Streaming);
    wait_for(&pulled, |event| *event == RelayEvent::Connected);
    pull.close();
    wait_for(&pushed, |event| *event == RelayEvent::Idle);
    player.wait_success(limit(0));
    assert_whole(&Packets::of(&sample), &Packets::of(&out));
    assert_eq!(pull.stats().failures_total, 0);
    engine.close();
}

#[test]
fn m6_servers_that_are_killed_at_either_end_are_found_again() {
    let dir = media::scratch("interop_relay_killed");
    let sample = media::h264_aac_short();
    let (engine, _server, instance) = between();
    let (mut from, mut to) = (Nginx::start(&dir.join("from")), Nginx::start(&dir.join("to")));
    let (pull_events, pulled) = channel();
    let (push_events, pushed) = channel();
    let stream = instance.stream("film").unwrap();
    let push = Relay::push(&stream, &to.url("copy"), hasty(), Arc::new(Events(push_events))).unwrap();
    let pull = Relay::pull(
        &instance,
        &from.url("film"),
        "film",
        hasty(),
        Arc::new(Events(pull_events)),
    )
    .unwrap();

    let publisher = spawn_example("publisher", &[sample.as_os_str(), from.url("film").as_ref()]);
    wait_for(&pushed, |event| *event == RelayEvent::Streaming);
    let (pulls, pushes) = (pull.stats().attempts, push.stats().attempts);
    to.restart();
    wait_for(&pushed, |event| matches!(event, RelayEvent::Retrying { .. }));
    wait_for(&pushed, |event| *event == RelayEvent::Streaming);
    assert!(push.stats().attempts > pushes && pull.stats().attempts == pulls);

    from.restart();
    wait_for(&pulled, |event| matches!(event, RelayEvent::Retrying { .. }));
    drop(publisher);
    wait_for(&pulled, |event| *event == RelayEvent::Connected);
    let publisher = spawn_example("publisher", &[sample.as_os_str(), from.url("film").as_ref()]);
    wait_for(&pulled, |event| *event == RelayEvent::Streaming);
    // The push went on all the while: players, and pushes, are held.
    assert!(!pushed.try_iter().any(|event| event == RelayEvent::Idle));
    drop(publisher);
    engine.close();
}
