//! The header of a frame (ISO/IEC 11172-3 2.4.1.3, ISO/IEC 13818-3, and the extension called MPEG 2.5).

/// What a frame's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// Bytes of the whole frame.
    pub(super) size: u32,
    /// Samples of each channel in it.
    pub(super) samples: u32,
    /// Samples a second.
    pub(super) rate: u32,
    /// Bits a second.
    pub(super) bit_rate: u32,
    pub(super) is_mono: bool,
    /// MPEG 1, not the extension to lower rates.
    pub(super) is_mpeg1: bool,
}

const MPEG1_KBITS: [u32; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const MPEG2_KBITS: [u32; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
const MPEG1_RATES: [u32; 3] = [44_100, 48_000, 32_000];

impl FrameHeader {
    /// Bytes that a header has.
    pub(super) const SIZE: usize = 4;

    /// Reads a header; `None` if it is none of layer III, or says no bit rate.
    pub(super) fn parse(bytes: [u8; 4]) -> Option<Self> {
        let [sync, version, rates, mode] = bytes;
        if sync != 0xFF || version & 0xE6 != 0xE2 {
            return None;
        }
        let (is_mpeg1, divisor) = match version >> 3 & 3 {
            3 => (true, 1),
            2 => (false, 2),
            0 => (false, 4),
            _ => return None,
        };
        let (kbits, samples) = if is_mpeg1 {
            (MPEG1_KBITS, 1_152)
        } else {
            (MPEG2_KBITS, 576)
        };
        let kbits = *kbits.get(usize::from(rates >> 4)).filter(|kbits| **kbits > 0)?;
        let rate = *MPEG1_RATES.get(usize::from(rates >> 2 & 3))? / divisor;
        let bit_rate = kbits * 1_000;
        Some(Self {
            size: samples / 8 * bit_rate / rate + u32::from(rates >> 1 & 1),
            samples,
            rate,
            bit_rate,
            is_mono: mode >> 6 == 3,
            is_mpeg1,
        })
    }

    /// Whether another frame may be of the same stream.
    pub(super) fn fits(&self, other: &Self) -> bool {
        self.rate == other.rate && self.is_mpeg1 == other.is_mpeg1
    }

    /// Where in the frame the sound begins, behind header and side information, where a first frame without sound has its index.
    pub(super) fn side_end(&self) -> usize {
        match (self.is_mpeg1, self.is_mono) {
            (true, false) => 36,
            (true, true) | (false, false) => 21,
            (false, true) => 13,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_tell_rate_and_size() {
        for (bytes, size, rate, samples) in [
            ([0xFF, 0xFB, 0x90, 0x64], 417, 44_100, 1_152),
            ([0xFF, 0xFB, 0x92, 0x64], 418, 44_100, 1_152),
            ([0xFF, 0xFB, 0xE4, 0x00], 960, 48_000, 1_152),
            ([0xFF, 0xF3, 0x80, 0xC4], 208, 22_050, 576),
            ([0xFF, 0xE3, 0x18, 0xC4], 72, 8_000, 576),
        ] {
            let header = FrameHeader::parse(bytes).unwrap();
            assert_eq!(
                (header.size, header.rate, header.samples),
                (size, rate, samples),
                "{bytes:X?}"
            );
        }
    }

    #[test]
    fn other_layers_and_reserved_values_are_none() {
        for bytes in [
            [0xFF, 0xFD, 0x90, 0x64],
            [0xFF, 0xEB, 0x90, 0x64],
            [0xFF, 0xFB, 0xF0, 0x64],
            [0xFF, 0xFB, 0x00, 0x64],
            [0xFF, 0xFB, 0x9C, 0x64],
            [0xFE, 0xFB, 0x90, 0x64],
            [0xFF, 0xF1, 0x50, 0x80],
        ] {
            assert_eq!(FrameHeader::parse(bytes), None, "{bytes:X?}");
        }
    }
}
