//! What the client publishes.

use std::sync::Arc;

use crate::app::peer::{PeerCommand, PeerLink};
use crate::app::request::PublishOptions;
use crate::app::stream::{Eviction, LiveStream, Publisher, Stream};
use crate::client::relay::{is_circle, looped};
use crate::engine::server_peer::ServerPeer;
use crate::engine::server_peer::requests::Asked;
use crate::media::{MediaKind, MediaMessage};
use crate::session::PublishMode;
use crate::wire::status::{Code, Status};

pub(super) struct Publishing {
    pub(super) stream: Arc<LiveStream>,
    pub(super) publisher: u64,
    /// A recording is under way that ends with it.
    pub(super) recorded: bool,
    /// The next data message is one that late joiners need.
    pub(super) metadata_follows: bool,
    /// When it was published, or sent something last.
    active_at: u64,
    /// The publisher was told that it is idle.
    idle_told: bool,
}

/// A publish that the host has accepted.
pub(super) struct Accepted {
    pub(super) stream_id: u32,
    pub(super) name: String,
    pub(super) mode: PublishMode,
    pub(super) options: PublishOptions,
}

/// Shorter messages are copied: as slices, those that wait for late joiners would keep the whole block they were read
/// into.
const LEAST_SLICE: usize = 1024;

impl ServerPeer {
    pub(super) fn media(&mut self, stream_id: u32, message: MediaMessage, now: u64) {
        let Some(publishing) = self.publishing.get_mut(&stream_id) else {
            return;
        };
        self.traffic.messages_received(1);
        publishing.active_at = now;
        publishing.idle_told = false;
        let MediaMessage {
            kind,
            timestamp,
            mut body,
        } = message;
        if body.len() < LEAST_SLICE {
            body = self.session.copy(&body);
        }
        let metadata = kind == MediaKind::Data && std::mem::take(&mut publishing.metadata_follows);
        publishing
            .stream
            .push(publishing.publisher, kind, timestamp, body, metadata);
    }

    pub(super) fn publish(&mut self, accepted: Accepted, now: u64) {
        let Some(accepted) = self.unless_completing(accepted) else {
            return;
        };
        let Accepted {
            stream_id,
            name,
            mode,
            options: PublishOptions { takeover, record },
        } = accepted;
        let (Some(client), Some(application)) = (&self.client, &self.application) else {
            return;
        };
        let name = name.as_str();
        let stream = client.instance().live_stream(name);
        let takeover = takeover.unwrap_or(application.config().takeover);
        let link = self.link.clone();
        let path = self.relay_path().unwrap_or_default();
        if !path.is_empty() && is_circle(&path, &stream.node()) {
            return self.refuse_after_all(stream_id, looped(Code::PublishBadName, name));
        }
        let candidate = Publisher::new(takeover, |publisher| {
            Box::new(move |why| {
                link.send(PeerCommand::Evict {
                    stream_id,
                    publisher,
                    why,
                });
            })
        });
        let candidate = candidate.relayed(path, false);
        let publisher = candidate.id;
        if !stream.claim(candidate) {
            return self.refuse_after_all(stream_id, Status::for_stream(Code::PublishBadName, name));
        }
        let handle = Stream::new(Arc::clone(&stream), client.instance());
        self.publishing.insert(
            stream_id,
            Publishing {
                stream,
                publisher,
                recorded: false,
                metadata_follows: false,
                active_at: now,
                idle_told: false,
            },
        );
        self.session.accept_publish(stream_id);
        if let Some(options) = record.options(mode) {
            self.record(stream_id, &handle, options);
        }
    }

    /// Refuses what the host has accepted, and tells the host: no end of this publication will follow.
    fn refuse_after_all(&mut self, stream_id: u32, status: Status) {
        self.complain_of(status.clone());
        self.session.reject_publish(stream_id, status);
    }

    /// The stream is no longer this publisher's: it is told, and disconnected so that its encoder notices, unless its connection
    /// serves for anything else.
    pub(super) fn evicted(&mut self, stream_id: u32, publisher: u64, why: Eviction) {
        let Some(publishing) = self
            .publishing
            .get(&stream_id)
            .filter(|current| current.publisher == publisher)
        else {
            return;
        };
        let status = why.status(publishing.stream.name());
        self.session.revoke_publish(stream_id, status);
        self.unpublish(stream_id);
        if self.publishing.is_empty() && self.playing.is_empty() && self.shared_objects.is_empty() {
            self.session.close(None);
        }
    }

    pub(super) fn unpublish(&mut self, stream_id: u32) {
        self.forget_request(|what| matches!(what, Asked::Publish { stream_id: id, .. } if *id == stream_id));
        self.forget_completing(stream_id);
        let Some(Publishing {
            stream,
            publisher,
            recorded,
            ..
        }) = self.publishing.remove(&stream_id)
        else {
            return;
        };
        if recorded {
            self.complete(stream_id, publisher, stream.name());
        }
        stream.release(publisher);
        if let (Some(client), Some(application)) = (self.client.clone(), &self.application) {
            let instance = client.instance().clone();
            let handle = Stream::new(stream, &instance);
            application.event(move |handler| {
                handler.on_unpublish(&client, &handle);
                let name = handle.name().to_owned();
                drop(handle);
                instance.forget_idle_stream(&name);
            });
        }
    }

    /// When the next publisher will have been silent for too long.
    pub(super) fn publish_idle_deadline(&self, patience: u64) -> Option<u64> {
        let waiting = self
            .publishing
            .values()
            .filter(|publishing| patience > 0 && !publishing.idle_told);
        waiting
            .map(|publishing| publishing.active_at.saturating_add(patience))
            .min()
    }

    /// Tells the publications that were silent for too long.
    pub(super) fn tell_idle_publishers(&mut self, patience: u64, now: u64) {
        for (stream_id, publishing) in &mut self.publishing {
            let silent = now >= publishing.active_at.saturating_add(patience);
            if patience > 0 && silent && !publishing.idle_told {
                publishing.idle_told = true;
                let status = Status::for_stream(Code::PublishIdle, publishing.stream.name());
                self.session.send_status(*stream_id, status);
            }
        }
    }
}
