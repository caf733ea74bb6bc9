//! One session of a server, whatever connections its requests come on.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

use super::connection::answer_head;
use super::{Ask, TunnelError};
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
    /// The request that had its turn and was put aside.
    held: Option<(T, Bytes)>,
    /// Answers without bytes in a row.
    empty: u32,
    /// Where in the client's read buffer the next answer begins, if it reads ahead as far as it can.
    read_ahead: usize,
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
/// What librtmp reads ahead at once. It begins to fill its buffer anew when all of it is used up, and takes it for the end of
/// the stream, without an error, when the head of an answer is cut off by the buffer's end (`RTMPSockBuf_Fill` reads 0 bytes
/// then). That can only be the answer to a request sent while the answer before was being read, as its acknowledgements are.
const LIBRTMP_BUFFER: usize = (16 << 10) - 1;
/// Longest head of an answer, and the polling byte.
const MAX_HEAD: usize = 128;
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
            held: None,
            empty: 0,
            read_ahead: 0,
            heard: now,
        }
    }

    /// Takes a request. After [`Turn::Take`] and its reply, [`next_early`](Self::next_early) may have more.
    pub fn arrive(&mut self, number: u32, asker: T, body: Bytes, now: u64) -> Turn<T> {
        let ahead = number.wrapping_sub(self.due.unwrap_or(number));
        if let (u32::MAX, Some((first, _))) = (ahead, &mut self.held) {
            // Who asks once more is who waits for the answer.
            return Turn::Stale(std::mem::replace(first, asker));
        }
        match (ahead, &self.last) {
            (0, _) if self.held.is_none() => {
                self.due = Some(number.wrapping_add(1));
                self.heard = now;
                Turn::Take(asker, body)
            }
            (u32::MAX, Some(last)) => Turn::Again(asker, last.clone()),
            (0..=0x7fff_ffff, _) => {
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

    /// Puts the request aside that has its turn: it waits for [`resume`](Self::resume), and all after it. The session lives on
    /// meanwhile, however long that takes.
    pub fn hold(&mut self, asker: T, body: Bytes) {
        self.held = Some((asker, body));
    }

    /// The request that was put aside.
    pub fn resume(&mut self, now: u64) -> Option<(T, Bytes)> {
        let held = self.held.take()?;
        self.heard = now;
        Some(held)
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

    /// The body that answers the request that had its turn, which asked for `ask`: the polling byte, and what waits in `output`,
    /// no more than `room` bytes of it, which are not taken off.
    pub fn reply(&mut self, ask: Ask, output: &Output, room: usize) -> Bytes {
        // librtmp asks so only once it has read all the answers that it asked for.
        if let Ask::Idle { .. } = ask {
            self.read_ahead = 0;
        }
        let length = self.before_an_edge(output.len().min(room).min(MAX_REPLY));
        self.read_ahead = (self.read_ahead + answer_len(length)) % LIBRTMP_BUFFER;
        let mut body = BytesMut::with_capacity(1 + length);
        body.put_u8(self.interval());
        for slice in output.slices_within(length) {
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
        let held = self.held.take().map(|(asker, _)| asker);
        held.into_iter()
            .chain(self.early.drain(..).map(|(_, asker, _)| asker))
    }

    /// When the session is over, unless a request comes before.
    pub fn deadline(&self) -> u64 {
        match self.held {
            Some(_) => u64::MAX,
            None => self.heard.saturating_add(SILENCE_MS),
        }
    }

    /// Whether it is over.
    pub fn check(&self, now: u64) -> Result<(), TunnelError> {
        match self.deadline() <= now {
            true => Err(TunnelError::Silent(SILENCE_MS)),
            false => Ok(()),
        }
    }

    /// As many of `most` bytes as leave the next answer's head in one piece in librtmp's buffer, which had read ahead up to
    /// this answer or begins with it.
    fn before_an_edge(&self, most: usize) -> usize {
        let mut length = most;
        if length == 0 {
            return 0;
        }
        for begin in [self.read_ahead, 0, self.read_ahead, 0] {
            let next = (begin + answer_len(length)) % LIBRTMP_BUFFER;
            let beyond = (next + MAX_HEAD).saturating_sub(LIBRTMP_BUFFER);
            if beyond < length {
                length -= beyond;
            }
        }
        length
    }

    /// How long the client may wait before it asks again, in a unit that nobody documented.
    fn interval(&self) -> u8 {
        let step = usize::try_from(self.empty / EMPTY_PER_INTERVAL).unwrap_or(usize::MAX);
        INTERVALS.get(step).copied().unwrap_or(33)
    }
}

/// Bytes of an answer that carries `length` bytes.
fn answer_len(length: usize) -> usize {
    let body = 1 + length;
    answer_head("200 OK", true, body).len() + body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tunnel::{Response, TunnelConnection};

    const IDLE: Ask = Ask::Idle {
        session: 0,
        number: 0,
    };
    const SEND: Ask = Ask::Send {
        session: 0,
        number: 0,
    };

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
        assert_eq!(session.reply(IDLE, &output("x"), 100), body("\u{1}x"));
        assert_eq!(arrive(&mut session, 8, "d"), Turn::Wait);
        assert_eq!(arrive(&mut session, 7, "c"), Turn::Wait);
        assert_eq!(session.next_early(7), None);
        assert_eq!(arrive(&mut session, 6, "b"), Turn::Take("b", body("b")));
        assert_eq!(session.reply(IDLE, &output(""), 100), body("\u{1}"));
        assert_eq!(session.next_early(7), Some(("c", body("c"))));
        assert_eq!(session.next_early(7), Some(("d", body("d"))));
        assert_eq!(session.next_early(7), None);
        assert_eq!(session.deadline(), 7 + SILENCE_MS);
    }

    #[test]
    fn those_after_a_request_that_is_held_wait_too() {
        let mut session = TunnelSession::new(0);
        let arrive = |session: &mut TunnelSession<&'static str>, number, name| {
            session.arrive(number, name, body(name), 7)
        };
        assert_eq!(arrive(&mut session, 5, "a"), Turn::Take("a", body("a")));
        session.hold("a", body("a"));
        assert_eq!(session.deadline(), u64::MAX);
        assert_eq!(arrive(&mut session, 6, "b"), Turn::Wait);
        // Its connection was lost: it comes again by another, and has its turn once.
        assert_eq!(arrive(&mut session, 5, "again"), Turn::Stale("a"));
        assert_eq!(session.resume(9), Some(("again", body("a"))));
        assert_eq!(session.reply(SEND, &output("x"), 100), body("\u{1}x"));
        assert_eq!(session.next_early(9), Some(("b", body("b"))));
        session.hold("b", body("b"));
        assert_eq!(session.resume(10), Some(("b", body("b"))));
        assert_eq!(session.resume(10), None);
        assert_eq!(session.deadline(), 10 + SILENCE_MS);
        session.hold("b", body("b"));
        assert_eq!(arrive(&mut session, 7, "c"), Turn::Wait);
        assert_eq!(session.abandon().collect::<Vec<_>>(), ["b", "c"]);
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
        let answer = session.reply(IDLE, &output("once"), 100);
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
        let bytes: Vec<u8> = (0..70)
            .map(|_| session.reply(IDLE, &output(""), 100)[0])
            .collect();
        let seen: Vec<u8> = bytes.chunks(10).map(|ten| ten[0]).collect();
        assert_eq!(seen, [1, 3, 5, 9, 17, 33, 33]);
        assert_eq!(session.reply(IDLE, &output("x"), 100), body("!x"));
        assert_eq!(session.reply(IDLE, &output(""), 100), body("\u{1}"));
    }

    #[test]
    fn replies_and_silence_are_bounded() {
        let mut session = TunnelSession::<()>::new(0);
        let mut much = Output::new();
        much.push_bytes(Bytes::from(vec![0; 2 * MAX_REPLY]));
        assert_eq!(session.reply(IDLE, &much, usize::MAX).len(), 1 + MAX_REPLY);
        assert_eq!(session.reply(IDLE, &much, 10).len(), 11);
        assert!(session.check(SILENCE_MS - 1).is_ok());
        assert_eq!(session.check(SILENCE_MS), Err(TunnelError::Silent(SILENCE_MS)));
    }

    /// What a session says to requests that are all sent before an answer is read, with so many bytes waiting at each.
    fn answers(session: &mut TunnelSession<()>, asked: &[(Ask, usize)]) -> Vec<u8> {
        let mut connection = TunnelConnection::new(0);
        for (ask, waiting) in asked {
            let mut output = Output::new();
            output.push_bytes(Bytes::from(vec![b'x'; *waiting]));
            let request = b"POST /open/1 HTTP/1.1\r\nContent-Length: 1\r\n\r\nx";
            connection.input(request, 0);
            assert!(connection.next_request().is_some());
            connection.answer(&Response::Ok(session.reply(*ask, &output, usize::MAX)));
        }
        connection.output().take_bytes()
    }

    /// Reads answers as librtmp does, all of which are there: how many it gets before it gives up.
    fn librtmp_reads(stream: &[u8]) -> usize {
        let (mut buffer, mut at, mut filled) = (0, 0, 0);
        let mut fill = |at: usize, filled: &mut usize| {
            if at == *filled {
                buffer = at;
            }
            let count = (buffer + LIBRTMP_BUFFER).min(stream.len()) - *filled;
            *filled += count;
            count > 0
        };
        for count in 0.. {
            let body = loop {
                let head = stream[at..filled].windows(4).take(MAX_HEAD);
                match head.enumerate().find(|(_, end)| end == b"\r\n\r\n") {
                    Some((head, _)) if at + head + 4 < filled => break at + head + 4,
                    _ if fill(at, &mut filled) => {}
                    _ => return count,
                }
            };
            let head = std::str::from_utf8(&stream[at..body]).unwrap();
            let length = head.split("Content-Length: ").nth(1).unwrap().lines().next();
            let end = body + length.unwrap().parse::<usize>().unwrap();
            at = body + 1;
            while at < end {
                if at == filled && !fill(at, &mut filled) {
                    return count;
                }
                at = end.min(filled);
            }
        }
        0
    }

    #[test]
    fn librtmp_gets_the_answer_to_what_it_sends_while_it_reads_another() {
        for edge in 1..=9 {
            for waiting in edge * LIBRTMP_BUFFER - 2 * MAX_HEAD - 50..edge * LIBRTMP_BUFFER + 50 {
                let mut session = TunnelSession::new(0);
                let begun = answers(&mut session, &[(IDLE, waiting), (SEND, 0)]);
                assert_eq!(librtmp_reads(&begun), 2, "{waiting}");
                let more = [(IDLE, waiting / 2), (SEND, waiting / 2), (SEND, 700), (SEND, 0)];
                assert_eq!(librtmp_reads(&answers(&mut session, &more)), 4, "{waiting}");
            }
        }
    }

    #[test]
    fn what_an_edge_keeps_back_comes_with_the_next_answer() {
        let mut session = TunnelSession::<()>::new(0);
        let mut waits = Output::new();
        waits.push_bytes(Bytes::from(vec![b'x'; LIBRTMP_BUFFER - MAX_HEAD - 20]));
        let some = session.reply(IDLE, &waits, usize::MAX).len() - 1;
        assert!(some < waits.len() && some > waits.len() - MAX_HEAD);
        waits.consume(some);
        assert_eq!(session.reply(IDLE, &waits, usize::MAX).len(), 1 + waits.len());
    }
}
