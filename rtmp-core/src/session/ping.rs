//! Liveness: pings when the peer is silent, the round trip they measure, and the answers owed to the peer's.

/// Answers to pings per second; more are a flood (sheet of hostile inputs: 10^6 pings must cost nothing).
const MAX_ANSWERS_PER_SECOND: u32 = 10;

/// What is due when a ping timer fires.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PingDue {
    Nothing,
    Send(u32),
    Dead,
}

/// Ping state of one connection.
#[derive(Debug)]
pub(crate) struct Ping {
    interval_ms: u64,
    timeout_ms: u64,
    last_input_ms: u64,
    /// Set while silence after a ping counts; any byte ends it.
    asked_ms: Option<u64>,
    /// The last ping's time and value, for the round trip.
    outstanding: Option<(u64, u32)>,
    answers_since_ms: u64,
    answers: u32,
}

impl Ping {
    pub(crate) fn new(interval_ms: u64, timeout_ms: u64, now: u64) -> Self {
        Self {
            interval_ms,
            timeout_ms,
            last_input_ms: now,
            asked_ms: None,
            outstanding: None,
            answers_since_ms: now,
            answers: 0,
        }
    }

    /// Bytes arrived: the peer lives, whatever they mean. Many encoders never answer pings while publishing; true when the
    /// last ping has now waited too long for its answer.
    pub(crate) fn heard(&mut self, now: u64) -> bool {
        self.last_input_ms = now;
        self.asked_ms = None;
        match self.outstanding {
            Some((sent, _)) if now > sent.saturating_add(self.timeout_ms) => {
                self.outstanding = None;
                true
            }
            _ => false,
        }
    }

    /// When to call `due`, in milliseconds; `None` when pings are off.
    pub(crate) fn deadline(&self) -> Option<u64> {
        if self.interval_ms == 0 {
            return None;
        }
        Some(match self.asked_ms {
            Some(asked) => asked.saturating_add(self.timeout_ms),
            None => self.last_input_ms.saturating_add(self.interval_ms),
        })
    }

    pub(crate) fn due(&mut self, now: u64) -> PingDue {
        match self.deadline() {
            Some(deadline) if now >= deadline => match self.asked_ms {
                Some(_) => PingDue::Dead,
                None => {
                    self.asked_ms = Some(now);
                    PingDue::Send(self.start(now))
                }
            },
            _ => PingDue::Nothing,
        }
    }

    /// Notes a ping sent now; its value for the wire.
    pub(crate) fn start(&mut self, now: u64) -> u32 {
        let value = now as u32;
        self.outstanding = Some((now, value));
        value
    }

    /// The peer answered; the round trip in milliseconds when it is an answer to our last ping.
    pub(crate) fn answered(&mut self, value: u32, now: u64) -> Option<u64> {
        match self.outstanding {
            Some((sent, expected)) if expected == value => {
                self.outstanding = None;
                Some(now.saturating_sub(sent))
            }
            _ => None,
        }
    }

    /// Whether a ping of the peer may be answered.
    pub(crate) fn may_answer(&mut self, now: u64) -> bool {
        if now.saturating_sub(self.answers_since_ms) >= 1000 {
            self.answers_since_ms = now;
            self.answers = 0;
        }
        self.answers = self.answers.saturating_add(1);
        self.answers <= MAX_ANSWERS_PER_SECOND
    }

    pub(crate) fn silent_ms(&self, now: u64) -> u64 {
        now.saturating_sub(self.last_input_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_after_silence_and_gives_up_after_more() {
        let mut ping = Ping::new(60_000, 30_000, 0);
        assert_eq!(ping.deadline(), Some(60_000));
        assert_eq!(ping.due(59_999), PingDue::Nothing);
        assert_eq!(ping.due(60_000), PingDue::Send(60_000));
        assert_eq!(ping.due(60_001), PingDue::Nothing);
        assert_eq!(ping.deadline(), Some(90_000));
        assert_eq!(ping.due(90_000), PingDue::Dead);
    }

    #[test]
    fn any_byte_after_a_ping_is_life() {
        let mut ping = Ping::new(60_000, 30_000, 0);
        ping.due(60_000);
        ping.heard(89_999);
        assert_eq!(ping.due(90_000), PingDue::Nothing);
        assert_eq!(ping.deadline(), Some(149_999));
    }

    #[test]
    fn measures_the_round_trip_of_its_own_ping_only() {
        let mut ping = Ping::new(60_000, 30_000, 0);
        let value = ping.start(1000);
        assert_eq!(ping.answered(value.wrapping_add(1), 1010), None);
        assert_eq!(ping.answered(value, 1042), Some(42));
        assert_eq!(ping.answered(value, 1050), None);
    }

    #[test]
    fn a_flood_of_pings_gets_few_answers() {
        let mut ping = Ping::new(0, 0, 0);
        let answers = (0..1_000_000).filter(|_| ping.may_answer(500)).count();
        assert_eq!(answers, 10);
        assert!(ping.may_answer(2000));
    }
}
