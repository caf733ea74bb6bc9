//! What the client programs share: their end, their URL, their metadata.
#![allow(dead_code)] // Each program is a crate of its own and uses a part of it.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rtmp_core::media::metadata::Metadata;
use rtmp_core::{Code, MediaKind, MediaMessage, NetConnection, NetConnectionHandler, Queue, RtmpUrl, Status};

/// Any error, with a text for people.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Runs a program: logs as `RUST_LOG` says, prints an error and turns it into the exit code 1.
pub fn run(program: fn() -> Result<()>) -> ExitCode {
    env_logger::init();
    match program() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Splits `rtmp://host/app/stream` into the URL to connect to and the stream's name.
pub fn split_url(url: &str) -> Result<(String, String)> {
    let parsed = RtmpUrl::parse(url)?;
    if parsed.stream_name.is_empty() {
        return Err(format!("{url}: a stream's URL looks like rtmp://host/app/stream").into());
    }
    Ok((parsed.connection_url(), parsed.stream_name))
}

/// The message as a publisher sends it: metadata with `@setDataFrame` in front, so that the server keeps it for players
/// who join late.
pub fn to_publish(message: MediaMessage) -> MediaMessage {
    match message.kind {
        MediaKind::Data => match Metadata::parse(&message.body) {
            Some(metadata) => MediaMessage::new(
                MediaKind::Data,
                message.timestamp,
                metadata.to_set_data_frame_body(),
            ),
            None => message,
        },
        _ => message,
    }
}

/// Where a client program stands. Handlers tell it what they hear; the main thread runs them and looks at it.
pub struct Progress {
    queue: Queue,
    stopped: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    started: bool,
    ended: bool,
    error: Option<String>,
}

impl Progress {
    /// Nothing heard yet. Ctrl-C and SIGTERM stop the program.
    pub fn new() -> Result<Arc<Self>> {
        let queue = Queue::new(4096)?;
        let progress = Arc::new(Self {
            queue,
            stopped: AtomicBool::new(false),
            state: Mutex::default(),
        });
        let stop = Arc::clone(&progress);
        ctrlc::set_handler(move || {
            stop.stopped.store(true, Relaxed);
            stop.queue.wakeup();
        })?;
        Ok(progress)
    }

    /// The queue that handlers run in.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Takes in what the server said.
    pub fn hear(&self, status: &Status) {
        log::info!("{}: {}", status.code, status.description);
        match Code::parse(&status.code) {
            Some(Code::PublishStart | Code::PlayStart) => self.state().started = true,
            Some(Code::PlayUnpublishNotify | Code::PlayStop | Code::PlayComplete | Code::ConnectClosed) => {
                self.state().ended = true;
            }
            _ if status.is_error() => self.fail(&format!("{}: {}", status.code, status.description)),
            _ => {}
        }
    }

    /// Ends the program with an error. The first one counts.
    pub fn fail(&self, error: &str) {
        let mut state = self.state();
        state.error.get_or_insert_with(|| error.to_owned());
        state.ended = true;
    }

    /// Ends the program: the stream is over.
    pub fn end(&self) {
        self.state().ended = true;
    }

    /// Runs handlers for at most `wait`. False when it is time to stop: the stream or the connection ended, or Ctrl-C.
    pub fn go_on(&self, wait: Duration) -> Result<bool> {
        if !self.is_over() {
            self.queue.dispatch(1024, wait)?;
        }
        Ok(!self.is_over())
    }

    /// Whether the server let the stream begin.
    pub fn is_started(&self) -> bool {
        self.state().started
    }

    /// The error that ended the program, if one did.
    pub fn result(&self) -> Result<()> {
        self.state()
            .error
            .clone()
            .map_or(Ok(()), |error| Err(error.into()))
    }

    /// Whether Ctrl-C or SIGTERM came.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    fn is_over(&self) -> bool {
        self.is_stopped() || self.state().ended
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NetConnectionHandler for Progress {
    fn on_status(&self, _: &NetConnection, status: &Status) {
        self.hear(status);
    }
}
