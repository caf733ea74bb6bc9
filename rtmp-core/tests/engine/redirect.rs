//! Servers that refuse a connection and say where to connect instead, and clients and relays that go there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;
use rtmp_core::{
    AcceptAll, ApplicationConfig, ApplicationHandler, ConnectRequest, FourCc, Frame, NetConnection,
    NetConnectionConfig, PlayOptions, PublishMode, Reconnect, Relay, RelayConfig, RelayEvent, RelayHandler,
    ServerConfig, Status, Value,
};

use crate::support::{
    PATIENCE, Served, code, connect_with, connected, engine, frames, serve, serve_on, stream, wait_status,
    wait_until,
};

const SUCCESS: &str = "NetConnection.Connect.Success";
const REJECTED: &str = "NetConnection.Connect.Rejected";
const CLOSED: &str = "NetConnection.Connect.Closed";

/// Sends everybody to another URL, or back to where they came from.
#[derive(Clone, Default)]
struct Door {
    to: Option<String>,
    refused: Arc<AtomicU64>,
}

impl ApplicationHandler for Door {
    fn on_connect(&self, request: ConnectRequest) {
        self.refused.fetch_add(1, Relaxed);
        let here = request.client().uri();
        request.redirect(self.to.as_deref().unwrap_or(here), "Elsewhere.");
    }
}

fn door(to: &str) -> (Served, Door) {
    let door = Door {
        to: (!to.is_empty()).then(|| to.to_owned()),
        ..Door::default()
    };
    (serve(door.clone(), 2), door)
}

fn ask(served: &Served, reconnect: Reconnect) -> (NetConnection, Receiver<Status>) {
    let mut config = NetConnectionConfig::default();
    config.reconnect = reconnect;
    connect_with(&served.engine, &served.url, config)
}

fn picture(time: u64) -> Frame {
    Frame::video(FourCc::AVC1, time, true, 0, &[1; 100])
}

#[test]
fn m6_a_redirection_is_followed_with_all_that_was_asked_before() {
    let target = serve_on(engine(2), AcceptAll);
    let (first, door) = door(&target.url);
    let (connection, statuses) = ask(&first, Reconnect::FOLLOW);
    let (out, events) = stream(&connection);
    out.publish("cam", PublishMode::Live).unwrap();
    out.write(&picture(40)).unwrap();
    let (sender, replies) = channel();
    connection
        .call(
            "getStreamLength",
            vec![Value::from("cam")],
            Some(Box::new(move |result| sender.send(result.is_ok()).unwrap())),
        )
        .unwrap();

    let (viewer, _statuses) = connected(&target.engine, &target.url);
    let (play, shown) = stream(&viewer);
    play.play(PlayOptions::new("cam")).unwrap();
    wait_status(&shown, "NetStream.Play.Start");
    assert_eq!(code(&statuses), SUCCESS, "nothing is told of the refusal");
    assert_eq!(connection.uri(), target.url);
    wait_status(&events, "NetStream.Publish.Start");
    assert!(replies.recv_timeout(PATIENCE).unwrap());
    out.write(&picture(80)).unwrap();
    let times: Vec<u64> = frames(&shown, 2).iter().map(|frame| frame.timestamp_ms).collect();
    assert_eq!(times, [40, 80]);
    assert_eq!(door.refused.load(Relaxed), 1);
    assert!(connection.is_connected() && statuses.try_recv().is_err());
    connection.close();
    assert_eq!(code(&statuses), CLOSED);
}

#[test]
fn m6_a_redirection_that_may_not_be_followed_is_told() {
    let target = serve(AcceptAll, 1);
    let elsewhere = target.url.replace("127.0.0.1", "localhost");
    let anywhere = Reconnect::Follow {
        max_hops: 1,
        other_hosts: true,
    };
    let (first, door) = door(&elsewhere);
    for (reconnect, expected) in [
        (Reconnect::Report, [REJECTED, CLOSED]),
        (Reconnect::FOLLOW, [REJECTED, CLOSED]),
    ] {
        let (connection, statuses) = ask(&first, reconnect);
        let status = statuses.recv_timeout(PATIENCE).unwrap();
        let redirect = status.info.get("ex").and_then(|ex| ex.get("redirect")?.as_str());
        assert_eq!((&*status.code, redirect), (expected[0], Some(&*elsewhere)));
        assert_eq!(code(&statuses), expected[1]);
        assert_eq!(connection.uri(), first.url);
    }
    let (connection, statuses) = ask(&first, anywhere);
    assert_eq!(code(&statuses), SUCCESS);
    assert_eq!((connection.uri(), door.refused.load(Relaxed)), (elsewhere, 3));
}

#[test]
fn m6_a_circle_of_redirections_ends() {
    let (served, door) = door("");
    let (connection, statuses) = ask(&served, Reconnect::FOLLOW);
    assert_eq!(code(&statuses), REJECTED);
    assert_eq!(code(&statuses), CLOSED);
    assert_eq!(door.refused.load(Relaxed), 6, "the first, and five that followed");
    assert!(!connection.is_connected());
    // The connection may be made again.
    connection.connect(&served.url, &[]).unwrap();
    assert_eq!(code(&statuses), REJECTED);
}

#[test]
fn m6_a_redirection_to_nowhere_is_a_failure() {
    for nowhere in [
        "rtmp://127.0.0.1:1/live",
        "rtmp://127.0.0.1:0/live",
        "http://127.0.0.1/live",
        "ftp://127.0.0.1/live",
    ] {
        let (served, _door) = door(nowhere);
        let (connection, statuses) = ask(&served, Reconnect::FOLLOW);
        let (_out, events) = stream(&connection);
        let failure = code(&statuses);
        assert!(
            [REJECTED, "NetConnection.Connect.Failed"].contains(&&*failure),
            "{nowhere}: {failure}"
        );
        wait_until("the stream is closed", || {
            matches!(events.try_recv(), Ok(crate::support::StreamEvent::Close))
        });
        drop(connection);
    }
}

#[test]
fn m6_who_closes_while_it_is_redirected_is_not_connected() {
    let target = serve(AcceptAll, 1);
    let (first, door) = door(&target.url);
    for _ in 0..20 {
        let (connection, statuses) = ask(&first, Reconnect::FOLLOW);
        let before = door.refused.load(Relaxed);
        wait_until("the refusal", || {
            door.refused.load(Relaxed) > before || before > 0
        });
        connection.close();
        let mut last = code(&statuses);
        while last == SUCCESS || last == REJECTED {
            last = code(&statuses);
        }
        assert!(
            [CLOSED, "NetConnection.Connect.Failed"].contains(&&*last),
            "{last}"
        );
    }
    wait_until("nobody is left", || {
        target.server.stats().connections == 0 && first.server.stats().connections == 0
    });
}

struct Events(Mutex<Sender<RelayEvent>>);

impl RelayHandler for Events {
    fn on_event(&self, _: &Relay, event: &RelayEvent) {
        let _ = self.0.lock().send(event.clone());
    }
}

#[test]
fn m6_relays_follow_redirections() {
    let (origin, copy) = (serve(AcceptAll, 2), serve(AcceptAll, 2));
    let ((to_origin, _d), (to_copy, _e)) = (door(&origin.url), door(&copy.url));
    let edge = crate::support::serve_with(
        AcceptAll,
        2,
        ServerConfig::default(),
        ApplicationConfig::default(),
    );
    let publication = origin
        .server
        .instance("live")
        .unwrap()
        .stream("cam")
        .unwrap()
        .publish()
        .unwrap();
    let here = edge.server.instance("live").unwrap();
    let (heard, events) = channel();
    let _pull = Relay::pull(
        &here,
        &format!("{}/cam", to_origin.url),
        "cam",
        RelayConfig::default(),
        Arc::new(Events(Mutex::new(heard))),
    )
    .unwrap();
    let _push = Relay::push(
        &here.stream("cam").unwrap(),
        &format!("{}/far", to_copy.url),
        RelayConfig::default(),
        Arc::new(()),
    )
    .unwrap();
    let (viewer, _statuses) = connected(&copy.engine, &copy.url);
    let (play, shown) = stream(&viewer);
    play.play(PlayOptions::new("far")).unwrap();
    publication.write(&picture(40)).unwrap();
    assert_eq!(frames(&shown, 1)[0].timestamp_ms, 40);
    let told: Vec<RelayEvent> = events.try_iter().collect();
    assert_eq!(
        told,
        [RelayEvent::Connected, RelayEvent::Streaming],
        "no failure on the way"
    );
}
