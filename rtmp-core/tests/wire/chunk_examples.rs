//! Chunks written down by hand: the specification's examples and the corners of its headers.

use bytes::Bytes;
use rtmp_core::wire::chunk::{ChunkReader, ChunkWriter, Message, MessageType, Output, ReaderLimits};
use rtmp_core::wire::message::Control;

use super::{feed, hex, read, timestamps};

fn is_message(message: &Message, timestamp: u32, kind: MessageType, stream_id: u32, payload: &[u8]) -> bool {
    (
        message.timestamp,
        message.kind,
        message.stream_id,
        &message.payload[..],
    ) == (timestamp, kind, stream_id, payload)
}

#[test]
fn first_example_of_the_specification() {
    let mut bytes = hex("03 0003E8 000020 08 39300000");
    for header in ["", "83 000014", "C3", "C3"] {
        bytes.extend(hex(header));
        bytes.extend([7; 32]);
    }
    let messages = read(&bytes).unwrap();
    assert_eq!(timestamps(&messages), [1000, 1020, 1040, 1060]);
    assert!(
        messages
            .iter()
            .all(|m| is_message(m, m.timestamp, MessageType::AUDIO, 12_345, &[7; 32]))
    );
}

#[test]
fn second_example_of_the_specification() {
    let mut bytes = hex("04 0003E8 000133 09 3A300000");
    bytes.extend([1; 128]);
    bytes.push(0xC4);
    bytes.extend([2; 128]);
    bytes.push(0xC4);
    bytes.extend([3; 51]);
    let messages = read(&bytes).unwrap();
    assert_eq!(messages.len(), 1);
    let payload = [[1; 128].as_slice(), &[2; 128], &[3; 51]].concat();
    assert!(is_message(
        &messages[0],
        1000,
        MessageType::VIDEO,
        12_346,
        &payload
    ));
}

#[test]
fn chunk_streams_interleave_at_chunk_boundaries() {
    let mut bytes = hex("04 000000 0000C8 09 01000000");
    bytes.extend([1; 128]);
    bytes.extend(hex("06 000005 000003 08 01000000 AF01AA"));
    bytes.extend(hex("C4"));
    bytes.extend([2; 72]);
    let messages = read(&bytes).unwrap();
    assert!(is_message(
        &messages[0],
        5,
        MessageType::AUDIO,
        1,
        &[0xAF, 1, 0xAA]
    ));
    assert!(is_message(
        &messages[1],
        0,
        MessageType::VIDEO,
        1,
        &[[1; 128].as_slice(), &[2; 72]].concat()
    ));
}

#[test]
fn format_2_inherits_everything_but_the_delta() {
    let messages = read(&hex("04 00000A 000001 08 07000000 11  84 000005 22  C4 33")).unwrap();
    assert_eq!(timestamps(&messages), [10, 15, 20]);
    assert!(is_message(&messages[2], 20, MessageType::AUDIO, 7, &[0x33]));
}

#[test]
fn format_3_after_format_0_takes_its_timestamp_as_delta() {
    let messages = read(&hex("04 000028 000001 08 01000000 11  C4 22")).unwrap();
    assert_eq!(timestamps(&messages), [40, 80]);
}

#[test]
fn format_1_may_come_first_on_a_chunk_stream() {
    let messages = read(&hex("42 000000 000006 04 0007 00000D0F")).unwrap();
    assert!(is_message(
        &messages[0],
        0,
        MessageType::USER_CONTROL,
        0,
        &hex("0007 00000D0F")
    ));
}

#[test]
fn two_and_three_byte_ids_and_empty_messages() {
    let messages = read(&hex(
        "00 01 000000 000000 08 01000000  01 2D01 000000 000000 09 01000000  C1 2D01  01 FFFF 000001 000000 09 01000000",
    ))
    .unwrap();
    assert_eq!(timestamps(&messages), [0, 0, 0, 1]);
    assert!(
        messages
            .iter()
            .all(|message| message.payload.is_empty() && message.stream_id == 1)
    );
}

#[test]
fn both_forms_of_id_64_name_one_chunk_stream() {
    let messages = read(&hex("00 00 000001 000001 08 01000000 11  81 0000 000002 22")).unwrap();
    assert_eq!(timestamps(&messages), [1, 3]);
}

#[test]
fn extended_timestamps_of_all_formats() {
    let messages = read(&hex(
        "06 FFFFFF 000001 09 01000000 00FFFFFF 17  46 FFFFFF 000001 09 02000000 17  C6 02000000 17  86 00000A 17",
    ))
    .unwrap();
    assert_eq!(
        timestamps(&messages),
        [0x00FF_FFFF, 0x02FF_FFFF, 0x04FF_FFFF, 0x0500_0009]
    );
    assert!(messages.iter().all(|message| message.payload[..] == [0x17]));
}

#[test]
fn extended_timestamps_are_repeated_in_continuations() {
    let mut bytes = hex("06 FFFFFF 0000C8 09 01000000 01000000");
    bytes.extend([1; 128]);
    bytes.extend(hex("C6 01000000"));
    bytes.extend([2; 72]);
    let messages = read(&bytes).unwrap();
    assert!(is_message(
        &messages[0],
        0x0100_0000,
        MessageType::VIDEO,
        1,
        &[[1; 128].as_slice(), &[2; 72]].concat()
    ));
}

#[test]
fn peers_that_leave_extended_timestamps_out_of_continuations_are_understood() {
    let mut bytes = Vec::new();
    for timestamp in 0x0100_0000u32..0x0100_0008 {
        bytes.extend(hex("06 FFFFFF 000103 09 01000000"));
        bytes.extend(timestamp.to_be_bytes());
        bytes.extend([1; 128]);
        // Payload that begins like the timestamp, but is not it.
        bytes.extend(hex("C6 0100"));
        bytes.extend([2; 126]);
        bytes.extend(hex("C6 010203"));
    }
    let messages = read(&bytes).unwrap();
    assert_eq!(
        timestamps(&messages),
        (0x0100_0000..0x0100_0008).collect::<Vec<_>>()
    );
    let payload = [[1; 128].as_slice(), &[1, 0], &[2; 126], &[1, 2, 3]].concat();
    assert!(messages.iter().all(|message| message.payload == payload));
}

#[test]
fn a_payload_like_the_timestamp_is_payload_once_the_peer_is_known_to_leave_it_out() {
    let message = |timestamp: u32, rest: &[u8]| {
        let mut bytes = hex("06 FFFFFF 000084 09 01000000");
        bytes.extend(timestamp.to_be_bytes());
        bytes.extend([1; 128]);
        bytes.push(0xC6);
        bytes.extend(rest);
        bytes
    };
    let mut bytes: Vec<u8> = (0..3).flat_map(|_| message(0x0100_0000, &[9; 4])).collect();
    bytes.extend(message(0x0100_0000, &[1, 0, 0, 0]));
    let messages = read(&bytes).unwrap();
    assert_eq!(messages.len(), 4);
    assert_eq!(messages[3].payload[128..], [1, 0, 0, 0]);
}

#[test]
fn thirty_one_bit_repetitions_match() {
    let mut bytes = hex("06 FFFFFF 000081 09 01000000 80000001");
    bytes.extend([1; 128]);
    bytes.extend(hex("C6 00000001 55"));
    let messages = read(&bytes).unwrap();
    assert_eq!(
        (messages[0].timestamp, messages[0].payload.last()),
        (0x8000_0001, Some(&0x55))
    );
}

#[test]
fn absolute_times_in_the_place_of_deltas_are_recognised() {
    let messages = read(&hex(
        "06 FFFFFF 000001 09 01000000 08000000 17  46 FFFFFF 000001 09 08000028 17  C6 08000050 17",
    ))
    .unwrap();
    assert_eq!(timestamps(&messages), [0x0800_0000, 0x0800_0028, 0x0800_0050]);
}

#[test]
fn format_3_after_an_extended_absolute_time_repeats_the_time() {
    // With the extended timestamp, as the specification wants it, and without, as librtmp does it.
    let messages = read(&hex(
        "06 FFFFFF 000005 09 01000000 01000000 1122334455  C6 01000000 1122334455  C6 1122334455  86 000028 1122334455",
    ))
    .unwrap();
    assert_eq!(
        timestamps(&messages),
        [0x0100_0000, 0x0100_0000, 0x0100_0000, 0x0100_0028]
    );
    assert!(
        messages
            .iter()
            .all(|message| message.payload == hex("1122334455"))
    );
}

#[test]
fn timestamps_wrap() {
    let messages = read(&hex(
        "04 FFFFFF 000001 08 01000000 FFFFFFF0 11  84 000020 22  C4 33",
    ))
    .unwrap();
    assert_eq!(timestamps(&messages), [0xFFFF_FFF0, 0x10, 0x30]);
}

#[test]
fn a_new_chunk_size_applies_to_messages_under_way() {
    let mut reader = ChunkReader::new(ReaderLimits::default());
    let mut bytes = hex("04 000000 0000C8 09 01000000");
    bytes.extend([1; 128]);
    bytes.extend(hex("02 000000 000004 01 00000000 00000020"));
    let messages = feed(&mut reader, &bytes).unwrap();
    let Ok(Control::SetChunkSize(size)) = Control::load(&messages[0]) else {
        panic!("{messages:?}")
    };
    assert_eq!(size, 32);
    reader.set_chunk_size(size).unwrap();
    let mut rest = hex("C4");
    rest.extend([2; 32]);
    rest.push(0xC4);
    rest.extend([3; 32]);
    rest.push(0xC4);
    rest.extend([4; 8]);
    let messages = feed(&mut reader, &rest).unwrap();
    assert_eq!(messages[0].payload.len(), 200);
}

#[test]
fn an_aborted_message_leaves_its_header_to_inherit() {
    let mut reader = ChunkReader::new(ReaderLimits::default());
    let mut bytes = hex("06 000064 000081 09 01000000");
    bytes.extend([1; 128]);
    assert_eq!(feed(&mut reader, &bytes).unwrap(), []);
    assert_eq!(reader.partial_bytes(), 128);
    let messages = feed(&mut reader, &hex("02 000000 000004 02 00000000 00000006")).unwrap();
    assert_eq!(Control::load(&messages[0]), Ok(Control::Abort(6)));
    reader.abort(6);
    assert_eq!(reader.partial_bytes(), 0);
    let mut rest = hex("C6");
    rest.extend([2; 128]);
    rest.extend(hex("C6 03"));
    let messages = feed(&mut reader, &rest).unwrap();
    assert!(is_message(
        &messages[0],
        200,
        MessageType::VIDEO,
        1,
        &[[2; 128].as_slice(), &[3]].concat()
    ));
}

#[test]
fn a_message_whole_in_the_input_is_not_copied() {
    let mut input = bytes::Bytes::from(hex("04 000000 000004 09 01000000 01020304  C4 05060708"));
    let start = input.as_ptr();
    let mut reader = ChunkReader::new(ReaderLimits::default());
    let first = reader.read(&mut input).unwrap().unwrap();
    let second = reader.read(&mut input).unwrap().unwrap();
    assert_eq!(first.payload.as_ptr(), start.wrapping_add(12));
    assert_eq!(second.payload.as_ptr(), start.wrapping_add(17));
    assert_eq!(reader.read(&mut input), Ok(None));
}

#[test]
fn the_highest_id_is_written_and_read_in_three_bytes() {
    for (csid, header) in [
        (63, "3F"),
        (64, "00 00"),
        (319, "00 FF"),
        (320, "01 00 01"),
        (65_599, "01 FF FF"),
    ] {
        let message = Message {
            timestamp: 0,
            kind: MessageType::AUDIO,
            stream_id: 1,
            payload: Bytes::from(vec![0xAF; 130]),
        };
        let mut output = Output::new();
        assert!(ChunkWriter::new().write(csid, &message, &mut output));
        let bytes = output.take_bytes();
        let header = hex(header);
        assert_eq!(bytes[..header.len()], header[..]);
        // The continuation repeats the whole basic header.
        let at = header.len() + 11 + 128;
        assert_eq!(
            (bytes[at], &bytes[at + 1..at + header.len()]),
            (header[0] | 0xC0, &header[1..])
        );
        assert_eq!(read(&bytes).unwrap(), [message]);
    }
}

#[test]
fn empty_messages_of_every_format_are_whole_at_once() {
    let bytes = hex("04 000000 000000 08 01000000  44 000014 000000 09  84 000014  C4");
    let messages = read(&bytes).unwrap();
    assert_eq!(timestamps(&messages), [0, 20, 40, 60]);
    assert!(messages.iter().all(|message| message.payload.is_empty()));
}
