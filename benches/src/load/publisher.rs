//! The publishing thread: every message goes out when it is due.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::time::Duration;

use mio::{Events, Poll, Token};
use rtmp_core::media::MediaMessage;
use rtmp_core::wire::url::RtmpUrl;

use super::ledger::{Ledger, is_picture};
use super::peer::{Happening, Peer, Role};
use super::run::{Phase, Run};
use crate::source::{Source, write_time};

/// How long the server may take to let us publish.
const START_LIMIT_MS: u64 = 10_000;

/// What the publisher did.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Published {
    /// Messages sent.
    pub(crate) messages: u64,
    /// How late, at worst, one of them was.
    pub(crate) late_micros: u64,
}

/// Publishes pictures until the run drains, sound until it is done. Says on `started` when the first picture is
/// out.
pub(crate) fn publish(
    run: &Run,
    addr: SocketAddr,
    url: &RtmpUrl,
    mut source: Source,
    started: &Sender<()>,
) -> Result<Published, String> {
    let mut poll = Poll::new().map_err(|e| e.to_string())?;
    let ledger = &run.ledger;
    let mut peer = Peer::connect(
        addr,
        url,
        Role::Publish,
        poll.registry(),
        Token(0),
        ledger.millis(),
    )
    .map_err(|e| format!("cannot connect to {addr}: {e}"))?;
    let (mut events, mut scratch) = (Events::with_capacity(8), vec![0; 64 << 10]);
    let (mut ready_at, mut failure) = (None, None);
    let mut published = Published::default();
    let mut next = source.next();
    while run.phase() != Phase::Done {
        wait(&mut poll, &mut events, delay(ready_at, &next, ledger)).map_err(|e| e.to_string())?;
        let mut sink = |happening| match happening {
            Happening::Ready => ready_at = ready_at.or(Some(ledger.micros())),
            Happening::Ended(why) => failure = Some(why),
            Happening::Media(_) => {}
        };
        peer.drive(&mut scratch, ledger.millis(), &mut sink);
        peer.tick(ledger.millis(), &mut sink);
        if let Some(why) = failure {
            return Err(format!("the publisher's connection ended: {why}"));
        }
        let Some(began) = ready_at else {
            if ledger.millis() > START_LIMIT_MS {
                return Err(format!(
                    "the server did not let us publish within {START_LIMIT_MS} ms"
                ));
            }
            continue;
        };
        while run.phase() != Phase::Done && due(began, &next) <= ledger.micros() {
            // Sound goes on while the last pictures are on their way: some servers send when there is enough to send.
            if run.phase() == Phase::Drain && is_picture(&next) {
                next = source.next();
                continue;
            }
            let now = ledger.micros();
            published.late_micros = published.late_micros.max(now - due(began, &next));
            published.messages += 1;
            let message = write_time(next, now);
            ledger.note(&message, now);
            peer.publish(&message);
            next = source.next();
        }
        peer.flush(&mut |_| {});
        if ledger.count() > 0 {
            // Only the first is waited for.
            let _ = started.send(());
        }
    }
    Ok(published)
}

/// Microseconds at which `message` is to be sent when the first was at `began`.
fn due(began: u64, message: &MediaMessage) -> u64 {
    began + u64::from(message.timestamp) * 1000
}

fn delay(ready_at: Option<u64>, next: &MediaMessage, ledger: &Ledger) -> Duration {
    let most = Duration::from_millis(20);
    ready_at.map_or(most, |began| {
        Duration::from_micros(due(began, next).saturating_sub(ledger.micros())).min(most)
    })
}

/// Polls for at most `timeout`; an interrupted wait is a short one.
pub fn wait(poll: &mut Poll, events: &mut Events, timeout: Duration) -> io::Result<()> {
    match poll.poll(events, Some(timeout)) {
        Err(e) if e.kind() != io::ErrorKind::Interrupted => Err(e),
        _ => Ok(()),
    }
}
