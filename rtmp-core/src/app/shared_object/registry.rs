//! The shared objects of an instance.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::amf::Value;
use crate::app::application::is_valid_name;
use crate::app::disk::Disk;
use crate::app::dispatch::Dispatch;
use crate::app::path_pattern::PathPattern;
use crate::app::peer::Reply;
use crate::app::shared_object::SharedObjectConfig;
use crate::app::shared_object::core::ObjectCore;
use crate::app::shared_object::object::{ObjectState, Phase};
use crate::app::shared_object::slots::SlotLimits;
use crate::app::shared_object::store::{Outcome, Storage};
use crate::error::{Error, Result};
use crate::wire::status::{Code, Status};

/// The objects of an instance that somebody uses, and the way to those on disk.
#[derive(Debug)]
pub(crate) struct SharedObjects {
    instance: String,
    pub(crate) config: SharedObjectConfig,
    dispatch: Dispatch,
    disk: Arc<dyn Disk>,
    storage: Option<Arc<Storage>>,
    objects: Mutex<HashMap<String, Arc<ObjectCore>>>,
    last_commit: Mutex<Instant>,
}

impl SharedObjects {
    pub(crate) fn new(
        instance: &str,
        config: SharedObjectConfig,
        dispatch: Dispatch,
        disk: Arc<dyn Disk>,
        storage: Option<Arc<Storage>>,
    ) -> Self {
        Self {
            instance: instance.to_owned(),
            config,
            dispatch,
            disk,
            storage,
            objects: Mutex::default(),
            last_commit: Mutex::new(Instant::now()),
        }
    }

    /// The object for a client. One that has to be read from disk takes messages meanwhile.
    pub(crate) fn open(&self, name: &str, persistent: bool) -> Result<Arc<ObjectCore>, Code> {
        if !is_valid_name(name) || (persistent && self.storage.is_none()) {
            return Err(Code::SharedObjectCreationFailed);
        }
        let behind = |storage: &Arc<Storage>| persistent && storage.is_behind();
        if self.storage.as_ref().is_some_and(behind) && !self.objects.lock().contains_key(name) {
            return Err(Code::SharedObjectCreationFailed);
        }
        let (core, new) = self.find_or_make(name, persistent);
        if core.persistent != persistent {
            return Err(Code::SharedObjectBadPersistence);
        }
        if let Some(storage) = self.storage.as_ref().filter(|_| new && persistent) {
            let loading = Arc::clone(&core);
            // What went wrong is in the object's phase.
            let queued = storage.run(move || drop(loading.load()));
            if queued.is_err() {
                core.loaded(Err(()));
            }
        }
        Ok(core)
    }

    /// The object for the host; reads it from disk on this thread if need be.
    pub(crate) fn open_now(&self, name: &str, persistent: bool) -> Result<Arc<ObjectCore>> {
        if !is_valid_name(name) {
            return Err(Error::InvalidArgument(format!("shared object name {name:?}")));
        }
        if persistent && self.storage.is_none() {
            return Err(Error::WrongState(
                "the application has no directory for persistent shared objects".to_owned(),
            ));
        }
        let (core, _) = self.find_or_make(name, persistent);
        if core.persistent != persistent {
            let kind = if persistent { "temporary" } else { "persistent" };
            return Err(Error::AlreadyExists(format!("{kind} shared object {name:?}")));
        }
        if core.phase() == Phase::Loading {
            core.load()?;
        }
        Ok(core)
    }

    /// Lets go of an object that nobody uses. Call after dropping a reference to it.
    pub(crate) fn forget(&self, name: &str) {
        let mut objects = self.objects.lock();
        if objects.get(name).is_some_and(is_unused) {
            objects.remove(name);
        }
    }

    /// Whether nobody uses an object, and all is on disk that should be.
    pub(crate) fn is_idle(&self) -> bool {
        let mut objects = self.objects.lock();
        objects.retain(|_, core| !is_unused(core));
        objects.is_empty()
    }

    /// Lets go of the objects that nobody uses; returns how many.
    pub(crate) fn collect(&self) -> usize {
        let mut objects = self.objects.lock();
        let before = objects.len();
        objects.retain(|_, core| !is_unused(core));
        before - objects.len()
    }

    /// Stores what changed, if it is time to.
    pub(crate) fn autocommit(&self) {
        let Some(storage) = &self.storage else { return };
        storage.kick();
        let interval = Duration::from_millis(self.config.autocommit_ms);
        {
            let mut last = self.last_commit.lock();
            if interval.is_zero() || last.elapsed() < interval {
                return;
            }
            *last = Instant::now();
        }
        self.commit();
    }

    /// Stores all objects that changed.
    pub(crate) fn commit(&self) {
        for core in self.live() {
            core.save_if_dirty();
        }
    }

    /// Stores one object, or all that are in memory; `reply` takes how many there were.
    pub(crate) fn commit_with_reply(&self, name: Option<&str>, reply: Option<Reply>) -> Result<()> {
        let chosen: Vec<Arc<ObjectCore>> = self
            .live()
            .into_iter()
            .filter(|core| core.persistent && core.phase() == Phase::Ready)
            .filter(|core| name.is_none_or(|name| core.name == name))
            .collect();
        if let Some(name) = name.filter(|_| chosen.is_empty()) {
            return Err(Error::NotFound(format!(
                "persistent shared object {name:?} in use"
            )));
        }
        let all = Arc::new(All::new(chosen.len(), self.dispatch.clone(), reply));
        for core in chosen {
            let all = Arc::clone(&all);
            core.save(Some(Box::new(move |result| {
                if let Err(status) = result {
                    all.failed(status);
                }
            })));
        }
        Ok(())
    }

    /// Clears the objects that a path names, and deletes the stored ones; `reply` takes how many there were. `/` names
    /// all, `/a/` all below `a`; `*` and `?` in the last segment stand for any characters and for one.
    pub(crate) fn clear(self: &Arc<Self>, path: &str, reply: Option<Reply>) -> Result<()> {
        let pattern = PathPattern::new(path)?;
        let live: Vec<Arc<ObjectCore>> = self
            .live()
            .into_iter()
            .filter(|core| pattern.matches(&core.name))
            .collect();
        let mut cleared: Vec<String> = Vec::new();
        for core in live {
            core.erase();
            cleared.push(core.name.clone());
        }
        let Some(storage) = &self.storage else {
            self.reply(reply, Ok(count(cleared.len())));
            return Ok(());
        };
        let objects = Arc::clone(self);
        storage.run(move || {
            let result = objects.delete_stored(&pattern, cleared);
            objects.reply(reply, result);
        })
    }

    /// Deletes the stored objects that are not in memory.
    fn delete_stored(&self, pattern: &PathPattern, mut cleared: Vec<String>) -> Result<Value, Status> {
        let Some(storage) = &self.storage else {
            return Ok(count(cleared.len()));
        };
        let prefix = self.key("");
        let failed =
            |error: Error| Status::new(Code::SharedObjectFlushFailed).with_description(error.to_string());
        for key in storage.keys(&prefix).map_err(failed)? {
            let Some(name) = key.strip_prefix(&prefix).filter(|name| pattern.matches(name)) else {
                continue;
            };
            // Under the lock, so that nobody reads it between the look and the deletion.
            let objects = self.objects.lock();
            if !objects.contains_key(name) {
                let logged = key.replace('\0', " ");
                let done = move |result: Result<(), String>| {
                    if let Err(error) = result {
                        log::error!("shared object {logged} was not deleted: {error}");
                    }
                };
                storage.submit(&key, None, Outcome::Note(Box::new(done)));
            }
            drop(objects);
            if !cleared.iter().any(|known| known == name) {
                cleared.push(name.to_owned());
            }
        }
        storage.kick();
        Ok(count(cleared.len()))
    }

    fn find_or_make(&self, name: &str, persistent: bool) -> (Arc<ObjectCore>, bool) {
        let mut objects = self.objects.lock();
        if let Some(core) = objects.get(name).filter(|core| core.phase() != Phase::Failed) {
            return (Arc::clone(core), false);
        }
        let limits = SlotLimits::from(&self.config);
        let state = ObjectState::new(name, persistent, limits, self.config.max_waiting);
        let storage = self.storage.clone().filter(|_| persistent);
        let core = Arc::new(ObjectCore::new(
            name,
            self.key(name),
            self.dispatch.clone(),
            Arc::clone(&self.disk),
            storage,
            state,
        ));
        objects.insert(name.to_owned(), Arc::clone(&core));
        (core, true)
    }

    fn live(&self) -> Vec<Arc<ObjectCore>> {
        self.objects.lock().values().cloned().collect()
    }

    fn reply(&self, reply: Option<Reply>, result: Result<Value, Status>) {
        if let Some(reply) = reply {
            let job = move || reply(result);
            // Never inside the host's own call.
            let dispatch = self.dispatch.clone();
            if self.disk.run(Box::new(move || dispatch.run(job))).is_err() {
                log::warn!("a reply was lost: too many wait");
            }
        }
    }

    /// Name of an object in the store, which all instances share. No name has a NUL.
    fn key(&self, name: &str) -> String {
        format!("{}\0{name}", self.instance)
    }
}

fn is_unused(core: &Arc<ObjectCore>) -> bool {
    Arc::strong_count(core) == 1 && !(core.persistent && core.state().is_dirty())
}

fn count(count: usize) -> Value {
    Value::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Answers when the last of several writes is done and its share of this is dropped.
struct All {
    count: usize,
    dispatch: Dispatch,
    reply: Mutex<Option<Reply>>,
    failure: Mutex<Option<Status>>,
}

impl All {
    fn new(count: usize, dispatch: Dispatch, reply: Option<Reply>) -> Self {
        Self {
            count,
            dispatch,
            reply: Mutex::new(reply),
            failure: Mutex::default(),
        }
    }

    fn failed(&self, status: Status) {
        self.failure.lock().get_or_insert(status);
    }
}

impl Drop for All {
    fn drop(&mut self) {
        if let Some(reply) = self.reply.get_mut().take() {
            let result = match self.failure.get_mut().take() {
                Some(status) => Err(status),
                None => Ok(count(self.count)),
            };
            self.dispatch.run(move || reply(result));
        }
    }
}
