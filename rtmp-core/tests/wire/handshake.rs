//! Both sides of the handshake, byte by byte.

use bytes::Bytes;
use proptest::prelude::*;
use rtmp_core::wire::chunk::Output;
use rtmp_core::wire::handshake::{Handshake, HandshakeError};

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
