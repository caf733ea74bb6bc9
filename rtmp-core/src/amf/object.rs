//! Ordered string-keyed containers: anonymous and typed objects, and the members of ECMA arrays.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::value::dismantle;
use super::{Str, Value};

/// Members in insertion order, found by name; shared on clone and copied on the first write to a shared one.
///
/// With a class name it is a typed object (AMF0 marker 10, AMF3 traits with a name).
#[derive(Clone, Default)]
pub struct Object(Arc<Inner>);

/// From this many members on, names are found through a hash index: a peer chooses how many there are.
const INDEX_FROM: usize = 24;

#[derive(Clone)]
struct Inner {
    class: Option<Str>,
    members: Vec<(Str, Value)>,
    // Boxed, because few objects are large enough to have one.
    #[allow(clippy::box_collection)]
    index: Option<Box<HashMap<Str, usize>>>,
    sealed: usize,
    dynamic: bool,
}

impl Object {
    /// An anonymous object without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// This object with one more member, for building in one expression.
    #[must_use]
    pub fn with(mut self, key: impl Into<Str>, value: impl Into<Value>) -> Self {
        self.insert(key, value);
        self
    }

    /// This object as an instance of `class`; an empty name makes it anonymous.
    ///
    /// A typed object writes all members as sealed ones in AMF3 unless [`with_layout`](Self::with_layout) says
    /// otherwise, an anonymous one as dynamic ones.
    #[must_use]
    pub fn with_class(mut self, class: impl Into<Str>) -> Self {
        let class = class.into();
        let inner = Arc::make_mut(&mut self.0);
        inner.dynamic = class.is_empty();
        inner.sealed = 0;
        inner.class = (!class.is_empty()).then_some(class);
        self
    }

    /// How AMF3 writes the members (AMF 3, 3.12): the first `sealed` with the class description, the others as dynamic
    /// ones; if not `dynamic`, all of them are sealed and `sealed` does not matter.
    #[must_use]
    pub fn with_layout(mut self, sealed: usize, dynamic: bool) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        inner.sealed = sealed;
        inner.dynamic = dynamic;
        self
    }

    /// Sets a member and returns the value it replaces; a replaced member keeps its place.
    pub fn insert(&mut self, key: impl Into<Str>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        let inner = Arc::make_mut(&mut self.0);
        if let Some(member) = inner
            .position(key.as_bytes())
            .and_then(|at| inner.members.get_mut(at))
        {
            return Some(std::mem::replace(&mut member.1, value));
        }
        if let Some(index) = &mut inner.index {
            index.insert(key.clone(), inner.members.len());
        }
        inner.members.push((key, value));
        if inner.index.is_none() && inner.members.len() >= INDEX_FROM {
            let names = inner
                .members
                .iter()
                .enumerate()
                .map(|(at, (key, _))| (key.clone(), at));
            inner.index = Some(Box::new(names.collect()));
        }
        None
    }

    /// The value of a member.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let at = self.0.position(key.as_bytes())?;
        self.0.members.get(at).map(|member| &member.1)
    }

    /// Takes a member out; the others keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let at = self.0.position(key.as_bytes())?;
        let inner = Arc::make_mut(&mut self.0);
        if at < inner.sealed {
            inner.sealed -= 1;
        }
        let (_, value) = inner.members.remove(at);
        if let Some(index) = &mut inner.index {
            index.remove(key.as_bytes());
            index
                .values_mut()
                .filter(|position| **position > at)
                .for_each(|position| *position -= 1);
        }
        Some(value)
    }

    /// Whether there is such a member.
    pub fn contains_key(&self, key: &str) -> bool {
        self.0.position(key.as_bytes()).is_some()
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.members.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.members.is_empty()
    }

    /// The members in insertion order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> + Clone {
        self.0.members.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The members with their names as [`Str`], whose bytes are those of the wire.
    pub fn members(&self) -> &[(Str, Value)] {
        &self.0.members
    }

    /// The class of a typed object.
    pub fn class_name(&self) -> Option<&str> {
        self.0.class.as_ref().map(Str::as_str)
    }

    /// The class of a typed object with the bytes of the wire.
    pub fn class(&self) -> Option<&Str> {
        self.0.class.as_ref()
    }

    /// How many of the first members AMF3 writes as sealed ones.
    pub fn sealed_len(&self) -> usize {
        if self.0.dynamic {
            self.0.sealed.min(self.len())
        } else {
            self.len()
        }
    }

    /// Whether AMF3 describes the class as dynamic.
    pub fn is_dynamic(&self) -> bool {
        self.0.dynamic
    }

    /// Whether both are the same instance, as two references to one AMF object are.
    pub fn same_instance(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    pub(super) fn map<E>(&self, f: &mut dyn FnMut(&Value) -> Result<Value, E>) -> Result<Self, E> {
        let mut inner = (*self.0).clone();
        for (_, value) in &mut inner.members {
            *value = f(value)?;
        }
        Ok(Self(Arc::new(inner)))
    }

    /// Moves the members' values out if nobody else holds this object.
    pub(super) fn take_values(&mut self, into: &mut Vec<Value>) {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            into.extend(
                std::mem::take(&mut inner.members)
                    .into_iter()
                    .map(|(_, value)| value),
            );
        }
    }
}

impl Inner {
    fn position(&self, key: &[u8]) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(key).copied(),
            None => self.members.iter().position(|(name, _)| name.as_bytes() == key),
        }
    }
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            class: None,
            members: Vec::new(),
            index: None,
            sealed: 0,
            dynamic: true,
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.members.iter().any(|(_, value)| value.is_container()) {
            dismantle(
                std::mem::take(&mut self.members)
                    .into_iter()
                    .map(|(_, value)| value)
                    .collect(),
            );
        }
    }
}

/// Same class and same members in the same order; how AMF3 lays them out does not matter.
impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.same_instance(other) || (self.0.class == other.0.class && self.0.members == other.0.members)
    }
}

impl<K: Into<Str>, V: Into<Value>> FromIterator<(K, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(members: I) -> Self {
        let mut object = Self::new();
        object.extend(members);
        object
    }
}

impl<K: Into<Str>, V: Into<Value>> Extend<(K, V)> for Object {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, members: I) {
        for (key, value) in members {
            self.insert(key, value);
        }
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(class) = self.class_name() {
            write!(f, "{class} ")?;
        }
        f.debug_map()
            .entries(self.0.members.iter().map(|(key, value)| (key, value)))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_insertion_order_and_the_last_duplicate_wins() {
        let object = Object::new().with("b", 1).with("a", 2).with("b", 3);
        assert_eq!(
            object.iter().collect::<Vec<_>>(),
            [("b", &Value::Number(3.0)), ("a", &Value::Number(2.0))]
        );
    }

    #[test]
    fn writing_to_a_clone_leaves_the_original_alone() {
        let original = Object::new().with("a", 1);
        let mut copy = original.clone();
        assert!(copy.same_instance(&original));
        copy.insert("a", 2);
        assert_eq!(original.get("a"), Some(&Value::Number(1.0)));
        assert_eq!(copy.get("a"), Some(&Value::Number(2.0)));
    }

    #[test]
    fn large_objects_find_replace_and_remove_by_name() {
        let mut object: Object = (0..200).map(|n| (n.to_string(), n)).collect();
        assert_eq!(object.insert("150", "x"), Some(Value::Number(150.0)));
        assert_eq!(object.remove("10"), Some(Value::Number(10.0)));
        assert_eq!(object.get("10"), None);
        assert_eq!(object.get("150"), Some(&Value::from("x")));
        assert_eq!(object.get("199"), Some(&Value::Number(199.0)));
        assert_eq!(object.len(), 199);
    }

    #[test]
    fn dropping_a_very_deep_object_does_not_overflow_the_stack() {
        let mut object = Object::new();
        for _ in 0..300_000 {
            object = Object::new().with("o", object);
        }
        drop(object);
    }
}
