//! What a session costs in heap memory: nothing per message and player, nothing per message of a publisher.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use rtmp_core::amf::Object;
use rtmp_core::session::{ConnectReply, ObjectEncoding, ServerEvent, ServerSession, ServerSessionConfig};
use rtmp_core::wire::chunk::{ChunkWriter, Message, MessageType, Output, SharedMessage, csid};
use rtmp_core::wire::message::command::Command;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system's allocator unchanged; the counter is a plain thread-local cell.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the allocator's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the allocator's contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A session whose client, written by the returned writer, publishes on stream 1 or plays.
fn session(command: &str) -> (ServerSession, ChunkWriter) {
    let mut session = ServerSession::new(Arc::new(ServerSessionConfig::default()), [1; 32], 0);
    let mut writer = ChunkWriter::new();
    let mut out = Output::new();
    let mut hello = vec![0; 3073];
    hello[0] = 3;
    out.push_slice(&hello);
    let mut connect = Command::new("connect", 1.0, vec![]);
    connect.object = Object::new().with("app", "live").into();
    let start = Command::new(command, 0.0, vec!["test".into()]);
    writer.write(csid::COMMAND, &connect.encode(0, ObjectEncoding::Amf0), &mut out);
    writer.write(csid::COMMAND, &start.encode(1, ObjectEncoding::Amf0), &mut out);
    session.input(out.take_bytes().into(), 0).unwrap();
    session.accept_connect(ConnectReply::default());
    session.accept_publish(1);
    session.accept_play(1);
    session.output().clear();
    while session.poll_event().is_some() {}
    (session, writer)
}

#[test]
fn sending_a_shared_message_allocates_nothing() {
    let (mut session, _) = session("play");
    let size = session.chunk_size();
    let prepare =
        |kind, time, length, csid| SharedMessage::new(kind, time, Bytes::from(vec![7; length]), size, csid);
    let messages: Vec<SharedMessage> = (0..100)
        .flat_map(|i| {
            [
                prepare(MessageType::VIDEO, i * 40, 100_000, csid::VIDEO),
                prepare(MessageType::AUDIO, i * 40 + 1, 300, csid::AUDIO),
            ]
        })
        .collect();
    let mut pass = || {
        for message in &messages {
            assert!(session.send_media(1, message));
            session.output().consume(usize::MAX);
        }
    };
    pass();
    let before = ALLOCATIONS.get();
    pass();
    assert_eq!(ALLOCATIONS.get() - before, 0);
}

#[test]
fn receiving_media_allocates_nothing_per_message() {
    let (mut session, mut writer) = session("publish");
    let mut out = Output::new();
    let mut batch = |first: u32| {
        for index in 0..50 {
            let message = Message {
                timestamp: first + index,
                kind: MessageType::AUDIO,
                stream_id: 1,
                payload: Bytes::from_static(&[0xAF; 100]),
            };
            writer.write(csid::AUDIO, &message, &mut out);
        }
        Bytes::from(out.take_bytes())
    };
    let batches: Vec<Bytes> = (0..21).map(|index| batch(index * 50)).collect();
    let mut events = VecDeque::new();
    let mut delivered = 0;
    let mut before = 0;
    for (index, bytes) in batches.into_iter().enumerate() {
        if index == 1 {
            before = ALLOCATIONS.get();
        }
        session.input(bytes, 0).unwrap();
        session.swap_events(&mut events);
        delivered += events
            .drain(..)
            .filter(|event| matches!(event, ServerEvent::Media { .. }))
            .count();
    }
    assert_eq!(delivered, 21 * 50);
    // Each buffer becomes shared once, and the second of the two event queues grows once.
    let spent = ALLOCATIONS.get() - before;
    assert!(spent <= 40, "{spent} allocations for 1000 messages in 20 buffers");
}
