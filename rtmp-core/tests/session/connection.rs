//! What concerns a whole connection: calls, pings, acknowledgements, encodings, the end.

use crate::joined::{publishing, video};
use crate::support::pair::Pair;
use rtmp_core::amf::{Object, Value};
use rtmp_core::session::{
    Capabilities, ClientEvent, ClientSessionConfig, CodecUse, ConnectReply, ObjectEncoding, ServerEvent,
    ServerSessionConfig,
};
use rtmp_core::wire::status::{Code, Status};

#[test]
fn calls_are_answered_in_both_directions() {
    let mut pair = Pair::connected();
    let call = pair
        .client
        .call("add", vec![2.0.into(), 3.0.into()], true)
        .unwrap();
    pair.pump();
    let ServerEvent::Call {
        transaction_id,
        name,
        args,
        ..
    } = &pair.server_events[0]
    else {
        panic!("{:?}", pair.server_events);
    };
    assert_eq!((*transaction_id, name.as_str(), args.len()), (call, "add", 2));
    pair.server.reply_call(call, Ok(5.0.into()));
    let back = pair.server.call("hello", vec!["you".into()], true).unwrap();
    pair.server.call("notify", vec![], false);
    pair.pump();
    let [
        ClientEvent::CallReply {
            result: Ok(result), ..
        },
        ClientEvent::Call { transaction_id, .. },
        _,
    ] = &pair.client_events[..]
    else {
        panic!("{:?}", pair.client_events);
    };
    assert_eq!((result.as_f64(), *transaction_id), (Some(5.0), back));
    pair.client.reply_call(back, Err("no".into()));
    pair.server_events.clear();
    pair.pump();
    let [
        ServerEvent::CallReply {
            transaction_id,
            result: Err(error),
        },
    ] = &pair.server_events[..]
    else {
        panic!("{:?}", pair.server_events);
    };
    assert_eq!((*transaction_id, error.as_str()), (back, Some("no")));
}

#[test]
fn unanswered_calls_fail_in_time() {
    let mut pair = Pair::connected();
    pair.client.call("never", vec![], true).unwrap();
    pair.pump();
    assert_eq!(pair.client.poll_timeout(), Some(30_000));
    pair.client.handle_timeout(30_000).unwrap();
    assert!(matches!(
        pair.client.poll_event(),
        Some(ClientEvent::CallReply { result: Err(_), .. })
    ));
}

#[test]
fn silent_peers_are_pinged_and_given_up() {
    let mut pair = Pair::connected();
    pair.now = 60_000;
    pair.server.handle_timeout(60_000).unwrap();
    pair.now = 60_040;
    pair.pump();
    assert!(
        matches!(&pair.server_events[..], [ServerEvent::PingReply { rtt_ms: 40 }]),
        "{:?}",
        pair.server_events
    );
    pair.server.handle_timeout(120_040).unwrap();
    assert!(pair.server.handle_timeout(150_039).is_ok());
    assert!(pair.server.handle_timeout(150_040).is_err());
    assert!(pair.server.is_closed());
}

#[test]
fn everything_received_is_acknowledged() {
    let mut pair = publishing();
    for index in 0..60 {
        pair.client.send_media(1, &video(index * 40, 100_000));
        pair.pump();
    }
    let sent = pair.server.bytes_received();
    let acknowledged = pair.client.bytes_acknowledged();
    assert!(
        acknowledged > sent - 1_250_000 - 110_000 && acknowledged <= sent,
        "{acknowledged} of {sent}"
    );
}

#[test]
fn amf3_is_spoken_when_the_client_asks_for_it() {
    let config = ClientSessionConfig {
        amf3: true,
        ..ClientSessionConfig::new("live", "rtmp://127.0.0.1/live")
    };
    let mut pair = Pair::new(ServerSessionConfig::default(), config);
    pair.pump();
    pair.server.accept_connect(ConnectReply::default());
    pair.pump();
    assert_eq!(pair.client.object_encoding(), ObjectEncoding::Amf3);
    pair.server_events.clear();
    let object = Object::new().with("a", 1.5).with("b", "text");
    pair.client.call("take", vec![object.into()], false);
    pair.pump();
    let [ServerEvent::Call { args, .. }] = &pair.server_events[..] else {
        panic!("{:?}", pair.server_events);
    };
    assert_eq!(args[0].get("b").and_then(Value::as_str), Some("text"));
}

#[test]
fn a_shutdown_is_announced() {
    let mut pair = Pair::connected();
    pair.server.close(Some(Status::new(Code::ConnectAppShutdown)));
    pair.pump();
    assert_eq!(
        pair.statuses(),
        [(0, "NetConnection.Connect.AppShutdown".to_owned())]
    );
    assert!(pair.server.is_closed());
}

#[test]
fn enhanced_clients_are_told_what_the_server_can_do() {
    let mut pair = Pair::usual();
    pair.pump();
    let ServerEvent::Connect(request) = &pair.server_events[0] else {
        panic!("{:?}", pair.server_events);
    };
    assert_eq!(request.enhanced, Capabilities::any(CodecUse::ALL));
    pair.server.accept_connect(ConnectReply::default());
    pair.pump();
    let connected = pair.client_events.iter().find_map(|event| match event {
        ClientEvent::Connected { status, .. } => Some(status),
        _ => None,
    });
    let info = &connected.unwrap().info;
    assert_eq!(info.get("capsEx").and_then(Value::as_f64), Some(15.0));
    assert_eq!(
        info.get("videoFourCcInfoMap")
            .and_then(|map| map.get("*")?.as_f64()),
        Some(4.0)
    );
}
