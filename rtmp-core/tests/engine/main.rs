//! The engine over real sockets: server and client of the library against each other on the loopback interface.
#![cfg(feature = "engine")]

mod application;
mod client;
mod codes;
mod connect;
mod enhanced;
mod hostile;
mod live;
mod reconnect;
mod reconnect_follow;
#[cfg(feature = "rtmpe")]
mod rtmpe;
mod shared_object;
mod shared_object_crash;
mod support;
mod takeover;
mod window;
mod wire;
