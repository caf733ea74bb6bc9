//! Publishes an FLV file in real time.
//!
//! `cargo run --release --example publisher -- FILE.flv rtmp://127.0.0.1/live/stream`

mod support;

use std::fs::File;
use std::io::BufReader;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtmp_core::media::flv::FlvReader;
use rtmp_core::{
    Engine, EngineConfig, Error, MediaMessage, NetConnection, NetConnectionConfig, NetStream,
    NetStreamHandler, PublishMode, Status,
};
use support::Progress;

struct Publisher(Arc<Progress>);

impl NetStreamHandler for Publisher {
    fn on_status(&self, _: &NetStream, status: &Status) {
        self.0.hear(status);
    }
}

fn main() -> ExitCode {
    support::run(publish)
}

fn publish() -> support::Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(file), Some(url), None) = (args.next(), args.next(), args.next()) else {
        return Err("usage: publisher FILE.flv rtmp://host/app/stream".into());
    };
    let (url, name) = support::split_url(&url)?;
    let messages = FlvReader::new(BufReader::new(
        File::open(&file).map_err(|e| format!("{file}: {e}"))?,
    ))?;

    let progress = Progress::new()?;
    let engine = Engine::new(EngineConfig::default())?;
    let mut config = NetConnectionConfig::default();
    config.dispatch = progress.queue().to_dispatch();
    let connection = NetConnection::new(&engine, config, progress.clone())?;
    connection.connect(&url, &[])?;
    let stream = NetStream::new(&connection, Arc::new(Publisher(progress.clone())))?;
    stream.publish(&name, PublishMode::Live)?;
    while !progress.is_started() && progress.go_on(Duration::from_secs(1))? {}

    let sent_all = send_in_time(messages, &stream, &progress)?;
    // Closing sends what is queued first; the end of the connection says that this is done.
    stream.close();
    connection.close();
    while !progress.is_stopped() && connection.is_connected() {
        progress.queue().dispatch(1024, Duration::from_millis(100))?;
    }
    progress.result()?;
    if sent_all || progress.is_stopped() {
        Ok(())
    } else {
        Err("the server closed the connection".into())
    }
}

/// Sends each message when its time has come. False if the connection ended before the file did.
fn send_in_time(
    messages: impl Iterator<Item = Result<MediaMessage, rtmp_core::media::flv::FlvError>>,
    stream: &NetStream,
    progress: &Progress,
) -> support::Result<bool> {
    let began = Instant::now();
    let mut first = None;
    for message in messages {
        let message = support::to_publish(message?);
        let first = *first.get_or_insert(message.timestamp);
        let due = began + Duration::from_millis(u64::from(message.timestamp.saturating_sub(first)));
        loop {
            let wait = due.saturating_duration_since(Instant::now());
            if !progress.go_on(wait)? {
                return Ok(false);
            }
            if Instant::now() < due {
                continue;
            }
            match stream.write_message(&message) {
                // The network does not keep up: a file can wait.
                Err(Error::Full(_)) => std::thread::sleep(Duration::from_millis(20)),
                // Some servers hang up instead of saying no.
                Err(Error::Closed(_)) => return Ok(false),
                written => break written?,
            }
        }
    }
    Ok(true)
}
