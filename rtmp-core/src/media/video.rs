//! The legacy video tag header (FLV 10.1 E.4.3.1).

/// Frame type 1: a key frame.
pub const FRAME_KEY: u8 = 1;
/// Frame type 2: an inter frame.
pub const FRAME_INTER: u8 = 2;
/// Frame type 3: an inter frame no other frame refers to.
pub const FRAME_DISPOSABLE: u8 = 3;
/// Frame type 4: a key frame made by a server.
pub const FRAME_GENERATED_KEY: u8 = 4;
/// Frame type 5: a command, no picture.
pub const FRAME_COMMAND: u8 = 5;
/// Codec id 7: AVC.
pub const AVC: u8 = 7;

/// Bytes before the payload where the AVC layout holds: type and codec, packet type, composition time.
pub const AVC_HEADER: usize = 5;

/// What a video command frame says (FLV 10.1 E.4.3.1, E-RTMP v2 `VideoCommand`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VideoCommand {
    /// The frames that follow lead up to a seek target: decode, do not show.
    StartSeek,
    /// The seek target is reached: show again.
    EndSeek,
    /// A reserved value.
    Unknown(u8),
}

impl VideoCommand {
    /// The command of a byte.
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::StartSeek,
            1 => Self::EndSeek,
            other => Self::Unknown(other),
        }
    }

    /// The byte of a command.
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::StartSeek => 0,
            Self::EndSeek => 1,
            Self::Unknown(other) => other,
        }
    }
}

/// Whether bodies of this codec id have the AVC layout: packet type and composition time after the first byte. AVC by
/// specification; 12 (HEVC), 13 (AV1) and 14 (VVC) by an extension common among Chinese services.
pub const fn has_avc_layout(codec_id: u8) -> bool {
    matches!(codec_id, AVC | 12 | 13 | 14)
}

/// Reads a signed number of 24 bits, big-endian: a composition time in milliseconds.
pub const fn read_si24(bytes: [u8; 3]) -> i32 {
    i32::from_be_bytes([bytes[0], bytes[1], bytes[2], 0]) >> 8
}

/// Writes a signed number of 24 bits, big-endian; values beyond 24 bits are held at the nearest that fits.
pub fn write_si24(value: i32) -> [u8; 3] {
    let [_, a, b, c] = value.clamp(-0x80_0000, 0x7F_FFFF).to_be_bytes();
    [a, b, c]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composition_times_are_signed() {
        assert_eq!(read_si24([0x00, 0x00, 0x28]), 40);
        assert_eq!(read_si24([0xFF, 0xFF, 0xD8]), -40);
        assert_eq!(write_si24(-40), [0xFF, 0xFF, 0xD8]);
        assert_eq!(write_si24(40), [0x00, 0x00, 0x28]);
        assert_eq!(write_si24(i32::MIN), [0x80, 0x00, 0x00]);
    }
}
