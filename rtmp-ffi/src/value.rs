//! AMF values: arguments, results, information objects.

use std::collections::HashMap;
use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::OnceLock;

use bytes::Bytes;
use parking_lot::Mutex;
use rtmp_core::amf::{Array, Date};
use rtmp_core::{Error, Object, Value};

use crate::error::{Failure, rtmpkit_result};
use crate::handle::{Castable, Lent, add_ref, give, unref};
use crate::string::c_string;

/// Names of the types of values. Byte arrays, vectors and dictionaries are AMF3's alone: to a peer of object encoding 0
/// vectors go as arrays, dictionaries as objects, byte arrays as undefined. Since 0.1.
#[repr(C)]
pub enum rtmpkit_value_types {
    /// No value.
    RTMPKIT_VALUE_UNDEFINED = 0,
    /// The null reference.
    RTMPKIT_VALUE_NULL = 1,
    /// True or false.
    RTMPKIT_VALUE_BOOL = 2,
    /// A double; AMF3 integers too.
    RTMPKIT_VALUE_NUMBER = 3,
    /// Text.
    RTMPKIT_VALUE_STRING = 4,
    /// Named members in order: an object, or an ECMA array.
    RTMPKIT_VALUE_OBJECT = 5,
    /// Values 0 to n-1.
    RTMPKIT_VALUE_ARRAY = 6,
    /// A point in time.
    RTMPKIT_VALUE_DATE = 7,
    /// Bytes (AMF3 ByteArray).
    RTMPKIT_VALUE_BYTES = 8,
    /// XML as unparsed text.
    RTMPKIT_VALUE_XML = 9,
    /// Something else, such as a reference to an object that encloses it; it can be passed on.
    RTMPKIT_VALUE_OTHER = 10,
    /// AMF3 `Vector.<int>`.
    RTMPKIT_VALUE_VECTOR_INT = 11,
    /// AMF3 `Vector.<uint>`.
    RTMPKIT_VALUE_VECTOR_UINT = 12,
    /// AMF3 `Vector.<Number>`.
    RTMPKIT_VALUE_VECTOR_DOUBLE = 13,
    /// AMF3 `Vector.<Object>`, or a vector of any class.
    RTMPKIT_VALUE_VECTOR_OBJECT = 14,
    /// AMF3 Dictionary: entries whose keys are values of any type.
    RTMPKIT_VALUE_DICTIONARY = 15,
}

/// An AMF value. Values made by a constructor may be changed until they are passed to a function, which copies them;
/// those found inside another value, or given to a callback, never change. Since 0.1.
pub struct rtmpkit_value {
    state: Mutex<State>,
    text: OnceLock<CString>,
    /// The member's name, when it was found in an object.
    key: CString,
    borrowed: bool,
}

struct State {
    value: Value,
    children: HashMap<Place, Lent<rtmpkit_value>>,
    /// Children that were handed out and then replaced: their pointers stay valid.
    replaced: Vec<Lent<rtmpkit_value>>,
}

#[derive(PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Member(Vec<u8>),
    Key(usize),
    Item(usize),
    /// Behind what there is: nobody was given it yet.
    End,
}

impl Castable for rtmpkit_value {
    const NAME: &'static str = "value";
    const TAG: u32 = 0x5641_4c31;
}

impl rtmpkit_value {
    pub(crate) fn new(value: Value) -> Self {
        let state = State {
            value,
            children: HashMap::new(),
            replaced: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
            text: OnceLock::new(),
            key: CString::default(),
            borrowed: false,
        }
    }

    /// A value that the host may read only.
    pub(crate) fn lend(value: &Value) -> Lent<Self> {
        Lent::new(Self {
            borrowed: true,
            ..Self::new(value.clone())
        })
    }

    /// The name of a class, kept beside a value that has no text of its own.
    pub(crate) fn class_text(&self, class: &str) -> *const c_char {
        self.text.get_or_init(|| c_string(class)).as_ptr()
    }

    /// The value now.
    pub(crate) fn to_value(&self) -> Value {
        self.state.lock().value.clone()
    }

    /// A value inside this one, for as long as this one lives.
    pub(crate) fn child(&self, place: Place, key: &str, value: Value) -> *const Self {
        let mut state = self.state.lock();
        let child = state.children.entry(place).or_insert_with(|| {
            Lent::new(Self {
                borrowed: true,
                key: c_string(key),
                ..Self::new(value)
            })
        });
        child.as_ptr()
    }

    /// Changes a value of the host's own. `change` tells the place, or `None` if the value is of another type.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Value) -> Option<Place>) -> Result<(), Failure> {
        if self.borrowed {
            let text = "this value belongs to another or to the library: change a clone of it".to_owned();
            return Err(Error::WrongState(text).into());
        }
        let mut state = self.state.lock();
        let Some(place) = change(&mut state.value) else {
            return Err(Failure::invalid(
                "the value is not of the type that this function changes",
            ));
        };
        if let Some(child) = state.children.remove(&place) {
            state.replaced.push(child);
        }
        Ok(())
    }
}

/// Values lent to a callback as an array.
pub(crate) struct LentValues {
    pointers: Vec<*const rtmpkit_value>,
    _values: Vec<Lent<rtmpkit_value>>,
}

// SAFETY: the pointers are those of the values beside them, which are Send and Sync themselves.
unsafe impl Send for LentValues {}
// SAFETY: as above.
unsafe impl Sync for LentValues {}

impl LentValues {
    pub(crate) fn new(values: &[Value]) -> Self {
        let values: Vec<_> = values.iter().map(rtmpkit_value::lend).collect();
        Self {
            pointers: values.iter().map(|value| value.as_ptr().cast_const()).collect(),
            _values: values,
        }
    }

    pub(crate) fn as_ptr(&self) -> *const *const rtmpkit_value {
        self.pointers.as_ptr()
    }

    pub(crate) fn len(&self) -> usize {
        self.pointers.len()
    }
}

/// Makes undefined. Ownership: one reference, as from every constructor. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rtmpkit_value_undefined() -> *mut rtmpkit_value {
    make(|| Ok(Value::Undefined))
}

/// Makes null. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rtmpkit_value_null() -> *mut rtmpkit_value {
    make(|| Ok(Value::Null))
}

/// Makes a boolean. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rtmpkit_value_bool(value: bool) -> *mut rtmpkit_value {
    make(|| Ok(Value::Boolean(value)))
}

/// Makes a number. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rtmpkit_value_number(value: f64) -> *mut rtmpkit_value {
    make(|| Ok(Value::Number(value)))
}

/// Makes a string of a copy of `text`. Errors: NULL if `text` is NULL or not UTF-8. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_string(text: *const c_char) -> *mut rtmpkit_value {
    entry!(|host| Ok(give(rtmpkit_value::new(Value::from(host.text(text, "text")?)))))
}

/// Makes XML (ActionScript 3's, E4X) of a copy of `text`, which is not looked into. Errors: as `rtmpkit_value_string`.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_xml(text: *const c_char) -> *mut rtmpkit_value {
    entry!(|host| Ok(give(rtmpkit_value::new(Value::Xml(
        host.text(text, "text")?.into()
    )))))
}

/// Makes a point in time: milliseconds since 1970-01-01 00:00 UTC. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rtmpkit_value_date(millis: f64) -> *mut rtmpkit_value {
    make(|| Ok(Value::Date(Date { millis, time_zone: 0 })))
}

/// Makes an object without members. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rtmpkit_value_object() -> *mut rtmpkit_value {
    make(|| Ok(Value::Object(Object::new())))
}

/// Makes an associative array without members, which metadata usually is. It is read and filled as an object. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rtmpkit_value_ecma_array() -> *mut rtmpkit_value {
    make(|| Ok(Value::EcmaArray(Object::new())))
}

/// Makes an object of a class without members: `alias` is the class's name on the wire.
/// Errors: NULL if `alias` is NULL or not UTF-8. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_typed_object(alias: *const c_char) -> *mut rtmpkit_value {
    entry!(|host| {
        let object = Object::new().with_class(host.text(alias, "alias")?);
        Ok(give(rtmpkit_value::new(Value::Object(object))))
    })
}

/// Makes an empty array. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rtmpkit_value_array() -> *mut rtmpkit_value {
    make(|| Ok(Value::Array(Array::new())))
}

/// Makes a byte array of a copy of `len` bytes. Errors: NULL if `data` is NULL and `len` is not 0. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_bytes(data: *const u8, len: usize) -> *mut rtmpkit_value {
    entry!(|host| {
        let bytes = Bytes::copy_from_slice(host.bytes(data, len, "data")?);
        Ok(give(rtmpkit_value::new(Value::ByteArray(bytes))))
    })
}

/// Makes a value equal to another that may be changed. Errors: NULL if `value` is NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_clone(value: *const rtmpkit_value) -> *mut rtmpkit_value {
    entry!(|host| Ok(give(rtmpkit_value::new(host.handle(value)?.to_value()))))
}

/// Adds a reference and returns `value`. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_ref(value: *const rtmpkit_value) -> *mut rtmpkit_value {
    entry!(|host| add_ref(&host, value.cast_mut()))
}

/// Gives a reference back. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_unref(value: *mut rtmpkit_value) {
    entry!(|host| unref(&host, value));
}

/// The type, one of `rtmpkit_value_types`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_type(value: *const rtmpkit_value) -> i32 {
    entry!(|host| Ok(type_of(&host.handle(value)?.state.lock().value) as i32))
}

/// Reads a boolean. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` if it is none; `*out` is then left alone, as by every
/// getter. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_get_bool(
    value: *const rtmpkit_value,
    out: *mut bool,
) -> rtmpkit_result {
    entry!(|host| {
        let value = host.handle(value)?.to_value();
        host.put(out, value.as_bool().ok_or_else(|| wrong_type("boolean"))?, "out")?;
        Ok(0)
    })
}

/// Reads a number. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` if it is none. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_get_number(
    value: *const rtmpkit_value,
    out: *mut f64,
) -> rtmpkit_result {
    entry!(|host| {
        let value = host.handle(value)?.to_value();
        host.put(out, value.as_f64().ok_or_else(|| wrong_type("number"))?, "out")?;
        Ok(0)
    })
}

/// Reads a point in time in milliseconds since 1970-01-01 00:00 UTC; it may be any double. Errors:
/// `RTMPKIT_ERR_INVALID_ARGUMENT` if it is none. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_get_date(
    value: *const rtmpkit_value,
    out: *mut f64,
) -> rtmpkit_result {
    entry!(|host| {
        let Value::Date(date) = host.handle(value)?.to_value() else {
            return Err(wrong_type("date"));
        };
        host.put(out, date.millis, "out")?;
        Ok(0)
    })
}

/// Reads the text of a string or XML, NUL-terminated; bytes that are no UTF-8, and NULs inside, show as U+FFFD. `len`
/// may be NULL. Ownership: the text belongs to `value`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` if it has no text.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_get_string(
    value: *const rtmpkit_value,
    out: *mut *const c_char,
    len: *mut usize,
) -> rtmpkit_result {
    entry!(|host| {
        let handle = host.handle(value)?;
        let (Value::String(text) | Value::Xml(text) | Value::XmlDocument(text)) = handle.to_value() else {
            return Err(wrong_type("string"));
        };
        let text = handle.text.get_or_init(|| c_string(text.as_str()));
        host.put(out, text.as_ptr(), "out")?;
        host.put_optional(len, text.as_bytes().len())?;
        Ok(0)
    })
}

/// Reads a byte array. Ownership: the bytes belong to `value`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` if it is none.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_get_bytes(
    value: *const rtmpkit_value,
    out: *mut *const u8,
    len: *mut usize,
) -> rtmpkit_result {
    entry!(|host| {
        let Value::ByteArray(bytes) = host.handle(value)?.to_value() else {
            return Err(wrong_type("byte array"));
        };
        host.want(len, "len")?;
        host.put(out, bytes.as_ptr(), "out")?;
        host.put(len, bytes.len(), "len")?;
        Ok(0)
    })
}

/// How many members an object has; 0 for everything else. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_object_len(object: *const rtmpkit_value) -> usize {
    entry!(|host| Ok(host.handle(object)?.to_value().as_object().map_or(0, Object::len)))
}

/// The name of the class that an object has on the wire, or NULL if it has none or `object` is no object.
/// Ownership: the text belongs to `object`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_object_class(object: *const rtmpkit_value) -> *const c_char {
    entry!(|host| {
        let handle = host.handle(object)?;
        let value = handle.to_value();
        let class = value.as_object().and_then(Object::class_name);
        Ok(class.map_or(ptr::null(), |class| handle.class_text(class)))
    })
}

/// The member of that name, or NULL if there is none or `object` is no object. Ownership: it belongs to `object`.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_object_get(
    object: *const rtmpkit_value,
    key: *const c_char,
) -> *const rtmpkit_value {
    entry!(|host| {
        let (handle, key) = (host.handle(object)?, host.text(key, "key")?);
        let member = handle.to_value().get(key).cloned();
        Ok(member.map_or(ptr::null(), |value| {
            handle.child(Place::Member(key.into()), key, value)
        }))
    })
}

/// The member at a position, 0 to `rtmpkit_value_object_len` - 1, with its name in `*key` if `key` is not NULL; NULL if
/// there is none. Ownership: value and name belong to `object`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_object_at(
    object: *const rtmpkit_value,
    index: usize,
    key: *mut *const c_char,
) -> *const rtmpkit_value {
    entry!(|host| {
        let handle = host.handle(object)?;
        let value = handle.to_value();
        let Some((name, member)) = value.as_object().and_then(|object| object.members().get(index)) else {
            return Ok(ptr::null());
        };
        let child = handle.child(Place::Member(name.as_bytes().to_vec()), name, member.clone());
        host.put_optional(key, host.handle(child)?.key.as_ptr())?;
        Ok(child)
    })
}

/// Sets a member to a copy of `value`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` if `object` is no object,
/// `RTMPKIT_ERR_WRONG_STATE` if it may not be changed. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_object_set(
    object: *mut rtmpkit_value,
    key: *const c_char,
    value: *const rtmpkit_value,
) -> rtmpkit_result {
    entry!(|host| {
        let (handle, key) = (host.handle(object)?, host.text(key, "key")?);
        let member = host.handle(value)?.to_value();
        handle.change(|object| match object {
            Value::Object(object) | Value::EcmaArray(object) => {
                object.insert(key, member);
                Some(Place::Member(key.into()))
            }
            _ => None,
        })?;
        Ok(0)
    })
}

/// How many values an array or a vector has; 0 for everything else. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_array_len(array: *const rtmpkit_value) -> usize {
    entry!(|host| {
        let array = host.handle(array)?.to_value();
        Ok(match &array {
            Value::VectorInt(vector) => vector.items.len(),
            Value::VectorUint(vector) => vector.items.len(),
            Value::VectorDouble(vector) => vector.items.len(),
            array => array.as_array().map_or(0, <[Value]>::len),
        })
    })
}

/// The value at a position, or NULL if there is none or `array` is no array or vector. The numbers of a vector are
/// read all at once by `rtmpkit_value_get_vector_int` and its like. Ownership: it belongs to `array`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_array_at(
    array: *const rtmpkit_value,
    index: usize,
) -> *const rtmpkit_value {
    entry!(|host| {
        let handle = host.handle(array)?;
        let item = match &handle.to_value() {
            Value::VectorInt(vector) => vector.items.get(index).copied().map(Value::from),
            Value::VectorUint(vector) => vector.items.get(index).copied().map(Value::from),
            Value::VectorDouble(vector) => vector.items.get(index).copied().map(Value::from),
            array => array.as_array().and_then(|items| items.get(index)).cloned(),
        };
        Ok(item.map_or(ptr::null(), |value| handle.child(Place::Item(index), "", value)))
    })
}

/// Adds a copy of `value` at the end of an array or of a vector of objects. Errors: as `rtmpkit_value_object_set`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_array_push(
    array: *mut rtmpkit_value,
    value: *const rtmpkit_value,
) -> rtmpkit_result {
    entry!(|host| {
        let (handle, item) = (host.handle(array)?, host.handle(value)?.to_value());
        handle.change(|array| {
            match array {
                Value::Array(array) => array.push(item),
                Value::VectorObject(vector) => vector.push(item),
                _ => return None,
            }
            Some(Place::End)
        })?;
        Ok(0)
    })
}

pub(crate) fn make(value: impl FnOnce() -> Result<Value, Failure>) -> *mut rtmpkit_value {
    crate::panic::boundary(|| Ok(give(rtmpkit_value::new(value()?))))
}

pub(crate) fn wrong_type(wanted: &str) -> Failure {
    Failure::invalid(format!("the value is no {wanted}"))
}

fn type_of(value: &Value) -> rtmpkit_value_types {
    match value {
        Value::Undefined => rtmpkit_value_types::RTMPKIT_VALUE_UNDEFINED,
        Value::Null => rtmpkit_value_types::RTMPKIT_VALUE_NULL,
        Value::Boolean(_) => rtmpkit_value_types::RTMPKIT_VALUE_BOOL,
        Value::Number(_) | Value::Integer(_) => rtmpkit_value_types::RTMPKIT_VALUE_NUMBER,
        Value::String(_) => rtmpkit_value_types::RTMPKIT_VALUE_STRING,
        Value::Object(_) | Value::EcmaArray(_) => rtmpkit_value_types::RTMPKIT_VALUE_OBJECT,
        Value::Array(_) => rtmpkit_value_types::RTMPKIT_VALUE_ARRAY,
        Value::Date(_) => rtmpkit_value_types::RTMPKIT_VALUE_DATE,
        Value::ByteArray(_) => rtmpkit_value_types::RTMPKIT_VALUE_BYTES,
        Value::Xml(_) | Value::XmlDocument(_) => rtmpkit_value_types::RTMPKIT_VALUE_XML,
        Value::VectorInt(_) => rtmpkit_value_types::RTMPKIT_VALUE_VECTOR_INT,
        Value::VectorUint(_) => rtmpkit_value_types::RTMPKIT_VALUE_VECTOR_UINT,
        Value::VectorDouble(_) => rtmpkit_value_types::RTMPKIT_VALUE_VECTOR_DOUBLE,
        Value::VectorObject(_) => rtmpkit_value_types::RTMPKIT_VALUE_VECTOR_OBJECT,
        Value::Dictionary(_) => rtmpkit_value_types::RTMPKIT_VALUE_DICTIONARY,
        _ => rtmpkit_value_types::RTMPKIT_VALUE_OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Lent<rtmpkit_value> {
        Lent::new(rtmpkit_value::new(
            Object::new().with("a", 1).with("b", "x").into(),
        ))
    }

    #[test]
    fn a_member_that_was_replaced_can_still_be_read() {
        let object = sample();
        let (mut before, mut after) = (0.0, 0.0);
        // SAFETY: pointers to live values.
        unsafe {
            let old = rtmpkit_value_object_get(object.as_ptr(), c"a".as_ptr());
            let new = rtmpkit_value_number(2.0);
            assert_eq!(rtmpkit_value_object_set(object.as_ptr(), c"a".as_ptr(), new), 0);
            rtmpkit_value_unref(new);
            assert_eq!(rtmpkit_value_get_number(old, &raw mut before), 0);
            let now = rtmpkit_value_object_get(object.as_ptr(), c"a".as_ptr());
            assert_eq!(rtmpkit_value_get_number(now, &raw mut after), 0);
        }
        assert_eq!((before, after), (1.0, 2.0));
    }

    #[test]
    fn what_was_found_inside_another_value_cannot_be_changed() {
        let outer = Lent::new(rtmpkit_value::new(Object::new().with("o", Object::new()).into()));
        // SAFETY: pointers to live values.
        let result = unsafe {
            let inner = rtmpkit_value_object_get(outer.as_ptr(), c"o".as_ptr());
            rtmpkit_value_object_set(inner.cast_mut(), c"k".as_ptr(), inner)
        };
        assert_eq!(result, -2);
    }

    #[test]
    fn members_are_listed_in_order_with_their_names() {
        let object = sample();
        let mut key = ptr::null();
        // SAFETY: pointers to live values.
        let (kind, name) = unsafe {
            let value = rtmpkit_value_object_at(object.as_ptr(), 1, &raw mut key);
            (rtmpkit_value_type(value), std::ffi::CStr::from_ptr(key))
        };
        assert_eq!(
            (kind, name),
            (rtmpkit_value_types::RTMPKIT_VALUE_STRING as i32, c"b")
        );
    }
}
