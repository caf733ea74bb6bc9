//! Audio, video and data bodies: taken apart without leaving their bytes, and never refused.

use bytes::Bytes;
use rtmp_core::media::codec_config::CodecConfig;
use rtmp_core::media::color_info::{ColorInfo, VideoMetadata};
use rtmp_core::media::enhanced::MultichannelConfig;
use rtmp_core::media::metadata::{Metadata, strip_set_data_frame};
use rtmp_core::media::tracks::{Reduced, Reduction, is_reducible, reduce, track_ids};
use rtmp_core::media::{FourCc, Frame, MediaKind, PacketType, inspect};

use super::memory;
use super::script::Script;

/// Byte 0: audio, video or data; then the body.
pub fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let kind = [MediaKind::Audio, MediaKind::Video, MediaKind::Data][usize::from(script.u8() % 3)];
    let body = Bytes::copy_from_slice(script.rest());
    let time = 0x1_0000_0000 + body.len() as u64;
    let flags = inspect(kind, &body);
    let frame = Frame::parse(kind, time, body.clone());
    assert_eq!(frame.flags, flags, "inspect says the same");
    let (frames, peak) = memory::peak(|| Frame::parse_all(kind, time, body.clone()));
    assert!(
        peak <= body.len() * size_of::<Frame>() + 4096,
        "{peak} bytes for {} of body",
        body.len()
    );
    assert!(!frames.is_empty());
    assert_eq!(frames.first().map(|frame| &frame.payload), Some(&frame.payload));
    for frame in frames.iter().chain([&frame]) {
        check(frame, &body);
    }
    let tracks = track_ids(kind, &body);
    let has_track = |frame: &&Frame| !matches!(frame.packet_type, PacketType::Opaque | PacketType::Command);
    let mut known = frames.iter().filter(has_track).map(|frame| frame.track_id);
    assert!(known.all(|track| tracks.contains(track)), "{tracks:?}");
    together(&frames);
    reductions(kind, &body);
    data_body(&body);
}

/// Frames that go into one body come out of it again.
fn together(frames: &[Frame]) {
    let Ok(joined) = Frame::multitrack(frames) else {
        return;
    };
    let timed = |frame: &Frame| matches!(frame.codec, Some(FourCc::AVC1 | FourCc::HVC1 | FourCc::VVC1));
    let parts = |frame: &Frame| {
        // Both stand for coded frames; one leaves a composition time of 0 out.
        let packet_type = match frame.packet_type {
            PacketType::CodedFramesX => PacketType::CodedFrames,
            other => other,
        };
        (
            frame.track_id,
            frame.codec,
            packet_type,
            // Of the other codecs only legacy bodies have one.
            timed(frame).then_some(frame.composition_ms),
            frame.payload.clone(),
        )
    };
    let again = Frame::parse_all(joined.kind, joined.timestamp_ms, joined.body);
    assert!(
        again.iter().map(parts).eq(frames.iter().map(parts)),
        "{frames:?} became {again:?}"
    );
}

/// What is left for a receiver that knows less needs no further change and did not grow by more than a header.
fn reductions(kind: MediaKind, body: &Bytes) {
    for reduction in [Reduction::Modifiers, Reduction::Multitrack, Reduction::Enhanced] {
        let reduced = reduce(kind, body, 0, reduction);
        assert!(
            is_reducible(kind, body, reduction) || reduced == Reduced::Same,
            "{reduced:?}"
        );
        if let Reduced::Body(less) = reduced {
            assert!(less.len() <= body.len() + 8);
            let again = reduce(kind, &less, 0, reduction);
            assert!(
                again == Reduced::Same || again == Reduced::Body(less.clone()),
                "{less:?}: {again:?}"
            );
        }
    }
}

fn check(frame: &Frame, body: &Bytes) {
    let all = body.as_ptr_range();
    let part = frame.payload.as_ptr_range();
    assert!(frame.payload.is_empty() || (all.start <= part.start && part.end <= all.end));
    assert!(frame.timestamp_ns < 1_000_000);
    assert_eq!(frame.to_message().body, frame.body);
    let again = Frame::from_message(&frame.to_message());
    assert_eq!(
        (again.flags, again.packet_type),
        (inspect(frame.kind, body), again.packet_type)
    );
    let _ = (
        frame.command(),
        frame.presentation_ms(),
        frame.is_config(),
        frame.is_keyframe(),
    );
    assert!(!format!("{frame:?}").is_empty());
    if let Some(codec) = frame.codec {
        configuration(codec, &frame.payload);
    }
    if let Some(channels) = MultichannelConfig::parse(&frame.payload) {
        assert!(channels.channels() <= 255);
        assert_eq!(MultichannelConfig::parse(&channels.to_bytes()), Some(channels));
    }
    if frame.packet_type == PacketType::Metadata {
        let metadata = VideoMetadata::parse(&frame.payload);
        let color = metadata.color_info();
        assert!(metadata.to_bytes().len() < 64 * (frame.payload.len() + 65_536));
        assert!(
            color.is_none_or(|color| ColorInfo::from_value(&color.to_value()) == color || !color.is_reset())
        );
    }
    let _ = (frame.presentation_ns(), frame.clone().into_enhanced());
}

fn configuration(codec: FourCc, payload: &[u8]) {
    let (config, peak) = memory::peak(|| CodecConfig::parse(codec, payload));
    assert!(
        peak <= 64 * payload.len() + 4096,
        "{peak} bytes for {}",
        payload.len()
    );
    if let Ok(config) = config {
        let _ = config.sample_rate();
    }
}

fn data_body(body: &[u8]) {
    assert!(strip_set_data_frame(body).len() <= body.len());
    let Some(metadata) = Metadata::parse(body) else {
        return;
    };
    let _ = (
        metadata.duration(),
        metadata.dimensions(),
        metadata.frame_rate(),
        metadata.keyframes(),
    );
    let _ = (
        metadata.sample_rate(),
        metadata.channels(),
        metadata.video_codec(),
        metadata.audio_codec(),
    );
    let written = metadata.to_body();
    assert!(Metadata::parse(&written).is_some());
    assert_eq!(strip_set_data_frame(&metadata.to_set_data_frame_body()), written);
}
