//! The slots of an object with their versions, and what was removed.

use std::collections::{BTreeMap, HashMap};

use crate::amf::{MAX_DEPTH, Value, amf0};
use crate::app::shared_object::SharedObjectConfig;
use crate::app::shared_object::config::{MAX_OBJECT_BYTES, MAX_SLOT_NAME};
use crate::wire::message::SharedObjectEvent;

/// Bounds on an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlotLimits {
    pub(crate) slots: usize,
    pub(crate) value_bytes: usize,
    pub(crate) object_bytes: usize,
}

/// Slots, tombstones of removed ones, and the version of the whole.
#[derive(Debug)]
pub(crate) struct Slots {
    limits: SlotLimits,
    version: u32,
    slots: BTreeMap<String, Slot>,
    /// Versions at which slots were removed.
    tombstones: HashMap<String, u32>,
    /// A copy older than this misses removals that are not remembered.
    floor: u32,
    bytes: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) value: Value,
    pub(crate) version: u32,
    bytes: usize,
}

/// A slot may not be set to a value; the text completes "the slot …".
pub(crate) type Refusal = &'static str;

/// What there is to know about an object to store it, or to make it again.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Snapshot {
    pub(crate) version: u32,
    pub(crate) floor: u32,
    pub(crate) slots: Vec<(String, u32, Value)>,
    pub(crate) tombstones: Vec<(String, u32)>,
}

/// Versions start here, so that 0 is a client without a copy.
const FIRST_VERSION: u32 = 1;

impl From<&SharedObjectConfig> for SlotLimits {
    fn from(config: &SharedObjectConfig) -> Self {
        Self {
            slots: config.max_slots,
            value_bytes: config.max_value_bytes,
            object_bytes: config.max_object_bytes.min(MAX_OBJECT_BYTES),
        }
    }
}

impl Slots {
    pub(crate) fn new(limits: SlotLimits) -> Self {
        Self {
            limits,
            version: FIRST_VERSION,
            slots: BTreeMap::new(),
            tombstones: HashMap::new(),
            floor: FIRST_VERSION,
            bytes: 0,
        }
    }

    /// The slots of a snapshot; its values are taken as they are.
    pub(crate) fn restore(limits: SlotLimits, snapshot: Snapshot) -> Self {
        let mut slots = Self::new(limits);
        slots.version = snapshot.version.max(FIRST_VERSION);
        slots.floor = snapshot.floor;
        slots.tombstones = snapshot.tombstones.into_iter().collect();
        for (name, version, value) in snapshot.slots {
            let bytes = name.len() + encoded_len(&value);
            slots.bytes += bytes;
            let slot = Slot {
                value,
                version,
                bytes,
            };
            slots.slots.insert(name, slot);
        }
        slots
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let slot = |(name, slot): (&String, &Slot)| (name.clone(), slot.version, slot.value.clone());
        let tombstone = |(name, version): (&String, &u32)| (name.clone(), *version);
        Snapshot {
            version: self.version,
            floor: self.floor,
            slots: self.slots.iter().map(slot).collect(),
            tombstones: self.tombstones.iter().map(tombstone).collect(),
        }
    }

    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    /// The version that the next change makes.
    pub(crate) fn next_version(&self) -> u32 {
        match self.version {
            u32::MAX => FIRST_VERSION,
            version => version + 1,
        }
    }

    /// Something changed: the object has its next version.
    pub(crate) fn advance(&mut self) {
        self.version = self.next_version();
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.slots.get(name).map(|slot| &slot.value)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.slots.keys()
    }

    /// Sets a slot as part of the next version. `Ok` holds what it was, and whether that is another value.
    pub(crate) fn set(&mut self, name: &str, value: Value) -> Result<(Option<Value>, bool), Refusal> {
        if name.is_empty() || name.len() > MAX_SLOT_NAME {
            return Err("has no name, or one longer than 256 bytes");
        }
        check_value(&value)?;
        let value_bytes = encoded_len(&value);
        if value_bytes > self.limits.value_bytes {
            return Err("would have a value larger than the limit");
        }
        let old = self.slots.get(name);
        if let Some(slot) = old.filter(|slot| slot.value == value) {
            return Ok((Some(slot.value.clone()), false));
        }
        if old.is_none() && self.slots.len() >= self.limits.slots {
            return Err("would be one more than the limit");
        }
        let bytes = name.len() + value_bytes;
        let others = self.bytes - old.map_or(0, |slot| slot.bytes);
        if others + bytes > self.limits.object_bytes {
            return Err("would make the object larger than the limit");
        }
        self.bytes = others + bytes;
        let version = self.next_version();
        self.tombstones.remove(name);
        let old = self.slots.insert(
            name.to_owned(),
            Slot {
                value,
                version,
                bytes,
            },
        );
        Ok((old.map(|slot| slot.value), true))
    }

    /// Removes a slot as part of the next version.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Value> {
        let slot = self.slots.remove(name)?;
        self.bytes -= slot.bytes;
        self.tombstones.insert(name.to_owned(), self.next_version());
        if self.tombstones.len() > self.limits.slots {
            self.forget_oldest_half();
        }
        Some(slot.value)
    }

    /// Removes all slots as part of the next version; whether there were any.
    pub(crate) fn clear(&mut self) -> bool {
        let had = !self.slots.is_empty();
        self.slots.clear();
        self.tombstones.clear();
        self.bytes = 0;
        self.floor = self.next_version();
        had
    }

    /// Forgets which slots were removed before a version.
    pub(crate) fn purge(&mut self, before: u32) {
        let (floor, mut forgotten) = (self.floor, self.floor);
        self.tombstones.retain(|_, version| {
            let keep = *version >= before;
            if !keep {
                forgotten = forgotten.max(*version);
            }
            keep
        });
        self.floor = floor.max(forgotten);
    }

    /// What brings a copy of that version up to date; `None` when it has to start from nothing.
    pub(crate) fn since(&self, version: u32, resync_depth: Option<u32>) -> Option<Vec<SharedObjectEvent>> {
        let behind = self.version.checked_sub(version)?;
        let too_far =
            version == 0 || version < self.floor || resync_depth.is_some_and(|depth| behind > depth);
        if too_far {
            return None;
        }
        let mut events: Vec<SharedObjectEvent> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.version > version)
            .map(change)
            .collect();
        let removed = self.tombstones.iter().filter(|(_, at)| **at > version);
        events.extend(removed.map(|(name, _)| SharedObjectEvent::Remove(vec![name.clone()])));
        Some(events)
    }

    /// Everything, for a copy that starts from nothing.
    pub(crate) fn all(&self) -> impl Iterator<Item = SharedObjectEvent> {
        self.slots.iter().map(change)
    }

    fn forget_oldest_half(&mut self) {
        let mut versions: Vec<u32> = self.tombstones.values().copied().collect();
        versions.sort_unstable();
        if let Some(middle) = versions.get(versions.len() / 2) {
            self.purge(middle.saturating_add(1));
        }
    }
}

fn change((name, slot): (&String, &Slot)) -> SharedObjectEvent {
    SharedObjectEvent::Change(vec![(name.clone(), slot.value.clone())])
}

pub(crate) fn encoded_len(value: &Value) -> usize {
    let mut bytes = Vec::new();
    amf0::encode_avmplus(value, &mut bytes);
    bytes.len()
}

/// Refuses values that lead back to themselves, or nest deeper than encoders go.
pub(crate) fn check_value(value: &Value) -> Result<(), Refusal> {
    check_below(value, MAX_DEPTH)
}

fn check_below(value: &Value, levels: usize) -> Result<(), Refusal> {
    if !value.is_container() {
        return match value {
            Value::Cycle(_) => Err("would have a value that contains itself"),
            _ => Ok(()),
        };
    }
    let Some(below) = levels.checked_sub(1) else {
        return Err("would have a value nested too deep");
    };
    match value {
        Value::Object(object) | Value::EcmaArray(object) => object
            .members()
            .iter()
            .try_for_each(|(_, member)| check_below(member, below)),
        Value::Dictionary(dictionary) => dictionary.entries().iter().try_for_each(|(key, value)| {
            check_below(key, below)?;
            check_below(value, below)
        }),
        _ => value
            .as_array()
            .unwrap_or_default()
            .iter()
            .try_for_each(|item| check_below(item, below)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::Object;

    fn slots() -> Slots {
        let limits = SlotLimits {
            slots: 3,
            value_bytes: 100,
            object_bytes: 200,
        };
        Slots::new(limits)
    }

    fn set(slots: &mut Slots, name: &str, value: impl Into<Value>) {
        slots.set(name, value.into()).unwrap();
        slots.advance();
    }

    fn remove(slots: &mut Slots, name: &str) {
        slots.remove(name).unwrap();
        slots.advance();
    }

    #[test]
    fn a_copy_gets_what_is_newer_and_what_is_gone() {
        let mut slots = slots();
        assert_eq!(slots.version(), 1);
        set(&mut slots, "a", 1);
        set(&mut slots, "b", 2);
        remove(&mut slots, "a");
        assert_eq!(slots.version(), 4);
        let removed = SharedObjectEvent::Remove(vec!["a".to_owned()]);
        let changed = SharedObjectEvent::Change(vec![("b".to_owned(), Value::from(2))]);
        assert_eq!(slots.since(4, None), Some(vec![]));
        assert_eq!(slots.since(3, None), Some(vec![removed.clone()]));
        assert_eq!(slots.since(2, None), Some(vec![changed.clone(), removed]));
        assert_eq!(slots.since(0, None), None);
        assert_eq!(
            slots.since(5, None),
            None,
            "newer than the object: another life of it"
        );
        assert_eq!(slots.since(2, Some(1)), None);
        assert_eq!(slots.all().collect::<Vec<_>>(), [changed]);
    }

    #[test]
    fn purging_makes_older_copies_start_from_nothing() {
        let mut slots = slots();
        set(&mut slots, "a", 1);
        set(&mut slots, "b", 1);
        remove(&mut slots, "a");
        remove(&mut slots, "b");
        slots.purge(5);
        assert_eq!(slots.since(3, None), None);
        assert_eq!(slots.since(4, None).map(|events| events.len()), Some(1));
    }

    #[test]
    fn bounds_hold_and_an_equal_value_is_no_change() {
        let mut slots = slots();
        set(&mut slots, "a", 1);
        assert_eq!(slots.set("a", Value::from(1)), Ok((Some(Value::from(1)), false)));
        assert!(slots.set("a", Value::from("x".repeat(98))).is_err());
        set(&mut slots, "a", "x".repeat(97));
        assert!(
            slots.set("b", Value::from("x".repeat(97))).is_err(),
            "the object is full"
        );
        set(&mut slots, "a", 1);
        set(&mut slots, "b", "x".repeat(97));
        set(&mut slots, "c", 1);
        assert!(slots.set("d", Value::from(1)).is_err());
        assert!(slots.set("", Value::from(1)).is_err());
        assert!(slots.set(&"n".repeat(257), Value::from(1)).is_err());
    }

    #[test]
    fn values_that_contain_themselves_or_nest_too_deep_are_refused() {
        let own = Value::from(Object::new().with("self", Value::Cycle(0)));
        assert!(check_value(&own).is_err());
        assert!(check_value(&Value::from(vec![own])).is_err());
        let mut deep = Value::Null;
        for _ in 0..MAX_DEPTH {
            deep = Value::from(vec![deep]);
        }
        assert!(check_value(&deep).is_ok());
        assert!(check_value(&Value::from(vec![deep])).is_err());
    }

    #[test]
    fn a_snapshot_restores_everything() {
        let mut slots = slots();
        set(&mut slots, "a", 1);
        set(&mut slots, "b", "x");
        remove(&mut slots, "a");
        let restored = Slots::restore(slots.limits, slots.snapshot());
        assert_eq!(restored.snapshot(), slots.snapshot());
        assert_eq!(restored.bytes, slots.bytes);
    }
}
