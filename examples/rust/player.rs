//! Plays a stream into an FLV file, until the stream ends, for a number of seconds, or until Ctrl-C.
//!
//! `cargo run --release --example player -- rtmp://127.0.0.1/live/stream FILE.flv [--seconds N]`

mod support;

use std::fs::File;
use std::io::BufWriter;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rtmp_core::media::flv::{FlvError, FlvWriter};
use rtmp_core::{
    Engine, EngineConfig, Frame, NetConnection, NetConnectionConfig, NetStream, NetStreamHandler,
    PlayOptions, Status,
};
use support::Progress;

struct Recorder {
    progress: Arc<Progress>,
    /// `None` once the file is complete.
    file: Mutex<Option<FlvWriter<BufWriter<File>>>>,
}

impl Recorder {
    fn finish(&self) -> Result<(), FlvError> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner).take();
        file.map_or(Ok(()), |file| file.finish().map(drop))
    }
}

impl NetStreamHandler for Recorder {
    fn on_status(&self, _: &NetStream, status: &Status) {
        self.progress.hear(status);
    }

    fn on_frame(&self, _: &NetStream, frame: &Frame) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(error)) = file.as_mut().map(|file| file.write(&frame.to_message())) {
            self.progress.fail(&error.to_string());
        }
    }
}

struct Args {
    url: String,
    file: String,
    seconds: Option<f64>,
}

fn main() -> ExitCode {
    support::run(play)
}

fn play() -> support::Result<()> {
    let args = args()?;
    let (url, name) = support::split_url(&args.url)?;
    let file = File::create(&args.file).map_err(|error| format!("{}: {error}", args.file))?;
    let file = Mutex::new(Some(FlvWriter::new(BufWriter::new(file), true, true)?));

    // Handlers run on this thread, so that a slow disk never holds up the library's threads.
    let progress = Progress::new()?;
    let recorder = Arc::new(Recorder {
        progress: progress.clone(),
        file,
    });
    let engine = Engine::new(EngineConfig::default())?;
    let mut config = NetConnectionConfig::default();
    config.dispatch = progress.queue().to_dispatch();
    let connection = NetConnection::new(&engine, config, progress.clone())?;
    connection.connect(&url, &[])?;
    let stream = NetStream::new(&connection, recorder.clone())?;
    stream.play(PlayOptions::new(name))?;

    let until = args
        .seconds
        .map(|seconds| Instant::now() + Duration::from_secs_f64(seconds));
    let left = || {
        until.map_or(Duration::from_secs(1), |until| {
            until.saturating_duration_since(Instant::now())
        })
    };
    while !left().is_zero() && progress.go_on(left())? {}
    recorder.finish()?;
    if stream.dropped() > 0 {
        eprintln!(
            "{} frames were dropped: the disk did not keep up",
            stream.dropped()
        );
    }
    progress.result()
}

fn args() -> support::Result<Args> {
    use lexopt::prelude::*;
    let (mut values, mut seconds) = (Vec::new(), None);
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("seconds") => seconds = Some(parser.value()?.parse()?),
            Value(value) => values.push(value.string()?),
            _ => return Err(arg.unexpected().into()),
        }
    }
    match <[String; 2]>::try_from(values) {
        Ok([url, file]) => Ok(Args { url, file, seconds }),
        Err(_) => Err("usage: player rtmp://host/app/stream FILE.flv [--seconds N]".into()),
    }
}
