//! The packets of the simple handshake (RTMP 1.0 5.2.2 to 5.2.4).

use super::HandshakeError;

/// The protocol version offered and answered.
pub(super) const VERSION: u8 = 3;

/// The length of C1, S1, C2 and S2.
pub(super) const PACKET: usize = 1536;

/// C1 or S1: time, four zero bytes, arbitrary bytes.
pub(super) fn hello(now_ms: u32, seed: [u8; 32]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(PACKET);
    packet.extend_from_slice(&now_ms.to_be_bytes());
    packet.extend_from_slice(&[0; 4]);
    fill(&mut packet, seed);
    packet
}

/// Refuses first bytes no RTMP peer sends. Reserved and encrypted versions are answered with version 3.
pub(super) fn check_version(first: u8) -> Result<(), HandshakeError> {
    let guess = match first {
        0..=2 => "an outdated version of RTMP",
        22 => "TLS",
        3..=31 => return Ok(()),
        b'A'..=b'Z' => "HTTP",
        _ => "an unknown protocol",
    };
    Err(HandshakeError::NotRtmp { first, guess })
}

/// Fills `packet` up to its length with bytes that depend on all of `seed`. They need to differ, not to be secret.
pub(super) fn fill(packet: &mut Vec<u8>, seed: [u8; 32]) {
    let mut state = [0u64; 4];
    for (word, bytes) in state.iter_mut().zip(seed.chunks_exact(8)) {
        *word = bytes
            .iter()
            .fold(0, |value, byte| (value << 8) | u64::from(*byte));
    }
    let mut counter = 0u64;
    while packet.len() < PACKET {
        counter = counter.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = counter;
        for word in state {
            mixed = (mixed ^ word).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed ^= mixed >> 29;
        }
        let take = (PACKET - packet.len()).min(8);
        packet.extend_from_slice(mixed.to_le_bytes().get(..take).unwrap_or_default());
    }
}
