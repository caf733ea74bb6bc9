//! Players of recorded streams: their files, read by jobs, and what of them goes to the client when.

use crate::app::peer::{PeerCommand, PeerLink};
use crate::app::stream_files::{FilesInUse, StreamFiles};
use crate::app::vod::{Outcome, Pace, Place, Player, RecordedFile, SourceError, Step, job};
use crate::engine::mailbox::Link;
use crate::engine::server_peer::ServerPeer;
use crate::engine::server_peer::playing::{Ended, Item, Now};
use crate::engine::server_peer::transition::Next;
use crate::engine::worker::Context;
use crate::media::{self, MediaMessage, Reduced};
use crate::session::PlayStart;
use crate::wire::status::Status;

/// A recorded stream that is played.
pub(super) struct Recorded {
    pub(super) item: Item,
    /// Which job is awaited; outcomes of others are late.
    pub(super) ticket: u64,
    pub(super) phase: Phase,
    /// The file, unless a job has it.
    pub(super) file: Option<RecordedFile>,
    /// A job is out.
    pub(super) busy: bool,
    /// All had been sent when the client sought.
    pub(super) was_over: bool,
    /// Where to go once the job that is out is back.
    pub(super) wish: Option<Wish>,
    pub(super) player: Player,
    pub(super) length_ms: u64,
    /// When the next message is due, or a job is tried again.
    pub(super) wake: Option<u64>,
    /// Sending waits for the client to read what it was sent.
    blocked: bool,
    /// What takes over.
    pub(super) next: Option<Box<Next>>,
    /// It did, and the client has not been told.
    pub(super) took_over: bool,
    /// The client was told that it has what it buffers, and not yet that the next begins.
    pub(super) is_filled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The file is being opened.
    Opening,
    Playing,
    /// The file is being sought in.
    Seeking(Wish),
    /// Everything was sent. A seek opens the file again.
    Over,
}

/// A place to go on at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// The client seeks.
    To(u64),
    /// The client goes on behind what it has.
    After(u64),
}

/// Sent ahead of what the client has read, in bytes, and when more is.
const MAX_WAITING: usize = 256 << 10;
const LOW_WAITING: usize = 64 << 10;
/// Whose buffer is shorter, in milliseconds, is not told when it is filled and when the next begins.
const TOLD_BUFFER_MS: u32 = 1_000;
/// What a client buffers that does not say, in milliseconds.
const DEFAULT_BUFFER_MS: u32 = 3_000;
/// When a job is tried again that could not be queued.
const RETRY_MS: u64 = 100;
/// `videoFunction` of connect: the client understands the commands around a seek.
const CLIENT_SEEK: u32 = 1;

impl Recorded {
    fn new(item: Item, player: Player, ticket: u64) -> Self {
        Self {
            item,
            ticket,
            phase: Phase::Opening,
            file: None,
            busy: true,
            was_over: false,
            wish: None,
            player,
            length_ms: 0,
            wake: None,
            blocked: false,
            next: None,
            took_over: false,
            is_filled: false,
        }
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        self.wake.filter(|_| !self.blocked)
    }

    fn ended(&self, now: u64) -> Ended {
        let length = self
            .player
            .limit_ms()
            .map_or(self.length_ms, |limit| self.length_ms.min(limit));
        #[allow(clippy::cast_precision_loss)] // Far below 2^53.
        let (duration, bytes) = (length as f64 / 1000.0, self.player.sent_bytes() as f64);
        Ended {
            timestamp: self.player.last().unwrap_or(0) as u32,
            duration,
            bytes,
            until: now.saturating_add(self.player.ahead(now)),
        }
    }
}

/// Takes the outcome of a job to the connection, also of one that was never run.
struct Courier {
    link: Link,
    stream_id: u32,
    ticket: u64,
    file: Option<RecordedFile>,
    outcome: Option<Outcome>,
}

impl Courier {
    fn run(mut self, work: impl FnOnce(Option<RecordedFile>) -> Outcome) {
        let file = self.file.take();
        self.outcome = Some(work(file));
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        let file = self.file.take();
        let outcome = self.outcome.take().unwrap_or(Outcome::Busy(file));
        self.link.send(PeerCommand::FileRead {
            stream_id: self.stream_id,
            ticket: self.ticket,
            outcome: Box::new(outcome),
        });
    }
}

impl ServerPeer {
    /// Opens the file of an item; the client hears of it when that is done.
    pub(super) fn start_recorded(&mut self, stream_id: u32, item: Item, context: &mut Context<'_>) {
        let target = match item.start {
            PlayStart::Recorded(millis) => millis,
            PlayStart::Any | PlayStart::Live => 0,
        };
        let Some(ticket) = self.open(stream_id, &item.name, Place::AtOrBefore(target)) else {
            return self.no_file(stream_id, &item, context);
        };
        let pace = match item.at_once {
            true => Pace::AtOnce,
            false => self.pace(stream_id),
        };
        let player = Player::new(target, item.duration, pace, self.takes_commands());
        if let Some(playing) = self.playing_mut(stream_id) {
            playing.now = Now::Recorded(Box::new(Recorded::new(item, player, ticket)));
        }
    }

    fn pace(&self, stream_id: u32) -> Pace {
        Pace::Buffer(self.session.buffer_length(stream_id).unwrap_or(DEFAULT_BUFFER_MS))
    }

    pub(super) fn takes_commands(&self) -> bool {
        let function = self
            .client
            .as_ref()
            .and_then(|client| client.connect_object().get("videoFunction")?.as_f64());
        function.is_some_and(|function| function as u32 & CLIENT_SEEK != 0)
    }

    /// Starts a job that opens a file; `None` where there are none.
    pub(super) fn open(&mut self, stream_id: u32, name: &str, place: Place) -> Option<u64> {
        self.open_by(stream_id, name, place, job::open_at)
    }

    pub(super) fn open_by(
        &mut self,
        stream_id: u32,
        name: &str,
        place: Place,
        work: fn(&StreamFiles, &FilesInUse, &str, Place) -> Outcome,
    ) -> Option<u64> {
        let application = self.application.clone()?;
        let files = application.stream_files(self.client.as_ref()?.instance().name())?;
        let (in_use, name) = (application.files_in_use().clone(), name.to_owned());
        Some(self.run_job(stream_id, None, move |_| work(&files, &in_use, &name, place)))
    }

    /// Runs a job with a file, or without; its ticket.
    pub(super) fn run_job(
        &mut self,
        stream_id: u32,
        file: Option<RecordedFile>,
        work: impl FnOnce(Option<RecordedFile>) -> Outcome + Send + 'static,
    ) -> u64 {
        let ticket = self.next_request;
        self.next_request += 1;
        let courier = Courier {
            link: self.link.clone(),
            stream_id,
            ticket,
            file,
            outcome: None,
        };
        if let Some(application) = &self.application {
            let job = Box::new(move || courier.run(work));
            if let Err(error) = application.disk().run(job) {
                log::warn!("reading a recorded stream is put off: {error}");
            }
        }
        ticket
    }

    /// A job is done.
    pub(super) fn job_done(
        &mut self,
        stream_id: u32,
        ticket: u64,
        outcome: Outcome,
        context: &mut Context<'_>,
    ) {
        let Some(playing) = self.playing_mut(stream_id) else {
            return;
        };
        let Now::Recorded(recorded) = &mut playing.now else {
            return;
        };
        if recorded.next.as_ref().is_some_and(|next| next.ticket == ticket) {
            return self.next_opened(stream_id, outcome, context);
        }
        if recorded.ticket != ticket {
            return;
        }
        recorded.busy = false;
        match (recorded.phase, outcome) {
            (Phase::Over, _) => {}
            (Phase::Opening, outcome) => self.opened(stream_id, outcome, context),
            (_, Outcome::Read(file, batch)) => {
                recorded.file = Some(file);
                if recorded.wish.is_none() {
                    recorded.player.add(batch);
                    self.feed(stream_id, context);
                }
            }
            (
                Phase::Seeking(wish),
                Outcome::Started {
                    file,
                    length_ms,
                    start,
                    batch,
                },
            ) => {
                recorded.file = Some(file);
                if recorded.wish.is_none() {
                    recorded.length_ms = length_ms;
                    self.sought(stream_id, wish);
                    if let Some(recorded) = self.recorded_mut(stream_id) {
                        recorded.player.start(start);
                        recorded.player.add(batch);
                    }
                    self.feed(stream_id, context);
                }
            }
            (Phase::Seeking(_), Outcome::Beyond(file, end_ms)) => {
                recorded.file = Some(file);
                self.beyond(stream_id, end_ms);
            }
            (_, Outcome::Busy(Some(file))) => {
                recorded.file = Some(file);
                recorded.wake = Some(context.now.saturating_add(RETRY_MS));
                if let Phase::Seeking(wish) = recorded.phase {
                    recorded.wish.get_or_insert(wish);
                    return;
                }
            }
            (_, Outcome::Failed(error)) => return self.failed(stream_id, &error, context),
            _ => return self.failed(stream_id, &lost(), context),
        }
        self.go(stream_id);
    }

    pub(super) fn recorded_mut(&mut self, stream_id: u32) -> Option<&mut Recorded> {
        match &mut self.playing_mut(stream_id)?.now {
            Now::Recorded(recorded) => Some(recorded),
            _ => None,
        }
    }

    /// The file of an item was opened, or cannot be.
    fn opened(&mut self, stream_id: u32, outcome: Outcome, context: &mut Context<'_>) {
        let Some(playing) = self.playing_mut(stream_id) else {
            return;
        };
        let Now::Recorded(mut recorded) = std::mem::replace(&mut playing.now, Now::Nothing) else {
            return;
        };
        match outcome {
            Outcome::Started {
                file,
                length_ms,
                start,
                batch,
            } => {
                let until = playing.ended.map_or(0, |ended| ended.until);
                if until > context.now {
                    recorded.player.follow(until - context.now, context.now);
                }
                if playing.paused {
                    recorded.player.pause(context.now);
                }
                recorded.file = Some(file);
                recorded.length_ms = length_ms;
                recorded.phase = Phase::Playing;
                recorded.player.start(start);
                recorded.player.add(batch);
                let name = recorded.item.name.clone();
                playing.now = Now::Recorded(recorded);
                self.announce(stream_id, &name, true);
                // What the client asked for meanwhile comes first: what it appended to the list, above all.
                self.process(context);
                return self.feed(stream_id, context);
            }
            Outcome::Missing => self.no_file(stream_id, &recorded.item, context),
            Outcome::Failed(error) => self.refuse_item(stream_id, &recorded.item.name, &error),
            _ => self.refuse_item(stream_id, &recorded.item.name, &lost()),
        }
        self.advance(stream_id, context);
    }

    fn refuse_item(&mut self, stream_id: u32, name: &str, error: &SourceError) {
        log::info!("{name} cannot be played: {error}");
        self.session
            .reject_play(stream_id, Status::for_stream(error.code(), name));
    }

    /// The file cannot be read on.
    fn failed(&mut self, stream_id: u32, error: &SourceError, context: &mut Context<'_>) {
        let Some(recorded) = self.recorded_mut(stream_id) else {
            return;
        };
        log::info!("{} cannot be played on: {error}", recorded.item.name);
        let status = Status::for_stream(error.code(), &recorded.item.name);
        self.session.send_status(stream_id, status);
        let is_last = self
            .playing_mut(stream_id)
            .is_some_and(|playing| playing.list.is_empty());
        if is_last {
            self.session.play_stopped(stream_id);
        }
        self.item_over(stream_id, None, context);
    }

    pub(super) fn pause_recorded(
        &mut self,
        stream_id: u32,
        on: bool,
        millis: u64,
        context: &mut Context<'_>,
    ) {
        let Some(recorded) = self.recorded_mut(stream_id) else {
            return;
        };
        if on {
            return recorded.player.pause(context.now);
        }
        // Some clients say 0 wherever they are.
        let position = Some(millis).filter(|position| *position > 0);
        let position = position.map(|position| recorded.player.place(position));
        if recorded.player.unpause(position, context.now)
            && let (Phase::Playing, Some(position)) = (recorded.phase, position)
        {
            recorded.wish.get_or_insert(Wish::After(position));
            self.go(stream_id);
        }
        self.feed(stream_id, context);
    }

    pub(super) fn receive_recorded(&mut self, stream_id: u32, change: impl FnOnce(&mut Player)) {
        if let Some(recorded) = self.recorded_mut(stream_id) {
            change(&mut recorded.player);
        }
    }

    /// The client buffers more, or less.
    pub(super) fn buffer_changed(&mut self, context: &mut Context<'_>) {
        let streams: Vec<u32> = self.playing.iter().map(|playing| playing.stream_id).collect();
        for stream_id in streams {
            let pace = self.pace(stream_id);
            if let Some(recorded) = self
                .recorded_mut(stream_id)
                .filter(|recorded| !recorded.item.at_once)
            {
                recorded.player.set_pace(pace);
                self.feed(stream_id, context);
            }
        }
    }

    /// Whether a player waits for room that there is again.
    pub(crate) fn is_hungry(&self) -> bool {
        let blocked = |now: &Now| matches!(now, Now::Recorded(recorded) if recorded.blocked);
        !self.session.is_closed()
            && self.playing.iter().any(|playing| blocked(&playing.now))
            && self.session.pending_output().len() <= LOW_WAITING
    }

    /// Sends what is due of all recorded streams.
    pub(super) fn feed_all(&mut self, context: &mut Context<'_>) {
        let is_recorded = |now: &Now| matches!(now, Now::Recorded(_));
        let of_files = self.playing.iter().filter(|playing| is_recorded(&playing.now));
        let streams: Vec<u32> = of_files.map(|playing| playing.stream_id).collect();
        for stream_id in streams {
            self.feed(stream_id, context);
        }
    }

    /// Sends what is due of a recorded stream, and reads on.
    pub(super) fn feed(&mut self, stream_id: u32, context: &mut Context<'_>) {
        if let Some(recorded) = self.recorded_mut(stream_id)
            && recorded.wish.is_some()
        {
            return self.go(stream_id);
        }
        loop {
            let full = self.session.pending_output().len() > MAX_WAITING || self.session.is_closed();
            let Some(recorded) = self.recorded_mut(stream_id) else {
                return;
            };
            if recorded.phase != Phase::Playing {
                return;
            }
            recorded.blocked = full;
            recorded.wake = None;
            if full || self.holds(stream_id, context.now) {
                break;
            }
            let Some(recorded) = self.recorded_mut(stream_id) else {
                return;
            };
            match recorded.player.step(context.now) {
                Step::Send(message) => self.send(stream_id, message),
                Step::Wait(until) => {
                    recorded.wake = until;
                    if until.is_some() {
                        self.buffer_filled(stream_id, context.now);
                    }
                    break;
                }
                Step::Over if recorded.next.is_some() => {
                    if !self.take_over(stream_id) {
                        return;
                    }
                }
                Step::Over => return self.played(stream_id, context),
                Step::Failed(error) => return self.failed(stream_id, &error, context),
            }
        }
        self.read_on(stream_id);
    }

    /// What the client buffers was sent: tells it, and sends no more before [`holds`](Self::holds) says so. Clients that
    /// want the file sooner (rtmpdump) pause then and go on at once, and would have twice what came meanwhile.
    fn buffer_filled(&mut self, stream_id: u32, now: u64) {
        let Some(length) = self.told_buffer(stream_id) else {
            return;
        };
        let Some(recorded) = self.recorded_mut(stream_id) else {
            return;
        };
        if recorded.player.ahead(now) > length / 2 {
            recorded.is_filled = true;
            self.session.buffer_empty(stream_id);
            self.holds(stream_id, now);
        }
    }

    /// Whether nothing is to be sent because the client was told that its buffer is filled, and has not played half of it.
    /// Once it has, tells it that the next begins.
    fn holds(&mut self, stream_id: u32, now: u64) -> bool {
        let half = self.told_buffer(stream_id).map_or(u64::MAX, |length| length / 2);
        let Some(recorded) = self.recorded_mut(stream_id).filter(|recorded| recorded.is_filled) else {
            return false;
        };
        if recorded.player.is_paused() {
            return false;
        }
        let ahead = recorded.player.ahead(now);
        // Another rendition that is to take over is not kept waiting.
        let switches = recorded.next.is_some() || recorded.took_over;
        if ahead > half && !switches {
            recorded.wake = Some(now.saturating_add(ahead - half));
            return true;
        }
        recorded.is_filled = false;
        self.session.buffer_ready(stream_id);
        false
    }

    /// What a client buffers that is told how its buffer is, in milliseconds. rtmpdump asks for 300 ms first and then for all
    /// there is: it is not to be told of the first.
    fn told_buffer(&self, stream_id: u32) -> Option<u64> {
        match self.pace(stream_id) {
            Pace::Buffer(length) if length >= TOLD_BUFFER_MS => Some(length.into()),
            _ => None,
        }
    }

    fn send(&mut self, stream_id: u32, message: MediaMessage) {
        let reduced = match self.reduction() {
            Some(reduction) => media::reduce(message.kind, &message.body, 0, reduction),
            None => Reduced::Same,
        };
        let message = match reduced {
            Reduced::Same => message,
            Reduced::Body(body) => MediaMessage { body, ..message },
            Reduced::Nothing => return,
        };
        if self.session.send_recorded(stream_id, &message) {
            self.traffic.messages_sent(1);
        }
        self.frame_sent(stream_id, &message);
    }

    /// Starts a job that reads on, if little waits.
    fn read_on(&mut self, stream_id: u32) {
        let Some(recorded) = self.recorded_mut(stream_id) else {
            return;
        };
        if recorded.busy || !recorded.player.wants_more() {
            return;
        }
        let Some(file) = recorded.file.take() else { return };
        recorded.busy = true;
        let ticket = self.run_job(stream_id, Some(file), |file| match file {
            Some(file) => job::read(file),
            None => Outcome::Busy(None),
        });
        if let Some(recorded) = self.recorded_mut(stream_id) {
            recorded.ticket = ticket;
        }
    }

    /// Everything was sent.
    fn played(&mut self, stream_id: u32, context: &mut Context<'_>) {
        let Some(recorded) = self.recorded_mut(stream_id) else {
            return;
        };
        let ended = recorded.ended(context.now);
        let Some(playing) = self.playing_mut(stream_id) else {
            return;
        };
        if !playing.list.is_empty() {
            return self.item_over(stream_id, Some(ended), context);
        }
        let title = std::mem::take(&mut playing.title);
        if let Some(recorded) = self.recorded_mut(stream_id) {
            // The file is free for others; who seeks opens it again.
            recorded.phase = Phase::Over;
            recorded.file = None;
            recorded.wake = None;
        }
        let Ended {
            timestamp,
            duration,
            bytes,
            ..
        } = ended;
        self.session.play_complete(stream_id, timestamp, duration, bytes);
        self.tell_stop(title);
    }
}

fn lost() -> SourceError {
    SourceError::Io(std::io::Error::other("too much is being read"))
}
