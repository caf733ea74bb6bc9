//! Codec names of four characters, as Enhanced RTMP signals them.

use std::fmt;

/// A codec named by four ASCII characters (E-RTMP v2 Enhanced Video, Enhanced Audio).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FourCc(pub [u8; 4]);

impl FourCc {
    /// H.264, legacy video codec 7.
    pub const AVC1: Self = Self(*b"avc1");
    /// H.265, in the legacy header codec 12 by a common extension.
    pub const HVC1: Self = Self(*b"hvc1");
    /// H.266, in the legacy header codec 14 by a common extension.
    pub const VVC1: Self = Self(*b"vvc1");
    /// AV1, in the legacy header codec 13 by a common extension.
    pub const AV01: Self = Self(*b"av01");
    /// VP8.
    pub const VP08: Self = Self(*b"vp08");
    /// VP9.
    pub const VP09: Self = Self(*b"vp09");
    /// AAC, legacy audio format 10.
    pub const MP4A: Self = Self(*b"mp4a");
    /// Opus.
    pub const OPUS: Self = Self(*b"Opus");
    /// FLAC.
    pub const FLAC: Self = Self(*b"fLaC");
    /// AC-3.
    pub const AC3: Self = Self(*b"ac-3");
    /// Enhanced AC-3.
    pub const EC3: Self = Self(*b"ec-3");
    /// MP3, legacy audio formats 2 and 14.
    pub const MP3: Self = Self(*b".mp3");

    /// Sorenson H.263, legacy video codec 2. This and the names below are customary in other containers and never
    /// stand in an Enhanced RTMP header.
    pub const H263: Self = Self(*b"FLV1");
    /// Screen video, legacy video codec 3.
    pub const SCREEN: Self = Self(*b"FSV1");
    /// Screen video version 2, legacy video codec 6.
    pub const SCREEN2: Self = Self(*b"FSV2");
    /// On2 VP6, legacy video codec 4.
    pub const VP6: Self = Self(*b"VP6F");
    /// On2 VP6 with an alpha channel, legacy video codec 5.
    pub const VP6A: Self = Self(*b"VP6A");
    /// Speex, legacy audio format 11.
    pub const SPEEX: Self = Self(*b"spex");
    /// Nellymoser, legacy audio formats 4, 5 and 6.
    pub const NELLYMOSER: Self = Self(*b"nmos");
    /// G.711 A-law, legacy audio format 7.
    pub const ALAW: Self = Self(*b"alaw");
    /// G.711 mu-law, legacy audio format 8.
    pub const ULAW: Self = Self(*b"ulaw");
    /// Linear PCM, little endian, legacy audio format 3.
    pub const PCM: Self = Self(*b"sowt");

    /// The name as the number that metadata carries (E-RTMP v2 `videocodecid`), big-endian.
    pub const fn as_u32(self) -> u32 {
        u32::from_be_bytes(self.0)
    }

    /// The name for a number found in metadata.
    pub const fn from_u32(value: u32) -> Self {
        Self(value.to_be_bytes())
    }

    /// Reads the first four bytes; `None` when there are fewer.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk::<4>().map(|name| Self(*name))
    }

    /// The name as text, when it is printable ASCII.
    pub fn as_str(&self) -> Option<&str> {
        let printable = self.0.iter().all(|b| (0x20..0x7F).contains(b));
        if printable {
            std::str::from_utf8(&self.0).ok()
        } else {
            None
        }
    }

    /// The codec behind a legacy video codec id (FLV 10.1 E.4.3.1), if it has a name here.
    pub const fn from_video_codec_id(id: u8) -> Option<Self> {
        Some(match id {
            2 => Self::H263,
            3 => Self::SCREEN,
            4 => Self::VP6,
            5 => Self::VP6A,
            6 => Self::SCREEN2,
            7 => Self::AVC1,
            12 => Self::HVC1,
            13 => Self::AV01,
            14 => Self::VVC1,
            _ => return None,
        })
    }

    /// The codec behind a legacy audio format (FLV 10.1 E.4.2.1), if it has a name here.
    pub const fn from_audio_format(format: u8) -> Option<Self> {
        Some(match format {
            2 | 14 => Self::MP3,
            3 => Self::PCM,
            4..=6 => Self::NELLYMOSER,
            7 => Self::ALAW,
            8 => Self::ULAW,
            10 => Self::MP4A,
            11 => Self::SPEEX,
            _ => return None,
        })
    }

    /// The legacy video codec id that the FLV specification gives this codec; `None` when only the Enhanced header
    /// can carry it (the extension ids 12 to 14 are read, never written).
    pub const fn video_codec_id(self) -> Option<u8> {
        Some(match self {
            Self::H263 => 2,
            Self::SCREEN => 3,
            Self::VP6 => 4,
            Self::VP6A => 5,
            Self::SCREEN2 => 6,
            Self::AVC1 => 7,
            _ => return None,
        })
    }

    /// The legacy audio format that the FLV specification gives this codec; `None` when only the Enhanced header can
    /// carry it.
    pub const fn audio_format(self) -> Option<u8> {
        Some(match self {
            Self::MP3 => 2,
            Self::PCM => 3,
            Self::NELLYMOSER => 6,
            Self::ALAW => 7,
            Self::ULAW => 8,
            Self::MP4A => 10,
            Self::SPEEX => 11,
            _ => return None,
        })
    }

    /// Whether Enhanced RTMP names this codec (E-RTMP v2 `VideoFourCc`, `AudioFourCc`).
    pub const fn is_enhanced(self) -> bool {
        let video = matches!(
            self,
            Self::AVC1 | Self::HVC1 | Self::VVC1 | Self::AV01 | Self::VP08 | Self::VP09
        );
        let audio = matches!(
            self,
            Self::MP4A | Self::OPUS | Self::FLAC | Self::AC3 | Self::EC3 | Self::MP3
        );
        video || audio
    }

    /// Whether coded frames of this codec carry a composition time in the Enhanced header (E-RTMP v2 ExVideoTagBody).
    pub const fn has_composition_time(self) -> bool {
        matches!(self, Self::AVC1 | Self::HVC1 | Self::VVC1)
    }
}

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FourCc({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_the_numbers_metadata_carries() {
        assert_eq!(FourCc::AV01.as_u32(), 1_635_135_537);
        assert_eq!(FourCc::HVC1.as_u32(), 1_752_589_105);
        assert_eq!(FourCc::OPUS.as_u32(), 1_332_770_163);
        assert_eq!(FourCc::from_u32(1_635_135_537), FourCc::AV01);
    }

    #[test]
    fn legacy_ids_map_both_ways() {
        for id in 0..=15 {
            if let Some(back) = FourCc::from_video_codec_id(id).and_then(FourCc::video_codec_id) {
                assert_eq!(back, id);
            }
        }
        assert_eq!(FourCc::from_audio_format(14), Some(FourCc::MP3));
        assert_eq!(FourCc::MP3.audio_format(), Some(2));
        assert_eq!(FourCc::OPUS.audio_format(), None);
    }

    #[test]
    fn unprintable_names_are_escaped() {
        assert_eq!(FourCc([0, b'a', 0xFF, b'b']).to_string(), "\\x00a\\xffb");
        assert_eq!(FourCc([0, b'a', 0xFF, b'b']).as_str(), None);
        assert_eq!(FourCc::from_slice(b"avc"), None);
    }
}
