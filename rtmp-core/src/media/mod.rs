//! Audio and video tag headers, frames, codec configuration and containers.

pub mod flv;
