//! RTMPE: anonymous Diffie-Hellman inside the digest handshake, then RC4 over everything after it.
//!
//! Compatibility, not security: whoever sits in the middle reads along, and RC4 is broken. Use TLS where it matters.

pub(super) mod dh;
pub(super) mod signature;

use rc4::{KeyInit, Rc4, StreamCipher};

use self::dh::{KEY, KeyPair};
use super::digest::{self, Scheme, Signer, mac};
use super::simple::PACKET;
use super::{Handshake, HandshakeError, HandshakeKind, set_version};

/// What a player that encrypts calls itself in bytes 4 to 7 of C1 (128.0.3.2).
const PLAYER_VERSION: [u8; 4] = [0x80, 0x00, 0x03, 0x02];

/// The version clients begin with; servers may answer with another.
const FIRST_VERSION: u8 = 6;

/// What a handshake knows of encryption.
#[derive(Default)]
pub(super) struct Encryption {
    is_allowed: bool,
    pair: Option<KeyPair>,
    ciphers: Option<Ciphers>,
}

/// The length of the RC4 keys.
const RC4_KEY: usize = 16;

/// The RC4 streams of an encrypted connection, in step with the first bytes after the handshake.
pub struct Ciphers {
    sending: Rc4,
    receiving: Rc4,
}

impl Ciphers {
    /// Encrypts the next bytes to send, in place.
    pub fn encrypt(&mut self, bytes: &mut [u8]) {
        self.sending.apply_keystream(bytes);
    }

    /// Decrypts the next bytes received, in place.
    pub fn decrypt(&mut self, bytes: &mut [u8]) {
        self.receiving.apply_keystream(bytes);
    }

    /// The streams that belong to a secret: each direction's key is made of the receiver's public key.
    pub(super) fn new(secret: &[u8; KEY], ours: &[u8; KEY], peers: &[u8; KEY]) -> Option<Self> {
        Some(Self {
            sending: stream(secret, peers)?,
            receiving: stream(secret, ours)?,
        })
    }
}

impl std::fmt::Debug for Ciphers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ciphers")
    }
}

impl std::fmt::Debug for Encryption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Encryption")
    }
}

impl Handshake {
    /// Lets clients that ask for RTMPE (C0 of 6, 8 or 9) have it; a server's. Otherwise they are answered in the clear.
    #[must_use]
    pub fn allow_encryption(mut self, allow: bool) -> Self {
        self.encryption.is_allowed = allow;
        self
    }

    /// The client's side of RTMPE. A server that answers in the clear is an error.
    pub fn client_encrypted(now_ms: u32, seed: [u8; 32]) -> Self {
        let mut side = Self::client(now_ms, seed);
        side.version = FIRST_VERSION;
        set_version(&mut side.hello, PLAYER_VERSION);
        // Without a peer's key there is nothing to refuse.
        if let Ok(pair) = KeyPair::new(seed, None) {
            put_key(&mut side.hello, Scheme::Block772, &pair.public);
            side.encryption.pair = Some(pair);
        }
        side.offered = Some(digest::sign(&mut side.hello, Scheme::Block772, Signer::Player).digest);
        side
    }

    /// The ciphers for everything after the handshake, once it is done and encryption was agreed on.
    pub fn take_ciphers(&mut self) -> Option<Ciphers> {
        self.encryption.ciphers.take()
    }

    /// Puts the server's key into S1 if the client asks for encryption and may have it.
    pub(super) fn encrypt_server(
        &mut self,
        c1: &[u8],
        s1: &mut [u8],
        scheme: Scheme,
    ) -> Result<(), HandshakeError> {
        if !self.encryption.is_allowed || !matches!(self.peer_version, 6 | 8 | 9) {
            return Ok(());
        }
        let peer = key_of(c1, scheme);
        let pair = KeyPair::new(self.seed, Some(&peer))?;
        put_key(s1, scheme, &pair.public);
        self.encryption.ciphers = Ciphers::new(&pair.secret(&peer)?, &pair.public, &peer);
        self.version = self.peer_version;
        self.kind = HandshakeKind::Encrypted;
        Ok(())
    }

    /// Takes the server's key out of S1 if this side asked for encryption.
    pub(super) fn encrypt_client(&mut self, s1: &[u8], scheme: Option<Scheme>) -> Result<(), HandshakeError> {
        let Some(pair) = self.encryption.pair.take() else {
            return Ok(());
        };
        let (6 | 8 | 9, Some(scheme)) = (self.peer_version, scheme) else {
            return Err(HandshakeError::NotEncrypted);
        };
        let peer = key_of(s1, scheme);
        self.encryption.ciphers = Ciphers::new(&pair.secret(&peer)?, &pair.public, &peer);
        self.version = self.peer_version;
        self.kind = HandshakeKind::Encrypted;
        Ok(())
    }
}

fn key_of(hello: &[u8], scheme: Scheme) -> [u8; KEY] {
    let at = scheme.key_offset(hello);
    let key = hello.get(at..).and_then(|bytes| bytes.first_chunk::<KEY>());
    key.copied().unwrap_or([0; KEY])
}

fn put_key(hello: &mut [u8], scheme: Scheme, key: &[u8; KEY]) {
    let at = scheme.key_offset(hello);
    if let Some(room) = hello.get_mut(at..at + KEY) {
        room.copy_from_slice(key);
    }
}

fn stream(secret: &[u8; KEY], public: &[u8; KEY]) -> Option<Rc4> {
    let key = mac(secret, &[public]);
    let mut cipher = keyed(key.get(..RC4_KEY)?)?;
    // Both sides begin as if one packet of the handshake had been encrypted.
    cipher.apply_keystream(&mut [0; PACKET]);
    Some(cipher)
}

fn keyed(key: &[u8]) -> Option<Rc4> {
    Rc4::new_from_slice(key).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6229, the 128-bit key 0102..10: the keystream at offset 1536.
    #[test]
    fn the_stream_is_that_of_rfc_6229_after_one_packet() {
        let key: Vec<u8> = (1..=16).collect();
        let mut cipher = keyed(&key).unwrap();
        cipher.apply_keystream(&mut [0; PACKET]);
        let mut bytes = [0; 16];
        cipher.apply_keystream(&mut bytes);
        let expected = b"\xFF\xA0\xB5\x14\x64\x7E\xC0\x4F\x63\x06\xB8\x92\xAE\x66\x11\x81";
        assert_eq!(&bytes, expected);
    }

    #[test]
    fn what_one_side_encrypts_the_other_decrypts() {
        let (a, b) = ([1; KEY], [2; KEY]);
        let mut client = Ciphers::new(&[9; KEY], &a, &b).unwrap();
        let mut server = Ciphers::new(&[9; KEY], &b, &a).unwrap();
        for text in [&b"up"[..], b"again"] {
            let mut bytes = text.to_vec();
            client.encrypt(&mut bytes);
            assert_ne!(bytes, text);
            server.decrypt(&mut bytes);
            assert_eq!(bytes, text);
            server.encrypt(&mut bytes);
            client.decrypt(&mut bytes);
            assert_eq!(bytes, text);
        }
    }
}
