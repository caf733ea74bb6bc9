//! H.264: AVCDecoderConfigurationRecord (`avcC`, ISO/IEC 14496-15 5.3.3.1) and its sequence parameter set.

use super::CodecConfigError;
use super::bits::{BitReader, cropped, take_block, unescape};

const RECORD: &str = "avcC";
const SPS: &str = "avcC sequence parameter set";

/// What an H.264 configuration record says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AvcConfig {
    /// Profile number: 66 baseline, 77 main, 100 high, ...
    pub profile: u8,
    /// Constraint flags.
    pub compatibility: u8,
    /// Level times ten: 31 is level 3.1.
    pub level: u8,
    /// Bytes in the length before each NAL unit: 1, 2 or 4.
    pub nal_length_size: u8,
    /// Width and height in pixels after cropping, when the first sequence parameter set can be read.
    pub dimensions: Option<(u32, u32)>,
    /// Sequence parameter sets, NAL header included.
    pub sps: Vec<Vec<u8>>,
    /// Picture parameter sets, NAL header included.
    pub pps: Vec<Vec<u8>>,
}

impl AvcConfig {
    /// Reads the record. What follows the picture parameter sets is often missing and not looked at.
    pub fn parse(record: &[u8]) -> Result<Self, CodecConfigError> {
        let truncated = CodecConfigError::Truncated {
            record: RECORD,
            field: "fixed fields",
        };
        let (fixed, mut rest) = record.split_first_chunk::<6>().ok_or(truncated)?;
        let [version, profile, compatibility, level, length, sps_count] = *fixed;
        if version != 1 {
            return Err(CodecConfigError::Invalid {
                record: RECORD,
                field: "version",
                value: version.into(),
            });
        }
        let sps = take_sets("sequence parameter set", usize::from(sps_count & 0x1F), &mut rest)?;
        let pps = match rest.split_first() {
            Some((count, mut after)) => take_sets("picture parameter set", usize::from(*count), &mut after)?,
            None => Vec::new(),
        };
        Ok(Self {
            profile,
            compatibility,
            level,
            nal_length_size: (length & 3) + 1,
            dimensions: sps.first().and_then(|sps| sps_dimensions(sps).ok()),
            sps,
            pps,
        })
    }
}

fn take_sets(field: &'static str, count: usize, rest: &mut &[u8]) -> Result<Vec<Vec<u8>>, CodecConfigError> {
    (0..count)
        .map(|_| take_block(RECORD, field, rest).map(<[u8]>::to_vec))
        .collect()
}

/// Width and height of a sequence parameter set (ITU-T H.264 7.3.2.1.1), NAL header included.
fn sps_dimensions(nal: &[u8]) -> Result<(u32, u32), CodecConfigError> {
    let bytes = unescape(nal);
    let mut bits = BitReader::new(SPS, &bytes);
    bits.skip(8, "NAL header")?;
    let profile = bits.bits(8, "profile_idc")?;
    bits.skip(16, "constraints and level")?;
    bits.unsigned_golomb("seq_parameter_set_id")?;
    let chroma = if has_chroma_fields(profile) {
        read_chroma(&mut bits)?
    } else {
        Chroma { x: 2, y: 2 }
    };
    bits.unsigned_golomb("log2_max_frame_num")?;
    skip_picture_order(&mut bits)?;
    bits.unsigned_golomb("max_num_ref_frames")?;
    bits.flag("gaps_in_frame_num")?;
    let width = 16 * (u64::from(bits.unsigned_golomb("pic_width_in_mbs")?) + 1);
    let map_units = u64::from(bits.unsigned_golomb("pic_height_in_map_units")?) + 1;
    let fields = if bits.flag("frame_mbs_only")? { 1 } else { 2 };
    if fields == 2 {
        bits.flag("mb_adaptive_frame_field")?;
    }
    bits.flag("direct_8x8_inference")?;
    let (mut crop_x, mut crop_y) = (0, 0);
    if bits.flag("frame_cropping")? {
        crop_x =
            u64::from(bits.unsigned_golomb("crop left")?) + u64::from(bits.unsigned_golomb("crop right")?);
        crop_y =
            u64::from(bits.unsigned_golomb("crop top")?) + u64::from(bits.unsigned_golomb("crop bottom")?);
    }
    Ok((
        cropped(SPS, "width", width, crop_x * chroma.x)?,
        cropped(SPS, "height", 16 * map_units * fields, crop_y * chroma.y * fields)?,
    ))
}

const fn has_chroma_fields(profile: u32) -> bool {
    matches!(
        profile,
        100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
    )
}

/// Luma samples per crop unit across and down.
struct Chroma {
    x: u64,
    y: u64,
}

fn read_chroma(bits: &mut BitReader<'_>) -> Result<Chroma, CodecConfigError> {
    let format = bits.unsigned_golomb("chroma_format_idc")?;
    if format == 3 {
        bits.flag("separate_colour_plane")?;
    }
    bits.unsigned_golomb("bit_depth_luma")?;
    bits.unsigned_golomb("bit_depth_chroma")?;
    bits.flag("qpprime_y_zero_transform_bypass")?;
    if bits.flag("seq_scaling_matrix_present")? {
        for list in 0..if format == 3 { 12 } else { 8 } {
            if bits.flag("seq_scaling_list_present")? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    match format {
        0 | 3 => Ok(Chroma { x: 1, y: 1 }),
        1 => Ok(Chroma { x: 2, y: 2 }),
        2 => Ok(Chroma { x: 2, y: 1 }),
        value => Err(CodecConfigError::Invalid {
            record: SPS,
            field: "chroma_format_idc",
            value,
        }),
    }
}

/// ITU-T H.264 7.3.2.1.1.1: a list stops sending differences once the next scale is zero.
fn skip_scaling_list(bits: &mut BitReader<'_>, size: u32) -> Result<(), CodecConfigError> {
    let (mut last, mut next) = (8i64, 8i64);
    for _ in 0..size {
        if next != 0 {
            next = (last + bits.signed_golomb("delta_scale")?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Ok(())
}

fn skip_picture_order(bits: &mut BitReader<'_>) -> Result<(), CodecConfigError> {
    match bits.unsigned_golomb("pic_order_cnt_type")? {
        0 => {
            bits.unsigned_golomb("log2_max_pic_order_cnt_lsb")?;
        }
        1 => {
            bits.flag("delta_pic_order_always_zero")?;
            bits.signed_golomb("offset_for_non_ref_pic")?;
            bits.signed_golomb("offset_for_top_to_bottom_field")?;
            let count = bits.unsigned_golomb("num_ref_frames_in_pic_order_cnt_cycle")?;
            if count > 255 {
                let field = "num_ref_frames_in_pic_order_cnt_cycle";
                return Err(CodecConfigError::Invalid {
                    record: SPS,
                    field,
                    value: count,
                });
            }
            for _ in 0..count {
                bits.signed_golomb("offset_for_ref_frame")?;
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 160 x 120 from a real encoder: eight coded macroblock rows, cropped by eight lines.
    const REAL: &[u8] = &[
        0x01, 0x64, 0x00, 0x0A, 0xFF, 0xE1, 0x00, 0x19, 0x67, 0x64, 0x00, 0x0A, 0xAC, 0xD9, 0x42, 0x84, 0x7E,
        0x5C, 0x04, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x05, 0x03, 0xC4, 0x89, 0x65, 0x80, 0x01,
        0x00, 0x06, 0x68, 0xEB, 0xE3, 0xCB, 0x22, 0xC0, 0xFD, 0xF8, 0xF8, 0x00,
    ];

    #[test]
    fn a_real_record() {
        let config = AvcConfig::parse(REAL).unwrap();
        assert_eq!(
            (config.profile, config.level, config.nal_length_size),
            (100, 10, 4)
        );
        assert_eq!(config.dimensions, Some((160, 120)));
        assert_eq!(
            (config.sps.len(), config.sps[0].len(), config.pps[0].len()),
            (1, 25, 6)
        );
    }

    #[test]
    fn a_missing_tail_is_tolerated_but_not_a_broken_set() {
        assert!(AvcConfig::parse(&REAL[..REAL.len() - 4]).is_ok());
        assert!(AvcConfig::parse(&REAL[..33]).unwrap().pps.is_empty());
        assert_eq!(
            AvcConfig::parse(&REAL[..20]),
            Err(CodecConfigError::Truncated {
                record: "avcC",
                field: "sequence parameter set"
            })
        );
        for end in 0..6 {
            assert!(AvcConfig::parse(&REAL[..end]).is_err());
        }
    }

    #[test]
    fn annex_b_is_not_a_record() {
        let error = AvcConfig::parse(&[0, 0, 0, 1, 0x67, 0x64, 0]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "avcC: version is 0, which the format does not allow; the sequence header is damaged"
        );
    }
}
