//! The application model: applications, instances, clients, requests and live streams. No sockets and no threads of
//! its own: it talks to a connection by sending it [`peer::PeerCommand`]s.

pub mod access;
pub mod application;
pub mod bandwidth;
mod clear;
pub mod client;
pub mod config_file;
pub(crate) mod data;
pub mod disk;
pub mod dispatch;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod instance;
pub(crate) mod login;
pub mod methods;
pub mod path_pattern;
pub mod peer;
pub mod record;
pub mod request;
pub mod shared_object;
pub mod stats;
pub mod stream;
pub(crate) mod stream_files;
pub(crate) mod vod;
pub(crate) mod weight;
