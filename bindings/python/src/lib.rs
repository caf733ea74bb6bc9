//! The compiled part of the Python package `rtmpkit`.
//!
//! No thread of the library ever attaches to Python: what happens on a worker goes into an `rtmp_core::Queue` or into
//! a plain Rust inbox, and Python runs on a thread of Python's own that serves the queue or waits for the inbox.
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod amf;
mod application;
mod buffer;
mod config_file;
mod connection;
mod engine;
mod errors;
mod flv;
mod frame;
mod inbox;
mod instance;
mod login;
mod monitor;
mod peer;
mod publication;
mod queue;
mod recording;
mod relay;
mod request;
mod server;
mod server_call;
mod settings;
mod shared_object;
mod stats;
mod status;
mod stream;
mod subscription;
mod takeover;
mod url;
mod value;

use pyo3::prelude::*;

/// The compiled part of rtmpkit.
#[pymodule(gil_used = false)]
mod _rtmpkit {
    #[pymodule_export]
    use crate::{
        amf::{amf0_decode, amf0_encode, amf3_decode, amf3_encode},
        buffer::Payload,
        config_file::ConfigFile,
        connection::RawConnection,
        engine::Engine,
        flv::{FlvReader, FlvWriter},
        frame::Frame,
        instance::{Instance, Stream},
        login::{LoginAttempt, Secret},
        peer::Peer,
        publication::Publication,
        queue::Queue,
        recording::{RecordStats, Recording},
        relay::{Relay, RelayEvent, RelayStats},
        request::{CallRequest, ConnectRequest, PlayRequest, PublishRequest, StreamLengthRequest},
        server::{RawApplication, RawServer},
        server_call::ServerCall,
        shared_object::RawSharedObject,
        stats::{Bandwidth, InstanceStats, PeerStats, ServerStats, StreamStats, TrafficStats},
        status::Status,
        stream::RawStream,
        subscription::Subscription,
        takeover::Takeover,
        url::{Url, masked},
    };

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
