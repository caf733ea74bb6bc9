//! RTMPT: a server against any client, a client against any server, and both against a network that cuts and breaks.

use bytes::Bytes;
use rtmp_core::wire::chunk::Output;
use rtmp_core::wire::tunnel::{
    Ask, Response, TunnelClient, TunnelConnection, TunnelError, TunnelSession, Turn, session_text,
};

use super::memory;
use super::script::{Script, pieces};

/// The session that scripts of hostile clients name.
pub const SESSION: u128 = 1;

/// Byte 0: who is fuzzed; for one side two more how its bytes are cut, then those bytes; for both a script.
pub fn run(data: &[u8]) {
    let ((), peak) = memory::peak(|| {
        let mut script = Script::new(data);
        match script.u8() % 3 {
            0 => server(&mut script),
            1 => client(&mut script),
            _ => both(&mut script),
        }
    });
    assert!(
        peak <= (512 << 10) + 32 * data.len(),
        "{peak} bytes for {}",
        data.len()
    );
}

fn server(script: &mut Script<'_>) {
    let cuts = script.bytes(2);
    let data = script.rest();
    assert_eq!(
        requests(&mut [data].into_iter()),
        requests(&mut pieces(data, cuts))
    );
}

/// What the requests of one connection lead to, whose bytes come so.
fn requests(input: &mut dyn Iterator<Item = &[u8]>) -> Vec<(Ask, Bytes)> {
    let mut server = Server::new(0);
    server.session = Some(TunnelSession::new(0));
    let mut asked = Vec::new();
    for piece in input {
        server.connection.input(piece, 0);
        while let Some(request) = server.connection.next_request() {
            asked.push((request.ask, request.body.clone()));
            server.handle(request.ask, request.body, 0);
            server.connection.output().clear();
        }
        assert!(server.connection.has_room() || server.waiting > 0);
    }
    asked
}

fn client(script: &mut Script<'_>) {
    let mut client = TunnelClient::new("example");
    let cuts = script.bytes(2);
    let data = script.rest();
    let (mut output, mut plain) = (Output::new(), Output::new());
    let (mut now, mut received) = (0, 0);
    plain.push_slice(b"something");
    client.connected(now, &mut output);
    for piece in pieces(data, cuts) {
        let result = client.input(piece, now);
        while let Some(bytes) = client.read() {
            received += bytes.len();
        }
        if result.is_err() {
            break;
        }
        if client.wants_connection() {
            client.connected(now, &mut output);
        }
        client.send(&plain, 5, now, &mut output);
        now += 10;
        if client.handle_timeout(now, &mut output).is_err() {
            break;
        }
        assert!(
            client.poll_timeout().is_none_or(|due| due > now),
            "due again at {now}"
        );
        output.clear();
    }
    assert!(received <= data.len());
    client.finish(now, &mut output);
}

/// A server with one session, which is known by any id that is not of this connection's making.
struct Server {
    connection: TunnelConnection,
    session: Option<TunnelSession<()>>,
    plain: Output,
    received: Vec<u8>,
    waiting: usize,
}

impl Server {
    fn new(now: u64) -> Self {
        Self {
            connection: TunnelConnection::new(now),
            session: None,
            plain: Output::new(),
            received: Vec::new(),
            waiting: 0,
        }
    }

    /// Answers a request as a server does; whether it came in its turn, or a second time.
    fn handle(&mut self, ask: Ask, body: Bytes, now: u64) -> bool {
        let (Ask::Send { number, .. } | Ask::Idle { number, .. } | Ask::Close { number, .. }) = ask else {
            self.session = Some(TunnelSession::new(now));
            let name = format!("{}\n", session_text(SESSION));
            self.connection.answer(&Response::Ok(name.into()));
            return true;
        };
        let Some(session) = &mut self.session else {
            self.connection.answer(&Response::Unknown);
            return false;
        };
        match session.arrive(number, (), body, now) {
            Turn::Take((), body) => {
                if matches!(ask, Ask::Send { .. }) {
                    self.received.extend_from_slice(&body);
                }
                self.reply(ask);
                true
            }
            Turn::Again((), reply) => {
                self.connection.answer(&Response::Ok(reply));
                true
            }
            // Its answer waits for those before, which cannot come by this connection.
            Turn::Wait => {
                self.waiting += 1;
                assert!(self.waiting <= 16);
                false
            }
            _ => {
                self.connection.answer(&Response::Unknown);
                false
            }
        }
    }

    fn reply(&mut self, ask: Ask) {
        let Some(session) = &mut self.session else { return };
        let reply = session.reply(ask, &self.plain, usize::MAX);
        self.plain.consume(reply.len() - 1);
        self.connection.answer(&Response::Ok(reply));
    }
}

/// Both sides and the network between them.
struct Pair {
    client: TunnelClient,
    server: Server,
    now: u64,
    upwards: Output,
    /// What the client has to say, and all it ever had.
    plain: Output,
    said: Vec<u8>,
    /// What the server said and what arrived of it.
    answered: Vec<u8>,
    received: Vec<u8>,
}

fn both(script: &mut Script<'_>) {
    let mut pair = Pair {
        client: TunnelClient::new("example"),
        server: Server::new(0),
        now: 0,
        upwards: Output::new(),
        plain: Output::new(),
        said: Vec::new(),
        answered: Vec::new(),
        received: Vec::new(),
    };
    pair.client.connected(0, &mut pair.upwards);
    while !script.is_empty() {
        let (step, count) = (script.u8(), script.u8());
        if pair.step(step, usize::from(count)).is_err() {
            // What came is what was said, however it ended.
            return pair.check();
        }
        pair.check();
    }
    // Nothing stands in the way any more: everything arrives.
    for _ in 0..64 {
        let wait = pair
            .client
            .poll_timeout()
            .map_or(0, |due| due.saturating_sub(pair.now));
        let steps = [
            (2, usize::MAX),
            (3, usize::MAX),
            (4, usize::try_from(wait.min(500)).unwrap_or(0)),
        ];
        if steps
            .into_iter()
            .any(|(step, count)| pair.step(step, count).is_err())
        {
            return pair.check();
        }
    }
    pair.check();
    assert_eq!(
        (pair.server.received.len(), pair.received.len()),
        (pair.said.len(), pair.answered.len())
    );
}

impl Pair {
    fn step(&mut self, step: u8, count: usize) -> Result<(), TunnelError> {
        match step % 6 {
            0 => say(&mut self.plain, &mut self.said, count),
            1 => say(&mut self.server.plain, &mut self.answered, count),
            2 => self.carry_up(count),
            3 => self.carry_down(count)?,
            4 => self.pass(count as u64)?,
            _ => self.lose_connection()?,
        }
        let sent = self
            .client
            .send(&self.plain, usize::MAX, self.now, &mut self.upwards);
        self.plain.consume(sent);
        Ok(())
    }

    fn carry_up(&mut self, count: usize) {
        let bytes = taken(&mut self.upwards, count);
        self.server.connection.input(&bytes, self.now);
        while let Some(request) = self.server.connection.next_request() {
            let known = self.server.handle(request.ask, request.body, self.now);
            assert!(known, "an honest client's request {:?} is refused", request.ask);
            self.server.connection.answered(self.now);
        }
    }

    fn carry_down(&mut self, count: usize) -> Result<(), TunnelError> {
        let bytes = taken(self.server.connection.output(), count);
        self.server.connection.sent(self.now);
        let result = self.client.input(&bytes, self.now);
        while let Some(bytes) = self.client.read() {
            self.received.extend_from_slice(&bytes);
        }
        result
    }

    fn pass(&mut self, millis: u64) -> Result<(), TunnelError> {
        self.now += millis;
        self.client.handle_timeout(self.now, &mut self.upwards)?;
        self.server.connection.handle_timeout(self.now);
        if let Some(session) = &self.server.session {
            session.check(self.now)?;
        }
        match self.server.connection.is_over() {
            true => self.lose_connection(),
            false => Ok(()),
        }
    }

    fn lose_connection(&mut self) -> Result<(), TunnelError> {
        self.upwards.clear();
        self.server.connection = TunnelConnection::new(self.now);
        self.client.disconnected()?;
        assert!(self.client.wants_connection());
        self.client.connected(self.now, &mut self.upwards);
        Ok(())
    }

    fn check(&self) {
        assert!(self.said.starts_with(&self.server.received), "upwards");
        assert!(self.answered.starts_with(&self.received), "downwards");
    }
}

/// Adds bytes that are not those before.
fn say(plain: &mut Output, all: &mut Vec<u8>, count: usize) {
    let begin = all.len();
    all.extend((begin..begin + count).map(|at| (at ^ (at >> 8)) as u8));
    plain.push_slice(&all[begin..]);
}

/// The first bytes of what waits, up to `count`.
fn taken(output: &mut Output, count: usize) -> Vec<u8> {
    let bytes: Vec<u8> = output.slices_within(count).flatten().copied().collect();
    output.consume(bytes.len());
    bytes
}
