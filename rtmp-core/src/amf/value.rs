//! The value every AMF0 and AMF3 type decodes to.

use std::fmt;

use bytes::Bytes;

use super::{Array, Dictionary, Object, ObjectVector, Str, Vector};

/// An AMF value. Cloning is cheap: containers, strings and byte arrays are shared.
///
/// A decoded value is never deeper than [`MAX_DEPTH`](super::MAX_DEPTH). A host may build deeper ones and drop them
/// safely; encoders write `undefined` below that depth, while comparing and printing recurse as deep as the value.
#[derive(Clone, Default)]
pub enum Value {
    /// No value.
    #[default]
    Undefined,
    /// The null reference.
    Null,
    /// true or false.
    Boolean(bool),
    /// A double, AMF0's only number.
    Number(f64),
    /// An AMF3 integer, -2^28 to 2^28-1; outside that range AMF3 writes a double, and AMF0 always does.
    Integer(i32),
    /// Text.
    String(Str),
    /// An anonymous or typed object.
    Object(Object),
    /// An array with string keys. From AMF3 also one with a dense part, whose keys are then `"0"`, `"1"`, ...
    EcmaArray(Object),
    /// An array of values 0 to n-1.
    Array(Array),
    /// A point in time.
    Date(Date),
    /// ActionScript 2's and `flash.xml`'s XMLDocument, as unparsed text.
    XmlDocument(Str),
    /// ActionScript 3's XML (E4X), as unparsed text.
    Xml(Str),
    /// AMF3 ByteArray.
    ByteArray(Bytes),
    /// AMF3 `Vector.<int>`.
    VectorInt(Vector<i32>),
    /// AMF3 `Vector.<uint>`.
    VectorUint(Vector<u32>),
    /// AMF3 `Vector.<Number>`.
    VectorDouble(Vector<f64>),
    /// AMF3 `Vector.<Object>` and vectors of any class.
    VectorObject(ObjectVector),
    /// AMF3 Dictionary.
    Dictionary(Dictionary),
    /// A reference to a container that encloses this one: 0 is the container holding this value, 1 the one around
    /// that, and so on. This is how a cyclic graph is a finite tree.
    Cycle(u16),
    /// AMF0 `unsupported`: the sender had a value that AMF cannot carry.
    Unsupported,
}

/// A point in time, AMF0 2.13 and AMF3 3.10.
#[derive(Debug, Clone, Copy)]
pub struct Date {
    /// Milliseconds since 1970-01-01 00:00 UTC. Any double, NaN and infinities included: check before converting.
    pub millis: f64,
    /// AMF0's time zone field in minutes, which should be 0 and does not change the point in time. Not in AMF3.
    pub time_zone: i16,
}

impl Value {
    /// The text of a string (see [`Str::as_str`]).
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, whether double or integer.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Integer(number) => Some(f64::from(*number)),
            _ => None,
        }
    }

    /// The boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    /// The members of an object, typed or not, or of an ECMA array.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) | Self::EcmaArray(object) => Some(object),
            _ => None,
        }
    }

    /// The values of an array or of a vector of objects.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(array) => Some(array),
            Self::VectorObject(vector) => Some(vector.as_slice()),
            _ => None,
        }
    }

    /// Whether this is null or undefined.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null | Self::Undefined)
    }

    /// A member of an object or ECMA array.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key)
    }

    /// Whether this holds other values.
    pub fn is_container(&self) -> bool {
        matches!(
            self,
            Self::Object(_)
                | Self::EcmaArray(_)
                | Self::Array(_)
                | Self::VectorObject(_)
                | Self::Dictionary(_)
        )
    }

    /// What tells two containers apart as instances, 0 for what is not a container.
    pub(super) fn address(&self) -> usize {
        match self {
            Self::Object(object) | Self::EcmaArray(object) => object.address(),
            Self::Array(array) => array.address(),
            Self::VectorObject(vector) => vector.address(),
            Self::Dictionary(dictionary) => dictionary.address(),
            _ => 0,
        }
    }

    /// This container with `f` applied to each value directly in it.
    pub(super) fn map_children<E>(&self, f: &mut dyn FnMut(&Self) -> Result<Self, E>) -> Result<Self, E> {
        Ok(match self {
            Self::Object(object) => Self::Object(object.map(f)?),
            Self::EcmaArray(object) => Self::EcmaArray(object.map(f)?),
            Self::Array(array) => Self::Array(array.iter().map(f).collect::<Result<Vec<_>, E>>()?.into()),
            Self::VectorObject(vector) => {
                let items = vector.as_slice().iter().map(f).collect::<Result<_, E>>()?;
                Self::VectorObject(ObjectVector::new(
                    vector.type_name().clone(),
                    vector.is_fixed(),
                    items,
                ))
            }
            Self::Dictionary(dictionary) => {
                let entries = dictionary.entries().iter();
                let entries = entries
                    .map(|(key, value)| Ok((f(key)?, f(value)?)))
                    .collect::<Result<_, E>>()?;
                Self::Dictionary(Dictionary::new(dictionary.has_weak_keys(), entries))
            }
            other => other.clone(),
        })
    }

    fn take_values(&mut self, into: &mut Vec<Self>) {
        match self {
            Self::Object(object) | Self::EcmaArray(object) => object.take_values(into),
            Self::Array(array) => array.take_values(into),
            Self::VectorObject(vector) => vector.take_values(into),
            Self::Dictionary(dictionary) => dictionary.take_values(into),
            _ => {}
        }
    }
}

/// Drops values level by level, because dropping a deep one by recursion would overflow the stack.
pub(super) fn dismantle(mut pending: Vec<Value>) {
    while let Some(mut value) = pending.pop() {
        value.take_values(&mut pending);
    }
}

/// Doubles are equal if they compare so or have the same bits, so that a value with a NaN equals its clone.
fn same_number(a: f64, b: f64) -> bool {
    a == b || a.to_bits() == b.to_bits()
}

impl PartialEq for Date {
    fn eq(&self, other: &Self) -> bool {
        same_number(self.millis, other.millis) && self.time_zone == other.time_zone
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Undefined, Self::Undefined)
            | (Self::Null, Self::Null)
            | (Self::Unsupported, Self::Unsupported) => true,
            (Self::Boolean(a), Self::Boolean(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => same_number(*a, *b),
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::String(a), Self::String(b))
            | (Self::XmlDocument(a), Self::XmlDocument(b))
            | (Self::Xml(a), Self::Xml(b)) => a == b,
            (Self::Object(a), Self::Object(b)) | (Self::EcmaArray(a), Self::EcmaArray(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Date(a), Self::Date(b)) => a == b,
            (Self::ByteArray(a), Self::ByteArray(b)) => a == b,
            (Self::VectorInt(a), Self::VectorInt(b)) => a == b,
            (Self::VectorUint(a), Self::VectorUint(b)) => a == b,
            (Self::VectorDouble(a), Self::VectorDouble(b)) => {
                a.fixed == b.fixed
                    && a.items.len() == b.items.len()
                    && a.items
                        .iter()
                        .zip(b.items.iter())
                        .all(|(a, b)| same_number(*a, *b))
            }
            (Self::VectorObject(a), Self::VectorObject(b)) => a == b,
            (Self::Dictionary(a), Self::Dictionary(b)) => a == b,
            (Self::Cycle(a), Self::Cycle(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undefined => f.write_str("undefined"),
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => value.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Integer(number) => number.fmt(f),
            Self::String(text) => text.fmt(f),
            Self::Object(object) => object.fmt(f),
            Self::EcmaArray(object) => {
                f.write_str("EcmaArray ")?;
                object.fmt(f)
            }
            Self::Array(array) => array.fmt(f),
            Self::Date(date) => write!(f, "Date({}, {})", date.millis, date.time_zone),
            Self::XmlDocument(text) => write!(f, "XmlDocument({text:?})"),
            Self::Xml(text) => write!(f, "Xml({text:?})"),
            Self::ByteArray(bytes) => write!(f, "ByteArray({bytes:?})"),
            Self::VectorInt(vector) => write!(f, "Vector.<int> {:?}", vector.items),
            Self::VectorUint(vector) => write!(f, "Vector.<uint> {:?}", vector.items),
            Self::VectorDouble(vector) => write!(f, "Vector.<Number> {:?}", vector.items),
            Self::VectorObject(vector) => vector.fmt(f),
            Self::Dictionary(dictionary) => dictionary.fmt(f),
            Self::Cycle(levels) => write!(f, "Cycle({levels})"),
            Self::Unsupported => f.write_str("unsupported"),
        }
    }
}

macro_rules! impl_from {
    ($($source:ty, $value:ident => $result:expr;)*) => {$(
        impl From<$source> for Value {
            fn from($value: $source) -> Self {
                $result
            }
        }
    )*};
}

impl_from! {
    &str, text => Self::String(text.into());
    &String, text => Self::String(text.into());
    String, text => Self::String(text.into());
    Str, text => Self::String(text);
    bool, value => Self::Boolean(value);
    f64, number => Self::Number(number);
    i32, number => Self::Number(number.into());
    u32, number => Self::Number(number.into());
    u16, number => Self::Number(number.into());
    u8, number => Self::Number(number.into());
    Object, object => Self::Object(object);
    Array, array => Self::Array(array);
    Vec<Value>, values => Self::Array(values.into());
    Date, date => Self::Date(date);
    Bytes, bytes => Self::ByteArray(bytes);
    Dictionary, dictionary => Self::Dictionary(dictionary);
    ObjectVector, vector => Self::VectorObject(vector);
    Vector<i32>, vector => Self::VectorInt(vector);
    Vector<u32>, vector => Self::VectorUint(vector);
    Vector<f64>, vector => Self::VectorDouble(vector);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accessors_answer_only_for_their_kind() {
        assert_eq!(Value::from("x").as_str(), Some("x"));
        assert_eq!(Value::Integer(-3).as_f64(), Some(-3.0));
        assert_eq!(Value::from(2.5).as_f64(), Some(2.5));
        assert_eq!(Value::from("2.5").as_f64(), None);
        assert_eq!(Value::from(true).as_bool(), Some(true));
        assert!(Value::Null.is_null() && Value::Undefined.is_null() && !Value::from(0).is_null());
        let object = Value::from(Object::new().with("a", vec![Value::Null]));
        assert_eq!(
            object.get("a").and_then(Value::as_array),
            Some(&[Value::Null][..])
        );
        assert_eq!(Value::EcmaArray(Object::new()).as_object(), Some(&Object::new()));
    }

    #[test]
    fn a_value_with_nan_equals_its_clone() {
        let value = Value::from(vec![Value::from(f64::NAN)]);
        let rebuilt = Value::from(vec![Value::from(f64::NAN)]);
        assert_eq!(value, value.clone());
        assert_eq!(value, rebuilt);
        assert_ne!(Value::Null, Value::Undefined);
    }

    #[test]
    fn debug_reads_like_a_literal() {
        let value = Value::from(
            Object::new()
                .with("a", vec![Value::from(1), "x".into()])
                .with_class("P"),
        );
        assert_eq!(format!("{value:?}"), r#"P {"a": [1.0, "x"]}"#);
    }
}
