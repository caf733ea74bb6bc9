//! What RTMPE versions 8 and 9 do to the signatures in C2 and S2.

use blowfish::BlowfishLE;
use blowfish::cipher::{BlockCipherEncrypt, KeyInit};

use super::super::digest::DIGEST;

/// Signatures are ciphered with XTEA (Flash Player 10).
const XTEA: u8 = 8;
/// Signatures are ciphered with Blowfish.
const BLOWFISH: u8 = 9;

const XTEA_KEYS: [[u32; 4]; 16] = [
    [0xBFF0_34B2, 0x11D9_081F, 0xCCDF_B795, 0x748D_E732],
    [0x086A_5EB6, 0x1743_090E, 0x6EF0_5AB8, 0xFE5A_39E2],
    [0x7B10_956F, 0x76CE_0521, 0x2388_A73A, 0x4401_49A1],
    [0xA943_F317, 0xEBF1_1BB2, 0xA691_A5EE, 0x17F3_6339],
    [0x7A30_E00A, 0xB529_E22C, 0xA087_AEA5, 0xC0CB_79AC],
    [0xBDCE_0C23, 0x2FEB_DEFF, 0x1CFA_AE16, 0x1123_239D],
    [0x55DD_3F7B, 0x77E7_E62E, 0x9BB8_C499, 0xC948_1EE4],
    [0x407B_B6B4, 0x71E8_9136, 0xA7AE_BF55, 0xCA33_B839],
    [0xFCF6_BDC3, 0xB63C_3697, 0x7CE4_F825, 0x04D9_59B2],
    [0x28E0_91FD, 0x4195_4C4C, 0x7FB7_DB00, 0xE3A0_66F8],
    [0x5784_5B76, 0x4F25_1B03, 0x46D4_5BCD, 0xA2C3_0D29],
    [0x0ACC_EEF8, 0xDA55_B546, 0x0347_3452, 0x5863_713B],
    [0xB820_75DC, 0xA75F_1FEE, 0xD842_68E8, 0xA72A_44CC],
    [0x07CF_6E9E, 0xA16D_7B25, 0x9FA7_AE6C, 0xD92F_5629],
    [0xFEB1_EAE4, 0x8C8C_3CE1, 0x4E00_64A7, 0x6A38_7C2A],
    [0x893A_9427, 0xCC30_13A2, 0xF106_385B, 0xA829_F927],
];

const BLOWFISH_KEYS: [[u8; 24]; 16] = [
    *b"\x79\x34\x77\x4c\x67\xd1\x38\x3a\xdf\xb3\x56\xbe\x8b\x7b\xd0\x24\x38\xe0\x73\x58\x41\x5d\x69\x67",
    *b"\x46\xf6\xb4\xcc\x01\x93\xe3\xa1\x9e\x7d\x3c\x65\x55\x86\xfd\x09\x8f\xf7\xb3\xc4\x6f\x41\xca\x5c",
    *b"\x1a\xe7\xe2\xf3\xf9\x14\x79\x94\xc0\xd3\x97\x43\x08\x7b\xb3\x84\x43\x2f\x9d\x84\x3f\x21\x01\x9b",
    *b"\xd3\xe3\x54\xb0\xf7\x1d\xf6\x2b\x5a\x43\x4d\x04\x83\x64\x3e\x0d\x59\x2f\x61\xcb\xb1\x6a\x59\x0d",
    *b"\xc8\xc1\xe9\xb8\x16\x56\x99\x21\x7b\x5b\x36\xb7\xb5\x9b\xdf\x06\x49\x2c\x97\xf5\x95\x48\x85\x7e",
    *b"\xeb\xe5\xe6\x2e\xa4\xba\xd4\x2c\xf2\x16\xe0\x8f\x66\x23\xa9\x43\x41\xce\x38\x14\x84\x95\x00\x53",
    *b"\x66\xdb\x90\xf0\x3b\x4f\xf5\x6f\xe4\x9c\x20\x89\x35\x5e\xd2\xb2\xc3\x9e\x9f\x7f\x63\xb2\x28\x81",
    *b"\xbb\x20\xac\xed\x2a\x04\x6a\x19\x94\x98\x9b\xc8\xff\xcd\x93\xef\xc6\x0d\x56\xa7\xeb\x13\xd9\x30",
    *b"\xbc\xf2\x43\x82\x09\x40\x8a\x87\x25\x43\x6d\xe6\xbb\xa4\xb9\x44\x58\x3f\x21\x7c\x99\xbb\x3f\x24",
    *b"\xec\x1a\xaa\xcd\xce\xbd\x53\x11\xd2\xfb\x83\xb6\xc3\xba\xab\x4f\x62\x79\xe8\x65\xa9\x92\x28\x76",
    *b"\xc6\x0c\x30\x03\x91\x18\x2d\x7b\x79\xda\xe1\xd5\x64\x77\x9a\x12\xc5\xb1\xd7\x91\x4f\x96\x4c\xa3",
    *b"\xd7\x7c\x2a\xbf\xa6\xe7\x85\x7c\x45\xad\xff\x12\x94\xd8\xde\xa4\x5c\x3d\x79\xa4\x44\x02\x5d\x22",
    *b"\x16\x19\x0d\x81\x6a\x4c\xc7\xf8\xb8\xf9\x4e\xcd\x2c\x9e\x90\x84\xb2\x08\x25\x60\xe1\x1e\xae\x18",
    *b"\xe9\x7c\x58\x26\x1b\x51\x9e\x49\x82\x60\x61\xfc\xa0\xa0\x1b\xcd\xf5\x05\xd6\xa6\x6d\x07\x88\xa3",
    *b"\x2b\x97\x11\x8b\xd9\x4e\xd9\xdf\x20\xe3\x9c\x10\xe6\xa1\x35\x21\x11\xf9\x13\x0d\x0b\x24\x65\xb2",
    *b"\x53\x6a\x4c\x54\xac\x8b\x9b\xb8\x97\x29\xfc\x60\x2c\x5b\x3a\x85\x68\xb5\xaa\x6a\x44\xcd\x3f\xa7",
];

/// A signature as `version` wants it; `key` is what it was made with. Both ciphers take a block for two
/// little-endian words, and the byte of the key at the block's place chooses among 15 of the 16 keys.
pub(in super::super) fn ciphered(
    mut signature: [u8; DIGEST],
    key: &[u8; DIGEST],
    version: u8,
) -> [u8; DIGEST] {
    for (block, chooser) in signature.chunks_exact_mut(8).zip(key.iter().step_by(8)) {
        let index = usize::from(*chooser % 15);
        let Ok(bytes) = <&mut [u8; 8]>::try_from(block) else {
            continue;
        };
        match version {
            XTEA => xtea(bytes, XTEA_KEYS.get(index)),
            BLOWFISH => blowfish(bytes, BLOWFISH_KEYS.get(index)),
            _ => {}
        }
    }
    signature
}

fn xtea(block: &mut [u8; 8], key: Option<&[u32; 4]>) {
    let [a, b, c, d, e, f, g, h] = *block;
    let words = [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])];
    let [v0, v1] = xtea_words(words, key.copied().unwrap_or_default());
    let (low, high) = block.split_at_mut(4);
    low.copy_from_slice(&v0.to_le_bytes());
    high.copy_from_slice(&v1.to_le_bytes());
}

fn xtea_words([mut v0, mut v1]: [u32; 2], key: [u32; 4]) -> [u32; 2] {
    let part = |sum: u32| key.get(sum as usize & 3).copied().unwrap_or_default();
    let mut sum = 0_u32;
    for _ in 0..32 {
        v0 = v0.wrapping_add(((v1 << 4) ^ (v1 >> 5)).wrapping_add(v1) ^ sum.wrapping_add(part(sum)));
        sum = sum.wrapping_add(0x9E37_79B9);
        v1 = v1.wrapping_add(((v0 << 4) ^ (v0 >> 5)).wrapping_add(v0) ^ sum.wrapping_add(part(sum >> 11)));
    }
    [v0, v1]
}

fn blowfish(block: &mut [u8; 8], key: Option<&[u8; 24]>) {
    // Keys of 4 to 56 bytes are all the cipher asks for.
    if let Some(cipher) = key.and_then(|key| BlowfishLE::new_from_slice(key).ok()) {
        cipher.encrypt_block(block.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors published with the cipher, as words.
    #[test]
    fn xtea_vectors() {
        let key = [0x0001_0203, 0x0405_0607, 0x0809_0A0B, 0x0C0D_0E0F];
        assert_eq!(
            xtea_words([0x4142_4344, 0x4546_4748], key),
            [0x497D_F3D0, 0x7261_2CB5]
        );
        assert_eq!(
            xtea_words([0x4141_4141, 0x4141_4141], [0; 4]),
            [0xED23_375A, 0x821A_8C2D]
        );
    }

    /// Eric Young's vectors of Blowfish: key of 24 bytes, and zeros; the bytes of each word reversed.
    #[test]
    fn blowfish_vectors() {
        let key: [u8; 24] = *b"\xF0\xE1\xD2\xC3\xB4\xA5\x96\x87\x78\x69\x5A\x4B\x3C\x2D\x1E\x0F\x00\x11\x22\x33\x44\x55\x66\x77";
        let mut block = *b"\x98\xBA\xDC\xFE\x10\x32\x54\x76";
        blowfish(&mut block, Some(&key));
        assert_eq!(block, *b"\x62\x4B\x04\x05\x80\xD0\x52\xFA");
    }

    #[test]
    fn version_6_leaves_signatures_alone() {
        assert_eq!(ciphered([9; DIGEST], &[1; DIGEST], 6), [9; DIGEST]);
        let by_xtea = ciphered([9; DIGEST], &[1; DIGEST], 8);
        let by_blowfish = ciphered([9; DIGEST], &[1; DIGEST], 9);
        assert!(by_xtea != [9; DIGEST] && by_blowfish != [9; DIGEST] && by_xtea != by_blowfish);
        // Equal blocks under equal keys.
        assert_eq!(
            (&by_xtea[..8], &by_blowfish[..8]),
            (&by_xtea[24..], &by_blowfish[24..])
        );
    }
}
