//! Reference-counted bytes: payloads that a callback keeps, or that the host writes, without a copy.

use std::ffi::c_void;
use std::slice;

use bytes::Bytes;

use crate::handle::{Castable, add_ref, give, unref};
use crate::release::{UserData, rtmpkit_release_fn};

/// Bytes that never change. Since 0.1.
pub struct rtmpkit_buffer {
    /// What the host sees.
    data: Bytes,
    /// What it is a part of: the message body of a payload.
    whole: Bytes,
}

impl Castable for rtmpkit_buffer {
    const NAME: &'static str = "buffer";
    const TAG: u32 = 0x4255_4631;
}

impl rtmpkit_buffer {
    pub(crate) fn new(data: Bytes, whole: Bytes) -> Self {
        Self { data, whole }
    }

    pub(crate) fn data(&self) -> &Bytes {
        &self.data
    }

    /// The same bytes without a copy, if they lie inside this buffer.
    pub(crate) fn share(&self, bytes: &[u8]) -> Option<Bytes> {
        [&self.data, &self.whole].into_iter().find_map(|ours| {
            let at = bytes.as_ptr().addr().checked_sub(ours.as_ptr().addr())?;
            let end = at.checked_add(bytes.len())?;
            (end <= ours.len()).then(|| ours.slice(at..end))
        })
    }
}

/// Memory of the host, given back when the last reference is gone.
struct Wrapped {
    data: *const u8,
    len: usize,
    release: rtmpkit_release_fn,
    user_data: UserData,
}

// SAFETY: the host promises not to change the memory before it is given back, and `release` may run on any thread.
unsafe impl Send for Wrapped {}

impl AsRef<[u8]> for Wrapped {
    fn as_ref(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: checked when it was wrapped; the host keeps the memory until `release`.
        unsafe { slice::from_raw_parts(self.data, self.len) }
    }
}

impl Drop for Wrapped {
    fn drop(&mut self) {
        call_host!(self.release, self.user_data.0);
    }
}

/// Makes a buffer of a copy of `len` bytes. Ownership: one reference. Errors: NULL if `data` is NULL and `len` is not
/// 0. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_buffer_copy(data: *const u8, len: usize) -> *mut rtmpkit_buffer {
    entry!(|host| {
        let data = Bytes::copy_from_slice(host.bytes(data, len, "data")?);
        Ok(give(rtmpkit_buffer::new(data.clone(), data)))
    })
}

/// Makes a buffer of the host's own memory without a copy. The memory must not change until `release(user_data)` gives
/// it back, which happens once. `release` may be NULL for memory that is never freed.
/// Threads: `release` runs on the thread that drops the last reference, perhaps inside `rtmpkit_buffer_unref`.
/// Ownership: one reference. Errors: NULL as for `rtmpkit_buffer_copy`; `release` is then not called. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_buffer_wrap(
    data: *const u8,
    len: usize,
    release: rtmpkit_release_fn,
    user_data: *mut c_void,
) -> *mut rtmpkit_buffer {
    entry!(|host| {
        host.bytes(data, len, "data")?;
        let wrapped = Wrapped {
            data,
            len,
            release,
            user_data: UserData(user_data),
        };
        let data = Bytes::from_owner(wrapped);
        Ok(give(rtmpkit_buffer::new(data.clone(), data)))
    })
}

/// Adds a reference and returns `buffer`: keeps a payload beyond its callback without a copy. NULL does nothing.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_buffer_ref(buffer: *mut rtmpkit_buffer) -> *mut rtmpkit_buffer {
    entry!(|host| add_ref(&host, buffer))
}

/// Gives a reference back. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_buffer_unref(buffer: *mut rtmpkit_buffer) {
    entry!(|host| unref(&host, buffer));
}

/// The bytes; NULL for NULL. Ownership: they belong to `buffer`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_buffer_data(buffer: *const rtmpkit_buffer) -> *const u8 {
    entry!(|host| Ok(host.handle(buffer)?.data.as_ptr()))
}

/// How many bytes; 0 for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_buffer_len(buffer: *const rtmpkit_buffer) -> usize {
    entry!(|host| Ok(host.handle(buffer)?.data.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_inside_a_buffer_are_shared_and_others_are_not() {
        let whole = Bytes::from_static(b"0123456789");
        let buffer = rtmpkit_buffer::new(whole.slice(4..), whole.clone());
        assert_eq!(buffer.share(&whole[2..5]).unwrap(), &b"234"[..]);
        assert_eq!(buffer.share(&whole[6..]).unwrap().as_ptr(), whole[6..].as_ptr());
        assert!(buffer.share(b"234").is_none());
    }
}
