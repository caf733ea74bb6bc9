//! What a stream keeps for those who join late: metadata, the headers of every track and the messages since the last
//! keyframe.

use std::sync::Arc;

use bytes::Bytes;

use crate::app::stream::LiveMessage;
use crate::media::{Frame, MediaKind, PacketType};
use crate::wire::message::data;

/// Metadata, headers and the current group of pictures of one stream.
///
/// Most publishers have no player most of the time, and an allocation for each message is much of what receiving it costs:
/// so messages are kept in place, and shared when somebody joins.
///
/// Invariant: the frames, `shared` and then `alone`, are none or begin with a keyframe of the default video track.
#[derive(Debug, Default)]
pub struct GopCache {
    limit: usize,
    /// One data frame of each name, in the order in which they were first set.
    metadata: Vec<Arc<LiveMessage>>,
    headers: Vec<Header>,
    shared: Vec<Arc<LiveMessage>>,
    alone: Vec<Alone>,
    bytes: usize,
}

/// A frame that nobody else has: what it takes to make its message.
#[derive(Debug)]
struct Alone {
    sequence: u64,
    timestamp: u32,
    kind: MediaKind,
    default_track: u8,
    body: Bytes,
}

/// What one track has of one header.
#[derive(Debug)]
struct Header {
    kind: MediaKind,
    slot: Slot,
    track: u8,
    /// The track's part of the message.
    payload: Bytes,
    message: Arc<LiveMessage>,
    /// The one that held when the group of pictures began, if another came since.
    before: Option<Arc<LiveMessage>>,
}

/// The headers that a track may have beside each other, in the order players need them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    Sequence,
    Channels,
    /// Colour information of video: it may change within a group of pictures.
    Metadata,
}

/// Tracks of a kind whose headers are kept; those of others reach only the players of the moment.
const MAX_TRACKS: usize = 32;
/// Data frames of different names that are kept.
const MAX_DATA_FRAMES: usize = 16;
/// Longest message with headers kept, in bytes.
const MAX_HEADER: usize = 64 << 10;

impl GopCache {
    /// An empty cache that keeps at most `limit` bytes of frames.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Takes note of a published message.
    pub fn add(&mut self, message: &Arc<LiveMessage>) {
        if message.is_header() {
            return self.add_header(message);
        }
        if self.takes(message) {
            self.share();
            self.shared.push(Arc::clone(message));
        }
    }

    /// Takes note of a published message that nobody else has.
    pub fn add_alone(&mut self, message: LiveMessage) {
        if message.is_header() {
            return self.add_header(&Arc::new(message));
        }
        if self.takes(&message) {
            self.alone.push(Alone::new(message));
        }
    }

    /// Forgets the data frame of a name: those who join from now on do not get it.
    pub fn forget_data_frame(&mut self, name: &str) {
        self.metadata.retain(|kept| data_name(kept) != name);
    }

    /// Forgets everything, as when the publisher leaves.
    pub fn clear(&mut self) {
        *self = Self::new(self.limit);
    }

    /// What a player gets first: metadata and headers stamped with the time of the first frame, then frames.
    pub fn backlog(&mut self) -> Vec<Arc<LiveMessage>> {
        self.share();
        let mut backlog = self.collect(|header| header.before.as_ref().unwrap_or(&header.message));
        backlog.extend(self.shared.iter().cloned());
        backlog
    }

    /// Metadata and headers as of now, stamped with the time of the first frame kept.
    pub fn headers(&self) -> Vec<Arc<LiveMessage>> {
        self.collect(|header| &header.message)
    }

    /// Whether the stream has shown a video sequence header or a keyframe.
    pub fn has_video(&self) -> bool {
        let configured = |header: &Header| header.kind == MediaKind::Video && header.slot == Slot::Sequence;
        self.has_frames() || self.headers.iter().any(configured)
    }

    /// Messages and bytes of frames kept.
    pub fn size(&self) -> (usize, usize) {
        (self.shared.len() + self.alone.len(), self.bytes)
    }

    fn add_header(&mut self, message: &Arc<LiveMessage>) {
        if message.kind == MediaKind::Data {
            return self.set_data_frame(message);
        }
        let mut keep = false;
        let mut copy = None;
        for frame in Frame::parse_all(message.kind, 0, message.shared.payload.clone()) {
            if let Some(slot) = slot(frame.packet_type) {
                keep |= self.set(slot, message, &frame, &mut copy);
            }
        }
        if keep && self.has_frames() && self.fits(message) {
            self.share();
            self.shared.push(Arc::clone(message));
        }
    }

    fn set_data_frame(&mut self, message: &Arc<LiveMessage>) {
        let name = data_name(message);
        match self.metadata.iter().position(|kept| data_name(kept) == name) {
            Some(at) => self.metadata[at] = Arc::clone(message),
            None if self.metadata.len() < MAX_DATA_FRAMES => self.metadata.push(Arc::clone(message)),
            None => log::debug!("a data frame is not kept: there are {MAX_DATA_FRAMES} of other names"),
        }
    }

    /// Keeps a track's header; true if it also belongs between the frames. A header lives long: what is kept is a
    /// copy, so that it does not hold the block that its message was read into.
    fn set(
        &mut self,
        slot: Slot,
        message: &Arc<LiveMessage>,
        frame: &Frame,
        copy: &mut Option<Arc<LiveMessage>>,
    ) -> bool {
        let (kind, track) = (message.kind, frame.track_id);
        let same = |header: &Header| (header.kind, header.slot, header.track) == (kind, slot, track);
        let at = self.headers.iter().position(same);
        if at.is_some_and(|at| self.headers[at].payload == frame.payload) {
            return false;
        }
        let within = slot == Slot::Metadata;
        let old = at.map(|at| self.headers.swap_remove(at));
        let before = old
            .as_ref()
            .filter(|_| within && self.has_frames())
            .map(|old| Arc::clone(old.before.as_ref().unwrap_or(&old.message)));
        if old.is_some() && !within {
            self.clear_frames();
        }
        let beside = |header: &&Header| header.kind == kind && header.slot == slot;
        let room = self.headers.iter().filter(beside).count() < MAX_TRACKS;
        if room && message.shared.payload.len() <= MAX_HEADER {
            let copy = copy.get_or_insert_with(|| Arc::new(message.copied()));
            self.headers.push(Header {
                kind,
                slot,
                track,
                payload: Bytes::copy_from_slice(&frame.payload),
                message: Arc::clone(copy),
                before,
            });
        }
        within
    }

    /// Metadata, then the headers of audio and video, each message once. Where a message brought the headers of
    /// several tracks and one of them was replaced since, its successor comes after it.
    fn collect(&self, choose: impl Fn(&Header) -> &Arc<LiveMessage>) -> Vec<Arc<LiveMessage>> {
        let mut headers: Vec<(&Header, &Arc<LiveMessage>)> = self
            .headers
            .iter()
            .map(|header| (header, choose(header)))
            .collect();
        headers.sort_by_key(|(header, message)| {
            (header.kind == MediaKind::Video, header.slot, message.sequence)
        });
        headers.dedup_by(|a, b| Arc::ptr_eq(a.1, b.1));
        let start = self.start();
        let stamped = |message: &Arc<LiveMessage>| {
            let timestamp = start.unwrap_or(message.shared.timestamp);
            let track = self.default_track(message.kind);
            if (timestamp, track) == (message.shared.timestamp, message.default_track()) {
                Arc::clone(message)
            } else {
                Arc::new(message.at(timestamp, track))
            }
        };
        let headers = headers.into_iter().map(|(_, message)| message);
        self.metadata.iter().chain(headers).map(stamped).collect()
    }

    /// The default track of the newest header.
    fn default_track(&self, kind: MediaKind) -> u8 {
        let of_kind = self.headers.iter().filter(|header| header.kind == kind);
        let newest = of_kind.max_by_key(|header| header.message.sequence);
        newest.map_or(0, |header| header.message.default_track())
    }

    /// The time of the first frame.
    fn start(&self) -> Option<u32> {
        let shared = self.shared.first().map(|message| message.shared.timestamp);
        shared.or(self.alone.first().map(|frame| frame.timestamp))
    }

    fn has_frames(&self) -> bool {
        !self.shared.is_empty() || !self.alone.is_empty()
    }

    /// Whether a frame is to be kept; a keyframe begins anew.
    fn takes(&mut self, message: &LiveMessage) -> bool {
        if message.is_keyframe() {
            self.clear_frames();
        } else if !self.has_frames() {
            return false;
        }
        self.fits(message)
    }

    /// Counts a message in. One too many, and nothing is kept until the next keyframe.
    fn fits(&mut self, message: &LiveMessage) -> bool {
        let size = message.shared.payload.len();
        let count = self.shared.len() + self.alone.len();
        if self.bytes + size > self.limit || LiveMessage::are_too_many(count, self.limit) {
            self.clear_frames();
            return false;
        }
        self.bytes += size;
        true
    }

    fn share(&mut self) {
        self.shared
            .extend(self.alone.drain(..).map(|frame| Arc::new(frame.message())));
    }

    fn clear_frames(&mut self) {
        self.shared.clear();
        self.alone.clear();
        self.bytes = 0;
        self.headers.iter_mut().for_each(|header| header.before = None);
    }
}

impl Alone {
    fn new(message: LiveMessage) -> Self {
        Self {
            sequence: message.sequence,
            timestamp: message.shared.timestamp,
            kind: message.kind,
            default_track: message.default_track(),
            body: message.shared.payload,
        }
    }

    fn message(self) -> LiveMessage {
        let message = LiveMessage::new(self.sequence, self.kind, self.timestamp, self.body, false);
        message.with_default_track(self.default_track)
    }
}

/// The name in front of a data message; empty when it cannot be read.
fn data_name(message: &LiveMessage) -> &str {
    data::split(&message.shared.payload).map_or("", |(name, _)| name)
}

const fn slot(packet_type: PacketType) -> Option<Slot> {
    match packet_type {
        PacketType::SequenceStart | PacketType::Mpeg2TsSequenceStart => Some(Slot::Sequence),
        PacketType::MultichannelConfig => Some(Slot::Channels),
        PacketType::Metadata => Some(Slot::Metadata),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn message(kind: MediaKind, timestamp: u32, body: &'static [u8]) -> Arc<LiveMessage> {
        Arc::new(LiveMessage::new(
            0,
            kind,
            timestamp,
            Bytes::from_static(body),
            false,
        ))
    }

    fn times(messages: &[Arc<LiveMessage>]) -> Vec<(MediaKind, u32)> {
        messages
            .iter()
            .map(|message| (message.kind, message.shared.timestamp))
            .collect()
    }

    const AVC_CONFIG: &[u8] = &[0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x0a];
    const AVC_KEY: &[u8] = &[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65];
    const AVC_INTER: &[u8] = &[0x27, 1, 0, 0, 0, 0, 0, 0, 1, 0x41];
    const AAC_CONFIG: &[u8] = &[0xaf, 0, 0x12, 0x10];
    const AAC: &[u8] = &[0xaf, 1, 0x21];

    #[test]
    fn a_late_joiner_gets_headers_and_the_group_since_the_last_keyframe() {
        let mut cache = GopCache::new(1000);
        cache.add(&message(MediaKind::Video, 0, AVC_CONFIG));
        cache.add(&message(MediaKind::Audio, 0, AAC_CONFIG));
        for (time, body) in [(0, AVC_KEY), (40, AVC_INTER), (80, AVC_KEY), (120, AVC_INTER)] {
            cache.add(&message(MediaKind::Video, time, body));
            cache.add(&message(MediaKind::Audio, time + 5, AAC));
        }
        use MediaKind::{Audio, Video};
        let expected = vec![
            (Audio, 80),
            (Video, 80),
            (Video, 80),
            (Audio, 85),
            (Video, 120),
            (Audio, 125),
        ];
        assert_eq!(times(&cache.backlog()), expected);
    }

    #[test]
    fn messages_that_nobody_shared_keep_their_place_among_those_that_somebody_did() {
        let mut cache = GopCache::new(1000);
        let alone = |time, body: &'static [u8]| {
            LiveMessage::new(0, MediaKind::Video, time, Bytes::from_static(body), false)
        };
        cache.add_alone(alone(0, AVC_CONFIG));
        cache.add_alone(alone(10, AVC_INTER));
        cache.add_alone(alone(20, AVC_KEY));
        cache.add_alone(alone(30, AVC_INTER));
        cache.add(&message(MediaKind::Audio, 35, AAC));
        cache.add_alone(alone(40, AVC_INTER));
        assert_eq!(cache.size(), (4, 33));
        let backlog = cache.backlog();
        let of: Vec<u32> = backlog.iter().map(|message| message.shared.timestamp).collect();
        assert_eq!(of, [20, 20, 30, 35, 40]);
        cache.add_alone(alone(50, AVC_KEY));
        assert_eq!(cache.size(), (1, 10));
    }

    #[test]
    fn a_new_sequence_header_ends_the_group() {
        let mut cache = GopCache::new(1000);
        cache.add(&message(MediaKind::Video, 0, AVC_CONFIG));
        cache.add(&message(MediaKind::Video, 0, AVC_KEY));
        cache.add(&message(MediaKind::Video, 40, AVC_CONFIG));
        assert_eq!(cache.size().0, 1, "the same header again changes nothing");
        cache.add(&message(
            MediaKind::Video,
            80,
            &[0x17, 0, 0, 0, 0, 1, 0x42, 0, 0x1e],
        ));
        assert_eq!(cache.size(), (0, 0));
    }

    #[test]
    fn frames_beyond_the_limit_empty_the_group_until_the_next_keyframe() {
        let mut cache = GopCache::new(25);
        cache.add(&message(MediaKind::Video, 0, AVC_KEY));
        cache.add(&message(MediaKind::Video, 40, AVC_INTER));
        assert_eq!(cache.size(), (2, 20));
        cache.add(&message(MediaKind::Video, 80, AVC_INTER));
        cache.add(&message(MediaKind::Video, 120, AVC_INTER));
        assert_eq!(cache.size(), (0, 0));
        cache.add(&message(MediaKind::Video, 160, AVC_KEY));
        assert_eq!(cache.size(), (1, 10));
    }

    fn published(bodies: &[(MediaKind, &[u8])]) -> GopCache {
        let mut cache = GopCache::new(1 << 20);
        for (sequence, (kind, body)) in bodies.iter().enumerate() {
            let body = Bytes::copy_from_slice(body);
            let message = LiveMessage::new(sequence as u64, *kind, sequence as u32, body, false);
            cache.add(&Arc::new(message));
        }
        cache
    }

    fn bodies(messages: &[Arc<LiveMessage>]) -> Vec<&[u8]> {
        messages
            .iter()
            .map(|message| &message.shared.payload[..])
            .collect()
    }

    const TWO_CONFIGS: &[u8] = b"\x96\x10hvc1\x00\0\0\x01A\x01\0\0\x01B";
    const TWO_KEYS: &[u8] = b"\x96\x13hvc1\x00\0\0\x01a\x01\0\0\x01b";
    const COLOR: &[u8] = b"\x94hvc1\x02\x00\x09colorInfo\x03\0\0\x09";
    const NO_COLOR: &[u8] = b"\x94hvc1\x02\x00\x09colorInfo\x06";

    #[test]
    fn every_track_has_its_headers() {
        use MediaKind::{Audio, Video};
        let layout: &[u8] = b"\x94Opus\x01\x06\0\0\x06\x0F";
        let third: &[u8] = b"\x96\x00av01\x02C";
        let mut cache = published(&[
            (Video, TWO_CONFIGS),
            (Video, third),
            (Audio, layout),
            (Video, COLOR),
            (Audio, b"\x90OpusOpusHead"),
            (Audio, b"\x95\x00mp4a\x01\x12\x10"),
            (Video, TWO_KEYS),
        ]);
        let expected: [&[u8]; 7] = [
            b"\x90OpusOpusHead",
            b"\x95\x00mp4a\x01\x12\x10",
            layout,
            TWO_CONFIGS,
            third,
            COLOR,
            TWO_KEYS,
        ];
        assert_eq!(bodies(&cache.backlog()), expected);
    }

    #[test]
    fn a_track_of_several_may_get_a_new_header() {
        use MediaKind::Video;
        let again: &[u8] = b"\x96\x00hvc1\x01B";
        let other: &[u8] = b"\x96\x00hvc1\x01D";
        let mut cache = published(&[(Video, TWO_CONFIGS), (Video, TWO_KEYS), (Video, again)]);
        assert_eq!(bodies(&cache.backlog()), [TWO_CONFIGS, TWO_KEYS], "nothing new");
        let mut cache = published(&[(Video, TWO_CONFIGS), (Video, TWO_KEYS), (Video, other)]);
        assert_eq!(bodies(&cache.backlog()), [TWO_CONFIGS, other], "in this order");
    }

    #[test]
    fn keyframes_of_other_tracks_begin_no_group() {
        use MediaKind::Video;
        let other: &[u8] = b"\x96\x03hvc1\x01b";
        let mut cache = published(&[(Video, other), (Video, b"\x93hvc1a"), (Video, other)]);
        assert_eq!(bodies(&cache.backlog()), [b"\x93hvc1a", other]);
    }

    #[test]
    fn colours_change_within_a_group_in_their_place() {
        use MediaKind::Video;
        let inter: &[u8] = b"\xA3hvc1b";
        let mut cache = published(&[
            (Video, COLOR),
            (Video, b"\x93hvc1a"),
            (Video, NO_COLOR),
            (Video, inter),
        ]);
        assert_eq!(bodies(&cache.backlog()), [COLOR, b"\x93hvc1a", NO_COLOR, inter]);
        assert_eq!(bodies(&cache.headers()), [NO_COLOR]);
    }

    #[test]
    fn data_frames_are_kept_by_name_until_they_are_forgotten() {
        let frame = |body: &'static [u8]| {
            Arc::new(LiveMessage::new(
                0,
                MediaKind::Data,
                0,
                Bytes::from_static(body),
                true,
            ))
        };
        let mut cache = GopCache::new(1000);
        let (first, cues): (&[u8], &[u8]) = (b"\x02\0\x0aonMetaData\x05", b"\x02\0\x05onXMP\x06");
        let second: &[u8] = b"\x02\0\x0aonMetaData\x06";
        for body in [first, cues, second] {
            cache.add(&frame(body));
        }
        assert_eq!(bodies(&cache.headers()), [second, cues]);
        cache.forget_data_frame("onMetaData");
        cache.forget_data_frame("onFoo");
        assert_eq!(bodies(&cache.headers()), [cues]);
        for number in 0..100 {
            let body = Bytes::from(vec![2, 0, 2, b'a', b'0' + number, 5]);
            cache.add(&Arc::new(LiveMessage::new(0, MediaKind::Data, 0, body, true)));
        }
        assert_eq!(cache.headers().len(), MAX_DATA_FRAMES);
    }

    #[test]
    fn empty_messages_are_counted() {
        let mut cache = GopCache::new(1000);
        cache.add(&message(MediaKind::Video, 0, b"\x17\x01"));
        for _ in 0..100_000 {
            cache.add_alone(LiveMessage::new(0, MediaKind::Audio, 0, Bytes::new(), false));
        }
        assert_eq!(cache.size(), (0, 0), "it gave up, until the next keyframe");
    }

    #[test]
    fn tracks_and_headers_without_end_are_not_kept() {
        let mut cache = GopCache::new(1 << 20);
        for track in 0..=255 {
            let body = Bytes::from(vec![0x96, 0, b'h', b'v', b'c', b'1', track, 1]);
            cache.add(&Arc::new(LiveMessage::new(0, MediaKind::Video, 0, body, false)));
        }
        assert_eq!(cache.headers().len(), MAX_TRACKS);
        let long = [b"\x90hvc1", &[1; MAX_HEADER][..]].concat();
        assert_eq!(published(&[(MediaKind::Video, &long)]).headers().len(), 0);
    }
}
