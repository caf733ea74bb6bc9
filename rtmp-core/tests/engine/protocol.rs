//! Rows of the catalogue's protocol part over a real socket: bytes written by hand, and what the host gets of them.

use std::sync::mpsc::Receiver;

use rtmp_core::session::ClientSessionConfig;
use rtmp_core::wire::chunk::{Message, MessageType};
use rtmp_core::wire::message::user_control::UserControl;
use rtmp_core::{
    AcceptAll, ApplicationConfig, Frame, MediaKind, MediaMessage, NetConnectionConfig, Object, PlayOptions,
    PublishMode, ServerConfig, SubscribeOptions, Subscription, Value,
};

use crate::support::{
    PATIENCE, Seen, Served, StreamEvent, code, connect_with, connected, frames, seen, serve, serve_with,
    stream, subscriber, wait_for, wait_status,
};
use crate::wire::{Wire, hex, members};

/// A client that publishes `cam` on message stream 1, and the host's view of that stream.
fn publishing(served: &Served) -> (Wire, Receiver<Seen>, Subscription) {
    let instance = served.server.instance("live").unwrap();
    let (handler, events) = subscriber();
    let subscription = instance
        .stream("cam")
        .unwrap()
        .subscribe(SubscribeOptions::default(), handler);
    let mut wire = with_stream(served);
    wire.command(1, "publish", 0.0, &["cam".into(), "live".into()]);
    wire.wait_status("NetStream.Publish.Start");
    assert!(matches!(seen(&events), Seen::Published));
    (wire, events, subscription)
}

fn with_stream(served: &Served) -> Wire {
    let mut wire = Wire::connected(served, "live");
    wire.command(0, "createStream", 2.0, &[]);
    assert_eq!(wire.answer(2.0), Ok(Value::from(1.0)));
    wire
}

fn frame(events: &Receiver<Seen>) -> Frame {
    match seen(events) {
        Seen::Frame(frame) => frame,
        other => panic!("{other:?}"),
    }
}

fn bodies(events: &Receiver<Seen>, count: usize) -> Vec<(u64, Vec<u8>)> {
    (0..count)
        .map(|_| frame(events))
        .map(|frame| (frame.timestamp_ms, frame.body.to_vec()))
        .collect()
}

#[test]
fn p4_every_header_format_and_every_length_of_chunk_stream_id() {
    let served = serve(AcceptAll, 1);
    let (mut wire, events, _subscription) = publishing(&served);
    // Chunk stream 3, 64, 319, 320 and 65,599, each with a message of format 0, then 1 (+10), 2 (+5) and 3 (+5 again).
    let ids = [
        ["03", "43", "83", "C3"],
        ["0000", "4000", "8000", "C000"],
        ["00FF", "40FF", "80FF", "C0FF"],
        ["010001", "410001", "810001", "C10001"],
        ["01FFFF", "41FFFF", "81FFFF", "C1FFFF"],
    ];
    for (number, [full, same_stream, same_length, same]) in ids.into_iter().enumerate() {
        wire.bytes(&format!(
            "{full} 0003E8 000003 08 01000000 AF01{number:02X}
             {same_stream} 00000A 000004 08 AF01{number:02X}01
             {same_length} 000005 AF01{number:02X}02
             {same} AF01{number:02X}03"
        ));
        let number = u8::try_from(number).unwrap();
        let expected = [
            (1000, vec![0xAF, 1, number]),
            (1010, vec![0xAF, 1, number, 1]),
            (1015, vec![0xAF, 1, number, 2]),
            (1020, vec![0xAF, 1, number, 3]),
        ];
        assert_eq!(bodies(&events, 4), expected);
    }
}

#[test]
fn p5_extended_timestamps_with_and_without_repetition_in_format_3() {
    let served = serve(AcceptAll, 1);
    let (mut wire, events, _subscription) = publishing(&served);
    let (head, rest) = ([&[0xAF, 1][..], &[5; 126]].concat(), [6; 72]);
    let body = [&head[..], &rest].concat();
    let send = |wire: &mut Wire, header: &str, second: &str| {
        wire.raw(&[hex(header), head.clone(), hex(second), rest.to_vec()].concat());
    };
    // 200 bytes in two chunks of 128 and 72 (RTMP 1.0 5.3.1.3: the second repeats the extended timestamp).
    send(&mut wire, "06 FFFFFF 0000C8 08 01000000 01000000", "C6 01000000");
    assert_eq!(bodies(&events, 1), [(0x100_0000, body.clone())]);
    // Peers that leave it out: the second chunk goes on with the payload.
    send(&mut wire, "07 FFFFFF 0000C8 08 01000000 01000001", "C7");
    assert_eq!(bodies(&events, 1), [(0x100_0001, body.clone())]);
    // Deltas behind formats 1 and 2, four and a half hours each, and messages that begin with format 3.
    for (number, second) in ["C6 00FFFFFF", "C6"].into_iter().enumerate() {
        let served = serve(AcceptAll, 1);
        let (mut wire, events, _subscription) = publishing(&served);
        wire.bytes("06 000010 000003 08 01000000 AF0100");
        send(&mut wire, "46 FFFFFF 0000C8 08 00FFFFFF", second);
        send(&mut wire, "86 FFFFFF 00FFFFFF", second);
        send(&mut wire, second, second);
        let times = [1, 2, 3].map(|count: u64| (count * 0xFF_FFFF + 0x10, body.clone()));
        assert_eq!(bodies(&events, 4)[1..], times, "convention {number}");
    }
}

#[test]
fn p6_time_goes_over_the_edge_of_32_bits() {
    let served = serve(AcceptAll, 1);
    let (mut wire, events, _subscription) = publishing(&served);
    wire.bytes("06 FFFFFF 000003 08 01000000 FFFFFFF0 AF0101  86 000010 AF0102  86 000010 AF0103");
    let times: Vec<u64> = bodies(&events, 3).into_iter().map(|(time, _)| time).collect();
    assert_eq!(times, [0xFFFF_FFF0, 0x1_0000_0000, 0x1_0000_0010]);
}

#[test]
fn p7_the_largest_message_any_chunk_size_and_interleaving() {
    let served = serve(AcceptAll, 1);
    let (mut wire, events, _subscription) = publishing(&served);
    // The largest length a header can say, in one chunk of a size that is allowed to be larger.
    let mut body = vec![7; 0xFF_FFFF];
    body[..2].copy_from_slice(&[0xAF, 1]);
    wire.bytes("02 000000 000004 01 00000000 7FFFFFFF");
    wire.raw(&[hex("06 000001 FFFFFF 08 01000000"), body.clone()].concat());
    let large = frame(&events);
    assert_eq!(large.timestamp_ms, 1);
    assert!(large.body == body);
    // Chunks of one byte; between them a message of another chunk stream.
    wire.bytes(
        "02 000000 000004 01 00000000 00000001
         06 000002 000003 08 01000000 AF  05 000003 000002 08 01000000 AF  C6 01 C5 02 C6 03",
    );
    assert_eq!(bodies(&events, 2), [(3, vec![0xAF, 2]), (2, vec![0xAF, 1, 3])]);
}

#[test]
fn p7_any_chunk_size_and_the_largest_message_are_sent_too() {
    for (announced, used) in [(1, 1), (0x7FFF_FFFF, 0xFF_FFFF)] {
        let mut config = ServerConfig::default();
        config.session.chunk_size = announced;
        let served = serve_with(AcceptAll, 2, config, ApplicationConfig::default());
        // A player by hand, that reads chunks of the size announced.
        let mut player = with_stream(&served);
        assert_eq!(player.chunk_size(), used);
        player.command(1, "play", 0.0, &["cam".into()]);
        player.wait_status("NetStream.Play.Start");
        let session = ClientSessionConfig {
            chunk_size: announced,
            max_chunk_size: announced,
            ..ClientSessionConfig::default()
        };
        let mut config = NetConnectionConfig::default();
        config.session = Some(session);
        let (connection, statuses) = connect_with(&served.engine, &served.url, config);
        assert_eq!(code(&statuses), "NetConnection.Connect.Success");
        let (publisher, events) = stream(&connection);
        publisher.publish("cam", PublishMode::Live).unwrap();
        wait_status(&events, "NetStream.Publish.Start");
        let length = if announced == 1 { 5_000 } else { 0xFF_FFFF };
        let mut body = vec![7; length];
        body[..2].copy_from_slice(&[0xAF, 1]);
        publisher
            .write_message(&MediaMessage::new(MediaKind::Audio, 40, body.clone()))
            .unwrap();
        let found = std::iter::from_fn(|| player.next()).find(|message| message.kind == MessageType::AUDIO);
        let found = found.expect("the message");
        assert_eq!(found.payload.len(), length);
        assert!(found.payload == body);
    }
}

#[test]
fn p8_abort_window_and_acknowledgement() {
    let served = serve(AcceptAll, 1);
    let (mut wire, events, _subscription) = publishing(&served);
    // 200 bytes announced, 128 sent, aborted: the next message of that chunk stream stands alone.
    wire.raw(&[hex("06 000001 0000C8 08 01000000 AF01"), vec![9; 126]].concat());
    wire.bytes("02 000000 000004 02 00000000 00000006  06 000002 000003 08 01000000 AF0102");
    assert_eq!(bodies(&events, 1), [(2, vec![0xAF, 1, 2])]);
    // A window of 1,000 bytes: the server acknowledges with the number of all bytes so far.
    wire.bytes("02 000000 000004 05 00000000 000003E8");
    let mut sent = vec![0xAF, 1];
    sent.resize(128, 3);
    for _ in 0..10 {
        wire.raw(&[hex("06 000003 000080 08 01000000"), sent.clone()].concat());
    }
    let acknowledged = loop {
        let message = wire.next().expect("an acknowledgement");
        if message.kind == MessageType::ACKNOWLEDGEMENT {
            break u32::from_be_bytes(message.payload[..].try_into().unwrap());
        }
    };
    assert!(
        acknowledged > 1000 && acknowledged <= wire.sent(),
        "{acknowledged} of {}",
        wire.sent()
    );
    // Set Peer Bandwidth, dynamic: the server answers with its window (RTMP 1.0 5.4.5).
    wire.bytes("02 000000 000005 06 00000000 0001E24000");
    loop {
        let message = wire.next().expect("a window");
        if message.kind == MessageType::WINDOW_ACK_SIZE {
            break assert_eq!(message.payload[..], 123_456_u32.to_be_bytes());
        }
    }
}

#[test]
fn p9_user_control_events() {
    let served = serve(AcceptAll, 1);
    let mut player = with_stream(&served);
    let event = |wire: &mut Wire| loop {
        let message = wire.next().expect("an event");
        if let Ok(event) = UserControl::load(&message) {
            break event;
        }
    };
    // Set Buffer Length, events nobody knows, and ones that only servers send: taken without complaint.
    player.bytes("02 000000 00000A 04 00000000 0003 00000001 00000BB8");
    player.bytes("02 000000 000006 04 00000000 00FF 00000001  02 000000 000006 04 00000000 001F 00000001");
    // Ping Request is answered with its own time.
    player.bytes("02 000000 000006 04 00000000 0006 12345678");
    assert_eq!(event(&mut player), UserControl::PingResponse(0x1234_5678));
    player.command(1, "play", 0.0, &["cam".into()]);
    assert_eq!(event(&mut player), UserControl::StreamBegin(1));
}

#[test]
fn p9_players_are_told_when_their_stream_is_dry() {
    let mut config = ApplicationConfig::default();
    config.stream_dry_ms = 10;
    let served = serve_with(AcceptAll, 2, ServerConfig::default(), config);
    let dry = |wire: &mut Wire| {
        let found = std::iter::from_fn(|| wire.next()).find(|message| {
            matches!(
                UserControl::load(message),
                Ok(UserControl::StreamDry(_) | UserControl::StreamEof(_))
            ) || message.kind == MessageType::AUDIO
        });
        found.expect("an event or audio").payload.to_vec()
    };
    let mut by_hand = with_stream(&served);
    by_hand.command(1, "play", 0.0, &["cam".into()]);
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (player, events) = stream(&connection);
    player.play(PlayOptions::new("cam")).unwrap();
    wait_status(&events, "NetStream.Play.Start");

    let (mut publisher, ..) = publishing(&served);
    publisher.message(MessageType::AUDIO, 1, &[0xAF, 1, 1]);
    assert_eq!(dry(&mut by_hand), [0xAF, 1, 1]);
    assert_eq!(frames(&events, 1)[0].body[2], 1);
    assert_eq!(
        dry(&mut by_hand),
        [0, 2, 0, 0, 0, 1],
        "Stream Dry of message stream 1"
    );
    wait_for(&events, |event| matches!(event, StreamEvent::Dry));
    assert!(player.is_dry());
    // As long as nothing comes it is said again; our own player hears of each silence once.
    assert_eq!(dry(&mut by_hand), [0, 2, 0, 0, 0, 1]);
    publisher.message(MessageType::AUDIO, 1, &[0xAF, 1, 2]);
    assert_eq!(dry(&mut by_hand), [0xAF, 1, 2]);
    let next = events.recv_timeout(PATIENCE).unwrap();
    assert!(
        matches!(&next, StreamEvent::Frame(frame) if frame.body[2] == 2),
        "{next:?}"
    );
    assert!(!player.is_dry());
}

#[test]
fn p10_aggregates_and_data_messages_of_both_encodings() {
    let served = serve(AcceptAll, 1);
    let (mut wire, events, _subscription) = publishing(&served);
    // Two messages, at 100 and 140 of their own time, in an aggregate at 1,000 (RTMP 1.0 7.1.6).
    wire.bytes(
        "04 0003E8 000024 16 01000000
         08 000003 000064 00 000000 AF0101 0000000E
         08 000003 00008C 00 000000 AF0102 0000000E",
    );
    assert_eq!(
        bodies(&events, 2),
        [(1000, vec![0xAF, 1, 1]), (1040, vec![0xAF, 1, 2])]
    );
    let name = "02 0006 6F6E54657874";
    wire.bytes(&format!("04 0003F0 00000C 12 01000000 {name} 02 0000"));
    wire.bytes(&format!("04 0003F8 00000D 0F 01000000 00 {name} 02 0000"));
    for time in [1008, 1016] {
        let data = frame(&events);
        assert_eq!(
            (data.timestamp_ms, data.body.to_vec()),
            (time, hex(&format!("{name} 02 0000")))
        );
    }
}

#[test]
fn p10_what_waits_for_a_player_that_reads_aggregates_comes_in_one() {
    let served = serve(AcceptAll, 1);
    let (mut wire, events, _subscription) = publishing(&served);
    wire.bytes("06 0003E8 000008 09 01000000 1701000000AABBCC  04 0003FC 000003 08 01000000 AF0107");
    bodies(&events, 2);
    let player = |flash_ver: &str| {
        let mut player = Wire::open(&served);
        player.connect(Object::new().with("app", "live").with("flashVer", flash_ver));
        player.answer(1.0).unwrap();
        player.command(0, "createStream", 2.0, &[]);
        player.answer(2.0).unwrap();
        player.command(1, "play", 0.0, &["cam".into()]);
        player.wait_status("NetStream.Play.Start");
        player
    };
    let media = |player: &mut Wire| {
        let found = std::iter::from_fn(|| player.next()).find(|message| {
            let media = [MessageType::AUDIO, MessageType::VIDEO, MessageType::AGGREGATE];
            media.contains(&message.kind)
        });
        let found = found.expect("media");
        (
            found.kind,
            found.timestamp,
            found.stream_id,
            found.payload.to_vec(),
        )
    };
    // Video at 1,000 and audio at 1,020, each behind a header like that of an FLV tag and before its length (RTMP 1.0 7.1.6).
    let both = hex("09 000008 0003E8 00 000000 1701000000AABBCC 00000013
                    08 000003 0003FC 00 000000 AF0107 0000000E");
    let mut flash = player("WIN 10,0,32,18");
    assert_eq!(media(&mut flash), (MessageType::AGGREGATE, 1000, 1, both));
    let mut other = player("LNX 10,0,32,18");
    let picture = hex("1701000000AABBCC");
    assert_eq!(media(&mut other), (MessageType::VIDEO, 1000, 1, picture));
    assert_eq!(media(&mut other), (MessageType::AUDIO, 1020, 1, vec![0xAF, 1, 7]));
}

#[test]
fn p14_commands_of_the_field() {
    let served = serve(AcceptAll, 1);
    let mut wire = with_stream(&served);
    wire.command(0, "releaseStream", 3.0, &[Value::Null, "cam".into()]);
    assert!(wire.answer(3.0).is_ok());
    wire.command(0, "FCPublish", 4.0, &["cam".into()]);
    let told = |wire: &mut Wire, name: &str, code: &str| {
        let command = wire.wait_command(name);
        let info = members(command.arg(0));
        assert!(info.contains(&("level".to_owned(), "status".into())), "{info:?}");
        assert!(info.contains(&("code".to_owned(), code.into())), "{info:?}");
    };
    told(&mut wire, "onFCPublish", "NetStream.Publish.Start");
    wire.command(1, "publish", 0.0, &["cam".into(), "live".into()]);
    wire.wait_status("NetStream.Publish.Start");
    let mut player = with_stream(&served);
    player.command(0, "FCSubscribe", 5.0, &["cam".into()]);
    told(&mut player, "onFCSubscribe", "NetStream.Play.Start");
    player.command(0, "getStreamLength", 6.0, &["cam".into()]);
    assert_eq!(player.answer(6.0), Ok(Value::from(0.0)));
    player.command(1, "play", 0.0, &["cam".into()]);
    player.wait_status("NetStream.Play.Start");
    // Metadata goes out without `@setDataFrame`.
    let frame = "02 000D 40736574446174614672616D65";
    let metadata = "02 000A 6F6E4D65746144617461 03 0001 61 00 3FF0000000000000 000009";
    wire.message(MessageType::DATA, 1, &hex(&format!("{frame} {metadata}")));
    let data = player.wait_data("onMetaData");
    assert_eq!(data.args[0].get("a"), Some(&Value::from(1.0)));
    // A player that comes later gets it too, beside what was set under other names, until it is taken back.
    wire.message(
        MessageType::DATA,
        1,
        &hex(&format!("{frame} 02 0005 6F6E584D50 02 0001 78")),
    );
    player.wait_data("onXMP");
    let mut late = with_stream(&served);
    late.command(1, "play", 0.0, &["cam".into()]);
    late.wait_data("onMetaData");
    assert_eq!(late.wait_data("onXMP").args, ["x".into()]);
    let clear = "02 000F 40636C65617244617461 4672616D65 02 000A 6F6E4D65746144617461";
    wire.message(MessageType::DATA, 1, &hex(clear));
    // What is published after it is there when it was done.
    wire.message(MessageType::AUDIO, 1, &[0xAF, 1, 1]);
    std::iter::from_fn(|| late.next())
        .find(|message| message.kind == MessageType::AUDIO)
        .expect("audio");
    let mut last = with_stream(&served);
    last.command(1, "play", 0.0, &["cam".into()]);
    last.wait_status("NetStream.Play.Start");
    wire.message(MessageType::AUDIO, 1, &[0xAF, 1, 2]);
    let before: Vec<Message> = std::iter::from_fn(|| last.next())
        .take_while(|message| message.kind != MessageType::AUDIO)
        .collect();
    let told = before
        .iter()
        .any(|message| message.payload.starts_with(&hex("02 000A 6F6E4D65746144617461")));
    assert!(!told, "{before:?}");
    wire.command(0, "FCUnpublish", 7.0, &["cam".into()]);
    wire.wait_status("NetStream.Unpublish.Success");
}

#[test]
fn p14_raw_pause_and_data_of_encoders() {
    let served = serve(AcceptAll, 1);
    let (mut wire, _events, _subscription) = publishing(&served);
    let mut player = with_stream(&served);
    player.command(1, "play", 0.0, &["cam".into()]);
    player.wait_status("NetStream.Play.Start");
    // Time stamps of hardware encoders reach players as they are.
    let time = "02 0004 6F6E4649 03 0002 7364 02 000A 32312D31312D32303236 000009";
    wire.message(MessageType::DATA, 1, &hex(time));
    let data = player.wait_data("onFI");
    assert_eq!(data.args[0].get("sd"), Some(&Value::from("21-11-2026")));
    player.command(1, "pauseRaw", 0.0, &[true.into(), 0.into()]);
    player.wait_status("NetStream.Pause.Notify");
    player.command(1, "pauseRaw", 0.0, &[false.into(), 0.into()]);
    player.wait_status("NetStream.Unpause.Notify");
}

/// RTMP 1.0 7.3.1 over a socket: every byte that the server sends, in order; only the number of the client is its own.
#[test]
fn p15_publishing_a_recorded_video_byte_for_byte() {
    let served = serve(AcceptAll, 1);
    let instance = served.server.instance("live").unwrap();
    let (handler, events) = subscriber();
    let _subscription = instance
        .stream("test")
        .unwrap()
        .subscribe(SubscribeOptions::default(), handler);
    let mut wire = Wire::open(&served);
    let number = |bytes: &mut [u8]| {
        let before = b"\0\x08clientid\0";
        if let Some(at) = bytes.windows(before.len()).position(|window| window == before) {
            bytes[at + before.len()..][..8].fill(0);
        }
    };
    let comes = |wire: &mut Wire, expected: &[u8]| {
        let mut found = wire.take(expected.len());
        number(&mut found);
        let text = String::from_utf8_lossy(&found).escape_debug().to_string();
        assert!(found == expected, "{text}");
    };
    // A header of format 0 or 1, with the length of what follows it.
    let headed = |header: &str, stream: &str, body: &[u8]| {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [
            &hex(header),
            &[0; 3][..],
            &length[1..],
            &[0x14],
            &hex(stream),
            body,
        ]
        .concat()
    };
    wire.raw(b"\x03\0\0\0\0\0\x23\x14\0\0\0\0\x02\0\x07connect\0\x3F\xF0\0\0\0\0\0\0\x03\0\x03app\x02\0\x04live\0\0\x09");
    // Window Acknowledgement Size and Set Peer Bandwidth of 2,500,000, dynamic; Set Chunk Size 65,536; Stream Begin 0.
    comes(
        &mut wire,
        &hex(
            "02 000000 000004 05 00000000 002625A0  42 000000 000005 06 002625A0 02
              42 000000 000004 01 00010000  42 000000 000006 04 0000 00000000",
        ),
    );
    let result = b"\x02\0\x07_result\0\x3F\xF0\0\0\0\0\0\0\
        \x03\0\x06fmsVer\x02\0\x0EFMS/3,5,7,7009\0\x0Ccapabilities\0\x40\x3F\0\0\0\0\0\0\0\x04mode\0\x3F\xF0\0\0\0\0\0\0\0\0\x09\
        \x03\0\x05level\x02\0\x06status\0\x04code\x02\0\x1DNetConnection.Connect.Success\
        \0\x0Bdescription\x02\0\x15Connection succeeded.\0\x0EobjectEncoding\0\0\0\0\0\0\0\0\0\
        \0\x08clientid\0\0\0\0\0\0\0\0\0\0\x04data\x08\0\0\0\x01\0\x07version\x02\0\x0A3,5,7,7009\0\0\x09\0\0\x09";
    comes(&mut wire, &headed("03", "00000000", result));
    wire.bytes("02 000000 000004 05 00000000 002625A0");
    wire.raw(b"\x43\0\0\0\0\0\x19\x14\x02\0\x0CcreateStream\0\x40\0\0\0\0\0\0\0\x05");
    let result = b"\x02\0\x07_result\0\x40\0\0\0\0\0\0\0\x05\0\x3F\xF0\0\0\0\0\0\0";
    comes(&mut wire, &headed("43", "", result));
    wire.raw(b"\x04\0\0\0\0\0\x22\x14\x01\0\0\0\x02\0\x07publish\0\0\0\0\0\0\0\0\0\x05\x02\0\x04test\x02\0\x04live");
    // Stream Begin 1; time, length and type are those of the one before.
    comes(&mut wire, &hex("C2 0000 00000001"));
    let status = b"\x02\0\x08onStatus\0\0\0\0\0\0\0\0\0\x05\
        \x03\0\x05level\x02\0\x06status\0\x04code\x02\0\x17NetStream.Publish.Start\
        \0\x0Bdescription\x02\0\x16test is now published.\0\x07details\x02\0\x04test\
        \0\x08clientid\0\0\0\0\0\0\0\0\0\0\0\x09";
    comes(&mut wire, &headed("05", "01000000", status));
    // Metadata, audio, a chunk size, video.
    assert!(matches!(seen(&events), Seen::Published));
    let metadata = b"\x02\0\x0AonMetaData\x08\0\0\0\0\0\0\x09";
    wire.raw(
        &[
            &hex("44 000000 000025 12 02000D"),
            &b"@setDataFrame"[..],
            metadata,
        ]
        .concat(),
    );
    wire.bytes("06 000000 000003 08 01000000 AF0121  02 000000 000004 01 00000000 00001000");
    wire.bytes("07 000000 000006 09 01000000 170100000009");
    let found: Vec<Vec<u8>> = bodies(&events, 3).into_iter().map(|(_, body)| body).collect();
    assert_eq!(found, [&metadata[..], b"\xAF\x01\x21", b"\x17\x01\0\0\0\x09"]);
}
