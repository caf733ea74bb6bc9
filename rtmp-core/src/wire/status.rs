//! Status codes and the information objects that carry them.
//!
//! `connect` and calls are answered with an information object; streams report through `onStatus`. All share the
//! members `level`, `code` and `description`, and add others by code (`details`, `clientid`, `objectEncoding`, ...).

mod code;

use std::fmt;

use crate::amf::{Object, Value};

pub use code::Code;
#[cfg(feature = "engine")]
pub(crate) use code::RELAY_PATH;

/// How grave a status is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Something happened as asked.
    Status,
    /// Something works worse than asked.
    Warning,
    /// Something failed.
    Error,
}

impl Level {
    /// The level as it is on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The level a text stands for, in any case; `None` for other texts.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Status, Self::Warning, Self::Error]
            .into_iter()
            .find(|level| level.as_str().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An information object: what a peer is told about its connection, stream or call.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// How grave it is.
    pub level: Level,
    /// The code; compare with [`Status::is`].
    pub code: String,
    /// Text for people. Not to be parsed.
    pub description: String,
    /// All other members, in order.
    pub info: Object,
}

impl Status {
    /// A status with the code's usual level and description.
    pub fn new(code: Code) -> Self {
        Self::custom(code.level(), code.as_str(), code.description())
    }

    /// A status about a stream: its description names the stream, as does its member `details`.
    pub fn for_stream(code: Code, name: &str) -> Self {
        Self::new(code)
            .with_description(code.description_of(name))
            .with("details", name)
    }

    /// A status with a code of the host's own.
    pub fn custom(level: Level, code: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            level,
            code: code.into(),
            description: description.into(),
            info: Object::new(),
        }
    }

    /// The same status with another level.
    #[must_use]
    pub fn with_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// The same status with another description.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// The same status with one more member.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.info.insert(key, value);
        self
    }

    /// Whether the status has this code.
    pub fn is(&self, code: Code) -> bool {
        self.code == code.as_str()
    }

    /// Whether it tells about a stream rather than the connection (`NetStream.*`).
    pub fn is_of_stream(&self) -> bool {
        self.code.starts_with("NetStream.")
    }

    /// Whether the level is `error`.
    pub fn is_error(&self) -> bool {
        self.level == Level::Error
    }

    /// The object to send: `level`, `code`, `description`, then the other members.
    pub fn to_object(&self) -> Object {
        let mut object = Object::new();
        object.insert("level", self.level.as_str());
        object.insert("code", self.code.as_str());
        object.insert("description", self.description.as_str());
        for (key, value) in self.info.iter() {
            object.insert(key, value.clone());
        }
        object
    }

    /// Reads an information object. Servers leave members out: a missing level is `status`, a missing code or
    /// description is empty.
    pub fn from_object(object: &Object) -> Self {
        let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
        let mut status = Self::custom(
            Level::parse(text("level")).unwrap_or(Level::Status),
            text("code"),
            "",
        );
        status.description = text("description").to_owned();
        for (key, value) in object
            .iter()
            .filter(|(key, _)| !matches!(*key, "level" | "code" | "description"))
        {
            status.info.insert(key, value.clone());
        }
        status
    }

    /// Reads an information object from any value; `None` when it is not an object.
    pub fn from_value(value: &Value) -> Option<Self> {
        value.as_object().map(Self::from_object)
    }
}

impl From<Status> for Value {
    fn from(status: Status) -> Self {
        Self::Object(status.to_object())
    }
}

impl From<Code> for Status {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.code, self.level, self.description)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_in_the_usual_order() {
        let status = Status::for_stream(Code::PlayReset, "test").with("clientid", 1.0);
        let object = status.to_object();
        let keys: Vec<&str> = object.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["level", "code", "description", "details", "clientid"]);
        assert_eq!(object.get("level").and_then(Value::as_str), Some("status"));
        assert_eq!(
            object.get("code").and_then(Value::as_str),
            Some("NetStream.Play.Reset")
        );
        assert_eq!(Status::from_object(&object), status);
        assert!(status.is(Code::PlayReset) && !status.is_error());
    }

    #[test]
    fn incomplete_objects_are_read() {
        let object = Object::new().with("code", "NetStream.Data.Start");
        let status = Status::from_object(&object);
        assert_eq!((status.level, status.description.as_str()), (Level::Status, ""));
        assert!(status.is(Code::DataStart));
        let shouting = Object::new().with("level", "Error").with("code", 5.0);
        assert_eq!(
            Status::from_object(&shouting),
            Status::custom(Level::Error, "", "")
        );
        assert_eq!(Status::from_value(&Value::Null), None);
    }
}
