//! The sequence headers that a file has: what is added to it says again only those that changed.

use bytes::Bytes;

use crate::media::{FourCc, Frame, MediaKind, PacketType};

/// The newest header of each track.
#[derive(Debug, Default)]
pub(super) struct Headers(Vec<Header>);

#[derive(Debug, PartialEq)]
struct Header {
    kind: MediaKind,
    packet_type: PacketType,
    track: u8,
    codec: Option<FourCc>,
    payload: Bytes,
}

/// Those beyond are said again.
const MAX_HEADERS: usize = 64;
/// Longest one that is remembered, in bytes.
const MAX_HEADER: usize = 64 << 10;

impl Headers {
    /// Takes note of a header; whether it changes anything.
    pub(super) fn note(&mut self, kind: MediaKind, body: &Bytes) -> bool {
        let mut changes = false;
        for frame in Frame::parse_all(kind, 0, body.clone()) {
            changes |= self.set(&frame);
        }
        changes
    }

    fn set(&mut self, frame: &Frame) -> bool {
        let header = Header {
            kind: frame.kind,
            packet_type: frame.packet_type,
            track: frame.track_id,
            codec: frame.codec,
            // A copy: what it was read from may be large.
            payload: Bytes::copy_from_slice(frame.payload.get(..MAX_HEADER).unwrap_or(&frame.payload)),
        };
        let place = |known: &Header| (known.kind, known.packet_type, known.track);
        let fits = frame.payload.len() <= MAX_HEADER;
        match self.0.iter().position(|known| place(known) == place(&header)) {
            Some(at) if self.0[at] == header && fits => return false,
            Some(at) => self.0[at] = header,
            None if self.0.len() < MAX_HEADERS => self.0.push(header),
            None => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_count() {
        let mut headers = Headers::default();
        let aac = |config: &'static [u8]| Bytes::from_static(config);
        assert!(headers.note(MediaKind::Audio, &aac(b"\xaf\x00\x12\x10")));
        assert!(!headers.note(MediaKind::Audio, &aac(b"\xaf\x00\x12\x10")));
        assert!(headers.note(MediaKind::Audio, &aac(b"\xaf\x00\x11\x90")));
        assert!(
            headers.note(MediaKind::Audio, &aac(b"\xaf\x00\x12\x10")),
            "the newest counts"
        );
        let avc = b"\x17\x00\x00\x00\x00\x01\x64\x00\x1f\xff\xe0\x00";
        assert!(headers.note(MediaKind::Video, &Bytes::from_static(avc)));
        assert!(!headers.note(MediaKind::Audio, &aac(b"\xaf\x00\x12\x10")));
    }
}
