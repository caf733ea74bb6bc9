//! The chunk layer beside a plain copy of the same bytes: messages of three sizes, three chunk sizes, input whole and as TCP
//! delivers it.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use rtmp_core::wire::chunk::{
    ChunkReader, ChunkWriter, Message, MessageType, Output, ReaderLimits, SharedMessage, csid,
};

/// Payload of one round, about.
const ROUND: usize = 1 << 20;
/// Payload of a TCP segment on Ethernet.
const SEGMENT: usize = 1448;

const SIZES: [(&str, usize, MessageType, u32); 3] = [
    ("audio-200", 200, MessageType::AUDIO, csid::AUDIO),
    ("video-10k", 10_000, MessageType::VIDEO, csid::VIDEO),
    ("keyframe-100k", 100_000, MessageType::VIDEO, csid::VIDEO),
];

fn messages(size: usize, kind: MessageType) -> Vec<Message> {
    let payload = Bytes::from((0..size).map(|i| i as u8).collect::<Vec<_>>());
    let message = |index| Message {
        timestamp: index as u32 * 20,
        kind,
        stream_id: 1,
        payload: payload.clone(),
    };
    (0..ROUND / size).map(message).collect()
}

fn written(messages: &[Message], channel: u32, chunk_size: u32) -> Bytes {
    let mut writer = ChunkWriter::new();
    writer.set_chunk_size(chunk_size);
    let mut out = Output::new();
    for message in messages {
        assert!(writer.write(channel, message, &mut out));
    }
    out.take_bytes().into()
}

fn read(pieces: &[Bytes], chunk_size: u32) -> usize {
    let mut reader = ChunkReader::new(ReaderLimits::default());
    reader.set_chunk_size(chunk_size).expect("a size that can be");
    let mut bytes = 0;
    for piece in pieces {
        let mut input = piece.clone();
        while let Some(message) = reader.read(&mut input).expect("what the writer wrote") {
            bytes += black_box(message).payload.len();
        }
    }
    bytes
}

fn one_size(
    group: &mut BenchmarkGroup<'_, WallTime>,
    (name, size, kind, channel): (&str, usize, MessageType, u32),
) {
    let messages = messages(size, kind);
    let total = messages.len() * size;
    group.throughput(Throughput::Bytes(total as u64));
    let (from, mut to) = (vec![7_u8; total], vec![0_u8; total]);
    group.bench_function(format!("{name}/memcpy"), |bencher| {
        bencher.iter(|| {
            for (from, to) in from.chunks(size).zip(to.chunks_mut(size)) {
                to.copy_from_slice(black_box(from));
            }
            black_box(&mut to);
        });
    });
    for chunk_size in [128, 4096, 65_536] {
        let whole = written(&messages, channel, chunk_size);
        let segments: Vec<Bytes> = (0..whole.len())
            .step_by(SEGMENT)
            .map(|at| whole.slice(at..whole.len().min(at + SEGMENT)))
            .collect();
        let whole = [whole];
        assert_eq!(
            (read(&whole, chunk_size), read(&segments, chunk_size)),
            (total, total)
        );
        group.bench_function(format!("{name}/{chunk_size}/read whole"), |bencher| {
            bencher.iter(|| read(&whole, chunk_size));
        });
        group.bench_function(format!("{name}/{chunk_size}/read segments"), |bencher| {
            bencher.iter(|| read(&segments, chunk_size));
        });
        let mut writer = ChunkWriter::new();
        writer.set_chunk_size(chunk_size);
        let mut out = Output::new();
        group.bench_function(format!("{name}/{chunk_size}/write"), |bencher| {
            bencher.iter(|| {
                for message in &messages {
                    writer.write(channel, black_box(message), &mut out);
                }
                out.clear();
            });
        });
        let prepare = |message: &Message| {
            SharedMessage::new(
                kind,
                message.timestamp,
                message.payload.clone(),
                chunk_size,
                channel,
            )
        };
        let prepared: Vec<SharedMessage> = messages.iter().map(prepare).collect();
        group.bench_function(format!("{name}/{chunk_size}/write shared"), |bencher| {
            bencher.iter(|| {
                for message in &prepared {
                    writer.write_shared(channel, 1, black_box(message), &mut out);
                }
                out.clear();
            });
        });
    }
}

fn chunks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("chunks");
    for size in SIZES {
        one_size(&mut group, size);
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

criterion_group! { name = benches; config = brief(); targets = chunks }
criterion_main!(benches);
