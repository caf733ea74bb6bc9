//! Dictionaries of AMF3 (AMF 3, 3.16).

use std::ptr;

use rtmp_core::Value;
use rtmp_core::amf::Dictionary;

use crate::error::rtmpkit_result;
use crate::value::{Place, make, rtmpkit_value};

/// Makes a dictionary without entries; `weak_keys` if the receiving side is to hold its keys weakly. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rtmpkit_value_dictionary(weak_keys: bool) -> *mut rtmpkit_value {
    make(|| Ok(Dictionary::new(weak_keys, Vec::new()).into()))
}

/// How many entries a dictionary has; 0 for everything else. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_dictionary_len(dictionary: *const rtmpkit_value) -> usize {
    entry!(|host| {
        let dictionary = host.handle(dictionary)?.to_value();
        Ok(entries(&dictionary).map_or(0, |dictionary| dictionary.entries().len()))
    })
}

/// Whether the keys of a dictionary are held weakly on the receiving side; false for everything else. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_dictionary_has_weak_keys(dictionary: *const rtmpkit_value) -> bool {
    entry!(|host| {
        let dictionary = host.handle(dictionary)?.to_value();
        Ok(entries(&dictionary).is_some_and(Dictionary::has_weak_keys))
    })
}

/// The value of the first entry with this key, or NULL if there is none or `dictionary` is no dictionary. Entries are looked
/// at one after the other. Keys are the same if they are equal; those that are objects, arrays or other containers if they
/// are the same instance, as in Flash: one that `rtmpkit_value_dictionary_at` found, or the one that was passed to
/// `rtmpkit_value_dictionary_set`, until it is changed. Ownership: it belongs to `dictionary`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_dictionary_get(
    dictionary: *const rtmpkit_value,
    key: *const rtmpkit_value,
) -> *const rtmpkit_value {
    entry!(|host| {
        let (handle, key) = (host.handle(dictionary)?, host.handle(key)?.to_value());
        let dictionary = handle.to_value();
        let found = entries(&dictionary).and_then(|dictionary| {
            let at = dictionary.position(&key)?;
            Some((at, dictionary.entries().get(at)?.1.clone()))
        });
        Ok(found.map_or(ptr::null(), |(at, value)| {
            handle.child(Place::Item(at), "", value)
        }))
    })
}

/// The value of the entry at a position, 0 to `rtmpkit_value_dictionary_len` - 1, with its key in `*key` if `key` is not
/// NULL; NULL if there is none. Ownership: both belong to `dictionary`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_dictionary_at(
    dictionary: *const rtmpkit_value,
    index: usize,
    key: *mut *const rtmpkit_value,
) -> *const rtmpkit_value {
    entry!(|host| {
        let handle = host.handle(dictionary)?;
        let dictionary = handle.to_value();
        let found = entries(&dictionary).and_then(|dictionary| dictionary.entries().get(index));
        let Some((name, value)) = found else {
            return Ok(ptr::null());
        };
        if !key.is_null() {
            host.put(key, handle.child(Place::Key(index), "", name.clone()), "key")?;
        }
        Ok(handle.child(Place::Item(index), "", value.clone()))
    })
}

/// Sets the value of an entry to a copy of `value`, or adds an entry with copies of both at the end. Which keys are the same
/// is told at `rtmpkit_value_dictionary_get`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` if `dictionary` is no dictionary,
/// `RTMPKIT_ERR_WRONG_STATE` if it may not be changed. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_dictionary_set(
    dictionary: *mut rtmpkit_value,
    key: *const rtmpkit_value,
    value: *const rtmpkit_value,
) -> rtmpkit_result {
    entry!(|host| {
        let handle = host.handle(dictionary)?;
        let (key, value) = (host.handle(key)?.to_value(), host.handle(value)?.to_value());
        handle.change(|dictionary| {
            let Value::Dictionary(dictionary) = dictionary else {
                return None;
            };
            let place = dictionary.position(&key).map_or(Place::End, Place::Item);
            dictionary.insert(key, value);
            Some(place)
        })?;
        Ok(0)
    })
}

fn entries(value: &Value) -> Option<&Dictionary> {
    match value {
        Value::Dictionary(dictionary) => Some(dictionary),
        _ => None,
    }
}
