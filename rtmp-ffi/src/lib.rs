//! The C ABI of rtmpkit: reference-counted handles over the face of `rtmp-core`, one file per kind of handle. The
//! modules stand in the order of the header that cbindgen makes of them, `include/rtmpkit.h`; the contract that binds
//! its caller is the text on top of it (`header.txt`).
#![deny(missing_docs)]
#![allow(
    non_camel_case_types,
    reason = "types and enumerators have the names that C sees"
)]
#![allow(
    clippy::missing_safety_doc,
    reason = "one contract for all pointers, on top of the header"
)]

#[macro_use]
mod panic;
mod fork;
mod handle;
mod host;
mod release;
mod string;

// Blank lines keep rustfmt from sorting: this is the order of the header.
mod error;

mod library;

mod log;

mod value;

mod vector;

mod dictionary;

mod buffer;

mod media;

mod status;

mod engine;

mod queue;

mod server;

mod tls;

mod application_config;

mod application;

mod config_file;

mod instance;

mod client;

mod client_control;

mod request;

mod stream;

mod recording;

mod subscription;

mod login;

mod net_connection;

mod net_stream;

mod shared_object;

mod slots;

mod methods;

mod classes;

mod data;

mod reconnect;

mod relay;

pub use application::*;
pub use application_config::*;
pub use buffer::*;
pub use classes::*;
pub use client::*;
pub use client_control::*;
pub use config_file::*;
pub use data::*;
pub use dictionary::*;
pub use engine::*;
pub use error::*;
pub use instance::*;
pub use library::*;
pub use log::*;
pub use login::*;
pub use media::*;
pub use methods::*;
pub use net_connection::*;
pub use net_stream::*;
#[cfg(debug_assertions)]
#[doc(hidden)]
pub use panic::arm_panic;
pub use queue::*;
pub use reconnect::*;
pub use recording::*;
pub use relay::*;
pub use request::*;
pub use server::*;
pub use shared_object::*;
pub use slots::*;
pub use status::*;
pub use stream::*;
pub use subscription::*;
pub use tls::*;
pub use value::*;
pub use vector::*;
