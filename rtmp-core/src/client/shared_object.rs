//! A shared object of another server, joined over a NetConnection.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::amf::Value;
use crate::app::application::is_valid_name;
use crate::app::shared_object::{SharedObjectHandler, check_value};
use crate::app::weight;
use crate::client::remote_state::{Heard, RemoteState};
use crate::client::{ConnectionCore, NetConnection};
use crate::engine::ClientCommand;
use crate::error::{Error, Result};
use crate::wire::message::{Message, ObjectEncoding, SharedObjectEvent as Event, SharedObjectMessage};

type Handler = Arc<dyn SharedObjectHandler<RemoteSharedObject>>;

/// A shared object of another server. Its slots are a copy that follows the server's; what this side changes shows at
/// once, and again in [`SharedObjectHandler::on_sync`] when the server has accepted or refused it. Changes made before
/// the server let this side join, or while the connection is down, wait; after a new
/// [`NetConnection::connect`](crate::NetConnection::connect) the object joins again by itself.
///
/// Clones name the same handle; dropping the last one that the host made leaves the object. Every function may be
/// called from any thread and returns at once.
#[derive(Clone)]
pub struct RemoteSharedObject {
    core: Arc<RemoteCore>,
    _closer: Option<Arc<Closer>>,
}

struct Closer(Arc<RemoteCore>);

/// What the host's handles and the connection's worker share.
pub(crate) struct RemoteCore {
    name: String,
    persistent: bool,
    connection: Arc<ConnectionCore>,
    handler: Mutex<Option<Handler>>,
    state: Mutex<RemoteState>,
}

/// The objects used over one connection.
#[derive(Default)]
pub(crate) struct RemoteObjects(Mutex<HashMap<String, Weak<RemoteCore>>>);

/// Events of one message to the server.
const MAX_EVENTS: usize = 1000;

/// Shared objects of the server.
impl NetConnection {
    /// Joins a shared object of the server's instance; before there is a connection, as soon as there is.
    /// [`Error::AlreadyExists`] while another handle of this connection uses it.
    pub fn shared_object(
        &self,
        name: &str,
        persistent: bool,
        handler: Arc<dyn SharedObjectHandler<RemoteSharedObject>>,
    ) -> Result<RemoteSharedObject> {
        if !is_valid_name(name) {
            return Err(Error::InvalidArgument(format!("shared object name {name:?}")));
        }
        let core = Arc::new(RemoteCore {
            name: name.to_owned(),
            persistent,
            connection: Arc::clone(self.core()),
            handler: Mutex::new(Some(handler)),
            state: Mutex::default(),
        });
        self.core().shared_objects.add(&core)?;
        // Not connected yet: the object joins when the connection stands.
        let _ = self.core().send(ClientCommand::UseObject(Arc::clone(&core)));
        Ok(RemoteSharedObject {
            _closer: Some(Arc::new(Closer(Arc::clone(&core)))),
            core,
        })
    }
}

impl RemoteSharedObject {
    /// The object's name.
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// Whether the server keeps it on disk.
    pub fn is_persistent(&self) -> bool {
        self.core.persistent
    }

    /// Whether the server has let this side join.
    pub fn is_connected(&self) -> bool {
        self.core.state.lock().is_joined()
    }

    /// The newest version that the server told; 0 before the first.
    pub fn version(&self) -> u32 {
        self.core.state.lock().version()
    }

    /// The value of a slot, with this side's own changes.
    pub fn get(&self, slot: &str) -> Option<Value> {
        self.core.state.lock().get(slot).cloned()
    }

    /// The names of all slots, sorted.
    pub fn names(&self) -> Vec<String> {
        self.core.state.lock().names()
    }

    /// How many slots there are.
    pub fn size(&self) -> usize {
        self.core.state.lock().names().len()
    }

    /// Asks the server to set a slot. Null and undefined remove it. [`Error::Full`] when too much waits to be sent,
    /// [`Error::Closed`] when the handle is, [`Error::InvalidArgument`] for values that contain themselves.
    pub fn set(&self, slot: &str, value: impl Into<Value>) -> Result<()> {
        let value = value.into();
        if value.is_null() {
            return self.remove(slot).map(|_| ());
        }
        check_value(&value)
            .map_err(|why| Error::InvalidArgument(format!("shared object slot {slot:?} {why}")))?;
        self.core.change(|state| state.set(slot, Some(value)))
    }

    /// Asks the server to remove a slot; whether there is one. Errors as of [`set`](Self::set).
    pub fn remove(&self, slot: &str) -> Result<bool> {
        let had = self.get(slot).is_some();
        self.core.change(|state| state.set(slot, None))?;
        Ok(had)
    }

    /// Asks the server to remove every slot that this side knows of; whether there are any. Errors as of [`set`](Self::set).
    pub fn clear(&self) -> Result<bool> {
        let mut had = false;
        self.core.change(|state| {
            for slot in state.names() {
                had = true;
                state.set(&slot, None);
            }
        })?;
        Ok(had)
    }

    /// Calls a handler of everybody who uses the object, this side included. Errors as of [`set`](Self::set).
    pub fn send(&self, handler: &str, args: &[Value]) -> Result<()> {
        for value in args {
            check_value(value)
                .map_err(|why| Error::InvalidArgument(format!("argument of {handler:?} {why}")))?;
        }
        self.core.change(|state| state.send(handler, args.to_vec()))
    }

    /// Holds this side's changes back until [`unlock`](Self::unlock) was called as often; then they go out in one
    /// message, which the server applies as one change. Errors as of [`set`](Self::set).
    pub fn lock(&self) -> Result<()> {
        self.core.change(RemoteState::lock)
    }

    /// Undoes a [`lock`](Self::lock). [`Error::WrongState`] if there is none, otherwise as of [`set`](Self::set).
    pub fn unlock(&self) -> Result<()> {
        let mut locked = false;
        self.core.change(|state| locked = state.unlock())?;
        locked
            .then_some(())
            .ok_or_else(|| Error::WrongState("the shared object is not locked".to_owned()))
    }

    /// Leaves the object; its handler is let go of.
    pub fn close(&self) {
        self.core.close();
    }

    fn borrowed(core: &Arc<RemoteCore>) -> Self {
        Self {
            core: Arc::clone(core),
            _closer: None,
        }
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl RemoteCore {
    /// The connection stands: the message that joins the object, unless it was sent.
    pub(crate) fn join(&self, encoding: ObjectEncoding) -> Option<Message> {
        let mut state = self.state.lock();
        let version = state.join(encoding)?;
        Some(self.message(version, encoding, vec![Event::Use]).encode())
    }

    /// The connection is over.
    pub(crate) fn disconnected(&self) {
        self.state.lock().disconnected(self.persistent);
    }

    /// The server sent something about the object.
    pub(crate) fn receive(self: &Arc<Self>, message: SharedObjectMessage) {
        let heard = {
            let mut state = self.state.lock();
            let heard = state.receive(message);
            self.send_waiting(&mut state);
            heard
        };
        for heard in heard {
            self.tell(heard);
        }
    }

    fn change(&self, change: impl FnOnce(&mut RemoteState)) -> Result<()> {
        if !self.connection.has_room() {
            return Err(Error::Full("the connection's output"));
        }
        if self.handler.lock().is_none() {
            return Err(Error::Closed("shared object"));
        }
        let mut state = self.state.lock();
        if state.is_full() {
            return Err(Error::Full("the shared object's changes"));
        }
        change(&mut state);
        // Sent under the lock, so that the server hears the changes in the order of this side.
        self.send_waiting(&mut state);
        Ok(())
    }

    fn send_waiting(&self, state: &mut RemoteState) {
        let (version, encoding) = (state.version(), state.encoding());
        let mut events = state.take_outgoing().into_iter().peekable();
        while events.peek().is_some() {
            let part = events.by_ref().take(MAX_EVENTS).collect();
            self.post(self.message(version, encoding, part).encode());
        }
    }

    fn post(&self, message: Message) {
        self.connection.count_written(counted(&message));
        // A connection that is over has forgotten what was written.
        let _ = self.connection.send(ClientCommand::Message(message));
    }

    fn message(&self, version: u32, encoding: ObjectEncoding, events: Vec<Event>) -> SharedObjectMessage {
        SharedObjectMessage::new(&*self.name, version, self.persistent, encoding).with_events(events)
    }

    fn tell(self: &Arc<Self>, heard: Heard) {
        let core = Arc::clone(self);
        self.connection.config.dispatch.run(move || {
            let Some(handler) = core.handler.lock().clone() else {
                return;
            };
            let object = RemoteSharedObject::borrowed(&core);
            match heard {
                Heard::Sync(changes) => handler.on_sync(&object, &changes),
                Heard::Message(name, args) => handler.on_message(&object, None, &name, &args),
                Heard::Status(status) => handler.on_status(&object, &status),
                Heard::Clear => handler.on_clear(&object),
            }
        });
    }

    fn close(&self) {
        let handler = self.handler.lock().take();
        if handler.is_none() {
            return;
        }
        self.connection.shared_objects.remove(&self.name);
        let mut state = self.state.lock();
        if state.leave() {
            let release = self.message(state.version(), state.encoding(), vec![Event::Release]);
            self.post(release.encode());
        }
        drop(state);
        // Outside the lock: this may run code of the host.
        drop(handler);
    }
}

/// What a message counts for until the session has it.
pub(crate) fn counted(message: &Message) -> usize {
    message.payload.len() + weight::ENTRY
}

impl RemoteObjects {
    pub(crate) fn find(&self, name: &str) -> Option<Arc<RemoteCore>> {
        self.0.lock().get(name)?.upgrade()
    }

    pub(crate) fn all(&self) -> Vec<Arc<RemoteCore>> {
        self.0.lock().values().filter_map(Weak::upgrade).collect()
    }

    fn add(&self, core: &Arc<RemoteCore>) -> Result<()> {
        let mut objects = self.0.lock();
        if objects
            .get(&core.name)
            .is_some_and(|known| known.strong_count() > 0)
        {
            return Err(Error::AlreadyExists(format!(
                "a handle of shared object {:?} on this connection",
                core.name
            )));
        }
        objects.insert(core.name.clone(), Arc::downgrade(core));
        Ok(())
    }

    fn remove(&self, name: &str) {
        self.0.lock().remove(name);
    }
}

impl fmt::Debug for RemoteSharedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteSharedObject({})", self.core.name)
    }
}
