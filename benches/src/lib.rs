//! What the measuring programs share: the made-up stream, the load tool, clients of raw bytes, the servers to measure,
//! and medians, tables and plots of what was found.
#![deny(missing_docs)]

pub mod candidate;
pub mod figures;
pub mod load;
pub mod plot;
pub mod process;
pub mod raw;

pub mod rounds;
pub mod setup;
pub mod source;
