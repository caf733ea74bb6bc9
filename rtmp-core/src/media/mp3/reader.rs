//! An MP3 file as the messages that RTMP and FLV carry.

use std::io::{Read, Seek};

use super::Mp3Error;
use super::frame::FrameHeader;
use super::id3;
use super::vbr::Summary;
use crate::amf::{Object, Value, amf0};
use crate::media::input::Input;
use crate::media::{FourCc, Frame, MediaKind, MediaMessage, Metadata};

/// The frames of an MP3 file, with the times they have in it.
///
/// Wrap files in a `BufReader`. A frame that only says how much follows is no frame here; tags before, behind and between are
/// passed over. Times are exact: seeking passes over frames from the nearest place known. In files far larger than songs are,
/// where that would be much reading, it goes by the index that the file has, or by its mean bit rate.
#[derive(Debug)]
pub struct Mp3Reader<R> {
    input: Input<R>,
    /// What all frames share with this one.
    first: FrameHeader,
    /// Where the frames begin, and where what is behind them does.
    begin: u64,
    end: u64,
    summary: Summary,
    /// Samples of the whole file.
    length: u64,
    at: Place,
    places: Vec<Place>,
    /// Samples between places.
    gap: u64,
    tags: Object,
}

/// The place of a frame: samples before it, and where it is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    samples: u64,
    position: u64,
}

/// Bytes that are no frame, passed over in search of one.
const MAX_GARBAGE: u64 = 256 << 10;
/// Bytes passed over frame by frame to find out a length or a place; a song is some millions.
const MAX_WALK: u64 = 64 << 20;
/// Tags one behind the other.
const MAX_TAGS: usize = 8;
const MAX_PLACES: usize = 4_096;
/// What a frame can have at most, in bytes, padding included: 320 kbit/s at 32 kHz.
const MAX_FRAME: u32 = 1_441;
/// Bytes of the footer of an APE tag.
const APE_FOOTER: u64 = 32;

impl<R: Read + Seek> Mp3Reader<R> {
    /// Reads the tags and finds the first frame.
    pub fn new(file: R) -> Result<Self, Mp3Error> {
        let mut input = Input::new(file)?;
        let mut tags = Object::new();
        let begin = read_tags(&mut input, &mut tags)?;
        let end = read_tail(&mut input, begin, &mut tags)?;
        let at = Place {
            samples: 0,
            position: begin,
        };
        let mut reader = Self {
            input,
            first: FrameHeader::parse([0xFF, 0xFB, 0x90, 0x64]).ok_or(Mp3Error::NoFrames(0))?,
            begin,
            end,
            summary: Summary::default(),
            length: 0,
            at,
            places: vec![at],
            gap: 1 << 16,
            tags,
        };
        let Some((mut header, mut frame)) = reader.find_frame(None)? else {
            return Err(Mp3Error::NoFrames(end.saturating_sub(begin).min(MAX_GARBAGE)));
        };
        if let Some(summary) = Summary::of(&header, &frame) {
            reader.summary = summary;
            reader.at.position = reader.at.position.saturating_add(u64::from(header.size));
            if let Some(sound) = reader.find_frame(Some(&header))? {
                (header, frame) = sound;
            }
        }
        drop(frame);
        reader.first = header;
        reader.begin = reader.at.position;
        reader.places = vec![reader.at];
        reader.measure()?;
        Ok(reader)
    }

    /// How long the file is, in milliseconds: by what it says of itself, by its frames, or, where it is very large, by the mean
    /// bit rate of many of them.
    pub fn length_ms(&self) -> u64 {
        self.ms(self.length)
    }

    /// Metadata of the stream.
    pub fn metadata(&self) -> Metadata {
        let seconds = self.length as f64 / f64::from(self.first.rate);
        let bytes = self.end.saturating_sub(self.begin) as f64;
        let mut properties = Object::new();
        properties.insert("duration", seconds);
        properties.insert("audiocodecid", 2.0);
        properties.insert("audiosamplerate", f64::from(self.first.rate));
        properties.insert("audiochannels", if self.first.is_mono { 1.0 } else { 2.0 });
        properties.insert("stereo", !self.first.is_mono);
        if seconds > 0.0 {
            properties.insert("audiodatarate", (bytes / seconds / 125.0).round());
        }
        Metadata { properties }
    }

    /// What the tags of the file say: the text frames of ID3v2 by their names (`TIT2`), and `songname`, `artist`, `album`, `year`,
    /// `comment`, `genre` and `track` of either version.
    pub fn tags(&self) -> &Object {
        &self.tags
    }

    /// Metadata, and the tags, if there are any, as an `onId3` message.
    pub fn headers(&self, timestamp: u32) -> Vec<MediaMessage> {
        let mut headers = vec![MediaMessage::new(
            MediaKind::Data,
            timestamp,
            self.metadata().to_body(),
        )];
        headers.extend(self.tag_message(timestamp));
        headers
    }

    /// The tags as an `onId3` message, if there are any.
    pub fn tag_message(&self, timestamp: u32) -> Option<MediaMessage> {
        if self.tags.is_empty() {
            return None;
        }
        let mut body = Vec::new();
        amf0::encode(&Value::from("onId3"), &mut body);
        amf0::encode(&Value::Object(self.tags.clone()), &mut body);
        Some(MediaMessage::new(MediaKind::Data, timestamp, body))
    }

    /// Goes to the last frame that does not begin after a time; when it begins.
    pub fn seek_before(&mut self, ms: u32) -> Result<u32, Mp3Error> {
        let target = self.samples_of(ms);
        let mut best = self.go_near(target)?;
        while let Some(frame) = self.pass_frame()?.filter(|frame| frame.samples <= target) {
            best = frame;
        }
        self.at = best;
        Ok(self.timestamp())
    }

    /// Goes to the first frame that does not begin before a time; `None`, and to the end, if there is none.
    pub fn seek_after(&mut self, ms: u32) -> Result<Option<u32>, Mp3Error> {
        let target = self.samples_of(ms.saturating_sub(1));
        self.go_near(target)?;
        while let Some(frame) = self.pass_frame()? {
            if self.ms(frame.samples) >= u64::from(ms) {
                self.at = frame;
                return Ok(Some(self.timestamp()));
            }
        }
        Ok(None)
    }

    /// The next frame; `None` at the end.
    pub fn next_message(&mut self) -> Result<Option<MediaMessage>, Mp3Error> {
        let first = self.first;
        let Some((header, data)) = self.find_frame(Some(&first))? else {
            return Ok(None);
        };
        let timestamp = self.timestamp();
        self.step(&header);
        let frame = Frame::audio(FourCc::MP3, 0, &data);
        Ok(Some(MediaMessage::new(MediaKind::Audio, timestamp, frame.body)))
    }

    /// Finds out how long the file is, and goes to the beginning.
    fn measure(&mut self) -> Result<(), Mp3Error> {
        let start = self.at;
        self.length = match self.summary.frames.filter(|frames| *frames > 0) {
            Some(frames) => u64::from(frames) * u64::from(self.first.samples),
            None => {
                let limit = start.position.saturating_add(MAX_WALK);
                while self.at.position < limit && self.pass_frame()?.is_some() {}
                let walked = self.at.position.saturating_sub(start.position);
                match self.at.position < limit || walked == 0 {
                    true => self.at.samples,
                    false => scale(self.at.samples, self.end.saturating_sub(self.begin), walked),
                }
            }
        };
        self.at = start;
        Ok(())
    }

    /// Goes to a place not far before a frame, and says which. In very large files it is a guess.
    fn go_near(&mut self, target: u64) -> Result<Place, Mp3Error> {
        let known = self.known_before(target);
        let bytes = self.end.saturating_sub(self.begin);
        let far = scale(bytes, target.saturating_sub(known.samples), self.length.max(1));
        self.at = known;
        if far <= MAX_WALK {
            return Ok(known);
        }
        self.at = Place {
            samples: target.min(self.length),
            position: self.begin.saturating_add(self.estimate(target)),
        };
        let first = self.first;
        if self.find_frame(Some(&first))?.is_none() {
            self.at = known;
        }
        Ok(self.at)
    }

    /// About where a frame is, in bytes behind the first.
    fn estimate(&self, target: u64) -> u64 {
        let bytes = self.end.saturating_sub(self.begin);
        let hundredth = scale(100, target, self.length.max(1)).min(99);
        match &self.summary.places {
            Some(places) => {
                let place = places
                    .get(usize::try_from(hundredth).unwrap_or(0))
                    .copied()
                    .unwrap_or(0);
                scale(bytes, u64::from(place), 256)
            }
            None => scale(bytes, target.min(self.length), self.length.max(1)),
        }
    }

    fn known_before(&self, target: u64) -> Place {
        let after = self.places.partition_point(|place| place.samples <= target);
        let place = after.checked_sub(1).and_then(|index| self.places.get(index));
        place.copied().unwrap_or(Place {
            samples: 0,
            position: self.begin,
        })
    }

    /// Passes over a frame without its bytes: where it was; `None` at the end.
    fn pass_frame(&mut self) -> Result<Option<Place>, Mp3Error> {
        let first = self.first;
        // Nearly always the next frame begins where the last one ended.
        let next = self
            .header_at(self.at.position)?
            .filter(|header| header.fits(&first));
        let header = match next.filter(|header| self.ends_at(self.at.position, header) <= self.end) {
            Some(header) => header,
            None => match self.find_frame(Some(&first))? {
                Some((header, _)) => header,
                None => return Ok(None),
            },
        };
        let place = self.at;
        self.step(&header);
        Ok(Some(place))
    }

    /// Goes behind a frame, and remembers where it was.
    fn step(&mut self, header: &FrameHeader) {
        let place = self.at;
        self.at.samples = place.samples.saturating_add(u64::from(header.samples));
        self.at.position = self.ends_at(place.position, header);
        let is_far = |last: &Place| place.samples >= last.samples.saturating_add(self.gap);
        if !self.places.last().is_none_or(is_far) {
            return;
        }
        if self.places.len() >= MAX_PLACES {
            let mut keep = false;
            self.places.retain(|_| {
                keep = !keep;
                keep
            });
            self.gap = self.gap.saturating_mul(2);
        }
        self.places.push(place);
    }

    /// The frame at the place, or the next one behind what is none; the place goes there. `None` at the end.
    fn find_frame(&mut self, like: Option<&FrameHeader>) -> Result<Option<(FrameHeader, Vec<u8>)>, Mp3Error> {
        let limit = self.at.position.saturating_add(MAX_GARBAGE).min(self.end);
        let mut position = self.at.position;
        let is_first = like.is_none();
        while position < limit {
            let fits = |header: &FrameHeader| like.is_none_or(|like| header.fits(like));
            let header = self.header_at(position)?.filter(fits);
            if let Some(header) = header.filter(|header| self.ends_at(position, header) <= self.end)
                // Where one is expected it needs no confirmation.
                && (position == self.at.position && !is_first || self.is_followed(position, &header)?)
            {
                self.at.position = position;
                let mut data = vec![0; header.size.min(MAX_FRAME) as usize];
                let have = self.input.read_up_to(position, &mut data)?;
                return Ok((have == data.len()).then_some((header, data)));
            }
            position += 1;
        }
        self.at.position = self.at.position.max(position);
        match self.at.position < self.end {
            true => Err(Mp3Error::NoFrames(MAX_GARBAGE)),
            false => Ok(None),
        }
    }

    /// Whether another frame of the same kind begins where a frame ends, or the file ends there.
    fn is_followed(&mut self, position: u64, header: &FrameHeader) -> Result<bool, Mp3Error> {
        let next = self.ends_at(position, header);
        Ok(next >= self.end || self.header_at(next)?.is_some_and(|next| next.fits(header)))
    }

    fn ends_at(&self, position: u64, header: &FrameHeader) -> u64 {
        position.saturating_add(u64::from(header.size))
    }

    fn header_at(&mut self, position: u64) -> Result<Option<FrameHeader>, Mp3Error> {
        let mut bytes = [0; FrameHeader::SIZE];
        let have = self.input.read_up_to(position, &mut bytes)?;
        Ok(FrameHeader::parse(bytes).filter(|_| have == bytes.len()))
    }

    fn timestamp(&self) -> u32 {
        u32::try_from(self.ms(self.at.samples)).unwrap_or(u32::MAX)
    }

    /// Samples in milliseconds, to the nearest.
    fn ms(&self, samples: u64) -> u64 {
        let rate = u64::from(self.first.rate);
        samples.saturating_mul(2_000).saturating_add(rate) / (2 * rate)
    }

    /// The last sample that is in a millisecond.
    fn samples_of(&self, ms: u32) -> u64 {
        ((2 * u64::from(ms) + 1) * u64::from(self.first.rate)).saturating_sub(1) / 2_000
    }
}

/// Reads the tags at the beginning; where they end.
fn read_tags<R: Read + Seek>(input: &mut Input<R>, tags: &mut Object) -> Result<u64, Mp3Error> {
    let mut position = 0;
    for _ in 0..MAX_TAGS {
        let mut header = [0; id3::HEADER];
        input.read_up_to(position, &mut header)?;
        let Some(size) = id3::tag_size(&header) else {
            break;
        };
        if tags.is_empty() {
            let there = input.length().saturating_sub(position);
            let tag = input.read(position, size.min(id3::MAX_READ).min(there))?;
            *tags = id3::read_tag(&tag.unwrap_or_default());
        }
        position = position.saturating_add(size);
    }
    Ok(position)
}

/// Reads the tags at the end; where they begin.
fn read_tail<R: Read + Seek>(input: &mut Input<R>, begin: u64, tags: &mut Object) -> Result<u64, Mp3Error> {
    let mut end = input.length();
    let mut old = [0; id3::OLD_SIZE];
    if let Some(at) = end.checked_sub(id3::OLD_SIZE as u64).filter(|at| *at >= begin)
        && input.read_up_to(at, &mut old)? == old.len()
        && old.starts_with(b"TAG")
    {
        id3::read_old_tag(&old, tags);
        end = at;
    }
    let mut footer = [0; APE_FOOTER as usize];
    if let Some(at) = end.checked_sub(APE_FOOTER).filter(|at| *at >= begin)
        && input.read_up_to(at, &mut footer)? == footer.len()
        && let [
            b'A',
            b'P',
            b'E',
            b'T',
            b'A',
            b'G',
            b'E',
            b'X',
            _,
            _,
            _,
            _,
            a,
            b,
            c,
            d,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            flags,
            ..,
        ] = footer
    {
        let header = if flags & 0x80 != 0 { APE_FOOTER } else { 0 };
        let size = u64::from(u32::from_le_bytes([a, b, c, d])) + header;
        end = end.checked_sub(size).filter(|end| *end >= begin).unwrap_or(at);
    }
    Ok(end)
}

/// `number` times `by` over `of`, which is not 0.
fn scale(number: u64, by: u64, of: u64) -> u64 {
    let scaled = u128::from(number) * u128::from(by) / u128::from(of);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}
