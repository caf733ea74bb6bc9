//! One message of a live stream, made once and shared by all who play it.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::app::stream::MEDIA_CHUNK_SIZE;
use crate::media::{self, FrameFlags, MediaKind, Reduced, Reduction, TrackSet};
use crate::wire::chunk::{SharedMessage, csid};
use crate::wire::message::MessageType;

/// One published message, shared by all who play it.
#[derive(Debug)]
pub struct LiveMessage {
    /// Position in the stream, without gaps.
    pub sequence: u64,
    /// Audio, video or data.
    pub kind: MediaKind,
    /// What the tag header says.
    pub flags: FrameFlags,
    /// The message, chunked for sending.
    pub shared: SharedMessage,
    /// The tracks it carries; empty when it is about none.
    pub(super) tracks: TrackSet,
    /// The track of its kind that players without multitrack get.
    pub(super) default_track: u8,
    /// What players get that do not understand all of it; made when the first of them needs it.
    forms: OnceLock<Box<[OnceLock<Form>; 3]>>,
}

#[derive(Debug)]
enum Form {
    Same,
    Other(SharedMessage),
    Nothing,
}

impl LiveMessage {
    /// About what a message takes beside its body, in bytes: queues count it, or empty messages would be free.
    pub(crate) const WEIGHT: usize = 256;

    /// Whether one message more than `count`, of whatever size, is too many where so many bytes may wait.
    pub(crate) fn are_too_many(count: usize, limit: usize) -> bool {
        const LEAST: usize = 1 << 20;
        count >= limit.max(LEAST) / Self::WEIGHT
    }

    /// Looks at a message body and chunks it. `metadata` marks a data message that late joiners need.
    pub fn new(sequence: u64, kind: MediaKind, timestamp: u32, body: Bytes, metadata: bool) -> Self {
        let mut flags = media::inspect(kind, &body);
        if metadata {
            flags |= FrameFlags::METADATA;
        }
        let tracks = match kind {
            _ if flags.contains(FrameFlags::COMMAND) => TrackSet::default(),
            _ => media::track_ids(kind, &body),
        };
        Self {
            sequence,
            kind,
            flags,
            shared: share(kind, timestamp, body),
            tracks,
            default_track: 0,
            forms: OnceLock::new(),
        }
    }

    /// Whether a decoder of the default track can start here.
    pub fn is_keyframe(&self) -> bool {
        self.kind == MediaKind::Video
            && self.flags.contains(FrameFlags::KEYFRAME)
            && self.tracks.contains(self.default_track)
    }

    /// Whether a decoder cannot do without it: a sequence header, channel layout, colour information or metadata.
    pub fn is_header(&self) -> bool {
        let headers = FrameFlags::CONFIG | FrameFlags::METADATA;
        self.flags.intersects(headers)
    }

    /// Whether a player that needs `reduction` may get another message.
    #[inline]
    pub(crate) fn is_reducible(&self, reduction: Reduction) -> bool {
        media::is_reducible(self.kind, &self.shared.payload, reduction)
    }

    /// The message for a player that does not understand what `reduction` says; `None` when nothing of it is left.
    /// Built once for all players, and never for messages that every player understands.
    pub fn form(&self, reduction: Option<Reduction>) -> Option<&SharedMessage> {
        let Some(reduction) = reduction.filter(|reduction| self.is_reducible(*reduction)) else {
            return Some(&self.shared);
        };
        let forms = self.forms.get_or_init(Box::default);
        match forms[reduction as usize].get_or_init(|| self.reduced(reduction)) {
            Form::Same => Some(&self.shared),
            Form::Other(shared) => Some(shared),
            Form::Nothing => None,
        }
    }

    /// The same message at another time, where the default track is `default_track`.
    #[must_use]
    pub fn at(&self, timestamp: u32, default_track: u8) -> Self {
        self.with(timestamp, default_track, self.shared.payload.clone())
    }

    /// The same message with a body of its own.
    pub(crate) fn copied(&self) -> Self {
        let body = Bytes::copy_from_slice(&self.shared.payload);
        self.with(self.shared.timestamp, self.default_track, body)
    }

    pub(crate) fn with_default_track(mut self, default_track: u8) -> Self {
        self.default_track = default_track;
        self
    }

    pub(crate) fn default_track(&self) -> u8 {
        self.default_track
    }

    fn with(&self, timestamp: u32, default_track: u8, body: Bytes) -> Self {
        Self {
            sequence: self.sequence,
            kind: self.kind,
            flags: self.flags,
            shared: share(self.kind, timestamp, body),
            tracks: self.tracks,
            default_track,
            forms: OnceLock::new(),
        }
    }

    fn reduced(&self, reduction: Reduction) -> Form {
        let body = &self.shared.payload;
        match media::reduce(self.kind, body, self.default_track, reduction) {
            Reduced::Same => Form::Same,
            Reduced::Body(body) => Form::Other(share(self.kind, self.shared.timestamp, body)),
            Reduced::Nothing => Form::Nothing,
        }
    }
}

/// The chunk stream that media of a kind is sent on.
pub(crate) const fn chunk_stream(kind: MediaKind) -> u32 {
    match kind {
        MediaKind::Audio => csid::AUDIO,
        MediaKind::Video => csid::VIDEO,
        MediaKind::Data => csid::DATA,
    }
}

fn share(kind: MediaKind, timestamp: u32, body: Bytes) -> SharedMessage {
    let message_type = match kind {
        MediaKind::Audio => MessageType::AUDIO,
        MediaKind::Video => MessageType::VIDEO,
        // The AMF3 form begins with a zero byte.
        MediaKind::Data if body.first() == Some(&0) => MessageType::DATA_AMF3,
        MediaKind::Data => MessageType::DATA,
    };
    SharedMessage::new(
        message_type,
        timestamp,
        body,
        MEDIA_CHUNK_SIZE,
        chunk_stream(kind),
    )
}
