//! Measuring the bandwidth to the client, and keeping to limits of it.

use std::time::Duration;

use bytes::Bytes;

use crate::amf::Value;
use crate::app::bandwidth::{Bandwidth, BandwidthCheck, BandwidthReply, Direction};
use crate::app::dispatch::Dispatch;
use crate::engine::held_back::HeldBack;
use crate::engine::players::Batch;
use crate::engine::server_peer::ServerPeer;
use crate::engine::shaper::Shaper;
use crate::wire::message::control::LimitType;
use crate::wire::status::{Code, Status};

/// A measurement under way: calls one after the other, each timed until its answer.
pub(super) struct Probe {
    kind: BandwidthCheck,
    replies: Vec<BandwidthReply>,
    /// The call that is waited for.
    transaction: f64,
    step: usize,
    sent_at: u64,
    latency_ms: u64,
    kbit: f64,
    millis: u64,
}

/// Payloads in bytes: empty ones tell the latency.
const STEPS: [usize; 8] = [
    0,
    0,
    16 << 10,
    32 << 10,
    64 << 10,
    128 << 10,
    256 << 10,
    512 << 10,
];
/// A payload that took longer than this is the last.
const LONG_ENOUGH: Duration = Duration::from_millis(500);
/// Characters of payloads, in no order that a line could compress well.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A client that asks for its bandwidth sooner again is not answered: each answer costs a megabyte.
const ASK_EVERY_MS: u64 = 5_000;

/// Who waits for the outcome of one measurement.
const MAX_REPLIES: usize = 1024;

/// What keeps a connection from being read at once.
#[derive(Debug, Default)]
pub(super) struct Intake {
    shaper: Option<Shaper>,
    held_back: HeldBack,
}

impl ServerPeer {
    /// The client asks for its bandwidth.
    pub(super) fn bandwidth_wanted(&mut self, kind: BandwidthCheck, now: u64) {
        if self
            .probed_at
            .is_none_or(|at| now >= at.saturating_add(ASK_EVERY_MS))
        {
            self.probed_at = Some(now);
            self.check_bandwidth(kind, None, now);
        }
    }

    /// Begins to measure; whoever asks while that goes on gets the same outcome.
    pub(super) fn check_bandwidth(&mut self, kind: BandwidthCheck, reply: Option<BandwidthReply>, now: u64) {
        if let Some(probe) = &mut self.probe {
            match reply {
                Some(reply) if probe.replies.len() >= MAX_REPLIES => reply(Err(Status::new(
                    Code::CallFailed,
                )
                .with_description("Too many wait for the measurement."))),
                reply => probe.replies.extend(reply),
            }
            return;
        }
        self.probe = Some(Box::new(Probe {
            kind,
            replies: reply.into_iter().collect(),
            transaction: 0.0,
            step: 0,
            sent_at: now,
            latency_ms: u64::MAX,
            kbit: 0.0,
            millis: 0,
        }));
        self.next_probe(now);
    }

    /// Takes the answer to a call, if it was the probe's.
    pub(super) fn probe_answered(
        &mut self,
        transaction: f64,
        result: &Result<Value, Value>,
        now: u64,
    ) -> bool {
        let Some(probe) = self
            .probe
            .as_mut()
            .filter(|probe| probe.transaction.to_bits() == transaction.to_bits())
        else {
            return false;
        };
        if let Err(value) = result {
            self.end_probe(&super::failure(value));
            return true;
        }
        let took = now.saturating_sub(probe.sent_at);
        let payload = STEPS[probe.step];
        if payload == 0 {
            probe.latency_ms = probe.latency_ms.min(took);
        } else {
            #[allow(clippy::cast_precision_loss)] // Less than a megabyte.
            let kbit = payload as f64 * 8.0 / 1000.0;
            probe.kbit += kbit;
            probe.millis += took.saturating_sub(probe.latency_ms);
        }
        probe.step += 1;
        if probe.step < STEPS.len() && u128::from(took) < LONG_ENOUGH.as_millis() {
            self.next_probe(now);
        } else {
            self.finish_probe();
        }
        true
    }

    /// The measurement will not end.
    pub(super) fn end_probe(&mut self, why: &Status) {
        for reply in self.probe.take().into_iter().flat_map(|probe| probe.replies) {
            reply(Err(why.clone()));
        }
    }

    /// Sets or lifts a limit.
    pub(super) fn limit_bandwidth(&mut self, direction: Direction, bytes_per_s: Option<u32>, now: u64) {
        let shaper = bytes_per_s.map(|limit| Shaper::new(limit, now));
        match direction {
            Direction::Out => self.shaper_out = shaper.map(Box::new),
            Direction::In => {
                self.intake = shaper.map(|shaper| {
                    Box::new(Intake {
                        shaper: Some(shaper),
                        ..Intake::default()
                    })
                });
                let config = &self.server.session;
                let usual = (config.peer_bandwidth, config.peer_bandwidth_limit);
                let (size, limit) = bytes_per_s.map_or(usual, |size| (size, LimitType::Hard));
                self.session.set_peer_bandwidth(size, limit);
            }
        }
    }

    /// How many bytes may be sent now.
    pub(crate) fn send_room(&mut self, now: u64) -> usize {
        let room = self.session.send_room(now);
        match &mut self.shaper_out {
            // Last words are not kept waiting.
            Some(shaper) if !self.session.is_closed() => room.min(shaper.room(now)),
            _ => room,
        }
    }

    /// Whether messages may go past the queue.
    pub(crate) fn may_pass(&mut self, now: u64) -> bool {
        self.shaper_out.is_none() && self.session.may_pass(now)
    }

    /// Counts a batch as sent past the queue: the number of the run that is to be sent, and its bytes.
    #[inline]
    pub(crate) fn pass_run(&mut self, stream_id: u32, batch: &mut Batch) -> Option<(usize, usize)> {
        let messages = batch.messages.iter().map(|message| &message.shared);
        let (number, bytes) = self.session.pass_run(stream_id, messages, &mut batch.runs)?;
        self.traffic.passed(batch.messages.len() as u64, bytes as u64);
        Some((number, bytes))
    }

    /// Queues what could not be sent past the queue.
    pub(crate) fn take_back(&mut self, rest: Bytes) {
        self.traffic.take_back(rest.len() as u64);
        self.session.take_back(rest);
    }

    /// When more may be sent, if anything waits.
    pub(crate) fn lift_deadline(&self) -> Option<u64> {
        let waiting = !self.session.pending_output().is_empty();
        let of_shaper = self
            .shaper_out
            .as_deref()
            .filter(|_| waiting)
            .and_then(Shaper::next);
        [self.session.lift_deadline(), of_shaper]
            .into_iter()
            .flatten()
            .min()
    }

    /// Takes note of bytes sent.
    pub(crate) fn sent(&mut self, count: usize) {
        self.traffic.sent(count);
        if let Some(shaper) = &mut self.shaper_out {
            shaper.take(count);
        }
    }

    /// Takes note of bytes received.
    pub(super) fn received(&mut self, count: usize) {
        self.traffic.received(count);
        if let Some(shaper) = self.intake.as_mut().and_then(|intake| intake.shaper.as_mut()) {
            shaper.take(count);
        }
    }

    /// How many bytes may be read now.
    pub(crate) fn read_room(&mut self, now: u64) -> usize {
        let dispatch = self
            .application
            .as_ref()
            .map(|application| &application.config().dispatch);
        let is_behind = self.link.mailbox.behind.any()
            || self.shared_objects.is_behind()
            || dispatch.is_some_and(Dispatch::is_overfull);
        if self.intake.is_none() && !is_behind {
            return usize::MAX;
        }
        let intake = self.intake.get_or_insert_default();
        if intake.held_back.holds(is_behind, now) {
            return 0;
        }
        match &mut intake.shaper {
            Some(shaper) => shaper.room(now),
            None => {
                self.intake = None;
                usize::MAX
            }
        }
    }

    /// When more may be read.
    pub(crate) fn read_deadline(&self) -> Option<u64> {
        let intake = self.intake.as_deref()?;
        let of_shaper = || intake.shaper.as_ref().and_then(Shaper::next);
        intake.held_back.until().or_else(of_shaper)
    }

    fn next_probe(&mut self, now: u64) {
        let Some(probe) = &mut self.probe else { return };
        let text = || Value::from(payload(STEPS[probe.step], now));
        let (method, args) = match probe.kind {
            _ if STEPS[probe.step] == 0 => (probe.kind.method(), Vec::new()),
            BandwidthCheck::Native => (probe.kind.method(), vec![text()]),
            BandwidthCheck::Component => (probe.kind.method(), vec![Value::from(vec![text()])]),
        };
        probe.sent_at = now;
        match self.session.call(method, args, true) {
            Some(transaction) => probe.transaction = transaction,
            None => self.end_probe(
                &Status::new(Code::CallFailed).with_description("The client cannot be called now."),
            ),
        }
    }

    fn finish_probe(&mut self) {
        let Some(probe) = self.probe.take() else { return };
        #[allow(clippy::cast_precision_loss)] // Milliseconds of a call.
        let (seconds, latency_ms) = (probe.millis.max(1) as f64 / 1000.0, probe.latency_ms as f64);
        let found = Bandwidth {
            kbit_per_s: (probe.kbit / seconds).round(),
            kbit: probe.kbit,
            seconds,
            latency_ms,
        };
        let args = [found.kbit_per_s, found.kbit, found.seconds, found.latency_ms].map(Value::from);
        self.session.call(probe.kind.done(), args.to_vec(), false);
        for reply in probe.replies {
            reply(Ok(found));
        }
    }
}

impl BandwidthCheck {
    fn method(self) -> &'static str {
        match self {
            Self::Native => "onBWCheck",
            Self::Component => "_onbwcheck",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Native => "onBWDone",
            Self::Component => "_onbwdone",
        }
    }
}

fn payload(bytes: usize, seed: u64) -> String {
    let mut state = seed | 1;
    let mut letter = || {
        // A multiplicative generator: its high bits are good enough to be no pattern.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(LETTERS[(state >> 58) as usize])
    };
    (0..bytes).map(|_| letter()).collect()
}
