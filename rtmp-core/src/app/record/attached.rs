//! The recorders that a live stream has.

use std::sync::Arc;

use crate::app::record::{Pushed, Recorder};
use crate::app::stream::LiveMessage;

/// The recorders of a stream. Nearly always none.
#[derive(Debug, Default)]
pub(crate) struct Recorders(Vec<Attached>);

#[derive(Debug)]
struct Attached {
    recorder: Arc<Recorder>,
    /// The publisher whose recording ends with it; `None` for the host's.
    publisher: Option<u64>,
}

impl Recorders {
    pub(crate) fn add(&mut self, recorder: &Arc<Recorder>, publisher: Option<u64>) {
        let recorder = Arc::clone(recorder);
        self.0.push(Attached { recorder, publisher });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn remove(&mut self, recorder: &Arc<Recorder>) {
        self.0
            .retain(|attached| !Arc::ptr_eq(&attached.recorder, recorder));
    }

    /// Gives all a message. Those that are returned want to write: it may be here, so not under a lock.
    pub(crate) fn push(&mut self, message: &Arc<LiveMessage>) -> Vec<Arc<Recorder>> {
        let mut due = Vec::new();
        self.0
            .retain(|Attached { recorder, .. }| match recorder.push(message) {
                Pushed::Refused => false,
                Pushed::Due => {
                    due.push(Arc::clone(recorder));
                    true
                }
                Pushed::Waits | Pushed::Dropped => true,
            });
        due
    }

    /// Another publisher begins its own time.
    pub(crate) fn restart(&self) {
        for attached in &self.0 {
            attached.recorder.restart();
        }
    }

    /// Takes out those that end with a publisher, or those of the host.
    pub(crate) fn take_of(&mut self, publisher: Option<u64>) -> Vec<Arc<Recorder>> {
        let taken = self.0.extract_if(.., |attached| attached.publisher == publisher);
        taken.map(|attached| attached.recorder).collect()
    }

    /// The recorders now.
    pub(crate) fn all(&self) -> Vec<Arc<Recorder>> {
        self.0
            .iter()
            .map(|attached| Arc::clone(&attached.recorder))
            .collect()
    }
}
