//! VP8 and VP9: VPCodecConfigurationRecord (`vpcC`, VP codec ISO media file format binding).

use super::CodecConfigError;
use super::bits::BitReader;

const RECORD: &str = "vpcC";
/// Version 1 and no flags: the box header that senders keep in front of the record.
const BOX_VERSION: &[u8] = &[1, 0, 0, 0];

/// What a VP8 or VP9 configuration record says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VpxConfig {
    /// Profile, 0 to 3.
    pub profile: u8,
    /// Level times ten: 31 is level 3.1.
    pub level: u8,
    /// Bits per sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// 0 and 1 are 4:2:0, 2 is 4:2:2, 3 is 4:4:4.
    pub chroma_subsampling: u8,
    /// Samples use the full range.
    pub full_range: bool,
    /// Colour primaries, transfer characteristics and matrix coefficients (ISO/IEC 23091-2).
    pub colour: (u8, u8, u8),
}

impl VpxConfig {
    /// Reads the record, with the version and flags of its box in front or without.
    pub fn parse(record: &[u8]) -> Result<Self, CodecConfigError> {
        // A bare record never starts like this: its third byte would be a depth of zero bits.
        let record = record.strip_prefix(BOX_VERSION).unwrap_or(record);
        let mut bits = BitReader::new(RECORD, record);
        Ok(Self {
            profile: bits.byte(8, "profile")?,
            level: bits.byte(8, "level")?,
            bit_depth: bits.byte(4, "bitDepth")?,
            chroma_subsampling: bits.byte(3, "chromaSubsampling")?,
            full_range: bits.flag("videoFullRangeFlag")?,
            colour: (
                bits.byte(8, "colourPrimaries")?,
                bits.byte(8, "transferCharacteristics")?,
                bits.byte(8, "matrixCoefficients")?,
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_and_without_the_box_version() {
        let boxed = [1, 0, 0, 0, 0, 31, 0x82, 1, 1, 1, 0, 0];
        let config = VpxConfig::parse(&boxed).unwrap();
        assert_eq!((config.profile, config.level, config.bit_depth), (0, 31, 8));
        assert_eq!(
            (config.chroma_subsampling, config.full_range, config.colour),
            (1, false, (1, 1, 1))
        );
        assert_eq!(VpxConfig::parse(&boxed[4..]), Ok(config));
        assert!(VpxConfig::parse(&boxed[..9]).is_err());
    }
}
