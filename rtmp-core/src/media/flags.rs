//! What a message body is, told from its first bytes: the question asked of every published message.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

use super::audio;
use super::enhanced;
use super::metadata;
use super::video;
use super::{MediaKind, PacketType};

/// What a frame is good for: a set of flags.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct FrameFlags(u16);

impl FrameFlags {
    /// No flag: an inter frame, an audio frame, or a body nobody can read.
    pub const EMPTY: Self = Self(0);
    /// A video key frame: decoding can start here.
    pub const KEYFRAME: Self = Self(1);
    /// A codec configuration (sequence header) that late joiners need before any frame.
    pub const CONFIG: Self = Self(1 << 1);
    /// The sequence of this track ends.
    pub const END_OF_SEQUENCE: Self = Self(1 << 2);
    /// An inter frame that no other frame refers to (legacy frame type 3).
    pub const DISPOSABLE: Self = Self(1 << 3);
    /// The body has an Enhanced RTMP header.
    pub const ENHANCED: Self = Self(1 << 4);
    /// Metadata: an Enhanced video metadata packet (colour information), or an `onMetaData` data message.
    pub const METADATA: Self = Self(1 << 5);
    /// A video command (start or end of client-side seeking): no picture inside.
    pub const COMMAND: Self = Self(1 << 6);
    /// The body is an Enhanced multitrack body: `Frame::parse_all` yields its tracks.
    pub const MULTITRACK: Self = Self(1 << 7);

    const NAMES: [(&'static str, Self); 8] = [
        ("KEYFRAME", Self::KEYFRAME),
        ("CONFIG", Self::CONFIG),
        ("END_OF_SEQUENCE", Self::END_OF_SEQUENCE),
        ("DISPOSABLE", Self::DISPOSABLE),
        ("ENHANCED", Self::ENHANCED),
        ("METADATA", Self::METADATA),
        ("COMMAND", Self::COMMAND),
        ("MULTITRACK", Self::MULTITRACK),
    ];

    /// Whether every flag of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any flag of `other` is set.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether no flag is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Both sets together.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Sets the flags of `other`.
    pub const fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// The set as a number, one bit per flag in the order of the constants here.
    pub const fn bits(self) -> u16 {
        self.0
    }
}

impl BitOr for FrameFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl BitOrAssign for FrameFlags {
    fn bitor_assign(&mut self, other: Self) {
        self.insert(other);
    }
}

impl fmt::Debug for FrameFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut set = f.debug_set();
        for (name, flag) in Self::NAMES {
            if self.contains(flag) {
                set.entry(&format_args!("{name}"));
            }
        }
        set.finish()
    }
}

/// Says what a message body is. Reads a handful of bytes, allocates nothing, and accepts a body of any length.
///
/// A configuration counts as [`FrameFlags::CONFIG`] only when it holds something: some encoders send an empty AVC or
/// AAC record, and remembering that in place of the real one would leave late joiners without a decoder. Enhanced
/// sequence starts may be empty by right (Opus, AC-3).
#[inline]
pub fn inspect(kind: MediaKind, body: &[u8]) -> FrameFlags {
    let Some(&first) = body.first() else {
        return FrameFlags::EMPTY;
    };
    match kind {
        MediaKind::Video if first & 0x80 != 0 => inspect_enhanced(kind, first, body),
        MediaKind::Video => inspect_legacy_video(first, body),
        MediaKind::Audio if first >> 4 == audio::EX_HEADER => inspect_enhanced(kind, first, body),
        MediaKind::Audio if first >> 4 == audio::AAC && body.len() > 2 && body[1] == 0 => FrameFlags::CONFIG,
        MediaKind::Audio => FrameFlags::EMPTY,
        MediaKind::Data if metadata::is_metadata(body) => FrameFlags::METADATA,
        MediaKind::Data => FrameFlags::EMPTY,
    }
}

fn inspect_legacy_video(first: u8, body: &[u8]) -> FrameFlags {
    let frame_type = first >> 4;
    if frame_type == video::FRAME_COMMAND {
        return FrameFlags::COMMAND;
    }
    if video::has_avc_layout(first & 0x0F) {
        match body.get(1) {
            Some(0) if body.len() > video::AVC_HEADER => return FrameFlags::CONFIG,
            Some(1) => {}
            Some(2) => return FrameFlags::END_OF_SEQUENCE,
            _ => return FrameFlags::EMPTY,
        }
    }
    frame_type_flags(frame_type)
}

fn inspect_enhanced(kind: MediaKind, first: u8, body: &[u8]) -> FrameFlags {
    let (nibble, at) = match first & 0x0F {
        enhanced::MOD_EX => match enhanced::prelude(body) {
            Some(prelude) => (prelude.nibble, prelude.offset),
            None => return FrameFlags::ENHANCED,
        },
        nibble => (nibble, 1),
    };
    let frame_type = if kind == MediaKind::Video {
        (first >> 4) & 7
    } else {
        0
    };
    let packet_type = PacketType::from_nibble(kind, nibble);
    if frame_type == video::FRAME_COMMAND && packet_type != PacketType::Metadata {
        return FrameFlags::ENHANCED | FrameFlags::COMMAND;
    }
    if nibble != enhanced::multitrack(kind) {
        let named = body.len() >= at + enhanced::FOURCC;
        let flags = if named {
            packet_flags(packet_type, frame_type)
        } else {
            FrameFlags::EMPTY
        };
        return FrameFlags::ENHANCED | flags;
    }
    let flags = FrameFlags::ENHANCED | FrameFlags::MULTITRACK;
    match body.get(at) {
        // Layout, FourCC and track id are there, whichever of the three layouts it is.
        Some(inner) if body.len() >= at + 2 + enhanced::FOURCC => {
            flags | packet_flags(PacketType::from_nibble(kind, inner & 0x0F), frame_type)
        }
        _ => flags,
    }
}

fn packet_flags(packet_type: PacketType, frame_type: u8) -> FrameFlags {
    match packet_type {
        PacketType::SequenceStart | PacketType::Mpeg2TsSequenceStart | PacketType::MultichannelConfig => {
            FrameFlags::CONFIG
        }
        PacketType::CodedFrames | PacketType::CodedFramesX => frame_type_flags(frame_type),
        PacketType::SequenceEnd => FrameFlags::END_OF_SEQUENCE,
        PacketType::Metadata => FrameFlags::METADATA,
        _ => FrameFlags::EMPTY,
    }
}

const fn frame_type_flags(frame_type: u8) -> FrameFlags {
    match frame_type {
        video::FRAME_KEY | video::FRAME_GENERATED_KEY => FrameFlags::KEYFRAME,
        video::FRAME_DISPOSABLE => FrameFlags::DISPOSABLE,
        _ => FrameFlags::EMPTY,
    }
}
