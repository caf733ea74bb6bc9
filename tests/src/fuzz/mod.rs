//! Fuzz targets as plain functions: any bytes go in, a broken promise is a panic.
//!
//! The programs in `tests/fuzz` call them under libFuzzer; `tests/fuzz_corpus.rs` replays what those runs kept, and the
//! literal cases of [`seeds`], with every `make test`.

pub mod amf0;
pub mod amf3;
pub mod amf_packet;
pub mod chunk_reader;
pub mod client_session;
pub mod encrypted;
pub mod files;
pub mod flv;
pub mod handshake;
pub mod media_tags;
pub mod memory;
pub mod messages;
pub mod mp3;
pub mod mp4;
pub mod peer;
pub mod recorded;
pub mod script;
pub mod seeds;
pub mod server_session;
pub mod stored;
pub mod tunnel;
pub mod url;

/// Something to fuzz.
#[derive(Clone, Copy)]
pub struct Target {
    /// The name of the program in `tests/fuzz/fuzz_targets` and of the folder in `tests/fuzz/corpus`.
    pub name: &'static str,
    /// Takes any bytes; panics when rtmpkit does not keep what it promises.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [Target; 17] = [
    Target {
        name: "handshake",
        run: handshake::run,
    },
    Target {
        name: "chunk_reader",
        run: chunk_reader::run,
    },
    Target {
        name: "amf0",
        run: amf0::run,
    },
    Target {
        name: "amf3",
        run: amf3::run,
    },
    Target {
        name: "amf_packet",
        run: amf_packet::run,
    },
    Target {
        name: "messages",
        run: messages::run,
    },
    Target {
        name: "media_tags",
        run: media_tags::run,
    },
    Target {
        name: "flv",
        run: flv::run,
    },
    Target {
        name: "mp4",
        run: mp4::run,
    },
    Target {
        name: "mp3",
        run: mp3::run,
    },
    Target {
        name: "url",
        run: url::run,
    },
    Target {
        name: "server_session",
        run: server_session::run,
    },
    Target {
        name: "client_session",
        run: client_session::run,
    },
    Target {
        name: "encrypted",
        run: encrypted::run,
    },
    Target {
        name: "stored",
        run: stored::run,
    },
    Target {
        name: "recorded",
        run: recorded::run,
    },
    Target {
        name: "tunnel",
        run: tunnel::run,
    },
];
