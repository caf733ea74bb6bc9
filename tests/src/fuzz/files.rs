//! Folders for what is fuzzed with files.

use std::fs;
use std::path::{Path, PathBuf};

/// An empty folder, in memory where there is such a file system; gone with this.
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it. The name tells those of one process apart.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new(name: &str) -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let path = parent.join(format!("rtmpkit-fuzz-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder for files");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is a temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}
