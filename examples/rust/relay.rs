//! Plays a stream from one server and publishes it to another, until it ends or Ctrl-C.
//!
//! `cargo run --release --example relay -- rtmp://from/live/stream rtmp://to/live/stream`

mod support;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use rtmp_core::{
    Engine, EngineConfig, Error, Frame, MediaKind, NetConnection, NetConnectionConfig, NetStream,
    NetStreamHandler, PlayOptions, PublishMode, Status,
};
use support::Progress;

/// The side that publishes.
struct Push(Arc<Progress>);

impl NetStreamHandler for Push {
    fn on_status(&self, _: &NetStream, status: &Status) {
        self.0.hear(status);
    }
}

/// The side that plays, and hands every frame over.
struct Pull {
    progress: Arc<Progress>,
    to: NetStream,
    /// Frames were dropped: go on at the next keyframe.
    behind: AtomicBool,
}

impl NetStreamHandler for Pull {
    fn on_status(&self, _: &NetStream, status: &Status) {
        self.progress.hear(status);
    }

    fn on_frame(&self, _: &NetStream, frame: &Frame) {
        let needs_keyframe = frame.kind == MediaKind::Video && !frame.is_keyframe() && !frame.is_config();
        if needs_keyframe && self.behind.load(Relaxed) {
            return;
        }
        match self.to.write_message(&support::to_publish(frame.to_message())) {
            Ok(()) if frame.is_keyframe() => self.behind.store(false, Relaxed),
            Ok(()) => {}
            Err(Error::Full(_)) => self.behind.store(true, Relaxed),
            Err(error) => self.progress.fail(&error.to_string()),
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
    let ((from, from_name), (to, to_name)) = (support::split_url(&from)?, support::split_url(&to)?);

    let progress = Progress::new()?;
    let engine = Engine::new(EngineConfig::default())?;
    let connect = |url: &str| {
        let mut config = NetConnectionConfig::default();
        config.dispatch = progress.queue().to_dispatch();
        let connection = NetConnection::new(&engine, config, progress.clone())?;
        connection.connect(url, &[]).map(|()| connection)
    };
    let push = connect(&to)?;
    let target = NetStream::new(&push, Arc::new(Push(progress.clone())))?;
    target.publish(&to_name, PublishMode::Live)?;
    while !progress.is_started() && progress.go_on(Duration::from_secs(1))? {}

    let pull = connect(&from)?;
    let handler = Pull {
        progress: progress.clone(),
        to: target.clone(),
        behind: AtomicBool::new(false),
    };
    let source = NetStream::new(&pull, Arc::new(handler))?;
    source.play(PlayOptions::new(from_name))?;
    while progress.go_on(Duration::from_secs(1))? {}

    target.close();
    push.close();
    while !progress.is_stopped() && push.is_connected() {
        progress.queue().dispatch(1024, Duration::from_millis(100))?;
    }
    progress.result()
}
