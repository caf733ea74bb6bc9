//! What waits for a new player, in aggregate messages where the player reads them (RTMP 1.0 7.1.6).

use crate::session::server::ServerSession;
use crate::wire::chunk::{SharedMessage, csid};
use crate::wire::message::AggregateBuilder;

/// Longer messages go out by themselves: copying them costs more than a header.
const LONGEST_PART: usize = 8 << 10;

/// An aggregate is sent when it has grown to this.
const FULL: usize = 32 << 10;

impl ServerSession {
    /// Sends messages that are all there already, as a player gets when it joins; returns how many. Short ones are put
    /// together for clients that are known to read aggregates, which needs fewer chunks and less work at the other end;
    /// others get them as by [`send_media`](Self::send_media).
    pub fn send_backlog<'a>(
        &mut self,
        stream_id: u32,
        messages: impl IntoIterator<Item = &'a SharedMessage>,
    ) -> u64 {
        let mut sent = 0;
        let mut parts = Parts::default();
        for message in messages {
            sent += 1;
            if !self.reads_aggregates || message.payload.len() > LONGEST_PART {
                self.send_parts(stream_id, &mut parts);
                self.send_media(stream_id, message);
                continue;
            }
            // Times inside count from the first and may not go back behind it.
            let goes_back = message.timestamp < parts.first.unwrap_or(0);
            if goes_back || parts.builder.len() + message.payload.len() > FULL {
                self.send_parts(stream_id, &mut parts);
            }
            parts.add(message);
        }
        self.send_parts(stream_id, &mut parts);
        sent
    }

    fn send_parts(&mut self, stream_id: u32, parts: &mut Parts<'_>) {
        let first = parts.alone.take();
        parts.first = None;
        if let Some(alone) = first {
            self.send_media(stream_id, alone);
            let _ = parts.builder.take(stream_id);
        } else if !parts.builder.is_empty() {
            let message = parts.builder.take(stream_id);
            self.link.write(csid::VIDEO, &message);
        }
    }
}

/// Messages that wait to be sent as one.
#[derive(Default)]
struct Parts<'a> {
    builder: AggregateBuilder,
    /// The only one so far: not worth an aggregate.
    alone: Option<&'a SharedMessage>,
    first: Option<u32>,
}

impl<'a> Parts<'a> {
    fn add(&mut self, message: &'a SharedMessage) {
        self.alone = self.builder.is_empty().then_some(message);
        self.first.get_or_insert(message.timestamp);
        self.builder
            .push(message.kind, message.timestamp, &message.payload);
    }
}
