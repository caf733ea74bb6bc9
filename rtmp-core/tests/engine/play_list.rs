//! Play lists of recorded and live streams, and `play2`: what follows what, and what is told about it.

use rtmp_core::{AcceptAll, FourCc, Frame, Object, Publication, Takeover, Value};

use crate::recorded::{BEGINNING, Library, film, info, name, told, until};
use crate::wire::{Wire, assert_info, members};

fn play2(wire: &mut Wire, stream: &str, old: &str, transition: &str) {
    let options = Object::new()
        .with("streamName", stream)
        .with("oldStreamName", old)
        .with("start", -2.0)
        .with("len", -1.0)
        .with("offset", -1.0)
        .with("transition", transition);
    wire.command(1, "play2", 0.0, &[options.into()]);
}

fn append(wire: &mut Wire, stream: &str) {
    let rest = [Value::from(0.0), Value::from(-1.0), Value::from(false)];
    wire.command(1, "play", 0.0, &[&[name(stream)][..], &rest].concat());
}

/// The statuses among what was told.
fn statuses(seen: &[String]) -> Vec<&str> {
    let is_media = |told: &&str| told.ends_with(char::is_numeric) || *told == "onMetaData";
    seen.iter()
        .map(String::as_str)
        .filter(|told| !is_media(told))
        .collect()
}

#[test]
fn netstream_play_switch_between_the_streams_of_a_list() {
    let library = Library::new("list");
    library.add("a.flv", &film(200));
    library.add("b.flv", &film(80));
    let mut wire = library.client_with(Object::new().with("app", "live"), 0);
    wire.command(1, "play", 0.0, &[name("a"), Value::from(0.0)]);
    until(&mut wire, "key 0");
    append(&mut wire, "none");
    append(&mut wire, "b");
    let mut seen = Vec::new();
    let switch = loop {
        let message = wire.next().unwrap();
        seen.push(told(&message));
        if seen.last().is_some_and(|told| told == "data Play.Switch") {
            break rtmp_core::wire::message::data::DataMessage::load(&message, &Default::default()).unwrap();
        }
    };
    assert_eq!(switch.name, "onPlayStatus");
    let switch = members(&switch.args[0]);
    assert_eq!(switch[0], ("level".to_owned(), Value::from("status")));
    assert_eq!(
        switch[1],
        ("code".to_owned(), Value::from("NetStream.Play.Switch"))
    );
    assert_eq!(switch[3], ("duration".to_owned(), Value::from(0.2)));
    assert_eq!(switch[4].0, "bytes");
    seen.extend(until(&mut wire, "eof"));
    assert_eq!(
        statuses(&seen),
        [
            "Play.StreamNotFound",
            "data Play.Switch",
            "recorded",
            "begin",
            "Play.Start",
            "|RtmpSampleAccess",
            "data Data.Start",
            "data Play.Complete",
            "Play.Stop",
            "eof",
        ],
        "the one that is not there is passed over: {seen:?}"
    );
    assert_eq!(seen.iter().filter(|told| *told == "key 0").count(), 1);
}

/// A player that buffers more than a stream lasts is sent all of it at once, and the list goes on all the same.
#[test]
fn netstream_play_switch_though_all_of_a_stream_was_sent_at_once() {
    let library = Library::new("at-once");
    library.add("a.flv", &film(80));
    let mut wire = library.client_with(Object::new().with("app", "live"), 60_000);
    wire.command(1, "play", 0.0, &[name("a"), Value::from(0.0)]);
    append(&mut wire, "none");
    append(&mut wire, "a");
    append(&mut wire, "none");
    let seen = until(&mut wire, "eof");
    let order = [
        "Play.Start",
        "data Play.Switch",
        "data Play.Complete",
        "Play.Stop",
        "Play.StreamNotFound",
    ];
    let seen: Vec<&str> = statuses(&seen)
        .into_iter()
        .filter(|told| order.contains(told))
        .collect();
    assert_eq!(
        seen,
        [
            "Play.Start",
            "Play.StreamNotFound",
            "data Play.Switch",
            "Play.Start",
            "Play.StreamNotFound",
            "data Play.Complete",
            "Play.Stop",
        ]
    );
}

#[test]
fn what_is_appended_to_a_list_that_has_ended_is_played() {
    let library = Library::new("ended");
    library.add("a.flv", &film(80));
    let mut wire = library.client();
    wire.command(1, "play", 0.0, &[name("a"), Value::from(0.0)]);
    append(&mut wire, "a");
    append(&mut wire, "a");
    let mut keys = 0;
    while keys < 3 {
        keys += until(&mut wire, "key 0").len().min(1);
    }
    wire.wait_status("NetStream.Play.Stop");
    append(&mut wire, "a");
    until(&mut wire, "key 0");
}

#[test]
fn a_list_that_is_gathered_starts_with_what_is_appended() {
    let library = Library::new("gathered");
    library.add("a.flv", &film(80));
    library.add("b.flv", &film(120));
    let mut wire = library.client();
    play2(&mut wire, "a", "", "appendAndWait");
    play2(&mut wire, "b", "", "appendAndWait");
    wire.command(0, "ping", 9.0, &[]);
    assert_eq!(until(&mut wire, "?"), ["?"], "nothing plays yet");
    play2(&mut wire, "a", "", "append");
    let seen = until(&mut wire, "eof");
    let keys = |seen: &[String]| seen.iter().filter(|told| *told == "key 0").count();
    assert_eq!((keys(&seen), seen.contains(&"inter 80".to_owned())), (3, true));
    assert_eq!(seen.iter().filter(|told| *told == "data Play.Switch").count(), 2);
}

#[test]
fn a_list_may_be_sent_at_once_or_ended() {
    let library = Library::new("at-once");
    library.add("a.flv", &film(60_000));
    let mut wire = library.client_with(Object::new().with("app", "live"), 10);
    let at_once = [name("a"), Value::from(0.0), Value::from(-1.0), Value::from(3.0)];
    wire.command(1, "play", 0.0, &at_once);
    let seen = until(&mut wire, "eof");
    assert_eq!(seen[..6], BEGINNING);
    wire.command(1, "play", 0.0, &[name("a"), Value::from(0.0)]);
    until(&mut wire, "key 0");
    append(&mut wire, "a");
    play2(&mut wire, "", "", "stop");
    let stop = wire.wait_status("NetStream.Play.Stop");
    assert_info(
        &stop,
        &info("status", "NetStream.Play.Stop", "Stopped playing a.", "a"),
    );
    wire.command(0, "ping", 9.0, &[]);
    assert_eq!(until(&mut wire, "?"), ["?"]);
}

fn publish(library: &Library, stream: &str) -> Publication {
    let instance = library.served.server.instance("live").unwrap();
    instance
        .stream(stream)
        .unwrap()
        .publish_as(Takeover::REFUSE)
        .unwrap()
}

fn picture(out: &Publication, time: u64, key: bool) {
    out.write(&Frame::video(FourCc::AVC1, time, key, 0, b"x"))
        .unwrap();
}

#[test]
fn a_live_stream_with_a_duration_is_followed_by_a_recorded_one() {
    let library = Library::new("mixed");
    library.add("film.flv", &film(80));
    let out = publish(&library, "cam");
    picture(&out, 0, true);
    let mut wire = library.client();
    let live = [name("cam"), Value::from(-1.0), Value::from(60.0)];
    wire.command(1, "play", 0.0, &live);
    append(&mut wire, "film");
    let seen = until(&mut wire, "eof");
    assert_eq!(
        statuses(&seen),
        [
            "begin",
            "Play.Reset",
            "Play.Start",
            "|RtmpSampleAccess",
            "data Data.Start",
            "data Play.Switch",
            "recorded",
            "begin",
            "Play.Start",
            "|RtmpSampleAccess",
            "data Data.Start",
            "data Play.Complete",
            "Play.Stop",
            "eof",
        ]
    );
}

#[test]
fn a_live_stream_is_followed_by_the_next_when_its_publisher_leaves() {
    let library = Library::new("left");
    library.add("film.flv", &film(80));
    let out = publish(&library, "cam");
    picture(&out, 0, true);
    let mut wire = library.client();
    wire.command(1, "play", 0.0, &[name("cam"), Value::from(-1.0)]);
    until(&mut wire, "key 0");
    append(&mut wire, "film");
    wire.command(0, "ping", 9.0, &[]);
    until(&mut wire, "?");
    drop(out);
    let seen = until(&mut wire, "eof");
    assert_eq!(
        statuses(&seen),
        [
            "Play.UnpublishNotify",
            "data Play.Switch",
            "recorded",
            "begin",
            "Play.Start",
            "|RtmpSampleAccess",
            "data Data.Start",
            "data Play.Complete",
            "Play.Stop",
            "eof",
        ]
    );
    // Alone, it waits for another publisher.
    wire.command(1, "play", 0.0, &[name("cam"), Value::from(-1.0)]);
    until(&mut wire, "data Data.Start");
    drop(publish(&library, "cam"));
    wire.wait_status("NetStream.Play.UnpublishNotify");
    drop(publish(&library, "cam"));
    wire.wait_status("NetStream.Play.UnpublishNotify");
}

#[test]
fn what_is_published_comes_before_what_is_recorded_and_is_waited_for_last() {
    let library = Library::new("any");
    library.add("both.flv", &film(80));
    library.add("film.flv", &film(80));
    let out = publish(&library, "both");
    picture(&out, 5_000, true);
    let mut wire = library.client();
    wire.command(1, "play", 0.0, &[name("both")]);
    assert!(until(&mut wire, "key 5000").contains(&"Play.Start".to_owned()));
    wire.command(1, "play", 0.0, &[name("film"), Value::from(-2_000.0)]);
    assert!(until(&mut wire, "eof").contains(&"data Play.Complete".to_owned()));
    wire.command(1, "play", 0.0, &[name("later")]);
    until(&mut wire, "data Data.Start");
    publish(&library, "later");
    wire.wait_status("NetStream.Play.PublishNotify");
    // A recording was asked for, but there is a live stream of the name alone.
    let _other = publish(&library, "other");
    wire.command(1, "play", 0.0, &[name("other"), Value::from(0.0)]);
    wire.wait_status("NetStream.Play.Start");
}

#[test]
fn netstream_play_transition_switches_live_streams_at_a_keyframe() {
    let library = Library::new("switch-live");
    let (low, high) = (publish(&library, "low"), publish(&library, "high"));
    picture(&low, 0, true);
    picture(&high, 0, true);
    let mut wire = library.client();
    wire.command(1, "play", 0.0, &[name("low"), Value::from(-1.0)]);
    until(&mut wire, "key 0");
    play2(&mut wire, "high", "low", "switch");
    let status = wire.wait_status("NetStream.Play.Transition");
    let mut expected = info(
        "status",
        "NetStream.Play.Transition",
        "Transitioning to high.",
        "high",
    );
    expected.push(("reason", Value::from("NetStream.Transition.Success")));
    assert_info(&status, &expected);
    picture(&high, 40, false);
    picture(&low, 40, false);
    assert_eq!(until(&mut wire, "inter 40"), ["inter 40"], "of the first alone");
    picture(&high, 80, true);
    let seen = until(&mut wire, "data Play.TransitionComplete");
    assert_eq!(seen, ["key 80", "data Play.TransitionComplete"]);
    picture(&low, 120, false);
    picture(&high, 160, false);
    assert_eq!(until(&mut wire, "inter 160"), ["inter 160"]);
    assert_eq!(
        library
            .served
            .server
            .instance("live")
            .unwrap()
            .stream("low")
            .unwrap()
            .stats()
            .players,
        0
    );
}

#[test]
fn netstream_play_transition_switches_files_of_the_same_content() {
    let library = Library::new("switch-file");
    library.add("low.flv", &film(3_000));
    library.add("high.flv", &film(3_000));
    let mut wire = library.client_with(Object::new().with("app", "live"), 500);
    wire.command(1, "play", 0.0, &[name("low"), Value::from(0.0)]);
    until(&mut wire, "inter 400");
    play2(&mut wire, "high", "", "switch");
    let seen = until(&mut wire, "data Play.TransitionComplete");
    let order: Vec<&str> = seen.iter().map(String::as_str).collect();
    let at = order.iter().position(|told| *told == "Play.Transition").unwrap();
    assert!(!order[..at].contains(&"key 1000"));
    assert_eq!(
        order[order.len() - 6..],
        [
            "sound 960",
            "onMetaData",
            "aac header 1000",
            "avc header 1000",
            "key 1000",
            "data Play.TransitionComplete"
        ],
        "its time goes on"
    );
    wire.user(
        &rtmp_core::wire::message::user_control::UserControl::SetBufferLength {
            stream_id: 1,
            millis: 60_000,
        },
    );
    wire.wait_data("onPlayStatus");
    let stop = wire.wait_status("NetStream.Play.Stop");
    assert_info(
        &stop,
        &info("status", "NetStream.Play.Stop", "Stopped playing high.", "high"),
    );
}

#[test]
fn swaps_take_the_place_of_what_plays_or_of_one_on_the_list() {
    let library = Library::new("swap");
    for stream in ["a.flv", "b.flv", "c.flv", "d.flv"] {
        library.add(stream, &film(400));
    }
    let mut wire = library.client_with(Object::new().with("app", "live"), 0);
    wire.command(1, "play", 0.0, &[name("a"), Value::from(0.0)]);
    append(&mut wire, "b");
    until(&mut wire, "key 0");
    play2(&mut wire, "c", "b", "swap");
    let status = wire.wait_status("NetStream.Play.Transition");
    let mut expected = info("status", "NetStream.Play.Transition", "Transitioning to c.", "c");
    expected.push(("reason", Value::from("NetStream.Transition.Success")));
    assert_info(&status, &expected);
    play2(&mut wire, "x", "none", "swap");
    let status = wire.wait_status("NetStream.Play.Failed");
    assert_info(
        &status,
        &info("error", "NetStream.Play.Failed", "Playlist swap failed.", "x"),
    );
    play2(&mut wire, "d", "a", "swap");
    let status = wire.wait_status("NetStream.Play.Transition");
    assert_eq!(status[4].1, Value::from("NetStream.Transition.Forced"));
    let start = wire.wait_status("NetStream.Play.Start");
    assert_eq!(start[3].1, Value::from("d"));
    let start = wire.wait_status("NetStream.Play.Start");
    assert_eq!(start[3].1, Value::from("c"), "what was on the list follows");
    play2(&mut wire, "c", "", "sideways");
    let status = wire.wait_status("NetStream.Failed");
    assert_eq!(status[0].1, Value::from("error"));
    let stop = wire.wait_status("NetStream.Play.Stop");
    assert_eq!(stop[3].1, Value::from("c"));
}

#[test]
fn who_connects_again_resumes_where_it_was() {
    let library = Library::new("resume");
    library.add("a.flv", &film(3_000));
    let mut wire = library.client();
    let options = Object::new()
        .with("streamName", "a")
        .with("oldStreamName", "")
        .with("start", -2.0)
        .with("len", 0.5)
        .with("offset", 1.5)
        .with("transition", "resume");
    wire.command(1, "play2", 0.0, &[options.into()]);
    let seen = until(&mut wire, "eof");
    assert!(seen.contains(&"Play.Start".to_owned()));
    let frames: Vec<&String> = seen
        .iter()
        .filter(|told| told.starts_with("key") || told.starts_with("inter"))
        .collect();
    assert_eq!(frames[0], "key 1000", "what leads up to it: {frames:?}");
    assert_eq!(frames[frames.len() - 1], "inter 1960");
}

#[test]
fn what_may_not_be_read_is_neither_played_nor_switched_to() {
    let library = Library::with("access", AcceptAll);
    library.add("open.flv", &film(2_000));
    library.add("shut.flv", &film(2_000));
    let mut wire = library.client_with(Object::new().with("app", "live"), 0);
    library.served.server.instance("live").unwrap().clients()[0].set_access("/open", "");
    wire.command(1, "play", 0.0, &[name("open"), Value::from(0.0)]);
    until(&mut wire, "key 0");
    play2(&mut wire, "shut", "", "switch");
    let status = wire.wait_status("NetStream.Play.Failed");
    let description = "Failed to play shut; access denied.";
    assert_info(
        &status,
        &info("error", "NetStream.Play.Failed", description, "shut"),
    );
    wire.command(0, "getStreamLength", 7.0, &[name("shut")]);
    assert_eq!(wire.answer(7.0), Ok(Value::from(0.0)));
    wire.command(0, "getStreamLength", 8.0, &[name("open")]);
    assert_eq!(wire.answer(8.0), Ok(Value::from(2.0)));
}
