//! Support for the tests that cross processes: programs started and ended, media samples, packet comparison, and the
//! programs of others that rtmpkit must get along with. Everything stays on 127.0.0.1 and is bounded in time.
#![deny(missing_docs)]

pub mod amf_corpus;
pub mod certificates;
pub mod fuzz;
pub mod gstreamer;
pub mod load;
pub mod media;
pub mod nginx;
pub mod packets;
pub mod players;
pub mod process;
pub mod programs;
pub mod readme;
