//! The tracks of a multitrack body, and what is left of it for a receiver that knows none (E-RTMP v2 "Multitrack
//! Streaming via Enhanced RTMP").

use std::fmt;

use bytes::Bytes;

use super::audio::{self, AudioHeader};
use super::enhanced::{self, Header, PacketType, Track};
use super::{FourCc, MediaKind, video};

/// A set of track ids.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct TrackSet([u64; 4]);

impl TrackSet {
    /// The set of one track.
    pub fn only(track_id: u8) -> Self {
        let mut set = Self::default();
        set.insert(track_id);
        set
    }

    /// Adds a track.
    pub fn insert(&mut self, track_id: u8) {
        let (word, bit) = Self::place(track_id);
        self.0[word] |= bit;
    }

    /// Whether the track is in the set.
    pub fn contains(self, track_id: u8) -> bool {
        let (word, bit) = Self::place(track_id);
        self.0[word] & bit != 0
    }

    /// Whether there is no track.
    pub fn is_empty(self) -> bool {
        self.0 == [0; 4]
    }

    /// How many tracks there are.
    pub fn len(self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The lowest track id.
    pub fn first(self) -> Option<u8> {
        (0..=u8::MAX).find(|id| self.contains(*id))
    }

    fn place(track_id: u8) -> (usize, u64) {
        (usize::from(track_id >> 6), 1 << (track_id & 63))
    }
}

impl fmt::Debug for TrackSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries((0..=u8::MAX).filter(|id| self.contains(*id)))
            .finish()
    }
}

/// The track ids in a body: those of a multitrack body, 0 for any other body with a header. Empty for an empty body,
/// script data, and a multitrack body that cannot be read.
pub fn track_ids(kind: MediaKind, body: &[u8]) -> TrackSet {
    if kind == MediaKind::Data || body.is_empty() {
        return TrackSet::default();
    }
    if !is_enhanced(kind, body) {
        return TrackSet::only(0);
    }
    let mut set = TrackSet::default();
    if let Some(header) = enhanced::header(kind, body) {
        header.tracks(body).for_each(|track| set.insert(track.id));
    }
    set
}

/// What of an Enhanced body a receiver is not able to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Modifiers before the packet (`ModEx`).
    Modifiers,
    /// Modifiers and multitrack headers.
    Multitrack,
    /// Everything Enhanced, as far as a codec has a legacy header.
    Enhanced,
}

/// What a body becomes for a receiver with less understanding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reduced {
    /// Nothing has to change.
    Same,
    /// Another body.
    Body(Bytes),
    /// Nothing is left: the body is about other tracks, or has no form the receiver knows.
    Nothing,
}

/// Whether [`reduce`] may have something to do: a look at the first bytes, for every message and receiver.
#[inline]
pub fn is_reducible(kind: MediaKind, body: &[u8], reduction: Reduction) -> bool {
    let Some(first) = body.first().filter(|_| is_enhanced(kind, body)) else {
        return false;
    };
    let nibble = first & 0x0F;
    nibble == enhanced::MOD_EX
        || (nibble == enhanced::multitrack(kind) && reduction != Reduction::Modifiers)
        || (reduction == Reduction::Enhanced
            && FourCc::from_slice(&body[1..]).is_some_and(|codec| has_legacy_header(kind, codec)))
}

/// Turns a body into one for a receiver that cannot read what `reduction` says. Of a multitrack body only `track_id`
/// is left, as a body of a single track. Legacy bodies and script data stay as they are, and so do Enhanced bodies
/// whose codec has no legacy header. A body that cannot be read is left to the receiver unless it is a multitrack one.
pub fn reduce(kind: MediaKind, body: &[u8], track_id: u8, reduction: Reduction) -> Reduced {
    if !is_enhanced(kind, body) {
        return Reduced::Same;
    }
    let Some(prelude) = enhanced::prelude(body) else {
        return Reduced::Same;
    };
    let multi = prelude.nibble == enhanced::multitrack(kind);
    let Some(header) = enhanced::header(kind, body) else {
        let dropped = multi && reduction != Reduction::Modifiers;
        return if dropped { Reduced::Nothing } else { Reduced::Same };
    };
    let plain = !multi || header.command(body).is_some();
    if reduction == Reduction::Modifiers || plain {
        if reduction == Reduction::Enhanced
            && let Some(track) = header.tracks(body).next()
            && has_legacy_header(kind, track.codec)
        {
            return legacy(kind, body, &header, &track);
        }
        return without_modifiers(body, prelude);
    }
    let Some(track) = header.tracks(body).find(|track| track.id == track_id) else {
        return Reduced::Nothing;
    };
    if reduction == Reduction::Enhanced && has_legacy_header(kind, track.codec) {
        return legacy(kind, body, &header, &track);
    }
    single(body, &header, &track)
}

/// Whether the first byte announces an Enhanced header.
fn is_enhanced(kind: MediaKind, body: &[u8]) -> bool {
    match (kind, body.first()) {
        (MediaKind::Video, Some(first)) => first & 0x80 != 0,
        (MediaKind::Audio, Some(first)) => first >> 4 == audio::EX_HEADER,
        _ => false,
    }
}

fn has_legacy_header(kind: MediaKind, codec: FourCc) -> bool {
    match kind {
        MediaKind::Video => codec == FourCc::AVC1,
        MediaKind::Audio => matches!(codec, FourCc::MP4A | FourCc::MP3),
        MediaKind::Data => false,
    }
}

fn without_modifiers(body: &[u8], prelude: enhanced::Prelude) -> Reduced {
    let (Some(first), Some(rest)) = (body.first(), body.get(prelude.offset..)) else {
        return Reduced::Same;
    };
    if first & 0x0F != enhanced::MOD_EX {
        return Reduced::Same;
    }
    let mut out = Vec::with_capacity(rest.len() + 1);
    out.push(first & 0xF0 | prelude.nibble);
    out.extend_from_slice(rest);
    Reduced::Body(out.into())
}

fn single(body: &[u8], header: &Header, track: &Track) -> Reduced {
    let (Some(first), Some(packet)) = (body.first(), body.get(track.packet.clone())) else {
        return Reduced::Nothing;
    };
    let Some(nibble) = header.packet_type.nibble() else {
        return Reduced::Nothing;
    };
    let mut out = Vec::with_capacity(packet.len() + 1 + enhanced::FOURCC);
    out.push(first & 0xF0 | nibble);
    out.extend_from_slice(&track.codec.0);
    out.extend_from_slice(packet);
    Reduced::Body(out.into())
}

/// The legacy body; packets without one (colour information, channel layouts) are left out.
fn legacy(kind: MediaKind, body: &[u8], header: &Header, track: &Track) -> Reduced {
    let (Some(first), Some(packet)) = (body.first(), body.get(track.packet.clone())) else {
        return Reduced::Nothing;
    };
    let start = match (kind, header.packet_type) {
        (MediaKind::Video, packet_type) => {
            let first = (first >> 4 & 7) << 4 | video::AVC;
            // The composition time of coded frames is part of the packet.
            match packet_type {
                PacketType::SequenceStart => vec![first, 0, 0, 0, 0],
                PacketType::CodedFrames => vec![first, 1],
                PacketType::CodedFramesX => vec![first, 1, 0, 0, 0],
                PacketType::SequenceEnd => vec![first, 2, 0, 0, 0],
                _ => return Reduced::Nothing,
            }
        }
        (_, packet_type) if track.codec == FourCc::MP4A => match packet_type {
            PacketType::SequenceStart => vec![AudioHeader::AAC.to_byte(), 0],
            // Legacy AAC has no end of sequence: an empty raw frame says as much.
            PacketType::CodedFrames | PacketType::SequenceEnd => vec![AudioHeader::AAC.to_byte(), 1],
            _ => return Reduced::Nothing,
        },
        (_, PacketType::CodedFrames) => vec![AudioHeader::for_mp3(packet).to_byte()],
        _ => return Reduced::Nothing,
    };
    Reduced::Body([&start, packet].concat().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use MediaKind::{Audio, Video};

    const TWO_TRACKS: &[u8] = b"\x96\x11hvc1\x00\0\0\x05\0\0\x0aAA\x02\0\0\x04\0\0\0B";

    fn reduced(kind: MediaKind, body: &[u8], reduction: Reduction) -> Option<Vec<u8>> {
        let same = reduce(kind, body, 0, reduction) == Reduced::Same;
        assert!(same || is_reducible(kind, body, reduction));
        match reduce(kind, body, 0, reduction) {
            Reduced::Same => Some(body.to_vec()),
            Reduced::Body(body) => Some(body.to_vec()),
            Reduced::Nothing => None,
        }
    }

    #[test]
    fn sets_hold_every_track_id() {
        let mut set = TrackSet::default();
        assert!(set.is_empty());
        for id in [255, 64, 3] {
            set.insert(id);
        }
        assert_eq!((set.len(), set.first()), (3, Some(3)));
        assert!(set.contains(255) && set.contains(64) && !set.contains(63));
        assert_eq!(format!("{set:?}"), "{3, 64, 255}");
    }

    #[test]
    fn tracks_are_read_from_the_header() {
        let ids = |kind, body: &[u8]| track_ids(kind, body);
        assert_eq!(ids(Video, b"\x17\x01\0\0\0"), TrackSet::only(0));
        assert_eq!(ids(Video, b"\x90hvc1"), TrackSet::only(0));
        assert_eq!(ids(Video, b"\x96\x00hvc1\x05"), TrackSet::only(5));
        assert_eq!(format!("{:?}", ids(Video, TWO_TRACKS)), "{0, 2}");
        assert!(ids(Video, b"").is_empty());
        assert!(ids(Video, b"\x96\x30hvc1\x05").is_empty(), "reserved layout");
        assert!(ids(Video, b"\x96\x07hvc1\x05").is_empty(), "a modifier inside");
        assert!(ids(MediaKind::Data, b"\x02").is_empty());
    }

    #[test]
    fn one_track_of_many_is_left_with_its_composition_time() {
        let one = |track| reduce(Video, TWO_TRACKS, track, Reduction::Multitrack);
        assert_eq!(one(0), Reduced::Body(b"\x91hvc1\0\0\x0aAA"[..].into()));
        assert_eq!(one(2), Reduced::Body(b"\x91hvc1\0\0\0B"[..].into()));
        assert_eq!(one(1), Reduced::Nothing);
    }

    #[test]
    fn codecs_per_track_are_kept() {
        let body = b"\x95\x21Opus\x00\0\0\x02\xAA\xBBmp4a\x01\0\0\x01\xCC";
        assert_eq!(
            reduced(Audio, body, Reduction::Multitrack).unwrap(),
            b"\x91Opus\xAA\xBB"
        );
        assert_eq!(
            reduce(Audio, body, 1, Reduction::Enhanced),
            Reduced::Body(b"\xAF\x01\xCC"[..].into())
        );
    }

    #[test]
    fn modifiers_alone_can_be_taken_away() {
        let body = b"\xA7\x02\x07\xA1\x20\x03hvc1N";
        for reduction in [Reduction::Modifiers, Reduction::Multitrack, Reduction::Enhanced] {
            assert_eq!(reduced(Video, body, reduction).unwrap(), b"\xA3hvc1N");
        }
        let multi = b"\x97\x02\0\0\x01\x06\x01hvc1\x00\0\0\0N";
        assert_eq!(
            reduced(Video, multi, Reduction::Modifiers).unwrap(),
            b"\x96\x01hvc1\x00\0\0\0N"
        );
        assert_eq!(
            reduced(Video, multi, Reduction::Multitrack).unwrap(),
            b"\x91hvc1\0\0\0N"
        );
        assert_eq!(
            reduced(Video, b"\xD7\x02\0\0\x01\x01\x00", Reduction::Multitrack).unwrap(),
            b"\xD1\x00",
            "a command"
        );
    }

    #[test]
    fn codecs_with_a_legacy_header_get_it() {
        let legacy = |kind, body: &[u8]| reduced(kind, body, Reduction::Enhanced);
        assert_eq!(
            legacy(Video, b"\x90avc1\x01\x64").unwrap(),
            b"\x17\0\0\0\0\x01\x64"
        );
        assert_eq!(
            legacy(Video, b"\x91avc1\xFF\xFF\xD8N").unwrap(),
            b"\x17\x01\xFF\xFF\xD8N"
        );
        assert_eq!(legacy(Video, b"\xA3avc1N").unwrap(), b"\x27\x01\0\0\0N");
        assert_eq!(legacy(Video, b"\x92avc1").unwrap(), b"\x17\x02\0\0\0");
        assert_eq!(legacy(Video, b"\x94avc1\x02"), None, "colour information");
        assert_eq!(legacy(Video, b"\x90hvc1\x01").unwrap(), b"\x90hvc1\x01");
        assert_eq!(legacy(Audio, b"\x90mp4a\x12\x10").unwrap(), b"\xAF\x00\x12\x10");
        assert_eq!(legacy(Audio, b"\x91mp4a\x21").unwrap(), b"\xAF\x01\x21");
        assert_eq!(legacy(Audio, b"\x92mp4a").unwrap(), b"\xAF\x01");
        assert_eq!(
            legacy(Audio, b"\x91.mp3\xFF\xFB\x90\x64").unwrap(),
            b"\x2F\xFF\xFB\x90\x64"
        );
        assert_eq!(legacy(Audio, b"\x94mp4a\x01\x06\0\0\x06\x0F"), None);
        assert_eq!(
            legacy(Video, b"\x96\x00avc1\x00\x01\x64").unwrap(),
            b"\x17\0\0\0\0\x01\x64"
        );
    }

    #[test]
    fn what_cannot_be_read_is_left_alone_unless_it_is_multitrack() {
        assert_eq!(
            reduced(Video, b"\x90hv", Reduction::Multitrack).unwrap(),
            b"\x90hv"
        );
        assert_eq!(reduced(Video, b"\x96\x36hvc1", Reduction::Multitrack), None);
        assert_eq!(reduced(Video, b"\x17", Reduction::Enhanced).unwrap(), b"\x17");
        assert_eq!(reduced(Video, b"", Reduction::Enhanced).unwrap(), b"");
        assert_eq!(
            reduced(Video, b"\x98hvc1\x01", Reduction::Multitrack).unwrap(),
            b"\x98hvc1\x01"
        );
    }
}
