//! Recorded streams as the host and our own player see them.

use std::sync::mpsc::{Sender, channel};

use rtmp_core::{
    ApplicationHandler, Client, MediaKind, Play2Options, PlayOptions, PlayRequest, Transition, Value,
};

use crate::recorded::{Library, film, info, name};
use crate::support::{PATIENCE, StreamEvent, connected, stream, wait_status};
use crate::wire::assert_info;

/// Sends what it hears of plays.
struct Heard(Sender<String>);

impl ApplicationHandler for Heard {
    fn on_play(&self, request: PlayRequest) {
        let _ = self.0.send(format!("play {}", request.stream_name()));
        request.accept_as("film");
    }

    fn on_stop(&self, _: &Client, stream_name: &str) {
        let _ = self.0.send(format!("stop {stream_name}"));
    }
}

#[test]
fn the_host_may_play_another_file_and_hears_of_the_end() {
    let (sender, heard) = channel();
    let library = Library::with("host", Heard(sender));
    library.add("film.flv", &film(80));
    let mut wire = library.client();
    wire.command(1, "play", 0.0, &[name("secret"), Value::from(0.0)]);
    let stop = wire.wait_status("NetStream.Play.Stop");
    assert_info(
        &stop,
        &info(
            "status",
            "NetStream.Play.Stop",
            "Stopped playing secret.",
            "secret",
        ),
    );
    let hear = || heard.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        (hear(), hear()),
        ("play secret".to_owned(), "stop film".to_owned())
    );
    wire.command(1, "closeStream", 0.0, &[]);
    wire.command(1, "play", 0.0, &[name("other"), Value::from(0.0)]);
    assert_eq!(hear(), "play other", "the end is told once");
}

#[test]
fn the_length_of_a_recording_is_looked_up() {
    let library = Library::new("length");
    library.add("film.flv", &film(2_400));
    let instance = library.served.server.instance("live").unwrap();
    let (sender, lengths) = channel();
    for stream in ["film", "flv:film.flv", "none", "mp4:film"] {
        let sender = sender.clone();
        instance
            .stream_length(stream, Box::new(move |length| sender.send(length).unwrap()))
            .unwrap();
        let length = lengths.recv_timeout(PATIENCE).unwrap();
        let expected = if stream.contains("film") && !stream.starts_with("mp4") {
            2.4
        } else {
            0.0
        };
        assert_eq!(length, Ok(Value::from(expected)), "{stream}");
    }
}

#[test]
fn our_own_player_pauses_seeks_and_switches() {
    let library = Library::new("own");
    library.add("film.flv", &film(60_000));
    let (connection, _statuses) = connected(&library.served.engine, &library.served.url);
    let (player, events) = stream(&connection);
    player.play(PlayOptions::new("film")).unwrap();
    wait_status(&events, "NetStream.Play.Start");
    player.pause(true).unwrap();
    let mut last = 0;
    loop {
        match events.recv_timeout(PATIENCE).unwrap() {
            StreamEvent::Frame(frame) if frame.kind != MediaKind::Data => last = last.max(frame.timestamp_ms),
            StreamEvent::Status(status) if status.code == "NetStream.Pause.Notify" => break,
            _ => {}
        }
    }
    player.pause(false).unwrap();
    wait_status(&events, "NetStream.Unpause.Notify");
    let next = loop {
        match events.recv_timeout(PATIENCE).unwrap() {
            StreamEvent::Frame(frame) if frame.kind != MediaKind::Data => break frame.timestamp_ms,
            _ => {}
        }
    };
    assert!(next >= last && next <= last + 80, "{next} follows {last}");
    player.seek(59_000).unwrap();
    wait_status(&events, "NetStream.Seek.Notify");
    let complete = wait_status(&events, "NetStream.Play.Complete");
    assert_eq!(complete.info.get("duration"), Some(&Value::from(60.0)));
    player
        .play2(Play2Options::new("none", Transition::Reset))
        .unwrap();
    player
        .play2(Play2Options::new("film", Transition::Reset))
        .unwrap();
    wait_status(&events, "NetStream.Play.Reset");
}
