//! One session of a server, whatever connections its requests come on.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

use super::TunnelError;
use crate::wire::chunk::Output;

/// The order of a session's requests, and their answers. `T` is what asks.
#[derive(Debug)]
pub struct TunnelSession<T> {
    /// The number of the request that is due; of the first one any number is.
    due: Option<u32>,
    /// What the last request was answered, in case the answer is lost.
    last: Option<Bytes>,
    /// Requests that came before their turn.
    early: VecDeque<(u32, T, Bytes)>,
    early_bytes: usize,
    /// Answers without bytes in a row.
    empty: u32,
    /// When the last request had its turn.
    heard: u64,
}

/// What a request that has arrived leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn<T> {
    /// Its turn has come: its bytes are to be taken, and it is to be answered with [`reply`](TunnelSession::reply).
    Take(T, Bytes),
    /// It came before, and has the same answer.
    Again(T, Bytes),
    /// It is too old to be known.
    Stale(T),
    /// It waits for those before it.
    Wait,
    /// Too many wait already: the session is over.
    TooMany(T),
}

/// Most bytes of one reply, the polling byte left out.
pub const MAX_REPLY: usize = 128 << 10;
/// Requests that came before their turn, and their bytes.
const MAX_EARLY: usize = 16;
const MAX_EARLY_BYTES: usize = 1 << 20;
/// How long a session lives without a request that has its turn.
const SILENCE_MS: u64 = 30_000;
/// Polling bytes: the hint grows while there is nothing to say.
const INTERVALS: [u8; 6] = [1, 3, 5, 9, 17, 33];
const EMPTY_PER_INTERVAL: u32 = 10;

impl<T> TunnelSession<T> {
    /// A session opened at `now`.
    pub fn new(now: u64) -> Self {
        Self {
            due: None,
            last: None,
            early: VecDeque::new(),
            early_bytes: 0,
            empty: 0,
            heard: now,
        }
    }

    /// Takes a request. After [`Turn::Take`] and its reply, [`next_early`](Self::next_early) may have more.
    pub fn arrive(&mut self, number: u32, asker: T, body: Bytes, now: u64) -> Turn<T> {
        let ahead = number.wrapping_sub(self.due.unwrap_or(number));
        match (ahead, &self.last) {
            (0, _) => {
                self.due = Some(number.wrapping_add(1));
                self.heard = now;
                Turn::Take(asker, body)
            }
            (u32::MAX, Some(last)) => Turn::Again(asker, last.clone()),
            (1..=0x7fff_ffff, _) => {
                self.early_bytes += body.len();
                if self.early.len() >= MAX_EARLY || self.early_bytes > MAX_EARLY_BYTES {
                    return Turn::TooMany(asker);
                }
                self.early.push_back((number, asker, body));
                Turn::Wait
            }
            _ => Turn::Stale(asker),
        }
    }

    /// A request that waited for its turn and has it now.
    pub fn next_early(&mut self, now: u64) -> Option<(T, Bytes)> {
        let due = self.due?;
        let at = self.early.iter().position(|(number, ..)| *number == due)?;
        let (_, asker, body) = self.early.remove(at)?;
        self.early_bytes = self.early_bytes.saturating_sub(body.len());
        self.due = Some(due.wrapping_add(1));
        self.heard = now;
        Some((asker, body))
    }

    /// The body that answers the request that had its turn: the polling byte, and what waits in `output`, no more than
    /// `room` bytes of it, which are not taken off.
    pub fn reply(&mut self, output: &Output, room: usize) -> Bytes {
        let mut body = BytesMut::with_capacity(1 + output.len().min(room).min(MAX_REPLY));
        body.put_u8(self.interval());
        for slice in output.slices_within(room.min(MAX_REPLY)) {
            body.put_slice(slice);
        }
        self.empty = if body.len() > 1 {
            0
        } else {
            self.empty.saturating_add(1)
        };
        let body = body.freeze();
        self.last = Some(body.clone());
        body
    }

    /// Those that wait for an answer, which will not come.
    pub fn abandon(&mut self) -> impl Iterator<Item = T> + use<'_, T> {
        self.early.drain(..).map(|(_, asker, _)| asker)
    }

    /// When the session is over, unless a request comes before.
    pub fn deadline(&self) -> u64 {
        self.heard.saturating_add(SILENCE_MS)
    }

    /// Whether it is over.
    pub fn check(&self, now: u64) -> Result<(), TunnelError> {
        match self.deadline() <= now {
            true => Err(TunnelError::Silent(SILENCE_MS)),
            false => Ok(()),
        }
    }

    /// How long the client may wait before it asks again, in a unit that nobody documented.
    fn interval(&self) -> u8 {
        let step = usize::try_from(self.empty / EMPTY_PER_INTERVAL).unwrap_or(usize::MAX);
        INTERVALS.get(step).copied().unwrap_or(33)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    fn output(text: &str) -> Output {
        let mut output = Output::new();
        output.push_slice(text.as_bytes());
        output
    }

    #[test]
    fn requests_have_their_turn_in_the_order_of_their_numbers() {
        let mut session = TunnelSession::new(0);
        let arrive = |session: &mut TunnelSession<&'static str>, number, name| {
            session.arrive(number, name, body(name), 7)
        };
        assert_eq!(arrive(&mut session, 5, "a"), Turn::Take("a", body("a")));
        assert_eq!(session.reply(&output("x"), 100), body("\u{1}x"));
        assert_eq!(arrive(&mut session, 8, "d"), Turn::Wait);
        assert_eq!(arrive(&mut session, 7, "c"), Turn::Wait);
        assert_eq!(session.next_early(7), None);
        assert_eq!(arrive(&mut session, 6, "b"), Turn::Take("b", body("b")));
        assert_eq!(session.reply(&output(""), 100), body("\u{1}"));
        assert_eq!(session.next_early(7), Some(("c", body("c"))));
        assert_eq!(session.next_early(7), Some(("d", body("d"))));
        assert_eq!(session.next_early(7), None);
        assert_eq!(session.deadline(), 7 + SILENCE_MS);
    }

    #[test]
    fn a_repeated_request_has_the_same_answer_and_an_older_one_none() {
        let mut session = TunnelSession::new(0);
        for number in [u32::MAX, 0] {
            assert_eq!(
                session.arrive(number, (), body("b"), 0),
                Turn::Take((), body("b"))
            );
        }
        let answer = session.reply(&output("once"), 100);
        assert_eq!(session.arrive(0, (), body("b"), 0), Turn::Again((), answer));
        assert_eq!(session.arrive(u32::MAX, (), body("b"), 0), Turn::Stale(()));
    }

    #[test]
    fn requests_before_their_turn_are_bounded() {
        let mut session = TunnelSession::new(0);
        session.arrive(0, (), body(""), 0);
        for number in 0..MAX_EARLY as u32 {
            assert_eq!(session.arrive(number + 2, (), body(""), 0), Turn::Wait);
        }
        assert_eq!(session.arrive(99, (), body(""), 0), Turn::TooMany(()));
        let mut session = TunnelSession::new(0);
        session.arrive(0, (), body(""), 0);
        let large = Bytes::from(vec![0; MAX_EARLY_BYTES + 1]);
        assert_eq!(session.arrive(2, (), large, 0), Turn::TooMany(()));
        assert_eq!(session.abandon().count(), 0);
    }

    #[test]
    fn the_polling_byte_grows_while_there_is_nothing_to_say() {
        let mut session = TunnelSession::<()>::new(0);
        let bytes: Vec<u8> = (0..70).map(|_| session.reply(&output(""), 100)[0]).collect();
        let seen: Vec<u8> = bytes.chunks(10).map(|ten| ten[0]).collect();
        assert_eq!(seen, [1, 3, 5, 9, 17, 33, 33]);
        assert_eq!(session.reply(&output("x"), 100), body("!x"));
        assert_eq!(session.reply(&output(""), 100), body("\u{1}"));
    }

    #[test]
    fn replies_and_silence_are_bounded() {
        let mut session = TunnelSession::<()>::new(0);
        let mut much = Output::new();
        much.push_bytes(Bytes::from(vec![0; 2 * MAX_REPLY]));
        assert_eq!(session.reply(&much, usize::MAX).len(), 1 + MAX_REPLY);
        assert_eq!(session.reply(&much, 10).len(), 11);
        assert!(session.check(SILENCE_MS - 1).is_ok());
        assert_eq!(session.check(SILENCE_MS), Err(TunnelError::Silent(SILENCE_MS)));
    }
}
