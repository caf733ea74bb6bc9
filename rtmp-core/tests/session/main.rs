//! Sessions: the captured exchanges, both sides joined in memory, hostile peers.

#[path = "../support/mod.rs"]
mod support;

mod backlog;
mod client;
mod connection;
#[path = "../cases/deviations.rs"]
mod deviations;
mod exchanges;
mod hostile;
mod joined;
mod memo_7_2;
mod memo_7_3;
mod mutations;
mod raw;
#[cfg(feature = "rtmpe")]
mod rtmpe;
mod swf;
mod tolerance;
mod window;
