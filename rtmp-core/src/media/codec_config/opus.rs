//! Opus: the ID header (RFC 7845 5.1).

use super::CodecConfigError;

const RECORD: &str = "OpusHead";

/// What an Opus ID header says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpusConfig {
    /// Number of output channels.
    pub channels: u8,
    /// Samples to drop at the start, at 48 kHz.
    pub pre_skip: u16,
    /// Sample rate of the original input in Hz; 0 is unspecified. Decoding always gives [`OpusConfig::RATE`].
    pub input_rate: u32,
    /// Gain to apply, in 1/256 dB.
    pub output_gain: i16,
    /// Channel mapping family: 0 mono or stereo, 1 surround, 255 undefined.
    pub mapping_family: u8,
    /// Number of streams in a packet, and how many of them are stereo.
    pub streams: (u8, u8),
    /// Which decoded channel each output channel takes; empty for family 0.
    pub mapping: Vec<u8>,
}

impl OpusConfig {
    /// The rate every Opus decoder can give, in Hz.
    pub const RATE: u32 = 48_000;

    /// Reads the header. E-RTMP v2 allows an empty one: that is [`CodecConfigError::Truncated`] here, and mono or
    /// stereo to the player.
    pub fn parse(header: &[u8]) -> Result<Self, CodecConfigError> {
        let truncated = |field| CodecConfigError::Truncated {
            record: RECORD,
            field,
        };
        let (fixed, rest) = header
            .split_first_chunk::<19>()
            .ok_or(truncated("fixed fields"))?;
        let [
            magic @ ..,
            version,
            channels,
            s0,
            s1,
            r0,
            r1,
            r2,
            r3,
            g0,
            g1,
            mapping_family,
        ] = *fixed;
        let invalid = |field, value| {
            Err(CodecConfigError::Invalid {
                record: RECORD,
                field,
                value,
            })
        };
        if magic != *b"OpusHead" {
            return invalid(
                "magic",
                u32::from_be_bytes([magic[0], magic[1], magic[2], magic[3]]),
            );
        }
        if version & 0xF0 != 0 {
            return invalid("version", version.into());
        }
        if channels == 0 {
            return invalid("channel count", 0);
        }
        let (streams, mapping) = if mapping_family == 0 {
            ((1, u8::from(channels > 1)), Vec::new())
        } else {
            let (&[streams, coupled], table) = rest.split_first_chunk().ok_or(truncated("stream counts"))?;
            let mapping = table
                .get(..usize::from(channels))
                .ok_or(truncated("channel mapping"))?;
            ((streams, coupled), mapping.to_vec())
        };
        Ok(Self {
            channels,
            pre_skip: u16::from_le_bytes([s0, s1]),
            input_rate: u32::from_le_bytes([r0, r1, r2, r3]),
            output_gain: i16::from_le_bytes([g0, g1]),
            mapping_family,
            streams,
            mapping,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stereo() {
        let config = OpusConfig::parse(b"OpusHead\x01\x02\x38\x01\x80\xBB\0\0\0\0\0").unwrap();
        assert_eq!(
            (config.channels, config.pre_skip, config.input_rate),
            (2, 312, 48_000)
        );
        assert_eq!(
            (config.output_gain, config.mapping_family, config.streams),
            (0, 0, (1, 1))
        );
    }

    #[test]
    fn surround_needs_its_mapping() {
        let header = b"OpusHead\x01\x06\x38\x01\x80\xBB\0\0\0\0\x01\x04\x02\0\x04\x01\x02\x03\x05";
        let config = OpusConfig::parse(header).unwrap();
        assert_eq!(
            (config.streams, &config.mapping[..]),
            ((4, 2), &[0, 4, 1, 2, 3, 5][..])
        );
        assert!(OpusConfig::parse(&header[..header.len() - 1]).is_err());
        assert!(OpusConfig::parse(&header[..19]).is_err());
        assert!(OpusConfig::parse(b"").is_err());
    }
}
