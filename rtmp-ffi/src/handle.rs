//! Handles: what C holds is a counted reference to a [`Handle`], whatever the kind.

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::Arc;

use parking_lot::Mutex;
use rtmp_core::Error;

use crate::error::Failure;
use crate::fork;

/// An object that C may hold. The type itself is opaque in the header.
pub(crate) trait Castable: Send + Sync + Sized + 'static {
    /// The kind in messages.
    const NAME: &'static str;
    /// The kind in memory, so that a handle of another kind is noticed.
    const TAG: u32;
}

/// An object with what tells a live handle of the right kind from other memory.
#[repr(C)]
pub(crate) struct Handle<T> {
    tag: u32,
    generation: u32,
    object: T,
}

/// A handle of the library's own, lent to the host as a pointer.
pub(crate) struct Lent<T>(Arc<Handle<T>>);

impl<T: Castable> Handle<T> {
    fn new(object: T) -> Self {
        fork::watch();
        Self {
            tag: T::TAG,
            generation: fork::generation(),
            object,
        }
    }

    /// A new reference to the handle behind a pointer.
    ///
    /// # Safety
    /// `ptr` is NULL or points to a handle that somebody keeps alive during the call.
    pub(crate) unsafe fn reference(ptr: *const T) -> Result<Arc<Self>, Failure> {
        // SAFETY: as promised by the caller.
        let handle = unsafe { Self::check(ptr) }?;
        Ok(Arc::clone(&handle))
    }

    /// The handle behind a pointer, without touching its count.
    ///
    /// # Safety
    /// As for [`reference`](Self::reference).
    unsafe fn check(ptr: *const T) -> Result<ManuallyDrop<Arc<Self>>, Failure> {
        let handle = ptr.cast::<Self>();
        if handle.is_null() {
            return Err(Failure::invalid(format!("{} is NULL", T::NAME)));
        }
        if !handle.is_aligned() {
            return Err(Failure::invalid(format!("this is no {}", T::NAME)));
        }
        // SAFETY: not NULL and aligned; the caller promises that a handle of some kind is there, and all begin alike.
        let (tag, generation) = unsafe { ((*handle).tag, (*handle).generation) };
        if tag != T::TAG {
            return Err(Failure::invalid(format!("this is no {}, or no more", T::NAME)));
        }
        if generation != fork::generation() {
            return Err(Failure::forked(T::NAME));
        }
        // SAFETY: made by `give` or `Lent`, both of which use `Arc::into_raw`.
        Ok(ManuallyDrop::new(unsafe { Arc::from_raw(handle) }))
    }
}

impl<T> Deref for Handle<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.object
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        // Best effort: a use after the last unref then finds no handle, as long as the memory is not used again.
        // SAFETY: the field is ours and valid; volatile only keeps the write from being dropped with the object.
        unsafe { std::ptr::write_volatile(&raw mut self.tag, 0) };
    }
}

impl<T: Castable> Lent<T> {
    /// Wraps an object that the library goes on holding.
    pub(crate) fn new(object: T) -> Self {
        Self(Arc::new(Handle::new(object)))
    }

    /// The pointer to lend.
    pub(crate) fn as_ptr(&self) -> *mut T {
        Arc::as_ptr(&self.0).cast::<T>().cast_mut()
    }
}

impl<T> Clone for Lent<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Lent<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.object
    }
}

/// Gives the host the only reference to an object.
pub(crate) fn give<T: Castable>(object: T) -> *mut T {
    Arc::into_raw(Arc::new(Handle::new(object)))
        .cast::<T>()
        .cast_mut()
}

/// Adds a reference; returns the pointer it was given. NULL, and handles from before a fork, stay as they are.
pub(crate) fn add_ref<T: Castable>(host: &crate::host::Host, ptr: *mut T) -> Result<*mut T, Failure> {
    if !ptr.is_null() {
        // Held on purpose: this is the reference that the host now has.
        std::mem::forget(host.handle(ptr)?);
    }
    Ok(ptr)
}

/// Takes a reference back. NULL is nothing to do.
pub(crate) fn unref<T: Castable>(host: &crate::host::Host, ptr: *mut T) -> Result<(), Failure> {
    if ptr.is_null() {
        return Ok(());
    }
    let handle = host.handle(ptr)?;
    // SAFETY: the host gives back a reference that it has; the one in `handle` keeps the object alive meanwhile, so
    // that what dropping sets off runs here, after this.
    unsafe { Arc::decrement_strong_count(Arc::as_ptr(&handle)) };
    Ok(())
}

/// An object that `close` lets go of while handles to it still exist.
pub(crate) struct Slot<T>(Mutex<Option<T>>);

impl<T: Clone> Slot<T> {
    /// A slot with an object in it.
    pub(crate) fn new(object: T) -> Self {
        Self(Mutex::new(Some(object)))
    }

    /// The object, or the error that it is closed.
    pub(crate) fn get(&self, what: &'static str) -> Result<T, Failure> {
        self.0.lock().clone().ok_or_else(|| Error::Closed(what).into())
    }
}

impl<T> Slot<T> {
    /// Takes the object out. It is returned so that it is dropped outside the lock.
    pub(crate) fn take(&self) -> Option<T> {
        self.0.lock().take()
    }
}
