//! What `tests/fuzz` reaches of stored objects.

use crate::app::shared_object::slots::{SlotLimits, Slots};
use crate::app::shared_object::{SharedObjectConfig, stored};

pub(crate) fn stored_object(bytes: &[u8]) -> Option<[Vec<u8>; 2]> {
    let snapshot = stored::read(bytes).ok()?;
    let again = stored::write(&snapshot);
    let limits = SlotLimits::from(&SharedObjectConfig::default());
    let mut slots = Slots::restore(limits, snapshot);
    // What a first client does to it.
    let _ = slots.all().count();
    let _ = slots.since(slots.version() / 2, None);
    if slots.set("fuzz", 1.into()).is_ok() {
        slots.advance();
        slots.remove("fuzz");
        slots.advance();
    }
    Some([again, stored::write(&slots.snapshot())])
}
