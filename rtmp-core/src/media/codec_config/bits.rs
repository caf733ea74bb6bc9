//! Reading bit fields, every read checked against the end.

use super::CodecConfigError;

/// A cursor over the bits of one record. `record` names it in errors.
pub(super) struct BitReader<'a> {
    record: &'static str,
    bytes: &'a [u8],
    /// Bits read so far.
    position: usize,
}

impl<'a> BitReader<'a> {
    pub(super) const fn new(record: &'static str, bytes: &'a [u8]) -> Self {
        Self {
            record,
            bytes,
            position: 0,
        }
    }

    /// Reads `count` bits, at most 32.
    pub(super) fn bits(&mut self, count: u32, field: &'static str) -> Result<u32, CodecConfigError> {
        let mut value = 0u32;
        for _ in 0..count {
            let byte = self
                .bytes
                .get(self.position / 8)
                .ok_or_else(|| self.truncated(field))?;
            let bit = (byte >> (7 - self.position % 8)) & 1;
            value = value << 1 | u32::from(bit);
            self.position += 1;
        }
        Ok(value)
    }

    /// Reads at most eight bits.
    pub(super) fn byte(&mut self, count: u32, field: &'static str) -> Result<u8, CodecConfigError> {
        Ok((self.bits(count, field)? & 0xFF) as u8)
    }

    pub(super) fn flag(&mut self, field: &'static str) -> Result<bool, CodecConfigError> {
        Ok(self.bits(1, field)? == 1)
    }

    /// Passes over any number of bits.
    pub(super) fn skip(&mut self, count: usize, field: &'static str) -> Result<(), CodecConfigError> {
        let position = self.position.saturating_add(count);
        if position > self.bytes.len().saturating_mul(8) {
            return Err(self.truncated(field));
        }
        self.position = position;
        Ok(())
    }

    /// Reads an unsigned Exp-Golomb number (ITU-T H.264 9.1).
    pub(super) fn unsigned_golomb(&mut self, field: &'static str) -> Result<u32, CodecConfigError> {
        let mut zeros = 0;
        while !self.flag(field)? {
            zeros += 1;
            if zeros > 31 {
                return Err(CodecConfigError::Invalid {
                    record: self.record,
                    field,
                    value: u32::MAX,
                });
            }
        }
        // 2^zeros - 1 plus a number below 2^zeros: below 2^32 for 31 zeros at most.
        Ok(((1u32 << zeros) - 1) + self.bits(zeros, field)?)
    }

    /// Reads a signed Exp-Golomb number (ITU-T H.264 9.1.1).
    pub(super) fn signed_golomb(&mut self, field: &'static str) -> Result<i64, CodecConfigError> {
        let code = i64::from(self.unsigned_golomb(field)?);
        Ok(if code % 2 == 1 {
            (code + 1) / 2
        } else {
            -(code / 2)
        })
    }

    const fn truncated(&self, field: &'static str) -> CodecConfigError {
        CodecConfigError::Truncated {
            record: self.record,
            field,
        }
    }
}

/// The bytes of a NAL unit without its emulation prevention bytes (ITU-T H.264 7.4.1): 00 00 03 becomes 00 00.
pub(super) fn unescape(nal: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

/// Takes a block with a length of 16 bits before it.
pub(super) fn take_block<'a>(
    record: &'static str,
    field: &'static str,
    rest: &mut &'a [u8],
) -> Result<&'a [u8], CodecConfigError> {
    let truncated = CodecConfigError::Truncated { record, field };
    let (length, after) = rest.split_first_chunk::<2>().ok_or(truncated.clone())?;
    let (block, after) = after
        .split_at_checked(usize::from(u16::from_be_bytes(*length)))
        .ok_or(truncated)?;
    *rest = after;
    Ok(block)
}

/// The size of a picture in pixels after cropping; an error where cropping leaves nothing or the picture is larger
/// than any level allows.
pub(super) fn cropped(
    record: &'static str,
    field: &'static str,
    full: u64,
    crop: u64,
) -> Result<u32, CodecConfigError> {
    const LARGEST: u64 = 1 << 16;
    let size = full.checked_sub(crop).filter(|size| *size > 0 && full <= LARGEST);
    size.and_then(|size| u32::try_from(size).ok())
        .ok_or(CodecConfigError::Invalid {
            record,
            field,
            value: full.min(u64::from(u32::MAX)) as u32,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_numbers() {
        // 1 | 010 | 011 | 00100 | 00101 -> 0 1 2 3 4
        let mut bits = BitReader::new("test", &[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        let values: Vec<u32> = (0..5).map(|_| bits.unsigned_golomb("n").unwrap()).collect();
        assert_eq!(values, [0, 1, 2, 3, 4]);
        let mut bits = BitReader::new("test", &[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        let values: Vec<i64> = (0..5).map(|_| bits.signed_golomb("n").unwrap()).collect();
        assert_eq!(values, [0, 1, -1, 2, -2]);
    }

    #[test]
    fn numbers_that_never_end_are_refused() {
        assert!(BitReader::new("test", &[0; 3]).unsigned_golomb("n").is_err());
        assert!(BitReader::new("test", &[0; 30]).unsigned_golomb("n").is_err());
    }

    #[test]
    fn emulation_prevention_is_removed() {
        assert_eq!(unescape(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3]), [0, 0, 1, 0, 0, 0, 0]);
    }
}
