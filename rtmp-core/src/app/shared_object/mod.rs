//! Shared objects: named sets of slots that clients and host change together (RTMP 1.0 7.1.3).
//!
//! An object belongs to an instance. Every change, by whomever, happens under the object's own lock, which gives all
//! subscribers the same order; what the host is told is queued there and handed over after the lock is free.

mod access;
mod config;
mod core;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod handle;
mod handler;
mod object;
mod redb_store;
mod registry;
mod room;
mod slots;
mod store;
mod stored;
mod subscriptions;
#[cfg(test)]
mod tests;

pub(crate) use config::MAX_EVENTS_FROM_SERVER;
pub use config::SharedObjectConfig;
pub use handle::SharedObject;
pub use handler::{SharedObjectHandler, SlotChange, SlotChangeKind};
pub(crate) use registry::SharedObjects;
pub(crate) use slots::check_value;
pub(crate) use store::Storage;
pub(crate) use subscriptions::Subscriptions;
