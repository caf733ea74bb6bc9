//! Reading FLV files, tolerant of what real files get wrong.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use bytes::Bytes;

use super::FlvError;
use super::tag::{FILE_HEADER, FileHeader, PREVIOUS_TAG_SIZE, TAG_HEADER, TagHeader};
use crate::media::{MediaKind, MediaMessage};

/// Memory set aside before a body arrives; a larger one grows with the bytes that are really there.
const FIRST_RESERVE: usize = 64 * 1024;
/// A timestamp with its sign bit set is negative unless the file had come this far before (some 12 days).
const MAY_PASS_SIGN_BIT: u32 = 1 << 30;

/// The tags of an FLV file as messages, in file order.
///
/// Wrap files in a `BufReader`. The flags of the file header and the sizes between tags are ignored; encrypted tags and
/// tags of unknown type are skipped and counted; negative timestamps become 0; a file cut off inside its last tag ends
/// there, and [`FlvReader::truncated`] says so. After an error the iterator is at its end.
#[derive(Debug)]
pub struct FlvReader<R: Read> {
    input: R,
    header: FileHeader,
    /// Offset of the next byte of `input`.
    position: u64,
    last_tag: u64,
    /// Start and end of the last tag that was there to its end, of any type.
    last_whole: (u64, u64),
    last_timestamp: u32,
    skipped: u64,
    truncated: bool,
    at_end: bool,
}

impl<R: Read> FlvReader<R> {
    /// Reads the file header and stops before the first tag.
    pub fn new(mut input: R) -> Result<Self, FlvError> {
        let mut bytes = [0; FILE_HEADER];
        let have = read_up_to(&mut input, &mut bytes)?;
        if have >= 3 && !bytes.starts_with(b"FLV") {
            return Err(FlvError::NotFlv {
                found: bytes[..3].to_vec(),
            });
        }
        if have < FILE_HEADER {
            return Err(FlvError::HeaderTruncated { have });
        }
        let header = FileHeader::parse(&bytes)?;
        let mut reader = Self {
            input,
            header,
            position: FILE_HEADER as u64,
            last_tag: 0,
            last_whole: (0, 0),
            last_timestamp: 0,
            skipped: 0,
            truncated: false,
            at_end: false,
        };
        let beyond = u64::from(header.data_offset) - FILE_HEADER as u64;
        reader.at_end = !reader.pass_over(beyond)?;
        reader.last_whole = (reader.position, reader.position);
        Ok(reader)
    }

    /// The file header.
    pub const fn header(&self) -> FileHeader {
        self.header
    }

    /// Offset of the header of the tag that was yielded last, in bytes from the start of the file.
    pub const fn last_tag_position(&self) -> u64 {
        self.last_tag
    }

    /// Whether the file ended inside a tag. Meaningful once the iterator is at its end.
    pub const fn truncated(&self) -> bool {
        self.truncated
    }

    /// Tags passed over so far because they are encrypted or of an unknown type.
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Start and end, in bytes from the start of the file, of the last tag that was there to its end, whatever its
    /// type; both are the end of the file header before the first.
    pub(super) const fn last_whole_tag(&self) -> (u64, u64) {
        self.last_whole
    }

    /// Gives the input back, wherever it stands.
    pub fn into_inner(self) -> R {
        self.input
    }

    fn read_message(&mut self) -> Result<Option<MediaMessage>, FlvError> {
        loop {
            let Some(tag) = self.read_tag_header()? else {
                return Ok(None);
            };
            let kind = MediaKind::from_type_id(tag.tag_type).filter(|_| !tag.filtered);
            let Some(kind) = kind else {
                if !self.pass_over(u64::from(tag.data_size))? {
                    return Ok(None);
                }
                self.last_whole = (self.last_tag, self.position);
                self.skipped = self.skipped.saturating_add(1);
                continue;
            };
            let Some(body) = self.read_body(tag.data_size)? else {
                return Ok(None);
            };
            self.last_whole = (self.last_tag, self.position);
            return Ok(Some(MediaMessage {
                kind,
                timestamp: self.timestamp_of(tag),
                body,
            }));
        }
    }

    /// The size of the previous tag, which nobody needs, and the header of the next; `None` at the end of the file.
    fn read_tag_header(&mut self) -> Result<Option<TagHeader>, FlvError> {
        const BOTH: usize = PREVIOUS_TAG_SIZE + TAG_HEADER;
        let mut bytes = [0; BOTH];
        let have = read_up_to(&mut self.input, &mut bytes)?;
        if have < BOTH {
            self.truncated = have != 0 && have != PREVIOUS_TAG_SIZE;
            return Ok(None);
        }
        self.last_tag = self.position.saturating_add(PREVIOUS_TAG_SIZE as u64);
        self.position = self.position.saturating_add(BOTH as u64);
        Ok(bytes.last_chunk::<TAG_HEADER>().map(TagHeader::parse))
    }

    fn read_body(&mut self, size: u32) -> Result<Option<Bytes>, FlvError> {
        let want = size as usize;
        let mut body = Vec::with_capacity(want.min(FIRST_RESERVE));
        let have = (&mut self.input).take(u64::from(size)).read_to_end(&mut body)?;
        self.position = self.position.saturating_add(have as u64);
        self.truncated = have < want;
        Ok(if self.truncated { None } else { Some(body.into()) })
    }

    fn timestamp_of(&mut self, tag: TagHeader) -> u32 {
        let negative = tag.timestamp > i32::MAX as u32 && self.last_timestamp < MAY_PASS_SIGN_BIT;
        self.last_timestamp = if negative { 0 } else { tag.timestamp };
        self.last_timestamp
    }

    /// Passes over bytes; `false` when the file ends before.
    fn pass_over(&mut self, count: u64) -> Result<bool, FlvError> {
        let have = io::copy(&mut (&mut self.input).take(count), &mut io::sink())?;
        self.position = self.position.saturating_add(have);
        self.truncated = have < count;
        Ok(!self.truncated)
    }
}

impl<R: Read + Seek> FlvReader<R> {
    /// Goes to a tag header at `position` bytes from the start of the input, as [`FlvReader::last_tag_position`] and
    /// the `keyframes` index of metadata give it. A position that is none yields nonsense tags: verify what comes.
    pub fn seek_to_tag(&mut self, position: u64) -> Result<(), FlvError> {
        let floor = u64::from(self.header.data_offset);
        let start = position.saturating_sub(PREVIOUS_TAG_SIZE as u64).max(floor);
        self.input.seek(SeekFrom::Start(start))?;
        self.position = start;
        self.at_end = false;
        self.truncated = false;
        Ok(())
    }

    /// What follows comes after this time: it decides whether timestamps with their sign bit set are negative.
    pub const fn expect_after(&mut self, timestamp: u32) {
        self.last_timestamp = timestamp;
    }

    /// The header of the next tag, of whatever type, and the first bytes of its body, as many as there are and fit `first`; the
    /// rest is passed over without being read. `None` at the end of the file. Where the tag lies says
    /// [`FlvReader::last_tag_position`]; timestamps are as they stand in the file.
    pub fn skim(&mut self, first: &mut [u8]) -> Result<Option<(TagHeader, usize)>, FlvError> {
        let Some(tag) = self.read_tag_header()? else {
            self.at_end = true;
            return Ok(None);
        };
        let size = tag.data_size as usize;
        let wanted = first.len().min(size);
        let have = read_up_to(&mut self.input, first.get_mut(..wanted).unwrap_or_default())?;
        self.truncated = have < wanted;
        let rest = i64::try_from(size - wanted).unwrap_or(i64::MAX);
        self.input.seek_relative(rest)?;
        self.position = self
            .position
            .saturating_add(have as u64)
            .saturating_add(rest.unsigned_abs());
        Ok((!self.truncated).then_some((tag, have)))
    }
}

impl<R: Read> Iterator for FlvReader<R> {
    type Item = Result<MediaMessage, FlvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at_end {
            return None;
        }
        let item = self.read_message().transpose();
        self.at_end = !matches!(item, Some(Ok(_)));
        item
    }
}

/// Reads until the buffer is full or the input ends; how many bytes there were.
fn read_up_to(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = &[0x46, 0x4C, 0x56, 1, 5, 0, 0, 0, 9, 0, 0, 0, 0];
    const AAC_CONFIG: &[u8] = &[
        8, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0xAF, 0x00, 0x12, 0x10, 0, 0, 0, 15,
    ];
    const AAC_FRAME: &[u8] = &[8, 0, 0, 3, 0, 0, 23, 0, 0, 0, 0, 0xAF, 0x01, 0x21, 0, 0, 0, 14];

    fn read(file: &[u8]) -> (Vec<MediaMessage>, FlvReader<io::Cursor<Vec<u8>>>) {
        let mut reader = FlvReader::new(io::Cursor::new(file.to_vec())).unwrap();
        let messages = reader.by_ref().map(Result::unwrap).collect();
        (messages, reader)
    }

    #[test]
    fn tags_become_messages() {
        let (messages, reader) = read(&[HEADER, AAC_CONFIG, AAC_FRAME].concat());
        assert_eq!(
            messages[0],
            MediaMessage::new(MediaKind::Audio, 0, &[0xAF, 0x00, 0x12, 0x10][..])
        );
        assert_eq!(
            messages[1],
            MediaMessage::new(MediaKind::Audio, 23, &[0xAF, 0x01, 0x21][..])
        );
        assert_eq!(
            (messages.len(), reader.truncated(), reader.last_tag_position()),
            (2, false, 32)
        );
    }

    #[test]
    fn a_truncated_last_tag_ends_the_file_and_is_reported() {
        let whole = [HEADER, AAC_CONFIG, AAC_FRAME].concat();
        let end_of_first = HEADER.len() + AAC_CONFIG.len();
        for end in end_of_first + 1..whole.len() - 4 {
            let (messages, reader) = read(&whole[..end]);
            assert_eq!((messages.len(), reader.truncated()), (1, true), "cut at {end}");
        }
        let (messages, reader) = read(&whole[..whole.len() - 4]);
        assert_eq!(
            (messages.len(), reader.truncated()),
            (2, false),
            "only the trailing size is missing"
        );
    }

    #[test]
    fn a_longer_header_is_passed_over() {
        let longer = [0x46, 0x4C, 0x56, 1, 5, 0, 0, 0, 12, 0xAA, 0xBB, 0xCC, 0, 0, 0, 0];
        assert_eq!(read(&[&longer[..], AAC_CONFIG].concat()).0.len(), 1);
        assert!(read(&longer[..11]).1.truncated());
    }

    #[test]
    fn encrypted_and_unknown_tags_are_skipped() {
        let encrypted = [0x29, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x17, 0, 0, 0, 12];
        let unknown = [0x05, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11];
        let (messages, reader) = read(&[HEADER, &encrypted, &unknown, AAC_FRAME].concat());
        assert_eq!((messages.len(), reader.skipped()), (1, 2));
    }

    #[test]
    fn wrong_back_pointers_and_empty_bodies_are_legal() {
        let empty = [9, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];
        let (messages, _) = read(&[HEADER, &empty, AAC_FRAME].concat());
        assert_eq!(messages[0], MediaMessage::new(MediaKind::Video, 5, &[][..]));
        assert_eq!(messages.len(), 2);
    }

    #[test]
    fn negative_timestamps_become_zero_and_late_ones_pass() {
        let at = |high: u8, low: u8| [9, 0, 0, 0, low, low, low, high, 0, 0, 0, 0, 0, 0, 11];
        let (messages, _) = read(&[HEADER, &at(0xFF, 0xFE), &at(0x7F, 0xFF), &at(0x80, 0x01)].concat());
        let times: Vec<u32> = messages.iter().map(|m| m.timestamp).collect();
        assert_eq!(times, [0, 0x7FFF_FFFF, 0x8001_0101]);
    }

    #[test]
    fn a_declared_size_allocates_nothing_by_itself() {
        let huge = [9, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0x17];
        let (messages, reader) = read(&[HEADER, &huge].concat());
        assert!(messages.is_empty() && reader.truncated());
    }

    #[test]
    fn seeking_finds_the_tag_again() {
        let file = [HEADER, AAC_CONFIG, AAC_FRAME].concat();
        let mut reader = FlvReader::new(io::Cursor::new(file)).unwrap();
        assert_eq!(reader.by_ref().count(), 2);
        reader.seek_to_tag(32).unwrap();
        assert_eq!(reader.next().unwrap().unwrap().timestamp, 23);
        reader.seek_to_tag(0).unwrap();
        assert_eq!(reader.next().unwrap().unwrap().timestamp, 0);
    }

    #[test]
    fn skimming_shows_headers_and_beginnings() {
        let mut reader = FlvReader::new(io::Cursor::new([HEADER, AAC_CONFIG, AAC_FRAME].concat())).unwrap();
        let mut first = [0; 2];
        let (tag, have) = reader.skim(&mut first).unwrap().unwrap();
        assert_eq!((tag.data_size, have, first), (4, 2, [0xAF, 0]));
        let (tag, have) = reader.skim(&mut first).unwrap().unwrap();
        assert_eq!((tag.timestamp, have, first), (23, 2, [0xAF, 1]));
        assert_eq!(reader.last_tag_position(), 32);
        assert!(reader.skim(&mut first).unwrap().is_none());
        reader.seek_to_tag(32).unwrap();
        assert_eq!(reader.next().unwrap().unwrap().timestamp, 23);
    }

    #[test]
    fn other_files_are_refused() {
        assert!(matches!(
            FlvReader::new(&b"ID3"[..]),
            Err(FlvError::NotFlv { .. })
        ));
        assert!(matches!(
            FlvReader::new(&b"FL"[..]),
            Err(FlvError::HeaderTruncated { have: 2 })
        ));
    }
}
