//! Frames against bytes of the FLV and Enhanced RTMP specifications.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::media::enhanced::MultichannelConfig;

const NAL: &[u8] = &[0, 0, 0, 2, 0x65, 0x88];

fn video(body: &[u8]) -> Frame {
    Frame::parse(MediaKind::Video, 1000, Bytes::copy_from_slice(body))
}

fn audio(body: &[u8]) -> Frame {
    Frame::parse(MediaKind::Audio, 1000, Bytes::copy_from_slice(body))
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[test]
fn avc_header_key_and_inter_frames() {
    let header = video(&[0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x0A]);
    assert_eq!(
        (header.codec, header.codec_id, header.flags),
        (Some(FourCc::AVC1), 7, FrameFlags::CONFIG)
    );
    assert_eq!(
        (header.packet_type, &header.payload[..]),
        (PacketType::SequenceStart, &[1, 0x64, 0, 0x0A][..])
    );

    let key = video(&join(&[&[0x17, 1, 0, 0, 0], NAL]));
    assert_eq!((key.flags, &key.payload[..]), (FrameFlags::KEYFRAME, NAL));

    let later = video(&join(&[&[0x27, 1, 0, 0, 0x28], NAL]));
    assert_eq!(
        (later.flags, later.composition_ms, later.presentation_ms()),
        (FrameFlags::EMPTY, 40, 1040)
    );
    let earlier = video(&join(&[&[0x27, 1, 0xFF, 0xFF, 0xD8], NAL]));
    assert_eq!((earlier.composition_ms, earlier.presentation_ms()), (-40, 960));

    let end = video(&[0x17, 2, 0, 0, 0]);
    assert_eq!(
        (end.flags, end.packet_type),
        (FrameFlags::END_OF_SEQUENCE, PacketType::SequenceEnd)
    );
}

#[test]
fn older_video_codecs_have_one_header_byte() {
    let h263 = video(&[0x12, 1, 2]);
    assert_eq!(
        (h263.codec, h263.flags, &h263.payload[..]),
        (Some(FourCc::H263), FrameFlags::KEYFRAME, &[1, 2][..])
    );
    assert_eq!(video(&[0x32, 1]).flags, FrameFlags::DISPOSABLE);
    assert_eq!(
        video(&[0x44, 0x00]).flags,
        FrameFlags::KEYFRAME,
        "key frame made by a server"
    );
    assert_eq!(video(&[0x24, 0x00]).codec, Some(FourCc::VP6));
}

#[test]
fn hevc_by_the_common_extension() {
    let header = video(&[0x1C, 0, 0, 0, 0, 1, 2]);
    assert_eq!(
        (header.codec, header.flags),
        (Some(FourCc::HVC1), FrameFlags::CONFIG)
    );
    assert!(video(&[0x1C, 1, 0, 0, 0, 1, 2]).is_keyframe());
}

#[test]
fn video_commands_are_not_pictures() {
    for (body, command) in [
        ([0x57, 0], VideoCommand::StartSeek),
        ([0x57, 1], VideoCommand::EndSeek),
    ] {
        let frame = video(&body);
        assert_eq!(
            (frame.flags, frame.command()),
            (FrameFlags::COMMAND, Some(command))
        );
        assert_eq!(Frame::video_command(FourCc::AVC1, 1000, command), frame);
    }
    let enhanced = Frame::video_command(FourCc::HVC1, 0, VideoCommand::EndSeek);
    assert_eq!(&enhanced.body[..], [0xD1, 1]);
    assert_eq!(enhanced.flags, FrameFlags::ENHANCED | FrameFlags::COMMAND);
    assert_eq!(enhanced.command(), Some(VideoCommand::EndSeek));
}

#[test]
fn legacy_audio() {
    let config = audio(&[0xAF, 0, 0x12, 0x10]);
    assert_eq!(
        (config.codec, config.flags),
        (Some(FourCc::MP4A), FrameFlags::CONFIG)
    );
    assert_eq!(&config.payload[..], [0x12, 0x10]);
    let frame = audio(&[0xAF, 1, 0x21, 0x10]);
    assert_eq!(
        (frame.flags, &frame.payload[..]),
        (FrameFlags::EMPTY, &[0x21, 0x10][..])
    );
    let mp3 = audio(&[0x2F, 0xFF, 0xFB, 0x90, 0x64]);
    assert_eq!(
        (mp3.codec, &mp3.payload[..]),
        (Some(FourCc::MP3), &[0xFF, 0xFB, 0x90, 0x64][..])
    );
    assert_eq!(audio(&[0xB2, 1]).codec, Some(FourCc::SPEEX));
    assert_eq!(audio(&[0x72, 1]).codec, Some(FourCc::ALAW));
}

#[test]
fn short_and_unknown_bodies_are_opaque() {
    for body in [
        &[][..],
        &[0x17],
        &[0x17, 1],
        &[0x17, 1, 0, 0],
        &[0x90, b'h', b'v', b'c'],
        &[0x97],
        &[0x97, 2, 1],
    ] {
        let frame = video(body);
        assert_eq!(
            (frame.packet_type, &frame.payload[..]),
            (PacketType::Opaque, body),
            "{body:02X?}"
        );
        assert!(!frame.is_config());
    }
    assert_eq!(
        video(&[0x18, 1, 2]).packet_type,
        PacketType::Opaque,
        "reserved codec id"
    );
    assert_eq!(audio(&[0xAF]).packet_type, PacketType::Opaque);
    assert_eq!(audio(&[]).packet_type, PacketType::Opaque);
    assert_eq!(Frame::data(5, &b"\x02\0\x01a"[..]).payload, &b"\x02\0\x01a"[..]);
}

#[test]
fn empty_configurations_do_not_count() {
    assert!(!video(&[0x17, 0, 0, 0, 0]).is_config());
    assert!(!audio(&[0xAF, 0]).is_config());
    assert!(audio(b"\x90Opus").is_config(), "an empty Opus header is legal");
}

#[test]
fn enhanced_video_of_every_packet_type() {
    let start = video(b"\x90hvc1\x01\x02");
    assert_eq!((start.codec, start.codec_id), (Some(FourCc::HVC1), 0));
    assert_eq!(start.flags, FrameFlags::ENHANCED | FrameFlags::CONFIG);
    assert_eq!(&start.payload[..], [1, 2]);

    let key = video(&join(&[b"\x91hvc1\0\0\x21", NAL]));
    assert_eq!(
        (key.flags, key.composition_ms),
        (FrameFlags::ENHANCED | FrameFlags::KEYFRAME, 33)
    );
    assert_eq!(&key.payload[..], NAL);

    let inter = video(&join(&[b"\xA3hvc1", NAL]));
    assert_eq!(
        (inter.flags, inter.composition_ms, &inter.payload[..]),
        (FrameFlags::ENHANCED, 0, NAL)
    );
    assert_eq!(inter.packet_type, PacketType::CodedFramesX);

    let end = video(b"\x92hvc1");
    assert_eq!(end.flags, FrameFlags::ENHANCED | FrameFlags::END_OF_SEQUENCE);
    assert!(end.payload.is_empty());

    let metadata = video(b"\x94hvc1\x02\x00\x09colorInfo\x03\0\0\x09");
    assert_eq!(metadata.flags, FrameFlags::ENHANCED | FrameFlags::METADATA);
    assert_eq!(&metadata.payload[..3], [2, 0, 9]);
    assert_eq!(
        video(b"\xD4hvc1\x02").packet_type,
        PacketType::Metadata,
        "its frame type is ignored"
    );

    assert!(video(b"\x95av01\x80\x04").is_config());
    assert_eq!(video(b"\x98av01\x80").packet_type, PacketType::Unknown(8));
}

#[test]
fn av1_frames_carry_no_composition_time() {
    let key = video(b"\x91av01\x0A\x0B\0\0\0");
    assert_eq!(
        (key.composition_ms, &key.payload[..]),
        (0, &[0x0A, 0x0B, 0, 0, 0][..])
    );
    assert!(key.is_keyframe());
    assert!(!video(b"\xA1av01\x0A").is_keyframe());
}

#[test]
fn a_modifier_offsets_the_presentation_time() {
    let body = join(&[&[0x97, 0x02, 0x07, 0xA1, 0x20, 0x01], b"hvc1\0\0\0", NAL]);
    let frame = video(&body);
    assert_eq!((frame.timestamp_ns, frame.codec), (500_000, Some(FourCc::HVC1)));
    assert_eq!(
        (frame.flags, &frame.payload[..]),
        (FrameFlags::ENHANCED | FrameFlags::KEYFRAME, NAL)
    );
    // An unknown modifier of 300 bytes with the long size, then the known one.
    let long = join(&[
        &[0x97, 0xFF, 0x01, 0x2B],
        &[9; 300],
        &[0x17, 0x02, 0, 0, 7, 0x03],
        b"hvc1",
        NAL,
    ]);
    let frame = video(&long);
    assert_eq!((frame.timestamp_ns, &frame.payload[..]), (7, NAL));
    assert!(frame.is_keyframe());
}

#[test]
fn one_track() {
    let frame = video(b"\x96\x00hvc1\x01\x01\x02");
    assert_eq!(
        (frame.track_id, frame.codec, &frame.payload[..]),
        (1, Some(FourCc::HVC1), &[1, 2][..])
    );
    assert_eq!(
        frame.flags,
        FrameFlags::ENHANCED | FrameFlags::MULTITRACK | FrameFlags::CONFIG
    );
}

#[test]
fn many_tracks_of_one_codec() {
    let body = join(&[
        b"\x96\x11avc1",
        &[0, 0, 0, 9, 0, 0, 10],
        NAL,
        &[2, 0, 0, 9, 0xFF, 0xFF, 0xFE],
        NAL,
    ]);
    let frames = Frame::parse_all(MediaKind::Video, 5, body.clone().into());
    let seen: Vec<_> = frames
        .iter()
        .map(|f| (f.track_id, f.composition_ms, &f.payload[..]))
        .collect();
    assert_eq!(seen, [(0, 10, NAL), (2, -2, NAL)]);
    assert!(frames.iter().all(Frame::is_keyframe));
    assert_eq!(video(&body).track_id, 0);
    let cut = Frame::parse_all(MediaKind::Video, 5, body[..body.len() - 1].to_vec().into());
    assert_eq!(cut.len(), 1, "a track that runs past the end ends the list");
}

#[test]
fn many_tracks_of_many_codecs() {
    let body = b"\x95\x21Opus\x00\0\0\x02\xAA\xBBmp4a\x01\0\0\x01\xCC";
    let frames = Frame::parse_all(MediaKind::Audio, 0, Bytes::from_static(body));
    let seen: Vec<_> = frames
        .iter()
        .map(|f| (f.codec, f.track_id, &f.payload[..]))
        .collect();
    assert_eq!(
        seen,
        [
            (Some(FourCc::OPUS), 0, &[0xAA, 0xBB][..]),
            (Some(FourCc::MP4A), 1, &[0xCC][..])
        ]
    );
}

#[test]
fn multitrack_inside_multitrack_is_opaque() {
    let frame = video(b"\x96\x06hvc1\x01\x00");
    assert_eq!(frame.packet_type, PacketType::Opaque);
    assert_eq!(frame.flags, FrameFlags::ENHANCED | FrameFlags::MULTITRACK);
    assert_eq!(Frame::parse_all(MediaKind::Video, 0, frame.body.clone()).len(), 1);
}

#[test]
fn enhanced_audio() {
    let start = audio(b"\x90OpusOpusHead\x01\x02");
    assert_eq!(
        (start.codec, start.flags),
        (Some(FourCc::OPUS), FrameFlags::ENHANCED | FrameFlags::CONFIG)
    );
    assert_eq!(audio(b"\x91Opus\xFC\xFF").flags, FrameFlags::ENHANCED);
    assert_eq!(
        audio(b"\x92Opus").flags,
        FrameFlags::ENHANCED | FrameFlags::END_OF_SEQUENCE
    );
    let channels = audio(b"\x94ac-3\x01\x06\0\0\x06\x0F");
    assert!(channels.is_config());
    let native = MultichannelConfig::Native {
        channels: 6,
        mask: 0x060F,
    };
    assert_eq!(MultichannelConfig::parse(&channels.payload), Some(native));
    let custom = MultichannelConfig::parse(&[2, 2, 1, 0]).unwrap();
    assert_eq!(
        (custom.channels(), custom),
        (2, MultichannelConfig::Custom { map: vec![1, 0] })
    );
    assert_eq!(MultichannelConfig::parse(&[2, 3, 1, 0]), None);
}

#[test]
fn builders_choose_the_header_of_the_codec() {
    let body = |frame: Frame| frame.body.to_vec();
    assert_eq!(
        body(Frame::video(FourCc::AVC1, 0, true, 0, NAL)),
        join(&[&[0x17, 1, 0, 0, 0], NAL])
    );
    assert_eq!(
        body(Frame::video(FourCc::AVC1, 0, false, -40, NAL)),
        join(&[&[0x27, 1, 0xFF, 0xFF, 0xD8], NAL])
    );
    assert_eq!(
        body(Frame::video_config(FourCc::AVC1, &[1, 2])),
        [0x17, 0, 0, 0, 0, 1, 2]
    );
    assert_eq!(body(Frame::video(FourCc::H263, 0, true, 0, &[1])), [0x12, 1]);
    assert_eq!(
        body(Frame::video(FourCc::HVC1, 0, true, 33, NAL)),
        join(&[b"\x91hvc1\0\0\x21", NAL])
    );
    assert_eq!(
        body(Frame::video(FourCc::HVC1, 0, false, 0, NAL)),
        join(&[b"\xA3hvc1", NAL])
    );
    assert_eq!(
        body(Frame::video(FourCc::AV01, 0, false, 0, &[7])),
        b"\xA1av01\x07"
    );
    assert_eq!(body(Frame::video_config(FourCc::HVC1, &[1])), b"\x90hvc1\x01");
    assert_eq!(
        body(Frame::sequence_end(MediaKind::Video, FourCc::HVC1, 0)),
        b"\x92hvc1"
    );
    assert_eq!(
        body(Frame::sequence_end(MediaKind::Video, FourCc::AVC1, 0)),
        [0x17, 2, 0, 0, 0]
    );
    assert_eq!(
        body(Frame::audio_config(FourCc::MP4A, &[0x12, 0x10])),
        [0xAF, 0, 0x12, 0x10]
    );
    assert_eq!(body(Frame::audio(FourCc::MP4A, 0, &[9])), [0xAF, 1, 9]);
    assert_eq!(body(Frame::audio(FourCc::OPUS, 0, &[9])), b"\x91Opus\x09");
    assert_eq!(
        body(Frame::audio(FourCc::MP3, 0, &[0xFF, 0xFB, 0x90, 0x64])),
        [0x2F, 0xFF, 0xFB, 0x90, 0x64]
    );
    assert_eq!(
        body(Frame::audio_legacy(AudioHeader::from_byte(0x52), 0, &[1])),
        [0x52, 1]
    );
}

#[test]
fn tracks_and_nanoseconds_make_enhanced_bodies() {
    let config = Frame::video_config(FourCc::HVC1, &[1, 2]).with_track(1);
    assert_eq!(&config.body[..], b"\x96\x00hvc1\x01\x01\x02");
    let nanos = Frame::video(FourCc::HVC1, 0, true, 33, NAL).with_nanos(500_000);
    assert_eq!(
        nanos.body,
        join(&[&[0x97, 2, 7, 0xA1, 0x20, 1], b"hvc1\0\0\x21", NAL])
    );

    let both = Frame::video(FourCc::AVC1, 7, true, -3, NAL)
        .with_track(2)
        .with_nanos(1);
    assert_eq!(
        (both.track_id, both.timestamp_ns, both.composition_ms),
        (2, 1, -3)
    );
    assert_eq!((both.codec, &both.payload[..]), (Some(FourCc::AVC1), NAL));
    assert!(both.is_keyframe());
    let back = both.with_track(0).with_nanos(0);
    assert_eq!(back, Frame::video(FourCc::AVC1, 7, true, -3, NAL));

    let audio = Frame::audio(FourCc::MP4A, 7, &[9]).with_track(3);
    assert_eq!(&audio.body[..], b"\x95\x01mp4a\x03\x09");
}

#[test]
fn messages_and_frames_convert() {
    let frame = Frame::audio(FourCc::MP4A, (1 << 32) + 5, &[9]);
    let message = frame.to_message();
    assert_eq!((message.kind, message.timestamp), (MediaKind::Audio, 5));
    assert_eq!(Frame::from_message(&message).payload, frame.payload);
    let at = frame.payload.as_ptr() as usize - frame.body.as_ptr() as usize;
    assert_eq!(at, 2, "the payload is a slice of the body");
}

fn kind() -> impl Strategy<Value = MediaKind> {
    prop_oneof![
        Just(MediaKind::Audio),
        Just(MediaKind::Video),
        Just(MediaKind::Data)
    ]
}

fn codec() -> impl Strategy<Value = FourCc> {
    prop::sample::select(vec![
        FourCc::AVC1,
        FourCc::HVC1,
        FourCc::VVC1,
        FourCc::AV01,
        FourCc::VP09,
        FourCc::VP08,
    ])
}

proptest! {
    #[test]
    fn any_bytes_are_a_frame(kind in kind(), header in 0x80u8.., body in vec(any::<u8>(), 0..80), mark: bool) {
        let body: Bytes = if mark { join(&[&[header], &body]).into() } else { body.into() };
        let frame = Frame::parse(kind, 0, body.clone());
        prop_assert_eq!(frame.flags, inspect(kind, &body));
        let all = Frame::parse_all(kind, 0, body.clone());
        prop_assert_eq!(&all[0], &frame);
        for frame in all {
            prop_assert!(body.len() >= frame.payload.len());
            let _ = (frame.command(), frame.presentation_ms(), MultichannelConfig::parse(&frame.payload));
            let _ = frame.with_track(3).with_nanos(9);
        }
    }

    #[test]
    fn built_video_is_parsed_as_meant(
        codec in codec(),
        key: bool,
        composition in -8_388_608i32..8_388_608,
        track: u8,
        nanos in 0u32..1_000_000,
        payload in vec(any::<u8>(), 0..40),
    ) {
        let frame = Frame::video(codec, 9, key, composition, &payload).with_track(track).with_nanos(nanos);
        prop_assert_eq!(frame.codec, Some(codec));
        prop_assert_eq!(frame.is_keyframe(), key);
        prop_assert_eq!((frame.track_id, frame.timestamp_ns), (track, nanos));
        let composition = if codec.has_composition_time() { composition } else { 0 };
        prop_assert_eq!(frame.composition_ms, composition);
        prop_assert_eq!(&frame.payload[..], &payload[..]);
    }
}
