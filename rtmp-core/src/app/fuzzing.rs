//! Doors for `tests/fuzz` to what lies on a disk: stored shared objects and recorded streams. Not part of the face.

use std::path::Path;

use crate::app::shared_object::fuzzing as objects;
use crate::app::stream_files::{FilesInUse, StreamFiles};
use crate::app::vod::fuzzing as vod;

/// Reads the stored form of a shared object and writes it again, as it is kept and as a server has it in use; `None` if it is
/// damaged.
pub fn stored_object(bytes: &[u8]) -> Option<[Vec<u8>; 2]> {
    objects::stored_object(bytes)
}

/// Plays a recorded stream of a directory: from its beginning, and from a time on; how many messages that gave, and how many
/// bytes the largest batch of them had.
pub fn recorded(directory: &Path, name: &str, time: u32) -> (usize, usize) {
    let files = StreamFiles::new(directory, "live", "live");
    vod::play(&files, &FilesInUse::default(), name, time)
}
