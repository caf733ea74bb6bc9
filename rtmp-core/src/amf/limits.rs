//! What one message may cost to decode.

/// The deepest nesting any decoder reads and any encoder writes, whatever [`Limits::depth`] says: both recurse.
pub const MAX_DEPTH: usize = 128;

/// Bounds on decoding. One set of counters covers all values read by one decoder, AMF0 and AMF3 together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Containers within containers; a scalar at the top has depth 0, `[]` depth 1. At most [`MAX_DEPTH`].
    pub depth: usize,
    /// Values in all, with every reference counted as the values it stands for.
    pub elements: usize,
    /// Values that references may copy, for each byte read so far. A reference shares its container, save one that holds a
    /// cycle to something around it: that is copied, because the cycle counts levels from where it stands.
    pub copies_per_byte: usize,
    /// Bytes of strings, keys, byte arrays and numeric vectors, references again counted in full.
    pub expanded_bytes: usize,
    /// Sealed members one AMF3 class description may name.
    pub sealed_members: usize,
    /// AMF3 class descriptions in one decoder's table.
    pub traits: usize,
}

impl Limits {
    pub(super) fn max_depth(&self) -> usize {
        self.depth.min(MAX_DEPTH)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 32,
            elements: 65_536,
            copies_per_byte: 1,
            expanded_bytes: 16 << 20,
            sealed_members: 1024,
            traits: 4096,
        }
    }
}
