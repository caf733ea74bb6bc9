//! Acknowledgements, windows and Set Peer Bandwidth on the wire (RTMP 1.0 5.4.3 to 5.4.5).

use bytes::Bytes;

use crate::joined::{publishing, video};
use crate::raw::Raw;
use rtmp_core::session::{LimitType, ServerSession, SessionError};
use rtmp_core::wire::message::control::Control;

/// Set Peer Bandwidth 10,000 on chunk stream 2, without its limit type.
const LIMIT: [u8; 16] = [2, 0, 0, 0, 0, 0, 5, 6, 0, 0, 0, 0, 0, 0, 0x27, 0x10];
const HARD: u8 = 0;
const SOFT: u8 = 1;
const DYNAMIC: u8 = 2;

fn limit(session: &mut ServerSession, kind: u8) -> Result<(), SessionError> {
    let bytes = [&LIMIT[..], &[kind]].concat();
    session.input(Bytes::from(bytes), 0)
}

fn acknowledge(session: &mut ServerSession, sequence: u32) {
    let header = [2, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0];
    let bytes = [&header[..], &sequence.to_be_bytes()].concat();
    session.input(Bytes::from(bytes), 0).unwrap();
}

fn controls(raw: &mut Raw) -> Vec<Control> {
    let load = |message| Control::load(message).ok();
    raw.replies().iter().filter_map(load).collect()
}

#[test]
fn set_peer_bandwidth_is_answered_with_a_window_once() {
    for kind in [HARD, SOFT, DYNAMIC] {
        let mut raw = Raw::connected();
        limit(&mut raw.session, kind).unwrap();
        assert_eq!(controls(&mut raw), [Control::WindowAckSize(10_000)]);
        limit(&mut raw.session, kind).unwrap();
        assert_eq!(controls(&mut raw), []);
    }
}

#[test]
fn unknown_limit_types_and_a_size_of_zero_are_ignored() {
    let mut raw = Raw::connected();
    limit(&mut raw.session, 3).unwrap();
    let zero = [2, 0, 0, 0, 0, 0, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, HARD];
    raw.session.input(Bytes::copy_from_slice(&zero), 0).unwrap();
    assert_eq!(controls(&mut raw), []);
    assert_eq!(raw.session.send_room(0), usize::MAX);
}

#[test]
fn a_dynamic_limit_alone_limits_nothing() {
    let mut raw = Raw::connected();
    limit(&mut raw.session, DYNAMIC).unwrap();
    assert_eq!(raw.session.send_room(0), usize::MAX);
}

#[test]
fn hard_and_soft_limits_bound_what_is_unacknowledged() {
    for kind in [HARD, SOFT] {
        let mut raw = Raw::connected();
        acknowledge(&mut raw.session, 3073);
        limit(&mut raw.session, kind).unwrap();
        let sent = raw.session.output().consumed();
        let room = 10_000 - (sent - 3073) as usize;
        assert_eq!(raw.session.send_room(0), room);
        raw.session.output().push_slice(&vec![0; 20_000]);
        raw.session.output().consume(room);
        assert_eq!(raw.session.send_room(7), 0);
        assert_eq!(raw.session.lift_deadline(), Some(10_007));
        acknowledge(&mut raw.session, 3073 + 4000);
        assert_eq!(raw.session.send_room(8), 4000);
        assert_eq!(raw.session.lift_deadline(), None);
    }
}

#[test]
fn a_limit_is_lifted_when_nothing_is_acknowledged_for_10_s() {
    let mut raw = Raw::connected();
    limit(&mut raw.session, HARD).unwrap();
    raw.session.output().push_slice(&vec![0; 20_000]);
    raw.session.output().consume(15_000);
    assert_eq!(raw.session.send_room(100), 0);
    assert_eq!(raw.session.poll_timeout(), Some(10_100));
    raw.session.handle_timeout(10_100).unwrap();
    assert_eq!(raw.session.send_room(10_100), usize::MAX);
}

#[test]
fn a_client_we_limit_is_told_how_and_acknowledged_in_time() {
    for (kind, byte) in [
        (LimitType::Hard, 0),
        (LimitType::Soft, 1),
        (LimitType::Dynamic, 2),
    ] {
        let mut raw = Raw::connected();
        raw.session.set_peer_bandwidth(10_000, kind);
        let sent = raw.session.output().take_bytes();
        assert_eq!(sent[sent.len() - 5..], [0, 0, 0x27, 0x10, byte]);
    }
    let mut pair = publishing();
    pair.server.set_peer_bandwidth(10_000, LimitType::Hard);
    pair.pump();
    assert!(pair.client.send_room(0) <= 10_000);
    for index in 0..10 {
        pair.client.send_media(1, &video(index * 40, 4000));
        assert!(pair.client.send_room(0) > 4100, "at {index}");
        pair.pump();
    }
    let ahead = pair.server.bytes_received() - pair.client.bytes_acknowledged();
    assert!(ahead < 5100, "{ahead} bytes are unacknowledged");
}

#[test]
fn a_window_set_by_the_host_is_announced() {
    let mut raw = Raw::connected();
    raw.session.set_window_ack_size(123_456);
    assert_eq!(controls(&mut raw), [Control::WindowAckSize(123_456)]);
}
