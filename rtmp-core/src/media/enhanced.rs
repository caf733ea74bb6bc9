//! The Enhanced RTMP tag headers of audio and video (E-RTMP v2 ExAudioTagHeader, ExVideoTagHeader).

use std::ops::Range;

use super::{FourCc, MediaKind, video};

/// Packet type 7 of audio and video: modifiers stand before the real packet type.
pub(crate) const MOD_EX: u8 = 7;
/// Bytes of a FourCC.
pub(crate) const FOURCC: usize = 4;
/// The only modifier defined: a presentation offset in nanoseconds.
const MOD_EX_TIMESTAMP_OFFSET_NANO: u8 = 0;
/// Modifier sizes count one less; this one says that a size of 16 bits follows.
const MOD_EX_LONG_SIZE: usize = 256;
/// Layouts of a multitrack body: sized tracks of one codec, or each with its own.
const MANY_TRACKS: u8 = 1;
const MANY_CODECS: u8 = 2;
/// Longest packet of such a track, in bytes.
const MAX_PACKET: u32 = 0xFF_FFFF;
/// Tracks in one body.
const MAX_TRACKS: usize = 256;
/// The offset is below one millisecond.
const MAX_NANOS: u32 = 999_999;

/// What a frame's packet is. Legacy headers are expressed in the same terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketType {
    /// A codec configuration record.
    SequenceStart,
    /// Coded audio or video data.
    CodedFrames,
    /// The sequence ends; no payload.
    SequenceEnd,
    /// Coded video data whose composition time is zero and left out.
    CodedFramesX,
    /// Enhanced video metadata: AMF0 names and values.
    Metadata,
    /// A configuration in its MPEG-2 TS form (AV1 video descriptor).
    Mpeg2TsSequenceStart,
    /// The channel layout of an audio track, see [`MultichannelConfig`].
    MultichannelConfig,
    /// A video command: the payload is its byte.
    Command,
    /// Nothing is known of the body: script data, an empty body ("silence"), a reserved codec, or a broken header.
    Opaque,
    /// A reserved Enhanced packet type.
    Unknown(u8),
}

impl PacketType {
    /// The type behind a packet type nibble; audio and video number theirs differently.
    pub(crate) const fn from_nibble(kind: MediaKind, nibble: u8) -> Self {
        match (nibble, kind) {
            (0, _) => Self::SequenceStart,
            (1, _) => Self::CodedFrames,
            (2, _) => Self::SequenceEnd,
            (3, MediaKind::Video) => Self::CodedFramesX,
            (4, MediaKind::Video) => Self::Metadata,
            (4, MediaKind::Audio) => Self::MultichannelConfig,
            (5, MediaKind::Video) => Self::Mpeg2TsSequenceStart,
            _ => Self::Unknown(nibble),
        }
    }

    /// The nibble of a type; a command takes that of coded frames, and an opaque packet has none.
    pub(crate) const fn nibble(self) -> Option<u8> {
        Some(match self {
            Self::SequenceStart => 0,
            Self::CodedFrames | Self::Command => 1,
            Self::SequenceEnd => 2,
            Self::CodedFramesX => 3,
            Self::Metadata | Self::MultichannelConfig => 4,
            Self::Mpeg2TsSequenceStart => 5,
            Self::Unknown(nibble) => nibble,
            Self::Opaque => return None,
        })
    }
}

/// The packet type nibble that announces several tracks.
pub(crate) const fn multitrack(kind: MediaKind) -> u8 {
    if matches!(kind, MediaKind::Video) { 6 } else { 5 }
}

/// The header byte with all modifiers behind it read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prelude {
    /// The real packet type: never [`MOD_EX`].
    pub(crate) nibble: u8,
    /// Nanoseconds to add to the presentation time, below one million.
    pub(crate) nanos: u32,
    /// Where the rest of the header starts.
    pub(crate) offset: usize,
}

/// Reads the header byte and its modifiers; `None` when the body ends inside them.
pub(crate) fn prelude(body: &[u8]) -> Option<Prelude> {
    let mut found = Prelude {
        nibble: body.first()? & 0x0F,
        nanos: 0,
        offset: 1,
    };
    while found.nibble == MOD_EX {
        let mut rest = body.get(found.offset..)?;
        let mut size = usize::from(take::<1>(&mut rest)?[0]) + 1;
        if size == MOD_EX_LONG_SIZE {
            size = usize::from(u16::from_be_bytes(take::<2>(&mut rest)?)) + 1;
        }
        let data = rest.get(..size)?;
        let next = *rest.get(size)?;
        if next >> 4 == MOD_EX_TIMESTAMP_OFFSET_NANO
            && let Some([a, b, c]) = data.first_chunk::<3>()
        {
            found.nanos = u32::from_be_bytes([0, *a, *b, *c]).min(MAX_NANOS);
        }
        found.nibble = next & 0x0F;
        found.offset = body.len() - (rest.len() - size - 1);
    }
    Some(found)
}

/// One track's packet inside a body.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    pub(crate) codec: FourCc,
    pub(crate) id: u8,
    /// Where the packet lies in the body, composition time included.
    pub(crate) packet: Range<usize>,
}

/// An Enhanced body, taken apart as far as its tracks.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) packet_type: PacketType,
    pub(crate) nanos: u32,
    tracks: Layout,
}

#[derive(Clone, Debug)]
enum Layout {
    Command {
        at: usize,
    },
    Single {
        codec: FourCc,
        at: usize,
    },
    Multi {
        codec: Option<FourCc>,
        sized: bool,
        at: usize,
    },
}

/// Reads the header of an Enhanced body up to its first track; `None` when it is broken off or contradicts itself.
pub(crate) fn header(kind: MediaKind, body: &[u8]) -> Option<Header> {
    let Prelude {
        nibble,
        nanos,
        offset,
    } = prelude(body)?;
    let packet_type = PacketType::from_nibble(kind, nibble);
    let command = kind == MediaKind::Video && (body.first()? >> 4) & 7 == video::FRAME_COMMAND;
    if command && packet_type != PacketType::Metadata {
        return Some(Header {
            packet_type: PacketType::Command,
            nanos,
            tracks: Layout::Command { at: offset },
        });
    }
    if nibble != multitrack(kind) {
        let codec = FourCc::from_slice(body.get(offset..)?)?;
        return Some(Header {
            packet_type,
            nanos,
            tracks: Layout::Single {
                codec,
                at: offset + 4,
            },
        });
    }
    let (layout, inner) = (body.get(offset)? >> 4, body.get(offset)? & 0x0F);
    if layout > 2 || inner == multitrack(kind) || inner == MOD_EX {
        return None;
    }
    let codec = if layout == 2 {
        None
    } else {
        Some(FourCc::from_slice(body.get(offset + 1..)?)?)
    };
    let at = if layout == 2 { offset + 1 } else { offset + 5 };
    let tracks = Layout::Multi {
        codec,
        sized: layout != 0,
        at,
    };
    Some(Header {
        packet_type: PacketType::from_nibble(kind, inner),
        nanos,
        tracks,
    })
}

impl Header {
    /// The byte of a command body, as a range (empty when the body ends before it).
    pub(crate) fn command(&self, body: &[u8]) -> Option<Range<usize>> {
        match self.tracks {
            Layout::Command { at } => Some(at.min(body.len())..(at + 1).min(body.len())),
            _ => None,
        }
    }

    /// The tracks in the order they stand. A track whose declared size runs past the body ends the list, and so does
    /// the 256th: there are no more ids.
    pub(crate) fn tracks<'a>(&self, body: &'a [u8]) -> std::iter::Take<Tracks<'a>> {
        let tracks = Tracks {
            body,
            layout: Some(self.tracks.clone()),
        };
        tracks.take(MAX_TRACKS)
    }
}

/// The tracks of one body.
pub(crate) struct Tracks<'a> {
    body: &'a [u8],
    layout: Option<Layout>,
}

impl Iterator for Tracks<'_> {
    type Item = Track;

    fn next(&mut self) -> Option<Track> {
        match self.layout.take()? {
            Layout::Command { .. } => None,
            Layout::Single { codec, at } => Some(Track {
                codec,
                id: 0,
                packet: at..self.body.len(),
            }),
            Layout::Multi { codec, sized, at } => {
                let mut rest = self.body.get(at..)?;
                let track_codec = match codec {
                    Some(codec) => codec,
                    None => FourCc(take::<4>(&mut rest)?),
                };
                let id = take::<1>(&mut rest)?[0];
                let size = if sized { read_u24(&mut rest)? } else { rest.len() };
                let start = self.body.len() - rest.len();
                rest.get(..size)?;
                let end = start + size;
                if sized {
                    self.layout = Some(Layout::Multi {
                        codec,
                        sized,
                        at: end,
                    });
                }
                Some(Track {
                    codec: track_codec,
                    id,
                    packet: start..end,
                })
            }
        }
    }
}

/// The channel layout of an audio track (E-RTMP v2 ExAudioTagBody, `MultichannelConfig`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MultichannelConfig {
    /// Only the number of channels is known.
    Unspecified {
        /// Number of channels.
        channels: u8,
    },
    /// The channels stand in the order of their bits.
    Native {
        /// Number of channels.
        channels: u8,
        /// Bit n set: channel n is present (0 front left, 1 front right, 2 front centre, 3 low frequency, ...).
        mask: u32,
    },
    /// An explicit map.
    Custom {
        /// The speaker of each channel in stream order; 0xFE unused, 0xFF unknown.
        map: Vec<u8>,
    },
}

impl MultichannelConfig {
    /// Reads the payload of a [`PacketType::MultichannelConfig`] frame; `None` when it is cut short or of a reserved
    /// order.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut rest = payload;
        let [order, channels] = take::<2>(&mut rest)?;
        match order {
            0 => Some(Self::Unspecified { channels }),
            1 => Some(Self::Native {
                channels,
                mask: u32::from_be_bytes(take::<4>(&mut rest)?),
            }),
            2 => Some(Self::Custom {
                map: rest.get(..usize::from(channels))?.to_vec(),
            }),
            _ => None,
        }
    }

    /// The payload of a [`PacketType::MultichannelConfig`] frame. A map has at most 255 channels; more are cut off.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Unspecified { channels } => vec![0, *channels],
            Self::Native { channels, mask } => [&[1, *channels][..], &mask.to_be_bytes()].concat(),
            Self::Custom { map } => {
                let count = u8::try_from(map.len()).unwrap_or(u8::MAX);
                [&[2, count][..], &map[..usize::from(count)]].concat()
            }
        }
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        match self {
            Self::Unspecified { channels } | Self::Native { channels, .. } => usize::from(*channels),
            Self::Custom { map } => map.len(),
        }
    }
}

/// What a body is to be built from.
pub(crate) struct Spec {
    pub(crate) kind: MediaKind,
    pub(crate) codec: FourCc,
    pub(crate) packet_type: PacketType,
    /// Video frame type 1 to 5; ignored for audio.
    pub(crate) frame_type: u8,
    pub(crate) composition_ms: i32,
    pub(crate) track_id: u8,
    pub(crate) nanos: u32,
}

/// Builds an Enhanced body: modifier when there are nanoseconds, a single-track multitrack header when the track is
/// not 0. `None` when the packet type has no place in an Enhanced header.
pub(crate) fn build(spec: &Spec, payload: &[u8]) -> Option<Vec<u8>> {
    let video = spec.kind == MediaKind::Video;
    let timed = video && spec.codec.has_composition_time();
    let coded = matches!(
        spec.packet_type,
        PacketType::CodedFrames | PacketType::CodedFramesX
    );
    let packet_type = match (coded, timed && spec.composition_ms == 0) {
        (true, true) => PacketType::CodedFramesX,
        (true, false) => PacketType::CodedFrames,
        (false, _) => spec.packet_type,
    };
    let inner = packet_type.nibble()?;
    let command = spec.packet_type == PacketType::Command;
    let multi = spec.track_id != 0 && !command;
    let nibble = if multi { multitrack(spec.kind) } else { inner };
    let mut out = Vec::with_capacity(payload.len() + 20);
    write_prelude(spec, nibble, &mut out);
    if multi {
        out.push(inner);
    }
    if !command {
        out.extend_from_slice(&spec.codec.0);
    }
    if multi {
        out.push(spec.track_id);
    }
    if timed && packet_type == PacketType::CodedFrames {
        out.extend_from_slice(&video::write_si24(spec.composition_ms));
    }
    out.extend_from_slice(payload);
    Some(out)
}

/// Builds a body of many tracks from packets that agree in all but codec, composition time and track. Fails with the
/// position of a packet that is too long.
pub(crate) fn build_many(packets: &[(Spec, &[u8])]) -> Result<Vec<u8>, usize> {
    let Some((first, _)) = packets.first() else {
        return Err(0);
    };
    let timed = |spec: &Spec| spec.kind == MediaKind::Video && spec.codec.has_composition_time();
    let coded = matches!(
        first.packet_type,
        PacketType::CodedFrames | PacketType::CodedFramesX
    );
    // The short form is for all tracks or none, and only some codecs have it.
    let short = packets
        .iter()
        .all(|(spec, _)| timed(spec) && spec.composition_ms == 0);
    let packet_type = match (coded, short) {
        (true, true) => PacketType::CodedFramesX,
        (true, false) => PacketType::CodedFrames,
        (false, _) => first.packet_type,
    };
    let one_codec = packets.iter().all(|(spec, _)| spec.codec == first.codec);
    let layout = if one_codec { MANY_TRACKS } else { MANY_CODECS };

    let mut out = Vec::new();
    write_prelude(first, multitrack(first.kind), &mut out);
    out.push(layout << 4 | packet_type.nibble().ok_or(0usize)?);
    if one_codec {
        out.extend_from_slice(&first.codec.0);
    }
    for (at, (spec, payload)) in packets.iter().enumerate() {
        if !one_codec {
            out.extend_from_slice(&spec.codec.0);
        }
        let with_time = packet_type == PacketType::CodedFrames && timed(spec);
        let size = payload.len() + if with_time { 3 } else { 0 };
        let size = u32::try_from(size)
            .ok()
            .filter(|size| *size <= MAX_PACKET)
            .ok_or(at)?;
        out.push(spec.track_id);
        out.extend_from_slice(&size.to_be_bytes()[1..]);
        if with_time {
            out.extend_from_slice(&video::write_si24(spec.composition_ms));
        }
        out.extend_from_slice(payload);
    }
    Ok(out)
}

/// Writes the header byte that ends in `nibble`, behind a modifier when there are nanoseconds.
fn write_prelude(spec: &Spec, nibble: u8, out: &mut Vec<u8>) {
    let high = if spec.kind == MediaKind::Video {
        0x80 | (spec.frame_type & 7) << 4
    } else {
        0x90
    };
    if spec.nanos == 0 {
        return out.push(high | nibble);
    }
    let [_, a, b, c] = spec.nanos.min(MAX_NANOS).to_be_bytes();
    let mod_ex = MOD_EX_TIMESTAMP_OFFSET_NANO << 4 | nibble;
    out.extend_from_slice(&[high | MOD_EX, 2, a, b, c, mod_ex]);
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

fn read_u24(rest: &mut &[u8]) -> Option<usize> {
    let [a, b, c] = take::<3>(rest)?;
    usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()
}
