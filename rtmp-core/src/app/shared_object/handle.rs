//! The host's handle on a shared object of its server.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::amf::Value;
use crate::app::instance::Instance;
use crate::app::peer::Reply;
use crate::app::shared_object::SharedObjectHandler;
use crate::app::shared_object::core::ObjectCore;
use crate::app::shared_object::object::ObjectState;
use crate::app::shared_object::slots::check_value;
use crate::error::{Error, Result};

const CLOSED: Error = Error::Closed("shared object");

type Handler = Arc<dyn SharedObjectHandler<SharedObject>>;

/// A shared object of an instance, as the host uses it. While there is a handle the object lives. Clones name the same
/// handle; dropping the last one closes it. Every function may be called from any thread, also from handlers, and
/// returns at once.
#[derive(Clone)]
pub struct SharedObject {
    inner: Arc<HandleInner>,
}

pub(crate) struct HandleInner {
    id: u64,
    name: String,
    persistent: bool,
    instance: Instance,
    /// Both are taken out when the handle is closed.
    core: Mutex<Option<Arc<ObjectCore>>>,
    handler: Mutex<Option<Handler>>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl SharedObject {
    pub(crate) fn new(core: Arc<ObjectCore>, instance: &Instance, handler: Handler) -> Self {
        let inner = Arc::new(HandleInner {
            id: NEXT_ID.fetch_add(1, Relaxed),
            name: core.name.clone(),
            persistent: core.persistent,
            instance: instance.clone(),
            core: Mutex::new(Some(Arc::clone(&core))),
            handler: Mutex::new(Some(handler)),
        });
        core.listen(inner.id, Arc::downgrade(&inner));
        Self { inner }
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Whether it is kept on disk.
    pub fn is_persistent(&self) -> bool {
        self.inner.persistent
    }

    /// The instance it belongs to.
    pub fn instance(&self) -> &Instance {
        &self.inner.instance
    }

    /// Its version: 1 at first, one more with each message that changed something. 0 once the handle is closed.
    pub fn version(&self) -> u32 {
        self.look(|state| state.slots.version())
    }

    /// The value of a slot.
    pub fn get(&self, slot: &str) -> Option<Value> {
        self.look(|state| state.slots.get(slot).cloned())
    }

    /// The names of all slots, sorted.
    pub fn names(&self) -> Vec<String> {
        self.look(|state| state.slots.names().cloned().collect())
    }

    /// How many slots there are.
    pub fn size(&self) -> usize {
        self.look(|state| state.slots.len())
    }

    /// How many clients use it.
    pub fn subscribers(&self) -> usize {
        self.look(ObjectState::subscribers)
    }

    /// Whether it changed since it was last stored.
    pub fn is_dirty(&self) -> bool {
        self.is_persistent() && self.look(ObjectState::is_dirty)
    }

    /// Sets a slot and tells all clients. Null and undefined remove it. [`Error::InvalidArgument`] for values that
    /// contain themselves and for what goes beyond a bound of
    /// [`SharedObjectConfig`](crate::SharedObjectConfig), [`Error::Closed`] when the handle is, [`Error::Full`] when too much
    /// waits for the handlers of the host's other handles.
    pub fn set(&self, slot: &str, value: impl Into<Value>) -> Result<()> {
        let value = value.into();
        self.change(|state| state.set(self.inner.id, slot, value))?
            .map_err(|why| Error::InvalidArgument(format!("shared object slot {slot:?} {why}")))
    }

    /// Removes a slot and tells all clients; whether there was one. [`Error::Closed`] and [`Error::Full`] as of
    /// [`set`](Self::set).
    pub fn remove(&self, slot: &str) -> Result<bool> {
        self.change(|state| state.remove(self.inner.id, slot))
    }

    /// Removes all slots and tells all clients to empty their copies; whether there were any. [`Error::Closed`] and
    /// [`Error::Full`] as of [`set`](Self::set).
    pub fn clear(&self) -> Result<bool> {
        self.change(|state| state.clear(self.inner.id))
    }

    /// Calls a handler of every client that uses the object, and of the host's other handles. Not stored. Errors as of
    /// [`set`](Self::set).
    pub fn send(&self, handler: &str, args: &[Value]) -> Result<()> {
        for value in args {
            check_value(value)
                .map_err(|why| Error::InvalidArgument(format!("argument of {handler:?} {why}")))?;
        }
        self.change(|state| state.send(self.inner.id, handler, args.to_vec()))
    }

    /// Calls a handler of every client at the end of the changes made since [`lock`](Self::lock), in the same message.
    /// Without a lock the same as [`send`](Self::send).
    pub fn mark(&self, handler: &str, args: &[Value]) -> Result<()> {
        self.send(handler, args)
    }

    /// Holds changes back, the host's as well as the clients', until [`unlock`](Self::unlock) was called as often. Closing
    /// the handle undoes its locks. [`Error::Closed`] when it is.
    pub fn lock(&self) -> Result<()> {
        self.host(|state| state.lock(self.inner.id))?
            .then_some(())
            .ok_or(CLOSED)
    }

    /// Undoes a [`lock`](Self::lock). At the last, everything that the host changed meanwhile goes out as one change.
    /// [`Error::WrongState`] if this handle holds none, [`Error::Closed`].
    pub fn unlock(&self) -> Result<()> {
        self.host(|state| state.unlock(self.inner.id))?
            .then_some(())
            .ok_or_else(|| Error::WrongState("the shared object is not locked by this handle".to_owned()))
    }

    /// Stores the object as it is now. `reply` takes the version that was stored, or SharedObject.Flush.Failed; once it
    /// has run with success, that version survives whatever happens to the process. [`Error::Closed`] when the handle is, and
    /// `reply` is then not called.
    pub fn flush(&self, reply: Option<Reply>) -> Result<()> {
        self.inner.core().ok_or(CLOSED)?.save(reply);
        Ok(())
    }

    /// Forgets which slots were removed before a version. Clients with a copy older than that start from nothing.
    /// [`Error::Closed`] when the handle is.
    pub fn purge(&self, version: u32) -> Result<()> {
        self.host(|state| state.slots.purge(version))
    }

    /// How many versions a client's copy may be behind without having to start from nothing; `None`, as at first, is no
    /// bound. [`Error::Closed`] when the handle is.
    pub fn set_resync_depth(&self, depth: Option<u32>) -> Result<()> {
        self.host(|state| state.resync_depth = depth)
    }

    /// Closes the handle; its handler is let go of. A temporary object that nobody else uses is gone then, a persistent
    /// one is stored.
    pub fn close(&self) {
        self.inner.close();
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.inner.core.lock().is_none()
    }

    pub(crate) fn handler(&self) -> Option<Handler> {
        self.inner.handler.lock().clone()
    }

    fn change<R>(&self, work: impl FnOnce(&mut ObjectState) -> R) -> Result<R> {
        let done = |state: &mut ObjectState| state.has_room(self.inner.id).then(|| work(state));
        self.host(done)?.ok_or(Error::Full("the shared object's changes"))
    }

    fn host<R>(&self, work: impl FnOnce(&mut ObjectState) -> R) -> Result<R> {
        Ok(self.inner.core().ok_or(CLOSED)?.with_host(work))
    }

    fn look<R: Default>(&self, look: impl FnOnce(&ObjectState) -> R) -> R {
        self.inner
            .core()
            .map(|core| look(&core.state()))
            .unwrap_or_default()
    }
}

/// Shared objects of the instance.
impl Instance {
    /// The shared object of that name, made if there is none; a persistent one is read from disk, on this thread, unless
    /// somebody uses it already. Its handler hears what clients and other handles do. [`Error::WrongState`] for a
    /// persistent one when the application has no directory for them, [`Error::AlreadyExists`] when the object exists
    /// with the other persistence, [`Error::Full`] for a persistent one that would be one more than
    /// [`SharedObjectConfig::max_stored`](crate::SharedObjectConfig::max_stored).
    pub fn shared_object(
        &self,
        name: &str,
        persistent: bool,
        handler: Arc<dyn SharedObjectHandler<SharedObject>>,
    ) -> Result<SharedObject> {
        let core = self.shared_objects().open_now(name, persistent)?;
        Ok(SharedObject::new(core, self, handler))
    }

    /// Removes all slots of the shared objects that a path names, and deletes those of them that are on disk. `/` names
    /// all, `/a/b` one, `/a/` all below `a`; in the last segment `*` stands for any characters and `?` for one. Who uses
    /// one is told to empty the copy. `reply` takes how many objects there were.
    pub fn clear_shared_objects(&self, path: &str, reply: Option<Reply>) -> Result<()> {
        self.shared_objects().clear(path, reply)
    }

    /// Stores one persistent shared object, or with `None` all; those that nobody uses are on disk already. `reply` takes
    /// how many were stored, or SharedObject.Flush.Failed.
    pub fn commit_shared_objects(&self, name: Option<&str>, reply: Option<Reply>) -> Result<()> {
        self.shared_objects().commit_with_reply(name, reply)
    }
}

impl From<Arc<HandleInner>> for SharedObject {
    fn from(inner: Arc<HandleInner>) -> Self {
        Self { inner }
    }
}

impl HandleInner {
    fn core(&self) -> Option<Arc<ObjectCore>> {
        self.core.lock().clone()
    }

    fn close(&self) {
        let Some(core) = self.core.lock().take() else {
            return;
        };
        core.ignore(self.id);
        core.save_if_dirty();
        drop(core);
        self.instance.shared_objects().forget(&self.name);
        // Outside the lock: this may run code of the host.
        let handler = self.handler.lock().take();
        drop(handler);
    }
}

impl Drop for HandleInner {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for SharedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedObject({}/{})", self.inner.instance.name(), self.name())
    }
}
