//! Following a server's request to reconnect (E-RTMP v2 "Reconnect Request"): a candidate is connected beside the
//! current connection; once accepted it takes the commands of the host and opens the streams again, and the connection
//! before serves each stream until it can be cut over. All of them live on one worker and speak by posts.

use std::sync::Arc;

use super::memory::{Moving, StreamMemory, begins};
use super::{ClientCommand, ClientPeer, ClientStart, ClientStream, Creation, StreamCommand};
use crate::client::reconnect::{parse_server, permit, readdressed, target};
use crate::client::{Reconnect, StreamCore};
use crate::engine::connection::{Connection, Peer};
use crate::engine::worker::{Context, Worker};
use crate::engine::{Link, Post};
use crate::error::Result;
use crate::media::MediaMessage;
use crate::session::Capabilities;
use crate::wire::status::{Code, Status};

/// A connection's place among those that follow each other.
pub(crate) struct Follow {
    /// The way to this connection.
    own: Link,
    /// How many were before it.
    pub(super) generation: u64,
    /// Requests followed in a row to get here.
    hops: u32,
    stage: Stage,
    /// Connections before this one that may still serve streams.
    older: Vec<Link>,
    /// What the server said to a candidate.
    accepted: Option<(Status, Capabilities)>,
    pub(super) refused: Option<Status>,
    pub(super) now: u64,
    pub(super) accepted_at: Option<u64>,
    /// The host, or a connection that follows, wants it to end.
    quitting: bool,
}

enum Stage {
    /// The host's commands come here.
    Current,
    /// They do, and a name is being looked up.
    Looking,
    /// They do, and a candidate is being connected.
    Leaving(Link),
    /// To take the place of another connection.
    Candidate(Link),
    /// Another has taken the place of this one.
    Left(Link),
}

/// What a connection has to do for another.
pub(crate) enum Step {
    /// A command for this connection and no other.
    Command(ClientCommand),
    /// The candidate was accepted.
    Replace(Link),
    /// The candidate came to nothing.
    Failed(String),
    /// A later connection serves the stream now.
    Cut(u64),
    /// An older connection has ended.
    Gone(u64),
    /// End without a word.
    Quit,
    /// Enough was sent for streams that wait for room.
    Room,
    /// What was posted before the connection was replaced has been served.
    Settled,
}

/// Which connection a new one is to replace.
#[derive(Clone)]
pub(crate) struct Replaces {
    old: Link,
    generation: u64,
    hops: u32,
}

/// What one connection leaves to the next.
struct Estate {
    from: Link,
    to: Link,
    alive: bool,
    streams: Vec<(Arc<StreamCore>, StreamMemory, bool, Vec<StreamCommand>)>,
    waiting: Vec<ClientCommand>,
    older: Vec<Link>,
}

/// A connection that stood for so long begins a new row of requests.
const SETTLED_MS: u64 = 60_000;

impl Replaces {
    pub(super) fn old(&self) -> &Link {
        &self.old
    }
}

impl Follow {
    pub(crate) fn new(own: Link, replaces: Option<Replaces>) -> Self {
        let (generation, hops) = replaces
            .as_ref()
            .map_or((0, 0), |before| (before.generation + 1, before.hops + 1));
        Self {
            own,
            generation,
            hops,
            stage: replaces.map_or(Stage::Current, |before| Stage::Candidate(before.old)),
            older: Vec::new(),
            accepted: None,
            refused: None,
            now: 0,
            accepted_at: None,
            quitting: false,
        }
    }

    pub(super) const fn is_candidate(&self) -> bool {
        matches!(self.stage, Stage::Candidate(_))
    }

    pub(super) const fn has_left(&self) -> bool {
        matches!(self.stage, Stage::Left(_))
    }

    pub(super) fn link(&self) -> &Link {
        &self.own
    }

    pub(super) const fn is_quitting(&self) -> bool {
        self.quitting
    }

    fn hops_in_row(&self) -> u32 {
        let stood = self.accepted_at.map_or(0, |at| self.now.saturating_sub(at));
        let settled = stood >= SETTLED_MS;
        if settled { 0 } else { self.hops }
    }

    fn tell_older(&self, step: impl Fn() -> Step) {
        self.older.iter().for_each(|link| link.follow(step()));
    }
}

impl Link {
    pub(super) fn follow(&self, step: Step) {
        self.mailbox.post(Post::Follow {
            to: self.clone(),
            step,
        });
    }
}

impl ClientPeer {
    /// The server asks to reconnect: follows if the settings allow it.
    pub(super) fn asked_to_reconnect(&mut self, status: &Status) {
        let policy = self.core.config.reconnect;
        if policy == Reconnect::Report {
            return;
        }
        let current = &self.settings().tc_url;
        let permitted = target(current, status).and_then(|target| {
            let target = target.unwrap_or_default();
            permit(policy, current, &target, self.follow.hops_in_row()).map(|()| target)
        });
        match permitted {
            Ok(target) => self.reconnect(&target),
            Err(error) => self.warn(&error.to_string()),
        }
    }

    /// Begins to connect elsewhere.
    pub(super) fn reconnect(&mut self, target: &str) {
        if matches!(self.follow.stage, Stage::Current)
            && !self.follow.quitting
            && let Err(error) = self.look_elsewhere(target)
        {
            self.warn(&error.to_string());
        }
    }

    /// Begins to look for the way elsewhere.
    pub(super) fn look_elsewhere(&mut self, target: &str) -> Result<()> {
        self.look_up(target)?;
        self.follow.stage = Stage::Looking;
        Ok(())
    }

    pub(super) fn is_looking_elsewhere(&self) -> bool {
        matches!(self.follow.stage, Stage::Looking) && !self.follow.quitting
    }

    pub(super) fn hops_in_row(&self) -> u32 {
        self.follow.hops_in_row()
    }

    fn look_up(&self, target: &str) -> Result<()> {
        let url = parse_server(target)?;
        let session = readdressed(self.settings(), &url)?;
        let replaces = Replaces {
            old: self.follow.own.clone(),
            generation: self.follow.generation,
            hops: self.follow.hops_in_row(),
        };
        self.core.look_up(url, move |core, route| match route {
            Ok(route) => {
                let mailbox = Arc::clone(&replaces.old.mailbox);
                mailbox.post(Post::Connect(Box::new(ClientStart {
                    core: Arc::clone(core),
                    session,
                    route,
                    replaces: Some(replaces),
                })));
            }
            Err(error) => replaces.old.follow(Step::Failed(error.to_string())),
        })
    }

    /// Reports that the connection stays where it is.
    fn stay(&mut self, why: &str) {
        if matches!(self.follow.stage, Stage::Looking | Stage::Leaving(_)) {
            self.follow.stage = Stage::Current;
        }
        if !self.redirection_failed(why) {
            self.warn(why);
        }
    }

    fn warn(&self, why: &str) {
        if !self.follow.quitting {
            self.core
                .status(Status::new(Code::ConnectReconnectFailed).with_description(why));
        }
    }

    /// A candidate was accepted: asks for its place.
    pub(super) fn candidate_accepted(&mut self, status: Status, enhanced: Capabilities) {
        if let Stage::Candidate(old) = &self.follow.stage {
            self.follow.accepted = Some((status, enhanced));
            old.follow(Step::Replace(self.follow.own.clone()));
        }
    }

    /// Ends because the host wants it, or another connection of the same host.
    pub(crate) fn quit(&mut self) {
        self.follow.quitting = true;
        self.session.close();
        self.follow.tell_older(|| Step::Quit);
        if let Stage::Leaving(candidate) = &self.follow.stage {
            candidate.follow(Step::Quit);
        }
    }

    /// The end of a connection that is not the host's current one; `false` if it is.
    pub(super) fn end_aside(&mut self, why: &Status) -> bool {
        self.follow.tell_older(|| Step::Quit);
        match &self.follow.stage {
            Stage::Current | Stage::Looking => return false,
            Stage::Leaving(candidate) => {
                candidate.follow(Step::Quit);
                return false;
            }
            Stage::Candidate(old) => {
                let why = self.follow.refused.as_ref().unwrap_or(why);
                old.follow(Step::Failed(why.description.clone()));
            }
            Stage::Left(next) => next.follow(Step::Gone(self.follow.own.id)),
        }
        self.fail_calls();
        true
    }

    /// Closes a connection that has nothing left to do.
    pub(super) fn leave_if_done(&mut self) {
        if self.follow.has_left() && self.streams.is_empty() && self.calls.is_empty() {
            self.follow.quitting = true;
            self.session.close();
        }
    }

    fn step(&mut self, step: Step, context: &mut Context<'_>) {
        match step {
            Step::Command(command) => self.command(command, context),
            Step::Failed(why) => self.stay(&why),
            Step::Cut(stream) => self.cut(stream),
            Step::Gone(id) => self.older_gone(id),
            Step::Quit => self.quit(),
            Step::Room => self.core.unblock(),
            Step::Replace(_) | Step::Settled => {}
        }
        self.leave_if_done();
    }

    /// A later connection serves the stream now.
    fn cut(&mut self, id: u64) {
        if let Some(stream) = self.streams.remove(&id)
            && let Creation::Done(stream_id) = stream.creation
        {
            self.by_stream_id.remove(&stream_id);
            self.session.delete_stream(stream_id);
        }
    }

    /// Players wait for their keyframe without it; publishers that it kept out are let in.
    fn older_gone(&mut self, id: u64) {
        self.follow.older.retain(|link| link.id != id);
        let mut again = Vec::new();
        for stream in self.streams.values_mut() {
            let Some(moving) = stream.moving.as_mut().filter(|moving| moving.old.id == id) else {
                continue;
            };
            moving.gone = true;
            if let (Creation::Done(stream_id), Some(opened)) = (&stream.creation, &stream.memory.opened)
                && stream.memory.is_publisher()
                && !moving.granted
            {
                again.push((stream.core.id, *stream_id, opened.clone()));
            }
        }
        for (id, stream_id, command) in again {
            self.on_stream(id, stream_id, command);
        }
    }

    /// Gives everything to the candidate, but for the streams that are served here until they can be cut over.
    fn bequeath(&mut self, to: Link, alive: bool) -> Estate {
        self.follow.stage = Stage::Left(to.clone());
        let mut streams = Vec::new();
        let (open, others) = self
            .streams
            .drain()
            .partition(|(_, stream)| matches!(stream.creation, Creation::Done(_)));
        self.streams = open;
        for stream in self.streams.values() {
            let settings = stream.memory.settings.clone();
            streams.push((Arc::clone(&stream.core), stream.memory.clone(), true, settings));
        }
        let others: std::collections::HashMap<u64, ClientStream> = others;
        for stream in others.into_values() {
            streams.push((stream.core, stream.memory, false, stream.waiting));
        }
        Estate {
            from: self.follow.own.clone(),
            to,
            alive,
            streams,
            waiting: std::mem::take(&mut self.waiting),
            older: self.follow.older.clone(),
        }
    }

    /// Takes the place of the connection before.
    fn inherit(&mut self, estate: Estate, context: &mut Context<'_>) {
        self.follow.stage = Stage::Current;
        self.follow.older = estate.older;
        if estate.alive {
            self.follow.older.push(estate.from.clone());
        }
        let (status, enhanced) = self.follow.accepted.take().unzip();
        let uri = self.settings().tc_url.clone();
        self.core.moved(&self.follow.own, uri, enhanced);
        for object in self.core.shared_objects.all() {
            object.disconnected();
        }
        if let Some(status) = status {
            self.accepted(status);
        }
        for (core, memory, open, commands) in estate.streams {
            let moving = open.then(|| Moving::new(estate.from.clone(), !estate.alive));
            self.reopen(core, memory, moving, commands, context);
        }
        for command in estate.waiting {
            self.command(command, context);
        }
    }

    fn reopen(
        &mut self,
        core: Arc<StreamCore>,
        memory: StreamMemory,
        moving: Option<Moving>,
        waiting: Vec<StreamCommand>,
        context: &mut Context<'_>,
    ) {
        if moving.is_none() {
            core.set_generation(self.follow.generation);
        }
        let (id, opened) = (core.id, memory.opened.clone());
        let stream = ClientStream {
            core,
            creation: Creation::NotYet,
            waiting,
            memory,
            moving,
        };
        self.streams.insert(id, stream);
        if let Some(command) = opened {
            self.command(ClientCommand::Stream { stream: id, command }, context);
        }
    }

    /// A command for a stream: what of it is for this connection. The connection before may serve the stream yet.
    pub(super) fn divert(&mut self, id: u64, command: StreamCommand) -> Option<StreamCommand> {
        let stream = self.streams.get(&id)?;
        let Some(moving) = &stream.moving else {
            return Some(command);
        };
        let forward = |command| {
            if !moving.gone {
                moving
                    .old
                    .follow(Step::Command(ClientCommand::Stream { stream: id, command }));
            }
        };
        match command {
            StreamCommand::Write(message) if moving.granted && begins(&message, stream.core.has_video()) => {
                self.begin_here(id, message.timestamp);
                Some(StreamCommand::Write(message))
            }
            StreamCommand::Write(message) => {
                self.core.release(message.body.len());
                forward(StreamCommand::Write(message));
                None
            }
            StreamCommand::Publish { .. } | StreamCommand::Play(_)
                if matches!(stream.creation, Creation::NotYet) =>
            {
                Some(command)
            }
            StreamCommand::Publish { .. } | StreamCommand::Play(_) | StreamCommand::Close => {
                self.switch(id);
                Some(command)
            }
            setting => {
                forward(setting.clone());
                Some(setting)
            }
        }
    }

    /// A publisher's stream begins here: with what the server has to know first.
    fn begin_here(&mut self, id: u64, timestamp: u32) {
        self.switch(id);
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        if let Creation::Done(stream_id) = stream.creation {
            for header in stream.memory.headers(timestamp) {
                self.transmit(stream_id, &header);
            }
        }
    }

    /// From here on this connection serves the stream.
    fn switch(&mut self, id: u64) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.moving = None;
            stream.core.set_generation(self.follow.generation);
            self.follow.tell_older(|| Step::Cut(id));
        }
    }

    /// A message for a player.
    pub(super) fn media(&mut self, stream_id: u32, message: MediaMessage) {
        let Some(id) = self.by_stream_id.get(&stream_id).copied() else {
            return;
        };
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        // A later connection may serve the stream already.
        if stream.core.generation() > self.follow.generation {
            return;
        }
        let core = Arc::clone(&stream.core);
        let Some(moving) = &mut stream.moving else {
            return core.media(message, self.follow.now);
        };
        if let Some(messages) = moving.arrive(message, core.has_video() && !moving.gone) {
            self.switch(id);
            let now = self.follow.now;
            messages.into_iter().for_each(|message| core.media(message, now));
        }
    }

    /// A status of a stream. What the new server refuses changes nothing while the one before serves the stream.
    pub(super) fn stream_status(&mut self, stream_id: u32, status: Status) {
        let Some(id) = self.by_stream_id.get(&stream_id).copied() else {
            return;
        };
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if stream.core.generation() > self.follow.generation {
            return;
        }
        if let Some(moving) = &mut stream.moving {
            moving.granted |= status.is(Code::PublishStart);
            if status.is_error() && !moving.gone {
                return self.warn(&format!("{}: {}", status.code, status.description));
            }
        }
        stream.core.told(status, self.follow.now);
    }

    /// The server has nothing to send on a stream.
    pub(super) fn stream_dry(&self, stream_id: u32) {
        let id = self.by_stream_id.get(&stream_id);
        let stream = id.and_then(|id| self.streams.get(id));
        if let Some(stream) = stream.filter(|stream| stream.core.generation() <= self.follow.generation) {
            stream.core.ran_dry();
        }
    }
}

impl Worker {
    /// A step of a connection of this worker for another.
    pub(crate) fn follow(&mut self, to: &Link, step: Step) {
        match step {
            Step::Replace(candidate) => {
                if let Some(Some(estate)) = self.with_client(to, |peer, _| {
                    let leaving =
                        matches!(&peer.follow.stage, Stage::Leaving(link) if link.id == candidate.id);
                    (leaving && !peer.follow.quitting).then(|| peer.bequeath(candidate, true))
                }) {
                    self.hand_over(estate);
                    self.with_client(to, |peer, _| peer.leave_if_done());
                }
            }
            Step::Settled => {
                self.forwards.remove(&to.id);
            }
            step => {
                self.with_client(to, |peer, context| peer.step(step, context));
                self.remove_shell(to);
            }
        }
    }

    /// Whether a connection still waits for its candidate.
    pub(crate) fn awaits_candidate(&mut self, replaces: &Replaces) -> bool {
        let looking = self.with_client(&replaces.old, |peer, _| peer.is_looking_elsewhere());
        looking == Some(true)
    }

    /// A candidate is being connected.
    pub(crate) fn candidate_opens(&mut self, replaces: &Replaces, candidate: Link) {
        self.with_client(&replaces.old, |peer, _| {
            peer.follow.stage = Stage::Leaving(candidate);
        });
        self.remove_shell(&replaces.old);
    }

    /// A connection is over: if its candidate is on the way, that takes its place early.
    pub(crate) fn succeed(&mut self, connection: &mut Connection) {
        let Peer::Client(peer) = &mut connection.peer else {
            return;
        };
        if let Stage::Leaving(candidate) = &peer.follow.stage
            && !peer.follow.quitting
            && self
                .connections
                .get(candidate.key)
                .is_some_and(|connection| connection.id == candidate.id)
        {
            let estate = peer.bequeath(candidate.clone(), false);
            self.hand_over(estate);
        }
    }

    /// What was posted to the connection before, and waits yet, goes to the next one too, and in its order.
    fn hand_over(&mut self, estate: Estate) {
        let (from, to) = (estate.from.clone(), estate.to.clone());
        self.forwards.insert(from.id, to.clone());
        self.with_client(&to, |peer, context| peer.inherit(estate, context));
        from.follow(Step::Settled);
    }

    /// Runs a part of an outgoing connection, if it is still there.
    pub(crate) fn with_client<R>(
        &mut self,
        link: &Link,
        work: impl FnOnce(&mut ClientPeer, &mut Context<'_>) -> R,
    ) -> Option<R> {
        if self.connections.get(link.key)?.id != link.id {
            return None;
        }
        let done = self.with(link.key, |connection, _, context| {
            Ok(match &mut connection.peer {
                Peer::Client(peer) => Some(work(peer, context)),
                Peer::Server(_) | Peer::Http(_) => None,
            })
        });
        done.flatten()
    }
}
