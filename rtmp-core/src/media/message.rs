//! A media message: what an RTMP media message and an FLV tag have in common.

use bytes::Bytes;

/// What a media message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// Audio: RTMP message type 8, FLV tag type 8.
    Audio,
    /// Video: RTMP message type 9, FLV tag type 9.
    Video,
    /// Script data: RTMP message type 18 or 15, FLV tag type 18 or 15.
    Data,
}

impl MediaKind {
    /// The kind of an RTMP message type or FLV tag type (RTMP 1.0 7.1, FLV 10.1 E.4.1); `None` for any other type.
    pub const fn from_type_id(type_id: u8) -> Option<Self> {
        match type_id {
            8 => Some(Self::Audio),
            9 => Some(Self::Video),
            15 | 18 => Some(Self::Data),
            _ => None,
        }
    }

    /// The RTMP message type and FLV tag type: 8, 9 or 18.
    pub const fn type_id(self) -> u8 {
        match self {
            Self::Audio => 8,
            Self::Video => 9,
            Self::Data => 18,
        }
    }
}

/// One audio, video or data message, as it stands on the wire and in an FLV file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaMessage {
    /// What the body holds.
    pub kind: MediaKind,
    /// Milliseconds, modulo 2^32.
    pub timestamp: u32,
    /// The RTMP message payload, equal to the FLV tag body. Script data in the AMF3 form (RTMP type 15) keeps its
    /// leading zero byte, by which [`MediaMessage::type_id`] tells it from AMF0.
    pub body: Bytes,
}

impl MediaMessage {
    /// A message of `kind` at `timestamp` milliseconds.
    pub fn new(kind: MediaKind, timestamp: u32, body: impl Into<Bytes>) -> Self {
        Self {
            kind,
            timestamp,
            body: body.into(),
        }
    }

    /// The RTMP message type and FLV tag type that carries this body: 8, 9, 18, or 15 for script data in the AMF3 form.
    ///
    /// AMF0 script data starts with a string (02 or 0C), never with the number marker 00, so the first byte decides.
    pub fn type_id(&self) -> u8 {
        match (self.kind, self.body.first()) {
            (MediaKind::Data, Some(0)) => 15,
            (kind, _) => kind.type_id(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amf3_script_data_is_told_by_its_leading_zero() {
        let amf0 = MediaMessage::new(MediaKind::Data, 0, &b"\x02\x00\x0AonMetaData"[..]);
        let amf3 = MediaMessage::new(MediaKind::Data, 0, &b"\x00\x02\x00\x0AonMetaData"[..]);
        assert_eq!((amf0.type_id(), amf3.type_id()), (18, 15));
        assert_eq!(MediaMessage::new(MediaKind::Audio, 0, &b"\x00"[..]).type_id(), 8);
    }

    #[test]
    fn type_ids_map_to_kinds() {
        assert_eq!(MediaKind::from_type_id(8), Some(MediaKind::Audio));
        assert_eq!(MediaKind::from_type_id(9), Some(MediaKind::Video));
        assert_eq!(MediaKind::from_type_id(18), Some(MediaKind::Data));
        assert_eq!(MediaKind::from_type_id(15), Some(MediaKind::Data));
        assert_eq!(MediaKind::from_type_id(20), None);
    }
}
