//! Chunk streams no honest peer sends.

use rtmp_core::wire::chunk::{ChunkError, ChunkReader, MessageType, ReaderLimits};

use super::{feed, hex, read, read_with};

#[test]
fn headers_with_nothing_to_inherit_are_refused() {
    assert_eq!(
        read(&hex("C3")),
        Err(ChunkError::NothingToInherit { csid: 3, format: 3 })
    );
    assert_eq!(
        read(&hex("83 000000")),
        Err(ChunkError::NothingToInherit { csid: 3, format: 2 })
    );
}

#[test]
fn a_message_header_inside_a_message_is_refused() {
    let mut start = hex("04 000000 0000C8 09 01000000");
    start.extend([1; 128]);
    for (format, header) in [
        (0, "04 000000 000FFF 09 01000000"),
        (1, "44 000000 000FFF 09"),
        (2, "84 000000"),
    ] {
        let bytes = [start.as_slice(), &hex(header)].concat();
        let error = ChunkError::MessageInterrupted {
            csid: 4,
            format,
            received: 128,
            length: 200,
        };
        assert_eq!(read(&bytes), Err(error));
    }
}

#[test]
fn a_message_above_the_limit_is_refused_before_its_payload() {
    let limits = ReaderLimits {
        max_message: 65_536,
        ..ReaderLimits::default()
    };
    let error = ChunkError::MessageTooLong {
        csid: 3,
        length: 65_537,
        limit: 65_536,
    };
    assert_eq!(
        read_with(limits, &hex("03 000000 010001 14 00000000")),
        Err(error)
    );
    let mut reader = ChunkReader::new(ReaderLimits::default());
    assert_eq!(
        feed(&mut reader, &hex("03 000000 000004 14 00000000 01020304"))
            .unwrap()
            .len(),
        1
    );
    reader.set_max_message(3);
    let error = ChunkError::MessageTooLong {
        csid: 3,
        length: 4,
        limit: 3,
    };
    assert_eq!(feed(&mut reader, &hex("C3")), Err(error));
}

#[test]
fn one_chunk_stream_too_many_is_refused() {
    let mut reader = ChunkReader::new(ReaderLimits::default());
    for csid in 2..64 {
        let messages = feed(
            &mut reader,
            &[&[csid][..], &hex("000000 000000 09 01000000")].concat(),
        );
        assert_eq!(messages.unwrap().len(), 1);
    }
    feed(&mut reader, &hex("00 00 000000 000000 09 01000000")).unwrap();
    feed(&mut reader, &hex("01 FFFF 000000 000000 09 01000000")).unwrap();
    feed(&mut reader, &hex("C2")).unwrap();
    let error = ChunkError::TooManyChunkStreams { csid: 66, limit: 64 };
    assert_eq!(
        feed(&mut reader, &hex("00 02 000000 000000 09 01000000")),
        Err(error)
    );
}

#[test]
fn half_received_messages_are_limited_together() {
    let limits = ReaderLimits {
        max_partial_bytes: 64 * 100,
        ..ReaderLimits::default()
    };
    let mut reader = ChunkReader::new(limits);
    for csid in 2..52u8 {
        let mut bytes = [&[csid][..], &hex("000000 FFFFFF 09 01000000")].concat();
        bytes.extend([1; 128]);
        assert_eq!(feed(&mut reader, &bytes), Ok(vec![]));
    }
    assert_eq!(reader.partial_bytes(), 6400);
    let error = ChunkError::TooMuchPartialData { limit: 6400 };
    assert_eq!(feed(&mut reader, &[0xC2, 1]), Err(error));
}

#[test]
fn invalid_chunk_sizes_are_refused_and_huge_ones_lowered() {
    let mut reader = ChunkReader::new(ReaderLimits::default());
    for size in [0, 0x8000_0000, 0xFFFF_FFFF] {
        assert_eq!(
            reader.set_chunk_size(size),
            Err(ChunkError::InvalidChunkSize(size))
        );
    }
    assert_eq!(reader.chunk_size(), 128);
    assert_eq!(reader.set_chunk_size(0x7FFF_FFFF), Ok(()));
    assert_eq!(reader.chunk_size(), 0xFF_FFFF);
}

#[test]
fn chunks_of_one_byte_are_gathered() {
    let mut reader = ChunkReader::new(ReaderLimits::default());
    reader.set_chunk_size(1).unwrap();
    let mut bytes = hex("04 000000 00FFFF 09 01000000 07");
    bytes.extend([0xC4, 7].repeat(0xFFFE));
    let messages = feed(&mut reader, &bytes).unwrap();
    assert_eq!(messages[0].payload, vec![7; 0xFFFF]);
}

#[test]
fn aborting_what_is_not_there_changes_nothing() {
    let mut reader = ChunkReader::new(ReaderLimits::default());
    for csid in [0, 1, 2, 3, u32::MAX] {
        reader.abort(csid);
    }
    assert_eq!(
        feed(&mut reader, &hex("03 000000 000001 14 00000000 01"))
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn unknown_types_and_huge_stream_ids_are_handed_on() {
    for kind in [0, 7, 10, 14, 21, 23, 255] {
        let bytes = [&hex("03 000000 000001")[..], &[kind], &hex("FFFFFFFF 01")].concat();
        let messages = read(&bytes).unwrap();
        assert_eq!(
            (messages[0].kind, messages[0].stream_id),
            (MessageType(kind), u32::MAX)
        );
    }
}
