//! Measuring and limiting how fast data goes to a client and comes from it.

use crate::app::client::Client;
use crate::app::peer::PeerCommand;
use crate::error::{Error, Result};
use crate::wire::status::Status;

/// Which of the two dialects of bandwidth detection a client is asked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BandwidthCheck {
    /// `onBWCheck` and `onBWDone`, as the server does by itself.
    #[default]
    Native,
    /// `_onbwcheck` and `_onbwdone`, as Adobe's communication components do.
    Component,
}

/// What a bandwidth check found, as the client is told it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bandwidth {
    /// Kilobits per second towards the client.
    pub kbit_per_s: f64,
    /// Kilobits sent to find out.
    pub kbit: f64,
    /// Seconds they took, without the latency.
    pub seconds: f64,
    /// Milliseconds that an empty call takes there and back.
    pub latency_ms: f64,
}

/// Takes what a bandwidth check found, or why it found nothing.
pub type BandwidthReply = Box<dyn FnOnce(Result<Bandwidth, Status>) + Send>;

/// A direction, as the server sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client.
    In,
    /// To the client.
    Out,
}

/// The least that a direction can be limited to, in bytes per second.
pub const MIN_BANDWIDTH: u32 = 4096;

impl Client {
    /// Measures the bandwidth to the client by calls with growing payloads, up to about a megabyte in all; the client is told
    /// the outcome too. `reply` runs once: with an error when the client does not know the dialect.
    pub fn check_bandwidth(&self, kind: BandwidthCheck, reply: Option<BandwidthReply>) {
        self.send(PeerCommand::CheckBandwidth { kind, reply });
    }

    /// Limits a direction to so many bytes per second, at least [`MIN_BANDWIDTH`]; `None` takes the limit away. To the client
    /// all is sent at that rate at most: players that get too much fall behind and lose frames. From the client no more is
    /// read, and it is told by Set Peer Bandwidth (`RTMP 1.0 5.4.5`).
    pub fn set_bandwidth_limit(&self, direction: Direction, bytes_per_s: Option<u32>) -> Result<()> {
        if bytes_per_s.is_some_and(|limit| limit < MIN_BANDWIDTH) {
            return Err(Error::InvalidArgument(format!(
                "a bandwidth limit of less than {MIN_BANDWIDTH} bytes per second"
            )));
        }
        self.set_limit(direction, bytes_per_s);
        self.send(PeerCommand::LimitBandwidth {
            direction,
            bytes_per_s,
        });
        Ok(())
    }
}
