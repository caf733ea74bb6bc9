//! What the client publishes and plays.

use std::sync::Arc;

use crate::app::application::is_valid_name;
use crate::app::peer::{PeerCommand, PeerLink};
use crate::app::request::PublishOptions;
use crate::app::stream::{LiveStream, PlayerFlow, Publisher, Stream};
use crate::engine::players::Player;
use crate::engine::server_peer::ServerPeer;
use crate::engine::server_peer::requests::Asked;
use crate::engine::worker::Context;
use crate::media::{MediaKind, MediaMessage};
use crate::session::{PlayStart, PublishMode};
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

pub(super) struct Playing {
    pub(super) stream_id: u32,
    stream: Arc<LiveStream>,
    paused: bool,
    /// When the player was told last that it gets too much.
    warned_at: Option<u64>,
}

/// A player that is too slow is told so no more often than this.
const WARN_EVERY_MS: u64 = 10_000;

impl ServerPeer {
    /// Tells a player that its stream has, or lost, a publisher.
    pub(crate) fn notify(&mut self, stream_id: u32, name: &str, published: bool) {
        if published {
            self.session.publish_notify(stream_id, name);
        } else {
            self.session.unpublish_notify(stream_id, name);
        }
    }

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
            body,
        } = message;
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
        if !is_valid_name(name) {
            let status =
                Status::for_stream(Code::PublishBadName, name).with_description("The name is not valid.");
            return self.session.reject_publish(stream_id, status);
        }
        let stream = client.instance().live_stream(name);
        let takeover = takeover.unwrap_or(application.config().takeover);
        let link = self.link.clone();
        let candidate = Publisher::new(takeover, |publisher| {
            Box::new(move || link.send(PeerCommand::Evict { stream_id, publisher }))
        });
        let publisher = candidate.id;
        if !stream.claim(candidate) {
            return self
                .session
                .reject_publish(stream_id, Status::for_stream(Code::PublishBadName, name));
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

    /// Another publisher has the stream now: this one is told, and disconnected so that its encoder notices.
    pub(super) fn evicted(&mut self, stream_id: u32, publisher: u64) {
        let Some(publishing) = self
            .publishing
            .get(&stream_id)
            .filter(|current| current.publisher == publisher)
        else {
            return;
        };
        let status = Status::for_stream(Code::PublishBadName, publishing.stream.name())
            .with_description("Another publisher has taken the stream.");
        self.session.send_status(stream_id, status);
        self.unpublish(stream_id);
        self.session.close(None);
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

    pub(super) fn play(&mut self, stream_id: u32, name: &str, start: PlayStart, context: &mut Context<'_>) {
        let Some(client) = &self.client else { return };
        let recorded_only = matches!(start, PlayStart::Recorded(_));
        if !is_valid_name(name) || (recorded_only && !client.instance().is_live(name)) {
            return self
                .session
                .reject_play(stream_id, Status::for_stream(Code::PlayStreamNotFound, name));
        }
        let stream = client.instance().live_stream(name);
        let samples = (
            client.audio_sample_access().permits(name),
            client.video_sample_access().permits(name),
        );
        self.session.accept_play_with(stream_id, samples);
        let joined = stream.join(context.port);
        let at_keyframe = joined.backlog.iter().any(|message| message.is_keyframe());
        let reduction = match self.server.config.reduce_for_players {
            true => client.capabilities().reduction(),
            false => None,
        };
        let forms = joined
            .backlog
            .iter()
            .filter_map(|message| message.form(reduction));
        let sent = self.session.send_backlog(stream_id, forms);
        self.traffic.messages_sent(sent);
        let limits = self.server.config.player_limits;
        let flow = PlayerFlow::new(limits, joined.next_sequence, joined.has_video, at_keyframe);
        context.players.add(
            &stream,
            Player {
                key: self.link.key,
                stream_id,
                flow,
                reduction,
            },
        );
        self.playing.reserve_exact(1);
        self.playing.push(Playing {
            stream_id,
            stream,
            paused: false,
            warned_at: None,
        });
    }

    pub(super) fn stop_play(&mut self, stream_id: u32, context: &mut Context<'_>) {
        self.forget_request(|what| matches!(what, Asked::Play { stream_id: id, .. } if *id == stream_id));
        let Some(at) = self
            .playing
            .iter()
            .position(|playing| playing.stream_id == stream_id)
        else {
            return;
        };
        let Playing { stream, .. } = self.playing.swap_remove(at);
        context.players.remove(stream.id(), self.link.key, stream_id);
        stream.part(context.port);
        let name = stream.name().to_owned();
        drop(stream);
        if let (Some(client), Some(application)) = (self.client.clone(), &self.application) {
            client.instance().forget_idle_stream(&name);
            application.event(move |handler| handler.on_stop(&client, &name));
        }
    }

    pub(super) fn pause(&mut self, stream_id: u32, pause: Option<bool>, context: &mut Context<'_>) {
        let Some(playing) = self
            .playing
            .iter_mut()
            .find(|playing| playing.stream_id == stream_id)
        else {
            return;
        };
        let on = pause.unwrap_or(!playing.paused);
        playing.paused = on;
        let code = if on {
            Code::PauseNotify
        } else {
            Code::UnpauseNotify
        };
        let status = Status::for_stream(code, playing.stream.name());
        self.session.send_status(stream_id, status);
        self.with_flow(stream_id, context, |flow| flow.set_paused(on));
    }

    pub(super) fn with_flow(
        &self,
        stream_id: u32,
        context: &mut Context<'_>,
        change: impl FnOnce(&mut PlayerFlow),
    ) {
        let playing = self.playing.iter().find(|playing| playing.stream_id == stream_id);
        let flow = playing.and_then(|playing| {
            context
                .players
                .flow(playing.stream.id(), self.link.key, stream_id)
        });
        if let Some(flow) = flow {
            change(flow);
        }
    }

    /// Messages for a player were dropped because it does not keep up.
    pub(crate) fn too_slow(&mut self, stream_id: u32, now: u64) {
        let Some(playing) = self
            .playing
            .iter_mut()
            .find(|playing| playing.stream_id == stream_id)
        else {
            return;
        };
        if playing
            .warned_at
            .is_none_or(|at| now >= at.saturating_add(WARN_EVERY_MS))
        {
            playing.warned_at = Some(now);
            let status = Status::for_stream(Code::PlayInsufficientBw, playing.stream.name());
            self.session.send_status(stream_id, status);
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
