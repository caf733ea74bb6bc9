//! Aggregate messages, type 22 (RTMP 1.0 7.1.6): several messages in one, laid out like FLV tags.

use crate::wire::message::{Message, MessageType};
use bytes::Bytes;

/// The messages inside an aggregate, as slices of it.
///
/// Times are moved so that the first message has the aggregate's own (RTMP 1.0 7.1.6). Reading ends at the first unit
/// that does not fit. Only audio, video and data come out: control messages inside an aggregate are never applied.
#[derive(Debug)]
pub struct Aggregate {
    body: Bytes,
    timestamp: u32,
    stream_id: u32,
    first: Option<u32>,
    wrong_pointers: u32,
    is_cut: bool,
}

impl Aggregate {
    /// The messages of `message`.
    pub fn new(message: &Message) -> Self {
        Self {
            body: message.payload.clone(),
            timestamp: message.timestamp,
            stream_id: message.stream_id,
            first: None,
            wrong_pointers: 0,
            is_cut: false,
        }
    }

    /// How many back pointers read so far were wrong. The last one may be missing altogether and counts then, too.
    pub fn wrong_back_pointers(&self) -> u32 {
        self.wrong_pointers
    }

    /// Whether reading ended at a message that does not fit.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    fn unit(&mut self) -> Option<Message> {
        let Some(&[kind, l0, l1, l2, t0, t1, t2, t3, ..]) = self.body.first_chunk::<11>() else {
            self.is_cut |= !self.body.is_empty();
            return None;
        };
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        // FLV order: the fourth byte holds the highest bits.
        let timestamp = u32::from_be_bytes([t3, t0, t1, t2]);
        if self.body.len() - 11 < length {
            self.is_cut = true;
            return None;
        }
        let _header = self.body.split_to(11);
        let payload = self.body.split_to(length);
        // The back pointer is only counted: it is wrong in the wild, and the last may be missing.
        let back_pointer = self.body.split_to(self.body.len().min(4));
        if back_pointer.as_ref() != u32::try_from(length + 11).unwrap_or_default().to_be_bytes() {
            self.wrong_pointers = self.wrong_pointers.saturating_add(1);
        }
        let first = *self.first.get_or_insert(timestamp);
        Some(Message {
            timestamp: timestamp.wrapping_sub(first).wrapping_add(self.timestamp),
            kind: MessageType(kind),
            stream_id: self.stream_id,
            payload,
        })
    }
}

/// Puts messages together into one aggregate. Cheap per message for the receiver, but a copy for the sender: for messages
/// that wait anyway.
#[derive(Debug, Default)]
pub struct AggregateBuilder {
    body: Vec<u8>,
    /// The first message's time.
    timestamp: u32,
    count: usize,
}

impl AggregateBuilder {
    /// Bytes around each message.
    pub const OVERHEAD: usize = 15;

    /// Adds a message behind the others. Its payload must be shorter than 0xFFFFFF bytes; the rest would not fit anyway.
    pub fn push(&mut self, kind: MessageType, timestamp: u32, payload: &[u8]) {
        if self.count == 0 {
            self.timestamp = timestamp;
        }
        self.count += 1;
        let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
        let [high, low @ ..] = timestamp.to_be_bytes();
        self.body.push(kind.0);
        self.body.extend_from_slice(&length);
        self.body.extend_from_slice(&low);
        self.body.extend_from_slice(&[high, 0, 0, 0]);
        self.body.extend_from_slice(payload);
        let back_pointer = (payload.len() as u32).saturating_add(11);
        self.body.extend_from_slice(&back_pointer.to_be_bytes());
    }

    /// How many messages are in it.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How long it is, in bytes.
    pub fn len(&self) -> usize {
        self.body.len()
    }

    /// Whether no message is in it.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The aggregate as a message on `stream_id` at its first message's time; the builder begins anew.
    pub fn take(&mut self, stream_id: u32) -> Message {
        self.count = 0;
        Message {
            timestamp: self.timestamp,
            kind: MessageType::AGGREGATE,
            stream_id,
            payload: Bytes::from(std::mem::take(&mut self.body)),
        }
    }
}

impl Iterator for Aggregate {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        loop {
            let message = self.unit()?;
            if matches!(
                message.kind,
                MessageType::AUDIO | MessageType::VIDEO | MessageType::DATA | MessageType::DATA_AMF3
            ) {
                return Some(message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sheet of the chunk layer, section 7: audio at 1000, video at 1020.
    const TWO: [u8; 38] = [
        0x08, 0, 0, 3, 0, 3, 0xE8, 0, 0, 0, 0, 0xAF, 0x01, 0xAA, 0, 0, 0, 0x0E, 0x09, 0, 0, 5, 0, 3, 0xFC, 0,
        0, 0, 0, 0x27, 1, 0, 0, 0, 0, 0, 0, 0x10,
    ];

    fn aggregate(timestamp: u32, body: &[u8]) -> Vec<(u8, u32, Vec<u8>)> {
        let message = Message {
            timestamp,
            kind: MessageType::AGGREGATE,
            stream_id: 1,
            payload: Bytes::copy_from_slice(body),
        };
        Aggregate::new(&message)
            .map(|message| (message.kind.0, message.timestamp, message.payload.to_vec()))
            .collect()
    }

    #[test]
    fn a_built_aggregate_has_the_bytes_of_the_example() {
        let mut builder = AggregateBuilder::default();
        builder.push(MessageType::AUDIO, 1000, &[0xAF, 1, 0xAA]);
        builder.push(MessageType::VIDEO, 1020, &[0x27, 1, 0, 0, 0]);
        assert_eq!((builder.count(), builder.len()), (2, TWO.len()));
        let message = builder.take(1);
        assert_eq!((message.timestamp, &message.payload[..]), (1000, &TWO[..]));
        assert!(builder.is_empty());
        // The highest byte of a time comes last.
        builder.push(MessageType::AUDIO, 0x0102_0304, &[]);
        assert_eq!(builder.take(1).payload[4..8], [2, 3, 4, 1]);
    }

    #[test]
    fn messages_take_the_aggregates_time() {
        let expected = |first| {
            vec![
                (8, first, vec![0xAF, 1, 0xAA]),
                (9, first + 20, vec![0x27, 1, 0, 0, 0]),
            ]
        };
        assert_eq!(aggregate(1000, &TWO), expected(1000));
        assert_eq!(aggregate(5000, &TWO), expected(5000));
    }

    #[test]
    fn a_missing_last_back_pointer_and_a_unit_too_long_are_tolerated() {
        assert_eq!(aggregate(0, &TWO[..34]).len(), 2);
        let message = Message {
            timestamp: 0,
            kind: MessageType::AGGREGATE,
            stream_id: 1,
            payload: Bytes::from_static(&TWO[..34]),
        };
        let mut missing = Aggregate::new(&message);
        assert_eq!(missing.by_ref().count(), 2);
        assert_eq!((missing.wrong_back_pointers(), missing.is_cut()), (1, false));
        assert_eq!(aggregate(0, &TWO[..33]).len(), 1);
        assert!(aggregate(0, &TWO[..10]).is_empty());
        assert!(aggregate(0, &[]).is_empty());
    }

    #[test]
    fn control_messages_and_nested_aggregates_inside_are_skipped() {
        let mut body = TWO;
        body[0] = 1;
        assert_eq!(aggregate(0, &body).len(), 1);
        body[0] = 22;
        assert_eq!(aggregate(0, &body).len(), 1);
    }
}
