//! A frame: one track's packet out of a message body, taken apart or built.

mod enhanced;

use std::ops::Range;

use bytes::Bytes;

use super::audio::{self, AudioHeader};
use super::enhanced::{self as header, PacketType, Spec};
use super::video::{self, VideoCommand};
use super::{FourCc, FrameFlags, MediaKind, MediaMessage, inspect};
pub use enhanced::MultitrackError;

/// One audio, video or data frame. `payload` is always a slice of `body`: parsing copies nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Audio, video or data.
    pub kind: MediaKind,
    /// The codec, when it has a name: from the Enhanced header, or what the legacy id stands for.
    pub codec: Option<FourCc>,
    /// The legacy video codec id or audio format; 0 for data and for Enhanced bodies.
    pub codec_id: u8,
    /// The track, 0 unless a multitrack body names another.
    pub track_id: u8,
    /// What the packet is.
    pub packet_type: PacketType,
    /// The same answer as [`inspect`] gives for the body.
    pub flags: FrameFlags,
    /// Decoding time in milliseconds; whoever parses has undone the 32-bit wrap.
    pub timestamp_ms: u64,
    /// Nanoseconds to add to the presentation time, 0 to 999,999 (E-RTMP v2 `TimestampOffsetNano`).
    pub timestamp_ns: u32,
    /// Presentation time less decoding time in milliseconds; may be negative.
    pub composition_ms: i32,
    /// The whole message body.
    pub body: Bytes,
    /// What follows the tag header: codec data, configuration record or command byte.
    pub payload: Bytes,
}

impl Frame {
    /// Takes a body apart. Never fails: a body that cannot be read is [`PacketType::Opaque`] with `payload` equal to
    /// `body`. Of a multitrack body this is the first track; see [`Frame::parse_all`].
    pub fn parse(kind: MediaKind, timestamp_ms: u64, body: Bytes) -> Self {
        let frame = Self::opaque(kind, timestamp_ms, body);
        if frame.flags.contains(FrameFlags::ENHANCED) {
            return frame.parse_enhanced();
        }
        match kind {
            MediaKind::Audio => frame.parse_legacy_audio(),
            MediaKind::Video => frame.parse_legacy_video(),
            MediaKind::Data => frame,
        }
    }

    /// Takes a body apart into the frames of all its tracks, in their order; every other body yields one frame. A
    /// track that runs past the end of the body ends the list.
    pub fn parse_all(kind: MediaKind, timestamp_ms: u64, body: Bytes) -> Vec<Self> {
        let frame = Self::opaque(kind, timestamp_ms, body);
        if frame.flags.contains(FrameFlags::MULTITRACK)
            && let Some(header) = header::header(kind, &frame.body)
        {
            let tracks = header.tracks(&frame.body);
            let frames: Vec<Self> = tracks.map(|track| frame.of_track(&header, track)).collect();
            return if frames.is_empty() { vec![frame] } else { frames };
        }
        vec![Self::parse(kind, timestamp_ms, frame.body)]
    }

    /// The first frame of a message; `timestamp_ms` is the message's, or beyond 2^32 when the caller counts wraps.
    pub fn from_message(message: &MediaMessage) -> Self {
        Self::parse(message.kind, u64::from(message.timestamp), message.body.clone())
    }

    /// The message that carries this frame's body; the timestamp is taken modulo 2^32.
    pub fn to_message(&self) -> MediaMessage {
        let timestamp = (self.timestamp_ms & u64::from(u32::MAX)) as u32;
        MediaMessage {
            kind: self.kind,
            timestamp,
            body: self.body.clone(),
        }
    }

    /// Coded video. AVC and the older codecs of the FLV specification get the legacy header, all others the Enhanced
    /// one. `composition_ms` reaches the wire for AVC, HEVC and VVC only; the header has 24 bits for it.
    pub fn video(
        codec: FourCc,
        timestamp_ms: u64,
        keyframe: bool,
        composition_ms: i32,
        payload: &[u8],
    ) -> Self {
        let frame_type = if keyframe {
            video::FRAME_KEY
        } else {
            video::FRAME_INTER
        };
        let spec = Spec {
            frame_type,
            composition_ms,
            ..spec(MediaKind::Video, codec, PacketType::CodedFrames)
        };
        Self::build(&spec, timestamp_ms, payload)
    }

    /// A video configuration record (avcC, hvcC, av1C, vpcC, vvcC) at timestamp 0.
    pub fn video_config(codec: FourCc, payload: &[u8]) -> Self {
        Self::build(
            &spec(MediaKind::Video, codec, PacketType::SequenceStart),
            0,
            payload,
        )
    }

    /// A video command, in the header form of the stream's codec: legacy (`57 00`) or Enhanced.
    pub fn video_command(codec: FourCc, timestamp_ms: u64, command: VideoCommand) -> Self {
        let frame_type = video::FRAME_COMMAND;
        let spec = Spec {
            frame_type,
            ..spec(MediaKind::Video, codec, PacketType::Command)
        };
        Self::build(&spec, timestamp_ms, &[command.to_byte()])
    }

    /// Coded audio. AAC, MP3, Speex and the other codecs of the FLV specification get the legacy header (for MP3 with
    /// the rate and channels of the frame), all others the Enhanced one.
    pub fn audio(codec: FourCc, timestamp_ms: u64, payload: &[u8]) -> Self {
        Self::build(
            &spec(MediaKind::Audio, codec, PacketType::CodedFrames),
            timestamp_ms,
            payload,
        )
    }

    /// Coded audio of a legacy format with the header byte given in full, as PCM and Nellymoser need.
    pub fn audio_legacy(header: AudioHeader, timestamp_ms: u64, payload: &[u8]) -> Self {
        let mut body = Vec::with_capacity(payload.len() + 2);
        body.push(header.to_byte());
        if header.format == audio::AAC {
            body.push(1);
        }
        body.extend_from_slice(payload);
        Self::parse(MediaKind::Audio, timestamp_ms, body.into())
    }

    /// An audio configuration (AudioSpecificConfig, OpusHead, FLAC stream info) at timestamp 0.
    pub fn audio_config(codec: FourCc, payload: &[u8]) -> Self {
        Self::build(
            &spec(MediaKind::Audio, codec, PacketType::SequenceStart),
            0,
            payload,
        )
    }

    /// The end of a track's sequence.
    pub fn sequence_end(kind: MediaKind, codec: FourCc, timestamp_ms: u64) -> Self {
        Self::build(&spec(kind, codec, PacketType::SequenceEnd), timestamp_ms, &[])
    }

    /// Script data: an AMF0 name and its values, or the AMF3 form with its leading zero byte.
    pub fn data(timestamp_ms: u64, body: impl Into<Bytes>) -> Self {
        Self::parse(MediaKind::Data, timestamp_ms, body.into())
    }

    /// The same frame at another time; the body does not change.
    pub fn at(mut self, timestamp_ms: u64) -> Self {
        self.timestamp_ms = timestamp_ms;
        self
    }

    /// The same frame on another track: any but 0 makes an Enhanced body with a multitrack header of one track.
    /// Opaque frames and commands have no track and come back unchanged.
    pub fn with_track(self, track_id: u8) -> Self {
        if self.packet_type == PacketType::Command {
            return self;
        }
        let nanos = self.timestamp_ns;
        self.rebuild(track_id, nanos)
    }

    /// The same frame with an offset in nanoseconds (below 1,000,000) on its presentation time, which makes the body
    /// an Enhanced one. Opaque frames come back unchanged.
    pub fn with_nanos(self, nanos: u32) -> Self {
        let track = self.track_id;
        self.rebuild(track, nanos)
    }

    /// Whether decoding can start here.
    pub fn is_keyframe(&self) -> bool {
        self.flags.contains(FrameFlags::KEYFRAME)
    }

    /// Whether this is a codec configuration.
    pub fn is_config(&self) -> bool {
        self.flags.contains(FrameFlags::CONFIG)
    }

    /// Presentation time in milliseconds: decoding time plus composition time, not below 0.
    pub fn presentation_ms(&self) -> u64 {
        self.timestamp_ms
            .saturating_add_signed(i64::from(self.composition_ms))
    }

    /// What a command frame says.
    pub fn command(&self) -> Option<VideoCommand> {
        if self.packet_type != PacketType::Command {
            return None;
        }
        self.payload.first().map(|byte| VideoCommand::from_byte(*byte))
    }

    fn opaque(kind: MediaKind, timestamp_ms: u64, body: Bytes) -> Self {
        Self {
            kind,
            codec: None,
            codec_id: 0,
            track_id: 0,
            packet_type: PacketType::Opaque,
            flags: inspect(kind, &body),
            timestamp_ms,
            timestamp_ns: 0,
            composition_ms: 0,
            payload: body.clone(),
            body,
        }
    }

    fn parse_legacy_audio(mut self) -> Self {
        let Some(&first) = self.body.first() else {
            return self;
        };
        self.codec_id = first >> 4;
        self.codec = FourCc::from_audio_format(self.codec_id);
        let header = match (self.codec_id, self.body.get(1)) {
            (audio::AAC, Some(0)) => (PacketType::SequenceStart, 2),
            (audio::AAC, Some(1)) => (PacketType::CodedFrames, 2),
            (audio::AAC | 9 | 12 | 13, _) => return self,
            _ => (PacketType::CodedFrames, 1),
        };
        self.with_header(header)
    }

    fn parse_legacy_video(mut self) -> Self {
        let Some(&first) = self.body.first() else {
            return self;
        };
        self.codec_id = first & 0x0F;
        self.codec = FourCc::from_video_codec_id(self.codec_id);
        if first >> 4 == video::FRAME_COMMAND {
            return self.with_header((PacketType::Command, 1));
        }
        if !video::has_avc_layout(self.codec_id) {
            let known = self.codec.is_some();
            return if known {
                self.with_header((PacketType::CodedFrames, 1))
            } else {
                self
            };
        }
        let Some(&[_, packet, a, b, c]) = self.body.first_chunk::<{ video::AVC_HEADER }>() else {
            return self;
        };
        let packet_type = match packet {
            0 => PacketType::SequenceStart,
            1 => PacketType::CodedFrames,
            2 => PacketType::SequenceEnd,
            _ => return self,
        };
        if packet_type == PacketType::CodedFrames {
            self.composition_ms = video::read_si24([a, b, c]);
        }
        self.with_header((packet_type, video::AVC_HEADER))
    }

    fn with_header(mut self, (packet_type, header): (PacketType, usize)) -> Self {
        self.packet_type = packet_type;
        self.payload = self.body.slice(header.min(self.body.len())..);
        self
    }

    fn parse_enhanced(self) -> Self {
        let Some(header) = header::header(self.kind, &self.body) else {
            return self;
        };
        if let Some(range) = header.command(&self.body) {
            return self.command_frame(range, header.nanos);
        }
        match header.tracks(&self.body).next() {
            Some(track) => self.of_track(&header, track),
            None => self,
        }
    }

    fn command_frame(&self, payload: Range<usize>, nanos: u32) -> Self {
        let payload = self.body.slice(payload);
        Self {
            packet_type: PacketType::Command,
            timestamp_ns: nanos,
            payload,
            ..self.clone()
        }
    }

    fn of_track(&self, header: &header::Header, track: header::Track) -> Self {
        let mut payload = self.body.slice(track.packet);
        let mut composition_ms = 0;
        let timed = self.kind == MediaKind::Video && track.codec.has_composition_time();
        if timed
            && header.packet_type == PacketType::CodedFrames
            && let Some(time) = payload.first_chunk::<3>()
        {
            composition_ms = video::read_si24(*time);
            payload = payload.slice(3..);
        }
        Self {
            codec: Some(track.codec),
            track_id: track.id,
            packet_type: header.packet_type,
            timestamp_ns: header.nanos,
            composition_ms,
            payload,
            ..self.clone()
        }
    }

    fn build(spec: &Spec, timestamp_ms: u64, payload: &[u8]) -> Self {
        let legacy = if spec.track_id == 0 && spec.nanos == 0 {
            build_legacy(spec, payload)
        } else {
            None
        };
        let body = legacy
            .or_else(|| header::build(spec, payload))
            .unwrap_or_else(|| payload.to_vec());
        Self::parse(spec.kind, timestamp_ms, body.into())
    }

    fn rebuild(self, track_id: u8, nanos: u32) -> Self {
        let Some(spec) = self.spec() else { return self };
        let spec = Spec {
            track_id,
            nanos,
            ..spec
        };
        Self::build(&spec, self.timestamp_ms, &self.payload)
    }

    /// What this frame would be built from; `None` when nothing is known of it.
    fn spec(&self) -> Option<Spec> {
        if self.packet_type == PacketType::Opaque {
            return None;
        }
        let first = *self.body.first()?;
        Some(Spec {
            kind: self.kind,
            // A command of an Enhanced body names no codec, and needs none.
            codec: self
                .codec
                .or((self.packet_type == PacketType::Command).then_some(FourCc([0; 4])))?,
            packet_type: self.packet_type,
            frame_type: match self.kind {
                // Metadata may say it is a command frame, but behind a multitrack header that would make it a command.
                MediaKind::Video
                    if self.packet_type == PacketType::Metadata && first >> 4 & 7 == video::FRAME_COMMAND =>
                {
                    video::FRAME_KEY
                }
                MediaKind::Video if first & 0x80 != 0 => first >> 4 & 7,
                MediaKind::Video => first >> 4,
                _ => 0,
            },
            composition_ms: self.composition_ms,
            track_id: self.track_id,
            nanos: self.timestamp_ns,
        })
    }
}

const fn spec(kind: MediaKind, codec: FourCc, packet_type: PacketType) -> Spec {
    Spec {
        kind,
        codec,
        packet_type,
        frame_type: video::FRAME_KEY,
        composition_ms: 0,
        track_id: 0,
        nanos: 0,
    }
}

/// Builds a legacy body; `None` when the codec or the packet has no legacy form.
fn build_legacy(spec: &Spec, payload: &[u8]) -> Option<Vec<u8>> {
    let packet = match spec.packet_type {
        PacketType::SequenceStart => 0,
        PacketType::CodedFrames | PacketType::CodedFramesX => 1,
        PacketType::SequenceEnd => 2,
        PacketType::Command => 3,
        _ => return None,
    };
    let mut out = Vec::with_capacity(payload.len() + video::AVC_HEADER);
    match spec.kind {
        MediaKind::Video => {
            let codec_id = spec.codec.video_codec_id()?;
            out.push(spec.frame_type << 4 | codec_id);
            if video::has_avc_layout(codec_id) && packet < 3 {
                out.push(packet);
                out.extend_from_slice(&video::write_si24(if packet == 1 {
                    spec.composition_ms
                } else {
                    0
                }));
            }
        }
        MediaKind::Audio => {
            let header = match spec.codec.audio_format()? {
                audio::MP3 => AudioHeader::for_mp3(payload),
                format => AudioHeader::customary(format),
            };
            out.push(header.to_byte());
            if header.format == audio::AAC {
                // Legacy AAC has no end of sequence: an empty raw frame says as much.
                out.push(packet.min(1));
            }
        }
        MediaKind::Data => return None,
    }
    out.extend_from_slice(payload);
    Some(out)
}

#[cfg(test)]
mod tests;
