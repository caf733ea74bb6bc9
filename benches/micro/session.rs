//! What a server session costs per byte of a publisher: from received bytes to media events.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rtmp_core::amf::Object;
use rtmp_core::session::{ConnectReply, ObjectEncoding, ServerEvent, ServerSession, ServerSessionConfig};
use rtmp_core::wire::chunk::{ChunkWriter, Message, MessageType, Output, csid};
use rtmp_core::wire::message::command::Command;
use rtmp_core::wire::message::control::Control;

/// One second of 2.5 Mbit/s: 25 video frames, one of them large, and 43 of audio.
fn second(writer: &mut ChunkWriter, out: &mut Output, from: u32) {
    let mut send = |kind, channel, timestamp, first: u8, length: usize| {
        let mut body = vec![first; length];
        body[1] = 1;
        let message = Message {
            timestamp,
            kind,
            stream_id: 1,
            payload: body.into(),
        };
        writer.write(channel, &message, out);
    };
    for frame in 0..25 {
        let (first, length) = if frame == 0 {
            (0x17, 100_000)
        } else {
            (0x27, 8_000)
        };
        send(MessageType::VIDEO, csid::VIDEO, from + frame * 40, first, length);
        for part in 0..if frame % 4 == 3 { 1 } else { 2 } {
            send(
                MessageType::AUDIO,
                csid::AUDIO,
                from + frame * 40 + part * 20,
                0xAF,
                372,
            );
        }
    }
}

/// A session whose client publishes on stream 1, and the client's writer.
fn publishing(chunk_size: u32) -> (ServerSession, ChunkWriter) {
    let mut session = ServerSession::new(Arc::new(ServerSessionConfig::default()), [1; 32], 0);
    let mut writer = ChunkWriter::new();
    let mut out = Output::new();
    let mut hello = vec![0; 3073];
    hello[0] = 3;
    out.push_slice(&hello);
    let mut connect = Command::new("connect", 1.0, vec![]);
    connect.object = Object::new().with("app", "live").into();
    let publish = Command::new("publish", 0.0, vec!["test".into()]);
    writer.write(csid::COMMAND, &connect.encode(0, ObjectEncoding::Amf0), &mut out);
    writer.write(
        csid::CONTROL,
        &Control::SetChunkSize(chunk_size).encode(),
        &mut out,
    );
    writer.set_chunk_size(chunk_size);
    writer.write(csid::COMMAND, &publish.encode(1, ObjectEncoding::Amf0), &mut out);
    session.input(out.take_bytes().into(), 0).expect("a connect");
    session.accept_connect(ConnectReply::default());
    session.accept_publish(1);
    while session.poll_event().is_some() {}
    (session, writer)
}

fn publisher(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session");
    for chunk_size in [128, 4096, 65_536] {
        let (mut session, mut writer) = publishing(chunk_size);
        let mut out = Output::new();
        // The first second has the full headers; the next repeats, its times are steps from message to message.
        second(&mut writer, &mut out, 0);
        session
            .input(out.take_bytes().into(), 0)
            .expect("what the writer wrote");
        while session.poll_event().is_some() {}
        second(&mut writer, &mut out, 1000);
        let bytes = Bytes::from(out.take_bytes());
        let reads: Vec<Bytes> = (0..bytes.len())
            .step_by(65_536)
            .map(|at| bytes.slice(at..bytes.len().min(at + 65_536)))
            .collect();
        let mut events = VecDeque::new();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(format!("publisher/{chunk_size}"), |bencher| {
            bencher.iter(|| {
                let mut media = 0;
                for read in &reads {
                    session.input(read.clone(), 1).expect("what the writer wrote");
                    session.swap_events(&mut events);
                    media += events
                        .drain(..)
                        .filter(|event| matches!(event, ServerEvent::Media { .. }))
                        .count();
                    session.output().clear();
                }
                black_box(media)
            });
        });
    }
    group.finish();
}

fn brief() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args()
}

criterion_group! { name = benches; config = brief(); targets = publisher }
criterion_main!(benches);
