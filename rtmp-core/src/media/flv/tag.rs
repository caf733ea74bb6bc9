//! The two fixed-size records of an FLV file: file header and tag header.

use super::FlvError;

/// Bytes of the file header of version 1.
pub const FILE_HEADER: usize = 9;
/// Bytes of a tag header.
pub const TAG_HEADER: usize = 11;
/// Bytes of the size that follows every tag.
pub const PREVIOUS_TAG_SIZE: usize = 4;
/// The largest tag body.
pub const MAX_BODY: usize = 0xFF_FFFF;

const AUDIO_PRESENT: u8 = 0x04;
const VIDEO_PRESENT: u8 = 0x01;

/// The file header (FLV 10.1 E.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHeader {
    /// Format version, 1.
    pub version: u8,
    /// The file says that it has audio tags; files are often wrong about it.
    pub has_audio: bool,
    /// The file says that it has video tags; files are often wrong about it.
    pub has_video: bool,
    /// Where the tags start, at least 9.
    pub data_offset: u32,
}

impl FileHeader {
    /// Reads the nine bytes.
    pub fn parse(bytes: &[u8; FILE_HEADER]) -> Result<Self, FlvError> {
        let [f, l, v, version, flags, offset @ ..] = *bytes;
        if [f, l, v] != *b"FLV" {
            return Err(FlvError::NotFlv { found: vec![f, l, v] });
        }
        let data_offset = u32::from_be_bytes(offset);
        if (data_offset as usize) < FILE_HEADER {
            return Err(FlvError::DataOffset { offset: data_offset });
        }
        let (has_audio, has_video) = (flags & AUDIO_PRESENT != 0, flags & VIDEO_PRESENT != 0);
        Ok(Self {
            version,
            has_audio,
            has_video,
            data_offset,
        })
    }

    /// The nine bytes of a version 1 header.
    pub const fn encode(has_audio: bool, has_video: bool) -> [u8; FILE_HEADER] {
        let audio = if has_audio { AUDIO_PRESENT } else { 0 };
        let video = if has_video { VIDEO_PRESENT } else { 0 };
        [b'F', b'L', b'V', 1, audio | video, 0, 0, 0, FILE_HEADER as u8]
    }
}

/// A tag header (FLV 10.1 E.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagHeader {
    /// 8 audio, 9 video, 18 script data, 15 script data in the AMF3 form.
    pub tag_type: u8,
    /// The body is encrypted (FLV 10.1 Annex F).
    pub filtered: bool,
    /// Bytes in the body, at most 16,777,215.
    pub data_size: u32,
    /// Milliseconds; the field is signed, and read here as its unsigned bits.
    pub timestamp: u32,
}

impl TagHeader {
    /// Reads the eleven bytes. The stream id is not looked at.
    pub const fn parse(bytes: &[u8; TAG_HEADER]) -> Self {
        let [kind, s2, s1, s0, t2, t1, t0, t3, ..] = *bytes;
        Self {
            tag_type: kind & 0x1F,
            filtered: kind & 0x20 != 0,
            data_size: u32::from_be_bytes([0, s2, s1, s0]),
            timestamp: u32::from_be_bytes([t3, t2, t1, t0]),
        }
    }

    /// The eleven bytes, with stream id 0. A size beyond 24 bits loses its high bits: callers check first.
    pub const fn encode(self) -> [u8; TAG_HEADER] {
        let [_, s2, s1, s0] = self.data_size.to_be_bytes();
        let [t3, t2, t1, t0] = self.timestamp.to_be_bytes();
        let filter = if self.filtered { 0x20 } else { 0 };
        [
            (self.tag_type & 0x1F) | filter,
            s2,
            s1,
            s0,
            t2,
            t1,
            t0,
            t3,
            0,
            0,
            0,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_header_of_version_1() {
        let bytes = [0x46, 0x4C, 0x56, 0x01, 0x05, 0, 0, 0, 9];
        let header = FileHeader::parse(&bytes).unwrap();
        assert_eq!(
            header,
            FileHeader {
                version: 1,
                has_audio: true,
                has_video: true,
                data_offset: 9
            }
        );
        assert_eq!(FileHeader::encode(true, true), bytes);
        assert_eq!(FileHeader::encode(true, false)[4], 0x04);
    }

    #[test]
    fn other_files_and_impossible_offsets_are_refused() {
        assert!(matches!(
            FileHeader::parse(b"ID3\x03\0\0\0\0\0"),
            Err(FlvError::NotFlv { .. })
        ));
        assert!(matches!(
            FileHeader::parse(b"FLV\x01\x05\0\0\0\x08"),
            Err(FlvError::DataOffset { offset: 8 })
        ));
    }

    #[test]
    fn timestamp_high_byte_stands_last() {
        let bytes = [0x09, 0x00, 0x00, 0x05, 0x34, 0x56, 0x78, 0x12, 0, 0, 0];
        let header = TagHeader::parse(&bytes);
        assert_eq!(
            (header.tag_type, header.data_size, header.timestamp),
            (9, 5, 0x1234_5678)
        );
        assert_eq!(header.encode(), bytes);
    }

    #[test]
    fn encrypted_tags_are_told_by_the_filter_bit() {
        let header = TagHeader::parse(&[0x29, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert!(header.filtered);
        assert_eq!(header.tag_type, 9);
    }
}
