//! The digest handshake of Flash Player 9 and later: C1, S1, C2 and S2 carry HMAC-SHA256 digests under published keys.
//!
//! Not part of RTMP 1.0. A hello holds its digest in one of two places, called here after the offset of the block:
//! schemes differ in nothing else. The digests prove nothing about the peer; they are compatibility alone.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::simple::PACKET;

pub(super) const DIGEST: usize = 32;

pub(super) const PLAYER_TEXT: &[u8] = b"Genuine Adobe Flash Player 001";
const SERVER_TEXT: &[u8] = b"Genuine Adobe Flash Media Server 001";
const TAIL: [u8; 32] = [
    0xF0, 0xEE, 0xC2, 0x4A, 0x80, 0x68, 0xBE, 0xE8, 0x2E, 0x00, 0xD0, 0xD1, 0x02, 0x9E, 0x7E, 0x57, 0x6E,
    0xEC, 0x5D, 0x2D, 0x29, 0x80, 0x6F, 0xAB, 0x93, 0xB8, 0xE6, 0x36, 0xCF, 0xEB, 0x31, 0xAE,
];

/// Which side's key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signer {
    Player,
    Server,
}

/// Where a hello keeps its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// In the block at 8. Used by players and encoders on plain connections.
    Block8,
    /// In the block at 772. Used with encryption.
    Block772,
}

/// A digest found in or put into a hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) scheme: Scheme,
    pub(super) digest: [u8; DIGEST],
}

impl Signer {
    fn text(self) -> &'static [u8] {
        match self {
            Self::Player => PLAYER_TEXT,
            Self::Server => SERVER_TEXT,
        }
    }
}

impl Scheme {
    fn block(self) -> usize {
        match self {
            Self::Block8 => 8,
            Self::Block772 => 772,
        }
    }

    /// The offset of the Diffie-Hellman key in `hello`, in the block without the digest. The four bytes after the block's
    /// payload choose it.
    #[cfg(feature = "rtmpe")]
    pub(super) fn key_offset(self, hello: &[u8]) -> usize {
        let block = match self {
            Self::Block8 => 772,
            Self::Block772 => 8,
        };
        let chooser = hello.get(block + 760..block + 764).unwrap_or_default();
        block + chooser.iter().map(|byte| usize::from(*byte)).sum::<usize>() % 632
    }

    /// The digest's offset in `hello`. The four bytes before the block's payload choose it.
    fn digest_offset(self, hello: &[u8]) -> usize {
        let chooser = hello.get(self.block()..self.block() + 4).unwrap_or_default();
        self.block() + 4 + chooser.iter().map(|byte| usize::from(*byte)).sum::<usize>() % 728
    }
}

/// Puts the digest into a hello of 1536 bytes.
pub(super) fn sign(hello: &mut [u8], scheme: Scheme, signer: Signer) -> Signed {
    let offset = scheme.digest_offset(hello);
    let digest = digest_around(hello, offset, signer);
    if let Some(room) = hello.get_mut(offset..offset + DIGEST) {
        room.copy_from_slice(&digest);
    }
    Signed { scheme, digest }
}

/// Looks for a valid digest in a hello of 1536 bytes, in both places.
pub(super) fn find(hello: &[u8], signer: Signer) -> Option<Signed> {
    [Scheme::Block8, Scheme::Block772].into_iter().find_map(|scheme| {
        let offset = scheme.digest_offset(hello);
        let digest = *hello.get(offset..)?.first_chunk::<DIGEST>()?;
        (digest == digest_around(hello, offset, signer)).then_some(Signed { scheme, digest })
    })
}

/// Puts the answer to a peer's digest at the end of an echo of 1536 bytes.
pub(super) fn sign_echo(echo: &mut [u8], peer: &[u8; DIGEST], signer: Signer, version: u8) {
    if let Some((body, room)) = echo.split_last_chunk_mut::<DIGEST>() {
        *room = answer(body, peer, signer, version);
    }
}

/// Whether an echo of 1536 bytes ends with the right answer to our digest.
pub(super) fn echo_is_signed(echo: &[u8], ours: &[u8; DIGEST], signer: Signer, version: u8) -> bool {
    echo.len() == PACKET
        && echo
            .split_last_chunk::<DIGEST>()
            .is_some_and(|(body, digest)| *digest == answer(body, ours, signer, version))
}

#[cfg_attr(not(feature = "rtmpe"), allow(unused_variables))]
fn answer(body: &[u8], digest: &[u8; DIGEST], signer: Signer, version: u8) -> [u8; DIGEST] {
    let key = mac(&[signer.text(), &TAIL].concat(), &[digest]);
    let signature = mac(&key, &[body]);
    #[cfg(feature = "rtmpe")]
    let signature = super::rtmpe::signature::ciphered(signature, &key, version);
    signature
}

/// The digest of all bytes of `hello` but those at its own place.
fn digest_around(hello: &[u8], offset: usize, signer: Signer) -> [u8; DIGEST] {
    let before = hello.get(..offset).unwrap_or_default();
    let after = hello.get(offset + DIGEST..).unwrap_or_default();
    mac(signer.text(), &[before, after])
}

pub(super) fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; DIGEST] {
    // HMAC takes keys of every length; the error case does not exist.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; DIGEST];
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Vector {
        scheme: Scheme,
        c1_offset: usize,
        c1: &'static str,
        s1_offset: usize,
        s1: &'static str,
        s2: &'static str,
        c2: &'static str,
    }

    const VECTORS: [Vector; 2] = [
        Vector {
            scheme: Scheme::Block8,
            c1_offset: 18,
            c1: "e5d503fd746a48c18f2b5f5d0fd1bc4eead8666091ed528d7107b6266905e190",
            s1_offset: 54,
            s1: "14e45d30efeabaded8e93a7ba9cdaba74617a464957a259b849b2c5ee04807f4",
            s2: "5ca2c19d29333febdf941cc06e0a7e3aee51231240af8cb740bb3c4c049147a6",
            c2: "4f3f673ec769b664faa2179f956c27083454247d350cc7482d21d4bb22d6bc37",
        },
        Vector {
            scheme: Scheme::Block772,
            c1_offset: 1062,
            c1: "85b29b46103bf5ecc74c43747766ffc947bda7bff11dc152e0b8581642b05a07",
            s1_offset: 1002,
            s1: "819cd895648daf4ae21baeed831165410d4ed8fe79249a8c2709f7797bd74dea",
            s2: "c6f12cf4c4346026e2e12b5630a8854534524e7a24a0a453ed3cc5876ed100bc",
            c2: "060e10e98836338f9361d01a985eaf0d06cbd3ad6cee3f9b93d1600e8ca2341b",
        },
    ];

    fn text(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn hello(version: [u8; 4], factor: usize) -> Vec<u8> {
        let mut packet = [[0; 4], version].concat();
        packet.extend((0..1528).map(|i| (i * factor) as u8));
        packet
    }

    fn echo() -> Vec<u8> {
        (0..PACKET).map(|i| i as u8).collect()
    }

    #[test]
    fn published_vectors() {
        for vector in VECTORS {
            let mut c1 = hello([0x80, 0, 7, 2], 1);
            let mut s1 = hello([4, 5, 0, 1], 7);
            assert_eq!(vector.scheme.digest_offset(&c1), vector.c1_offset);
            assert_eq!(vector.scheme.digest_offset(&s1), vector.s1_offset);
            let client = sign(&mut c1, vector.scheme, Signer::Player);
            let server = sign(&mut s1, vector.scheme, Signer::Server);
            assert_eq!(
                (text(&client.digest), text(&server.digest)),
                (vector.c1.to_owned(), vector.s1.to_owned())
            );
            assert_eq!(find(&c1, Signer::Player), Some(client));
            assert_eq!(find(&s1, Signer::Server), Some(server));
            let (mut s2, mut c2) = (echo(), echo());
            sign_echo(&mut s2, &client.digest, Signer::Server, 3);
            sign_echo(&mut c2, &server.digest, Signer::Player, 3);
            assert_eq!(
                (text(&s2[1504..]), text(&c2[1504..])),
                (vector.s2.to_owned(), vector.c2.to_owned())
            );
            assert!(echo_is_signed(&s2, &client.digest, Signer::Server, 3));
            assert!(!echo_is_signed(&c2, &client.digest, Signer::Server, 3));
        }
    }

    #[cfg(feature = "rtmpe")]
    #[test]
    fn published_key_offsets() {
        let c1 = hello([0x80, 0, 7, 2], 1);
        assert_eq!(Scheme::Block8.key_offset(&c1), 1122);
        assert_eq!(Scheme::Block772.key_offset(&c1), 374);
    }

    #[test]
    fn offsets_stay_inside_whatever_the_bytes() {
        for byte in [0, 181, 182, 255] {
            let mut packet = vec![byte; PACKET];
            for scheme in [Scheme::Block8, Scheme::Block772] {
                assert!(scheme.digest_offset(&packet) + DIGEST <= PACKET);
            }
            assert_eq!(find(&packet, Signer::Player), None);
            let signed = sign(&mut packet, Scheme::Block772, Signer::Player);
            assert_eq!(find(&packet, Signer::Player), Some(signed));
        }
    }
}
