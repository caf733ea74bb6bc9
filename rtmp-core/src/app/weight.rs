//! About how much memory values take, for queues that hold them.

use crate::amf::{MAX_DEPTH, Value};

/// What an entry of a queue takes beside its values, in bytes: queues count it, or empty ones would be free.
pub(crate) const ENTRY: usize = 256;

/// What a value takes beside its text or its elements.
const SLOT: usize = 32;

/// Bytes that values take, about.
pub(crate) fn of_all(values: &[Value]) -> usize {
    values.iter().map(of).sum()
}

/// Bytes that a value takes, about.
pub(crate) fn of(value: &Value) -> usize {
    below(value, MAX_DEPTH)
}

/// What is nested deeper than can be sent is not looked at.
fn below(value: &Value, levels: usize) -> usize {
    let Some(levels) = levels.checked_sub(1) else {
        return SLOT;
    };
    let inside: usize = match value {
        Value::String(text) | Value::XmlDocument(text) | Value::Xml(text) => text.len(),
        Value::ByteArray(bytes) => bytes.len(),
        Value::VectorInt(numbers) => size_of_val(&*numbers.items),
        Value::VectorUint(numbers) => size_of_val(&*numbers.items),
        Value::VectorDouble(numbers) => size_of_val(&*numbers.items),
        Value::Object(object) | Value::EcmaArray(object) => object
            .members()
            .iter()
            .map(|(name, member)| SLOT + name.len() + below(member, levels))
            .sum(),
        Value::Dictionary(dictionary) => dictionary
            .entries()
            .iter()
            .map(|(key, value)| below(key, levels) + below(value, levels))
            .sum(),
        _ => value
            .as_array()
            .unwrap_or_default()
            .iter()
            .map(|item| below(item, levels))
            .sum(),
    };
    SLOT + inside
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::Object;

    #[test]
    fn values_weigh_what_they_hold() {
        let text = "x".repeat(1000);
        let held = Value::from(Object::new().with("key", vec![Value::from(text), Value::Null]));
        assert!((1000..1300).contains(&of(&held)), "{}", of(&held));
        assert!(of(&Value::Null) > 0);
        let mut deep = Value::from("y".repeat(1000));
        for _ in 0..=MAX_DEPTH {
            deep = Value::from(vec![deep]);
        }
        assert!(of(&deep) < 1000 + MAX_DEPTH * SLOT * 2);
    }
}
