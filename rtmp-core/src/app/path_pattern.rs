//! Paths with wildcards, by which the host names shared objects and streams of an instance.

use crate::error::{Error, Result};

/// Names that a path stands for: `/` for all, `/a/b` for one, `/a/` for all below `a`; in the last segment `*` stands for any
/// characters and `?` for one.
#[derive(Debug, Clone)]
pub(crate) struct PathPattern {
    /// Segments before the last, with their slashes.
    folder: String,
    /// `None` takes everything below the folder.
    last: Option<Vec<char>>,
}

impl PathPattern {
    /// Reads a path; wildcards in any other segment than the last are an error, and so is none at all.
    pub(crate) fn new(path: &str) -> Result<Self> {
        if path.is_empty() {
            let text = "an empty path names nothing; \"/\" names everything".to_owned();
            return Err(Error::InvalidArgument(text));
        }
        let path = path.strip_prefix('/').unwrap_or(path);
        let (folder, last) = match path.rfind('/') {
            Some(at) => path.split_at(at + 1),
            None => ("", path),
        };
        if folder.contains(['*', '?']) {
            return Err(Error::InvalidArgument(format!(
                "path {path:?}: wildcards stand in the last segment alone"
            )));
        }
        Ok(Self {
            folder: folder.to_owned(),
            last: (!last.is_empty()).then(|| last.chars().collect()),
        })
    }

    /// The segments before the last, with a slash at the end if there are any.
    pub(crate) fn folder(&self) -> &str {
        &self.folder
    }

    /// Whether everything below the folder is meant, however deep.
    pub(crate) fn is_deep(&self) -> bool {
        self.last.is_none()
    }

    /// Whether the path names this.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let Some(rest) = name.strip_prefix(&self.folder) else {
            return false;
        };
        match &self.last {
            None => true,
            Some(pattern) => !rest.contains('/') && matches(pattern, &rest.chars().collect::<Vec<_>>()),
        }
    }
}

/// Whether `*` and `?` in the pattern can stand for what the text has there. Linear memory, no recursion: on a mismatch
/// the last `*` takes one character more.
fn matches(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = text.get(t) {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == c => {
                p += 1;
                t += 1;
            }
            _ => match &mut star {
                Some((at, taken)) => {
                    *taken += 1;
                    (p, t) = (*at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::PathPattern;

    #[test]
    fn paths_name_what_their_wildcards_say() {
        let cases = [
            ("/", "a", true),
            ("/", "a/b", true),
            ("/a", "a", true),
            ("a", "a", true),
            ("/a", "ab", false),
            ("/a/b", "a/b", true),
            ("/a/", "a/b/c", true),
            ("/a/", "ab", false),
            ("/a/*", "a/b", true),
            ("/a/*", "a/b/c", false),
            ("/*", "a/b", false),
            ("/r*m?", "room1", true),
            ("/r*m?", "rm", false),
            ("/*a*b", "xaxxbb", true),
            ("/*a*b", "xaxxbc", false),
            ("/?", "é", true),
        ];
        for (path, name, expected) in cases {
            assert_eq!(
                PathPattern::new(path).unwrap().matches(name),
                expected,
                "{path} {name}"
            );
        }
        assert!(PathPattern::new("/*/a").is_err());
        assert!(
            PathPattern::new("").is_err(),
            "what was forgotten is not everything"
        );
    }
}
