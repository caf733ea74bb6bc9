//! The stored form of an object: version, slots with their versions, and what was removed.
//!
//! ```text
//! u8 1 (form)  u32 version  u32 floor
//! u32 count, then per slot      u32 length  name  u32 version  u8 0 or 3  u32 length  AMF0 or AMF3 value
//! u32 count, then per tombstone u32 length  name  u32 version
//! ```

use crate::amf::{Limits, MAX_DEPTH, Value, amf0, amf3};
use crate::app::shared_object::slots::Snapshot;
use crate::error::{Error, Result};

const FORM: u8 = 1;
/// Values in a value, and bytes in it, references counted in full: far more than any message carries.
const MAX_ELEMENTS: usize = 16 << 20;
const MAX_EXPANDED: usize = 1 << 30;

/// The bytes of an object.
pub(crate) fn write(snapshot: &Snapshot) -> Vec<u8> {
    let mut out = vec![FORM];
    put(&mut out, snapshot.version);
    put(&mut out, snapshot.floor);
    put(&mut out, length(snapshot.slots.len()));
    for (name, version, value) in &snapshot.slots {
        put_bytes(&mut out, name.as_bytes());
        put(&mut out, *version);
        let (format, bytes) = encode(value);
        out.push(format);
        put_bytes(&mut out, &bytes);
    }
    put(&mut out, length(snapshot.tombstones.len()));
    for (name, version) in &snapshot.tombstones {
        put_bytes(&mut out, name.as_bytes());
        put(&mut out, *version);
    }
    out
}

/// The object in these bytes.
pub(crate) fn read(bytes: &[u8]) -> Result<Snapshot> {
    read_from(bytes).ok_or_else(|| Error::InvalidArgument("a stored shared object is damaged".to_owned()))
}

fn read_from(bytes: &[u8]) -> Option<Snapshot> {
    let (&form, rest) = bytes.split_first()?;
    if form != FORM {
        return None;
    }
    let mut rest = rest;
    let mut snapshot = Snapshot {
        version: take(&mut rest)?,
        floor: take(&mut rest)?,
        ..Snapshot::default()
    };
    for _ in 0..take(&mut rest)? {
        let name = take_text(&mut rest)?;
        let version = take(&mut rest)?;
        let (&format, after) = rest.split_first()?;
        rest = after;
        let value = decode(format, take_bytes(&mut rest)?)?;
        snapshot.slots.push((name, version, value));
    }
    for _ in 0..take(&mut rest)? {
        let name = take_text(&mut rest)?;
        snapshot.tombstones.push((name, take(&mut rest)?));
    }
    Some(snapshot)
}

/// AMF0 when it keeps all of the value, AMF3 otherwise.
fn encode(value: &Value) -> (u8, Vec<u8>) {
    let mut bytes = Vec::new();
    amf0::encode(value, &mut bytes);
    if decode(0, &bytes).as_ref() == Some(value) {
        return (0, bytes);
    }
    bytes.clear();
    amf3::encode(value, &mut bytes);
    (3, bytes)
}

fn decode(format: u8, bytes: &[u8]) -> Option<Value> {
    let limits = Limits {
        depth: MAX_DEPTH,
        elements: MAX_ELEMENTS,
        expanded_bytes: MAX_EXPANDED,
        ..Limits::default()
    };
    match format {
        0 => amf0::Decoder::new(bytes, limits).decode().ok(),
        3 => amf3::Decoder::new(bytes, limits).decode().ok(),
        _ => None,
    }
}

fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn put(out: &mut Vec<u8>, number: u32) {
    out.extend(number.to_be_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, length(bytes.len()));
    out.extend_from_slice(bytes);
}

fn take(rest: &mut &[u8]) -> Option<u32> {
    let (number, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(u32::from_be_bytes(*number))
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take(rest)?).ok()?;
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(bytes)
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    String::from_utf8(take_bytes(rest)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::{Date, Object};
    use bytes::Bytes;

    fn snapshot() -> Snapshot {
        let object = Object::new()
            .with("b", 2)
            .with("a", vec![Value::from("x"), Value::Null]);
        let bytes = Value::from(Bytes::from_static(b"\x00\xff"));
        let date = Value::from(Date {
            millis: 1e12,
            time_zone: 60,
        });
        let slots = [
            Value::from(object),
            bytes,
            date,
            Value::Integer(7),
            Value::from("text"),
        ];
        let name = |at: usize| format!("slot {at}");
        Snapshot {
            version: 9,
            floor: 2,
            slots: slots
                .into_iter()
                .enumerate()
                .map(|(at, value)| (name(at), 3, value))
                .collect(),
            tombstones: vec![("gone".to_owned(), 8)],
        }
    }

    #[test]
    fn every_kind_of_value_comes_back() {
        assert_eq!(read(&write(&snapshot())).unwrap(), snapshot());
    }

    #[test]
    fn a_damaged_object_is_an_error() {
        let bytes = write(&snapshot());
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "cut at {end}");
        }
        let mut other = bytes;
        other[0] = 2;
        assert!(read(&other).is_err());
    }
}
