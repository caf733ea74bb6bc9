//! One connection of a server: binds its session to the application model.

mod bandwidth;
mod calls;
mod playing;
mod queues;
mod recorded;
mod recording;
mod relayed;
mod requests;
mod seeking;
mod streams;
mod transition;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::app::application::Application;
use crate::app::bandwidth::BandwidthCheck;
use crate::app::client::{Client, TOO_MUCH};
use crate::app::peer::{Answer, PeerCommand, Reply};
use crate::app::shared_object::Subscriptions;
use crate::app::stats::Traffic;
use crate::engine::admission::Ticket;
use crate::engine::mailbox::Link;
use crate::engine::server::ServerCore;
use crate::engine::shaper::Shaper;
use crate::engine::worker::Context;
use crate::session::{CapsEx, ServerEvent, ServerSession, SessionError};
use crate::wire::status::{Code, Status};
use crate::wire::url::Scheme;
use bandwidth::{Intake, Probe};
pub(crate) use calls::failure;
use playing::Playing;
pub(crate) use queues::Queues;
use recording::Completing;
use requests::{Knocking, Pending, Wanted};
use streams::Publishing;

/// What a host may ask for before it accepts a client, and its bytes.
const MAX_EARLY: usize = 1024;
const MAX_EARLY_BYTES: usize = 8 << 20;
/// Bytes that may wait for a client beside the media that it plays; beyond that it is disconnected.
const MAX_UNREAD: usize = 64 << 20;

/// The server's side of one connection.
pub(crate) struct ServerPeer {
    pub(crate) session: ServerSession,
    pub(crate) server: Arc<ServerCore>,
    pub(crate) traffic: Arc<Traffic>,
    address: SocketAddr,
    scheme: Scheme,
    ticket: Ticket,
    link: Link,
    client: Option<Client>,
    application: Option<Application>,
    accepted: bool,
    /// What the host is not asked before it has taken what waits for it.
    knocking: Option<Box<Knocking>>,
    /// Why the client is refused or disconnected, if this side says so.
    parting: Option<Box<Status>>,
    /// What the host asked for before it accepted the client.
    early: Vec<PeerCommand>,
    /// When something of the client or for it was done last.
    last_active: u64,
    publishing: BTreeMap<u32, Publishing>,
    /// Publications that are over but for their recordings.
    completing: Vec<Completing>,
    playing: Vec<Playing>,
    shared_objects: Subscriptions,
    requests: BTreeMap<u64, Pending>,
    next_request: u64,
    calls: BTreeMap<u64, Reply>,
    pings: VecDeque<Reply>,
    probe: Option<Box<Probe>>,
    /// When the client asked for its bandwidth last.
    probed_at: Option<u64>,
    intake: Option<Box<Intake>>,
    shaper_out: Option<Box<Shaper>>,
    /// How many deviations of the peer were told.
    deviations: u64,
}

impl ServerPeer {
    pub(crate) fn new(
        server: Arc<ServerCore>,
        (address, scheme): (SocketAddr, Scheme),
        ticket: Ticket,
        link: Link,
        seed: [u8; 32],
        now: u64,
    ) -> Self {
        let traffic = Arc::default();
        server.watch_traffic(&traffic);
        let session = match ticket {
            Ticket::Client | Ticket::Http => &server.session,
            Ticket::Refused(_) => &server.refusing,
        };
        Self {
            session: ServerSession::new(Arc::clone(session), seed, now),
            server,
            traffic,
            address,
            scheme,
            ticket,
            link,
            client: None,
            application: None,
            accepted: false,
            knocking: None,
            parting: None,
            early: Vec::new(),
            last_active: now,
            publishing: BTreeMap::new(),
            completing: Vec::new(),
            playing: Vec::new(),
            shared_objects: Subscriptions::default(),
            requests: BTreeMap::new(),
            next_request: 1,
            calls: BTreeMap::new(),
            pings: VecDeque::new(),
            probe: None,
            probed_at: None,
            intake: None,
            shaper_out: None,
            deviations: 0,
        }
    }

    /// Takes bytes from the socket.
    pub(crate) fn input(&mut self, data: Bytes, context: &mut Context<'_>) -> Result<(), SessionError> {
        self.received(data.len());
        context.queues.lend(&mut self.session);
        let result = self.session.input(data, context.now);
        self.tell_deviations();
        self.process(context);
        result?;
        self.check_output().inspect_err(|_| self.server.count_overrun())
    }

    /// Deviations are rare: most input changes nothing here.
    fn tell_deviations(&mut self) {
        let deviations = self.session.deviations();
        if deviations.total() != self.deviations {
            self.deviations = deviations.total();
            let more = self.traffic.set_deviations(*deviations);
            self.server.traffic.add_deviations(&more);
        }
    }

    /// Whether it only publishes, and nothing is to be sent to it: most reads leave a publisher so.
    pub(crate) fn is_quiet(&self) -> bool {
        !self.publishing.is_empty() && self.playing.is_empty() && !self.session.has_output()
    }

    /// When [`timeout`](Self::timeout) wants to be called.
    pub(crate) fn deadline(&self) -> Option<u64> {
        // All wait equally long: the oldest is due first.
        let requests = self
            .requests
            .first_key_value()
            .map(|(_, pending)| pending.deadline);
        let idle = self.publish_idle_deadline(self.publish_idle_ms());
        let play = self.play_deadline();
        [
            self.session.poll_timeout(),
            requests,
            self.idle_deadline(),
            idle,
            play,
            self.knocking
                .as_ref()
                .and_then(|knocking| knocking.held_back.until()),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When the client will have been idle for too long.
    fn idle_deadline(&self) -> Option<u64> {
        let patience = self.application.as_ref()?.config().idle_timeout_ms;
        let is_busy = !self.publishing.is_empty() || !self.playing.is_empty() || !self.requests.is_empty();
        let counts = patience > 0 && self.session.is_connected() && !is_busy;
        counts.then(|| self.last_active.saturating_add(patience))
    }

    fn publish_idle_ms(&self) -> u64 {
        self.application
            .as_ref()
            .map_or(0, |application| application.config().publish_idle_ms)
    }

    pub(crate) fn timeout(&mut self, context: &mut Context<'_>) -> Result<(), SessionError> {
        let late = |(number, pending): (&u64, &Pending)| {
            (pending.deadline <= context.now).then(|| (*number, pending.what.refusal()))
        };
        let late: Vec<(u64, Code)> = self.requests.iter().filter_map(late).collect();
        for (number, code) in late {
            let status = Status::new(code).with_description("The application did not answer in time.");
            self.answer(number, Answer::Refuse(status), context);
        }
        self.tell_idle_publishers(self.publish_idle_ms(), context.now);
        if let Some(knocking) = self.knocking.take() {
            self.connect(*knocking, context);
        }
        if self.idle_deadline().is_some_and(|due| due <= context.now) {
            self.close(Some(Status::new(Code::ConnectIdleTimeout)));
        }
        let result = self.session.handle_timeout(context.now);
        self.play_on(context);
        self.process(context);
        if result.is_ok() {
            self.leave_if_closed(context);
        }
        result
    }

    /// Does what the application model asks. What a client cannot be told before it is accepted waits until then.
    pub(crate) fn command(&mut self, command: PeerCommand, context: &mut Context<'_>) {
        let now_or_never = matches!(
            command,
            PeerCommand::Answer { .. } | PeerCommand::Close(_) | PeerCommand::CutOff
        );
        if self.accepted || now_or_never {
            self.obey(command, context);
        } else if self.early.len() < MAX_EARLY && self.waiting() <= MAX_EARLY_BYTES {
            self.early.push(command);
        } else {
            command.fail(&ended());
            self.cut_off();
        }
        self.process(context);
        if self.check_output().is_err() {
            self.cut_off();
        }
        self.leave_if_closed(context);
    }

    /// Bytes of what the host asked for and was not done.
    fn waiting(&self) -> usize {
        self.client.as_ref().map_or(0, Client::waiting)
    }

    fn obey(&mut self, command: PeerCommand, context: &mut Context<'_>) {
        let weight = command.weight();
        if let Some(client) = self.client.as_ref().filter(|_| weight > 0) {
            client.took(weight);
        }
        match command {
            PeerCommand::Answer { request, answer } => return self.answer(request, answer, context),
            PeerCommand::Message(message) => self.pass(&message),
            PeerCommand::Call { name, args, reply } => self.call(&name, args, reply),
            PeerCommand::Ping(reply) => return self.ping(reply),
            PeerCommand::CheckBandwidth { kind, reply } => self.check_bandwidth(kind, reply, context.now),
            PeerCommand::LimitBandwidth {
                direction,
                bytes_per_s,
            } => return self.limit_bandwidth(direction, bytes_per_s, context.now),
            PeerCommand::Status { stream_id, status } => self.session.send_status(stream_id, status),
            PeerCommand::Recorded { stream_id, publisher } => {
                self.recorded(stream_id, publisher, context.now)
            }
            PeerCommand::Evict {
                stream_id,
                publisher,
                why,
            } => self.evicted(stream_id, publisher, why),
            PeerCommand::FileRead {
                stream_id,
                ticket,
                outcome,
            } => self.job_done(stream_id, ticket, *outcome, context),
            PeerCommand::Close(status) => return self.close(status),
            PeerCommand::CutOff => return self.cut_off(),
        }
        self.last_active = context.now;
    }

    /// Ends the connection, for a reason that the host is told too.
    fn close(&mut self, status: Option<Status>) {
        if self.parting.is_none() {
            self.parting = status.clone().map(Box::new);
        }
        self.session.close(status);
    }

    /// More waits for the client than may: ends the connection.
    pub(super) fn cut_off(&mut self) {
        if self.session.is_closed() {
            return;
        }
        log::info!("{}: disconnected: {TOO_MUCH}", self.address);
        self.server.count_overrun();
        let code = match self.accepted {
            true => Code::ConnectClosed,
            false => Code::ConnectRejected,
        };
        let status = Status::new(code).with_description(TOO_MUCH);
        self.fail_early();
        match self.accepted {
            // What cannot be sent is not added to.
            true => {
                self.parting.get_or_insert_with(|| Box::new(status));
                self.session.close(None);
            }
            false => self.refuse(status),
        }
    }

    /// Whether the client reads what it is sent, media aside, which has limits of its own.
    fn check_output(&self) -> Result<(), SessionError> {
        let media = self.server.config.player_limits.bytes;
        let most = media
            .saturating_mul(self.playing.len())
            .saturating_add(MAX_UNREAD);
        let waiting = self.session.pending_output().len();
        match waiting > most && !self.session.is_closed() {
            true => Err(SessionError::Unread(waiting)),
            false => Ok(()),
        }
    }

    /// Asks the client to reconnect, if it said that it can.
    pub(crate) fn request_reconnect(&mut self, request: &Status) {
        let able = |client: &Client| client.capabilities().supports(CapsEx::RECONNECT);
        if self.accepted && self.client.as_ref().is_some_and(able) {
            self.session.send_status(0, request.clone());
        }
    }

    /// A client that this side disconnects is gone at once, however long it takes to hang up.
    fn leave_if_closed(&mut self, context: &mut Context<'_>) {
        if self.session.is_closed() && self.client.is_some() {
            self.let_go(context);
            self.take_leave(&Status::new(Code::ConnectClosed));
        }
    }

    /// The connection is gone: gives back all it held and tells the host.
    pub(crate) fn end(&mut self, why: &Status, context: &mut Context<'_>) {
        self.let_go(context);
        self.server.keep_traffic(&self.traffic);
        self.server.dismiss(self.address.ip(), self.ticket);
        self.take_leave(why);
    }

    /// Ends all that the client does, and all that was to be asked of it.
    fn let_go(&mut self, context: &mut Context<'_>) {
        let publishing: Vec<u32> = self.publishing.keys().copied().collect();
        for stream_id in publishing {
            self.unpublish(stream_id);
        }
        while let Some(playing) = self.playing.last() {
            let stream_id = playing.stream_id;
            self.stop_play(stream_id, context);
        }
        for reply in std::mem::take(&mut self.calls).into_values() {
            reply(Err(ended()));
        }
        for reply in self.pings.drain(..) {
            reply(Err(Status::new(Code::ConnectClosed)));
        }
        self.end_probe(&ended());
        self.fail_early();
        self.requests.clear();
        if let Some(client) = &self.client {
            self.shared_objects.release_all(client);
        }
    }

    /// Tells the host that the client is gone, once.
    fn take_leave(&mut self, why: &Status) {
        let (Some(client), Some(application)) = (self.client.take(), self.application.take()) else {
            return;
        };
        let why = self
            .parting
            .take()
            .map_or_else(|| why.clone(), |parting| *parting);
        client.end();
        let instance = client.instance().clone();
        if instance.remove_client(&client) {
            application.event(move |handler| handler.on_disconnect(&client, &why));
            instance.end_if_empty(&application);
        } else if !self.accepted {
            instance.count_rejected();
            instance.when_started(move || application.event(move |handler| handler.on_reject(&client, &why)));
        }
    }

    /// Whoever waits for an answer of a client that was never accepted gets none.
    fn fail_early(&mut self) {
        for command in std::mem::take(&mut self.early) {
            command.fail(&ended());
        }
    }

    /// What carries the connection failed: nobody can be told any more.
    pub(crate) fn report_transport(&self, error: &dyn std::error::Error) {
        log::info!("{}: disconnected: {error}", self.address);
    }

    /// Tells the host that the client sent what cannot be processed.
    pub(crate) fn report(&self, error: &SessionError) {
        log::info!("{}: disconnected: {error}", self.address);
        self.complain(Code::StreamFailed, &error.to_string());
    }

    fn process(&mut self, context: &mut Context<'_>) {
        let mut events = context.queues.take();
        loop {
            self.session.swap_events(&mut events);
            if events.is_empty() {
                break;
            }
            for event in events.drain(..) {
                self.event(event, context);
            }
        }
        context.queues.give_back(events, &mut self.session);
        if self.publishing.is_empty() && self.requests.is_empty() {
            self.requests = BTreeMap::new();
        }
    }

    fn event(&mut self, event: ServerEvent, context: &mut Context<'_>) {
        match event {
            ServerEvent::Media { stream_id, message } => return self.media(stream_id, message, context.now),
            ServerEvent::DataFrame {
                stream_id,
                name,
                message,
            } => {
                if let Some(publishing) = self.publishing.get_mut(&stream_id) {
                    publishing.metadata_follows = message.is_some();
                    if message.is_none() {
                        let publisher = publishing.publisher;
                        publishing.stream.clear_data_frame(publisher, &name);
                    }
                }
            }
            ServerEvent::Connect(request) => self.connect(Knocking::new(*request), context),
            ServerEvent::Publish {
                stream_id,
                name,
                query,
                mode,
            } => self.ask_publish(stream_id, name, query.into(), mode, context),
            ServerEvent::Play {
                stream_id,
                name,
                query,
                start,
                duration,
                reset,
                at_once,
            } => {
                let wanted = Wanted {
                    stream_id,
                    name,
                    query: query.into(),
                    start,
                    duration,
                    reset,
                    at_once,
                };
                self.ask_play(wanted, context);
            }
            ServerEvent::SharedObject { message } => self.shared_object(&message),
            ServerEvent::Unpublish { stream_id } => self.unpublish(stream_id),
            ServerEvent::StopPlay { stream_id } => self.stop_play(stream_id, context),
            ServerEvent::Call {
                transaction_id,
                name,
                args,
                ..
            } => self.called(transaction_id, name, args, context),
            ServerEvent::CallReply {
                transaction_id,
                result,
            } => self.call_answered(transaction_id, result, context.now),
            ServerEvent::CheckBandwidth => {
                self.bandwidth_wanted(BandwidthCheck::Component, context.now);
            }
            ServerEvent::StreamLength { transaction_id, name } => {
                self.stream_length(transaction_id, &name, context);
            }
            ServerEvent::ReceiveAudio { stream_id, on } => {
                self.with_flow(stream_id, context, |flow| flow.set_audio(on));
                self.receive_recorded(stream_id, |player| player.set_audio(on));
            }
            ServerEvent::ReceiveVideo { stream_id, on } => {
                self.with_flow(stream_id, context, |flow| flow.set_video(on));
                self.receive_recorded(stream_id, |player| player.set_video(on));
            }
            ServerEvent::Pause {
                stream_id,
                pause,
                millis,
            } => self.pause(stream_id, pause, millis, context),
            ServerEvent::Seek { stream_id, millis } => self.seek(stream_id, millis),
            ServerEvent::Play2 { stream_id, options } => self.play2(stream_id, &options, context),
            ServerEvent::SetBufferLength { .. } => self.buffer_changed(context),
            ServerEvent::Unreadable(error) => self.complain(Code::CallFailed, &error.to_string()),
            // Pings are no sign of use.
            ServerEvent::PingReply { rtt_ms } => return self.ping_answered(rtt_ms),
            _ => return,
        }
        self.last_active = context.now;
    }

    /// The protocol of the URL that the client connected by.
    fn protocol(&self) -> &'static str {
        match self.scheme {
            Scheme::Rtmp if self.session.is_encrypted() => Scheme::Rtmpe,
            Scheme::Rtmpt if self.session.is_encrypted() => Scheme::Rtmpte,
            scheme => scheme,
        }
        .as_str()
    }
}

fn ended() -> Status {
    Status::new(Code::CallFailed).with_description("The connection ended.")
}
