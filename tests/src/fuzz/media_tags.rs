//! Audio, video and data bodies: taken apart without leaving their bytes, and never refused.

use bytes::Bytes;
use rtmp_core::media::codec_config::CodecConfig;
use rtmp_core::media::enhanced::MultichannelConfig;
use rtmp_core::media::metadata::{Metadata, strip_set_data_frame};
use rtmp_core::media::{FourCc, Frame, MediaKind, inspect};

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
    data_body(&body);
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
    }
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
