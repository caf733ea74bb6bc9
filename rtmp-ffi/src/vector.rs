//! Vectors of AMF3 (AMF 3, 3.15).

use std::ffi::c_char;
use std::ptr;

use rtmp_core::Value;
use rtmp_core::amf::{ObjectVector, Vector};

use crate::error::{Failure, rtmpkit_result};
use crate::handle::give;
use crate::host::Host;
use crate::value::{rtmpkit_value, wrong_type};

/// Makes a `Vector.<int>` of a copy of `len` numbers; `fixed` if its length is to be fixed on the receiving side.
/// Errors: NULL if `items` is NULL and `len` is not 0. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_vector_int(
    items: *const i32,
    len: usize,
    fixed: bool,
) -> *mut rtmpkit_value {
    entry!(|host| make(&host, items, len, fixed))
}

/// Makes a `Vector.<uint>`. Errors: as `rtmpkit_value_vector_int`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_vector_uint(
    items: *const u32,
    len: usize,
    fixed: bool,
) -> *mut rtmpkit_value {
    entry!(|host| make(&host, items, len, fixed))
}

/// Makes a `Vector.<Number>`. Errors: as `rtmpkit_value_vector_int`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_vector_double(
    items: *const f64,
    len: usize,
    fixed: bool,
) -> *mut rtmpkit_value {
    entry!(|host| make(&host, items, len, fixed))
}

/// Makes a vector of objects without items; `rtmpkit_value_array_push` adds them, also if `fixed`, which means the
/// receiving side. `class_name` is what the items are instances of, by its name on the wire; NULL is any type (`*`).
/// Nobody checks that the items are. Errors: NULL if `class_name` is not UTF-8. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_vector_object(
    class_name: *const c_char,
    fixed: bool,
) -> *mut rtmpkit_value {
    entry!(|host| {
        let class = host.optional_text(class_name, "class_name")?.unwrap_or("*");
        let vector = ObjectVector::new(class, fixed, Vec::new());
        Ok(give(rtmpkit_value::new(vector.into())))
    })
}

/// Reads the numbers of a `Vector.<int>`. Ownership: they belong to `value`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` if it
/// is none. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_get_vector_int(
    value: *const rtmpkit_value,
    out: *mut *const i32,
    len: *mut usize,
) -> rtmpkit_result {
    entry!(|host| match host.handle(value)?.to_value() {
        Value::VectorInt(vector) => put(&host, &vector, out, len),
        _ => Err(wrong_type("vector of int")),
    })
}

/// Reads the numbers of a `Vector.<uint>`. Ownership and errors: as `rtmpkit_value_get_vector_int`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_get_vector_uint(
    value: *const rtmpkit_value,
    out: *mut *const u32,
    len: *mut usize,
) -> rtmpkit_result {
    entry!(|host| match host.handle(value)?.to_value() {
        Value::VectorUint(vector) => put(&host, &vector, out, len),
        _ => Err(wrong_type("vector of uint")),
    })
}

/// Reads the numbers of a `Vector.<Number>`. Ownership and errors: as `rtmpkit_value_get_vector_int`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_get_vector_double(
    value: *const rtmpkit_value,
    out: *mut *const f64,
    len: *mut usize,
) -> rtmpkit_result {
    entry!(|host| match host.handle(value)?.to_value() {
        Value::VectorDouble(vector) => put(&host, &vector, out, len),
        _ => Err(wrong_type("vector of doubles")),
    })
}

/// Whether the length of a vector is fixed on the receiving side; false for everything else. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_vector_is_fixed(vector: *const rtmpkit_value) -> bool {
    entry!(|host| {
        Ok(match host.handle(vector)?.to_value() {
            Value::VectorInt(vector) => vector.fixed,
            Value::VectorUint(vector) => vector.fixed,
            Value::VectorDouble(vector) => vector.fixed,
            Value::VectorObject(vector) => vector.is_fixed(),
            _ => false,
        })
    })
}

/// The class that a vector of objects names on the wire, `*` for any type; NULL if `vector` is none. Ownership: the text
/// belongs to `vector`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_value_vector_class(vector: *const rtmpkit_value) -> *const c_char {
    entry!(|host| {
        let handle = host.handle(vector)?;
        let Value::VectorObject(vector) = handle.to_value() else {
            return Ok(ptr::null());
        };
        Ok(handle.class_text(vector.type_name().as_str()))
    })
}

fn make<T: Copy>(host: &Host, items: *const T, len: usize, fixed: bool) -> Result<*mut rtmpkit_value, Failure>
where
    Vector<T>: Into<Value>,
{
    let items = host.numbers(items, len, "items")?.into();
    Ok(give(rtmpkit_value::new(Vector { fixed, items }.into())))
}

/// Lends the numbers of a vector. They never change, so the value that holds them keeps them where they are.
fn put<T>(
    host: &Host,
    vector: &Vector<T>,
    out: *mut *const T,
    len: *mut usize,
) -> Result<rtmpkit_result, Failure> {
    host.want(len, "len")?;
    host.put(out, vector.items.as_ptr(), "out")?;
    host.put(len, vector.items.len(), "len")?;
    Ok(0)
}
