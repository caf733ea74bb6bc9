//! The engine over real sockets: server and client of the library against each other on the loopback interface.
#![cfg(feature = "engine")]

mod application;
mod auth;
mod backlog;
mod bounds;
mod classes;
mod client;
mod codes;
mod connect;
#[path = "../cases/deviations.rs"]
mod deviations;
mod digest;
mod enhanced;
mod hostile;
mod live;
mod live_wants;
mod net_connection;
mod network;
mod outgoing;
mod play_list;
mod protocol;
mod proxy;
mod reconnect;
mod reconnect_follow;

mod record;
mod record_clear;
mod record_crash;
mod record_host;
mod recorded;
mod recorded_containers;
mod recorded_host;
mod redirect;
mod relay;
mod remoting;
#[cfg(feature = "rtmpe")]
mod rtmpe;
mod shared_object;
mod shared_object_crash;
mod shared_object_stored;
mod shared_object_wire;
mod support;
mod takeover;
mod tls;
mod tolerance;
mod tunnel;
mod unread;
mod window;
mod wire;
