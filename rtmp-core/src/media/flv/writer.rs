//! Writing FLV files.

use std::io::{Read, Seek, SeekFrom, Write};

use super::header_places::{self, HeaderPlaces};
use super::index::{END_OF_OBJECT, KeyframeIndex, seconds};
use super::tag::{FILE_HEADER, FileHeader, MAX_BODY, PREVIOUS_TAG_SIZE, TAG_HEADER, TagHeader};
use super::{FlvError, FlvReader};
use crate::amf::{Object, Value};
use crate::media::metadata::Metadata;
use crate::media::{FrameFlags, MediaKind, MediaMessage, inspect};
use crate::time::Unwrap;

/// Where the patched numbers stand in a metadata body that [`FlvWriter::write_metadata`] wrote: the name takes 13
/// bytes, the array's marker and count 5, each key 10 and each number 9.
const DURATION_KEY: usize = 13 + 5;
const DURATION: usize = DURATION_KEY + 10 + 1;
const FILESIZE_KEY: usize = DURATION + 8;
const FILESIZE: usize = FILESIZE_KEY + 10 + 1;
const ARRAY_COUNT: usize = 13 + 1;
/// Where the flags stand in the file header.
const FLAGS: usize = 4;
/// Properties that only the writer knows.
const OWN: [&str; 5] = [
    "duration",
    "filesize",
    "keyframes",
    "custdef",
    header_places::PROPERTY,
];
/// More index entries than this and readers that hold to the AMF limits of this crate refuse the metadata.
const MAX_KEYFRAMES: usize = 30_000;

/// Writes messages as FLV tags, each body byte for byte.
///
/// Wrap files in a `BufWriter`. Timestamps are written as they come: rebase them to 0 first (FLV 10.1 E.4.1). They wrap after
/// 49.7 days; duration and index go on counting.
#[derive(Debug)]
pub struct FlvWriter<W: Write> {
    output: W,
    /// Bytes from the start of the file to the next tag.
    written: u64,
    /// Audio and video, as the flags of the file header say.
    promised: (bool, bool),
    tally: Tally,
}

/// What the tags of a file add up to.
#[derive(Debug)]
struct Tally {
    time: Unwrap,
    last_time: u64,
    /// Audio and video there were.
    seen: (bool, bool),
    metadata: Option<Reserved>,
    index: KeyframeIndex,
    headers: HeaderPlaces,
}

#[derive(Debug)]
struct Reserved {
    /// Offset of the metadata body in the file.
    body: u64,
    /// Offset of the keyframe index within the body.
    index: Option<usize>,
    /// Offset of the places of headers within the body.
    headers: Option<usize>,
}

impl<W: Write> FlvWriter<W> {
    /// Writes the file header. `has_audio` and `has_video` are what its flags promise; [`FlvWriter::finish`] corrects them.
    pub fn new(mut output: W, has_audio: bool, has_video: bool) -> Result<Self, FlvError> {
        output.write_all(&FileHeader::encode(has_audio, has_video))?;
        output.write_all(&[0; PREVIOUS_TAG_SIZE])?;
        let written = (FILE_HEADER + PREVIOUS_TAG_SIZE) as u64;
        Ok(Self {
            output,
            written,
            promised: (has_audio, has_video),
            tally: Tally::new(),
        })
    }

    /// Writes `onMetaData` at timestamp 0 with room for duration and file size, which [`FlvWriter::finish`] fills in.
    /// With `keyframes` above 0 there is room for that many entries of a keyframe index too, 18 bytes each; longer
    /// recordings keep every second, fourth, ... key frame. Beside it, `headerplaces` says where codec configuration changes,
    /// so that who follows the index need not look for that. Call it once, before the first message.
    pub fn write_metadata(&mut self, properties: &Object, keyframes: usize) -> Result<(), FlvError> {
        let mut object = Object::new().with("duration", 0.0).with("filesize", 0.0);
        for (key, value) in properties.iter().filter(|(key, _)| !OWN.contains(key)) {
            object.insert(key, value.clone());
        }
        if keyframes > 0 {
            object.insert("hasKeyframes", true);
        }
        let count = u32::try_from(object.len()).unwrap_or(u32::MAX);
        let mut body = Vec::from(Metadata { properties: object }.to_body());
        let index = KeyframeIndex::new(keyframes.min(MAX_KEYFRAMES));
        let (mut index_at, mut headers_at) = (None, None);
        if keyframes > 0 {
            body.truncate(body.len().saturating_sub(END_OF_OBJECT.len()));
            headers_at = Some(body.len());
            HeaderPlaces::encode_unknown(&mut body);
            index_at = Some(body.len());
            index.encode(&mut body);
            body.extend_from_slice(END_OF_OBJECT);
            let count = count.saturating_add(3).to_be_bytes();
            body.splice(ARRAY_COUNT..ARRAY_COUNT + count.len(), count);
        }
        let at = self.written + TAG_HEADER as u64;
        self.write(&MediaMessage::new(MediaKind::Data, 0, body))?;
        self.tally.metadata = Some(Reserved {
            body: at,
            index: index_at,
            headers: headers_at,
        });
        self.tally.index = index;
        Ok(())
    }

    /// Writes a message as a tag.
    pub fn write(&mut self, message: &MediaMessage) -> Result<(), FlvError> {
        let size = message.body.len();
        if size > MAX_BODY {
            return Err(FlvError::TagTooLarge { size });
        }
        // At most 24 bits, checked above.
        let data_size = size as u32;
        let header = TagHeader {
            tag_type: message.type_id(),
            filtered: false,
            data_size,
            timestamp: message.timestamp,
        };
        self.output.write_all(&header.encode())?;
        self.output.write_all(&message.body)?;
        let tag_size = TAG_HEADER as u32 + data_size;
        self.output.write_all(&tag_size.to_be_bytes())?;
        self.tally.note(self.written, message);
        self.written = self
            .written
            .saturating_add(u64::from(tag_size) + PREVIOUS_TAG_SIZE as u64);
        Ok(())
    }

    /// Bytes in the file so far.
    pub const fn bytes_written(&self) -> u64 {
        self.written
    }

    /// The highest timestamp so far, in milliseconds, modulo 2^32.
    pub const fn last_timestamp(&self) -> u32 {
        self.tally.last_time as u32
    }

    /// The highest time so far, in milliseconds, counted on where timestamps wrap: where a file that is appended to goes on.
    pub const fn last_time(&self) -> u64 {
        self.tally.last_time
    }

    /// Hands what is buffered to the output, so that it survives the end of the process.
    pub fn flush(&mut self) -> Result<(), FlvError> {
        Ok(self.output.flush()?)
    }

    /// The output. What is buffered there is not in it before [`FlvWriter::flush`].
    pub const fn get_ref(&self) -> &W {
        &self.output
    }

    /// Flushes and gives the output back, leaving the metadata as it is: for outputs that cannot seek.
    pub fn into_inner(mut self) -> Result<W, FlvError> {
        self.output.flush()?;
        Ok(self.output)
    }
}

impl<W: Write + Seek> FlvWriter<W> {
    /// Fills in duration (the highest time), file size and keyframe index where [`FlvWriter::write_metadata`] left room,
    /// corrects the flags of the file header, flushes, and gives the output back, standing at the end of the file.
    pub fn finish(mut self) -> Result<W, FlvError> {
        let end = self.output.stream_position()?;
        let start = end.saturating_sub(self.written);
        if let Some(Reserved { body, index, headers }) = self.tally.metadata.take() {
            let body = start.saturating_add(body);
            let duration = seconds(self.tally.last_time);
            self.patch(body + DURATION as u64, &duration.to_be_bytes())?;
            self.patch(body + FILESIZE as u64, &(self.written as f64).to_be_bytes())?;
            if let Some(index) = index {
                let mut bytes = Vec::new();
                self.tally.index.encode(&mut bytes);
                self.patch(body + index as u64, &bytes)?;
            }
            if let Some(headers) = headers {
                let mut bytes = Vec::new();
                self.tally.headers.encode(&mut bytes);
                self.patch(body + headers as u64, &bytes)?;
            }
            self.output.seek(SeekFrom::Start(end))?;
        }
        let (audio, video) = self.tally.seen;
        if (audio, video) != self.promised && (audio || video) {
            let header = FileHeader::encode(audio, video);
            self.patch(start + FLAGS as u64, &header[FLAGS..=FLAGS])?;
            self.output.seek(SeekFrom::Start(end))?;
        }
        self.into_inner()
    }

    fn patch(&mut self, position: u64, bytes: &[u8]) -> Result<(), FlvError> {
        self.output.seek(SeekFrom::Start(position))?;
        Ok(self.output.write_all(bytes)?)
    }
}

impl<W: Read + Write + Seek> FlvWriter<W> {
    /// Goes on behind the last whole tag of a file that starts at offset 0; an incomplete tag there is overwritten, so
    /// cut the file at [`FlvWriter::bytes_written`] if it may stay longer. Reads every tag once and shows it to `visit`.
    /// Duration, file size and keyframe index are filled in at the end when the file is one of ours.
    pub fn append(mut output: W, mut visit: impl FnMut(&MediaMessage)) -> Result<Self, FlvError> {
        output.seek(SeekFrom::Start(0))?;
        let mut reader = FlvReader::new(&mut output)?;
        if reader.truncated() {
            let offset = reader.header().data_offset;
            return Err(FlvError::DataOffset { offset });
        }
        let FileHeader {
            has_audio, has_video, ..
        } = reader.header();
        let mut tally = Tally::new();
        while let Some(message) = reader.next().transpose()? {
            let position = reader.last_tag_position();
            let first = u64::from(reader.header().data_offset) + PREVIOUS_TAG_SIZE as u64;
            if position == first && has_room(&message) {
                let (index, room) = KeyframeIndex::find(&message.body).unzip();
                let body = first + TAG_HEADER as u64;
                let headers = HeaderPlaces::find(&message.body);
                tally.metadata = Some(Reserved { body, index, headers });
                tally.index = room.unwrap_or(tally.index);
            }
            tally.note(position, &message);
            visit(&message);
        }
        let (start, end) = reader.last_whole_tag();
        output.seek(SeekFrom::Start(end))?;
        let last_size = u32::try_from(end.saturating_sub(start)).unwrap_or(0);
        output.write_all(&last_size.to_be_bytes())?;
        let written = end.saturating_add(PREVIOUS_TAG_SIZE as u64);
        Ok(Self {
            output,
            written,
            promised: (has_audio, has_video),
            tally,
        })
    }
}

impl Tally {
    fn new() -> Self {
        Self {
            time: Unwrap::default(),
            last_time: 0,
            seen: (false, false),
            metadata: None,
            index: KeyframeIndex::new(0),
            headers: HeaderPlaces::default(),
        }
    }

    /// Takes note of a tag whose header is at `position`.
    fn note(&mut self, position: u64, message: &MediaMessage) {
        let time = self.time.unwrap(message.timestamp);
        self.last_time = self.last_time.max(time);
        match message.kind {
            MediaKind::Audio => self.seen.0 = true,
            MediaKind::Video => self.seen.1 = true,
            MediaKind::Data => {}
        }
        let flags = inspect(message.kind, &message.body);
        if flags.contains(FrameFlags::KEYFRAME) {
            self.index.push(position, time);
        }
        self.headers.note(position, message, flags);
    }
}

/// Whether a message is metadata in the layout of [`FlvWriter::write_metadata`].
fn has_room(message: &MediaMessage) -> bool {
    let key = |at: usize, name: &[u8]| message.body.get(at..).is_some_and(|rest| rest.starts_with(name));
    let numbers = Metadata::parse(&message.body).is_some_and(|metadata| {
        ["duration", "filesize"]
            .iter()
            .all(|key| metadata.properties.get(key).and_then(Value::as_f64).is_some())
    });
    numbers && key(DURATION_KEY, b"\x00\x08duration\x00") && key(FILESIZE_KEY, b"\x00\x08filesize\x00")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn video(timestamp: u32, first: u8) -> MediaMessage {
        MediaMessage::new(
            MediaKind::Video,
            timestamp,
            vec![first, 1, 0, 0, 0, 0, 0, 0, 1, 0x65],
        )
    }

    fn read(file: &[u8]) -> Vec<MediaMessage> {
        FlvReader::new(file).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn a_file_byte_for_byte() {
        let mut writer = FlvWriter::new(Vec::new(), true, true).unwrap();
        writer
            .write(&MediaMessage::new(
                MediaKind::Audio,
                0x1234_5678,
                &[0xAF, 0, 0x12, 0x10][..],
            ))
            .unwrap();
        assert_eq!(writer.bytes_written(), 32);
        let expected = [
            0x46, 0x4C, 0x56, 1, 5, 0, 0, 0, 9, 0, 0, 0, 0, // header, PreviousTagSize0
            8, 0, 0, 4, 0x34, 0x56, 0x78, 0x12, 0, 0, 0, 0xAF, 0, 0x12, 0x10, 0, 0, 0, 15,
        ];
        assert_eq!(writer.into_inner().unwrap(), expected);
    }

    #[test]
    fn amf3_script_data_keeps_its_tag_type() {
        let mut writer = FlvWriter::new(Vec::new(), false, false).unwrap();
        writer
            .write(&MediaMessage::new(MediaKind::Data, 0, &b"\0\x02\0\x01a"[..]))
            .unwrap();
        assert_eq!(writer.into_inner().unwrap()[13], 15);
    }

    #[test]
    fn bodies_beyond_24_bits_are_refused() {
        let mut writer = FlvWriter::new(Vec::new(), false, true).unwrap();
        let message = MediaMessage::new(MediaKind::Video, 0, vec![0; MAX_BODY + 1]);
        assert!(matches!(
            writer.write(&message),
            Err(FlvError::TagTooLarge { size: 0x100_0000 })
        ));
        assert_eq!(writer.bytes_written(), 13);
    }

    #[test]
    fn finishing_fills_in_duration_size_and_index() {
        let mut writer = FlvWriter::new(Cursor::new(Vec::new()), false, true).unwrap();
        let stale = Object::new().with("duration", 99.0).with("width", 160.0);
        writer.write_metadata(&stale, 8).unwrap();
        let mut positions = Vec::new();
        for (timestamp, first) in [(0, 0x17), (40, 0x27), (2000, 0x17), (2040, 0x27)] {
            positions.push(writer.bytes_written());
            writer.write(&video(timestamp, first)).unwrap();
        }
        let file = writer.finish().unwrap().into_inner();
        let messages = read(&file);
        let metadata = Metadata::parse(&messages[0].body).unwrap();
        assert_eq!(metadata.duration(), Some(2.04));
        assert_eq!(
            metadata.properties.get("filesize").unwrap().as_f64(),
            Some(file.len() as f64)
        );
        assert_eq!(metadata.properties.get("width").unwrap().as_f64(), Some(160.0));
        assert_eq!(metadata.keyframes(), [(0.0, positions[0]), (2.0, positions[2])]);
        assert_eq!(messages.len(), 5);
        let keys = metadata.properties.len() as u32;
        assert_eq!(messages[0].body[14..18], keys.to_be_bytes());
    }

    #[test]
    fn a_file_shorter_than_its_declared_header_is_not_appended_to() {
        let file = b"FLV\x01\x05\0\0\0\x20\0\0\0\0".to_vec();
        assert!(matches!(
            FlvWriter::append(Cursor::new(file), |_| ()),
            Err(FlvError::DataOffset { offset: 32 })
        ));
    }

    #[test]
    fn appending_goes_on_behind_the_last_whole_tag() {
        let mut writer = FlvWriter::new(Cursor::new(Vec::new()), false, true).unwrap();
        writer.write_metadata(&Object::new(), 0).unwrap();
        writer.write(&video(0, 0x17)).unwrap();
        writer.write(&video(40, 0x27)).unwrap();
        let mut file = writer.finish().unwrap().into_inner();
        file.truncate(file.len() - 6);

        let mut writer = FlvWriter::append(Cursor::new(file), |_| ()).unwrap();
        assert_eq!(writer.last_timestamp(), 0);
        writer.write(&video(5000, 0x17)).unwrap();
        let file = writer.finish().unwrap().into_inner();
        let messages = read(&file);
        assert_eq!(messages[1..], [video(0, 0x17), video(5000, 0x17)]);
        assert_eq!(Metadata::parse(&messages[0].body).unwrap().duration(), Some(5.0));
    }

    #[test]
    fn appending_to_a_file_that_was_never_finished_makes_its_index_whole() {
        let mut writer = FlvWriter::new(Cursor::new(Vec::new()), true, true).unwrap();
        writer.write_metadata(&Object::new(), 4).unwrap();
        let mut positions = vec![writer.bytes_written()];
        writer.write(&video(0, 0x17)).unwrap();
        let torn = writer.into_inner().unwrap();

        let mut visited = Vec::new();
        let mut writer = FlvWriter::append(torn, |message| visited.push(message.timestamp)).unwrap();
        assert_eq!(visited, [0, 0]);
        positions.push(writer.bytes_written());
        writer.write(&video(40, 0x17)).unwrap();
        let file = writer.finish().unwrap().into_inner();
        assert_eq!(file[4], 0x01, "there is no audio after all");
        let metadata = Metadata::parse(&read(&file)[0].body).unwrap();
        assert_eq!(metadata.keyframes(), [(0.0, positions[0]), (0.04, positions[1])]);
    }

    #[test]
    fn duration_counts_on_where_timestamps_wrap() {
        let mut writer = FlvWriter::new(Cursor::new(Vec::new()), false, true).unwrap();
        writer.write_metadata(&Object::new(), 2).unwrap();
        for timestamp in [0, 0x7FFF_FFFF, 0xFFFF_FF00, 0x100] {
            writer.write(&video(timestamp, 0x17)).unwrap();
        }
        assert_eq!(
            (writer.last_timestamp(), writer.last_time()),
            (0x100, 0x1_0000_0100)
        );
        let file = writer.finish().unwrap().into_inner();
        let metadata = Metadata::parse(&read(&file)[0].body).unwrap();
        assert_eq!(metadata.duration(), Some(4_294_967.552));
    }
}
