//! Which recorded streams are meant: one by its name, or those that a path names.

use crate::app::access::split_type;
use crate::app::application::is_valid_name;
use crate::app::path_pattern::PathPattern;
use crate::app::stream_files::KINDS;
use crate::error::{Error, Result};

/// Streams by name or by path.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    /// Only files of this kind: the name had a type prefix.
    pub(crate) kind: Option<String>,
    names: Names,
}

#[derive(Debug, Clone)]
enum Names {
    One(String),
    Matching(PathPattern),
}

impl Selection {
    /// The stream of this name, `mp4:film` for the file of that kind alone.
    pub(crate) fn one(name: &str) -> Result<Self> {
        let (kind, name) = split_type(name);
        if !is_valid_name(name) {
            return Err(Error::InvalidArgument(format!("stream name {name:?}")));
        }
        Ok(Self {
            kind: kind.map(str::to_owned),
            names: Names::One(name.to_owned()),
        })
    }

    /// The streams that a path names, `mp4:/films/*` for files of that kind alone.
    pub(crate) fn matching(path: &str) -> Result<Self> {
        let (kind, path) = split_type(path);
        let pattern = PathPattern::new(path)?;
        let folder = pattern.folder().trim_end_matches('/');
        if !folder.is_empty() && !is_valid_name(folder) {
            return Err(Error::InvalidArgument(format!("path {path:?}")));
        }
        Ok(Self {
            kind: kind.map(str::to_owned),
            names: Names::Matching(pattern),
        })
    }

    /// Whether a stream of that name is meant.
    pub(crate) fn takes(&self, name: &str) -> bool {
        match &self.names {
            Names::One(one) => one == name,
            Names::Matching(pattern) => pattern.matches(name),
        }
    }

    /// Whether a file is meant, by its path in the instance's folder: the stream's name with or without the ending.
    pub(super) fn takes_file(&self, path: &str) -> bool {
        let Some((stem, ending)) = path.rsplit_once('.') else {
            return false;
        };
        self.takes_ending(ending) && (self.takes(stem) || self.takes(path))
    }

    pub(super) fn folder(&self) -> &str {
        match &self.names {
            Names::One(name) => name.rfind('/').map_or("", |at| &name[..at]),
            Names::Matching(pattern) => pattern.folder().trim_end_matches('/'),
        }
    }

    pub(super) fn is_deep(&self) -> bool {
        matches!(&self.names, Names::Matching(pattern) if pattern.is_deep())
    }

    fn takes_ending(&self, ending: &str) -> bool {
        let of_kind = |(kind, _): &&(&str, &[&str])| self.kind.as_ref().is_none_or(|wanted| wanted == kind);
        KINDS
            .iter()
            .filter(of_kind)
            .any(|(_, endings)| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))
    }
}
