//! Diffie-Hellman keys of RTMPE: the second Oakley group (RFC 2409 6.2), 1024 bits, generator 2.

use num_bigint::BigUint;

use super::super::HandshakeError;
use super::super::digest::mac;

/// The length of public keys and of the shared secret, in bytes.
pub(in super::super) const KEY: usize = 128;

const PRIME: [u8; KEY] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xC9, 0x0F, 0xDA, 0xA2, 0x21, 0x68, 0xC2, 0x34, 0xC4,
    0xC6, 0x62, 0x8B, 0x80, 0xDC, 0x1C, 0xD1, 0x29, 0x02, 0x4E, 0x08, 0x8A, 0x67, 0xCC, 0x74, 0x02, 0x0B,
    0xBE, 0xA6, 0x3B, 0x13, 0x9B, 0x22, 0x51, 0x4A, 0x08, 0x79, 0x8E, 0x34, 0x04, 0xDD, 0xEF, 0x95, 0x19,
    0xB3, 0xCD, 0x3A, 0x43, 0x1B, 0x30, 0x2B, 0x0A, 0x6D, 0xF2, 0x5F, 0x14, 0x37, 0x4F, 0xE1, 0x35, 0x6D,
    0x6D, 0x51, 0xC2, 0x45, 0xE4, 0x85, 0xB5, 0x76, 0x62, 0x5E, 0x7E, 0xC6, 0xF4, 0x4C, 0x42, 0xE9, 0xA6,
    0x37, 0xED, 0x6B, 0x0B, 0xFF, 0x5C, 0xB6, 0xF4, 0x06, 0xB7, 0xED, 0xEE, 0x38, 0x6B, 0xFB, 0x5A, 0x89,
    0x9F, 0xA5, 0xAE, 0x9F, 0x24, 0x11, 0x7C, 0x4B, 0x1F, 0xE6, 0x49, 0x28, 0x66, 0x51, 0xEC, 0xE6, 0x53,
    0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
];

/// A private key and its public one.
pub(in super::super) struct KeyPair {
    private: BigUint,
    pub(in super::super) public: [u8; KEY],
}

impl KeyPair {
    /// The pair that belongs to `seed`. Public keys and secrets that begin with a zero byte are passed over: peers differ in
    /// whether they keep such a byte. `peer` is the other's public key where it is known by now.
    pub(in super::super) fn new(seed: [u8; 32], peer: Option<&[u8; KEY]>) -> Result<Self, HandshakeError> {
        let prime = BigUint::from_bytes_be(&PRIME);
        let mut counter = 0_u32;
        loop {
            let private = private_key(seed, counter);
            let public = fixed(&BigUint::from(2_u8).modpow(&private, &prime));
            let pair = Self { private, public };
            let secret = peer.map(|peer| pair.secret(peer)).transpose()?;
            let begins_with_zero = |key: &[u8; KEY]| key.first() == Some(&0);
            if !begins_with_zero(&pair.public) && !secret.as_ref().is_some_and(begins_with_zero) {
                return Ok(pair);
            }
            counter = counter.wrapping_add(1);
        }
    }

    /// The secret shared with the owner of `peer`.
    ///
    /// # Errors
    /// For public keys that make the secret known to everybody: 0, 1, p - 1, and all from p on.
    pub(in super::super) fn secret(&self, peer: &[u8; KEY]) -> Result<[u8; KEY], HandshakeError> {
        let prime = BigUint::from_bytes_be(&PRIME);
        let peer = BigUint::from_bytes_be(peer);
        let one = BigUint::from(1_u8);
        if peer <= one || peer >= &prime - &one {
            return Err(HandshakeError::WeakKey);
        }
        Ok(fixed(&peer.modpow(&self.private, &prime)))
    }
}

/// 1024 bits from a seed, less than the prime.
fn private_key(seed: [u8; 32], counter: u32) -> BigUint {
    let mut bytes = Vec::with_capacity(KEY);
    for part in 0..4_u32 {
        bytes.extend(mac(
            &seed,
            &[b"rtmpe", &counter.to_be_bytes(), &part.to_be_bytes()],
        ));
    }
    // The prime begins with 64 ones.
    if let Some(first) = bytes.first_mut() {
        *first &= 0x7F;
    }
    BigUint::from_bytes_be(&bytes)
}

/// Big-endian, padded with zeros in front.
fn fixed(number: &BigUint) -> [u8; KEY] {
    let bytes = number.to_bytes_be();
    let mut key = [0; KEY];
    if let Some(room) = KEY
        .checked_sub(bytes.len())
        .and_then(|start| key.get_mut(start..))
    {
        room.copy_from_slice(&bytes);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near_prime(add: i8) -> [u8; KEY] {
        let prime = BigUint::from_bytes_be(&PRIME);
        let moved = if add < 0 {
            prime - BigUint::from(add.unsigned_abs())
        } else {
            prime + BigUint::from(add.unsigned_abs())
        };
        fixed(&moved)
    }

    fn small(number: u8) -> [u8; KEY] {
        fixed(&BigUint::from(number))
    }

    #[test]
    fn both_sides_find_the_same_secret() {
        for seed in 0..3 {
            let client = KeyPair::new([seed; 32], None).unwrap();
            let server = KeyPair::new([seed + 100; 32], Some(&client.public)).unwrap();
            let secret = client.secret(&server.public).unwrap();
            assert_eq!(server.secret(&client.public).unwrap(), secret);
            assert!(secret[0] != 0 && client.public[0] != 0 && server.public[0] != 0);
        }
    }

    /// T10: 0, 1, p - 1 and p.
    #[test]
    fn keys_that_give_the_secret_away_are_refused() {
        let pair = KeyPair::new([7; 32], None).unwrap();
        for key in [
            small(0),
            small(1),
            near_prime(-1),
            near_prime(0),
            near_prime(1),
            [0xFF; KEY],
        ] {
            assert_eq!(pair.secret(&key), Err(HandshakeError::WeakKey));
            assert!(KeyPair::new([7; 32], Some(&key)).is_err());
        }
        assert!(pair.secret(&small(2)).is_ok() && pair.secret(&near_prime(-2)).is_ok());
    }

    #[test]
    fn the_prime_is_that_of_the_group() {
        // RFC 2409 6.2: 2^1024 - 2^960 - 1 + 2^64 * ([2^894 pi] + 129093).
        let prime = BigUint::from_bytes_be(&PRIME);
        let two = BigUint::from(2_u8);
        assert_eq!(prime.bits(), 1024);
        // 2 is a quadratic residue modulo this safe prime: its order is (p - 1) / 2.
        let order = (&prime - 1_u8) / 2_u8;
        assert_eq!(two.modpow(&order, &prime), BigUint::from(1_u8));
    }
}
