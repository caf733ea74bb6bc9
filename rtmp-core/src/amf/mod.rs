//! AMF0 and AMF3 values and their encodings. Knows nothing of RTMP.
//!
//! [`Value`] is what both formats decode to. [`amf0::decode_all`] and [`amf0::encode`] serve commands and data messages;
//! an object-encoding 3 peer gets [`amf0::encode_avmplus`].

pub mod amf0;
pub mod amf3;
mod array;
mod cursor;
mod error;
mod graph;
mod limits;
mod object;
mod packet;
mod registry;
#[cfg(test)]
mod roundtrip;
mod string;
mod value;

pub use array::{Array, Dictionary, ObjectVector, Vector};
pub use error::AmfError;
pub(crate) use error::printable;
pub use limits::{Limits, MAX_DEPTH};
pub use object::Object;
pub use packet::{Packet, PacketHeader, PacketMessage};
pub use registry::{ClassHook, ClassRegistry, Externalizable};
pub use string::Str;
pub use value::{Date, Value};
