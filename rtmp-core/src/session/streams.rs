//! The message streams of one connection: their ids, what each is doing, what waits behind a request on it.

use crate::amf::Value;
use crate::media::{FrameFlags, MediaKind, inspect};
use crate::session::events::PlayStart;
use crate::wire::message::{Command, Message, MessageType};
use std::collections::VecDeque;

/// Most messages held for one stream while a request of it is decided.
const MAX_EARLY_MESSAGES: usize = 4096;

/// What a message stream is doing. One thing at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Idle,
    /// `publish` waits for the host.
    PublishAsked,
    Publishing,
    /// The first `play` waits for the host.
    PlayAsked,
    Playing,
    /// What it played was sent to its end. It may still be sought in.
    Played,
}

/// What waits behind a request on a stream.
#[derive(Debug)]
pub(crate) enum Held {
    Media(Message),
    /// A command and the message stream it came on.
    Command(u32, Command),
}

/// An entry of a play list that nobody has started yet.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) name: Value,
    pub(crate) start: PlayStart,
    pub(crate) duration: Option<u64>,
}

/// One message stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: u32,
    pub(crate) role: Role,
    /// Name without query, of what it publishes or plays.
    pub(crate) name: String,
    /// `play` commands waiting for the host, oldest first: name and whether it resets.
    pub(crate) asked: VecDeque<(String, bool)>,
    /// Names this publisher set as data frames.
    pub(crate) data_frames: Vec<String>,
    /// The host says when it is unpublished.
    pub(crate) holds_unpublish: bool,
    /// What the client buffers of this stream, in milliseconds, if it said so.
    pub(crate) buffer_ms: Option<u32>,
    /// Play list entries that wait for one that starts it (`appendAndWait`).
    pub(crate) gathered: Vec<Gathered>,
    early: VecDeque<Held>,
    early_bytes: usize,
    early_full: bool,
}

impl Stream {
    fn new(id: u32) -> Self {
        Self {
            id,
            role: Role::Idle,
            name: String::new(),
            asked: VecDeque::new(),
            data_frames: Vec::new(),
            holds_unpublish: false,
            buffer_ms: None,
            gathered: Vec::new(),
            early: VecDeque::new(),
            early_bytes: 0,
            early_full: false,
        }
    }

    /// Back to idle; forgets whatever waited.
    pub(crate) fn reset(&mut self) {
        let buffer_ms = self.buffer_ms;
        *self = Self::new(self.id);
        self.buffer_ms = buffer_ms;
    }

    /// Whether its first request waits for the host, and everything after it with it.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self.role, Role::PublishAsked | Role::PlayAsked)
    }

    /// Holds what comes while a request is decided. Once `max_bytes` are held only sequence headers and commands still
    /// enter: what follows a gap could not be decoded anyway, what follows the headers can.
    pub(crate) fn hold(&mut self, held: Held, max_bytes: usize) {
        let bytes = self.early_bytes.saturating_add(held.len());
        self.early_full |= bytes > max_bytes || self.early.len() >= MAX_EARLY_MESSAGES;
        if self.early_full {
            let far_over = bytes > max_bytes.saturating_mul(2) || self.early.len() >= 2 * MAX_EARLY_MESSAGES;
            if far_over || !held.is_vital() {
                return;
            }
        }
        self.early_bytes = bytes;
        self.early.push_back(held);
    }

    /// The oldest `play` command that waits for the host: name and whether it resets.
    pub(crate) fn next_asked(&mut self) -> Option<(String, bool)> {
        let asked = self.asked.pop_front();
        if self.asked.is_empty() {
            self.asked = VecDeque::new();
        }
        asked
    }

    /// What was held, in order of arrival.
    pub(crate) fn take_held(&mut self) -> VecDeque<Held> {
        self.early_bytes = 0;
        self.early_full = false;
        std::mem::take(&mut self.early)
    }
}

/// All message streams of one connection. Few, nearly always one: a linear search beats a map.
#[derive(Debug)]
pub(crate) struct Streams {
    list: Vec<Stream>,
    next: u32,
    max: usize,
}

impl Streams {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            list: Vec::new(),
            next: 1,
            max,
        }
    }

    /// A new stream's id; `None` at the limit. Ids begin at 1, as nearly every client assumes.
    pub(crate) fn create(&mut self) -> Option<u32> {
        if self.list.len() >= self.max {
            return None;
        }
        while self.get(self.next).is_some() {
            self.next = self.next.checked_add(1)?;
        }
        let id = self.next;
        self.next = self.next.checked_add(1)?;
        self.push(id);
        Some(id)
    }

    /// Adds a stream under an id the peer chose; `false` when it exists or there are too many.
    pub(crate) fn add(&mut self, id: u32) -> bool {
        if self.list.len() >= self.max || self.get(id).is_some() {
            return false;
        }
        self.push(id);
        true
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Stream> {
        self.list.iter().find(|stream| stream.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut Stream> {
        self.list.iter_mut().find(|stream| stream.id == id)
    }

    pub(crate) fn remove(&mut self, id: u32) -> Option<Stream> {
        let at = self.list.iter().position(|stream| stream.id == id)?;
        Some(self.list.remove(at))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.list.iter()
    }

    /// The stream meant by a publisher that sends media on message stream 0, when there is no doubt.
    pub(crate) fn sole_publisher(&self) -> Option<u32> {
        let mut publishers = self
            .list
            .iter()
            .filter(|stream| matches!(stream.role, Role::Publishing | Role::PublishAsked));
        match (publishers.next(), publishers.next()) {
            (Some(stream), None) => Some(stream.id),
            _ => None,
        }
    }

    /// The stream a command on message stream 0 means: the first one.
    pub(crate) fn first(&self) -> Option<u32> {
        self.list.first().map(|stream| stream.id)
    }

    fn push(&mut self, id: u32) {
        // Nearly every connection has one; none shall pay for four.
        self.list.reserve_exact(1);
        self.list.push(Stream::new(id));
    }
}

impl Held {
    /// What a command of unknown size counts for, in bytes.
    const COMMAND: usize = 512;

    fn len(&self) -> usize {
        match self {
            Self::Media(message) => message.payload.len(),
            Self::Command(..) => Self::COMMAND,
        }
    }

    fn is_vital(&self) -> bool {
        let Self::Media(message) = self else {
            return true;
        };
        let kind = match message.kind {
            MessageType::AUDIO => MediaKind::Audio,
            MessageType::VIDEO => MediaKind::Video,
            _ => return false,
        };
        inspect(kind, &message.payload).contains(FrameFlags::CONFIG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn message(body: &'static [u8]) -> Held {
        Held::Media(Message {
            timestamp: 0,
            kind: MessageType::VIDEO,
            stream_id: 1,
            payload: Bytes::from_static(body),
        })
    }

    #[test]
    fn ids_begin_at_one_and_stop_at_the_limit() {
        let mut streams = Streams::new(2);
        assert_eq!(streams.create(), Some(1));
        assert_eq!(streams.create(), Some(2));
        assert_eq!(streams.create(), None);
        assert!(streams.remove(1).is_some());
        assert_eq!(streams.create(), Some(3));
    }

    #[test]
    fn an_id_chosen_by_the_peer_is_not_given_out_again() {
        let mut streams = Streams::new(4);
        assert!(streams.add(1));
        assert!(!streams.add(1));
        assert_eq!(streams.create(), Some(2));
    }

    #[test]
    fn held_media_is_bounded_but_keeps_sequence_headers() {
        let mut streams = Streams::new(1);
        let id = streams.create().unwrap();
        let stream = streams.get_mut(id).unwrap();
        stream.hold(message(&[0x27, 1, 0, 0, 0, 9]), 8);
        stream.hold(message(&[0x27, 1, 0, 0, 0, 9]), 8);
        stream.hold(message(&[0x17, 0, 0, 0, 0, 1]), 8);
        stream.hold(message(&[0x27, 1, 0, 0, 0, 9]), 8);
        let second = |held: &Held| match held {
            Held::Media(message) => message.payload[1],
            Held::Command(..) => panic!("no command was held"),
        };
        let held: Vec<u8> = stream.take_held().iter().map(second).collect();
        assert_eq!(held, [1, 0]);
    }
}
