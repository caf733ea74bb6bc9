//! AAC: AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1).

use super::CodecConfigError;
use super::bits::BitReader;

const RECORD: &str = "AudioSpecificConfig";
const LOW_COMPLEXITY: u8 = 2;
const SPECTRAL_BAND_REPLICATION: u8 = 5;
const PARAMETRIC_STEREO: u8 = 29;
/// What announces spectral band replication behind the configuration proper.
const SYNC_EXTENSION: u32 = 0x2B7;
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];

/// What an AAC configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AacConfig {
    /// Audio object type of the core: 1 main, 2 low complexity, ...
    pub object_type: u8,
    /// Sample rate of the core in Hz.
    pub sample_rate: u32,
    /// Channel configuration, 0 to 15.
    pub channel_configuration: u8,
    /// Number of channels; `None` when the configuration leaves it to the stream (0) or is reserved.
    pub channels: Option<u8>,
    /// Spectral band replication (HE-AAC) is signalled, with the sample rate after it in Hz.
    pub sbr_rate: Option<u32>,
    /// Parametric stereo (HE-AAC v2) is signalled.
    pub parametric_stereo: bool,
}

impl AacConfig {
    /// Reads the configuration. Spectral band replication that only the stream shows is not seen here.
    pub fn parse(config: &[u8]) -> Result<Self, CodecConfigError> {
        let mut bits = BitReader::new(RECORD, config);
        let mut object_type = read_object_type(&mut bits)?;
        let sample_rate = read_rate(&mut bits)?;
        let channel_configuration = bits.byte(4, "channelConfiguration")?;
        let parametric_stereo = object_type == PARAMETRIC_STEREO;
        let mut sbr_rate = None;
        if parametric_stereo || object_type == SPECTRAL_BAND_REPLICATION {
            sbr_rate = Some(read_rate(&mut bits)?);
            object_type = read_object_type(&mut bits)?;
        } else if object_type == LOW_COMPLEXITY && channel_configuration != 0 {
            // Absent in most configurations: running out of bits here is no error.
            sbr_rate = read_sync_extension(&mut bits).ok().flatten();
        }
        let channels = channel_count(channel_configuration);
        Ok(Self {
            object_type,
            sample_rate,
            channel_configuration,
            channels,
            sbr_rate,
            parametric_stereo,
        })
    }

    /// The sample rate that comes out of the decoder, in Hz.
    pub fn output_rate(&self) -> u32 {
        self.sbr_rate.unwrap_or(self.sample_rate)
    }
}

fn read_object_type(bits: &mut BitReader<'_>) -> Result<u8, CodecConfigError> {
    match bits.byte(5, "audioObjectType")? {
        31 => Ok(32 + bits.byte(6, "audioObjectTypeExt")?),
        object_type => Ok(object_type),
    }
}

fn read_rate(bits: &mut BitReader<'_>) -> Result<u32, CodecConfigError> {
    let index = bits.bits(4, "samplingFrequencyIndex")?;
    if index == 15 {
        return bits.bits(24, "samplingFrequency");
    }
    let rate = RATES.get(index as usize).copied();
    rate.ok_or(CodecConfigError::Invalid {
        record: RECORD,
        field: "samplingFrequencyIndex",
        value: index,
    })
}

fn read_sync_extension(bits: &mut BitReader<'_>) -> Result<Option<u32>, CodecConfigError> {
    bits.flag("frameLengthFlag")?;
    if bits.flag("dependsOnCoreCoder")? {
        bits.skip(14, "coreCoderDelay")?;
    }
    bits.flag("extensionFlag")?;
    let announced = bits.bits(11, "syncExtensionType")? == SYNC_EXTENSION
        && read_object_type(bits)? == SPECTRAL_BAND_REPLICATION
        && bits.flag("sbrPresentFlag")?;
    if announced {
        read_rate(bits).map(Some)
    } else {
        Ok(None)
    }
}

const fn channel_count(configuration: u8) -> Option<u8> {
    match configuration {
        1..=6 => Some(configuration),
        7 | 12 | 14 => Some(8),
        11 => Some(7),
        13 => Some(24),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(bytes: &[u8]) -> (u8, u32, Option<u8>) {
        let config = AacConfig::parse(bytes).unwrap();
        (config.object_type, config.sample_rate, config.channels)
    }

    #[test]
    fn low_complexity() {
        assert_eq!(summary(&[0x12, 0x10]), (2, 44_100, Some(2)));
        assert_eq!(summary(&[0x11, 0x90]), (2, 48_000, Some(2)));
        assert_eq!(summary(&[0x12, 0x08]), (2, 44_100, Some(1)));
    }

    #[test]
    fn high_efficiency_in_front() {
        // 00101 0111 0010 | 0100 00010: SBR, core 22050, stereo, output 44100, low complexity core.
        let config = AacConfig::parse(&[0b0010_1011, 0b1001_0010, 0b0000_1000]).unwrap();
        assert_eq!(
            (config.object_type, config.sample_rate, config.output_rate()),
            (2, 22_050, 44_100)
        );
        assert!(!config.parametric_stereo);
    }

    #[test]
    fn high_efficiency_behind_the_configuration() {
        // 00010 0111 0010 000 | 01010110111 00101 1 0100 ...
        let config = AacConfig::parse(&[0x13, 0x90, 0x56, 0xE5, 0xA0]).unwrap();
        assert_eq!((config.sample_rate, config.sbr_rate), (22_050, Some(44_100)));
    }

    #[test]
    fn explicit_rates_and_reserved_indices() {
        // 00010 1111, 24 bits of 37800, 0001.
        let bytes = [0b0001_0111, 0b1000_0000, 0b0100_1001, 0b1101_0100, 0b0000_1000];
        assert_eq!(summary(&bytes), (2, 37_800, Some(1)));
        assert!(matches!(
            AacConfig::parse(&[0x16, 0x90]),
            Err(CodecConfigError::Invalid { value: 13, .. })
        ));
        assert!(AacConfig::parse(&[0x12]).is_err());
        assert!(AacConfig::parse(&[]).is_err());
    }
}
