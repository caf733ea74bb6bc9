//! Indexed containers: arrays, typed vectors, and dictionaries.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::value::dismantle;
use super::{Str, Value};

/// Values 0 to n-1: AMF0 strict array, AMF3 array with only a dense part. Shared on clone, copied on write.
#[derive(Clone, Default)]
pub struct Array(Arc<Items>);

#[derive(Clone, Default)]
struct Items(Vec<Value>);

/// AMF3 `Vector.<int>`, `Vector.<uint>` and `Vector.<Number>` (AMF 3, 3.15).
#[derive(Debug, Clone, PartialEq)]
pub struct Vector<T> {
    /// Whether the length is fixed on the receiving side.
    pub fixed: bool,
    /// The numbers.
    pub items: Arc<[T]>,
}

/// AMF3 `Vector.<Object>` of any class (AMF 3, 3.15). Shared on clone.
#[derive(Clone)]
pub struct ObjectVector(Arc<TypedItems>);

#[derive(Clone)]
struct TypedItems {
    fixed: bool,
    type_name: Str,
    items: Items,
}

/// AMF3 Dictionary: a map whose keys may be any values (AMF 3, 3.16). Entries stay in the order they came, equal keys
/// are not merged (keys are compared by identity in Flash). Shared on clone.
#[derive(Clone)]
pub struct Dictionary(Arc<Entries>);

#[derive(Clone)]
struct Entries {
    weak_keys: bool,
    entries: Vec<(Value, Value)>,
}

impl Array {
    /// An empty array.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value at the end.
    pub fn push(&mut self, value: impl Into<Value>) {
        Arc::make_mut(&mut self.0).0.push(value.into());
    }

    /// Replaces the value at `index`; false if there is none.
    pub fn set(&mut self, index: usize, value: impl Into<Value>) -> bool {
        Arc::make_mut(&mut self.0)
            .0
            .get_mut(index)
            .map(|item| *item = value.into())
            .is_some()
    }

    /// The values.
    pub fn as_slice(&self) -> &[Value] {
        &self.0.0
    }

    /// Whether both are the same instance, as two references to one AMF array are.
    pub fn same_instance(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    pub(super) fn take_values(&mut self, into: &mut Vec<Value>) {
        if let Some(items) = Arc::get_mut(&mut self.0) {
            into.append(&mut items.0);
        }
    }
}

impl ObjectVector {
    /// A vector of instances of `type_name`, `*` for any type.
    pub fn new(type_name: impl Into<Str>, fixed: bool, items: Vec<Value>) -> Self {
        Self(Arc::new(TypedItems {
            fixed,
            type_name: type_name.into(),
            items: Items(items),
        }))
    }

    /// The class of the items as it is on the wire; `*` is any type.
    pub fn type_name(&self) -> &Str {
        &self.0.type_name
    }

    /// Whether the length is fixed on the receiving side.
    pub fn is_fixed(&self) -> bool {
        self.0.fixed
    }

    /// The values.
    pub fn as_slice(&self) -> &[Value] {
        &self.0.items.0
    }

    /// Adds a value at the end; a fixed length is only the receiving side's.
    pub fn push(&mut self, value: impl Into<Value>) {
        Arc::make_mut(&mut self.0).items.0.push(value.into());
    }

    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    pub(super) fn take_values(&mut self, into: &mut Vec<Value>) {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            into.append(&mut inner.items.0);
        }
    }
}

impl Dictionary {
    /// A dictionary of these entries.
    pub fn new(weak_keys: bool, entries: Vec<(Value, Value)>) -> Self {
        Self(Arc::new(Entries { weak_keys, entries }))
    }

    /// Whether keys are held weakly on the receiving side.
    pub fn has_weak_keys(&self) -> bool {
        self.0.weak_keys
    }

    /// Keys and values in order.
    pub fn entries(&self) -> &[(Value, Value)] {
        &self.0.entries
    }

    /// The position of the first entry with this key, found by looking at one after the other. A key that is a
    /// container is itself only, as in Flash (a clone that nobody has written to is the same instance); integers and
    /// doubles of one value are one key.
    pub fn position(&self, key: &Value) -> Option<usize> {
        self.entries().iter().position(|(known, _)| same_key(known, key))
    }

    /// The value of the first entry with this key (see [`position`](Self::position)).
    pub fn get(&self, key: &Value) -> Option<&Value> {
        let at = self.position(key)?;
        self.entries().get(at).map(|(_, value)| value)
    }

    /// Sets the value of the first entry with this key and returns the one it replaces; without such an entry, adds one at
    /// the end.
    pub fn insert(&mut self, key: impl Into<Value>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        let at = self.position(&key);
        let entries = &mut Arc::make_mut(&mut self.0).entries;
        if let Some((_, known)) = at.and_then(|at| entries.get_mut(at)) {
            return Some(std::mem::replace(known, value));
        }
        entries.push((key, value));
        None
    }

    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    pub(super) fn take_values(&mut self, into: &mut Vec<Value>) {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            into.extend(
                std::mem::take(&mut inner.entries)
                    .into_iter()
                    .flat_map(|(key, value)| [key, value]),
            );
        }
    }
}

fn same_key(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Integer(a), Value::Number(b)) | (Value::Number(b), Value::Integer(a)) => f64::from(*a) == *b,
        (a, b) if a.is_container() || b.is_container() => a.address() == b.address(),
        (a, b) => a == b,
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        if self.0.iter().any(Value::is_container) {
            dismantle(std::mem::take(&mut self.0));
        }
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        if self
            .entries
            .iter()
            .any(|(key, value)| key.is_container() || value.is_container())
        {
            let entries = std::mem::take(&mut self.entries);
            dismantle(
                entries
                    .into_iter()
                    .flat_map(|(key, value)| [key, value])
                    .collect(),
            );
        }
    }
}

impl Deref for Array {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        self.as_slice()
    }
}

impl From<Vec<Value>> for Array {
    fn from(values: Vec<Value>) -> Self {
        Self(Arc::new(Items(values)))
    }
}

impl<V: Into<Value>> FromIterator<V> for Array {
    fn from_iter<I: IntoIterator<Item = V>>(values: I) -> Self {
        values.into_iter().map(Into::into).collect::<Vec<Value>>().into()
    }
}

impl PartialEq for Array {
    fn eq(&self, other: &Self) -> bool {
        self.same_instance(other) || self.as_slice() == other.as_slice()
    }
}

impl PartialEq for ObjectVector {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.fixed == other.0.fixed
                && self.0.type_name == other.0.type_name
                && self.as_slice() == other.as_slice())
    }
}

impl PartialEq for Dictionary {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.weak_keys == other.0.weak_keys && self.entries() == other.entries())
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

impl fmt::Debug for ObjectVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vector.<{}> ", self.type_name())?;
        f.debug_list().entries(self.as_slice()).finish()
    }
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dictionary ")?;
        f.debug_map()
            .entries(self.entries().iter().map(|(key, value)| (key, value)))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::Object;

    #[test]
    fn writing_to_a_clone_leaves_the_original_alone() {
        let original: Array = [1, 2].into_iter().collect();
        let mut copy = original.clone();
        copy.push(3);
        assert!(copy.set(0, "x"));
        assert!(!copy.set(9, "x"));
        assert_eq!(original.as_slice(), [Value::Number(1.0), Value::Number(2.0)]);
        assert_eq!(copy.len(), 3);
    }

    #[test]
    fn entries_are_found_by_what_flash_takes_for_the_same_key() {
        let object = Value::from(Object::new().with("x", 1));
        let mut dictionary = Dictionary::new(false, vec![(Value::Integer(1), "one".into())]);
        assert_eq!(dictionary.insert(object.clone(), "object"), None);
        assert_eq!(
            dictionary.insert(object.clone(), "changed"),
            Some("object".into())
        );
        assert_eq!(dictionary.get(&Value::Number(1.0)), Some(&"one".into()));
        assert_eq!(dictionary.get(&object), Some(&"changed".into()));
        assert_eq!(dictionary.get(&Object::new().with("x", 1).into()), None);
        assert_eq!(dictionary.get(&"1".into()), None);
    }

    #[test]
    fn dropping_mixed_deep_containers_does_not_overflow_the_stack() {
        let mut value = Value::Null;
        for _ in 0..100_000 {
            value = Value::Array(vec![value].into());
            value = Value::Dictionary(Dictionary::new(false, vec![(value, Value::Null)]));
            value = Value::VectorObject(ObjectVector::new("*", false, vec![value]));
        }
        drop(value);
    }
}
