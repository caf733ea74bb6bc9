//! One HTTP connection of a server.

use bytes::{Bytes, BytesMut};

use super::head::{self, Unusable};
use super::{Ask, Request};
use crate::wire::chunk::Output;

/// How a request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// Status 200 with this body.
    Ok(Bytes),
    /// Status 404: there is no such session.
    Unknown,
    /// Status 503: no more sessions are taken.
    Full,
}

/// A server's side of one HTTP connection: bytes in, requests out, one at a time; answers in, bytes out.
///
/// Requests that were sent ahead wait until those before are answered, so that answers keep their order. What cannot be
/// read is answered with a status, and ends the connection.
#[derive(Debug)]
pub struct TunnelConnection {
    buffer: BytesMut,
    /// Bytes of the buffer that were looked at for a head.
    seen: usize,
    /// The request being read: its head is gone from the buffer.
    reading: Option<Reading>,
    /// An answer is due; whether the connection goes on after it.
    answering: Option<bool>,
    /// Requests wait until answers are sent.
    held: bool,
    over: bool,
    /// Since when a request is being read, or one is waited for.
    since: u64,
    output: Output,
}

#[derive(Debug)]
struct Reading {
    ask: Option<Ask>,
    body: usize,
    keep_alive: bool,
}

/// A request must be there so long after its first byte.
const REQUEST_MS: u64 = 20_000;
/// A connection without a request is closed after so long.
const IDLE_MS: u64 = 30_000;
/// Bytes kept of requests that were sent ahead.
const MAX_AHEAD: usize = 64 << 10;
/// Bytes of answers that wait to be sent, beyond which requests that were sent ahead wait too: an answer of most bytes fits.
const MAX_UNSENT: usize = 256 << 10;

impl TunnelConnection {
    /// A connection accepted at `now`.
    pub fn new(now: u64) -> Self {
        Self {
            buffer: BytesMut::new(),
            seen: 0,
            reading: None,
            answering: None,
            held: false,
            over: false,
            since: now,
            output: Output::new(),
        }
    }

    /// Takes bytes from the transport.
    pub fn input(&mut self, data: &[u8], now: u64) {
        if self.over {
            return;
        }
        if self.buffer.is_empty() && self.reading.is_none() {
            self.since = now;
        }
        self.buffer.extend_from_slice(data);
    }

    /// Whether more is to be read from the transport: requests sent ahead are kept up to a limit.
    pub fn has_room(&self) -> bool {
        (self.answering.is_none() && !self.held) || self.buffer.len() < MAX_AHEAD
    }

    /// The next request, once the one before is answered and most answers are sent.
    pub fn next_request(&mut self) -> Option<Request> {
        while self.answering.is_none() && !self.over {
            if self.output.len() > MAX_UNSENT {
                self.held = true;
                return None;
            }
            if self.reading.is_none() && !self.read_head() {
                return None;
            }
            let body = self.reading.as_ref().map_or(0, |reading| reading.body);
            if self.buffer.len() < body {
                return None;
            }
            let body = self.buffer.split_to(body).freeze();
            let reading = self.reading.take()?;
            self.seen = 0;
            self.answering = Some(reading.keep_alive);
            match reading.ask {
                Some(ask) => return Some(Request { ask, body }),
                None => self.answer(&Response::Unknown),
            }
        }
        None
    }

    /// Answers the request given last.
    pub fn answer(&mut self, response: &Response) {
        let Some(keep_alive) = self.answering.take() else {
            return;
        };
        let (status, body) = match response {
            Response::Ok(body) => ("200 OK", body.clone()),
            Response::Unknown => ("404 Not Found", Bytes::new()),
            Response::Full => ("503 Service Unavailable", Bytes::new()),
        };
        self.say(status, keep_alive, body);
    }

    /// What is to be sent.
    pub fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    /// The same, to look at.
    pub fn pending_output(&self) -> &Output {
        &self.output
    }

    /// Whether the connection is over once the output is sent.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Ends the connection.
    pub fn close(&mut self) {
        self.over = true;
        self.buffer = BytesMut::new();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<u64> {
        let begun = self.reading.is_some() || !self.buffer.is_empty();
        let patience = if begun { REQUEST_MS } else { IDLE_MS };
        let waits = self.answering.is_none() && !self.held;
        (waits && !self.over).then(|| self.since.saturating_add(patience))
    }

    /// Ends the connection when its time is up.
    pub fn handle_timeout(&mut self, now: u64) {
        if self.poll_timeout().is_some_and(|due| due <= now) {
            if !self.buffer.is_empty() || self.reading.is_some() {
                self.say("408 Request Timeout", false, Bytes::new());
            }
            self.close();
        }
    }

    /// Notes that a request was answered at `now`: from here on the next is waited for.
    pub fn answered(&mut self, now: u64) {
        self.since = now;
    }

    /// Notes that some of the output was sent. True if requests waited for that and may go on.
    pub fn sent(&mut self, now: u64) -> bool {
        let goes_on = self.held && self.output.len() <= MAX_UNSENT;
        if goes_on {
            self.held = false;
            self.since = now;
        }
        goes_on
    }

    /// Looks for a head; false if there is none yet.
    fn read_head(&mut self) -> bool {
        // A head ends with an empty line: without the end of a line nothing can have changed.
        let news = self.buffer.get(self.seen..).unwrap_or_default();
        let is_long = self.buffer.len() >= MAX_AHEAD;
        if !news.contains(&b'\n') && self.buffer.len() < 4096 && !is_long && looks_like_http(&self.buffer) {
            self.seen = self.buffer.len();
            return false;
        }
        self.seen = self.buffer.len();
        match head::request(&self.buffer) {
            Ok(None) => false,
            Ok(Some((path, frame))) => {
                drop(self.buffer.split_to(frame.head));
                self.reading = Some(Reading {
                    ask: parse(&path),
                    body: frame.body,
                    keep_alive: frame.keep_alive,
                });
                true
            }
            Err(Unusable(status, why)) => {
                log::debug!("an HTTP request was refused with status {status}: {why}");
                self.say(reason(status), false, Bytes::new());
                self.close();
                false
            }
        }
    }

    fn say(&mut self, status: &str, keep_alive: bool, body: Bytes) {
        let head = answer_head(status, keep_alive, body.len());
        self.output.push_slice(head.as_bytes());
        self.output.push_bytes(body);
        if !keep_alive {
            self.close();
        }
    }
}

/// The head of an answer with a body of `length` bytes.
pub(super) fn answer_head(status: &str, keep_alive: bool, length: usize) -> String {
    let connection = if keep_alive { "Keep-Alive" } else { "close" };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/x-fcs\r\nContent-Length: {length}\r\n\
         Cache-Control: no-cache\r\nConnection: {connection}\r\n\r\n"
    )
}

/// What a path asks for; `None` if nothing is there. `/fcs/ident2`, by which Flash asks whether to go elsewhere, is not
/// there either: it goes on here.
fn parse(path: &str) -> Option<Ask> {
    let mut parts = path.strip_prefix('/')?.split('/');
    let verb = parts.next()?;
    if verb == "open" {
        return Some(Ask::Open);
    }
    let (session, number) = (parts.next()?, parts.next()?);
    if parts.next().is_some() || session.len() != 32 {
        return None;
    }
    let is_hex = session.bytes().all(|byte| byte.is_ascii_hexdigit());
    let session = u128::from_str_radix(session, 16).ok().filter(|_| is_hex)?;
    let is_digits = number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse().ok().filter(|_| is_digits)?;
    match verb {
        "send" => Some(Ask::Send { session, number }),
        "idle" => Some(Ask::Idle { session, number }),
        "close" => Some(Ask::Close { session, number }),
        _ => None,
    }
}

/// Whether the beginning may become a request: what begins with anything else is refused at once.
fn looks_like_http(buffer: &[u8]) -> bool {
    buffer
        .first()
        .is_none_or(|first| first.is_ascii_alphabetic() || matches!(first, b'\r' | b'\n'))
}

const fn reason(status: u16) -> &'static str {
    match status {
        405 => "405 Method Not Allowed",
        411 => "411 Length Required",
        413 => "413 Content Too Large",
        431 => "431 Request Header Fields Too Large",
        501 => "501 Not Implemented",
        _ => "400 Bad Request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: u128 = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
    const NAME: &str = "0123456789abcdef0123456789abcdef";

    fn post(path: &str, body: &str) -> Vec<u8> {
        let length = body.len();
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    }

    fn said(connection: &mut TunnelConnection) -> String {
        String::from_utf8(connection.output().take_bytes()).unwrap()
    }

    #[test]
    fn requests_come_out_in_any_pieces() {
        let all = [
            post("/open/1", "\0"),
            post(&format!("/send/{NAME}/0"), "abc"),
            post(&format!("/idle/{NAME}/4294967295"), "\0"),
            post(&format!("/close/{NAME}/2"), "\0"),
        ]
        .concat();
        for step in [1, 2, 50, all.len()] {
            let mut connection = TunnelConnection::new(0);
            let mut asked = Vec::new();
            for piece in all.chunks(step) {
                connection.input(piece, 0);
                while let Some(request) = connection.next_request() {
                    asked.push((request.ask, request.body));
                    connection.answer(&Response::Ok(Bytes::from_static(b"x\n")));
                }
            }
            let number = |number, session| (session, number);
            let (session, last) = number(u32::MAX, SESSION);
            let body = Bytes::from_static(b"\0");
            assert_eq!(
                asked,
                [
                    (Ask::Open, body.clone()),
                    (Ask::Send { session, number: 0 }, Bytes::from_static(b"abc")),
                    (
                        Ask::Idle {
                            session,
                            number: last
                        },
                        body.clone()
                    ),
                    (Ask::Close { session, number: 2 }, body),
                ]
            );
            assert_eq!(said(&mut connection).matches("HTTP/1.1 200 OK\r\n").count(), 4);
            assert!(!connection.is_over());
        }
    }

    #[test]
    fn requests_sent_ahead_wait_for_the_answers_before() {
        let mut connection = TunnelConnection::new(0);
        connection.input(&[post("/open/1", "\0"), post("/open/1", "\0")].concat(), 0);
        assert!(connection.next_request().is_some());
        assert!(connection.next_request().is_none());
        assert!(connection.has_room());
        connection.input(&vec![b'x'; MAX_AHEAD], 0);
        assert!(!connection.has_room());
        connection.answer(&Response::Full);
        assert!(said(&mut connection).starts_with("HTTP/1.1 503 "));
        assert!(connection.next_request().is_some());
    }

    #[test]
    fn unknown_places_are_not_found_and_the_connection_goes_on() {
        let mut connection = TunnelConnection::new(0);
        for path in [
            "/fcs/ident2",
            "/send/1/2",
            "/send",
            &format!("/send/{NAME}/x"),
            &format!("/send/{NAME}/+1"),
            &format!("/send/{NAME}/1/2"),
            &format!("/send/{}/1", NAME.replace('0', "+")),
            "x",
        ] {
            connection.input(&post(path, "\0"), 0);
            assert!(connection.next_request().is_none(), "{path}");
            assert!(said(&mut connection).starts_with("HTTP/1.1 404 "), "{path}");
            assert!(!connection.is_over());
        }
    }

    #[test]
    fn what_is_no_request_is_refused_and_ends_the_connection() {
        for (bytes, status) in [
            (&b"\x03\0\0\0\0"[..], "400"),
            (b"GET / HTTP/1.1\r\n\r\n", "405"),
            (b"POST /open/1 HTTP/1.1\r\n\r\n", "411"),
            (
                b"POST /open/1 HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
                "413",
            ),
        ] {
            let mut connection = TunnelConnection::new(0);
            connection.input(bytes, 0);
            assert!(connection.next_request().is_none());
            let said = said(&mut connection);
            assert!(
                said.contains(status) && said.contains("Connection: close"),
                "{said}"
            );
            assert!(connection.is_over());
        }
    }

    #[test]
    fn slow_and_idle_clients_are_cut_off() {
        let mut connection = TunnelConnection::new(5);
        assert_eq!(connection.poll_timeout(), Some(5 + IDLE_MS));
        connection.input(b"POST /open/1 HTTP/1.1\r\n", 100);
        assert!(connection.next_request().is_none());
        connection.input(b"A: b\r\n", 15_000);
        assert!(connection.next_request().is_none());
        assert_eq!(connection.poll_timeout(), Some(100 + REQUEST_MS));
        connection.handle_timeout(100 + REQUEST_MS);
        assert!(said(&mut connection).starts_with("HTTP/1.1 408 ") && connection.is_over());
        assert_eq!(connection.poll_timeout(), None);
    }

    #[test]
    fn requests_wait_for_answers_that_are_not_taken() {
        let mut connection = TunnelConnection::new(0);
        let count = 10_000;
        connection.input(&post("/nowhere", "").repeat(count), 0);
        assert!(connection.next_request().is_none());
        let waiting = connection.pending_output().len();
        assert!((MAX_UNSENT..MAX_UNSENT + 1000).contains(&waiting), "{waiting}");
        assert!(!connection.has_room());
        // Nothing is wrong with the client's time: it is the network's.
        assert_eq!(connection.poll_timeout(), None);
        assert!(!connection.sent(50_000));
        let mut answers = 0;
        while answers < count {
            answers += said(&mut connection).matches("HTTP/1.1 404 ").count();
            assert_eq!(connection.sent(60_000), answers < count);
            assert!(connection.next_request().is_none());
        }
        assert_eq!(answers, count);
        assert!(connection.has_room());
        assert_eq!(connection.poll_timeout(), Some(60_000 + IDLE_MS));
    }
}
