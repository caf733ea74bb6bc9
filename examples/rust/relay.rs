//! Pulls a stream from one server and pushes it to another, until its publisher leaves or Ctrl-C. Lost connections are made again;
//! the media never passes this program.
//!
//! `cargo run --release --example relay -- rtmp://from/live/stream rtmp://to/live/stream`

mod support;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use rtmp_core::{
    AcceptAll, ApplicationConfig, Engine, EngineConfig, Relay, RelayConfig, RelayEvent, RelayHandler, Server,
    ServerConfig,
};
use support::Progress;

/// Tells of failures; a pull also when what flowed has ended.
struct Listener {
    progress: Arc<Progress>,
    streamed: AtomicBool,
    ended: AtomicBool,
}

impl RelayHandler for Listener {
    fn on_event(&self, relay: &Relay, event: &RelayEvent) {
        match event {
            RelayEvent::Streaming => self.streamed.store(true, Relaxed),
            // Once more: its publisher has left.
            RelayEvent::Connected if relay.is_pull() && self.streamed.load(Relaxed) => self.progress.end(),
            RelayEvent::Retrying { after_ms, reason, .. } => {
                eprintln!("{}: {reason}; again in {after_ms} ms", relay.url());
            }
            RelayEvent::Ended => self.ended.store(true, Relaxed),
            _ => {}
        }
    }
}

fn main() -> ExitCode {
    support::run(relay)
}

fn relay() -> support::Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(from), Some(to), None) = (args.next(), args.next(), args.next()) else {
        return Err("usage: relay rtmp://from/app/stream rtmp://to/app/stream".into());
    };

    let progress = Progress::new()?;
    let listener = || {
        Arc::new(Listener {
            progress: progress.clone(),
            streamed: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        })
    };
    let mut config = RelayConfig::default();
    config.dispatch = progress.queue().to_dispatch();

    // The stream between both is one of a server that listens nowhere.
    let engine = Engine::new(EngineConfig::default())?;
    let server = Server::new(&engine, ServerConfig::default())?;
    server.application("relay", ApplicationConfig::default(), Arc::new(AcceptAll))?;
    let instance = server.instance("relay")?;
    let (pushing, pulling) = (listener(), listener());
    let push = Relay::push(&instance.stream("stream")?, &to, config.clone(), pushing.clone())?;
    let pull = Relay::pull(&instance, &from, "stream", config, pulling)?;

    while progress.go_on(Duration::from_secs(1))? {}

    pull.close();
    push.close();
    // What the push has taken in is sent first.
    while !pushing.ended.load(Relaxed) {
        progress.queue().dispatch(1024, Duration::from_secs(1))?;
    }
    progress.result()
}
