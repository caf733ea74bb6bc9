//! The string of AMF values: cheap to clone, lossless even when the bytes are not UTF-8.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// An immutable AMF string, shared on clone.
///
/// AMF says strings are UTF-8, peers do not always keep to it. Bytes that are not UTF-8 are kept as they came
/// ([`as_bytes`](Self::as_bytes), and encoding writes them back unchanged), while the text face
/// ([`as_str`](Self::as_str), `Deref`) shows U+FFFD in their place. Equality, ordering and hashing go by the bytes.
/// Whoever takes a string as the name of an application, stream or command checks [`is_valid`](Self::is_valid).
#[derive(Clone)]
pub struct Str(Repr);

#[derive(Clone)]
enum Repr {
    Text(Arc<str>),
    Raw(Arc<RawText>),
}

struct RawText {
    bytes: Box<[u8]>,
    lossy: Box<str>,
}

impl Str {
    /// The string with these bytes, UTF-8 or not.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok("") => Self::default(),
            Ok(text) => Self(Repr::Text(text.into())),
            Err(_) => Self(Repr::Raw(Arc::new(RawText {
                bytes: bytes.into(),
                lossy: String::from_utf8_lossy(bytes).into(),
            }))),
        }
    }

    /// The text, with U+FFFD where the bytes are not UTF-8.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Text(text) => text,
            Repr::Raw(raw) => &raw.lossy,
        }
    }

    /// The bytes as they are on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Text(text) => text.as_bytes(),
            Repr::Raw(raw) => &raw.bytes,
        }
    }

    /// Whether the bytes are UTF-8, that is whether [`as_str`](Self::as_str) shows all of them.
    pub fn is_valid(&self) -> bool {
        matches!(self.0, Repr::Text(_))
    }
}

impl Default for Str {
    fn default() -> Self {
        Self(Repr::Text(Arc::default()))
    }
}

impl Deref for Str {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Str {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<[u8]> for Str {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq for Str {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Str {}

impl PartialOrd for Str {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Str {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Str {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl PartialEq<str> for Str {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Str {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl From<&str> for Str {
    fn from(text: &str) -> Self {
        Self::from_bytes(text.as_bytes())
    }
}

impl From<&String> for Str {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for Str {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<Arc<str>> for Str {
    fn from(text: Arc<str>) -> Self {
        Self(Repr::Text(text))
    }
}

impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Text(text) => fmt::Debug::fmt(text, f),
            Repr::Raw(raw) => write!(f, "b\"{}\"", raw.bytes.escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_utf8_survive_and_show_as_replacement() {
        let string = Str::from_bytes(b"a\xFFb");
        assert_eq!(string.as_bytes(), b"a\xFFb");
        assert_eq!(string.as_str(), "a\u{FFFD}b");
        assert!(!string.is_valid());
        assert_ne!(string, "a\u{FFFD}b");
    }

    #[test]
    fn different_invalid_bytes_differ_though_they_look_alike() {
        assert_ne!(Str::from_bytes(b"\xFE"), Str::from_bytes(b"\xFF"));
    }
}
