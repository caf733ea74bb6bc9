//! rtmpkit's core: the RTMP protocol as sans-I/O state machines and, with the `engine` feature (on by default), a server
//! and client on their own threads.
//!
//! An [`Engine`] is a set of worker threads. A [`Server`] on it listens and offers applications; an
//! [`ApplicationHandler`] decides who may connect, publish and play, at once or later. A [`NetConnection`] with its
//! [`NetStream`]s is the outgoing side. The host itself publishes into a [`Stream`] and subscribes to one without a
//! socket. This program does all of it:
//!
#![cfg_attr(feature = "engine", doc = "```")]
#![cfg_attr(not(feature = "engine"), doc = "```ignore")]
//! use std::sync::{Arc, mpsc};
//! use rtmp_core::*;
//!
//! struct Printer(mpsc::Sender<Frame>);
//! impl Subscriber for Printer {
//!     fn on_frame(&self, frame: &Frame) {
//!         let _ = self.0.send(frame.clone()); // A reference to the publisher's bytes, not a copy.
//!     }
//! }
//!
//! struct Logger;
//! impl NetConnectionHandler for Logger {
//!     fn on_status(&self, _: &NetConnection, status: &Status) {
//!         println!("{}: {}", status.code, status.description);
//!     }
//! }
//! impl NetStreamHandler for Logger {}
//!
//! fn main() -> Result<()> {
//!     let engine = Engine::new(EngineConfig::default())?;
//!     let server = Server::new(&engine, ServerConfig::default())?;
//!     server.application("live", ApplicationConfig::default(), Arc::new(AcceptAll))?;
//!     let address = server.listen("127.0.0.1:0")?;
//!
//!     // The host watches a stream.
//!     let (sender, frames) = mpsc::channel();
//!     let cam = server.instance("live")?.stream("cam")?;
//!     let _watching = cam.subscribe(SubscribeOptions::default(), Arc::new(Printer(sender)));
//!
//!     // A client publishes it: here ourselves, over a real socket.
//!     let connection = NetConnection::new(&engine, NetConnectionConfig::default(), Arc::new(Logger))?;
//!     connection.connect(&format!("rtmp://{address}/live"), &[])?;
//!     let stream = NetStream::new(&connection, Arc::new(Logger))?;
//!     stream.publish("cam", PublishMode::Live)?;
//!     stream.write(&Frame::video(FourCc::AVC1, 0, true, 0, b"a picture"))?;
//!
//!     let frame = frames.recv().expect("the subscription lives");
//!     assert_eq!((frame.is_keyframe(), &frame.payload[..]), (true, &b"a picture"[..]));
//!     Ok(())
//! }
//! ```
//!
//! # Deciding
//!
//! Each question to an [`ApplicationHandler`] is a request object; what is not overridden accepts.
//!
#![cfg_attr(feature = "engine", doc = "```no_run")]
#![cfg_attr(not(feature = "engine"), doc = "```ignore")]
//! use rtmp_core::{ApplicationHandler, PublishRequest};
//!
//! struct Live;
//! impl ApplicationHandler for Live {
//!     fn on_publish(&self, request: PublishRequest) {
//!         if request.query() == "token=s3cret" {
//!             request.accept();
//!         } else {
//!             request.reject("wrong token");
//!         }
//!     }
//! }
//! ```
//!
//! # Publishing a file
//!
//! Media may be written as soon as `publish` was asked for; a refusal is NetStream.Publish.BadName in
//! [`NetStreamHandler::on_status`]. Write each message when its time has come, and again after [`Error::Full`].
//!
#![cfg_attr(feature = "engine", doc = "```no_run")]
#![cfg_attr(not(feature = "engine"), doc = "```ignore")]
//! # fn publish(stream: &rtmp_core::NetStream) -> Result<(), Box<dyn std::error::Error>> {
//! use rtmp_core::{PublishMode, media::flv::FlvReader};
//!
//! stream.publish("cam?token=s3cret", PublishMode::Live)?;
//! for message in FlvReader::new(std::fs::File::open("film.flv")?)? {
//!     stream.write_message(&message?)?;
//! }
//! stream.close(); // What is queued is sent first.
//! # Ok(())
//! # }
//! ```
//!
//! # Playing, recording, seeking
//!
//! [`NetStreamHandler::on_frame`] gets everything: [`Frame::is_config`] and the [`FrameFlags`] METADATA, COMMAND and
//! END_OF_SEQUENCE tell what is no picture or sound. With [`ApplicationConfig::directory`] a publisher in
//! [`PublishMode::Record`] is recorded; NetStream.Record.Stop says that the file is complete and may be played, under the
//! same name. What comes before NetStream.Seek.Notify is of the place that was left.
//!
#![cfg_attr(feature = "engine", doc = "```no_run")]
#![cfg_attr(not(feature = "engine"), doc = "```ignore")]
//! # fn play(stream: &rtmp_core::NetStream) -> rtmp_core::Result<()> {
//! stream.play(rtmp_core::PlayOptions::new("cam"))?;
//! stream.seek(60_000)?; // To the keyframe before; a live stream answers NetStream.Seek.Failed.
//! # Ok(())
//! # }
//! ```
//!
//! # Shared objects
//!
//! [`Instance::shared_object`] is the server's side of one, [`NetConnection::shared_object`] a client's, with the same calls;
//! changes of others come to a [`SharedObjectHandler`].
//!
#![cfg_attr(feature = "engine", doc = "```no_run")]
#![cfg_attr(not(feature = "engine"), doc = "```ignore")]
//! # fn edit(connection: &rtmp_core::NetConnection) -> rtmp_core::Result<()> {
//! use std::sync::Arc;
//! use rtmp_core::{RemoteSharedObject, SharedObjectHandler, SlotChange};
//!
//! struct Printer;
//! impl SharedObjectHandler<RemoteSharedObject> for Printer {
//!     fn on_sync(&self, object: &RemoteSharedObject, changes: &[SlotChange]) {
//!         println!("{}: {changes:?}", object.name());
//!     }
//! }
//!
//! let room = connection.shared_object("room", false, Arc::new(Printer))?;
//! room.set("topic", "hello")?; // Sent when the server has let this side join.
//! # Ok(())
//! # }
//! ```
//!
//! # TLS
//!
//! Give the server a [`TlsIdentity`] with [`Server::set_tls`] and listen on `rtmps://`; connections take the same URLs, and
//! trust as [`NetConnectionConfig::tls_trust`] says.
//!
//! # Errors
//!
//! What a call can see at once is an [`Error`], with [`Error::initiator`] to say whose fault it is. What turns out later is a
//! [`Status`] in a handler: NetConnection.Connect.Failed, NetStream.Play.StreamNotFound and so on, of [`Level::Error`].
//!
//! # Rules
//!
//! - Handlers run on the library's threads, one at a time and in order per connection, never under a lock. They may call
//!   everything and must not block: keep the request and answer later from any thread. One dropped unanswered is
//!   refused. A host that wants them on its own thread gives a [`Queue`] as the configuration's [`Dispatch`].
//! - Handles are cheap to clone. Dropping the last one of what the host made closes it; dropping a [`Client`] or a handle
//!   that a handler was given never does.
//! - Only [`Engine::join`] and [`Queue::dispatch`] wait.
//!
//! Without the engine the protocol is there as functions of bytes and time: [`session`] for a whole connection, [`wire`],
//! [`amf`] and [`media`] for its parts.
#![deny(missing_docs)]
#![deny(unsafe_code)]

pub mod amf;
pub mod media;
pub mod session;
pub mod time;
pub mod wire;

#[cfg(feature = "engine")]
mod app;
#[cfg(feature = "engine")]
mod client;
#[cfg(feature = "engine")]
mod engine;
#[cfg(feature = "engine")]
mod error;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use app::fuzzing;
#[cfg(feature = "engine")]
pub use app::{
    access::AccessList,
    application::{AcceptAll, Application, ApplicationConfig, ApplicationHandler, DEFAULT_INSTANCE},
    bandwidth::{Bandwidth, BandwidthCheck, BandwidthReply, Direction, MIN_BANDWIDTH},
    client::Client,
    config_file::ConfigFile,
    dispatch::{Dispatch, Executor},
    instance::Instance,
    methods::Method,
    peer::Reply,
    record::{RecordChoice, RecordMode, RecordOptions, RecordStats, Recording},
    request::{
        CallRequest, ConnectRequest, PlayRequest, PublishOptions, PublishRequest, StreamLengthRequest,
    },
    shared_object::{SharedObject, SharedObjectConfig, SharedObjectHandler, SlotChange, SlotChangeKind},
    stats::{ClientStats, Drops, InstanceStats, StreamStats, TrafficStats},
    stream::{
        FlowLimits, Latency, Publication, Stream, SubscribeOptions, Subscriber, Subscription, Takeover,
    },
};
#[cfg(feature = "engine")]
pub use client::{
    BackOff, Demand, NetConnection, NetConnectionConfig, NetConnectionHandler, NetStream, NetStreamHandler,
    Reconnect, Relay, RelayConfig, RelayEvent, RelayHandler, RelayState, RelayStats, RemoteSharedObject,
    ServerCall,
};
#[cfg(feature = "engine")]
pub use engine::{
    Engine, EngineConfig, Queue, Server, ServerConfig, ServerStats, ThreadStart, TlsIdentity, TlsTrust,
};
#[cfg(feature = "engine")]
pub use error::{ConfigError, Error, Initiator, Result, TlsError};

pub use amf::{Object, Value};
pub use media::{
    ColorInfo, FourCc, Frame, FrameFlags, MediaKind, MediaMessage, MultichannelConfig, VideoMetadata,
};
pub use session::auth::{Credentials, LoginAttempt, LoginMethod, Secret};
pub use session::{
    Capabilities, CapsEx, CodecMap, CodecUse, Deviation, Deviations, Play2Options, PlayOptions, PlayStart,
    PublishMode, Tolerance, Transition,
};
pub use wire::status::{Code, Level, Status};
pub use wire::url::RtmpUrl;
