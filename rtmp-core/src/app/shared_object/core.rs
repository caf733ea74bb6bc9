//! An object with its lock: the one place where its state is touched, and where what the host is told leaves it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, MutexGuard};

use crate::amf::Value;
use crate::app::disk::Disk;
use crate::app::dispatch::Dispatch;
use crate::app::peer::Reply;
use crate::app::shared_object::handle::{HandleInner, SharedObject};
use crate::app::shared_object::object::{Notice, ObjectState, Phase, Sender};
use crate::app::shared_object::room::Room;
use crate::app::shared_object::slots::Snapshot;
use crate::app::shared_object::store::{Outcome, Storage};
use crate::error::Error;
use crate::wire::message::SharedObjectMessage;
use crate::wire::status::{Code, Status};

/// A shared object of an instance. Whoever uses it holds a reference; the instance lets go of one that nobody else holds.
pub(crate) struct ObjectCore {
    pub(crate) name: String,
    /// Name in the store, of a persistent object.
    key: String,
    pub(crate) persistent: bool,
    dispatch: Dispatch,
    disk: Arc<dyn Disk>,
    storage: Option<Arc<Storage>>,
    /// Of a persistent object that is not on disk.
    room: Mutex<Option<Room>>,
    state: Mutex<ObjectState>,
    listeners: Mutex<Vec<(u64, Weak<HandleInner>)>>,
    telling: Mutex<Telling>,
    /// Too much waits for the host's handlers.
    crowded: AtomicBool,
}

/// Who hands notices over.
#[derive(Default)]
struct Telling {
    /// Somebody does: whoever else has some leaves them to him.
    now: bool,
    /// Somebody will.
    soon: bool,
}

impl ObjectCore {
    pub(crate) fn new(
        name: &str,
        key: String,
        dispatch: Dispatch,
        disk: Arc<dyn Disk>,
        storage: Option<Arc<Storage>>,
        state: ObjectState,
    ) -> Self {
        Self {
            name: name.to_owned(),
            key,
            persistent: storage.is_some(),
            dispatch,
            disk,
            storage,
            room: Mutex::default(),
            state: Mutex::new(state),
            listeners: Mutex::default(),
            telling: Mutex::default(),
            crowded: AtomicBool::new(false),
        }
    }

    /// Looks at the state, or changes it; then the host is told what there is to tell.
    pub(crate) fn with<R>(self: &Arc<Self>, work: impl FnOnce(&mut ObjectState) -> R) -> R {
        let result = self.change(work);
        self.tell();
        result
    }

    /// As [`with`](Self::with), for the host: its handlers never run inside its own call.
    pub(crate) fn with_host<R>(self: &Arc<Self>, work: impl FnOnce(&mut ObjectState) -> R) -> R {
        let (result, notices) = self.change(|state| {
            let result = work(state);
            (result, !state.notices.is_empty())
        });
        if notices {
            self.tell_later();
        }
        result
    }

    /// Whether so much waits for the host's handlers that nothing more should be read from those who bring it.
    pub(crate) fn is_crowded(&self) -> bool {
        self.crowded.load(Relaxed)
    }

    fn change<R>(&self, work: impl FnOnce(&mut ObjectState) -> R) -> R {
        let mut state = self.state.lock();
        let result = work(&mut state);
        self.crowded.store(state.is_crowded(), Relaxed);
        result
    }

    /// The state, for looking at it.
    pub(crate) fn state(&self) -> MutexGuard<'_, ObjectState> {
        self.state.lock()
    }

    pub(crate) fn receive(self: &Arc<Self>, sender: Sender, message: SharedObjectMessage, size: usize) {
        self.with(|state| state.receive(sender, message, size));
    }

    /// A client is gone. What the last one leaves is stored.
    pub(crate) fn release(self: &Arc<Self>, client: u64) {
        let last = self.with(|state| {
            state.release(client);
            state.subscribers() == 0
        });
        if last {
            self.save_if_dirty();
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.state.lock().phase
    }

    /// Reads the object from the store, or takes room for it there, on a thread that may block.
    pub(crate) fn load(self: &Arc<Self>) -> Result<(), Error> {
        let Some(storage) = &self.storage else {
            return Ok(());
        };
        match self.find(storage) {
            Ok(found) => {
                self.loaded(Ok(found));
                // A client that asked at the same time may have been refused already, and with it the object.
                match self.phase() {
                    Phase::Failed => Err(Error::WrongState(format!(
                        "shared object {:?} could not be opened for a client",
                        self.name
                    ))),
                    _ => Ok(()),
                }
            }
            Err(error) => {
                let name = self.key.replace('\0', " ");
                match &error {
                    // A client may bring this about as often as it likes.
                    Error::Full(_) => log::debug!("shared object {name}: {error}"),
                    _ => log::error!("shared object {name}: {error}"),
                }
                self.loaded(Err(()));
                Err(error)
            }
        }
    }

    fn find(&self, storage: &Storage) -> Result<Option<Snapshot>, Error> {
        let mut room = self.room.lock();
        let found = storage.load(&self.key)?;
        if found.is_none() && room.is_none() {
            *room = Some(storage.room(&self.key)?);
        }
        Ok(found)
    }

    pub(crate) fn loaded(self: &Arc<Self>, found: Result<Option<Snapshot>, ()>) {
        self.with(|state| state.loaded(found));
    }

    pub(crate) fn save_if_dirty(self: &Arc<Self>) {
        let missing = {
            let state = self.state.lock();
            // Half a change waits for its other half.
            state.changes != state.submitted && !state.is_halfway()
        };
        if self.persistent && missing {
            self.save(None);
        }
    }

    /// Stores the object as it is now; `reply` takes the version stored, or SharedObject.Flush.Failed.
    pub(crate) fn save(self: &Arc<Self>, reply: Option<Reply>) {
        let Some(storage) = &self.storage else {
            let status = Status::new(Code::SharedObjectFlushFailed)
                .with_description("The shared object is not persistent.");
            return self.reply(reply, Err(status));
        };
        let one_too_many = {
            // Submitted under the lock, so that what is stored never goes back.
            let mut state = self.state.lock();
            let (changes, version) = (state.changes, state.slots.version());
            state.submitted = changes;
            let snapshot = Some(state.slots.snapshot());
            let (core, waits) = (Arc::clone(self), reply.is_some());
            let done = Box::new(move |result| core.saved(changes, version, result, reply));
            let outcome = if waits {
                Outcome::Reply(done)
            } else {
                Outcome::Note(done)
            };
            storage.submit(&self.key, snapshot, outcome)
        };
        storage.kick();
        if let Some(done) = one_too_many {
            done(Err("too many wait for the disk".to_owned()));
        }
    }

    /// Removes all slots, and the object from the store. The subscribers' copies are emptied.
    pub(crate) fn erase(self: &Arc<Self>) {
        {
            let mut state = self.state.lock();
            state.clear(0);
            let (changes, version) = (state.changes, state.slots.version());
            state.submitted = changes;
            if let Some(storage) = &self.storage {
                let core = Arc::clone(self);
                let done = move |result| core.erased(changes, version, result);
                storage.submit(&self.key, None, Outcome::Note(Box::new(done)));
            }
        }
        if let Some(storage) = &self.storage {
            storage.kick();
        }
        self.tell_later();
    }

    fn erased(self: &Arc<Self>, changes: u64, version: u32, result: Result<(), String>) {
        let deleted = result.is_ok();
        self.saved(changes, version, result, None);
        if let Some(storage) = self.storage.as_ref().filter(|_| deleted) {
            *self.room.lock() = Some(storage.keep_room(&self.key));
        }
    }

    fn saved(self: &Arc<Self>, changes: u64, version: u32, result: Result<(), String>, reply: Option<Reply>) {
        match result {
            Ok(()) => {
                let mut state = self.state.lock();
                state.saved = state.saved.max(changes);
                drop(state);
                // The store counts it.
                *self.room.lock() = None;
                self.reply(reply, Ok(Value::from(version)));
            }
            Err(reason) => {
                log::error!("shared object {} was not stored: {reason}", self.name);
                {
                    let mut state = self.state.lock();
                    state.submitted = state.saved;
                }
                let status = flush_failed(&reason);
                if reply.is_some() {
                    return self.reply(reply, Err(status));
                }
                self.with(|state| state.notice(Notice::FlushFailed(reason)));
            }
        }
    }

    fn reply(&self, reply: Option<Reply>, result: Result<Value, Status>) {
        if let Some(reply) = reply {
            self.dispatch.run(move || reply(result));
        }
    }

    pub(crate) fn listen(&self, id: u64, handle: Weak<HandleInner>) {
        self.listeners.lock().push((id, handle));
        self.state.lock().add_handle(id);
    }

    /// A handle is closed.
    pub(crate) fn ignore(self: &Arc<Self>, id: u64) {
        self.listeners.lock().retain(|(listener, _)| *listener != id);
        self.with_host(|state| state.remove_handle(id));
    }

    fn tell_later(self: &Arc<Self>) {
        {
            let mut telling = self.telling.lock();
            if telling.now || std::mem::replace(&mut telling.soon, true) {
                return;
            }
        }
        let core = Arc::clone(self);
        self.disk.run_surely(Box::new(move || {
            core.telling.lock().soon = false;
            // This may run while another panic unwinds.
            if catch_unwind(AssertUnwindSafe(|| core.tell())).is_err() {
                log::error!("a handler of shared object {} panicked", core.name);
            }
        }));
    }

    /// Hands what waits for the host over, in order and without a lock, one thread at a time.
    fn tell(self: &Arc<Self>) {
        loop {
            {
                let mut telling = self.telling.lock();
                if telling.now || self.state.lock().notices.is_empty() {
                    return;
                }
                telling.now = true;
            }
            let _turn = TellersTurn(self);
            loop {
                let next = self.state.lock().notices.pop();
                let Some((notice, weight)) = next else { break };
                self.hand_over(&notice, weight);
            }
        }
    }

    fn hand_over(self: &Arc<Self>, notice: &Notice, weight: usize) {
        let listeners = self.listeners.lock().clone();
        let untold = Arc::new(Untold {
            core: Arc::downgrade(self),
            weight,
        });
        for (id, handle) in listeners {
            let Some(handle) = handle.upgrade().map(SharedObject::from) else {
                continue;
            };
            let (notice, untold) = (notice.clone(), Arc::clone(&untold));
            self.dispatch.run(move || {
                tell_one(&handle, id, notice);
                drop(untold);
            });
        }
    }
}

/// One thread's turn to hand notices over is at its end, or a handler panicked: then another thread goes on.
struct TellersTurn<'a>(&'a Arc<ObjectCore>);

impl Drop for TellersTurn<'_> {
    fn drop(&mut self) {
        self.0.telling.lock().now = false;
        if std::thread::panicking() {
            self.0.tell_later();
        }
    }
}

/// A notice that not all handlers have taken yet.
struct Untold {
    core: Weak<ObjectCore>,
    weight: usize,
}

impl Drop for Untold {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade() {
            let notices = core.change(|state| {
                state.told(self.weight);
                !state.notices.is_empty()
            });
            if notices {
                core.tell_later();
            }
        }
    }
}

fn tell_one(object: &SharedObject, id: u64, notice: Notice) {
    let Some(handler) = object.handler() else { return };
    match notice {
        Notice::Sync(changes) => {
            let foreign = changes.into_iter().filter(|(author, _)| *author != id);
            let changes: Vec<_> = foreign.map(|(_, change)| change).collect();
            if !changes.is_empty() {
                handler.on_sync(object, &changes);
            }
        }
        Notice::Message {
            author,
            sender,
            handler: name,
            args,
        } if author != id => handler.on_message(object, sender.as_ref(), &name, &args),
        Notice::Clear { author } if author != id => handler.on_clear(object),
        Notice::FlushFailed(reason) => handler.on_status(object, &flush_failed(&reason)),
        Notice::Message { .. } | Notice::Clear { .. } => {}
    }
}

fn flush_failed(reason: &str) -> Status {
    Status::new(Code::SharedObjectFlushFailed).with_description(reason)
}

impl std::fmt::Debug for ObjectCore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ObjectCore({})", self.name)
    }
}
