//! The way of our stream's messages to another server.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::core::RelayCore;
use crate::app::stats::Drops;
use crate::app::stream::{
    Backlog, FlowLimits, Item, Joined, LiveMessage, LiveStream, PlayerFlow, Tap, Verdict,
};
use crate::client::{ConnectionCore, StreamCore};
use crate::media::{MediaMessage, Reduction};
use crate::time::distance;

/// Sends what is published to one connection, as to a player.
pub(super) struct PushTap {
    relay: Weak<RelayCore>,
    connection: Arc<ConnectionCore>,
    stream: Arc<StreamCore>,
    limits: FlowLimits,
    reduction: Option<Reduction>,
    state: Mutex<State>,
}

struct State {
    /// Set when the stream is joined.
    flow: Option<PlayerFlow>,
    /// The latest time sent, on connections before this one too.
    last: Option<u32>,
}

impl PushTap {
    /// `last` is the latest time that was sent before this connection.
    pub(super) fn new(
        relay: &Arc<RelayCore>,
        connection: Arc<ConnectionCore>,
        stream: Arc<StreamCore>,
        limits: FlowLimits,
        reduction: Option<Reduction>,
        last: Option<u32>,
    ) -> Self {
        Self {
            relay: Arc::downgrade(relay),
            connection,
            stream,
            limits,
            reduction,
            state: Mutex::new(State { flow: None, last }),
        }
    }

    /// The latest time sent.
    pub(super) fn last(&self) -> Option<u32> {
        self.state.lock().last
    }

    fn send(&self, state: &mut State, message: &LiveMessage, at: Option<u32>) {
        let Some(form) = message.form(self.reduction) else {
            return;
        };
        let timestamp = at.unwrap_or(form.timestamp);
        let (kind, body) = (message.kind, form.payload.clone());
        let size = body.len();
        let sent = self.stream.pass(MediaMessage {
            kind,
            timestamp,
            body,
        });
        if sent.is_ok() {
            if state.last.is_none_or(|last| distance(last, timestamp) > 0) {
                state.last = Some(timestamp);
            }
            if let Some(relay) = self.relay.upgrade() {
                relay.count(size);
            }
        }
    }

    fn backlog(&self) -> Backlog {
        Backlog {
            written: self.connection.traffic.read().bytes_out,
            waiting: self.connection.unsent(),
        }
    }
}

impl Tap for PushTap {
    fn begin(&self, joined: Joined) {
        let mut state = self.state.lock();
        let first = joined.backlog.iter().find(|message| !message.is_header());
        let first = first.map(|message| message.shared.timestamp);
        // What was sent before the connection was lost is not sent again: time never jumps back.
        let (last, goes_on) = (state.last, state.last.is_some());
        let is_new = |time: u32| last.is_none_or(|last| distance(last, time) > 0);
        let whole = first.is_none_or(is_new);
        let header_time = match (goes_on, whole) {
            (false, _) => None,
            (true, true) => first.or(last),
            (true, false) => last,
        };
        let at_keyframe = whole && joined.backlog.iter().any(|message| message.is_keyframe());
        let flow = PlayerFlow::new(self.limits, joined.next_sequence, joined.has_video, at_keyframe);
        state.flow = Some(flow);
        for message in &joined.backlog {
            if message.is_header() {
                self.send(&mut state, message, header_time);
            } else if whole {
                self.send(&mut state, message, None);
            }
        }
    }

    fn take(&self, item: &Item, stream: &LiveStream) {
        let mut state = self.state.lock();
        let Some(flow) = &mut state.flow else {
            return;
        };
        let message = match item {
            Item::Media(message) => message,
            Item::Published | Item::Dry => return,
            Item::Unpublished => return flow.reset(),
        };
        match flow.judge(message, self.backlog()) {
            Verdict::Send => self.send(&mut state, message, None),
            Verdict::Resume => {
                for header in stream.headers() {
                    self.send(&mut state, &header, Some(message.shared.timestamp));
                }
                self.send(&mut state, message, None);
            }
            Verdict::Drop => {
                if let Some(relay) = self.relay.upgrade() {
                    relay.count_dropped(Drops {
                        messages: 1,
                        bytes: message.shared.payload.len() as u64,
                    });
                }
            }
            Verdict::Skip => {}
        }
    }
}
