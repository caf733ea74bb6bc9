//! The figures, tables and examples of RTMP 1.0 section 5, named after their sections, in literal bytes.

use bytes::Bytes;
use rtmp_core::wire::chunk::{ChunkReader, ChunkWriter, Message, MessageType, Output, ReaderLimits};
use rtmp_core::wire::handshake::Handshake;
use rtmp_core::wire::message::control::{Control, LimitType};

use super::{feed, hex, read, timestamps};

fn message(timestamp: u32, kind: u8, stream_id: u32, payload: &[u8]) -> Message {
    let payload = Bytes::copy_from_slice(payload);
    Message {
        timestamp,
        kind: MessageType(kind),
        stream_id,
        payload,
    }
}

/// What a new writer makes of messages on one chunk stream.
fn written(csid: u32, messages: &[Message]) -> Vec<u8> {
    let mut writer = ChunkWriter::new();
    let mut out = Output::new();
    for message in messages {
        assert!(writer.write(csid, message, &mut out));
    }
    out.take_bytes()
}

/// The bytes are what our writer makes of the messages, and are read as them.
fn both_ways(csid: u32, messages: &[Message], bytes: &[u8]) {
    assert_eq!(written(csid, messages), bytes);
    assert_eq!(read(bytes).as_deref(), Ok(messages));
}

/// One answer of a side to bytes of the other.
fn answer(side: &mut Handshake, bytes: &[u8]) -> (bool, Vec<u8>) {
    let mut out = Output::new();
    let is_done = side.input(&mut Bytes::copy_from_slice(bytes), &mut out).unwrap();
    (is_done, out.take_bytes())
}

#[test]
fn section_5_1_message_format() {
    // Timestamp 4 bytes, length 3, type 1, message stream id 4 in little-endian order.
    let payload = [0xAB; 1];
    let bytes = hex("03 FFFFFF 000001 14 04030201 12345678 AB");
    both_ways(3, &[message(0x1234_5678, 20, 0x0102_0304, &payload)], &bytes);
}

#[test]
fn section_5_2_1_handshake_sequence_and_5_2_5_diagram() {
    let mut client = Handshake::client(0, [1; 32]);
    let mut server = Handshake::server(0, [2; 32]);
    let mut out = Output::new();
    client.start(&mut out);
    server.start(&mut out);
    // C0 and C1, nothing else; the server says nothing before C0, and S2 not before all of C1.
    let up = out.take_bytes();
    assert_eq!(up.len(), 1 + 1536);
    assert_eq!(answer(&mut server, &up[..1]), (false, vec![]));
    let (is_done, early) = answer(&mut server, &up[1..1536]);
    assert!(!is_done && early.len() <= 1537);
    let (is_done, rest) = answer(&mut server, &up[1536..]);
    let down = [early, rest].concat();
    assert_eq!((is_done, down.len()), (false, 1 + 2 * 1536));
    // C2 comes after all of S1, and the handshake is done after all of S2.
    assert_eq!(answer(&mut client, &down[..1536]), (false, vec![]));
    let (is_done, c2) = answer(&mut client, &down[1536..1537]);
    assert_eq!((is_done, c2.len()), (false, 1536));
    assert_eq!(answer(&mut client, &down[1537..3072]), (false, vec![]));
    assert_eq!(answer(&mut client, &down[3072..]), (true, vec![]));
    assert_eq!(answer(&mut server, &c2[..1535]), (false, vec![]));
    assert_eq!(answer(&mut server, &c2[1535..]), (true, vec![]));
}

#[test]
fn section_5_2_2_c0_and_s0_format() {
    let mut out = Output::new();
    Handshake::client(0, [1; 32]).start(&mut out);
    assert_eq!(out.take_bytes()[0], 3);
    // A server that does not know the version answers 3; 32 to 255 are not RTMP.
    for version in 4..=5 {
        let hello = [&[version], [0; 1536].as_slice()].concat();
        assert_eq!(answer(&mut Handshake::server(0, [2; 32]), &hello).1[0], 3);
    }
    for version in [32, 71, 255] {
        let mut input = Bytes::from(vec![version]);
        assert!(
            Handshake::server(0, [2; 32])
                .input(&mut input, &mut Output::new())
                .is_err()
        );
    }
}

#[test]
fn section_5_2_3_c1_and_s1_format() {
    let mut out = Output::new();
    Handshake::client(0x0A0B_0C0D, [1; 32]).start(&mut out);
    let c1 = out.take_bytes().split_off(1);
    assert_eq!(c1[..8], hex("0A0B0C0D 00000000"));
    let (_, down) = answer(
        &mut Handshake::server(0x0102_0304, [2; 32]),
        &[&[3], &c1[..]].concat(),
    );
    let s1 = &down[1..1537];
    assert_eq!(s1[..8], hex("01020304 00000000"));
    assert_ne!(s1[8..], c1[8..]);
}

#[test]
fn section_5_2_4_c2_and_s2_format() {
    let mut c1 = hex("00000064 00000000");
    c1.resize(1536, 0x5A);
    let (_, down) = answer(&mut Handshake::server(7, [2; 32]), &[&[3], &c1[..]].concat());
    let s2 = &down[1537..];
    assert_eq!((&s2[..4], &s2[8..]), (&hex("00000064")[..], &c1[8..]));

    let mut client = Handshake::client(0, [1; 32]);
    client.start(&mut Output::new());
    let mut s1 = hex("000000C8 00000000");
    s1.resize(1536, 0xA5);
    let (_, c2) = answer(&mut client, &[&[3], &s1[..]].concat());
    assert_eq!((&c2[..4], &c2[8..]), (&hex("000000C8")[..], &s1[8..]));
}

#[test]
fn section_5_3_1_chunk_format() {
    // Basic header, message header, extended timestamp, data: 1 + 11 + 4 + 2, then 1 + 3 + 4 + 2, then 1 + 4 + 2.
    let bytes = hex("04 FFFFFF 000002 08 01000000 01000000 AF01  84 FFFFFF 01000000 AF02  C4 01000000 AF03");
    assert_eq!(bytes.len(), 18 + 10 + 7);
    assert_eq!(
        timestamps(&read(&bytes).unwrap()),
        [0x0100_0000, 0x0200_0000, 0x0300_0000]
    );
}

#[test]
fn section_5_3_1_1_chunk_basic_headers_1_2_and_3() {
    // The smallest form that holds the id is written; 365 is the memo's example.
    for (csid, header) in [
        (2, "02"),
        (3, "03"),
        (63, "3F"),
        (64, "00 00"),
        (319, "00 FF"),
        (320, "01 00 01"),
        (365, "01 2D 01"),
        (65_599, "01 FF FF"),
    ] {
        let bytes = [hex(header), hex("000001 000001 08 01000000 AA")].concat();
        both_ways(csid, &[message(1, 8, 1, &[0xAA])], &bytes);
    }
    // 64 to 319 may come in three bytes, too, and are the same chunk stream.
    let bytes = hex("00 2C 000001 000001 08 01000000 AA  C1 2C00 BB");
    assert_eq!(timestamps(&read(&bytes).unwrap()), [1, 2]);
}

#[test]
fn section_5_3_1_2_1_type_0() {
    both_ways(
        3,
        &[message(0x0A_0B0C, 8, 0x0403_0201, &[1, 2])],
        &hex("03 0A0B0C 000002 08 01020304 0102"),
    );
    // Needed whenever time goes back.
    let back = [message(50, 8, 1, &[1]), message(40, 8, 1, &[2])];
    both_ways(
        3,
        &back,
        &hex("03 000032 000001 08 01000000 01  03 000028 000001 08 01000000 02"),
    );
    // From 16777215 on the field says so and the whole time follows.
    let edge = [message(0xFF_FFFE, 8, 1, &[1])];
    both_ways(3, &edge, &hex("03 FFFFFE 000001 08 01000000 01"));
    let edge = [message(0xFF_FFFF, 8, 1, &[1])];
    both_ways(3, &edge, &hex("03 FFFFFF 000001 08 01000000 00FFFFFF 01"));
}

#[test]
fn section_5_3_1_2_2_type_1() {
    // Another length or type on the same message stream.
    let messages = [
        message(10, 9, 1, &[1]),
        message(43, 9, 1, &[2, 3]),
        message(50, 8, 1, &[4, 5]),
    ];
    let bytes = hex("06 00000A 000001 09 01000000 01  46 000021 000002 09 0203  46 000007 000002 08 0405");
    both_ways(6, &messages, &bytes);
}

#[test]
fn section_5_3_1_2_3_type_2() {
    let messages = [
        message(10, 8, 1, &[1]),
        message(33, 8, 1, &[2]),
        message(57, 8, 1, &[3]),
    ];
    both_ways(
        4,
        &messages,
        &hex("04 00000A 000001 08 01000000 01  84 000017 02  84 000018 03"),
    );
}

#[test]
fn section_5_3_1_2_4_type_3() {
    // All chunks of a message but the first.
    let long = vec![7; 130];
    let bytes = [hex("04 000000 000082 09 01000000"), vec![7; 128], hex("C4 0707")].concat();
    both_ways(4, &[message(0, 9, 1, &long)], &bytes);
    // A message spaced like the one before, after type 2.
    let steady = [
        message(5, 8, 1, &[1]),
        message(25, 8, 1, &[2]),
        message(45, 8, 1, &[3]),
    ];
    both_ways(
        4,
        &steady,
        &hex("04 000005 000001 08 01000000 01  84 000014 02  C4 03"),
    );
    // Right after type 0 the delta is that timestamp.
    assert_eq!(
        timestamps(&read(&hex("04 000028 000001 08 01000000 01  C4 02  C4 03")).unwrap()),
        [40, 80, 120]
    );
}

#[test]
fn section_5_3_1_2_5_common_header_fields() {
    // A delta of 16777215 or more is in the extended field as a whole.
    let messages = [message(0, 8, 1, &[1]), message(0xFF_FFFE, 8, 1, &[2])];
    both_ways(
        4,
        &messages,
        &hex("04 000000 000001 08 01000000 01  84 FFFFFE 02"),
    );
    let bytes = hex("04 000000 000001 08 01000000 01  84 FFFFFF 00FFFFFF 02");
    assert_eq!(timestamps(&read(&bytes).unwrap()), [0, 0xFF_FFFF]);
    // Another message stream on a chunk stream begins with type 0.
    let streams = [message(1, 8, 1, &[1]), message(2, 8, 2, &[2])];
    both_ways(
        4,
        &streams,
        &hex("04 000001 000001 08 01000000 01  04 000002 000001 08 02000000 02"),
    );
}

#[test]
fn section_5_3_1_3_extended_timestamp() {
    // Present in type 3 chunks when the header they continue has one.
    let long = vec![7; 200];
    let head = hex("06 FFFFFF 0000C8 09 01000000 01020304");
    let bytes = [head, vec![7; 128], hex("C6 01020304"), vec![7; 72]].concat();
    both_ways(6, &[message(0x0102_0304, 9, 1, &long)], &bytes);
    // Absent again as soon as a header has a time that fits.
    let bytes = hex("06 FFFFFF 000001 09 01000000 01000000 17  86 000021 17  C6 17");
    assert_eq!(
        timestamps(&read(&bytes).unwrap()),
        [0x0100_0000, 0x0100_0021, 0x0100_0042]
    );
}

#[test]
fn section_5_3_2_1_example_1() {
    let messages = [1000, 1020, 1040, 1060].map(|time| message(time, 8, 12_345, &[7; 32]));
    let chunks = ["03 0003E8 000020 08 39300000", "83 000014", "C3", "C3"]
        .map(|header| [hex(header), vec![7; 32]].concat());
    assert_eq!(chunks.each_ref().map(Vec::len), [44, 36, 33, 33]);
    both_ways(3, &messages, &chunks.concat());
}

#[test]
fn section_5_3_2_2_example_2() {
    let payload: Vec<u8> = (0..307).map(|index| index as u8).collect();
    let chunks = [
        [&hex("04 0003E8 000133 09 3A300000")[..], &payload[..128]].concat(),
        [&[0xC4], &payload[128..256]].concat(),
        [&[0xC4], &payload[256..]].concat(),
    ];
    assert_eq!(chunks.each_ref().map(Vec::len), [140, 129, 52]);
    both_ways(4, &[message(1000, 9, 12_346, &payload)], &chunks.concat());
}

#[test]
fn section_5_4_protocol_control_messages_are_on_chunk_stream_2_and_message_stream_0() {
    let cases = [
        (
            Control::SetChunkSize(4096),
            "02 000000 000004 01 00000000 00001000",
        ),
        (Control::Abort(5), "02 000000 000004 02 00000000 00000005"),
        (
            Control::Acknowledgement(9),
            "02 000000 000004 03 00000000 00000009",
        ),
        (
            Control::WindowAckSize(10),
            "02 000000 000004 05 00000000 0000000A",
        ),
        (
            Control::SetPeerBandwidth {
                size: 11,
                limit: LimitType::Soft,
            },
            "02 000000 000005 06 00000000 0000000B01",
        ),
    ];
    for (control, bytes) in cases {
        both_ways(2, &[control.encode()], &hex(bytes));
    }
    // Their timestamps are ignored.
    let late = message(0x00AB_CDEF, 1, 0, &hex("00001000"));
    assert_eq!(Control::load(&late), Ok(Control::SetChunkSize(4096)));
}

#[test]
fn section_5_4_1_set_chunk_size() {
    // 131 bytes of audio take two chunks of 128, and one once the size is 131.
    let audio = vec![0xAF; 131];
    let two = [
        hex("04 000000 000083 08 01000000"),
        vec![0xAF; 128],
        hex("C4 AFAFAF"),
    ]
    .concat();
    both_ways(4, &[message(0, 8, 1, &audio)], &two);
    let mut reader = ChunkReader::new(ReaderLimits::default());
    let announced = feed(&mut reader, &hex("02 000000 000004 01 00000000 00000083")).unwrap();
    assert_eq!(Control::load(&announced[0]), Ok(Control::SetChunkSize(131)));
    reader.set_chunk_size(131).unwrap();
    let one = [hex("04 000000 000083 08 01000000"), vec![0xAF; 131]].concat();
    assert_eq!(feed(&mut reader, &one), Ok(vec![message(0, 8, 1, &audio)]));
    let mut writer = ChunkWriter::new();
    writer.set_chunk_size(131);
    let mut out = Output::new();
    writer.write(4, &message(0, 8, 1, &audio), &mut out);
    assert_eq!(out.take_bytes(), one);
    // Valid are 1 to 0x7FFFFFFF; all above 0xFFFFFF are the same.
    for (size, result) in [
        (0, None),
        (1, Some(1)),
        (0xFF_FFFF, Some(0xFF_FFFF)),
        (0x7FFF_FFFF, Some(0xFF_FFFF)),
    ] {
        let mut reader = ChunkReader::new(ReaderLimits::default());
        let in_force = reader.set_chunk_size(size).ok().map(|()| reader.chunk_size());
        assert_eq!(in_force, result);
    }
    assert!(
        ChunkReader::new(ReaderLimits::default())
            .set_chunk_size(0x8000_0000)
            .is_err()
    );
}

#[test]
fn section_5_4_2_abort_message() {
    let mut reader = ChunkReader::new(ReaderLimits::default());
    let begun = [hex("06 000000 0000C8 09 01000000"), vec![1; 128]].concat();
    assert_eq!(feed(&mut reader, &begun), Ok(vec![]));
    let abort = feed(&mut reader, &hex("02 000000 000004 02 00000000 00000006")).unwrap();
    assert_eq!(Control::load(&abort[0]), Ok(Control::Abort(6)));
    assert_eq!(reader.partial_bytes(), 128);
    reader.abort(6);
    assert_eq!(reader.partial_bytes(), 0);
    let next = feed(&mut reader, &hex("46 000005 000001 09 17")).unwrap();
    assert_eq!(next, [message(5, 9, 1, &[0x17])]);
}
