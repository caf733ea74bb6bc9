//! What one player got, held against what was published.

use rtmp_core::media::MediaMessage;

use super::ledger::{Ledger, Sighting};

/// Counters of one player. It is checked from its first picture on, which must be a key frame.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Whether this player is one that stops reading.
    pub(crate) stalls: bool,
    /// Microseconds from the connection's beginning to the first key frame.
    pub(crate) joined_after: Option<u64>,
    /// Messages of all kinds received.
    pub(crate) messages: u64,
    /// Pictures received.
    pub(crate) received: u64,
    /// Pictures missing between the first and the last that was published.
    pub(crate) lost: u64,
    /// Pictures that came twice or in the wrong order.
    pub(crate) misplaced: u64,
    /// Pictures without what they refer to: before any key frame, or after a hole and before the next one.
    pub(crate) undecodable: u64,
    /// Bytes read from the socket.
    pub(crate) bytes: u64,
    /// Microseconds from sending to receiving, of pictures sent after this player joined.
    pub(crate) latencies: Vec<u32>,
    /// Why the connection ended early.
    pub(crate) failure: Option<String>,
    connected_at: u64,
    joined_at: u64,
    next: u32,
    /// A hole, and no key frame since.
    broken: bool,
}

impl Tally {
    /// A player that began to connect at `now` microseconds.
    pub(crate) fn new(now: u64, stalls: bool) -> Self {
        Self {
            connected_at: now,
            stalls,
            ..Self::default()
        }
    }

    /// Whether it has got its first key frame, or never will.
    pub(crate) fn settled(&self) -> bool {
        self.joined_after.is_some() || self.failure.is_some()
    }

    /// Counts a message received at `now` microseconds.
    pub(crate) fn see(&mut self, message: &MediaMessage, ledger: &Ledger, now: u64) {
        self.messages += 1;
        let Some(picture) = ledger.find(message) else {
            return;
        };
        if self.joined_after.is_some() {
            self.follow(&picture, now);
        } else if picture.keyframe {
            self.joined_after = Some(now - self.connected_at);
            self.joined_at = now;
            self.received = 1;
            self.next = picture.number + 1;
        } else {
            self.undecodable += 1;
        }
    }

    /// Whether it has the last of `published` pictures, or can get no more.
    pub(crate) fn complete(&self, published: u32) -> bool {
        self.failure.is_some() || (self.joined_after.is_some() && self.next >= published)
    }

    /// Counts what is missing at the end when `published` pictures were sent.
    pub(crate) fn close(&mut self, published: u32) {
        if self.joined_after.is_some() {
            self.lost += u64::from(published.saturating_sub(self.next));
        }
    }

    fn follow(&mut self, picture: &Sighting, now: u64) {
        if picture.number < self.next {
            self.misplaced += 1;
            return;
        }
        let hole = picture.number - self.next;
        self.lost += u64::from(hole);
        self.broken = !picture.keyframe && (self.broken || hole > 0);
        self.undecodable += u64::from(self.broken);
        self.next = picture.number + 1;
        self.received += 1;
        if picture.sent_micros >= self.joined_at {
            let micros = now.saturating_sub(picture.sent_micros);
            self.latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Source, Synthetic};

    /// A ledger with `count` pictures, and the pictures.
    fn published(count: usize) -> (Ledger, Vec<MediaMessage>) {
        let ledger = Ledger::new();
        let mut source = Source::Synthetic(Synthetic::new(500_000));
        let mut pictures = Vec::new();
        while pictures.len() < count {
            let message = source.next();
            ledger.note(&message, 0);
            if ledger.find(&message).is_some() {
                pictures.push(message);
            }
        }
        (ledger, pictures)
    }

    #[test]
    fn holes_and_a_missing_end_are_lost() {
        let (ledger, pictures) = published(70);
        let mut tally = Tally::new(0, false);
        for i in (0..10).chain(12..68) {
            tally.see(&pictures[i], &ledger, 1);
        }
        tally.close(ledger.count());
        assert_eq!((tally.received, tally.lost, tally.misplaced), (66, 4, 0));
        // From the hole to the second key frame.
        assert_eq!(tally.undecodable, 48);
    }

    #[test]
    fn a_player_is_counted_from_its_first_key_frame() {
        let (ledger, pictures) = published(70);
        let mut tally = Tally::new(0, false);
        pictures[50..].iter().for_each(|p| tally.see(p, &ledger, 1));
        tally.close(ledger.count());
        assert_eq!((tally.undecodable, tally.received, tally.lost), (10, 10, 0));
    }
}
