//! Frames that only Enhanced RTMP has: metadata, channel layouts, several tracks in one body.

use bytes::Bytes;

use super::{Frame, spec};
use crate::media::color_info::VideoMetadata;
use crate::media::enhanced::{self, MultichannelConfig, PacketType};
use crate::media::{FourCc, MediaKind};

/// Why frames cannot stand in one multitrack body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MultitrackError {
    /// There was no frame to put into it.
    #[error("a multitrack body needs at least one frame")]
    Empty,
    /// One body has one packet type, frame type, time and modifier for all tracks.
    #[error(
        "track {0} differs from the first in kind, packet type, frame type or time: send it in a body of its own"
    )]
    Different(u8),
    /// The frame is a command, or nothing is known of it.
    #[error("track {0} has no packet that a multitrack body can carry")]
    NoPacket(u8),
    /// Two frames claim the same track.
    #[error("track {0} is there twice")]
    Twice(u8),
    /// A packet has more bytes than 24 bits can say.
    #[error("the packet of track {0} has {1} bytes; a multitrack body has room for 16,777,215")]
    TooLong(u8, usize),
}

impl Frame {
    /// Video metadata, such as colour information for the pictures that follow (E-RTMP v2 "Metadata Frame").
    pub fn video_metadata(codec: FourCc, timestamp_ms: u64, metadata: &VideoMetadata) -> Self {
        let spec = spec(MediaKind::Video, codec, PacketType::Metadata);
        Self::build(&spec, timestamp_ms, &metadata.to_bytes())
    }

    /// A video configuration in the form of MPEG-2 transport streams at timestamp 0: the `AV1VideoDescriptor` of AV1.
    pub fn video_config_mpeg2ts(codec: FourCc, payload: &[u8]) -> Self {
        let spec = spec(MediaKind::Video, codec, PacketType::Mpeg2TsSequenceStart);
        Self::build(&spec, 0, payload)
    }

    /// The channel layout of an audio track at timestamp 0.
    pub fn multichannel_config(codec: FourCc, config: &MultichannelConfig) -> Self {
        let spec = spec(MediaKind::Audio, codec, PacketType::MultichannelConfig);
        Self::build(&spec, 0, &config.to_bytes())
    }

    /// The same frame with an Enhanced header, where the codec's own is the legacy one. Frames of codecs that have no
    /// FourCC in Enhanced RTMP, script data and opaque frames come back unchanged.
    #[must_use]
    pub fn into_enhanced(self) -> Self {
        let named = self.codec.filter(|codec| codec.is_enhanced());
        let (Some(spec), true) = (self.spec(), named.is_some()) else {
            return self;
        };
        match enhanced::build(&spec, &self.payload) {
            Some(body) => Self::parse(self.kind, self.timestamp_ms, body.into()),
            None => self,
        }
    }

    /// Frames of several tracks as one body (E-RTMP v2 `ManyTracks`, or `ManyTracksManyCodecs` when their codecs
    /// differ). They must agree in everything that such a body says once: kind, packet type, frame type, time and
    /// nanoseconds. [`Frame::parse_all`] takes it apart again.
    pub fn multitrack(frames: &[Self]) -> Result<Self, MultitrackError> {
        let first = frames.first().ok_or(MultitrackError::Empty)?;
        let mut specs = Vec::with_capacity(frames.len());
        let mut seen = crate::media::TrackSet::default();
        for frame in frames {
            let track = frame.track_id;
            let spec = frame
                .spec()
                .filter(|spec| spec.packet_type != PacketType::Command);
            let spec = spec.ok_or(MultitrackError::NoPacket(track))?;
            if !frame.goes_with(first) {
                return Err(MultitrackError::Different(track));
            }
            if seen.contains(track) {
                return Err(MultitrackError::Twice(track));
            }
            seen.insert(track);
            specs.push((spec, &frame.payload[..]));
        }
        let body = enhanced::build_many(&specs).map_err(|at| {
            let frame = &frames[at.min(frames.len() - 1)];
            MultitrackError::TooLong(frame.track_id, frame.payload.len())
        })?;
        Ok(Self::parse(first.kind, first.timestamp_ms, body.into()))
    }

    /// As [`Frame::parse_all`], but where several tracks share a body each frame gets one of its own: a multitrack body
    /// of one track, or one without tracks for track 0. So every frame can be written or stored by itself.
    pub fn split(kind: MediaKind, timestamp_ms: u64, body: Bytes) -> Vec<Self> {
        let mut frames = Self::parse_all(kind, timestamp_ms, body);
        if frames.len() > 1 {
            let own = |frame: Self| {
                let (track, nanos) = (frame.track_id, frame.timestamp_ns);
                frame.rebuild(track, nanos)
            };
            frames = frames.into_iter().map(own).collect();
        }
        frames
    }

    /// Presentation time in nanoseconds: decoding time, composition time and the modifier's offset, not below 0.
    pub fn presentation_ns(&self) -> u64 {
        let millis = self.presentation_ms().saturating_mul(1_000_000);
        millis.saturating_add(u64::from(self.timestamp_ns))
    }

    fn goes_with(&self, other: &Self) -> bool {
        let shared = |frame: &Self| {
            let packet_type = match frame.packet_type {
                PacketType::CodedFramesX => PacketType::CodedFrames,
                other => other,
            };
            let frame_type = frame.spec().map(|spec| spec.frame_type);
            (
                frame.kind,
                packet_type,
                frame_type,
                frame.timestamp_ms,
                frame.timestamp_ns,
            )
        };
        shared(self) == shared(other)
    }
}

#[cfg(test)]
mod tests {
    //! The bytes of every packet type, as E-RTMP v1 and v2 lay them out, read and built.

    use super::*;
    use crate::media::color_info::ColorInfo;
    use crate::media::video::VideoCommand;
    use crate::media::{FrameFlags, MediaKind};

    /// Reads a body and checks its codec, packet type and payload; the frame for more.
    fn read(kind: MediaKind, body: &[u8], codec: FourCc, packet_type: PacketType, payload: &[u8]) -> Frame {
        let frame = Frame::parse(kind, 0, Bytes::copy_from_slice(body));
        let seen = (frame.codec, frame.packet_type, &frame.payload[..]);
        assert_eq!(seen, (Some(codec), packet_type, payload), "{body:02X?}");
        frame
    }

    fn both(kind: MediaKind, body: &[u8], built: &Frame, packet_type: PacketType, payload: &[u8]) {
        assert_eq!(&built.body[..], body, "{packet_type:?}");
        let codec = built.codec.unwrap();
        let parsed = read(kind, body, codec, packet_type, payload);
        assert_eq!(&parsed.at(built.timestamp_ms), built);
    }

    fn video(body: &[u8], built: &Frame, packet_type: PacketType, payload: &[u8]) {
        both(MediaKind::Video, body, built, packet_type, payload);
    }

    fn audio(body: &[u8], built: &Frame, packet_type: PacketType, payload: &[u8]) {
        both(MediaKind::Audio, body, built, packet_type, payload);
    }

    #[test]
    fn v1_video_packet_types() {
        let (hevc, av1, vp9) = (FourCc::HVC1, FourCc::AV01, FourCc::VP09);
        let frame = |codec, key, time| Frame::video(codec, 0, key, time, b"N");
        video(
            b"\x90hvc1\x01",
            &Frame::video_config(hevc, &[1]),
            PacketType::SequenceStart,
            &[1],
        );
        video(
            b"\x90av01\x81",
            &Frame::video_config(av1, &[0x81]),
            PacketType::SequenceStart,
            &[0x81],
        );
        let record = [1, 0, 0, 0, 2];
        video(
            b"\x90vp09\x01\0\0\0\x02",
            &Frame::video_config(vp9, &record),
            PacketType::SequenceStart,
            &record,
        );
        video(
            b"\x91hvc1\0\0\x21N",
            &frame(hevc, true, 33),
            PacketType::CodedFrames,
            b"N",
        );
        video(
            b"\xA1hvc1\xFF\xFF\xFEN",
            &frame(hevc, false, -2),
            PacketType::CodedFrames,
            b"N",
        );
        video(b"\x91av01N", &frame(av1, true, 0), PacketType::CodedFrames, b"N");
        video(b"\xA1vp09N", &frame(vp9, false, 0), PacketType::CodedFrames, b"N");
        video(
            b"\x93hvc1N",
            &frame(hevc, true, 0),
            PacketType::CodedFramesX,
            b"N",
        );
        let end = Frame::sequence_end(MediaKind::Video, hevc, 0);
        video(b"\x92hvc1", &end, PacketType::SequenceEnd, b"");
        let reset = VideoMetadata::color(&ColorInfo::default());
        let metadata = Frame::video_metadata(hevc, 0, &reset);
        video(
            b"\x94hvc1\x02\x00\x09colorInfo\x06",
            &metadata,
            PacketType::Metadata,
            b"\x02\x00\x09colorInfo\x06",
        );
        assert!(metadata.flags.contains(FrameFlags::METADATA));
        let ts = Frame::video_config_mpeg2ts(av1, &[0x80, 4]);
        video(
            b"\x95av01\x80\x04",
            &ts,
            PacketType::Mpeg2TsSequenceStart,
            &[0x80, 4],
        );
        assert!(ts.is_config());
    }

    #[test]
    fn v2_video_codecs_and_commands() {
        let (avc, vvc, vp8) = (FourCc::AVC1, FourCc::VVC1, FourCc::VP08);
        let avc_config = Frame::video_config(avc, &[1]).into_enhanced();
        video(b"\x90avc1\x01", &avc_config, PacketType::SequenceStart, &[1]);
        let avc_frame = Frame::video(avc, 0, false, -40, b"N").into_enhanced();
        video(
            b"\xA1avc1\xFF\xFF\xD8N",
            &avc_frame,
            PacketType::CodedFrames,
            b"N",
        );
        let avc_frame = Frame::video(avc, 0, true, 0, b"N").into_enhanced();
        video(b"\x93avc1N", &avc_frame, PacketType::CodedFramesX, b"N");
        video(
            b"\x90vvc1\xFF",
            &Frame::video_config(vvc, &[0xFF]),
            PacketType::SequenceStart,
            &[0xFF],
        );
        video(
            b"\x91vvc1\0\0\x01N",
            &Frame::video(vvc, 0, true, 1, b"N"),
            PacketType::CodedFrames,
            b"N",
        );
        video(
            b"\x91vp08N",
            &Frame::video(vp8, 0, true, 0, b"N"),
            PacketType::CodedFrames,
            b"N",
        );
        for (byte, command) in [(0, VideoCommand::StartSeek), (1, VideoCommand::EndSeek)] {
            let frame = Frame::video_command(FourCc::AV01, 0, command);
            assert_eq!(
                (&frame.body[..], frame.command()),
                (&[0xD1, byte][..], Some(command))
            );
            assert_eq!(frame.clone().with_track(2), frame);
        }
    }

    #[test]
    fn v2_audio_packet_types() {
        let start = |codec, record: &[u8]| Frame::audio_config(codec, record).into_enhanced();
        let coded = |codec| Frame::audio(codec, 0, b"S").into_enhanced();
        audio(
            b"\x90OpusOpusHead",
            &start(FourCc::OPUS, b"OpusHead"),
            PacketType::SequenceStart,
            b"OpusHead",
        );
        audio(
            b"\x90Opus",
            &start(FourCc::OPUS, b""),
            PacketType::SequenceStart,
            b"",
        );
        audio(
            b"\x90fLaCfLaC",
            &start(FourCc::FLAC, b"fLaC"),
            PacketType::SequenceStart,
            b"fLaC",
        );
        audio(
            b"\x90mp4a\x12\x10",
            &start(FourCc::MP4A, &[0x12, 0x10]),
            PacketType::SequenceStart,
            &[0x12, 0x10],
        );
        audio(b"\x91OpusS", &coded(FourCc::OPUS), PacketType::CodedFrames, b"S");
        audio(b"\x91fLaCS", &coded(FourCc::FLAC), PacketType::CodedFrames, b"S");
        audio(b"\x91mp4aS", &coded(FourCc::MP4A), PacketType::CodedFrames, b"S");
        audio(b"\x91.mp3S", &coded(FourCc::MP3), PacketType::CodedFrames, b"S");
        audio(b"\x91ac-3S", &coded(FourCc::AC3), PacketType::CodedFrames, b"S");
        audio(b"\x91ec-3S", &coded(FourCc::EC3), PacketType::CodedFrames, b"S");
        let end = Frame::sequence_end(MediaKind::Audio, FourCc::MP4A, 0).into_enhanced();
        assert_eq!(
            end.packet_type,
            PacketType::CodedFrames,
            "the legacy end of AAC is an empty frame"
        );
        let end = Frame::sequence_end(MediaKind::Audio, FourCc::AC3, 0);
        audio(b"\x92ac-3", &end, PacketType::SequenceEnd, b"");
    }

    #[test]
    fn multichannel_config_of_every_order() {
        for (config, payload) in [
            (MultichannelConfig::Unspecified { channels: 2 }, &[0, 2][..]),
            (
                MultichannelConfig::Native {
                    channels: 6,
                    mask: 0x060F,
                },
                &[1, 6, 0, 0, 6, 0x0F],
            ),
            (
                MultichannelConfig::Custom {
                    map: vec![1, 0, 0xFE, 0xFF],
                },
                &[2, 4, 1, 0, 0xFE, 0xFF],
            ),
        ] {
            let body = [b"\x94ac-3", payload].concat();
            let frame = Frame::multichannel_config(FourCc::AC3, &config);
            audio(&body, &frame, PacketType::MultichannelConfig, payload);
            assert_eq!(MultichannelConfig::parse(payload), Some(config));
        }
    }

    #[test]
    fn modifiers_of_audio_and_video() {
        let frame = Frame::audio(FourCc::OPUS, 0, b"S").with_nanos(999_999);
        audio(
            b"\x97\x02\x0F\x42\x3F\x01OpusS",
            &frame,
            PacketType::CodedFrames,
            b"S",
        );
        assert_eq!(frame.clone().at(2).presentation_ns(), 2_999_999);
        let frame = Frame::video(FourCc::AVC1, 1, true, -1, b"N").with_nanos(500_000);
        video(
            b"\x97\x02\x07\xA1\x20\x01avc1\xFF\xFF\xFFN",
            &frame,
            PacketType::CodedFrames,
            b"N",
        );
        assert_eq!(frame.presentation_ns(), 500_000);
        let command = Frame::video_command(FourCc::AV01, 0, VideoCommand::EndSeek).with_nanos(1);
        assert_eq!(&command.body[..], b"\xD7\x02\0\0\x01\x01\x01");
        assert_eq!(
            (command.command(), command.timestamp_ns),
            (Some(VideoCommand::EndSeek), 1)
        );
    }

    #[test]
    fn unknown_packet_types_keep_their_bytes() {
        for (kind, first) in [
            (MediaKind::Video, 0x9E),
            (MediaKind::Audio, 0x93),
            (MediaKind::Audio, 0x9F),
        ] {
            let body = [&[first][..], b"zzzz\x01\x02"].concat();
            let frame = read(
                kind,
                &body,
                FourCc(*b"zzzz"),
                PacketType::Unknown(first & 15),
                &[1, 2],
            );
            assert_eq!(frame.flags, FrameFlags::ENHANCED);
            assert_eq!(frame.clone().with_track(0).body, body);
            let multi = frame.with_track(7);
            assert_eq!((multi.track_id, &multi.payload[..]), (7, &[1, 2][..]));
        }
    }

    #[test]
    fn one_track() {
        let frame = Frame::video_config(FourCc::HVC1, &[1]).with_track(1);
        video(b"\x96\x00hvc1\x01\x01", &frame, PacketType::SequenceStart, &[1]);
        let frame = Frame::audio(FourCc::OPUS, 0, b"S").with_track(255);
        audio(b"\x95\x01Opus\xFFS", &frame, PacketType::CodedFrames, b"S");
    }

    fn taken_apart(frame: &Frame, expected: &[Frame]) {
        let tracks = Frame::parse_all(frame.kind, frame.timestamp_ms, frame.body.clone());
        let parts = |frame: &Frame| {
            (
                frame.codec,
                frame.track_id,
                frame.composition_ms,
                frame.timestamp_ns,
                frame.payload.clone(),
            )
        };
        assert_eq!(
            tracks.iter().map(parts).collect::<Vec<_>>(),
            expected.iter().map(parts).collect::<Vec<_>>()
        );
    }

    #[test]
    fn many_tracks_of_one_codec() {
        let tracks = [
            Frame::video(FourCc::HVC1, 5, true, 10, b"A"),
            Frame::video(FourCc::HVC1, 5, true, 0, b"BB").with_track(2),
        ];
        let body = Frame::multitrack(&tracks).unwrap();
        assert_eq!(
            &body.body[..],
            b"\x96\x11hvc1\x00\0\0\x04\0\0\x0AA\x02\0\0\x05\0\0\0BB"
        );
        taken_apart(&body, &tracks);
        let tracks =
            tracks.map(|track| Frame::video_config(FourCc::HVC1, &track.payload).with_track(track.track_id));
        let body = Frame::multitrack(&tracks).unwrap();
        assert_eq!(&body.body[..], b"\x96\x10hvc1\x00\0\0\x01A\x02\0\0\x02BB");
        taken_apart(&body, &tracks);
    }

    #[test]
    fn many_tracks_of_many_codecs() {
        let tracks = [
            Frame::audio(FourCc::MP4A, 9, b"A").with_nanos(7),
            Frame::audio(FourCc::OPUS, 9, b"").with_track(1).with_nanos(7),
        ];
        let body = Frame::multitrack(&tracks).unwrap();
        assert_eq!(
            &body.body[..],
            b"\x97\x02\0\0\x07\x05\x21mp4a\x00\0\0\x01AOpus\x01\0\0\0"
        );
        taken_apart(&body, &tracks);
        // AV1 has no form without composition time, so HEVC beside it writes its own in full.
        let tracks = [
            Frame::video(FourCc::AV01, 9, false, 0, b"a"),
            Frame::video(FourCc::HVC1, 9, false, 0, b"h").with_track(1),
        ];
        let body = Frame::multitrack(&tracks).unwrap();
        assert_eq!(
            &body.body[..],
            b"\xA6\x21av01\x00\0\0\x01ahvc1\x01\0\0\x04\0\0\0h"
        );
        taken_apart(&body, &tracks);
        let legacy = [
            Frame::video(FourCc::AVC1, 9, true, 0, b"x"),
            Frame::video(FourCc::AVC1, 9, true, 0, b"y").with_track(1),
        ];
        let body = Frame::multitrack(&legacy).unwrap();
        assert_eq!(&body.body[..], b"\x96\x13avc1\x00\0\0\x01x\x01\0\0\x01y");
    }

    #[test]
    fn frames_that_shared_a_body_can_stand_alone() {
        let tracks = [
            Frame::video(FourCc::AVC1, 5, true, 10, b"A"),
            Frame::video(FourCc::HVC1, 5, true, 0, b"BB").with_track(2),
        ];
        let body = Frame::multitrack(&tracks).unwrap().body;
        assert_eq!(Frame::split(MediaKind::Video, 5, body), tracks);
        let one = tracks[1].body.clone();
        assert_eq!(
            Frame::split(MediaKind::Video, 5, one.clone())[0].body.as_ptr(),
            one.as_ptr()
        );
    }

    #[test]
    fn what_one_body_cannot_say_is_refused() {
        let key = Frame::video(FourCc::HVC1, 5, true, 0, b"A");
        let build = |other: Frame| Frame::multitrack(&[key.clone(), other]).unwrap_err();
        assert_eq!(Frame::multitrack(&[]), Err(MultitrackError::Empty));
        assert_eq!(build(key.clone()), MultitrackError::Twice(0));
        let inter = Frame::video(FourCc::HVC1, 5, false, 0, b"A").with_track(1);
        assert_eq!(build(inter), MultitrackError::Different(1));
        assert_eq!(
            build(key.clone().with_track(1).at(6)),
            MultitrackError::Different(1)
        );
        assert_eq!(
            build(key.clone().with_track(1).with_nanos(1)),
            MultitrackError::Different(1)
        );
        assert_eq!(
            build(Frame::audio(FourCc::OPUS, 5, b"").with_track(1)),
            MultitrackError::Different(1)
        );
        let command = Frame::video_command(FourCc::AV01, 5, VideoCommand::EndSeek);
        assert_eq!(build(command), MultitrackError::NoPacket(0));
        assert_eq!(build(Frame::data(5, &b""[..])), MultitrackError::NoPacket(0));
        let long = Frame::video(FourCc::HVC1, 5, true, 0, &vec![0; 0x100_0000]).with_track(1);
        assert_eq!(build(long), MultitrackError::TooLong(1, 0x100_0000));
    }
}
