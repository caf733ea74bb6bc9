//! The bridge from the library's events to a Python application.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::PyClass;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use rtmp_core as core;

use crate::instance::{Instance, Stream};
use crate::peer::Peer;
use crate::recording::Recording;
use crate::request::{
    CallRequest, ConnectRequest, PlayRequest, PublishRequest, Question, StreamLengthRequest,
};
use crate::status::Status;

/// An object of Python's that the library refers to until it is let go of. Python's collector does not see through the
/// library, so that a handler that refers to its own server would keep both for ever.
#[derive(Clone, Default)]
pub(crate) struct Target(Arc<Mutex<Option<Py<PyAny>>>>);

impl Target {
    pub(crate) fn new(object: Option<Py<PyAny>>) -> Self {
        Self(Arc::new(Mutex::new(object)))
    }

    /// The object, unless it was let go of.
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.0.lock().as_ref().map(|object| object.bind(py).clone())
    }

    /// Whether there is an object.
    pub(crate) fn is_set(&self) -> bool {
        self.0.lock().is_some()
    }

    /// Lets go of the object. Not on a thread of the library.
    pub(crate) fn clear(&self) {
        let object = self.0.lock().take();
        Python::attach(|_| drop(object));
    }
}

/// Calls the methods `on_connect`, `on_publish`, ... of a Python object. Runs where the application's queue is served,
/// never on a thread of the library.
pub(crate) struct PythonHandler {
    target: Target,
}

impl PythonHandler {
    pub(crate) fn new(target: Target) -> Self {
        Self { target }
    }

    /// Asks the application. Accepts what it accepts, refuses when it fails, and leaves a request alone that it kept.
    pub(crate) fn ask<R>(&self, method: &str, request: R)
    where
        R: Question + PyClass<Frozen = pyo3::pyclass::boolean_struct::True> + Sync,
        R: Into<PyClassInitializer<R>>,
    {
        Python::attach(|py| {
            let Some(target) = self.target.get(py) else { return };
            let request = match Bound::new(py, request) {
                Ok(request) => request,
                Err(error) => return error.write_unraisable(py, Some(&target)),
            };
            let decided = target
                .call_method1(method, (request.clone(),))
                .and_then(|result| {
                    let question = request.get();
                    // A handler that kept the request answers later; one that did not has decided.
                    let kept = result.is_none() && references(&request) > 1;
                    if question.answered() || kept {
                        Ok(())
                    } else {
                        question.decide(&result)
                    }
                });
            if let Err(error) = decided {
                request.get().fail();
                error.write_unraisable(py, Some(&target));
            }
        });
    }

    /// Asks the application something that it answers at once; a failure and no answer mean yes.
    fn agrees<A>(&self, method: &str, args: A) -> bool
    where
        A: for<'py> IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error = PyErr>,
    {
        Python::attach(|py| {
            let Some(target) = self.target.get(py) else {
                return true;
            };
            let told = args
                .into_pyobject(py)
                .and_then(|args| target.call_method1(PyString::new(py, method), args))
                .and_then(|answer| Ok(answer.is_none() || answer.is_truthy()?));
            told.unwrap_or_else(|error| {
                error.write_unraisable(py, Some(&target));
                true
            })
        })
    }

    /// Tells the application; what it returns does not matter.
    fn tell<A>(&self, method: &str, args: A)
    where
        A: for<'py> IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error = PyErr>,
    {
        Python::attach(|py| {
            let Some(target) = self.target.get(py) else { return };
            let told = args
                .into_pyobject(py)
                .and_then(|args| target.call_method1(PyString::new(py, method), args));
            if let Err(error) = told {
                error.write_unraisable(py, Some(&target));
            }
        });
    }
}

impl core::ApplicationHandler for PythonHandler {
    fn on_instance_start(&self, instance: &core::Instance) {
        self.tell("on_instance_start", (Instance::from(instance),));
    }

    fn on_instance_stop(&self, instance: &core::Instance) {
        self.tell("on_instance_stop", (Instance::from(instance),));
    }

    fn on_instance_idle(&self, instance: &core::Instance) -> bool {
        self.agrees("on_instance_idle", (Instance::from(instance),))
    }

    fn on_status(&self, instance: &core::Instance, status: &core::Status) {
        self.tell(
            "on_status",
            (Instance::from(instance), Status::from(status.clone())),
        );
    }

    fn on_accept(&self, client: &core::Client) {
        self.tell("on_accept", (Peer::from(client),));
    }

    fn on_stream_length(&self, request: core::StreamLengthRequest) {
        self.ask("on_stream_length", StreamLengthRequest::from(request));
    }

    fn on_connect(&self, request: core::ConnectRequest) {
        self.ask("on_connect", ConnectRequest::from(request));
    }

    fn on_reject(&self, client: &core::Client, why: &core::Status) {
        self.tell("on_reject", (Peer::from(client), Status::from(why.clone())));
    }

    fn on_disconnect(&self, client: &core::Client, why: &core::Status) {
        self.tell("on_disconnect", (Peer::from(client), Status::from(why.clone())));
    }

    fn on_publish(&self, request: core::PublishRequest) {
        self.ask("on_publish", PublishRequest::from(request));
    }

    fn on_unpublish(&self, client: &core::Client, stream: &core::Stream) {
        self.tell("on_unpublish", (Peer::from(client), Stream::from(stream.clone())));
    }

    fn on_record(&self, recording: &core::Recording, status: &core::Status) {
        let (recording, status) = (Recording::from(recording.clone()), Status::from(status.clone()));
        self.tell("on_record", (recording, status));
    }

    fn on_play(&self, request: core::PlayRequest) {
        self.ask("on_play", PlayRequest::from(request));
    }

    fn on_stop(&self, client: &core::Client, stream_name: &str) {
        self.tell("on_stop", (Peer::from(client), stream_name.to_owned()));
    }

    fn on_call(&self, request: core::CallRequest) {
        self.ask("on_call", CallRequest::from(request));
    }

    fn on_error(&self, client: &core::Client, status: &core::Status) {
        self.tell("on_error", (Peer::from(client), Status::from(status.clone())));
    }
}

/// How many references there are to an object.
#[allow(unsafe_code)]
fn references<T>(object: &Bound<'_, T>) -> isize {
    // SAFETY: the object is alive and this thread is attached to Python.
    unsafe { pyo3::ffi::Py_REFCNT(object.as_ptr()) }
}
