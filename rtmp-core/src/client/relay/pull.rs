//! The way of a pulled stream's messages into the stream of ours.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::core::{RelayCore, RelayInput};
use crate::app::stream::{LiveStream, Publisher, Takeover};
use crate::client::net_stream::MediaTap;
use crate::media::{FrameFlags, MediaKind, MediaMessage, inspect, metadata};
use crate::time::distance;
use crate::wire::status::{Code, Status};

/// Publishes what one connection brings, from its first message on.
pub(super) struct PullTap {
    relay: Weak<RelayCore>,
    attempt: u64,
    live: Arc<LiveStream>,
    hold_ms: u32,
    state: Mutex<State>,
}

struct State {
    stage: Stage,
    /// The relay has published before: time goes on, and headers wait for the first frame to tell its time.
    resumes: bool,
    held: Vec<MediaMessage>,
    /// The streams that this one has come through.
    path: Arc<[String]>,
    last: Option<u32>,
}

enum Stage {
    Waiting,
    Publishing(u64),
    Over,
}

/// Headers held until the first frame comes.
const MAX_HELD: usize = 64;
/// A jump back of more than this many milliseconds is another beginning, not disorder.
const DISORDER_MS: i32 = 1_000;

impl PullTap {
    pub(super) fn new(relay: &Arc<RelayCore>, attempt: u64, hold_ms: u32, resumes: bool) -> Self {
        let state = State {
            stage: Stage::Waiting,
            resumes,
            held: Vec::new(),
            path: Arc::default(),
            last: None,
        };
        Self {
            relay: Arc::downgrade(relay),
            attempt,
            live: Arc::clone(relay.stream().live()),
            hold_ms,
            state: Mutex::new(state),
        }
    }

    /// Takes note of the way that the stream has come.
    pub(super) fn set_path(&self, path: Arc<[String]>) {
        let mut state = self.state.lock();
        if let Stage::Publishing(publisher) = state.stage {
            self.live.set_path(publisher, &path);
        }
        state.path = path;
    }

    /// The other server's publisher left: players are held for the next. True if there was one.
    pub(super) fn pause(&self) -> bool {
        let mut state = self.state.lock();
        let Stage::Publishing(publisher) = state.stage else {
            return false;
        };
        state.stage = Stage::Waiting;
        state.resumes = true;
        drop(state);
        self.live.release(publisher)
    }

    /// Takes nothing any more. Players are held, unless it is `for_good`.
    pub(super) fn stop(&self, for_good: bool) {
        let stage = std::mem::replace(&mut self.state.lock().stage, Stage::Over);
        if let Stage::Publishing(publisher) = stage {
            self.live.release(publisher);
        }
        if for_good {
            self.live.expire(None);
        }
    }

    fn publish(&self, state: &mut State, message: MediaMessage) {
        let publisher = match state.stage {
            Stage::Over => return,
            Stage::Publishing(publisher) => publisher,
            Stage::Waiting => {
                let waits = state.resumes && is_header(&message) && state.held.len() < MAX_HELD;
                if waits {
                    return state.held.push(message);
                }
                match self.claim(state) {
                    Some(publisher) => publisher,
                    None => return state.stage = Stage::Over,
                }
            }
        };
        if matches!(state.stage, Stage::Waiting) {
            state.stage = Stage::Publishing(publisher);
            for mut header in std::mem::take(&mut state.held) {
                header.timestamp = message.timestamp;
                self.push(publisher, header);
            }
        }
        if let Some(last) = state.last
            && distance(last, message.timestamp) < -DISORDER_MS
        {
            self.live.rejoin(publisher);
        }
        state.last = Some(message.timestamp);
        self.push(publisher, message);
    }

    fn claim(&self, state: &mut State) -> Option<u64> {
        let relay = self.relay.upgrade()?;
        let attempt = self.attempt;
        let takeover = Takeover::hold(self.hold_ms);
        let (told, name) = (Weak::clone(&self.relay), self.live.name().to_owned());
        let candidate = Publisher::new(takeover, |_| {
            Box::new(move |why| {
                if let Some(relay) = told.upgrade() {
                    relay.tell(RelayInput::Failed(attempt, why.status(&name)));
                }
            })
        });
        let candidate = candidate.relayed(Arc::clone(&state.path), state.resumes);
        let publisher = candidate.id;
        if self.live.claim(candidate) {
            state.last = None;
            relay.tell(RelayInput::Flows(attempt));
            Some(publisher)
        } else {
            relay.tell(RelayInput::Failed(attempt, taken(self.live.name())));
            None
        }
    }

    fn push(&self, publisher: u64, message: MediaMessage) {
        let MediaMessage {
            kind,
            timestamp,
            body,
        } = message;
        let body = match kind {
            MediaKind::Data => body.slice_ref(metadata::strip_set_data_frame(&body)),
            _ => body,
        };
        let size = body.len();
        if self.live.push(publisher, kind, timestamp, body, false)
            && let Some(relay) = self.relay.upgrade()
        {
            relay.count(size);
        }
    }
}

impl MediaTap for PullTap {
    fn message(&self, message: MediaMessage) {
        if is_of_server(&message) {
            return;
        }
        // Held by nobody else but for moments: all messages of a connection come on one worker.
        self.publish(&mut self.state.lock(), message);
    }
}

/// Why a stream cannot be pulled that has a publisher.
pub(super) fn taken(name: &str) -> Status {
    Status::for_stream(Code::PublishBadName, name)
}

fn is_header(message: &MediaMessage) -> bool {
    let flags = inspect(message.kind, &message.body);
    message.kind == MediaKind::Data || flags.intersects(FrameFlags::CONFIG | FrameFlags::METADATA)
}

/// Whether a message is what a server tells each player, and no part of the stream.
fn is_of_server(message: &MediaMessage) -> bool {
    let body = message.body.strip_prefix(b"\0").unwrap_or(&message.body);
    message.kind == MediaKind::Data
        && (body.starts_with(b"\x02\x00\x11|RtmpSampleAccess") || body.starts_with(b"\x02\x00\x08onStatus"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_say_to_players_is_left_out() {
        let data =
            |body: &'static [u8]| MediaMessage::new(MediaKind::Data, 0, bytes::Bytes::from_static(body));
        assert!(is_of_server(&data(
            b"\x02\x00\x11|RtmpSampleAccess\x01\x00\x01\x00"
        )));
        assert!(is_of_server(&data(b"\0\x02\x00\x08onStatus\x03")));
        assert!(!is_of_server(&data(b"\x02\x00\x0aonMetaData\x05")));
        assert!(is_header(&data(b"\x02\x00\x0aonMetaData\x05")));
    }
}
