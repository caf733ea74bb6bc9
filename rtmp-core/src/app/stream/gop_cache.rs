//! What a stream keeps for those who join late: metadata, sequence headers and the messages since the last keyframe.

use std::sync::Arc;

use crate::app::stream::LiveMessage;
use crate::media::{FrameFlags, MediaKind};

/// Metadata, sequence headers and the current group of pictures of one stream.
///
/// Invariant: `frames` is empty or begins with a video keyframe.
#[derive(Debug, Default)]
pub struct GopCache {
    limit: usize,
    metadata: Option<Arc<LiveMessage>>,
    audio_config: Option<Arc<LiveMessage>>,
    video_config: Option<Arc<LiveMessage>>,
    frames: Vec<Arc<LiveMessage>>,
    bytes: usize,
}

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
        if let Some(slot) = self.slot(message) {
            let changed = slot
                .as_ref()
                .is_some_and(|old| old.shared.payload != message.shared.payload);
            *slot = Some(Arc::clone(message));
            if changed && message.kind != MediaKind::Data {
                self.clear_frames();
            }
            return;
        }
        if message.is_keyframe() {
            self.clear_frames();
        } else if self.frames.is_empty() {
            return;
        }
        self.keep(message);
    }

    /// Forgets everything, as when the publisher leaves.
    pub fn clear(&mut self) {
        *self = Self::new(self.limit);
    }

    /// What a player gets first: metadata and sequence headers stamped with the time of the first frame, then frames.
    pub fn backlog(&self) -> Vec<Arc<LiveMessage>> {
        let mut backlog = self.headers();
        backlog.extend(self.frames.iter().cloned());
        backlog
    }

    /// Metadata and sequence headers, stamped with the time of the first frame kept.
    pub fn headers(&self) -> Vec<Arc<LiveMessage>> {
        let headers = [&self.metadata, &self.audio_config, &self.video_config];
        let start = self.frames.first().map(|frame| frame.shared.timestamp);
        let stamped = |message: &Arc<LiveMessage>| match start {
            Some(timestamp) if timestamp != message.shared.timestamp => Arc::new(message.at(timestamp)),
            _ => Arc::clone(message),
        };
        headers.into_iter().flatten().map(stamped).collect()
    }

    /// Whether the stream has shown a video sequence header or a keyframe.
    pub fn has_video(&self) -> bool {
        self.video_config.is_some() || !self.frames.is_empty()
    }

    /// Messages and bytes of frames kept.
    pub fn size(&self) -> (usize, usize) {
        (self.frames.len(), self.bytes)
    }

    fn slot(&mut self, message: &LiveMessage) -> Option<&mut Option<Arc<LiveMessage>>> {
        match message.kind {
            MediaKind::Data if message.flags.contains(FrameFlags::METADATA) => Some(&mut self.metadata),
            MediaKind::Audio if message.flags.contains(FrameFlags::CONFIG) => Some(&mut self.audio_config),
            MediaKind::Video if message.flags.contains(FrameFlags::CONFIG) => Some(&mut self.video_config),
            _ => None,
        }
    }

    fn keep(&mut self, message: &Arc<LiveMessage>) {
        let size = message.shared.payload.len();
        if self.bytes + size > self.limit {
            self.clear_frames();
            return;
        }
        self.bytes += size;
        self.frames.push(Arc::clone(message));
    }

    fn clear_frames(&mut self) {
        self.frames.clear();
        self.bytes = 0;
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
}
