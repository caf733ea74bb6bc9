//! SWF verification: a client's proof that it is a certain SWF file (user control events 26 and 27). Not part of RTMP 1.0.

use bytes::{BufMut, Bytes, BytesMut};

use super::digest::{DIGEST, PLAYER_TEXT, mac};

/// The SWF file a client claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swf {
    /// HMAC-SHA256 of the decompressed file, under the key "Genuine Adobe Flash Player 001".
    pub hash: [u8; 32],
    /// The decompressed file's length in bytes.
    pub size: u32,
}

impl Swf {
    /// The identity of a decompressed file: one that begins with `FWS`. Of a compressed one (`CWS`) the first 8 bytes stay as
    /// they are but for the `F`, and the rest is inflated.
    pub fn of(decompressed: &[u8]) -> Self {
        Self {
            hash: mac(PLAYER_TEXT, &[decompressed]),
            size: u32::try_from(decompressed.len()).unwrap_or(u32::MAX),
        }
    }

    /// The data of event 27 that answers a request of type 1, by `key`: the last 32 bytes of S1
    /// ([`swf_verification_key`](super::Handshake::swf_verification_key)).
    pub fn response(&self, key: &[u8; DIGEST]) -> Bytes {
        let mut data = BytesMut::with_capacity(42);
        data.put_slice(&[1, 1]);
        data.put_u32(self.size);
        data.put_u32(self.size);
        data.put_slice(&mac(key, &[&self.hash]));
        data.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_has_its_fields_in_place() {
        let swf = Swf::of(b"FWS\x09\x0C\0\0\0 rest");
        assert_eq!(swf.size, 13);
        let response = swf.response(&[7; 32]);
        assert_eq!(
            (response.len(), &response[..10]),
            (42, &[1, 1, 0, 0, 0, 13, 0, 0, 0, 13][..])
        );
        assert_eq!(response[10..], mac(&[7; 32], &[&swf.hash]));
        assert_ne!(swf.response(&[8; 32]), response);
    }
}
