//! Why bytes are not AMF, or not AMF this decoder accepts.

use super::Str;

/// A failed decode. Offsets count bytes from the start of the decoder's input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AmfError {
    /// The input ends inside a value, or a length or count claims more than the input holds.
    #[error(
        "AMF value at byte {offset} needs {needed} more bytes, {remaining} are left: the message is cut short"
    )]
    Truncated {
        /// Where the missing bytes should begin.
        offset: usize,
        /// How many bytes the value still needs, at least.
        needed: usize,
        /// How many the input still has.
        remaining: usize,
    },
    /// A type marker that the format does not define, or defines as reserved.
    #[error(
        "{format} marker {marker:#04x} at byte {offset} is unknown or reserved: cannot tell where the value ends"
    )]
    UnknownMarker {
        /// `"AMF0"` or `"AMF3"`.
        format: &'static str,
        /// The marker byte.
        marker: u8,
        /// Where it stands.
        offset: usize,
    },
    /// An AMF0 object end marker (09) where a value should begin.
    #[error("AMF0 object end at byte {offset} outside an object")]
    UnexpectedObjectEnd {
        /// Where it stands.
        offset: usize,
    },
    /// A reference to something that has not appeared.
    #[error(
        "{table} reference {index} at byte {offset}: only {known} have appeared, references must point back"
    )]
    ReferenceOutOfRange {
        /// Which table: `"AMF0 object"`, `"AMF3 object"`, `"AMF3 string"` or `"AMF3 traits"`.
        table: &'static str,
        /// The index asked for.
        index: usize,
        /// How many entries the table has.
        known: usize,
        /// Where the reference stands.
        offset: usize,
    },
    /// Containers nested deeper than [`Limits::depth`](super::Limits::depth).
    #[error(
        "AMF nesting at byte {offset} exceeds {limit} levels: raise Limits::depth if the sender is trusted"
    )]
    TooDeep {
        /// The limit in force.
        limit: usize,
        /// Where the first container too many begins.
        offset: usize,
    },
    /// More values than [`Limits::elements`](super::Limits::elements), references counted as what they stand for.
    #[error(
        "AMF message exceeds {limit} values at byte {offset}: raise Limits::elements if the sender is trusted"
    )]
    TooManyElements {
        /// The limit in force.
        limit: usize,
        /// Where it was crossed.
        offset: usize,
    },
    /// References to containers that lead out of themselves copy more values than
    /// [`Limits::copies_per_byte`](super::Limits::copies_per_byte) allows.
    #[error(
        "AMF references copy more than {limit} values at byte {offset}: raise Limits::copies_per_byte if trusted"
    )]
    TooManyCopies {
        /// What the bytes before allow.
        limit: usize,
        /// Where it was crossed.
        offset: usize,
    },
    /// More bytes than [`Limits::expanded_bytes`](super::Limits::expanded_bytes) once references are resolved.
    #[error(
        "AMF message expands past {limit} bytes at byte {offset}: raise Limits::expanded_bytes if trusted"
    )]
    ExpandsTooLarge {
        /// The limit in force.
        limit: usize,
        /// Where it was crossed.
        offset: usize,
    },
    /// A class description with too many members, or one class description too many.
    #[error("AMF3 traits at byte {offset} exceed the limit of {limit} {what}")]
    TooManyTraits {
        /// `"sealed members"` or `"class descriptions"`.
        what: &'static str,
        /// The limit in force.
        limit: usize,
        /// Where it was crossed.
        offset: usize,
    },
    /// An externalizable class nobody registered: its length is unknowable, so nothing after it can be read.
    #[error(
        "externalizable class {} at byte {offset} is not registered: add a reader to the ClassRegistry",
        printable(class)
    )]
    UnknownExternalizable {
        /// The class name on the wire.
        class: Str,
        /// Where the object begins.
        offset: usize,
    },
    /// A registered class refused the object.
    #[error("class {} refused the object: {reason}", printable(class))]
    Refused {
        /// The class name on the wire.
        class: Str,
        /// What the class said.
        reason: String,
    },
}

/// A peer's text for an error message: short, without control characters.
pub(crate) fn printable(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_peers_cannot_forge_lines_of_a_log() {
        let class = Str::from(format!("a\n2026-11-21 all is well\x1b[2J{}", "x".repeat(10_000)));
        let text = AmfError::UnknownExternalizable { class, offset: 7 }.to_string();
        assert!(!text.contains(char::is_control) && text.len() < 200, "{text}");
        assert!(text.contains(r"a\n2026-11-21"), "{text}");
    }
}
