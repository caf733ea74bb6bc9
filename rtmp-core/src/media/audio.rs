//! The legacy audio tag header (FLV 10.1 E.4.2.1).

/// Sound format 10: AAC, the only legacy format with a second header byte.
pub const AAC: u8 = 10;
/// Sound format 9: the rest of the byte is an Enhanced packet type.
pub const EX_HEADER: u8 = 9;
/// Sound format 2: MP3.
pub const MP3: u8 = 2;
/// Sound format 14: MP3 at 8 kHz.
pub const MP3_8K: u8 = 14;

/// The first byte of a legacy audio body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AudioHeader {
    /// Sound format, 0 to 15.
    pub format: u8,
    /// Sound rate code: 0 is 5.5 kHz, 1 is 11 kHz, 2 is 22 kHz, 3 is 44 kHz.
    pub rate: u8,
    /// Samples of 16 bits rather than 8.
    pub sixteen_bit: bool,
    /// Two channels rather than one.
    pub stereo: bool,
}

impl AudioHeader {
    /// What every AAC body starts with: the real values stand in its configuration (FLV 10.1 E.4.2.1).
    pub const AAC: Self = Self {
        format: AAC,
        rate: 3,
        sixteen_bit: true,
        stereo: true,
    };

    /// Reads the byte.
    pub const fn from_byte(byte: u8) -> Self {
        Self {
            format: byte >> 4,
            rate: (byte >> 2) & 3,
            sixteen_bit: byte & 2 != 0,
            stereo: byte & 1 != 0,
        }
    }

    /// Writes the byte.
    pub const fn to_byte(self) -> u8 {
        (self.format << 4) | ((self.rate & 3) << 2) | ((self.sixteen_bit as u8) << 1) | self.stereo as u8
    }

    /// Sample rate in Hz where the byte tells it. AAC and Opus keep theirs in the configuration: `None`.
    pub const fn sample_rate(self) -> Option<u32> {
        match self.format {
            4 | 11 => Some(16_000),
            5 | 7 | 8 | MP3_8K => Some(8_000),
            AAC | EX_HEADER | 12 | 13 | 15 => None,
            _ => Some(match self.rate {
                0 => 5_512,
                1 => 11_025,
                2 => 22_050,
                _ => 44_100,
            }),
        }
    }

    /// The header for an MP3 frame, read from the frame's own header (rate and channels). 48 and 32 kHz have no code
    /// and take that of 44 kHz, as players read the frame itself; a payload that is no MP3 frame gets 44 kHz stereo.
    pub fn for_mp3(frame: &[u8]) -> Self {
        let fallback = Self {
            format: MP3,
            rate: 3,
            sixteen_bit: true,
            stereo: true,
        };
        let Some(&[sync, second, third, fourth]) = frame.first_chunk::<4>() else {
            return fallback;
        };
        if sync != 0xFF || second & 0xE0 != 0xE0 {
            return fallback;
        }
        let stereo = fourth >> 6 != 3;
        let (format, rate) = match ((second >> 3) & 3, (third >> 2) & 3) {
            (3, _) => (MP3, 3),
            (2, _) => (MP3, 2),
            (0, 2) => (MP3_8K, 3),
            (0, _) => (MP3, 1),
            _ => return fallback,
        };
        Self {
            format,
            rate,
            sixteen_bit: true,
            stereo,
        }
    }

    /// The customary header of a legacy format whose real values its bytes do not tell.
    pub const fn customary(format: u8) -> Self {
        match format {
            MP3 | 3 | AAC => Self {
                format,
                rate: 3,
                sixteen_bit: true,
                stereo: true,
            },
            6 => Self {
                format,
                rate: 2,
                sixteen_bit: true,
                stereo: false,
            },
            _ => Self {
                format,
                rate: 0,
                sixteen_bit: true,
                stereo: false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_the_round_trip() {
        for byte in 0..=255 {
            assert_eq!(AudioHeader::from_byte(byte).to_byte(), byte);
        }
    }

    #[test]
    fn customary_bytes_are_those_of_real_streams() {
        assert_eq!(AudioHeader::AAC.to_byte(), 0xAF);
        assert_eq!(AudioHeader::customary(11).to_byte(), 0xB2, "Speex");
        assert_eq!(AudioHeader::customary(7).to_byte(), 0x72, "G.711 A-law");
        assert_eq!(AudioHeader::customary(5).to_byte(), 0x52, "Nellymoser 8 kHz");
    }

    #[test]
    fn mp3_frames_choose_rate_and_channels() {
        let byte = |frame: [u8; 4]| AudioHeader::for_mp3(&frame).to_byte();
        assert_eq!(byte([0xFF, 0xFB, 0x90, 0x64]), 0x2F, "44.1 kHz joint stereo");
        assert_eq!(byte([0xFF, 0xFB, 0x90, 0xC4]), 0x2E, "44.1 kHz mono");
        assert_eq!(byte([0xFF, 0xF3, 0x90, 0x64]), 0x2B, "22.05 kHz stereo");
        assert_eq!(byte([0xFF, 0xE3, 0x90, 0x64]), 0x27, "11.025 kHz stereo");
        assert_eq!(byte([0xFF, 0xE3, 0x98, 0xC4]), 0xEE, "8 kHz mono");
        assert_eq!(AudioHeader::for_mp3(&[0xFF]).to_byte(), 0x2F);
    }

    #[test]
    fn sample_rates_follow_the_format() {
        assert_eq!(AudioHeader::from_byte(0x2F).sample_rate(), Some(44_100));
        assert_eq!(AudioHeader::from_byte(0xB2).sample_rate(), Some(16_000));
        assert_eq!(AudioHeader::from_byte(0xEE).sample_rate(), Some(8_000));
        assert_eq!(AudioHeader::from_byte(0xAF).sample_rate(), None);
    }
}
