//! RTMPE on both sides: versions 6, 8 and 9, and keys that must be refused.

use bytes::Bytes;
use rtmp_core::wire::chunk::Output;
use rtmp_core::wire::handshake::{Handshake, HandshakeError, HandshakeKind};

use super::hex;

fn feed(side: &mut Handshake, bytes: &[u8], out: &mut Output) -> Result<bool, HandshakeError> {
    side.input(&mut Bytes::copy_from_slice(bytes), out)
}

fn server() -> Handshake {
    Handshake::server(2, [2; 32]).allow_encryption(true)
}

/// Where C1 of a client that encrypts keeps its key: block at 8, offset bytes at its end.
fn key_place(c1: &[u8]) -> usize {
    8 + c1[768..772].iter().map(|byte| usize::from(*byte)).sum::<usize>() % 632
}

/// C0 and C1 of a client, with another version byte.
fn hello(client: &mut Handshake, version: u8) -> Vec<u8> {
    let mut out = Output::new();
    client.start(&mut out);
    let mut bytes = out.take_bytes();
    assert_eq!((bytes.len(), bytes[0]), (1537, 6));
    bytes[0] = version;
    bytes
}

#[test]
fn both_sides_agree_in_every_version() {
    for version in [6, 8, 9] {
        let (mut client, mut server) = (Handshake::client_encrypted(1, [1; 32]), server());
        let (mut up, mut down) = (Output::new(), Output::new());
        let c0_c1 = hello(&mut client, version);
        assert_eq!(feed(&mut server, &c0_c1, &mut down), Ok(false));
        let answer = down.take_bytes();
        assert_eq!((answer.len(), answer[0]), (3073, version));
        assert_eq!(feed(&mut client, &answer, &mut up), Ok(true));
        assert_eq!(feed(&mut server, &up.take_bytes(), &mut down), Ok(true));
        for side in [&client, &server] {
            assert_eq!(side.kind(), HandshakeKind::Encrypted);
            assert!(side.is_echoed() && side.is_genuine(), "version {version}");
        }
        let (mut a, mut b) = (client.take_ciphers().unwrap(), server.take_ciphers().unwrap());
        let mut bytes = b"first chunk".to_vec();
        a.encrypt(&mut bytes);
        assert_ne!(bytes, b"first chunk");
        b.decrypt(&mut bytes);
        b.encrypt(&mut bytes);
        a.decrypt(&mut bytes);
        assert_eq!(bytes, b"first chunk");
    }
}

#[test]
fn a_server_that_was_not_told_to_answers_in_the_clear_and_the_client_leaves() {
    let mut client = Handshake::client_encrypted(1, [1; 32]);
    let mut server = Handshake::server(2, [2; 32]);
    let mut out = Output::new();
    let c0_c1 = hello(&mut client, 6);
    assert_eq!(feed(&mut server, &c0_c1, &mut out), Ok(false));
    assert!(server.take_ciphers().is_none());
    let answer = out.take_bytes();
    assert_eq!(answer[0], 3);
    assert_eq!(
        feed(&mut client, &answer, &mut out),
        Err(HandshakeError::NotEncrypted)
    );
}

#[test]
fn a_plain_client_stays_plain_where_encryption_is_allowed() {
    let mut server = server();
    let mut out = Output::new();
    let plain = [&[3][..], &[0x43; 1536]].concat();
    assert_eq!(feed(&mut server, &plain, &mut out), Ok(false));
    assert_eq!((out.take_bytes()[0], server.kind()), (3, HandshakeKind::Simple));
    assert!(server.take_ciphers().is_none());
}

/// T10: public keys 0, 1, p - 1 and p, in C1 and in S1. They are put in before the digest is made.
#[test]
fn keys_that_give_the_secret_away_are_refused() {
    let p = hex(
        "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD\
         EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED\
         EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF",
    );
    let mut one = vec![0; 128];
    one[127] = 1;
    let mut p_less_one = p.clone();
    p_less_one[127] = 0xFE;
    for key in [vec![0; 128], one, p_less_one, p] {
        let mut c0_c1 = hello(&mut Handshake::client_encrypted(1, [1; 32]), 6);
        let at = 1 + key_place(&c0_c1[1..]);
        c0_c1[at..at + 128].copy_from_slice(&key);
        sign(&mut c0_c1[1..]);
        let result = feed(&mut server(), &c0_c1, &mut Output::new());
        assert_eq!(result, Err(HandshakeError::WeakKey));
    }
}

/// Puts the digest of a player into a C1 whose digest is in the block at 772.
fn sign(c1: &mut [u8]) {
    use hmac::{Hmac, KeyInit, Mac};
    let at = 776 + c1[772..776].iter().map(|byte| usize::from(*byte)).sum::<usize>() % 728;
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"Genuine Adobe Flash Player 001").unwrap();
    mac.update(&c1[..at]);
    mac.update(&c1[at + 32..]);
    let digest = mac.finalize().into_bytes();
    c1[at..at + 32].copy_from_slice(&digest);
}
