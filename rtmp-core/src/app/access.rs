//! What a client may read and write: lists of paths, and what they mean for streams and shared objects.

use std::fmt;
use std::sync::Arc;

/// Paths below which something is permitted, as in `/rooms/a;/public`: `/` permits everything, the empty list nothing.
/// A path permits what it names and all below it, whole elements compared, capitals told from small letters.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessList {
    text: Arc<str>,
}

/// What a client may do, by lists of paths. Streams and shared objects of its instance are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    /// Streams it may play, shared objects it may join.
    pub(crate) read: AccessList,
    /// Streams it may publish and record, shared objects it may create and change.
    pub(crate) write: AccessList,
    /// Streams whose decoded audio a player may look at.
    pub(crate) audio_samples: AccessList,
    /// Streams whose decoded video a player may look at.
    pub(crate) video_samples: AccessList,
}

/// Prefixes that say which kind of file a stream name means.
pub(crate) const TYPE_PREFIXES: [&str; 6] = ["flv", "mp4", "f4v", "mp3", "id3", "raw"];

impl AccessList {
    /// The list of these paths, separated by semicolons. Empty ones between semicolons name nothing.
    pub fn new(paths: &str) -> Self {
        Self { text: paths.into() }
    }

    /// Everything.
    pub fn all() -> Self {
        Self::new("/")
    }

    /// Nothing.
    pub fn none() -> Self {
        Self::new("")
    }

    /// The paths as they were given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a stream or shared object of that name is named by the list. A type prefix (`mp4:`) does not count.
    pub fn permits(&self, name: &str) -> bool {
        let name = split_type(name).1;
        let paths = self
            .text
            .split(';')
            .map(str::trim)
            .filter(|path| !path.is_empty());
        paths.into_iter().any(|path| is_within(name, path))
    }
}

impl Access {
    /// Everything, but samples only as the protocol's settings say.
    pub(crate) fn new((audio, video): (bool, bool)) -> Self {
        let samples = |on: bool| if on { AccessList::all() } else { AccessList::none() };
        Self {
            read: AccessList::all(),
            write: AccessList::all(),
            audio_samples: samples(audio),
            video_samples: samples(video),
        }
    }
}

/// Cuts a type prefix off a stream name.
pub(crate) fn split_type(name: &str) -> (Option<&str>, &str) {
    match name.split_once(':') {
        Some((kind, rest)) if TYPE_PREFIXES.contains(&kind) => (Some(kind), rest),
        _ => (None, name),
    }
}

/// Names with `..` are in no path but `/`: they are refused elsewhere, and must not slip through here.
fn is_within(name: &str, path: &str) -> bool {
    let mut path = elements(path).peekable();
    if path.peek().is_none() {
        return true;
    }
    let mut of_name = elements(name);
    let begins = path.all(|element| of_name.next() == Some(element));
    begins && !elements(name).any(|element| matches!(element, "." | ".."))
}

fn elements(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|element| !element.is_empty())
}

impl fmt::Debug for AccessList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessList({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_permit_whole_path_elements() {
        for (list, name, expected) in [
            ("/", "cam", true),
            ("/", "a/b", true),
            ("", "cam", false),
            (";", "cam", false),
            ("/a/b;/c", "a/b", true),
            ("/a/b;/c", "a/b/x", true),
            ("/a/b;/c", "c/x/y", true),
            ("/a/b;/c", "a/bc", false),
            ("/a/b;/c", "a", false),
            ("/a/b;/c", "C/x", false),
            ("a/b/ ; c", "a/b/x", true),
            ("/a", "mp4:a/film.mp4", true),
            ("/a", "flv:a/x", true),
            ("/a", "mp3:b/x", false),
            ("/a", "MP4:a/x", false),
            ("/a", "a/../b", false),
            ("/a", "/a/x", true),
            ("/mp4:a", "mp4:a", false),
        ] {
            assert_eq!(AccessList::new(list).permits(name), expected, "{list:?} {name:?}");
        }
    }
}
