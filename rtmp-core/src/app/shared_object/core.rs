//! An object with its lock: the one place where its state is touched, and where what the host is told leaves it.

use std::sync::{Arc, Weak};

use parking_lot::{Mutex, MutexGuard};

use crate::amf::Value;
use crate::app::disk::Disk;
use crate::app::dispatch::Dispatch;
use crate::app::peer::Reply;
use crate::app::shared_object::handle::{HandleInner, SharedObject};
use crate::app::shared_object::object::{Notice, ObjectState, Phase, Sender};
use crate::app::shared_object::slots::Snapshot;
use crate::app::shared_object::store::Storage;
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
    state: Mutex<ObjectState>,
    listeners: Mutex<Vec<(u64, Weak<HandleInner>)>>,
    /// Somebody hands over notices: whoever else has some leaves them to him.
    telling: Mutex<bool>,
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
            state: Mutex::new(state),
            listeners: Mutex::default(),
            telling: Mutex::new(false),
        }
    }

    /// Looks at the state, or changes it; then the host is told what there is to tell.
    pub(crate) fn with<R>(self: &Arc<Self>, work: impl FnOnce(&mut ObjectState) -> R) -> R {
        let result = work(&mut self.state.lock());
        self.tell();
        result
    }

    /// As [`with`](Self::with), for the host: its handlers never run inside its own call.
    pub(crate) fn with_host<R>(self: &Arc<Self>, work: impl FnOnce(&mut ObjectState) -> R) -> R {
        let (result, notices) = {
            let mut state = self.state.lock();
            (work(&mut state), !state.notices.is_empty())
        };
        if notices {
            self.tell_later();
        }
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

    /// Reads the object from the store, on a thread that may block.
    pub(crate) fn load(self: &Arc<Self>) -> Result<(), Error> {
        let Some(storage) = &self.storage else {
            return Ok(());
        };
        match storage.load(&self.key) {
            Ok(found) => {
                self.loaded(Ok(found));
                Ok(())
            }
            Err(error) => {
                log::error!("shared object {}: {error}", self.key.replace('\0', " "));
                self.loaded(Err(()));
                Err(error)
            }
        }
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
        {
            // Submitted under the lock, so that what is stored never goes back.
            let mut state = self.state.lock();
            let (changes, version) = (state.changes, state.slots.version());
            state.submitted = changes;
            let snapshot = Some(state.slots.snapshot());
            let core = Arc::clone(self);
            let done = move |result| core.saved(changes, version, result, reply);
            storage.submit(&self.key, snapshot, Box::new(done));
        }
        storage.kick();
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
                let done = move |result| core.saved(changes, version, result, None);
                storage.submit(&self.key, None, Box::new(done));
            }
        }
        if let Some(storage) = &self.storage {
            storage.kick();
        }
        self.tell_later();
    }

    fn saved(self: &Arc<Self>, changes: u64, version: u32, result: Result<(), String>, reply: Option<Reply>) {
        match result {
            Ok(()) => {
                let mut state = self.state.lock();
                state.saved = state.saved.max(changes);
                drop(state);
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
        let core = Arc::clone(self);
        if let Err(error) = self.disk.run(Box::new(move || core.tell())) {
            log::warn!("events of shared object {} wait for the next: {error}", self.name);
        }
    }

    /// Hands what waits for the host over, in order and without a lock, one thread at a time.
    fn tell(self: &Arc<Self>) {
        loop {
            {
                let mut telling = self.telling.lock();
                if *telling || self.state.lock().notices.is_empty() {
                    return;
                }
                *telling = true;
            }
            let _told = Told(self);
            loop {
                let notice = self.state.lock().notices.pop_front();
                let Some(notice) = notice else { break };
                self.hand_over(notice);
            }
        }
    }

    fn hand_over(&self, notice: Notice) {
        let listeners = self.listeners.lock().clone();
        for (id, handle) in listeners {
            let Some(handle) = handle.upgrade().map(SharedObject::from) else {
                continue;
            };
            let notice = notice.clone();
            self.dispatch.run(move || tell_one(&handle, id, notice));
        }
    }
}

/// The notices are handed over, or a handler panicked.
struct Told<'a>(&'a ObjectCore);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        *self.0.telling.lock() = false;
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
