//! What the wire costs in heap memory: nothing per message and player in steady state, little for an idle connection.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::IoSlice;

use bytes::Bytes;
use rtmp_core::wire::chunk::{
    ChunkReader, ChunkWriter, MessageType, Output, ReaderLimits, SharedMessage, csid,
};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static HELD: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system's allocator unchanged; the counters are plain thread-local cells.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        let _ = HELD.try_with(|held| held.set(held.get() + layout.size() as isize));
        // SAFETY: the caller keeps the allocator's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let _ = HELD.try_with(|held| held.set(held.get() - layout.size() as isize));
        // SAFETY: the caller keeps the allocator's contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_shared_message_costs_a_player_no_allocation() {
    let prepare = |kind, timestamp, length, csid| {
        SharedMessage::new(kind, timestamp, Bytes::from(vec![7; length]), 4096, csid)
    };
    let messages: Vec<SharedMessage> = (0..100)
        .flat_map(|i| {
            [
                prepare(MessageType::VIDEO, i * 40, 20_000, csid::VIDEO),
                prepare(MessageType::AUDIO, i * 40 + 1, 300, csid::AUDIO),
                prepare(MessageType::AUDIO, i * 40 + 20, 40, csid::AUDIO),
            ]
        })
        .collect();
    let mut writer = ChunkWriter::new();
    writer.set_chunk_size(4096);
    let mut out = Output::new();
    let mut pass = || {
        for (index, message) in messages.iter().enumerate() {
            let channel = if message.kind == MessageType::VIDEO {
                csid::VIDEO
            } else {
                csid::AUDIO
            };
            assert!(writer.write_shared(channel, 1, message, &mut out));
            if index % 5 == 4 {
                let mut slices = [IoSlice::new(&[]); 64];
                let filled = out.io_slices(&mut slices);
                let sent = slices[..filled].iter().map(|slice| slice.len()).sum::<usize>();
                out.consume(sent - 1);
            }
        }
        out.consume(usize::MAX);
    };
    pass();
    let before = ALLOCATIONS.get();
    pass();
    assert_eq!(ALLOCATIONS.get() - before, 0);
}

#[test]
fn an_idle_connection_holds_less_than_500_bytes_on_each_side() {
    let mut reader = ChunkReader::new(ReaderLimits::default());
    let mut sent = Output::new();
    let mut other = ChunkWriter::new();
    let channels = [csid::CONTROL, csid::COMMAND, csid::STATUS, csid::VIDEO];
    for channel in channels {
        let message = SharedMessage::new(MessageType::VIDEO, 0, Bytes::from(vec![7; 1000]), 128, channel);
        assert!(other.write_shared(channel, 1, &message, &mut sent));
    }
    let mut input = Bytes::from(sent.take_bytes());
    let before = HELD.get();
    while reader.read(&mut input).unwrap().is_some() {}
    assert!(
        HELD.get() - before < 500,
        "the reader holds {} bytes",
        HELD.get() - before
    );

    let before = HELD.get();
    let mut writer = ChunkWriter::new();
    let mut out = Output::new();
    for channel in channels {
        let message = SharedMessage::new(
            MessageType::VIDEO,
            0,
            Bytes::from_static(&[7; 1000]),
            1000,
            channel,
        );
        writer.set_chunk_size(1000);
        assert!(writer.write_shared(channel, 1, &message, &mut out));
    }
    out.consume(usize::MAX);
    out.release();
    assert!(
        HELD.get() - before < 500,
        "the writer holds {} bytes",
        HELD.get() - before
    );
}

#[test]
fn declared_lengths_reserve_nothing() {
    let mut reader = ChunkReader::new(ReaderLimits::default());
    let before = HELD.get();
    for channel in 2..66u32 {
        let head: &[u8] = &if channel < 64 {
            vec![channel as u8]
        } else {
            vec![0, (channel - 64) as u8]
        };
        let rest = [0, 0, 0, 0xFF, 0xFF, 0xFF, 9, 1, 0, 0, 0];
        let mut input = Bytes::from([head, &rest, &[1; 128]].concat());
        assert_eq!(reader.read(&mut input), Ok(None));
    }
    assert!(HELD.get() - before < 300_000, "{} bytes", HELD.get() - before);
}
