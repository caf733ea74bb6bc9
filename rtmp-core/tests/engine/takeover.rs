//! Two publishers of one stream: the policies of takeover, and what players see of them.

use rtmp_core::{
    AcceptAll, ApplicationConfig, FourCc, Frame, PlayOptions, PublishMode, ServerConfig, Status, Takeover,
};

use crate::support::{PATIENCE, Served, StreamEvent, connected, frames, serve_with, stream, wait_status};

fn served(takeover: Takeover) -> Served {
    let mut config = ApplicationConfig::default();
    config.takeover = takeover;
    serve_with(AcceptAll, 2, ServerConfig::default(), config)
}

fn picture(time: u64, key: bool) -> Frame {
    Frame::video(FourCc::AVC1, time, key, 0, &[1; 100])
}

/// Statuses that come before the next frame, and that frame.
fn until_frame(events: &std::sync::mpsc::Receiver<StreamEvent>) -> (Vec<Status>, Frame) {
    let mut statuses = Vec::new();
    loop {
        match events.recv_timeout(PATIENCE).expect("a frame") {
            StreamEvent::Status(status) => statuses.push(status),
            StreamEvent::Frame(frame) => return (statuses, frame),
            StreamEvent::Writable | StreamEvent::Dry => {}
            StreamEvent::Close => panic!("the player was closed"),
        }
    }
}

#[test]
fn a_publisher_may_replace_another_and_players_go_on_without_a_break() {
    let served = served(Takeover::REPLACE);
    let (viewer, _s0) = connected(&served.engine, &served.url);
    let (play, shown) = stream(&viewer);
    play.play(PlayOptions::new("cam")).unwrap();
    wait_status(&shown, "NetStream.Play.Start");
    let (one, _s1) = connected(&served.engine, &served.url);
    let (first, first_events) = stream(&one);
    first.publish("cam", PublishMode::Live).unwrap();
    wait_status(&first_events, "NetStream.Publish.Start");
    wait_status(&shown, "NetStream.Play.PublishNotify");
    first.write(&picture(5_000, true)).unwrap();
    first.write(&picture(5_040, false)).unwrap();
    assert_eq!(frames(&shown, 2)[1].timestamp_ms, 5_040);

    let (two, _s2) = connected(&served.engine, &served.url);
    let (second, second_events) = stream(&two);
    second.publish("cam", PublishMode::Live).unwrap();
    wait_status(&second_events, "NetStream.Publish.Start");
    let status = wait_status(&first_events, "NetStream.Publish.BadName");
    assert_eq!(status.description, "Another publisher has taken the stream.");
    // Players get the new publisher from a keyframe on, and time goes on.
    second.write(&picture(0, false)).unwrap();
    second.write(&picture(40, true)).unwrap();
    second.write(&picture(80, false)).unwrap();
    let (statuses, frame) = until_frame(&shown);
    assert!(statuses.is_empty(), "{statuses:?}");
    assert!(frame.is_keyframe());
    assert_eq!(frame.timestamp_ms, 5_100);
    assert_eq!(until_frame(&shown).1.timestamp_ms, 5_140);
}

#[test]
fn players_are_held_until_the_publisher_comes_back() {
    let served = served(Takeover::hold(60_000));
    let live = served.server.instance("live").unwrap().stream("cam").unwrap();
    let (viewer, _s0) = connected(&served.engine, &served.url);
    let (play, shown) = stream(&viewer);
    play.play(PlayOptions::new("cam")).unwrap();
    wait_status(&shown, "NetStream.Play.Start");
    let publication = live.publish_as(Takeover::hold(60_000)).unwrap();
    wait_status(&shown, "NetStream.Play.PublishNotify");
    publication.write(&picture(1_000, true)).unwrap();
    assert_eq!(frames(&shown, 1)[0].timestamp_ms, 1_000);
    drop(publication);
    assert!(!live.is_publishing());
    // The publisher comes back as a client.
    let (one, _s1) = connected(&served.engine, &served.url);
    let (again, events) = stream(&one);
    again.publish("cam", PublishMode::Live).unwrap();
    wait_status(&events, "NetStream.Publish.Start");
    again.write(&picture(0, true)).unwrap();
    let (statuses, frame) = until_frame(&shown);
    assert!(statuses.is_empty(), "{statuses:?}");
    assert_eq!(frame.timestamp_ms, 1_020);
}

#[test]
fn players_hear_of_the_end_when_nobody_comes_back() {
    let served = served(Takeover::REFUSE);
    let live = served.server.instance("live").unwrap().stream("cam").unwrap();
    let publication = live.publish_as(Takeover::hold(100)).unwrap();
    let (viewer, _s0) = connected(&served.engine, &served.url);
    let (play, shown) = stream(&viewer);
    play.play(PlayOptions::new("cam")).unwrap();
    wait_status(&shown, "NetStream.Play.Start");
    drop(publication);
    wait_status(&shown, "NetStream.Play.UnpublishNotify");
    let next = live.publish().unwrap();
    wait_status(&shown, "NetStream.Play.PublishNotify");
    next.write(&picture(7, true)).unwrap();
    assert_eq!(
        frames(&shown, 1)[0].timestamp_ms,
        7,
        "a fresh publication keeps its own time"
    );
}

#[test]
fn the_host_clears_a_stream_and_speaks_to_its_players() {
    let served = served(Takeover::REFUSE);
    let live = served.server.instance("live").unwrap().stream("cam").unwrap();
    let (one, _s1) = connected(&served.engine, &served.url);
    let (out, events) = stream(&one);
    out.publish("cam", PublishMode::Live).unwrap();
    wait_status(&events, "NetStream.Publish.Start");
    let (viewer, _s0) = connected(&served.engine, &served.url);
    let (play, shown) = stream(&viewer);
    play.play(PlayOptions::new("cam")).unwrap();
    wait_status(&shown, "NetStream.Play.Start");
    live.send("onHello", &["world".into()]);
    let frame = frames(&shown, 1).remove(0);
    assert_eq!(&frame.body[..], b"\x02\x00\x07onHello\x02\x00\x05world");
    live.clear();
    let status = wait_status(&events, "NetStream.Publish.BadName");
    assert_eq!(status.description, "The application has cleared the stream.");
    wait_status(&shown, "NetStream.Play.UnpublishNotify");
    assert!(!live.is_publishing());
}

/// A whole client may hang on the connection, not only an encoder.
#[test]
fn m7_who_loses_one_of_several_streams_keeps_its_connection() {
    let served = served(Takeover::REPLACE);
    let (one, _s1) = connected(&served.engine, &served.url);
    let (out, events) = stream(&one);
    out.publish("cam", PublishMode::Live).unwrap();
    wait_status(&events, "NetStream.Publish.Start");
    let (play, shown) = stream(&one);
    play.play(PlayOptions::new("cam")).unwrap();
    wait_status(&shown, "NetStream.Play.Start");
    let (two, _s2) = connected(&served.engine, &served.url);
    let (other, other_events) = stream(&two);
    other.publish("cam", PublishMode::Live).unwrap();
    wait_status(&other_events, "NetStream.Publish.Start");
    wait_status(&events, "NetStream.Publish.BadName");
    // What it goes on sending goes nowhere, and what it plays is the other's.
    out.write(&picture(7_000, true)).unwrap();
    other.write(&picture(0, true)).unwrap();
    assert_eq!(
        frames(&shown, 1)[0].timestamp_ms,
        20,
        "right behind the one before"
    );
    assert!(one.is_connected());
    // The message stream is free for the next.
    out.publish("cam2", PublishMode::Live).unwrap();
    assert_eq!(
        wait_status(&events, "NetStream.Publish.Start")
            .info
            .get("details"),
        Some(&"cam2".into())
    );
}
