//! H.265: HEVCDecoderConfigurationRecord (`hvcC`, ISO/IEC 14496-15 8.3.3.1) and its sequence parameter set.

use super::CodecConfigError;
use super::bits::{BitReader, cropped, take_block, unescape};

const RECORD: &str = "hvcC";
const SPS: &str = "hvcC sequence parameter set";
const NAL_SPS: u8 = 33;

/// What an H.265 configuration record says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HevcConfig {
    /// Profile number: 1 main, 2 main 10, ...
    pub profile: u8,
    /// High tier rather than main tier.
    pub high_tier: bool,
    /// Level times thirty: 93 is level 3.1.
    pub level: u8,
    /// Bits per luma sample.
    pub bit_depth: u8,
    /// Bytes in the length before each NAL unit: 1, 2 or 4.
    pub nal_length_size: u8,
    /// Width and height in pixels after cropping, when a sequence parameter set is there and can be read.
    pub dimensions: Option<(u32, u32)>,
    /// Parameter sets in their order: NAL unit type (32 VPS, 33 SPS, 34 PPS, ...) and NAL unit with its header.
    pub parameter_sets: Vec<(u8, Vec<u8>)>,
}

impl HevcConfig {
    /// Reads the record.
    pub fn parse(record: &[u8]) -> Result<Self, CodecConfigError> {
        let truncated = CodecConfigError::Truncated {
            record: RECORD,
            field: "fixed fields",
        };
        let (fixed, mut rest) = record.split_first_chunk::<23>().ok_or(truncated)?;
        let [version, profile, .., depth, _, _, _, lengths, arrays] = *fixed;
        if version > 1 {
            return Err(CodecConfigError::Invalid {
                record: RECORD,
                field: "version",
                value: version.into(),
            });
        }
        let mut parameter_sets = Vec::new();
        for _ in 0..arrays {
            take_array(&mut rest, &mut parameter_sets)?;
        }
        let sps = parameter_sets.iter().find(|(kind, _)| *kind == NAL_SPS);
        Ok(Self {
            profile: profile & 0x1F,
            high_tier: profile & 0x20 != 0,
            level: fixed[12],
            bit_depth: (depth & 7) + 8,
            nal_length_size: (lengths & 3) + 1,
            dimensions: sps.and_then(|(_, nal)| sps_dimensions(nal).ok()),
            parameter_sets,
        })
    }
}

fn take_array(rest: &mut &[u8], sets: &mut Vec<(u8, Vec<u8>)>) -> Result<(), CodecConfigError> {
    let truncated = CodecConfigError::Truncated {
        record: RECORD,
        field: "parameter set array",
    };
    let (head, after) = rest.split_first_chunk::<3>().ok_or(truncated)?;
    *rest = after;
    for _ in 0..u16::from_be_bytes([head[1], head[2]]) {
        let nal = take_block(RECORD, "parameter set", rest)?;
        sets.push((head[0] & 0x3F, nal.to_vec()));
    }
    Ok(())
}

/// Width and height of a sequence parameter set (ITU-T H.265 7.3.2.2), NAL header included.
fn sps_dimensions(nal: &[u8]) -> Result<(u32, u32), CodecConfigError> {
    let bytes = unescape(nal);
    let mut bits = BitReader::new(SPS, &bytes);
    bits.skip(16 + 4, "NAL header and sps_video_parameter_set_id")?;
    let sub_layers = bits.bits(3, "sps_max_sub_layers")?;
    bits.flag("sps_temporal_id_nesting")?;
    skip_profile_tier_level(&mut bits, sub_layers)?;
    bits.unsigned_golomb("sps_seq_parameter_set_id")?;
    let chroma = bits.unsigned_golomb("chroma_format_idc")?;
    let (unit_x, unit_y) = match chroma {
        0 | 3 => (1, 1),
        1 => (2, 2),
        2 => (2, 1),
        value => {
            return Err(CodecConfigError::Invalid {
                record: SPS,
                field: "chroma_format_idc",
                value,
            });
        }
    };
    if chroma == 3 {
        bits.flag("separate_colour_plane")?;
    }
    let width = u64::from(bits.unsigned_golomb("pic_width_in_luma_samples")?);
    let height = u64::from(bits.unsigned_golomb("pic_height_in_luma_samples")?);
    let (mut crop_x, mut crop_y) = (0, 0);
    if bits.flag("conformance_window")? {
        crop_x = u64::from(bits.unsigned_golomb("window left")?)
            + u64::from(bits.unsigned_golomb("window right")?);
        crop_y = u64::from(bits.unsigned_golomb("window top")?)
            + u64::from(bits.unsigned_golomb("window bottom")?);
    }
    Ok((
        cropped(SPS, "width", width, crop_x * unit_x)?,
        cropped(SPS, "height", height, crop_y * unit_y)?,
    ))
}

/// ITU-T H.265 7.3.3: the general profile and level, then those of each lower sub-layer that has its own.
fn skip_profile_tier_level(bits: &mut BitReader<'_>, sub_layers: u32) -> Result<(), CodecConfigError> {
    const PROFILE: usize = 88;
    const LEVEL: usize = 8;
    bits.skip(PROFILE + LEVEL, "general profile and level")?;
    let mut ahead = 0;
    for _ in 0..sub_layers {
        ahead += if bits.flag("sub_layer_profile_present")? {
            PROFILE
        } else {
            0
        };
        ahead += if bits.flag("sub_layer_level_present")? {
            LEVEL
        } else {
            0
        };
    }
    if sub_layers > 0 {
        for _ in sub_layers..8 {
            bits.skip(2, "reserved")?;
        }
    }
    bits.skip(ahead, "sub-layer profiles and levels")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Main profile, level 3.1, 8 bits, four-byte lengths, no parameter sets.
    const FIXED: [u8; 23] = [
        1, 0x01, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93, 0xF0, 0, 0xFC, 0xFD, 0xF8, 0xF8, 0, 0, 0x0F, 0,
    ];

    /// A sequence parameter set of 1920 x 1088 luma samples, laid out by hand after ITU-T H.265 7.3.2.2.
    fn full_hd_sps() -> Vec<u8> {
        let mut bits = String::from("0100001000000001"); // NAL type 33, layer 0, temporal id 1
        bits.push_str("0000"); // sps_video_parameter_set_id
        bits.push_str("000"); // one sub-layer
        bits.push('1'); // temporal id nesting
        bits.push_str(&"01000001".repeat(11)); // 88 bits of profile, free of emulation
        bits.push_str("01011101"); // level 93
        bits.push('1'); // sps id 0
        bits.push_str("010"); // chroma format 1
        bits.push_str(&golomb(1920));
        bits.push_str(&golomb(1088));
        bits.push('1'); // conformance window
        bits.push_str(&(golomb(0) + &golomb(0) + &golomb(0) + &golomb(4)));
        bits.push_str("1000000000"); // the fields that follow are not read
        let bytes = bits.as_bytes().chunks(8);
        bytes
            .map(|b| b.iter().fold(0, |v, c| v << 1 | (c - b'0')) << (8 - b.len()))
            .collect()
    }

    fn golomb(value: u32) -> String {
        let code = format!("{:b}", value + 1);
        "0".repeat(code.len() - 1) + &code
    }

    #[test]
    fn fixed_fields() {
        let config = HevcConfig::parse(&FIXED).unwrap();
        assert_eq!((config.profile, config.high_tier, config.level), (1, false, 93));
        assert_eq!(
            (config.bit_depth, config.nal_length_size, config.dimensions),
            (8, 4, None)
        );
        assert!(HevcConfig::parse(&FIXED[..22]).is_err());
    }

    #[test]
    fn dimensions_come_from_the_sequence_parameter_set_less_its_window() {
        let sps = full_hd_sps();
        let mut record = FIXED.to_vec();
        record[22] = 1;
        record.extend_from_slice(&[0xA1, 0, 1, 0, sps.len() as u8]);
        record.extend_from_slice(&sps);
        let config = HevcConfig::parse(&record).unwrap();
        assert_eq!(config.dimensions, Some((1920, 1080)));
        assert_eq!(config.parameter_sets[0].0, 33);
        assert!(HevcConfig::parse(&record[..record.len() - 1]).is_err());
    }
}
