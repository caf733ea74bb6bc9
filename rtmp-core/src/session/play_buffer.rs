//! What a player has in hand: media time that arrived against media time that has passed on the clock.

use crate::wire::status::Code;

/// The buffer of a stream that is played, in media time: playing begins when it is full and is interrupted when it runs
/// empty. It holds no media; the host plays as this says, or as it likes.
///
/// Codes: NetStream.Buffer.Full when `length_ms` of media have arrived, NetStream.Buffer.Empty when the clock has passed
/// all that came, NetStream.Buffer.Flush when the stream is over and the rest is played out.
#[derive(Debug, Default, Clone)]
pub struct PlayBuffer {
    length_ms: u64,
    state: State,
    /// The latest media time that came.
    newest: Option<u64>,
    paused: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Media from this time on waits for the rest.
    Filling { from: u64 },
    /// Media time `from` was played at `since`.
    Playing { since: u64, from: u64 },
    /// As playing, and nothing more comes.
    Draining { since: u64, from: u64 },
    /// Nothing has come.
    #[default]
    Waiting,
}

impl PlayBuffer {
    /// Says how much media is to be there before it is played; 0, the default, watches nothing.
    pub fn set_length(&mut self, millis: u64) {
        self.length_ms = millis;
        if millis == 0 {
            self.restart();
        }
    }

    /// How much media is to be there before it is played.
    pub const fn length_ms(&self) -> u64 {
        self.length_ms
    }

    /// How much media is there and not yet played.
    pub fn held_ms(&self, now: u64) -> u64 {
        let played = match self.state {
            State::Waiting => return 0,
            State::Filling { from } => from,
            State::Playing { since, from } | State::Draining { since, from } if !self.paused => {
                from.saturating_add(now.saturating_sub(since))
            }
            State::Playing { from, .. } | State::Draining { from, .. } => from,
        };
        self.newest.unwrap_or(0).saturating_sub(played)
    }

    /// Audio or video of media time `time` came.
    pub fn arrived(&mut self, time: u64, now: u64) -> Option<Code> {
        if self.length_ms == 0 {
            return None;
        }
        if matches!(self.state, State::Waiting | State::Draining { .. }) {
            self.state = State::Filling { from: time };
            self.newest = None;
        }
        let newest = self.newest.map_or(time, |before| before.max(time));
        self.newest = Some(newest);
        let State::Filling { from } = self.state else {
            return None;
        };
        let full = newest.saturating_sub(from) >= self.length_ms;
        full.then(|| {
            self.state = State::Playing { since: now, from };
            Code::BufferFull
        })
    }

    /// Playback is paused or goes on: media time stands still meanwhile.
    pub fn pause(&mut self, on: bool, now: u64) {
        if on == self.paused {
            return;
        }
        if let State::Playing { since, from } | State::Draining { since, from } = &mut self.state {
            if on {
                *from = from.saturating_add(now.saturating_sub(*since));
            }
            *since = now;
        }
        self.paused = on;
    }

    /// The stream is over: nothing more comes.
    pub fn ended(&mut self, now: u64) -> Option<Code> {
        if self.held_ms(now) == 0 && self.state != State::Waiting {
            self.restart();
            return Some(Code::BufferFlush);
        }
        let (since, from) = match self.state {
            State::Filling { from } => (now, from),
            State::Playing { since, from } => (since, from),
            State::Draining { .. } | State::Waiting => return None,
        };
        self.state = State::Draining { since, from };
        Some(Code::BufferFlush)
    }

    /// Begins anew, as after a seek or with another stream.
    pub fn restart(&mut self) {
        self.state = State::Waiting;
        self.newest = None;
        self.paused = false;
    }

    /// When to call [`timeout`](Self::timeout): when all that came will have been played.
    pub fn deadline(&self) -> Option<u64> {
        match self.state {
            State::Playing { since, from } | State::Draining { since, from } if !self.paused => {
                Some(since.saturating_add(self.newest.unwrap_or(from).saturating_sub(from)))
            }
            _ => None,
        }
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: u64) -> Option<Code> {
        if self.deadline().is_none_or(|due| now < due) {
            return None;
        }
        match (self.state, self.newest) {
            (State::Playing { .. }, Some(newest)) => self.state = State::Filling { from: newest },
            _ => self.restart(),
        }
        Some(Code::BufferEmpty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(length_ms: u64) -> PlayBuffer {
        let mut buffer = PlayBuffer::default();
        buffer.set_length(length_ms);
        assert_eq!(buffer.arrived(1000, 0), None);
        assert_eq!(buffer.arrived(1000 + length_ms, 50), Some(Code::BufferFull));
        buffer
    }

    #[test]
    fn it_is_full_by_media_time_and_empty_by_the_clock() {
        let mut buffer = full(500);
        assert_eq!((buffer.held_ms(50), buffer.deadline()), (500, Some(550)));
        assert_eq!(buffer.arrived(1700, 100), None);
        assert_eq!((buffer.held_ms(100), buffer.deadline()), (650, Some(750)));
        assert_eq!(buffer.timeout(749), None);
        assert_eq!(buffer.timeout(750), Some(Code::BufferEmpty));
        assert_eq!((buffer.held_ms(900), buffer.deadline()), (0, None));
        // It refills from where it ran dry.
        assert_eq!(buffer.arrived(2100, 900), None);
        assert_eq!(buffer.arrived(2200, 950), Some(Code::BufferFull));
    }

    #[test]
    fn the_end_flushes_and_the_rest_is_played_out() {
        let mut buffer = full(500);
        assert_eq!(buffer.ended(60), Some(Code::BufferFlush));
        assert_eq!(buffer.ended(61), None);
        assert_eq!(buffer.timeout(550), Some(Code::BufferEmpty));
        assert_eq!((buffer.deadline(), buffer.ended(600)), (None, None));
        // Too little to be full is played out all the same.
        assert_eq!(buffer.arrived(0, 700), None);
        assert_eq!(buffer.arrived(100, 700), None);
        assert_eq!(buffer.ended(710), Some(Code::BufferFlush));
        assert_eq!(buffer.deadline(), Some(810));
    }

    #[test]
    fn time_stands_still_while_it_is_paused() {
        let mut buffer = full(500);
        buffer.pause(true, 150);
        assert_eq!((buffer.deadline(), buffer.held_ms(10_000)), (None, 400));
        buffer.pause(false, 20_000);
        assert_eq!(buffer.deadline(), Some(20_400));
    }

    #[test]
    fn without_a_length_nothing_is_watched() {
        let mut buffer = PlayBuffer::default();
        assert_eq!(buffer.arrived(0, 0), None);
        assert_eq!(buffer.arrived(u64::MAX, u64::MAX), None);
        assert_eq!((buffer.deadline(), buffer.ended(0)), (None, None));
        let mut buffer = full(500);
        buffer.set_length(0);
        assert_eq!(buffer.deadline(), None);
    }

    #[test]
    fn a_seek_begins_anew() {
        let mut buffer = full(500);
        buffer.restart();
        assert_eq!((buffer.deadline(), buffer.held_ms(60)), (None, 0));
        assert_eq!(buffer.arrived(10, 70), None);
        assert_eq!(buffer.arrived(510, 80), Some(Code::BufferFull));
    }
}
