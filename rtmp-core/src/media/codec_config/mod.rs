//! Codec configuration records: what a sequence header says of the stream that follows.
//!
//! The layouts are those of the MP4 boxes of the same name (ISO/IEC 14496-15 and -3, RFC 7845, the AV1 and VP codec
//! bindings); E-RTMP v2 and FLV 10.1 E.4.3.2 carry them as they are. Reading is for information: relaying never
//! depends on it.

mod aac;
mod av1;
mod avc;
mod bits;
mod flac;
mod hevc;
mod opus;
mod vpx;

pub use aac::AacConfig;
pub use av1::Av1Config;
pub use avc::AvcConfig;
pub use flac::FlacConfig;
pub use hevc::HevcConfig;
pub use opus::OpusConfig;
pub use vpx::VpxConfig;

use super::FourCc;

/// Why a configuration record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecConfigError {
    /// The record ends inside a field.
    #[error("{record} ends inside {field}; the sender cut the sequence header short")]
    Truncated {
        /// The record, such as `avcC`.
        record: &'static str,
        /// The field that was due.
        field: &'static str,
    },
    /// A field has a value that the format does not allow.
    #[error("{record}: {field} is {value}, which the format does not allow; the sequence header is damaged")]
    Invalid {
        /// The record, such as `avcC`.
        record: &'static str,
        /// The field.
        field: &'static str,
        /// What it holds.
        value: u32,
    },
    /// No reader for this codec's record.
    #[error("no reader for the configuration record of codec {0}; relay it untouched")]
    Unsupported(FourCc),
}

/// The configuration record of any codec that this module reads.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodecConfig {
    /// H.264.
    Avc(AvcConfig),
    /// H.265.
    Hevc(HevcConfig),
    /// AV1.
    Av1(Av1Config),
    /// VP8 or VP9.
    Vpx(VpxConfig),
    /// AAC.
    Aac(AacConfig),
    /// Opus.
    Opus(OpusConfig),
    /// FLAC.
    Flac(FlacConfig),
}

impl CodecConfig {
    /// Reads the payload of a sequence start frame of `codec`.
    pub fn parse(codec: FourCc, payload: &[u8]) -> Result<Self, CodecConfigError> {
        Ok(match codec {
            FourCc::AVC1 => Self::Avc(AvcConfig::parse(payload)?),
            FourCc::HVC1 => Self::Hevc(HevcConfig::parse(payload)?),
            FourCc::AV01 => Self::Av1(Av1Config::parse(payload)?),
            FourCc::VP08 | FourCc::VP09 => Self::Vpx(VpxConfig::parse(payload)?),
            FourCc::MP4A => Self::Aac(AacConfig::parse(payload)?),
            FourCc::OPUS => Self::Opus(OpusConfig::parse(payload)?),
            FourCc::FLAC => Self::Flac(FlacConfig::parse(payload)?),
            other => return Err(CodecConfigError::Unsupported(other)),
        })
    }

    /// Picture width and height in pixels, where the record tells them.
    pub const fn dimensions(&self) -> Option<(u32, u32)> {
        match self {
            Self::Avc(config) => config.dimensions,
            Self::Hevc(config) => config.dimensions,
            _ => None,
        }
    }

    /// Audio sample rate in Hz, where the record tells it.
    pub fn sample_rate(&self) -> Option<u32> {
        match self {
            Self::Aac(config) => Some(config.output_rate()),
            Self::Opus(_) => Some(OpusConfig::RATE),
            Self::Flac(config) => Some(config.sample_rate),
            _ => None,
        }
    }

    /// Number of audio channels, where the record tells it.
    pub const fn channels(&self) -> Option<u8> {
        match self {
            Self::Aac(config) => config.channels,
            Self::Opus(config) => Some(config.channels),
            Self::Flac(config) => Some(config.channels),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const READABLE: [FourCc; 8] = [
        FourCc::AVC1,
        FourCc::HVC1,
        FourCc::AV01,
        FourCc::VP08,
        FourCc::VP09,
        FourCc::MP4A,
        FourCc::OPUS,
        FourCc::FLAC,
    ];

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(codec in 0..READABLE.len(), bytes: Vec<u8>) {
            let _ = CodecConfig::parse(READABLE[codec], &bytes);
        }

        #[test]
        fn any_parameter_set_is_read_or_refused(sps in proptest::collection::vec(any::<u8>(), 0..80)) {
            let length = (sps.len() as u16).to_be_bytes();
            let avc = [&[1, 100, 0, 10, 0xFF, 0xE1][..], &length, &sps, &[0]].concat();
            let _ = CodecConfig::parse(FourCc::AVC1, &avc);
            let hevc = [&[1; 22][..], &[1, 33, 0, 1], &length, &sps].concat();
            let _ = CodecConfig::parse(FourCc::HVC1, &hevc);
        }
    }

    #[test]
    fn other_codecs_have_no_record_to_read() {
        assert_eq!(
            CodecConfig::parse(FourCc::MP3, &[]),
            Err(CodecConfigError::Unsupported(FourCc::MP3))
        );
    }
}
