//! Recorded streams as the host and our own player see them.

use std::sync::mpsc::{Sender, channel};

use rtmp_core::{
    ApplicationHandler, Client, FrameFlags, MediaKind, MediaMessage, Play2Options, PlayOptions, PlayRequest,
    PlayStart, Transition, Value,
};

use crate::recorded::{Library, film, info, metadata, name, until};
use crate::support::{PATIENCE, StreamEvent, connected, frames, stream, wait_status};
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

/// Pictures 12 days apart, then every 40 ms over the edge of 32 bits: 49 days, 17 hours, 2 minutes and 47.296 seconds.
#[test]
fn p6_a_recording_is_played_over_the_edge_of_32_bits() {
    const EDGE: u64 = 1 << 32;
    let library = Library::new("edge");
    let picture = |time: u64, head| {
        MediaMessage::new(MediaKind::Video, time as u32, vec![head, 1, 0, 0, 0, time as u8])
    };
    let mut film = vec![metadata((EDGE + 1_000) as f64 / 1000.0)];
    film.extend((0..4).map(|number| picture(number << 30, 0x17)));
    for time in (EDGE - 200..EDGE + 1_000).step_by(40) {
        // A keyframe 200 ms before the edge, and 800 ms behind it.
        let is_key = (time + 200 - EDGE).is_multiple_of(1_000);
        film.push(picture(time, if is_key { 0x17 } else { 0x27 }));
    }
    library.add("film.flv", &film);
    let mut wire = library.client_with(rtmp_core::Object::new().with("app", "live"), 100);
    wire.command(0, "getStreamLength", 3.0, &[name("film")]);
    assert_eq!(wire.answer(3.0), Ok(Value::from((EDGE + 1_000) as f64 / 1000.0)));
    let begun = std::time::Instant::now();
    let start = Value::from((EDGE - 100) as f64);
    wire.command(1, "play", 0.0, &[name("film"), start, Value::from(700.0)]);
    let seen = until(&mut wire, "data Play.Complete");
    let pictures: Vec<&String> = seen
        .iter()
        .filter(|told| told.contains("inter") || told.contains("key"))
        .collect();
    assert_eq!(*pictures[0], format!("key {}", (EDGE - 200) as u32));
    assert_eq!(pictures[5..8], ["inter 0", "inter 40", "inter 80"]);
    assert_eq!(pictures.last().unwrap().as_str(), "inter 560", "{pictures:?}");
    assert!(
        begun.elapsed().as_millis() >= 400,
        "as time goes by: {:?}",
        begun.elapsed()
    );
    // Our own player counts on, wherever it goes.
    let (connection, _statuses) = connected(&library.served.engine, &library.served.url);
    let (player, events) = stream(&connection);
    let mut options = PlayOptions::new("film");
    options.start = PlayStart::Recorded(EDGE - 100);
    player.play(options).unwrap();
    wait_status(&events, "NetStream.Play.Start");
    // Behind the metadata and, between two commands, what leads up to the place.
    let mut found = frames(&events, 12);
    found.retain(|frame| frame.kind == MediaKind::Video && !frame.flags.contains(FrameFlags::COMMAND));
    let times: Vec<u64> = found.iter().map(|frame| frame.timestamp_ms).collect();
    let expected = [-200, -160, -120, -80, -40, 0, 40].map(|at| EDGE.wrapping_add_signed(at));
    assert_eq!(times[..7], expected);
    player.seek(EDGE + 900).unwrap();
    wait_status(&events, "NetStream.Seek.Notify");
    wait_status(&events, "NetStream.Play.Complete");
    player.seek(0).unwrap();
    wait_status(&events, "NetStream.Seek.Notify");
    let next = frames(&events, 2);
    assert_eq!(next[1].timestamp_ms, 0, "{next:?}");
}
