//! FLAC: the signature and STREAMINFO block (FLAC format, metadata block 0).

use super::CodecConfigError;
use super::bits::BitReader;

const RECORD: &str = "fLaC";
const STREAMINFO: u32 = 0;

/// What a FLAC sequence header says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlacConfig {
    /// Sample rate in Hz.
    pub sample_rate: u32,
    /// Number of channels, 1 to 8.
    pub channels: u8,
    /// Bits per sample, 4 to 32.
    pub bit_depth: u8,
}

impl FlacConfig {
    /// Reads the header: signature, then the STREAMINFO block.
    pub fn parse(header: &[u8]) -> Result<Self, CodecConfigError> {
        let Some(blocks) = header.strip_prefix(b"fLaC") else {
            return Err(CodecConfigError::Truncated {
                record: RECORD,
                field: "signature",
            });
        };
        let mut bits = BitReader::new(RECORD, blocks);
        bits.flag("last block")?;
        let kind = bits.bits(7, "block type")?;
        if kind != STREAMINFO {
            return Err(CodecConfigError::Invalid {
                record: RECORD,
                field: "first block type",
                value: kind,
            });
        }
        bits.skip(24 + 16 + 16 + 24 + 24, "block and frame sizes")?;
        Ok(Self {
            sample_rate: bits.bits(20, "sample rate")?,
            channels: bits.byte(3, "channels")? + 1,
            bit_depth: bits.byte(5, "bits per sample")? + 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_information() {
        // 44100 Hz is 0x0AC44, two channels, 16 bits.
        let header = b"fLaC\x80\0\0\x22\x10\0\x10\0\0\0\x0E\0\0\x10\x0A\xC4\x42\xF0";
        let config = FlacConfig::parse(header).unwrap();
        assert_eq!(
            (config.sample_rate, config.channels, config.bit_depth),
            (44_100, 2, 16)
        );
        assert!(FlacConfig::parse(&header[..20]).is_err());
        assert!(FlacConfig::parse(b"OggS").is_err());
    }
}
