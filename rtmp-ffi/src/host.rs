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
    /// The size in the first release that had the struct: hosts may still be compiled with that. To be fixed when a member is
    /// appended after a release.
    const FIRST_SIZE: usize = size_of::<Self>();

    /// What `_init` fills in; `struct_size` is set apart.
    fn defaults() -> Self;
}

/// No struct will be larger: what says so was never initialised.
const LARGEST_STRUCT: usize = 64 << 10;

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

    /// A time that has to be there: none at all would end everything at once.
    pub(crate) fn time(&self, millis: u32, what: &str) -> Result<u32, Failure> {
        match millis {
            0 => Err(Failure::invalid(format!("{what} 0: use 1 or more milliseconds"))),
            _ => Ok(millis),
        }
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

    /// Reads a struct of the host's. What an older header lacks has its default; what a newer one has behind it is not
    /// touched.
    pub(crate) fn read<T: Growing>(&self, ptr: *const T, what: &str) -> Result<T, Failure> {
        let known = self.size(ptr, what)?.min(size_of::<T>());
        let mut value = T::defaults();
        // SAFETY: by the contract `struct_size` bytes are there, and any bytes make a valid `T`.
        unsafe {
            std::ptr::copy_nonoverlapping(ptr.cast::<u8>(), (&raw mut value).cast::<u8>(), known);
        }
        Ok(value)
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

    /// `struct_size`, which is never smaller than the struct was when it first appeared, nor larger than any will be.
    fn size<T: Growing>(&self, ptr: *const T, what: &str) -> Result<usize, Failure> {
        if ptr.is_null() || !ptr.is_aligned() {
            return Err(Failure::invalid(format!("{what} is NULL or not aligned")));
        }
        // SAFETY: `Growing` types begin with a `usize`, and by the contract the struct is there.
        let size = unsafe { ptr.cast::<usize>().read() };
        match (T::FIRST_SIZE..=LARGEST_STRUCT).contains(&size) {
            true => Ok(size),
            false => Err(Failure::invalid(format!(
                "{what}: struct_size is {size}; call its _init function first"
            ))),
        }
    }

    fn fill_sized<T: Growing>(&self, out: *mut T, size: usize, value: T) -> Result<(), Failure> {
        self.want(out, "the struct")?;
        if !(T::FIRST_SIZE..=LARGEST_STRUCT).contains(&size) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A struct to which `added` was appended after its first release.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Grown {
        struct_size: usize,
        old: u64,
        added: u64,
    }

    const OLD_SIZE: usize = 2 * size_of::<u64>();

    // SAFETY: `repr(C)`, `struct_size` first, integers.
    unsafe impl Growing for Grown {
        const FIRST_SIZE: usize = OLD_SIZE;

        fn defaults() -> Self {
            Self {
                struct_size: 0,
                old: 1,
                added: 2,
            }
        }
    }

    fn grown(struct_size: usize) -> Grown {
        Grown {
            struct_size,
            old: 7,
            added: 9,
        }
    }

    fn host() -> Host {
        // SAFETY: the pointers of these tests are what the contract wants.
        unsafe { Host::trust() }
    }

    #[test]
    fn what_an_older_header_lacks_has_its_default() {
        let read = host().read(&grown(OLD_SIZE), "config").unwrap();
        assert_eq!((read.old, read.added), (7, 2));
        let read = host().read(&grown(size_of::<Grown>()), "config").unwrap();
        assert_eq!((read.old, read.added), (7, 9));
    }

    #[test]
    fn nothing_is_written_behind_what_an_older_header_has() {
        let mut given = grown(0);
        host().init(&raw mut given, OLD_SIZE).unwrap();
        assert_eq!(
            given,
            Grown {
                struct_size: OLD_SIZE,
                old: 1,
                added: 9
            }
        );
        let value = Grown {
            struct_size: 0,
            old: 3,
            added: 4,
        };
        host().fill(&raw mut given, value, "counters").unwrap();
        assert_eq!((given.struct_size, given.old, given.added), (OLD_SIZE, 3, 9));
    }

    #[test]
    fn what_a_newer_header_has_behind_is_zero() {
        let mut given = [u64::MAX; 4];
        let size = size_of_val(&given);
        host().init(given.as_mut_ptr().cast::<Grown>(), size).unwrap();
        assert_eq!(given, [size as u64, 1, 2, 0]);
    }

    #[test]
    fn a_struct_without_a_size_is_refused() {
        for size in [0, 8, OLD_SIZE - 1, LARGEST_STRUCT + 1, usize::MAX] {
            assert!(host().read(&grown(size), "config").is_err(), "{size}");
            assert!(host().fill(&mut grown(size), grown(0), "counters").is_err());
            assert!(host().init(&mut grown(0), size).is_err(), "{size}");
        }
    }
}
