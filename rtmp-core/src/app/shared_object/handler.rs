//! What the host is told about a shared object.

use crate::amf::Value;
use crate::app::client::Client;
use crate::wire::status::Status;

/// What happens to a shared object: `O` is [`SharedObject`](crate::SharedObject) for an object of this server,
/// [`RemoteSharedObject`](crate::RemoteSharedObject) for one of another. Functions come one at a time and in order, where
/// the application's or the connection's [`Dispatch`](crate::Dispatch) says, never under a lock; they may call every
/// function of the object. What a handle does itself is not reported to its own handler.
#[allow(unused_variables)]
pub trait SharedObjectHandler<O>: Send + Sync + 'static {
    /// Slots changed, all at once. For a remote object also, with as many changes as there are slots, when the server has
    /// let this side join: from then on [`RemoteSharedObject::is_connected`](crate::RemoteSharedObject::is_connected).
    fn on_sync(&self, object: &O, changes: &[SlotChange]) {}

    /// Somebody sent a message to the object's users. `sender` is the client if it is one of this server.
    fn on_message(&self, object: &O, sender: Option<&Client>, handler: &str, args: &[Value]) {}

    /// Something failed: SharedObject.NoReadAccess, .NoWriteAccess, .ObjectCreationFailed, .BadPersistence from another
    /// server, SharedObject.Flush.Failed from this one.
    fn on_status(&self, object: &O, status: &Status) {}

    /// All slots were removed.
    fn on_clear(&self, object: &O) {}
}

/// What became of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlotChangeKind {
    /// Somebody else set it.
    Change,
    /// Somebody removed it.
    Delete,
    /// The server accepted the change that this side asked for. Remote objects only.
    Success,
    /// The server refused the change that this side asked for; the slot is as `new_value` says. Remote objects only.
    Reject,
}

impl SlotChangeKind {
    /// The code in the lists that ActionScript's `onSync` is given.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Delete => "delete",
            Self::Success => "success",
            Self::Reject => "reject",
        }
    }
}

/// One changed slot.
#[derive(Debug, Clone, PartialEq)]
pub struct SlotChange {
    /// What became of it.
    pub kind: SlotChangeKind,
    /// Its name.
    pub name: String,
    /// What it was; `None` if it did not exist.
    pub old_value: Option<Value>,
    /// What it is; `None` if it does not exist any more.
    pub new_value: Option<Value>,
}
