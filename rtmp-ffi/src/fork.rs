//! A child made by `fork` has none of the library's threads: what was made before is dead there.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

static GENERATION: AtomicU32 = AtomicU32::new(0);

extern "C" fn forked() {
    GENERATION.fetch_add(1, Relaxed);
}

/// How many forks lie between this process and the first that used the library. Handles of another generation are
/// dead.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Relaxed)
}

/// Begins to count.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: `forked` only touches an atomic, which a child may do at any moment.
        let result = unsafe { libc::pthread_atfork(None, None, Some(forked)) };
        if result != 0 {
            log::warn!("forks cannot be noticed: pthread_atfork returned {result}");
        }
    });
}
