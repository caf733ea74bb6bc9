//! What a stream needs to be opened again elsewhere, and its way from one connection to the next.

use std::mem::discriminant;
use std::sync::Arc;

use crate::app::stream::{GopCache, LiveMessage};
use crate::engine::{Link, StreamCommand};
use crate::media::{self, FrameFlags, MediaKind, MediaMessage};

/// What the host asked of a stream so far, as far as another server has to know it.
#[derive(Default, Clone)]
pub(super) struct StreamMemory {
    /// The last publish or play.
    pub(super) opened: Option<StreamCommand>,
    /// The last of each other setting.
    pub(super) settings: Vec<StreamCommand>,
    headers: Vec<Arc<LiveMessage>>,
    written: u64,
}

/// A stream that a connection before still serves.
pub(super) struct Moving {
    /// That connection.
    pub(super) old: Link,
    /// It has ended.
    pub(super) gone: bool,
    /// The new server takes what is published.
    pub(super) granted: bool,
    /// The new server has sent video.
    has_video: bool,
    held: Vec<MediaMessage>,
}

/// Headers kept until a player's first frame, and the longest of them; servers send a handful of short ones.
const MAX_HELD: usize = 64;
const MAX_HELD_BYTES: usize = 64 << 10;

impl StreamMemory {
    /// Takes note of a command that a server may have to hear again.
    pub(super) fn note(&mut self, command: &StreamCommand) {
        match command {
            StreamCommand::Publish { name, .. } => {
                if !matches!(&self.opened, Some(StreamCommand::Publish { name: before, .. }) if before == name)
                {
                    self.headers = Vec::new();
                }
                self.opened = Some(command.clone());
            }
            StreamCommand::Play(_) => self.opened = Some(command.clone()),
            StreamCommand::Write(message) => self.note_header(message),
            StreamCommand::Seek(_) | StreamCommand::Play2(_) | StreamCommand::Close => {}
            setting => {
                self.settings
                    .retain(|before| discriminant(before) != discriminant(setting));
                self.settings.push(setting.clone());
            }
        }
    }

    /// Metadata and sequence headers written so far, stamped with a time.
    pub(super) fn headers(&self, timestamp: u32) -> Vec<MediaMessage> {
        let stamped = |header: &Arc<LiveMessage>| {
            MediaMessage::new(header.kind, timestamp, header.shared.payload.clone())
        };
        self.headers.iter().map(stamped).collect()
    }

    pub(super) fn is_publisher(&self) -> bool {
        matches!(self.opened, Some(StreamCommand::Publish { .. }))
    }

    /// Metadata, which replaces what was before, and the newest headers of each track.
    fn note_header(&mut self, message: &MediaMessage) {
        if !is_header(message) {
            return;
        }
        self.written += 1;
        let metadata = message.kind == MediaKind::Data;
        let (time, body) = (message.timestamp, message.body.clone());
        let header = LiveMessage::new(self.written, message.kind, time, body, metadata);
        let mut kept = GopCache::new(0);
        self.headers.iter().for_each(|header| kept.add(header));
        kept.add(&Arc::new(header));
        self.headers = kept.headers();
    }
}

impl Moving {
    pub(super) fn new(old: Link, gone: bool) -> Self {
        Self {
            old,
            gone,
            granted: false,
            has_video: false,
            held: Vec::new(),
        }
    }

    /// A message of the new server to a player: everything to begin with, if it begins here.
    pub(super) fn arrive(&mut self, message: MediaMessage, had_video: bool) -> Option<Vec<MediaMessage>> {
        self.has_video |= message.kind == MediaKind::Video;
        let begins = begins(&message, had_video || self.has_video);
        let room = self.held.len() < MAX_HELD && message.body.len() <= MAX_HELD_BYTES;
        if begins || (room && is_header(&message)) {
            self.held.push(message);
        }
        begins.then(|| std::mem::take(&mut self.held))
    }
}

/// Whether a stream can begin with this message: a keyframe, or audio where there is no video.
pub(super) fn begins(message: &MediaMessage, has_video: bool) -> bool {
    if is_header(message) {
        return false;
    }
    match message.kind {
        MediaKind::Video => media::inspect(message.kind, &message.body).contains(FrameFlags::KEYFRAME),
        MediaKind::Audio => !has_video,
        MediaKind::Data => false,
    }
}

fn is_header(message: &MediaMessage) -> bool {
    let headers = FrameFlags::CONFIG | FrameFlags::METADATA;
    media::inspect(message.kind, &message.body).intersects(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{FourCc, Frame};

    fn written(frame: Frame) -> StreamCommand {
        StreamCommand::Write(frame.to_message())
    }

    #[test]
    fn the_newest_headers_are_remembered() {
        let mut memory = StreamMemory::default();
        memory.note(&written(Frame::video_config(FourCc::AVC1, &[1])));
        memory.note(&written(Frame::video_config(FourCc::AVC1, &[2])));
        memory.note(&written(Frame::audio_config(FourCc::OPUS, &[3])));
        memory.note(&written(Frame::video(FourCc::AVC1, 40, true, 0, &[4])));
        memory.note(&written(Frame::data(0, &b"\x02\x00\x0aonMetaData"[..])));
        let headers = memory.headers(40);
        assert!(headers.iter().all(|header| header.timestamp == 40));
        let kinds: Vec<MediaKind> = headers.iter().map(|header| header.kind).collect();
        assert_eq!(kinds, [MediaKind::Data, MediaKind::Audio, MediaKind::Video]);
        assert_eq!(headers[2].body.last(), Some(&2));
    }

    #[test]
    fn players_begin_at_keyframes_or_with_audio_where_there_is_no_video() {
        let video = |key| Frame::video(FourCc::AVC1, 0, key, 0, &[4]).to_message();
        let audio = || Frame::audio(FourCc::OPUS, 0, &[4]).to_message();
        let config = || Frame::video_config(FourCc::AVC1, &[1]).to_message();
        assert!(begins(&video(true), true) && begins(&audio(), false));
        assert!(!begins(&video(false), true) && !begins(&audio(), true) && !begins(&config(), true));
    }
}
