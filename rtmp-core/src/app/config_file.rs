//! An application's configuration file: TOML, read and edited without losing comments, order and spelling.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Key, Table, TableLike, Value as Toml};

use crate::amf::{Object, Value};
use crate::error::{ConfigError, Error, Result};

/// A configuration file. Clones name the same file; what is set in one is seen in all, and on disk after
/// [`save`](Self::save). Keys are dotted as in TOML: `limits.clients`, `rooms."the lobby".open`.
///
/// Values are strings, booleans, numbers, arrays and tables ([`Value::Object`]); dates are given as text. Numbers beyond 2^53
/// lose their last digits.
#[derive(Clone)]
pub struct ConfigFile {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    document: Mutex<DocumentMut>,
}

/// Tables within tables that a value may have.
const MAX_DEPTH: usize = 32;

impl ConfigFile {
    /// Reads a file, on this thread; one that does not exist is empty, and made by [`save`](Self::save).
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let document = Mutex::new(read(&path)?);
        let inner = Arc::new(Inner { path, document });
        Ok(Self { inner })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The value of a key; `None` if there is none.
    pub fn get(&self, key: &str) -> Option<Value> {
        let keys = Key::parse(key).ok()?;
        let document = self.inner.document.lock();
        let mut item = document.as_item();
        for key in keys {
            item = item.as_table_like()?.get(key.get())?;
        }
        from_item(item)
    }

    /// Everything in the file.
    pub fn to_object(&self) -> Object {
        from_table(self.inner.document.lock().as_table())
    }

    /// Gives a key a value, making the tables on its way. Comments around what was there stay. [`Error::Config`] for a key or a value
    /// that TOML has no form for.
    pub fn set(&self, key: &str, value: impl Into<Value>) -> Result<()> {
        let value = to_toml(&value.into(), MAX_DEPTH).map_err(|what| self.error(key, what))?;
        let mut document = self.inner.document.lock();
        let (table, last) = self.table_of(&mut document, key, true)?;
        match table.get_mut(last.get()) {
            Some(Item::Value(old)) => replace(old, value),
            Some(item) => *item = Item::Value(value),
            None => {
                table.insert(last.get(), Item::Value(value));
            }
        }
        Ok(())
    }

    /// Removes a key; false if there was none. [`Error::Config`] for what is no key.
    pub fn remove(&self, key: &str) -> Result<bool> {
        let mut document = self.inner.document.lock();
        match self.table_of(&mut document, key, false) {
            Ok((table, last)) => Ok(table.remove(last.get()).is_some()),
            Err(Error::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads the file anew, on this thread; what was set and not saved is lost. An error changes nothing.
    pub fn reload(&self) -> Result<()> {
        let document = read(&self.inner.path)?;
        *self.inner.document.lock() = document;
        Ok(())
    }

    /// Writes the file, on this thread: wholly or not at all, with the permissions it had.
    pub fn save(&self) -> Result<()> {
        let text = self.inner.document.lock().to_string();
        write(&self.inner.path, &text).map_err(|source| file_error(&self.inner.path, source))
    }

    /// The table that holds the last element of a key.
    fn table_of<'a>(
        &self,
        document: &'a mut DocumentMut,
        key: &str,
        make: bool,
    ) -> Result<(&'a mut dyn TableLike, Key)> {
        let mut keys = Key::parse(key).map_err(|error| self.error(key, error.to_string()))?;
        let last = keys
            .pop()
            .ok_or_else(|| self.error(key, "it is empty".to_owned()))?;
        let mut table: &mut dyn TableLike = document.as_table_mut();
        for part in keys {
            if table.get(part.get()).is_none() {
                if !make {
                    return Err(Error::NotFound(format!("key {key:?}")));
                }
                let mut new = Table::new();
                new.set_implicit(true);
                table.insert(part.get(), Item::Table(new));
            }
            let found = table.get_mut(part.get()).and_then(Item::as_table_like_mut);
            let what = || self.error(key, format!("{} is not a table", part.get()));
            table = found.ok_or_else(what)?;
        }
        Ok((table, last))
    }

    fn error(&self, key: &str, what: String) -> Error {
        let path = self.inner.path.display().to_string();
        let key = key.to_owned();
        Error::Config(Box::new(ConfigError::Key { path, key, what }))
    }
}

/// The file as text, as [`save`](ConfigFile::save) would write it.
impl fmt::Display for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.document.lock().fmt(f)
    }
}

impl fmt::Debug for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigFile({})", self.inner.path.display())
    }
}

fn read(path: &Path) -> Result<DocumentMut> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(file_error(path, source)),
    };
    text.parse().map_err(|error: toml_edit::TomlError| {
        let at = error.span().map_or(0, |span| span.start);
        let before = text.get(..at).unwrap_or(&text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Error::Config(Box::new(ConfigError::Syntax {
            path: path.display().to_string(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            what: error.message().trim().replace('\n', ", "),
        }))
    })
}

/// Through a file beside it, so that whoever reads sees the old text or the new one.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = target.with_file_name(name);
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        if let Ok(old) = fs::metadata(&target) {
            file.set_permissions(old.permissions())?;
        }
        file.sync_all()?;
        fs::rename(&beside, &target)
    });
    if written.is_err() {
        // It may never have come to be.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn file_error(path: &Path, source: io::Error) -> Error {
    let path = path.display().to_string();
    Error::Config(Box::new(ConfigError::File { path, source }))
}

/// Puts a value in the place of another, with the comments and spaces around that one.
fn replace(old: &mut Toml, mut new: Toml) {
    if let (Toml::Float(_), Toml::Integer(whole)) = (&*old, &new) {
        #[allow(clippy::cast_precision_loss)] // It came from a float.
        let float = *whole.value() as f64;
        new = Toml::from(float);
    }
    *new.decor_mut() = old.decor().clone();
    *old = new;
}

fn from_item(item: &Item) -> Option<Value> {
    match item {
        Item::None => None,
        Item::Value(value) => Some(from_toml(value)),
        Item::Table(table) => Some(Value::from(from_table(table))),
        Item::ArrayOfTables(tables) => {
            let tables = tables.iter().map(|table| Value::from(from_table(table)));
            Some(Value::from(tables.collect::<Vec<_>>()))
        }
    }
}

fn from_table(table: &dyn TableLike) -> Object {
    let mut object = Object::new();
    for (key, item) in table.iter() {
        if let Some(value) = from_item(item) {
            object.insert(key, value);
        }
    }
    object
}

fn from_toml(value: &Toml) -> Value {
    match value {
        Toml::String(text) => Value::from(text.value().as_str()),
        #[allow(clippy::cast_precision_loss)] // Documented.
        Toml::Integer(number) => Value::from(*number.value() as f64),
        Toml::Float(number) => Value::from(*number.value()),
        Toml::Boolean(on) => Value::from(*on.value()),
        Toml::Datetime(date) => Value::from(date.value().to_string()),
        Toml::Array(array) => Value::from(array.iter().map(from_toml).collect::<Vec<_>>()),
        Toml::InlineTable(table) => Value::from(from_table(table)),
    }
}

fn to_toml(value: &Value, depth: usize) -> Result<Toml, String> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err("the value is nested too deeply".to_owned());
    };
    if let Some(text) = value.as_str() {
        return Ok(Toml::from(text));
    }
    if let Some(on) = value.as_bool() {
        return Ok(Toml::from(on));
    }
    if let Some(number) = value.as_f64() {
        return Ok(number_to_toml(number));
    }
    if let Some(values) = value.as_array() {
        let mut array = Array::new();
        for value in values {
            array.push(to_toml(value, depth)?);
        }
        return Ok(Toml::Array(array));
    }
    if let Some(object) = value.as_object() {
        let mut table = InlineTable::new();
        for (key, value) in object.iter() {
            table.insert(key, to_toml(value, depth)?);
        }
        return Ok(Toml::InlineTable(table));
    }
    Err("TOML has no form for this kind of value".to_owned())
}

fn number_to_toml(number: f64) -> Toml {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[allow(clippy::cast_possible_truncation)] // Within the bounds just checked.
    match number.fract() == 0.0 && number.abs() <= EXACT {
        true => Toml::from(number as i64),
        false => Toml::from(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# The live application.\ntitle = 'Live' # shown to all\n\n[limits]\n# at once\nclients = 100\nrate = 2.0\n\n[[rooms]]\nname = \"a\"\n";

    fn file(name: &str, text: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("rtmpkit-config-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn edits_keep_comments_order_and_spelling() {
        let path = file("edits.toml", TEXT);
        let config = ConfigFile::open(&path).unwrap();
        assert_eq!(config.get("limits.clients"), Some(Value::from(100.0)));
        config.set("limits.clients", 250.0).unwrap();
        config.set("limits.rate", 3.0).unwrap();
        config.set("title", "On air").unwrap();
        config.set("hosts.\"first one\".port", 1935.0).unwrap();
        assert!(config.remove("limits.none").is_ok_and(|removed| !removed));
        config.save().unwrap();
        let expected = TEXT
            .replace("100", "250")
            .replace("2.0", "3.0")
            .replace("'Live'", "\"On air\"")
            + "\n[hosts.\"first one\"]\nport = 1935\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        let again = ConfigFile::open(&path).unwrap();
        assert_eq!(again.to_object(), config.to_object());
        assert_eq!(
            again
                .get("rooms")
                .and_then(|rooms| rooms.as_array().map(<[_]>::len)),
            Some(1)
        );
    }

    #[test]
    fn faults_are_told_with_file_line_and_column() {
        let path = file("faults.toml", "a = 1\nb = = 2\n");
        let error = ConfigFile::open(&path).unwrap_err();
        let Error::Config(error) = error else {
            panic!("{error}");
        };
        assert!(
            matches!(
                *error,
                ConfigError::Syntax {
                    line: 2,
                    column: 5,
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains("faults.toml:2:5: "), "{error}");
    }

    #[test]
    fn keys_and_values_that_cannot_be_are_refused() {
        let config = ConfigFile::open(file("keys.toml", "a = 1\n")).unwrap();
        for key in ["", "a.b", "x y", "a."] {
            assert!(config.set(key, 1.0).is_err(), "{key:?}");
        }
        assert!(config.set("b", Value::Null).is_err());
        assert_eq!(config.to_string(), "a = 1\n");
        config.set("b", f64::MAX).unwrap();
        assert_eq!(config.get("b"), Some(Value::from(f64::MAX)));
    }
}
