//! The shared objects behind `rtmpkit.SharedObject` and `rtmpkit.aio.SharedObject`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};
use rtmp_core as core;

use crate::application::Target;
use crate::errors::{OrRaise, config_error, shared_object_error, timeout as timed_out};
use crate::monitor::{Monitor, seconds};
use crate::peer::{Peer, Waiting, reply_to};
use crate::queue::Queue;
use crate::status::Status;
use crate::value;

/// A shared object, of this process's server or of another.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct RawSharedObject {
    core: Core,
    joined: Arc<Monitor<Joined>>,
    wanted: Arc<AtomicU8>,
}

enum Core {
    Host(core::SharedObject),
    Remote(core::RemoteSharedObject, core::NetConnection),
}

/// The server's answer to joining.
type Joined = Option<Result<(), core::Status>>;

/// Tells Python. Python's object refers to the library's, so this one refers to a function that only knows the way to
/// it: otherwise no object would ever be collected.
struct Handler {
    deliver: Target,
    /// Where Python runs, unless the library calls there already.
    dispatch: Option<core::Dispatch>,
    joined: Arc<Monitor<Joined>>,
    /// A bit for each of `EVENTS` that Python listens to.
    wanted: Arc<AtomicU8>,
}

const EVENTS: [&str; 4] = ["on_sync", "on_message", "on_status", "on_clear"];

macro_rules! both {
    ($self:ident, $object:ident => $work:expr) => {
        match &$self.core {
            Core::Host($object) => $work,
            Core::Remote($object, _) => $work,
        }
    };
}

impl RawSharedObject {
    /// One of an instance of this process; `deliver` runs where its application's handlers do.
    pub(crate) fn host(
        py: Python<'_>,
        instance: &core::Instance,
        name: &str,
        persistent: bool,
        deliver: Py<PyAny>,
    ) -> PyResult<Self> {
        let joined = Arc::new(Monitor::new(Some(Ok(()))));
        let wanted = Arc::new(AtomicU8::new(u8::MAX));
        let handler = Handler::shared(deliver, None, &joined, &wanted);
        // A persistent one is read from disk.
        let core = py.detach(|| instance.shared_object(name, persistent, handler));
        let core = core.or_raise()?;
        Ok(Self {
            core: Core::Host(core),
            joined,
            wanted,
        })
    }

    /// One of the server that a connection leads to; `deliver` runs where `dispatch` says.
    pub(crate) fn remote(
        connection: &core::NetConnection,
        name: &str,
        persistent: bool,
        deliver: Py<PyAny>,
        dispatch: Option<core::Dispatch>,
    ) -> PyResult<Self> {
        let joined = Arc::default();
        let wanted = Arc::new(AtomicU8::new(u8::MAX));
        let handler = Handler::shared(deliver, dispatch, &joined, &wanted);
        let core = connection.shared_object(name, persistent, handler).or_raise()?;
        Ok(Self {
            core: Core::Remote(core, connection.clone()),
            joined,
            wanted,
        })
    }

    /// The server's answer; the end of the connection counts as one.
    fn answer(&self, joined: &Joined) -> Joined {
        let lost = || match &self.core {
            Core::Remote(_, connection) if !connection.is_connected() => {
                Some(Err(over("The connection ended.")))
            }
            _ => None,
        };
        joined.clone().or_else(lost)
    }

    fn host_only(&self, what: &str) -> PyResult<&core::SharedObject> {
        match &self.core {
            Core::Host(object) => Ok(object),
            Core::Remote(..) => Err(config_error(format!(
                "{what}: only the server that owns a shared object can do that"
            ))),
        }
    }
}

#[pymethods]
impl RawSharedObject {
    /// Says which events are to be delivered; at first all are.
    #[pyo3(signature = (*events))]
    fn listen(&self, events: Vec<String>) {
        let bit =
            |(number, name): (usize, &&str)| u8::from(events.iter().any(|event| event == name)) << number;
        let wanted = EVENTS.iter().enumerate().map(bit).sum();
        self.wanted.store(wanted, Relaxed);
    }

    /// Its name.
    #[getter]
    fn name(&self) -> &str {
        both!(self, object => object.name())
    }

    /// Whether it is kept on disk.
    #[getter]
    fn persistent(&self) -> bool {
        both!(self, object => object.is_persistent())
    }

    /// Its version; 0 before the first and when it is closed.
    #[getter]
    fn version(&self) -> u32 {
        both!(self, object => object.version())
    }

    /// Whether it can be used: the server has let this side join, and it is not closed.
    #[getter]
    fn connected(&self) -> bool {
        match &self.core {
            Core::Host(object) => !object.is_closed(),
            Core::Remote(object, connection) => object.is_connected() && connection.is_connected(),
        }
    }

    /// How many clients use it. The server's side only.
    #[getter]
    fn subscribers(&self) -> PyResult<usize> {
        Ok(self.host_only("subscribers")?.subscribers())
    }

    /// Whether it changed since it was last stored. The server's side only.
    #[getter]
    fn dirty(&self) -> PyResult<bool> {
        Ok(self.host_only("dirty")?.is_dirty())
    }

    /// The value of a slot; raises `KeyError`.
    fn get<'py>(&self, py: Python<'py>, slot: &str) -> PyResult<Bound<'py, PyAny>> {
        match both!(self, object => object.get(slot)) {
            Some(value) => value::to_py(py, &value),
            None => Err(pyo3::exceptions::PyKeyError::new_err(slot.to_owned())),
        }
    }

    /// Whether there is a slot of that name.
    fn has(&self, slot: &str) -> bool {
        both!(self, object => object.get(slot)).is_some()
    }

    /// The names of all slots, sorted.
    fn names(&self) -> Vec<String> {
        both!(self, object => object.names())
    }

    /// How many slots there are.
    fn size(&self) -> usize {
        both!(self, object => object.size())
    }

    /// Sets a slot, or with `None` removes it.
    fn set(&self, slot: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = value::from_py(value)?;
        both!(self, object => object.set(slot, value)).or_raise()
    }

    /// Removes a slot; whether there was one.
    fn remove(&self, slot: &str) -> PyResult<bool> {
        both!(self, object => object.remove(slot)).or_raise()
    }

    /// Removes all slots; whether there were any.
    fn clear(&self) -> PyResult<bool> {
        both!(self, object => object.clear()).or_raise()
    }

    /// Calls a handler of all who use the object.
    fn send(&self, handler: &str, args: &Bound<'_, PyTuple>) -> PyResult<()> {
        let args = value::args_from_py(args)?;
        both!(self, object => object.send(handler, &args)).or_raise()
    }

    /// Holds changes back.
    fn lock(&self) -> PyResult<()> {
        both!(self, object => object.lock()).or_raise()
    }

    /// Undoes a lock.
    fn unlock(&self) -> PyResult<()> {
        both!(self, object => object.unlock()).or_raise()
    }

    /// Forgets which slots were removed before a version.
    fn purge(&self, version: u32) -> PyResult<()> {
        self.host_only("purge")?.purge(version).or_raise()
    }

    /// How far behind a client's copy may be before it starts from nothing.
    #[pyo3(signature = (depth))]
    fn set_resync_depth(&self, depth: Option<u32>) -> PyResult<()> {
        self.host_only("resync depth")?.set_resync_depth(depth).or_raise()
    }

    /// Begins to store it; a failure goes to `on_status`.
    fn store(&self) -> PyResult<()> {
        self.host_only("flush")?.flush(None).or_raise()
    }

    /// Stores it; returns the version that is on disk.
    fn flush<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        let object = self.host_only("flush")?;
        Waiting::STORE.wait(py, timeout, |reply| object.flush(Some(reply)).or_raise())
    }

    /// Stores it; `done(version, error)` runs where `queue` is served.
    fn submit_flush(&self, queue: &Queue, done: Py<PyAny>) -> PyResult<()> {
        let reply = reply_to(queue, done, shared_object_error);
        self.host_only("flush")?.flush(Some(reply)).or_raise()
    }

    /// Waits until the server has let this side join; raises `SharedObjectError` if it does not.
    #[pyo3(signature = (timeout = None))]
    fn wait_joined(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<()> {
        match self
            .joined
            .wait(py, seconds(timeout)?, |joined| self.answer(joined))?
        {
            Some(answer) => answer.map_err(shared_object_error),
            None => Err(timed_out("joining the shared object")),
        }
    }

    /// Whether the server has answered; raises `SharedObjectError` if it refused.
    fn joined(&self) -> PyResult<bool> {
        let answer = self.answer(&self.joined.lock());
        answer.map_or(Ok(false), |answer| {
            answer.map(|()| true).map_err(shared_object_error)
        })
    }

    /// Leaves the object.
    fn close(&self) {
        both!(self, object => object.close());
        self.joined.update(|joined| {
            joined.get_or_insert_with(|| Err(over("The shared object was closed.")));
        });
    }
}

impl Handler {
    fn shared<O>(
        deliver: Py<PyAny>,
        dispatch: Option<core::Dispatch>,
        joined: &Arc<Monitor<Joined>>,
        wanted: &Arc<AtomicU8>,
    ) -> Arc<dyn core::SharedObjectHandler<O>>
    where
        Self: core::SharedObjectHandler<O>,
    {
        Arc::new(Self {
            deliver: Target::new(Some(deliver)),
            dispatch,
            joined: Arc::clone(joined),
            wanted: Arc::clone(wanted),
        })
    }

    /// Calls `deliver(event, ...)` in Python, if anybody listens there.
    fn tell(&self, number: u8, event: impl FnOnce() -> Event) {
        if self.wanted.load(Relaxed) & (1 << number) == 0 {
            return;
        }
        let event = event();
        let deliver = self.deliver.clone();
        let run = move || Python::attach(|py| event.deliver(py, &deliver));
        match &self.dispatch {
            Some(dispatch) => dispatch.run(run),
            None => run(),
        }
    }
}

impl<O> core::SharedObjectHandler<O> for Handler {
    fn on_sync(&self, _object: &O, changes: &[core::SlotChange]) {
        self.joined.update(|joined| {
            joined.get_or_insert(Ok(()));
        });
        self.tell(0, || Event::Sync(changes.to_vec()));
    }

    fn on_message(&self, _object: &O, sender: Option<&core::Client>, handler: &str, args: &[core::Value]) {
        self.tell(1, || {
            Event::Message(sender.cloned(), handler.to_owned(), args.to_vec())
        });
    }

    fn on_status(&self, _object: &O, status: &core::Status) {
        if status.is_error() {
            self.joined.update(|joined| {
                joined.get_or_insert_with(|| Err(status.clone()));
            });
        }
        self.tell(2, || Event::Status(status.clone()));
    }

    fn on_clear(&self, _object: &O) {
        self.tell(3, || Event::Clear);
    }
}

/// What happened to a shared object.
enum Event {
    Sync(Vec<core::SlotChange>),
    Message(Option<core::Client>, String, Vec<core::Value>),
    Status(core::Status),
    Clear,
}

impl Event {
    fn deliver(self, py: Python<'_>, target: &Target) {
        let Some(deliver) = target.get(py) else { return };
        let told = self.call(py, &deliver);
        if let Err(error) = told {
            error.write_unraisable(py, Some(&deliver));
        }
    }

    fn call(self, py: Python<'_>, deliver: &Bound<'_, PyAny>) -> PyResult<()> {
        match self {
            Self::Sync(changes) => deliver.call1(("on_sync", changes_to_py(py, &changes)?)),
            Self::Message(peer, name, args) => {
                let args = value::list_to_py(py, &args)?;
                deliver.call1(("on_message", name, args, peer.as_ref().map(Peer::from)))
            }
            Self::Status(status) => deliver.call1(("on_status", Status::from(status))),
            Self::Clear => deliver.call1(("on_clear",)),
        }
        .map(drop)
    }
}

/// Tuples of kind, name, old value and new value.
fn changes_to_py<'py>(py: Python<'py>, changes: &[core::SlotChange]) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for change in changes {
        let value = |value: &Option<core::Value>| match value {
            Some(value) => value::to_py(py, value),
            None => Ok(py.None().into_bound(py)),
        };
        let kind = PyString::new(py, change.kind.as_str());
        list.append((
            kind,
            &change.name,
            value(&change.old_value)?,
            value(&change.new_value)?,
        ))?;
    }
    Ok(list)
}

fn over(text: &str) -> core::Status {
    core::Status::new(core::Code::ConnectClosed).with_description(text)
}
