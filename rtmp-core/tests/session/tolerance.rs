//! What deployed peers get wrong without harm: accepted and counted, or refused by the strict profile.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::deviations::{At, CONNECT, CREATE_STREAM, Case, PUBLISH, case, cases, message};
use crate::joined::video;
use crate::support::pair::Pair;
use rtmp_core::session::{
    ClientSession, ClientSessionConfig, ConnectReply, Deviation, Deviations, PlayOptions, PublishMode,
    ServerEvent, ServerSession, ServerSessionConfig, SessionError, Tolerance,
};

/// Does everything right up to the case's moment, and then what the case says.
fn run(case: &Case, tolerance: Tolerance) -> (Result<(), SessionError>, ServerSession) {
    let config = ServerSessionConfig {
        tolerance,
        ..ServerSessionConfig::default()
    };
    let mut session = ServerSession::new(Arc::new(config), [7; 32], 0);
    let result = play_the_client(case, &mut session);
    (result, session)
}

fn play_the_client(case: &Case, session: &mut ServerSession) -> Result<(), SessionError> {
    let send = |session: &mut ServerSession, bytes: &[u8]| session.input(Bytes::copy_from_slice(bytes), 0);
    let (version, echoes) = match case.at {
        At::Handshake(version, echoes) => (version, echoes),
        _ => (3, true),
    };
    send(session, &[&[version][..], &[0; 1536]].concat())?;
    let s1 = session.output().take_bytes()[1..1537].to_vec();
    send(session, &if echoes { s1 } else { vec![0; 1536] })?;
    if let At::Connect = case.at {
        return send(session, &case.bytes);
    }
    send(session, &message(3, 20, 0, CONNECT))?;
    session.accept_connect(ConnectReply::default());
    if let At::Publishing = case.at {
        send(session, &message(3, 20, 0, CREATE_STREAM))?;
        send(session, &message(3, 20, 1, PUBLISH))?;
        session.accept_publish(1);
    }
    while session.poll_event().is_some() {}
    send(session, &case.bytes)
}

fn counted(deviations: &Deviations) -> Vec<(Deviation, u32)> {
    deviations.iter().collect()
}

#[test]
fn the_lenient_profile_accepts_and_counts() {
    for case in cases() {
        let (result, session) = run(&case, Tolerance::Lenient);
        assert!(result.is_ok(), "{:?}: {result:?}", case.deviation);
        assert_eq!(counted(session.deviations()), [(case.deviation, 1)]);
    }
}

#[test]
fn the_strict_profile_refuses_and_tells_the_host_nothing_else() {
    for case in cases() {
        let (result, mut session) = run(&case, Tolerance::Strict);
        match result {
            Err(SessionError::Deviation(deviation)) => assert_eq!(deviation, case.deviation),
            other => panic!("{:?}: {other:?}", case.deviation),
        }
        assert!(session.is_closed());
        let event = session.poll_event();
        // The frame before the deviation was in order.
        let in_order = matches!(case.deviation, Deviation::ExtendedTimestampAbsolute)
            && matches!(event, Some(ServerEvent::Media { .. }));
        assert!(event.is_none() || in_order, "{:?}: {event:?}", case.deviation);
    }
}

#[test]
fn a_ping_without_an_answer_counts_while_other_messages_come() {
    for tolerance in [Tolerance::Lenient, Tolerance::Strict] {
        let nothing = case(Deviation::PingUnanswered, At::Publishing, Vec::new());
        let (_, mut session) = run(&nothing, tolerance);
        session.ping();
        let frame = Bytes::from(message(4, 8, 1, &[0xAF, 1, 0x21]));
        session.input(frame.clone(), 30_000).unwrap();
        let result = session.input(frame, 30_001);
        assert_eq!(counted(session.deviations()), [(Deviation::PingUnanswered, 1)]);
        assert_eq!(
            matches!(result, Err(SessionError::Deviation(Deviation::PingUnanswered))),
            tolerance == Tolerance::Strict
        );
    }
}

#[test]
fn every_deviation_has_a_case() {
    let mut tested: BTreeSet<Deviation> = cases().iter().map(|case| case.deviation).collect();
    tested.insert(Deviation::PingUnanswered);
    let all: BTreeSet<Deviation> = Deviation::ALL.iter().copied().collect();
    assert_eq!(tested, all);
}

#[test]
fn a_server_is_held_to_the_same_rules() {
    for tolerance in [Tolerance::Lenient, Tolerance::Strict] {
        let config = ClientSessionConfig {
            tolerance,
            ..ClientSessionConfig::new("live", "rtmp://h/live")
        };
        let mut client = ClientSession::new(config, [2; 32], 0);
        client.connect(0);
        let c1 = client.output().take_bytes()[1..].to_vec();
        let hello = [&[3][..], &[0; 1536], &c1].concat();
        client.input(Bytes::from(hello), 0).unwrap();
        // The answer of `ffmpeg -listen 1` to FCPublish: the name alone.
        let bare = message(3, 20, 0, b"\x02\0\x0bonFCPublish");
        let result = client.input(Bytes::from(bare), 0);
        assert_eq!(
            counted(client.deviations()),
            [(Deviation::CommandFieldsMissing, 1)]
        );
        assert_eq!(result.is_err(), tolerance == Tolerance::Strict);
    }
}

#[test]
fn both_sides_of_this_library_pass_the_strict_profile() {
    let tolerance = Tolerance::Strict;
    let server = ServerSessionConfig {
        tolerance,
        ..ServerSessionConfig::default()
    };
    let client = ClientSessionConfig {
        tolerance,
        ..ClientSessionConfig::new("live", "rtmp://h/live")
    };
    let mut pair = Pair::new(server, client);
    pair.pump();
    pair.server.accept_connect(ConnectReply::default());
    pair.pump();
    pair.client.publish_stream("s", PublishMode::Live);
    pair.client.play_stream(PlayOptions::new("s"));
    pair.pump();
    pair.server.accept_publish(1);
    pair.server.accept_play(2);
    pair.pump();
    pair.client.send_media(1, &video(40, 200_000));
    pair.client.send_media(1, &video(80, 100));
    pair.server.ping();
    pair.client.delete_stream(2);
    pair.client.delete_stream(1);
    pair.pump();
    assert!(pair.server.deviations().is_empty() && pair.client.deviations().is_empty());
}
