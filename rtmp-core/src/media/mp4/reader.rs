//! An MP4 file as the messages that RTMP and FLV carry.

use std::collections::VecDeque;
use std::io::{Read, Seek};

use super::boxes::damaged;
use super::cursor::{Cursor, Starts};
use super::entry::SampleEntry;
use super::movie::{Movie, find_movie};
use super::{Mp4Error, Sample};
use crate::amf::Object;
use crate::media::codec_config::CodecConfig;
use crate::media::input::Input;
use crate::media::{FourCc, Frame, MediaKind, MediaMessage, Metadata};

/// The first video track and the first audio track of a file that RTMP can carry, interleaved by decoding time.
///
/// Times are milliseconds from the beginning, as the edit lists put them: the first message has time 0, or the other track
/// begins earlier. Where pictures are decoded before the first is shown, everything comes later by that much. Edits after the
/// first are not followed. H.264, AAC and MP3 come in the legacy form, all other codecs with the Enhanced RTMP header.
///
/// A file that is shorter than it says ends where it ends; one in fragments may still be growing.
#[derive(Debug)]
pub struct Mp4Reader<R> {
    input: Input<R>,
    video: Option<Cursor>,
    audio: Option<Cursor>,
    starts: Starts,
    /// Added to the times of the tracks so that none is below 0.
    shift_ms: i64,
    /// When the first picture is decoded, or the first sound where there are none, as the tracks count it.
    begins_at: i64,
    /// What `moov` says.
    declared_ms: u64,
    end_ms: u64,
    waiting: VecDeque<MediaMessage>,
}

/// What a message may hold, and some room for its header.
const MAX_SAMPLE: u32 = 0x00FF_FF00;
/// The composition time has 24 bits.
const MAX_COMPOSITION: i64 = 0x7F_FFFF;

impl<R: Read + Seek> Mp4Reader<R> {
    /// Reads what a file says of itself. Stands at the beginning; [`Mp4Reader::headers`] come before the messages.
    pub fn new(file: R) -> Result<Self, Mp4Error> {
        let mut input = Input::new(file)?;
        let moov = find_movie(&mut input)?.ok_or(damaged("there is no moov box", input.length()))?;
        if !moov.is_whole {
            return Err(damaged("the moov box is cut off", moov.start));
        }
        let movie = Movie::read(&mut input, &moov)?;
        let is_fragmented = movie.is_fragmented;
        let mut cursor = |track: Option<_>| match track {
            Some(track) => Cursor::new(&mut input, track, is_fragmented).map(Some),
            None => Ok(None),
        };
        let (video, audio) = (cursor(movie.video)?, cursor(movie.audio)?);
        if video.is_none() && audio.is_none() {
            return Err(Mp4Error::NoTracks);
        }
        let mut reader = Self {
            input,
            video,
            audio,
            starts: Starts::default(),
            shift_ms: 0,
            begins_at: 0,
            declared_ms: movie.duration_ms,
            end_ms: 0,
            waiting: VecDeque::new(),
        };
        reader.measure(is_fragmented)?;
        Ok(reader)
    }

    /// Finds out when the tracks begin and end.
    fn measure(&mut self, is_fragmented: bool) -> Result<(), Mp4Error> {
        let Self {
            input, video, audio, ..
        } = self;
        if is_fragmented && let Some(reference) = video.as_mut().or(audio.as_mut()) {
            self.starts = reference.find_starts(input)?;
            reference.rewind(input, None)?;
        }
        if let Some(video) = video
            && video.lead(input, &self.starts)?
            && is_fragmented
        {
            self.starts = video.find_starts(input)?;
            video.rewind(input, None)?;
        }
        let mut end = self.starts.end;
        let (mut first, mut begins_at) = (i64::MAX, None);
        for cursor in [video, audio].into_iter().flatten() {
            end = end.max(cursor.tables_end(input)?);
            first = first.min(cursor.ms().unwrap_or(i64::MAX));
            begins_at = begins_at.or(cursor.ms());
        }
        self.begins_at = begins_at.unwrap_or(0);
        // Who cuts a live stream into fragments may leave its clock as it was.
        let is_shifted = first < 0 || is_fragmented && first != i64::MAX;
        self.shift_ms = if is_shifted { first.saturating_neg() } else { 0 };
        self.end_ms = u64::try_from(end.saturating_add(self.shift_ms)).unwrap_or(0);
        Ok(())
    }

    /// How long the file is by its own word, or by its samples, in milliseconds.
    pub fn length_ms(&self) -> u64 {
        match self.declared_ms {
            0 => self.end_ms,
            declared if self.starts.samples > 0 => declared.max(self.end_ms),
            declared => declared,
        }
    }

    /// When the last sample ends, or the file by its own word, whichever is later, in milliseconds.
    pub fn end_ms(&self) -> u64 {
        self.end_ms.max(self.length_ms())
    }

    /// Metadata and sequence headers, stamped with a time: what comes before a message that decoding starts at.
    pub fn headers(&mut self, timestamp: u32) -> Vec<MediaMessage> {
        let metadata = MediaMessage::new(MediaKind::Data, timestamp, self.metadata().to_body());
        let mut headers = vec![metadata];
        for cursor in [&mut self.audio, &mut self.video].into_iter().flatten() {
            let next = cursor.peek().map(|sample| sample.description);
            cursor.told = next.unwrap_or(cursor.told);
            let entry = cursor.track.entry(cursor.told);
            headers.extend(entry.and_then(|entry| header(cursor.track.kind, entry, timestamp)));
        }
        headers
    }

    /// What the file says of its tracks.
    pub fn metadata(&self) -> Metadata {
        let mut properties = Object::new();
        #[allow(clippy::cast_precision_loss)] // Milliseconds of a file.
        let seconds = self.length_ms() as f64 / 1000.0;
        properties.insert("duration", seconds);
        if let Some((cursor, entry)) = described(self.video.as_ref()) {
            let of_samples = cursor.track.tables.count().max(self.starts.samples);
            describe_video(&mut properties, entry, f64::from(of_samples) / seconds);
        }
        if let Some((_, entry)) = described(self.audio.as_ref()) {
            describe_audio(&mut properties, entry);
        }
        Metadata { properties }
    }

    /// Goes to the last keyframe that is not after a time, or to the beginning; the time there, 0 at the beginning. Where there
    /// is no video, to a frame of the audio.
    pub fn seek_before(&mut self, ms: u32) -> Result<u32, Mp4Error> {
        let time = self.prepare(ms)?;
        let (input, reference, _, starts) = self.split();
        match reference {
            Some(cursor) if ms == 0 => cursor.rewind(input, None)?,
            Some(cursor) => cursor.go_before(input, time, starts)?,
            None => {}
        }
        self.align()
    }

    /// Goes to the first keyframe that is not before a time; `None`, and anywhere, if there is none.
    pub fn seek_after(&mut self, ms: u32) -> Result<Option<u32>, Mp4Error> {
        let time = self.prepare(ms)?;
        let (input, reference, _, starts) = self.split();
        let found = match reference {
            Some(cursor) => cursor.go_after(input, time, starts)?,
            None => false,
        };
        if found { self.align().map(Some) } else { Ok(None) }
    }

    /// The next message; `None` at the end.
    pub fn next_message(&mut self) -> Result<Option<MediaMessage>, Mp4Error> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Ok(Some(message));
            }
            let is_video = match (
                self.video.as_ref().and_then(Cursor::ms),
                self.audio.as_ref().and_then(Cursor::ms),
            ) {
                (None, None) => return Ok(None),
                (Some(video), Some(audio)) => video <= audio,
                (video, None) => video.is_some(),
                (None, Some(_)) => false,
            };
            let track = if is_video {
                &mut self.video
            } else {
                &mut self.audio
            };
            if let Some(cursor) = track {
                read_sample(&mut self.input, cursor, self.shift_ms, &mut self.waiting)?;
            }
        }
    }

    /// Forgets what was read ahead; the time sought as the tracks count it.
    fn prepare(&mut self, ms: u32) -> Result<i64, Mp4Error> {
        self.input.measure()?;
        self.waiting.clear();
        Ok(i64::from(ms).saturating_sub(self.shift_ms))
    }

    /// The track that says where decoding starts, and the other.
    fn split(&mut self) -> (&mut Input<R>, &mut Option<Cursor>, &mut Option<Cursor>, &Starts) {
        let (reference, other) = match self.video.is_some() {
            true => (&mut self.video, &mut self.audio),
            false => (&mut self.audio, &mut self.video),
        };
        (&mut self.input, reference, other, &self.starts)
    }

    /// Lets the other track begin where the one does that was sought in.
    fn align(&mut self) -> Result<u32, Mp4Error> {
        let (begins_at, shift_ms) = (self.begins_at, self.shift_ms);
        let (input, reference, other, starts) = self.split();
        let at = reference
            .as_ref()
            .and_then(Cursor::ms)
            .filter(|at| *at > begins_at);
        if let Some(cursor) = other {
            match at {
                Some(at) => cursor.go_from(input, at, starts)?,
                None => cursor.rewind(input, None)?,
            }
        }
        Ok(at.map_or(0, |at| timestamp(at, shift_ms)))
    }
}

/// Reads the next sample of a track; a file that ends before ends the track.
fn read_sample<R: Read + Seek>(
    input: &mut Input<R>,
    cursor: &mut Cursor,
    shift_ms: i64,
    messages: &mut VecDeque<MediaMessage>,
) -> Result<(), Mp4Error> {
    let Some(sample) = cursor.peek().copied() else {
        return Ok(());
    };
    if sample.size > MAX_SAMPLE {
        return Err(damaged(
            "a sample is larger than a message can be",
            sample.position,
        ));
    }
    let size = u64::from(sample.size);
    if sample.position.saturating_add(size) > input.length() {
        input.measure()?;
    }
    let (Some(data), Some(entry)) = (
        input.read(sample.position, size)?,
        cursor.track.entry(sample.description),
    ) else {
        cursor.end();
        return Ok(());
    };
    let timestamp = timestamp(cursor.track.ms(sample.dts), shift_ms);
    if cursor.told != sample.description {
        cursor.told = sample.description;
        messages.extend(header(cursor.track.kind, entry, timestamp));
    }
    let composition = composition_ms(cursor, &sample);
    let frame = match cursor.track.kind {
        MediaKind::Video => Frame::video(entry.codec, 0, sample.is_sync, composition, &data),
        _ => Frame::audio(entry.codec, 0, &data),
    };
    messages.push_back(MediaMessage::new(cursor.track.kind, timestamp, frame.body));
    cursor.advance(input)
}

fn composition_ms(cursor: &Cursor, sample: &Sample) -> i32 {
    let composition = sample.composition.saturating_add(cursor.track.lead);
    let presented = cursor.track.ms(sample.dts.saturating_add(composition));
    let composition = presented.saturating_sub(cursor.track.ms(sample.dts));
    i32::try_from(composition.clamp(-MAX_COMPOSITION, MAX_COMPOSITION)).unwrap_or(0)
}

fn timestamp(ms: i64, shift_ms: i64) -> u32 {
    u32::try_from(ms.saturating_add(shift_ms).max(0)).unwrap_or(u32::MAX)
}

/// The sequence header of a sample entry, if its codec has one.
fn header(kind: MediaKind, entry: &SampleEntry, timestamp: u32) -> Option<MediaMessage> {
    if entry.config.is_empty() {
        return None;
    }
    let frame = match kind {
        MediaKind::Video => Frame::video_config(entry.codec, &entry.config),
        _ => Frame::audio_config(entry.codec, &entry.config),
    };
    Some(MediaMessage::new(kind, timestamp, frame.body))
}

fn described(cursor: Option<&Cursor>) -> Option<(&Cursor, &SampleEntry)> {
    let cursor = cursor?;
    Some((cursor, cursor.track.first_entry()?.1))
}

/// The number that metadata has for a codec: the legacy id, or the FourCC.
fn codec_number(codec: FourCc, legacy: Option<u8>) -> f64 {
    legacy.map_or(f64::from(codec.as_u32()), f64::from)
}

fn describe_video(properties: &mut Object, entry: &SampleEntry, rate: f64) {
    let config = CodecConfig::parse(entry.codec, &entry.config).ok();
    let of_config = config.as_ref().and_then(CodecConfig::dimensions);
    let (width, height) = match (entry.width, entry.height) {
        (0, _) | (_, 0) => of_config.unwrap_or((0, 0)),
        (width, height) => (u32::from(width), u32::from(height)),
    };
    properties.insert("width", f64::from(width));
    properties.insert("height", f64::from(height));
    if rate.is_finite() && rate > 0.0 {
        properties.insert("framerate", (rate * 1000.0).round() / 1000.0);
    }
    let number = codec_number(entry.codec, entry.codec.video_codec_id());
    properties.insert("videocodecid", number);
    if let Some(CodecConfig::Avc(config)) = config {
        properties.insert("avcprofile", f64::from(config.profile));
        properties.insert("avclevel", f64::from(config.level));
    }
}

fn describe_audio(properties: &mut Object, entry: &SampleEntry) {
    let config = CodecConfig::parse(entry.codec, &entry.config).ok();
    let channels = config.as_ref().and_then(CodecConfig::channels).map(u32::from);
    let rate = config.as_ref().and_then(CodecConfig::sample_rate);
    let number = codec_number(entry.codec, entry.codec.audio_format());
    properties.insert("audiocodecid", number);
    properties.insert("audiosamplerate", f64::from(rate.unwrap_or(entry.sample_rate)));
    let channels = channels.unwrap_or(entry.channels);
    properties.insert("audiochannels", f64::from(channels));
    properties.insert("stereo", channels > 1);
    if let Some(CodecConfig::Aac(config)) = config {
        properties.insert("aacaot", f64::from(config.object_type));
    }
}
