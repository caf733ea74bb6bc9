//! The application model: applications, instances, clients, requests and live streams. No sockets and no threads of
//! its own: it talks to a connection by sending it [`peer::PeerCommand`]s.

pub mod application;
pub mod client;
pub mod dispatch;
pub mod instance;
pub mod peer;
pub mod request;
pub mod shared_object;
pub mod stats;
pub mod stream;
