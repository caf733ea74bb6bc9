//! Playing recorded streams: reading files ([`source`], [`flv`], [`mp4`], [`mp3`], [`file`], [`job`]) and when what of them is sent
//! ([`player`]). No sockets and no clock here: reading blocks and is for threads that may, the player is told the time.

mod file;
mod flv;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
pub(crate) mod job;
mod length;
mod mp3;
mod mp4;
mod player;
mod source;

pub(crate) use file::RecordedFile;
pub(crate) use job::Outcome;
pub(crate) use player::{Pace, Player, Step};
pub(crate) use source::{Place, SourceError};
