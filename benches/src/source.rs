//! What is published: a made-up stream, or a file over and over. Both say when each message is due.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use bytes::Bytes;
use rtmp_core::media::flv::FlvReader;
use rtmp_core::media::{MediaKind, MediaMessage};

/// Pictures per second of the made-up stream, and pictures per group.
const RATE: u64 = 30;
const GROUP: u64 = 60;
/// A key frame is this many times as large as the average picture.
const KEY_FRAME_WEIGHT: u64 = 8;
const AUDIO_BITS_PER_SECOND: u64 = 128_000;
/// AAC frames have 1,024 samples.
const AUDIO_SAMPLES: u64 = 1024;
const AUDIO_RATE: u64 = 44_100;

/// Follows the AVC tag header and the beginning of the NAL unit (its length, its type): this mark, the message's number
/// (u32) and the time it was sent (u64, microseconds).
const MARK: [u8; 4] = *b"load";
const AVC_HEADER: usize = 5 + 4 + 1;
const NAL_LENGTH: usize = 5;
/// What every key frame of the made-up stream holds near its beginning, and nothing else does.
pub const KEY_FRAME_MARK: [u8; 5] = *b"\x65load";
const STAMP: usize = MARK.len() + 4 + 8;

/// AVCDecoderConfigurationRecord of a 160x120 High profile stream and AudioSpecificConfig of AAC-LC 44.1 kHz stereo.
const AVC_CONFIG: &[u8] = &[
    0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x0a, 0xff, 0xe1, 0, 0x19, 0x67, 0x64, 0, 0x0a, 0xac, 0xd9, 0x42, 0x84,
    0x7e, 0x5c, 0x04, 0x40, 0, 0, 0x03, 0, 0x40, 0, 0, 0x05, 0x03, 0xc4, 0x89, 0x65, 0x80, 0x01, 0, 0x06,
    0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0,
];
const AAC_CONFIG: &[u8] = &[0xaf, 0, 0x12, 0x10];

/// Messages in order of time.
pub enum Source {
    /// Made up.
    Synthetic(Synthetic),
    /// From a file, over and over.
    File(Looped),
}

impl Source {
    /// The next message; its timestamp says when it is due, in milliseconds from the beginning.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> MediaMessage {
        match self {
            Self::Synthetic(s) => s.next(),
            Self::File(f) => f.next(),
        }
    }
}

/// An H.264 + AAC stream nobody can decode but every server relays.
pub struct Synthetic {
    key_size: usize,
    inter_size: usize,
    picture: u64,
    sound: u64,
    headers: Vec<MediaMessage>,
}

impl Synthetic {
    /// A stream of this bit rate.
    pub fn new(bits_per_second: u64) -> Self {
        let video = bits_per_second.saturating_sub(AUDIO_BITS_PER_SECOND).max(50_000);
        let average = video / 8 / RATE;
        let inter = average * (GROUP - KEY_FRAME_WEIGHT) / (GROUP - 1);
        let least = (AVC_HEADER + STAMP) as u64;
        Self {
            key_size: (average * KEY_FRAME_WEIGHT).max(least) as usize,
            inter_size: inter.max(least) as usize,
            picture: 0,
            sound: 0,
            // Taken from the end.
            headers: vec![
                MediaMessage::new(MediaKind::Audio, 0, Bytes::from_static(AAC_CONFIG)),
                MediaMessage::new(MediaKind::Video, 0, Bytes::from_static(AVC_CONFIG)),
            ],
        }
    }

    fn next(&mut self) -> MediaMessage {
        if let Some(header) = self.headers.pop() {
            return header;
        }
        let (video_at, audio_at) = (
            self.picture * 1000 / RATE,
            self.sound * AUDIO_SAMPLES * 1000 / AUDIO_RATE,
        );
        if audio_at < video_at {
            self.sound += 1;
            return self.audio(audio_at);
        }
        self.picture += 1;
        self.video(self.picture - 1, video_at)
    }

    fn video(&self, number: u64, at: u64) -> MediaMessage {
        let key = number.is_multiple_of(GROUP);
        let mut body = filler(number, if key { self.key_size } else { self.inter_size });
        // One NAL unit, of an IDR picture or another.
        let (tag, unit) = if key { (0x17, 0x65) } else { (0x27, 0x41) };
        let length = (body.len() - NAL_LENGTH - 4) as u32;
        body[..NAL_LENGTH].copy_from_slice(&[tag, 1, 0, 0, 0]);
        body[NAL_LENGTH..][..4].copy_from_slice(&length.to_be_bytes());
        body[AVC_HEADER - 1] = unit;
        body[AVC_HEADER..][..MARK.len()].copy_from_slice(&MARK);
        body[AVC_HEADER + MARK.len()..][..4].copy_from_slice(&(number as u32).to_be_bytes());
        MediaMessage::new(MediaKind::Video, at as u32, body)
    }

    fn audio(&self, at: u64) -> MediaMessage {
        let size = AUDIO_BITS_PER_SECOND * AUDIO_SAMPLES / AUDIO_RATE / 8;
        let mut body = filler(self.sound, size as usize);
        body[..2].copy_from_slice(&[0xaf, 1]);
        MediaMessage::new(MediaKind::Audio, at as u32, body)
    }
}

/// Number and sending time (microseconds) of a made-up video message; `None` for every other message.
pub fn read_stamp(body: &[u8]) -> Option<(u32, u64)> {
    let stamp = body.get(AVC_HEADER..)?.strip_prefix(&MARK)?;
    let (number, rest) = stamp.split_first_chunk()?;
    Some((
        u32::from_be_bytes(*number),
        u64::from_be_bytes(*rest.first_chunk()?),
    ))
}

/// Writes the sending time into a made-up video message; others are left as they are.
pub fn write_time(message: MediaMessage, micros: u64) -> MediaMessage {
    if read_stamp(&message.body).is_none() {
        return message;
    }
    let mut body = Vec::from(message.body);
    body[AVC_HEADER + MARK.len() + 4..][..8].copy_from_slice(&micros.to_be_bytes());
    MediaMessage::new(message.kind, message.timestamp, body)
}

/// An FLV file in memory, from the beginning again when it ends.
pub struct Looped {
    messages: Vec<MediaMessage>,
    next: usize,
    offset: u32,
    period: u32,
}

impl Looped {
    /// Reads the file.
    pub fn open(path: &Path) -> Result<Self, String> {
        let failed = |what: String| format!("{}: {what}", path.display());
        let file = File::open(path).map_err(|e| failed(e.to_string()))?;
        let reader = FlvReader::new(BufReader::new(file)).map_err(|e| failed(e.to_string()))?;
        let messages: Vec<MediaMessage> = reader
            .collect::<Result<_, _>>()
            .map_err(|e| failed(e.to_string()))?;
        let last = messages
            .iter()
            .map(|m| m.timestamp)
            .max()
            .ok_or_else(|| failed("no message".to_owned()))?;
        Ok(Self {
            messages,
            next: 0,
            offset: 0,
            period: last.saturating_add(40),
        })
    }

    fn next(&mut self) -> MediaMessage {
        if self.next == self.messages.len() {
            self.next = 0;
            self.offset = self.offset.wrapping_add(self.period);
        }
        let message = &self.messages[self.next];
        self.next += 1;
        MediaMessage::new(
            message.kind,
            message.timestamp.wrapping_add(self.offset),
            message.body.clone(),
        )
    }
}

/// Bytes without a start code, different for each `number`.
fn filler(number: u64, size: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..size)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state as u8) | 0x40
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_stream_has_the_rate_asked_for() {
        let mut source = Synthetic::new(2_500_000);
        let (mut bytes, mut last) = (0, 0);
        while last < 10_000 {
            let message = source.next();
            assert!(message.timestamp >= last, "time goes back");
            last = message.timestamp;
            bytes += message.body.len();
        }
        let rate = bytes * 8 / 10;
        assert!((2_400_000..2_600_000).contains(&rate), "{rate} bit/s");
    }

    #[test]
    fn a_video_message_is_one_nal_unit_with_its_length() {
        let mut source = Synthetic::new(2_500_000);
        let key = std::iter::repeat_with(|| source.next()).find(|m| m.body.starts_with(&[0x17, 1]));
        let body = key.expect("an endless stream").body;
        let length = u32::from_be_bytes([body[5], body[6], body[7], body[8]]);
        assert_eq!(length as usize, body.len() - 9);
        assert_eq!(body[9..14], KEY_FRAME_MARK);
    }

    #[test]
    fn a_video_message_carries_number_and_time() {
        let mut source = Synthetic::new(2_500_000);
        let stamped = std::iter::repeat_with(|| source.next())
            .filter(|m| read_stamp(&m.body).is_some())
            .nth(7);
        let message = write_time(stamped.expect("an endless stream"), 123_456);
        assert_eq!(read_stamp(&message.body), Some((7, 123_456)));
    }
}
