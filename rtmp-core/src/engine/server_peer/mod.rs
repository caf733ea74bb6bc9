//! One connection of a server: binds its session to the application model.

mod calls;
mod requests;
mod streams;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::amf::Value;
use crate::app::application::Application;
use crate::app::client::Client;
use crate::app::peer::{Answer, PeerCommand, Reply};
use crate::app::request::{CallRequest, PlayRequest, PublishRequest};
use crate::app::shared_object::Subscriptions;
use crate::app::stats::Traffic;
use crate::engine::mailbox::Link;
use crate::engine::server::ServerCore;
use crate::engine::worker::Context;
use crate::session::{CapsEx, ServerEvent, ServerSession, SessionError};
use crate::wire::status::{Code, Status};
pub(crate) use calls::failure;
use requests::{Asked, Pending};
use streams::{Playing, Publishing};

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
    /// What a refused client was told.
    refusal: Option<Status>,
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

impl ServerPeer {
    pub(crate) fn new(
        server: Arc<ServerCore>,
        address: SocketAddr,
        link: Link,
        seed: [u8; 32],
        now: u64,
    ) -> Self {
        let traffic = Arc::default();
        server.watch_traffic(&traffic);
        Self {
            session: ServerSession::new(Arc::clone(&server.session), seed, now),
            server,
            traffic,
            address,
            link,
            client: None,
            application: None,
            accepted: false,
            refusal: None,
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
        self.server.keep_traffic(&self.traffic);
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
            let why = self.refusal.take().unwrap_or(why);
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
        // Publishers keep the queue that each of their messages goes through; the others let it go.
        if !self.publishing.is_empty() {
            self.events = events;
            return;
        }
        self.session.swap_events(&mut VecDeque::new());
        if self.requests.is_empty() && self.requests.capacity() > 0 {
            self.requests = HashMap::new();
        }
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
}
