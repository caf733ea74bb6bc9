//! The load tool: publishes one stream in real time, plays it many times, and says what was lost and how late it was.

mod crew;
mod ledger;
mod options;
pub mod peer;
mod player;
mod publisher;
mod report;
mod run;

pub use options::{Options, SourceKind, USAGE};
pub use publisher::wait;
pub use report::{Report, percentile};
pub use run::measure;
