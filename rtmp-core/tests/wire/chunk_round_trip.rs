//! Any messages through any chunk size, cut anywhere, come out as they went in.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use rtmp_core::wire::chunk::{
    ChunkReader, ChunkWriter, DEFAULT_CHUNK_SIZE, Message, MessageType, Output, ReaderLimits, SharedMessage,
    csid,
};
use rtmp_core::wire::message::Control;

fn timestamp() -> impl Strategy<Value = u32> {
    prop_oneof![0..100u32, 0x00FF_FFF0..0x0100_0010u32, any::<u32>()]
}

fn message() -> impl Strategy<Value = (u32, bool, Message)> {
    let csid = prop_oneof![4 => 2..8u32, 1 => 60..70u32, 1 => 315..325u32, 1 => Just(csid::MAX)];
    let length = prop_oneof![3 => 0..300usize, 1 => 0..5000usize];
    let body = (length, any::<u8>()).prop_map(|(length, first)| {
        (0..length)
            .map(|i| first.wrapping_add(i as u8).wrapping_mul(31))
            .collect::<Vec<u8>>()
    });
    let kind = prop_oneof![Just(8u8), Just(9), Just(18), 3..=255u8];
    (csid, any::<bool>(), timestamp(), kind, 0..3u32, body).prop_map(
        |(csid, is_shared, timestamp, kind, sid, body)| {
            let message = Message {
                timestamp,
                kind: MessageType(kind),
                stream_id: sid,
                payload: body.into(),
            };
            (csid, is_shared, message)
        },
    )
}

/// Small steps of time and few shapes, so that the compact headers are all met.
fn steady_message() -> impl Strategy<Value = (u32, bool, Message)> {
    (
        4..6u32,
        any::<bool>(),
        prop_oneof![Just(0u32), Just(20), Just(40)],
        1..3usize,
    )
        .prop_map(|(csid, is_shared, step, length)| {
            let payload = Bytes::from(vec![step as u8; length * 70]);
            (
                csid,
                is_shared,
                Message {
                    timestamp: step,
                    kind: MessageType::AUDIO,
                    stream_id: 1,
                    payload,
                },
            )
        })
}

fn write(writer: &mut ChunkWriter, messages: &[(u32, bool, Message)], prepared: u32) -> Vec<u8> {
    let mut out = Output::new();
    for (csid, is_shared, message) in messages {
        if *is_shared {
            let Message {
                timestamp,
                kind,
                stream_id,
                payload,
            } = message.clone();
            let shared = SharedMessage::new(kind, timestamp, payload, prepared, *csid);
            assert!(writer.write_shared(*csid, stream_id, &shared, &mut out));
        } else {
            assert!(writer.write(*csid, message, &mut out));
        }
    }
    out.take_bytes()
}

fn read_in_pieces(bytes: &[u8], chunk_size: u32, cuts: &[Index]) -> Vec<Message> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let mut reader = ChunkReader::new(ReaderLimits::default());
    reader.set_chunk_size(chunk_size).unwrap();
    let mut messages = Vec::new();
    let mut start = 0;
    for end in ends {
        let mut input = Bytes::copy_from_slice(&bytes[start..end]);
        while let Some(message) = reader.read(&mut input).unwrap() {
            if let Ok(Control::SetChunkSize(size)) = Control::load(&message) {
                reader.set_chunk_size(size).unwrap();
            }
            messages.push(message);
        }
        start = end;
    }
    messages
}

fn round_trip(messages: &[(u32, bool, Message)], chunk_size: u32, prepared: u32, cuts: &[Index]) {
    let mut writer = ChunkWriter::new();
    writer.set_chunk_size(chunk_size);
    let bytes = write(&mut writer, messages, prepared);
    let want: Vec<Message> = messages.iter().map(|(_, _, message)| message.clone()).collect();
    assert_eq!(read_in_pieces(&bytes, chunk_size, cuts), want);
}

/// What a peer does: messages, and in between another chunk size, announced by a Set Chunk Size message.
#[derive(Debug, Clone)]
enum Step {
    Send(u32, bool, Message),
    SetChunkSize(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => message().prop_map(|(csid, is_shared, message)| Step::Send(csid, is_shared, message)),
        1 => prop_oneof![1..300u32, 1..10_000u32, Just(0xFF_FFFF)].prop_map(Step::SetChunkSize),
    ]
}

/// Writes the steps; returns the bytes and the messages they hold.
fn write_steps(steps: &[Step], prepared: u32) -> (Vec<u8>, Vec<Message>) {
    let mut writer = ChunkWriter::new();
    let mut bytes = Vec::new();
    let mut messages = Vec::new();
    for step in steps {
        let (csid, is_shared, message) = match step {
            Step::Send(csid, is_shared, message) => (*csid, *is_shared, message.clone()),
            Step::SetChunkSize(size) => (csid::CONTROL, false, Control::SetChunkSize(*size).encode()),
        };
        // A type that the reader's owner obeys is only what this test writes on purpose.
        let is_ours = matches!(step, Step::SetChunkSize(_));
        if !is_ours && matches!(message.kind, MessageType::SET_CHUNK_SIZE | MessageType::ABORT) {
            continue;
        }
        bytes.extend(write(
            &mut writer,
            &[(csid, is_shared, message.clone())],
            prepared,
        ));
        if let Step::SetChunkSize(size) = step {
            writer.set_chunk_size(*size);
        }
        messages.push(message);
    }
    (bytes, messages)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn chunk_sizes_may_change_between_messages(
        steps in vec(step(), 0..20),
        prepared in 1..300u32,
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let (bytes, messages) = write_steps(&steps, prepared);
        prop_assert_eq!(read_in_pieces(&bytes, DEFAULT_CHUNK_SIZE, &cuts), messages);
    }

    #[test]
    fn any_messages_come_back(
        messages in vec(message(), 0..12),
        chunk_size in prop_oneof![1..300u32, 1..10_000u32, Just(0xFF_FFFF)],
        prepared in prop_oneof![Just(128u32), 1..300u32],
        cuts in vec(any::<Index>(), 0..20),
    ) {
        round_trip(&messages, chunk_size, prepared, &cuts);
        round_trip(&messages, chunk_size, chunk_size, &cuts);
    }

    #[test]
    fn a_steady_stream_comes_back(
        steps in vec(steady_message(), 1..40),
        from in prop_oneof![Just(0u32), Just(0x00FF_FF00)],
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let mut now = from;
        let messages: Vec<_> = steps
            .into_iter()
            .map(|(csid, is_shared, message)| {
                now += message.timestamp;
                (csid, is_shared, Message { timestamp: now, ..message })
            })
            .collect();
        round_trip(&messages, 128, 128, &cuts);
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in vec(any::<u8>(), 0..2000),
        chunk_size in 1..3000u32,
        cuts in vec(any::<Index>(), 0..10),
    ) {
        let mut reader = ChunkReader::new(ReaderLimits { max_partial_bytes: 1000, ..ReaderLimits::default() });
        reader.set_chunk_size(chunk_size).unwrap();
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        ends.push(bytes.len());
        ends.sort_unstable();
        let mut start = 0;
        'pieces: for end in ends {
            let mut input = Bytes::copy_from_slice(&bytes[start..end]);
            start = end;
            loop {
                match reader.read(&mut input) {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => break 'pieces,
                }
                prop_assert!(reader.partial_bytes() <= 1000);
            }
        }
    }
}
