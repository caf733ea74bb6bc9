//! The outgoing side: a NetConnection to another RTMP server, and NetStreams over it.

mod net_connection;
mod net_stream;

pub(crate) use net_connection::ConnectionCore;
pub use net_connection::{NetConnection, NetConnectionConfig, NetConnectionHandler};
pub(crate) use net_stream::StreamCore;
pub use net_stream::{NetStream, NetStreamHandler};
