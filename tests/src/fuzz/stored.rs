//! What stands on disk of persistent shared objects: damaged entries are errors, whole ones come back the same.

use rtmp_core::fuzzing;

use super::memory;

/// A stored entry.
pub fn run(bytes: &[u8]) {
    let ((), peak) = memory::peak(|| {
        let Some([kept, used]) = fuzzing::stored_object(bytes) else {
            return;
        };
        let again = fuzzing::stored_object(&kept);
        assert!(
            again.is_some_and(|[again, _]| again == kept),
            "it is written as it was read"
        );
        let again = fuzzing::stored_object(&used);
        assert!(again.is_some(), "what was in use can be stored");
    });
    assert!(
        peak <= (64 << 10) + 1024 * bytes.len(),
        "{peak} bytes for {}",
        bytes.len()
    );
}
