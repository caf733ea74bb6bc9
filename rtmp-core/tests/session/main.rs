//! Sessions: the captured exchanges, both sides joined in memory, hostile peers.

#[path = "../support/mod.rs"]
mod support;

mod client;
mod exchanges;
mod hostile;
mod joined;
mod raw;
