//! From a stream's name to its file, for recording and for playing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::app::access::split_type;
use crate::app::application::is_valid_name;
use crate::app::stream_files::{KINDS, StreamFiles, Target};

/// Why a stream has no file that could be recorded to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotRecordable {
    /// Only FLV files are written.
    #[error("{0}: files cannot be recorded, only flv: files")]
    Kind(String),
    /// The name makes no file name on every system.
    #[error("{0:?} is no name for a file")]
    Name(String),
    /// Something that is no plain file, or no folder, is in the way, for example a link.
    #[error("{0:?} is in the way")]
    InTheWay(String),
    /// A folder cannot be made or looked into.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The longest file name of common file systems, in bytes.
const MAX_FILE_NAME: usize = 255;

impl StreamFiles {
    /// The file that a stream is recorded to, whose folders are made; it may exist as a plain file. Blocks.
    pub(crate) fn to_record(&self, name: &str) -> Result<PathBuf, NotRecordable> {
        let (kind, name) = split_type(name);
        if let Some(kind) = kind.filter(|kind| *kind != "flv") {
            return Err(NotRecordable::Kind(kind.to_owned()));
        }
        if !is_valid_name(name) || !name.split('/').all(is_portable) {
            return Err(NotRecordable::Name(name.to_owned()));
        }
        fs::create_dir_all(&self.folder)?;
        let mut path = fs::canonicalize(&self.folder)?;
        let (folders, file) = name.rsplit_once('/').unwrap_or(("", name));
        for folder in folders.split('/').filter(|folder| !folder.is_empty()) {
            path.push(folder);
            match fs::create_dir(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
                _ if fs::symlink_metadata(&path)?.is_dir() => {}
                _ => return Err(NotRecordable::InTheWay(folder.to_owned())),
            }
        }
        path.push(recorded_name(file));
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_file() => Ok(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path),
            Ok(_) => Err(NotRecordable::InTheWay(file.to_owned())),
            Err(error) => Err(error.into()),
        }
    }

    /// The path within this folder of the file that a recording is for, with `/`; `None` if it is elsewhere. Makes nothing. Blocks
    /// unless both have the same folder.
    pub(crate) fn path_of(&self, target: &Target) -> Option<String> {
        let (kind, name) = split_type(&target.name);
        let name = recorded_name(name);
        if kind.is_some_and(|kind| kind != "flv") {
            return None;
        }
        if self.folder == target.files.folder {
            return Some(name);
        }
        let (ours, theirs) = (&self.folder, &target.files.folder);
        let path = fs::canonicalize(theirs).ok()?.join(name);
        let path = path.strip_prefix(fs::canonicalize(ours).ok()?).ok()?;
        let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
        Some(parts?.join("/"))
    }

    /// The file of a stream to play; `None` if there is none. A type prefix says which kind of file, `flv:` without one; the
    /// name may have the file's ending or not. Blocks.
    pub(crate) fn to_play(&self, name: &str) -> io::Result<Option<PathBuf>> {
        let (kind, name) = split_type(name);
        let kind = kind.unwrap_or("flv");
        let known = KINDS.iter().find(|(known, _)| *known == kind);
        let Some((_, endings)) = known.filter(|_| is_valid_name(name)) else {
            return Ok(None);
        };
        let Some(mut folder) = found(fs::canonicalize(&self.folder))? else {
            return Ok(None);
        };
        let (folders, file) = name.rsplit_once('/').unwrap_or(("", name));
        for part in folders.split('/').filter(|part| !part.is_empty()) {
            folder.push(part);
            if !found(fs::symlink_metadata(&folder))?.is_some_and(|found| found.is_dir()) {
                return Ok(None);
            }
        }
        let as_named = has_ending(file, endings).then(|| file.to_owned());
        let with_ending = endings.iter().map(|ending| format!("{file}.{ending}"));
        for candidate in as_named.into_iter().chain(with_ending) {
            let path = folder.join(candidate);
            if is_plain_file(&path)? {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }
}

/// The file that a stream of this name is recorded to.
fn recorded_name(name: &str) -> String {
    let file = name.rsplit_once('/').map_or(name, |(_, file)| file);
    match has_ending(file, &["flv"]) {
        true => name.to_owned(),
        false => format!("{name}.flv"),
    }
}

fn has_ending(file: &str, endings: &[&str]) -> bool {
    let ending = file.rsplit_once('.').filter(|(stem, _)| !stem.is_empty());
    ending.is_some_and(|(_, ending)| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

fn is_plain_file(path: &Path) -> io::Result<bool> {
    Ok(found(fs::symlink_metadata(path))?.is_some_and(|found| found.is_file()))
}

/// That something does not exist is no error here; nor is a name that the file system knows to be too long.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound};
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) => match error.kind() {
            NotFound | NotADirectory | InvalidFilename | InvalidInput => Ok(None),
            _ => Err(error),
        },
    }
}

/// Whether a part of a name is a plain file name on every system: no hidden file, no device, nothing that Windows cuts off.
fn is_portable(part: &str) -> bool {
    const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
    let stem = part
        .split('.')
        .next()
        .unwrap_or(part)
        .trim_end()
        .to_ascii_lowercase();
    let numbered = ["com", "lpt"].iter().any(|device| {
        stem.strip_prefix(device)
            .is_some_and(|number| number.chars().count() == 1 && number.chars().all(char::is_numeric))
    });
    part.len() + ".flv".len() <= MAX_FILE_NAME
        && !part.starts_with('.')
        && !part.ends_with(['.', ' '])
        && !part.contains(['<', '>', ':', '"', '|', '?', '*'])
        && !DEVICES.contains(&stem.as_str())
        && !numbered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(test: &str) -> (PathBuf, StreamFiles) {
        let directory = std::env::temp_dir().join(format!("rtmpkit-resolve-{}-{test}", std::process::id()));
        // What an earlier run left.
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let directory = fs::canonicalize(directory).unwrap();
        let files = StreamFiles::new(&directory, "vod", "vod/room");
        (directory, files)
    }

    #[test]
    fn names_to_record_become_flv_files_in_folders_that_are_made() {
        let (directory, files) = files("record");
        let folder = directory.join("streams/room");
        for (name, file) in [
            ("cam", "cam.flv"),
            ("flv:cam", "cam.flv"),
            ("cam.flv", "cam.flv"),
            ("cam.FLV", "cam.FLV"),
            ("a/b/cam.mp4", "a/b/cam.mp4.flv"),
        ] {
            assert_eq!(files.to_record(name).unwrap(), folder.join(file), "{name}");
        }
        assert!(folder.join("a/b").is_dir());
        assert!(!folder.join("cam.flv").exists(), "the file itself is not made");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn names_that_are_no_file_are_not_recorded() {
        let (directory, files) = files("refused");
        for name in ["mp4:film", "mp3:song", "raw:x"] {
            assert!(
                matches!(files.to_record(name), Err(NotRecordable::Kind(_))),
                "{name}"
            );
        }
        let long = "x".repeat(252);
        for name in [
            "", "../x", "/abs", "flv:../x", "C:\\x", "c:x", ".hidden", "a/.b/c", "end.", "end ", "CON",
            "com1.x", "a/Nul", "what?", &long,
        ] {
            assert!(
                matches!(files.to_record(name), Err(NotRecordable::Name(_))),
                "{name}"
            );
        }
        fs::create_dir_all(files.folder.join("folder.flv")).unwrap();
        fs::write(files.folder.join("file"), b"").unwrap();
        for name in ["folder", "file/x"] {
            assert!(
                matches!(files.to_record(name), Err(NotRecordable::InTheWay(_))),
                "{name}"
            );
        }
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn names_to_play_are_found_with_and_without_ending() {
        let (directory, files) = files("play");
        assert_eq!(files.to_play("a").unwrap(), None, "there is no folder yet");
        for file in ["a.flv", "b.mp4", "c.F4V", "x/d.mp3", "e.mp4.flv", ".flv"] {
            let path = files.folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
        for (name, expected) in [
            ("a", Some("a.flv")),
            ("a.flv", Some("a.flv")),
            ("flv:a", Some("a.flv")),
            ("mp4:a", None),
            ("b", None),
            ("mp4:b", Some("b.mp4")),
            ("f4v:b.mp4", Some("b.mp4")),
            ("mp4:c.F4V", Some("c.F4V")),
            ("mp3:x/d", Some("x/d.mp3")),
            ("e.mp4", Some("e.mp4.flv")),
            ("x/none", None),
            ("none/d", None),
            ("a.flv/d", None),
            ("../room/a", None),
            ("raw:a", None),
            (&"x".repeat(256), None),
        ] {
            let expected = expected.map(|file| files.folder.join(file));
            assert_eq!(files.to_play(name).unwrap(), expected, "{name}");
        }
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn recordings_of_other_instances_may_be_within_a_folder() {
        let (directory, files) = files("within");
        let path = |folder: PathBuf, name: &str| {
            let files = StreamFiles { folder };
            let name = name.to_owned();
            files.to_record(&name).ok();
            (name, files)
        };
        let of = |(name, theirs): (String, StreamFiles)| files.path_of(&Target { files: theirs, name });
        let same = files.folder.clone();
        assert_eq!(of(path(same.clone(), "flv:a/cam")), Some("a/cam.flv".to_owned()));
        assert_eq!(of(path(same.clone(), "mp4:cam")), None);
        let other = same.join("..").join(same.file_name().unwrap());
        assert_eq!(of(path(other, "cam.flv")), Some("cam.flv".to_owned()));
        assert_eq!(of(path(same.join("a"), "cam")), Some("a/cam.flv".to_owned()));
        assert_eq!(of(path(same.with_extension("x"), "cam")), None);
        fs::remove_dir_all(directory).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_nowhere() {
        use std::os::unix::fs::symlink;
        let (directory, files) = files("links");
        let outside = directory.join("outside");
        fs::create_dir_all(&outside).unwrap();
        fs::create_dir_all(&files.folder).unwrap();
        fs::write(outside.join("kept.flv"), b"x").unwrap();
        symlink(&outside, files.folder.join("link")).unwrap();
        symlink(outside.join("kept.flv"), files.folder.join("kept.flv")).unwrap();
        symlink(outside.join("none.flv"), files.folder.join("none.flv")).unwrap();
        for name in ["link/kept", "kept", "link/new", "none"] {
            assert!(
                matches!(files.to_record(name), Err(NotRecordable::InTheWay(_))),
                "{name}"
            );
            assert_eq!(files.to_play(name).unwrap(), None, "{name}");
        }
        fs::remove_dir_all(directory).unwrap();
    }
}
