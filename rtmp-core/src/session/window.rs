//! Acknowledgements: how many bytes came in, when to say so, what the peer says it got (RTMP 1.0 5.4.3, 5.4.4).

/// Acknowledged even if the peer announces no window: some encoders stop sending without it.
const DEFAULT_STEP: u64 = 2_500_000;

/// Keeps two sides with tiny windows from acknowledging each other's acknowledgements for ever.
const MIN_STEP: u64 = 1024;

/// Byte counters of one connection.
#[derive(Debug)]
pub(crate) struct Window {
    received: u64,
    acknowledged: u64,
    /// Bytes between two acknowledgements; 0 when the peer wants none.
    step: u64,
    peer_acknowledged: u64,
    peer_last: u32,
}

impl Window {
    pub(crate) fn new() -> Self {
        Self {
            received: 0,
            acknowledged: 0,
            step: DEFAULT_STEP,
            peer_acknowledged: 0,
            peer_last: 0,
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
        if self.step == 0 || self.received - self.acknowledged < self.step {
            return None;
        }
        self.acknowledged = self.received;
        Some(self.received as u32)
    }

    /// The peer acknowledged `sequence`. Peers that restart their counter, or run backwards, are followed, never refused.
    pub(crate) fn peer_acknowledged(&mut self, sequence: u32) {
        let ahead = sequence.wrapping_sub(self.peer_last);
        let step = if ahead > 1 << 31 { sequence } else { ahead };
        self.peer_acknowledged = self.peer_acknowledged.saturating_add(u64::from(step));
        self.peer_last = sequence;
    }

    pub(crate) fn total_peer_acknowledged(&self) -> u64 {
        self.peer_acknowledged
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
            window.peer_acknowledged(sequence);
        }
        assert!(window.total_peer_acknowledged() > 0);
    }
}
