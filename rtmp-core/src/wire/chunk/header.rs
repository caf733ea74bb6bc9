//! Chunk headers as bytes (RTMP 1.0 5.3.1): basic header, message header, extended timestamp.

use super::csid;

/// The value of the 24-bit timestamp field that announces an extended timestamp.
pub(super) const EXTENDED: u32 = 0xFF_FFFF;

/// The longest header: 3 bytes basic, 11 bytes message, 4 bytes extended timestamp.
pub(super) const MAX_HEADER: usize = 18;

/// The basic header: format and chunk stream id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BasicHeader {
    pub(super) format: u8,
    pub(super) csid: u32,
    pub(super) len: usize,
}

impl BasicHeader {
    /// Reads a basic header; `None` when bytes are missing.
    #[inline]
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let first = *bytes.first()?;
        let (csid, len) = match first & 0x3F {
            0 => (64 + u32::from(*bytes.get(1)?), 2),
            // The one little-endian id of the protocol besides the message stream id (RTMP 1.0 5.3.1.1).
            1 => (
                64 + u32::from(*bytes.get(1)?) + 256 * u32::from(*bytes.get(2)?),
                3,
            ),
            id => (u32::from(id), 1),
        };
        Some(Self {
            format: first >> 6,
            csid,
            len,
        })
    }
}

/// The message header's length for a header format.
#[inline]
pub(super) fn message_header_len(format: u8) -> usize {
    match format {
        0 => 11,
        1 => 7,
        2 => 3,
        _ => 0,
    }
}

/// A big-endian integer of up to four bytes.
#[inline]
pub(super) fn be(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |value, byte| (value << 8) | u32::from(*byte))
}

/// A header under construction.
pub(super) struct HeaderBytes {
    bytes: [u8; MAX_HEADER],
    len: usize,
}

impl HeaderBytes {
    /// Starts with the shortest basic header for `csid`. Ids outside of 2 to 65599 are moved into that range.
    #[inline]
    pub(super) fn new(format: u8, csid: u32) -> Self {
        let mut header = Self {
            bytes: [0; MAX_HEADER],
            len: 0,
        };
        let high = format << 6;
        let id = csid.clamp(csid::MIN, csid::MAX);
        if id < 64 {
            header.put(&[high | id as u8]);
        } else if id < 320 {
            header.put(&[high, (id - 64) as u8]);
        } else {
            let [low, middle, ..] = (id - 64).to_le_bytes();
            header.put(&[high | 1, low, middle]);
        }
        header
    }

    /// The header of a chunk that continues a message; `extended` repeats the message's extended timestamp.
    #[inline]
    pub(super) fn continuation(csid: u32, extended: Option<u32>) -> Self {
        let mut header = Self::new(3, csid);
        if let Some(value) = extended {
            header.put(&value.to_be_bytes());
        }
        header
    }

    #[inline]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(bytes);
            self.len = end;
        }
    }

    #[inline]
    pub(super) fn put_u24(&mut self, value: u32) {
        let [_, a, b, c] = value.to_be_bytes();
        self.put(&[a, b, c]);
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_headers_of_all_three_lengths() {
        let cases: [(u8, u32, &[u8]); 9] = [
            (0, 3, &[0x03]),
            (3, 4, &[0xC4]),
            (1, 64, &[0x40, 0x00]),
            (0, 65, &[0x00, 0x01]),
            (0, 319, &[0x00, 0xFF]),
            (0, 320, &[0x01, 0x00, 0x01]),
            (0, 365, &[0x01, 0x2D, 0x01]),
            (3, 65_599, &[0xC1, 0xFF, 0xFF]),
            (2, 63, &[0xBF]),
        ];
        for (format, csid, bytes) in cases {
            assert_eq!(HeaderBytes::new(format, csid).as_slice(), bytes);
            assert_eq!(
                BasicHeader::parse(bytes),
                Some(BasicHeader {
                    format,
                    csid,
                    len: bytes.len()
                })
            );
            for cut in 0..bytes.len() {
                assert_eq!(BasicHeader::parse(&bytes[..cut]), None);
            }
        }
    }

    #[test]
    fn three_byte_form_of_a_small_id_is_accepted() {
        assert_eq!(
            BasicHeader::parse(&[0x01, 0x00, 0x00]),
            Some(BasicHeader {
                format: 0,
                csid: 64,
                len: 3
            })
        );
    }
}
