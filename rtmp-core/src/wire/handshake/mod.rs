//! The handshake that opens a connection (RTMP 1.0 5.2), plain and with the digests of Flash Player 9.

mod digest;
#[cfg(feature = "rtmpe")]
mod rtmpe;
mod simple;
mod swf;

use bytes::{Buf, Bytes};

use self::digest::{DIGEST, Scheme, Signer};
use self::simple::{PACKET, hello};
use super::chunk::Output;

#[cfg(feature = "rtmpe")]
pub use self::rtmpe::Ciphers;
pub use self::swf::Swf;

/// What a player of the digest handshake calls itself in bytes 4 to 7 of C1 (128.0.7.2).
const PLAYER_VERSION: [u8; 4] = [0x80, 0x00, 0x07, 0x02];
/// What a server of the digest handshake calls itself in bytes 4 to 7 of S1 (4.5.0.1).
const SERVER_VERSION: [u8; 4] = [0x04, 0x05, 0x00, 0x01];

/// Why a handshake cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The first byte is not that of any RTMP handshake.
    #[error("the peer's first byte is {first:#04x}, which looks like {guess}, not RTMP: close")]
    NotRtmp {
        /// The byte received.
        first: u8,
        /// What the peer probably speaks.
        guess: &'static str,
    },
    /// RTMPE: the peer's public key gives the secret away.
    #[error(
        "the peer's Diffie-Hellman key is 0, 1, p - 1 or more, which makes the secret known to all: close"
    )]
    WeakKey,
    /// RTMPE: the server answered without encryption.
    #[error("the server does not speak RTMPE: connect by rtmp:// or rtmps://")]
    NotEncrypted,
}

/// Which handshake the two sides found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HandshakeKind {
    /// RTMP 1.0: echoes only.
    Simple,
    /// With digests, as Flash Player 9 and later use it.
    Digest,
    /// With digests and Diffie-Hellman keys: everything after it is encrypted (RTMPE).
    Encrypted,
}

/// One side of a handshake. Drop it when it is done: it holds up to three packets of 1536 bytes.
///
/// A server answers a client in the handshake the client begins. Bytes after the handshake stay in the input: they are
/// the first chunks. A peer's wrong echo or digest is tolerated, as deployed peers do not agree on them.
#[derive(Debug)]
pub struct Handshake {
    state: State,
    is_server: bool,
    now_ms: u32,
    seed: [u8; 32],
    /// C1 or S1, which the peer is to echo.
    hello: Vec<u8>,
    /// The digest in it.
    offered: Option<[u8; DIGEST]>,
    kind: HandshakeKind,
    is_genuine: bool,
    is_echoed: bool,
    peer_version: u8,
    /// What this side calls the protocol in C0 or S0.
    version: u8,
    #[cfg(feature = "rtmpe")]
    encryption: rtmpe::Encryption,
    /// The end of S1.
    server_key: [u8; DIGEST],
    received: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Version,
    Hello,
    Echo,
    Done,
}

impl Handshake {
    /// The server's side, for simple and digest clients alike. `now_ms` is the time field to send; `seed` should be
    /// unpredictable.
    pub fn server(now_ms: u32, seed: [u8; 32]) -> Self {
        Self {
            state: State::Version,
            is_server: true,
            now_ms,
            seed,
            hello: Vec::new(),
            offered: None,
            kind: HandshakeKind::Simple,
            is_genuine: true,
            is_echoed: true,
            peer_version: simple::VERSION,
            version: simple::VERSION,
            #[cfg(feature = "rtmpe")]
            encryption: rtmpe::Encryption::default(),
            server_key: [0; DIGEST],
            received: Vec::new(),
        }
    }

    /// The client's side of the simple handshake, which every server accepts.
    pub fn client(now_ms: u32, seed: [u8; 32]) -> Self {
        Self {
            is_server: false,
            hello: hello(now_ms, seed),
            ..Self::server(now_ms, seed)
        }
    }

    /// The client's side of the digest handshake. A server that does not know it is answered in the simple one.
    pub fn client_with_digest(now_ms: u32, seed: [u8; 32]) -> Self {
        let mut side = Self::client(now_ms, seed);
        set_version(&mut side.hello, PLAYER_VERSION);
        side.offered = Some(digest::sign(&mut side.hello, Scheme::Block8, Signer::Player).digest);
        side
    }

    /// Sends what this side sends first: C0 and C1 of a client, nothing of a server.
    pub fn start(&mut self, out: &mut Output) {
        if !self.is_server {
            out.push_slice(&[self.version]);
            out.push_slice(&self.hello);
        }
    }

    /// Takes handshake bytes from `input` and queues answers; true once the handshake is done. What is left in
    /// `input` then belongs to the chunk stream.
    ///
    /// # Errors
    /// When the peer does not speak RTMP.
    pub fn input(&mut self, input: &mut Bytes, out: &mut Output) -> Result<bool, HandshakeError> {
        if self.state == State::Version && !input.is_empty() {
            self.peer_version = input.get_u8();
            simple::check_version(self.peer_version)?;
            self.state = State::Hello;
        }
        if self.state == State::Hello && self.collect(input) {
            let peer = std::mem::take(&mut self.received);
            if self.is_server {
                self.answer_client(&peer, out)?;
            } else {
                self.answer_server(peer, out)?;
            }
            self.state = State::Echo;
        }
        if self.state == State::Echo && self.collect(input) {
            self.check_echo();
            self.received = Vec::new();
            self.hello = Vec::new();
            self.state = State::Done;
        }
        Ok(self.state == State::Done)
    }

    pub(crate) fn is_server(&self) -> bool {
        self.is_server
    }

    /// Which handshake it is; settled once the peer's hello is read.
    pub fn kind(&self) -> HandshakeKind {
        self.kind
    }

    /// False when a digest client got no valid digest back in S2, once done. Such servers still work.
    pub fn is_genuine(&self) -> bool {
        self.is_genuine
    }

    /// Whether the peer's C2 or S2 echoed this side's hello, or answered its digest, once done. Peers that do neither still
    /// work.
    pub fn is_echoed(&self) -> bool {
        self.is_echoed
    }

    /// The version byte of the peer's C0 or S0, once it came; 3, or one of those that are taken for it.
    pub fn peer_version(&self) -> u8 {
        self.peer_version
    }

    /// The last 32 bytes of S1, once S1 was sent or received: the key of SWF verification.
    pub fn swf_verification_key(&self) -> [u8; 32] {
        self.server_key
    }

    /// S0, S1 and S2.
    fn answer_client(&mut self, c1: &[u8], out: &mut Output) -> Result<(), HandshakeError> {
        let mut s1 = hello(self.now_ms, self.seed);
        let mut echo = c1.to_vec();
        // Those who sign their hello give a version where RTMP 1.0 5.2.3 has four zeros; nobody else pays for the search.
        let may_be_signed = c1.get(4..8) != Some(&[0; 4]);
        if may_be_signed && let Some(client) = digest::find(c1, Signer::Player) {
            self.kind = HandshakeKind::Digest;
            set_version(&mut s1, SERVER_VERSION);
            #[cfg(feature = "rtmpe")]
            self.encrypt_server(c1, &mut s1, client.scheme)?;
            self.offered = Some(digest::sign(&mut s1, client.scheme, Signer::Server).digest);
            echo = self.signed_echo(&client.digest, Signer::Server);
        }
        self.server_key = end_of(&s1);
        out.push_slice(&[self.version]);
        out.push_slice(&s1);
        out.push_slice(&echo);
        self.hello = s1;
        Ok(())
    }

    /// C2.
    fn answer_server(&mut self, s1: Vec<u8>, out: &mut Output) -> Result<(), HandshakeError> {
        self.server_key = end_of(&s1);
        let server = self.offered.and_then(|_| digest::find(&s1, Signer::Server));
        #[cfg(feature = "rtmpe")]
        self.encrypt_client(&s1, server.map(|server| server.scheme))?;
        let echo = match server {
            Some(server) if self.kind == HandshakeKind::Encrypted => {
                self.signed_echo(&server.digest, Signer::Player)
            }
            Some(server) => {
                self.kind = HandshakeKind::Digest;
                self.signed_echo(&server.digest, Signer::Player)
            }
            None => s1,
        };
        out.push_slice(&echo);
        Ok(())
    }

    fn signed_echo(&self, peer: &[u8; DIGEST], signer: Signer) -> Vec<u8> {
        let mut echo = hello(self.now_ms, self.seed.map(|byte| !byte));
        digest::sign_echo(&mut echo, peer, signer, self.version);
        echo
    }

    /// Notes, but does not punish, a server whose digest is wrong. Clients differ too much for even that.
    fn check_echo(&mut self) {
        let signer = if self.is_server {
            Signer::Player
        } else {
            Signer::Server
        };
        let offered = self.offered.as_ref();
        let is_signed = offered
            .is_some_and(|digest| digest::echo_is_signed(&self.received, digest, signer, self.version));
        if self.kind != HandshakeKind::Simple && !self.is_server {
            self.is_genuine = is_signed;
        }
        // The times in front are filled in many ways.
        self.is_echoed = is_signed || self.received.get(8..) == self.hello.get(8..);
    }

    /// Gathers one packet of 1536 bytes; true when it is complete.
    fn collect(&mut self, input: &mut Bytes) -> bool {
        let take = input.len().min(PACKET - self.received.len().min(PACKET));
        self.received.extend_from_slice(&input.split_to(take));
        self.received.len() == PACKET
    }
}

fn set_version(hello: &mut [u8], version: [u8; 4]) {
    if let Some(room) = hello.get_mut(4..8) {
        room.copy_from_slice(&version);
    }
}

fn end_of(hello: &[u8]) -> [u8; DIGEST] {
    hello.last_chunk::<DIGEST>().copied().unwrap_or_default()
}
