//! Many clients that set up their streams at once.

use std::net::SocketAddr;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use crate::candidate::{quiet, tool};
use crate::load::wait;
use crate::raw::{Joined, RawClient, Script, State};

/// Who is not through after this time has failed.
const LIMIT: Duration = Duration::from_secs(15);
/// Connections that are begun before those under way are served.
const TOGETHER: usize = 64;

/// Clients that came at once, still connected.
#[derive(Debug)]
pub struct Burst {
    /// The clients; their connections end with the value.
    pub clients: Vec<RawClient>,
    /// How long each of those took that were successful.
    pub times: Vec<Duration>,
    /// From the first connection to the last success.
    pub took: Duration,
    /// What the first said that failed.
    pub failure: Option<String>,
}

impl Burst {
    /// `count` clients follow `script`.
    pub fn run(address: SocketAddr, script: &Arc<Script>, count: usize) -> Result<Self, String> {
        let mut poll = Poll::new().map_err(|error| error.to_string())?;
        let mut events = Events::with_capacity(1024);
        let mut scratch = vec![0; 64 << 10];
        let mut clients: Vec<RawClient> = Vec::with_capacity(count);
        let (mut starts, mut times) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let (mut settled, mut failure) = (0, None);
        let began = Instant::now();
        let mut last = began;
        while settled < count && began.elapsed() < LIMIT {
            for number in clients.len()..count.min(clients.len() + TOGETHER) {
                starts.push(Instant::now());
                let client = RawClient::connect(address, script, poll.registry(), Token(number));
                clients.push(client.map_err(|error| error.to_string())?);
            }
            let timeout = match clients.len() < count {
                true => Duration::ZERO,
                false => Duration::from_millis(10),
            };
            wait(&mut poll, &mut events, timeout).map_err(|error| error.to_string())?;
            for event in &events {
                let number = event.token().0;
                let client = &mut clients[number];
                let going = client.state == State::Going;
                client.drive(&mut scratch);
                match &client.state {
                    State::Ready if going => {
                        settled += 1;
                        last = Instant::now();
                        times.push(last - starts[number]);
                    }
                    State::Failed(why) if going => {
                        settled += 1;
                        failure.get_or_insert_with(|| why.clone());
                    }
                    _ => {}
                }
            }
        }
        Ok(Self {
            clients,
            times,
            took: last - began,
            failure,
        })
    }
}

/// The load tool, publishing stream `live/s`.
#[derive(Debug)]
pub struct Publisher(Child);

impl Publisher {
    /// Starts it and waits until a player gets a key frame.
    pub fn start(address: SocketAddr) -> Result<Self, String> {
        let url = format!("rtmp://{address}/live/s");
        let mut command = Command::new(tool("load")?);
        command.args(["--url", &url, "--players", "0", "--seconds", "3600"]);
        let publisher = Self(quiet(command.stdout(std::process::Stdio::null()))?);
        let burst = Burst::run(address, &Script::play(address, "live", "s", Joined::KeyFrame), 1)?;
        match burst.times.is_empty() {
            true => Err("nobody gets a key frame of a published stream".to_owned()),
            false => Ok(publisher),
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
