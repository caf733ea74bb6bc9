//! Recorded streams on disk: where they are, and deleting them. Names of peers and hosts never lead out of the instance's
//! folder, not through links either.

mod clearing;
mod in_use;
mod resolve;
mod selection;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::app::application::DEFAULT_INSTANCE;
pub(crate) use clearing::{Begun, Clearable, Pending, Target};
pub(crate) use in_use::{FilesInUse, InUse, PlayGuard, RecordGuard};
pub(crate) use selection::Selection;

/// The folder of an instance's recorded streams.
#[derive(Debug, Clone)]
pub(crate) struct StreamFiles {
    folder: PathBuf,
}

/// Kinds of files by type prefix, and how their names end.
const KINDS: [(&str, &[&str]); 5] = [
    ("flv", &["flv"]),
    ("mp4", &["mp4", "f4v", "m4v", "m4a"]),
    ("f4v", &["mp4", "f4v", "m4v", "m4a"]),
    ("mp3", &["mp3"]),
    ("id3", &["mp3"]),
];

/// Folders within folders that are looked into.
const MAX_DEPTH: usize = 32;

impl StreamFiles {
    /// The files of `app/instance`, under the directory of the application registered as `registered`.
    pub(crate) fn new(directory: &Path, registered: &str, full_name: &str) -> Self {
        let (app, instance) = full_name.split_once('/').unwrap_or((full_name, DEFAULT_INSTANCE));
        let root = match registered {
            "*" => directory.join(app),
            _ => directory.to_owned(),
        };
        Self {
            folder: root.join("streams").join(instance),
        }
    }

    /// Deletes the files of the streams selected; how many there were. Blocks.
    pub(crate) fn delete(&self, selection: &Selection) -> io::Result<usize> {
        let mut count = 0;
        for file in self.find(selection)? {
            match fs::remove_file(&file) {
                Ok(()) => count += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    fn find(&self, selection: &Selection) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        let mut folder = self.folder.clone();
        let mut prefix = String::new();
        for part in selection.folder().split('/').filter(|part| !part.is_empty()) {
            folder.push(part);
            prefix.push_str(part);
            prefix.push('/');
            // A link is no folder of ours, wherever it leads.
            match fs::symlink_metadata(&folder) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => return Ok(files),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
                Err(error) => return Err(error),
            }
        }
        collect(&folder, &prefix, selection, MAX_DEPTH, &mut files)?;
        Ok(files)
    }
}

fn collect(
    folder: &Path,
    prefix: &str,
    selection: &Selection,
    depth: usize,
    files: &mut Vec<PathBuf>,
) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        let file_name = entry.file_name();
        let Some(file_name) = file_name.to_str() else {
            continue;
        };
        if kind.is_dir() && selection.is_deep() && depth > 0 {
            collect(
                &entry.path(),
                &format!("{prefix}{file_name}/"),
                selection,
                depth - 1,
                files,
            )?;
        }
        if kind.is_file() && selection.takes_file(&format!("{prefix}{file_name}")) {
            files.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Result;

    fn streams(test: &str) -> (PathBuf, StreamFiles) {
        let directory = std::env::temp_dir().join(format!("rtmpkit-streams-{}-{test}", std::process::id()));
        // What an earlier run left.
        let _ = fs::remove_dir_all(&directory);
        let files = StreamFiles::new(&directory, "vod", "vod/_definst_");
        for name in [
            "a.flv",
            "a.mp4",
            "ab.flv",
            "films/one.mp4",
            "films/two.F4V",
            "films/old/x.mp3",
            "a.txt",
        ] {
            let file = files.folder.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, b"x").unwrap();
        }
        (directory, files)
    }

    #[test]
    fn files_are_where_the_convention_says() {
        let of = |registered, name| StreamFiles::new(Path::new("/d"), registered, name).folder;
        assert_eq!(of("vod", "vod/_definst_"), Path::new("/d/streams/_definst_"));
        assert_eq!(of("vod", "vod/a/b"), Path::new("/d/streams/a/b"));
        assert_eq!(of("*", "any/room"), Path::new("/d/any/streams/room"));
    }

    #[test]
    fn names_and_paths_select_files_by_kind() {
        let (directory, files) = streams("select");
        let count = |selection: Result<Selection>| files.find(&selection.unwrap()).unwrap().len();
        assert_eq!(count(Selection::one("a")), 2);
        assert_eq!(count(Selection::one("mp4:a")), 1);
        assert_eq!(count(Selection::one("mp4:films/one.mp4")), 1);
        assert_eq!(count(Selection::one("a.txt")), 0);
        assert_eq!(count(Selection::matching("/")), 6);
        assert_eq!(count(Selection::matching("/films/")), 3);
        assert_eq!(count(Selection::matching("/films/*")), 2);
        assert_eq!(count(Selection::matching("mp3:/")), 1);
        assert_eq!(count(Selection::matching("/a*")), 3);
        assert_eq!(files.delete(&Selection::one("flv:ab").unwrap()).unwrap(), 1);
        assert_eq!(count(Selection::matching("/")), 5);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn nothing_leads_out_of_the_folder() {
        let (directory, files) = streams("escape");
        for name in ["../a", "/etc/x", "films/../a", "a\\b", ""] {
            assert!(Selection::one(name).is_err(), "{name:?}");
        }
        for path in ["/../*", "/films/../", "/a/./*"] {
            assert!(Selection::matching(path).is_err(), "{path:?}");
        }
        #[cfg(unix)]
        {
            let outside = directory.join("outside");
            fs::create_dir_all(&outside).unwrap();
            fs::write(outside.join("kept.flv"), b"x").unwrap();
            std::os::unix::fs::symlink(&outside, files.folder.join("link")).unwrap();
            std::os::unix::fs::symlink(outside.join("kept.flv"), files.folder.join("kept.flv")).unwrap();
            for selection in [
                Selection::matching("/link/*"),
                Selection::one("link/kept"),
                Selection::one("kept"),
            ] {
                assert_eq!(files.delete(&selection.unwrap()).unwrap(), 0);
            }
            files.delete(&Selection::matching("/").unwrap()).unwrap();
            assert!(outside.join("kept.flv").exists());
        }
        fs::remove_dir_all(directory).unwrap();
    }
}
