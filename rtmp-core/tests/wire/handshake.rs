//! Both sides of the handshake, byte by byte.

use bytes::Bytes;
use proptest::prelude::*;
use rtmp_core::wire::chunk::Output;
use rtmp_core::wire::handshake::{Handshake, HandshakeError, HandshakeKind};

fn feed(handshake: &mut Handshake, bytes: &[u8], out: &mut Output) -> Result<(bool, usize), HandshakeError> {
    let mut input = Bytes::copy_from_slice(bytes);
    let is_done = handshake.input(&mut input, out)?;
    Ok((is_done, input.len()))
}

fn plain_c0_c1(version: u8) -> Vec<u8> {
    let mut bytes = vec![version, 0, 0, 0, 9, 0, 0, 0, 0];
    bytes.extend([0x43; 1528]);
    bytes
}

#[test]
fn a_server_answers_with_its_hello_and_an_exact_echo() {
    let mut server = Handshake::server(0x0102_0304, [5; 32]);
    let mut out = Output::new();
    server.start(&mut out);
    assert!(out.is_empty());
    assert_eq!(feed(&mut server, &plain_c0_c1(3), &mut out), Ok((false, 0)));
    let answer = out.take_bytes();
    assert_eq!(answer.len(), 3073);
    assert_eq!(answer[..9], [3, 1, 2, 3, 4, 0, 0, 0, 0]);
    assert_eq!(answer[1537..], plain_c0_c1(3)[1..]);
    // Not an echo, and the first chunk in the same segment.
    let surplus = [[7; 1536].as_slice(), &[2, 0, 0]].concat();
    assert_eq!(feed(&mut server, &surplus, &mut out), Ok((true, 3)));
    assert!(out.is_empty());
}

#[test]
fn early_data_counts_as_c2() {
    let mut server = Handshake::server(0, [5; 32]);
    let bytes = [plain_c0_c1(3), vec![9; 1536 + 100]].concat();
    assert_eq!(feed(&mut server, &bytes, &mut Output::new()), Ok((true, 100)));
}

#[test]
fn reserved_and_encrypted_versions_are_answered_with_three() {
    for version in (3..32).filter(|version| *version != 22) {
        let mut out = Output::new();
        let mut server = Handshake::server(0, [5; 32]);
        assert_eq!(feed(&mut server, &plain_c0_c1(version), &mut out), Ok((false, 0)));
        assert_eq!(out.take_bytes()[0], 3);
    }
}

#[test]
fn other_protocols_are_refused_by_their_first_byte() {
    let guess = |first: u8| match Handshake::server(0, [5; 32])
        .input(&mut Bytes::from(vec![first]), &mut Output::new())
    {
        Err(HandshakeError::NotRtmp { first: byte, guess }) if byte == first => guess,
        other => panic!("{other:?}"),
    };
    assert_eq!((guess(b'G'), guess(b'P')), ("HTTP", "HTTP"));
    assert_eq!(guess(0x16), "TLS");
    for first in [0, 1, 2, 32, 128, 255] {
        assert!(!["HTTP", "TLS"].contains(&guess(first)));
    }
}

#[test]
fn client_and_server_complete_in_pieces_of_any_size() {
    for piece in [1, 7, 1000, 1537, 5000] {
        let (mut client, mut server) = (Handshake::client(1, [1; 32]), Handshake::server(2, [2; 32]));
        let (mut to_server, mut to_client) = (Output::new(), Output::new());
        client.start(&mut to_server);
        assert_eq!(to_server.len(), 1537);
        let (mut client_done, mut server_done) = (false, false);
        for _ in 0..3 {
            for part in to_server.take_bytes().chunks(piece) {
                server_done = feed(&mut server, part, &mut to_client).unwrap().0;
            }
            for part in to_client.take_bytes().chunks(piece) {
                client_done = feed(&mut client, part, &mut to_server).unwrap().0;
            }
        }
        assert!(client_done && server_done);
    }
}

/// Runs both sides to the end and returns them.
fn complete(mut client: Handshake, mut server: Handshake) -> (Handshake, Handshake) {
    let (mut to_server, mut to_client) = (Output::new(), Output::new());
    client.start(&mut to_server);
    assert_eq!(
        feed(&mut server, &to_server.take_bytes(), &mut to_client),
        Ok((false, 0))
    );
    assert_eq!(
        feed(&mut client, &to_client.take_bytes(), &mut to_server),
        Ok((true, 0))
    );
    assert_eq!(
        feed(&mut server, &to_server.take_bytes(), &mut to_client),
        Ok((true, 0))
    );
    assert!(to_client.is_empty());
    (client, server)
}

#[test]
fn a_digest_client_is_answered_with_digests() {
    let (client, server) = complete(
        Handshake::client_with_digest(1, [1; 32]),
        Handshake::server(2, [2; 32]),
    );
    assert_eq!(
        (client.kind(), server.kind()),
        (HandshakeKind::Digest, HandshakeKind::Digest)
    );
    assert!(client.is_genuine());
    assert_eq!(client.swf_verification_key(), server.swf_verification_key());
    assert_ne!(client.swf_verification_key(), [0; 32]);
}

#[test]
fn a_simple_client_is_answered_simply() {
    let (client, server) = complete(Handshake::client(1, [1; 32]), Handshake::server(2, [2; 32]));
    assert_eq!(
        (client.kind(), server.kind()),
        (HandshakeKind::Simple, HandshakeKind::Simple)
    );
    assert_eq!(client.swf_verification_key(), server.swf_verification_key());
}

#[test]
fn a_version_without_a_valid_digest_is_answered_simply() {
    let mut c0_c1 = plain_c0_c1(3);
    c0_c1[5..9].copy_from_slice(&[9, 0, 0x7C, 2]);
    c0_c1[9..13].copy_from_slice(&[255; 4]);
    let mut out = Output::new();
    let mut server = Handshake::server(0, [5; 32]);
    assert_eq!(feed(&mut server, &c0_c1, &mut out), Ok((false, 0)));
    assert_eq!(server.kind(), HandshakeKind::Simple);
    let answer = out.take_bytes();
    assert_eq!((&answer[5..9], &answer[1537..]), (&[0; 4][..], &c0_c1[1..]));
}

#[test]
fn a_digest_client_accepts_a_simple_server() {
    let mut client = Handshake::client_with_digest(1, [1; 32]);
    let mut out = Output::new();
    client.start(&mut out);
    let c1 = out.take_bytes()[1..].to_vec();
    let s1 = plain_c0_c1(3);
    assert_eq!(
        feed(&mut client, &[s1.as_slice(), &c1].concat(), &mut out),
        Ok((true, 0))
    );
    assert_eq!(client.kind(), HandshakeKind::Simple);
    assert_eq!(out.take_bytes(), s1[1..]);
}

#[test]
fn seeds_make_different_hellos() {
    let hello = |seed: [u8; 32]| {
        let mut out = Output::new();
        Handshake::client(0, seed).start(&mut out);
        out.take_bytes()
    };
    let mut last = [0; 32];
    last[31] = 1;
    assert_ne!(hello([0; 32]), hello(last));
    assert_eq!(hello(last), hello(last));
}

proptest! {
    #[test]
    fn any_bytes_are_answered_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..4000), first in any::<u8>()) {
        for mut side in [Handshake::server(0, [0; 32]), Handshake::client(0, [0; 32])] {
            let mut out = Output::new();
            let mut input = Bytes::from([&[first][..], &bytes].concat());
            let _ = side.input(&mut input, &mut out);
            prop_assert!(out.len() <= 3073);
        }
    }
}
