//! The first frame of many files: no sound, but how much follows and where (Xing and Info of encoders like LAME, VBRI).

use super::frame::FrameHeader;

/// What such a frame says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Summary {
    /// Frames that follow.
    pub(super) frames: Option<u32>,
    /// Where each hundredth of the time is, in 256ths of the bytes.
    pub(super) places: Option<[u8; 100]>,
}

/// Where VBRI stands in the frame, whatever the side information.
const VBRI_AT: usize = 36;
/// Flags of Xing: which fields there are.
const FRAMES: u32 = 1;
const BYTES: u32 = 2;
const PLACES: u32 = 4;

impl Summary {
    /// What a frame says that is there for that; `None` if it is one of sound.
    pub(super) fn of(header: &FrameHeader, frame: &[u8]) -> Option<Self> {
        let xing = frame.get(header.side_end()..)?;
        if xing.starts_with(b"Xing") || xing.starts_with(b"Info") {
            return Some(Self::xing(xing.get(4..)?));
        }
        let vbri = frame.get(VBRI_AT..)?.strip_prefix(b"VBRI")?;
        Some(Self {
            frames: word(vbri, 10),
            places: None,
        })
    }

    fn xing(fields: &[u8]) -> Self {
        let flags = word(fields, 0).unwrap_or(0);
        let mut at = 4;
        let mut summary = Self::default();
        if flags & FRAMES != 0 {
            summary.frames = word(fields, at);
            at += 4;
        }
        if flags & BYTES != 0 {
            at += 4;
        }
        if flags & PLACES != 0 {
            let places = fields.get(at..).and_then(|bytes| bytes.first_chunk());
            summary.places = places.copied().filter(|places: &[u8; 100]| places.is_sorted());
        }
        summary
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}
