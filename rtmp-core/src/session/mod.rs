//! One connection as a sans-I/O state machine, for the server's and the client's side.
//!
//! Bytes go in by `input`, events come out by `poll_event`, bytes to send stand in `output`. There is no socket, thread
//! or clock here: the owner passes the time in milliseconds of any monotonic clock and calls `handle_timeout` when
//! `poll_timeout` says so.

pub mod auth;
mod capabilities;
mod client;
mod client_commands;
mod client_connect;
mod client_events;
mod client_requests;
mod config;
mod error;
mod events;
mod link;
mod ping;
mod play_buffer;
#[cfg(feature = "rtmpe")]
mod sealed;
mod server;
mod server_backlog;
mod server_commands;
mod server_connect;
mod server_media;
mod server_replies;
mod server_streams;
mod streams;
mod tolerance;
mod transaction;
mod window;

pub use crate::wire::deviation::{Deviation, Deviations, Tolerance};
pub use crate::wire::handshake::Swf;
pub use crate::wire::message::command::ObjectEncoding;
pub use crate::wire::message::control::LimitType;
pub use capabilities::{Capabilities, CapsEx, CodecMap, CodecUse};
pub use client::ClientSession;
pub use client_events::{ClientEvent, Play2Options, PlayOptions, Transition, redirect_target};
pub use config::{ClientSessionConfig, MAX_MESSAGE, ServerSessionConfig, SessionLimits, SessionTimeouts};
pub use error::SessionError;
pub use events::{ConnectReply, ConnectRequest, PlayStart, PublishMode, ServerEvent};
pub use play_buffer::PlayBuffer;
pub use server::ServerSession;
#[cfg(feature = "engine")]
pub(crate) use server_streams::clamp_millis;
