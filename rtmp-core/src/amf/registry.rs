//! What a host knows about classes on the wire.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use super::amf3::{Reader, Writer};
use super::{AmfError, Object, Str};

/// Completes or refuses decoded instances of one class.
pub trait ClassHook: Send + Sync {
    /// Called once all members of a typed object (AMF0 10, AMF3 sealed or dynamic) have been read. May add defaults, and
    /// should leave members that came from the wire on their level, because [`Value::Cycle`](super::Value::Cycle)
    /// counts levels. References to the object give it as this leaves it.
    ///
    /// # Errors
    /// The reason to refuse the object, which fails the message with [`AmfError::Refused`].
    fn decoded(&self, object: &mut Object) -> Result<(), String>;
}

/// Reads and writes the body of one class that implements `flash.utils.IExternalizable` (AMF 3, 3.12).
///
/// The object has its class name already. Values read go directly into its members.
pub trait Externalizable: Send + Sync {
    /// Reads exactly the bytes of one instance.
    ///
    /// # Errors
    /// What the reader returned, or [`AmfError::Refused`].
    fn read(&self, input: &mut Reader<'_, '_>, object: &mut Object) -> Result<(), AmfError>;

    /// Whether this instance is written by [`write`](Self::write); otherwise it is written member by member, like an object
    /// of a class nobody registered. That is how a peer may have sent it, too.
    fn can_write(&self, _object: &Object) -> bool {
        true
    }

    /// Writes one instance so that [`read`](Self::read) and the class on the other side understand it.
    fn write(&self, object: &Object, output: &mut Writer<'_>);
}

/// Class alias to what handles it. A typed object nobody registered stays an [`Object`] with a class name; no class is
/// ever looked up by its name on the wire anywhere but here.
#[derive(Clone, Default)]
pub struct ClassRegistry {
    hooks: HashMap<Str, Arc<dyn ClassHook>>,
    externalizable: HashMap<Str, Arc<dyn Externalizable>>,
}

impl ClassRegistry {
    /// A registry of Flex's wrappers, which consist of one value: ArrayCollection and ArrayList with the member
    /// `source`, ObjectProxy and ManagedObjectProxy with the member `object`.
    pub fn new() -> Self {
        let mut registry = Self::default();
        for (class, member) in WRAPPERS {
            registry.register_externalizable(class, Arc::new(Wrapper { member }));
        }
        registry
    }

    /// Calls `hook` for every decoded instance of `alias`. Replaces an earlier hook.
    pub fn register_class(&mut self, alias: impl Into<Str>, hook: Arc<dyn ClassHook>) {
        self.hooks.insert(alias.into(), hook);
    }

    /// Lets `codec` read and write the instances of `alias`. Replaces an earlier one, a built-in one too.
    pub fn register_externalizable(&mut self, alias: impl Into<Str>, codec: Arc<dyn Externalizable>) {
        self.externalizable.insert(alias.into(), codec);
    }

    /// Forgets everything about `alias`; false if nothing was known.
    pub fn unregister(&mut self, alias: &str) -> bool {
        let hook = self.hooks.remove(alias.as_bytes()).is_some();
        self.externalizable.remove(alias.as_bytes()).is_some() || hook
    }

    /// The registry of a decoder or encoder that was given none.
    pub(crate) fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<ClassRegistry> = LazyLock::new(ClassRegistry::new);
        &BUILTIN
    }

    /// Whether anything is known beside what every registry knows.
    pub(crate) fn has_hooks(&self) -> bool {
        !self.hooks.is_empty() || self.externalizable.len() != WRAPPERS.len()
    }

    pub(super) fn externalizable(&self, class: &Str) -> Option<&dyn Externalizable> {
        self.externalizable.get(class).map(AsRef::as_ref)
    }

    pub(super) fn complete(&self, object: &mut Object) -> Result<(), AmfError> {
        let Some(class) = object.class().filter(|_| !self.hooks.is_empty()).cloned() else {
            return Ok(());
        };
        let Some(hook) = self.hooks.get(&class) else {
            return Ok(());
        };
        hook.decoded(object)
            .map_err(|reason| AmfError::Refused { class, reason })
    }
}

impl std::fmt::Debug for ClassRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let classes = self.hooks.keys().chain(self.externalizable.keys());
        f.debug_set().entries(classes).finish()
    }
}

const WRAPPERS: [(&str, &str); 4] = [
    ("flex.messaging.io.ArrayCollection", "source"),
    ("flex.messaging.io.ArrayList", "source"),
    ("flex.messaging.io.ObjectProxy", "object"),
    ("flex.messaging.io.ManagedObjectProxy", "object"),
];

/// A class whose body is one value.
struct Wrapper {
    member: &'static str,
}

impl Externalizable for Wrapper {
    fn read(&self, input: &mut Reader<'_, '_>, object: &mut Object) -> Result<(), AmfError> {
        object.insert(self.member, input.read_value()?);
        Ok(())
    }

    fn can_write(&self, object: &Object) -> bool {
        object.iter().all(|(name, _)| name == self.member)
    }

    fn write(&self, object: &Object, output: &mut Writer<'_>) {
        output.write_value(object.get(self.member).unwrap_or(&super::Value::Null));
    }
}
