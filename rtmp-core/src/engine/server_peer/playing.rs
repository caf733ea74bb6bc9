//! What the client plays: on each message stream a list of live and recorded streams, one after the other.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::app::application::is_valid_name;
use crate::app::client::Client;
use crate::app::stream::{LiveStream, PlayerFlow};
use crate::engine::players::Player;
use crate::engine::server_peer::ServerPeer;
use crate::engine::server_peer::recorded::{Phase, Recorded};
use crate::engine::server_peer::requests::Asked;
use crate::engine::worker::Context;
use crate::session::PlayStart;
use crate::wire::status::{Code, Status};

/// What one message stream plays, and what is to follow.
pub(super) struct Playing {
    pub(super) stream_id: u32,
    pub(super) now: Now,
    pub(super) list: VecDeque<Entry>,
    /// The stream that plays now, as the host is told of its end; empty once it was.
    pub(super) title: String,
    pub(super) paused: bool,
    /// When the player was told last that it gets too much.
    warned_at: Option<u64>,
    /// How long a live stream is played, and when that is over.
    live_ms: Option<u64>,
    ends_at: Option<u64>,
    /// The live stream that takes over at its next keyframe.
    pub(super) next_live: Option<Arc<LiveStream>>,
    /// What ended before the next of the list began.
    pub(super) ended: Option<Ended>,
}

pub(super) enum Now {
    Nothing,
    Live(Arc<LiveStream>),
    Recorded(Box<Recorded>),
}

/// A place in the play list.
pub(super) struct Entry {
    pub(super) request: u64,
    pub(super) state: State,
}

pub(super) enum State {
    /// The host is being asked.
    Asked,
    Ready(Item),
    Refused(Status),
}

/// What is to be played.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) start: PlayStart,
    pub(super) duration: Option<u64>,
    pub(super) at_once: bool,
}

/// How an item of the list ended.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ended {
    pub(super) timestamp: u32,
    /// Seconds.
    pub(super) duration: f64,
    pub(super) bytes: f64,
    /// Until when the client plays what it was sent.
    pub(super) until: u64,
}

/// A player that is too slow is told so no more often than this.
const WARN_EVERY_MS: u64 = 10_000;

impl Playing {
    pub(super) fn new(stream_id: u32) -> Self {
        Self {
            stream_id,
            now: Now::Nothing,
            list: VecDeque::new(),
            title: String::new(),
            paused: false,
            warned_at: None,
            live_ms: None,
            ends_at: None,
            next_live: None,
            ended: None,
        }
    }

    fn deadline(&self) -> Option<u64> {
        match &self.now {
            Now::Recorded(recorded) => recorded.deadline(),
            _ => self.ends_at,
        }
    }
}

impl ServerPeer {
    pub(super) fn playing_mut(&mut self, stream_id: u32) -> Option<&mut Playing> {
        self.playing
            .iter_mut()
            .find(|playing| playing.stream_id == stream_id)
    }

    /// Takes a place in the play list for what the host is asked about.
    pub(super) fn enlist(&mut self, stream_id: u32, entry: Entry) {
        if self.playing_mut(stream_id).is_none() {
            // Nearly always the only one.
            self.playing.reserve_exact(1);
            self.playing.push(Playing::new(stream_id));
        }
        if let Some(playing) = self.playing_mut(stream_id) {
            playing.list.push_back(entry);
        }
    }

    /// The host has decided about an entry of the play list.
    pub(super) fn decided(&mut self, stream_id: u32, request: u64, state: State, context: &mut Context<'_>) {
        let Some(playing) = self.playing_mut(stream_id) else {
            return;
        };
        if let Some(entry) = playing.list.iter_mut().find(|entry| entry.request == request) {
            entry.state = state;
        }
        self.advance(stream_id, context);
    }

    /// Goes on to the next entry of the play list, if nothing plays.
    pub(super) fn advance(&mut self, stream_id: u32, context: &mut Context<'_>) {
        while let Some(playing) = self.playing_mut(stream_id) {
            match &playing.now {
                Now::Nothing => {}
                // What was sent to its end makes room for what was appended too late for a switch.
                Now::Recorded(recorded) if recorded.phase == Phase::Over && !playing.list.is_empty() => {
                    playing.now = Now::Nothing;
                }
                _ => return,
            }
            let next = playing.list.pop_front();
            if playing.list.is_empty() {
                playing.list = VecDeque::new();
            }
            match next {
                None => return self.run_out(stream_id),
                Some(
                    entry @ Entry {
                        state: State::Asked, ..
                    },
                ) => {
                    playing.list.push_front(entry);
                    return;
                }
                Some(Entry {
                    state: State::Refused(status),
                    ..
                }) => self.session.reject_play(stream_id, status),
                Some(Entry {
                    state: State::Ready(item),
                    ..
                }) => self.start(stream_id, item, context),
            }
        }
    }

    /// The play list is at its end and nothing plays.
    fn run_out(&mut self, stream_id: u32) {
        let Some(playing) = self.playing_mut(stream_id) else {
            return;
        };
        let ended = playing.ended.take();
        self.playing.retain(|playing| playing.stream_id != stream_id);
        if let Some(Ended {
            timestamp,
            duration,
            bytes,
            ..
        }) = ended
        {
            self.session.play_complete(stream_id, timestamp, duration, bytes);
        }
    }

    pub(super) fn start(&mut self, stream_id: u32, item: Item, context: &mut Context<'_>) {
        let Some(client) = &self.client else { return };
        if !is_valid_name(&item.name) {
            return self.not_found(stream_id, &item.name);
        }
        match item.start {
            PlayStart::Live => self.start_live(stream_id, &item, context),
            PlayStart::Any if client.instance().is_live(&item.name) => {
                self.start_live(stream_id, &item, context);
            }
            PlayStart::Any | PlayStart::Recorded(_) => self.start_recorded(stream_id, item, context),
        }
    }

    /// There is no file: a live stream takes its place, if one may.
    pub(super) fn no_file(&mut self, stream_id: u32, item: &Item, context: &mut Context<'_>) {
        let is_live = |client: &Client| client.instance().is_live(&item.name);
        let live = item.start == PlayStart::Any || self.client.as_ref().is_some_and(is_live);
        if live {
            self.start_live(stream_id, item, context);
        } else {
            self.not_found(stream_id, &item.name);
        }
    }

    fn not_found(&mut self, stream_id: u32, name: &str) {
        self.session
            .reject_play(stream_id, Status::for_stream(Code::PlayStreamNotFound, name));
    }

    /// Tells the client that an item begins.
    pub(super) fn announce(&mut self, stream_id: u32, name: &str, is_recorded: bool) {
        let samples = self.samples(name);
        let ended = self
            .playing_mut(stream_id)
            .and_then(|playing| playing.ended.take());
        if let Some(ended) = ended {
            let switch = Status::new(Code::PlaySwitch)
                .with_description("")
                .with("duration", ended.duration)
                .with("bytes", ended.bytes);
            self.session.send_play_status(stream_id, ended.timestamp, &switch);
        }
        if is_recorded {
            self.session.stream_is_recorded(stream_id);
        }
        self.session.accept_play_with(stream_id, samples);
        if let Some(playing) = self.playing_mut(stream_id) {
            name.clone_into(&mut playing.title);
        }
    }

    /// Access to decoded audio and video.
    pub(super) fn samples(&self, name: &str) -> (bool, bool) {
        self.client.as_ref().map_or((false, false), |client| {
            (
                client.audio_sample_access().permits(name),
                client.video_sample_access().permits(name),
            )
        })
    }

    fn start_live(&mut self, stream_id: u32, item: &Item, context: &mut Context<'_>) {
        let Some(client) = self.client.clone() else { return };
        let stream = client.instance().live_stream(&item.name);
        self.announce(stream_id, &item.name, false);
        self.tell_path(stream_id, &stream);
        let joined = stream.join(context.port);
        let at_keyframe = joined.backlog.iter().any(|message| message.is_keyframe());
        let reduction = self.reduction();
        let forms = joined
            .backlog
            .iter()
            .filter_map(|message| message.form(reduction));
        let sent = self.session.send_backlog(stream_id, forms);
        self.traffic.messages_sent(sent);
        let limits = self.server.config.player_limits;
        let mut flow = PlayerFlow::new(limits, joined.next_sequence, joined.has_video, at_keyframe);
        let is_live = client.instance().is_live(&item.name);
        let Some(playing) = self.playing_mut(stream_id) else {
            return stream.part(context.port);
        };
        flow.set_paused(playing.paused);
        playing.now = Now::Live(Arc::clone(&stream));
        playing.live_ms = item.duration;
        playing.ends_at = item
            .duration
            .filter(|_| is_live)
            .map(|duration| context.now.saturating_add(duration));
        let player = Player {
            key: self.link.key,
            stream_id,
            flow,
            reduction,
            takes_over: None,
        };
        context.players.add(&stream, player);
    }

    /// What messages have to lose for this client.
    pub(super) fn reduction(&self) -> Option<crate::media::Reduction> {
        let client = self.client.as_ref()?;
        match self.server.config.reduce_for_players {
            true => client.capabilities().reduction(),
            false => None,
        }
    }

    /// Ends what plays on a message stream, with all that was to follow.
    pub(super) fn stop_play(&mut self, stream_id: u32, context: &mut Context<'_>) {
        self.forget_request(|what| {
            matches!(what, Asked::Play { stream_id: id, .. } | Asked::Transition { stream_id: id, .. } if *id == stream_id)
        });
        self.leave(stream_id, context);
        self.playing.retain(|playing| playing.stream_id != stream_id);
    }

    /// Lets go of what plays, and tells the host.
    pub(super) fn leave(&mut self, stream_id: u32, context: &mut Context<'_>) {
        let key = self.link.key;
        let Some(playing) = self.playing_mut(stream_id) else {
            return;
        };
        let title = std::mem::take(&mut playing.title);
        (playing.ends_at, playing.live_ms) = (None, None);
        let next = playing.next_live.take();
        let now = match std::mem::replace(&mut playing.now, Now::Nothing) {
            Now::Live(stream) => Some(stream),
            _ => None,
        };
        for stream in now.into_iter().chain(next) {
            context.players.remove(stream.id(), key, stream_id);
            stream.part(context.port);
            let name = stream.name().to_owned();
            drop(stream);
            if let Some(client) = &self.client {
                client.instance().forget_idle_stream(&name);
            }
        }
        self.tell_stop(title);
    }

    /// Tells the host that a stream is no longer played.
    pub(super) fn tell_stop(&self, title: String) {
        if let (false, Some(client), Some(application)) =
            (title.is_empty(), self.client.clone(), &self.application)
        {
            application.event(move |handler| handler.on_stop(&client, &title));
        }
    }

    /// What played is over: goes on with the list.
    pub(super) fn item_over(&mut self, stream_id: u32, ended: Option<Ended>, context: &mut Context<'_>) {
        self.leave(stream_id, context);
        if let Some(playing) = self.playing_mut(stream_id) {
            playing.ended = ended;
        }
        self.advance(stream_id, context);
    }

    /// Tells a player that its stream has, or lost, a publisher. One that was not to be played for some time is followed by the
    /// next of the list then.
    pub(crate) fn notify(&mut self, stream_id: u32, name: &str, published: bool, now: u64) {
        if !published {
            self.session.unpublish_notify(stream_id, name);
            if let Some(playing) = self.playing_mut(stream_id)
                && matches!(&playing.now, Now::Live(stream) if stream.name() == name)
                && playing.live_ms.is_none()
                && !playing.list.is_empty()
            {
                playing.ends_at = Some(now);
            }
            return;
        }
        self.tell_path_of(stream_id, name);
        self.session.publish_notify(stream_id, name);
        if let Some(playing) = self.playing_mut(stream_id) {
            let end = playing.live_ms.map(|duration| now.saturating_add(duration));
            playing.ends_at = playing.ends_at.or(end);
        }
    }

    pub(super) fn pause(
        &mut self,
        stream_id: u32,
        pause: Option<bool>,
        millis: u64,
        context: &mut Context<'_>,
    ) {
        let Some(playing) = self.playing_mut(stream_id) else {
            return;
        };
        let on = pause.unwrap_or(!playing.paused);
        playing.paused = on;
        let code = if on {
            Code::PauseNotify
        } else {
            Code::UnpauseNotify
        };
        let name = match &playing.now {
            Now::Live(stream) => stream.name().to_owned(),
            _ => self.session.name_of(stream_id).unwrap_or_default().to_owned(),
        };
        self.session
            .send_status(stream_id, Status::for_stream(code, &name));
        self.with_flow(stream_id, context, |flow| flow.set_paused(on));
        self.pause_recorded(stream_id, on, millis, context);
    }

    pub(super) fn with_flow(
        &self,
        stream_id: u32,
        context: &mut Context<'_>,
        change: impl Fn(&mut PlayerFlow),
    ) {
        let playing = self.playing.iter().find(|playing| playing.stream_id == stream_id);
        let Some(playing) = playing else { return };
        let now = match &playing.now {
            Now::Live(stream) => Some(stream),
            _ => None,
        };
        for stream in now.into_iter().chain(&playing.next_live) {
            if let Some(flow) = context.players.flow(stream.id(), self.link.key, stream_id) {
                change(flow);
            }
        }
    }

    /// Messages for a player were dropped because it does not keep up.
    pub(crate) fn too_slow(&mut self, stream_id: u32, now: u64) {
        let Some(playing) = self.playing_mut(stream_id) else {
            return;
        };
        let Now::Live(stream) = &playing.now else {
            return;
        };
        if playing
            .warned_at
            .is_none_or(|at| now >= at.saturating_add(WARN_EVERY_MS))
        {
            let status = Status::for_stream(Code::PlayInsufficientBw, stream.name());
            playing.warned_at = Some(now);
            self.session.send_status(stream_id, status);
        }
    }

    /// When a live stream that is not played on and on ends.
    pub(crate) fn live_ends_at(&self) -> Option<u64> {
        self.playing.iter().filter_map(|playing| playing.ends_at).min()
    }

    /// When something is to be done for what plays.
    pub(super) fn play_deadline(&self) -> Option<u64> {
        if self.is_hungry() {
            return Some(0);
        }
        self.playing.iter().filter_map(Playing::deadline).min()
    }

    /// Does what is due for what plays.
    pub(super) fn play_on(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        let due = |playing: &&Playing| playing.deadline().is_some_and(|due| due <= now);
        let over: Vec<u32> = self
            .playing
            .iter()
            .filter(due)
            .map(|playing| playing.stream_id)
            .collect();
        for stream_id in over {
            let playing = self.playing_mut(stream_id);
            let Some(Playing {
                now: Now::Live(_),
                live_ms,
                ..
            }) = playing
            else {
                continue;
            };
            #[allow(clippy::cast_precision_loss)] // Milliseconds.
            let duration = live_ms.unwrap_or(0) as f64 / 1000.0;
            let ended = Ended {
                duration,
                ..Ended::default()
            };
            self.item_over(stream_id, Some(ended), context);
        }
        self.feed_all(context);
    }
}
