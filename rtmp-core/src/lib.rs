//! rtmpkit's core: the RTMP protocol as sans-I/O state machines and, with the `engine` feature, a server and client on
//! their own threads.
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

#[cfg(feature = "engine")]
pub use app::{
    application::{AcceptAll, Application, ApplicationConfig, ApplicationHandler, DEFAULT_INSTANCE},
    client::Client,
    dispatch::{Dispatch, Executor},
    instance::Instance,
    peer::Reply,
    request::{CallRequest, ConnectRequest, PlayRequest, PublishRequest},
    stats::{InstanceStats, StreamStats, TrafficStats},
    stream::{FlowLimits, Publication, Stream, SubscribeOptions, Subscriber, Subscription},
};
#[cfg(feature = "engine")]
pub use client::{NetConnection, NetConnectionConfig, NetConnectionHandler, NetStream, NetStreamHandler};
#[cfg(feature = "engine")]
pub use engine::{Engine, EngineConfig, Queue, Server, ServerConfig, ServerStats, ThreadStart};
#[cfg(feature = "engine")]
pub use error::{Error, Initiator, Result};

pub use amf::{Object, Value};
pub use media::{FourCc, Frame, FrameFlags, MediaKind, MediaMessage};
pub use session::{PlayOptions, PlayStart, PublishMode};
pub use wire::status::{Code, Level, Status};
pub use wire::url::RtmpUrl;
