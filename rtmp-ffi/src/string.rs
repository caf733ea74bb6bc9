//! Texts for C.

use std::ffi::CString;

/// A text for C: what a peer sent may hold a NUL, which shows as U+FFFD.
pub(crate) fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| {
        let shown = text.replace('\0', "\u{fffd}");
        CString::new(shown).unwrap_or_default()
    })
}
