//! AV1: AV1CodecConfigurationRecord (`av1C`, AV1 codec ISO media file format binding 2.3).

use super::CodecConfigError;
use super::bits::BitReader;

const RECORD: &str = "av1C";

/// What an AV1 configuration record says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Av1Config {
    /// Profile: 0 main, 1 high, 2 professional.
    pub profile: u8,
    /// Level index: 8 is level 4.0, 9 is 4.1, ...
    pub level: u8,
    /// High tier rather than main tier.
    pub high_tier: bool,
    /// Bits per sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// No colour.
    pub monochrome: bool,
    /// Colour is halved across and down.
    pub subsampling: (bool, bool),
    /// The sequence header and what else must precede the first frame, as OBUs.
    pub config_obus: Vec<u8>,
}

impl Av1Config {
    /// Reads the record.
    pub fn parse(record: &[u8]) -> Result<Self, CodecConfigError> {
        let mut bits = BitReader::new(RECORD, record);
        let marker = bits.bits(8, "marker and version")?;
        if marker != 0x81 {
            return Err(CodecConfigError::Invalid {
                record: RECORD,
                field: "marker and version",
                value: marker,
            });
        }
        let profile = bits.byte(3, "seq_profile")?;
        let level = bits.byte(5, "seq_level_idx_0")?;
        let high_tier = bits.flag("seq_tier_0")?;
        let bit_depth = match (bits.flag("high_bitdepth")?, bits.flag("twelve_bit")?) {
            (false, _) => 8,
            (true, false) => 10,
            (true, true) => 12,
        };
        let monochrome = bits.flag("monochrome")?;
        let subsampling = (
            bits.flag("chroma_subsampling_x")?,
            bits.flag("chroma_subsampling_y")?,
        );
        bits.skip(2 + 8, "sample position and presentation delay")?;
        let config_obus = record.get(4..).unwrap_or_default().to_vec();
        Ok(Self {
            profile,
            level,
            high_tier,
            bit_depth,
            monochrome,
            subsampling,
            config_obus,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_record() {
        // Main profile, level 4.0, ten bits, 4:2:0.
        let config = Av1Config::parse(&[0x81, 0x08, 0x4C, 0x00, 0x0A, 0x0B]).unwrap();
        assert_eq!(
            (config.profile, config.level, config.high_tier, config.bit_depth),
            (0, 8, false, 10)
        );
        assert_eq!((config.monochrome, config.subsampling), (false, (true, true)));
        assert_eq!(config.config_obus, [0x0A, 0x0B]);
    }

    #[test]
    fn wrong_markers_and_short_records_are_refused() {
        assert!(matches!(
            Av1Config::parse(&[0x01, 8, 0, 0]),
            Err(CodecConfigError::Invalid { value: 1, .. })
        ));
        assert!(matches!(
            Av1Config::parse(&[0x81, 8, 0]),
            Err(CodecConfigError::Truncated { .. })
        ));
    }
}
