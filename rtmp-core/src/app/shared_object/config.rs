//! Settings of an application's shared objects.

use std::path::PathBuf;

/// Settings of an application's shared objects. Clients that go beyond a bound get an error status, the host an error.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SharedObjectConfig {
    /// Where persistent objects are kept: a directory, which is made if need be, with one database for all applications
    /// that name it. Default: `None`, there are no persistent objects.
    pub directory: Option<PathBuf>,
    /// Milliseconds between two commits of changed persistent objects; 0 commits only when asked and when the last user
    /// leaves. Whole seconds are kept to. Default: 120,000.
    pub autocommit_ms: u64,
    /// Objects that one client may use at once. Default: 64.
    pub max_per_client: usize,
    /// Persistent objects that the directory may hold: those on disk, and those in use that are not there yet, of all
    /// instances together, and of all applications that name the directory. At the bound existing ones still open; clients'
    /// use of others is refused with SharedObject.ObjectCreationFailed, the host's with
    /// [`Error::Full`](crate::Error::Full). 0 makes no new ones. Default: 10,000.
    pub max_stored: usize,
    /// Slots of one object. Default: 10,000.
    pub max_slots: usize,
    /// Bytes of one value, as it is encoded. Default: 65,536.
    pub max_value_bytes: usize,
    /// Bytes of all names and values of one object; 8 MiB at most, because it travels in one message. Default: 1 MiB.
    pub max_object_bytes: usize,
    /// Events in one message of a client. Default: 1,000.
    pub max_events: usize,
    /// Messages that one client may send to an object's users per second. Default: 10,000.
    pub max_sends_per_second: u32,
    /// Messages of clients kept for one object while it is locked or read from disk, 8 MiB of them at most. Events of one
    /// object that its handlers have not taken: beyond as many, or 8 MiB, clients' messages wait as for a locked object, and
    /// who uses the object is not read until there are fewer; the host's own changes are refused with
    /// [`Error::Full`](crate::Error::Full) where its other handles would have to be told. Default: 4,096.
    pub max_waiting: usize,
}

impl Default for SharedObjectConfig {
    fn default() -> Self {
        Self {
            directory: None,
            autocommit_ms: 120_000,
            max_per_client: 64,
            max_stored: 10_000,
            max_slots: 10_000,
            max_value_bytes: 65_536,
            max_object_bytes: 1 << 20,
            max_events: 1000,
            max_sends_per_second: 10_000,
            max_waiting: 4096,
        }
    }
}

/// The most that [`SharedObjectConfig::max_object_bytes`] may say.
pub(crate) const MAX_OBJECT_BYTES: usize = 8 << 20;

/// Bytes of clients' messages kept for one object while it is locked or read from disk, and of events for its handlers.
pub(crate) const MAX_WAITING_BYTES: usize = 8 << 20;

/// What the host may change and send of one object while it is locked, and about how many bytes that may take.
pub(crate) const MAX_BATCH: usize = 65_536;
pub(crate) const MAX_BATCH_BYTES: usize = 16 << 20;

/// Longest name of a slot, in bytes.
pub(crate) const MAX_SLOT_NAME: usize = 256;

/// Events taken from a server in one message: an object's state has one per slot.
pub(crate) const MAX_EVENTS_FROM_SERVER: usize = 65_536;

impl SharedObjectConfig {
    /// What one value of a client's message may cost to decode.
    pub(crate) fn value_limits(&self) -> crate::amf::Limits {
        crate::amf::Limits {
            elements: 16_384,
            expanded_bytes: self.max_value_bytes,
            ..crate::amf::Limits::default()
        }
    }
}
