//! The digest handshake over a socket, by hand, in both schemes: where the digests stand, and what they are made of.

use hmac::{Hmac, KeyInit, Mac};
use rtmp_core::{AcceptAll, Object};
use sha2::Sha256;

use crate::support::serve;
use crate::wire::{Wire, hex};

const PLAYER: &[u8] = b"Genuine Adobe Flash Player 001";
const SERVER: &[u8] = b"Genuine Adobe Flash Media Server 001";
/// Follows both texts in their full keys.
const MORE: &str = "F0EEC24A8068BEE82E00D0D1029E7E576EEC5D2D29806FAB93B8E636CFEB31AE";

fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// Where a hello of 1,536 bytes has its digest: the sum of four bytes says how far behind them.
fn place(hello: &[u8], scheme: usize) -> usize {
    let at = [8, 772][scheme];
    let sum: usize = hello[at..at + 4].iter().map(|byte| usize::from(*byte)).sum();
    at + 4 + sum % 728
}

fn digest(hello: &[u8], scheme: usize, key: &[u8]) -> Vec<u8> {
    let at = place(hello, scheme);
    hmac(key, &[&hello[..at], &hello[at + 32..]])
}

#[test]
fn p2_both_schemes_are_answered_in_kind() {
    let served = serve(AcceptAll, 1);
    for scheme in [0, 1] {
        let mut bytes: Vec<u8> = (0..3073_usize).map(|at| (at * 7 % 251) as u8).collect();
        bytes[0] = 3;
        bytes[5..9].copy_from_slice(&[128, 0, 7, 2]);
        let hello = &mut bytes[1..1537];
        let at = place(hello, scheme);
        let own = digest(hello, scheme, PLAYER);
        hello[at..at + 32].copy_from_slice(&own);
        let mut wire = Wire::open_with(&served, &mut bytes);
        let (s1, s2) = (&bytes[1..1537], &bytes[1537..]);
        let at = place(s1, scheme);
        assert_eq!(
            s1[at..at + 32],
            digest(s1, scheme, SERVER)[..],
            "scheme {scheme}: S1"
        );
        let key = [SERVER, &hex(MORE)].concat();
        let signature = hmac(&hmac(&key, &[&own]), &[&s2[..1504]]);
        assert_eq!(s2[1504..], signature[..], "scheme {scheme}: S2");
        wire.connect(Object::new().with("app", "live"));
        wire.answer(1.0).unwrap();
    }
}

#[test]
fn p2_a_wrong_digest_is_answered_simply() {
    let served = serve(AcceptAll, 1);
    let mut bytes: Vec<u8> = (0..3073_usize).map(|at| (at * 7 % 251) as u8).collect();
    bytes[0] = 3;
    bytes[5..9].copy_from_slice(&[128, 0, 7, 2]);
    let hello = bytes[1..1537].to_vec();
    let mut wire = Wire::open_with(&served, &mut bytes);
    assert_eq!(bytes[1537..], hello[..], "S2 repeats C1");
    wire.connect(Object::new().with("app", "live"));
    wire.answer(1.0).unwrap();
}
