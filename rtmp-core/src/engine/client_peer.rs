//! One outgoing connection: binds its session to the host's NetConnection and NetStreams.

mod command;
mod follow;
mod login;
mod memory;
mod redirect;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use bytes::Bytes;

use crate::amf::Value;
use crate::app::peer::Reply;
use crate::app::shared_object::MAX_EVENTS_FROM_SERVER;
use crate::client::{ConnectionCore, RemoteCore, ServerCall, StreamCore, counted};
use crate::engine::held_back::HeldBack;
use crate::engine::server_peer::failure;
use crate::engine::tls::TlsStart;
use crate::engine::transport::layered::TunnelStart;
use crate::engine::worker::Context;
use crate::media::{MediaKind, MediaMessage, metadata};
use crate::session::{ClientEvent, ClientSession, ClientSessionConfig, SessionError};
use crate::wire::message::user_control::UserControl;
use crate::wire::message::{Message, SharedObjectMessage};
use crate::wire::status::{Code, Status};
pub(crate) use command::{ClientCommand, StreamCommand};
pub(crate) use follow::{Follow, Replaces, Step};
use login::Rounds;
use memory::{Moving, StreamMemory};
use redirect::Redirection;

/// An outgoing connection to open.
pub(crate) struct ClientStart {
    pub(crate) core: Arc<ConnectionCore>,
    pub(crate) session: ClientSessionConfig,
    pub(crate) route: Route,
    /// The connection whose place it takes once it is accepted.
    pub(crate) replaces: Option<Replaces>,
}

/// The way to a server.
pub(crate) struct Route {
    pub(crate) addresses: Vec<SocketAddr>,
    /// By TLS.
    pub(crate) tls: Option<TlsStart>,
    /// By HTTP requests.
    pub(crate) tunnel: Option<TunnelStart>,
}

/// The client's side of one connection.
pub(crate) struct ClientPeer {
    pub(crate) session: ClientSession,
    pub(crate) core: Arc<ConnectionCore>,
    streams: HashMap<u64, ClientStream>,
    /// Which stream a message stream of the server belongs to.
    by_stream_id: HashMap<u32, u64>,
    /// Commands that wait for the connection to be accepted.
    waiting: Vec<ClientCommand>,
    calls: HashMap<u64, Reply>,
    answered: bool,
    events: VecDeque<ClientEvent>,
    /// How many deviations of the server were told.
    deviations: u64,
    /// Bytes that were told to wait for the socket.
    output: usize,
    follow: Follow,
    /// How to log in, with whom.
    rounds: Option<Box<Rounds>>,
    redirection: Redirection,
    pub(crate) held_back: HeldBack,
}

struct ClientStream {
    core: Arc<StreamCore>,
    creation: Creation,
    /// Commands that wait for the message stream.
    waiting: Vec<StreamCommand>,
    memory: StreamMemory,
    /// A connection before this one still serves the stream.
    moving: Option<Moving>,
}

enum Creation {
    NotYet,
    Asked(f64),
    Done(u32),
}

/// Bytes that may wait for a server beside what the host writes; beyond that the connection is closed.
const MAX_UNREAD: usize = 64 << 20;

impl ClientPeer {
    pub(crate) fn new(
        core: Arc<ConnectionCore>,
        config: ClientSessionConfig,
        addresses: &[SocketAddr],
        follow: Follow,
        seed: [u8; 32],
        now: u64,
    ) -> Self {
        let rounds = Rounds::new(&config, addresses, seed);
        let mut session = ClientSession::new(config, seed, now);
        session.set_classes(core.classes());
        Self {
            session,
            core,
            streams: HashMap::new(),
            by_stream_id: HashMap::new(),
            waiting: Vec::new(),
            calls: HashMap::new(),
            answered: false,
            events: VecDeque::new(),
            deviations: 0,
            output: 0,
            follow,
            rounds,
            redirection: Redirection::default(),
            held_back: HeldBack::default(),
        }
    }

    /// The socket is connected: begins to speak.
    pub(crate) fn established(&mut self, context: &Context<'_>) {
        self.session.connect(context.now);
    }

    pub(crate) fn input(&mut self, data: Bytes, context: &mut Context<'_>) -> Result<(), SessionError> {
        self.follow.now = context.now;
        self.core.traffic.received(data.len());
        let result = self.session.input(data, context.now);
        let deviations = self.session.deviations();
        if deviations.total() != self.deviations {
            self.deviations = deviations.total();
            self.core.traffic.set_deviations(*deviations);
        }
        self.process();
        let waiting = self.session.pending_output().len();
        if waiting > MAX_UNREAD && !self.session.is_closed() {
            return result.and(Err(SessionError::Unread(waiting)));
        }
        result
    }

    /// How many bytes may be read now.
    pub(crate) fn read_room(&mut self, now: u64) -> usize {
        let is_behind = self.follow.link().mailbox.behind.any() || self.core.config.dispatch.is_overfull();
        match self.held_back.holds(is_behind, now) {
            true => 0,
            false => usize::MAX,
        }
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        let buffers = self
            .streams
            .values()
            .filter_map(|stream| stream.core.buffer_deadline());
        buffers.chain(self.session.poll_timeout()).min()
    }

    pub(crate) fn timeout(&mut self, context: &mut Context<'_>) -> Result<(), SessionError> {
        self.follow.now = context.now;
        for stream in self.streams.values() {
            stream.core.buffer_timeout(context.now);
        }
        let result = self.session.handle_timeout(context.now);
        self.process();
        result
    }

    /// Does what the host asks, once the server has accepted the connection.
    pub(crate) fn command(&mut self, command: ClientCommand, context: &mut Context<'_>) {
        self.follow.now = context.now;
        match command {
            ClientCommand::Close => self.quit(),
            ClientCommand::OpenStream(core) => {
                core.set_generation(self.follow.generation);
                let stream = ClientStream {
                    core,
                    creation: Creation::NotYet,
                    waiting: Vec::new(),
                    memory: StreamMemory::default(),
                    moving: None,
                };
                self.streams.insert(stream.core.id, stream);
            }
            ClientCommand::NetworkChanged if !self.session.is_connected() => self.core.took(command.weight()),
            command if !self.session.is_connected() => self.waiting.push(command),
            command => self.run(command),
        }
        self.process();
    }

    /// Tells the host how much waits to be sent.
    pub(crate) fn flushed(&mut self) {
        self.count_output(self.session.pending_output().len());
        if self.core.may_unblock() {
            // Handlers run in a turn of their own, never in the middle of sending.
            self.follow.link().follow(Step::Room);
        }
    }

    /// Several connections may have output for one host: each adds its change, modulo 2^64.
    fn count_output(&mut self, waiting: usize) {
        let change = waiting.wrapping_sub(std::mem::replace(&mut self.output, waiting));
        self.core.output.fetch_add(change, SeqCst);
    }

    /// The connection could not be opened.
    pub(crate) fn fail(&mut self, error: &io::Error) {
        self.end(&Status::new(Code::ConnectFailed).with_description(error.to_string()));
    }

    /// The connection is over: ends its streams and tells the host.
    pub(crate) fn end(&mut self, why: &Status) {
        self.count_output(0);
        if self.end_aside(why) {
            return;
        }
        self.core.set_disconnected();
        for (_, stream) in self.streams.drain() {
            stream.core.ended();
        }
        self.fail_calls();
        self.waiting.drain(..).for_each(ClientCommand::fail);
        for object in self.core.shared_objects.all() {
            object.disconnected();
        }
        self.core.reset();
        let mut status = why.clone();
        if !self.answered {
            status = Status::new(Code::ConnectFailed).with_description(status.description);
        }
        self.core.status(status);
    }

    fn fail_calls(&mut self) {
        for (_, reply) in self.calls.drain() {
            reply(Err(
                Status::new(Code::CallFailed).with_description("The connection ended.")
            ));
        }
    }

    fn process(&mut self) {
        let mut events = std::mem::take(&mut self.events);
        loop {
            self.session.swap_events(&mut events);
            if events.is_empty() {
                break;
            }
            for event in events.drain(..) {
                self.event(event);
            }
        }
        self.events = events;
        self.leave_if_done();
    }

    fn event(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Media { stream_id, message } => {
                self.core.traffic.messages_received(1);
                self.media(stream_id, message);
            }
            ClientEvent::Connected { status, enhanced, .. } => {
                self.follow.accepted_at = Some(self.follow.now);
                if self.follow.is_candidate() {
                    return self.candidate_accepted(status, enhanced);
                }
                self.core.set_connected(enhanced);
                self.accepted(status);
                for command in std::mem::take(&mut self.waiting) {
                    self.run(command);
                }
            }
            ClientEvent::UserControl(UserControl::StreamDry(stream_id)) => self.stream_dry(stream_id),
            ClientEvent::SharedObject { message } => self.shared_object(&message),
            ClientEvent::Rejected(status) if self.answers(&status) => {}
            ClientEvent::Rejected(status) if self.follow.is_candidate() => {
                self.follow.refused = Some(status);
            }
            ClientEvent::Rejected(status) if self.follows_refusal(&status) => {}
            ClientEvent::Rejected(status) => {
                self.answered = true;
                self.core.status(status);
            }
            ClientEvent::StreamCreated { request, stream_id } => self.created(request, stream_id),
            ClientEvent::StreamFailed { request, status } => self.not_created(request, status),
            ClientEvent::Status { stream_id: 0, status } => self.connection_status(status),
            ClientEvent::Status { stream_id, status } | ClientEvent::PlayStatus { stream_id, status } => {
                self.stream_status(stream_id, status);
            }
            ClientEvent::Call {
                transaction_id,
                name,
                args,
                ..
            } => {
                let asked_by = self.follow.link().clone();
                let answer = move |result| {
                    asked_by.follow(Step::Command(ClientCommand::Answer {
                        transaction_id,
                        result,
                    }));
                };
                let wants_reply = transaction_id != 0.0;
                self.core
                    .call(ServerCall::new(name, args, wants_reply, Box::new(answer)));
            }
            ClientEvent::CallReply {
                transaction_id,
                result,
            } => {
                if let Some(reply) = self.calls.remove(&transaction_id.to_bits()) {
                    reply(result.map_err(|value| failure(&value)));
                }
            }
            _ => {}
        }
    }

    fn accepted(&mut self, status: Status) {
        self.answered = true;
        self.core.status(status);
        for object in self.core.shared_objects.all() {
            self.use_object(&object);
        }
    }

    fn connection_status(&mut self, status: Status) {
        if self.follow.has_left() || self.follow.is_candidate() {
            return;
        }
        let asked = status.is(Code::ConnectReconnectRequest);
        self.core.status(status.clone());
        if asked {
            self.asked_to_reconnect(&status);
        }
    }

    fn run(&mut self, command: ClientCommand) {
        self.core.took(command.weight());
        match command {
            ClientCommand::Call { name, args, reply } => {
                let transaction = self.session.call(&name, args, reply.is_some());
                match (transaction, reply) {
                    (Some(transaction), Some(reply)) => {
                        self.calls.insert(transaction.to_bits(), reply);
                    }
                    (None, Some(reply)) => {
                        reply(Err(
                            Status::new(Code::CallFailed).with_description("Too many calls wait.")
                        ));
                    }
                    _ => {}
                }
            }
            ClientCommand::Answer {
                transaction_id,
                result,
            } => {
                let result = result.map_err(|status| Value::from(status.to_object()));
                self.session.reply_call(transaction_id, result);
            }
            ClientCommand::UseObject(object) => self.use_object(&object),
            ClientCommand::Message(message) => {
                self.core.release(counted(&message));
                self.pass(&message);
            }
            ClientCommand::Stream { stream, command } => self.stream_command(stream, command),
            ClientCommand::Reconnect(target) => self.reconnect(&target),
            ClientCommand::NetworkChanged => self.connection_status(Status::new(Code::ConnectNetworkChange)),
            ClientCommand::OpenStream(_) | ClientCommand::Close => {}
        }
    }

    fn use_object(&mut self, object: &RemoteCore) {
        if let Some(message) = object.join(self.session.object_encoding()) {
            self.pass(&message);
        }
    }

    fn pass(&mut self, message: &Message) {
        if !self.session.send_message(message) {
            log::warn!("a message longer than RTMP allows was dropped");
        }
    }

    fn shared_object(&self, message: &Message) {
        if self.follow.has_left() {
            return;
        }
        let limits = crate::amf::Limits::default();
        match SharedObjectMessage::load_with(message, &limits, MAX_EVENTS_FROM_SERVER, self.session.classes())
        {
            Ok(message) => {
                if let Some(object) = self.core.shared_objects.find(&message.name) {
                    object.receive(message);
                }
            }
            Err(error) => log::debug!("a message was ignored: {error}"),
        }
    }

    fn stream_command(&mut self, id: u64, command: StreamCommand) {
        if let Some(stream) = self.streams.get_mut(&id) {
            if let StreamCommand::Write(message) = &command {
                stream.core.saw(message.kind);
            }
            stream.memory.note(&command);
        }
        let Some(command) = self.divert(id, command) else {
            return;
        };
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        match (&stream.creation, command) {
            (Creation::Done(stream_id), command) => {
                let stream_id = *stream_id;
                self.on_stream(id, stream_id, command);
            }
            (Creation::NotYet, StreamCommand::Publish { name, mode }) => {
                let request = self.session.publish_stream(&name, mode);
                self.asked(id, request);
            }
            (Creation::NotYet, StreamCommand::Play(options)) => {
                let request = self.session.play_stream(options);
                self.asked(id, request);
            }
            (Creation::NotYet, StreamCommand::Close) => {
                if let Some(stream) = self.streams.remove(&id) {
                    stream.core.ended();
                    self.forget(stream.waiting);
                }
            }
            (_, command) => {
                self.core.keep(command.weight());
                stream.waiting.push(command);
            }
        }
    }

    fn asked(&mut self, id: u64, request: Option<f64>) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        match request {
            Some(request) => stream.creation = Creation::Asked(request),
            None => {
                let status = Status::new(Code::StreamFailed).with_description("Too many calls wait.");
                stream.core.status(status);
            }
        }
    }

    fn created(&mut self, request: f64, stream_id: u32) {
        let asked =
            |stream: &ClientStream| matches!(stream.creation, Creation::Asked(number) if number == request);
        let Some((id, stream)) = self.streams.iter_mut().find(|(_, stream)| asked(stream)) else {
            return;
        };
        let id = *id;
        stream.creation = Creation::Done(stream_id);
        let waiting = std::mem::take(&mut stream.waiting);
        self.by_stream_id.insert(stream_id, id);
        for command in waiting {
            self.core.took(command.weight());
            self.on_stream(id, stream_id, command);
        }
    }

    /// Commands that waited for a message stream are not carried out.
    fn forget(&self, waiting: Vec<StreamCommand>) {
        for command in waiting {
            self.core.took(command.weight());
            if let StreamCommand::Write(message) = command {
                self.core.release(message.body.len());
            }
        }
    }

    fn not_created(&mut self, request: f64, status: Status) {
        let asked =
            |stream: &ClientStream| matches!(stream.creation, Creation::Asked(number) if number == request);
        if let Some(stream) = self.streams.values_mut().find(|stream| asked(stream)) {
            stream.creation = Creation::NotYet;
            stream.core.status(status);
            let waiting = std::mem::take(&mut stream.waiting);
            self.forget(waiting);
        }
    }

    fn on_stream(&mut self, id: u64, stream_id: u32, command: StreamCommand) {
        match command {
            StreamCommand::Publish { name, mode } => self.session.publish(stream_id, &name, mode),
            StreamCommand::Play(options) => self.session.play(stream_id, &options),
            StreamCommand::Write(message) => self.write(stream_id, &message),
            StreamCommand::Seek(millis) => self.session.seek(stream_id, millis),
            StreamCommand::Play2(options) => self.session.play2(stream_id, &options),
            StreamCommand::Pause(on, position) => self.session.pause(stream_id, on, position),
            StreamCommand::ReceiveAudio(on) => self.session.receive_audio(stream_id, on),
            StreamCommand::ReceiveVideo(on) => self.session.receive_video(stream_id, on),
            StreamCommand::SetBuffer(millis) => self.session.set_buffer_length(stream_id, millis),
            StreamCommand::Close => {
                self.session.delete_stream(stream_id);
                self.by_stream_id.remove(&stream_id);
                if let Some(stream) = self.streams.remove(&id) {
                    stream.core.ended();
                }
            }
        }
    }

    fn write(&mut self, stream_id: u32, message: &MediaMessage) {
        // What another connection passes on is counted no more.
        if !self.follow.has_left() {
            self.core.release(message.body.len());
        }
        self.transmit(stream_id, message);
    }

    fn transmit(&mut self, stream_id: u32, message: &MediaMessage) {
        let sent = if message.kind == MediaKind::Data && is_bare_metadata(&message.body) {
            self.session.set_data_frame(stream_id, message)
        } else {
            self.session.send_media(stream_id, message)
        };
        if sent {
            self.core.traffic.messages_sent(1);
        } else {
            log::warn!("a message longer than RTMP allows was dropped");
        }
    }
}

/// Whether a data message is `onMetaData` that the server is not yet told to keep.
fn is_bare_metadata(body: &[u8]) -> bool {
    metadata::is_metadata(body) && metadata::strip_set_data_frame(body).len() == body.len()
}
