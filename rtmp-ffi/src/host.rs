//! What entry points take from the host: pointers, checked for everything that can be checked.

use std::ffi::{CStr, c_char};
use std::mem::size_of;
use std::slice;
use std::sync::Arc;

use rtmp_core::Value;

use crate::error::Failure;
use crate::handle::{Castable, Handle};
use crate::tls::rtmpkit_tls_identity;
use crate::value::rtmpkit_value;

/// The caller of an entry point, bound by the contract on top of the header: its pointers are NULL or point to what
/// the declaration says, for as long as the call lasts.
pub(crate) struct Host(());

/// A struct that the host passes and that may grow: `size_t struct_size` comes first.
///
/// # Safety
/// The type is `repr(C)`, begins with a `usize`, and is valid for any bytes a C compiler puts there.
pub(crate) unsafe trait Growing: Copy {
    /// What `_init` fills in; `struct_size` is set apart.
    fn defaults() -> Self;
}

impl Host {
    /// # Safety
    /// The caller of the current entry point keeps the contract.
    pub(crate) unsafe fn trust() -> Self {
        Self(())
    }

    /// A reference to a handle for the length of the call.
    pub(crate) fn handle<T: Castable>(&self, ptr: *const T) -> Result<Arc<Handle<T>>, Failure> {
        // SAFETY: by the contract.
        unsafe { Handle::reference(ptr) }
    }

    /// A handle that may be left out.
    pub(crate) fn optional_handle<T: Castable>(
        &self,
        ptr: *const T,
    ) -> Result<Option<Arc<Handle<T>>>, Failure> {
        if ptr.is_null() {
            Ok(None)
        } else {
            self.handle(ptr).map(Some)
        }
    }

    /// A text.
    pub(crate) fn text(&self, ptr: *const c_char, what: &str) -> Result<&str, Failure> {
        if ptr.is_null() {
            return Err(Failure::invalid(format!("{what} is NULL")));
        }
        // SAFETY: by the contract, NUL-terminated.
        let text = unsafe { CStr::from_ptr(ptr) };
        text.to_str()
            .map_err(|error| Failure::invalid(format!("{what} is not UTF-8: {error}")))
    }

    /// A text that may be left out.
    pub(crate) fn optional_text(&self, ptr: *const c_char, what: &str) -> Result<Option<&str>, Failure> {
        if ptr.is_null() {
            Ok(None)
        } else {
            self.text(ptr, what).map(Some)
        }
    }

    /// Bytes; NULL is allowed for none.
    pub(crate) fn bytes(&self, data: *const u8, len: usize, what: &str) -> Result<&[u8], Failure> {
        self.numbers(data, len, what)
    }

    /// Bytes or other numbers; NULL is allowed for none.
    pub(crate) fn numbers<T: Copy>(&self, data: *const T, len: usize, what: &str) -> Result<&[T], Failure> {
        if len == 0 {
            return Ok(&[]);
        }
        let fits = len <= isize::MAX as usize / size_of::<T>();
        if data.is_null() || !data.is_aligned() || !fits {
            return Err(Failure::invalid(format!("{what}: {len} of them at {data:?}")));
        }
        // SAFETY: by the contract, `len` of them are there.
        Ok(unsafe { slice::from_raw_parts(data, len) })
    }

    /// AMF values given as an array of handles.
    pub(crate) fn values(
        &self,
        args: *const *const rtmpkit_value,
        count: usize,
    ) -> Result<Vec<Value>, Failure> {
        if count == 0 {
            return Ok(Vec::new());
        }
        if args.is_null() || count > isize::MAX as usize / size_of::<usize>() {
            return Err(Failure::invalid(format!("args: {count} values at {args:?}")));
        }
        // SAFETY: by the contract, `count` pointers are there.
        let args = unsafe { slice::from_raw_parts(args, count) };
        args.iter()
            .map(|value| Ok(self.handle(*value)?.to_value()))
            .collect()
    }

    /// Certificates and keys given as an array.
    pub(crate) fn identities(
        &self,
        identities: *const rtmpkit_tls_identity,
        count: usize,
    ) -> Result<&[rtmpkit_tls_identity], Failure> {
        let fits = count <= isize::MAX as usize / size_of::<rtmpkit_tls_identity>();
        if identities.is_null() || !identities.is_aligned() || !fits {
            return Err(Failure::invalid(format!("identities: {count} at {identities:?}")));
        }
        // SAFETY: by the contract, `count` of them are there, each of them two pointers.
        Ok(unsafe { slice::from_raw_parts(identities, count) })
    }

    /// Checks that there is a place for a result.
    pub(crate) fn want<T>(&self, out: *mut T, what: &str) -> Result<(), Failure> {
        match out.is_null() || !out.is_aligned() {
            true => Err(Failure::invalid(format!("{what} is NULL or not aligned"))),
            false => Ok(()),
        }
    }

    /// Writes a result.
    pub(crate) fn put<T>(&self, out: *mut T, value: T, what: &str) -> Result<(), Failure> {
        self.want(out, what)?;
        // SAFETY: by the contract, there is room for one.
        unsafe { out.write(value) };
        Ok(())
    }

    /// Writes a result if the host wants it.
    pub(crate) fn put_optional<T>(&self, out: *mut T, value: T) -> Result<(), Failure> {
        if out.is_null() {
            Ok(())
        } else {
            self.put(out, value, "an out-parameter")
        }
    }

    /// Writes results into an array of the host's.
    pub(crate) fn put_all<T>(&self, out: *mut T, values: Vec<T>, what: &str) -> Result<(), Failure> {
        self.want(out, what)?;
        for (index, value) in values.into_iter().enumerate() {
            // SAFETY: by the contract, there is room; callers pass no more values than the host's capacity.
            unsafe { out.add(index).write(value) };
        }
        Ok(())
    }

    /// Fills a struct with its defaults: the whole of an `_init` function.
    pub(crate) fn init<T: Growing>(&self, out: *mut T, size: usize) -> Result<i32, Failure> {
        self.fill_sized(out, size, T::defaults())?;
        Ok(0)
    }

    /// Reads a struct of the host's; what a newer header has behind it is not touched.
    pub(crate) fn read<T: Growing>(&self, ptr: *const T, what: &str) -> Result<T, Failure> {
        self.size(ptr, what)?;
        // SAFETY: by the contract and `struct_size`, the whole struct is there.
        Ok(unsafe { ptr.read() })
    }

    /// Reads a struct that may be left out for its defaults.
    pub(crate) fn read_optional<T: Growing>(&self, ptr: *const T, what: &str) -> Result<T, Failure> {
        if ptr.is_null() {
            Ok(T::defaults())
        } else {
            self.read(ptr, what)
        }
    }

    /// Fills a result struct of the host's, which says in `struct_size` how large it is.
    pub(crate) fn fill<T: Growing>(&self, out: *mut T, value: T, what: &str) -> Result<i32, Failure> {
        let size = self.size(out, what)?;
        self.fill_sized(out, size, value)?;
        Ok(0)
    }

    /// `struct_size`, which is never smaller than the struct was when it first appeared.
    fn size<T: Growing>(&self, ptr: *const T, what: &str) -> Result<usize, Failure> {
        if ptr.is_null() || !ptr.is_aligned() {
            return Err(Failure::invalid(format!("{what} is NULL or not aligned")));
        }
        // SAFETY: `Growing` types begin with a `usize`, and by the contract the struct is there.
        let size = unsafe { ptr.cast::<usize>().read() };
        match size >= size_of::<T>() {
            true => Ok(size),
            false => Err(Failure::invalid(format!(
                "{what}: struct_size is {size}; call its _init function first"
            ))),
        }
    }

    fn fill_sized<T: Growing>(&self, out: *mut T, size: usize, value: T) -> Result<(), Failure> {
        self.want(out, "the struct")?;
        if size < size_of::<usize>() {
            return Err(Failure::invalid(format!(
                "struct size {size}: pass sizeof the struct"
            )));
        }
        let known = size.min(size_of::<T>());
        // SAFETY: by the contract `size` bytes are there, and they begin with a `usize`.
        unsafe {
            std::ptr::copy_nonoverlapping((&raw const value).cast::<u8>(), out.cast::<u8>(), known);
            std::ptr::write_bytes(out.cast::<u8>().add(known), 0, size - known);
            out.cast::<usize>().write(size);
        }
        Ok(())
    }
}
