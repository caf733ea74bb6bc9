//! The outgoing side: a NetConnection to another RTMP server, and NetStreams and shared objects over it.

mod call;
mod net_connection;
mod net_stream;
mod outgoing;
mod proxy;
pub(crate) mod reconnect;
pub(crate) mod relay;
mod remote_state;
mod remoting;
mod shared_object;

pub use call::ServerCall;
pub(crate) use net_connection::ConnectionCore;
pub use net_connection::{NetConnection, NetConnectionConfig, NetConnectionHandler};
pub(crate) use net_stream::StreamCore;
pub use net_stream::{NetStream, NetStreamHandler};
pub use reconnect::Reconnect;
pub use relay::{BackOff, Demand, Relay, RelayConfig, RelayEvent, RelayHandler, RelayState, RelayStats};
pub use shared_object::RemoteSharedObject;
pub(crate) use shared_object::{RemoteCore, RemoteObjects, counted};
