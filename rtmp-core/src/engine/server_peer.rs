//! One connection of a server: binds its session to the application model.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::amf::Value;
use crate::app::application::{Application, ApplicationHandler, is_valid_name};
use crate::app::client::Client;
use crate::app::peer::{Answer, PeerCommand, PeerLink, Reply};
use crate::app::request::{CallRequest, ConnectRequest, PlayRequest, PublishRequest};
use crate::app::shared_object::Subscriptions;
use crate::app::stats::Traffic;
use crate::app::stream::{LiveStream, PlayerFlow, Publisher, Stream, Takeover};
use crate::engine::mailbox::Link;
use crate::engine::players::Player;
use crate::engine::server::ServerCore;
use crate::engine::worker::Context;
use crate::media::{MediaKind, MediaMessage};
use crate::session::{self, CapsEx, ConnectReply, ServerEvent, ServerSession, SessionError};
use crate::wire::message::Message;
use crate::wire::status::{Code, Status};

/// Bytes waiting for a client beyond which no messages of shared objects are added: it is disconnected.
const MAX_MESSAGES_WAITING: usize = 64 << 20;

/// The server's side of one connection.
pub(crate) struct ServerPeer {
    pub(crate) session: ServerSession,
    pub(crate) server: Arc<ServerCore>,
    pub(crate) traffic: Arc<Traffic>,
    address: SocketAddr,
    link: Link,
    client: Option<Client>,
    application: Option<Application>,
    accepted: bool,
    publishing: HashMap<u32, Publishing>,
    playing: Vec<Playing>,
    shared_objects: Subscriptions,
    requests: HashMap<u64, Pending>,
    next_request: u64,
    calls: HashMap<u64, Reply>,
    pings: VecDeque<Reply>,
    events: VecDeque<ServerEvent>,
    /// How many deviations of the peer were told.
    deviations: u64,
}

struct Publishing {
    stream: Arc<LiveStream>,
    publisher: u64,
    /// The next data message is one that late joiners need.
    metadata_follows: bool,
}

struct Playing {
    stream_id: u32,
    stream: Arc<LiveStream>,
    paused: bool,
}

/// A request that waits for the host.
struct Pending {
    deadline: u64,
    what: Asked,
}

enum Asked {
    Connect,
    Publish { stream_id: u32, name: String },
    Play { stream_id: u32, name: String },
    Call { transaction_id: f64 },
}

impl Asked {
    /// The code that refuses this kind of request.
    fn refusal(&self) -> Code {
        match self {
            Self::Connect => Code::ConnectRejected,
            Self::Publish { .. } => Code::PublishBadName,
            Self::Play { .. } => Code::PlayFailed,
            Self::Call { .. } => Code::CallFailed,
        }
    }
}

impl ServerPeer {
    pub(crate) fn new(
        server: Arc<ServerCore>,
        address: SocketAddr,
        link: Link,
        seed: [u8; 32],
        now: u64,
    ) -> Self {
        Self {
            session: ServerSession::new(Arc::clone(&server.session), seed, now),
            server,
            traffic: Arc::default(),
            address,
            link,
            client: None,
            application: None,
            accepted: false,
            publishing: HashMap::new(),
            playing: Vec::new(),
            shared_objects: Subscriptions::default(),
            requests: HashMap::new(),
            next_request: 1,
            calls: HashMap::new(),
            pings: VecDeque::new(),
            events: VecDeque::new(),
            deviations: 0,
        }
    }

    /// Takes bytes from the socket.
    pub(crate) fn input(&mut self, data: Bytes, context: &mut Context<'_>) -> Result<(), SessionError> {
        self.traffic.received(data.len());
        let result = self.session.input(data, context.now);
        self.tell_deviations();
        self.process(context);
        result
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

    /// When [`timeout`](Self::timeout) wants to be called.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let requests = self.requests.values().map(|pending| pending.deadline).min();
        [self.session.poll_timeout(), requests]
            .into_iter()
            .flatten()
            .min()
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
        let result = self.session.handle_timeout(context.now);
        self.process(context);
        result
    }

    /// Does what the application model asks.
    pub(crate) fn command(&mut self, command: PeerCommand, context: &mut Context<'_>) {
        match command {
            PeerCommand::Answer { request, answer } => self.answer(request, answer, context),
            PeerCommand::Message(message) => self.pass(&message),
            PeerCommand::Call { name, args, reply } => self.call(&name, args, reply),
            PeerCommand::Ping(reply) => {
                self.pings.push_back(reply);
                self.session.ping();
            }
            PeerCommand::Status { stream_id, status } => self.session.send_status(stream_id, status),
            PeerCommand::Evict { stream_id, publisher } => self.evicted(stream_id, publisher),
            PeerCommand::Close(status) => self.session.close(status),
        }
        self.process(context);
    }

    /// Asks the client to reconnect, if it said that it can.
    pub(crate) fn request_reconnect(&mut self, request: &Status) {
        let able = |client: &Client| client.capabilities().supports(CapsEx::RECONNECT);
        if self.accepted && self.client.as_ref().is_some_and(able) {
            self.session.send_status(0, request.clone());
        }
    }

    /// Tells a player that its stream has, or lost, a publisher.
    pub(crate) fn notify(&mut self, stream_id: u32, name: &str, published: bool) {
        if published {
            self.session.publish_notify(stream_id, name);
        } else {
            self.session.unpublish_notify(stream_id, name);
        }
    }

    /// The connection is gone: gives back all it held and tells the host.
    pub(crate) fn end(&mut self, why: &Status, context: &mut Context<'_>) {
        let publishing: Vec<u32> = self.publishing.keys().copied().collect();
        for stream_id in publishing {
            self.unpublish(stream_id);
        }
        while let Some(playing) = self.playing.last() {
            let stream_id = playing.stream_id;
            self.stop_play(stream_id, context);
        }
        for (_, reply) in self.calls.drain() {
            reply(Err(
                Status::new(Code::CallFailed).with_description("The connection ended.")
            ));
        }
        for reply in self.pings.drain(..) {
            reply(Err(Status::new(Code::ConnectClosed)));
        }
        self.server.traffic.absorb(self.traffic.read());
        self.server.dismiss(self.address.ip());
        let (Some(client), Some(application)) = (self.client.take(), self.application.take()) else {
            return;
        };
        self.shared_objects.release_all(&client);
        client.end(why);
        let was_in = client.instance().remove_client(&client);
        let why = why.clone();
        if was_in {
            application.event(move |handler| handler.on_disconnect(&client, &why));
        } else if !self.accepted {
            client.instance().count_rejected();
            application.event(move |handler| handler.on_reject(&client, &why));
        }
    }

    /// Tells the host that the client sent what cannot be processed.
    pub(crate) fn report(&self, error: &SessionError) {
        log::info!("{}: disconnected: {error}", self.address);
        if let (Some(client), Some(application)) = (self.client.clone(), &self.application) {
            let status = Status::new(Code::StreamFailed).with_description(error.to_string());
            application.event(move |handler| handler.on_error(&client, &status));
        }
    }

    fn process(&mut self, context: &mut Context<'_>) {
        let mut events = std::mem::take(&mut self.events);
        loop {
            self.session.swap_events(&mut events);
            if events.is_empty() {
                break;
            }
            for event in events.drain(..) {
                self.event(event, context);
            }
        }
        self.events = events;
    }

    fn event(&mut self, event: ServerEvent, context: &mut Context<'_>) {
        match event {
            ServerEvent::Media { stream_id, message } => self.media(stream_id, message),
            ServerEvent::DataFrame {
                stream_id, message, ..
            } => {
                if let Some(publishing) = self.publishing.get_mut(&stream_id) {
                    publishing.metadata_follows = message.is_some();
                }
            }
            ServerEvent::Connect(request) => self.connect(*request, context),
            ServerEvent::Publish {
                stream_id,
                name,
                query,
                mode,
            } => {
                let Some(number) = self.ask(
                    Asked::Publish {
                        stream_id,
                        name: name.clone(),
                    },
                    context,
                ) else {
                    return;
                };
                self.request(number, move |client, number| {
                    let request = PublishRequest::new(client, number, name, query, mode);
                    move |handler| handler.on_publish(request)
                });
            }
            ServerEvent::Play {
                stream_id,
                name,
                query,
                start,
                duration,
                reset,
            } => {
                self.stop_play(stream_id, context);
                let Some(number) = self.ask(
                    Asked::Play {
                        stream_id,
                        name: name.clone(),
                    },
                    context,
                ) else {
                    return;
                };
                self.request(number, move |client, number| {
                    let request = PlayRequest::new(client, number, name, query, start, duration, reset);
                    move |handler| handler.on_play(request)
                });
            }
            ServerEvent::SharedObject { message } => self.shared_object(&message),
            ServerEvent::Unpublish { stream_id } => self.unpublish(stream_id),
            ServerEvent::StopPlay { stream_id } => self.stop_play(stream_id, context),
            ServerEvent::Call {
                transaction_id,
                name,
                args,
                ..
            } => {
                let Some(number) = self.ask(Asked::Call { transaction_id }, context) else {
                    return;
                };
                let wants_reply = transaction_id != 0.0;
                self.request(number, move |client, number| {
                    let request = CallRequest::new(client, number, name, args, wants_reply);
                    move |handler| handler.on_call(request)
                });
            }
            ServerEvent::CallReply {
                transaction_id,
                result,
            } => {
                if let Some(reply) = self.calls.remove(&transaction_id.to_bits()) {
                    reply(result.map_err(|value| failure(&value)));
                }
            }
            ServerEvent::StreamLength { transaction_id, .. } => {
                self.session.reply_call(transaction_id, Ok(Value::from(0.0)));
            }
            ServerEvent::ReceiveAudio { stream_id, on } => {
                self.with_flow(stream_id, context, |flow| flow.set_audio(on));
            }
            ServerEvent::ReceiveVideo { stream_id, on } => {
                self.with_flow(stream_id, context, |flow| flow.set_video(on));
            }
            ServerEvent::Pause { stream_id, pause, .. } => self.pause(stream_id, pause, context),
            ServerEvent::Seek { stream_id, .. } => {
                let status =
                    Status::new(Code::SeekFailed).with_description("A live stream cannot be sought.");
                self.session.send_status(stream_id, status);
            }
            ServerEvent::PingReply { rtt_ms } => {
                for reply in self.pings.drain(..) {
                    #[allow(clippy::cast_precision_loss)] // Milliseconds.
                    reply(Ok(Value::from(rtt_ms as f64)));
                }
            }
            _ => {}
        }
    }

    fn shared_object(&mut self, message: &Message) {
        let Some(client) = self.client.clone().filter(|_| self.accepted) else {
            return;
        };
        if let Err(error) = self.shared_objects.message(&client, message)
            && let Some(application) = &self.application
        {
            let status = Status::new(Code::CallFailed).with_description(error.to_string());
            application.event(move |handler| handler.on_error(&client, &status));
        }
    }

    /// Sends a message as it is, unless the client reads too slowly for what it joined.
    fn pass(&mut self, message: &Message) {
        if self.session.output().len() > MAX_MESSAGES_WAITING {
            log::info!("{}: disconnected: does not read its shared objects", self.address);
            return self.session.close(None);
        }
        if !self.session.send_message(message) {
            log::warn!("a message longer than RTMP allows was dropped");
        }
    }

    fn media(&mut self, stream_id: u32, message: MediaMessage) {
        let Some(publishing) = self.publishing.get_mut(&stream_id) else {
            return;
        };
        self.traffic.messages_received(1);
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

    fn connect(&mut self, command: session::ConnectRequest, context: &mut Context<'_>) {
        if let Some(refusal) = self.server.refusal() {
            return self.session.reject_connect(refusal);
        }
        let full_name = format!("{}/{}", command.app, command.instance);
        let application = self.server.application(&command.app);
        let valid = is_valid_name(&full_name);
        let Some(application) = application.filter(|_| valid) else {
            let description = format!("Application ({}) is not defined.", command.app);
            return self
                .session
                .reject_connect(Status::new(Code::ConnectInvalidApp).with_description(description));
        };
        let Some(instance) = application.enter(&full_name).filter(|_| application.has_room()) else {
            let status =
                Status::new(Code::ConnectRejected).with_description("The application takes no more clients.");
            return self.session.reject_connect(status);
        };
        let link = Arc::new(self.link.clone());
        let traffic = Arc::clone(&self.traffic);
        let client = Client::new(
            self.link.id,
            self.address,
            false,
            command,
            instance.clone(),
            link,
            traffic,
        );
        self.client = Some(client.clone());
        self.application = Some(application.clone());
        let Some(number) = self.ask(Asked::Connect, context) else {
            return;
        };
        instance.when_started(move || {
            let request = ConnectRequest::new(client, number);
            application.event(move |handler| handler.on_connect(request));
        });
    }

    /// Notes that the host is asked; `None` before there is a client.
    fn ask(&mut self, what: Asked, context: &Context<'_>) -> Option<u64> {
        let timeout = self.application.as_ref()?.config().request_timeout_ms;
        let number = self.next_request;
        self.next_request += 1;
        self.requests.insert(
            number,
            Pending {
                deadline: context.now.saturating_add(timeout),
                what,
            },
        );
        Some(number)
    }

    fn request<Event>(&self, number: u64, make: impl FnOnce(Client, u64) -> Event)
    where
        Event: FnOnce(&dyn ApplicationHandler) + Send + 'static,
    {
        if let (Some(client), Some(application)) = (&self.client, &self.application) {
            application.event(make(client.clone(), number));
        }
    }

    fn answer(&mut self, number: u64, answer: Answer, context: &mut Context<'_>) {
        let Some(pending) = self.requests.remove(&number) else {
            return;
        };
        match (pending.what, answer) {
            (
                Asked::Connect,
                Answer::Connect {
                    properties,
                    info,
                    max_chunk_size,
                },
            ) => self.accept(ConnectReply {
                properties,
                info,
                max_chunk_size,
            }),
            (Asked::Connect, Answer::Refuse(status)) => self.session.reject_connect(status),
            (Asked::Publish { stream_id, name }, Answer::Publish(takeover)) => {
                self.publish(stream_id, &name, takeover);
            }
            (Asked::Publish { stream_id, .. }, Answer::Refuse(status)) => {
                self.session.reject_publish(stream_id, status);
            }
            (Asked::Play { stream_id, name }, Answer::Play(other)) => {
                self.play(stream_id, &other.unwrap_or(name), context);
            }
            (Asked::Play { stream_id, .. }, Answer::Refuse(status)) => {
                self.session.reject_play(stream_id, status)
            }
            (Asked::Call { transaction_id }, Answer::Return(value)) => {
                self.session.reply_call(transaction_id, Ok(value));
            }
            (Asked::Call { transaction_id }, Answer::Refuse(status)) => {
                self.session
                    .reply_call(transaction_id, Err(Value::from(status.to_object())));
            }
            // Request types only give the answers of their own kind.
            _ => log::error!("a request was answered with another kind's answer"),
        }
    }

    fn accept(&mut self, reply: ConnectReply) {
        self.accepted = true;
        if let Some(client) = &self.client {
            client.instance().add_client(client);
        }
        self.session.accept_connect(reply);
        if let Some(request) = self.server.parting_request() {
            self.request_reconnect(&request);
        }
    }

    fn publish(&mut self, stream_id: u32, name: &str, takeover: Option<Takeover>) {
        let (Some(client), Some(application)) = (&self.client, &self.application) else {
            return;
        };
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
        self.publishing.insert(
            stream_id,
            Publishing {
                stream,
                publisher,
                metadata_follows: false,
            },
        );
        self.session.accept_publish(stream_id);
    }

    /// Another publisher has the stream now: this one is told, and disconnected so that its encoder notices.
    fn evicted(&mut self, stream_id: u32, publisher: u64) {
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

    fn unpublish(&mut self, stream_id: u32) {
        self.forget_request(|what| matches!(what, Asked::Publish { stream_id: id, .. } if *id == stream_id));
        let Some(Publishing {
            stream, publisher, ..
        }) = self.publishing.remove(&stream_id)
        else {
            return;
        };
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

    fn play(&mut self, stream_id: u32, name: &str, context: &mut Context<'_>) {
        let Some(client) = &self.client else { return };
        if !is_valid_name(name) {
            return self
                .session
                .reject_play(stream_id, Status::for_stream(Code::PlayStreamNotFound, name));
        }
        let stream = client.instance().live_stream(name);
        self.session.accept_play(stream_id);
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
        self.playing.push(Playing {
            stream_id,
            stream,
            paused: false,
        });
    }

    fn stop_play(&mut self, stream_id: u32, context: &mut Context<'_>) {
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

    fn pause(&mut self, stream_id: u32, pause: Option<bool>, context: &mut Context<'_>) {
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

    fn with_flow(&self, stream_id: u32, context: &mut Context<'_>, change: impl FnOnce(&mut PlayerFlow)) {
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

    fn call(&mut self, name: &str, args: Vec<Value>, reply: Option<Reply>) {
        let transaction = self.session.call(name, args, reply.is_some());
        match (transaction, reply) {
            (Some(transaction), Some(reply)) => {
                self.calls.insert(transaction.to_bits(), reply);
            }
            (None, Some(reply)) => {
                let status =
                    Status::new(Code::CallFailed).with_description("The client cannot be called now.");
                reply(Err(status));
            }
            _ => {}
        }
    }

    fn forget_request(&mut self, is: impl Fn(&Asked) -> bool) {
        self.requests.retain(|_, pending| !is(&pending.what));
    }
}

/// The status in an error value; peers send objects, and now and then something else.
pub(crate) fn failure(value: &Value) -> Status {
    Status::from_value(value)
        .unwrap_or_else(|| Status::new(Code::CallFailed).with_description(value.as_str().unwrap_or_default()))
}
