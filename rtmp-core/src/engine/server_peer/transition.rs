//! `play2`: another stream takes the place of the one that plays, or of one in the play list (RTMP 1.0 7.2.2.2).

use std::sync::Arc;

use crate::amf::{Object, Value};
use crate::app::application::is_valid_name;
use crate::app::client::Client;
use crate::app::request::PlayRequest;
use crate::app::stream::PlayerFlow;
use crate::app::vod::{Outcome, Pace, Place, Player, RecordedFile};
use crate::engine::players;
use crate::engine::server_peer::ServerPeer;
use crate::engine::server_peer::playing::{Item, Now, State};
use crate::engine::server_peer::recorded::Phase;
use crate::engine::server_peer::requests::Asked;
use crate::engine::worker::Context;
use crate::media::{FrameFlags, MediaKind, MediaMessage, inspect};
use crate::session::{PlayStart, clamp_millis};
use crate::wire::status::{Code, Status};

/// A change that a client wants.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) item: Item,
    /// What is to be replaced; empty for what plays.
    old: String,
    kind: Kind,
    /// Where in the stream to change, in milliseconds.
    offset: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Another rendition of the same content: its timeline goes on.
    Switch,
    /// Whatever else.
    Swap,
}

/// A file that takes over from the one that plays.
pub(super) struct Next {
    pub(super) ticket: u64,
    name: String,
    opened: Option<(RecordedFile, Player, u64)>,
}

impl ServerPeer {
    /// The client wants another stream in the place of one: asks the host.
    pub(super) fn play2(&mut self, stream_id: u32, options: &Object, context: &Context<'_>) {
        let Some((change, query)) = read(options) else {
            let transition = options
                .get("transition")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let shown: String = transition.chars().take(64).collect();
            let status = Status::new(Code::StreamFailed).with_description(format!(
                "There is no transition {shown:?}, or it names no stream."
            ));
            return self.session.send_status(stream_id, status);
        };
        let name = change.item.name.clone();
        if !self.permits(&name, Client::read_access) {
            let status = Status::for_stream(Code::PlayFailed, &name)
                .with_description(format!("Failed to play {name}; access denied."));
            return self.session.send_status(stream_id, status);
        }
        let (start, duration) = (change.item.start, change.item.duration);
        let asked = Asked::Transition { stream_id, change };
        if let Some(question) = self.ask(asked, context) {
            self.request(question, move |client, question| {
                let request = PlayRequest::new(client, question, name, query, start, duration, false);
                move |handler| handler.on_play(request)
            });
        }
    }

    /// The host allows a change.
    pub(super) fn change(&mut self, stream_id: u32, change: Change, called: &str, context: &mut Context<'_>) {
        let current = self.session.name_of(stream_id).unwrap_or_default();
        let instance = self.client.as_ref().map(|client| client.instance().clone());
        let (Some(instance), Some(playing)) = (
            instance,
            self.playing.iter().find(|playing| playing.stream_id == stream_id),
        ) else {
            return;
        };
        if !change.old.is_empty() && change.old != current {
            return self.swap_in_list(stream_id, change, called);
        }
        let is_live = instance.is_live(&change.item.name);
        let seamless = change.kind == Kind::Switch;
        match &playing.now {
            Now::Live(_) if seamless && is_live => self.switch_live(stream_id, &change, called, context),
            Now::Recorded(recorded) if seamless && !is_live && recorded.phase == Phase::Playing => {
                self.switch_file(stream_id, &change, called);
            }
            _ => {
                self.tell_transition(stream_id, called, Code::TransitionForced);
                self.session.play_next(stream_id, called);
                self.leave(stream_id, context);
                self.start(stream_id, change.item, context);
                self.advance(stream_id, context);
            }
        }
    }

    fn swap_in_list(&mut self, stream_id: u32, change: Change, called: &str) {
        let found = self.session.play_instead(stream_id, &change.old, called);
        let playing = self.playing_mut(stream_id);
        // Counted from the end: what is being opened is still in front on the session's list.
        let entry = found.zip(playing).and_then(|(from_end, playing)| {
            let at = playing.list.len().checked_sub(from_end)?;
            playing.list.get_mut(at)
        });
        match entry {
            Some(entry) => {
                entry.state = State::Ready(change.item);
                self.tell_transition(stream_id, called, Code::TransitionSuccess);
            }
            None => self.no_transition(stream_id, called, "Playlist swap failed."),
        }
    }

    fn tell_transition(&mut self, stream_id: u32, called: &str, reason: Code) {
        let status = Status::for_stream(Code::PlayTransition, called).with("reason", reason.as_str());
        self.session.send_status(stream_id, status);
    }

    fn no_transition(&mut self, stream_id: u32, called: &str, why: &str) {
        let status = Status::for_stream(Code::PlayFailed, called).with_description(why);
        self.session.send_status(stream_id, status);
    }

    fn tell_complete(&mut self, stream_id: u32, timestamp: u32) {
        let name = self.session.name_of(stream_id).unwrap_or_default().to_owned();
        let status = Status::for_stream(Code::PlayTransitionComplete, &name);
        self.session.send_play_status(stream_id, timestamp, &status);
    }

    /// Another live stream takes over at its next keyframe.
    fn switch_live(&mut self, stream_id: u32, change: &Change, called: &str, context: &mut Context<'_>) {
        let Some(client) = self.client.clone() else { return };
        let stream = client.instance().live_stream(&change.item.name);
        let (limits, reduction) = (self.server.config.player_limits, self.reduction());
        let key = self.link.key;
        let Some(playing) = self.playing_mut(stream_id) else {
            return;
        };
        let Now::Live(now) = &playing.now else { return };
        let (same, old) = (Arc::ptr_eq(now, &stream), now.id());
        if let Some(before) = playing.next_live.take() {
            context.players.remove(before.id(), key, stream_id);
            before.part(context.port);
        }
        if !same {
            let joined = stream.join(context.port);
            let mut flow = PlayerFlow::new(limits, joined.next_sequence, joined.has_video, false);
            flow.fall_behind();
            flow.set_paused(playing.paused);
            playing.next_live = Some(Arc::clone(&stream));
            let player = players::Player {
                key,
                stream_id,
                flow,
                reduction,
                takes_over: Some(old),
            };
            context.players.add(&stream, player);
        }
        self.tell_transition(stream_id, called, Code::TransitionSuccess);
        if same {
            self.tell_complete(stream_id, 0);
        }
    }

    /// The first frame of the live stream that takes over was sent.
    pub(crate) fn taken_over(&mut self, stream_id: u32, timestamp: u32, context: &mut Context<'_>) {
        let key = self.link.key;
        let Some(playing) = self.playing_mut(stream_id) else {
            return;
        };
        let Some(next) = playing.next_live.take() else {
            return;
        };
        let name = next.name().to_owned();
        let title = std::mem::replace(&mut playing.title, name.clone());
        if let Now::Live(old) = std::mem::replace(&mut playing.now, Now::Live(next)) {
            context.players.remove(old.id(), key, stream_id);
            old.part(context.port);
            let old_name = old.name().to_owned();
            drop(old);
            if let Some(client) = &self.client {
                client.instance().forget_idle_stream(&old_name);
            }
        }
        self.session.rename(stream_id, &name);
        self.tell_stop(title);
        self.tell_complete(stream_id, timestamp);
    }

    /// Another file takes over at its first keyframe behind what was sent.
    fn switch_file(&mut self, stream_id: u32, change: &Change, called: &str) {
        let Some(recorded) = self.recorded_mut(stream_id) else {
            return;
        };
        let behind = recorded.player.last().map_or(0, |last| last.saturating_add(1));
        let at = change.offset.unwrap_or(behind).max(behind);
        if !is_valid_name(&change.item.name) {
            return self.no_transition(stream_id, called, "The name is not valid.");
        }
        let Some(ticket) = self.open(stream_id, &change.item.name, Place::AtOrAfter(at)) else {
            return self.no_transition(stream_id, called, "There is no such stream.");
        };
        if let Some(recorded) = self.recorded_mut(stream_id) {
            recorded.next = Some(Box::new(Next {
                ticket,
                name: called.to_owned(),
                opened: None,
            }));
        }
    }

    /// The file that is to take over was opened, or cannot be.
    pub(super) fn next_opened(&mut self, stream_id: u32, outcome: Outcome, context: &mut Context<'_>) {
        let Some(recorded) = self.recorded_mut(stream_id) else {
            return;
        };
        let Some(mut next) = recorded.next.take() else {
            return;
        };
        let name = next.name.clone();
        match outcome {
            Outcome::Started {
                file,
                length_ms,
                start,
                batch,
            } if !batch.messages.is_empty() => {
                recorded.player.cut_at(start.at);
                let mut player = Player::new(start.at, None, Pace::Buffer(0), false);
                player.start(start);
                player.add(batch);
                next.opened = Some((file, player, length_ms));
                recorded.next = Some(next);
                self.tell_transition(stream_id, &name, Code::TransitionSuccess);
            }
            Outcome::Missing => self.no_transition(stream_id, &name, "There is no such stream."),
            _ => self.no_transition(stream_id, &name, "The stream cannot go on there."),
        }
        self.feed(stream_id, context);
    }

    /// The file that was opened goes on where the other was cut; false while it is being opened.
    pub(super) fn take_over(&mut self, stream_id: u32) -> bool {
        let Some(recorded) = self.recorded_mut(stream_id) else {
            return false;
        };
        let Some(Next {
            ticket,
            name,
            opened: Some((file, mut player, length_ms)),
        }) = recorded
            .next
            .take_if(|next| next.opened.is_some())
            .map(|next| *next)
        else {
            return false;
        };
        player.continue_from(&recorded.player);
        recorded.player = player;
        recorded.file = Some(file);
        recorded.length_ms = length_ms;
        recorded.ticket = ticket;
        recorded.busy = false;
        recorded.took_over = true;
        recorded.item.name.clone_from(&name);
        self.session.rename(stream_id, &name);
        if let Some(playing) = self.playing_mut(stream_id) {
            let title = std::mem::replace(&mut playing.title, name);
            self.tell_stop(title);
        }
        true
    }

    /// A message of a recorded stream was sent.
    pub(super) fn frame_sent(&mut self, stream_id: u32, message: &MediaMessage) {
        if let Some(recorded) = self.recorded_mut(stream_id)
            && recorded.took_over
            && message.kind != MediaKind::Data
            && !inspect(message.kind, &message.body).contains(FrameFlags::CONFIG)
        {
            recorded.took_over = false;
            self.tell_complete(stream_id, message.timestamp);
        }
    }
}

/// The change that a NetStreamPlayOptions object describes, and the query of its stream name.
fn read(options: &Object) -> Option<(Change, String)> {
    let text = |key: &str| options.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| options.get(key).and_then(Value::as_f64);
    let kind = match text("transition") {
        "switch" => Kind::Switch,
        "swap" => Kind::Swap,
        _ => return None,
    };
    let (name, query) = split(text("streamName"));
    if name.is_empty() {
        return None;
    }
    let start = match number("start") {
        Some(start) if start == -1.0 || start == -1000.0 => PlayStart::Live,
        Some(start) if start >= 0.0 => PlayStart::Recorded(millis(start)),
        _ => PlayStart::Any,
    };
    let positive = |key: &str| number(key).filter(|seconds| *seconds >= 0.0).map(millis);
    let item = Item {
        name: name.to_owned(),
        start,
        duration: positive("len"),
        at_once: false,
    };
    let change = Change {
        item,
        old: split(text("oldStreamName")).0.to_owned(),
        kind,
        offset: positive("offset"),
    };
    Some((change, query.to_owned()))
}

fn split(name: &str) -> (&str, &str) {
    let name = name.trim_end_matches('\0');
    name.split_once('?').unwrap_or((name, ""))
}

fn millis(seconds: f64) -> u64 {
    clamp_millis(seconds * 1000.0)
}
