//! Requests to reconnect that are followed: what players, publishers and the host see of it.

use std::io::{Read, Write, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rtmp_core::{
    AcceptAll, ApplicationConfig, CallRequest, FourCc, Frame, NetConnection, NetConnectionConfig, NetStream,
    PlayOptions, PublishMode, Reconnect, SharedObjectHandler, Status, Value,
};

use crate::support::{
    PATIENCE, Served, StreamEvent, code, connect_with, connected, engine, frames, serve_on, stream,
    wait_status, wait_until,
};

const REQUEST: &str = "NetConnection.Connect.ReconnectRequest";
const SUCCESS: &str = "NetConnection.Connect.Success";
const FAILED: &str = "NetConnection.Connect.ReconnectFailed";

struct Quiet;

impl<O> SharedObjectHandler<O> for Quiet {}

fn two_servers() -> (Served, Served) {
    let engine = engine(2);
    (serve_on(engine.clone(), AcceptAll), serve_on(engine, AcceptAll))
}

/// A connection that follows to the same host.
fn follower(served: &Served) -> (NetConnection, Receiver<Status>) {
    let mut config = NetConnectionConfig::default();
    config.reconnect = Reconnect::FOLLOW;
    let (connection, statuses) = connect_with(&served.engine, &served.url, config);
    assert_eq!(code(&statuses), SUCCESS);
    (connection, statuses)
}

fn ask(served: &Served, url: Option<&str>) {
    let clients = served.server.instance("live").unwrap().clients();
    assert!(!clients.is_empty());
    clients
        .iter()
        .for_each(|client| assert!(client.request_reconnect(url, "Moving.")));
}

fn picture(time: u64, key: bool) -> Frame {
    Frame::video(FourCc::AVC1, time, key, 0, &[1; 100])
}

fn times(frames: &[Frame]) -> Vec<u64> {
    frames.iter().map(|frame| frame.timestamp_ms).collect()
}

fn wait_empty(served: &Served) {
    wait_until("the old connection is closed", || {
        served.server.stats().connections == 0
    });
}

/// The connection is alive and reported nothing else.
fn assert_quiet(connection: &NetConnection, statuses: &Receiver<Status>) {
    assert!(connection.is_connected());
    assert_eq!(statuses.try_recv().ok(), None);
}

/// A publisher of `cam` whose server has accepted it.
fn publisher(connection: &NetConnection) -> (NetStream, Receiver<StreamEvent>) {
    let (out, events) = stream(connection);
    out.publish("cam", PublishMode::Live).unwrap();
    wait_status(&events, "NetStream.Publish.Start");
    (out, events)
}

fn player(connection: &NetConnection) -> (NetStream, Receiver<StreamEvent>) {
    let (play, shown) = stream(connection);
    play.play(PlayOptions::new("cam")).unwrap();
    wait_status(&shown, "NetStream.Play.Start");
    (play, shown)
}

#[test]
fn a_player_moves_at_a_keyframe_and_sees_no_gap() {
    let (a, b) = two_servers();
    let publish = |served: &Served| {
        let live = served.server.instance("live").unwrap().stream("cam").unwrap();
        live.publish().unwrap()
    };
    let (on_a, on_b) = (publish(&a), publish(&b));
    let (connection, statuses) = follower(&a);
    let (_play, shown) = player(&connection);
    on_a.write(&picture(0, true)).unwrap();
    on_a.write(&picture(40, false)).unwrap();
    assert_eq!(times(&frames(&shown, 2)), [0, 40]);

    ask(&a, Some(&b.url));
    assert_eq!(code(&statuses), REQUEST);
    assert_eq!(code(&statuses), SUCCESS);
    assert_eq!(connection.uri(), b.url);
    wait_status(&shown, "NetStream.Play.Start");
    on_b.write(&picture(80, false)).unwrap();
    on_a.write(&picture(80, false)).unwrap();
    assert_eq!(times(&frames(&shown, 1)), [80]);
    on_b.write(&Frame::audio(FourCc::OPUS, 100, &[1])).unwrap();
    on_b.write(&picture(120, true)).unwrap();
    assert_eq!(times(&frames(&shown, 1)), [120]);
    on_a.write(&picture(120, true)).unwrap();
    on_b.write(&picture(160, false)).unwrap();
    assert_eq!(times(&frames(&shown, 1)), [160]);

    wait_empty(&a);
    on_b.write(&picture(200, false)).unwrap();
    assert_eq!(times(&frames(&shown, 1)), [200]);
    assert_quiet(&connection, &statuses);
}

#[test]
fn a_player_of_audio_moves_with_the_first_message() {
    let (a, b) = two_servers();
    let live = |served: &Served| served.server.instance("live").unwrap().stream("cam").unwrap();
    let (on_a, on_b) = (live(&a).publish().unwrap(), live(&b).publish().unwrap());
    let (connection, statuses) = follower(&a);
    let (_play, shown) = player(&connection);
    on_a.write(&Frame::audio(FourCc::OPUS, 0, &[1])).unwrap();
    assert_eq!(times(&frames(&shown, 1)), [0]);
    ask(&a, Some(&b.url));
    assert_eq!(code(&statuses), REQUEST);
    assert_eq!(code(&statuses), SUCCESS);
    wait_status(&shown, "NetStream.Play.Start");
    on_b.write(&Frame::audio_config(FourCc::OPUS, &[9])).unwrap();
    on_b.write(&Frame::audio(FourCc::OPUS, 20, &[1])).unwrap();
    let both = frames(&shown, 2);
    assert!(both[0].is_config());
    assert_eq!(both[1].timestamp_ms, 20);
    wait_empty(&a);
    assert_quiet(&connection, &statuses);
}

#[test]
fn a_publisher_moves_at_its_next_keyframe_with_its_headers() {
    let (a, b) = two_servers();
    let (viewer, _s0) = connected(&a.engine, &a.url);
    let (connection, statuses) = follower(&a);
    let (out, events) = publisher(&connection);
    let (_play_a, on_a) = player(&viewer);
    let metadata = b"\x02\x00\x0aonMetaData\x08\x00\x00\x00\x00\x00\x00\x09";
    out.write(&Frame::data(0, &metadata[..])).unwrap();
    out.write(&Frame::video_config(FourCc::AVC1, &[7])).unwrap();
    out.write(&picture(0, true)).unwrap();
    assert_eq!(frames(&on_a, 3)[2].timestamp_ms, 0);

    ask(&a, Some(&b.url));
    assert_eq!(code(&statuses), REQUEST);
    assert_eq!(code(&statuses), SUCCESS);
    wait_status(&events, "NetStream.Publish.Start");
    out.write(&picture(40, false)).unwrap();
    out.write(&Frame::audio(FourCc::OPUS, 50, &[1])).unwrap();
    assert_eq!(times(&frames(&on_a, 2)), [40, 50]);
    let (late, _s1) = connected(&b.engine, &b.url);
    let (_play_b, on_b) = player(&late);
    out.write(&picture(80, true)).unwrap();
    out.write(&picture(120, false)).unwrap();
    let seen = frames(&on_b, 4);
    assert_eq!(&seen[0].body[..], metadata);
    assert!(seen[1].is_config());
    assert_eq!(times(&seen), [80, 80, 80, 120]);
    wait_status(&on_a, "NetStream.Play.UnpublishNotify");
    wait_until("the old connection is closed", || {
        a.server.stats().connections == 1
    });
    // Who joins now gets them from the server.
    let (_again, joined) = player(&late);
    assert_eq!(times(&frames(&joined, 4)), [80, 80, 80, 120]);
    assert_quiet(&connection, &statuses);
}

#[test]
fn a_relative_target_names_another_application_of_the_server() {
    let served = serve_on(engine(1), AcceptAll);
    let application = ApplicationConfig::default();
    served
        .server
        .application("other", application, Arc::new(AcceptAll))
        .unwrap();
    let (connection, statuses) = follower(&served);
    ask(&served, Some("/other"));
    assert_eq!(code(&statuses), REQUEST);
    assert_eq!(code(&statuses), SUCCESS);
    assert_eq!(connection.uri(), served.url.replace("/live", "/other"));
    wait_until("the old connection is closed", || {
        served.server.stats().connections == 1
    });
    assert_quiet(&connection, &statuses);
}

#[test]
fn what_may_not_be_followed_is_reported_and_the_connection_stays() {
    let served = serve_on(engine(1), AcceptAll);
    let (connection, statuses) = follower(&served);
    let other_host = served.url.replace("127.0.0.1", "localhost");
    for target in [&*other_host, "http://127.0.0.1/live", "rtmps://127.0.0.1/live"] {
        ask(&served, Some(target));
        assert_eq!(code(&statuses), REQUEST);
        let warning = statuses.recv_timeout(PATIENCE).unwrap();
        assert_eq!((&*warning.code, warning.level.as_str()), (FAILED, "warning"));
    }
    assert_eq!(served.server.stats().connections, 1);
    assert_quiet(&connection, &statuses);
}

#[test]
fn a_host_that_only_gets_reports_may_follow_by_itself() {
    let (a, b) = two_servers();
    let (connection, statuses) = connected(&a.engine, &a.url);
    let target = b.url.replace("127.0.0.1", "localhost");
    ask(&a, Some(&target));
    let request = statuses.recv_timeout(PATIENCE).unwrap();
    let target = connection.reconnect_target(&request).unwrap().unwrap();
    connection.reconnect_to(&target).unwrap();
    assert_eq!(code(&statuses), SUCCESS);
    assert_eq!(connection.uri(), target);
    wait_empty(&a);
    assert_quiet(&connection, &statuses);
}

#[test]
fn two_servers_that_point_at_each_other_are_left_after_five_hops() {
    let (a, b) = two_servers();
    let (connection, statuses) = follower(&a);
    let (mut here, mut there) = (&a, &b);
    for _ in 0..5 {
        ask(here, Some(&there.url));
        assert_eq!(code(&statuses), REQUEST);
        assert_eq!(code(&statuses), SUCCESS);
        wait_empty(here);
        (here, there) = (there, here);
    }
    ask(here, Some(&there.url));
    assert_eq!(code(&statuses), REQUEST);
    assert_eq!(code(&statuses), FAILED);
    assert_eq!(connection.uri(), here.url);
    assert_quiet(&connection, &statuses);
}

#[test]
fn a_target_that_does_not_answer_leaves_everything_as_it_is() {
    let served = serve_on(engine(1), AcceptAll);
    let (viewer, _s0) = connected(&served.engine, &served.url);
    let (connection, statuses) = follower(&served);
    let (out, _events) = publisher(&connection);
    let (_play, shown) = player(&viewer);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    ask(&served, Some(&format!("rtmp://{closed}/live")));
    assert_eq!(code(&statuses), REQUEST);
    assert_eq!(code(&statuses), FAILED);
    out.write(&picture(0, true)).unwrap();
    assert_eq!(times(&frames(&shown, 1)), [0]);
    // The next request is followed.
    let b = serve_on(served.engine.clone(), AcceptAll);
    ask(&served, Some(&b.url));
    assert_eq!(code(&statuses), REQUEST);
    assert_eq!(code(&statuses), SUCCESS);
    assert_quiet(&connection, &statuses);
}

#[test]
fn a_target_that_refuses_leaves_everything_as_it_is() {
    let served = serve_on(engine(1), AcceptAll);
    let (connection, statuses) = follower(&served);
    ask(&served, Some("/nothing-here"));
    assert_eq!(code(&statuses), REQUEST);
    assert_eq!(code(&statuses), FAILED);
    assert_eq!(connection.uri(), served.url);
    assert_quiet(&connection, &statuses);
}

#[test]
fn a_server_that_winds_down_is_free_when_its_clients_have_moved() {
    let (a, b) = two_servers();
    let (connection, statuses) = follower(&a);
    let (out, events) = publisher(&connection);
    out.write(&Frame::audio_config(FourCc::OPUS, &[9])).unwrap();
    out.write(&Frame::audio(FourCc::OPUS, 0, &[1])).unwrap();
    a.server
        .drain(Some(&b.url), "Update.", Duration::from_secs(3600))
        .unwrap();
    assert_eq!(code(&statuses), REQUEST);
    assert_eq!(code(&statuses), SUCCESS);
    wait_status(&events, "NetStream.Publish.Start");
    let (viewer, _s0) = connected(&b.engine, &b.url);
    let (_play, shown) = player(&viewer);
    // There is no video: the next message moves.
    out.write(&Frame::audio(FourCc::OPUS, 20, &[1])).unwrap();
    let seen = frames(&shown, 2);
    assert!(seen[0].is_config());
    assert_eq!(times(&seen), [20, 20]);
    wait_until("the drained server closes", || a.server.is_closed());
    assert_quiet(&connection, &statuses);
}

#[test]
fn calls_are_answered_where_they_were_made_and_shared_objects_join_again() {
    let (a, b) = two_servers();
    let (held, calls) = channel();
    let held = Mutex::new(held);
    let hold = move |request: CallRequest| held.lock().unwrap().send(request).unwrap();
    let application = a.server.find_application("live").unwrap();
    application.register_method("wait", Arc::new(hold)).unwrap();
    let on_b = b.server.instance("live").unwrap();
    let kept = on_b.shared_object("state", false, Arc::new(Quiet)).unwrap();
    let (connection, statuses) = follower(&a);
    let object = connection.shared_object("state", false, Arc::new(Quiet)).unwrap();
    wait_until("the object is joined", || object.is_connected());
    let (answers, answered) = channel();
    let reply = Box::new(move |result: Result<Value, Status>| answers.send(result).unwrap());
    connection.call("wait", Vec::new(), Some(reply)).unwrap();
    let request = calls.recv_timeout(PATIENCE).unwrap();
    let old = a.server.instance("live").unwrap().clients().remove(0);
    ask(&a, Some(&b.url));
    assert_eq!(code(&statuses), REQUEST);
    assert_eq!(code(&statuses), SUCCESS);
    // The old connection waits for the answer, and answers itself.
    let (echoes, echoed) = channel();
    let reply = Box::new(move |result: Result<Value, Status>| echoes.send(result).unwrap());
    old.call_with_reply("echo", vec![Value::from(7.0)], reply);
    assert_eq!(echoed.recv_timeout(PATIENCE).unwrap(), Ok(Value::from(7.0)));
    request.accept(Value::from("late"));
    assert_eq!(answered.recv_timeout(PATIENCE).unwrap(), Ok(Value::from("late")));
    wait_empty(&a);
    wait_until("the object is joined again", || object.is_connected());
    object.set("x", Value::from(1.0)).unwrap();
    wait_until("the new server has the slot", || kept.get("x").is_some());
    assert_quiet(&connection, &statuses);
}

/// Passes bytes on between two sockets until both ends are closed.
fn pipe(one: TcpStream, other: TcpStream) {
    let ways = [
        (one.try_clone().unwrap(), other.try_clone().unwrap()),
        (other, one),
    ];
    for (mut from, mut to) in ways {
        thread::spawn(move || {
            let _ = copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}

#[test]
fn a_server_that_goes_before_the_next_has_accepted_is_succeeded_all_the_same() {
    let (a, b) = two_servers();
    let (connection, statuses) = follower(&a);
    let (out, events) = publisher(&connection);
    out.write(&Frame::video_config(FourCc::AVC1, &[7])).unwrap();
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    ask(&a, Some(&format!("rtmp://{}/live", door.local_addr().unwrap())));
    assert_eq!(code(&statuses), REQUEST);
    let (mut candidate, _) = door.accept().unwrap();
    // The first byte: the candidate speaks, so it is known to the old connection.
    let mut first = [0];
    candidate.read_exact(&mut first).unwrap();
    a.server.instance("live").unwrap().clients()[0].close(None);
    wait_empty(&a);
    out.write(&picture(40, true)).unwrap();
    let mut inner = TcpStream::connect(
        b.url
            .strip_prefix("rtmp://")
            .unwrap()
            .strip_suffix("/live")
            .unwrap(),
    )
    .unwrap();
    inner.write_all(&first).unwrap();
    pipe(candidate, inner);
    assert_eq!(code(&statuses), SUCCESS);
    wait_status(&events, "NetStream.Publish.Start");
    let (viewer, _s0) = connected(&b.engine, &b.url);
    let (_play, shown) = player(&viewer);
    out.write(&picture(80, true)).unwrap();
    assert_eq!(times(&frames(&shown, 2)), [80, 80]);
    assert_quiet(&connection, &statuses);
}

#[test]
fn a_publisher_that_its_own_server_keeps_out_is_let_in_when_the_old_connection_ends() {
    let served = serve_on(engine(1), AcceptAll);
    let (connection, statuses) = follower(&served);
    let (out, events) = publisher(&connection);
    let old = served.server.instance("live").unwrap().clients().remove(0);
    out.write(&picture(0, true)).unwrap();
    assert!(old.request_reconnect(None, "The way here changes."));
    assert_eq!(code(&statuses), REQUEST);
    assert_eq!(code(&statuses), SUCCESS);
    assert_eq!(code(&statuses), FAILED, "the name is taken by the old connection");
    old.close(None);
    wait_status(&events, "NetStream.Publish.Start");
    let (viewer, _s0) = connected(&served.engine, &served.url);
    let (_play, shown) = player(&viewer);
    out.write(&picture(40, true)).unwrap();
    assert_eq!(times(&frames(&shown, 1)), [40]);
    assert_quiet(&connection, &statuses);
}

#[test]
fn closing_while_the_next_connection_is_made_closes_both() {
    let served = serve_on(engine(1), AcceptAll);
    let (connection, statuses) = follower(&served);
    let (_out, events) = publisher(&connection);
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    ask(
        &served,
        Some(&format!("rtmp://{}/live", door.local_addr().unwrap())),
    );
    assert_eq!(code(&statuses), REQUEST);
    let (mut candidate, _) = door.accept().unwrap();
    candidate.read_exact(&mut [0]).unwrap();
    connection.close();
    assert_eq!(code(&statuses), "NetConnection.Connect.Closed");
    wait_until("the stream is closed", || {
        matches!(events.try_recv(), Ok(StreamEvent::Close))
    });
    // The candidate's socket ends.
    let _ = candidate.read_to_end(&mut Vec::new());
    assert_eq!(statuses.try_recv().ok(), None);
}
