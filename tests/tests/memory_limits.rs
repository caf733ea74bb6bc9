//! No input makes a reader hold more than the limits in `docs/security.md` allow, whatever it declares.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use rtmp_core::amf::{AmfError, Limits, amf0, amf3};
use rtmp_core::session::{ClientSession, ClientSessionConfig, ServerSession, ServerSessionConfig};
use rtmp_core::wire::chunk::{ChunkError, ChunkReader, ReaderLimits};
use rtmp_tests::fuzz::memory::{self, Counting};
use rtmp_tests::fuzz::peer::Peer;
use std::sync::Arc;

#[global_allocator]
static COUNTING: Counting = Counting;

const MIB: usize = 1 << 20;

/// Values, names and containers of one AMF element, at most.
const AMF_ELEMENT: usize = 400;

/// A chunk header of format 0 for a message of `length` bytes on chunk stream 2 to 63.
fn header(csid: u8, kind: u8, length: u32) -> Vec<u8> {
    let [_, a, b, c] = length.to_be_bytes();
    vec![csid, 0, 0, 0, a, b, c, kind, 1, 0, 0, 0]
}

fn drain(reader: &mut ChunkReader, bytes: Vec<u8>) -> Result<usize, ChunkError> {
    let mut input = Bytes::from(bytes);
    let mut count = 0;
    while reader.read(&mut input)?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// Pieces of chunk streams: headers with any length, followed by some of their payload.
fn chunks() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![0..300u32, Just(0xFF_FFFFu32), 0..0x100_0000u32];
    let chunk = (2..64u8, any::<u8>(), length, 0..200usize).prop_map(|(csid, kind, length, payload)| {
        let mut bytes = header(csid, kind, length);
        bytes.resize(bytes.len() + payload, 7);
        bytes
    });
    let piece = prop_oneof![
        4 => chunk,
        2 => (0xC2..=0xFFu8, 0..200usize).prop_map(|(first, payload)| [vec![first], vec![9; payload]].concat()),
        1 => vec(any::<u8>(), 0..40),
    ];
    vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// Bytes that get past the first AMF marker.
fn amf() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => 0..0x12u8, 1 => any::<u8>(), 1 => Just(0xFF)];
    vec(byte, 0..2000)
}

proptest! {
    #[test]
    fn the_chunk_reader_holds_what_it_received(bytes in chunks(), size in prop_oneof![1..500u32, Just(0x7FFF_FFFF)]) {
        let limits = ReaderLimits { max_partial_bytes: 4096, ..ReaderLimits::default() };
        for limits in [limits, ReaderLimits::default()] {
            let mut reader = ChunkReader::new(limits);
            reader.set_chunk_size(size).unwrap();
            let length = bytes.len();
            let input = bytes.clone();
            let (_, peak) = memory::peak(|| drain(&mut reader, input));
            prop_assert!(reader.partial_bytes() <= limits.max_partial_bytes);
            // Twice what came, and for each chunk stream its state and first buffer.
            prop_assert!(peak <= 2 * length + 64 * (4096 + 256), "{} bytes for {}", peak, length);
        }
    }

    #[test]
    fn amf_costs_what_its_elements_cost(bytes in amf(), open: bool) {
        // References may stand for copies, so the elements count, not the bytes.
        let limits = Limits { elements: 300, ..Limits::default() };
        let most = AMF_ELEMENT * limits.elements + 2 * bytes.len() + 4096;
        let (_, peak) = memory::peak(|| {
            let mut decoder = amf0::Decoder::new(&bytes, limits).allow_open_end(open);
            while !decoder.is_empty() && decoder.decode().is_ok() {}
        });
        prop_assert!(peak <= most, "{} bytes for {} of AMF0", peak, bytes.len());
        let (_, peak) = memory::peak(|| {
            let mut decoder = amf3::Decoder::new(&bytes, limits);
            while !decoder.is_empty() && decoder.decode().is_ok() {}
        });
        prop_assert!(peak <= most, "{} bytes for {} of AMF3", peak, bytes.len());
    }

    #[test]
    fn sessions_hold_little_before_connect(bytes in chunks()) {
        let length = bytes.len();
        let (_, peak) = memory::peak(|| {
            let mut session = ServerSession::new(Arc::new(ServerSessionConfig::default()), [1; 32], 0);
            session.input(Peer::handshake(), 0).unwrap();
            let _ = session.input(bytes.clone().into(), 1);
        });
        prop_assert!(peak <= 4 * length + (128 << 10), "{} bytes for {} to a server", peak, length);
        let (_, peak) = memory::peak(|| {
            let config = ClientSessionConfig::new("live", "rtmp://127.0.0.1/live");
            let mut session = ClientSession::new(config, [1; 32], 0);
            session.connect(0);
            session.input(Peer::handshake(), 0).unwrap();
            let _ = session.input(bytes.clone().into(), 1);
        });
        prop_assert!(peak <= 4 * length + (128 << 10), "{} bytes for {} to a client", peak, length);
    }
}

#[test]
fn half_received_messages_end_at_32_mib_and_cost_at_most_twice_that() {
    let mut reader = ChunkReader::new(ReaderLimits::default());
    reader.set_chunk_size(1 << 16).unwrap();
    let chunk = |header: Vec<u8>| [header, vec![7; 1 << 16]].concat();
    let (outcome, peak) = memory::peak(|| {
        for csid in 4..7 {
            drain(&mut reader, chunk(header(csid, 9, 0xFF_FFFF)))?;
            for _ in 1..255 {
                drain(&mut reader, chunk(vec![0xC0 | csid]))?;
            }
        }
        Ok(())
    });
    assert_eq!(outcome, Err(ChunkError::TooMuchPartialData { limit: 32 * MIB }));
    assert_eq!(reader.partial_bytes(), 32 * MIB);
    assert!(peak <= 65 * MIB, "{peak} bytes");
}

#[test]
fn a_message_above_64_kib_before_connect_ends_the_session_at_its_header() {
    let mut session = ServerSession::new(Arc::new(ServerSessionConfig::default()), [1; 32], 0);
    session.input(Peer::handshake(), 0).unwrap();
    let (outcome, peak) = memory::peak(|| session.input(header(3, 20, 65_537).into(), 1));
    assert!(outcome.is_err() && peak < 1024, "{peak} bytes, {outcome:?}");
}

#[test]
fn the_most_expensive_amf_of_65536_elements_stays_below_32_mib() {
    let limits = Limits::default();
    // Arrays of the smallest typed objects with a member, of empty arrays, and of references to the first.
    let object = b"\x10\0\x01A\0\x01a\x05\0\0\x09";
    let objects = [&b"\x0A\0\0\x7F\xFE"[..], &object.repeat(0x7FFE)].concat();
    let arrays = [&b"\x0A\0\0\xFF\xFE"[..], &b"\x0A\0\0\0\0".repeat(0xFFFE)].concat();
    let references = [
        &b"\x0A\0\0\xFF\xF0\x0A\0\0\0\0"[..],
        &b"\x07\0\x01".repeat(0xFFEF),
    ]
    .concat();
    for bytes in [objects, arrays, references] {
        let (outcome, peak) = memory::peak(|| amf0::decode_all(&bytes, &limits).map(drop));
        assert_eq!(outcome, Ok(()));
        assert!(peak < 32 * MIB, "{peak} bytes");
    }
    let dynamic = [
        &b"\x09\x83\xFF\x7D\x01"[..],
        &b"\x0A\x0B\x01\x03a\x01\x01".repeat(0x7FFE),
    ]
    .concat();
    let (_, peak) = memory::peak(|| drop(amf3::decode_all(&dynamic, &limits)));
    assert!(peak < 32 * MIB, "{peak} bytes");
}

#[test]
fn references_to_containers_that_lead_out_copy_no_more_than_the_message_has_bytes() {
    // An object of 100 cycles to the root, then references to it from inside an array, one level deeper than it stood.
    let member = |index: u8| vec![0, 2, b'm', index, 7, 0, 0];
    let cyclic = [
        &b"\x03"[..],
        &(0..100).flat_map(member).collect::<Vec<u8>>(),
        b"\0\0\x09",
    ]
    .concat();
    let message = |references: usize| {
        let count = u32::try_from(references).unwrap().to_be_bytes();
        let copies = [&b"\x0A"[..], &count, &b"\x07\0\x01".repeat(references)].concat();
        [&b"\x0A\0\0\0\x02"[..], &cyclic, &copies].concat()
    };
    // 718 bytes before the references and 3 for each, 100 values copied for each.
    for (references, fits) in [(7, true), (8, false), (640, false)] {
        let bytes = message(references);
        let (outcome, peak) = memory::peak(|| amf0::decode_all(&bytes, &Limits::default()).map(drop));
        match fits {
            true => assert_eq!(outcome, Ok(()), "{references}"),
            false => assert!(
                matches!(outcome, Err(AmfError::TooManyCopies { limit: given, .. }) if given <= bytes.len()),
                "{references}: {outcome:?}"
            ),
        }
        assert!(peak < 640 * bytes.len(), "{peak} bytes for {}", bytes.len());
    }
    let trusted = Limits {
        copies_per_byte: usize::MAX,
        ..Limits::default()
    };
    assert!(amf0::decode_all(&message(640), &trusted).is_ok());
}

#[test]
fn declared_amf_counts_and_lengths_reserve_nothing() {
    for text in [
        &b"\x0A\xFF\xFF\xFF\xFF"[..],
        b"\x08\xFF\xFF\xFF\xFF",
        b"\x0C\xFF\xFF\xFF\xFF",
        b"\x11\x09\xFF\xFF\xFF\xFF\x01",
        b"\x11\x0A\xFF\xFF\xFF\xFF\x01",
        b"\x11\x0C\xFF\xFF\xFF\xFF",
        b"\x11\x0D\xFF\xFF\xFF\xFF\0",
        b"\x11\x10\xFF\xFF\xFF\xFF\0\x01",
        b"\x11\x11\xFF\xFF\xFF\xFF\0",
    ] {
        let (outcome, peak) = memory::peak(|| amf0::decode_all(text, &Limits::default()).map(drop));
        assert!(peak < 2048, "{peak} bytes for {text:02X?}, {outcome:?}");
    }
}
