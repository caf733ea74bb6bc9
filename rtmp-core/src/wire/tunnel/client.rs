//! The client's side of a tunnel.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::TunnelError;
use super::head::{self, Unusable};
use crate::wire::chunk::Output;

/// A client's side of a tunnel: RTMP in, HTTP requests out; HTTP responses in, RTMP out.
///
/// One request is on its way at a time. While the server has nothing to say it is asked ever less often.
#[derive(Debug)]
pub struct TunnelClient {
    host: String,
    session: Option<String>,
    number: u32,
    /// The request that waits for its answer, to be made again on another connection; and since when.
    asked: Option<(Bytes, u64)>,
    buffer: BytesMut,
    /// The answer whose body is being read.
    reading: Option<(u16, head::Frame)>,
    received: VecDeque<Bytes>,
    /// When to ask whether the server has something to say.
    ask_at: Option<u64>,
    /// How long that was put off last.
    pause_ms: u64,
    /// The most it is put off.
    most_ms: u64,
    connection: Connection,
    /// The request on its way was made again.
    again: bool,
    finished: bool,
}

/// What becomes of the HTTP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connection {
    Stands,
    /// The server closes it: another is needed for the next request.
    Closes,
}

/// Most bytes of one request.
const MAX_SEND: usize = 256 << 10;
/// The first pause after an answer without bytes.
const PAUSE_MS: u64 = 15;
/// A unit of the polling byte; nobody documented it.
const UNIT_MS: u64 = 15;
const ANSWER_MS: u64 = 15_000;
/// Longest session id that is taken.
const MAX_SESSION: usize = 256;

impl TunnelClient {
    /// A tunnel to `host`, as it is to stand in the `Host` header.
    pub fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            session: None,
            number: 0,
            asked: None,
            buffer: BytesMut::new(),
            reading: None,
            received: VecDeque::new(),
            ask_at: None,
            pause_ms: 0,
            most_ms: UNIT_MS,
            connection: Connection::Stands,
            again: false,
            finished: false,
        }
    }

    /// The connection stands: opens the session, or makes the request again that had no answer.
    pub fn connected(&mut self, now: u64, output: &mut Output) {
        self.connection = Connection::Stands;
        self.buffer.clear();
        self.reading = None;
        match &mut self.asked {
            Some((request, since)) => {
                *since = now;
                output.push_bytes(request.clone());
            }
            None if self.session.is_none() => self.ask("/open/1", b"\0", now, output),
            None => self.ask_in_session("idle", b"\0", now, output),
        }
    }

    /// Takes what came from the transport; what it means is then to be [`read`](Self::read).
    pub fn input(&mut self, data: &[u8], now: u64) -> Result<(), TunnelError> {
        self.buffer.extend_from_slice(data);
        while self.asked.is_some() {
            let (status, frame) = match self.reading {
                Some(reading) => reading,
                None => match head::response(&self.buffer) {
                    Ok(None) => return Ok(()),
                    // Continue, and the like: the answer proper follows.
                    Ok(Some((100..=199, frame))) => {
                        drop(self.buffer.split_to(frame.head));
                        continue;
                    }
                    Ok(Some((status, frame))) => {
                        drop(self.buffer.split_to(frame.head));
                        *self.reading.insert((status, frame))
                    }
                    Err(Unusable(_, why)) => return Err(TunnelError::Malformed(why)),
                },
            };
            if self.buffer.len() < frame.body {
                return Ok(());
            }
            let body = self.buffer.split_to(frame.body).freeze();
            self.reading = None;
            self.asked = None;
            self.again = false;
            if !frame.keep_alive {
                self.connection = Connection::Closes;
            }
            self.answered(status, body, now)?;
        }
        match self.buffer.is_empty() || self.connection == Connection::Closes {
            true => Ok(()),
            false => Err(TunnelError::Malformed("there are bytes that nobody asked for")),
        }
    }

    /// The next bytes of RTMP.
    pub fn read(&mut self) -> Option<Bytes> {
        self.received.pop_front()
    }

    /// Makes a request of what `plain` has, up to `room` bytes, if none is on its way; how many bytes that were.
    pub fn send(&mut self, plain: &Output, room: usize, now: u64, output: &mut Output) -> usize {
        if !self.may_ask() || plain.is_empty() || room == 0 {
            return 0;
        }
        let mut body = Vec::with_capacity(plain.len().min(room).min(MAX_SEND));
        for slice in plain.slices_within(room.min(MAX_SEND)) {
            body.extend_from_slice(slice);
        }
        self.ask_in_session("send", &body, now, output);
        body.len()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<u64> {
        match &self.asked {
            Some((_, since)) => Some(since.saturating_add(ANSWER_MS)),
            None if self.may_ask() => self.ask_at,
            None => None,
        }
    }

    /// Asks whether the server has something to say, when that is due.
    pub fn handle_timeout(&mut self, now: u64, output: &mut Output) -> Result<(), TunnelError> {
        if self.poll_timeout().is_none_or(|due| due > now) {
            return Ok(());
        }
        if self.asked.is_some() {
            return Err(TunnelError::Timeout(ANSWER_MS));
        }
        self.ask_in_session("idle", b"\0", now, output);
        Ok(())
    }

    /// Ends the session; an answer is not waited for.
    pub fn finish(&mut self, now: u64, output: &mut Output) {
        if !std::mem::replace(&mut self.finished, true)
            && self.session.is_some()
            && self.connection == Connection::Stands
        {
            self.ask_in_session("close", b"\0", now, output);
        }
    }

    /// Whether another connection is needed to go on, now that the server has closed or will close this one.
    pub fn wants_connection(&self) -> bool {
        self.connection == Connection::Closes && !self.finished
    }

    /// The connection has ended; an error if the tunnel cannot go on by another. A request without any answer is made again
    /// there, once.
    pub fn disconnected(&mut self) -> Result<(), TunnelError> {
        let within = self.reading.is_some() || !self.buffer.is_empty();
        let again = self.asked.is_some() && std::mem::replace(&mut self.again, true);
        if self.session.is_none() || within || again || self.finished {
            return Err(TunnelError::Cut);
        }
        self.connection = Connection::Closes;
        Ok(())
    }

    fn may_ask(&self) -> bool {
        self.asked.is_none()
            && self.session.is_some()
            && self.connection == Connection::Stands
            && !self.finished
    }

    fn ask_in_session(&mut self, verb: &str, body: &[u8], now: u64, output: &mut Output) {
        let session = self.session.as_deref().unwrap_or_default();
        let path = format!("/{verb}/{session}/{}", self.number);
        self.number = self.number.wrapping_add(1);
        self.ask(&path, body, now, output);
    }

    fn ask(&mut self, path: &str, body: &[u8], now: u64, output: &mut Output) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-fcs\r\nContent-Length: {}\r\n\
             User-Agent: Shockwave Flash\r\nAccept: */*\r\nCache-Control: no-cache\r\nConnection: Keep-Alive\r\n\r\n",
            self.host,
            body.len()
        );
        let request = Bytes::from([head.as_bytes(), body].concat());
        output.push_bytes(request.clone());
        self.asked = Some((request, now));
        self.ask_at = None;
    }

    fn answered(&mut self, status: u16, mut body: Bytes, now: u64) -> Result<(), TunnelError> {
        match (status, self.session.is_some()) {
            (200, true) => {}
            (200, false) => return self.opened(&body, now),
            (status, true) => return Err(TunnelError::SessionGone(status)),
            (status, false) => return Err(TunnelError::Refused(status)),
        }
        if let Some(interval) = body.first() {
            self.most_ms = (u64::from(*interval) * UNIT_MS).clamp(UNIT_MS, 500);
            drop(body.split_to(1));
        }
        if body.is_empty() {
            self.pause_ms = (self.pause_ms * 2).clamp(PAUSE_MS, self.most_ms.max(PAUSE_MS));
        } else {
            self.pause_ms = 0;
            self.received.push_back(body);
        }
        self.ask_at = Some(now.saturating_add(self.pause_ms));
        Ok(())
    }

    fn opened(&mut self, body: &[u8], now: u64) -> Result<(), TunnelError> {
        let name = std::str::from_utf8(body).unwrap_or_default().trim();
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if name.is_empty() || name.len() > MAX_SESSION || !name.bytes().all(is_fit) {
            return Err(TunnelError::Malformed("the session's id cannot be part of a URL"));
        }
        self.session = Some(name.to_owned());
        self.ask_at = Some(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> Vec<u8> {
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    }

    fn asked(output: &mut Output) -> (String, String) {
        let text = String::from_utf8(output.take_bytes()).unwrap();
        let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
        let body = text.split_once("\r\n\r\n").unwrap_or_default().1.to_owned();
        (path, body)
    }

    fn plain(text: &str) -> Output {
        let mut output = Output::new();
        output.push_slice(text.as_bytes());
        output
    }

    fn open() -> (TunnelClient, Output) {
        let (mut client, mut output) = (TunnelClient::new("a.example"), Output::new());
        client.connected(0, &mut output);
        assert_eq!(asked(&mut output), ("/open/1".to_owned(), "\0".to_owned()));
        client.input(&answer("29fd65d715d56bee\n"), 0).unwrap();
        (client, output)
    }

    #[test]
    fn bytes_travel_in_requests_and_answers_one_at_a_time() {
        for step in [1, 7, 1000] {
            let (mut client, mut output) = open();
            assert_eq!(client.send(&plain("abc"), 100, 0, &mut output), 3);
            assert_eq!(
                asked(&mut output),
                ("/send/29fd65d715d56bee/0".to_owned(), "abc".to_owned())
            );
            assert_eq!(client.send(&plain("def"), 100, 0, &mut output), 0);
            for piece in answer("\u{1}xyz").chunks(step) {
                client.input(piece, 0).unwrap();
            }
            assert_eq!(client.read(), Some(Bytes::from_static(b"xyz")));
            assert_eq!(client.read(), None);
            assert_eq!(client.send(&plain("def"), 2, 0, &mut output), 2);
            assert_eq!(
                asked(&mut output),
                ("/send/29fd65d715d56bee/1".to_owned(), "de".to_owned())
            );
            client.finish(0, &mut output);
            assert_eq!(asked(&mut output).0, "/close/29fd65d715d56bee/2");
        }
    }

    #[test]
    fn a_silent_server_is_asked_ever_less_often_up_to_its_hint() {
        let (mut client, mut output) = open();
        let (mut now, mut pauses) = (0, Vec::new());
        for _ in 0..8 {
            let due = client.poll_timeout().unwrap();
            pauses.push(due - now);
            now = due;
            client.handle_timeout(now, &mut output).unwrap();
            assert!(asked(&mut output).0.starts_with("/idle/"));
            client.input(&answer("\u{9}"), now).unwrap();
        }
        assert_eq!(pauses, [0, 15, 30, 60, 120, 135, 135, 135]);
        client.handle_timeout(now + 135, &mut output).unwrap();
        client.input(&answer("\u{1}x"), now).unwrap();
        assert_eq!(client.poll_timeout(), Some(now));
    }

    #[test]
    fn a_request_without_an_answer_is_made_again_on_another_connection() {
        let (mut client, mut output) = open();
        client.send(&plain("abc"), 100, 0, &mut output);
        let first = output.take_bytes();
        client.disconnected().unwrap();
        assert!(client.wants_connection());
        client.connected(5, &mut output);
        assert_eq!(output.take_bytes(), first);
        let closing = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n\x01";
        client.input(closing, 5).unwrap();
        assert!(client.wants_connection());
        assert_eq!(client.send(&plain("x"), 100, 5, &mut output), 0);
        client.connected(6, &mut output);
        assert_eq!(asked(&mut output).0, "/idle/29fd65d715d56bee/1");
        client.disconnected().unwrap();
        client.connected(6, &mut output);
        // Once is enough.
        assert_eq!(client.disconnected(), Err(TunnelError::Cut));
    }

    #[test]
    fn answers_that_are_none_are_errors() {
        let first = |bytes: &[u8]| {
            let (mut client, mut output) = (TunnelClient::new("a.example"), Output::new());
            client.connected(0, &mut output);
            client.input(bytes, 0).unwrap_err()
        };
        assert_eq!(
            first(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
            TunnelError::Refused(404)
        );
        assert!(matches!(first(&[3; 1537]), TunnelError::Malformed(_)));
        assert!(matches!(first(&answer("a/b\n")), TunnelError::Malformed(_)));
        assert!(matches!(first(&answer("")), TunnelError::Malformed(_)));
        let (mut client, mut output) = open();
        client.handle_timeout(0, &mut output).unwrap();
        assert_eq!(
            client.input(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 0),
            Err(TunnelError::SessionGone(404))
        );
        let (mut client, mut output) = open();
        client.handle_timeout(0, &mut output).unwrap();
        assert_eq!(
            client.handle_timeout(ANSWER_MS, &mut output),
            Err(TunnelError::Timeout(ANSWER_MS))
        );
    }
}
