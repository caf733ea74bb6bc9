//! Enhanced RTMP over sockets: tracks, what late joiners get of them, and what is left for players that know none.

use std::sync::mpsc::Receiver;

use bytes::Bytes;
use rtmp_core::session::ClientSessionConfig;
use rtmp_core::{
    AcceptAll, Capabilities, CapsEx, FourCc, Frame, FrameFlags, MediaKind, MediaMessage, NetConnection,
    NetConnectionConfig, NetStream, PlayOptions, Publication, PublishMode, Status, SubscribeOptions,
    VideoMetadata,
};

use crate::support::{
    Seen, Served, StreamEvent, code, connect_with, connected, frames, seen, serve, stream, subscriber,
    wait_status,
};

/// Bodies of an audio and a video stream of two tracks each, headers first.
const FILM: &[(MediaKind, &[u8])] = &[
    (MediaKind::Video, b"\x90avc1\x01\x64"),
    (MediaKind::Video, b"\x96\x00hvc1\x01\x02"),
    (
        MediaKind::Audio,
        b"\x95\x20mp4a\x00\0\0\x02\x12\x10Opus\x01\0\0\0",
    ),
    (MediaKind::Audio, b"\x94mp4a\x00\x02"),
    (MediaKind::Video, b"\x94avc1\x02\x00\x09colorInfo\x03\0\0\x09"),
    (
        MediaKind::Video,
        b"\x96\x21avc1\x00\0\0\x04\0\0\x05Khvc1\x01\0\0\x04\0\0\x06k",
    ),
    (
        MediaKind::Audio,
        b"\x97\x02\x07\xA1\x20\x05\x11mp4a\x00\0\0\x01S\x01\0\0\x01s",
    ),
    (MediaKind::Video, b"\xA6\x03hvc1\x01p"),
    (MediaKind::Video, b"\xA7\x02\0\0\x01\x03avc1P"),
    (MediaKind::Video, b"\x9Bvvc1?"),
];

type Player = (NetConnection, Receiver<Status>, NetStream, Receiver<StreamEvent>);

fn player(served: &Served, enhanced: Capabilities) -> Player {
    let session = ClientSessionConfig {
        enhanced,
        ..ClientSessionConfig::default()
    };
    let mut config = NetConnectionConfig::default();
    config.session = Some(session);
    let (connection, statuses) = connect_with(&served.engine, &served.url, config);
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
    let (play, events) = stream(&connection);
    play.play(PlayOptions::new("cam")).unwrap();
    wait_status(&events, "NetStream.Play.Start");
    (connection, statuses, play, events)
}

fn enhanced() -> Capabilities {
    Capabilities::any(rtmp_core::CodecUse::ALL)
}

fn publish(served: &Served, film: &[(MediaKind, &'static [u8])]) -> Publication {
    let stream = served.server.instance("live").unwrap().stream("cam").unwrap();
    let publication = stream.publish().unwrap();
    write(&publication, film);
    publication
}

fn write(publication: &Publication, film: &[(MediaKind, &'static [u8])]) {
    for (time, (kind, body)) in film.iter().enumerate() {
        publication
            .write_message(&MediaMessage::new(*kind, time as u32, *body))
            .unwrap();
    }
}

fn received(player: &Player, count: usize) -> Vec<Vec<u8>> {
    frames(&player.3, count)
        .iter()
        .map(|frame| frame.body.to_vec())
        .collect()
}

/// The bodies as a host gets them: those of several tracks in one body each.
fn split(film: &[(MediaKind, &'static [u8])]) -> Vec<Vec<u8>> {
    let frames = film
        .iter()
        .flat_map(|(kind, body)| Frame::split(*kind, 0, Bytes::from_static(body)));
    frames.map(|frame| frame.body.to_vec()).collect()
}

/// One track of each kind, in the Enhanced header.
const SINGLE: &[&[u8]] = &[
    b"\x90avc1\x01\x64",
    b"\x90mp4a\x12\x10",
    b"\x94mp4a\x00\x02",
    b"\x94avc1\x02\x00\x09colorInfo\x03\0\0\x09",
    b"\x91avc1\0\0\x05K",
    b"\x91mp4aS",
    b"\xA3avc1P",
    b"\x9Bvvc1?",
];

/// The same in legacy headers, where the codec has one.
const LEGACY: &[&[u8]] = &[
    b"\x17\0\0\0\0\x01\x64",
    b"\xAF\x00\x12\x10",
    b"\x17\x01\0\0\x05K",
    b"\xAF\x01S",
    b"\x27\x01\0\0\0P",
    b"\x9Bvvc1?",
];

#[test]
fn players_get_what_they_announced_to_understand() {
    let served = serve(AcceptAll, 2);
    let mut list = Capabilities::default();
    list.fourcc_list = Some(vec!["hvc1".to_owned()]);
    let (all, single, old) = (
        player(&served, enhanced()),
        player(&served, list),
        player(&served, Capabilities::default()),
    );
    let publication = publish(&served, FILM);
    let whole = split(FILM);
    assert_eq!(received(&all, whole.len()), whole);
    assert_eq!(received(&single, SINGLE.len()), SINGLE);
    assert_eq!(received(&old, LEGACY.len()), LEGACY);
    drop(publication);
}

#[test]
fn a_player_without_modifiers_gets_all_tracks_without_them() {
    let served = serve(AcceptAll, 1);
    let mut caps = Capabilities::default();
    caps.caps_ex = Some(CapsEx::MULTITRACK);
    let player = player(&served, caps);
    let _publication = publish(&served, FILM);
    let mut film = FILM.to_vec();
    film[6].1 = b"\x95\x11mp4a\x00\0\0\x01S\x01\0\0\x01s";
    film[8].1 = b"\xA3avc1P";
    let expected = split(&film);
    assert_eq!(received(&player, expected.len()), expected);
}

#[test]
fn late_players_get_the_headers_of_every_track_they_understand() {
    let served = serve(AcceptAll, 2);
    let _publication = publish(&served, FILM);
    let late = player(&served, enhanced());
    let order = [2, 3, 0, 1, 4, 5, 6, 7, 8, 9];
    let expected = split(&order.map(|at| FILM[at]));
    assert_eq!(received(&late, expected.len()), expected);
    let late = player(&served, Capabilities::default());
    let order = [1, 0, 2, 3, 4, 5];
    let expected: Vec<&[u8]> = order.iter().map(|at| LEGACY[*at]).collect();
    assert_eq!(received(&late, LEGACY.len()), expected);
}

#[test]
fn the_lowest_track_is_the_default_where_there_is_no_track_0() {
    let served = serve(AcceptAll, 1);
    let mut caps = Capabilities::default();
    caps.caps_ex = Some(CapsEx::MOD_EX);
    let player = player(&served, caps);
    let film: &[(MediaKind, &[u8])] = &[
        (MediaKind::Video, b"\x96\x10vp09\x03\0\0\x01a\x05\0\0\x01b"),
        (MediaKind::Video, b"\x96\x11vp09\x03\0\0\x01A\x05\0\0\x01B"),
        (MediaKind::Video, b"\xA6\x01vp09\x05C"),
        (MediaKind::Video, b"\xA6\x01vp09\x03D"),
    ];
    let _publication = publish(&served, film);
    let expected: [&[u8]; 3] = [b"\x90vp09a", b"\x91vp09A", b"\xA1vp09D"];
    assert_eq!(received(&player, 3), expected);
}

#[test]
fn the_host_gets_a_frame_per_track() {
    let served = serve(AcceptAll, 1);
    let live = served.server.instance("live").unwrap().stream("cam").unwrap();
    let (handler, events) = subscriber();
    let _subscription = live.subscribe(SubscribeOptions::default(), handler);
    let (_, _, _, played) = &player(&served, enhanced());
    let publication = publish(&served, &FILM[5..7]);
    assert!(matches!(seen(&events), Seen::Published));
    let expected = [
        (Some(FourCc::AVC1), 0, 5, 0, b"K"),
        (Some(FourCc::HVC1), 1, 6, 0, b"k"),
        (Some(FourCc::MP4A), 0, 0, 500_000, b"S"),
        (Some(FourCc::MP4A), 1, 0, 500_000, b"s"),
    ];
    let parts = |frame: &Frame| {
        assert_eq!(frame.flags.contains(FrameFlags::MULTITRACK), frame.track_id != 0);
        (
            frame.codec,
            frame.track_id,
            frame.composition_ms,
            frame.timestamp_ns,
            frame.payload.to_vec(),
        )
    };
    for frame in frames(played, 4).iter().zip(&expected) {
        let (codec, track, composition, nanos, payload) = *frame.1;
        assert_eq!(
            parts(frame.0),
            (codec, track, composition, nanos, payload.to_vec())
        );
    }
    for (codec, track, composition, nanos, payload) in expected {
        let Seen::Frame(frame) = seen(&events) else {
            panic!("no frame")
        };
        assert_eq!(
            parts(&frame),
            (codec, track, composition, nanos, payload.to_vec())
        );
    }
    drop(publication);
}

#[test]
fn each_side_knows_what_the_other_can_do() {
    let served = serve(AcceptAll, 1);
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let server = connection.server_capabilities();
    assert!(server.supports(CapsEx::ALL));
    assert_eq!(
        server.video_codec(FourCc::AV01),
        rtmp_core::CodecUse::FORWARD.union(rtmp_core::CodecUse::DECODE)
    );
    let clients = served.server.instance("live").unwrap().clients();
    assert_eq!(clients[0].capabilities(), &enhanced());
}

#[test]
fn p16_nanoseconds_and_hdr_colours_reach_hosts_and_players() {
    let served = serve(AcceptAll, 1);
    let live = served.server.instance("live").unwrap().stream("cam").unwrap();
    let (handler, events) = subscriber();
    let _subscription = live.subscribe(SubscribeOptions::default(), handler);
    let (_, _, _, played) = &player(&served, enhanced());
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (encoder, told) = stream(&connection);
    encoder.publish("cam", PublishMode::Live).unwrap();
    wait_status(&told, "NetStream.Publish.Start");
    // E-RTMP v2: a ModEx of 3 bytes (size less 1), of type 0 (nanoseconds); then coded frames.
    let picture: &[u8] = b"\x97\x02\x0F\x42\x3F\x01hvc1\0\0\x02K";
    // Metadata: BT.2020 with PQ, and the light levels of HDR10.
    let colours: &[u8] = b"\x94hvc1\x02\0\x09colorInfo\x03\
        \0\x0bcolorConfig\x03\0\x08bitDepth\0\x40\x24\0\0\0\0\0\0\
        \0\x0ecolorPrimaries\0\x40\x22\0\0\0\0\0\0\
        \0\x17transferCharacteristics\0\x40\x30\0\0\0\0\0\0\0\0\x09\
        \0\x06hdrCll\x03\0\x06maxCLL\0\x40\x8f\x40\0\0\0\0\0\0\0\x09\0\0\x09";
    for body in [colours, picture] {
        encoder
            .write(&Frame::parse(MediaKind::Video, 40, Bytes::from_static(body)))
            .unwrap();
    }
    let check = |frames: &[Frame]| {
        let info = VideoMetadata::parse(&frames[0].payload).color_info().unwrap();
        let config = info.config.unwrap();
        assert_eq!(
            (config.bit_depth, config.primaries, config.transfer, config.matrix),
            (Some(10.0), Some(9.0), Some(16.0), None)
        );
        assert_eq!(info.light.unwrap().max_content, Some(1000.0));
        let frame = &frames[1];
        assert_eq!((frame.timestamp_ms, frame.timestamp_ns), (40, 999_999));
        assert_eq!((frame.codec, frame.composition_ms), (Some(FourCc::HVC1), 2));
        assert_eq!(frame.payload.as_ref(), b"K");
        let bodies: Vec<&[u8]> = frames.iter().map(|frame| frame.body.as_ref()).collect();
        assert_eq!(bodies, [colours, picture]);
    };
    check(&frames(played, 2));
    let mut heard = Vec::new();
    while heard.len() < 2 {
        if let Seen::Frame(frame) = seen(&events) {
            heard.push(frame);
        }
    }
    check(&heard);
}
