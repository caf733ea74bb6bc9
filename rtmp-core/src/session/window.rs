//! Acknowledgements: how many bytes came in, when to say so, what the peer says it got (RTMP 1.0 5.4.3, 5.4.4), and how
//! much may be sent ahead of that where the peer set a limit (RTMP 1.0 5.4.5).

use crate::wire::message::control::LimitType;

/// Acknowledged even if the peer announces no window: some encoders stop sending without it.
const DEFAULT_STEP: u64 = 2_500_000;

/// Keeps two sides with tiny windows from acknowledging each other's acknowledgements for ever.
const MIN_STEP: u64 = 1024;

/// The smallest limit a host may set to a peer: its answers to our acknowledgements must fit.
pub(crate) const MIN_LIMIT: u32 = 1024;

/// A peer that limits our output and then acknowledges nothing for this long, while bytes wait, gets them all the same.
pub(crate) const LIFT_AFTER_MS: u64 = 10_000;

/// Byte counters of one connection.
#[derive(Debug)]
pub(crate) struct Window {
    received: u64,
    acknowledged: u64,
    /// Bytes between two acknowledgements; 0 when the peer wants none.
    step: u64,
    /// Bytes between two acknowledgements at most, for a peer whose output we limit.
    limited_step: u64,
    peer_acknowledged: u64,
    peer_last: u32,
    /// The limit in force of what may be unacknowledged, set by the peer.
    limit: Option<SendLimit>,
    /// Whether the last limit was hard; decides what a dynamic one means.
    was_hard: bool,
}

/// A limit of our output by the peer.
#[derive(Debug)]
struct SendLimit {
    size: u64,
    /// Bytes the peer has for certain, counted as those sent are.
    acknowledged: u64,
    /// Since when bytes wait for an acknowledgement.
    blocked_ms: Option<u64>,
    /// The peer did not acknowledge in time: no limit until it does.
    lifted: bool,
}

impl Window {
    pub(crate) fn new() -> Self {
        Self {
            received: 0,
            acknowledged: 0,
            step: DEFAULT_STEP,
            limited_step: u64::MAX,
            peer_acknowledged: 0,
            peer_last: 0,
            limit: None,
            was_hard: false,
        }
    }

    /// Counts `bytes` from the transport, handshake included.
    pub(crate) fn received(&mut self, bytes: usize) {
        self.received = self.received.saturating_add(bytes as u64);
    }

    pub(crate) fn total_received(&self) -> u64 {
        self.received
    }

    /// The peer announced its Window Acknowledgement Size. Half of it is used, as other servers do: encoders stall when
    /// an acknowledgement is a little late.
    pub(crate) fn set_peer_window(&mut self, size: u32) {
        self.step = match size {
            0 => 0,
            size => (u64::from(size) / 2).max(MIN_STEP),
        };
    }

    /// The sequence number to acknowledge now, at most one per batch of input; wraps at 2^32.
    pub(crate) fn due(&mut self) -> Option<u32> {
        let step = match self.step {
            0 => self.limited_step,
            step => step.min(self.limited_step),
        };
        if self.received - self.acknowledged < step {
            return None;
        }
        self.acknowledged = self.received;
        Some(self.received as u32)
    }

    /// We limited the peer to `size` unacknowledged bytes: it must hear from us before it has sent as many, even if it
    /// announces no window or a larger one.
    pub(crate) fn limit_peer(&mut self, size: u32) {
        self.limited_step = (u64::from(size) / 2).max(1);
    }

    /// The peer acknowledged `sequence`, after `sent` bytes were sent in all. Peers that restart their counter, or run
    /// backwards, are followed, never refused; true when it did.
    pub(crate) fn peer_acknowledged(&mut self, sequence: u32, sent: u64) -> bool {
        let ahead = sequence.wrapping_sub(self.peer_last);
        let restarted = ahead > 1 << 31;
        let step = if restarted { sequence } else { ahead };
        self.peer_acknowledged = self.peer_acknowledged.saturating_add(u64::from(step));
        self.peer_last = sequence;
        if let Some(limit) = &mut self.limit {
            limit.acknowledged = if restarted {
                // What it lost in restarting is not known; taking it for lost for ever would stall.
                sent
            } else {
                limit.acknowledged.saturating_add(u64::from(step)).min(sent)
            };
            limit.blocked_ms = None;
            limit.lifted = false;
        }
        restarted
    }

    pub(crate) fn total_peer_acknowledged(&self) -> u64 {
        self.peer_acknowledged
    }

    /// The peer wants no more than `size` bytes of ours unacknowledged. A dynamic limit after anything but a hard one is
    /// none (RTMP 1.0 5.4.5); that is what nearly every server sends.
    pub(crate) fn set_send_limit(&mut self, size: u32, kind: LimitType, sent: u64) {
        let size = u64::from(size);
        let size = match (kind, &self.limit) {
            (LimitType::Hard, _) => size,
            (LimitType::Soft, Some(limit)) => size.min(limit.size),
            (LimitType::Soft, None) => size,
            (LimitType::Dynamic, _) if self.was_hard => size,
            _ => return,
        };
        self.was_hard = kind != LimitType::Soft;
        match &mut self.limit {
            Some(limit) => limit.size = size,
            None => {
                self.limit = Some(SendLimit {
                    size,
                    acknowledged: self.peer_acknowledged.min(sent),
                    blocked_ms: None,
                    lifted: false,
                });
            }
        }
    }

    /// How many bytes may be sent now that `sent` were, with more waiting.
    #[inline]
    pub(crate) fn send_room(&mut self, sent: u64, now: u64) -> usize {
        match &mut self.limit {
            None => usize::MAX,
            Some(limit) => limit.room(sent, now),
        }
    }

    /// When a limit that bytes wait for is lifted.
    pub(crate) fn lift_deadline(&self) -> Option<u64> {
        let blocked = self.limit.as_ref()?.blocked_ms?;
        Some(blocked.saturating_add(LIFT_AFTER_MS))
    }

    /// Lifts the limit if that is due.
    pub(crate) fn lift_if_due(&mut self, now: u64) {
        if self.lift_deadline().is_some_and(|due| now >= due)
            && let Some(limit) = &mut self.limit
        {
            log::debug!(
                "the peer acknowledges nothing: its limit of {} bytes is lifted",
                limit.size
            );
            limit.lifted = true;
            limit.blocked_ms = None;
        }
    }
}

impl SendLimit {
    fn room(&mut self, sent: u64, now: u64) -> usize {
        if self.lifted {
            return usize::MAX;
        }
        let flying = sent.saturating_sub(self.acknowledged);
        let room = self.size.saturating_sub(flying);
        if room == 0 {
            self.blocked_ms.get_or_insert(now);
        } else {
            self.blocked_ms = None;
        }
        usize::try_from(room).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledges_at_half_of_the_peers_window() {
        let mut window = Window::new();
        window.set_peer_window(2_500_000);
        window.received(1_249_999);
        assert_eq!(window.due(), None);
        window.received(1);
        assert_eq!(window.due(), Some(1_250_000));
        assert_eq!(window.due(), None);
    }

    #[test]
    fn acknowledges_every_2_5_mb_without_a_window() {
        let mut window = Window::new();
        window.received(2_499_999);
        assert_eq!(window.due(), None);
        window.received(2);
        assert_eq!(window.due(), Some(2_500_001));
    }

    #[test]
    fn a_window_of_zero_means_no_acknowledgements() {
        let mut window = Window::new();
        window.set_peer_window(0);
        window.received(100_000_000);
        assert_eq!(window.due(), None);
    }

    #[test]
    fn a_window_of_one_does_not_acknowledge_every_acknowledgement() {
        let mut window = Window::new();
        window.set_peer_window(1);
        window.received(16);
        assert_eq!(window.due(), None);
    }

    #[test]
    fn the_sequence_wraps_at_32_bits() {
        let mut window = Window::new();
        window.received = 0xFFFF_FF00;
        window.acknowledged = 0xFFFF_FF00;
        window.received(2_500_000);
        assert_eq!(window.due(), Some(0xFFFF_FF00_u32.wrapping_add(2_500_000)));
    }

    #[test]
    fn wild_peer_sequences_are_followed() {
        let mut window = Window::new();
        for sequence in [100, 0xFFFF_FFF0, 0x20, 0, u32::MAX, 5] {
            window.peer_acknowledged(sequence, 0);
        }
        assert!(window.total_peer_acknowledged() > 0);
    }

    #[test]
    fn a_peer_we_limit_is_acknowledged_before_it_has_sent_its_window() {
        for peer_window in [None, Some(0), Some(2_500_000)] {
            let mut window = Window::new();
            if let Some(size) = peer_window {
                window.set_peer_window(size);
            }
            window.limit_peer(10_000);
            window.received(5000);
            assert_eq!(window.due(), Some(5000), "{peer_window:?}");
        }
    }

    /// RTMP 1.0 5.4.5: the limit in force after each message, `None` for none.
    fn limits(messages: &[(u32, LimitType)]) -> Vec<Option<u64>> {
        let mut window = Window::new();
        let mut after = |&(size, kind): &(u32, LimitType)| {
            window.set_send_limit(size, kind, 0);
            window.limit.as_ref().map(|limit| limit.size)
        };
        messages.iter().map(&mut after).collect()
    }

    #[test]
    fn section_5_4_5_limit_types() {
        use LimitType::{Dynamic, Hard, Soft, Unknown};
        assert_eq!(limits(&[(9000, Dynamic), (9000, Soft)]), [None, Some(9000)]);
        assert_eq!(
            limits(&[(9000, Hard), (5000, Soft), (8000, Soft), (7000, Hard)]),
            [Some(9000), Some(5000), Some(5000), Some(7000)]
        );
        assert_eq!(
            limits(&[(9000, Hard), (20_000, Dynamic), (30_000, Dynamic)]),
            [Some(9000), Some(20_000), Some(30_000)]
        );
        assert_eq!(
            limits(&[(9000, Hard), (5000, Soft), (30_000, Dynamic)]),
            [Some(9000), Some(5000), Some(5000)]
        );
        assert_eq!(limits(&[(9000, Hard), (1, Unknown(7))]), [Some(9000), Some(9000)]);
    }

    #[test]
    fn room_is_what_the_limit_leaves_of_unacknowledged_bytes() {
        let mut window = Window::new();
        assert_eq!(window.send_room(u64::MAX, 0), usize::MAX);
        window.peer_acknowledged(3000, 3073);
        window.set_send_limit(10_000, LimitType::Hard, 3073);
        assert_eq!(window.send_room(3073, 0), 9927);
        assert_eq!(window.send_room(13_000, 0), 0);
        window.peer_acknowledged(8000, 13_000);
        assert_eq!(window.send_room(13_000, 0), 5000);
        // More than was ever sent is taken for all of it.
        window.peer_acknowledged(50_000, 13_000);
        assert_eq!(window.send_room(13_000, 0), 10_000);
    }

    #[test]
    fn room_survives_the_wrap_of_the_sequence_at_32_bits() {
        let mut window = Window::new();
        window.set_send_limit(10_000, LimitType::Hard, 0);
        let mut sent = 0_u64;
        let mut acknowledged = 0;
        for step in [0x7FFF_FF00_u64, 0x7FFF_FF00, 0x1000, 0x4000_0000] {
            sent += step;
            window.peer_acknowledged(sent as u32, sent);
            acknowledged += step;
            assert_eq!(window.send_room(sent + 4000, 0), 6000);
        }
        assert_eq!(window.total_peer_acknowledged(), acknowledged);
        // A counter that starts over, as some servers do at 0xF0000000.
        window.peer_acknowledged(0xF000_0000, sent);
        window.peer_acknowledged(100, sent);
        assert_eq!(window.send_room(sent, 0), 10_000);
    }

    #[test]
    fn a_limit_without_acknowledgements_is_lifted_after_10_s_until_one_comes() {
        let mut window = Window::new();
        window.set_send_limit(1000, LimitType::Hard, 0);
        assert_eq!(
            (window.send_room(1000, 500), window.lift_deadline()),
            (0, Some(10_500))
        );
        window.lift_if_due(10_499);
        assert_eq!(window.send_room(1000, 10_499), 0);
        window.lift_if_due(10_500);
        assert_eq!(
            (window.send_room(1000, 10_500), window.lift_deadline()),
            (usize::MAX, None)
        );
        window.peer_acknowledged(1500, 2000);
        assert_eq!(window.send_room(2000, 10_600), 500);
    }
}
