//! Who may use which shared object.

use crate::app::client::Client;

/// What a client wants with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Join it and see its slots.
    Read,
    /// Create it, change its slots, send messages.
    Write,
}

/// Whether a client may do that with the object of that name. The one place where this is decided. Called with the
/// object's lock held: it must not call the host.
pub(crate) fn permits(client: &Client, access: Access, name: &str) -> bool {
    match access {
        Access::Read => client.read_access().permits(name),
        Access::Write => client.write_access().permits(name),
    }
}
