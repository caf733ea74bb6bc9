//! Audio and video tag headers, frames, codec configuration and containers.
//!
//! One message body serves the wire and the file alike: the payload of an RTMP audio (8), video (9) or data (18)
//! message is the body of the FLV tag of the same type, so [`MediaMessage`] is both. [`inspect`] says what a body is
//! without allocating; [`Frame`] takes it apart and builds it.

pub mod audio;
pub mod codec_config;
pub mod color_info;
pub mod enhanced;
pub mod flags;
pub mod flv;
pub mod fourcc;
pub mod frame;
mod input;
pub mod message;
pub mod metadata;
pub mod mp3;
pub mod mp4;
pub mod tracks;
pub mod video;

pub use color_info::{ColorInfo, VideoMetadata};
pub use enhanced::{MultichannelConfig, PacketType};
pub use flags::{FrameFlags, inspect};
pub use fourcc::FourCc;
pub use frame::{Frame, MultitrackError};
pub use message::{MediaKind, MediaMessage};
pub use metadata::Metadata;
pub use tracks::{Reduced, Reduction, TrackSet, is_reducible, reduce, track_ids};
