//! What carries a connection's bytes.

#[cfg(target_os = "linux")]
pub(crate) mod ring;
#[cfg(not(target_os = "linux"))]
#[path = "ring_absent.rs"]
pub(crate) mod ring;
pub(crate) mod tcp;

/// The outcome of one send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Bytes that were offered.
    pub(crate) offered: usize,
    /// Bytes that were sent, or a negative error number.
    pub(crate) result: i32,
}
