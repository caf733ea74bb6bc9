//! Recordings of what the client publishes: they are told about between Publish.Start and Unpublish.Success.

use crate::app::peer::{PeerCommand, PeerLink};
use crate::app::record::{self, RecordOptions};
use crate::app::stream::Stream;
use crate::engine::server_peer::ServerPeer;
use crate::engine::server_peer::streams::Accepted;

/// A publication that is over, whose recording is being completed.
pub(super) struct Completing {
    stream_id: u32,
    publisher: u64,
    name: String,
    /// What the client wants to publish next on the message stream.
    next: Option<Accepted>,
}

impl ServerPeer {
    /// Begins to record what is published on a message stream.
    pub(super) fn record(&mut self, stream_id: u32, stream: &Stream, options: RecordOptions) {
        let (Some(publishing), Some(application)) = (self.publishing.get_mut(&stream_id), &self.application)
        else {
            return;
        };
        let (link, publisher) = (self.link.clone(), publishing.publisher);
        let recorder = record::begin(stream, application, options, move |status, last| {
            let status = status.clone();
            link.send(PeerCommand::Status { stream_id, status });
            if last {
                link.send(PeerCommand::Recorded { stream_id, publisher });
            }
        });
        publishing.recorded = true;
        self.session.hold_unpublish(stream_id, true);
        recorder.start();
        stream.live().attach(&recorder, Some(publisher));
    }

    /// A publication is over but for its recording.
    pub(super) fn complete(&mut self, stream_id: u32, publisher: u64, name: &str) {
        self.completing.push(Completing {
            stream_id,
            publisher,
            name: name.to_owned(),
            next: None,
        });
    }

    /// A recording has ended, before its publication or after.
    pub(super) fn recorded(&mut self, stream_id: u32, publisher: u64, now: u64) {
        if let Some(publishing) = self.publishing.get_mut(&stream_id)
            && publishing.publisher == publisher
        {
            publishing.recorded = false;
            return self.session.hold_unpublish(stream_id, false);
        }
        let is_it = |over: &Completing| (over.stream_id, over.publisher) == (stream_id, publisher);
        let Some(at) = self.completing.iter().position(is_it) else {
            return;
        };
        let Completing { name, next, .. } = self.completing.swap_remove(at);
        self.session.unpublished(stream_id, &name);
        if let Some(next) = next {
            self.publish(next, now);
        }
    }

    /// Keeps what is to be published on a message stream until the recording before it is complete; gives it back if there is
    /// none.
    pub(super) fn unless_completing(&mut self, accepted: Accepted) -> Option<Accepted> {
        let same = |over: &&mut Completing| over.stream_id == accepted.stream_id;
        match self.completing.iter_mut().find(same) {
            Some(over) => {
                over.next = Some(accepted);
                None
            }
            None => Some(accepted),
        }
    }

    /// The client no longer wants to publish what waits.
    pub(super) fn forget_completing(&mut self, stream_id: u32) {
        for over in &mut self.completing {
            if over.stream_id == stream_id {
                over.next = None;
            }
        }
    }
}
